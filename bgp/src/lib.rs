//! A complete BGP-4 implementation whose heart does no IO.
//!
//! # The way of a route
//!
//! ```text
//! TCP octets
//!   -> net::peer     one task per peer: both connections, framing, KEEPALIVE, HoldTimer
//!   -> wire          octets to messages; an error is the NOTIFICATION, or the RFC 7606 action
//!   -> fsm           the state machine of that peer: collisions, timers, graceful restart
//!   -> net::speaker  one task that owns the core and feeds it RouteBatches
//!   -> core          import policy -> Adj-RIB-In -> decision -> Loc-RIB -> export groups
//!   -> net           best routes to whoever installs them, UPDATEs to whichever socket has room
//! ```
//!
//! # What lives where
//!
//! | module | what | IO |
//! |---|---|---|
//! | [`types`], [`event`], [`config`] | values that the others share | no |
//! | [`wire`] | messages, capabilities, attributes: octets to values and back | no |
//! | [`fsm`] | one peer's finite state machine (RFC 4271 section 8) | no |
//! | [`bfd`] | whether the path to a peer carries packets (RFC 5880) | no |
//! | [`policy`], [`decision`] | one route's import and export; the decision process, with its reasons | no |
//! | [`core`] | all RIBs, next hops, export groups, graceful restart | no |
//! | [`net`] | sockets, tasks, [`net::SpeakerHandle`]: start here to embed a speaker | yes |
//!
//! What does no IO takes the time as a parameter ([`types::Now`]) and randomness as a seed, is fed by `handle_*` or
//! plainly named methods, and drained by `poll_*`: whole networks of speakers run in one test, in virtual time.
//! `examples/speaker.rs` is a speaker inside another program.

pub mod bfd;
pub mod bmp;
pub mod config;
pub mod core;
pub mod decision;
pub mod event;
pub mod fsm;
pub mod mrt;
pub mod net;
pub mod policy;
mod rib;
pub mod types;
pub mod wire;
