//! The wire format through its public face: hostile input, the RFC 7606 table, round trips, captured traffic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod build;
mod corpus;
mod hostile_attributes;
mod hostile_nlri;
mod hostile_open;
mod hostile_other;
mod hostile_update;
mod packing;
mod revised_errors;
mod round_trip;
mod stable;
mod tshark;
mod values;
