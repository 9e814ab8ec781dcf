//! The IPIP tunnel device and its guard.
//!
//! This crate knows nothing of routes. It keeps one device, `tunl0`, as it is wanted (kind, MTU, address, up) and puts
//! a guard in front of it: since the kernel's `tunl0` decapsulates what *anyone* sends it (CVE-2020-10136), protocol 4
//! is accepted from known nodes only and dropped and counted otherwise. What comes out of the device must come from
//! behind a known node and go to this host. IPv6 is not tunnelled: nothing here concerns it.
//!
//! ```text
//! TunnelConfig, KnownNodes ──> desired ─┐
//!                                       ├─> plan (pure) ─> execute ─> kernel
//! kernel ─> observe ─────────> observed ┘                              │
//!    ^                                                                 │
//!    └──── watch: link, address and nftables events, and a periodic check
//! ```
//!
//! [`TunnelHandle`] is the way in. A guard once installed and a device once up stay so when the service or the whole
//! process ends; only [`TunnelHandle::flush`] takes them down.
//!
//! - [`config`]: what is asked for.
//! - [`status`]: what is there, and what an operator should know about it.
//! - [`error`]: why it is not as asked.
//! - `plan`, `patience`, `advice`: the pure part: steps, when to hold back, what to tell.
//! - `guard`, `masquerade`, `outer_source`, `table`, `admission`, `membership`: pure too: the parts of the nftables table, how it changes,
//!   and who is let in over time.
//! - `sysctl`: pure as well: which of the kernel's settings stand in the way.
//! - `netlink`, `sys`, `nft`, `observe`, `settings`, `execute`, `watch`: the kernel.
//! - `keeper`, `service`, `handle`: a round of care, the task that runs them, the way to it.

mod admission;
mod advice;
pub mod config;
pub mod error;
mod execute;
mod guard;
mod handle;
mod keeper;
mod leaving;
mod masquerade;
mod membership;
mod netlink;
mod nft;
pub mod notice;
mod observe;
mod outer_source;
mod patience;
mod plan;
mod service;
mod settings;
pub mod status;
mod sys;
mod sysctl;
mod table;
mod watch;

pub use config::{
    Binding, Completeness, DeviceKind, DontFragment, Environment, GuardMode, IPIP_OVERHEAD, KnownNodes,
    Masquerade, Mtu, Need, NodePrefix, OuterSource, SysctlCare, TunnelConfig,
};
pub use error::Error;
pub use handle::{TunnelHandle, flush};
pub use notice::{Notice, NoticeCode};
pub use status::{
    Counter, Drops, FelixChain, Gaps, GuardState, GuardStatus, MasqueradeState, TunnelState, TunnelStatus,
};
