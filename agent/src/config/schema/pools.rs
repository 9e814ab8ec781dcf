//! `[[pools]]` and `[local]`.

use super::{
    Applies::Live,
    Fallback::{Derived, Empty, Required, Switch, Text},
    Key, Kind, key,
};

pub(super) const POOLS: &[Key] = &[
    key("cidr", Kind::Text, Required, Live, "the pool's addresses; pools do not overlap"),
    key("block_size", Kind::Integer, Derived("26, IPv6 122"), Live, "prefix length of its blocks"),
    key("ipip_mode", Kind::Text, Text("Never"), Live, "`Always`, `CrossSubnet`, `Never`; IPv4 only"),
    key("export", Kind::Switch, Switch(true), Live, "`false`: nothing inside is announced to anyone"),
    key(
        "nat_outgoing",
        Kind::Switch,
        Switch(false),
        Live,
        "`true`: what goes from here to destinations outside all pools takes the host's address; IPv4 only",
    ),
];

pub(super) const LOCAL: &[Key] = &[
    key(
        "blocks",
        Kind::TextList,
        Empty,
        Live,
        "blocks this host originates and blackholes, each inside a pool",
    ),
    key(
        "interfaces",
        Kind::TextList,
        Derived("cali*"),
        Live,
        "interfaces of pods (`*` ends a name): their addresses outside our blocks but inside a pool are originated",
    ),
];
