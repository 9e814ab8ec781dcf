//! The guard as a part of the table: who is let in becomes sets, chains and rules. Pure.
//!
//! `tunnel_outer` hooks prerouting at priority raw, ahead of connection tracking, so that forged packets cost no
//! conntrack entries. Tunnels of others that only pass through this host are not its concern; what the kernel delivers
//! here is: packets to an address of ours and, as tunl0 takes them too, to a broadcast or multicast address. Who is no
//! node is dropped there.
//!
//! `tunnel_inner` sees the same packet once more when it comes out of the device. Its destination must be ours; the
//! longest match of its source (`tunnel_source`) must be behind a node, or a node, and not ours. So an aggregate that a
//! node announces lets nobody speak for the pods of this host, and an address that another host has borrowed from our
//! block is accepted from there.
//!
//! With a binding the source must be behind the very node the outer header named (`tunnel_bound`): that header is gone
//! by then, but the packet's mark, set in `tunnel_outer`, survives decapsulation within a network namespace. Of the mark
//! only the bits of `guard_mark` are ours, the others stay as they are.
//!
//! The device may have other users, such as IPVS: packets whose inner destination is theirs are let in by both chains,
//! whoever sent them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use crate::{
    config::NodePrefix,
    status::Drops,
    table::{Chain, Element, Hook, Ruleset, Set, SetKind, Table},
};

pub(crate) mod binding;
use binding::Binding;

const OUTER: &str = "tunnel_outer";
const INNER: &str = "tunnel_inner";
const SOURCE: &str = "tunnel_source";
const BOUND: &str = "tunnel_bound";

const MARK_BITS: &str = "tunnel_mark_bits";

/// What a packet was let in for, and why it was not.
pub(crate) const ACCEPTED: &str = "accepted";
const STRANGER: &str = "dropped_stranger";
const INNER_SOURCE: &str = "dropped_inner_source";
const INNER_DESTINATION: &str = "dropped_inner_destination";
const UNBOUND_SOURCE: &str = "dropped_unbound_source";

/// Priority `raw`: after defragmentation (-400 on hosts that track connections), before conntrack (-200).
pub(crate) const PRIORITY: i64 = -300;
/// IP in IP (RFC 2003).
pub(crate) const IPIP_PROTOCOL: u8 = 4;

const NODES: &str = "nodes";
const BEHIND: &str = "behind";
const HERE: &str = "here";
const BINDINGS: &str = "bound";
const MARKS: &str = "marks";
const BIT: &str = "bit";

/// Who is let in, and to where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Admitted {
    /// Nodes, and networks all of whose addresses count as nodes.
    pub(crate) nodes: BTreeSet<Ipv4Net>,
    /// What is behind them.
    pub(crate) behind: BTreeSet<Behind>,
    /// What is here.
    pub(crate) here: BTreeSet<Ipv4Net>,
    /// Inner destinations that are let in whoever sends.
    pub(crate) allow_to: BTreeSet<Ipv4Net>,
    /// How the inner source is bound to the node, if it is.
    pub(crate) binding: Option<Binding>,
}

/// A prefix that a packet out of the tunnel may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Behind {
    /// The prefix.
    pub(crate) prefix: Ipv4Net,
    /// The node it is behind; `None`: an earlier life accepted it, of whichever node.
    pub(crate) node: Option<Ipv4Addr>,
}

impl From<&NodePrefix> for Behind {
    fn from(learned: &NodePrefix) -> Self {
        Self { prefix: learned.prefix, node: Some(learned.node) }
    }
}

/// What the guard's part of the table shall hold. `device` is the tunnel's.
pub(crate) fn ruleset(admitted: &Admitted, device: &str) -> Ruleset {
    let mut sets = BTreeMap::new();
    let networks = |nets: &BTreeSet<Ipv4Net>| -> Vec<Ipv4Net> { nets.iter().copied().collect() };
    let prefixes: Vec<Ipv4Net> = admitted.behind.iter().map(|behind| behind.prefix).collect();
    let nodes = by_length(&mut sets, NODES, networks(&admitted.nodes));
    let behind = by_length(&mut sets, BEHIND, prefixes);
    let here = by_length(&mut sets, HERE, networks(&admitted.here));
    let bound = admitted.binding.as_ref().map(|binding| {
        sets.insert(MARKS.to_owned(), Set { kind: SetKind::Marks, elements: binding.map() });
        sets.extend(binding.bits().into_iter().map(|(bit, nodes)| (bit_name(bit), nodes)));
        bound_sets(&mut sets, binding.bound(&admitted.nodes, &admitted.behind))
    });
    let mask = admitted.binding.as_ref().map(|binding| binding.mask);
    let sources = source_rules(&nodes, &behind, &here, mask);
    let mut chains = BTreeMap::from([
        (OUTER, Chain { hook: hook(), rules: outer_rules(&nodes, &admitted.allow_to, mask) }),
        (INNER, Chain { hook: hook(), rules: inner_rules(&here, &admitted.allow_to, device) }),
        (SOURCE, Chain { hook: None, rules: sources }),
    ]);
    let mut counters = BTreeSet::from([ACCEPTED, STRANGER, INNER_SOURCE, INNER_DESTINATION]);
    if let (Some(lengths), Some(mask)) = (bound, mask) {
        chains.insert(BOUND, Chain { hook: None, rules: bound_rules(&lengths, mask) });
        let bits = admitted.binding.as_ref().map(Binding::bits).unwrap_or_default();
        chains.insert(MARK_BITS, Chain { hook: None, rules: bits.keys().map(|bit| set_bit(*bit)).collect() });
        counters.insert(UNBOUND_SOURCE);
    }
    Ruleset { counters, sets, chains }
}

/// Who a table lets in.
pub(crate) fn admitted(table: &Table) -> Admitted {
    let mut admitted = Admitted::default();
    let marks = table.sets.get(MARKS).map(|set| binding::nodes_by_mark(&set.elements)).unwrap_or_default();
    for (name, set) in &table.sets {
        let Some((kind, Some(length))) =
            name.split_once('_').map(|(kind, length)| (kind, length.parse().ok()))
        else {
            continue;
        };
        for element in &set.elements {
            let (mark, address) = match element {
                Element::Address(address) => (None, *address),
                Element::Marked(mark, address) => (Some(mark), *address),
                Element::Mark(..) => continue,
            };
            let Ok(net) = Ipv4Net::new(address, length) else { continue };
            match kind {
                NODES => drop(admitted.nodes.insert(net)),
                HERE => drop(admitted.here.insert(net)),
                BEHIND => drop(admitted.behind.insert(Behind { prefix: net, node: None })),
                BINDINGS => {
                    let node = mark.and_then(|mark| marks.get(mark)).copied();
                    // A node's own address is bound to it as well.
                    if node.map(Ipv4Net::from) != Some(net) {
                        admitted.behind.insert(Behind { prefix: net, node });
                    }
                }
                _ => {}
            }
        }
    }
    // Where it is known whose a prefix is, it need not be anyone's.
    let owned: BTreeSet<Ipv4Net> =
        admitted.behind.iter().filter(|behind| behind.node.is_some()).map(|behind| behind.prefix).collect();
    let nodes = &admitted.nodes;
    let is_news = |prefix: &Ipv4Net| !owned.contains(prefix) && !nodes.contains(prefix);
    admitted.behind.retain(|behind| behind.node.is_some() || is_news(&behind.prefix));
    admitted
}

/// The marks a table gives nodes.
pub(crate) fn marks(table: &Table) -> BTreeMap<Ipv4Addr, u32> {
    table.sets.get(MARKS).map(|set| binding::marks(&set.elements)).unwrap_or_default()
}

/// What was dropped, by reason.
pub(crate) fn drops(table: &Table) -> Drops {
    Drops {
        stranger: table.counter(STRANGER),
        inner_source: table.counter(INNER_SOURCE),
        inner_destination: table.counter(INNER_DESTINATION),
        unbound_source: table.counter(UNBOUND_SOURCE),
    }
}

fn hook() -> Option<Hook> {
    Some(Hook::new("filter", "prerouting", PRIORITY))
}

/// One set for each length; the lengths, longest first.
pub(crate) fn by_length(sets: &mut BTreeMap<String, Set>, name: &str, nets: Vec<Ipv4Net>) -> Vec<u8> {
    let mut lengths = BTreeSet::new();
    for net in nets {
        lengths.insert(net.prefix_len());
        let set = sets.entry(set_name(name, net.prefix_len())).or_insert(Set::new(SetKind::Addresses));
        set.elements.insert(Element::Address(net.network()));
    }
    lengths.into_iter().rev().collect()
}

fn bound_sets(sets: &mut BTreeMap<String, Set>, bound: BTreeSet<(u32, Ipv4Net)>) -> Vec<u8> {
    let mut lengths = BTreeSet::new();
    for (mark, net) in bound {
        lengths.insert(net.prefix_len());
        let name = set_name(BINDINGS, net.prefix_len());
        let set = sets.entry(name).or_insert(Set::new(SetKind::MarkedAddresses));
        set.elements.insert(Element::Marked(mark, net.network()));
    }
    lengths.into_iter().rev().collect()
}

fn set_name(name: &str, length: u8) -> String {
    format!("{name}_{length}")
}

fn bit_name(bit: u32) -> String {
    format!("{BIT}_{}", bit.trailing_zeros())
}

fn outer_rules(nodes: &[u8], allow_to: &BTreeSet<Ipv4Net>, mask: Option<u32>) -> Vec<Value> {
    let destination = json!({"fib": {"result": "type", "flags": ["daddr"]}});
    let mut rules = vec![
        json!([test("!=", field("protocol"), json!(IPIP_PROTOCOL)), accept()]),
        json!([test("==", destination, json!("unicast")), accept()]),
    ];
    let inner = |net: &Ipv4Net| json!([inner_destination(*net), count(ACCEPTED), accept()]);
    rules.extend(allow_to.iter().map(inner));
    if let Some(mask) = mask {
        rules.extend(mark_rules(mask));
    }
    let from = |length: &u8| json!([within("saddr", NODES, *length), count(ACCEPTED), accept()]);
    rules.extend(nodes.iter().map(from));
    rules.push(json!([count(STRANGER), drop_it()]));
    rules
}

/// The node's number goes into our bits of the packet's mark. A map can only give all of the mark, so it serves where the
/// other bits are 0; elsewhere our bits are set one by one, for no kernel before 6.13 joins two registers.
fn mark_rules(mask: u32) -> [Value; 3] {
    let mark = json!({"map": {"key": field("saddr"), "data": format!("@{MARKS}")}});
    let others = json!({"&": [mark_of_packet(), !mask]});
    [
        json!([unmark(mask)]),
        json!([test("!=", others.clone(), json!(0)), jump_to(MARK_BITS)]),
        json!([test("==", others, json!(0)), {"mangle": {"key": mark_of_packet(), "value": mark}}]),
    ]
}

fn set_bit(bit: u32) -> Value {
    let set = json!(format!("@{}", bit_name(bit)));
    let value = json!({"|": [mark_of_packet(), bit]});
    json!([test("==", field("saddr"), set), {"mangle": {"key": mark_of_packet(), "value": value}}])
}

/// Whether the header inside the outer one, which is where a transport header would be, has a destination in this network.
fn inner_destination(net: Ipv4Net) -> Value {
    let destination = json!({"payload": {"base": "th", "offset": 128, "len": 32}});
    let destination = match net.prefix_len() {
        32 => destination,
        _ => json!({"&": [destination, u32::from(net.netmask())]}),
    };
    test("==", destination, json!(u32::from(net.network())))
}

fn inner_rules(here: &[u8], allow_to: &BTreeSet<Ipv4Net>, device: &str) -> Vec<Value> {
    let arrived = json!({"meta": {"key": "iifname"}});
    let mut rules = vec![json!([test("!=", arrived, json!(device)), accept()])];
    let allowed = |net: &Ipv4Net| test("==", masked("daddr", net.prefix_len()), json!(net.network()));
    rules.extend(allow_to.iter().map(|net| json!([allowed(net), accept()])));
    rules.extend(here.iter().map(|length| json!([within("daddr", HERE, *length), go_to(SOURCE)])));
    rules.push(json!([count(INNER_DESTINATION), drop_it()]));
    rules
}

/// The longest match decides.
fn source_rules(nodes: &[u8], behind: &[u8], here: &[u8], mask: Option<u32>) -> Vec<Value> {
    let welcome = if mask.is_some() { go_to(BOUND) } else { accept() };
    let mut rules = Vec::new();
    for length in (0..=32_u8).rev() {
        if behind.contains(&length) {
            rules.push(json!([within("saddr", BEHIND, length), welcome]));
        }
        if nodes.contains(&length) {
            rules.push(json!([within("saddr", NODES, length), welcome]));
        }
        if here.contains(&length) {
            rules.push(json!([within("saddr", HERE, length), count(INNER_SOURCE), drop_it()]));
        }
    }
    rules.push(json!([count(INNER_SOURCE), drop_it()]));
    rules
}

fn bound_rules(lengths: &[u8], mask: u32) -> Vec<Value> {
    let mark = json!({"&": [mark_of_packet(), mask]});
    let from_its_node = |length: &u8| {
        let pair = json!({"concat": [mark, masked("saddr", *length)]});
        let set = json!(format!("@{}", set_name(BINDINGS, *length)));
        json!([test("==", pair, set), unmark(mask), accept()])
    };
    let mut rules: Vec<Value> = lengths.iter().map(from_its_node).collect();
    rules.push(json!([count(UNBOUND_SOURCE), drop_it()]));
    rules
}

/// Whether an address of the header lies in a set of networks of this length.
pub(crate) fn within(address: &str, set: &str, length: u8) -> Value {
    test("==", masked(address, length), json!(format!("@{}", set_name(set, length))))
}

fn masked(address: &str, length: u8) -> Value {
    match Ipv4Net::new(Ipv4Addr::UNSPECIFIED, length) {
        Ok(net) if length < 32 => json!({"&": [field(address), net.netmask()]}),
        _ => field(address),
    }
}

/// A field of the header.
pub(crate) fn field(name: &str) -> Value {
    json!({"payload": {"protocol": "ip", "field": name}})
}

/// A condition.
pub(crate) fn test(op: &str, left: Value, right: Value) -> Value {
    json!({"match": {"op": op, "left": left, "right": right}})
}

fn mark_of_packet() -> Value {
    json!({"meta": {"key": "mark"}})
}

fn unmark(mask: u32) -> Value {
    json!({"mangle": {"key": mark_of_packet(), "value": {"&": [mark_of_packet(), !mask]}}})
}

fn count(name: &str) -> Value {
    json!({ "counter": name })
}

fn go_to(chain: &str) -> Value {
    json!({"goto": {"target": chain}})
}

fn jump_to(chain: &str) -> Value {
    json!({"jump": {"target": chain}})
}

/// The verdict that ends a chain.
pub(crate) fn accept() -> Value {
    json!({"accept": null})
}

fn drop_it() -> Value {
    json!({"drop": null})
}

#[cfg(test)]
mod tests;
