//! The daemon on one screen.

use std::{num::NonZeroU32, time::UNIX_EPOCH};

use bgp::{
    config::AdminState,
    core::RestartWait,
    fsm::State as SessionState,
    net::{PeerSnapshot, RangeSnapshot, RefusedConnections},
    types::Family,
};
use fib::{
    decide::Verdict,
    view::{FibStatus, State},
};
use ipip::{Need, TunnelState, TunnelStatus};

use super::{
    findings::{self, Findings},
    health::{self, Standing},
    logging, monitoring, problems,
    rows::words,
    state::{Board, Daemon},
    tables::internal,
};
use crate::{
    api::protocol::{
        ApiError,
        status::{
            ConfigStatus, FibCounts, GuardDrops, Health, KernelStatus, PendingChange, RangeStatus,
            RefusedRow, RestartState, RestartStatus, RibCounts, RouteCounts, RunMode, SessionCounts, Status,
            TunnelStatus as TunnelView,
        },
    },
    config::Intent,
    http::metrics::FibRoutes,
    natural, translate,
};

/// The whole of it.
///
/// # Errors
///
/// When the speaker has ended.
pub(super) async fn of(daemon: &Daemon) -> Result<Status, ApiError> {
    let peers = daemon.speaker.peers().await.map_err(internal)?;
    let (rib, wait) = daemon
        .speaker
        .query(|core, now| {
            let routes = |family| core.prefixes(family) as u64;
            let rib = RibCounts { ipv4: routes(Family::Ipv4Unicast), ipv6: routes(Family::Ipv6Unicast) };
            (rib, core.restart_wait(now))
        })
        .await
        .map_err(internal)?;
    let fib = daemon.fib.status().await.ok();
    let mut ranges: Vec<_> =
        daemon.speaker.ranges().await.map_err(internal)?.into_iter().map(range).collect();
    ranges.sort_by(|a, b| natural::compare(&a.name, &b.name));
    let bfd = daemon.speaker.bfd().await;
    let bmp = monitoring::collectors(daemon).await?;
    let mrt = monitoring::mrt(daemon).await?;
    let tunnel = daemon.tunnel.as_ref().map(ipip::TunnelHandle::status);
    let rows = daemon.rows(&peers).await;
    let sessions = sessions(&peers);
    let problems = findings::collect(&Findings {
        daemon,
        peers: &peers,
        rows: &rows,
        sessions: &sessions,
        bfd: &bfd,
        ranges: &ranges,
        fib: fib.as_ref(),
        tunnel: tunnel.as_deref(),
        monitoring: monitoring::problems(&bmp, mrt.as_ref()),
    })
    .await;
    let refused = daemon.speaker.refusals();
    let board = daemon.board();
    let log = logging::status();
    let fib_counts = fib.as_ref().map(fib_counts).unwrap_or_default();
    let node = &board.loaded.intent.node;
    let kernel = board.loaded.intent.kernel;
    let missing = health::missing(&rows);
    let health = health::of(&problems, missing);
    let readiness = health::readiness(&Standing {
        restarted: wait.is_none(),
        written: daemon.note_written(wait.is_none() && fib.is_some() && fib_counts.pending == 0),
        fib: fib_counts,
        wanted: health::wanted(&rows),
        missing,
        tunnel_down: tunnel_down(daemon.mode, &board.loaded.intent, tunnel.as_deref()),
        problems: &problems,
    });
    Ok(Status {
        healthy: health == Health::Healthy,
        health,
        node: node.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        uptime: daemon.uptime().as_secs(),
        started: crate::api::protocol::time::ago(daemon.uptime()),
        asn: node.asn.0,
        router_id: node.router_id.to_string(),
        address: node.address.map_or_else(|| "no IPv4 address".to_owned(), |a| a.to_string()),
        address6: node.address6.map(|a| a.to_string()),
        mode: daemon.mode,
        config: config(&board),
        sessions,
        routes: RouteCounts { rib, fib: fib_counts },
        kernel: KernelStatus {
            protocol: kernel.protocol,
            table: kernel.table,
            metric: kernel.metric,
            routes: fib.as_ref().map(|f| words::name(f.objects.form)).unwrap_or_default(),
            objects: fib.as_ref().map_or(0, |f| f.objects.held),
        },
        tunnel: tunnel
            .as_deref()
            .map_or_else(|| absent_tunnel(daemon.mode), |status| tunnel_view(status, &board.loaded.intent)),
        graceful_restart: restart(wait, fib_counts.stale),
        ranges,
        bmp,
        mrt,
        log,
        problems,
        readiness,
        refused_connections: refused_rows(&refused.entries),
        refused_totals: refused.totals.iter().map(|(reason, n)| (reason.name().to_owned(), *n)).collect(),
    })
}

/// Whether the tunnel is needed and no route may use it.
fn tunnel_down(mode: RunMode, intent: &Intent, tunnel: Option<&TunnelStatus>) -> bool {
    let needed = mode == RunMode::Normal && translate::tunnel(intent).need == Need::Needed;
    needed && !tunnel.is_some_and(|status| status.state.is_usable())
}

/// A peer counts as disabled whoever said so, the configuration or an operator.
fn sessions(peers: &[PeerSnapshot]) -> SessionCounts {
    let number = |wanted: &dyn Fn(&&PeerSnapshot) -> bool| peers.iter().filter(wanted).count() as u64;
    SessionCounts {
        configured: peers.len() as u64,
        established: number(&|p| p.state == SessionState::Established),
        disabled: number(&|p| p.state != SessionState::Established && p.admin == AdminState::Down),
    }
}

fn refused_rows(entries: &[RefusedConnections]) -> Vec<RefusedRow> {
    let row = |entry: &RefusedConnections| RefusedRow {
        remote: entry.remote.to_string(),
        local: entry.local.to_string(),
        reason: entry.reason.name().to_owned(),
        count: entry.count,
        age: entry.age.as_secs(),
    };
    entries.iter().map(row).collect()
}

fn range(range: RangeSnapshot) -> RangeStatus {
    let RangeSnapshot { name, peers, limit, refused } = range;
    RangeStatus { name, peers: peers as u64, limit: limit as u64, refused }
}

fn config(board: &Board) -> ConfigStatus {
    ConfigStatus {
        source: board.source.clone(),
        age: board.read.elapsed().as_secs(),
        read_time: crate::api::protocol::time::ago(board.read.elapsed()),
        reloads: board.reloads,
        refused: board.refused.clone(),
        pending: board
            .held
            .as_ref()
            .map(|held| PendingChange { takes_away: held.takes_away.clone(), changes: held.changes.clone() }),
        last_success: board.last_success.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
        pending_restart: board.loaded.pending.iter().map(|p| p.key.clone()).collect(),
    }
}

fn restart(wait: Option<RestartWait>, stale: u64) -> RestartStatus {
    let Some(wait) = wait else {
        return RestartStatus { stale_routes: stale, ..RestartStatus::default() };
    };
    RestartStatus {
        state: RestartState::InProgress,
        stale_routes: stale,
        waiting_for: in_order(wait.peers),
        remaining: Some(wait.at_most.as_secs()),
    }
}

fn in_order(mut names: Vec<String>) -> Vec<String> {
    names.sort_by(|a, b| natural::compare(a, b));
    names
}

fn absent_tunnel(mode: RunMode) -> TunnelView {
    let state = match mode {
        RunMode::DryRun => "untouched (dry run)",
        RunMode::Normal => "not available",
    };
    TunnelView {
        device: "tunl0".to_owned(),
        state: state.to_owned(),
        guard: "untouched".to_owned(),
        ..Default::default()
    }
}

fn tunnel_view(status: &TunnelStatus, intent: &Intent) -> TunnelView {
    let state = match status.state {
        TunnelState::Idle => "not needed".to_owned(),
        state => words::name(state),
    };
    let route_mtu = translate::route_mtu(intent, status.underlay.as_ref().map(|link| link.mtu));
    let guarded = status.guard.state == ipip::GuardState::InForce;
    TunnelView {
        device: status.device.clone(),
        state,
        address: own_address(status, intent).map(|address| address.to_string()),
        mtu: status.mtu.filter(|_| status.state != TunnelState::Idle),
        route_mtu: route_mtu.map(NonZeroU32::get),
        outer_df: status.dont_fragment.map(words::name),
        outer_source: status.outer_source.map(|source| source.to_string()),
        guard: problems::guard(status),
        known_nodes: status.guard.allowed.len() as u64,
        prefixes: status.guard.behind as u64,
        dropped_packets: guarded.then_some(status.guard.dropped.stranger.packets),
        dropped: guarded.then(|| drops(&status.guard.dropped)),
        guard_gaps: status.guard.gaps.number,
        guard_open_ms: status.guard.gaps.total_ms,
        felix_guard: status.felix_guard.as_ref().map(|felix| format!("{} {}", felix.table, felix.chain)),
        nat_outgoing: words::name(status.masquerade),
    }
}

/// The tunnel's address, which need not be the only one on the device.
fn own_address(status: &TunnelStatus, intent: &Intent) -> Option<std::net::Ipv4Addr> {
    let mut there = status.addresses.iter().map(ipnet::Ipv4Net::addr);
    let wanted =
        intent.tunnel.address.filter(|wanted| status.addresses.iter().any(|net| net.addr() == *wanted));
    wanted.or_else(|| {
        there.find(|address| !intent.tunnel.keep_addresses.iter().any(|net| net.contains(address)))
    })
}

fn drops(dropped: &ipip::Drops) -> GuardDrops {
    GuardDrops {
        stranger: dropped.stranger.packets,
        inner_source: dropped.inner_source.packets,
        inner_destination: dropped.inner_destination.packets,
        unbound_source: dropped.unbound_source.packets,
    }
}

fn fib_counts(status: &FibStatus) -> FibCounts {
    let mut counts = FibCounts::default();
    for count in &status.routes {
        let wanted = count.state != State::NotOurs;
        match count.path {
            Some(Verdict::Direct) if wanted => counts.direct += count.routes,
            Some(Verdict::Tunnel) if wanted => counts.tunnel += count.routes,
            Some(Verdict::Blackhole) if wanted => counts.blackhole += count.routes,
            _ => {}
        }
        match count.state {
            State::Installed => counts.installed += count.routes,
            State::Pending => counts.pending += count.routes,
            State::Unreachable => counts.unreachable += count.routes,
            State::Failed => counts.failed += count.routes,
            State::Conflict => counts.conflict += count.routes,
            State::Stale => counts.stale += count.routes,
            State::NotOurs => {}
        }
    }
    counts
}

/// The same by path and state, for metrics.
#[must_use]
pub(super) fn fib_routes(status: &FibStatus) -> Vec<FibRoutes> {
    let path = |verdict: Option<Verdict>| verdict.map_or_else(|| "stale".to_owned(), words::name);
    status
        .routes
        .iter()
        .map(|c| FibRoutes { path: path(c.path), state: words::name(c.state), routes: c.routes })
        .collect()
}
