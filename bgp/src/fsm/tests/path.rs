//! BFD's word on the path to the peer (RFC 5882, RFC 9384).

use super::*;
use crate::{
    event::Retention,
    fsm::{Stop, TransportError},
    wire::open::Open,
};

fn path_failed() -> Stop {
    Stop::Error { notification: ErrorKind::BFD_DOWN.into(), retry_after: Duration::ZERO }
}

/// An established session with a peer whose OPEN has gone through `change`.
fn established_with(change: impl FnOnce(Config) -> Config) -> PeerFsm {
    let (mut fsm, id) = machine_in(State::OpenSent, ours());
    let open: Open = open_of(&change(config(PEER_ID, OUR_ID)));
    fsm.handle_message(at(0), id, Received::Open(Box::new(open)));
    fsm.handle_message(at(0), id, Received::Keepalive);
    drain(&mut fsm);
    assert_eq!(fsm.state(), State::Established);
    fsm
}

fn without_restart(config: Config) -> Config {
    Config { restart_time: Duration::ZERO, ..config }
}

fn fail(fsm: &mut PeerFsm) -> (Vec<ErrorKind>, Option<Retention>) {
    fsm.handle_stop(at(10), path_failed());
    let actions = drain(fsm);
    let retention = actions.iter().find_map(|action| match action {
        Action::SessionDown { retention, .. } => Some(*retention),
        _ => None,
    });
    (notifications(&actions), retention)
}

#[test]
fn a_failed_path_ends_the_session_with_cease_6_10() {
    let mut fsm = established_with(without_restart);
    assert_eq!(fail(&mut fsm), (vec![ErrorKind::BFD_DOWN], Some(Retention::Flush)));
    assert_eq!(fsm.state(), State::Idle);
}

#[test]
fn where_notifications_keep_routes_it_is_a_hard_reset_for_the_routes_must_go() {
    let mut fsm = established_with(|config| config);
    assert_eq!(fail(&mut fsm), (vec![ErrorKind::HARD_RESET], Some(Retention::Flush)));
    let reason = fsm.last_failure().unwrap();
    assert!(crate::fsm::terms::is_path_failure(reason));
    assert!(reason.to_string().contains("Cease / BFD Down (6/10)"), "{reason}");
}

#[test]
fn a_path_that_works_again_ends_the_wait() {
    let mut fsm = established_with(|config| config);
    fail(&mut fsm);
    assert_eq!(connects(&drain(&mut fsm)), 0);
    fsm.handle_path_up(at(10));
    assert_ne!(fsm.state(), State::Idle);
}

#[test]
fn a_path_that_works_does_not_end_a_wait_of_another_reason() {
    let (mut fsm, id) = machine_in(State::Established, ours());
    fsm.handle_message(at(5), id, received(ErrorKind::MAXIMUM_PREFIXES_REACHED));
    assert_eq!(fsm.state(), State::Idle);
    fsm.handle_path_up(at(6));
    assert_eq!(fsm.state(), State::Idle);
}

#[test]
fn a_failed_path_matters_only_to_an_established_session() {
    let (mut fsm, _) = machine_in(State::OpenConfirm, ours());
    assert_eq!(fail(&mut fsm), (vec![], None));
    assert_eq!(fsm.state(), State::OpenConfirm);
}

#[test]
fn a_lost_link_ends_the_session_without_a_word_and_its_routes_may_stay() {
    let mut fsm = established_with(|config| config);
    fsm.handle_way_lost(at(100), TransportError::LinkLost);
    let actions = drain(&mut fsm);
    assert!(notifications(&actions).is_empty());
    let kept = |a: &Action| matches!(a, Action::SessionDown { retention: Retention::MayRestart, .. });
    assert!(actions.iter().any(kept), "{actions:?}");
    assert!(actions.iter().any(|action| matches!(action, Action::Close(_))));
    assert_eq!(fsm.last_failure().unwrap().to_string(), "the link to the peer is down");
    assert_ne!(fsm.state(), State::Idle, "it is tried again");
}

#[test]
fn a_lost_link_matters_only_to_an_established_session() {
    let (mut fsm, _) = machine_in(State::OpenConfirm, ours());
    fsm.handle_way_lost(at(10), TransportError::LinkLost);
    assert!(drain(&mut fsm).is_empty());
    assert_eq!(fsm.state(), State::OpenConfirm);
}
