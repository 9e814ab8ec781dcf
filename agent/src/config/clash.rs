//! Keys of peers that cannot be in force beside one another, as far as the configuration shows it.

use bgp::config::KeyClash;

use super::{
    error::{Fault, Problem},
    intent::Intent,
    origin::Origin,
    reader::Setting,
};
use crate::translate;

/// A warning for each peer or range that can have no session because of another one's key; `settings` tell where it was
/// written.
pub(super) fn warnings(intent: &Intent, settings: &[Setting]) -> Vec<Problem> {
    let told = |KeyClash { name, other }: KeyClash| {
        let (origin, key) = place(&name, settings);
        let what = format!(
            "{name} cannot connect: the kernel has one key for an address, and that of {other} counts"
        );
        Fault::new(what, "give both the same password, or addresses that do not overlap").at(&origin, key)
    };
    translate::speaker(intent).key_clashes().into_iter().map(told).collect()
}

/// Where a peer is configured; one of the mesh: where the mesh is.
fn place(peer: &str, settings: &[Setting]) -> (Origin, String) {
    let named = toml::Value::from(peer).to_string();
    let is_name = |s: &&Setting| s.key.starts_with("peers[") && s.key.ends_with("].name") && s.value == named;
    let found = settings.iter().find(is_name).or_else(|| settings.iter().find(|s| s.key == "bgp.mesh"));
    found.map_or_else(Default::default, |s| (s.origin.clone(), s.key.clone()))
}
