//! Long-lived graceful restart (RFC 9494).

use std::{sync::Arc, time::Duration};

use super::{super::*, harness::*};
use crate::{
    config::{CapabilityConfig, CommunityKind, LongLivedRoutes, SentCommunities},
    decision::{Reason, Step},
    event::{PeerRestart, Retention},
    policy::{Modification, Policy, Term, Then, Verdict},
    types::Asn,
    wire::{attribute::RareAttributes, community::Community},
};

const V4: Family = Family::Ipv4Unicast;
const PREFIX: &str = "10.0.0.0/16";

fn long_lived(peer: PeerConfig) -> PeerConfig {
    let capabilities =
        CapabilityConfig { long_lived_stale_time: Duration::from_secs(3600), ..CapabilityConfig::default() };
    PeerConfig { capabilities, ..peer }
}

/// Peer 0 announced a route and has been away for its restart time; 1 knows long-lived routes, 2 does not.
fn away(attributes: &PathAttributes) -> Lab {
    let peers = vec![long_lived(peer(0, Asn(65000))), long_lived(peer(1, OWN_AS)), peer(2, OWN_AS)];
    let mut lab = Lab::new(config(peers));
    lab.up_with(0, Some(graceful()));
    lab.up_with(1, Some(graceful()));
    lab.up(2);
    lab.announce(0, attributes, &[PREFIX]);
    lab.settle();
    lab.down(0, Retention::MayRestart);
    lab.wait(120);
    lab
}

fn plain() -> PathAttributes {
    attributes(address(0), &[65000])
}

fn communities(attributes: &PathAttributes) -> Vec<u32> {
    attributes.rare.as_ref().map_or_else(Vec::new, |r| r.communities.clone())
}

#[test]
fn after_the_restart_time_routes_stay_as_a_last_resort_for_the_stale_time() {
    let mut lab = away(&plain());
    assert_eq!(lab.fib.len(), 1);
    let path = lab.core.route(net(PREFIX)).unwrap().paths.remove(0);
    assert_eq!(path.freshness, Freshness::LongLivedStale);
    assert_eq!(communities(&path.attributes), [Community::LLGR_STALE.0]);
    assert_eq!(communities(&path.received), []);
    lab.wait(3599);
    assert_eq!(lab.fib.len(), 1);
    lab.wait(1);
    assert!(lab.fib.is_empty() && lab.prefixes(1).is_empty());
    assert_eq!(lab.core.counts(PeerId(0), V4).stale, 0);
}

#[test]
fn they_are_told_with_their_mark_to_those_who_know_it_and_withdrawn_from_others() {
    let lab = away(&plain());
    assert_eq!(communities(lab.learned(1, PREFIX).unwrap()), [Community::LLGR_STALE.0]);
    assert!(lab.prefixes(2).is_empty());
    let told = lab.core.explain_export(PeerId(2), net(PREFIX)).unwrap();
    assert_eq!(told, Err(Withheld::LongLivedStale));
}

/// Turns the procedure for a partial deployment on for one peer.
fn to_all(lab: &mut Lab, index: usize) {
    let mut config = lab.core.config().clone();
    config.peers[index].switches.long_lived = LongLivedRoutes::ToAll;
    assert_eq!(lab.core.reconfigure(lab.now, config), [], "the session goes on");
    lab.settle();
}

#[test]
fn in_a_partial_deployment_internal_peers_without_the_capability_get_them_last_and_confined() {
    let mut lab = away(&plain());
    to_all(&mut lab, 2);
    let sent = lab.learned(2, PREFIX).unwrap();
    assert_eq!(communities(sent), [Community::LLGR_STALE.0, Community::NO_EXPORT.0]);
    assert_eq!(sent.local_pref, Some(0));
    assert_eq!(lab.learned(1, PREFIX).unwrap().local_pref, Some(100), "as long as it is not asked for there");
    to_all(&mut lab, 1);
    let sent = lab.learned(1, PREFIX).unwrap();
    assert_eq!((communities(sent), sent.local_pref), (vec![Community::LLGR_STALE.0], Some(0)));
    lab.up_with(0, Some(graceful()));
    lab.announce(0, &plain(), &[PREFIX]);
    lab.settle();
    let sent = lab.learned(2, PREFIX).unwrap();
    assert_eq!((communities(sent), sent.local_pref), (vec![], Some(100)), "it is fresh again");
}

#[test]
fn an_external_peer_without_the_capability_is_never_told_of_them() {
    let peers = vec![long_lived(peer(0, Asn(65000))), peer(1, Asn(65001))];
    let mut lab = Lab::new(config(peers));
    lab.up_with(0, Some(graceful()));
    lab.up(1);
    lab.announce(0, &plain(), &[PREFIX]);
    lab.settle();
    to_all(&mut lab, 1);
    assert_eq!(lab.prefixes(1), [PREFIX]);
    lab.down(0, Retention::MayRestart);
    lab.wait(120);
    assert!(lab.prefixes(1).is_empty());
}

#[test]
fn neither_a_policy_nor_a_switch_takes_the_mark_away() {
    let mut lab = away(&plain());
    let term = Term {
        name: String::new(),
        conditions: vec![],
        changes: vec![Modification::ClearCommunities],
        then: Then::Accept,
    };
    let mut config = lab.core.config().clone();
    config.peers[1].export = Arc::new(Policy::of("p", vec![term], Verdict::Accept));
    config.peers[1].switches.communities = SentCommunities::from_iter([CommunityKind::Large]);
    lab.core.reconfigure(lab.now, config);
    lab.settle();
    assert_eq!(communities(lab.learned(1, PREFIX).unwrap()), [Community::LLGR_STALE.0]);
}

#[test]
fn any_other_route_is_better() {
    let mut lab = away(&plain());
    let poor = PathAttributes { local_pref: Some(1), ..internal(address(2)) };
    lab.announce(2, &poor, &[PREFIX]);
    lab.settle();
    assert_eq!(lab.reason(PREFIX, 2), Some(Reason::Best));
    assert_eq!(lab.reason(PREFIX, 0), Some(Reason::Lost(Step::Validity)));
}

#[test]
fn a_mark_received_counts_too() {
    let mut lab = Lab::new(config(vec![long_lived(peer(0, OWN_AS)), peer(1, OWN_AS)]));
    (0..2).for_each(|index| lab.up(index));
    let rare = RareAttributes { communities: vec![Community::LLGR_STALE.0], ..RareAttributes::default() };
    let marked = PathAttributes { local_pref: Some(500), rare: Some(rare.into()), ..internal(address(0)) };
    lab.announce(0, &marked, &[PREFIX]);
    lab.announce(1, &internal(address(1)), &[PREFIX]);
    lab.settle();
    assert_eq!(lab.reason(PREFIX, 0), Some(Reason::Lost(Step::Validity)));
}

#[test]
fn a_route_that_forbids_it_ends_with_the_restart_time() {
    let rare = RareAttributes { communities: vec![Community::NO_LLGR.0], ..RareAttributes::default() };
    let lab = away(&PathAttributes { rare: Some(rare.into()), ..plain() });
    assert!(lab.fib.is_empty() && lab.prefixes(1).is_empty());
    assert_eq!(lab.core.counts(PeerId(0), V4).stale, 0);
}

#[test]
fn a_peer_that_comes_back_renews_its_routes_and_end_of_rib_ends_the_others() {
    let mut lab = away(&plain());
    lab.up_with(0, Some(PeerRestart { restarting: true, ..graceful() }));
    lab.announce(0, &plain(), &[PREFIX]);
    lab.settle();
    let path = lab.core.route(net(PREFIX)).unwrap().paths.remove(0);
    assert_eq!((path.freshness, communities(&path.attributes)), (Freshness::Fresh, vec![]));
    assert_eq!(communities(lab.learned(1, PREFIX).unwrap()), []);
    assert_eq!(lab.prefixes(2), [PREFIX]);
    lab.end_of_rib(0);
    lab.settle();
    assert_eq!(lab.core.counts(PeerId(0), V4).stale, 0);
}

#[test]
fn what_a_returned_peer_does_not_send_again_ends_with_end_of_rib() {
    let mut lab = away(&plain());
    lab.up_with(0, Some(graceful()));
    lab.settle();
    assert_eq!(lab.fib.len(), 1);
    lab.end_of_rib(0);
    lab.settle();
    assert!(lab.fib.is_empty());
}

#[test]
fn without_graceful_restart_of_the_family_the_stale_time_begins_at_once() {
    let mut lab = Lab::new(config(vec![long_lived(peer(0, Asn(65000)))]));
    lab.up_with(0, Some(PeerRestart { families: Families::NONE, ..graceful() }));
    lab.announce(0, &plain(), &[PREFIX]);
    lab.settle();
    lab.down(0, Retention::MayRestart);
    lab.settle();
    let path = lab.core.route(net(PREFIX)).unwrap().paths.remove(0);
    assert_eq!(path.freshness, Freshness::LongLivedStale);
    assert_eq!(lab.core.poll_timeout(), Some(lab.now.plus(Duration::from_secs(3600))));
}

#[test]
fn a_session_closed_on_purpose_keeps_nothing_for_long() {
    let mut lab = away(&plain());
    lab.up_with(0, Some(graceful()));
    lab.announce(0, &plain(), &[PREFIX]);
    lab.down(0, Retention::Flush);
    lab.settle();
    assert!(lab.fib.is_empty());
}
