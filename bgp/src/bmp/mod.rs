//! The BGP Monitoring Protocol (RFC 7854, with the Loc-RIB of RFC 9069): what this speaker hears, for a collector.
//!
//! ```text
//! Core::watch (changed paths, one mark per path)  ->  Exporter::poll  ->  messages  ->  net: the collector's socket
//! sessions (OPENs, ends, reasons)                 ->
//! ```
//!
//! Pure. An [`Exporter`] is one collector's place in the story: which sessions it has been told of, and through
//! [`Core::watch`](crate::core::Core::watch) which paths have changed since. It is polled when the collector's socket
//! has room; what changes twice in between is told once, in its latest state. A collector that falls so far behind
//! that this is no longer cheap is dropped and starts over with the whole tables.
//!
//! AS_PATH goes out with 4-octet AS numbers whatever the session used, so the A flag is never set (RFC 7854 section
//! 4.2 leaves the choice). The attributes are those of the RIB, encoded anew. Route mirroring is not done.

mod exporter;
pub mod message;
mod session;

pub use exporter::{Exporter, Exports, TooSlow};
pub use message::DownReason;
pub use session::{MonitoredPeer, SessionRecord};
