//! The finite state machine of one peer (RFC 4271 section 8), pure: no socket, no clock, no randomness.
//!
//! RFC 4271 describes one state machine per TCP connection; this one holds every connection of a peer, so that
//! collision detection (section 6.8) and a graceful restart's second connection (RFC 4724 section 4.2) are
//! decided in one place. Feed it with `handle_*`, then drain [`PeerFsm::poll_action`] until `None`, and call
//! [`PeerFsm::handle_timeout`] at [`PeerFsm::poll_timeout`].
//!
//! | state | what there is |
//! |---|---|
//! | Idle | stopped, or the IdleHoldTimer runs; connections of the peer are refused |
//! | Active | no connection; the ConnectRetryTimer runs, or the peer is waited for |
//! | Connect | our TCP connection is on its way, or open with the DelayOpenTimer running |
//! | OpenSent, OpenConfirm, Established | as the RFC has them; that of the most advanced connection |
//!
//! Where the RFC goes to Idle and an AutomaticStart would follow at once, the machine goes to Active: a failed
//! TCP connection must not make it deaf to the peer's own. Idle with the IdleHoldTimer (DampPeerOscillations)
//! follows NOTIFICATIONs of either side, and connections that keep breaking.

mod action;
mod backoff;
mod config;
mod connection;
mod fallback;
mod handshake;
mod machine;
mod report;
mod status;
mod terms;
mod timers;

#[cfg(test)]
mod tests;

pub use action::{Action, Change, Incoming, Outgoing, Received, Refusal, SendQueue, SessionUp, Stop};
pub use config::{Config, LocalRestart, Restarting};
pub use connection::ConnectionId;
pub use fallback::Fallback;
pub use machine::PeerFsm;
pub use status::{
    Awaited, Cause, DownReport, Failure, Handshake, PeerIdentity, Retry, Signing, State, Stopped,
    TransportError,
};

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// We did.
    Outgoing,
    /// The peer did.
    Incoming,
}
