//! `[node]`.

use super::{
    Applies::Live,
    Fallback::{Derived, Integer, Text},
    Key, Kind, key,
};

pub(super) const NODE: &[Key] = &[
    key("name", Kind::Text, Derived("the host name in lower case"), Live, "Calico's node name"),
    key(
        "address",
        Kind::Text,
        Text("autodetect"),
        Live,
        "IPv4 address with the length of its network, which decides what is in our own subnet; a bare address \
         looks its length up on the host; `autodetect`, or `none`",
    ),
    key("address6", Kind::Text, Text("none"), Live, "IPv6 address, written likewise"),
    key(
        "autodetect",
        Kind::Text,
        Text("first-found"),
        Live,
        "how `address` is detected: `first-found`, `can-reach=HOST`, `interface=RE[,RE]`, \
         `skip-interface=RE[,RE]`, `cidr=CIDR[,CIDR]`",
    ),
    key("autodetect6", Kind::Text, Text("first-found"), Live, "how `address6` is detected"),
    key("asn", Kind::TextOrInteger, Integer(64512), Live, "our AS number; `\"1.10\"` is read too"),
    key(
        "router_id",
        Kind::Text,
        Derived("the IPv4 address"),
        Live,
        "BGP Identifier; `hash` makes one of the node name, as Calico does",
    ),
];
