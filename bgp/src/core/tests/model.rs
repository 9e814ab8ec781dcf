//! Random histories against a model that keeps plain maps and thinks from scratch.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;
use proptest::prelude::*;

use super::{super::*, harness::*};
use crate::{
    config::{Install, Reflection},
    decision::{DEFAULT_LOCAL_PREF, Reason},
    event::Retention,
    policy::{
        Condition, MedChange, Modification, Policy, PrefixRange, PrefixSet, RejectReason, Term, Then, Verdict,
    },
    types::{Asn, PeerType, RouterId},
    wire::{
        attribute::{NextHop, Origin, PathAttributes, RareAttributes},
        community::Community,
    },
};

const PEERS: u32 = 6;
const PREFIXES: [&str; 6] =
    ["10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/26", "10.1.1.64/26", "10.2.0.0/16", "0.0.0.0/0"];
const RESTART: u64 = 120;
const STALE: u64 = 360;

#[derive(Clone, Debug)]
enum Step {
    Up { peer: u32, graceful: bool, forwarding: bool },
    Down { peer: u32, how: Retention },
    Announce { peer: u32, prefixes: BTreeSet<usize>, kind: Kind },
    Withdraw { peer: u32, prefix: usize },
    EndOfRib { peer: u32 },
    NextHop { index: u8, reachability: Reachability },
    Import { peer: u32, policy: u8 },
    Export { peer: u32, policy: u8 },
    Reflection { peer: u32, client: bool },
    NextHopMode { peer: u32, mode: u8 },
    Originate { prefixes: BTreeSet<usize> },
    Refresh { peer: u32 },
    Transmit { peer: u32, budget: usize },
    ReadBest { max: usize },
    Run { budget: usize },
    Wait { seconds: u64 },
    Settle,
}

/// Attributes drawn from few, so that ties and repetitions are common.
#[derive(Clone, Copy, Debug)]
struct Kind {
    next_hop: u8,
    path: u8,
    origin: u8,
    med: u8,
    local_pref: u8,
    rare: u8,
}

fn next_hop(index: u8) -> Ipv4Addr {
    if index == 3 { OWN } else { Ipv4Addr::new(198, 51, 100, index) }
}

fn peer_type(peer: u32) -> PeerType {
    if peer < 4 { PeerType::Internal } else { PeerType::External }
}

fn peer_asn(peer: u32) -> Asn {
    if peer < 4 { OWN_AS } else { Asn(65000 + peer) }
}

fn make(peer: u32, kind: Kind) -> PathAttributes {
    let external = peer_type(peer) == PeerType::External;
    let first = if external { vec![peer_asn(peer).0] } else { vec![65004] };
    let path = match kind.path {
        0 => first,
        1 => [first, vec![65100]].concat(),
        2 => [first, vec![65101, 65102]].concat(),
        _ => [first, vec![OWN_AS.0]].concat(),
    };
    let mut made = attributes(next_hop(kind.next_hop), &path);
    made.origin = if kind.origin == 0 { Origin::Igp } else { Origin::Incomplete };
    made.med = [None, Some(0), Some(5)][usize::from(kind.med)];
    if external {
        made.rare = rare(kind.rare).filter(|r| r.cluster_list.is_empty() && r.originator_id.is_none());
    } else {
        made.local_pref = Some([100, 100, 200][usize::from(kind.local_pref)]);
        made.rare = rare(kind.rare);
    }
    made
}

fn rare(kind: u8) -> Option<Box<RareAttributes>> {
    let mut rare = RareAttributes::default();
    match kind {
        0 => rare.communities = vec![Community::NO_EXPORT.0],
        1 => rare.communities = vec![Community::NO_ADVERTISE.0],
        2 => {
            rare.originator_id = Some(RouterId([9, 9, 9, 9].into()));
            rare.cluster_list = vec![RouterId([8, 8, 8, 8].into())];
        }
        3 => rare.originator_id = Some(RouterId(OWN)),
        4 => rare.cluster_list = vec![RouterId(OWN)],
        _ => return None,
    }
    Some(Box::new(rare))
}

fn some_prefixes() -> Arc<PrefixSet> {
    Arc::new([PrefixRange::or_longer(net("10.1.0.0/16"))].into_iter().collect())
}

/// Policies by number; [`model_policy`] says the same in plain words.
fn policy(number: u8) -> Policy {
    let inside = || vec![Condition::Prefix(some_prefixes())];
    let one = |changes, then| {
        let term = Term { name: "t".into(), conditions: inside(), changes, then };
        Policy::of("p", vec![term], Verdict::Accept)
    };
    match number {
        0 => Policy::default(),
        1 => Policy::reject_all(RejectReason::ImportNone),
        2 => one(vec![], Then::Reject(RejectReason::OutsidePools)),
        3 => one(vec![Modification::LocalPref(300)], Then::Accept),
        _ => one(vec![Modification::Med(MedChange::Set(77))], Then::Continue),
    }
}

fn model_policy(number: u8, prefix: IpNet, attributes: &PathAttributes) -> Option<PathAttributes> {
    let inside = net("10.1.0.0/16").contains(&prefix);
    let mut changed = attributes.clone();
    match number {
        1 => return None,
        2 if inside => return None,
        3 if inside => changed.local_pref = Some(300),
        4 if inside => changed.med = Some(77),
        _ => {}
    }
    Some(changed)
}

#[derive(Default)]
struct ModelPeer {
    up: bool,
    graceful: bool,
    client: bool,
    next_hop: u8,
    import: u8,
    export: u8,
    fresh: BTreeMap<IpNet, PathAttributes>,
    stale: BTreeMap<IpNet, PathAttributes>,
    deadline: u64,
}

impl ModelPeer {
    fn lose(&mut self, now: u64, how: Retention) {
        self.up = false;
        self.stale = std::mem::take(&mut self.fresh);
        self.deadline = now + RESTART;
        if !self.graceful || how == Retention::Flush {
            self.stale.clear();
        }
    }
}

struct Model {
    peers: Vec<ModelPeer>,
    /// Most next hops of a route.
    multipath: u8,
    own: BTreeSet<IpNet>,
    now: u64,
}

/// A path in the running: its sender (`None`: us) and its attributes after import.
#[derive(Clone, Debug, PartialEq)]
struct ModelPath {
    peer: Option<u32>,
    attributes: PathAttributes,
}

impl Model {
    /// The way to a next hop is lost: so are the stale routes that need it.
    fn cut_off(&mut self, hop: IpAddr) {
        for peer in &mut self.peers {
            peer.stale.retain(|_, attributes| attributes.next_hop.address() != hop);
        }
    }

    fn expire(&mut self) {
        let now = self.now;
        self.peers.iter_mut().filter(|p| p.deadline <= now).for_each(|p| p.stale.clear());
    }

    fn sees_loop(&self, peer: u32, attributes: &PathAttributes) -> bool {
        let rare = attributes.rare.as_ref().filter(|_| peer_type(peer) == PeerType::Internal);
        attributes.as_path.to_string().split(' ').any(|asn| asn == OWN_AS.to_string())
            || rare.is_some_and(|r| {
                r.originator_id == Some(RouterId(OWN)) || r.cluster_list.contains(&RouterId(OWN))
            })
    }

    fn accepted(&self, prefix: IpNet) -> Vec<ModelPath> {
        let mut paths = Vec::new();
        for (index, peer) in self.peers.iter().enumerate() {
            let index = index as u32;
            let received = peer.fresh.get(&prefix).or(peer.stale.get(&prefix));
            let fits = received.filter(|a| !self.sees_loop(index, a));
            if let Some(attributes) = fits.and_then(|a| model_policy(peer.import, prefix, a)) {
                paths.push(ModelPath { peer: Some(index), attributes });
            }
        }
        paths
    }

    fn best(&self, lab: &Lab, prefix: IpNet) -> Option<ModelPath> {
        self.ranked(lab, prefix).into_iter().next()
    }

    /// Where packets go: next hops of the best path and of those as good, as many as there may be.
    fn next_hops(&self, lab: &Lab, prefix: IpNet) -> Vec<IpAddr> {
        let mut paths = self.ranked(lab, prefix);
        let (Some(best), true) = (paths.first().cloned(), self.multipath > 1) else {
            return paths.first().map(|p| p.attributes.next_hop.address()).into_iter().collect();
        };
        paths.retain(|p| p.peer != Some(5) && p.attributes.as_path == best.attributes.as_path);
        let mut hops: Vec<_> = Vec::new();
        for path in paths {
            let hop = path.attributes.next_hop.address();
            if !hops.contains(&hop) && hops.len() < usize::from(self.multipath) {
                hops.push(hop);
            }
        }
        hops.sort_unstable();
        hops
    }

    /// The paths that are equal up to the interior cost, the best first.
    fn ranked(&self, lab: &Lab, prefix: IpNet) -> Vec<ModelPath> {
        if self.own.contains(&prefix) {
            return vec![ModelPath { peer: None, attributes: attributes(Ipv4Addr::UNSPECIFIED, &[]) }];
        }
        let mut paths = self.accepted(prefix);
        let any_up = self.peers.iter().any(|p| p.up);
        paths.retain(|p| {
            let hop = p.attributes.next_hop.address();
            let own = any_up && hop == IpAddr::from(OWN);
            !own && lab.reachable(hop) != Reachability::Unreachable
        });
        let length =
            |p: &ModelPath| p.attributes.as_path.to_string().split(' ').filter(|a| !a.is_empty()).count();
        keep_lowest(&mut paths, |p| u32::MAX - p.attributes.local_pref.unwrap_or(DEFAULT_LOCAL_PREF));
        keep_lowest(&mut paths, length);
        keep_lowest(&mut paths, |p| p.attributes.origin);
        let all = paths.clone();
        paths.retain(|p| {
            let same_as = |q: &&ModelPath| q.attributes.as_path.first() == p.attributes.as_path.first();
            let med = |q: &ModelPath| q.attributes.med.unwrap_or(0);
            all.iter().filter(same_as).all(|q| med(p) <= med(q))
        });
        keep_lowest(&mut paths, |p| p.peer.map(peer_type) == Some(PeerType::Internal));
        keep_lowest(&mut paths, |p| match lab.reachable(p.attributes.next_hop.address()) {
            Reachability::Reachable { metric } => metric,
            Reachability::Unreachable => u32::MAX,
        });
        let rare = |p: &ModelPath| p.attributes.rare.clone().unwrap_or_default();
        let id =
            |p: &ModelPath| rare(p).originator_id.unwrap_or(RouterId(address(p.peer.unwrap_or_default())));
        paths.sort_by_key(|p| (id(p), rare(p).cluster_list.len(), p.peer));
        paths
    }

    fn exported(&self, lab: &Lab, to: u32, prefix: IpNet) -> Option<PathAttributes> {
        let best = self.best(lab, prefix)?;
        let receiver = &self.peers[to as usize];
        let external = peer_type(to) == PeerType::External;
        let communities = best.attributes.rare.as_ref().map(|r| r.communities.clone()).unwrap_or_default();
        let mut sent = best.attributes.clone();
        if let Some(from) = best.peer {
            let internal = peer_type(from) == PeerType::Internal;
            let reflected = self.peers[from as usize].client || receiver.client;
            let barred = communities.contains(&Community::NO_ADVERTISE.0)
                || external && communities.contains(&Community::NO_EXPORT.0);
            if from == to
                || internal && !external && !reflected
                || barred
                || lab.core.deferring().contains(Family::Ipv4Unicast)
            {
                return None;
            }
            if internal && !external {
                let rare = sent.rare.get_or_insert_default();
                rare.originator_id.get_or_insert(RouterId(address(from)));
                rare.cluster_list.insert(0, RouterId(OWN));
            }
        }
        let changed = model_policy(receiver.export, prefix, &best.attributes)?;
        sent.local_pref = changed.local_pref;
        sent.med = changed.med;
        if external {
            let sets_med = receiver.export == 4 && net("10.1.0.0/16").contains(&prefix);
            sent.med = changed.med.filter(|_| sets_med);
            sent.local_pref = None;
            sent.as_path = sent.as_path.prepend(OWN_AS, 1);
            if let Some(rare) = &mut sent.rare {
                rare.originator_id = None;
                rare.cluster_list.clear();
            }
            sent.rare = sent.rare.filter(|r| **r != Default::default());
        } else {
            sent.local_pref.get_or_insert(DEFAULT_LOCAL_PREF);
        }
        let ours = best.peer.is_none() || [external, true, false][usize::from(receiver.next_hop)];
        if ours {
            sent.next_hop = NextHop::V4(OWN);
        }
        Some(sent)
    }
}

fn keep_lowest<K: Ord>(paths: &mut Vec<ModelPath>, key: impl Fn(&ModelPath) -> K) {
    if let Some(lowest) = paths.iter().map(&key).min() {
        paths.retain(|p| key(p) == lowest);
    }
}

struct World {
    lab: Lab,
    model: Model,
}

impl World {
    fn new(deferral: bool, multipath: u8) -> Self {
        let peers = (0..PEERS).map(|index| peer(index, peer_asn(index))).collect();
        let mut config = config(peers);
        config.peers[5].install = Install::RibOnly;
        config.decision.multipath = multipath.try_into().unwrap();
        if deferral {
            config.graceful_restart_time = Duration::from_secs(RESTART);
        }
        let lab = Lab::new(config);
        let now = lab.now.0.as_secs();
        let peers = (0..PEERS).map(|_| ModelPeer::default()).collect();
        Self { lab, model: Model { peers, multipath, own: BTreeSet::new(), now } }
    }

    fn reconfigure(&mut self, peer: u32, change: impl Fn(&mut PeerConfig)) {
        let mut config = self.lab.core.config().clone();
        change(&mut config.peers[peer as usize]);
        assert_eq!(self.lab.core.reconfigure(self.lab.now, config), []);
    }

    fn take(&mut self, step: Step) {
        let Self { lab, model } = self;
        match step {
            Step::Up { peer, graceful: is_graceful, forwarding } => {
                let p = &mut model.peers[peer as usize];
                if p.up {
                    p.lose(model.now, Retention::MayRestart);
                }
                (p.up, p.graceful) = (true, is_graceful);
                if is_graceful && forwarding {
                    p.deadline = model.now + STALE;
                } else {
                    p.stale.clear();
                }
                let forwarding = if forwarding { graceful().forwarding } else { Families::NONE };
                let restart = is_graceful.then(|| crate::event::PeerRestart { forwarding, ..graceful() });
                lab.up_with(peer, restart);
            }
            Step::Down { peer, how } => {
                let p = &mut model.peers[peer as usize];
                if !p.up {
                    return;
                }
                p.lose(model.now, how);
                lab.down(peer, how);
            }
            Step::Announce { peer, prefixes, kind } => {
                let p = &mut model.peers[peer as usize];
                if !p.up {
                    return;
                }
                let names: Vec<_> = prefixes.iter().map(|i| PREFIXES[*i]).collect();
                let made = make(peer, kind);
                for name in &names {
                    p.stale.remove(&net(name));
                    p.fresh.insert(net(name), made.clone());
                }
                lab.announce(peer, &made, &names);
            }
            Step::Withdraw { peer, prefix } => {
                let p = &mut model.peers[peer as usize];
                if !p.up {
                    return;
                }
                p.fresh.remove(&net(PREFIXES[prefix]));
                p.stale.remove(&net(PREFIXES[prefix]));
                lab.withdraw(peer, &[PREFIXES[prefix]]);
            }
            Step::EndOfRib { peer } => {
                if model.peers[peer as usize].up {
                    model.peers[peer as usize].stale.clear();
                    lab.end_of_rib(peer);
                }
            }
            Step::NextHop { index, reachability } => {
                let hop = IpAddr::from(next_hop(index));
                let lost = [lab.reachable(hop), reachability].contains(&Reachability::Unreachable);
                if lost && lab.watched.contains(&hop) {
                    model.cut_off(hop);
                }
                lab.set_reachability(hop, reachability);
            }
            Step::Import { peer, policy: number } => {
                model.peers[peer as usize].import = number;
                self.reconfigure(peer, |p| p.import = Arc::new(policy(number)));
            }
            Step::Export { peer, policy: number } => {
                model.peers[peer as usize].export = number;
                self.reconfigure(peer, |p| p.export = Arc::new(policy(number)));
            }
            Step::Reflection { peer, client } => {
                if peer_type(peer) == PeerType::Internal {
                    model.peers[peer as usize].client = client;
                    let role = if client { Reflection::Client } else { Reflection::NonClient };
                    self.reconfigure(peer, |p| p.reflection = role);
                }
            }
            Step::NextHopMode { peer, mode } => {
                use crate::config::NextHopMode::{Auto, Keep, OwnAddress};
                model.peers[peer as usize].next_hop = mode;
                self.reconfigure(peer, |p| p.next_hop = [Auto, OwnAddress, Keep][usize::from(mode)]);
            }
            Step::Originate { prefixes } => {
                let names: Vec<_> = prefixes.iter().map(|i| PREFIXES[*i]).collect();
                model.own = names.iter().map(|n| net(n)).collect();
                lab.originate(&names);
            }
            Step::Refresh { peer } => lab.core.route_refresh(lab.now, PeerId(peer), Family::Ipv4Unicast),
            Step::Transmit { peer, budget } => _ = lab.transmit(PeerId(peer), budget),
            Step::ReadBest { max } => _ = lab.read_best(max),
            Step::Run { budget } => {
                lab.act();
                lab.core.run(lab.now, budget);
            }
            Step::Wait { seconds } => {
                model.now += seconds;
                model.expire();
                lab.now = lab.now.plus(Duration::from_secs(seconds));
                lab.core.run(lab.now, 1);
            }
            Step::Settle => self.check(),
        }
    }

    /// At rest, every table is what the model says.
    fn check(&mut self) {
        self.lab.settle();
        let unreachable = |hop: &IpAddr| self.lab.reachable(*hop) == Reachability::Unreachable;
        for hop in (0..4).map(|index| next_hop(index).into()).filter(unreachable) {
            self.model.cut_off(hop);
        }
        let (lab, model) = (&self.lab, &self.model);
        let prefixes: BTreeSet<_> = PREFIXES.iter().map(|p| net(p)).collect();
        for prefix in &prefixes {
            let route = lab.core.route(*prefix);
            let best = route.as_ref().and_then(|r| r.paths.first()).filter(|p| p.reason == Reason::Best);
            let best =
                best.map(|p| ModelPath { peer: p.peer.map(|id| id.0), attributes: (*p.attributes).clone() });
            assert_eq!(best, model.best(lab, *prefix), "Loc-RIB, {prefix}");
        }
        for (id, learned) in &lab.learned {
            let expected: BTreeMap<_, _> = prefixes
                .iter()
                .filter_map(|p| model.exported(lab, id.0, *p).map(|attributes| (*p, attributes)))
                .collect();
            assert_eq!(learned.routes, expected, "Adj-RIB-Out of {id:?}");
            let shown = lab.core.adj_rib_out(*id, Family::Ipv4Unicast, None, 100).items;
            let shown: BTreeMap<_, _> =
                shown.into_iter().map(|r| (r.prefix, (*r.attributes.unwrap()).clone())).collect();
            assert_eq!(shown, expected, "Adj-RIB-Out as told, {id:?}");
            assert_eq!(lab.core.counts(*id, Family::Ipv4Unicast).advertised as usize, expected.len());
        }
        for (index, peer) in model.peers.iter().enumerate() {
            let counts = lab.core.counts(PeerId(index as u32), Family::Ipv4Unicast);
            assert_eq!(counts.received as usize, peer.fresh.len() + peer.stale.len());
            assert_eq!(counts.stale as usize, peer.stale.len());
            let accepted = prefixes.iter().flat_map(|p| model.accepted(*p));
            let accepted = accepted.filter(|p| p.peer == Some(index as u32)).count();
            assert_eq!(counts.accepted as usize, accepted);
            let shown =
                lab.core.adj_rib_in(PeerId(index as u32), AdjRibIn::Rejected, Family::Ipv4Unicast, None, 100);
            assert_eq!(shown.items.len(), counts.rejected as usize);
        }
        self.check_readers(&prefixes);
    }

    fn check_readers(&self, prefixes: &BTreeSet<IpNet>) {
        let (lab, model) = (&self.lab, &self.model);
        let mut expected = BTreeMap::new();
        for prefix in prefixes {
            let installed = |p: &ModelPath| p.peer.is_some_and(|peer| peer != 5);
            if model.best(lab, *prefix).is_some_and(|p| installed(&p)) {
                let hops = model.next_hops(lab, *prefix);
                let legs: Vec<_> = lab.legs[prefix].iter().map(|(hop, _)| *hop).collect();
                assert_eq!(legs, hops, "next hops of {prefix}");
                expected.insert(*prefix, hops[0]);
            }
        }
        assert_eq!(lab.fib, expected, "forwarding table");
        let mut used = BTreeSet::new();
        let mut nodes = BTreeSet::new();
        for (index, peer) in model.peers.iter().enumerate() {
            used.extend(peer.fresh.values().chain(peer.stale.values()).map(|a| a.next_hop.address()));
            let accepted = prefixes.iter().flat_map(|p| model.accepted(*p));
            let internal = accepted.filter(|p| p.peer == Some(index as u32) && index < 4);
            nodes.extend(internal.map(|p| p.attributes.next_hop.address()));
        }
        assert_eq!(lab.watched, used, "watched next hops");
        assert_eq!(lab.known_nodes, nodes, "known nodes");
    }
}

fn kind() -> impl Strategy<Value = Kind> {
    let rare = prop_oneof![5 => Just(9u8), 2 => 0u8..5];
    let path = prop_oneof![9 => 0u8..3, 1 => Just(3u8)];
    (0u8..4, path, 0u8..2, 0u8..3, 0u8..3, rare).prop_map(
        |(next_hop, path, origin, med, local_pref, rare)| Kind {
            next_hop,
            path,
            origin,
            med,
            local_pref,
            rare,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let peer = 0..PEERS;
    let index = 0..PREFIXES.len();
    let how = prop_oneof![Just(Retention::MayRestart), Just(Retention::Flush)];
    let reachability = prop_oneof![
        (0u32..3).prop_map(|metric| Reachability::Reachable { metric }),
        Just(Reachability::Unreachable)
    ];
    let some = || prop::collection::btree_set(0..PREFIXES.len(), 0..4);
    prop_oneof![
        6 => (peer.clone(), any::<bool>(), any::<bool>())
            .prop_map(|(peer, graceful, forwarding)| Step::Up { peer, graceful, forwarding }),
        2 => (peer.clone(), how).prop_map(|(peer, how)| Step::Down { peer, how }),
        12 => (peer.clone(), prop::collection::btree_set(0..PREFIXES.len(), 1..4), kind())
            .prop_map(|(peer, prefixes, kind)| Step::Announce { peer, prefixes, kind }),
        4 => (peer.clone(), index).prop_map(|(peer, prefix)| Step::Withdraw { peer, prefix }),
        2 => peer.clone().prop_map(|peer| Step::EndOfRib { peer }),
        2 => (0u8..4, reachability).prop_map(|(index, reachability)| Step::NextHop { index, reachability }),
        1 => (peer.clone(), 0u8..5).prop_map(|(peer, policy)| Step::Import { peer, policy }),
        1 => (peer.clone(), 0u8..5).prop_map(|(peer, policy)| Step::Export { peer, policy }),
        1 => (peer.clone(), any::<bool>()).prop_map(|(peer, client)| Step::Reflection { peer, client }),
        1 => (peer.clone(), 0u8..3).prop_map(|(peer, mode)| Step::NextHopMode { peer, mode }),
        1 => some().prop_map(|prefixes| Step::Originate { prefixes }),
        1 => peer.clone().prop_map(|peer| Step::Refresh { peer }),
        6 => (peer, 1usize..300).prop_map(|(peer, budget)| Step::Transmit { peer, budget }),
        3 => (1usize..4).prop_map(|max| Step::ReadBest { max }),
        4 => (1usize..6).prop_map(|budget| Step::Run { budget }),
        1 => prop_oneof![Just(1u64), Just(31), Just(RESTART), Just(STALE)]
            .prop_map(|seconds| Step::Wait { seconds }),
        1 => Just(Step::Settle),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_tables_are_what_a_naive_model_says_after_any_history(
        deferral in any::<bool>(),
        multipath in prop_oneof![Just(1u8), Just(2), Just(4)],
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut world = World::new(deferral, multipath);
        steps.into_iter().for_each(|step| world.take(step));
        world.check();
        world.take(Step::Wait { seconds: STALE });
        world.take(Step::Originate { prefixes: BTreeSet::new() });
        (0..PEERS).for_each(|peer| world.take(Step::Down { peer, how: Retention::Flush }));
        world.check();
        let core = &world.lab.core;
        prop_assert_eq!((core.shared.attributes.len(), core.v4.table.bound()), (0, 0), "something is left");
    }
}
