//! Whole sessions from octets: whatever one peer does, the sessions and routes of the others stay as they are, and the
//! state machine, the core and the messages sent keep their invariants. The fuzz target `session` plays the same scripts.

#![allow(missing_docs, clippy::unwrap_used)]

mod rig;
mod script;

use std::path::Path;

use proptest::prelude::*;

/// The seeds of the fuzz target.
fn seeds() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/session");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|path| (path.display().to_string(), std::fs::read(path).unwrap())).collect()
}

#[test]
fn every_seed_of_the_fuzzer_keeps_the_invariants() {
    let seeds = seeds();
    assert!(!seeds.is_empty());
    for (name, seed) in seeds {
        eprintln!("{name}");
        script::play(&seed);
    }
}

/// Scripts that get somewhere: a session first, then mutated UPDATEs of the seeds among everything else.
fn scripts() -> impl Strategy<Value = Vec<u8>> {
    let seed = proptest::sample::select(seeds().into_iter().map(|(_, seed)| seed).collect::<Vec<_>>());
    let damage = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    let tail = proptest::collection::vec(any::<u8>(), 0..64);
    (seed, damage, tail).prop_map(|(mut script, damage, tail)| {
        for (place, octet) in damage {
            let at = place.index(script.len());
            script[at] = octet;
        }
        script.extend(tail);
        script
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_one_peer_does_the_others_keep_their_sessions_and_routes(script in scripts()) {
        script::play(&script);
    }
}
