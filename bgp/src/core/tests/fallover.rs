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
        Action::LinkLost(peer) => Some(peer.0),
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
