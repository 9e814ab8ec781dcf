//! The words of values that are one of a few, for reading and for showing them.

use bgp::{
    config::{AsPathMatch, LocalAsPath, MedCompare, MedMissing, PrivateAs, TieBreak},
    core::WatchedTable,
    wire::{context::SegmentRule, role::Role},
};
use fib::config::DiscardRule;

/// `bgp.med_missing`.
pub(super) const MED_MISSING: [(&str, MedMissing); 2] =
    [("best", MedMissing::Best), ("worst", MedMissing::Worst)];

/// `bgp.med_compare`.
pub(super) const MED_COMPARE: [(&str, MedCompare); 2] =
    [("same-as", MedCompare::SameAs), ("always", MedCompare::Always)];

/// `bgp.tie_break`.
pub(super) const TIE_BREAK: [(&str, TieBreak); 2] =
    [("router-id", TieBreak::RouterId), ("oldest", TieBreak::Oldest)];

/// `bgp.multipath_as_path`.
pub(super) const AS_PATHS: [(&str, AsPathMatch); 2] =
    [("same", AsPathMatch::Same), ("relax", AsPathMatch::SameLength)];

/// `bmp.tables`.
pub(super) const TABLES: [(&str, WatchedTable); 3] = [
    ("received", WatchedTable::Received),
    ("accepted", WatchedTable::Accepted),
    ("loc-rib", WatchedTable::LocRib),
];

/// `bgp.as_sets`.
pub(super) const AS_SETS: [(&str, SegmentRule); 2] =
    [("reject", SegmentRule::TreatAsWithdraw), ("accept", SegmentRule::Accept)];

/// `peers.role`.
pub(super) const ROLE: [(&str, Role); 5] = [
    ("provider", Role::Provider),
    ("rs", Role::RouteServer),
    ("rs-client", Role::RouteServerClient),
    ("customer", Role::Customer),
    ("peer", Role::Peer),
];

/// `peers.local_asn_path`.
pub(super) const LOCAL_AS_PATH: [(&str, LocalAsPath); 3] = [
    ("prepend", LocalAsPath::Prepend),
    ("no-prepend", LocalAsPath::NoPrepend),
    ("replace", LocalAsPath::Replace),
];

/// `peers.remove_private_as`.
pub(super) const PRIVATE_AS: [(&str, PrivateAs); 3] =
    [("off", PrivateAs::Keep), ("all", PrivateAs::Remove), ("replace", PrivateAs::Replace)];

/// `kernel.blackhole_community`.
pub(super) const BLACKHOLE_COMMUNITY: [(&str, DiscardRule); 2] =
    [("ignore", DiscardRule::Ignore), ("discard", DiscardRule::Honour)];

/// The word of a value.
pub(super) fn spelled<T: Copy + PartialEq>(value: T, words: &[(&'static str, T)]) -> &'static str {
    words.iter().find(|(_, v)| *v == value).map_or("", |(word, _)| word)
}
