//! Why packets for a destination go where they go.

use serde::{Deserialize, Serialize};

use super::{
    fib::{FibRow, KernelRoute},
    route::RouteRow,
};

/// The whole story of one destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explain {
    /// What was asked.
    pub target: String,
    /// The most specific prefix of the RIB that covers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Its paths, best first, each with the reason for its rank.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<RouteRow>,
    /// The longest pool that contains it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolFact>,
    /// The decision over each next hop of the best path, or over our own block.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<DecisionFact>,
    /// What we want in the kernel for it, and whether it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fib: Option<FibRow>,
    /// What the kernel answers for the target now, of whatever origin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<KernelRoute>,
    /// To whom its best path is announced, and to whom not; one entry for all peers of the same fate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exports: Vec<ExportFact>,
    /// What else is worth knowing, sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What becomes of a route towards some peers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportFact {
    /// The peers, sorted.
    pub peers: Vec<String>,
    /// `announced` or `withheld`.
    pub state: String,
    /// Why it is withheld: a stable code; `sent` otherwise.
    pub reason: String,
    /// The reason, or the attributes as announced, in words.
    pub reason_text: String,
    /// What the export policy does to it, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// A pool and its mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolFact {
    /// The pool.
    pub cidr: String,
    /// `Always`, `CrossSubnet` or `Never`.
    pub ipip_mode: String,
}

/// A decision between direct and tunnel, and what it looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionFact {
    /// The NEXT_HOP; none for our own block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_hop: Option<NextHopFact>,
    /// `direct`, `tunnel`, `blackhole` or `not_ours`.
    pub path: String,
    /// Why: a stable code.
    pub reason: String,
    /// The reason in words.
    pub reason_text: String,
}

/// One route on the way to a next hop.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolutionStep {
    /// The address that was looked for.
    pub address: String,
    /// The destination of the longest route that covers it; none: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// `rtm_protocol` of that route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Where it leads, in words; none: to another next hop, which the next step is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leads: Option<String>,
}

/// What is known of a next hop.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextHopFact {
    /// The address.
    pub address: String,
    /// Why it counts as a known node; none: it is not one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_node: Option<String>,
    /// Our own node network of its family, when it was looked at or is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_network: Option<String>,
    /// Whether the address lies inside it.
    pub in_node_network: bool,
    /// How it is reached, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached_by: Option<String>,
    /// The routes that lead to it, one after another, where there is more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<ResolutionStep>,
    /// Routes of ours that lead back to themselves and therefore do not count on the way to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loops: Vec<String>,
}
