//! `[tunnel]`.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;

use crate::config::{
    error::Fault,
    intent::{Guard, IpipMode, Node, Pool, Tunnel},
    reader::Reader,
    values,
};

pub(super) fn tunnel(reader: &mut Reader, node: &Node, pools: &BTreeMap<IpNet, Pool>) -> Tunnel {
    let table = reader.table("tunnel");
    let address = reader.get(&table, "address", values::host4);
    if let Some(address) = &address {
        let ip = IpAddr::from(address.value);
        if node.owns(ip) {
            let fault = Fault::new(format!("{ip} is the node's own address"), "use an address of a pool");
            reader.problem(&address.origin, "tunnel.address", fault);
        } else if !pools.keys().any(|cidr| cidr.contains(&ip)) {
            let fault = Fault::new(
                format!("{ip} lies outside every pool"),
                "pods will not know the way back to it; use an address of a block of this host",
            );
            reader.warning(&address.origin, "tunnel.address", fault);
        }
    }
    let mtu = reader.get(&table, "mtu", mtu);
    let next_hops = reader.list(&table, "next_hops", values::prefix4);
    let guard = reader.get(&table, "guard", |t| values::word(t, &[("on", Guard::On), ("off", Guard::Off)]));
    let tunnelling = pools.values().any(|pool| pool.ipip_mode != IpipMode::Never);
    if tunnelling && node.address.is_none() && !reader.blames("node.address") {
        let fault = Fault::new("a pool is tunnelled, and the node has no IPv4 address", "set node.address");
        reader.problem(&table.origin, "node.address", fault);
    }
    let mut next_hops: Vec<_> = next_hops.into_iter().map(|s| s.value).collect();
    next_hops.sort();
    next_hops.dedup();
    Tunnel {
        address: address.map(|s| s.value),
        mtu: mtu.and_then(|s| s.value),
        next_hops,
        guard: guard.map_or(Guard::On, |s| s.value),
    }
}

/// `None` for `auto`; from IPv4's least to what an IPIP device of Linux takes.
fn mtu(text: &str) -> Result<Option<u32>, Fault> {
    match text {
        "auto" => Ok(None),
        _ => values::number(text, 68..=65515)
            .map(Some)
            .map_err(|fault| Fault::new(fault.what, format!("{}, or auto", fault.remedy))),
    }
}
