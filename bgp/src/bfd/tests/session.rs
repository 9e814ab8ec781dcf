use std::num::NonZeroU32;

use super::*;
use crate::bfd::{Cause, Discard, Intervals, Session, Transition};

const OURS: u32 = 99;

fn session() -> Session {
    Session::new(at(0), parameters(300, 3), NonZeroU32::new(OURS).unwrap(), 1)
}

/// A session in this state at 1 s, everything sent that was due.
fn session_in(state: State) -> Session {
    let mut session = session();
    let heard: &[State] = match state {
        State::Down => &[],
        State::Init => &[State::Down],
        State::Up => &[State::Down, State::Init],
        State::AdminDown => {
            session.disable(at(1000));
            &[]
        }
    };
    for state in heard {
        session.handle_packet(at(1000), &from_neighbor(*state, OURS)).unwrap();
    }
    while session.poll_transmit(at(1000)).is_some() {}
    assert_eq!(session.state(), state);
    session
}

/// An Up session whose first poll sequence has been answered at 1 s.
fn settled() -> Session {
    let mut session = session_in(State::Up);
    let answer = ControlPacket { final_: true, ..from_neighbor(State::Up, OURS) };
    session.handle_packet(at(1000), &answer).unwrap();
    session
}

fn hear(session: &mut Session, now: u64, state: State) -> Option<Transition> {
    session.handle_packet(at(now), &from_neighbor(state, OURS)).unwrap()
}

#[test]
fn the_state_table_is_that_of_section_6_8_6() {
    use State::{AdminDown, Down, Init, Up};
    let table = [(Down, [Init, Up, Down, Down]), (Init, [Init, Up, Up, Down]), (Up, [Down, Up, Up, Down])];
    for (before, after) in table {
        for (heard, expected) in [Down, Init, Up, AdminDown].into_iter().zip(after) {
            let mut session = session_in(before);
            let transition = hear(&mut session, 1001, heard);
            assert_eq!(session.state(), expected, "{before} hears {heard}");
            assert_eq!(transition.is_some(), before != expected);
        }
    }
}

#[test]
fn an_authenticated_packet_is_discarded_and_changes_nothing() {
    let mut session = session_in(State::Up);
    let packet = ControlPacket { authenticated: true, ..from_neighbor(State::Down, OURS) };
    assert_eq!(session.handle_packet(at(1001), &packet), Err(Discard::Authenticated));
    assert_eq!(session.state(), State::Up);
}

#[test]
fn an_administratively_down_session_hears_nobody_but_says_so() {
    let mut session = session_in(State::Up);
    let transition = session.disable(at(1001)).unwrap();
    assert_eq!((transition.to, transition.cause.is_failure()), (State::AdminDown, false));
    let packet = session.poll_transmit(at(1001)).unwrap();
    assert_eq!((packet.state, packet.diagnostic), (State::AdminDown, Diagnostic::ADMINISTRATIVELY_DOWN));
    let polled = ControlPacket { poll: true, ..from_neighbor(State::Init, OURS) };
    assert_eq!(session.handle_packet(at(1002), &polled), Err(Discard::AdminDown));
    assert_eq!(session.poll_transmit(at(1002)), None, "not even F");
    assert!(session.poll_timeout().unwrap() <= at(2001));
}

#[test]
fn a_neighbors_admin_down_is_no_failure() {
    let mut session = session_in(State::Up);
    let transition = hear(&mut session, 1001, State::AdminDown).unwrap();
    assert_eq!((transition.to, transition.cause), (State::Down, Cause::NeighborAdminDown));
    assert!(!transition.cause.is_failure());
    assert_eq!(session.diagnostic(), Diagnostic::NEIGHBOR_SIGNALED_DOWN);
}

#[test]
fn a_neighbors_down_is_one_and_its_diagnostic_is_kept() {
    let mut session = session_in(State::Up);
    let down =
        ControlPacket { diagnostic: Diagnostic::DETECTION_TIME_EXPIRED, ..from_neighbor(State::Down, OURS) };
    let transition = session.handle_packet(at(1001), &down).unwrap().unwrap();
    assert_eq!(transition.cause, Cause::NeighborDown(Diagnostic::DETECTION_TIME_EXPIRED));
    assert!(transition.cause.is_failure());
    assert_eq!(session.diagnostic(), Diagnostic::NEIGHBOR_SIGNALED_DOWN);
}

#[test]
fn silence_for_the_detection_time_takes_an_up_session_down() {
    let mut session = settled();
    assert_eq!(session.detection_time(), ms(900));
    assert_eq!(session.handle_timeout(at(1899)), None);
    let transition = session.handle_timeout(at(1900)).unwrap();
    assert_eq!(transition.cause, Cause::DetectionTimeExpired(ms(900)));
    assert_eq!(session.diagnostic(), Diagnostic::DETECTION_TIME_EXPIRED);
    let packet = session.poll_transmit(at(1900)).expect("the neighbour is told at once");
    assert_eq!((packet.state, packet.your_discriminator), (State::Down, 0), "its discriminator is void");
    assert_eq!(packet.desired_min_tx, ms(1000));
}

#[test]
fn an_init_session_falls_back_in_silence_and_a_down_one_forgets_the_neighbor() {
    let mut session = session_in(State::Init);
    assert!(session.handle_timeout(at(1900)).is_some());
    assert_eq!(session.state(), State::Down);
    let mut session = session_in(State::Down);
    hear(&mut session, 1000, State::Up);
    assert_eq!(session.neighbor().0, 7);
    assert_eq!(session.handle_timeout(at(1900)), None);
    assert_eq!(session.neighbor().0, 0);
}

#[test]
fn the_detection_time_is_the_neighbors_multiplier_times_the_slower_of_two_intervals() {
    for (desired, multiplier, expected) in [(100, 3, 900), (500, 4, 2000)] {
        let mut session = settled();
        let packet =
            ControlPacket { desired_min_tx: ms(desired), multiplier, ..from_neighbor(State::Up, OURS) };
        session.handle_packet(at(1001), &packet).unwrap();
        assert_eq!(session.detection_time(), ms(expected));
    }
}

#[test]
fn one_packet_a_second_until_up_and_less_a_quarter_at_most() {
    let mut session = session();
    let first = session.poll_transmit(at(0)).expect("the first at once");
    assert_eq!((first.state, first.desired_min_tx, first.required_min_rx), (State::Down, ms(1000), ms(300)));
    for _ in 0..100 {
        let due = session.poll_timeout().unwrap();
        assert_eq!(session.poll_transmit(Now(due.0 - ms(1))), None);
        session.poll_transmit(due).unwrap();
        let gap = session.poll_timeout().unwrap().since(due);
        assert!((ms(750)..=ms(1000)).contains(&gap), "{gap:?}");
    }
}

#[test]
fn with_a_multiplier_of_1_a_tenth_at_least_is_taken_off() {
    let mut session = Session::new(at(0), parameters(1000, 1), NonZeroU32::MIN, 3);
    let mut now = at(0);
    for _ in 0..500 {
        session.poll_transmit(now).unwrap();
        let due = session.poll_timeout().unwrap();
        assert!((ms(750)..=ms(900)).contains(&due.since(now)), "{:?}", due.since(now));
        now = due;
    }
}

#[test]
fn up_is_fast_and_confirmed_by_a_poll_sequence() {
    let mut session = session_in(State::Up);
    assert_eq!(session.announced(), Intervals { tx: ms(300), rx: ms(300) });
    let due = session.poll_timeout().unwrap();
    assert!(due <= at(1300), "the faster interval holds at once");
    let packet = session.poll_transmit(due).unwrap();
    assert!(packet.poll && !packet.final_);
    let answer = ControlPacket { final_: true, ..from_neighbor(State::Up, OURS) };
    session.handle_packet(due, &answer).unwrap();
    let due = session.poll_timeout().unwrap();
    assert!(!session.poll_transmit(due).unwrap().poll);
}

#[test]
fn a_poll_is_answered_at_once_and_beside_the_schedule() {
    let mut session = settled();
    let due = session.poll_timeout();
    let polled = ControlPacket { poll: true, ..from_neighbor(State::Up, OURS) };
    session.handle_packet(at(1010), &polled).unwrap();
    let answer = session.poll_transmit(at(1010)).unwrap();
    assert!(answer.final_ && !answer.poll);
    assert_eq!(session.poll_transmit(at(1010)), None);
    assert!(due.unwrap() <= at(1300));
}

#[test]
fn slower_sending_waits_for_the_neighbors_consent() {
    let mut session = settled();
    session.configure(at(1000), parameters(600, 3));
    assert_eq!(session.announced().tx, ms(600));
    assert_eq!(session.interval(), Some(ms(300)), "not before F");
    let due = session.poll_timeout().unwrap();
    let packet = session.poll_transmit(due).unwrap();
    assert!(packet.poll);
    assert_eq!((packet.desired_min_tx, packet.required_min_rx), (ms(600), ms(600)));
    let answer = ControlPacket { final_: true, ..from_neighbor(State::Up, OURS) };
    session.handle_packet(due, &answer).unwrap();
    assert_eq!(session.interval(), Some(ms(600)));
    assert_eq!(session.state(), State::Up);
}

#[test]
fn a_shorter_detection_time_waits_for_the_neighbors_consent() {
    let mut session = settled();
    session.configure(at(1000), parameters(100, 3));
    let faster = ControlPacket { desired_min_tx: ms(100), ..from_neighbor(State::Up, OURS) };
    session.handle_packet(at(1001), &faster).unwrap();
    assert_eq!(session.detection_time(), ms(900));
    session.handle_packet(at(1002), &ControlPacket { final_: true, ..faster }).unwrap();
    assert_eq!(session.detection_time(), ms(300));
}

#[test]
fn a_change_during_a_poll_sequence_is_followed_by_another_after_a_pause() {
    let mut session = settled();
    session.configure(at(1000), parameters(600, 3));
    session.configure(at(1000), parameters(700, 3));
    let answer = ControlPacket { final_: true, ..from_neighbor(State::Up, OURS) };
    let mut polls = Vec::new();
    for _ in 0..4 {
        let due = session.poll_timeout().unwrap();
        let packet = session.poll_transmit(due).unwrap();
        polls.push(packet.poll);
        session.handle_packet(due, &ControlPacket { final_: packet.poll, ..answer }).unwrap();
    }
    assert_eq!(polls, [true, false, true, false]);
    assert_eq!(session.interval(), Some(ms(700)));
}

#[test]
fn the_neighbors_receive_interval_is_respected() {
    let mut session = settled();
    let slower = ControlPacket { required_min_rx: ms(5000), ..from_neighbor(State::Up, OURS) };
    session.handle_packet(at(1001), &slower).unwrap();
    assert_eq!(session.interval(), Some(ms(5000)));
    let none = ControlPacket { required_min_rx: Duration::ZERO, ..from_neighbor(State::Up, OURS) };
    session.handle_packet(at(1002), &none).unwrap();
    assert_eq!(session.interval(), None);
    assert_eq!(session.poll_timeout(), Some(at(1902)), "only the detection time is left");
    session.handle_packet(at(1003), &from_neighbor(State::Up, OURS)).unwrap();
    assert!(session.poll_timeout().unwrap() <= at(1303));
}

#[test]
fn a_neighbor_in_demand_mode_gets_no_periodic_packets() {
    let mut session = settled();
    let demand = ControlPacket { demand: true, ..from_neighbor(State::Up, OURS) };
    session.handle_packet(at(1001), &demand).unwrap();
    assert_eq!(session.interval(), None);
    session.configure(at(1002), parameters(200, 3));
    assert!(session.interval().is_some(), "a poll sequence is sent all the same");
}

#[test]
fn nothing_configured_makes_a_session_send_without_end() {
    let zero = Parameters { min_tx: Duration::ZERO, min_rx: Duration::ZERO, ..parameters(1, 1) };
    let mut session = Session::new(at(0), zero, NonZeroU32::MIN, 1);
    session.handle_packet(at(0), &from_neighbor(State::Init, 1)).unwrap();
    while session.poll_transmit(at(0)).is_some() {}
    assert!(session.interval().unwrap() >= ms(1));
}

/// When a disabled session sends until `end`, in milliseconds.
fn goodbyes(mut session: Session, end: u64) -> Vec<u64> {
    session.disable(at(2000));
    (2000..end)
        .filter(|now| {
            let packet = session.poll_transmit(at(*now));
            assert!(packet.is_none_or(|packet| packet.state == State::AdminDown));
            packet.is_some()
        })
        .collect()
}

#[test]
fn an_up_session_says_admin_down_for_the_neighbors_detection_time_at_the_pace_it_had() {
    let times = goodbyes(settled(), 6000);
    // 300 ms less a quarter at most, three of which the neighbour waits for.
    let fast: Vec<u64> = times.iter().copied().filter(|time| *time <= 2900).collect();
    assert!((4..=5).contains(&fast.len()) && fast[0] == 2000, "{times:?}");
    let slow = times.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap > 300);
    assert!(slow.clone().count() >= 2 && slow.min() >= Some(750), "{times:?}");
    assert_eq!(session_in(State::Init).goodbye_until(), None);
}

#[test]
fn a_session_that_was_not_up_says_admin_down_once_a_second() {
    let times = goodbyes(session_in(State::Init), 5000);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 750), "{times:?}");
}
