//! Several paths for one prefix (RFC 7911), both ways.

use std::{collections::BTreeMap, num::NonZeroU16};

use proptest::prelude::*;

use super::{super::*, harness::*};
use crate::{
    config::{AddPath, AddPathDirections, CapabilityConfig},
    event::Retention,
    types::Asn,
    wire::{attribute::RareAttributes, community::Community},
};

const PREFIX: &str = "10.0.0.0/24";

pub(super) fn with_paths(peer: PeerConfig, directions: AddPathDirections, most: Option<u16>) -> PeerConfig {
    let send_limit = most.and_then(NonZeroU16::new);
    let add_path = AddPath { directions, send_limit, ..AddPath::default() };
    PeerConfig { capabilities: CapabilityConfig { add_path, ..peer.capabilities.clone() }, ..peer }
}

/// A reflector with three plain clients and a fourth that takes several paths, all of them up.
fn reflector(most: Option<u16>) -> Lab {
    let sink = with_paths(client(3), AddPathDirections::Send, most);
    let mut lab = Lab::new(config(vec![client(0), client(1), client(2), sink]));
    (0..4).for_each(|index| lab.up(index));
    lab
}

/// The paths of [`PREFIX`] that a peer has: next hops by identifier.
fn paths(lab: &Lab, index: u32) -> BTreeMap<u32, String> {
    let known = lab.learned[&PeerId(index)].paths.iter().filter(|((prefix, _), _)| *prefix == net(PREFIX));
    known.map(|((_, id), a)| (*id, a.next_hop.address().to_string())).collect()
}

fn hops(lab: &Lab, index: u32) -> Vec<String> {
    let mut hops: Vec<_> = paths(lab, index).into_values().collect();
    hops.sort();
    hops
}

fn preferred(next_hop: u32, preference: u32) -> PathAttributes {
    PathAttributes { local_pref: Some(preference), ..internal(address(next_hop)) }
}

#[test]
fn a_client_that_takes_several_paths_is_reflected_all() {
    let mut lab = reflector(None);
    for index in 0..3 {
        lab.announce(index, &internal(address(index)), &[PREFIX]);
    }
    lab.settle();
    assert_eq!(hops(&lab, 3), ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    assert_eq!(lab.core.counts(PeerId(3), Family::Ipv4Unicast).advertised, 3);
    assert_eq!(lab.learned[&PeerId(1)].routes.len(), 1, "the others get the best one");
    let shown = lab.core.adj_rib_out(PeerId(3), Family::Ipv4Unicast, None, 10).items;
    assert_eq!(
        shown.iter().map(|r| r.path_id).collect::<Vec<_>>(),
        paths(&lab, 3).into_keys().collect::<Vec<_>>()
    );
    assert!(shown.iter().all(|r| r.delivery == Delivery::Sent));
}

#[test]
fn a_path_keeps_its_identifier_while_it_lives_and_is_withdrawn_by_it() {
    let mut lab = reflector(None);
    lab.announce(0, &preferred(0, 100), &[PREFIX]);
    lab.announce(1, &preferred(1, 200), &[PREFIX]);
    lab.settle();
    let before = paths(&lab, 3);
    lab.announce(0, &preferred(0, 300), &[PREFIX]);
    lab.settle();
    assert_eq!(paths(&lab, 3), before, "now the other one is best");
    lab.withdraw(1, &[PREFIX]);
    lab.settle();
    let left: BTreeMap<_, _> = before.into_iter().filter(|(_, hop)| hop == "192.0.2.1").collect();
    assert_eq!(paths(&lab, 3), left);
}

#[test]
fn a_change_of_one_path_is_one_update_and_the_others_are_not_repeated() {
    let mut lab = reflector(None);
    for index in 0..3 {
        lab.announce(index, &internal(address(index)), &[PREFIX]);
    }
    lab.settle();
    let before = [1, 3].map(|index| lab.learned[&PeerId(index)].messages);
    lab.announce(2, &preferred(2, 50), &[PREFIX]);
    lab.settle();
    let after = [1, 3].map(|index| lab.learned[&PeerId(index)].messages);
    assert_eq!(after, [before[0], before[1] + 1], "the best path has not changed");
}

#[test]
fn no_more_than_the_best_so_many_are_sent() {
    let mut lab = reflector(Some(2));
    for (index, preference) in [(0, 100), (1, 300), (2, 200)] {
        lab.announce(index, &preferred(index, preference), &[PREFIX]);
    }
    lab.settle();
    assert_eq!(hops(&lab, 3), ["192.0.2.2", "192.0.2.3"]);
    lab.set_reachability(address(1).into(), Reachability::Unreachable);
    lab.settle();
    assert_eq!(hops(&lab, 3), ["192.0.2.1", "192.0.2.3"]);
}

#[test]
fn the_best_so_many_are_chosen_among_those_that_may_be_sent() {
    let mut lab = reflector(Some(2));
    let confined = RareAttributes { communities: vec![Community::NO_ADVERTISE.0], ..Default::default() };
    let kept_back = PathAttributes { rare: Some(confined.into()), ..preferred(0, 300) };
    lab.announce(0, &kept_back, &[PREFIX]);
    for (index, preference) in [(1, 200), (2, 100)] {
        lab.announce(index, &preferred(index, preference), &[PREFIX]);
    }
    lab.settle();
    assert_eq!(hops(&lab, 3), ["192.0.2.2", "192.0.2.3"]);
}

#[test]
fn whoever_sent_one_of_the_best_gets_as_many_as_the_others_and_only_what_changes() {
    let limited = |index| with_paths(client(index), AddPathDirections::Send, Some(2));
    let mut lab = Lab::new(config((0..5).map(limited).collect()));
    (0..5).for_each(|index| lab.up(index));
    for (index, preference) in [(0, 400), (1, 300), (2, 200), (3, 100)] {
        lab.announce(index, &preferred(index, preference), &[PREFIX]);
    }
    lab.settle();
    assert_eq!(hops(&lab, 4), ["192.0.2.1", "192.0.2.2"]);
    assert_eq!(hops(&lab, 0), ["192.0.2.2", "192.0.2.3"], "one of the best is its own");
    assert_eq!(lab.core.counts(PeerId(0), Family::Ipv4Unicast).advertised, 2);
    assert_eq!(lab.core.adj_rib_out(PeerId(0), Family::Ipv4Unicast, None, 10).items.len(), 2);
    let before = [0, 3, 4].map(|index| lab.learned[&PeerId(index)].messages);
    lab.announce(2, &preferred(2, 250), &[PREFIX]);
    lab.settle();
    let after = [0, 3, 4].map(|index| lab.learned[&PeerId(index)].messages);
    assert_eq!(after, [before[0] + 1, before[1], before[2]], "who does not get the third hears nothing");
    lab.withdraw(1, &[PREFIX]);
    lab.settle();
    assert_eq!(hops(&lab, 4), ["192.0.2.1", "192.0.2.3"]);
    assert_eq!(hops(&lab, 0), ["192.0.2.3", "192.0.2.4"]);
}

#[test]
fn the_second_best_follows_the_cost_to_its_next_hop() {
    let mut lab = reflector(Some(2));
    for index in 0..3 {
        lab.set_reachability(address(index).into(), Reachability::Reachable { metric: index });
        lab.announce(index, &internal(address(index)), &[PREFIX]);
    }
    lab.settle();
    assert_eq!(hops(&lab, 3), ["192.0.2.1", "192.0.2.2"]);
    lab.set_reachability(address(1).into(), Reachability::Reachable { metric: 9 });
    lab.settle();
    assert_eq!(hops(&lab, 3), ["192.0.2.1", "192.0.2.3"]);
}

#[test]
fn every_path_of_a_peer_that_sends_several_is_passed_on_but_not_back() {
    let both = |index| with_paths(client(index), AddPathDirections::Both, None);
    let mut lab = Lab::new(config(vec![both(0), both(1)]));
    (0..2).for_each(|index| lab.up(index));
    for (path_id, last) in [(7, 20), (9, 30), (0, 40)] {
        lab.announce_path(0, &internal([198, 51, 100, last].into()), PREFIX, path_id);
    }
    lab.settle();
    assert_eq!(hops(&lab, 1), ["198.51.100.20", "198.51.100.30", "198.51.100.40"]);
    assert!(paths(&lab, 0).is_empty());
    assert_eq!(lab.core.route(net(PREFIX)).unwrap().paths.len(), 3);
    lab.withdraw_path(0, PREFIX, 9);
    lab.settle();
    assert_eq!(hops(&lab, 1), ["198.51.100.20", "198.51.100.40"]);
    lab.down(0, Retention::Flush);
    lab.settle();
    assert!(paths(&lab, 1).is_empty() && lab.core.v4.names.is_empty());
}

#[test]
fn paths_beyond_the_limit_are_refused_counted_and_spoken_of_once() {
    let mut peer = with_paths(client(0), AddPathDirections::Receive, None);
    peer.capabilities.add_path.receive_limit = NonZeroU16::new(3).unwrap();
    let mut lab = Lab::new(config(vec![peer]));
    lab.up(0);
    for path_id in 1..=1000 {
        lab.announce_path(0, &internal(address(0)), PREFIX, path_id);
    }
    lab.settle();
    let counts = lab.core.counts(PeerId(0), Family::Ipv4Unicast);
    assert_eq!((counts.received, counts.refused_paths), (3, 997));
    let warning = Warning::PathsRefused { peer: PeerId(0), prefix: net(PREFIX), limit: 3 };
    assert_eq!(lab.actions.iter().filter(|a| **a == Action::Warn(warning.clone())).count(), 1);
    lab.announce_path(0, &preferred(0, 300), PREFIX, 2);
    lab.withdraw_path(0, PREFIX, 1);
    lab.announce_path(0, &internal(address(0)), PREFIX, 2000);
    assert_eq!(
        lab.core.counts(PeerId(0), Family::Ipv4Unicast).refused_paths,
        997,
        "known ones, and room again"
    );
}

#[test]
fn the_limit_holds_anew_for_a_peer_that_comes_back_with_other_identifiers() {
    let mut peer = with_paths(client(0), AddPathDirections::Receive, None);
    peer.capabilities.add_path.receive_limit = NonZeroU16::new(2).unwrap();
    let mut lab = Lab::new(config(vec![peer]));
    lab.up_with(0, Some(graceful()));
    (1..=2).for_each(|path_id| lab.announce_path(0, &internal(address(0)), PREFIX, path_id));
    lab.up_with(0, Some(graceful()));
    (11..=12).for_each(|path_id| lab.announce_path(0, &internal(address(0)), PREFIX, path_id));
    lab.end_of_rib(0);
    lab.settle();
    let counts = lab.core.counts(PeerId(0), Family::Ipv4Unicast);
    assert_eq!((counts.received, counts.refused_paths), (2, 0));
}

#[derive(Clone, Debug)]
enum Step {
    Up(u32),
    Down(u32),
    Announce { peer: u32, prefix: u8, path_id: u32, hop: u8, preference: u8 },
    Withdraw { peer: u32, prefix: u8, path_id: u32 },
    NextHop { hop: u8, reachability: Reachability },
    Refresh(u32),
    Reflection(u32, bool),
    Transmit { peer: u32, budget: usize },
    Run(usize),
    Settle,
}

const PEERS: u32 = 6;

fn hop(index: u8) -> std::net::Ipv4Addr {
    [198, 51, 100, index].into()
}

/// 0 and 1 send several paths and take all, 2 sends several and takes two, 3 takes all, 4 and 5 know nothing of it; 5 is external.
fn world() -> Lab {
    let peers = vec![
        with_paths(client(0), AddPathDirections::Both, None),
        with_paths(client(1), AddPathDirections::Both, None),
        with_paths(client(2), AddPathDirections::Both, Some(2)),
        with_paths(peer(3, OWN_AS), AddPathDirections::Send, None),
        client(4),
        peer(5, Asn(65005)),
    ];
    Lab::new(config(peers))
}

fn take(lab: &mut Lab, step: &Step) {
    let is_up = |lab: &Lab, peer: u32| lab.learned.contains_key(&PeerId(peer));
    let id_of = |peer: u32, path_id: u32| if peer < 3 { path_id } else { 0 };
    match *step {
        Step::Up(peer) => lab.up(peer),
        Step::Down(peer) if is_up(lab, peer) => lab.down(peer, Retention::Flush),
        Step::Announce { peer, prefix, path_id, hop: index, preference } if is_up(lab, peer) => {
            let mut made = match peer {
                5 => attributes(hop(index), &[65005]),
                _ => internal(hop(index)),
            };
            made.local_pref = made.local_pref.map(|_| 100 + u32::from(preference));
            lab.announce_path(peer, &made, &format!("10.0.{prefix}.0/24"), id_of(peer, path_id));
        }
        Step::Withdraw { peer, prefix, path_id } if is_up(lab, peer) => {
            lab.withdraw_path(peer, &format!("10.0.{prefix}.0/24"), id_of(peer, path_id));
        }
        Step::NextHop { hop: index, reachability } => lab.set_reachability(hop(index).into(), reachability),
        Step::Refresh(peer) => lab.core.route_refresh(lab.now, PeerId(peer), Family::Ipv4Unicast),
        Step::Reflection(peer, client) => {
            let mut config = lab.core.config().clone();
            let role =
                if client { crate::config::Reflection::Client } else { crate::config::Reflection::NonClient };
            config.peers[peer as usize].reflection = role;
            assert_eq!(lab.core.reconfigure(lab.now, config), []);
        }
        Step::Transmit { peer, budget } if is_up(lab, peer) => _ = lab.transmit(PeerId(peer), budget),
        Step::Run(budget) => {
            lab.act();
            lab.core.run(lab.now, budget);
        }
        Step::Settle => check(lab),
        _ => {}
    }
}

/// What a peer that takes several paths must have: next hop and preference of each.
fn expected(lab: &Lab, to: u32, prefix: IpNet) -> Vec<(String, Option<u32>)> {
    let Some(route) = lab.core.route(prefix) else { return Vec::new() };
    let is_client = |id: PeerId| lab.core.peer(id).unwrap().reflection == crate::config::Reflection::Client;
    let passes = |from: PeerId| from.0 == 5 || is_client(from) || is_client(PeerId(to));
    let paths = route.paths.iter().filter(|p| p.reason.is_eligible()).filter_map(|p| Some((p.peer?, p)));
    let paths = paths.filter(|(from, _)| from.0 != to && passes(*from));
    let mut list: Vec<_> = paths
        .map(|(_, p)| (p.attributes.next_hop.address().to_string(), p.attributes.local_pref.or(Some(100))))
        .collect();
    list.sort();
    list
}

fn check(lab: &mut Lab) {
    lab.settle();
    for peer in 0..4 {
        let Some(learned) = lab.learned.get(&PeerId(peer)) else { continue };
        for prefix in (0..3).map(|index| net(&format!("10.0.{index}.0/24"))) {
            let of_prefix = learned.paths.iter().filter(|((p, _), _)| *p == prefix);
            let mut known: Vec<_> =
                of_prefix.map(|(_, a)| (a.next_hop.address().to_string(), a.local_pref)).collect();
            known.sort();
            let expected = expected(lab, peer, prefix);
            if peer == 2 {
                assert!(
                    known.len() == expected.len().min(2) && known.iter().all(|k| expected.contains(k)),
                    "{known:?} {expected:?}"
                );
            } else {
                assert_eq!(known, expected, "peer {peer}, {prefix}");
            }
        }
        let count = lab.core.counts(PeerId(peer), Family::Ipv4Unicast).advertised as usize;
        assert_eq!(count, learned.paths.len());
        let shown = lab.core.adj_rib_out(PeerId(peer), Family::Ipv4Unicast, None, 100).items;
        let shown: Vec<_> = shown.into_iter().map(|r| (r.prefix, r.path_id)).collect();
        assert_eq!(shown, learned.paths.keys().copied().collect::<Vec<_>>());
    }
}

fn step() -> impl Strategy<Value = Step> {
    let reachability = prop_oneof![
        (0u32..3).prop_map(|metric| Reachability::Reachable { metric }),
        Just(Reachability::Unreachable)
    ];
    prop_oneof![
        4 => (0..PEERS).prop_map(Step::Up),
        1 => (0..PEERS).prop_map(Step::Down),
        12 => (0..PEERS, 0u8..3, 0u32..4, 1u8..5, 0u8..2).prop_map(
            |(peer, prefix, path_id, hop, preference)| Step::Announce { peer, prefix, path_id, hop, preference }
        ),
        5 => (0..PEERS, 0u8..3, 0u32..4)
            .prop_map(|(peer, prefix, path_id)| Step::Withdraw { peer, prefix, path_id }),
        1 => (1u8..5, reachability).prop_map(|(hop, reachability)| Step::NextHop { hop, reachability }),
        1 => (0..PEERS).prop_map(Step::Refresh),
        1 => (0..5u32, any::<bool>()).prop_map(|(peer, client)| Step::Reflection(peer, client)),
        6 => (0..PEERS, 1usize..300).prop_map(|(peer, budget)| Step::Transmit { peer, budget }),
        3 => (1usize..6).prop_map(Step::Run),
        1 => Just(Step::Settle),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whoever_takes_several_paths_has_all_that_are_eligible_after_any_history(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut lab = world();
        steps.iter().for_each(|step| take(&mut lab, step));
        check(&mut lab);
        (0..PEERS).for_each(|peer| take(&mut lab, &Step::Down(peer)));
        lab.settle();
        prop_assert_eq!((lab.core.shared.attributes.len(), lab.core.v4.table.bound()), (0, 0));
        prop_assert!(lab.core.v4.names.is_empty());
    }
}

#[test]
fn a_path_that_cannot_be_decided_over_stays_as_it_was_sent_when_everything_is_sent_again() {
    let new = address(9);
    let mut lab = reflector(None);
    lab.slow.insert(new.into());
    for index in 0..2 {
        lab.announce(index, &internal(address(index)), &[PREFIX]);
    }
    lab.settle();
    lab.announce(0, &internal(new), &[PREFIX]);
    lab.settle();
    assert_eq!(hops(&lab, 3), ["192.0.2.1", "192.0.2.2"], "nobody has answered for the new next hop");
    lab.core.route_refresh(lab.now, PeerId(3), Family::Ipv4Unicast);
    lab.settle();
    assert_eq!(hops(&lab, 3), ["192.0.2.1", "192.0.2.2"]);
    assert_eq!(lab.core.counts(PeerId(3), Family::Ipv4Unicast).advertised, 2);
    lab.set_reachability(new.into(), Reachability::Reachable { metric: 0 });
    lab.settle();
    assert_eq!(hops(&lab, 3), ["192.0.2.10", "192.0.2.2"]);
}

#[test]
fn of_two_members_only_the_one_that_has_an_undecided_path_keeps_it() {
    let new = address(9);
    let sinks = [3, 4].map(|index| with_paths(client(index), AddPathDirections::Send, None));
    let mut lab = Lab::new(config([vec![client(0), client(1)], sinks.to_vec()].concat()));
    lab.slow.insert(new.into());
    (0..3).for_each(|index| lab.up(index));
    for index in 0..2 {
        lab.announce(index, &internal(address(index)), &[PREFIX]);
    }
    lab.settle();
    lab.announce(0, &internal(new), &[PREFIX]);
    lab.settle();
    lab.up(3);
    lab.core.route_refresh(lab.now, PeerId(2), Family::Ipv4Unicast);
    lab.settle();
    assert_eq!([hops(&lab, 2).len(), hops(&lab, 3).len()], [2, 1]);
    lab.set_reachability(new.into(), Reachability::Reachable { metric: 0 });
    lab.settle();
    assert_eq!([hops(&lab, 2), hops(&lab, 3)], [["192.0.2.10", "192.0.2.2"], ["192.0.2.10", "192.0.2.2"]]);
}
