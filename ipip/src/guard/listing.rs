//! Reading what `nft -j list` answers. Anything unknown is skipped: newer versions may say more.

use std::net::Ipv4Addr;

use ipnet::{Ipv4Net, Ipv4Subnets};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use super::{ACCEPTED, CHAIN, Chain, Counter, DROPPED, GuardTable, HOOK, Members, NETWORKS, NODES, PRIORITY};
use crate::status::FelixGuard;

/// Reads the answer to `list table ip siskin`.
pub(crate) fn parse_table(answer: &str) -> Result<GuardTable, serde_json::Error> {
    let mut table = GuardTable::default();
    let mut rules = Vec::new();
    for object in objects(answer)? {
        match object {
            Object::Counter(counter) if counter.name == ACCEPTED => table.accepted = counter.value,
            Object::Counter(counter) if counter.name == DROPPED => table.dropped = counter.value,
            Object::Set(set) => add_members(&mut table.members, &set),
            Object::Chain(chain) if chain.name == CHAIN => table.chain = chain.state(),
            Object::Rule(rule) if rule.chain == CHAIN => rules.push(rule.expr),
            _ => {}
        }
    }
    if let Chain::Hooked(seen) = &mut table.chain {
        *seen = rules;
    }
    Ok(table)
}

/// Finds Felix's own guard in the answer to `list chains ip`: its filter INPUT chain is `cali-INPUT` in table `filter`
/// (iptables-nft) or `filter-cali-INPUT` in table `calico` (nftables mode).
pub(crate) fn felix_guard(answer: &str) -> Result<Option<FelixGuard>, serde_json::Error> {
    let found = objects(answer)?.into_iter().find_map(|object| match object {
        Object::Chain(chain) if chain.name.ends_with("cali-INPUT") => {
            Some(FelixGuard { table: chain.table, chain: chain.name })
        }
        _ => None,
    });
    Ok(found)
}

#[derive(Deserialize)]
struct Answer {
    nftables: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Object {
    Counter(NamedCounter),
    Set(Set),
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
struct Set {
    name: String,
    #[serde(default)]
    elem: Vec<Element>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Element {
    Address(Ipv4Addr),
    Prefix { prefix: Prefix },
    Range { range: (Ipv4Addr, Ipv4Addr) },
    Other(IgnoredAny),
}

#[derive(Deserialize)]
struct Prefix {
    addr: Ipv4Addr,
    len: u8,
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
    fn state(&self) -> Chain {
        let placed = self.kind.as_deref() == Some("filter")
            && self.hook.as_deref() == Some(HOOK)
            && self.prio == Some(PRIORITY)
            && self.policy.as_deref() == Some("accept");
        if placed { Chain::Hooked(Vec::new()) } else { Chain::Misplaced }
    }
}

fn objects(answer: &str) -> Result<Vec<Object>, serde_json::Error> {
    let answer: Answer = serde_json::from_str(answer)?;
    Ok(answer.nftables.into_iter().filter_map(|object| serde_json::from_value(object).ok()).collect())
}

fn add_members(members: &mut Members, set: &Set) {
    let nets = set.elem.iter().flat_map(Element::prefixes);
    match set.name.as_str() {
        NODES => members.nodes.extend(nets.map(|net| net.addr())),
        NETWORKS => members.networks.extend(nets),
        _ => {}
    }
}

impl Element {
    fn prefixes(&self) -> Vec<Ipv4Net> {
        match self {
            Self::Address(address) => vec![Ipv4Net::from(*address)],
            Self::Prefix { prefix } => Ipv4Net::new(prefix.addr, prefix.len).into_iter().collect(),
            Self::Range { range: (first, last) } => Ipv4Subnets::new(*first, *last, 0).collect(),
            Self::Other(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = r#"{"nftables": [
        {"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
        {"table": {"family": "ip", "name": "siskin", "handle": 1}},
        {"counter": {"family": "ip", "name": "dropped", "table": "siskin", "handle": 1, "packets": 7, "bytes": 280}},
        {"unheard-of": {"family": "ip"}},
        {"set": {"family": "ip", "name": "known_nodes", "table": "siskin", "type": "ipv4_addr", "handle": 3,
                 "elem": ["10.0.0.1", "10.0.0.2", {"concat": ["10.0.0.3"]}]}},
        {"set": {"family": "ip", "name": "known_networks", "table": "siskin", "type": "ipv4_addr", "handle": 4,
                 "flags": ["interval"],
                 "elem": [{"prefix": {"addr": "10.1.0.0", "len": 24}}, {"range": ["10.9.0.0", "10.9.0.8"]}]}},
        {"chain": {"family": "ip", "table": "siskin", "name": "tunnel_outer", "handle": 5, "type": "filter",
                   "hook": "prerouting", "prio": -300, "policy": "accept"}},
        {"rule": {"family": "ip", "table": "siskin", "chain": "tunnel_outer", "handle": 6, "expr": [{"drop": null}]}}
    ]}"#;

    fn nets(text: &[&str]) -> Vec<Ipv4Net> {
        text.iter().map(|net| net.parse().unwrap()).collect()
    }

    #[test]
    fn a_listing_is_read_with_counters_sets_and_rules() {
        let table = parse_table(LISTING).unwrap();
        assert_eq!(table.dropped, Counter { packets: 7, bytes: 280 });
        assert_eq!(
            Vec::from_iter(table.members.nodes),
            ["10.0.0.1", "10.0.0.2"].map(|a| a.parse::<Ipv4Addr>().unwrap())
        );
        let networks = nets(&["10.1.0.0/24", "10.9.0.0/29", "10.9.0.8/32"]);
        assert_eq!(Vec::from_iter(table.members.networks), networks);
        assert_eq!(table.chain, Chain::Hooked(vec![serde_json::json!([{"drop": null}])]));
    }

    #[test]
    fn a_chain_at_another_priority_is_misplaced() {
        let table = parse_table(&LISTING.replace("-300", "0")).unwrap();
        assert_eq!(table.chain, Chain::Misplaced);
    }

    #[test]
    fn felixs_chain_is_found_in_both_of_its_modes() {
        let listing = |table: &str, chain: &str| {
            format!(
                r#"{{"nftables": [{{"chain": {{"family": "ip", "table": "{table}", "name": "{chain}"}}}}]}}"#
            )
        };
        for (table, chain) in [("filter", "cali-INPUT"), ("calico", "filter-cali-INPUT")] {
            let found = felix_guard(&listing(table, chain)).unwrap();
            assert_eq!(found, Some(FelixGuard { table: table.into(), chain: chain.into() }));
        }
        assert_eq!(felix_guard(&listing("filter", "INPUT")).unwrap(), None);
    }
}
