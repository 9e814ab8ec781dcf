//! The sections of policies and of the sets they name.

use super::{
    Applies::Live,
    Fallback::{Derived, Empty, Required, Text},
    Key, Kind, Section, Shape, key,
};

pub(super) const POLICIES: &[Key] = &[
    key("name", Kind::Text, Required, Live, "unique name, which peers' `import` and `export` take"),
    key(
        "default",
        Kind::Text,
        Text("next"),
        Live,
        "what becomes of a route no term decides over: `accept`, `reject`, or the `next` in the peer's list \
         decides; after the last one it is refused",
    ),
    key("terms", Kind::Tables(&TERMS), Empty, Live, "the terms, asked in this order"),
];

static TERMS: Section = Section { name: "policies.terms", shape: Shape::Tables, keys: TERM };

const ANY: super::Fallback = Derived("any");
const UNCHANGED: super::Fallback = Derived("unchanged");

const fn condition(name: &'static str, about: &'static str) -> Key {
    key(name, Kind::Items, ANY, Live, about)
}

const fn number(name: &'static str, about: &'static str) -> Key {
    key(name, Kind::TextOrInteger, ANY, Live, about)
}

const TERM: &[Key] = &[
    key("name", Kind::Text, Derived("`term-1` and so on"), Live, "shown where a decision is explained"),
    condition("family", "`ipv4` or `ipv6`"),
    condition(
        "prefixes",
        "one of these: `10.0.0.0/8`, also with `ge LENGTH` and `le LENGTH`, a set of prefixes, our `pools` or \
         `blocks`",
    ),
    condition("not_prefixes", "none of these"),
    condition("next_hops", "its next hop is one of these: addresses, prefixes, sets of prefixes"),
    condition("not_next_hops", "its next hop is none of these"),
    condition(
        "interfaces",
        "one of these leads to the sender (import), or to the next hop it was learned with (export): names, with \
         `*` and `?` in them; none leads to a route of our own",
    ),
    condition("not_interfaces", "none of these does"),
    condition("peers", "the peer that the policy works for, by name, address or prefix"),
    condition("not_peers", "it works for none of these"),
    key("peer_type", Kind::Text, ANY, Live, "the peer that the policy works for is `internal` or `external`"),
    condition("source", "`local`, `learned`, or learned from an `internal` or `external` peer"),
    condition("learned_from", "the peer it was learned from, by name, address or prefix"),
    condition("not_learned_from", "it was learned from none of these"),
    condition(
        "communities",
        "it has one of these: `65000:1`, `65000:1:2`, `rt:65000:1`, `no-export`, with `*` or ranges in any \
         place; sets of communities",
    ),
    condition("all_communities", "it has each of these"),
    condition("not_communities", "it has none of these"),
    condition(
        "as_paths",
        "its whole AS path is one of these: AS numbers, ranges, `?` (one of any), `*` (any number), `+` (at \
         least one); sets of AS paths",
    ),
    condition("not_as_paths", "its AS path is none of these"),
    condition("as_path_contains", "one of these AS numbers or ranges stands anywhere in its AS path"),
    condition("neighbor_as", "the first of its AS path is one of these AS numbers or ranges"),
    condition("origin_as", "the last of its AS path is one of these AS numbers or ranges"),
    number("as_path_length", "a number, `2-5` or `>=3`"),
    condition("origin", "`igp`, `egp`, `incomplete`"),
    number("local_pref", "a number or a range; 100 where the route has none"),
    number("med", "a number, a range, or `none`"),
    number("weight", "a number or a range; 0 where nobody gave it one"),
    key("delete_communities", Kind::Items, UNCHANGED, Live, "take these away; patterns and sets as above"),
    key(
        "set_communities",
        Kind::Items,
        UNCHANGED,
        Live,
        "take all communities of every kind away, then add these; may be `[]`",
    ),
    key("add_communities", Kind::Items, UNCHANGED, Live, "attach these"),
    key("prepend", Kind::Integer, UNCHANGED, Live, "put our AS number before the AS path so often; 1 to 32"),
    key("prepend_asn", Kind::TextOrInteger, Derived("our own"), Live, "put this one there instead"),
    key("set_local_pref", Kind::Integer, UNCHANGED, Live, "LOCAL_PREF; the highest wins"),
    key("set_med", Kind::TextOrInteger, UNCHANGED, Live, "MED: a number, `+10`, `-10` or `none`"),
    key("set_origin", Kind::Text, UNCHANGED, Live, "`igp`, `egp` or `incomplete`"),
    key(
        "set_weight",
        Kind::Integer,
        UNCHANGED,
        Live,
        "import: our own preference before every other, 0 to 65535; never announced",
    ),
    key(
        "set_next_hop",
        Kind::Text,
        UNCHANGED,
        Live,
        "an address; export: `self` or `keep`; import: `peer`, the sender's address",
    ),
    key(
        "then",
        Kind::Text,
        Derived("continue, when the term changes something"),
        Live,
        "`accept`, `reject`, `continue` with the next term, or go on with the `next_policy` of the peer's list",
    ),
];

pub(super) const PREFIX_SETS: &[Key] = &[
    key("name", Kind::Text, Required, Live, "unique name"),
    key("prefixes", Kind::Items, Required, Live, "`10.0.0.0/8`, also with `ge LENGTH` and `le LENGTH`"),
];

pub(super) const COMMUNITY_SETS: &[Key] = &[
    key("name", Kind::Text, Required, Live, "unique name"),
    key("communities", Kind::Items, Required, Live, "communities of any kind, and patterns of them"),
];

pub(super) const AS_PATH_SETS: &[Key] = &[
    key("name", Kind::Text, Required, Live, "unique name"),
    key("as_paths", Kind::Items, Required, Live, "patterns of whole AS paths"),
];
