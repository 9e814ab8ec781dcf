//! The list of problems, put together from what every part of the daemon knows.
//!
//! What is a problem, and what its message and remedy are, is decided by the pure functions of `problems`, `health`,
//! `addresses`, `rivals` and `monitoring`; here the facts are asked for.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use bgp::{
    core::RouteView,
    fsm::State as SessionState,
    net::{BfdReport, ListenState, PeerSnapshot},
};
use fib::view::FibStatus;
use ipip::{GuardState, Need, OuterSource, TunnelStatus};
use ipnet::IpNet;

use super::{
    addresses,
    health::{self, Settling},
    host::{HostLinks, source_towards},
    logging,
    problems::{self, error, warning},
    rivals::{self, Own, Sender},
    state::{Board, Daemon},
};
use crate::{
    api::protocol::{
        peer::PeerRow,
        problem::{Problem, ProblemCode},
        status::{RangeStatus, RunMode, SessionCounts},
    },
    config::{Intent, IpipMode, NOT_OF_THIS_HOST},
    translate,
};

/// Own blocks that are compared with what others announce.
const COMPARED_BLOCKS: usize = 256;

/// What is known already of the parts of the daemon.
pub(super) struct Findings<'a> {
    pub(super) daemon: &'a Daemon,
    pub(super) peers: &'a [PeerSnapshot],
    pub(super) rows: &'a [PeerRow],
    pub(super) sessions: &'a SessionCounts,
    pub(super) bfd: &'a BfdReport,
    pub(super) ranges: &'a [RangeStatus],
    pub(super) fib: Option<&'a FibStatus>,
    pub(super) tunnel: Option<&'a TunnelStatus>,
    pub(super) monitoring: Vec<Problem>,
}

/// All problems, the gravest first.
pub(super) async fn collect(findings: &Findings<'_>) -> Vec<Problem> {
    let Findings { daemon, peers, rows, sessions, bfd, ranges, fib, tunnel, monitoring } = findings;
    let links = daemon.host.links().await;
    let intent = daemon.loaded().intent.clone();
    let rivals = rivals(daemon, &intent, rows, peers).await;
    let settling = settling(daemon);
    let board = daemon.board();
    let mut problems = all_problems(daemon, &board, *fib, *tunnel);
    let established =
        |name: &str| peers.iter().any(|p| p.name == name && p.state == SessionState::Established);
    problems.extend(problems::of_bfd(bfd, established));
    problems.extend(problems::of_ranges(ranges));
    problems.extend(problems::of_emptiness(&intent, sessions));
    problems.extend(problems::of_keys(&board.speaker));
    problems.extend(health::of_peers(board.speaker.peers.len(), board.speaker.ranges.len()));
    problems.extend(health::of_sessions(rows, settling));
    problems.extend(addresses::of_node(&intent, &links));
    let configured = board.speaker.peers.iter().map(|peer| (peer.name.as_str(), peer.address));
    problems.extend(addresses::of_peers(configured, &links));
    problems.extend(of_tunnelling(daemon, &intent, *tunnel, &links));
    problems.extend(of_growth(daemon, *tunnel));
    problems.extend(rivals);
    problems.extend(monitoring.iter().cloned());
    problems.sort_by(|a, b| {
        let by_name = crate::natural::compare(&a.subject, &b.subject);
        (a.severity, a.code).cmp(&(b.severity, b.code)).then(by_name).then_with(|| a.cmp(b))
    });
    problems.dedup();
    problems
}

/// How long sessions of a new configuration may take before they are missed, and those after a start.
const SETTLING_TIME: Duration = Duration::from_secs(15);

fn settling(daemon: &Daemon) -> Settling {
    if daemon.configured_for() < SETTLING_TIME { Settling::Underway } else { Settling::Over }
}

fn all_problems(
    daemon: &Daemon,
    board: &Board,
    fib: Option<&FibStatus>,
    tunnel: Option<&TunnelStatus>,
) -> Vec<Problem> {
    let mut list: Vec<Problem> = board.notices.values().cloned().collect();
    if let Some(refused) = &board.refused {
        list.push(error(
            ProblemCode::ConfigRefused,
            format!("the configuration is not valid: {refused}"),
            "correct it; it is read again when it changes",
        ));
    }
    // Whether the host has an address is looked up as things are, not as they were when the file was read.
    let lasting = board.loaded.warnings.iter().filter(|w| !w.what.ends_with(NOT_OF_THIS_HOST));
    list.extend(lasting.map(|w| {
        let what = if w.key.is_empty() { w.what.clone() } else { format!("{}: {}", w.key, w.what) };
        warning(ProblemCode::Configuration, what, w.remedy.clone()).about(&w.key)
    }));
    list.extend(listeners(daemon));
    list.extend(board.held.as_ref().map(problems::of_pending));
    list.extend(problems::of_log(logging::status()));
    list.extend(fib.map(|status| problems::of_routes(status, &daemon.troubled())).unwrap_or_default());
    let need = translate::tunnel(&board.loaded.intent).need;
    list.extend(tunnel.map(|status| problems::of_tunnel(status, need)).unwrap_or_default());
    if need == Need::Needed && tunnel.is_none() && daemon.mode == RunMode::Normal {
        list.push(error(
            ProblemCode::TunnelUnavailable,
            "a pool needs the tunnel, which cannot be looked after",
            "see the log for the reason",
        ));
    }
    list
}

fn listeners(daemon: &Daemon) -> Vec<Problem> {
    let failed = daemon.speaker.listeners().into_iter().filter_map(|(address, state)| match state {
        ListenState::Listening => None,
        ListenState::Failed(reason) => Some((address, reason)),
    });
    failed
        .map(|(address, reason)| {
            let (what, remedy) = reason.split_once("; ").unwrap_or((&reason, "see the log"));
            let who = format!("{remedy} (`ss -ltnp sport = :{}` shows who listens)", address.port());
            error(ProblemCode::NotListening, format!("cannot listen on {address}: {what}"), who)
                .about(address.to_string())
        })
        .collect()
}

/// What keeps packets from passing through the tunnel, though the tunnel itself is as asked.
fn of_tunnelling(
    daemon: &Daemon,
    intent: &Intent,
    tunnel: Option<&TunnelStatus>,
    links: &HostLinks,
) -> Vec<Problem> {
    let Some(status) = tunnel.filter(|_| daemon.mode == RunMode::Normal) else { return Vec::new() };
    let config = translate::tunnel(intent);
    let mut problems = Vec::new();
    if status.state.is_usable() && config.need == Need::Needed && config.outer_source == OuterSource::Route {
        let node = intent.node.address.map(|net| net.addr());
        let here = node.filter(|node| links.link_of(IpAddr::V4(*node)).is_some());
        let always = intent.pools.values().any(|pool| pool.ipip_mode == IpipMode::Always);
        let in_subnet = |address: &Ipv4Addr| intent.node.address.is_some_and(|net| net.contains(address));
        let nodes = daemon.known().addresses().into_iter().filter(|node| always || !in_subnet(node));
        problems.extend(addresses::of_outer_source(here, nodes, source_towards));
    }
    if status.guard.state == GuardState::InForce {
        let devices =
            links.tunnels_beside(&status.device).map(|device| (device.name.as_str(), device.remote));
        let is_allowed = |remote: Ipv4Addr| status.guard.allowed.iter().any(|net| net.contains(&remote));
        problems.extend(addresses::of_other_tunnels(devices, is_allowed));
    }
    problems
}

/// What is lost again and again, though each loss alone is made good or meant.
fn of_growth(daemon: &Daemon, tunnel: Option<&TunnelStatus>) -> Vec<Problem> {
    let now = Instant::now();
    let metrics = daemon.fib.metrics().snapshot();
    let mut growth = daemon.growth();
    let removed = growth.removed.note(now, metrics.removed);
    let mut problems = Vec::new();
    problems.extend(problems::of_removed(removed, metrics.last_removed));
    if let Some(status) = tunnel {
        let drops = &status.guard.dropped;
        let kinds = [&drops.stranger, &drops.inner_source, &drops.inner_destination, &drops.unbound_source];
        let total = kinds.iter().map(|counter| counter.packets).fold(0, u64::saturating_add);
        problems.extend(problems::of_drops(growth.dropped.note(now, total), drops));
    }
    problems
}

/// Who else announces what is ours.
async fn rivals(daemon: &Daemon, intent: &Intent, rows: &[PeerRow], peers: &[PeerSnapshot]) -> Vec<Problem> {
    let mut own: Vec<(Own, IpNet)> = Vec::new();
    if rows.iter().any(|row| row.refused.contains_key("own_block")) {
        let blocks = intent.blocks.iter().take(COMPARED_BLOCKS);
        own.extend(blocks.map(|block| (Own::Block, *block)));
    }
    let address = intent.tunnel.address.map(|address| IpNet::from(IpAddr::from(address)));
    own.extend(address.filter(|net| !intent.blocks.contains(net)).map(|net| (Own::TunnelAddress, net)));
    if own.is_empty() {
        return Vec::new();
    }
    let asked = daemon.speaker.query(move |core, _| {
        let route = |(own, prefix): (Own, IpNet)| Some((own, core.route(prefix)?));
        own.into_iter().filter_map(route).collect::<Vec<(Own, RouteView)>>()
    });
    let routes = asked.await.unwrap_or_default();
    let sender = |peer: &PeerSnapshot| Sender { id: peer.id, name: peer.name.clone(), kind: peer.peer_type };
    rivals::of(&routes, &peers.iter().map(sender).collect::<Vec<_>>())
}
