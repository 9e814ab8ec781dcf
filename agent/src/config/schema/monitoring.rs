//! `[[bmp]]` and `[mrt]`.

use super::{
    Applies::Live,
    Fallback::{Derived, Integer, Required},
    Key, Kind, key,
};

pub(super) const BMP: &[Key] = &[
    key(
        "address",
        Kind::Text,
        Required,
        Live,
        "BMP collector (RFC 7854) to connect to: `HOST:PORT`, `[IPV6]:PORT`",
    ),
    key(
        "tables",
        Kind::TextList,
        Derived("received"),
        Live,
        "what it is told: `received` (Adj-RIB-In before import policy), `accepted` (after it), `loc-rib` (RFC 9069)",
    ),
    key("statistics", Kind::Integer, Integer(60), Live, "seconds between statistics reports; 0 sends none"),
    key(
        "retry",
        Kind::Integer,
        Integer(2),
        Live,
        "seconds before a new attempt to connect, doubled up to 60",
    ),
];

pub(super) const MRT: &[Key] = &[
    key(
        "table",
        Kind::Text,
        Derived("none"),
        Live,
        "file the tables are dumped to (RFC 6396); `%Y %m %d %H %M %S` are filled in, in UTC",
    ),
    key("table_every", Kind::Integer, Integer(7200), Live, "seconds between dumps; 10 to 86400"),
    key(
        "updates",
        Kind::Text,
        Derived("none"),
        Live,
        "file for each UPDATE received and each change of a session's state, named likewise",
    ),
    key("updates_every", Kind::Integer, Integer(900), Live, "seconds until a new file begins; 10 to 86400"),
];
