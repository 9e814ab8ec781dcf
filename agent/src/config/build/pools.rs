//! `[[pools]]` and `[local]`.

use std::collections::BTreeMap;

use bgp::martian::{ReservedRanges, is_martian};
use ipnet::IpNet;

use crate::config::{
    error::Fault,
    intent::{IpipMode, NatOutgoing, Pool, PoolExport},
    layer::POOL_DEFAULTS,
    origin::{Origin, Sourced},
    reader::{Entry, Reader},
    values,
};

/// The pools, which may hold no prefixes that no peer would take.
pub(super) fn pools(reader: &mut Reader, reserved: ReservedRanges) -> BTreeMap<IpNet, Pool> {
    let mut pools: BTreeMap<IpNet, Pool> = BTreeMap::new();
    for entry in reader.tables("pools", POOL_DEFAULTS) {
        let Some(cidr) = reader.get(&entry, "cidr", values::prefix) else { continue };
        let pool = pool(reader, &entry, cidr.value);
        if is_martian(cidr.value, reserved) {
            reader.problem(&cidr.origin, entry.path("cidr"), martian(cidr.value));
        }
        if let Some(other) = pools.keys().find(|other| overlap(other, &cidr.value)) {
            let what = format!("{} overlaps the pool {other}", cidr.value);
            let fault = Fault::new(what, "make them one pool or keep them apart");
            reader.problem(&cidr.origin, entry.path("cidr"), fault);
        }
        pools.insert(cidr.value, pool);
    }
    pools
}

fn martian(cidr: IpNet) -> Fault {
    let remedy = match is_martian(cidr, ReservedRanges::Allow) {
        true => "use a range that routes may lead to",
        false => "use another range, or set bgp.allow_reserved_ranges here and on every host",
    };
    Fault::new(format!("no route leads to {cidr} (martian)"), remedy)
}

fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
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
    if !entry.says("block_size") || (!is_v4(&cidr) && from_environment(&entry.place("block_size"))) {
        let size = cidr.prefix_len().max(usual);
        reader.derived(entry, "block_size", &size.to_string(), "");
        return size;
    }
    let low = low.max(cidr.prefix_len());
    let parse = |text: &str| values::number(text, low.into()..=high.into()).and_then(values::narrow);
    reader.get(entry, "block_size", parse).map_or(usual, |s| s.value)
}

fn ipip_mode(reader: &mut Reader, entry: &Entry, cidr: IpNet) -> IpipMode {
    if !is_v4(&cidr) && from_environment(&entry.place("ipip_mode")) {
        reader.derived(entry, "ipip_mode", "Never", "IPv6 is never tunnelled");
        return IpipMode::Never;
    }
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

/// Calico's variables for pools speak of IPv4 ones only.
fn from_environment(origin: &Origin) -> bool {
    matches!(origin, Origin::Environment(_))
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
        match pools.iter().find(|(cidr, _)| cidr.contains(&block)) {
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
    let known: Vec<_> = pools.keys().map(IpNet::to_string).collect();
    let remedy = match known.is_empty() {
        true => "add [[pools]] with the pool it belongs to".to_owned(),
        false => format!("add its pool to [[pools]], which has {}", known.join(", ")),
    };
    Fault::new(format!("{block} lies outside every pool"), remedy)
}
