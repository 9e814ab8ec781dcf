//! Path attributes as values (RFC 4271 section 5 and the RFCs that add to it).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::Bytes;

use crate::types::{Asn, RouterId};

/// ORIGIN (RFC 4271 section 5.1.1). The order is the order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Interior to the originating AS.
    Igp = 0,
    /// Learned through EGP.
    Egp = 1,
    /// Learned by other means.
    Incomplete = 2,
}

/// Where packets for a route go: NEXT_HOP, or the next hop field of MP_REACH_NLRI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NextHop {
    /// An IPv4 address (RFC 4271 section 5.1.3).
    V4(Ipv4Addr),
    /// A global IPv6 address (RFC 2545 section 3).
    V6(Ipv6Addr),
    /// A global and a link-local IPv6 address (RFC 2545 section 3).
    V6WithLinkLocal {
        /// The global address.
        global: Ipv6Addr,
        /// The link-local address, valid on the link to the sender.
        link_local: Ipv6Addr,
    },
}

impl NextHop {
    /// The address that reachability is asked for.
    pub fn address(self) -> IpAddr {
        match self {
            Self::V4(a) => a.into(),
            Self::V6(a) => a.into(),
            Self::V6WithLinkLocal { global, .. } => global.into(),
        }
    }
}

/// AGGREGATOR (RFC 4271 section 5.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Aggregator {
    /// The AS that aggregated.
    pub asn: Asn,
    /// The speaker that aggregated.
    pub address: Ipv4Addr,
}

/// One large community (RFC 8092).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LargeCommunity {
    /// Global Administrator.
    pub global: u32,
    /// Local Data Part 1.
    pub local1: u32,
    /// Local Data Part 2.
    pub local2: u32,
}

/// An optional transitive attribute we do not interpret; passed on byte-identical (RFC 4271 section 9).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnknownAttribute {
    /// The flags octet as it goes out: Partial set, extended-length as the value needs.
    pub flags: u8,
    /// The attribute type code.
    pub code: u8,
    /// The value, untouched.
    pub value: Bytes,
}

/// Attributes that few routes carry, kept apart so that the common set stays small.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RareAttributes {
    /// AGGREGATOR.
    pub aggregator: Option<Aggregator>,
    /// COMMUNITIES in wire order (RFC 1997).
    pub communities: Vec<u32>,
    /// ORIGINATOR_ID (RFC 4456).
    pub originator_id: Option<RouterId>,
    /// CLUSTER_LIST, most recent first (RFC 4456).
    pub cluster_list: Vec<RouterId>,
    /// EXTENDED COMMUNITIES in wire order (RFC 4360).
    pub extended_communities: Vec<[u8; 8]>,
    /// LARGE_COMMUNITY in wire order (RFC 8092).
    pub large_communities: Vec<LargeCommunity>,
    /// Unknown optional transitive attributes, ascending by code.
    pub unknown: Vec<UnknownAttribute>,
}

/// The path attributes of a feasible route, next hop included: complete, valid, comparable, hashable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathAttributes {
    /// ORIGIN.
    pub origin: Origin,
    /// AS_PATH, already merged with AS4_PATH (RFC 6793 section 4.2.3).
    pub as_path: AsPath,
    /// NEXT_HOP or the next hop of MP_REACH_NLRI.
    pub next_hop: NextHop,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// LOCAL_PREF; present on routes from internal peers.
    pub local_pref: Option<u32>,
    /// Whether ATOMIC_AGGREGATE is attached.
    pub atomic_aggregate: bool,
    /// Everything else, when there is any.
    pub rare: Option<Box<RareAttributes>>,
}

/// AS_PATH in its 4-octet wire form, validated: segments of (type, count, count ASNs).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AsPath(pub(crate) Box<[u8]>);
