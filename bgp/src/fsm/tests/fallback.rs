//! Peers that refuse what our OPEN offers (RFC 5492 section 3).

use bytes::BytesMut;

use super::*;
use crate::wire::{capability::Capability, capability_code::CapabilityCode};

/// Our next OPEN after the peer has answered the last with `answer`.
fn next_open(fsm: &mut PeerFsm, now: u64) -> Open {
    fsm.handle_timeout(at(now));
    let connect = drain(fsm).into_iter().find_map(|action| match action {
        Action::Connect(id) => Some(id),
        _ => None,
    });
    fsm.handle_connected(at(now), connect.expect("an attempt"), addresses());
    let sent = drain(fsm).into_iter().find_map(|action| match action {
        Action::Send(_, Outgoing::Open(open)) => Some(*open),
        _ => None,
    });
    sent.expect("an OPEN")
}

fn refuse(fsm: &mut PeerFsm, now: u64, kind: ErrorKind, data: &[u8]) {
    let id = fsm.connections.last().unwrap().id;
    let answer = Received::Notification(Notification::with_data(kind, data));
    fsm.handle_message(at(now), id, answer);
    drain(fsm);
}

fn codes(open: &Open) -> Vec<u8> {
    open.capabilities.iter().map(Capability::code).collect()
}

#[test]
fn a_peer_that_knows_no_capabilities_is_sent_none_the_next_time() {
    let (mut fsm, _) = machine_in(State::OpenSent, ours());
    refuse(&mut fsm, 1, ErrorKind::UNSUPPORTED_OPTIONAL_PARAMETER, &[]);
    assert!(next_open(&mut fsm, 10).capabilities.is_empty());
    assert_eq!(fsm.fallback().withheld().len(), open_of(&ours()).capabilities.len());
}

#[test]
fn a_capability_that_was_named_is_left_out_and_the_others_stay() {
    let (mut fsm, _) = machine_in(State::OpenSent, ours());
    refuse(&mut fsm, 1, ErrorKind::UNSUPPORTED_CAPABILITY, &[6, 0]);
    let open = next_open(&mut fsm, 10);
    assert!(!open.announces(&Capability::ExtendedMessage));
    assert_eq!(open.capabilities.len(), open_of(&ours()).capabilities.len() - 1);
}

#[test]
fn a_capability_the_peer_demands_is_not_mistaken_for_one_it_refuses() {
    let (mut fsm, _) = machine_in(State::OpenSent, ours());
    let mut wanted = BytesMut::new();
    Capability::multiprotocol(Family::Ipv6Unicast).encode(&mut wanted);
    refuse(&mut fsm, 1, ErrorKind::UNSUPPORTED_CAPABILITY, &wanted);
    assert_eq!(codes(&next_open(&mut fsm, 100)), codes(&open_of(&ours())));
}

#[test]
fn a_peer_that_refuses_the_bare_open_too_is_offered_everything_again() {
    let (mut fsm, _) = machine_in(State::OpenSent, ours());
    refuse(&mut fsm, 1, ErrorKind::UNSUPPORTED_OPTIONAL_PARAMETER, &[]);
    next_open(&mut fsm, 10);
    refuse(&mut fsm, 11, ErrorKind::UNSUPPORTED_OPTIONAL_PARAMETER, &[]);
    assert_eq!(codes(&next_open(&mut fsm, 200)), codes(&open_of(&ours())));
}

#[test]
fn a_session_of_ipv6_alone_is_not_made_one_of_ipv4() {
    let mut ipv6 = ours();
    ipv6.peer_mut().families = Families::from_iter([Family::Ipv6Unicast]);
    let (mut fsm, _) = machine_in(State::OpenSent, ipv6.clone());
    refuse(&mut fsm, 1, ErrorKind::UNSUPPORTED_OPTIONAL_PARAMETER, &[]);
    assert_eq!(codes(&next_open(&mut fsm, 100)), codes(&open_of(&ipv6)));
}

#[test]
fn an_operators_reset_forgets_what_was_refused() {
    let (mut fsm, _) = machine_in(State::OpenSent, ours());
    refuse(&mut fsm, 1, ErrorKind::UNSUPPORTED_OPTIONAL_PARAMETER, &[]);
    fsm.handle_stop(at(2), crate::fsm::Stop::Reset);
    assert_eq!(codes(&next_open(&mut fsm, 100)), codes(&open_of(&ours())));
}

#[test]
fn a_hundred_refusals_cost_a_handful_of_attempts_in_ten_minutes() {
    let (mut fsm, _) = machine_in(State::OpenSent, ours());
    let mut attempts = 1;
    for second in 0..600 {
        if let Some(open) = fsm.connections.last().map(|c| c.id) {
            attempts += 1;
            let answer = Notification::from(ErrorKind::UNSUPPORTED_CAPABILITY);
            fsm.handle_message(at(second), open, Received::Notification(answer));
        }
        fsm.handle_timeout(at(second));
        for action in drain(&mut fsm) {
            if let Action::Connect(id) = action {
                fsm.handle_connected(at(second), id, addresses());
            }
        }
    }
    assert!(attempts < 40, "{attempts} attempts");
}

#[test]
fn withheld_capabilities_are_never_sent() {
    let mut quiet = ours();
    quiet.peer_mut().capabilities.withhold =
        ["graceful-restart", "6"].iter().map(|text| text.parse::<CapabilityCode>().unwrap()).collect();
    let mut expected = codes(&open_of(&ours()));
    expected.retain(|code| ![64, 6].contains(code));
    assert_eq!(codes(&open_of(&quiet)), expected);
}

#[test]
fn an_unsupported_capability_without_a_name_means_all_of_them() {
    let (mut fsm, _) = machine_in(State::OpenSent, ours());
    refuse(&mut fsm, 1, ErrorKind::UNSUPPORTED_CAPABILITY, &[]);
    assert!(next_open(&mut fsm, 10).capabilities.is_empty());
}

#[test]
fn of_two_families_the_one_that_was_named_is_left_out() {
    let mut both = ours();
    both.peer_mut().families = Families::from_iter([Family::Ipv4Unicast, Family::Ipv6Unicast]);
    let (mut fsm, _) = machine_in(State::OpenSent, both);
    let mut refused = BytesMut::new();
    Capability::multiprotocol(Family::Ipv6Unicast).encode(&mut refused);
    refuse(&mut fsm, 1, ErrorKind::UNSUPPORTED_CAPABILITY, &refused);
    let open = next_open(&mut fsm, 10);
    assert!(open.announces(&Capability::multiprotocol(Family::Ipv4Unicast)));
    assert!(!open.announces(&Capability::multiprotocol(Family::Ipv6Unicast)));
}

#[test]
fn a_capability_named_without_its_value_is_refused_and_a_family_without_its_value_is_none() {
    let (restart, multiprotocol) = (64, 1);
    let (mut fsm, _) = machine_in(State::OpenSent, ours());
    refuse(&mut fsm, 1, ErrorKind::UNSUPPORTED_CAPABILITY, &[multiprotocol, 0, restart, 0]);
    let mut expected = codes(&open_of(&ours()));
    expected.retain(|code| *code != restart);
    assert_eq!(codes(&next_open(&mut fsm, 10)), expected);
}

#[test]
fn another_value_of_a_capability_is_a_demand() {
    let (mut fsm, _) = machine_in(State::OpenSent, ours());
    refuse(&mut fsm, 1, ErrorKind::UNSUPPORTED_CAPABILITY, &[64, 2, 0, 7]);
    assert_eq!(codes(&next_open(&mut fsm, 100)), codes(&open_of(&ours())));
}

#[test]
fn what_an_established_session_is_told_changes_no_offer() {
    let (mut fsm, _) = machine_in(State::Established, ours());
    refuse(&mut fsm, 1, ErrorKind::UNSUPPORTED_OPTIONAL_PARAMETER, &[]);
    assert!(fsm.fallback().withheld().is_empty());
}

#[test]
fn a_new_configuration_forgets_what_was_refused_if_it_offers_something_else() {
    let (mut fsm, _) = machine_in(State::OpenSent, ours());
    refuse(&mut fsm, 1, ErrorKind::UNSUPPORTED_OPTIONAL_PARAMETER, &[]);
    fsm.handle_configure(at(2), ours(), crate::fsm::Change::Quiet);
    assert!(!fsm.fallback().withheld().is_empty());
    let mut other = ours();
    other.peer_mut().capabilities.extended_messages = crate::config::Offer::Withheld;
    fsm.handle_configure(at(3), other, crate::fsm::Change::Quiet);
    assert!(fsm.fallback().withheld().is_empty());
}
