//! What a connection that gets on, and a session's last words, change.

use super::*;
use crate::fsm::Stop;

#[test]
fn the_connect_retry_timer_runs_while_an_attempt_is_being_made() {
    let (fsm, _) = machine_in(State::OpenSent, ours());
    assert_eq!(fsm.connect_retry, None);

    let mut patient = ours();
    patient.peer_mut().timers.delay_open = Some(seconds(5));
    let (mut fsm, id) = machine_in(State::Connect, patient);
    let incoming = accept(&mut fsm, at(1));
    assert_ne!(incoming, id);
    assert!(fsm.connect_retry.is_some(), "our own attempt goes on beside the peer's");
    fsm.handle_connected(at(1), id, addresses());
    assert_eq!(fsm.connect_retry, None);
}

#[test]
fn a_session_ends_every_search_and_forgets_how_often_the_peer_was_tried() {
    let (mut fsm, first) = machine_in(State::Connect, ours());
    fsm.handle_timeout(at(1000));
    let actions = drain(&mut fsm);
    assert!(fsm.connect_retry_counter() > 0);
    let attempt = actions.iter().find_map(|a| match a {
        Action::Connect(id) => Some(*id),
        _ => None,
    });
    let attempt = attempt.unwrap();
    assert_ne!(attempt, first);
    let incoming = accept(&mut fsm, at(1001));
    open(&mut fsm, at(1001), incoming);
    fsm.handle_message(at(1001), incoming, Received::Keepalive);
    assert_eq!(fsm.state(), State::Established);
    assert_eq!((fsm.connect_retry_counter(), fsm.connect_retry), (0, None));
    assert!(drain(&mut fsm).contains(&Action::Close(attempt)), "nothing else is being sought");
}

#[test]
fn the_shutdown_text_goes_with_a_shutdown_and_with_nothing_else() {
    for (stop, text, expected) in [
        (Stop::Shutdown, "maintenance until 14:00", Some("maintenance until 14:00")),
        (Stop::Drain, "maintenance until 14:00", Some("maintenance until 14:00")),
        (Stop::Shutdown, "", None),
        (Stop::Reset, "maintenance until 14:00", None),
        (Stop::Deconfigured, "maintenance until 14:00", None),
    ] {
        let mut config = ours();
        config.peer_mut().shutdown_text = text.into();
        let (mut fsm, _) = machine_in(State::OpenConfirm, config);
        fsm.handle_stop(at(1), stop.clone());
        let sent = drain(&mut fsm).into_iter().find_map(|action| match action {
            Action::Send(_, Outgoing::Notification(notification)) => Some(notification),
            _ => None,
        });
        let sent = sent.unwrap();
        assert_eq!(sent.communication().as_deref(), expected, "{stop:?}");
        assert_eq!(sent.data.is_empty(), expected.is_none(), "{stop:?}");
    }
}

#[test]
fn of_other_connections_a_session_closes_those_that_have_said_nothing() {
    let mut patient = ours();
    patient.peer_mut().timers.delay_open = Some(seconds(5));
    for (config, quiet) in [(patient, true), (ours(), false)] {
        let (mut fsm, own) = machine_in(State::OpenConfirm, config);
        let other = accept(&mut fsm, at(1));
        drain(&mut fsm);
        fsm.handle_message(at(1), own, Received::Keepalive);
        assert_eq!(fsm.state(), State::Established);
        assert_eq!(drain(&mut fsm).contains(&Action::Close(other)), quiet);
        assert_eq!(
            fsm.connections.len(),
            if quiet { 1 } else { 2 },
            "one with an OPEN of ours may collide yet"
        );
    }
}

#[test]
fn a_connection_of_ours_in_open_confirm_is_not_probed() {
    let (mut fsm, _) = machine_in(State::OpenConfirm, ours());
    accept(&mut fsm, at(2));
    let probed = |action: &Action| matches!(action, Action::Send(_, Outgoing::Keepalive));
    assert!(!drain(&mut fsm).iter().any(probed));
}

/// Three seconds after the session came up an OPEN is no late collision any more.
#[test]
fn an_open_displaces_the_session_once_the_collision_window_is_over() {
    for (second, state) in [(2, State::Established), (3, State::OpenConfirm)] {
        let (mut fsm, _) = machine_in(State::Established, ours());
        let new = accept(&mut fsm, at(second));
        open(&mut fsm, at(second), new);
        assert_eq!(fsm.state(), state, "after {second} s");
    }
}

/// Lets time pass until there is a connection with our OPEN on it.
fn try_again(fsm: &mut PeerFsm, now: &mut Now) -> ConnectionId {
    while fsm.state() != State::Connect {
        *now = fsm.poll_timeout().unwrap();
        fsm.handle_timeout(*now);
    }
    let id = fsm.connections[0].id;
    fsm.handle_connected(*now, id, addresses());
    drain(fsm);
    id
}

#[test]
fn a_handshake_however_long_clears_no_record() {
    let (mut fsm, mut id) = machine_in(State::OpenSent, ours());
    let mut now = at(0);
    let mut waits = Vec::new();
    for _ in 0..4 {
        now = now.plus(seconds(100));
        fsm.handle_message(now, id, received(ErrorKind::BAD_PEER_AS));
        waits.push(fsm.poll_timeout().unwrap().since(now));
        id = try_again(&mut fsm, &mut now);
    }
    assert_eq!(waits, [1, 2, 4, 8].map(seconds));
}

#[test]
fn connections_lost_before_an_open_has_come_never_lead_to_idle() {
    let (mut fsm, mut id) = machine_in(State::OpenSent, ours());
    let mut now = at(0);
    for _ in 0..8 {
        fsm.handle_lost(now, id, crate::fsm::TransportError::Reset);
        assert_eq!(fsm.state(), State::Active);
        id = try_again(&mut fsm, &mut now);
    }
}
