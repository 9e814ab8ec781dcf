//! Any octets as the body of a NOTIFICATION (RFC 4271 section 4.5).
#![no_main]

#[path = "../common/mod.rs"]
mod common;

libfuzzer_sys::fuzz_target!(|body: &[u8]| common::check(3, body));
