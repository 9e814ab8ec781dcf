//! `[[pools]]` and `[local]`.

use std::collections::BTreeMap;

use bgp::martian::{ReservedRanges, is_martian};
use ipnet::IpNet;

use crate::config::{
    error::Fault,
    intent::{IpipMode, NatOutgoing, Node, Pool, PoolExport},
    layer::POOL_DEFAULTS,
    origin::Sourced,
    reader::{Entry, Reader},
    values,
};

/// The pools, which may hold no prefixes that no peer would take.
pub(super) fn pools(reader: &mut Reader, reserved: ReservedRanges) -> BTreeMap<IpNet, Pool> {
    let mut pools: BTreeMap<IpNet, Pool> = BTreeMap::new();
    for entry in reader.tables("pools", POOL_DEFAULTS) {
        let Some(cidr) = reader.get(&entry, "cidr", values::prefix) else { continue };
        // Calico's variables for IPv4 pools say nothing of others.
        let entry = if is_v4(&cidr.value) { entry } else { entry.without_variables("CALICO_IPV4POOL_") };
        let pool = pool(reader, &entry, cidr.value);
        if is_martian(cidr.value, reserved) {
            reader.problem(&cidr.origin, entry.path("cidr"), martian(cidr.value));
        }
        if let Some(other) = overlapping(&pools, cidr.value) {
            let what = format!("{} overlaps the pool {other}", cidr.value);
            let fault = Fault::new(what, "make them one pool or keep them apart");
            reader.problem(&cidr.origin, entry.path("cidr"), fault);
        }
        pools.insert(cidr.value, pool);
    }
    pools
}

/// A pool in which the node itself lives: its routes and its guard would meet the hosts' own addresses.
pub(super) fn warn_of_node(reader: &mut Reader, pools: &BTreeMap<IpNet, Pool>, node: &Node) {
    let v4 = node.address.map(|net| (IpNet::from(net), "node.address"));
    let v6 = node.address6.map(|net| (IpNet::from(net), "node.address6"));
    for (net, key) in v4.into_iter().chain(v6) {
        let Some((cidr, _)) = covering(pools, net.addr().into()) else { continue };
        let cidr = *cidr;
        let entries = reader.tables("pools", "");
        let Some(entry) = entries.iter().find(|entry| entry.text("cidr").parse() == Ok(cidr)) else {
            continue;
        };
        let what = format!("{cidr} contains the node's own network {} ({key})", net.trunc());
        let fault = Fault::new(what, "pools are for pods only: use a range that no host has an address of");
        reader.warning(&entry.place("cidr"), entry.path("cidr"), fault);
    }
}

fn martian(cidr: IpNet) -> Fault {
    let remedy = match is_martian(cidr, ReservedRanges::Allow) {
        true => "use a range that routes may lead to",
        false => "use another range, or set bgp.allow_reserved_ranges here and on every host",
    };
    Fault::new(format!("no route leads to {cidr} (martian)"), remedy)
}

/// The longest pool that contains a prefix.
fn covering(pools: &BTreeMap<IpNet, Pool>, prefix: IpNet) -> Option<(&IpNet, &Pool)> {
    let around = (0..=prefix.prefix_len()).rev().filter_map(|length| IpNet::new(prefix.addr(), length).ok());
    around.filter_map(|around| pools.get_key_value(&around.trunc())).next()
}

/// A pool that contains a prefix or lies inside it. What lies inside follows it in the order of prefixes.
fn overlapping(pools: &BTreeMap<IpNet, Pool>, prefix: IpNet) -> Option<&IpNet> {
    let around = covering(pools, prefix).map(|(cidr, _)| cidr);
    let next = || pools.range(prefix..).next().map(|(cidr, _)| cidr);
    around.or_else(|| next().filter(|cidr| prefix.contains(*cidr)))
}

fn pool(reader: &mut Reader, entry: &Entry, cidr: IpNet) -> Pool {
    let export = reader.get(entry, "export", values::switch).is_none_or(|s| s.value);
    Pool {
        block_size: block_size(reader, entry, cidr),
        ipip_mode: ipip_mode(reader, entry, cidr),
        export: if export { PoolExport::Allowed } else { PoolExport::Denied },
        nat_outgoing: nat_outgoing(reader, entry, cidr),
    }
}

/// Calico's bounds: 20 to 32 for IPv4, 116 to 128 for IPv6, and never shorter than the pool's own length.
fn block_size(reader: &mut Reader, entry: &Entry, cidr: IpNet) -> u8 {
    let (usual, low, high): (u8, u8, u8) = if is_v4(&cidr) { (26, 20, 32) } else { (122, 116, 128) };
    if !entry.says("block_size") {
        let size = cidr.prefix_len().max(usual);
        reader.derived(entry, "block_size", &size.to_string(), "");
        return size;
    }
    let low = low.max(cidr.prefix_len());
    let parse = |text: &str| values::number(text, low.into()..=high.into()).and_then(values::narrow);
    reader.get(entry, "block_size", parse).map_or(usual, |s| s.value)
}

fn ipip_mode(reader: &mut Reader, entry: &Entry, cidr: IpNet) -> IpipMode {
    let Some(mode) = reader.get(entry, "ipip_mode", values::ipip_mode) else { return IpipMode::Never };
    if !is_v4(&cidr) && mode.value != IpipMode::Never {
        let fault = Fault::new(format!("{cidr} is IPv6, IPIP carries IPv4"), "use Never");
        reader.problem(&mode.origin, entry.path("ipip_mode"), fault);
    }
    mode.value
}

fn nat_outgoing(reader: &mut Reader, entry: &Entry, cidr: IpNet) -> NatOutgoing {
    let Some(asked) = reader.get(entry, "nat_outgoing", values::switch) else { return NatOutgoing::Off };
    if asked.value && !is_v4(&cidr) {
        let fault = Fault::new(format!("{cidr} is IPv6, which is not translated"), "use false");
        reader.problem(&asked.origin, entry.path("nat_outgoing"), fault);
    }
    if asked.value { NatOutgoing::On } else { NatOutgoing::Off }
}

fn is_v4(cidr: &IpNet) -> bool {
    matches!(cidr, IpNet::V4(_))
}

pub(super) fn blocks(
    reader: &mut Reader,
    pools: &BTreeMap<IpNet, Pool>,
    reserved: ReservedRanges,
) -> Vec<IpNet> {
    let table = reader.table("local");
    let mut blocks = BTreeMap::new();
    // Where a pool is wrong itself, nothing can be said of what lies outside.
    let pools_known = reader.tables("pools", "").len() == pools.len();
    for Sourced { value: block, origin } in reader.list(&table, "blocks", values::prefix) {
        match covering(pools, block) {
            _ if is_martian(block, reserved) => reader.problem(&origin, "local.blocks", martian(block)),
            None if !pools_known => {}
            None => reader.problem(&origin, "local.blocks", outside(block, pools)),
            Some((cidr, pool)) if block.prefix_len() != pool.block_size => {
                // Not an error: after a pool was made anew with another size, blocks of the old one live on.
                let what = format!("{block} is no /{}, the block size of {cidr}", pool.block_size);
                reader.warning(
                    &origin,
                    "local.blocks",
                    Fault::new(what, "compare with the pool's blockSize"),
                );
            }
            Some(_) => {}
        }
        if let Some(first) = blocks.insert(block, origin.clone()) {
            let fault = Fault::new(format!("{block} is listed twice, first at {first}"), "drop one of them");
            reader.problem(&origin, "local.blocks", fault);
        }
    }
    blocks.into_keys().collect()
}

/// Pools that an error names.
const NAMED_POOLS: usize = 5;

/// Names of the interfaces of pods.
pub(super) fn pod_interfaces(reader: &mut Reader) -> Vec<String> {
    let table = reader.table("local");
    if !table.says("interfaces") {
        return vec!["cali*".to_owned()];
    }
    let names = reader.list(&table, "interfaces", interface);
    names.into_iter().map(|name| name.value).collect()
}

fn interface(text: &str) -> Result<String, Fault> {
    let name = text.strip_suffix('*').unwrap_or(text);
    if text.is_empty() || name.len() > 15 || name.contains(['*', '/', ' ']) {
        let what = format!("`{text}` is no interface");
        return Err(Fault::new(what, "write its name, or how names begin and a star: \"cali*\""));
    }
    Ok(text.to_owned())
}

fn outside(block: IpNet, pools: &BTreeMap<IpNet, Pool>) -> Fault {
    let known: Vec<_> = pools.keys().take(NAMED_POOLS).map(IpNet::to_string).collect();
    let more = pools.len().saturating_sub(NAMED_POOLS);
    let remedy = match (known.is_empty(), more) {
        (true, _) => "add [[pools]] with the pool it belongs to".to_owned(),
        (false, 0) => format!("add its pool to [[pools]], which has {}", known.join(", ")),
        (false, _) => format!("add its pool to [[pools]], which has {} and {more} more", known.join(", ")),
    };
    Fault::new(format!("{block} lies outside every pool"), remedy)
}
