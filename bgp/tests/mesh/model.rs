//! What every Loc-RIB must hold when nothing is under way any more: the rules of RFC 4271 and RFC 4456 written down a
//! second time, naively, and applied to everybody at once until nothing changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use bgp::{
    config::{PeerConfig, Reflection, SpeakerConfig},
    types::Asn,
};
use ipnet::IpNet;

use crate::network::speaker_at;

/// A route as some speaker holds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Route {
    /// The speaker it came from; `None`: originated here.
    pub(crate) from: Option<usize>,
    pub(crate) as_path: Vec<Asn>,
    pub(crate) next_hop: Option<usize>,
    pub(crate) originator: Option<Ipv4Addr>,
    pub(crate) clusters: Vec<Ipv4Addr>,
}

/// The routes of one speaker: all that it may choose from, the best first.
pub(crate) type Rib = BTreeMap<IpNet, Vec<Route>>;

/// Rounds after which the rules must have come to rest.
const ROUNDS: usize = 100;

/// The Loc-RIB of every speaker.
pub(crate) fn converge(configs: &[SpeakerConfig], own: &[BTreeSet<IpNet>]) -> Vec<Rib> {
    let mut ribs: Vec<Rib> = vec![Rib::new(); configs.len()];
    for _ in 0..ROUNDS {
        let next: Vec<Rib> = (0..configs.len()).map(|me| round(me, configs, own, &ribs)).collect();
        if next == ribs {
            return ribs;
        }
        ribs = next;
    }
    panic!("the model does not come to rest");
}

fn round(me: usize, configs: &[SpeakerConfig], own: &[BTreeSet<IpNet>], ribs: &[Rib]) -> Rib {
    let mut rib = Rib::new();
    for prefix in &own[me] {
        let local = Route { from: None, as_path: vec![], next_hop: None, originator: None, clusters: vec![] };
        rib.entry(*prefix).or_default().push(local);
    }
    for peer in &configs[me].peers {
        let sender = speaker_at(peer.address);
        for (prefix, routes) in &ribs[sender] {
            let told = routes.first().and_then(|best| announced(sender, best, me, configs));
            if let Some(route) = told.filter(|route| is_welcome(me, route, &configs[me])) {
                rib.entry(*prefix).or_default().push(route);
            }
        }
    }
    for routes in rib.values_mut() {
        routes.sort_by_key(|route| rank(route, &configs[me], configs));
    }
    rib
}

fn peer_of(config: &SpeakerConfig, speaker: usize) -> &PeerConfig {
    config.peers.iter().find(|peer| speaker_at(peer.address) == speaker).unwrap()
}

fn is_internal(configs: &[SpeakerConfig], one: usize, other: usize) -> bool {
    configs[one].asn == configs[other].asn
}

/// What `sender` tells `receiver` of its best route.
fn announced(sender: usize, best: &Route, receiver: usize, configs: &[SpeakerConfig]) -> Option<Route> {
    if best.from == Some(receiver) {
        return None;
    }
    let config = &configs[sender];
    let told = Route { from: Some(sender), next_hop: best.next_hop.or(Some(sender)), ..best.clone() };
    if !is_internal(configs, sender, receiver) {
        let as_path = [&[config.asn][..], &best.as_path].concat();
        return Some(Route {
            as_path,
            next_hop: Some(sender),
            originator: None,
            clusters: vec![],
            from: told.from,
        });
    }
    let Some(source) = best.from.filter(|from| is_internal(configs, sender, *from)) else {
        return Some(told);
    };
    let client = |speaker| peer_of(config, speaker).reflection == Reflection::Client;
    (client(source) || client(receiver)).then(|| Route {
        originator: best.originator.or(Some(configs[source].router_id.0)),
        clusters: [&[config.cluster_id.0][..], &best.clusters].concat(),
        ..told
    })
}

fn is_welcome(me: usize, route: &Route, config: &SpeakerConfig) -> bool {
    !route.as_path.contains(&config.asn)
        && route.originator != Some(config.router_id.0)
        && !route.clusters.contains(&config.cluster_id.0)
        && route.next_hop != Some(me)
}

/// The lower wins: RFC 4271 section 9.1.2.2 and RFC 4456 section 9, with everything else equal.
fn rank(
    route: &Route,
    config: &SpeakerConfig,
    configs: &[SpeakerConfig],
) -> (bool, usize, bool, Ipv4Addr, usize, Option<usize>) {
    let sender = route.from.map(|from| &configs[from]);
    let internal = sender.is_some_and(|sender| sender.asn == config.asn);
    let id = route.originator.or(sender.map(|sender| sender.router_id.0)).unwrap_or(config.router_id.0);
    (route.from.is_some(), route.as_path.len(), internal, id, route.clusters.len(), route.from)
}
