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

fn installed(lab: &Lab) -> Vec<String> {
    lab.fib.keys().map(ToString::to_string).collect()
}

#[test]
fn what_is_withdrawn_in_this_life_leaves_the_forwarding_table_at_once_whoever_is_still_waited_for() {
    let mut lab = restarted(2);
    let observer = plain(&mut lab);
    (0..2).for_each(|index| lab.up_with(index, Some(graceful())));
    lab.announce(0, &internal(address(0)), &["10.0.0.0/16", "10.1.0.0/16"]);
    lab.announce(1, &internal(address(1)), &["10.2.0.0/16"]);
    lab.settle();
    lab.withdraw(0, &["10.0.0.0/16"]);
    lab.settle();
    assert_eq!(installed(&lab), ["10.1.0.0/16", "10.2.0.0/16"], "before its own End-of-RIB");
    lab.end_of_rib(0);
    lab.withdraw(0, &["10.1.0.0/16"]);
    lab.settle();
    assert_eq!(installed(&lab), ["10.2.0.0/16"], "while another peer never sends End-of-RIB");
    lab.down(1, Retention::Flush);
    assert_eq!(ended(&mut lab), 0);
    assert!(lab.fib.is_empty(), "and with a session that is closed on purpose");
    assert_eq!(lab.prefixes(observer), ["172.16.0.0/26"]);
}

#[test]
fn our_own_routes_are_sent_once_though_selection_begins_behind_them() {
    let mut lab = restarted(1);
    let observer = plain(&mut lab);
    lab.up_with(0, Some(graceful()));
    lab.announce(0, &internal(address(0)), &["10.0.0.0/16"]);
    lab.settle();
    assert_eq!(lab.learned[&PeerId(observer)].messages, 1);
    lab.end_of_rib(0);
    assert_eq!(ended(&mut lab), 2);
    assert_eq!(lab.prefixes(observer), ["10.0.0.0/16", "172.16.0.0/26"]);
    let sent = lab.learned[&PeerId(observer)].messages;
    assert_eq!(sent, 1 + 1 + 2, "our own route, the learned one, and End-of-RIB of both families");
}

#[test]
fn a_route_that_became_our_own_meanwhile_is_sent_when_selection_begins() {
    let mut lab = restarted(1);
    let observer = plain(&mut lab);
    lab.up_with(0, Some(graceful()));
    lab.announce(0, &internal(address(0)), &["10.0.0.0/16"]);
    lab.settle();
    lab.originate(&["172.16.0.0/26", "10.0.0.0/16"]);
    lab.end_of_rib(0);
    assert_eq!(ended(&mut lab), 2);
    assert_eq!(lab.prefixes(observer), ["10.0.0.0/16", "172.16.0.0/26"]);
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
    let wait = RestartWait { peers: vec!["p0".into()], at_most: Duration::from_secs(30) };
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

/// [`restarted`] after a life in which these peers were up, with 100 s for the deferral.
fn restarted_after(peers: u32, before: PeersBefore) -> Lab {
    let mut lab = restarted(peers);
    let mut config = lab.core.config().clone();
    config.selection_deferral = Duration::from_secs(100);
    let template = PeerConfig { ..peer(7, OWN_AS) };
    let template = PeerConfig { name: "rack".into(), ..template };
    config.ranges = vec![crate::config::RangeConfig { range: net("10.9.0.0/24"), limit: 9, template }];
    assert_eq!(lab.core.reconfigure(lab.now, config), []);
    lab.core.expect(before);
    lab
}

fn named(names: &[&str]) -> PeersBefore {
    PeersBefore::Named(names.iter().map(ToString::to_string).collect())
}

fn awaited(lab: &Lab) -> Vec<String> {
    lab.core.restart_wait(lab.now).map(|wait| wait.peers).unwrap_or_default()
}

#[test]
fn a_peer_that_was_up_in_the_life_before_is_waited_for_as_long_as_the_configuration_says() {
    for before in [named(&["p1"]), PeersBefore::Unknown] {
        let mut lab = restarted_after(2, before);
        let observer = plain(&mut lab);
        lab.up_with(0, Some(graceful()));
        lab.end_of_rib(0);
        lab.wait(14);
        assert_eq!(ended(&mut lab), 0, "twice the time between two attempts has passed");
        assert_eq!(awaited(&lab), ["p1"]);
        assert!(lab.learned[&PeerId(observer)].end_of_rib.is_empty());
        lab.up_with(1, Some(graceful()));
        lab.announce(1, &internal(address(1)), &["10.1.0.0/16"]);
        lab.end_of_rib(1);
        assert_eq!(ended(&mut lab), 2);
        assert_eq!(lab.prefixes(observer), ["10.1.0.0/16", "172.16.0.0/26"]);
        assert_eq!(lab.learned[&PeerId(observer)].end_of_rib, Family::ALL.into_iter().collect());
    }
}

#[test]
fn a_peer_that_was_up_before_and_never_comes_is_given_up_when_the_deferral_ends() {
    let mut lab = restarted_after(2, named(&["p1"]));
    plain(&mut lab);
    lab.wait(99);
    assert_eq!(ended(&mut lab), 0);
    lab.wait(1);
    assert_eq!(ended(&mut lab), 2);
}

#[test]
fn without_any_session_a_longer_deferral_outlasts_the_restart_time() {
    let mut lab = restarted_after(1, named(&["p0"]));
    let config = SpeakerConfig { selection_deferral: Duration::from_secs(300), ..lab.core.config().clone() };
    lab.core.reconfigure(lab.now, config);
    lab.wait(299);
    assert_eq!(ended(&mut lab), 0);
    lab.wait(1);
    assert_eq!(ended(&mut lab), 2);
}

#[test]
fn a_host_of_a_range_that_was_up_before_is_waited_for_before_it_connects() {
    let mut lab = restarted_after(1, named(&["rack/10.9.0.7"]));
    lab.up_with(0, Some(graceful()));
    lab.end_of_rib(0);
    let observer = plain(&mut lab);
    lab.wait(14);
    assert_eq!(ended(&mut lab), 0);
    assert_eq!(awaited(&lab), ["rack/10.9.0.7"]);
    assert!(lab.learned[&PeerId(observer)].end_of_rib.is_empty());
    let mut config = lab.core.config().clone();
    config.peers.push(config.ranges[0].peer("10.9.0.7".parse().unwrap()));
    let changes = lab.core.reconfigure(lab.now, config);
    let [PeerChange::Add(guest)] = changes[..] else { panic!("{changes:?}") };
    assert_eq!(ended(&mut lab), 0, "it is there, and has no session yet");
    lab.up_with(guest.0, Some(graceful()));
    lab.end_of_rib(guest.0);
    assert_eq!(ended(&mut lab), 2);
}

#[test]
fn whom_the_configuration_knows_no_more_or_shuts_down_is_not_waited_for() {
    let gone = ["gone", "rack/10.8.0.1", "rack/nonsense", "rack", "p1"];
    let mut lab = restarted_after(2, named(&gone));
    let mut config = lab.core.config().clone();
    config.peers[1].admin = crate::config::AdminState::Down;
    lab.core.reconfigure(lab.now, config);
    plain(&mut lab);
    lab.up_with(0, Some(graceful()));
    assert_eq!(awaited(&lab), ["p0"]);
    lab.end_of_rib(0);
    assert_eq!(ended(&mut lab), 2);
}

#[test]
fn whoever_has_sent_all_in_this_life_is_not_waited_for_when_it_leaves() {
    let mut lab = restarted_after(2, named(&["p0", "p1"]));
    plain(&mut lab);
    lab.up_with(0, Some(graceful()));
    lab.end_of_rib(0);
    lab.settle();
    lab.down(0, Retention::Flush);
    lab.wait(20);
    assert_eq!(awaited(&lab), ["p1"]);
    assert_eq!(lab.core.involved(), ["p1", "p9"].map(String::from).into(), "p9 is the plain one");
    lab.up_with(1, Some(graceful()));
    lab.end_of_rib(1);
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

#[test]
fn a_path_of_an_old_session_does_not_come_back_when_its_number_does_although_nothing_was_swept() {
    const PREFIX: &str = "10.0.0.0/8";
    let mut lab = Lab::new(config(vec![peer(0, Asn(65000)), peer(1, Asn(65001))]));
    (0..2).for_each(|index| lab.up(index));
    lab.announce(0, &attributes(address(0), &[65000]), &[PREFIX]);
    lab.settle();
    for _ in 0..=256 {
        lab.down(0, Retention::Flush);
        lab.up(0);
    }
    assert_eq!(lab.core.counts(PeerId(0), Family::Ipv4Unicast).received, 0);
    lab.settle();
    assert_eq!(lab.core.route(net(PREFIX)), None);
    assert!(lab.fib.is_empty() && lab.prefixes(1).is_empty());
}
