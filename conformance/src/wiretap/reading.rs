//! What somebody reads in a message: its fields by name, as text that can be compared.

mod ours;
mod theirs;

use std::collections::BTreeMap;

use bgp::wire::{
    DecodeContext, Message,
    attribute::code,
    update::{Action, Malformed},
};

pub(super) use self::theirs::Width;
use super::pdml::Node;

/// A message's fields by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(BTreeMap<String, String>);

/// How the name of a field with routes begins.
const REACH: &str = "announced, ";
const UNREACH: &str = "withdrawn, ";
const HOP: &str = "next hop, ";
/// The field with the attributes we interpret that came with the Partial bit.
const PARTIAL: &str = "partial";

impl Fields {
    /// What `bgp::wire` reads.
    pub(super) fn ours(message: &Message, context: &DecodeContext) -> Self {
        ours::read(message, context)
    }

    /// What tshark reads; `octets` are those of the message, for what it finds but does not look into.
    pub(super) fn theirs(dissected: &Node, octets: &[u8], context: &DecodeContext) -> Self {
        theirs::read(dissected, octets, context)
    }

    /// Applies what RFC 7606 has done about errors to a reading that knows nothing of it.
    pub(super) fn revise(&mut self, errors: &[Malformed]) {
        for error in errors {
            match (error.action, error.attribute) {
                (Action::AttributeDiscard, Some(code)) => drop(self.0.remove(&attribute(code))),
                (Action::TreatAsWithdraw, _) => self.withdraw(),
                (Action::AttributeDiscard | Action::SessionReset, _) => {}
            }
        }
    }

    fn withdraw(&mut self) {
        let fields = std::mem::take(&mut self.0);
        for (name, value) in fields {
            if let Some(family) = name.strip_prefix(REACH) {
                self.append(format!("{UNREACH}{family}"), &value);
            } else if name.starts_with(UNREACH) || name == "type" {
                self.append(name, &value);
            }
        }
    }

    fn put(&mut self, name: impl Into<String>, value: impl ToString) {
        self.0.insert(name.into(), value.to_string());
    }

    /// Adds to what the field has, should it be there.
    fn append(&mut self, name: String, value: &str) {
        let field = self.0.entry(name).or_default();
        if !field.is_empty() {
            field.push(' ');
        }
        field.push_str(value);
    }

    /// Every field that is not the same on both sides.
    pub(super) fn differences(&self, theirs: &Self) -> Vec<String> {
        let names: std::collections::BTreeSet<_> = self.0.keys().chain(theirs.0.keys()).collect();
        let text =
            |fields: &Self, name: &str| fields.0.get(name).cloned().unwrap_or_else(|| "nothing".into());
        let differ = names.into_iter().filter(|name| self.0.get(*name) != theirs.0.get(*name));
        differ
            .map(|name| format!("{name}: siskin reads {}, tshark {}", text(self, name), text(theirs, name)))
            .collect()
    }
}

/// The name of an attribute's field.
fn attribute(code: u8) -> String {
    code::name(code).map_or_else(|| format!("attribute {code}"), str::to_owned)
}

fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(" ")
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
