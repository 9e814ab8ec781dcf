//! Sessions that end with the link they run over.

use super::{super::*, harness::*};
use crate::{
    config::{Fallover, TtlPolicy},
    event::Retention,
    types::Asn,
};

/// A peer one hop away and one several hops away over eth0, both to end with their link, and one that is not.
fn lab() -> Lab {
    let mut peers = [peer(0, Asn(65000)), peer(1, Asn(65001)), peer(2, Asn(65002))];
    peers[0].transport.ttl = TtlPolicy::Direct;
    (peers[0].fallover, peers[1].fallover) = (Fallover::Fast, Fallover::Fast);
    let mut lab = Lab::new(config(peers.into()));
    for index in 0..3 {
        lab.interfaces.insert(address(index).into(), "eth0");
        lab.up(index);
    }
    lab.settle();
    lab
}

fn lost(lab: &mut Lab) -> Vec<u32> {
    lab.settle();
    let lost = lab.actions.iter().filter_map(|action| match action {
        Action::WayLost { peer, .. } => Some(peer.0),
        _ => None,
    });
    lost.collect()
}

#[test]
fn a_session_to_which_no_way_leads_any_more_is_closed_once() {
    let mut lab = lab();
    assert!(lost(&mut lab).is_empty());
    for index in 0..3 {
        lab.set_reachability(address(index).into(), Reachability::Unreachable);
        lab.set_reachability(address(index).into(), Reachability::Unreachable);
    }
    assert_eq!(lost(&mut lab), [0, 1]);
}

#[test]
fn another_link_will_do_for_a_peer_several_hops_away_only() {
    let mut lab = lab();
    for index in 0..3 {
        lab.set_interface(address(index).into(), "eth1");
    }
    assert_eq!(lost(&mut lab), [0]);
}

#[test]
fn a_link_that_is_renamed_is_the_same_link() {
    let mut lab = lab();
    lab.core.interface_renamed("eth0", "wan0");
    for index in 0..3 {
        lab.set_interface(address(index).into(), "wan0");
    }
    assert!(lost(&mut lab).is_empty());
    lab.set_interface(address(0).into(), "eth0");
    assert_eq!(lost(&mut lab), [0], "the name is another's now");
}

#[test]
fn what_was_never_reached_is_not_lost_and_what_has_no_session_is_not_watched() {
    let mut lab = lab();
    (0..3).for_each(|index| lab.down(index, Retention::Flush));
    lab.settle();
    assert!(lab.watched.is_empty());
    lab.reachability.insert(address(0).into(), Reachability::Unreachable);
    lab.up(0);
    assert!(lost(&mut lab).is_empty(), "the session is up whatever the answer");
    lab.set_reachability(address(0).into(), Reachability::Reachable { metric: 0 });
    lab.set_reachability(address(0).into(), Reachability::Unreachable);
    assert_eq!(lost(&mut lab), [0]);
}

#[test]
fn the_switch_turns_under_the_session() {
    let mut lab = lab();
    let mut turned = lab.core.config().clone();
    (turned.peers[0].fallover, turned.peers[2].fallover) = (Fallover::Timed, Fallover::Fast);
    assert_eq!(lab.core.reconfigure(lab.now, turned), []);
    lab.settle();
    for index in 0..3 {
        lab.set_reachability(address(index).into(), Reachability::Unreachable);
    }
    assert_eq!(lost(&mut lab), [1, 2]);
}

/// Peers 0 and 2 of [`lab`] with graceful restart and a route each.
fn graceful_lab() -> Lab {
    let mut lab = lab();
    for index in [0, 2] {
        lab.up_with(index, Some(graceful()));
        let prefix = format!("10.{index}.0.0/16");
        lab.announce(index, &attributes(address(index), &[65000 + index]), &[prefix.as_str()]);
    }
    lab.settle();
    lab
}

fn flap(lab: &mut Lab, index: u32) {
    lab.set_reachability(address(index).into(), Reachability::Unreachable);
    lab.set_reachability(address(index).into(), Reachability::Reachable { metric: 0 });
}

#[test]
fn a_stale_route_whose_way_was_lost_does_not_come_back_with_the_way() {
    let mut lab = graceful_lab();
    (0..3).for_each(|index| lab.down(index, Retention::MayRestart));
    lab.settle();
    assert_eq!(lab.fib.len(), 2, "kept for peers that restart");
    // The link is back before anybody has looked at the table.
    flap(&mut lab, 0);
    lab.settle();
    assert_eq!(lab.fib.keys().map(ToString::to_string).collect::<Vec<_>>(), ["10.2.0.0/16"]);
    flap(&mut lab, 2);
    lab.settle();
    assert!(lab.fib.is_empty(), "the next hop is enough, whether or not the session ends with its link");
    assert_eq!(lab.core.counts(PeerId(2), Family::Ipv4Unicast).stale, 0);
    assert!(lab.watched.is_empty(), "nobody needs a way any more");
}

#[test]
fn a_session_that_ends_with_its_link_leaves_no_stale_routes() {
    let mut lab = graceful_lab();
    flap(&mut lab, 0);
    assert_eq!(lost(&mut lab), [0]);
    lab.down(0, Retention::MayRestart);
    lab.settle();
    assert_eq!(lab.fib.keys().map(ToString::to_string).collect::<Vec<_>>(), ["10.2.0.0/16"]);
}

#[test]
fn the_link_of_a_dead_session_counts_though_another_way_leads_to_its_next_hop() {
    let mut lab = graceful_lab();
    lab.down(0, Retention::MayRestart);
    lab.settle();
    assert_eq!(lab.fib.len(), 2);
    lab.set_interface(address(0).into(), "wan0");
    lab.settle();
    assert_eq!(lab.fib.keys().map(ToString::to_string).collect::<Vec<_>>(), ["10.2.0.0/16"]);
}

#[test]
fn routes_that_were_unreachable_already_when_the_session_ended_are_gone_too() {
    let mut lab = graceful_lab();
    lab.set_reachability(address(2).into(), Reachability::Unreachable);
    lab.settle();
    lab.down(2, Retention::MayRestart);
    lab.set_reachability(address(2).into(), Reachability::Reachable { metric: 0 });
    lab.settle();
    assert!(!lab.fib.contains_key(&net("10.2.0.0/16")));
}
