//! What goes into and what comes out of the state machine.

use std::time::Duration;

use crate::{
    event::{Negotiated, Retention, SessionAddresses},
    fsm::{ConnectionId, Failure, State},
    wire::{notification::Notification, open::Open},
};

/// A message of the peer as the state machine sees it; what is inside an UPDATE does not concern it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// OPEN.
    Open(Box<Open>),
    /// UPDATE.
    Update,
    /// NOTIFICATION.
    Notification(Notification),
    /// KEEPALIVE.
    Keepalive,
    /// ROUTE-REFRESH (RFC 2918).
    RouteRefresh,
}

impl Received {
    /// The message type octet (RFC 4271 section 4.1).
    pub fn type_code(&self) -> u8 {
        match self {
            Self::Open(_) => 1,
            Self::Update => 2,
            Self::Notification(_) => 3,
            Self::Keepalive => 4,
            Self::RouteRefresh => 5,
        }
    }
}

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// OPEN.
    Open(Box<Open>),
    /// KEEPALIVE.
    Keepalive,
    /// NOTIFICATION; [`Action::Close`] follows.
    Notification(Notification),
}

/// Something for the caller to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open a TCP connection to the peer; answer with `handle_connected` or `handle_lost`.
    Connect(ConnectionId),
    /// Send a message.
    Send(ConnectionId, Outgoing),
    /// Close the connection (or stop trying); nothing more is to be reported about it. What was sent before,
    /// a NOTIFICATION above all, should still reach the peer.
    Close(ConnectionId),
    /// The session is Established: routes may flow.
    SessionUp(Box<SessionUp>),
    /// The session is gone.
    SessionDown {
        /// Whether the peer's routes may be kept for a while.
        retention: Retention,
        /// Why.
        failure: Failure,
    },
    /// The state of the peer has changed.
    StateChanged {
        /// The state before.
        from: State,
        /// The state now.
        to: State,
    },
}

/// An established session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionUp {
    /// The connection it runs on.
    pub connection: ConnectionId,
    /// What the OPENs agreed on.
    pub negotiated: Negotiated,
    /// The ends of the connection.
    pub addresses: SessionAddresses,
}

/// Why and how the peer is to be stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// ManualStop: Cease 6/2, then Idle until started.
    Shutdown,
    /// The peer is removed from the configuration: Cease 6/3, then Idle.
    Deconfigured,
    /// This speaker restarts: sessions with graceful restart close without a word so that the peer keeps our
    /// routes (RFC 4724 section 4.1), others with Cease 6/2.
    Restarting,
    /// This speaker goes for good: Cease 6/2, as a Hard Reset where that was negotiated (RFC 8538 section 3.1).
    Drain,
    /// AutomaticStop by an operator's reset: Cease 6/4, then a new start at once.
    Reset,
    /// AutomaticStop because session parameters have changed: Cease 6/6, then a new start at once.
    ConfigurationChanged,
    /// AutomaticStop for the routing core's reason, such as Cease 6/1.
    Error {
        /// What to tell the peer.
        notification: Notification,
        /// The shortest IdleHoldTime that follows.
        retry_after: Duration,
    },
}

/// What new settings mean for the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// They matter to the next one.
    Quiet,
    /// It must be closed, with Cease 6/6, and set up anew.
    RestartSession,
}

/// Whether a connection of the peer was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// It is tracked under this id.
    Accepted(ConnectionId),
    /// It is to be closed before a byte is read.
    Refused(Refusal),
}

/// Why a connection of the peer was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The peer is administratively down or its key cannot be had.
    Down,
    /// The IdleHoldTimer runs for this much longer.
    IdleHold(Duration),
}

/// What waits for a connection's TCP to take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendQueue {
    /// Nothing.
    Empty,
    /// Some octets.
    Waiting,
}
