//! Netlink messages as routes, lookups and notices.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_REPLACE, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    link::{LinkAttribute, LinkFlags, LinkMessage},
    route::{
        RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteNextHop, RouteNextHopFlags, RouteType,
        RouteVia,
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

/// The route of a message; `None` for one that is of another family or no route of a table.
pub(super) fn route(message: &RouteMessage) -> Option<KernelRoute> {
    let header = &message.header;
    if header.flags.contains(RouteFlags::Cloned) {
        return None;
    }
    let attributes = Attributes::read(message);
    let legs = attributes.legs(message, Dead::Only);
    let path = match header.kind {
        RouteType::BlackHole => Path::Blackhole,
        RouteType::Unreachable => Path::Unreachable,
        RouteType::Unicast if !attributes.unusual => match attributes.object {
            Some(id) => Path::Object(id),
            None if legs.is_empty() => Path::Other,
            None => Path::Unicast(legs),
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
        kind: header.kind.into(),
    })
}

/// The answer to a lookup that asked for the matching route.
pub(super) fn lookup(message: &RouteMessage) -> Option<Lookup> {
    let attributes = Attributes::read(message);
    let unicast = message.header.kind == RouteType::Unicast;
    let legs = if unicast { attributes.legs(message, Dead::OrWithoutCarrier) } else { SmallVec::new() };
    let idle = attributes.devices().filter(|device| !legs.iter().any(|leg| leg.device == *device)).collect();
    Some(Lookup {
        by: prefix(message, attributes.destination)?,
        table: attributes.table.unwrap_or(message.header.table.into()),
        protocol: message.header.protocol.into(),
        metric: attributes.metric,
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
    let carrier =
        if message.header.flags.contains(LinkFlags::Running) { Carrier::Present } else { Carrier::Lost };
    Some(Link { index: message.header.index, name: name.unwrap_or_default(), admin, carrier })
}

/// Which legs do not count.
#[derive(Clone, Copy)]
enum Dead {
    /// Those the kernel does not use any more.
    Only,
    /// And those over a link without carrier, which it may go on using in vain.
    OrWithoutCarrier,
}

impl Dead {
    fn route_flags(self) -> RouteFlags {
        match self {
            Self::Only => RouteFlags::Dead,
            Self::OrWithoutCarrier => RouteFlags::Dead | RouteFlags::Linkdown,
        }
    }

    fn hop_flags(self) -> RouteNextHopFlags {
        match self {
            Self::Only => RouteNextHopFlags::Dead,
            Self::OrWithoutCarrier => RouteNextHopFlags::Dead | RouteNextHopFlags::Linkdown,
        }
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
    /// Whether there is one that we never set and that changes what the route does.
    unusual: bool,
}

impl<'a> Attributes<'a> {
    fn read(message: &'a RouteMessage) -> Self {
        let mut read = Self { unusual: message.header.source_prefix_length != 0, ..Self::default() };
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
                RouteAttribute::Metrics(_)
                | RouteAttribute::PrefSource(_)
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

    /// The living legs, sorted.
    fn legs(&self, message: &RouteMessage, dead: Dead) -> SmallVec<[Leg; 1]> {
        let flags = message.header.flags;
        let mut legs: SmallVec<[Leg; 1]> = match (self.multipath, self.device) {
            ([], Some(device)) if !flags.intersects(dead.route_flags()) => {
                let onlink = onlink(flags.contains(RouteFlags::Onlink));
                SmallVec::from_elem(Leg { gateway: self.gateway, device, onlink, weight: 1 }, 1)
            }
            ([], _) => SmallVec::new(),
            (hops, _) => hops.iter().filter(|hop| !hop.flags.intersects(dead.hop_flags())).map(leg).collect(),
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
