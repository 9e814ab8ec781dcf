//! Requests as netlink messages.
//!
//! Serialising every message anew costs more than the kernel takes for it, and most differ by their prefix only: the
//! message of a path is serialised once and the prefix written into copies of it.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{
    Emitable, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkHeader,
};
use netlink_packet_route::{
    AddressFamily,
    route::{RouteAttribute, RouteMessage, RouteMetric, RouteNextHop, RouteProtocol, RouteScope, RouteType},
};
use rtnetlink::{RouteMessageBuilder, RouteNextHopBuilder};

use super::Target;
use crate::{
    route::{Leg, Onlink, Path},
    table::{Action, Request, Slot, intern::Interner},
};

const RTM_NEWROUTE: u16 = libc::RTM_NEWROUTE;
const RTM_DELROUTE: u16 = libc::RTM_DELROUTE;
const HEADER: usize = 16;
/// Where `nlmsg_flags` is in a message.
const FLAGS: usize = 6;
/// Where `rtm_dst_len` is in a message.
const PREFIX_LENGTH: usize = HEADER + 1;
/// Where the attributes begin.
const ATTRIBUTES: usize = HEADER + 12;

/// Why a request cannot be put into words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inexpressible;

/// Turns requests into bytes.
#[derive(Debug)]
pub(super) struct Encoder {
    target: Target,
    v4: Templates,
    v6: Templates,
    generation: u64,
}

/// The messages of one family.
#[derive(Debug, Default)]
struct Templates {
    new: Vec<Option<Template>>,
    delete: Option<Template>,
}

/// A message but for its prefix.
#[derive(Clone, Debug)]
struct Template {
    bytes: Vec<u8>,
    destination: usize,
}

impl Encoder {
    pub(super) fn new(target: Target) -> Self {
        Self { target, v4: Templates::default(), v6: Templates::default(), generation: 0 }
    }

    /// The protocol number that marks what is ours.
    pub(super) fn protocol(&self) -> u8 {
        self.target.protocol
    }

    /// Appends the message of a request.
    pub(super) fn append(
        &mut self,
        paths: &Interner<Path>,
        request: &Request,
        sequence: u32,
        buffer: &mut Vec<u8>,
    ) -> Result<(), Inexpressible> {
        if self.generation != paths.generation() {
            (self.v4, self.v6) = Default::default();
            self.generation = paths.generation();
        }
        let start = buffer.len();
        self.append_template(paths, request, buffer)?;
        let message = buffer.get_mut(start..).ok_or(Inexpressible)?;
        write(message, FLAGS, &flags(request.action).to_ne_bytes())?;
        write(message, 8, &sequence.to_ne_bytes())
    }

    fn append_template(
        &mut self,
        paths: &Interner<Path>,
        request: &Request,
        buffer: &mut Vec<u8>,
    ) -> Result<(), Inexpressible> {
        let target = Target { protocol: request.protocol.unwrap_or(self.target.protocol), ..self.target };
        let path = request.path.map(|id| paths.get(id).ok_or(Inexpressible)).transpose()?;
        if request.protocol.is_some() {
            return Template::new(&target, request, path)?.append(request.slot.prefix, buffer);
        }
        let templates = match request.slot.prefix {
            IpNet::V4(_) => &mut self.v4,
            IpNet::V6(_) => &mut self.v6,
        };
        let cached = match (request.action, request.path) {
            (Action::Delete, None) => &mut templates.delete,
            (Action::Create | Action::Replace, Some(id)) => {
                if templates.new.len() <= id.index() {
                    templates.new.resize(id.index() + 1, None);
                }
                templates.new.get_mut(id.index()).ok_or(Inexpressible)?
            }
            (Action::Delete, Some(_)) => {
                return Template::new(&target, request, path)?.append(request.slot.prefix, buffer);
            }
            (Action::Create | Action::Replace, None) => return Err(Inexpressible),
        };
        let template = match cached {
            Some(template) => template,
            None => cached.insert(Template::new(&target, request, path)?),
        };
        template.append(request.slot.prefix, buffer)
    }
}

/// Lets the message that begins here ask for an acknowledgement of success; failure is always reported.
pub(super) fn acknowledge(buffer: &mut [u8], start: usize) {
    let flags = buffer.get_mut(start + FLAGS..).and_then(|rest| rest.first_chunk_mut::<2>());
    if let Some(flags) = flags {
        *flags = (u16::from_ne_bytes(*flags) | NLM_F_ACK).to_ne_bytes();
    }
}

impl Template {
    fn new(target: &Target, request: &Request, path: Option<&Path>) -> Result<Self, Inexpressible> {
        let (message, kind) = match request.action {
            Action::Create | Action::Replace => {
                (new_route(target, request.slot, path.ok_or(Inexpressible)?)?, RTM_NEWROUTE)
            }
            Action::Delete => (delete_route(target, request.slot, path)?, RTM_DELROUTE),
        };
        let length = HEADER + message.buffer_len();
        let mut bytes = vec![0; length];
        let mut header = NetlinkHeader::default();
        header.length = u32::try_from(length).map_err(|_| Inexpressible)?;
        header.message_type = kind;
        header.emit(bytes.get_mut(..HEADER).ok_or(Inexpressible)?);
        message.emit(bytes.get_mut(HEADER..).ok_or(Inexpressible)?);
        let destination = attribute(&bytes, libc::RTA_DST).ok_or(Inexpressible)?;
        Ok(Self { bytes, destination })
    }

    fn append(&self, prefix: IpNet, buffer: &mut Vec<u8>) -> Result<(), Inexpressible> {
        let start = buffer.len();
        buffer.extend_from_slice(&self.bytes);
        let message = buffer.get_mut(start..).ok_or(Inexpressible)?;
        write(message, PREFIX_LENGTH, &[prefix.prefix_len()])?;
        match prefix {
            IpNet::V4(prefix) => write(message, self.destination, &prefix.addr().octets()),
            IpNet::V6(prefix) => write(message, self.destination, &prefix.addr().octets()),
        }
    }
}

fn flags(action: Action) -> u16 {
    NLM_F_REQUEST
        | match action {
            Action::Create => NLM_F_CREATE | NLM_F_EXCL,
            Action::Replace => NLM_F_REPLACE,
            Action::Delete => 0,
        }
}

fn new_route(target: &Target, slot: Slot, path: &Path) -> Result<RouteMessage, Inexpressible> {
    let mut message = route(target, slot, path)?;
    let metric = if is_elsewhere(target, slot) { slot.metric } else { target.metric };
    if metric != 0 {
        message = message.priority(metric);
    }
    Ok(message.tos(slot.tos).build())
}

/// Whether a slot is not one of ours: its metric must then be named.
fn is_elsewhere(target: &Target, slot: Slot) -> bool {
    let ours = match (slot.prefix, target.metric) {
        (IpNet::V6(_), 0) => 1024,
        (_, metric) => metric,
    };
    slot.metric != ours
}

/// A deletion names our protocol always, the scope never, and the kind and the legs only if they matter.
fn delete_route(target: &Target, slot: Slot, path: Option<&Path>) -> Result<RouteMessage, Inexpressible> {
    let mut message = match path {
        Some(path) if *path.way() != Path::Other => route(target, slot, path)?,
        Some(_) | None => route(target, slot, &Path::Blackhole)?.kind(RouteType::Unspec),
    };
    message = message.scope(RouteScope::NoWhere).tos(slot.tos);
    if slot.metric != 0 {
        message = message.priority(slot.metric);
    }
    Ok(message.build())
}

fn route(target: &Target, slot: Slot, path: &Path) -> Result<RouteMessageBuilder, Inexpressible> {
    let message = RouteMessageBuilder::<IpAddr>::new()
        .destination_prefix(slot.prefix.addr(), slot.prefix.prefix_len())
        .map_err(|_| Inexpressible)?
        .protocol(RouteProtocol::from(target.protocol))
        .scope(RouteScope::Universe)
        .table_id(target.table);
    let mut message = towards(message, family(slot.prefix), path.way())?;
    if let Some(mtu) = path.mtu() {
        message.get_mut().attributes.push(RouteAttribute::Metrics(vec![RouteMetric::Mtu(mtu.get())]));
    }
    Ok(message)
}

fn towards(
    message: RouteMessageBuilder<IpAddr>,
    family: AddressFamily,
    path: &Path,
) -> Result<RouteMessageBuilder<IpAddr>, Inexpressible> {
    match path {
        Path::Blackhole => Ok(message.kind(RouteType::BlackHole)),
        Path::Unreachable => Ok(message.kind(RouteType::Unreachable)),
        Path::Unicast(legs) => match legs.as_slice() {
            [] => Err(Inexpressible),
            [only] => single(message.kind(RouteType::Unicast), only),
            _ => {
                let legs = legs.iter().map(|leg| next_hop(family, leg)).collect::<Result<_, _>>()?;
                Ok(message.kind(RouteType::Unicast).multipath(legs))
            }
        },
        Path::Object(id) => Ok(message.kind(RouteType::Unicast).nhid(id.0)),
        Path::Limited(..) | Path::Other => Err(Inexpressible),
    }
}

fn single(message: RouteMessageBuilder, leg: &Leg) -> Result<RouteMessageBuilder, Inexpressible> {
    let message = message.output_interface(leg.device);
    let message = match leg.gateway {
        Some(gateway) => message.gateway(gateway).map_err(|_| Inexpressible)?,
        None => message,
    };
    Ok(match leg.onlink {
        Onlink::Yes => message.onlink(),
        Onlink::No => message,
    })
}

fn next_hop(family: AddressFamily, leg: &Leg) -> Result<RouteNextHop, Inexpressible> {
    let hop = RouteNextHopBuilder::new(family).interface(leg.device).weight(leg.weight.saturating_sub(1));
    let hop = match leg.gateway {
        Some(gateway) => hop.via(gateway).map_err(|_| Inexpressible)?,
        None => hop,
    };
    Ok(match leg.onlink {
        Onlink::Yes => hop.onlink(),
        Onlink::No => hop,
    }
    .build())
}

pub(super) fn family(prefix: IpNet) -> AddressFamily {
    match prefix {
        IpNet::V4(_) => AddressFamily::Inet,
        IpNet::V6(_) => AddressFamily::Inet6,
    }
}

/// A request for a dump of a table in one family. Whatever the kernel does not filter, the reader does.
pub(super) fn dump_request(family: AddressFamily, table: u32) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family;
    match u8::try_from(table) {
        Ok(table) => message.header.table = table,
        Err(_) => message.attributes.push(RouteAttribute::Table(table)),
    }
    message
}

fn write(bytes: &mut [u8], at: usize, value: &[u8]) -> Result<(), Inexpressible> {
    let end = at.checked_add(value.len()).ok_or(Inexpressible)?;
    bytes.get_mut(at..end).ok_or(Inexpressible)?.copy_from_slice(value);
    Ok(())
}

/// Where the value of a message's attribute begins.
fn attribute(message: &[u8], kind: u16) -> Option<usize> {
    let mut at = ATTRIBUTES;
    loop {
        let length = u16::from_ne_bytes(*message.get(at..)?.first_chunk()?);
        let this = u16::from_ne_bytes(*message.get(at + 2..)?.first_chunk()?);
        if this == kind {
            return Some(at + 4);
        }
        at += usize::from(length.max(4)).next_multiple_of(4);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
    use netlink_packet_route::RouteNetlinkMessage;
    use smallvec::smallvec;

    use super::*;
    use crate::{kernel::decode, object::ObjectId};

    const TARGET: Target = Target { protocol: 179, table: 254, metric: 0 };

    fn leg(gateway: &str, device: u32, onlink: Onlink, weight: u8) -> Leg {
        Leg { gateway: gateway.parse().ok(), device, onlink, weight }
    }

    fn round_trip(target: Target, prefix: &str, path: &Path, action: Action) -> (RouteNetlinkMessage, u16) {
        let mut paths = Interner::default();
        let id = paths.intern(path);
        let slot = Slot { prefix: prefix.parse().unwrap(), metric: target.metric, tos: 0 };
        let request =
            Request { action, slot, path: (action != Action::Delete).then_some(id), protocol: None };
        let (mut encoder, mut bytes) = (Encoder::new(target), Vec::new());
        encoder.append(&paths, &request, 7, &mut Vec::new()).unwrap();
        encoder.append(&paths, &request, 8, &mut bytes).unwrap();
        let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&bytes).unwrap();
        assert_eq!(message.header.sequence_number, 8);
        let NetlinkPayload::InnerMessage(inner) = message.payload else { panic!("{message:?}") };
        (inner, message.header.flags)
    }

    #[test]
    fn a_path_comes_back_as_it_went_in() {
        let limited = |path: Path| path.limited(NonZeroU32::new(1400));
        let v4: [Path; 9] = [
            limited(Path::Object(ObjectId(0xb3fe_0002))),
            limited(Path::Unicast(smallvec![leg("192.168.92.129", 9, Onlink::Yes, 1)])),
            Path::Object(ObjectId(0xb3fe_0001)),
            Path::Blackhole,
            Path::Unreachable,
            Path::Unicast(smallvec![leg("192.168.92.129", 3, Onlink::Yes, 1)]),
            Path::Unicast(smallvec![leg("", 3, Onlink::No, 1)]),
            Path::Unicast(smallvec![leg("fe80::1", 3, Onlink::No, 1)]),
            Path::Unicast(smallvec![leg("10.0.0.1", 3, Onlink::Yes, 2), leg("10.0.0.2", 4, Onlink::No, 255)]),
        ];
        let v6 = [Path::Blackhole, Path::Unicast(smallvec![leg("fd00::1", 3, Onlink::No, 1)])];
        let with_prefix = |prefix| move |path| (prefix, path);
        let cases =
            v4.iter().map(with_prefix("172.16.196.128/26")).chain(v6.iter().map(with_prefix("fd01::/64")));
        for ((prefix, path), target) in cases.flat_map(|case| {
            [TARGET, Target { table: 1000, metric: 50, ..TARGET }].map(|target| (case, target))
        }) {
            let (message, flags) = round_trip(target, prefix, path, Action::Create);
            assert_eq!(flags, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL);
            let RouteNetlinkMessage::NewRoute(message) = message else { panic!("{message:?}") };
            let route = decode::route(&message).unwrap();
            assert_eq!((route.prefix.to_string().as_str(), &route.path), (prefix, path));
            assert_eq!((route.protocol, route.table, route.metric), (179, target.table, target.metric));
        }
    }

    #[test]
    fn a_replacement_neither_creates_nor_appends_and_a_deletion_carries_our_protocol() {
        let path = Path::Unicast(smallvec![leg("192.168.92.129", 3, Onlink::Yes, 1)]);
        let (_, flags) = round_trip(TARGET, "10.0.0.0/26", &path, Action::Replace);
        assert_eq!(flags, NLM_F_REQUEST | NLM_F_REPLACE);
        let (message, flags) = round_trip(TARGET, "10.0.0.0/26", &path, Action::Delete);
        assert_eq!(flags, NLM_F_REQUEST);
        let RouteNetlinkMessage::DelRoute(message) = message else { panic!("{message:?}") };
        assert_eq!(u8::from(message.header.protocol), 179);
        assert_eq!(message.header.kind, RouteType::Unspec);
    }
}
