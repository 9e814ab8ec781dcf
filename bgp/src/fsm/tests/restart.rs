//! Graceful restart as the state machine sees it (RFC 4724 section 4.2, RFC 8538).

use super::{
    pair::{Death, Log, Network, Pair},
    *,
};
use crate::{
    event::Retention,
    fsm::{Failure, Restarting, Stop, Stopped},
    wire::capability::Capability,
};

fn restarted(mut config: Config) -> Config {
    config.restart.restarting = Restarting::Yes;
    config
}

fn established_pair() -> Pair {
    pair_of(OUR_ID, PEER_ID)
}

fn pair_of(first: Ipv4Addr, second: Ipv4Addr) -> Pair {
    let mut pair = Pair::new([config(first, second), config(second, first)]);
    pair.start(0);
    pair.start(1);
    pair.run_for(seconds(30));
    pair.assert_one_session();
    pair
}

/// What the surviving side saw after its first session came up.
fn seen(pair: &Pair) -> &[Log] {
    &pair.logs[0][1..]
}

#[test]
fn a_killed_peer_comes_back_and_its_routes_are_kept() {
    for (first, second) in [(OUR_ID, PEER_ID), (PEER_ID, OUR_ID)] {
        let mut pair = pair_of(first, second);
        pair.kill(1, restarted(config(second, first)), Death::Process);
        pair.run_for(seconds(20));
        pair.start(1);
        pair.run_for(seconds(10));
        pair.assert_one_session();
        assert!(matches!(seen(&pair), [Log::Down(Failure::Transport(_), Retention::MayRestart), Log::Up(_)]));
    }
}

#[test]
fn a_peer_whose_host_died_silently_replaces_its_old_session() {
    let mut pair = established_pair();
    pair.kill(1, restarted(config(PEER_ID, OUR_ID)), Death::Host);
    pair.run_for(seconds(5));
    pair.start(1);
    pair.run_for(seconds(2));
    pair.assert_one_session();
    assert!(matches!(seen(&pair), [Log::Down(Failure::PeerRestarted, Retention::MayRestart), Log::Up(_)]));
}

#[test]
fn a_peer_that_lost_only_the_connection_replaces_it_too() {
    let mut pair = established_pair();
    pair.kill(1, config(PEER_ID, OUR_ID), Death::Host);
    pair.start(1);
    pair.run_for(seconds(2));
    pair.assert_one_session();
    assert!(matches!(seen(&pair), [Log::Down(Failure::PeerRestarted, Retention::MayRestart), Log::Up(_)]));
}

#[test]
fn a_restart_right_after_the_session_came_up_is_known_by_the_r_bit() {
    let (mut fsm, old) = machine_in(State::Established, ours());
    let new = accept(&mut fsm, at(1));
    let open = open_of(&restarted(config(PEER_ID, OUR_ID)));
    fsm.handle_message(at(1), new, Received::Open(Box::new(open)));
    let actions = drain(&mut fsm);
    assert!(actions.contains(&Action::Close(old)));
    assert!(notifications(&actions).is_empty(), "the old connection closes without a word");
    assert_eq!(fsm.state(), State::OpenConfirm);
}

#[test]
fn the_old_session_stays_until_the_new_connection_brings_an_open() {
    let (mut fsm, _) = machine_in(State::Established, ours());
    let new = accept(&mut fsm, at(60));
    assert_eq!(fsm.state(), State::Established);
    fsm.handle_lost(at(61), new, crate::fsm::TransportError::Closed);
    assert_eq!(fsm.state(), State::Established);
    assert!(!has_session_down(&drain(&mut fsm)));
}

#[test]
fn a_bad_open_does_not_displace_the_session() {
    let (mut fsm, _) = machine_in(State::Established, ours());
    let new = accept(&mut fsm, at(60));
    let mut stranger = config(PEER_ID, OUR_ID);
    stranger.local_asn = Asn(1);
    fsm.handle_message(at(60), new, Received::Open(Box::new(open_of(&stranger))));
    let actions = drain(&mut fsm);
    assert_eq!(notifications(&actions), [ErrorKind::BAD_PEER_AS]);
    assert!(!has_session_down(&actions));
    assert_eq!(fsm.state(), State::Established);
}

#[test]
fn when_both_sides_die_at_once_they_find_each_other_again() {
    let mut pair = established_pair();
    pair.kill(0, restarted(ours()), Death::Host);
    pair.kill(1, restarted(config(PEER_ID, OUR_ID)), Death::Host);
    pair.start(0);
    pair.start(1);
    pair.run_for(seconds(20));
    pair.assert_one_session();
    assert_eq!((pair.ups(0), pair.ups(1)), (1, 1));
}

#[test]
fn a_peer_killed_again_and_again_is_taken_back_each_time() {
    let mut pair = established_pair();
    for _ in 0..5 {
        pair.kill(1, restarted(config(PEER_ID, OUR_ID)), Death::Host);
        pair.run_for(seconds(4));
        pair.start(1);
        pair.run_for(seconds(8));
        pair.assert_one_session();
    }
}

fn after(end: impl FnOnce(&mut PeerFsm, ConnectionId), config: Config) -> (Vec<ErrorKind>, Retention) {
    let (mut fsm, id) = machine_in(State::Established, config);
    end(&mut fsm, id);
    let actions = drain(&mut fsm);
    let retention = actions.iter().find_map(|a| match a {
        Action::SessionDown { retention, .. } => Some(*retention),
        _ => None,
    });
    (notifications(&actions), retention.unwrap())
}

#[test]
fn a_notification_keeps_the_routes_only_where_both_set_the_n_bit() {
    let end = |f: &mut PeerFsm, id| f.handle_message(at(9), id, received(ErrorKind::ADMINISTRATIVE_RESET));
    assert_eq!(after(end, ours()), (vec![], Retention::MayRestart));
    let mut plain = ours();
    plain.restart_time = Duration::ZERO;
    assert_eq!(after(end, plain), (vec![], Retention::Flush));
}

#[test]
fn a_hard_reset_and_too_many_prefixes_flush_the_routes() {
    for kind in [ErrorKind::HARD_RESET, ErrorKind::MAXIMUM_PREFIXES_REACHED] {
        let (_, retention) = after(|f, id| f.handle_message(at(9), id, received(kind)), ours());
        assert_eq!(retention, Retention::Flush, "{kind}");
    }
}

#[test]
fn a_restarting_speaker_leaves_without_a_word_where_that_keeps_its_routes() {
    let (kinds, _) = after(|f, _| f.handle_stop(at(9), Stop::Restarting), ours());
    assert_eq!(kinds, []);
    let mut plain = ours();
    plain.restart_time = Duration::ZERO;
    let (kinds, _) = after(|f, _| f.handle_stop(at(9), Stop::Restarting), plain);
    assert_eq!(kinds, [ErrorKind::ADMINISTRATIVE_SHUTDOWN]);
}

/// BIRD and FRR announce the capability so by default: they help, and do not restart gracefully themselves.
#[test]
fn a_peer_that_names_no_family_keeps_our_routes_too_and_is_left_without_a_word() {
    let (mut fsm, id) = machine_in(State::OpenSent, ours());
    let mut helper = config(PEER_ID, OUR_ID);
    helper.peer_mut().families = Families::NONE;
    let mut open = open_of(&helper);
    open.capabilities.push(Capability::multiprotocol(Family::Ipv4Unicast));
    fsm.handle_message(at(0), id, Received::Open(Box::new(open)));
    fsm.handle_message(at(0), id, Received::Keepalive);
    assert_eq!(fsm.state(), State::Established);
    drain(&mut fsm);
    fsm.handle_stop(at(9), Stop::Restarting);
    assert_eq!(notifications(&drain(&mut fsm)), []);
}

#[test]
fn draining_is_a_hard_reset_where_notifications_would_keep_the_routes() {
    let (kinds, _) = after(|f, _| f.handle_stop(at(9), Stop::Drain), ours());
    assert_eq!(kinds, [ErrorKind::HARD_RESET]);
    let mut plain = ours();
    plain.restart_time = Duration::ZERO;
    let (kinds, _) = after(|f, _| f.handle_stop(at(9), Stop::Drain), plain);
    assert_eq!(kinds, [ErrorKind::ADMINISTRATIVE_SHUTDOWN]);
}

#[test]
fn a_long_silence_ends_with_the_routes_kept_when_the_n_bit_says_so() {
    let mut pair = established_pair();
    pair.network = Network::Cut;
    pair.run_for(seconds(100));
    assert!(matches!(seen(&pair), [Log::Down(Failure::Sent { .. }, Retention::MayRestart)]));
}

#[test]
fn a_deliberate_stop_says_so() {
    let mut pair = established_pair();
    let now = pair.now;
    pair.with(0, |fsm| fsm.handle_stop(now, Stop::Shutdown));
    pair.run_for(seconds(600));
    assert_eq!(seen(&pair), [Log::Down(Failure::Stopped(Stopped::Shutdown), Retention::Flush)]);
    assert_eq!(pair.sides[0].state(), State::Idle);
    assert!(pair.attempts[1].len() <= 180);
}
