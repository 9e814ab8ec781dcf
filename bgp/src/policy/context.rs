//! What a policy knows when it is asked about a route.

use std::{net::IpAddr, sync::Arc};

use ipnet::IpNet;

use super::PrefixSet;
use crate::{
    types::{Asn, Family, PeerType},
    wire::attribute::{NextHop, PathAttributes},
};

/// A peer as policies know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbor<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its address.
    pub address: IpAddr,
    /// Whether it is in our AS.
    pub kind: PeerType,
}

/// The session a policy works for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionContext<'a> {
    /// The other end: the sender of an imported route, the receiver of an exported one.
    ///
    /// An export policy that [names no peers](super::Policy::names_peers) may be asked with those of any peer of
    /// the same kind.
    pub peer: Neighbor<'a>,
    /// The AS number we show there.
    pub local_asn: Asn,
    /// Our own next hop there; `None`: we have no address of the family.
    pub local_next_hop: Option<NextHop>,
    /// The family of the routes.
    pub family: Family,
}

/// Where a route came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteSource<'a> {
    /// Originated by this speaker.
    Local,
    /// Learned from this peer.
    Learned(Neighbor<'a>),
}

/// What a policy is asked about.
#[derive(Clone, Copy, Debug)]
pub struct RouteContext<'a> {
    /// The prefix.
    pub prefix: IpNet,
    /// The attributes before this policy.
    pub attributes: &'a PathAttributes,
    /// For whom the policy is asked.
    pub session: SessionContext<'a>,
    /// Where the route came from.
    pub source: RouteSource<'a>,
    /// The names of the interfaces it leads through, those of the way to the sender (import) or to the next hop it was
    /// learned with (export); only a policy that [reads them](super::Policy::reads_interfaces) needs any.
    pub interfaces: &'a [Arc<str>],
}

/// Some peers, by name or by address.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NeighborSet {
    /// Names, sorted.
    names: Vec<String>,
    /// Prefixes the address may lie in.
    addresses: PrefixSet,
}

impl NeighborSet {
    /// The peers of these names, and those whose address lies inside one of these prefixes.
    pub fn new(mut names: Vec<String>, addresses: PrefixSet) -> Self {
        names.sort_unstable();
        names.dedup();
        Self { names, addresses }
    }

    /// Whether the peer is a member.
    pub fn contains(&self, peer: &Neighbor<'_>) -> bool {
        self.names.binary_search_by(|name| name.as_str().cmp(peer.name)).is_ok()
            || self.addresses.contains(peer.address)
    }
}
