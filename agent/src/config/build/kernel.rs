//! `[kernel]`: protocol, table and metric of our routes.

use std::collections::BTreeSet;

use fib::config::{DiscardRule, ObjectUse};

use crate::config::{
    error::{Fault, nearest},
    intent::Kernel,
    reader::Reader,
    values, words,
};

/// Names of iproute2's `rt_protos`, and our own.
const PROTOCOLS: &[(&str, u8)] = &[
    ("gated", 8),
    ("ra", 9),
    ("mrt", 10),
    ("zebra", 11),
    ("bird", 12),
    ("dnrouted", 13),
    ("xorp", 14),
    ("ntk", 15),
    ("dhcp", 16),
    ("mrouted", 17),
    ("keepalived", 18),
    ("babel", 42),
    ("openr", 99),
    ("siskin", 179),
    ("bgp", 186),
    ("isis", 187),
    ("ospf", 188),
    ("rip", 189),
    ("eigrp", 192),
];

/// The kernel's own protocols, in the order of their numbers.
const KERNELS_OWN: [&str; 5] = ["unspec", "redirect", "kernel", "boot", "static"];

pub(super) fn kernel(reader: &mut Reader) -> Kernel {
    let table = reader.table("kernel");
    let protocol = reader.get(&table, "protocol", protocol);
    if let Some(protocol) = &protocol
        && let Some(owner) = other_owner(protocol.value)
    {
        let what = format!("routes of protocol {} belong to {owner}, which may delete ours", protocol.value);
        reader.warning(&protocol.origin, "kernel.protocol", Fault::new(what, "leave it at 179"));
    }
    let number = reader.get(&table, "table", routing_table);
    let metric = reader.get(&table, "metric", |text| values::number(text, 0..=u32::MAX));
    let objects = reader.get(&table, "nexthop_objects", object_use);
    let blackholes =
        reader.get(&table, "blackhole_community", |text| values::word(text, &words::BLACKHOLE_COMMUNITY));
    Kernel {
        blackhole_community: blackholes.map_or(DiscardRule::Ignore, |s| s.value),
        objects: objects.map_or(ObjectUse::Auto, |s| s.value),
        protocol: protocol.map_or(179, |s| s.value),
        table: number.map_or(254, |s| s.value),
        metric: metric.map_or(0, |s| s.value),
    }
}

/// Protocols whose routes are taken over at start.
pub(super) fn adopt(reader: &mut Reader, own: u8) -> Vec<u8> {
    let table = reader.table("kernel");
    let others = reader.list(&table, "adopt", |text| match protocol(text)? {
        other if other == own => Err(Fault::new("routes of our own protocol are always adopted", "drop it")),
        other => Ok(other),
    });
    let others: BTreeSet<_> = others.into_iter().map(|other| other.value).collect();
    others.into_iter().collect()
}

/// The number of a protocol by its name, or written out.
///
/// # Errors
///
/// When it is none, or one of the kernel's own.
pub fn protocol_number(text: &str) -> Result<u8, String> {
    protocol(text).map_err(|fault| format!("{}; {}", fault.what, fault.remedy))
}

fn object_use(text: &str) -> Result<ObjectUse, Fault> {
    match text {
        "auto" => Ok(ObjectUse::Auto),
        "on" => Ok(ObjectUse::On),
        "off" => Ok(ObjectUse::Off),
        _ => Err(Fault::new(format!("`{text}` is no use of next-hop objects"), "use `auto`, `on` or `off`")),
    }
}

fn protocol(text: &str) -> Result<u8, Fault> {
    let names = || PROTOCOLS.iter().map(|(name, _)| *name);
    let named = PROTOCOLS.iter().find(|(name, _)| *name == text).map(|(_, number)| *number);
    let number = match named.or_else(|| text.parse().ok()) {
        Some(number) => number,
        None if KERNELS_OWN.contains(&text) => return Err(owned_by_kernel(text)),
        None if text.parse::<i64>().is_ok() => {
            return Err(Fault::new(format!("{text} is out of range"), "use 5 to 255"));
        }
        None => return Err(Fault::new(format!("`{text}` is no protocol"), nearest(text, names()))),
    };
    match KERNELS_OWN.get(usize::from(number)) {
        Some(name) => Err(owned_by_kernel(name)),
        None => Ok(number),
    }
}

fn owned_by_kernel(name: &str) -> Fault {
    Fault::new(
        format!("protocol {name} is the kernel's own"),
        "use 179, bird or another number above 4: routes of ours must be told from others",
    )
}

fn other_owner(protocol: u8) -> Option<&'static str> {
    match protocol {
        9 => Some("router advertisements"),
        11 | 186..=189 | 192 => Some("FRR"),
        16 => Some("DHCP clients"),
        80 => Some("Calico's Felix"),
        _ => None,
    }
}

fn routing_table(text: &str) -> Result<u32, Fault> {
    match text {
        "main" => Ok(254),
        "default" => Ok(253),
        "local" | "255" => Err(Fault::new("table local is the kernel's own", "use main or another number")),
        _ => text.parse().ok().filter(|n| *n > 0).ok_or_else(|| {
            Fault::new(format!("`{text}` is no routing table"), "use main or a number from 1 to 4294967295")
        }),
    }
}
