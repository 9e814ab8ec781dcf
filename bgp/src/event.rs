//! What a session tells the core and the other way round.

mod extensions;

use std::{collections::BTreeSet, net::IpAddr, sync::Arc, time::Duration};

pub use self::extensions::{Extensions, PeerLongLived};
use crate::{
    types::{Asn, Families, Family, NextHopAddress, PeerType, RouterId},
    wire::{attribute::PathAttributes, nlri::NlriList},
};

/// One step of an UPDATE stream, in the order received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteItem {
    /// Feasible routes that share their attributes.
    Reach {
        /// The shared attributes.
        attributes: Arc<PathAttributes>,
        /// The prefixes.
        nlri: NlriList,
    },
    /// Withdrawn routes (also those that RFC 7606 treats as withdrawn).
    Unreach(NlriList),
    /// End-of-RIB (RFC 4724 section 2).
    EndOfRib(Family),
}

/// What came from one peer since the last batch: at most about 64 KiB of wire input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteBatch {
    /// The items in order of arrival.
    pub items: Vec<RouteItem>,
}

/// What the two OPENs of a session agreed on, as far as decoding, encoding and the RIB need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// The AS number the peer has shown.
    pub peer_asn: Asn,
    /// Whether the session is internal or external: by the AS numbers of both OPENs, since these are what the peer goes
    /// by too, whatever other numbers this speaker has.
    pub peer_type: PeerType,
    /// The peer's BGP Identifier.
    pub peer_id: RouterId,
    /// Families both sides announced; IPv4 unicast when neither sent a multiprotocol capability.
    pub families: Families,
    /// Whether AS numbers travel in 4 octets (RFC 6793).
    pub four_octet_asn: bool,
    /// Whether the peer announced route refresh (RFC 2918).
    pub route_refresh: bool,
    /// The smaller of the two hold times; zero means none.
    pub hold_time: Duration,
    /// The longest message the peer takes: 4096, or 65535 (RFC 8654).
    pub max_message: usize,
    /// What the peer said about graceful restart, when it announced it and so did we.
    pub graceful_restart: Option<PeerRestart>,
    /// What else is in force.
    pub extensions: Extensions,
}

/// The peer's Graceful Restart capability (RFC 4724 section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRestart {
    /// Whether the peer has restarted (R bit).
    pub restarting: bool,
    /// Whether a NOTIFICATION too keeps the routes (N bit, RFC 8538); both sides must set it.
    pub notification: bool,
    /// How long to keep its routes while it is away.
    pub restart_time: Duration,
    /// Families it can restart gracefully.
    pub families: Families,
    /// Families whose forwarding state it kept (F bit).
    pub forwarding: Families,
}

/// What kept or ended the routes of a session that went down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// The session ended without a NOTIFICATION (or RFC 8538 applies): the peer may be restarting.
    MayRestart,
    /// It was closed on purpose or by an error: its routes go at once.
    Flush,
}

/// The ends of what a peer sends again (RFC 7313 section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshMark {
    /// BoRR.
    Beginning,
    /// EoRR.
    End,
}

/// Whether a next hop can be reached (RFC 4271 section 9.1.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reachability {
    /// Through a route of this metric (the IGP cost of section 9.1.2.2 e).
    Reachable {
        /// The metric.
        metric: u32,
    },
    /// No usable route.
    Unreachable,
}

/// What is known of the way to a next hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextHopReport {
    /// Whether it can be reached.
    pub reachability: Reachability,
    /// The names of the interfaces packets to it leave through, which policies may ask for; in any order, none where
    /// nobody asks or it cannot be reached.
    pub interfaces: Vec<Arc<str>>,
    /// Through what it is reached; of no meaning while it cannot be reached.
    pub through: Through,
}

impl From<Reachability> for NextHopReport {
    /// A report without interfaces of a next hop on a link of this host.
    fn from(reachability: Reachability) -> Self {
        Self { reachability, interfaces: Vec::new(), through: Through::Link }
    }
}

/// Through what a next hop is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// It is on a link of this host: nothing that is learned changes that.
    Link,
    /// A route that is not learned over BGP, whose prefix has this length.
    Kernel(u8),
    /// A route learned over BGP, whose prefix has this length.
    Learned(u8),
}

impl Through {
    /// Whether a learned route with a prefix of this length around the next hop would be the way to it itself, so that it
    /// would not be resolvable once it was installed (RFC 4271 section 9.1.2.1).
    pub fn yields_to(self, length: u8) -> bool {
        match self {
            Self::Link => false,
            Self::Kernel(theirs) => length > theirs,
            Self::Learned(theirs) => length >= theirs,
        }
    }
}

/// An interface under its name. An interface that is deleted and created anew has another index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interface {
    /// The interface's index.
    pub index: u32,
    /// The interface's name.
    pub name: String,
}

/// Which names stopped meaning which interfaces, and which names mean which interfaces now. An interface that is deleted
/// and created anew with the same index is in both sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceChanges {
    /// The pairs of name and index that are no more.
    pub lost: BTreeSet<Interface>,
    /// The pairs that are new.
    pub found: BTreeSet<Interface>,
}

impl InterfaceChanges {
    /// The interfaces that are the same under another name: the name they had and the name they have.
    pub fn renamed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lost.iter().flat_map(|lost| {
            let now = self.found.iter().find(|found| found.index == lost.index && found.name != lost.name);
            now.map(|now| (lost.name.as_str(), now.name.as_str()))
        })
    }

    /// The names that may mean another interface now.
    pub fn names(&self) -> BTreeSet<&str> {
        self.lost.iter().chain(&self.found).map(|interface| interface.name.as_str()).collect()
    }
}

/// The addresses of a session's transport connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionAddresses {
    /// Our end.
    pub local: IpAddr,
    /// The peer's end.
    pub peer: IpAddr,
    /// The index of the interface that link-local ends belong to.
    pub interface: Option<u32>,
}

/// An address of this host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostAddress {
    /// The address.
    pub address: IpAddr,
    /// The index of its interface.
    pub index: u32,
    /// The name of its interface.
    pub interface: String,
}

impl HostAddress {
    /// Whether it counts on its own link only.
    pub fn is_link_local(&self) -> bool {
        matches!(self.address, IpAddr::V6(address) if address.is_unicast_link_local())
    }

    /// The address as one end of a session has it.
    pub fn hop(&self) -> NextHopAddress {
        NextHopAddress { address: self.address, interface: self.is_link_local().then_some(self.index) }
    }
}

impl SessionAddresses {
    /// The ends of a connection between addresses that need no interface.
    pub fn new(local: IpAddr, peer: IpAddr) -> Self {
        Self { local, peer, interface: None }
    }

    /// Our end as others name it.
    pub fn local_hop(&self) -> NextHopAddress {
        let is_link_local = matches!(self.local, IpAddr::V6(a) if a.is_unicast_link_local());
        NextHopAddress { address: self.local, interface: self.interface.filter(|_| is_link_local) }
    }
}
