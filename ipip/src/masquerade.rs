//! Masquerading as a part of the table: what leaves the pools takes this host's address. Pure.
//!
//! Whether a connection is translated is decided by its first packet, and by addresses alone: a connection between pods
//! never is, whichever way it takes, so that a change of that way changes nothing for it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    config::Masquerade,
    guard::{accept, by_length, within},
    table::{Chain, Hook, Ruleset, Table},
};

const CHAIN: &str = "nat_outgoing";
const SOURCES: &str = "nat_sources";
const EXCEPTIONS: &str = "nat_exceptions";
/// Priority `srcnat`.
const PRIORITY: i64 = 100;

/// Whether an object of this name belongs to this part of the table.
pub(crate) fn owns(name: &str) -> bool {
    name.starts_with("nat_")
}

/// Whether a table has it.
pub(crate) fn is_in(table: &Table) -> bool {
    table.chains.contains_key(CHAIN)
}

/// What this part of the table shall hold.
pub(crate) fn ruleset(masquerade: &Masquerade) -> Ruleset {
    if masquerade.sources.is_empty() {
        return Ruleset::default();
    }
    let mut sets = BTreeMap::new();
    let sources = by_length(&mut sets, SOURCES, masquerade.sources.iter().copied().collect());
    let exceptions = by_length(&mut sets, EXCEPTIONS, masquerade.except_to.iter().copied().collect());
    let inside = exceptions.iter().map(|length| json!([within("daddr", EXCEPTIONS, *length), accept()]));
    let outside = sources.iter().map(|length| json!([within("saddr", SOURCES, *length), translate()]));
    let rules = inside.chain(outside).collect();
    let hook = Some(Hook::new("nat", "postrouting", PRIORITY));
    Ruleset { sets, chains: BTreeMap::from([(CHAIN, Chain { hook, rules })]), ..Ruleset::default() }
}

/// Random ports: two translations of one source port would otherwise race for the same one.
fn translate() -> Value {
    json!({"masquerade": {"flags": "fully-random"}})
}
