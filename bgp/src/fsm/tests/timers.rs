//! ConnectRetryTimer, HoldTimer, KeepaliveTimer, DelayOpenTimer, IdleHoldTimer, SendHoldTimer.

use super::*;
use crate::{
    config::{LimitAction, PrefixLimit},
    fsm::{Change, Failure, Refusal, SendQueue, Stop, TransportError},
};

/// Runs timers until `end`, collecting what they cause.
fn run(fsm: &mut PeerFsm, end: Now) -> Vec<(Now, Action)> {
    let mut seen = Vec::new();
    while let Some(due) = fsm.poll_timeout().filter(|due| *due <= end) {
        fsm.handle_timeout(due);
        seen.extend(drain(fsm).into_iter().map(|action| (due, action)));
    }
    seen
}

#[test]
fn keepalives_go_out_at_a_third_of_the_hold_time_with_jitter() {
    let (mut fsm, _) = machine_in(State::Established, ours());
    let sent = run(&mut fsm, at(89));
    let times: Vec<Now> = sent.iter().map(|(time, _)| *time).collect();
    assert!(sent.iter().all(|(_, a)| matches!(a, Action::Send(_, Outgoing::Keepalive))));
    for pair in [vec![at(0)], times].concat().windows(2) {
        let gap = pair[1].since(pair[0]);
        assert!((Duration::from_millis(22_500)..=seconds(30)).contains(&gap), "{gap:?}");
    }
}

/// RFC 4271 section 4.4.
#[test]
fn keepalives_are_a_second_apart_at_least_whatever_the_jitter() {
    let (mut fsm, id) = machine_in(State::Established, {
        let mut short = ours();
        short.peer_mut().timers.hold_time = seconds(3);
        short
    });
    let mut last = at(0);
    for tenth in 1..=300 {
        let now = Now(Duration::from_millis(tenth * 100)).plus(at(0).since(Now::default()));
        fsm.handle_bytes(now, id);
        fsm.handle_timeout(now);
        for action in drain(&mut fsm) {
            assert!(matches!(action, Action::Send(_, Outgoing::Keepalive)), "{action:?}");
            let gap = now.since(last);
            assert!((seconds(1)..seconds(2)).contains(&gap), "{gap:?}");
            last = now;
        }
    }
}

#[test]
fn the_hold_timer_expires_without_octets_and_restarts_with_them() {
    let (mut fsm, id) = machine_in(State::Established, ours());
    run(&mut fsm, at(80));
    fsm.handle_bytes(at(80), id);
    run(&mut fsm, at(169));
    assert_eq!(fsm.state(), State::Established);
    let actions: Vec<Action> = run(&mut fsm, at(170)).into_iter().map(|(_, a)| a).collect();
    assert_eq!(notifications(&actions), [ErrorKind::HOLD_TIMER_EXPIRED]);
    assert!(has_session_down(&actions));
    assert_eq!(fsm.state(), State::Idle);
}

#[test]
fn octets_before_the_session_is_up_do_not_prolong_the_wait_for_open() {
    let (mut fsm, id) = machine_in(State::OpenSent, ours());
    fsm.handle_bytes(at(200), id);
    let actions: Vec<Action> = run(&mut fsm, at(240)).into_iter().map(|(_, a)| a).collect();
    assert_eq!(notifications(&actions), [ErrorKind::HOLD_TIMER_EXPIRED]);
}

#[test]
fn a_peer_that_takes_no_octets_is_dropped_by_the_send_hold_timer() {
    let (mut fsm, id) = machine_in(State::Established, ours());
    let mut now = 0;
    fsm.handle_send_queue(at(now), id, SendQueue::Waiting);
    while fsm.state() == State::Established && now < 1000 {
        now += 1;
        fsm.handle_bytes(at(now), id);
        fsm.handle_send_queue(at(now), id, SendQueue::Waiting);
        fsm.handle_timeout(at(now));
    }
    assert_eq!(now, 480);
    assert!(matches!(fsm.last_failure(), Some(Failure::SendHold)));
    assert!(notifications(&drain(&mut fsm)).is_empty());
}

/// RFC 9687 section 3.1: what has nothing to send cannot be stuck, whatever the time configured.
#[test]
fn a_session_with_nothing_to_send_outlives_every_send_hold_time() {
    let (mut fsm, id) = machine_in(State::Established, {
        let mut impatient = ours();
        impatient.peer_mut().timers.send_hold_time = Some(seconds(5));
        impatient
    });
    for now in 1..200 {
        fsm.handle_bytes(at(now), id);
        fsm.handle_timeout(at(now));
        fsm.handle_sent(at(now), id);
        fsm.handle_send_queue(at(now), id, SendQueue::Empty);
    }
    assert_eq!(fsm.state(), State::Established);
    for now in 200..=205 {
        fsm.handle_bytes(at(now), id);
        fsm.handle_send_queue(at(now), id, SendQueue::Waiting);
        fsm.handle_timeout(at(now));
    }
    assert!(matches!(fsm.last_failure(), Some(Failure::SendHold)));
}

#[test]
fn the_send_hold_time_is_twice_a_long_hold_time() {
    let (mut fsm, id) = machine_in(State::Established, {
        let mut long = ours();
        long.peer_mut().timers.hold_time = seconds(300);
        long
    });
    fsm.handle_sent(at(0), id);
    let hold = fsm.connections[0].agreement.as_ref().unwrap().negotiated.hold_time;
    assert_eq!(hold, seconds(90), "the peer's is smaller");
    assert_eq!(fsm.connections[0].send_hold, Some(at(480)));
}

#[test]
fn unanswered_attempts_are_a_connect_retry_time_apart() {
    let (mut fsm, _) = machine_in(State::Connect, ours());
    let actions = run(&mut fsm, at(600));
    let attempts: Vec<Now> =
        actions.iter().filter(|(_, a)| matches!(a, Action::Connect(_))).map(|(t, _)| *t).collect();
    assert!((120..=160).contains(&attempts.len()), "{}", attempts.len());
    assert!(attempts.windows(2).all(|w| w[1].since(w[0]) >= Duration::from_millis(3750)));
    assert_eq!(fsm.last_failure(), Some(&Failure::Transport(TransportError::NoAnswer)));
}

#[test]
fn a_refused_attempt_waits_for_the_connect_retry_timer_and_hears_the_peer_meanwhile() {
    let (mut fsm, id) = machine_in(State::Connect, ours());
    fsm.handle_lost(at(0), id, TransportError::Refused);
    let actions = drain(&mut fsm);
    assert_eq!((fsm.state(), connects(&actions)), (State::Active, 0));
    accept(&mut fsm, at(1));
    assert_eq!(fsm.state(), State::OpenSent);
}

#[test]
fn however_connections_break_attempts_stay_bounded() {
    let (mut fsm, mut id) = machine_in(State::Connect, ours());
    let mut attempts = 0;
    for second in 0..600 {
        let now = at(second);
        fsm.handle_connected(now, id, addresses());
        open(&mut fsm, now, id);
        fsm.handle_message(now, id, Received::Keepalive);
        fsm.handle_lost(now, id, TransportError::Reset);
        fsm.handle_timeout(now);
        for action in drain(&mut fsm) {
            if let Action::Connect(next) = action {
                id = next;
                attempts += 1;
            }
        }
    }
    assert!((5..=160).contains(&attempts), "{attempts}");
}

#[test]
fn rejections_lead_to_idle_for_longer_and_longer() {
    let (mut fsm, mut id) = machine_in(State::OpenSent, ours());
    let mut holds = Vec::new();
    let mut now = at(0);
    for _ in 0..7 {
        fsm.handle_message(now, id, received(ErrorKind::BAD_PEER_AS));
        assert_eq!(fsm.state(), State::Idle);
        let Incoming::Refused(Refusal::IdleHold(left)) = fsm.handle_incoming(now, addresses()) else {
            panic!()
        };
        holds.push(left.as_secs());
        while fsm.state() != State::Connect {
            now = fsm.poll_timeout().unwrap();
            fsm.handle_timeout(now);
        }
        id = fsm.connections[0].id;
        fsm.handle_connected(now, id, addresses());
    }
    assert_eq!(holds, [1, 2, 4, 8, 16, 32, 60]);
}

#[test]
fn the_peers_prefix_limit_keeps_us_away_for_a_minute() {
    let (mut fsm, id) = machine_in(State::Established, ours());
    fsm.handle_message(at(1000), id, received(ErrorKind::MAXIMUM_PREFIXES_REACHED));
    assert_eq!(fsm.poll_timeout(), Some(at(1060)));
}

#[test]
fn our_own_prefix_limit_waits_as_long_as_the_core_says() {
    let (mut fsm, _) = machine_in(State::Established, ours());
    let notification = Notification::from(ErrorKind::MAXIMUM_PREFIXES_REACHED);
    fsm.handle_stop(at(5), Stop::Error { notification, retry_after: seconds(300) });
    assert_eq!(notifications(&drain(&mut fsm)), [ErrorKind::MAXIMUM_PREFIXES_REACHED]);
    assert_eq!(fsm.poll_timeout(), Some(at(305)));
}

/// A machine whose peer has passed a ceiling of 3 prefixes, with this to follow.
fn punished(kind: ErrorKind, retry_after: Duration) -> (PeerFsm, Config) {
    let mut config = ours();
    config.peer_mut().limit.most = Some(3);
    config.peer_mut().limit.action = LimitAction::Restart(retry_after);
    let (mut fsm, _) = machine_in(State::Established, config.clone());
    fsm.handle_stop(at(5), Stop::Error { notification: Notification::from(kind), retry_after });
    drain(&mut fsm);
    assert_eq!(fsm.state(), State::Idle);
    (fsm, config)
}

#[test]
fn a_penalty_ends_with_the_ceiling_that_caused_it() {
    let changes: [fn(&mut PrefixLimit); 4] = [
        |limit| limit.most = Some(4),
        |limit| limit.most = None,
        |limit| limit.octets = Some(1 << 30),
        |limit| limit.action = LimitAction::Warn,
    ];
    for kind in [ErrorKind::MAXIMUM_PREFIXES_REACHED, ErrorKind::OUT_OF_RESOURCES] {
        for retry_after in [seconds(3600), LimitAction::FOR_GOOD] {
            for change in changes {
                let (mut fsm, mut config) = punished(kind, retry_after);
                fsm.handle_configure(at(6), config.clone(), Change::Quiet);
                config.peer_mut().limit.warn_at = 50;
                fsm.handle_configure(at(6), config.clone(), Change::Quiet);
                assert_eq!(fsm.state(), State::Idle, "what it passed is the same");
                change(&mut config.peer_mut().limit);
                fsm.handle_configure(at(7), config, Change::Quiet);
                assert_eq!(fsm.state(), State::Connect, "{kind}, {retry_after:?}");
            }
        }
    }
}

#[test]
fn other_idle_hold_times_end_a_wait_that_the_old_ones_imposed() {
    let mut config = ours();
    config.peer_mut().timers.idle_hold_time = seconds(3600);
    let (mut fsm, id) = machine_in(State::OpenSent, config.clone());
    fsm.handle_message(at(1), id, received(ErrorKind::BAD_PEER_AS));
    assert_eq!(fsm.state(), State::Idle);
    config.peer_mut().timers.idle_hold_time = seconds(1);
    fsm.handle_configure(at(2), config, Change::Quiet);
    assert_ne!(fsm.state(), State::Idle);
}

#[test]
fn a_penalty_without_end_is_told_in_words() {
    let (fsm, _) = punished(ErrorKind::MAXIMUM_PREFIXES_REACHED, LimitAction::FOR_GOOD);
    let said = fsm.down_report(at(6)).unwrap().to_string();
    assert!(said.ends_with("; not tried again before `clear`, or another limit in the file"), "{said}");
    let (fsm, _) = punished(ErrorKind::MAXIMUM_PREFIXES_REACHED, seconds(300));
    let said = fsm.down_report(at(6)).unwrap().to_string();
    assert!(said.ends_with("; waiting, next attempt in 299 s"), "{said}");
}

#[test]
fn a_start_cuts_the_idle_hold_time_short() {
    let (mut fsm, id) = machine_in(State::OpenSent, ours());
    fsm.handle_message(at(100), id, received(ErrorKind::BAD_PEER_AS));
    fsm.handle_start(at(100));
    assert_eq!(fsm.state(), State::Connect);
}

#[test]
fn open_waits_for_the_delay_open_timer_unless_the_peers_comes_first() {
    let mut delayed = ours();
    delayed.peer_mut().timers.delay_open = Some(seconds(3));
    let (mut fsm, id) = machine_in(State::Connect, delayed.clone());
    fsm.handle_connected(at(0), id, addresses());
    assert!(drain(&mut fsm).is_empty());
    assert_eq!(fsm.state(), State::Connect);
    fsm.handle_timeout(at(3));
    assert!(matches!(drain(&mut fsm)[..], [Action::Send(_, Outgoing::Open(_)), Action::StateChanged { .. }]));

    let (mut fsm, id) = machine_in(State::Connect, delayed);
    fsm.handle_connected(at(0), id, addresses());
    open(&mut fsm, at(1), id);
    let actions = drain(&mut fsm);
    assert!(matches!(
        actions[..2],
        [Action::Send(_, Outgoing::Open(_)), Action::Send(_, Outgoing::Keepalive)]
    ));
    assert_eq!(fsm.state(), State::OpenConfirm);
}

#[test]
fn a_version_error_during_the_open_delay_counts_for_nothing() {
    let mut delayed = ours();
    delayed.peer_mut().timers.delay_open = Some(seconds(3));
    let (mut fsm, id) = machine_in(State::Connect, delayed);
    fsm.handle_connected(at(0), id, addresses());
    fsm.handle_message(at(1), id, received(ErrorKind::UNSUPPORTED_VERSION));
    assert_eq!((fsm.state(), fsm.connect_retry_counter()), (State::Idle, 0));
}

#[test]
fn a_configured_keepalive_time_is_used_up_to_a_third_of_the_hold_time() {
    for (configured, expected) in [(5, 5), (60, 30), (0, 30)] {
        let mut config = ours();
        config.peer_mut().timers.keepalive_time = Some(seconds(configured));
        let (fsm, _) = machine_in(State::Established, config);
        assert_eq!(fsm.connections[0].agreement.as_ref().unwrap().keepalive, seconds(expected));
    }
}

#[test]
fn an_expired_hold_timer_is_not_punished_again_and_again() {
    let mut short = ours();
    short.peer_mut().timers.hold_time = seconds(9);
    let mut fsm = PeerFsm::new(short, 1);
    fsm.handle_start(at(0));
    let mut now = at(0);
    for _ in 0..10 {
        let connect = drain(&mut fsm).into_iter().find_map(|a| match a {
            Action::Connect(id) => Some(id),
            _ => None,
        });
        let id = connect.expect("an attempt");
        fsm.handle_connected(now, id, addresses());
        open(&mut fsm, now, id);
        fsm.handle_message(now, id, Received::Keepalive);
        assert_eq!(fsm.state(), State::Established);
        now = now.plus(seconds(9));
        fsm.handle_timeout(now);
        assert_eq!(fsm.state(), State::Idle);
        now = now.plus(seconds(1));
        fsm.handle_timeout(now);
    }
}
