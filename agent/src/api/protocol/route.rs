//! Routes of the RIB.

use serde::{Deserialize, Serialize};

/// Which routes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteQuery {
    /// This prefix and what lies inside it; an address: what covers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Of or to this peer, by name or address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// From which table.
    #[serde(default)]
    pub side: RouteSide,
}

/// A table of RFC 4271 section 3.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteSide {
    /// Every usable route, best first.
    #[default]
    LocRib,
    /// Adj-RIB-In, before policy.
    Received,
    /// What import policy passed.
    Accepted,
    /// What was refused, with the reason.
    Rejected,
    /// Adj-RIB-Out.
    Advertised,
}

/// One path to one prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteRow {
    /// The prefix.
    pub prefix: String,
    /// The NEXT_HOP; none for our own blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_hop: Option<String>,
    /// The path identifier, received or sent (RFC 7911); none without ADD-PATH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_id: Option<u32>,
    /// The peer it was learned from; none: our own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// `best`, `multipath`, `usable`, `unreachable`, `rejected` or `advertised`.
    pub state: String,
    /// Why it is in that state: a stable code.
    pub reason: String,
    /// The reason in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason_text: String,
    /// What the import policy does to it, in words; only where a route is explained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Seconds since it was learned.
    pub age: u64,
    /// When it was learned, RFC 3339.
    #[serde(default)]
    pub time: String,
    /// Whether the peer is restarting and has not confirmed it yet (RFC 4724).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
    /// Whether the peer has not come back in time, and it is kept as a last resort (RFC 9494).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub long_lived: bool,
    /// ORIGIN: `igp`, `egp` or `incomplete`.
    pub origin: String,
    /// AS_PATH; sets in braces.
    pub as_path: String,
    /// LOCAL_PREF.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub med: Option<u32>,
    /// COMMUNITIES (RFC 1997), `64512:100` or the name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub communities: Vec<String>,
    /// LARGE_COMMUNITY (RFC 8092).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub large_communities: Vec<String>,
    /// EXTENDED COMMUNITIES (RFC 4360), `rt:64512:100`, `bandwidth:64512:1250000000`, or hexadecimal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extended_communities: Vec<String>,
    /// ORIGINATOR_ID (RFC 4456).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub originator_id: Option<String>,
    /// CLUSTER_LIST (RFC 4456).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cluster_list: Vec<String>,
}
