//! What the tables ask of a prefix type, so that each family has code of its own.

use std::{
    fmt::Debug,
    hash::Hash,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::Prefix;

use crate::wire::{attribute::NextHop, nlri::WirePrefix};

/// A prefix of one family.
pub(crate) trait Net: Prefix + WirePrefix + Copy + Ord + Hash + Debug + Default + Into<IpNet> {
    /// The prefix when it is of this family, host bits cleared.
    fn of(prefix: IpNet) -> Option<Self>;

    /// The next hop of a route that has none yet.
    fn unspecified() -> NextHop;

    /// This address as a next hop of the family.
    fn next_hop(address: IpAddr) -> Option<NextHop>;
}

impl Net for Ipv4Net {
    fn of(prefix: IpNet) -> Option<Self> {
        match prefix.trunc() {
            IpNet::V4(p) => Some(p),
            IpNet::V6(_) => None,
        }
    }

    fn unspecified() -> NextHop {
        NextHop::V4(Ipv4Addr::UNSPECIFIED)
    }

    fn next_hop(address: IpAddr) -> Option<NextHop> {
        match address {
            IpAddr::V4(a) => Some(NextHop::V4(a)),
            IpAddr::V6(_) => None,
        }
    }
}

impl Net for Ipv6Net {
    fn of(prefix: IpNet) -> Option<Self> {
        match prefix.trunc() {
            IpNet::V6(p) => Some(p),
            IpNet::V4(_) => None,
        }
    }

    fn unspecified() -> NextHop {
        NextHop::V6(Ipv6Addr::UNSPECIFIED)
    }

    fn next_hop(address: IpAddr) -> Option<NextHop> {
        match address {
            IpAddr::V6(address) if address.is_unicast_link_local() => {
                Some(NextHop::LinkLocal { address, interface: 0 })
            }
            IpAddr::V6(address) => Some(NextHop::V6(address)),
            IpAddr::V4(_) => None,
        }
    }
}
