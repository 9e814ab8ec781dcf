//! What a file costs grows with what it says, not with its square.

use std::{fmt::Write, time::Instant};

use super::*;

/// A file with this many of everything that there may be many of; right, or with each entry wrong.
fn file(nodes: usize, wrong: &str) -> String {
    let address =
        |n: usize| format!("{}.{}.{}.{}", 11 + n / 65_536 / 256, n / 65_536 % 256, n / 256 % 256, n % 256);
    let mesh: Vec<_> = (0..nodes).map(|n| format!("\"{}{wrong}\"", address(n))).collect();
    let mut text = format!("[bgp]\nmesh = [{}]\n", mesh.join(","));
    for n in 0..nodes / 50 {
        let at = address(n + 0x0100_0000);
        let _ =
            write!(text, "[[peers]]\naddress = \"{at}\"\nasn = 64600\nimport = \"all\"\npassword = \"p\"\n");
        let pool = address(n * 16 + 0x0200_0000);
        let _ = write!(text, "[[pools]]\ncidr = \"{pool}/28\"\nblock_size = 28\n");
    }
    let blocks: Vec<_> =
        (0..nodes / 50).map(|n| format!("\"{}/28\"", address(n * 16 + 0x0200_0000))).collect();
    let _ = write!(text, "[local]\nblocks = [{}]\n", blocks.join(","));
    text
}

/// The time to load a file and to compare it with itself.
fn time(text: &str) -> std::time::Duration {
    let host = FakeHost::with_file(text);
    let start = Instant::now();
    if let Ok(loaded) = load(&inputs(&[], Flags::default()), &host) {
        assert!(Change::between(&loaded.intent, &loaded.intent.clone()).applied.is_empty());
    }
    start.elapsed()
}

/// Eight times the size may take sixteen times as long: a square would be sixty-four. The better of two, since the
/// machine has other things to do.
#[test]
fn a_large_file_takes_time_in_proportion_to_its_size() {
    for wrong in ["", "/32"] {
        let best = |nodes| (0..2).map(|_| time(&file(nodes, wrong))).min().unwrap();
        let (small, large) = (best(1_000), best(8_000));
        assert!(large < small * 16, "{wrong:?}: {small:?} for 1,000 nodes, {large:?} for 8,000");
    }
}
