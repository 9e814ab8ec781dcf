//! Any octets as the body of an OPEN (RFC 4271 section 4.2).
#![no_main]

#[path = "../common/mod.rs"]
mod common;

libfuzzer_sys::fuzz_target!(|body: &[u8]| common::check(1, body));
