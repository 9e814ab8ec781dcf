//! The wire format through its public face: hostile input, the RFC 7606 table, round trips, captured traffic.
//!
//! The `hostile_` modules have one test for each kind of input known to have crashed another implementation or
//! reset its sessions. Where such an input needs a feature that is not here (labelled prefixes, FlowSpec, LLGR,
//! FQDN, ORF, Tunnel Encapsulation, Prefix-SID, AIGP), the test shows that it is passed over unread.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod build;
mod corpus;
mod hostile_attributes;
mod hostile_nlri;
mod hostile_open;
mod hostile_other;
mod hostile_update;
mod oracle;
mod packing;
mod revised_errors;
mod round_trip;
mod stable;
mod tshark;
mod values;
