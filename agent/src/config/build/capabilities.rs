//! What peers are offered in OPEN: the same keys in `[bgp]`, for all, and in `[[peers]]`, for one.

use std::num::NonZeroU16;

use bgp::config::{AddPath, AddPathDirections, CapabilityConfig, Offer};

use crate::config::{
    error::Fault,
    reader::{Entry, Reader},
    values,
};

/// Longest Long-Lived Stale Time, 24 bits (RFC 9494 section 3.1).
const LONGEST_STALE_TIME: u32 = (1 << 24) - 1;

/// Whether IPv6 next hops of IPv4 routes are offered when nobody says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Session {
    /// It carries IPv4 between IPv6 addresses: they are.
    Ipv4OverIpv6,
    /// Any other: they are not.
    Plain,
}

/// The capabilities of `[bgp]`.
pub(super) fn of_all(reader: &mut Reader, table: &Entry) -> CapabilityConfig {
    read(reader, table, &CapabilityConfig::default())
}

/// The capabilities of one peer; `all` are those of `[bgp]`.
pub(super) fn of_peer(
    reader: &mut Reader,
    entry: &Entry,
    all: &CapabilityConfig,
    session: Session,
) -> CapabilityConfig {
    let paths = &all.add_path;
    let inherited = [
        ("add_path", directions(paths.directions).to_owned()),
        ("add_path_limit", paths.send_limit.map_or("all".to_owned(), |limit| limit.to_string())),
        ("add_path_receive_limit", paths.receive_limit.to_string()),
        ("extended_messages", offered(all.extended_messages)),
        ("enhanced_refresh", offered(all.enhanced_refresh)),
        ("long_lived_stale_time", all.long_lived_stale_time.as_secs().to_string()),
    ];
    for (key, value) in inherited {
        if !entry.says(key) {
            reader.derived(entry, key, &value, &format!("bgp.{key}"));
        }
    }
    let key = "extended_next_hop";
    let general = reader.says("bgp", key);
    let mut defaults = all.clone();
    if !general && session == Session::Ipv4OverIpv6 {
        defaults.extended_next_hop = Offer::Announced;
    }
    if !entry.says(key) {
        let why = if general { "bgp.extended_next_hop" } else { "" };
        reader.derived(entry, key, &offered(defaults.extended_next_hop), why);
    }
    read(reader, entry, &defaults)
}

fn read(reader: &mut Reader, entry: &Entry, defaults: &CapabilityConfig) -> CapabilityConfig {
    let mut switch = |key: &str, default| {
        let said = reader.get(entry, key, values::switch).map(|s| s.value);
        said.map_or(default, |on| if on { Offer::Announced } else { Offer::Withheld })
    };
    let extended_messages = switch("extended_messages", defaults.extended_messages);
    let enhanced_refresh = switch("enhanced_refresh", defaults.enhanced_refresh);
    let extended_next_hop = switch("extended_next_hop", defaults.extended_next_hop);
    let stale_time = |text: &str| values::seconds(text, 0..=LONGEST_STALE_TIME);
    let stale_time = reader.get(entry, "long_lived_stale_time", stale_time).map(|s| s.value);
    CapabilityConfig {
        withhold: defaults.withhold.clone(),
        add_path: add_path(reader, entry, &defaults.add_path),
        extended_messages,
        enhanced_refresh,
        extended_next_hop,
        long_lived_stale_time: stale_time.unwrap_or(defaults.long_lived_stale_time),
    }
}

const DIRECTIONS: [(&str, AddPathDirections); 4] = [
    ("off", AddPathDirections::Off),
    ("receive", AddPathDirections::Receive),
    ("send", AddPathDirections::Send),
    ("both", AddPathDirections::Both),
];

fn add_path(reader: &mut Reader, entry: &Entry, defaults: &AddPath) -> AddPath {
    let directions = reader.get(entry, "add_path", |text| values::word(text, &DIRECTIONS));
    let send_limit = reader.get(entry, "add_path_limit", |text| match text {
        "all" => Ok(None),
        _ => {
            paths(text).map(Some).map_err(|fault| Fault::new(fault.what, format!("{}, or all", fault.remedy)))
        }
    });
    let receive_limit = reader.get(entry, "add_path_receive_limit", paths);
    AddPath {
        directions: directions.map_or(defaults.directions, |s| s.value),
        send_limit: send_limit.map_or(defaults.send_limit, |s| s.value),
        receive_limit: receive_limit.map_or(defaults.receive_limit, |s| s.value),
    }
}

fn paths(text: &str) -> Result<NonZeroU16, Fault> {
    let number: u16 = values::number(text, 1..=65535).and_then(values::narrow)?;
    NonZeroU16::new(number).ok_or_else(|| Fault::new(format!("{text} is out of range"), "use 1 to 65535"))
}

/// The word that stands for these directions.
pub(in crate::config) fn directions(wanted: AddPathDirections) -> &'static str {
    DIRECTIONS.iter().find(|(_, directions)| *directions == wanted).map_or("off", |(word, _)| word)
}

/// Whether a capability is offered, as the file says it.
pub(in crate::config) fn offered(offer: Offer) -> String {
    (offer == Offer::Announced).to_string()
}
