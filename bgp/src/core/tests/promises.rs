//! Default routes that some peers are promised.

use std::{collections::BTreeSet, sync::Arc};

use super::{super::*, harness::*};
use crate::{
    config::{AddPath, AddPathDirections, DefaultRoute, RouteSwitches},
    decision::Reason,
    event::Retention,
    policy::{Policy, RejectReason},
    types::Asn,
};

const V4: &str = "0.0.0.0/0";
const V6: &str = "::/0";
const OUTSIDE: Asn = Asn(65001);

fn promised(peer: PeerConfig, default_route: DefaultRoute) -> PeerConfig {
    PeerConfig { switches: RouteSwitches { default_route, ..peer.switches.clone() }, ..peer }
}

/// Peer 0 is promised a default route, 1 and 2 are not.
fn lab() -> Lab {
    let first = promised(peer(0, OUTSIDE), DefaultRoute::Originated);
    let mut config = config(vec![first, peer(1, Asn(65002)), peer(2, OWN_AS)]);
    config.addresses = vec!["2001:db8::1".parse().unwrap()];
    let mut lab = Lab::new(config);
    (0..3).for_each(|index| lab.up(index));
    lab.settle();
    lab
}

fn reconfigure(lab: &mut Lab, index: usize, change: impl Fn(&mut PeerConfig)) {
    let mut config = lab.core.config().clone();
    change(&mut config.peers[index]);
    assert_eq!(lab.core.reconfigure(lab.now, config), [], "the sessions go on");
    lab.settle();
}

fn switch(lab: &mut Lab, index: usize, default_route: DefaultRoute) {
    reconfigure(lab, index, |peer| peer.switches.default_route = default_route);
}

#[test]
fn a_peer_is_promised_a_default_route_in_both_families_and_nobody_else_hears_of_it() {
    let lab = lab();
    assert_eq!(lab.prefixes(0), [V4, V6]);
    let sent = lab.learned(0, V4).unwrap();
    assert_eq!((sent.next_hop.address(), sent.as_path.to_string().as_str()), (OWN.into(), "64512"));
    assert_eq!(lab.learned(0, V6).unwrap().next_hop.address().to_string(), "2001:db8::1");
    assert!(lab.prefixes(1).is_empty() && lab.prefixes(2).is_empty() && lab.fib.is_empty());
    assert_eq!(lab.learned[&PeerId(0)].end_of_rib, Family::ALL.into_iter().collect());
}

#[test]
fn the_default_route_we_know_goes_to_the_others_and_to_the_forwarding_table() {
    let mut lab = lab();
    lab.announce(1, &attributes(address(1), &[65002, 65009]), &[V4]);
    lab.settle();
    assert_eq!(lab.fib.get(&net(V4)), Some(&address(1).into()));
    assert_eq!(lab.learned(2, V4).unwrap().as_path.to_string(), "65002 65009");
    assert_eq!(lab.learned(0, V4).unwrap().as_path.to_string(), "64512", "ours, not the one we know");
    lab.withdraw(1, &[V4]);
    lab.settle();
    assert_eq!(lab.prefixes(0), [V4, V6]);
    assert!(lab.learned(2, V4).is_none() && lab.fib.is_empty());
}

#[test]
fn a_peer_that_sends_us_a_default_route_is_still_sent_ours() {
    let mut lab = lab();
    lab.announce(0, &attributes(address(0), &[OUTSIDE.0]), &[V4]);
    lab.settle();
    assert_eq!(lab.learned(0, V4).unwrap().as_path.to_string(), "64512");
    assert_eq!(lab.fib.get(&net(V4)), Some(&address(0).into()));
    assert_eq!(lab.learned(1, V4).unwrap().as_path.to_string(), "64512 65001");
}

#[test]
fn the_switch_turns_under_the_session_and_touches_that_peer_only() {
    let mut lab = lab();
    let heard = |lab: &Lab, index: u32| lab.learned[&PeerId(index)].messages;
    let before = (heard(&lab, 1), heard(&lab, 2));
    switch(&mut lab, 0, DefaultRoute::Known);
    assert_eq!(lab.prefixes(0), [""; 0]);
    assert_eq!(lab.core.route(net(V4)), None, "nothing of it is left");
    switch(&mut lab, 0, DefaultRoute::Originated);
    assert_eq!(lab.prefixes(0), [V4, V6]);
    assert_eq!((heard(&lab, 1), heard(&lab, 2)), before);
}

#[test]
fn without_the_switch_the_peer_gets_the_default_route_we_know_instead() {
    let mut lab = lab();
    lab.announce(1, &attributes(address(1), &[65002]), &[V4]);
    lab.settle();
    switch(&mut lab, 0, DefaultRoute::Known);
    assert_eq!(lab.prefixes(0), [V4]);
    assert_eq!(lab.learned(0, V4).unwrap().as_path.to_string(), "64512 65002");
    switch(&mut lab, 2, DefaultRoute::Originated);
    assert_eq!(lab.learned(2, V4).unwrap().as_path.to_string(), "");
    assert_eq!(lab.learned(0, V4).unwrap().as_path.to_string(), "64512 65002");
}

#[test]
fn a_default_route_that_is_originated_anyway_stays_when_the_promise_ends() {
    let mut lab = lab();
    lab.originate(&[V4]);
    lab.settle();
    assert_eq!((lab.prefixes(1), lab.prefixes(2)), (vec![V4.to_owned()], vec![V4.to_owned()]));
    switch(&mut lab, 0, DefaultRoute::Known);
    assert_eq!(lab.prefixes(0), [V4]);
    lab.originate(&[]);
    lab.settle();
    assert!((0..3).all(|index| lab.prefixes(index).is_empty()));
}

#[test]
fn the_export_policy_is_not_asked_about_it() {
    let mut lab = lab();
    reconfigure(&mut lab, 0, |peer| peer.export = Arc::new(Policy::reject_all(RejectReason::ExportNone)));
    assert_eq!(lab.prefixes(0), [V4, V6]);
}

#[test]
fn a_new_session_begins_with_it_and_a_refresh_brings_it_again() {
    let mut lab = lab();
    lab.down(0, Retention::Flush);
    lab.settle();
    lab.up(0);
    lab.settle();
    assert_eq!(lab.prefixes(0), [V4, V6]);
    lab.learned.insert(PeerId(0), Learned::default());
    lab.core.route_refresh(lab.now, PeerId(0), Family::Ipv4Unicast);
    lab.settle();
    assert_eq!(lab.prefixes(0), [V4]);
}

#[test]
fn an_explanation_tells_it_from_the_best_path() {
    let mut lab = lab();
    lab.announce(1, &attributes(address(1), &[65002]), &[V4]);
    lab.settle();
    let told = lab.core.explain(net(V4)).unwrap();
    let own = told.route.paths.iter().find(|path| path.peer.is_none()).unwrap();
    assert_eq!(own.reason, Reason::OnlyForPeers);
    let subjects: Vec<_> = told.exports.iter().map(|e| (e.peer.0, e.subject, e.outcome.is_ok())).collect();
    let best = ExportSubject::Best;
    assert_eq!(subjects, [(0, ExportSubject::OwnDefault, true), (1, best, false), (2, best, true)]);
    let shown = lab.core.adj_rib_out(PeerId(0), Family::Ipv4Unicast, None, 9).items;
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].attributes.as_ref().unwrap().as_path.to_string(), "64512");
}

#[test]
fn who_looks_on_does_not_take_it_for_a_best_path() {
    let mut lab = lab();
    let settings = WatchSettings { tables: BTreeSet::from([WatchedTable::LocRib]), most_marks: 100 };
    let watch = lab.core.watch(settings);
    let mut told = Vec::new();
    lab.core.poll_watch(watch, 100, &mut told).unwrap();
    switch(&mut lab, 0, DefaultRoute::Known);
    switch(&mut lab, 0, DefaultRoute::Originated);
    lab.core.poll_watch(watch, 100, &mut told).unwrap();
    let routes = told.iter().filter(|item| !matches!(item, WatchItem::Complete { .. }));
    assert_eq!(routes.count(), 0, "{told:?}");
}

#[test]
fn a_peer_that_takes_several_paths_is_sent_this_one_alone() {
    let mut sink = promised(peer(1, OWN_AS), DefaultRoute::Originated);
    sink.capabilities.add_path = AddPath { directions: AddPathDirections::Send, ..AddPath::default() };
    let mut lab = Lab::new(config(vec![peer(0, OUTSIDE), sink]));
    (0..2).for_each(|index| lab.up(index));
    lab.announce(0, &attributes(address(0), &[OUTSIDE.0]), &[V4, "10.0.0.0/8"]);
    lab.settle();
    let known = |lab: &Lab| -> Vec<_> {
        let paths = lab.learned[&PeerId(1)].paths.iter().filter(|((prefix, _), _)| *prefix == net(V4));
        paths.map(|(_, attributes)| attributes.as_path.to_string()).collect()
    };
    assert_eq!(known(&lab), [""]);
    switch(&mut lab, 1, DefaultRoute::Known);
    assert_eq!(known(&lab), ["65001"]);
    switch(&mut lab, 1, DefaultRoute::Originated);
    assert_eq!(known(&lab), [""]);
    lab.withdraw(0, &[V4]);
    lab.settle();
    assert_eq!(known(&lab), [""]);
}
