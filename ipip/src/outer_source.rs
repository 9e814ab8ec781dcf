//! The source of outer headers as a part of the table. Pure.
//!
//! The kernel's own `tunl0` takes no local address (`ip tunnel change` and netlink refuse it), so the outer header's
//! source is whatever the route to the other node prefers, which may be another address of the same link, and no known
//! node over there. A rule writes it anew where the packet enters the host's output, ahead of connection tracking. The
//! packet's way has been chosen by then, and stays.
//!
//! Ours are told from packets of other tunnels of this host by their inner destination.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use crate::{
    guard::{IPIP_PROTOCOL, PRIORITY, accept, field, test},
    table::{Chain, Hook, Ruleset, Table},
};

const CHAIN: &str = "outer_source";
/// Where the inner destination begins, in bits: both headers are without options, the outer one because the kernel's
/// tunnels write none.
const INNER_DESTINATION: u16 = (20 + 16) * 8;

/// Whether an object of this name belongs to this part of the table.
pub(crate) fn owns(name: &str) -> bool {
    name == CHAIN
}

/// Whether a table has it.
pub(crate) fn is_in(table: &Table) -> bool {
    table.chains.contains_key(CHAIN)
}

/// The rules that make `node` the source of outer headers around packets to these destinations.
pub(crate) fn ruleset(node: Ipv4Addr, inside: &BTreeSet<Ipv4Net>) -> Ruleset {
    let others = json!([test("!=", field("protocol"), json!(IPIP_PROTOCOL)), accept()]);
    let right = json!([test("==", field("saddr"), json!(node)), accept()]);
    let pinned = inside.iter().map(|net| rule(node, *net));
    let rules = [others, right].into_iter().chain(pinned).collect();
    let hook = Some(Hook::new("filter", "output", PRIORITY));
    Ruleset { chains: BTreeMap::from([(CHAIN, Chain { hook, rules })]), ..Ruleset::default() }
}

fn rule(node: Ipv4Addr, net: Ipv4Net) -> Value {
    let write = json!({"mangle": {"key": field("saddr"), "value": node}});
    let length = net.prefix_len();
    let Some(rest) = 32_u8.checked_sub(length).filter(|_| length > 0) else { return json!([write]) };
    let bits = json!({"payload": {"base": "nh", "offset": INNER_DESTINATION, "len": length}});
    let wanted = u32::from(net.network()).checked_shr(rest.into()).unwrap_or_default();
    json!([test("==", bits, json!(wanted)), write])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_bits_of_the_inner_destination_are_compared_as_the_prefix_has() {
        let inside = ["0.0.0.0/0", "172.16.0.0/12", "172.16.241.69/32"].map(|net| net.parse().unwrap());
        let Ruleset { chains, .. } = ruleset([192, 168, 92, 128].into(), &BTreeSet::from(inside));
        let compared = |rule: &Value| {
            let [first, ..] = rule.as_array().unwrap().as_slice() else { panic!("{rule}") };
            (first["match"]["left"]["payload"]["len"].clone(), first["match"]["right"].clone())
        };
        let rules = &chains[CHAIN].rules[2..];
        let expected =
            [(Value::Null, Value::Null), (json!(12), json!(0xac1)), (json!(32), json!(0xac10_f145_u32))];
        assert_eq!(rules.iter().map(compared).collect::<Vec<_>>(), expected);
        assert!(rules.iter().all(|rule| rule.to_string().contains("mangle")));
    }
}
