//! Sockets and tasks: the only part of the crate that does IO.
//!
//! ```text
//!              listener (one task per address)
//!                  | accepted connections of configured peers
//!                  v
//!   socket <-> peer (one task per peer: fsm, framing, decoding, KEEPALIVE, HoldTimer)
//!                  | one bounded channel: session up, down, RouteBatch     ^ outbox, one per session: bytes
//!                  v                                                       |
//!              speaker (one task: owns core::Core) ------------------------'
//!                  |  ^
//!   events, best   v  | commands
//!              SpeakerHandle
//! ```
//!
//! Nothing waits for a slower neighbour with its hands full: a peer task whose batch the core cannot take yet goes
//! on with timers and KEEPALIVEs and leaves its socket unread; the core hands a peer bytes only while its outbox
//! has room, and best routes only while whoever installs them asks for more.

mod admission;
mod bfd;
mod clock;
mod collector;
mod connect;
mod containment;
mod discovery;
mod handle;
mod incidents;
mod link;
mod listener;
mod mrt;
mod outbox;
mod peer;
mod refusals;
mod snapshot;
mod speaker;
pub mod sys;
mod ttl_filter;

pub use bfd::BfdReport;
pub use collector::{CollectorSnapshot, CollectorState};
pub use containment::panic_is_contained;
pub use discovery::DiscoveryReport;
pub use handle::{Clear, ShutdownMode, SpeakerError, SpeakerHandle};
pub use incidents::Incident;
pub use listener::ListenState;
pub use mrt::{DumpError, MrtSnapshot, TableReader};
pub use refusals::{RefusalReason, RefusalReport, RefusedConnections};
pub use snapshot::{MessageCounts, MessageTally, PeerSnapshot, RangeSnapshot, SessionSnapshot};
pub use speaker::{Outputs, SpeakerEvent, SpeakerOptions, start};
