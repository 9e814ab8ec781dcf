//! Any octets as a stream: cut into messages, whatever their types and lengths.
#![no_main]

#[path = "../common/mod.rs"]
mod common;

use bgp::wire::framer;

libfuzzer_sys::fuzz_target!(|stream: &[u8]| {
    let mut rest = stream;
    while let Ok(Some(length)) = framer::message_length(rest, 65535) {
        let Some((message, behind)) = rest.split_at_checked(length) else { return };
        let (header, body) = message.split_at(framer::HEADER);
        common::check(header[18], body);
        rest = behind;
    }
});
