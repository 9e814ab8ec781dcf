//! A table of nftables as data: what it shall hold, what it holds, and the one transaction in between. Pure.
//!
//! The table is `ip siskin`: of the family `ip`, since all that passes tunl0 is IPv4 and since that needs least of the
//! kernel. All of its sets are hashes whose elements change one by one; a set holds addresses, or networks of one
//! length, which a rule looks up under their mask. Interval sets would do with one lookup, but before Linux 6.17 a
//! packet that is looked up while such a set changes may miss an element that stays. Counters are named objects and
//! survive every change.
//!
//! The documents are written with `serde_json` rather than with the `nftables` crate: that crate's closed types fail on
//! a whole answer when a newer nft describes anything it does not know.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use serde_json::{Value, json};

use crate::status::Counter;

pub(crate) mod change;
pub(crate) mod listing;

/// The table's family.
pub(crate) const FAMILY: &str = "ip";
/// The table's name.
pub(crate) const TABLE: &str = "siskin";

/// What a part of the table shall hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ruleset {
    /// Names of its counters.
    pub(crate) counters: BTreeSet<&'static str>,
    /// Its sets and maps by name.
    pub(crate) sets: BTreeMap<String, Set>,
    /// Its chains by name.
    pub(crate) chains: BTreeMap<&'static str, Chain>,
}

impl Ruleset {
    /// This and another of other names.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.counters.extend(other.counters);
        self.sets.extend(other.sets);
        self.chains.extend(other.chains);
        self
    }
}

/// What the table, or a part of it, holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// Its counters by name.
    pub(crate) counters: BTreeMap<String, Counter>,
    /// Its sets and maps by name.
    pub(crate) sets: BTreeMap<String, Set>,
    /// Its chains by name, with their rules as nft prints them.
    pub(crate) chains: BTreeMap<String, Chain>,
}

impl Table {
    /// The objects whose names the test likes, and the others.
    pub(crate) fn split(self, likes: impl Fn(&str) -> bool) -> (Self, Self) {
        fn split<V>(
            objects: BTreeMap<String, V>,
            likes: impl Fn(&str) -> bool,
        ) -> (BTreeMap<String, V>, BTreeMap<String, V>) {
            objects.into_iter().partition(|(name, _)| likes(name))
        }
        let (counters, other_counters) = split(self.counters, &likes);
        let (sets, other_sets) = split(self.sets, &likes);
        let (chains, other_chains) = split(self.chains, &likes);
        let others = Self { counters: other_counters, sets: other_sets, chains: other_chains };
        (Self { counters, sets, chains }, others)
    }

    /// Whether it holds nothing.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What a counter has counted.
    pub(crate) fn counter(&self, name: &str) -> Counter {
        self.counters.get(name).copied().unwrap_or_default()
    }
}

/// A set or a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Set {
    /// What its elements are.
    pub(crate) kind: SetKind,
    /// Its elements, each of that kind.
    pub(crate) elements: BTreeSet<Element>,
}

impl Set {
    /// An empty one.
    pub(crate) fn new(kind: SetKind) -> Self {
        Self { kind, elements: BTreeSet::new() }
    }
}

/// What the elements of a set are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetKind {
    /// Addresses.
    Addresses,
    /// Packet marks with addresses.
    MarkedAddresses,
    /// Packet marks by address: a map.
    Marks,
    /// A set of another kind, which is not ours.
    ForeignSet,
    /// A map of another kind.
    ForeignMap,
}

impl SetKind {
    /// What nft calls it.
    fn word(self) -> &'static str {
        match self {
            Self::Addresses | Self::MarkedAddresses | Self::ForeignSet => "set",
            Self::Marks | Self::ForeignMap => "map",
        }
    }
}

/// An element of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Element {
    /// Of [`SetKind::Addresses`].
    Address(Ipv4Addr),
    /// Of [`SetKind::MarkedAddresses`].
    Marked(u32, Ipv4Addr),
    /// Of [`SetKind::Marks`].
    Mark(Ipv4Addr, u32),
}

impl Element {
    fn value(&self) -> Value {
        match self {
            Self::Address(address) => json!(address),
            Self::Marked(mark, address) => json!({"concat": [mark, address]}),
            Self::Mark(address, mark) => json!([address, mark]),
        }
    }
}

/// A chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Chain {
    /// Where it hangs; `None`: other chains lead to it.
    pub(crate) hook: Option<Hook>,
    /// Its rules.
    pub(crate) rules: Vec<Value>,
}

/// Where a chain hangs. Its policy is `accept`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hook {
    /// `filter` or `nat`.
    pub(crate) kind: String,
    /// The hook's name.
    pub(crate) name: String,
    /// Its place among the chains of that hook.
    pub(crate) priority: i64,
    /// What becomes of a packet no rule decides on.
    pub(crate) policy: String,
}

impl Hook {
    /// A hook with the policy `accept`.
    pub(crate) fn new(kind: &str, name: &str, priority: i64) -> Self {
        Self { kind: kind.to_owned(), name: name.to_owned(), priority, policy: "accept".to_owned() }
    }
}

/// Chains as nft printed them after we wrote them: what differs from that was altered by someone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Printed(BTreeMap<String, Form>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Form {
    written: Vec<Value>,
    printed: Vec<Value>,
}

impl Printed {
    /// Whether nothing was written yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes how the rules of a change look in the kernel.
    pub(crate) fn note(&mut self, change: &change::Change, table: &Table) {
        for (name, written) in change.rules() {
            if let Some(chain) = table.chains.get(name) {
                let form = Form { written: written.to_vec(), printed: chain.rules.clone() };
                self.0.insert(name.to_owned(), form);
            }
        }
    }

    fn is_as_written(&self, name: &str, wanted: &[Value], seen: &[Value]) -> bool {
        self.0.get(name).is_some_and(|form| form.written == wanted && form.printed == seen)
    }
}
