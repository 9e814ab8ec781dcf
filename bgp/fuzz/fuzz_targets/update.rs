//! Any octets as the body of an UPDATE (RFC 4271 section 4.3).
#![no_main]

#[path = "../common/mod.rs"]
mod common;

libfuzzer_sys::fuzz_target!(|body: &[u8]| common::check(2, body));
