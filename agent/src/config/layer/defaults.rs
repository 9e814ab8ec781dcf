//! The lowest layer: the defaults of the schema.

use super::{Layer, sourced};
use crate::config::{
    origin::Origin,
    schema::{Fallback, SECTIONS, Shape},
};

/// Every key of every plain section that has a default; entries of `[[peers]]` and `[[pools]]` take theirs
/// when they are read.
pub(super) fn layer() -> Layer {
    let mut layer = Layer::default();
    for section in SECTIONS.iter().filter(|s| s.shape == Shape::Table) {
        for key in section.keys {
            let value = match key.default {
                Fallback::Text(text) => sourced(&Origin::Default, text),
                Fallback::Integer(number) => sourced(&Origin::Default, number),
                Fallback::Switch(switch) => sourced(&Origin::Default, switch),
                Fallback::Empty => sourced(&Origin::Default, Vec::<config::Value>::new()),
                Fallback::Derived(_) | Fallback::Required => continue,
            };
            layer.set(section.name, key.name, value);
        }
    }
    layer
}
