//! Netlink messages as routes, lookups and notices.

use std::{net::IpAddr, num::NonZeroU32};

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_REPLACE, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    link::{LinkAttribute, LinkFlags, LinkMessage},
    route::{
        RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteMetric, RouteNextHop, RouteNextHopFlags,
        RouteType, RouteVia,
    },
};
use smallvec::SmallVec;

use super::{Admin, Carrier, Link, Notice};
use crate::{
    object::ObjectId,
    resolve::Lookup,
    route::{KernelRoute, Leg, Onlink, Path},
    table::RouteNotice,
};

/// The route of a message; `None` for one that is of another family, is no route of a table, or holds for certain
/// sources only: such a route shares its slot with none of ours.
pub(super) fn route(message: &RouteMessage) -> Option<KernelRoute> {
    let header = &message.header;
    if header.flags.contains(RouteFlags::Cloned) || header.source_prefix_length != 0 {
        return None;
    }
    let attributes = Attributes::read(message);
    let legs = attributes.legs(message, Legs::Held);
    let path = match header.kind {
        RouteType::BlackHole => Path::Blackhole,
        RouteType::Unreachable => Path::Unreachable,
        RouteType::Unicast if !attributes.unusual => match attributes.object {
            Some(id) => Path::Object(id).limited(attributes.mtu),
            None if legs.is_empty() => Path::Other,
            None => Path::Unicast(legs.clone()).limited(attributes.mtu),
        },
        _ => Path::Other,
    };
    Some(KernelRoute {
        prefix: prefix(message, attributes.destination)?,
        table: attributes.table.unwrap_or(header.table.into()),
        protocol: header.protocol.into(),
        metric: attributes.metric,
        tos: header.tos,
        path,
        legs: if header.kind == RouteType::Unicast { legs } else { SmallVec::new() },
        kind: header.kind.into(),
    })
}

/// The answer to a lookup that asked for the matching route.
pub(super) fn lookup(message: &RouteMessage) -> Option<Lookup> {
    let attributes = Attributes::read(message);
    let unicast = message.header.kind == RouteType::Unicast;
    let legs = if unicast { attributes.legs(message, Legs::Usable) } else { SmallVec::new() };
    let idle = attributes.devices().filter(|device| !legs.iter().any(|leg| leg.device == *device)).collect();
    Some(Lookup {
        by: prefix(message, attributes.destination)?,
        table: attributes.table.unwrap_or(message.header.table.into()),
        protocol: message.header.protocol.into(),
        metric: attributes.metric,
        kind: message.header.kind.into(),
        legs,
        idle,
    })
}

/// The notice in a message, if it is one that matters.
pub(super) fn notice(message: NetlinkMessage<RouteNetlinkMessage>) -> Option<Notice> {
    let replaced = message.header.flags & NLM_F_REPLACE != 0;
    let inner = match message.payload {
        NetlinkPayload::InnerMessage(inner) => inner,
        NetlinkPayload::Overrun(_) => return Some(Notice::Overrun),
        _ => return None,
    };
    match inner {
        RouteNetlinkMessage::NewRoute(message) if replaced => {
            route(&message).map(RouteNotice::Replaced).map(Notice::Route)
        }
        RouteNetlinkMessage::NewRoute(message) => route(&message).map(RouteNotice::Added).map(Notice::Route),
        RouteNetlinkMessage::DelRoute(message) => {
            route(&message).map(RouteNotice::Removed).map(Notice::Route)
        }
        RouteNetlinkMessage::NewLink(message) => link(&message).map(Notice::Link),
        RouteNetlinkMessage::DelLink(message) => link(&message).map(|link| Notice::LinkGone(link.index)),
        RouteNetlinkMessage::NewAddress(message) | RouteNetlinkMessage::DelAddress(message) => {
            Some(Notice::Address(message.header.index))
        }
        RouteNetlinkMessage::NewRule(_) | RouteNetlinkMessage::DelRule(_) => Some(Notice::Rule),
        _ => None,
    }
}

/// The device of a message; `None` for a message about a bridge's port, which speaks of the device in another role.
pub(super) fn link(message: &LinkMessage) -> Option<Link> {
    if message.header.interface_family == AddressFamily::Bridge {
        return None;
    }
    let name = message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.clone()),
        _ => None,
    });
    let admin = if message.header.flags.contains(LinkFlags::Up) { Admin::Up } else { Admin::Down };
    // As the kernel's own routes see it; IFF_RUNNING follows up to a second later.
    let carrier =
        if message.header.flags.contains(LinkFlags::LowerUp) { Carrier::Present } else { Carrier::Lost };
    Some(Link { index: message.header.index, name: name.unwrap_or_default(), admin, carrier })
}

/// Which legs count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Legs {
    /// All: those the kernel does not use at present are part of the route, and may come to life again without a word.
    Held,
    /// Those that lead somewhere: not dead, nor over a link without carrier, which the kernel may go on using in vain.
    Usable,
}

impl Legs {
    fn has_route(self, flags: RouteFlags) -> bool {
        self == Self::Held || !flags.intersects(RouteFlags::Dead | RouteFlags::Linkdown)
    }

    fn has_hop(self, hop: &RouteNextHop) -> bool {
        self == Self::Held || !hop.flags.intersects(RouteNextHopFlags::Dead | RouteNextHopFlags::Linkdown)
    }
}

/// The attributes that matter.
#[derive(Default)]
struct Attributes<'a> {
    destination: Option<IpAddr>,
    gateway: Option<IpAddr>,
    device: Option<u32>,
    multipath: &'a [RouteNextHop],
    table: Option<u32>,
    metric: u32,
    object: Option<ObjectId>,
    mtu: Option<NonZeroU32>,
    /// Whether there is one that we never set and that changes what the route does.
    unusual: bool,
}

impl<'a> Attributes<'a> {
    fn read(message: &'a RouteMessage) -> Self {
        let mut read = Self::default();
        for attribute in &message.attributes {
            match attribute {
                RouteAttribute::Destination(address) => read.destination = ip(address),
                RouteAttribute::Gateway(address) => read.gateway = ip(address),
                RouteAttribute::Via(via) => read.gateway = via_ip(via),
                RouteAttribute::Oif(index) => read.device = Some(*index),
                RouteAttribute::MultiPath(hops) => read.multipath = hops,
                RouteAttribute::NhId(id) => read.object = Some(ObjectId(*id)),
                RouteAttribute::Table(table) => read.table = Some(*table),
                RouteAttribute::Priority(metric) => read.metric = *metric,
                RouteAttribute::Metrics(metrics) => match metrics.as_slice() {
                    [RouteMetric::Mtu(mtu)] => read.mtu = NonZeroU32::new(*mtu),
                    _ => read.unusual = true,
                },
                RouteAttribute::PrefSource(_)
                | RouteAttribute::Source(_)
                | RouteAttribute::Encap(_)
                | RouteAttribute::EncapType(_)
                | RouteAttribute::Realm(_)
                | RouteAttribute::Expires(_) => read.unusual = true,
                _ => {}
            }
        }
        read
    }

    /// The devices of all legs.
    fn devices(&self) -> impl Iterator<Item = u32> {
        self.device.into_iter().chain(self.multipath.iter().map(|hop| hop.interface_index))
    }

    /// The legs that count, sorted.
    fn legs(&self, message: &RouteMessage, which: Legs) -> SmallVec<[Leg; 1]> {
        let flags = message.header.flags;
        let mut legs: SmallVec<[Leg; 1]> = match (self.multipath, self.device) {
            ([], Some(device)) if which.has_route(flags) => {
                let onlink = onlink(flags.contains(RouteFlags::Onlink));
                SmallVec::from_elem(Leg { gateway: self.gateway, device, onlink, weight: 1 }, 1)
            }
            ([], _) => SmallVec::new(),
            (hops, _) => hops.iter().filter(|hop| which.has_hop(hop)).map(leg).collect(),
        };
        legs.sort_unstable();
        if let [only] = legs.as_mut_slice() {
            only.weight = 1;
        }
        legs
    }
}

fn leg(hop: &RouteNextHop) -> Leg {
    let gateway = hop.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Gateway(address) => ip(address),
        RouteAttribute::Via(via) => via_ip(via),
        _ => None,
    });
    let onlink = onlink(hop.flags.contains(RouteNextHopFlags::Onlink));
    Leg { gateway, device: hop.interface_index, onlink, weight: hop.hops.saturating_add(1) }
}

fn onlink(set: bool) -> Onlink {
    if set { Onlink::Yes } else { Onlink::No }
}

fn prefix(message: &RouteMessage, destination: Option<IpAddr>) -> Option<IpNet> {
    let unspecified = match message.header.address_family {
        AddressFamily::Inet => IpAddr::from([0u8; 4]),
        AddressFamily::Inet6 => IpAddr::from([0u8; 16]),
        _ => return None,
    };
    IpNet::new(destination.unwrap_or(unspecified), message.header.destination_prefix_length).ok()
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some(IpAddr::V4(*address)),
        RouteAddress::Inet6(address) => Some(IpAddr::V6(*address)),
        _ => None,
    }
}

fn via_ip(via: &RouteVia) -> Option<IpAddr> {
    match via {
        RouteVia::Inet(address) => Some(IpAddr::V4(*address)),
        RouteVia::Inet6(address) => Some(IpAddr::V6(*address)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(last: u8, flags: RouteNextHopFlags) -> RouteNextHop {
        let mut hop = RouteNextHop::default();
        hop.flags = flags;
        hop.interface_index = last.into();
        hop.attributes = vec![RouteAttribute::Gateway(RouteAddress::Inet([10, 1, 1, last].into()))];
        hop
    }

    #[test]
    fn a_route_keeps_its_dead_legs_and_a_lookup_does_not_count_them() {
        let mut message = RouteMessage::default();
        message.header.address_family = AddressFamily::Inet;
        message.header.kind = RouteType::Unicast;
        let dead = RouteNextHopFlags::Dead | RouteNextHopFlags::Linkdown;
        let hops = [(1, dead), (2, RouteNextHopFlags::Linkdown), (3, RouteNextHopFlags::empty())];
        let hops = hops.map(|(last, flags)| hop(last, flags));
        message.attributes = vec![RouteAttribute::MultiPath(hops.to_vec())];
        let Some(KernelRoute { path: Path::Unicast(held), .. }) = route(&message) else { panic!() };
        assert_eq!(held.iter().map(|leg| leg.device).collect::<Vec<_>>(), [1, 2, 3]);
        let answer = lookup(&message).unwrap();
        assert_eq!(answer.legs.iter().map(|leg| leg.device).collect::<Vec<_>>(), [3]);
        assert_eq!(answer.idle.as_slice(), [1, 2]);
    }
}
