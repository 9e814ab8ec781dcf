//! `siskin explain`.

use std::io::{self, Write};

use super::field;
use crate::{
    api::protocol::{
        explain::{Explain, ExportFact, NextHopFact},
        fib::{FibRow, KernelRoute},
        route::RouteRow,
    },
    cli::output::{Tone, duration},
};

/// Writes the story of one destination.
///
/// # Errors
///
/// As the output's.
pub fn write(out: &mut impl Write, e: &Explain) -> io::Result<()> {
    writeln!(out, "{}", Tone::Heading.paint(&headline(e)))?;
    for (n, path) in e.paths.iter().enumerate() {
        field(out, if n == 0 { "Path" } else { "" }, Tone::Plain, &path_lines(path))?;
    }
    let pool = e.pool.as_ref().map_or_else(
        || "no pool contains it: always direct, never tunnelled".to_owned(),
        |p| format!("{}, IPIP {}", p.cidr, p.ipip_mode),
    );
    field(out, "Pool", Tone::Plain, &[pool])?;
    for decision in &e.decisions {
        if let Some(hop) = &decision.next_hop {
            field(out, "Next hop", Tone::Plain, &hop_lines(hop))?;
        }
        field(out, "Decision", Tone::Plain, &[format!("{}: {}", decision.path, decision.reason_text)])?;
    }
    if let Some(row) = &e.fib {
        field(out, "Wanted", Tone::Plain, &[row.route.to_string()])?;
    }
    let (tone, kernel) = kernel_lines(e.fib.as_ref(), e.kernel.as_ref());
    field(out, "Kernel", tone, &kernel)?;
    for (n, export) in e.exports.iter().enumerate() {
        field(out, if n == 0 { "Export" } else { "" }, Tone::Plain, &export_lines(export))?;
    }
    field(out, "Note", Tone::Warning, &e.notes)
}

fn headline(e: &Explain) -> String {
    match &e.prefix {
        Some(prefix) if *prefix == e.target => prefix.clone(),
        Some(prefix) => format!("{} is covered by {prefix}", e.target),
        None => format!("{}: no route in the RIB covers it", e.target),
    }
}

fn path_lines(path: &RouteRow) -> Vec<String> {
    let from = match &path.peer {
        Some(peer) => format!("learned from {peer} {} ago", duration(path.age)),
        None if path.state == "originated" => {
            format!("a default route of our own, there for {}", duration(path.age))
        }
        None => format!("our own block, announced for {}", duration(path.age)),
    };
    let next_hop = path.next_hop.as_ref().map(|n| format!(", next hop {n}")).unwrap_or_default();
    let as_path = if path.as_path.is_empty() { String::new() } else { format!(", AS path {}", path.as_path) };
    let stale = if path.stale { ", stale: its peer is restarting" } else { "" };
    let reason = if path.reason_text.is_empty() { &path.reason } else { &path.reason_text };
    let mut lines = vec![format!("{from}{next_hop}{as_path}{stale}"), format!("{}: {reason}", path.state)];
    lines.extend(path.policy.as_ref().map(|policy| format!("import: {policy}")));
    lines
}

/// Peers named on one line; of more only the number.
const NAMED: usize = 4;

fn export_lines(export: &ExportFact) -> Vec<String> {
    let peers = match export.peers.len() {
        0..=NAMED => export.peers.join(", "),
        many => format!("{many} peers"),
    };
    let text = match export.state.as_str() {
        "announced" => format!("announced to {peers} {}", export.reason_text),
        _ => format!("withheld from {peers}: {}", export.reason_text),
    };
    let policy = export.policy.as_ref().map(|policy| format!("export: {policy}"));
    std::iter::once(text).chain(policy).collect()
}

fn hop_lines(hop: &NextHopFact) -> Vec<String> {
    let known = hop
        .known_node
        .as_ref()
        .map_or_else(|| "no known node".to_owned(), |why| format!("a known node ({why})"));
    let network = match (&hop.node_network, hop.in_node_network) {
        (Some(network), true) => format!("inside our network {network}"),
        (Some(network), false) => format!("outside our network {network}"),
        (None, _) => "we have no network of its family".to_owned(),
    };
    let mut lines = vec![format!("{} is {known}, {network}", hop.address)];
    lines.extend(hop.reached_by.as_ref().map(|by| format!("reached {by}")));
    for step in &hop.steps {
        let route = step.by.as_ref().map(|by| {
            let protocol = step.protocol.as_deref().unwrap_or_default();
            format!("route {by} proto {protocol}, ")
        });
        let leads = step.leads.as_deref().unwrap_or("to a next hop of its own");
        lines.push(format!("  {}: {}{leads}", step.address, route.unwrap_or_default()));
    }
    if !hop.loops.is_empty() {
        lines.push(format!("not counted, since they lead back to themselves: {}", hop.loops.join(", ")));
    }
    lines
}

fn kernel_lines(fib: Option<&FibRow>, kernel: Option<&KernelRoute>) -> (Tone, Vec<String>) {
    let has = kernel.map_or_else(|| "no route".to_owned(), ToString::to_string);
    match fib {
        None => (Tone::Plain, vec![has]),
        Some(row) if row.state == "installed" && kernel.is_some_and(|kernel| is_that(kernel, row)) => {
            (Tone::Good, vec![format!("{has} (as wanted)")])
        }
        Some(row) if row.state == "installed" && kernel.is_some() => {
            (Tone::Plain, vec![has, format!("comes before our route {}, which is installed", row.route.dst)])
        }
        Some(row) if row.state == "not_ours" => (Tone::Plain, vec![has]),
        Some(row) => {
            let error = row.error.as_ref().map(|e| format!(": {e}")).unwrap_or_default();
            (Tone::Warning, vec![has, format!("{}{error}", row.state)])
        }
    }
}

/// Whether a route of the kernel is this one of ours.
fn is_that(kernel: &KernelRoute, row: &FibRow) -> bool {
    (&kernel.dst, &kernel.protocol, kernel.kind.as_ref())
        == (&row.route.dst, &row.route.protocol, row.route.kind.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::protocol::explain::{DecisionFact, PoolFact},
        cli::show::rendered,
    };

    fn kernel_route() -> KernelRoute {
        KernelRoute {
            dst: "172.16.196.128/26".into(),
            gateway: Some("192.168.92.129".into()),
            dev: Some("eth0".into()),
            protocol: Some("179".into()),
            ..KernelRoute::default()
        }
    }

    #[test]
    fn a_learned_route_is_told_from_the_peer_to_the_kernel() {
        let story = Explain {
            target: "172.16.196.132".into(),
            prefix: Some("172.16.196.128/26".into()),
            paths: vec![RouteRow {
                next_hop: Some("192.168.92.129".into()),
                peer: Some("node01 (192.168.92.129)".into()),
                state: "best".into(),
                reason: "only_path".into(),
                reason_text: "the only path".into(),
                policy: Some("term accept of pools decides".into()),
                age: 180,
                ..RouteRow::default()
            }],
            pool: Some(PoolFact { cidr: "172.16.0.0/16".into(), ipip_mode: "CrossSubnet".into() }),
            decisions: vec![DecisionFact {
                next_hop: Some(NextHopFact {
                    address: "192.168.92.129".into(),
                    known_node: Some("mesh".into()),
                    node_network: Some("192.168.92.0/24".into()),
                    in_node_network: true,
                    reached_by: Some("directly on eth0".into()),
                    ..NextHopFact::default()
                }),
                path: "direct".into(),
                reason: "same_subnet".into(),
                reason_text: "the next hop is in our own network".into(),
            }],
            fib: Some(FibRow { route: kernel_route(), state: "installed".into(), ..FibRow::default() }),
            kernel: Some(kernel_route()),
            exports: vec![ExportFact {
                peers: vec!["tor".into()],
                state: "withheld".into(),
                reason: "policy".into(),
                reason_text: "a policy refuses it".into(),
                policy: Some("term bogons of to-tor decides".into()),
            }],
            notes: vec![],
        };
        assert_eq!(
            rendered(|out| write(out, &story)),
            "\
172.16.196.132 is covered by 172.16.196.128/26
Path        learned from node01 (192.168.92.129) 3m ago, next hop 192.168.92.129
            best: the only path
            import: term accept of pools decides
Pool        172.16.0.0/16, IPIP CrossSubnet
Next hop    192.168.92.129 is a known node (mesh), inside our network 192.168.92.0/24
            reached directly on eth0
Decision    direct: the next hop is in our own network
Wanted      172.16.196.128/26 via 192.168.92.129 dev eth0 proto 179
Kernel      172.16.196.128/26 via 192.168.92.129 dev eth0 proto 179 (as wanted)
Export      withheld from tor: a policy refuses it
            export: term bogons of to-tor decides
"
        );
    }

    #[test]
    fn a_route_of_somebody_else_that_comes_before_ours_is_told_as_what_it_is() {
        let block =
            KernelRoute { kind: Some("blackhole".into()), dst: "172.16.241.64/26".into(), ..kernel_route() };
        let row = FibRow { route: block, state: "installed".into(), ..FibRow::default() };
        let pod = KernelRoute {
            dst: "172.16.241.69".into(),
            dev: Some("cali1".into()),
            gateway: None,
            ..kernel_route()
        };
        let (tone, lines) = kernel_lines(Some(&row), Some(&pod));
        assert_eq!((tone, lines.len()), (Tone::Plain, 2));
        assert!(lines[0].starts_with("172.16.241.69 dev cali1") && lines[1].contains("172.16.241.64/26"));
    }

    #[test]
    fn no_route_is_an_answer_too() {
        let story = Explain {
            target: "172.16.9.9".into(),
            pool: Some(PoolFact { cidr: "172.16.0.0/16".into(), ipip_mode: "Always".into() }),
            notes: vec!["no peer announces a block with it".into()],
            ..Explain::default()
        };
        assert_eq!(
            rendered(|out| write(out, &story)),
            "\
172.16.9.9: no route in the RIB covers it
Pool        172.16.0.0/16, IPIP Always
Kernel      no route
Note        no peer announces a block with it
"
        );
    }
}
