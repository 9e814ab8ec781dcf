//! Connection collision detection (RFC 4271 section 6.8, RFC 6286 section 2.3).

use super::{
    pair::{Log, Pair},
    *,
};

fn milliseconds(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Both sides open at once or nearly so, with every mix of latencies and both orders of identifiers.
#[test]
fn simultaneous_opens_end_in_one_session_whatever_the_timing() {
    let mut flaps = 0;
    for (low, high) in [(OUR_ID, PEER_ID), (PEER_ID, OUR_ID)] {
        for offset in 0..12 {
            for forth in [1, 2, 3, 5, 8] {
                for back in [1, 2, 3, 5, 8] {
                    let mut pair = Pair::new([config(low, high), config(high, low)]);
                    pair.latency = [milliseconds(forth), milliseconds(back)];
                    pair.start(0);
                    pair.run_for(milliseconds(offset));
                    pair.start(1);
                    pair.run_for(seconds(30));
                    pair.assert_one_session();
                    flaps += pair.ups(0).max(pair.ups(1)) - 1;
                }
            }
        }
    }
    assert_eq!(flaps, 0, "a session came up and was lost again to the collision");
}

#[test]
fn a_delayed_first_open_avoids_the_collision() {
    let mut late = config(PEER_ID, OUR_ID);
    late.peer_mut().timers.first_open_delay = seconds(3);
    let mut pair = Pair::new([ours(), late]);
    pair.start(0);
    pair.start(1);
    pair.run_for(seconds(10));
    pair.assert_one_session();
    assert_eq!(pair.attempts[0].len(), 1);
    assert!(pair.attempts[1].is_empty());
}

#[test]
fn collisions_with_delayed_opens_end_in_one_session() {
    for delays in [[1, 0], [0, 1], [1, 1], [2, 1]] {
        for (low, high) in [(OUR_ID, PEER_ID), (PEER_ID, OUR_ID)] {
            let mut configs = [config(low, high), config(high, low)];
            for (config, delay) in configs.iter_mut().zip(delays) {
                config.peer_mut().timers.delay_open = Some(seconds(delay));
            }
            let mut pair = Pair::new(configs);
            pair.start(0);
            pair.start(1);
            pair.run_for(seconds(60));
            pair.assert_one_session();
        }
    }
}

/// Our own connection in `state` when the peer's brings an OPEN; returns the NOTIFICATIONs and whose is left.
fn collide(state: State, config: Config) -> (Vec<ErrorKind>, Vec<ConnectionId>, ConnectionId, ConnectionId) {
    let (mut fsm, own) = machine_in(state, config);
    let theirs = accept(&mut fsm, at(1));
    drain(&mut fsm);
    open(&mut fsm, at(1), theirs);
    let kinds = notifications(&drain(&mut fsm));
    (kinds, fsm.connections.iter().map(|c| c.id).collect(), own, theirs)
}

#[test]
fn our_attempt_on_the_way_gives_way_to_the_peers_open() {
    let (kinds, left, _, theirs) = collide(State::Connect, ours());
    assert_eq!((kinds, left), (vec![], vec![theirs]));
}

#[test]
fn before_our_own_has_its_open_both_are_kept() {
    let (kinds, left, own, theirs) = collide(State::OpenSent, ours());
    assert_eq!((kinds, left), (vec![], vec![own, theirs]));
}

#[test]
fn the_connection_of_the_higher_identifier_stays() {
    let (kinds, left, _, theirs) = collide(State::OpenConfirm, ours());
    assert_eq!((kinds, left), (vec![ErrorKind::CONNECTION_COLLISION_RESOLUTION], vec![theirs]));

    let higher = config(Ipv4Addr::new(10, 0, 0, 3), PEER_ID);
    let (kinds, left, own, _) = collide(State::OpenConfirm, higher);
    assert_eq!((kinds, left), (vec![ErrorKind::CONNECTION_COLLISION_RESOLUTION], vec![own]));
}

#[test]
fn identifiers_compare_as_numbers_not_as_text() {
    let nine = config(Ipv4Addr::new(9, 0, 0, 0), PEER_ID);
    let (_, left, _, theirs) = collide(State::OpenConfirm, nine);
    assert_eq!(left, [theirs]);
}

#[test]
fn equal_identifiers_of_external_peers_fall_back_to_the_as_number() {
    for (asn, ours_stays) in [(64511, false), (64513, true)] {
        let mut external = config(PEER_ID, PEER_ID);
        external.local_asn = Asn(asn);
        let (_, left, own, theirs) = collide(State::OpenConfirm, external);
        assert_eq!(left, [if ours_stays { own } else { theirs }]);
    }
}

#[test]
fn an_established_session_wins_a_collision_that_is_still_under_way() {
    let (kinds, left, own, _) = collide(State::Established, ours());
    assert_eq!((kinds, left), (vec![ErrorKind::CONNECTION_COLLISION_RESOLUTION], vec![own]));
}

/// RFC 4271 section 6.8: the newer connection is told why it has to go.
#[test]
fn without_graceful_restart_an_established_session_outlives_new_connections_which_are_told_so() {
    let mut plain = ours();
    plain.restart_time = Duration::ZERO;
    let (mut fsm, session) = machine_in(State::Established, plain);
    let newer = accept(&mut fsm, at(60));
    let actions = drain(&mut fsm);
    let asks = |action: &&Action| matches!(action, Action::Send(id, Outgoing::Keepalive) if *id == session);
    assert_eq!(
        actions.iter().filter(asks).count(),
        1,
        "a KEEPALIVE finds out whether the peer still has its end"
    );
    assert!(actions.iter().any(|a| matches!(a, Action::Send(id, Outgoing::Open(_)) if *id == newer)));
    fsm.handle_message(at(60), newer, Received::Open(Box::new(peer_open())));
    let actions = drain(&mut fsm);
    assert_eq!(notifications(&actions), [ErrorKind::CONNECTION_COLLISION_RESOLUTION]);
    assert!(actions.contains(&Action::Close(newer)));
    assert_eq!(fsm.connections.iter().map(|c| c.id).collect::<Vec<_>>(), [session]);
    assert_eq!(fsm.state(), State::Established);
}

#[test]
fn a_newer_connection_of_the_peer_replaces_its_silent_older_one() {
    let (mut fsm, own) = machine_in(State::OpenSent, ours());
    let first = accept(&mut fsm, at(1));
    let second = accept(&mut fsm, at(2));
    assert!(drain(&mut fsm).contains(&Action::Close(first)));
    assert_eq!(fsm.connections.iter().map(|c| c.id).collect::<Vec<_>>(), [own, second]);
}

/// RFC 4271 section 6.8 to the letter: of two connections the peer has opened, the newer stays where its identifier is
/// the higher, else the older. Either way one is left, and the older one is asked for a sign of life at once.
#[test]
fn of_two_connections_the_peer_opened_its_identifier_decides_which_stays() {
    for (own, newer_stays) in [(OUR_ID, true), (Ipv4Addr::new(10, 0, 0, 3), false)] {
        let mut passive = config(own, PEER_ID);
        passive.peer_mut().transport.mode = ConnectMode::Passive;
        let mut fsm = PeerFsm::new(passive, 1);
        fsm.handle_start(at(0));
        let older = accept(&mut fsm, at(0));
        open(&mut fsm, at(0), older);
        drain(&mut fsm);
        let newer = accept(&mut fsm, at(2));
        let probe = Action::Send(older, Outgoing::Keepalive);
        assert!(drain(&mut fsm).contains(&probe), "is the older one still there?");
        open(&mut fsm, at(2), newer);
        let actions = drain(&mut fsm);
        assert_eq!(notifications(&actions), [ErrorKind::CONNECTION_COLLISION_RESOLUTION]);
        let (stays, goes) = if newer_stays { (newer, older) } else { (older, newer) };
        assert!(actions.contains(&Action::Close(goes)));
        fsm.handle_message(at(2), stays, Received::Keepalive);
        assert_eq!(fsm.state(), State::Established);
    }
}

#[test]
fn however_often_the_peer_connects_it_holds_three_connections_at_most() {
    let (mut fsm, own) = machine_in(State::OpenSent, ours());
    let second = accept(&mut fsm, at(1));
    open(&mut fsm, at(1), second);
    for _ in 0..50 {
        accept(&mut fsm, at(2));
    }
    assert!(fsm.connections.len() <= 3);
    assert!(fsm.connections.iter().any(|c| c.id == own) && fsm.connections.iter().any(|c| c.id == second));
}

#[test]
fn losing_a_collision_does_not_disturb_the_survivor() {
    let (mut fsm, own) = machine_in(State::OpenConfirm, ours());
    let theirs = accept(&mut fsm, at(1));
    fsm.handle_message(at(1), own, received(ErrorKind::CONNECTION_COLLISION_RESOLUTION));
    open(&mut fsm, at(1), theirs);
    fsm.handle_message(at(1), theirs, Received::Keepalive);
    let actions = drain(&mut fsm);
    assert_eq!(fsm.state(), State::Established);
    assert!(!has_session_down(&actions));
    assert_eq!(fsm.connect_retry_counter(), 0);
}

#[test]
fn when_both_connections_break_the_next_attempt_follows() {
    let mut pair = Pair::new([ours(), config(PEER_ID, OUR_ID)]);
    pair.start(0);
    pair.start(1);
    pair.run_for(milliseconds(1));
    for side in 0..2 {
        let (now, ids) = (pair.now, pair.sides[side].connections.iter().map(|c| c.id).collect::<Vec<_>>());
        for id in ids {
            pair.with(side, |fsm| fsm.handle_lost(now, id, crate::fsm::TransportError::Reset));
        }
    }
    pair.run_for(seconds(30));
    pair.assert_one_session();
    assert!(matches!(pair.logs[0][..], [Log::Up(_)]));
}
