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
