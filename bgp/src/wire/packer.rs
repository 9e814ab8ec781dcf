//! Packs routes into as few UPDATE messages as hold them (RFC 4271 section 4.3, RFC 4760, RFC 7606 section 5).
//!
//! Attributes are encoded once; a message is closed when the next prefix does not fit. IPv4 travels in the
//! classic fields unless its next hop is an IPv6 address (RFC 8950), IPv6 in MP_REACH_NLRI and MP_UNREACH_NLRI, which come first (RFC 7606 section 5.1).
//! Withdrawals never share a message with anything else (section 5.2).

use std::marker::PhantomData;

use bytes::{BufMut, BytesMut};
use ipnet::IpNet;

use super::{
    attribute::{NextHop, PathAttributes, code},
    context::{EncodeContext, MAX_EXTENDED_MESSAGE, PathIds},
    encode::{EncodeError, header, patch_u16},
    framer::MARKER,
    message::MessageType,
    nlri::{Nlri, WirePrefix},
};
use crate::types::{Families, Family, PeerType};

mod attributes;

/// Appends UPDATEs that announce `prefixes` with `attributes`; nothing for no prefixes.
///
/// # Errors
/// Nothing is written when the attributes leave no room for a prefix or the next hop is of another family.
pub fn reach<P: WirePrefix>(
    attributes: &PathAttributes,
    prefixes: impl IntoIterator<Item = Nlri<P>>,
    context: &EncodeContext,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    pack(Packer::reach(attributes, context)?, prefixes, out);
    Ok(())
}

/// Appends UPDATEs that withdraw `prefixes`; nothing for no prefixes.
pub fn unreach<P: WirePrefix>(
    prefixes: impl IntoIterator<Item = Nlri<P>>,
    context: &EncodeContext,
    out: &mut BytesMut,
) {
    pack(Packer::unreach(context), prefixes, out);
}

/// Appends the End-of-RIB marker of a family (RFC 4724 section 2).
pub fn end_of_rib(family: Family, out: &mut BytesMut) {
    let mut template = Template::unreach(family);
    template.finish();
    let start = out.len();
    out.put_slice(&template.head);
    out.put_slice(&template.tail);
    template.patch(start, 0, out);
}

/// Appends a prefix as it stands in NLRI: its length in bits, then the octets that hold them.
pub fn prefix(prefix: IpNet, out: &mut BytesMut) {
    match prefix {
        IpNet::V4(prefix) => prefix.put(out),
        IpNet::V6(prefix) => prefix.put(out),
    }
}

/// The attributes of a route as archives hold them (RFC 6396 section 4.3.4): AS numbers in 4 octets, and of
/// MP_REACH_NLRI the next hop only.
pub fn archived_attributes(attributes: &PathAttributes, family: Family) -> Vec<u8> {
    let context = EncodeContext {
        peer_type: PeerType::Internal,
        four_octet_asn: true,
        max_message: MAX_EXTENDED_MESSAGE,
        add_path: Families::NONE,
        ipv6_next_hops: Families::NONE,
    };
    if let (Family::Ipv4Unicast, NextHop::V4(address)) = (family, attributes.next_hop) {
        return attributes::encode(attributes, Some(address), &context);
    }
    let mut list = attributes::encode(attributes, None, &context);
    let mut field = next_hop_field(attributes.next_hop);
    field.pop();
    let length = u8::try_from(field.len()).unwrap_or(u8::MAX);
    list.extend_from_slice(&[attributes::OPTIONAL, code::MP_REACH_NLRI, length]);
    list.extend_from_slice(&field);
    list
}

fn pack<P: WirePrefix>(
    mut packer: Packer<P>,
    prefixes: impl IntoIterator<Item = Nlri<P>>,
    out: &mut BytesMut,
) {
    prefixes.into_iter().for_each(|nlri| packer.push(nlri, out));
    packer.finish(out);
}

/// Packs the prefixes of one set of attributes, or of withdrawals, one at a time: for a caller that
/// looks at the size of the output in between.
#[derive(Debug)]
pub struct Packer<P> {
    template: Template,
    ids: PathIds,
    /// Octets a message has for prefixes.
    room: usize,
    /// Where the message being filled starts, and how many octets of prefixes it has.
    open: Option<(usize, usize)>,
    prefixes: PhantomData<P>,
}

impl<P: WirePrefix> Packer<P> {
    /// A packer of routes with these attributes.
    ///
    /// # Errors
    /// As [`reach`].
    pub fn reach(attributes: &PathAttributes, context: &EncodeContext) -> Result<Self, EncodeError> {
        let template = Template::reach(P::FAMILY, attributes, context)?;
        let packer = Self::new(template, context);
        let longest = usize::from(P::MAX_BITS.div_ceil(8)).saturating_add(packer.overhead());
        if packer.room < longest { Err(EncodeError::TooLarge) } else { Ok(packer) }
    }

    /// A packer of withdrawals.
    pub fn unreach(context: &EncodeContext) -> Self {
        Self::new(Template::unreach(P::FAMILY), context)
    }

    fn new(mut template: Template, context: &EncodeContext) -> Self {
        template.finish();
        let room = context.max_message.saturating_sub(template.length());
        Self { template, ids: context.path_ids(P::FAMILY), room, open: None, prefixes: PhantomData }
    }

    /// Octets of a prefix beside its address.
    fn overhead(&self) -> usize {
        match self.ids {
            PathIds::Absent => 1,
            PathIds::Present => 5,
        }
    }

    /// Appends a prefix, in a new message when it does not fit the open one. `out` must be the buffer of all
    /// calls and only grow between them.
    pub fn push(&mut self, nlri: Nlri<P>, out: &mut BytesMut) {
        let length = nlri.prefix.wire_length().saturating_add(self.overhead()).saturating_sub(1);
        if self.open.is_some_and(|(_, used)| used.saturating_add(length) > self.room) {
            self.close(out);
        }
        let (start, used) = self.open.unwrap_or_else(|| {
            let start = out.len();
            out.put_slice(&self.template.head);
            (start, 0)
        });
        if self.ids == PathIds::Present {
            out.put_u32(nlri.path_id);
        }
        nlri.prefix.put(out);
        self.open = Some((start, used.saturating_add(length)));
    }

    /// Completes the last message.
    pub fn finish(mut self, out: &mut BytesMut) {
        self.close(out);
    }

    fn close(&mut self, out: &mut BytesMut) {
        if let Some((start, used)) = self.open.take() {
            out.put_slice(&self.template.tail);
            self.template.patch(start, used, out);
        }
    }
}

/// An UPDATE but for its prefixes: what stands before and after them, and the length fields that count them.
#[derive(Debug, Default)]
struct Template {
    head: BytesMut,
    tail: Vec<u8>,
    /// Offset of a length field in the message, and its value without prefixes.
    lengths: Vec<(usize, usize)>,
}

impl Template {
    fn new() -> Self {
        let mut template = Self::default();
        header(MessageType::Update, &mut template.head);
        template
    }

    /// RFC 4271 section 4.3, or RFC 4760 section 3.
    fn reach(
        family: Family,
        attributes: &PathAttributes,
        context: &EncodeContext,
    ) -> Result<Self, EncodeError> {
        let mut template = Self::new();
        match (family, attributes.next_hop) {
            (Family::Ipv4Unicast, NextHop::V4(next_hop)) => {
                let list = attributes::encode(attributes, Some(next_hop), context);
                let length = u16::try_from(list.len()).map_err(|_| EncodeError::TooLarge)?;
                template.head.put_u16(0);
                template.head.put_u16(length);
                template.head.put_slice(&list);
            }
            (_, NextHop::V6(_) | NextHop::V6WithLinkLocal { .. } | NextHop::LinkLocal { .. })
                if context.takes_ipv6_next_hops(family) =>
            {
                template.tail = attributes::encode(attributes, None, context);
                template.open_multiprotocol(
                    code::MP_REACH_NLRI,
                    family,
                    &next_hop_field(attributes.next_hop),
                );
            }
            _ => return Err(EncodeError::NextHopFamily),
        }
        Ok(template)
    }

    /// RFC 4271 section 4.3, or RFC 4760 section 4.
    fn unreach(family: Family) -> Self {
        let mut template = Self::new();
        match family {
            Family::Ipv4Unicast => {
                template.lengths.push((template.head.len(), 0));
                template.head.put_u16(0);
                template.tail = vec![0, 0];
            }
            Family::Ipv6Unicast => template.open_multiprotocol(code::MP_UNREACH_NLRI, family, &[]),
        }
        template
    }

    /// Begins the attribute that the prefixes stand in; `field` comes between family and prefixes.
    fn open_multiprotocol(&mut self, code: u8, family: Family, field: &[u8]) {
        const ATTRIBUTE_HEADER: usize = 4;
        const FAMILY: usize = 3;
        let value = field.len().saturating_add(FAMILY);
        self.head.put_u16(0);
        let all = value.saturating_add(ATTRIBUTE_HEADER).saturating_add(self.tail.len());
        self.lengths.push((self.head.len(), all));
        self.head.put_u16(0);
        self.head.put_slice(&[attributes::OPTIONAL | attributes::EXTENDED_LENGTH, code]);
        self.lengths.push((self.head.len(), value));
        self.head.put_u16(0);
        self.head.put_u16(family.afi());
        self.head.put_u8(family.safi());
        self.head.put_slice(field);
    }

    fn finish(&mut self) {
        self.lengths.push((MARKER.len(), self.length()));
    }

    fn length(&self) -> usize {
        self.head.len().saturating_add(self.tail.len())
    }

    fn patch(&self, start: usize, prefixes: usize, out: &mut BytesMut) {
        for (offset, base) in &self.lengths {
            patch_u16(out, start.saturating_add(*offset), base.saturating_add(prefixes));
        }
    }
}

/// Length and addresses of an IPv6 next hop (RFC 2545 section 3), and the reserved octet.
fn next_hop_field(next_hop: NextHop) -> Vec<u8> {
    let mut field = vec![0];
    match next_hop {
        NextHop::V4(address) => field.extend_from_slice(&address.octets()),
        NextHop::V6(address) => field.extend_from_slice(&address.octets()),
        NextHop::V6WithLinkLocal { global, link_local } => {
            field.extend_from_slice(&global.octets());
            field.extend_from_slice(&link_local.octets());
        }
        // There is no global one: twice, as those expect who know only the two forms of RFC 2545.
        NextHop::LinkLocal { address, .. } => {
            field.extend_from_slice(&address.octets());
            field.extend_from_slice(&address.octets());
        }
    }
    let length = u8::try_from(field.len().saturating_sub(1)).unwrap_or(u8::MAX);
    if let Some(first) = field.first_mut() {
        *first = length;
    }
    field.push(0);
    field
}
