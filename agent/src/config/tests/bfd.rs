use std::time::Duration;

use bgp::bfd::{BfdConfig, PathChoice};

use super::*;

const PEER: &str = "[[peers]]\naddress = \"10.0.0.1\"\nasn = 64600\n";

fn of_peer(general: &str, keys: &str) -> Option<BfdConfig> {
    intent(&format!("{general}\n{PEER}{keys}")).peers.into_values().next().unwrap().bfd
}

/// Milliseconds sent and wanted, and the multiplier.
fn timers(config: BfdConfig) -> (u128, u128, u8) {
    let p = config.parameters;
    (p.min_tx.as_millis(), p.min_rx.as_millis(), p.multiplier.get())
}

#[test]
fn no_path_is_watched_unless_somebody_asks() {
    let intent = intent(&format!("[bgp]\nmesh = [\"192.168.92.129\"]\n{PEER}"));
    assert_eq!(intent.bfd.mesh, None);
    assert!(intent.peers.values().all(|peer| peer.bfd.is_none()));
}

#[test]
fn a_peer_takes_what_the_section_says() {
    assert_eq!(of_peer("", "bfd = \"on\"").map(timers), Some((300, 300, 3)));
    let general = "[bfd]\ninterval = 50\nmultiplier = 5";
    assert_eq!(of_peer(general, "bfd = \"on\"").map(timers), Some((50, 50, 5)));
    assert_eq!(of_peer(general, "bfd_interval = 100"), None);
}

#[test]
fn a_peers_own_keys_come_first_and_each_direction_before_both() {
    let keys =
        "bfd = \"on\"\nbfd_interval = 100\nbfd_min_rx = 200\nbfd_multiplier = 4\nbfd_multihop = \"on\"";
    let config = of_peer("[bfd]\ninterval = 50", keys).unwrap();
    assert_eq!(timers(config), (100, 200, 4));
    assert_eq!(config.path, PathChoice::MultiHop);
}

#[test]
fn the_mesh_is_watched_on_request() {
    let intent = intent("[bfd]\nmesh = \"on\"\ninterval = 1000");
    assert_eq!(intent.bfd.mesh.map(|c| c.parameters.min_rx), Some(Duration::from_secs(1)));
}

#[test]
fn intervals_and_multipliers_have_bounds() {
    for (key, value) in [("interval", 9), ("interval", 60_001), ("multiplier", 0), ("multiplier", 256)] {
        let text = format!("[bfd]\n{key} = {value}");
        assert!(problems(&text).contains("is out of range"), "{text}");
    }
}
