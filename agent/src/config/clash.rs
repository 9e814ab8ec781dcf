//! Keys of peers that cannot be in force beside one another, as far as the configuration shows it.

use std::collections::BTreeMap;

use bgp::config::KeyClash;

use super::{
    error::{Fault, Problem},
    intent::Intent,
    reader::Setting,
};
use crate::translate;

/// A warning for each peer or range that can have no session because of another one's key; `settings` tell where it was
/// written.
pub(super) fn warnings(intent: &Intent, settings: &[Setting]) -> Vec<Problem> {
    let places = places(settings);
    let mesh = settings.iter().find(|s| s.key == "bgp.mesh");
    let told = |KeyClash { name, other }: KeyClash| {
        // A peer of the mesh has no place of its own.
        let place = places.get(&quoted(&name)).copied().or(mesh);
        let (origin, key) = place.map_or_else(Default::default, |s| (s.origin.clone(), s.key.clone()));
        let what = format!(
            "{name} cannot connect: the kernel has one key for an address, and that of {other} counts"
        );
        Fault::new(what, "give both the same password, or addresses that do not overlap").at(&origin, key)
    };
    translate::speaker(intent).key_clashes().into_iter().map(told).collect()
}

/// Where each peer is configured, by its name as TOML.
fn places(settings: &[Setting]) -> BTreeMap<String, &Setting> {
    let is_name = |s: &&Setting| s.key.starts_with("peers[") && s.key.ends_with("].name");
    settings.iter().filter(is_name).map(|setting| (setting.value.clone(), setting)).collect()
}

fn quoted(name: &str) -> String {
    toml::Value::from(name).to_string()
}
