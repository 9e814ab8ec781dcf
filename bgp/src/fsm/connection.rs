//! One TCP connection of a peer, with its timers.

use std::time::Duration;

use crate::{
    event::{Negotiated, SessionAddresses},
    fsm::{Direction, State, status::PeerIdentity},
    types::Now,
    wire::open::Open,
};

/// Names a connection; never used twice by one state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// TCP is being established (Connect).
    Connecting,
    /// The DelayOpenTimer runs (Connect or Active).
    DelayOpen,
    /// Our OPEN is out.
    OpenSent,
    /// Both OPENs are exchanged.
    OpenConfirm,
    /// Up.
    Established,
}

/// What both OPENs said.
#[derive(Clone, Debug)]
pub(super) struct Agreement {
    pub(super) negotiated: Negotiated,
    pub(super) keepalive: Duration,
    /// SendHoldTime; zero: none.
    pub(super) send_hold: Duration,
}

/// A connection that is sought, being set up, or carries the session.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) direction: Direction,
    pub(super) stage: Stage,
    pub(super) addresses: Option<SessionAddresses>,
    pub(super) sent_open: Option<Box<Open>>,
    pub(super) agreement: Option<Agreement>,
    /// The identity the peer's OPEN showed, also when the OPEN was rejected.
    pub(super) peer: Option<PeerIdentity>,
    /// When the session came up.
    pub(super) since: Now,
    /// When a KEEPALIVE was sent last.
    pub(super) last_keepalive: Now,
    pub(super) hold: Option<Now>,
    pub(super) keepalive: Option<Now>,
    pub(super) delay_open: Option<Now>,
    pub(super) send_hold: Option<Now>,
}

impl Connection {
    pub(super) fn new(id: ConnectionId, direction: Direction, now: Now) -> Self {
        Self {
            id,
            direction,
            stage: Stage::Connecting,
            addresses: None,
            sent_open: None,
            agreement: None,
            peer: None,
            since: now,
            last_keepalive: now,
            hold: None,
            keepalive: None,
            delay_open: None,
            send_hold: None,
        }
    }

    /// The state of RFC 4271 section 8.2.2 this connection is in.
    pub(super) fn state(&self) -> State {
        match (self.stage, self.direction) {
            (Stage::Connecting, _) | (Stage::DelayOpen, Direction::Outgoing) => State::Connect,
            (Stage::DelayOpen, Direction::Incoming) => State::Active,
            (Stage::OpenSent, _) => State::OpenSent,
            (Stage::OpenConfirm, _) => State::OpenConfirm,
            (Stage::Established, _) => State::Established,
        }
    }

    /// The hold time agreed on, when there is one.
    pub(super) fn hold_time(&self) -> Option<Duration> {
        let hold = self.agreement.as_ref()?.negotiated.hold_time;
        (!hold.is_zero()).then_some(hold)
    }

    /// Restarts the HoldTimer after a sign of life.
    pub(super) fn restart_hold(&mut self, now: Now) {
        self.hold = self.hold_time().map(|hold| now.plus(hold));
    }

    /// Restarts the SendHoldTimer (RFC 9687 section 3.1).
    pub(super) fn restart_send_hold(&mut self, now: Now) {
        let time = self.agreement.as_ref().map(|agreement| agreement.send_hold);
        self.send_hold = time.filter(|time| !time.is_zero()).map(|time| now.plus(time));
    }

    /// The next moment one of the timers expires.
    pub(super) fn deadline(&self) -> Option<Now> {
        [self.hold, self.keepalive, self.delay_open, self.send_hold].into_iter().flatten().min()
    }
}
