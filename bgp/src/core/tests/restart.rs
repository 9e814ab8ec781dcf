use std::time::Duration;

use super::{super::*, harness::*};
use crate::{
    event::{PeerRestart, Retention},
    types::Asn,
};

const V4: Family = Family::Ipv4Unicast;

fn helper() -> Lab {
    let mut lab = Lab::new(config(vec![peer(0, Asn(65000)), peer(1, OWN_AS)]));
    lab.up_with(0, Some(graceful()));
    lab.up(1);
    lab.announce(0, &attributes(address(0), &[65000]), &["10.0.0.0/16", "10.1.0.0/16"]);
    lab.settle();
    lab.down(0, Retention::MayRestart);
    lab.settle();
    lab
}

#[test]
fn routes_of_a_restarting_peer_stay_until_its_restart_time_has_passed() {
    let mut lab = helper();
    assert_eq!(lab.prefixes(1), ["10.0.0.0/16", "10.1.0.0/16"]);
    assert_eq!(lab.core.counts(PeerId(0), V4).stale, 2);
    assert_eq!(lab.core.poll_timeout(), Some(lab.now.plus(Duration::from_secs(120))));
    lab.wait(119);
    assert_eq!(lab.fib.len(), 2);
    lab.wait(1);
    assert!(lab.fib.is_empty() && lab.prefixes(1).is_empty());
}

#[test]
fn end_of_rib_sweeps_what_the_peer_did_not_send_again() {
    let mut lab = helper();
    lab.up_with(0, Some(graceful()));
    lab.announce(0, &attributes(address(0), &[65000]), &["10.1.0.0/16"]);
    lab.settle();
    assert_eq!(lab.fib.len(), 2);
    let before = lab.learned[&PeerId(1)].messages;
    lab.end_of_rib(0);
    lab.settle();
    assert_eq!(lab.prefixes(1), ["10.1.0.0/16"]);
    assert_eq!(lab.learned[&PeerId(1)].messages, before + 1, "one withdrawal, nothing sent again");
}

#[test]
fn a_peer_that_lost_its_forwarding_state_loses_its_stale_routes_at_once() {
    let mut lab = helper();
    lab.up_with(0, Some(PeerRestart { forwarding: Families::NONE, ..graceful() }));
    lab.settle();
    assert!(lab.fib.is_empty());
}

#[test]
fn a_peer_that_returns_without_the_capability_loses_its_stale_routes_at_once() {
    let mut lab = helper();
    lab.up(0);
    lab.settle();
    assert!(lab.fib.is_empty());
}

#[test]
fn a_second_loss_ends_the_routes_still_stale_from_the_first() {
    let mut lab = helper();
    lab.up_with(0, Some(graceful()));
    lab.announce(0, &attributes(address(0), &[65000]), &["10.1.0.0/16"]);
    lab.down(0, Retention::MayRestart);
    lab.settle();
    assert_eq!(lab.prefixes(1), ["10.1.0.0/16"]);
}

#[test]
fn a_new_session_while_the_old_one_stands_is_a_restart() {
    let mut lab = helper();
    lab.up_with(0, Some(graceful()));
    lab.announce(0, &attributes(address(0), &[65000]), &["10.0.0.0/16"]);
    lab.up_with(0, Some(graceful()));
    lab.settle();
    assert_eq!(lab.prefixes(1), ["10.0.0.0/16"]);
    assert_eq!(lab.core.counts(PeerId(0), V4).stale, 1);
}

#[test]
fn a_session_closed_on_purpose_keeps_nothing() {
    let mut lab = helper();
    lab.up_with(0, Some(graceful()));
    lab.down(0, Retention::Flush);
    lab.settle();
    assert!(lab.fib.is_empty());
}

/// We have restarted; `peers` are configured.
fn restarted(peers: u32) -> Lab {
    let peers = (0..peers).map(|i| peer(i, OWN_AS)).chain([client(9)]).collect();
    let mut config = config(peers);
    config.graceful_restart_time = Duration::from_secs(120);
    let mut lab = Lab::new(config);
    lab.originate(&["172.16.0.0/26"]);
    lab
}

/// Deferral's end as told, ignoring everything else.
fn ended(lab: &mut Lab) -> usize {
    lab.settle();
    lab.actions.iter().filter(|a| matches!(a, Action::RestartOver(_))).count()
}

/// The index of the peer that is waited for by nobody: it has no graceful restart.
fn plain(lab: &mut Lab) -> u32 {
    let index = lab.core.peers().count() as u32 - 1;
    lab.up(index);
    index
}

#[test]
fn until_selection_begins_only_our_own_prefixes_are_advertised_and_no_end_of_rib() {
    let mut lab = restarted(1);
    let observer = plain(&mut lab);
    lab.up_with(0, Some(graceful()));
    lab.announce(0, &internal(address(0)), &["10.0.0.0/16"]);
    assert_eq!(ended(&mut lab), 0);
    assert_eq!(lab.prefixes(observer), ["172.16.0.0/26"]);
    assert!(lab.learned[&PeerId(observer)].end_of_rib.is_empty());
    assert_eq!(lab.fib.len(), 1, "learned routes are installed meanwhile");
    lab.end_of_rib(0);
    assert_eq!(ended(&mut lab), 2);
    assert_eq!(lab.prefixes(observer), ["10.0.0.0/16", "172.16.0.0/26"]);
    assert_eq!(lab.learned[&PeerId(observer)].end_of_rib, Family::ALL.into_iter().collect());
}

#[test]
fn until_selection_begins_nothing_is_taken_from_the_forwarding_table() {
    let mut lab = restarted(1);
    plain(&mut lab);
    lab.up_with(0, Some(graceful()));
    lab.announce(0, &internal(address(0)), &["10.0.0.0/16", "10.1.0.0/16"]);
    lab.settle();
    lab.withdraw(0, &["10.0.0.0/16", "10.1.0.0/16"]);
    lab.settle();
    assert_eq!(lab.fib.len(), 2);
    lab.announce(0, &internal(address(0)), &["10.1.0.0/16"]);
    lab.end_of_rib(0);
    assert_eq!(ended(&mut lab), 2);
    assert_eq!(lab.fib.keys().map(ToString::to_string).collect::<Vec<_>>(), ["10.1.0.0/16"]);
}

#[test]
fn peers_that_restart_themselves_or_cannot_restart_are_not_waited_for() {
    let mut lab = restarted(1);
    lab.up_with(0, Some(PeerRestart { restarting: true, ..graceful() }));
    let observer = plain(&mut lab);
    lab.settle();
    assert!(lab.core.deferring().is_empty());
    assert!(
        lab.learned[&PeerId(observer)].end_of_rib.contains(V4),
        "or two that restart wait for each other"
    );
}

#[test]
fn nothing_is_taken_from_the_forwarding_table_before_a_peer_that_restarts_too_has_sent_all() {
    let mut lab = restarted(1);
    lab.up_with(0, Some(PeerRestart { restarting: true, ..graceful() }));
    plain(&mut lab);
    assert_eq!(ended(&mut lab), 0);
    let wait = RestartWait { peers: vec![PeerId(0)], at_most: Duration::from_secs(30) };
    assert_eq!(lab.core.restart_wait(lab.now), Some(wait));
    lab.announce(0, &internal(address(0)), &["172.16.1.0/26"]);
    lab.end_of_rib(0);
    assert_eq!(ended(&mut lab), 2);
    assert!(lab.core.keeping().is_empty() && lab.core.restart_wait(lab.now).is_none());
}

#[test]
fn a_peer_that_restarts_too_and_never_ends_is_given_no_more_time_than_the_others() {
    let mut lab = restarted(1);
    lab.up_with(0, Some(PeerRestart { restarting: true, ..graceful() }));
    plain(&mut lab);
    lab.wait(29);
    assert_eq!(ended(&mut lab), 0);
    lab.wait(1);
    assert_eq!(ended(&mut lab), 2);
}

#[test]
fn a_peer_that_never_gets_up_is_waited_for_no_longer_than_its_first_attempts_take() {
    let mut lab = restarted(2);
    plain(&mut lab);
    lab.up_with(0, Some(graceful()));
    lab.end_of_rib(0);
    assert_eq!(ended(&mut lab), 0);
    assert_eq!(lab.core.poll_timeout(), Some(lab.now.plus(Duration::from_secs(10))));
    lab.wait(10);
    assert_eq!(ended(&mut lab), 2);
}

#[test]
fn without_end_of_rib_the_wait_ends_a_while_after_the_first_session() {
    let mut lab = restarted(1);
    plain(&mut lab);
    lab.wait(5);
    lab.up_with(0, Some(graceful()));
    lab.wait(24);
    assert_eq!(ended(&mut lab), 0);
    lab.wait(1);
    assert_eq!(ended(&mut lab), 2);
}

#[test]
fn without_any_session_the_wait_ends_when_the_restart_time_we_announced_has_passed() {
    let mut lab = restarted(1);
    lab.wait(119);
    assert_eq!(ended(&mut lab), 0);
    lab.wait(1);
    assert_eq!(ended(&mut lab), 2);
}

#[test]
fn an_answer_that_never_comes_holds_selection_up_until_the_deadline_only() {
    let mut lab = restarted(1);
    lab.slow.insert(address(0).into());
    lab.up_with(0, Some(graceful()));
    lab.announce(0, &internal(address(0)), &["10.0.0.0/16"]);
    lab.end_of_rib(0);
    lab.wait(29);
    assert_eq!(ended(&mut lab), 0);
    lab.wait(1);
    assert_eq!(ended(&mut lab), 2);
}

#[test]
fn without_graceful_restart_nothing_is_deferred() {
    let mut lab = Lab::new(config(vec![]));
    assert!(lab.core.deferring().is_empty());
    assert_eq!(ended(&mut lab), 2);
}

#[test]
fn the_wait_goes_on_while_nobody_has_answered_for_a_next_hop() {
    let mut lab = restarted(1);
    plain(&mut lab);
    lab.up_with(0, Some(graceful()));
    lab.announce(0, &internal(address(0)), &["172.16.1.0/26"]);
    lab.end_of_rib(0);
    while lab.core.run(lab.now, 100) == Work::Pending {}
    assert!(lab.core.deferring().contains(V4), "the route is not in force yet");
    lab.core.next_hop(lab.now, address(0), Reachability::Reachable { metric: 0 });
    while lab.core.run(lab.now, 100) == Work::Pending {}
    assert!(lab.core.deferring().is_empty());
    assert_eq!(lab.core.poll_best(10).len(), 1);
}
