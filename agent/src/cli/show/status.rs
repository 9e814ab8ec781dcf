//! `siskin status`.

use std::io::{self, Write};

use super::field;
use crate::{
    api::protocol::{
        problem::{Problem, Severity},
        status::{
            CollectorStatus, ConfigStatus, FibCounts, Health, LogStatus, RefusedRow, RestartState,
            RestartStatus, RunMode, Status, TunnelStatus,
        },
    },
    cli::output::{Tone, count, duration},
};

const MAIN_TABLE: u32 = 254;

/// Writes the one screen.
///
/// # Errors
///
/// As the output's.
pub fn write(out: &mut impl Write, s: &Status) -> io::Result<()> {
    let (tone, health) = health(s);
    let up = format!("siskin {} on {}, process {}, up {}", s.version, s.node, s.pid, duration(s.uptime));
    writeln!(out, "{}", Tone::Heading.paint(&up))?;
    field(out, "Health", tone, &[health])?;
    let address6 = s.address6.as_ref().map(|a| format!(", {a}")).unwrap_or_default();
    let node = format!("{}{address6}, AS {}, router id {}", s.address, s.asn, s.router_id);
    field(out, "Node", Tone::Plain, &[node])?;
    field(out, "Config", Tone::Plain, &config(&s.config))?;
    field(out, "Sessions", Tone::Plain, &[sessions(s)])?;
    let rib = format!("{} IPv4 and {} IPv6 in the RIB", s.routes.rib.ipv4, s.routes.rib.ipv6);
    field(out, "Routes", Tone::Plain, &[rib, fib(&s.routes.fib)])?;
    field(out, "Kernel", Tone::Plain, &[kernel(s)])?;
    field(out, "Tunnel", Tone::Plain, &tunnel(&s.tunnel))?;
    field(out, "Restart", Tone::Plain, &[restart(&s.graceful_restart)])?;
    monitoring(out, s)?;
    refused(out, &s.refused_connections)?;
    field(out, "Log", Tone::Plain, &log(s.log))?;
    problems(out, &s.problems)
}

fn health(s: &Status) -> (Tone, String) {
    let number = |severity| s.problems.iter().filter(|p| p.severity == severity).count() as u64;
    let kinds = [(number(Severity::Error), "error"), (number(Severity::Warning), "warning")];
    let listed: Vec<String> = kinds.iter().filter(|(n, _)| *n > 0).map(|(n, name)| count(*n, name)).collect();
    let with = |word: &str| match listed.is_empty() {
        true => word.to_owned(),
        false => format!("{word}, {}", listed.join(" and ")),
    };
    match s.health {
        Health::Healthy if listed.is_empty() => (Tone::Good, with("healthy")),
        Health::Healthy => (Tone::Warning, with("healthy")),
        Health::Starting => {
            (Tone::Warning, with("starting: sessions are still coming up, see `siskin peers`"))
        }
        Health::Unhealthy => (Tone::Error, with("unhealthy")),
    }
}

fn config(c: &ConfigStatus) -> Vec<String> {
    let reloads = if c.reloads == 0 { String::new() } else { format!(", {}", count(c.reloads, "reload")) };
    let mut lines = vec![format!("{}, read {} ago{reloads}", c.source, duration(c.age))];
    if let Some(refused) = &c.refused {
        lines.push(format!("the newest content was refused, the one before stays in force: {refused}"));
    }
    if let Some(pending) = &c.pending {
        let takes_away = pending.takes_away.join(", ");
        lines.push(format!(
            "pending: the newest content would take away {takes_away}; `siskin reload --force` applies it"
        ));
    }
    if !c.pending_restart.is_empty() {
        lines.push(format!("waiting for a restart: {}", c.pending_restart.join(", ")));
    }
    lines
}

fn sessions(s: &Status) -> String {
    let sessions = s.sessions;
    let disabled =
        if sessions.disabled == 0 { String::new() } else { format!(", {} disabled", sessions.disabled) };
    format!("{} of {} established{disabled}", sessions.established, sessions.configured)
}

fn fib(f: &FibCounts) -> String {
    let parts = [
        (f.installed, "installed"),
        (f.pending, "pending"),
        (f.unreachable, "unreachable"),
        (f.failed, "failed"),
        (f.conflict, "in conflict"),
        (f.stale, "stale"),
    ];
    let states: Vec<_> = parts
        .iter()
        .filter(|(n, name)| *n > 0 || *name == "installed")
        .map(|(n, name)| format!("{n} {name}"))
        .collect();
    format!(
        "{} direct, {} tunnel, {} blackhole wanted in the kernel: {}",
        f.direct,
        f.tunnel,
        f.blackhole,
        states.join(", ")
    )
}

fn kernel(s: &Status) -> String {
    let k = &s.kernel;
    let table = if k.table == MAIN_TABLE { "main".to_owned() } else { k.table.to_string() };
    let dry = match s.mode {
        RunMode::Normal => "",
        RunMode::DryRun => "; dry run: nothing is programmed or announced",
    };
    let objects = match k.routes.as_str() {
        "objects" => format!(", {}", count(k.objects, "next-hop object")),
        "unsupported" => ", no next-hop objects in this kernel".to_owned(),
        _ => String::new(),
    };
    format!("protocol {}, table {table}, metric {}{objects}{dry}", k.protocol, k.metric)
}

fn tunnel(t: &TunnelStatus) -> Vec<String> {
    let mut line = format!("{} {}", t.device, t.state);
    if let Some(address) = &t.address {
        line.push_str(&format!(", {address}"));
    }
    if let Some(mtu) = t.mtu {
        line.push_str(&format!(", MTU {mtu}"));
    }
    if let Some(mtu) = t.route_mtu {
        line.push_str(&format!(", routes with MTU {mtu}"));
    }
    if let Some(source) = &t.outer_source {
        line.push_str(&format!(", sent from {source}"));
    }
    if t.outer_df.as_deref() == Some("always") {
        line.push_str(", never fragmented");
    }
    let nodes = count(t.known_nodes, "known node");
    let mut lines =
        vec![line, format!("guard {}, {nodes}, {} behind", t.guard, count(t.prefixes, "network"))];
    lines.extend(t.dropped.map(|d| {
        format!(
            "dropped: {} from strangers, {} of foreign source, {} to foreign destination, {} of another node's source",
            d.stranger, d.inner_source, d.inner_destination, d.unbound_source
        )
    }));
    if t.guard_gaps > 0 {
        lines.push(format!(
            "the guard was changed by others and restored: {}, {} ms in all",
            count(t.guard_gaps, "time"),
            t.guard_open_ms
        ));
    }
    lines.extend(t.felix_guard.as_ref().map(|felix| format!("Felix has a guard of its own: {felix}")));
    if !matches!(t.nat_outgoing.as_str(), "" | "off") {
        lines.push(format!("source NAT of what leaves the pools: {}", t.nat_outgoing.replace('_', " ")));
    }
    lines
}

fn restart(r: &RestartStatus) -> String {
    if r.state == RestartState::Complete {
        return "complete".to_owned();
    }
    let mut text = format!("in progress, {}", count(r.stale_routes, "stale route"));
    if !r.waiting_for.is_empty() {
        text.push_str(&format!(", waiting for {}", r.waiting_for.join(", ")));
    }
    if let Some(left) = r.remaining {
        text.push_str(&format!(", at most {}", duration(left)));
    }
    text
}

/// Only what is missing in it.
fn log(log: LogStatus) -> Vec<String> {
    let mut lines = Vec::new();
    if log.dropped > 0 {
        lines.push(format!("{} dropped: standard error took none", count(log.dropped, "line")));
    }
    if log.left_out > 0 {
        lines.push(format!("{} left out: too many of their kind", count(log.left_out, "line")));
    }
    lines
}

/// Only where something is configured.
fn monitoring(out: &mut impl Write, s: &Status) -> io::Result<()> {
    let collectors: Vec<String> = s.bmp.iter().map(collector).collect();
    if !collectors.is_empty() {
        field(out, "BMP", Tone::Plain, &collectors)?;
    }
    let Some(mrt) = &s.mrt else { return Ok(()) };
    let mut lines = Vec::new();
    if let Some(file) = &mrt.updates_file {
        lines.push(format!("{file}, {} written, {} dropped", count(mrt.records, "record"), mrt.dropped));
    }
    if let Some(file) = &mrt.table_file {
        lines.push(format!("{file}, {}", count(mrt.dumps, "dump")));
    }
    if lines.is_empty() {
        lines.push("nothing written yet".to_owned());
    }
    field(out, "MRT", Tone::Plain, &lines)
}

/// Lines of refused connections; JSON has all of them.
const REFUSED_LINES: usize = 5;
/// What was refused longer ago is not shown, seconds.
const REFUSED_AGE: u64 = 3600;

/// The latest refused connections that somebody should know of: what a pause after a failure, or a peer that is shut
/// down, refuses is everyday life.
fn refused(out: &mut impl Write, rows: &[RefusedRow]) -> io::Result<()> {
    let everyday = |row: &&RefusedRow| matches!(row.reason.as_str(), "idle_hold" | "peer_down");
    let mut rows: Vec<&RefusedRow> =
        rows.iter().filter(|row| !everyday(row) && row.age < REFUSED_AGE).collect();
    rows.sort_by_key(|row| row.age);
    let mut lines: Vec<String> = rows
        .iter()
        .take(REFUSED_LINES)
        .map(|row| {
            let RefusedRow { remote, local, reason, .. } = row;
            let reason = reason.replace('_', " ");
            let (number, age) = (count(row.count, "connection"), duration(row.age));
            format!("{number} from {remote} to {local}, the last {age} ago: {reason}")
        })
        .collect();
    let rest = rows.len().saturating_sub(REFUSED_LINES);
    if rest > 0 {
        lines.push(format!("and {rest} others"));
    }
    if lines.is_empty() { Ok(()) } else { field(out, "Refused", Tone::Plain, &lines) }
}

fn collector(c: &CollectorStatus) -> String {
    let mut line = format!("{} {} for {}", c.address, c.state, duration(c.age));
    if let Some(left) = c.retry_in {
        line.push_str(&format!(", next attempt in {}", duration(left)));
    }
    let sent = count(c.messages, "message");
    let waiting = count(c.waiting, "path");
    line.push_str(&format!(", {sent} sent, {waiting} waiting, {} coalesced", c.coalesced));
    if c.overtaken > 0 {
        line.push_str(&format!(", overtaken {}", count(c.overtaken, "time")));
    }
    line
}

fn problems(out: &mut impl Write, problems: &[Problem]) -> io::Result<()> {
    if !problems.is_empty() {
        writeln!(out, "\n{}", Tone::Heading.paint("Problems"))?;
    }
    for problem in problems {
        let (tone, word) = match problem.severity {
            Severity::Error => (Tone::Error, "error"),
            Severity::Warning => (Tone::Warning, "warning"),
        };
        let Problem { code, message, .. } = problem;
        writeln!(out, "{} {message} [{code}]", tone.paint(&format!("{word:<11}")))?;
        writeln!(out, "{:<11} -> {}", "", problem.remedy)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::protocol::{problem::ProblemCode, status::*},
        cli::show::rendered,
    };

    fn example() -> Status {
        Status {
            healthy: true,
            node: "master01".into(),
            version: "0.1.0".into(),
            pid: 4711,
            uptime: 7325,
            asn: 64512,
            router_id: "192.168.92.128".into(),
            address: "192.168.92.128/24".into(),
            config: ConfigStatus { source: "/etc/siskin/siskin.toml".into(), age: 60, ..Default::default() },
            sessions: SessionCounts { configured: 1, established: 1, disabled: 0 },
            routes: RouteCounts {
                rib: RibCounts { ipv4: 2, ipv6: 0 },
                fib: FibCounts { tunnel: 1, blackhole: 1, installed: 2, ..Default::default() },
            },
            kernel: KernelStatus { protocol: 179, table: 254, ..KernelStatus::default() },
            tunnel: TunnelStatus {
                device: "tunl0".into(),
                state: "up".into(),
                address: Some("172.16.241.64".into()),
                mtu: Some(1480),
                guard: "on".into(),
                known_nodes: 1,
                prefixes: 2,
                dropped_packets: Some(0),
                dropped: Some(GuardDrops::default()),
                ..Default::default()
            },
            ..Status::default()
        }
    }

    #[test]
    fn what_is_asked_of_outer_headers_is_told_beside_the_mtu() {
        let mut status = example();
        status.tunnel.route_mtu = Some(1400);
        status.tunnel.outer_source = Some("192.168.92.128".into());
        status.tunnel.outer_df = Some("always".into());
        let text = rendered(|out| write(out, &status));
        let line = "MTU 1480, routes with MTU 1400, sent from 192.168.92.128, never fragmented";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn a_healthy_node_fits_one_screen() {
        let text = rendered(|out| write(out, &example()));
        assert_eq!(
            text,
            "\
siskin 0.1.0 on master01, process 4711, up 2h2m
Health      healthy
Node        192.168.92.128/24, AS 64512, router id 192.168.92.128
Config      /etc/siskin/siskin.toml, read 1m ago
Sessions    1 of 1 established
Routes      2 IPv4 and 0 IPv6 in the RIB
            0 direct, 1 tunnel, 1 blackhole wanted in the kernel: 2 installed
Kernel      protocol 179, table main, metric 0
Tunnel      tunl0 up, 172.16.241.64, MTU 1480
            guard on, 1 known node, 2 networks behind
            dropped: 0 from strangers, 0 of foreign source, 0 to foreign destination, 0 of another node's source
Restart     complete
"
        );
    }

    #[test]
    fn problems_come_with_their_remedies() {
        let mut status = example();
        status.config.refused = Some("siskin.toml:3:1: unknown key `nod`".into());
        status.health = Health::Unhealthy;
        status.problems = vec![Problem {
            severity: Severity::Error,
            code: ProblemCode::ModuleMissing,
            subject: String::new(),
            message: "the kernel has no ipip module".into(),
            remedy: "modprobe ipip".into(),
        }];
        let text = rendered(|out| write(out, &status));
        assert!(text.contains("Health      unhealthy, 1 error\n"), "{text}");
        assert!(text.contains("            the newest content was refused"), "{text}");
        assert!(
            text.ends_with(
                "\nProblems\nerror       the kernel has no ipip module [module_missing]\n            -> modprobe ipip\n"
            ),
            "{text}"
        );
    }
}
