//! `[kernel]`.

use super::{
    Applies::{Live, Restart},
    Fallback::{Empty, Integer, Text},
    Key, Kind, key,
};

pub(super) const KERNEL: &[Key] = &[
    key(
        "protocol",
        Kind::TextOrInteger,
        Integer(179),
        Restart,
        "protocol number of our routes, or a name of rt_protos such as `bird`; never one of the kernel's own",
    ),
    key("table", Kind::TextOrInteger, Text("main"), Restart, "routing table, `main` or a number"),
    key("metric", Kind::Integer, Integer(0), Restart, "metric of our routes"),
    key(
        "adopt",
        Kind::TextList,
        Empty,
        Live,
        "protocols of routing daemons before us, such as `bird`: their routes are taken over in place at start",
    ),
    key(
        "nexthop_objects",
        Kind::Text,
        Text("auto"),
        Live,
        "whether routes refer to next-hop objects: `auto` (from 50000 routes on, where the kernel has them), `on`, `off`",
    ),
    key(
        "blackhole_community",
        Kind::Text,
        Text("ignore"),
        Live,
        "routes with the BLACKHOLE community (RFC 7999) from the mesh and from peers with `blackhole`: `discard` makes \
         them `blackhole` routes, which drop their packets; `ignore` forwards these as ever",
    ),
];
