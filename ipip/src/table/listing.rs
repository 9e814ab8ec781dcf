//! Reading what `nft -j list` answers. Anything unknown is skipped: newer versions may say more.

use std::{collections::BTreeSet, net::Ipv4Addr};

use serde::Deserialize;
use serde_json::Value;

use super::{Element, Hook, Set, SetKind, Table};
use crate::status::{Counter, FelixChain};

/// Reads the answer to `list table ip siskin`.
pub(crate) fn parse_table(answer: &str) -> Result<Table, serde_json::Error> {
    let mut table = Table::default();
    for object in objects(answer)? {
        match object {
            Object::Counter(counter) => drop(table.counters.insert(counter.name, counter.value)),
            Object::Set(set) => drop(table.sets.insert(set.name.clone(), set.read(SetKind::ForeignSet))),
            Object::Map(map) => drop(table.sets.insert(map.name.clone(), map.read(SetKind::ForeignMap))),
            Object::Chain(chain) => {
                let hook = chain.hook();
                table.chains.entry(chain.name).or_default().hook = hook;
            }
            Object::Rule(rule) => table.chains.entry(rule.chain).or_default().rules.push(rule.expr),
        }
    }
    Ok(table)
}

/// What Felix has set up itself, as the answer to `list chains ip` shows it: iptables-nft has the chain in table
/// `filter` or `nat`; Felix's nftables mode has it in table `calico`, with the name of the table in front.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Felix {
    /// Its guard of protocol 4.
    pub(crate) guard: Option<FelixChain>,
    /// Its masquerading of what leaves the pools.
    pub(crate) masquerade: Option<FelixChain>,
}

/// Finds Felix's chains.
pub(crate) fn felix(answer: &str) -> Result<Felix, serde_json::Error> {
    let mut felix = Felix::default();
    for object in objects(answer)? {
        let Object::Chain(chain) = object else { continue };
        let place = match chain.name.as_str() {
            name if name.ends_with("cali-INPUT") => &mut felix.guard,
            name if name.ends_with("cali-nat-outgoing") => &mut felix.masquerade,
            _ => continue,
        };
        place.get_or_insert(FelixChain { table: chain.table, chain: chain.name });
    }
    Ok(felix)
}

#[derive(Deserialize)]
struct Answer {
    nftables: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Object {
    Counter(NamedCounter),
    Set(ListedSet),
    Map(ListedSet),
    Chain(ListedChain),
    Rule(Rule),
}

#[derive(Deserialize)]
struct NamedCounter {
    name: String,
    #[serde(flatten)]
    value: Counter,
}

#[derive(Deserialize)]
struct ListedSet {
    name: String,
    #[serde(rename = "type")]
    kind: Value,
    map: Option<Value>,
    #[serde(default)]
    flags: Value,
    #[serde(default)]
    elem: Vec<ListedElement>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ListedElement {
    Address(Ipv4Addr),
    Mark(Ipv4Addr, u32),
    Marked { concat: (u32, Ipv4Addr) },
    Other(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct ListedChain {
    table: String,
    name: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    hook: Option<String>,
    prio: Option<i64>,
    policy: Option<String>,
}

#[derive(Deserialize)]
struct Rule {
    chain: String,
    expr: Value,
}

impl ListedChain {
    fn hook(&self) -> Option<Hook> {
        let (kind, name) = (self.kind.clone()?, self.hook.clone()?);
        // A priority or policy we cannot read is none we wrote.
        let priority = self.prio.unwrap_or(i64::MAX);
        Some(Hook { kind, name, priority, policy: self.policy.clone().unwrap_or_default() })
    }
}

impl ListedSet {
    fn read(self, foreign: SetKind) -> Set {
        let elements: Option<BTreeSet<Element>> = self.elem.iter().map(ListedElement::read).collect();
        match (self.kind(), elements) {
            (Some(kind), Some(elements)) if elements.iter().all(|element| element.kind() == kind) => {
                Set { kind, elements }
            }
            _ => Set::new(foreign),
        }
    }

    /// Its kind, if it is one of ours: those have no flags.
    fn kind(&self) -> Option<SetKind> {
        if !self.flags.is_null() {
            return None;
        }
        match (&self.kind, &self.map) {
            (Value::String(key), None) if key == "ipv4_addr" => Some(SetKind::Addresses),
            (Value::String(key), Some(value)) if key == "ipv4_addr" && value == "mark" => {
                Some(SetKind::Marks)
            }
            (Value::Array(keys), None) if *keys == ["mark", "ipv4_addr"] => Some(SetKind::MarkedAddresses),
            _ => None,
        }
    }
}

impl ListedElement {
    fn read(&self) -> Option<Element> {
        match self {
            Self::Address(address) => Some(Element::Address(*address)),
            Self::Mark(address, mark) => Some(Element::Mark(*address, *mark)),
            Self::Marked { concat: (mark, address) } => Some(Element::Marked(*mark, *address)),
            Self::Other(_) => None,
        }
    }
}

impl Element {
    fn kind(&self) -> SetKind {
        match self {
            Self::Address(_) => SetKind::Addresses,
            Self::Marked(..) => SetKind::MarkedAddresses,
            Self::Mark(..) => SetKind::Marks,
        }
    }
}

fn objects(answer: &str) -> Result<Vec<Object>, serde_json::Error> {
    let answer: Answer = serde_json::from_str(answer)?;
    Ok(answer.nftables.into_iter().filter_map(|object| serde_json::from_value(object).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Chain;

    const LISTING: &str = r#"{"nftables": [
        {"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
        {"table": {"family": "ip", "name": "siskin", "handle": 1}},
        {"counter": {"family": "ip", "name": "dropped", "table": "siskin", "handle": 1, "packets": 7, "bytes": 280}},
        {"unheard-of": {"family": "ip"}},
        {"set": {"family": "ip", "name": "nodes_32", "table": "siskin", "type": "ipv4_addr", "handle": 3,
                 "elem": ["10.0.0.1", "10.0.0.2"]}},
        {"set": {"family": "ip", "name": "bound_26", "table": "siskin", "type": ["mark", "ipv4_addr"], "handle": 4,
                 "elem": [{"concat": [5, "10.1.1.64"]}]}},
        {"map": {"family": "ip", "name": "marks", "table": "siskin", "type": "ipv4_addr", "handle": 8, "map": "mark",
                 "elem": [["10.0.0.1", 5]]}},
        {"set": {"family": "ip", "name": "strange", "table": "siskin", "type": "ipv4_addr", "handle": 9,
                 "flags": ["interval"], "elem": [{"range": ["10.9.0.0", "10.9.0.8"]}]}},
        {"chain": {"family": "ip", "table": "siskin", "name": "tunnel_outer", "handle": 5, "type": "filter",
                   "hook": "prerouting", "prio": -300, "policy": "accept"}},
        {"chain": {"family": "ip", "table": "siskin", "name": "tunnel_source", "handle": 7}},
        {"rule": {"family": "ip", "table": "siskin", "chain": "tunnel_outer", "handle": 6, "expr": [{"drop": null}]}}
    ]}"#;

    fn address(text: &str) -> Ipv4Addr {
        text.parse().unwrap()
    }

    #[test]
    fn a_listing_is_read_with_counters_sets_and_rules() {
        let table = parse_table(LISTING).unwrap();
        assert_eq!(table.counter("dropped"), Counter { packets: 7, bytes: 280 });
        let nodes = [address("10.0.0.1"), address("10.0.0.2")].map(Element::Address);
        assert_eq!(table.sets["nodes_32"], Set { kind: SetKind::Addresses, elements: nodes.into() });
        assert_eq!(table.sets["bound_26"].elements, [Element::Marked(5, address("10.1.1.64"))].into());
        assert_eq!(table.sets["marks"].elements, [Element::Mark(address("10.0.0.1"), 5)].into());
        assert_eq!(table.sets["strange"], Set::new(SetKind::ForeignSet));
        let outer = &table.chains["tunnel_outer"];
        assert_eq!(outer.hook, Some(Hook::new("filter", "prerouting", -300)));
        assert_eq!(outer.rules, [serde_json::json!([{"drop": null}])]);
        assert_eq!(table.chains["tunnel_source"], Chain::default());
    }

    #[test]
    fn felixs_chains_are_found_in_both_of_its_modes() {
        let listing = |table: &str, chain: &str| {
            format!(
                r#"{{"nftables": [{{"chain": {{"family": "ip", "table": "{table}", "name": "{chain}"}}}}]}}"#
            )
        };
        let found = |table: &str, chain: &str| Some(FelixChain { table: table.into(), chain: chain.into() });
        for (table, chain) in [("filter", "cali-INPUT"), ("calico", "filter-cali-INPUT")] {
            assert_eq!(felix(&listing(table, chain)).unwrap().guard, found(table, chain));
        }
        for (table, chain) in [("nat", "cali-nat-outgoing"), ("calico", "nat-cali-nat-outgoing")] {
            assert_eq!(felix(&listing(table, chain)).unwrap().masquerade, found(table, chain));
        }
        assert_eq!(felix(&listing("filter", "INPUT")).unwrap(), Felix::default());
    }
}
