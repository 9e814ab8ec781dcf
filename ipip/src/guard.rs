//! The guard as an nftables document: what is sent to `nft -j -f -` and what `nft -j list` answers. Pure.
//!
//! The table is `ip siskin`: of the family `ip`, since the outer header of the tunnel is always IPv4 (protocol 4 over
//! IPv6 belongs to another device) and since that needs least of the kernel. Its chain hooks prerouting at priority
//! raw, ahead of connection tracking, so that forged packets cost no conntrack entries. Tunnels of others that only pass
//! through this host are not its concern; what the kernel delivers here is: packets to an address of ours and, as tunl0
//! takes them too, to a broadcast or multicast address. Prefixes and single nodes are
//! two sets: single nodes, of which there are thousands and which come and go, are in a hash whose elements change one
//! by one; prefixes are few and come from the configuration. Counters are named objects and survive every change.
//!
//! The document is written with `serde_json` rather than with the `nftables` crate: we send seven kinds of command and
//! read four kinds of object, and that crate's closed types fail on a whole answer when a newer nft describes anything
//! it does not know.

use std::{collections::BTreeSet, fmt, net::Ipv4Addr};

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use crate::status::Counter;

mod listing;
pub(crate) use listing::{felix_guard, parse_table};

/// The table's family.
pub(crate) const FAMILY: &str = "ip";
/// The table's name.
pub(crate) const TABLE: &str = "siskin";
const CHAIN: &str = "tunnel_outer";
const NODES: &str = "known_nodes";
const NETWORKS: &str = "known_networks";
const ACCEPTED: &str = "accepted";
const DROPPED: &str = "dropped";
const HOOK: &str = "prerouting";
/// Priority `raw`: after defragmentation (-400 on hosts that track connections), before conntrack (-200).
const PRIORITY: i64 = -300;
/// IP in IP (RFC 2003).
const IPIP_PROTOCOL: u8 = 4;

/// What the guard's sets hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Members {
    /// Single nodes.
    pub(crate) nodes: BTreeSet<Ipv4Addr>,
    /// Prefixes shorter than /32, none within or mergeable with another.
    pub(crate) networks: BTreeSet<Ipv4Net>,
}

impl Members {
    /// Sorts what is allowed into the two sets.
    pub(crate) fn new(allowed: &BTreeSet<Ipv4Net>) -> Self {
        let (single, wide): (Vec<Ipv4Net>, Vec<Ipv4Net>) =
            allowed.iter().map(Ipv4Net::trunc).partition(|net| net.prefix_len() == 32);
        Self {
            nodes: single.iter().map(Ipv4Net::addr).collect(),
            networks: Ipv4Net::aggregate(&wide).into_iter().collect(),
        }
    }

    /// All of them as prefixes.
    pub(crate) fn all(&self) -> BTreeSet<Ipv4Net> {
        self.nodes.iter().copied().map(Ipv4Net::from).chain(self.networks.iter().copied()).collect()
    }
}

/// The table as the kernel has it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct GuardTable {
    /// What its sets hold.
    pub(crate) members: Members,
    /// Its chain.
    pub(crate) chain: Chain,
    /// Packets let in.
    pub(crate) accepted: Counter,
    /// Packets kept out.
    pub(crate) dropped: Counter,
}

/// The table's chain as the kernel has it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum Chain {
    /// There is none.
    #[default]
    Absent,
    /// It hangs where it should and holds these rules, as nft prints them.
    Hooked(Vec<Value>),
    /// It hangs elsewhere, or nowhere.
    Misplaced,
}

/// What is to become of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChainChange {
    /// It is as it should be.
    Keep,
    /// It is created where it is missing, and its rules are written anew.
    Rewrite,
    /// It is deleted and created, since a chain cannot be moved to another hook.
    Replace,
}

/// One atomic change of the guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GuardChange {
    /// What is to become of the chain.
    pub(crate) chain: ChainChange,
    /// Nodes to let in.
    pub(crate) add: BTreeSet<Ipv4Addr>,
    /// Nodes to shut out.
    pub(crate) remove: BTreeSet<Ipv4Addr>,
    /// The prefixes that shall replace those there, if they differ.
    pub(crate) networks: Option<BTreeSet<Ipv4Net>>,
}

impl GuardChange {
    /// Whether there is nothing to change.
    pub(crate) fn is_empty(&self) -> bool {
        self.chain == ChainChange::Keep
            && self.add.is_empty()
            && self.remove.is_empty()
            && self.networks.is_none()
    }

    /// The document that makes this change in one transaction.
    pub(crate) fn document(&self) -> Value {
        let mut commands = Vec::new();
        if self.chain != ChainChange::Keep {
            commands.extend(skeleton(self.chain));
        }
        commands.extend(elements("add", NODES, self.add.iter().map(|node| json!(node))));
        commands.extend(elements("delete", NODES, self.remove.iter().map(|node| json!(node))));
        if let Some(networks) = &self.networks {
            commands.push(json!({"flush": {"set": named(NETWORKS)}}));
            commands.extend(elements("add", NETWORKS, networks.iter().map(prefix)));
        }
        json!({ "nftables": commands })
    }
}

impl fmt::Display for GuardChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = match self.chain {
            ChainChange::Keep => "keep",
            ChainChange::Rewrite => "write",
            ChainChange::Replace => "replace",
        };
        write!(f, "guard: {rules} rules, {} nodes in, {} out", self.add.len(), self.remove.len())?;
        match &self.networks {
            Some(networks) => write!(f, ", {} prefixes", networks.len()),
            None => Ok(()),
        }
    }
}

/// The document that removes the guard, whether or not it is there.
pub(crate) fn removal() -> Value {
    let table = json!({"table": {"family": FAMILY, "name": TABLE}});
    json!({"nftables": [{"add": table}, {"delete": table}]})
}

/// Table, counters, sets, chain and rules; what exists of the first three is kept with its contents.
fn skeleton(change: ChainChange) -> Vec<Value> {
    let mut nodes = named(NODES);
    nodes["type"] = json!("ipv4_addr");
    let mut networks = nodes.clone();
    networks["name"] = json!(NETWORKS);
    networks["flags"] = json!(["interval"]);
    let mut hooked = named(CHAIN);
    hooked["type"] = json!("filter");
    hooked["hook"] = json!(HOOK);
    hooked["prio"] = json!(PRIORITY);
    hooked["policy"] = json!("accept");

    let mut commands = vec![
        json!({"add": {"table": {"family": FAMILY, "name": TABLE}}}),
        json!({"add": {"counter": named(ACCEPTED)}}),
        json!({"add": {"counter": named(DROPPED)}}),
        json!({"add": {"set": nodes}}),
        json!({"add": {"set": networks}}),
    ];
    if change == ChainChange::Replace {
        commands.push(json!({"flush": {"chain": named(CHAIN)}}));
        commands.push(json!({"delete": {"chain": named(CHAIN)}}));
    }
    commands.push(json!({"add": {"chain": hooked}}));
    commands.push(json!({"flush": {"chain": named(CHAIN)}}));
    commands.extend(rules().map(
        |expr| json!({"add": {"rule": {"family": FAMILY, "table": TABLE, "chain": CHAIN, "expr": expr}}}),
    ));
    commands
}

fn rules() -> [Value; 5] {
    let header = |field: &str| json!({"payload": {"protocol": "ip", "field": field}});
    let test =
        |op: &str, left: Value, right: Value| json!({"match": {"op": op, "left": left, "right": right}});
    let is = |op: &str, field: &str, right: Value| test(op, header(field), right);
    let destination = json!({"fib": {"result": "type", "flags": ["daddr"]}});
    let counted = |name: &str, verdict: &str| [json!({ "counter": name }), json!({ verdict: null })];
    let from = |set: &str| {
        let [count, accept] = counted(ACCEPTED, "accept");
        json!([is("==", "saddr", json!(format!("@{set}"))), count, accept])
    };
    [
        json!([is("!=", "protocol", json!(IPIP_PROTOCOL)), {"accept": null}]),
        json!([test("==", destination, json!("unicast")), {"accept": null}]),
        from(NODES),
        from(NETWORKS),
        json!(counted(DROPPED, "drop")),
    ]
}

fn elements(verb: &str, set: &str, elements: impl Iterator<Item = Value>) -> Option<Value> {
    let elements: Vec<Value> = elements.collect();
    (!elements.is_empty()).then(|| {
        let mut element = named(set);
        element["elem"] = json!(elements);
        json!({ verb: { "element": element } })
    })
}

fn named(name: &str) -> Value {
    json!({"family": FAMILY, "table": TABLE, "name": name})
}

fn prefix(net: &Ipv4Net) -> Value {
    json!({"prefix": {"addr": net.addr(), "len": net.prefix_len()}})
}
