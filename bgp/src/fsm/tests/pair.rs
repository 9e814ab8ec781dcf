//! Two machines joined by a simulated network under a virtual clock.

use std::{collections::BTreeMap, time::Duration};

use super::*;
use crate::fsm::{Failure, TransportError};

/// One end of a connection: which side, and what it calls it.
type End = (usize, ConnectionId);

#[derive(Clone, Debug)]
enum Event {
    Syn { from: End },
    SynAck { to: End },
    Message { to: End, message: Outgoing },
    Fin { to: End },
}

/// What happened to the sessions of one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Log {
    Up(ConnectionId),
    Down(Failure, crate::event::Retention),
}

pub(super) struct Pair {
    pub(super) now: Now,
    pub(super) sides: [PeerFsm; 2],
    pub(super) logs: [Vec<Log>; 2],
    /// When each side opened a connection.
    pub(super) attempts: [Vec<Now>; 2],
    /// One-way latency of what each side sends.
    pub(super) latency: [Duration; 2],
    /// Whether packets arrive at all.
    pub(super) network: Network,
    peers: BTreeMap<End, End>,
    events: BTreeMap<(Now, u64), Event>,
    sequence: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    Up,
    Cut,
}

impl Pair {
    pub(super) fn new(configs: [Config; 2]) -> Self {
        let mut seed = 0;
        Self {
            now: at(0),
            sides: configs.map(|config| {
                seed += 1;
                PeerFsm::new(config, seed)
            }),
            logs: [vec![], vec![]],
            attempts: [vec![], vec![]],
            latency: [Duration::from_millis(1); 2],
            network: Network::Up,
            peers: BTreeMap::new(),
            events: BTreeMap::new(),
            sequence: 0,
        }
    }

    pub(super) fn start(&mut self, side: usize) {
        let now = self.now;
        self.with(side, |fsm| fsm.handle_start(now));
    }

    /// Lets one side act, and carries out what it asks for.
    pub(super) fn with(&mut self, side: usize, act: impl FnOnce(&mut PeerFsm)) {
        act(&mut self.sides[side]);
        while let Some(action) = self.sides[side].poll_action() {
            self.perform(side, action);
        }
    }

    fn perform(&mut self, side: usize, action: Action) {
        match action {
            Action::Connect(id) => {
                self.attempts[side].push(self.now);
                self.post(side, Event::Syn { from: (side, id) });
            }
            Action::Send(id, message) => {
                if let Some(to) = self.peers.get(&(side, id)).copied() {
                    self.post(side, Event::Message { to, message });
                    self.sides[side].handle_sent(self.now, id);
                }
            }
            Action::Close(id) => {
                if let Some(to) = self.peers.remove(&(side, id)) {
                    self.post(side, Event::Fin { to });
                }
            }
            Action::SessionUp(up) => self.logs[side].push(Log::Up(up.connection)),
            Action::SessionDown { retention, failure } => self.logs[side].push(Log::Down(failure, retention)),
            Action::StateChanged { from, to } => assert_ne!(from, to),
        }
    }

    fn post(&mut self, side: usize, event: Event) {
        self.sequence += 1;
        if self.network == Network::Up {
            self.events.insert((self.now.plus(self.latency[side]), self.sequence), event);
        }
    }

    fn deliver(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Syn { from } => self.syn(from),
            Event::SynAck { to: (side, id) } => self.with(side, |f| f.handle_connected(now, id, addresses())),
            Event::Message { to: (side, id), message } => self.with(side, |f| {
                f.handle_message(
                    now,
                    id,
                    match message {
                        Outgoing::Open(open) => Received::Open(open),
                        Outgoing::Keepalive => Received::Keepalive,
                        Outgoing::Notification(n) => Received::Notification(n),
                    },
                );
            }),
            Event::Fin { to: (side, id) } => {
                self.peers.remove(&(side, id));
                self.with(side, |f| f.handle_lost(now, id, TransportError::Closed));
            }
        }
    }

    fn syn(&mut self, from: End) {
        let (now, side) = (self.now, 1 - from.0);
        self.post(side, Event::SynAck { to: from });
        match self.sides[side].handle_incoming(now, addresses()) {
            Incoming::Accepted(id) => {
                self.peers.insert(from, (side, id));
                self.peers.insert((side, id), from);
                self.with(side, |_| ());
            }
            Incoming::Refused(_) => self.post(side, Event::Fin { to: from }),
        }
    }

    /// Runs until nothing is left to do before `end`.
    pub(super) fn run_until(&mut self, end: Now) {
        loop {
            let event = self.events.first_key_value().map(|((time, _), _)| *time);
            let timer = self.sides.iter().filter_map(PeerFsm::poll_timeout).min();
            let Some(next) = event.into_iter().chain(timer).min().filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            match event {
                Some(time) if time <= next => {
                    let (_, event) = self.events.pop_first().unwrap();
                    self.deliver(event);
                }
                _ => (0..2).for_each(|side| {
                    let now = self.now;
                    self.with(side, |fsm| fsm.handle_timeout(now));
                }),
            }
        }
        self.now = end;
    }

    pub(super) fn run_for(&mut self, time: Duration) {
        self.run_until(self.now.plus(time));
    }

    /// Both sides are Established, on the two ends of one connection, and nothing else is left over.
    pub(super) fn assert_one_session(&self) {
        let ups: Vec<End> = (0..2)
            .map(|side| match self.logs[side].last() {
                Some(Log::Up(id)) => (side, *id),
                last => panic!("side {side} is not up: {last:?} at {:?}", self.now),
            })
            .collect();
        assert_eq!(self.peers.get(&ups[0]), Some(&ups[1]), "the two sides kept different connections");
        for side in &self.sides {
            assert_eq!(side.state(), State::Established);
            assert_eq!(side.connections.len(), 1, "a connection is left over");
        }
    }

    /// One side's process dies: its machine is replaced; whether the other hears of it is the `death`'s affair.
    pub(super) fn kill(&mut self, side: usize, config: Config, death: Death) {
        for (id, to) in std::mem::take(&mut self.peers).into_iter().filter(|((s, _), _)| *s == side) {
            if death == Death::Process {
                self.post(id.0, Event::Fin { to });
            }
        }
        self.events
            .retain(|_, e| !matches!(e, Event::Message { to, .. } | Event::SynAck { to } if to.0 == side));
        self.sides[side] = PeerFsm::new(config, 99);
        self.sides[side].next_id = 1_000_000;
        self.logs[side].clear();
    }

    pub(super) fn ups(&self, side: usize) -> usize {
        self.logs[side].iter().filter(|l| matches!(l, Log::Up(_))).count()
    }
}

/// How a side dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    /// The kernel lives on and closes the connections.
    Process,
    /// The whole host goes; nobody is told.
    Host,
}

fn pair() -> Pair {
    Pair::new([config(OUR_ID, PEER_ID), config(PEER_ID, OUR_ID)])
}

#[test]
fn a_session_comes_up_and_stays_up() {
    let mut pair = pair();
    pair.sides[1].config.peer_mut().transport.mode = ConnectMode::Passive;
    pair.start(1);
    pair.start(0);
    pair.run_for(seconds(3600));
    pair.assert_one_session();
    assert_eq!((pair.ups(0), pair.ups(1)), (1, 1));
}

#[test]
fn without_a_hold_time_nothing_expires_and_nothing_is_sent() {
    let mut pair = pair();
    for side in &mut pair.sides {
        side.config.peer_mut().timers.hold_time = Duration::ZERO;
    }
    pair.start(0);
    pair.start(1);
    pair.run_for(seconds(60));
    pair.assert_one_session();
    assert!(pair.sides.iter().all(|side| side.poll_timeout().is_none()));
}

#[test]
fn a_lost_connection_is_replaced() {
    let mut pair = pair();
    pair.start(0);
    pair.start(1);
    pair.run_for(seconds(30));
    for lost in 0..2 {
        let Some(Log::Up(id)) = pair.logs[lost].last().cloned() else { panic!() };
        let now = pair.now;
        if let Some(to) = pair.peers.remove(&(lost, id)) {
            pair.post(lost, Event::Fin { to });
        }
        pair.with(lost, |fsm| fsm.handle_lost(now, id, TransportError::Reset));
        pair.run_for(seconds(30));
        pair.assert_one_session();
    }
}

#[test]
fn silence_for_the_hold_time_ends_the_session_on_both_sides() {
    let mut pair = pair();
    pair.start(0);
    pair.start(1);
    pair.run_for(seconds(10));
    pair.network = Network::Cut;
    pair.run_for(seconds(91));
    for log in &pair.logs {
        let Some(Log::Down(Failure::Sent { notification, .. }, _)) = log.last() else { panic!("{log:?}") };
        assert_eq!(notification.kind, ErrorKind::HOLD_TIMER_EXPIRED);
    }
    pair.network = Network::Up;
    pair.run_for(seconds(30));
    pair.assert_one_session();
}

#[test]
fn two_passive_sides_never_meet() {
    let mut pair = pair();
    for side in 0..2 {
        pair.sides[side].config.peer_mut().transport.mode = ConnectMode::Passive;
        pair.start(side);
    }
    pair.run_for(seconds(3600));
    assert!(pair.sides.iter().all(|side| side.state() == State::Active));
}

#[test]
fn a_peer_in_another_as_is_tried_at_a_bounded_rate() {
    let mut pair = pair();
    pair.sides[0].config.peer_mut().asn = Asn(1);
    pair.start(0);
    pair.start(1);
    pair.run_for(seconds(600));
    for attempts in &pair.attempts {
        assert!((2..=60).contains(&attempts.len()), "{} attempts in ten minutes", attempts.len());
        let gaps = attempts.windows(2).map(|pair| pair[1].since(pair[0]));
        assert!(gaps.min().unwrap() >= Duration::from_millis(3750));
    }
    assert_eq!((pair.ups(0), pair.ups(1)), (0, 0));
}

#[test]
fn a_reset_brings_the_session_back() {
    let mut pair = pair();
    pair.start(0);
    pair.start(1);
    pair.run_for(seconds(30));
    for _ in 0..20 {
        let now = pair.now;
        pair.with(0, |fsm| fsm.handle_stop(now, crate::fsm::Stop::Reset));
        pair.run_for(seconds(7));
        pair.assert_one_session();
    }
}
