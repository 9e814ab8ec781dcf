//! The story of one destination, put together from what each layer recomputes about it.

use std::net::IpAddr;

use fib::{
    decide::{Decider, Fact, Reason, Side},
    event::Reachability,
    view::{DecisionView, Explanation, LegView, ResolutionView, State},
};
use ipnet::{IpNet, Ipv4Net};

use super::{
    exports,
    fib::{Slot, kernel_route, row},
    route::{Context, Shown, rows},
    words,
};
use crate::api::protocol::{
    explain::{DecisionFact, Explain, NextHopFact, PoolFact},
    route::RouteRow,
};

/// What the layers say.
pub(crate) struct Story<'a> {
    /// What was asked, as typed.
    pub target: &'a str,
    /// The same as a prefix.
    pub prefix: IpNet,
    /// The RIB's part.
    pub rib: Option<&'a bgp::core::Explanation>,
    /// The FIB's part.
    pub fib: &'a Explanation,
    /// How our routes look in the kernel.
    pub slot: Slot,
    /// The pools.
    pub decider: &'a Decider,
    /// Our own network.
    pub node_network: Option<Ipv4Net>,
    /// Why an address counts as a known node.
    pub known_node: &'a dyn Fn(IpAddr) -> Option<String>,
    /// Peers without a session.
    pub peers_down: Vec<String>,
}

/// Tells it.
#[must_use]
pub(crate) fn tell(story: &Story, context: &Context) -> Explain {
    let covering = story.rib.map(|e| e.route.prefix);
    let pool = story.decider.pool(covering.unwrap_or(story.prefix));
    Explain {
        target: story.target.to_owned(),
        prefix: covering.map(|p| p.to_string()),
        paths: story.rib.map_or_else(Vec::new, |e| paths(e, context)),
        pool: pool.map(|p| PoolFact { cidr: p.cidr.to_string(), ipip_mode: words::name(p.mode) }),
        decisions: story.fib.decisions.iter().map(|d| decision(d, story)).collect(),
        fib: story.fib.route.as_ref().map(|view| row(view, story.slot)),
        kernel: story.fib.kernel.first().map(kernel_route),
        exports: story.rib.map_or_else(Vec::new, |e| exports::facts(&e.exports, context)),
        notes: notes(story, pool.map(|p| p.cidr)),
    }
}

fn paths(rib: &bgp::core::Explanation, context: &Context) -> Vec<RouteRow> {
    let mut rows = rows(&rib.route, Shown::Accepted, context);
    for (row, trace) in rows.iter_mut().zip(&rib.imports) {
        row.policy = trace.as_ref().map(ToString::to_string);
    }
    rows
}

fn decision(view: &DecisionView, story: &Story) -> DecisionFact {
    DecisionFact {
        next_hop: view.next_hop.map(|address| next_hop(address, view, story)),
        path: words::name(view.decision.verdict),
        reason: words::name(view.decision.reason),
        reason_text: words::decision(view.decision.reason).to_owned(),
    }
}

fn next_hop(address: IpAddr, view: &DecisionView, story: &Story) -> NextHopFact {
    let seen = view.facts.iter().find_map(|fact| match fact {
        Fact::NodeNetwork { network, side, .. } => Some((*network, *side == Side::Inside)),
        _ => None,
    });
    let inside = story.node_network.is_some_and(|network| IpNet::V4(network).contains(&address));
    let (network, in_node_network) = seen.unwrap_or((story.node_network, inside));
    NextHopFact {
        address: address.to_string(),
        known_node: (story.known_node)(address),
        node_network: network.map(|n| n.trunc().to_string()),
        in_node_network,
        reached_by: view.resolution.as_ref().map(reached_by),
    }
}

fn reached_by(resolution: &ResolutionView) -> String {
    if resolution.reachability == Reachability::Unreachable {
        return "by no usable route".to_owned();
    }
    let legs: Vec<_> = resolution.legs.iter().map(leg).collect();
    let by = match (resolution.by, resolution.protocol) {
        (Some(prefix), Some(protocol)) => {
            format!(" by the {} route {prefix}", words::protocol(protocol))
        }
        _ => String::new(),
    };
    format!("{}{by}", legs.join(" and "))
}

fn leg(leg: &LegView) -> String {
    match leg.gateway {
        Some(gateway) => format!("via {gateway} on {}", leg.device),
        None => format!("directly on {}", leg.device),
    }
}

fn notes(story: &Story, pool: Option<IpNet>) -> Vec<String> {
    let mut notes = Vec::new();
    if story.rib.is_none() {
        notes.push(match pool {
            Some(pool) => format!(
                "no peer announces a prefix that contains it; `siskin routes {pool}` lists what is known of its pool"
            ),
            None => "no peer announces a prefix that contains it, and no pool does: it is not ours".to_owned(),
        });
        if !story.peers_down.is_empty() {
            notes.push(format!(
                "its node may be one without a session: {} (see `siskin peers`)",
                story.peers_down.join(", ")
            ));
        }
    }
    let reasons = || story.fib.decisions.iter().map(|d| d.decision.reason);
    if reasons().any(|r| r == Reason::HostNodeNetwork) {
        notes.push(
            "give node.address the length of its network (192.168.92.128/24): a /32 has no neighbours".into(),
        );
    }
    if story.fib.route.as_ref().is_some_and(|r| r.state == State::Stale) {
        notes.push("the kernel route is left from before a restart and no peer has confirmed it".into());
    }
    notes
}

#[cfg(test)]
mod tests {
    use fib::{
        config::{FibConfig, Pool, PoolMode},
        decide::{Decision, Verdict},
    };

    use super::*;

    fn prefix(text: &str) -> IpNet {
        text.parse().expect("a prefix")
    }

    #[test]
    fn without_a_route_the_pool_and_the_missing_sessions_are_named() {
        let pools = vec![Pool { cidr: prefix("172.16.0.0/16"), mode: PoolMode::CrossSubnet }];
        let decider = Decider::new(&FibConfig { pools, ..FibConfig::default() });
        let nothing = Explanation { route: None, decisions: vec![], kernel: vec![] };
        let story = Story {
            target: "172.16.9.9",
            prefix: prefix("172.16.9.9/32"),
            rib: None,
            fib: &nothing,
            slot: Slot { protocol: 179, metric: 0 },
            decider: &decider,
            node_network: None,
            known_node: &|_| None,
            peers_down: vec!["node01".into()],
        };
        let told = tell(&story, &Context { peer_name: &|_| String::new(), now: bgp::types::Now::default() });
        assert_eq!(told.pool.map(|p| p.ipip_mode).as_deref(), Some("CrossSubnet"));
        assert_eq!(told.notes.len(), 2);
        assert!(told.notes.iter().any(|n| n.contains("node01")));
    }

    #[test]
    fn a_next_hop_is_held_against_our_network_also_when_the_mode_does_not_ask() {
        let decider = Decider::default();
        let view = DecisionView {
            next_hop: Some([192, 168, 92, 129].into()),
            decision: Decision { verdict: Verdict::Tunnel, reason: Reason::PoolAlways },
            facts: vec![],
            resolution: None,
        };
        let fib = Explanation { route: None, decisions: vec![], kernel: vec![] };
        let story = Story {
            target: "",
            prefix: prefix("0.0.0.0/0"),
            rib: None,
            fib: &fib,
            slot: Slot { protocol: 179, metric: 0 },
            decider: &decider,
            node_network: "192.168.92.128/24".parse().ok(),
            known_node: &|_| Some("mesh".into()),
            peers_down: vec![],
        };
        let fact = decision(&view, &story);
        let hop = fact.next_hop.expect("a next hop");
        assert_eq!(hop.node_network.as_deref(), Some("192.168.92.0/24"));
        assert!(hop.in_node_network);
        assert_eq!(fact.reason_text, "the pool tunnels always");
    }
}
