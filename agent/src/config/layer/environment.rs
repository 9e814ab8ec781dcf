//! `SISKIN__SECTION__KEY` variables.

use std::collections::BTreeMap;

use super::Layer;
use crate::config::{
    error::{Fault, nearest},
    origin::Origin,
    schema::{Key, SECTIONS, Section, Shape, section},
};

const PREFIX: &str = "SISKIN__";

/// The layer of every variable with our prefix; unknown ones are errors.
pub(super) fn layer(environment: &BTreeMap<String, String>) -> Layer {
    let mut layer = Layer::default();
    for (name, text) in environment.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
        let origin = Origin::Environment(name.clone());
        let path = name.trim_start_matches(PREFIX).to_lowercase();
        let (section, key) = path.split_once("__").unwrap_or((&path, ""));
        match meant(section, key) {
            Ok((section, key)) => layer.set_text(section.name, key.name, key.kind, text, &origin),
            Err(fault) => layer.problems.push(fault.at(&origin, "")),
        }
    }
    layer
}

/// The key of these names, when it can be set outside the file.
pub(super) fn meant(section_name: &str, key_name: &str) -> Result<(&'static Section, &'static Key), Fault> {
    let tables = || SECTIONS.iter().filter(|s| s.shape == Shape::Table);
    let Some(section) = section(section_name) else {
        return Err(Fault::new(
            format!("unknown section `{section_name}`"),
            nearest(section_name, tables().map(|s| s.name)),
        ));
    };
    if section.shape == Shape::Tables {
        return Err(Fault::new(
            format!("[[{section_name}]] is a list of tables"),
            "write it in the file, or use --peer or --pool",
        ));
    }
    section.key(key_name).map(|key| (section, key)).ok_or_else(|| {
        Fault::new(
            format!("unknown key `{section_name}.{key_name}`"),
            nearest(key_name, section.keys.iter().map(|k| k.name)),
        )
    })
}
