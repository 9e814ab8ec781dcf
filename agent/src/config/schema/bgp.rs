//! `[bgp]`.

use super::{
    Applies::Live,
    Fallback::{Derived, Empty, Integer, Switch, Text},
    Key, Kind, key,
};

pub(super) const BGP: &[Key] = &[
    key("listen_port", Kind::Integer, Integer(179), Live, "TCP port we listen on"),
    key(
        "listen",
        Kind::TextList,
        Empty,
        Live,
        "addresses to listen on instead of those of `bind`, with a port (`192.0.2.1:1790`) or without",
    ),
    key("bind", Kind::Text, Text("any"), Live, "listen on `any` address, or on those of the `node` only"),
    key(
        "mesh",
        Kind::TextList,
        Empty,
        Live,
        "addresses of the node-to-node mesh, all in our AS; our own is skipped, so that all nodes may have the \
         same list",
    ),
    key(
        "mesh_password_file",
        Kind::Text,
        Derived("none"),
        Live,
        "file with the TCP MD5 password of the mesh",
    ),
    key("hold_time", Kind::Integer, Integer(90), Live, "seconds; 0 (never expire) or 3 to 65535"),
    key("keepalive_time", Kind::Integer, Derived("a third of the negotiated hold time"), Live, "seconds"),
    key("connect_retry_time", Kind::Integer, Integer(5), Live, "seconds between attempts to connect"),
    key(
        "graceful_restart_time",
        Kind::Integer,
        Integer(120),
        Live,
        "seconds our peers keep our routes while we restart; 0 to 4095, 0 turns graceful restart off",
    ),
    key(
        "selection_deferral",
        Kind::Integer,
        Integer(30),
        Live,
        "longest wait in seconds for the peers' routes after our restart",
    ),
    key(
        "med_missing",
        Kind::Text,
        Text("best"),
        Live,
        "what a route without MED counts as: the `best` value (0) or the `worst`",
    ),
    key(
        "med_compare",
        Kind::Text,
        Text("same-as"),
        Live,
        "MED is compared between routes of the `same-as` neighbour, or `always`",
    ),
    key(
        "tie_break",
        Kind::Text,
        Text("router-id"),
        Live,
        "between equal external routes: the lowest `router-id`, or the `oldest` route (RFC 5004)",
    ),
    key(
        "multipath",
        Kind::Integer,
        Integer(1),
        Live,
        "most next hops of a route, from paths that are equal up to the distance of their next hops; 1 to 64. \
         Weights follow the link bandwidth community where all of them have it",
    ),
    key(
        "multipath_as_path",
        Kind::Text,
        Text("same"),
        Live,
        "paths share a route when their AS paths are the `same`, or (`relax`) of the same length",
    ),
    key(
        "cluster_id",
        Kind::TextOrInteger,
        Derived("the BGP Identifier"),
        Live,
        "cluster id as a route reflector (RFC 4456), an address or a number; the reflectors of one cluster may share it",
    ),
    key(
        "as_sets",
        Kind::Text,
        Text("reject"),
        Live,
        "routes with AS_SET or AS_CONFED_SET in their path: `reject` (RFC 9774; treated as withdrawn), `accept`",
    ),
    key(
        "allow_reserved_ranges",
        Kind::Switch,
        Switch(false),
        Live,
        "take prefixes and next hops of 240.0.0.0/4 (class E) like others; other prefixes that no route leads to \
         (`martian`: 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/4, fe80::/10, ff00::/8, ...) are always refused",
    ),
    key(
        "long_lived_to_all",
        Kind::Switch,
        Switch(false),
        Live,
        "tell every internal peer of long-lived stale routes, those without the capability too: with LOCAL_PREF 0, and \
         to the latter with NO_EXPORT (RFC 9494 section 4.6); to be set throughout the AS",
    ),
    key(
        "graceful_shutdown",
        Kind::Switch,
        Switch(false),
        Live,
        "mark everything we announce as about to go (RFC 8326), so that traffic moves away before we do",
    ),
    key(
        "open_delay",
        Kind::Integer,
        Integer(3),
        Live,
        "seconds the mesh side that Calico would make passive waits before its first attempt to connect; 0 \
         makes collisions of connections happen",
    ),
    key(
        "add_path",
        Kind::Text,
        Text("off"),
        Live,
        "several paths for one prefix (RFC 7911): `off`, `receive`, `send` or `both`",
    ),
    key(
        "add_path_limit",
        Kind::TextOrInteger,
        Text("all"),
        Live,
        "most paths of a prefix that are sent, the best ones: 1 to 65535, or `all`; the peer's own limit holds too",
    ),
    key(
        "add_path_receive_limit",
        Kind::Integer,
        Integer(256),
        Live,
        "most paths of a prefix that are taken from a peer; further ones are refused; 1 to 65535",
    ),
    key("extended_messages", Kind::Switch, Switch(true), Live, "messages of up to 65535 octets (RFC 8654)"),
    key("enhanced_refresh", Kind::Switch, Switch(true), Live, "delimited route refresh (RFC 7313)"),
    key(
        "extended_next_hop",
        Kind::Switch,
        Derived("on for IPv6 sessions that carry IPv4"),
        Live,
        "IPv6 next hops of IPv4 routes (RFC 8950)",
    ),
    key(
        "long_lived_stale_time",
        Kind::Integer,
        Integer(0),
        Live,
        "seconds that routes are kept, as a last resort, beyond the restart time of a peer that does not come back, \
         and that we ask our peers to keep ours (RFC 9494); 0 to 16777215, 0 turns it off",
    ),
];
