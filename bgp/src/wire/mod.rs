//! BGP messages as bytes and as values, both ways; pure.
//!
//! ```text
//! bytes -> framer::next_message -> message::decode -> Message
//!                                     |- open, capability    (then negotiate: two OPENs -> Negotiated)
//!                                     |- notification
//!                                     '- update: rows (RFC 7606 table) -> Vec<RouteItem>, Vec<Malformed>
//! PathAttributes + prefixes -> packer -> bytes
//! other messages            -> encode -> bytes
//! ```
//!
//! A decode error is the [`notification::Notification`] to send. What RFC 7606 lets the session survive is
//! reported beside the routes. Nothing here indexes, or computes, without a check.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

pub mod as_path;
pub mod attribute;
pub mod capability;
pub mod capability_code;
pub mod community;
pub mod context;
pub mod encode;
pub mod framer;
mod link_bandwidth;
pub mod message;
pub mod negotiate;
pub mod nlri;
pub mod notification;
pub mod open;
pub mod packer;
pub mod role;
pub mod update;

pub use context::{DecodeContext, EncodeContext};
pub use message::{Message, RouteRefresh, decode};
pub use negotiate::negotiate;
pub use notification::{ErrorKind, Notification};
pub use open::Open;
pub use update::Update;
