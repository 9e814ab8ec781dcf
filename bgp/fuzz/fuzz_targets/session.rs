//! Any bytes, played as a script of what one peer does: the others' sessions and routes stay, the invariants hold.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/session/rig.rs"]
mod rig;
#[path = "../../tests/session/script.rs"]
mod script;

fuzz_target!(|input: &[u8]| script::play(input));
