//! Network Layer Reachability Information (RFC 4271 section 4.3, RFC 4760, RFC 7911).

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::types::Family;

/// One prefix as a peer names it. `path_id` is 0 unless ADD-PATH was negotiated (RFC 7911).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nlri<P> {
    /// The prefix, host bits cleared.
    pub prefix: P,
    /// The path identifier.
    pub path_id: u32,
}

/// Prefixes of one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NlriList {
    /// IPv4 unicast.
    V4(Vec<Nlri<Ipv4Net>>),
    /// IPv6 unicast.
    V6(Vec<Nlri<Ipv6Net>>),
}

impl NlriList {
    /// The family of the prefixes.
    pub fn family(&self) -> Family {
        match self {
            Self::V4(_) => Family::Ipv4Unicast,
            Self::V6(_) => Family::Ipv6Unicast,
        }
    }

    /// How many prefixes there are.
    pub fn len(&self) -> usize {
        match self {
            Self::V4(list) => list.len(),
            Self::V6(list) => list.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The prefixes, family-erased.
    pub fn iter(&self) -> Box<dyn Iterator<Item = IpNet> + '_> {
        match self {
            Self::V4(list) => Box::new(list.iter().map(|n| n.prefix.into())),
            Self::V6(list) => Box::new(list.iter().map(|n| n.prefix.into())),
        }
    }
}
