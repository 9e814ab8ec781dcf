//! From what the libraries know to the rows of the API. Pure.

pub(super) mod bfd;
mod capabilities;
pub(super) mod explain;
mod exports;
pub(super) mod fib;
mod link;
pub(super) mod peer;
pub(super) mod policy;
pub(super) mod route;
pub(super) mod words;
