//! The interface of the daemon to its command line: one request line in, JSON lines out, over a unix socket.
//!
//! ```text
//! -> {"command":"peers"}
//! <- {"header":{"protocol":1}}
//! <- {"row":{...}}            any number
//! <- {"end":{"rows":2}}       or {"error":{...}}
//! ```
//!
//! A table is read a page at a time between two writes to the client ([`backend::Backend::page`]): a client that
//! reads slowly, or not at all, holds one page and nobody up.

mod asker;
pub mod backend;
pub mod client;
mod input;
pub mod protocol;
pub mod server;
pub mod socket;
