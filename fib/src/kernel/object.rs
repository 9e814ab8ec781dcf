//! Messages about next-hop objects (`struct nhmsg` and `NHA_*` of `linux/nexthop.h`), which no crate speaks.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST};
use smallvec::SmallVec;

use super::encode::Inexpressible;
use crate::{
    object::{KernelObject, Member, ObjectId, ObjectNotice, ObjectRequest, Shape},
    route::{Leg, Onlink},
};

/// The multicast group of notifications (`RTNLGRP_NEXTHOP`).
pub(super) const NOTIFICATIONS: u32 = 32;

const RTM_NEWNEXTHOP: u16 = 104;
const RTM_DELNEXTHOP: u16 = 105;
const RTM_GETNEXTHOP: u16 = 106;
const NHA_ID: u16 = 1;
const NHA_GROUP: u16 = 2;
const NHA_GROUP_TYPE: u16 = 3;
const NHA_OIF: u16 = 5;
const NHA_GATEWAY: u16 = 6;
/// What `ip nexthop` never shows of a leg of ours: blackholes, encapsulations, bridges' entries, resilient groups.
const NHA_UNUSUAL: [u16; 5] = [4, 7, 8, 11, 12];
const RTNH_F_ONLINK: u32 = 4;
/// Of attribute types: without the flags for nesting and byte order.
const TYPE_MASK: u16 = 0x3fff;
const HEADER: usize = 16;
const FIXED: usize = 8;

/// Appends the message of a request.
pub(super) fn append(
    protocol: u8,
    request: &ObjectRequest,
    sequence: u32,
    buffer: &mut Vec<u8>,
) -> Result<(), Inexpressible> {
    let (kind, flags, shape) = match request {
        ObjectRequest::Create(_, shape) => (RTM_NEWNEXTHOP, NLM_F_CREATE | NLM_F_EXCL, Some(shape)),
        ObjectRequest::Replace(_, shape) => (RTM_NEWNEXTHOP, NLM_F_REPLACE, Some(shape)),
        ObjectRequest::Delete(_) => (RTM_DELNEXTHOP, 0, None),
    };
    let start = header(kind, NLM_F_REQUEST | flags, sequence, buffer);
    let (family, nexthop_flags) = shape.map_or((libc::AF_UNSPEC, 0), fixed);
    buffer.extend([u8::try_from(family).map_err(|_| Inexpressible)?, 0]);
    buffer.extend([if shape.is_some() { protocol } else { 0 }, 0]);
    buffer.extend(nexthop_flags.to_ne_bytes());
    attribute(buffer, NHA_ID, &request.id().0.to_ne_bytes());
    match shape {
        None => {}
        Some(Shape::Leg(leg)) => append_leg(buffer, leg),
        Some(Shape::Group(members)) if !members.is_empty() => append_group(buffer, members),
        Some(Shape::Group(_) | Shape::Other) => return Err(Inexpressible),
    }
    finish(start, buffer)
}

/// A request for a dump of all objects.
pub(super) fn dump_request(sequence: u32) -> Vec<u8> {
    let mut buffer = Vec::new();
    let start = header(RTM_GETNEXTHOP, NLM_F_REQUEST | NLM_F_DUMP, sequence, &mut buffer);
    buffer.extend([0; FIXED]);
    // The length of so short a message always fits.
    let _ = finish(start, &mut buffer);
    buffer
}

/// The object of a message that tells of one; `None` for any other message.
pub(super) fn object(message: &[u8]) -> Option<KernelObject> {
    match notice(message)? {
        ObjectNotice::New(object) => Some(object),
        ObjectNotice::Removed(_) => None,
    }
}

/// The notification in a message; `None` for one about something else.
pub(super) fn notice(message: &[u8]) -> Option<ObjectNotice> {
    let kind = u16_at(message, 4)?;
    if kind != RTM_NEWNEXTHOP && kind != RTM_DELNEXTHOP {
        return None;
    }
    let read = Read::attributes(message.get(HEADER + FIXED..)?);
    let id = ObjectId(read.id?);
    if kind == RTM_DELNEXTHOP {
        return Some(ObjectNotice::Removed(id));
    }
    let protocol = *message.get(HEADER + 2)?;
    let flags = u32_at(message, HEADER + 4)?;
    Some(ObjectNotice::New(KernelObject { id, protocol, shape: read.shape(flags) }))
}

/// The attributes that matter.
#[derive(Default)]
struct Read {
    id: Option<u32>,
    device: Option<u32>,
    gateway: Option<IpAddr>,
    members: Option<SmallVec<[Member; 2]>>,
    unusual: bool,
}

impl Read {
    fn attributes(mut bytes: &[u8]) -> Self {
        let mut read = Self::default();
        while let (Some(length), Some(kind)) = (u16_at(bytes, 0), u16_at(bytes, 2)) {
            let length = usize::from(length);
            let Some(value) = bytes.get(4..length) else { break };
            read.take(kind & TYPE_MASK, value);
            bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        read
    }

    fn take(&mut self, kind: u16, value: &[u8]) {
        match kind {
            NHA_ID => self.id = u32_at(value, 0),
            NHA_OIF => self.device = u32_at(value, 0),
            NHA_GATEWAY => self.gateway = address(value),
            NHA_GROUP => self.members = Some(value.chunks_exact(8).filter_map(member).collect()),
            NHA_GROUP_TYPE => self.unusual |= u16_at(value, 0) != Some(0),
            kind => self.unusual |= NHA_UNUSUAL.contains(&kind),
        }
    }

    fn shape(self, flags: u32) -> Shape {
        match self {
            Self { unusual: true, .. } => Shape::Other,
            Self { members: Some(mut members), .. } => {
                members.sort_unstable();
                Shape::Group(members)
            }
            Self { device: Some(device), gateway, .. } => {
                let onlink = if flags & RTNH_F_ONLINK != 0 { Onlink::Yes } else { Onlink::No };
                Shape::Leg(Leg { gateway, device, onlink, weight: 1 })
            }
            _ => Shape::Other,
        }
    }
}

/// The family and the flags of the fixed part.
fn fixed(shape: &Shape) -> (i32, u32) {
    match shape {
        Shape::Leg(leg) => {
            let family =
                if leg.gateway.is_some_and(|g| g.is_ipv6()) { libc::AF_INET6 } else { libc::AF_INET };
            (family, if leg.onlink == Onlink::Yes { RTNH_F_ONLINK } else { 0 })
        }
        Shape::Group(_) | Shape::Other => (libc::AF_UNSPEC, 0),
    }
}

fn append_leg(buffer: &mut Vec<u8>, leg: &Leg) {
    attribute(buffer, NHA_OIF, &leg.device.to_ne_bytes());
    match leg.gateway {
        Some(IpAddr::V4(gateway)) => attribute(buffer, NHA_GATEWAY, &gateway.octets()),
        Some(IpAddr::V6(gateway)) => attribute(buffer, NHA_GATEWAY, &gateway.octets()),
        None => {}
    }
}

/// `struct nexthop_grp`: the id, the weight less one, three octets in reserve.
fn append_group(buffer: &mut Vec<u8>, members: &[Member]) {
    let mut value = Vec::with_capacity(members.len() * 8);
    for member in members {
        value.extend(member.id.0.to_ne_bytes());
        value.extend([member.weight.saturating_sub(1), 0, 0, 0]);
    }
    attribute(buffer, NHA_GROUP, &value);
}

fn member(value: &[u8]) -> Option<Member> {
    Some(Member { id: ObjectId(u32_at(value, 0)?), weight: value.get(4)?.saturating_add(1) })
}

fn header(kind: u16, flags: u16, sequence: u32, buffer: &mut Vec<u8>) -> usize {
    let start = buffer.len();
    buffer.extend(0u32.to_ne_bytes());
    buffer.extend(kind.to_ne_bytes());
    buffer.extend(flags.to_ne_bytes());
    buffer.extend(sequence.to_ne_bytes());
    buffer.extend(0u32.to_ne_bytes());
    start
}

fn finish(start: usize, buffer: &mut [u8]) -> Result<(), Inexpressible> {
    let message = buffer.get_mut(start..).ok_or(Inexpressible)?;
    let length = u32::try_from(message.len()).map_err(|_| Inexpressible)?;
    *message.first_chunk_mut().ok_or(Inexpressible)? = length.to_ne_bytes();
    Ok(())
}

/// The values here are far shorter than an attribute may be: a group has at most 255 members.
fn attribute(buffer: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    buffer.extend(length.to_ne_bytes());
    buffer.extend(kind.to_ne_bytes());
    buffer.extend(value);
    buffer.resize(buffer.len().next_multiple_of(4), 0);
}

fn address(value: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(value).ok().map(IpAddr::from);
    v4.or_else(|| <[u8; 16]>::try_from(value).ok().map(IpAddr::from))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|value| u16::from_ne_bytes(*value))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|value| u32::from_ne_bytes(*value))
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;

    #[test]
    fn an_object_comes_back_as_it_went_in() {
        let leg = |gateway: &str, onlink| {
            Shape::Leg(Leg { gateway: gateway.parse().ok(), device: 7, onlink, weight: 1 })
        };
        let member = |id, weight| Member { id: ObjectId(id), weight };
        for shape in [
            leg("192.168.92.129", Onlink::Yes),
            leg("fe80::1", Onlink::No),
            leg("", Onlink::No),
            Shape::Group(smallvec![member(3, 1), member(9, 255)]),
        ] {
            let mut bytes = vec![0; 4];
            append(179, &ObjectRequest::Create(ObjectId(0xb3fe_0001), shape.clone()), 5, &mut bytes).unwrap();
            let message = &bytes[4..];
            assert_eq!(u32_at(message, 0), Some(message.len() as u32));
            let back = object(message).unwrap();
            assert_eq!(back, KernelObject { id: ObjectId(0xb3fe_0001), protocol: 179, shape });
        }
    }

    #[test]
    fn a_deletion_reads_as_one_and_a_broken_message_as_nothing() {
        let mut bytes = Vec::new();
        append(179, &ObjectRequest::Delete(ObjectId(4)), 5, &mut bytes).unwrap();
        assert_eq!(notice(&bytes), Some(ObjectNotice::Removed(ObjectId(4))));
        for length in 0..bytes.len() {
            assert_eq!(notice(&bytes[..length]), None);
        }
        assert!(
            append(179, &ObjectRequest::Create(ObjectId(4), Shape::Group(smallvec![])), 5, &mut bytes)
                .is_err()
        );
    }
}
