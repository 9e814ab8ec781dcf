//! `[tunnel]`.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipip::TunnelConfig;
use ipnet::{IpNet, Ipv4Net};

use crate::config::{
    error::Fault,
    intent::{Guard, GuardBind, IpipMode, Node, Pmtudisc, Pool, RouteMtu, Sysctls, Tunnel, TunnelSource},
    reader::{Entry, Reader},
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
    let route_mtu = reader.get(&table, "route_mtu", route_mtu);
    let pmtudisc = reader.get(&table, "pmtudisc", |text| {
        values::word(text, &[("keep", Pmtudisc::Keep), ("on", Pmtudisc::On), ("off", Pmtudisc::Off)])
    });
    let source = reader.get(&table, "source", |text| {
        values::word(text, &[("route", TunnelSource::Route), ("node", TunnelSource::Node)])
    });
    let next_hops = networks(reader, &table, "next_hops", values::prefix4);
    let allow_from = networks(reader, &table, "allow_from", values::prefix4);
    let allow_to = networks(reader, &table, "allow_to", part_of_everything);
    let keep_addresses = networks(reader, &table, "keep_addresses", values::prefix4);
    let bind = reader.get(&table, "guard_bind", values::switch);
    let mark = reader.get(&table, "guard_mark", mark);
    let grace = reader.get(&table, "guard_grace", |text| values::seconds(text, 0..=3600));
    let guard = reader.get(&table, "guard", |t| values::word(t, &[("on", Guard::On), ("off", Guard::Off)]));
    let sysctls = reader.get(&table, "sysctls", |text| {
        values::word(text, &[("report", Sysctls::Report), ("set", Sysctls::Set)])
    });
    let tunnelling = pools.values().any(|pool| pool.ipip_mode != IpipMode::Never);
    if tunnelling && node.address.is_none() && !reader.blames("node.address") {
        let fault = Fault::new("a pool is tunnelled, and the node has no IPv4 address", "set node.address");
        reader.problem(&table.origin, "node.address", fault);
    }
    Tunnel {
        address: address.map(|s| s.value),
        mtu: mtu.and_then(|s| s.value),
        route_mtu: route_mtu.map_or(RouteMtu::Off, |s| s.value),
        pmtudisc: pmtudisc.map_or(Pmtudisc::Keep, |s| s.value),
        source: source.map_or(TunnelSource::Route, |s| s.value),
        next_hops,
        allow_from,
        allow_to,
        keep_addresses,
        guard: guard.map_or(Guard::On, |s| s.value),
        guard_bind: if bind.is_some_and(|s| s.value) { GuardBind::Strict } else { GuardBind::Loose },
        guard_mark: mark.map_or(DEFAULT_MARK, |s| s.value),
        guard_grace: grace.map_or(TunnelConfig::DEFAULT_GUARD_GRACE, |s| s.value),
        sysctls: sysctls.map_or(Sysctls::Report, |s| s.value),
    }
}

/// A list of IPv4 networks, sorted.
fn networks(
    reader: &mut Reader,
    table: &Entry,
    key: &str,
    read: fn(&str) -> Result<Ipv4Net, Fault>,
) -> Vec<Ipv4Net> {
    let listed = reader.list(table, key, read);
    let networks: BTreeSet<_> = listed.into_iter().map(|s| s.value).collect();
    networks.into_iter().collect()
}

/// A network that is not all there is: to let in whatever goes anywhere is no guard.
fn part_of_everything(text: &str) -> Result<Ipv4Net, Fault> {
    let network = values::prefix4(text)?;
    if network.prefix_len() > 0 {
        return Ok(network);
    }
    Err(Fault::new(format!("{network} lets everything in"), "list the addresses, or set guard = \"off\""))
}

/// Below the bits of kube-proxy (0x4000, 0x8000) and those Felix takes by default (0xffff0000).
const DEFAULT_MARK: u32 = 0x3fff;

/// Bits in one row.
fn mark(text: &str) -> Result<u32, Fault> {
    let digits = text.strip_prefix("0x").map(|digits| u32::from_str_radix(digits, 16));
    let bits = digits.unwrap_or_else(|| text.parse()).ok().filter(|bits| *bits != 0);
    let row = |bits: &u32| bits >> bits.trailing_zeros();
    bits.filter(|bits| row(bits).count_ones() == row(bits).trailing_ones()).ok_or_else(|| {
        Fault::new(format!("{text} is no mask of a packet mark"), "use bits in one row, such as \"0x3fff\"")
    })
}

/// `None` for `auto`; from IPv4's least to what an IPIP device of Linux takes.
fn mtu(text: &str) -> Result<Option<u32>, Fault> {
    match text {
        "auto" => Ok(None),
        _ => octets(text, "auto").map(Some),
    }
}

fn route_mtu(text: &str) -> Result<RouteMtu, Fault> {
    match text {
        "off" => Ok(RouteMtu::Off),
        "auto" => Ok(RouteMtu::Auto),
        _ => octets(text, "auto, or off").map(RouteMtu::Fixed),
    }
}

fn octets(text: &str, or: &str) -> Result<u32, Fault> {
    let number = values::number(text, 68..=65515);
    number.map_err(|fault| Fault::new(fault.what, format!("{}, or {or}", fault.remedy)))
}
