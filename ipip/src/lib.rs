//! The IPIP tunnel device and its guard.
//!
//! This crate knows nothing of routes. It keeps one device, `tunl0`, as it is wanted (kind, MTU, address, up) and puts
//! a guard in front of it: since the kernel's `tunl0` decapsulates what *anyone* sends it (CVE-2020-10136), protocol 4
//! is accepted from known nodes only and dropped and counted otherwise.
//!
//! - [`config`]: what is asked for.
//! - [`status`]: what is there, and what an operator should know about it.
//! - [`error`]: why it is not as asked.

pub mod config;
pub mod error;
pub mod status;

pub use config::{Completeness, DeviceKind, Environment, GuardMode, KnownNodes, Mtu, Need, TunnelConfig};
pub use error::Error;
pub use status::{GuardState, GuardStatus, Notice, TunnelState, TunnelStatus};
