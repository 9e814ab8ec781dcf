//! `[tunnel]`.

use super::{
    Applies::Live,
    Fallback::{Derived, Empty, Integer, Switch, Text},
    Key, Kind, key,
};

pub(super) const TUNNEL: &[Key] = &[
    key("address", Kind::Text, Derived("none"), Live, "IPv4 address of tunl0, a /32"),
    key("mtu", Kind::TextOrInteger, Text("auto"), Live, "`auto`: the underlay's less 20; or a number"),
    key(
        "route_mtu",
        Kind::TextOrInteger,
        Text("off"),
        Live,
        "MTU that tunnelled routes carry themselves: `auto`, the underlay's less 20; a number; or `off`",
    ),
    key(
        "pmtudisc",
        Kind::Text,
        Text("keep"),
        Live,
        "DF bit of outer headers: `on`, always set; `off`, the inner header's; `keep`, as the device has it",
    ),
    key(
        "source",
        Kind::Text,
        Text("route"),
        Live,
        "source of outer headers: `route`, the kernel's choice; `node`, the node's address whatever the route says",
    ),
    key(
        "next_hops",
        Kind::TextList,
        Empty,
        Live,
        "networks whose addresses are known nodes, besides the mesh and next hops learned from internal peers",
    ),
    key("guard", Kind::Text, Text("on"), Live, "let protocol 4 in from known nodes only; or `off`"),
    key(
        "allow_from",
        Kind::TextList,
        Empty,
        Live,
        "networks whose hosts may send into the tunnel although they are no known nodes; no route is tunnelled to them",
    ),
    key(
        "allow_to",
        Kind::TextList,
        Empty,
        Live,
        "inner destinations that are let in from anyone with any inner source: addresses of IPVS-TUN or DSR on this host",
    ),
    key(
        "keep_addresses",
        Kind::TextList,
        Empty,
        Live,
        "networks whose addresses on tunl0 belong to other programs and are left alone",
    ),
    key(
        "guard_grace",
        Kind::Integer,
        Integer(30),
        Live,
        "seconds for which the guard still lets in what is no longer known; 0 to 3600",
    ),
    key(
        "guard_bind",
        Kind::Switch,
        Switch(false),
        Live,
        "let in what is behind a node from that very node only, by a packet mark",
    ),
    key(
        "guard_mark",
        Kind::TextOrInteger,
        Text("0x3fff"),
        Live,
        "bits of the packet mark `guard_bind` may use: in one row, and nobody else's",
    ),
    key(
        "sysctls",
        Kind::Text,
        Text("report"),
        Live,
        "settings of the kernel that keep packets from passing: `report` them with their remedy, or `set` them",
    ),
];
