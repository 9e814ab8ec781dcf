//! A path whose next hop nobody has answered for yet takes nothing back.

use std::net::IpAddr;

use super::{super::*, harness::*};

const BLOCK: &str = "172.16.0.0/26";
const NEW: u32 = 50;

/// The peer's route goes from a next hop that is known to one that is not.
fn moved() -> Lab {
    let mut lab = Lab::new(config(vec![client(0), client(1)]));
    lab.up(0);
    lab.up(1);
    lab.announce(0, &internal(address(0)), &[BLOCK]);
    lab.settle();
    lab.slow.insert(address(NEW).into());
    lab.announce(0, &internal(address(NEW)), &[BLOCK]);
    lab.settle();
    lab
}

fn told(lab: &Lab) -> (Option<IpAddr>, Option<IpAddr>) {
    let advertised = lab.learned(1, BLOCK).map(|a| a.next_hop.address());
    (lab.fib.get(&net(BLOCK)).copied(), advertised)
}

#[test]
fn the_old_route_stays_until_the_new_next_hop_is_answered_for() {
    let mut lab = moved();
    let (old, new) = (Some(address(0).into()), Some(address(NEW).into()));
    assert_eq!(told(&lab), (old, old));
    let before = lab.learned[&PeerId(1)].messages;
    lab.set_reachability(address(NEW).into(), Reachability::Reachable { metric: 0 });
    lab.settle();
    assert_eq!(told(&lab), (new, new));
    assert_eq!(lab.learned[&PeerId(1)].messages, before + 1, "one replacement");
}

#[test]
fn a_next_hop_that_turns_out_unreachable_takes_the_route_back() {
    let mut lab = moved();
    lab.set_reachability(address(NEW).into(), Reachability::Unreachable);
    lab.settle();
    assert_eq!(told(&lab), (None, None));
    // The forwarding table knows that there would be a route, until there is none any more.
    assert!(lab.unreachable.contains(&net(BLOCK)));
    lab.withdraw(0, &[BLOCK]);
    lab.settle();
    assert!(lab.unreachable.is_empty());
}

#[test]
fn a_route_whose_next_hop_was_never_reachable_is_told_as_such() {
    let mut lab = moved();
    lab.set_reachability(address(NEW).into(), Reachability::Unreachable);
    lab.announce(0, &internal(address(NEW)), &["10.99.0.0/16"]);
    lab.settle();
    assert!(lab.unreachable.contains(&net("10.99.0.0/16")));
    assert_eq!(lab.fib.get(&net("10.99.0.0/16")), None);
    lab.set_reachability(address(NEW).into(), Reachability::Reachable { metric: 0 });
    lab.settle();
    assert_eq!(lab.fib.get(&net("10.99.0.0/16")), Some(&address(NEW).into()));
    assert!(lab.unreachable.is_empty());
}

#[test]
fn a_withdrawal_before_the_answer_takes_the_route_back() {
    let mut lab = moved();
    lab.withdraw(0, &[BLOCK]);
    lab.settle();
    assert_eq!(told(&lab), (None, None));
}

#[test]
fn another_path_that_is_usable_does_not_wait_for_the_answer() {
    let mut lab = moved();
    lab.announce(1, &internal(address(1)), &[BLOCK]);
    lab.settle();
    assert_eq!(lab.fib.get(&net(BLOCK)), Some(&address(1).into()));
}

#[test]
fn a_route_withdrawn_while_selection_is_deferred_and_then_undecided_is_back_with_the_answer() {
    let mut config = config(vec![peer(0, OWN_AS)]);
    config.graceful_restart_time = std::time::Duration::from_secs(120);
    let mut lab = Lab::new(config);
    lab.up_with(0, Some(graceful()));
    lab.announce(0, &internal(address(0)), &[BLOCK]);
    lab.settle();
    lab.withdraw(0, &[BLOCK]);
    lab.settle();
    assert!(lab.fib.is_empty() && !lab.core.deferring().is_empty());
    lab.slow.insert(address(NEW).into());
    lab.announce(0, &internal(address(NEW)), &[BLOCK]);
    lab.settle();
    assert!(lab.fib.is_empty());
    lab.set_reachability(address(NEW).into(), Reachability::Reachable { metric: 0 });
    lab.settle();
    assert_eq!(lab.fib.len(), 1);
}
