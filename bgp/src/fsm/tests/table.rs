//! Every state against every event, as RFC 4271 section 8.2.2 has them.

use super::*;
use crate::fsm::{Change, Stop, TransportError};

const STATES: [State; 4] = [State::Connect, State::OpenSent, State::OpenConfirm, State::Established];

/// What a machine in each of [`STATES`] does: its next state and the NOTIFICATIONs it sends.
fn outcomes(event: impl Fn(&mut PeerFsm, ConnectionId)) -> Vec<(State, Vec<ErrorKind>)> {
    let outcome = |state| {
        let (mut fsm, id) = machine_in(state, ours());
        event(&mut fsm, id);
        let actions = drain(&mut fsm);
        assert_eq!(
            has_session_down(&actions),
            state == State::Established && fsm.state() != state,
            "SessionDown tells of the end of Established, and of nothing else"
        );
        (fsm.state(), notifications(&actions))
    };
    STATES.into_iter().map(outcome).collect()
}

fn silent(state: State) -> (State, Vec<ErrorKind>) {
    (state, vec![])
}

fn idle(kind: ErrorKind) -> (State, Vec<ErrorKind>) {
    (State::Idle, vec![kind])
}

#[test]
fn manual_start_is_ignored_outside_idle() {
    let expected: Vec<_> = STATES.into_iter().map(silent).collect();
    assert_eq!(outcomes(|f, _| f.handle_start(at(1))), expected);
}

#[test]
fn manual_stop_says_cease_once_open_is_sent() {
    assert_eq!(
        outcomes(|f, _| f.handle_stop(at(1), Stop::Shutdown)),
        [
            silent(State::Idle),
            idle(ErrorKind::ADMINISTRATIVE_SHUTDOWN),
            idle(ErrorKind::ADMINISTRATIVE_SHUTDOWN),
            idle(ErrorKind::HARD_RESET),
        ]
    );
}

#[test]
fn deconfiguration_says_so() {
    let outcomes = outcomes(|f, _| f.handle_stop(at(1), Stop::Deconfigured));
    assert_eq!(outcomes[1], idle(ErrorKind::PEER_DECONFIGURED));
    assert_eq!(outcomes[3], idle(ErrorKind::HARD_RESET));
}

#[test]
fn an_operators_reset_starts_anew_at_once() {
    let reset = (State::Active, vec![ErrorKind::ADMINISTRATIVE_RESET]);
    assert_eq!(
        outcomes(|f, _| f.handle_stop(at(1), Stop::Reset)),
        [silent(State::Active), reset.clone(), reset.clone(), reset]
    );
}

#[test]
fn a_changed_configuration_starts_anew_at_once() {
    let outcomes = outcomes(|f, _| f.handle_stop(at(60), Stop::ConfigurationChanged));
    assert_eq!(outcomes[3], (State::Connect, vec![ErrorKind::OTHER_CONFIGURATION_CHANGE]));
}

#[test]
fn the_connect_retry_timer_matters_only_without_a_connection() {
    let expected: Vec<_> = STATES.into_iter().map(silent).collect();
    assert_eq!(outcomes(|f, _| f.handle_timeout(at(6))), expected);
}

#[test]
fn the_hold_timer_ends_everything_after_connect() {
    let expired = idle(ErrorKind::HOLD_TIMER_EXPIRED);
    let outcomes = outcomes(|f, _| f.handle_timeout(at(240)));
    assert_eq!(outcomes[0], silent(State::Connect));
    assert_eq!(outcomes[1..], [expired.clone(), expired.clone(), expired]);
}

#[test]
fn a_second_transport_confirmation_is_ignored() {
    let outcomes = outcomes(|f, id| f.handle_connected(at(1), id, addresses()));
    let expected: Vec<_> = [State::OpenSent, State::OpenSent, State::OpenConfirm, State::Established]
        .into_iter()
        .map(silent)
        .collect();
    assert_eq!(outcomes, expected);
}

#[test]
fn a_broken_connection_leads_back_to_active() {
    let lost = outcomes(|f, id| f.handle_lost(at(1), id, TransportError::Reset));
    assert!(lost.iter().all(|outcome| *outcome == silent(State::Active)), "{lost:?}");
}

#[test]
fn open_is_expected_in_open_sent_only() {
    assert_eq!(
        outcomes(|f, id| open(f, at(1), id)),
        [
            silent(State::Connect),
            silent(State::OpenConfirm),
            idle(ErrorKind::UNEXPECTED_IN_OPEN_CONFIRM),
            idle(ErrorKind::UNEXPECTED_IN_ESTABLISHED),
        ]
    );
}

#[test]
fn keepalive_confirms_the_open_and_is_an_error_before_it() {
    assert_eq!(
        outcomes(|f, id| f.handle_message(at(1), id, Received::Keepalive)),
        [
            silent(State::Connect),
            idle(ErrorKind::UNEXPECTED_IN_OPEN_SENT),
            silent(State::Established),
            silent(State::Established),
        ]
    );
}

#[test]
fn updates_and_refreshes_belong_into_established() {
    for message in [Received::Update, Received::RouteRefresh] {
        assert_eq!(
            outcomes(|f, id| f.handle_message(at(1), id, message.clone())),
            [
                silent(State::Connect),
                idle(ErrorKind::UNEXPECTED_IN_OPEN_SENT),
                idle(ErrorKind::UNEXPECTED_IN_OPEN_CONFIRM),
                silent(State::Established),
            ]
        );
    }
}

#[test]
fn an_unexpected_message_is_named_in_the_data() {
    let (mut fsm, id) = machine_in(State::OpenSent, ours());
    fsm.handle_message(at(1), id, Received::Update);
    let expected = Notification::with_data(ErrorKind::UNEXPECTED_IN_OPEN_SENT, &[2]);
    assert!(drain(&mut fsm).contains(&Action::Send(id, Outgoing::Notification(expected))));
}

#[test]
fn a_notification_is_never_answered_with_one() {
    let ended: Vec<_> = outcomes(|f, id| f.handle_message(at(1), id, received(ErrorKind::BAD_PEER_AS)));
    assert_eq!(ended[0], silent(State::Connect));
    assert!(ended[1..].iter().all(|outcome| *outcome == silent(State::Idle)));
}

#[test]
fn malformed_messages_are_answered_once_open_is_sent() {
    let kind = ErrorKind::CONNECTION_NOT_SYNCHRONIZED;
    let outcomes = outcomes(|f, id| f.handle_malformed(at(1), id, kind.into()));
    assert_eq!(outcomes[1..], [idle(kind), idle(kind), idle(kind)]);
}

#[test]
fn every_rejected_open_leads_to_idle() {
    let peer = || config(PEER_ID, OUR_ID);
    let mut ipv6 = peer();
    ipv6.peer_mut().families = Families::from_iter([Family::Ipv6Unicast]);
    for (peer, kind) in [
        (Config { local_asn: Asn(1), ..peer() }, ErrorKind::BAD_PEER_AS),
        (Config { router_id: RouterId(OUR_ID), ..peer() }, ErrorKind::BAD_BGP_IDENTIFIER),
        (ipv6, ErrorKind::UNSUPPORTED_CAPABILITY),
    ] {
        let (mut fsm, id) = machine_in(State::OpenSent, ours());
        fsm.handle_message(at(1), id, Received::Open(Box::new(open_of(&peer))));
        assert_eq!((fsm.state(), notifications(&drain(&mut fsm))), (State::Idle, vec![kind]));
    }
}

#[test]
fn idle_ignores_everything() {
    let mut fsm = PeerFsm::new(ours(), 1);
    let id = ConnectionId(0);
    fsm.handle_connected(at(1), id, addresses());
    fsm.handle_lost(at(1), id, TransportError::Reset);
    open(&mut fsm, at(1), id);
    fsm.handle_bytes(at(1), id);
    fsm.handle_sent(at(1), id);
    fsm.handle_timeout(at(1000));
    fsm.handle_malformed(at(1), id, ErrorKind::HEADER_UNSPECIFIC.into());
    fsm.handle_stop(at(1), Stop::Shutdown);
    assert_eq!(fsm.handle_incoming(at(1), addresses()), Incoming::Refused(crate::fsm::Refusal::Down));
    assert!(drain(&mut fsm).is_empty());
    assert_eq!((fsm.state(), fsm.poll_timeout()), (State::Idle, None));
}

#[test]
fn a_peer_that_is_administratively_down_does_not_start() {
    let mut down = ours();
    down.peer_mut().admin = AdminState::Down;
    let mut fsm = PeerFsm::new(down, 1);
    fsm.handle_start(at(1));
    assert_eq!((fsm.state(), fsm.poll_timeout()), (State::Idle, None));
    fsm.handle_configure(at(2), ours(), Change::Quiet);
    assert_eq!(fsm.state(), State::Connect);
}

#[test]
fn settings_that_matter_to_the_session_restart_it_and_others_do_not() {
    let quiet = outcomes(|f, _| f.handle_configure(at(60), ours(), Change::Quiet));
    assert_eq!(quiet, STATES.map(silent));
    let restarted = outcomes(|f, _| f.handle_configure(at(60), ours(), Change::RestartSession));
    assert_eq!(restarted[3], (State::Connect, vec![ErrorKind::OTHER_CONFIGURATION_CHANGE]));
}

#[test]
fn a_peer_that_is_enabled_is_tried_at_once() {
    let mut down = ours();
    down.peer_mut().admin = AdminState::Down;
    let mut fsm = PeerFsm::new(down, 1);
    fsm.handle_configure(at(2), ours(), Change::RestartSession);
    assert_eq!((fsm.state(), connects(&drain(&mut fsm))), (State::Connect, 1));
}

#[test]
fn a_peer_without_its_key_is_kept_down() {
    let (mut fsm, _) = machine_in(State::Established, ours());
    let mut keyless = ours();
    keyless.peer_mut().transport.auth = Auth::Unavailable("no such file".to_owned());
    fsm.handle_configure(at(9), keyless, Change::Quiet);
    assert_eq!(fsm.state(), State::Idle);
    assert!(has_session_down(&drain(&mut fsm)));
    fsm.handle_start(at(10));
    assert_eq!(fsm.state(), State::Idle);
}
