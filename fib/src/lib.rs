//! From learned routes to the Linux FIB.
//!
//! ```text
//! RouteChange (prefix, next hops)          FibHandle::apply
//!   -> decide    pool mode + next hop against our own network: direct | tunnel | blackhole, and why
//!   -> resolve   the way to each next hop, over the others' routes and our own RIB, kept current
//!   -> table     what we want against what the kernel holds; the requests that close the gap
//!   -> kernel    netlink in batches, every result matched to its request
//!   -> event     next hops gone or back, routes that could not be installed
//! ```
//!
//! [`decide`], [`foreign`], [`resolve`] and [`table`] are pure; [`kernel`] and [`service`] do the IO, on a thread of their own, so
//! that a slow kernel holds up nobody else. The laws they keep: a change is one atomic replacement, a route of somebody
//! else is never touched, nothing adopted at start is deleted before [`service::FibHandle::end_restart`].

pub mod config;
pub mod decide;
pub mod error;
pub mod event;
pub mod foreign;
pub mod kernel;
mod locals;
pub mod metrics;
pub mod object;
pub mod resolve;
pub mod route;
pub mod service;
pub mod table;
pub mod view;
