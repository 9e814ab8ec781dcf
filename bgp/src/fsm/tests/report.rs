//! Why a session is not up, in one sentence.

use super::*;
use crate::fsm::{Change, Failure, Stop, TransportError};

fn sentence(fsm: &PeerFsm, now: Now) -> String {
    fsm.down_report(now).unwrap().to_string()
}

#[test]
fn an_established_session_needs_no_excuse() {
    let (fsm, _) = machine_in(State::Established, ours());
    assert_eq!(fsm.down_report(at(1)), None);
}

#[test]
fn transport_failures_are_told_apart() {
    for (error, start) in [
        (TransportError::NoRoute, "no route to 10.0.0.2; waiting, next attempt in "),
        (
            TransportError::Unreachable,
            "10.0.0.2 is unreachable: nobody answers for it on its link, or a router ",
        ),
        (TransportError::Forbidden, "this host does not let connections to 10.0.0.2 out ("),
        (TransportError::WayLost, "no route leads to 10.0.0.2 over its link any more; "),
        (TransportError::LinkLost, "the link to 10.0.0.2 is down; "),
        (TransportError::Refused, "connection refused by 10.0.0.2; waiting, next attempt in "),
        (TransportError::NoAnswer, "no answer from 10.0.0.2 (filtered, or it wants an MD5 key); "),
        (TransportError::SourceUnavailable, "the source address for 10.0.0.2 is not on this host; "),
        (TransportError::Closed, "connection closed by 10.0.0.2; "),
    ] {
        let (mut fsm, id) = machine_in(State::Connect, ours());
        fsm.handle_lost(at(0), id, error);
        assert!(sentence(&fsm, at(0)).starts_with(start), "{}", sentence(&fsm, at(0)));
    }
}

#[test]
fn silence_with_a_key_makes_the_key_suspicious() {
    let mut signed = ours();
    signed.peer_mut().transport.auth = Auth::Md5(b"secret".to_vec().into());
    let (mut fsm, id) = machine_in(State::Connect, signed);
    fsm.handle_lost(at(0), id, TransportError::NoAnswer);
    assert!(
        sentence(&fsm, at(0)).starts_with("no answer from 10.0.0.2 (filtered, or the MD5 keys differ); ")
    );
}

#[test]
fn a_rejected_open_names_the_code_and_who_the_peer_is() {
    let (mut fsm, id) = machine_in(State::OpenSent, ours());
    let mut stranger = config(PEER_ID, OUR_ID);
    stranger.local_asn = Asn(65001);
    fsm.handle_message(at(1), id, Received::Open(Box::new(open_of(&stranger))));
    assert_eq!(
        sentence(&fsm, at(1)),
        "OPEN rejected by us: OPEN Message Error / Bad Peer AS (2/2) (peer is AS 65001, identifier 10.0.0.2); \
         waiting, next attempt in 1 s"
    );
}

#[test]
fn the_peers_rejection_is_named_too() {
    let (mut fsm, id) = machine_in(State::OpenSent, ours());
    fsm.handle_message(at(1), id, received(ErrorKind::BAD_PEER_AS));
    assert_eq!(
        sentence(&fsm, at(1)),
        "OPEN rejected by the peer: OPEN Message Error / Bad Peer AS (2/2); waiting, next attempt in 1 s"
    );
}

#[test]
fn an_administrative_state_is_no_failure() {
    let (mut fsm, _) = machine_in(State::Established, ours());
    let mut down = ours();
    down.peer_mut().admin = AdminState::Down;
    fsm.handle_configure(at(1), down, Change::Quiet);
    assert_eq!(sentence(&fsm, at(1)), "administratively down");
}

#[test]
fn a_missing_key_is_named_with_its_reason() {
    let mut keyless = ours();
    keyless.peer_mut().transport.auth = Auth::Unavailable("/etc/key: permission denied".to_owned());
    let fsm = PeerFsm::new(keyless, 1);
    assert_eq!(sentence(&fsm, at(0)), "kept down: key unavailable (/etc/key: permission denied)");
}

#[test]
fn a_peer_that_has_not_come_yet_is_waited_for() {
    let mut passive = ours();
    passive.peer_mut().transport.mode = ConnectMode::Passive;
    let mut fsm = PeerFsm::new(passive, 1);
    fsm.handle_start(at(0));
    assert_eq!(sentence(&fsm, at(0)), "waiting for 10.0.0.2 to connect");
}

#[test]
fn the_first_attempt_is_the_start_until_it_has_a_connection() {
    for (state, start) in [(State::Connect, "starting"), (State::OpenSent, "exchanging OPEN messages")] {
        let (fsm, _) = machine_in(state, ours());
        assert!(sentence(&fsm, at(0)).starts_with(start), "{}", sentence(&fsm, at(0)));
    }
}

#[test]
fn a_stopped_peer_says_it_was_stopped() {
    let (mut fsm, _) = machine_in(State::Established, ours());
    fsm.handle_stop(at(1), Stop::Shutdown);
    assert_eq!(sentence(&fsm, at(1)), "shut down");
}

#[test]
fn a_connection_that_ends_without_a_word_does_not_hide_the_rejection_before_it() {
    let (mut fsm, id) = machine_in(State::OpenSent, ours());
    fsm.handle_message(at(1), id, received(ErrorKind::BAD_PEER_AS));
    fsm.handle_timeout(at(2));
    let Incoming::Accepted(id) = fsm.handle_incoming(at(2), addresses()) else {
        panic!("it must be accepted")
    };
    fsm.handle_lost(at(3), id, TransportError::Closed);
    let start = "OPEN rejected by the peer: OPEN Message Error / Bad Peer AS (2/2), then connection closed by 10.0.0.2";
    assert!(sentence(&fsm, at(3)).starts_with(start), "{}", sentence(&fsm, at(3)));
}

#[test]
fn a_session_makes_an_earlier_rejection_forgotten() {
    let mut memory = crate::fsm::report::Memory::default();
    memory.failed(Failure::Received { notification: ErrorKind::BAD_PEER_AS.into(), peer: None });
    memory.failed(Failure::Transport(TransportError::Reset));
    assert!(memory.before().is_some());
    memory.session_up();
    memory.failed(Failure::Transport(TransportError::Reset));
    assert_eq!(memory.before(), None);
}

#[test]
fn a_peer_that_rejects_without_an_open_is_known_by_its_last_one() {
    let (mut fsm, id) = machine_in(State::OpenConfirm, ours());
    fsm.handle_lost(at(1), id, TransportError::Closed);
    drain(&mut fsm);
    fsm.handle_timeout(at(70));
    let Some(Action::Connect(id)) = drain(&mut fsm).into_iter().find(|a| matches!(a, Action::Connect(_)))
    else {
        panic!("it must connect")
    };
    fsm.handle_connected(at(70), id, addresses());
    fsm.handle_message(at(70), id, received(ErrorKind::BAD_PEER_AS));
    let told = sentence(&fsm, at(70));
    assert!(told.contains("(2/2) (peer is AS 64512, identifier 10.0.0.2)"), "{told}");
}

#[test]
fn a_handshake_that_stands_still_makes_the_ttl_suspicious() {
    let (fsm, _) = machine_in(State::OpenSent, ours());
    assert_eq!(sentence(&fsm, at(1)), "exchanging OPEN messages");
    assert_eq!(
        sentence(&fsm, at(60)),
        "connected, but no OPEN comes from 10.0.0.2 (filtered, or it demands TTL security)"
    );
    let mut guarded = ours();
    guarded.peer_mut().transport.ttl = TtlPolicy::Security(1);
    let (fsm, _) = machine_in(State::OpenConfirm, guarded);
    assert_eq!(
        sentence(&fsm, at(60)),
        "connected, but no KEEPALIVE comes from 10.0.0.2 (filtered, or its TTL is below what TTL security demands)"
    );
}

#[test]
fn an_attempt_under_way_is_not_waited_for() {
    let (fsm, _) = machine_in(State::Connect, ours());
    assert_eq!(sentence(&fsm, at(0)), "starting");
}

#[test]
fn a_peer_that_was_not_found_on_its_link_is_awaited_there() {
    let mut nobody = ours();
    nobody.peer_mut().address = Ipv4Addr::UNSPECIFIED.into();
    let fsm = PeerFsm::new(nobody, 1);
    assert_eq!(sentence(&fsm, at(0)), "waiting for a router to show itself on the link");
}

#[test]
fn silence_under_ttl_security_makes_the_ttl_suspicious() {
    let mut guarded = ours();
    guarded.peer_mut().transport.ttl = TtlPolicy::Security(1);
    let (mut fsm, id) = machine_in(State::Connect, guarded);
    fsm.handle_lost(at(0), id, TransportError::NoAnswer);
    let start = "no answer from 10.0.0.2 (filtered, its TTL is below what TTL security demands, or ";
    assert!(sentence(&fsm, at(0)).starts_with(start), "{}", sentence(&fsm, at(0)));
}

#[test]
fn states_and_transport_failures_have_names() {
    let states = [
        (State::Idle, "Idle"),
        (State::Active, "Active"),
        (State::Connect, "Connect"),
        (State::OpenSent, "OpenSent"),
        (State::OpenConfirm, "OpenConfirm"),
        (State::Established, "Established"),
    ];
    assert!(states.iter().all(|(state, name)| state.to_string() == *name));
    assert_eq!(Failure::Transport(TransportError::NoAnswer).to_string(), "no answer");
    assert_eq!(TransportError::Reset.to_string(), "connection reset");
}
