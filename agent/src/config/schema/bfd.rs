//! `[bfd]`.

use super::{
    Applies::Live,
    Fallback::{Integer, Text},
    Key, Kind, key,
};

pub(super) const BFD: &[Key] = &[
    key("mesh", Kind::Text, Text("off"), Live, "`on`: watch the paths to the nodes of `bgp.mesh`; `off`"),
    key(
        "interval",
        Kind::Integer,
        Integer(300),
        Live,
        "milliseconds between packets, sent and wanted; 10 to 60000; the slower side decides",
    ),
    key(
        "multiplier",
        Kind::Integer,
        Integer(3),
        Live,
        "so many intervals without a packet of ours, and the peer takes the path for dead; 1 to 255",
    ),
];
