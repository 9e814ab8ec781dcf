//! The story of one destination, put together from what each layer recomputes about it.

use std::net::IpAddr;

use fib::{
    decide::{Decider, Fact, Reason, Side},
    event::Reachability,
    view::{Cause, DecisionView, Explanation, LegView, ResolutionView, State, StepView},
};
use ipnet::IpNet;

use super::{
    exports,
    fib::{Slot, kernel_route, row},
    route::{Context, Shown, rows},
    words,
};
use crate::api::protocol::{
    explain::{DecisionFact, Explain, NextHopFact, PoolFact, ResolutionStep},
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
    /// Our own networks, at most one of a family.
    pub node_networks: Vec<IpNet>,
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
        kernel: story.fib.answer.as_ref().map(kernel_route),
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
        Fact::NodeNetwork { network, side, .. } => Some((network.map(IpNet::V4), *side == Side::Inside)),
        _ => None,
    });
    let of_family = story.node_networks.iter().find(|network| network.addr().is_ipv4() == address.is_ipv4());
    let inside = of_family.is_some_and(|network| network.contains(&address));
    let (network, in_node_network) = seen.unwrap_or((of_family.copied(), inside));
    let resolution = view.resolution.as_ref();
    NextHopFact {
        address: address.to_string(),
        known_node: (story.known_node)(address),
        node_network: network.map(|n| n.trunc().to_string()),
        in_node_network,
        reached_by: resolution.map(reached_by),
        steps: resolution.map_or_else(Vec::new, steps),
        loops: resolution.into_iter().flat_map(|r| &r.loops).map(ToString::to_string).collect(),
    }
}

/// The steps of a recursion; none where the first route leads there.
fn steps(resolution: &ResolutionView) -> Vec<ResolutionStep> {
    let step = |step: &StepView| ResolutionStep {
        address: step.address.to_string(),
        by: step.by.map(|prefix| prefix.to_string()),
        protocol: step.protocol.map(words::protocol),
        leads: match (step.by, step.legs.is_empty()) {
            (None, _) => Some("nowhere: no route covers it".to_owned()),
            (Some(_), true) => None,
            (Some(_), false) => Some(legs(&step.legs)),
        },
    };
    match resolution.steps.as_slice() {
        [] | [_] => Vec::new(),
        several => several.iter().map(step).collect(),
    }
}

fn legs(legs: &[LegView]) -> String {
    legs.iter().map(leg).collect::<Vec<_>>().join(" and ")
}

fn reached_by(resolution: &ResolutionView) -> String {
    if resolution.reachability == Reachability::Unreachable {
        return "by no usable route".to_owned();
    }
    match resolution.steps.as_slice() {
        [StepView { by: Some(prefix), protocol: Some(protocol), legs: ways, .. }] if !ways.is_empty() => {
            format!("{} by the {} route {prefix}", legs(ways), words::protocol(*protocol))
        }
        steps => {
            let routes: Vec<_> = steps.iter().filter_map(|step| step.by).map(|by| by.to_string()).collect();
            format!("{} by the routes {}", legs(&resolution.legs), routes.join(", "))
        }
    }
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
    if story.fib.route.as_ref().is_some_and(|r| r.cause == Some(Cause::NextHopLoop)) {
        notes.push(
            "a route that is the way to its own next hop is not installed (RFC 4271 section 9.1.2.1)".into(),
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
        let nothing = Explanation { route: None, decisions: vec![], kernel: vec![], answer: None };
        let story = Story {
            target: "172.16.9.9",
            prefix: prefix("172.16.9.9/32"),
            rib: None,
            fib: &nothing,
            slot: Slot { protocol: 179, metric: 0 },
            decider: &decider,
            node_networks: vec![],
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
        let fib = Explanation { route: None, decisions: vec![], kernel: vec![], answer: None };
        let story = Story {
            target: "",
            prefix: prefix("0.0.0.0/0"),
            rib: None,
            fib: &fib,
            slot: Slot { protocol: 179, metric: 0 },
            decider: &decider,
            node_networks: vec![prefix("192.168.92.128/24"), prefix("fd00::1/64")],
            known_node: &|_| Some("mesh".into()),
            peers_down: vec![],
        };
        let fact = decision(&view, &story);
        let hop = fact.next_hop.expect("a next hop");
        assert_eq!(hop.node_network.as_deref(), Some("192.168.92.0/24"));
        assert!(hop.in_node_network);
        assert_eq!(fact.reason_text, "the pool tunnels always");
        for (address, network) in [("fd00::2", Some("fd00::/64")), ("fd01::2", Some("fd00::/64"))] {
            let view = DecisionView { next_hop: address.parse().ok(), ..view.clone() };
            let hop = decision(&view, &story).next_hop.expect("a next hop");
            assert_eq!((hop.node_network.as_deref(), hop.in_node_network), (network, address == "fd00::2"));
        }
    }

    #[test]
    fn each_step_of_a_recursion_is_told() {
        let leg = |gateway| LegView {
            gateway,
            device: "e0".to_owned(),
            onlink: fib::route::Onlink::No,
            weight: 1,
            link: fib::view::LinkState::Up,
        };
        let step = |address: [u8; 4], by, protocol, legs| StepView {
            address: address.into(),
            by: Some(prefix(by)),
            protocol: Some(protocol),
            legs,
        };
        let resolution = ResolutionView {
            reachability: Reachability::Reachable { metric: 0 },
            steps: vec![
                step([10, 255, 0, 1], "10.255.0.1/32", 179, vec![]),
                step([10, 0, 1, 2], "10.0.1.0/24", 2, vec![leg(None)]),
            ],
            loops: vec![],
            legs: vec![leg(Some([10, 0, 1, 2].into()))],
        };
        assert_eq!(reached_by(&resolution), "via 10.0.1.2 on e0 by the routes 10.255.0.1/32, 10.0.1.0/24");
        let told: Vec<_> = steps(&resolution).into_iter().map(|step| (step.by, step.leads)).collect();
        let directly = Some("directly on e0".to_owned());
        assert_eq!(
            told,
            [(Some("10.255.0.1/32".into()), None), (Some("10.0.1.0/24".into()), directly.clone())]
        );
        let alone = ResolutionView { steps: resolution.steps.into_iter().skip(1).collect(), ..resolution };
        assert_eq!(
            (reached_by(&alone), steps(&alone)),
            ("directly on e0 by the kernel route 10.0.1.0/24".into(), vec![])
        );
    }
}
