//! One atomic change of a part of the table.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::{Value, json};

use super::{Chain, Element, FAMILY, Printed, Ruleset, Set, SetKind, TABLE, Table};

/// What makes a part of the table as it is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Change {
    counters: BTreeSet<String>,
    dead_counters: BTreeSet<String>,
    sets: BTreeMap<String, SetChange>,
    chains: BTreeMap<String, ChainChange>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct SetChange {
    /// The set that goes, which may be followed by another of the same name.
    gone: Option<SetKind>,
    /// The set that comes.
    come: Option<SetKind>,
    add: BTreeSet<Element>,
    remove: BTreeSet<Element>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ChainChange {
    /// It is created.
    Create(Chain),
    /// Its rules are written anew.
    Rewrite(Vec<Value>),
    /// It is deleted and created, since a chain cannot be moved to another hook.
    Replace(Chain),
    Delete,
}

impl Change {
    /// From what is there to what is wanted. As long as nothing is known of how nft prints a chain, it is written anew.
    pub(crate) fn between(there: &Table, wanted: &Ruleset, printed: &Printed) -> Self {
        let sets = set_changes(there, wanted);
        let chains = chain_changes(there, wanted);
        // A chain or set that goes may be named in a chain that is otherwise as it should be.
        let something_goes = sets.values().any(|change| change.gone.is_some())
            || chains.values().any(|change| matches!(change, ChainChange::Replace(_) | ChainChange::Delete));
        let mut chains = chains;
        for (name, chain) in &wanted.chains {
            let Some(seen) = there.chains.get(*name).filter(|_| !chains.contains_key(*name)) else {
                continue;
            };
            if something_goes || !printed.is_as_written(name, &chain.rules, &seen.rules) {
                chains.insert((*name).to_owned(), ChainChange::Rewrite(chain.rules.clone()));
            }
        }
        let is_missing = |name: &&&str| !there.counters.contains_key(**name);
        let is_foreign = |name: &&String| !wanted.counters.contains(name.as_str());
        Self {
            counters: wanted.counters.iter().filter(is_missing).map(|name| (*name).to_owned()).collect(),
            dead_counters: there.counters.keys().filter(is_foreign).cloned().collect(),
            sets,
            chains,
        }
    }

    /// Whether there is nothing to change.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The chains that are written, with their rules.
    pub(crate) fn rules(&self) -> impl Iterator<Item = (&str, &[Value])> {
        self.chains.iter().filter_map(|(name, change)| Some((name.as_str(), change.rules()?)))
    }

    /// The document that makes this change in one transaction.
    pub(crate) fn document(&self) -> Value {
        let mut commands = vec![json!({"add": {"table": {"family": FAMILY, "name": TABLE}}})];
        commands.extend(self.counters.iter().map(|name| json!({"add": {"counter": named(name)}})));
        commands.extend(self.farewells());
        for (name, change) in &self.sets {
            commands.extend(change.come.map(|kind| create_set(name, kind)));
            commands.extend(elements("add", name, &change.add));
            commands.extend(elements("delete", name, &change.remove));
        }
        for (name, change) in &self.chains {
            if let ChainChange::Create(chain) | ChainChange::Replace(chain) = change {
                commands.push(create_chain(name, chain));
            }
        }
        for (chain, rules) in self.rules() {
            let rule = |expr: &Value| json!({"add": {"rule": {"family": FAMILY, "table": TABLE, "chain": chain, "expr": expr}}});
            commands.extend(rules.iter().map(rule));
        }
        json!({ "nftables": commands })
    }

    /// What goes: first the rules, which may name chains, sets and counters.
    fn farewells(&self) -> Vec<Value> {
        let mut commands = Vec::new();
        for (name, change) in &self.chains {
            if !matches!(change, ChainChange::Create(_)) {
                commands.push(json!({"flush": {"chain": named(name)}}));
            }
        }
        for (name, change) in &self.chains {
            if matches!(change, ChainChange::Replace(_) | ChainChange::Delete) {
                commands.push(json!({"delete": {"chain": named(name)}}));
            }
        }
        for (name, change) in &self.sets {
            commands.extend(change.gone.map(|kind| json!({"delete": {kind.word(): named(name)}})));
        }
        commands.extend(self.dead_counters.iter().map(|name| json!({"delete": {"counter": named(name)}})));
        commands
    }
}

impl ChainChange {
    fn rules(&self) -> Option<&[Value]> {
        match self {
            Self::Create(chain) | Self::Replace(chain) => Some(&chain.rules),
            Self::Rewrite(rules) => Some(rules),
            Self::Delete => None,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |count: fn(&SetChange) -> usize| self.sets.values().map(count).sum::<usize>();
        let (come, gone) = (sum(|change| change.add.len()), sum(|change| change.remove.len()));
        write!(f, "{} chains written, {come} elements in, {gone} out", self.rules().count())
    }
}

/// The document that removes the table, whether or not it is there.
pub(crate) fn removal() -> Value {
    let table = json!({"table": {"family": FAMILY, "name": TABLE}});
    json!({"nftables": [{"add": table}, {"delete": table}]})
}

fn set_changes(there: &Table, wanted: &Ruleset) -> BTreeMap<String, SetChange> {
    let names: BTreeSet<&String> = there.sets.keys().chain(wanted.sets.keys()).collect();
    let changes = names.into_iter().filter_map(|name| {
        let change = set_change(there.sets.get(name), wanted.sets.get(name))?;
        Some((name.clone(), change))
    });
    changes.collect()
}

fn set_change(there: Option<&Set>, wanted: Option<&Set>) -> Option<SetChange> {
    let kept = there.filter(|set| wanted.is_some_and(|wanted| wanted.kind == set.kind));
    let none = BTreeSet::new();
    let before = kept.map_or(&none, |set| &set.elements);
    let after = wanted.map_or(&none, |set| &set.elements);
    let change = SetChange {
        gone: there.filter(|_| kept.is_none()).map(|set| set.kind),
        come: wanted.filter(|_| kept.is_none()).map(|set| set.kind),
        add: after.difference(before).copied().collect(),
        remove: before.difference(after).copied().collect(),
    };
    let differs = change.gone.is_some() || change.come.is_some() || before != after;
    differs.then_some(change)
}

/// Chains that come, go or move.
fn chain_changes(there: &Table, wanted: &Ruleset) -> BTreeMap<String, ChainChange> {
    let mut changes = BTreeMap::new();
    for (name, chain) in &wanted.chains {
        match there.chains.get(*name) {
            None => changes.insert((*name).to_owned(), ChainChange::Create(chain.clone())),
            Some(seen) if seen.hook != chain.hook => {
                changes.insert((*name).to_owned(), ChainChange::Replace(chain.clone()))
            }
            Some(_) => None,
        };
    }
    let foreign = there.chains.keys().filter(|name| !wanted.chains.contains_key(name.as_str()));
    changes.extend(foreign.map(|name| (name.clone(), ChainChange::Delete)));
    changes
}

fn create_set(name: &str, kind: SetKind) -> Value {
    let mut set = named(name);
    match kind {
        SetKind::Addresses | SetKind::ForeignSet => set["type"] = json!("ipv4_addr"),
        SetKind::MarkedAddresses => set["type"] = json!(["mark", "ipv4_addr"]),
        SetKind::Marks | SetKind::ForeignMap => {
            set["type"] = json!("ipv4_addr");
            set["map"] = json!("mark");
        }
    }
    json!({"add": {kind.word(): set}})
}

fn create_chain(name: &str, chain: &Chain) -> Value {
    let mut described = named(name);
    if let Some(hook) = &chain.hook {
        described["type"] = json!(hook.kind);
        described["hook"] = json!(hook.name);
        described["prio"] = json!(hook.priority);
        described["policy"] = json!(hook.policy);
    }
    json!({"add": {"chain": described}})
}

fn elements(verb: &str, set: &str, elements: &BTreeSet<Element>) -> Option<Value> {
    (!elements.is_empty()).then(|| {
        let mut element = named(set);
        element["elem"] = elements.iter().map(Element::value).collect();
        json!({ verb: { "element": element } })
    })
}

fn named(name: &str) -> Value {
    json!({"family": FAMILY, "table": TABLE, "name": name})
}

#[cfg(test)]
mod simulated;
