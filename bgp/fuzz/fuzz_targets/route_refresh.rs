//! Any octets as the body of a ROUTE-REFRESH (RFC 2918).
#![no_main]

#[path = "../common/mod.rs"]
mod common;

libfuzzer_sys::fuzz_target!(|body: &[u8]| common::check(5, body));
