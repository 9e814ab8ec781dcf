//! Routes as they are asked for and as the kernel holds them.

use std::{net::IpAddr, num::NonZeroU32};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::object::ObjectId;

/// Where a next hop is: the same link-local address may be somebody else's on another link (RFC 4007).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HopAddress {
    /// The address.
    pub address: IpAddr,
    /// The index of the device on whose link a link-local address is.
    pub interface: Option<u32>,
}

impl HopAddress {
    /// Whether it is a link-local address that could be on any link.
    pub fn lacks_interface(&self) -> bool {
        let is_link_local = matches!(self.address, IpAddr::V6(address) if address.is_unicast_link_local());
        is_link_local && self.interface.is_none()
    }
}

impl From<IpAddr> for HopAddress {
    fn from(address: IpAddr) -> Self {
        Self { address, interface: None }
    }
}

/// One next hop of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NextHop {
    /// The address: BGP's NEXT_HOP.
    pub address: IpAddr,
    /// Its share of the traffic among its siblings, 1 to 255; zero counts as 1.
    pub weight: u8,
    /// The index of the device on whose link a link-local address is.
    pub interface: Option<u32>,
}

impl NextHop {
    /// A next hop of weight 1.
    pub fn new(address: IpAddr) -> Self {
        Self { address, weight: 1, interface: None }
    }

    /// Where it is.
    pub fn place(&self) -> HopAddress {
        HopAddress { address: self.address, interface: self.interface }
    }
}

/// The next hops of one route, sorted by address and without duplicates.
pub type NextHopSet = SmallVec<[NextHop; 1]>;

/// A wish: from now on this prefix goes to these next hops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteChange {
    /// The destination; host bits are ignored.
    pub prefix: IpNet,
    /// Where to; empty: nowhere any more.
    pub next_hops: NextHopSet,
    /// What is asked for beside that.
    pub treatment: Treatment,
}

/// What a route asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Treatment {
    /// That packets be sent on.
    #[default]
    Forward,
    /// That packets be dropped, where [the configuration](crate::config::DiscardRule) honours it.
    Discard,
}

impl RouteChange {
    /// A route to one next hop.
    pub fn via(prefix: IpNet, next_hop: IpAddr) -> Self {
        Self::to(prefix, SmallVec::from_elem(NextHop::new(next_hop), 1))
    }

    /// A route to these next hops.
    pub fn to(prefix: IpNet, next_hops: NextHopSet) -> Self {
        Self { prefix, next_hops, treatment: Treatment::Forward }
    }

    /// The end of a route.
    pub fn withdraw(prefix: IpNet) -> Self {
        Self::to(prefix, SmallVec::new())
    }
}

/// What the kernel is to do with packets to a prefix: the part of a route that can be replaced in its slot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    /// Drop them silently.
    Blackhole,
    /// Refuse them with an ICMP message: no way leads to the next hop.
    Unreachable,
    /// Send them on through one of these legs, at least one, sorted.
    Unicast(SmallVec<[Leg; 1]>),
    /// Send them on as this next-hop object says.
    Object(ObjectId),
    /// Do as this path says, with no packet larger than so many bytes (`RTAX_MTU`).
    Limited(NonZeroU32, Box<Self>),
    /// Something we never ask for: only ever found in the kernel.
    Other,
}

impl Path {
    /// The path, limited to packets of so many bytes if that is asked.
    pub fn limited(self, mtu: Option<NonZeroU32>) -> Self {
        match mtu {
            Some(mtu) => Self::Limited(mtu, Box::new(self)),
            None => self,
        }
    }

    /// The path without its limit.
    pub fn way(&self) -> &Self {
        match self {
            Self::Limited(_, path) => path.way(),
            path => path,
        }
    }

    /// The route's own MTU in bytes, if it has one.
    pub fn mtu(&self) -> Option<NonZeroU32> {
        match self {
            Self::Limited(mtu, _) => Some(*mtu),
            _ => None,
        }
    }

    /// The object, if the route refers to one.
    pub fn object(&self) -> Option<ObjectId> {
        match self.way() {
            Self::Object(id) => Some(*id),
            _ => None,
        }
    }

    /// The legs of the route itself; none for one that leads nowhere or refers to an object.
    pub fn legs(&self) -> &[Leg] {
        match self.way() {
            Self::Unicast(legs) => legs,
            _ => &[],
        }
    }
}

/// One leg of a unicast route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Leg {
    /// The gateway; `None` when the destination itself is on the link.
    pub gateway: Option<IpAddr>,
    /// The index of the device.
    pub device: u32,
    /// Whether the kernel takes the gateway for a neighbour without asking its tables.
    pub onlink: Onlink,
    /// The share of the traffic, 1 to 255; meaningless, and 1, for an only leg.
    pub weight: u8,
}

/// The kernel's `onlink` flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Onlink {
    /// The gateway must be a neighbour by the kernel's tables.
    No,
    /// It is taken for one.
    Yes,
}

/// A route as the kernel reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelRoute {
    /// The destination.
    pub prefix: IpNet,
    /// The routing table.
    pub table: u32,
    /// Who put it there.
    pub protocol: u8,
    /// The metric; IPv6's default is 1024.
    pub metric: u32,
    /// The type of service; zero for any.
    pub tos: u8,
    /// What it does.
    pub path: Path,
    /// Where it leads, also where [`Self::path`] is [`Path::Other`]; none when it leads nowhere.
    pub legs: SmallVec<[Leg; 1]>,
    /// The kernel's number of its kind (`RTN_*`).
    pub kind: u8,
}
