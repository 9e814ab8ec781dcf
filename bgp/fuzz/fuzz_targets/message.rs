//! Any bytes, read as a message under several sessions: nothing panics, and what can be read is stable.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/wire/oracle.rs"]
mod oracle;
#[path = "../../tests/wire/stable.rs"]
mod stable;

// The first octet chooses the type, the rest is the body: the fuzzer need not find marker and length.
fuzz_target!(|input: &[u8]| {
    let Some((kind, body)) = input.split_first() else { return };
    let Ok(length) = u16::try_from(body.len() + 19) else { return };
    let message = [&[0xff; 16][..], &length.to_be_bytes(), &[kind % 7], body].concat();
    for (decode, encode) in stable::sessions() {
        stable::check(&message, &decode, &encode);
    }
    let _ = bgp::wire::framer::message_length(input, 4096);
});
