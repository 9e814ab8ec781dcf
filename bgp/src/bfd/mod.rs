//! Bidirectional Forwarding Detection: whether the path to a peer carries packets, known within a fraction of a second.
//!
//! # The way of a packet
//!
//! ```text
//! UDP octets (port 3784 or 4784, TTL and interface beside them)
//!   -> packet     octets to a ControlPacket, or the reason it is discarded (RFC 5880 section 6.8.6)
//!   -> engine     which session it belongs to; the clock of all sessions
//!   -> session    one session's state machine, timers, poll sequences (RFC 5880 section 6.8)
//!   -> engine     packets to send, changes of state to tell
//! ```
//!
//! [`Engine`] is all an embedder needs, and does no IO; `bgp::net` runs one on a thread of its own, so that no session
//! suffers from what the routes cost.
//!
//! # What is there
//!
//! Asynchronous mode over one hop (RFC 5881) and over several (RFC 5883), for IPv4 and IPv6: discriminators, poll
//! sequences, negotiated intervals with one packet a second until Up, jitter, AdminDown, diagnostics. A neighbour that
//! asks for Demand mode (RFC 5880 section 6.6) is obeyed.
//!
//! # What is not
//!
//! The Echo function (we announce that we do not loop packets back, which makes the neighbour send none) and
//! authentication: RFC 5880 section 6.7 rests on SHA-1 and MD5 and is used by hardly anyone; a packet that carries an
//! authentication section is discarded and counted. Packets over one hop are protected by their TTL of 255
//! (RFC 5881 section 5). We always clear the C bit: this BFD lives and dies with the routing daemon.

mod config;
mod discard;
mod engine;
mod packet;
mod random;
mod session;
mod view;

pub use config::{BfdConfig, Endpoint, Parameters, Path, PathChoice, SLOW};
pub use discard::{Discard, Discards};
pub use engine::{Arrival, Engine, Output, SessionId, Wanted};
pub use packet::{CONTROL_LENGTH, ControlPacket, Diagnostic, State, decode};
pub use session::{Cause, Intervals, Session, Transition};
pub use view::{LastDown, SessionView};

/// UDP port of packets over one hop (RFC 5881 section 4).
pub const SINGLE_HOP_PORT: u16 = 3784;
/// UDP port of packets over several hops (RFC 5883 section 5).
pub const MULTI_HOP_PORT: u16 = 4784;
/// Where our packets come from (RFC 5881 section 4).
pub const SOURCE_PORTS: std::ops::RangeInclusive<u16> = 49152..=65535;

#[cfg(test)]
mod tests;
