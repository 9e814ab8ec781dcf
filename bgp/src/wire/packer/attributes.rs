//! Path attributes to bytes, ascending by type code (RFC 4271 section 5).

use std::net::Ipv4Addr;

use crate::{
    types::{Asn, PeerType, RouterId},
    wire::{
        attribute::{Aggregator, PathAttributes, RareAttributes, UnknownAttribute, code},
        context::EncodeContext,
    },
};

pub(super) const OPTIONAL: u8 = 0x80;
pub(super) const EXTENDED_LENGTH: u8 = 0x10;
const TRANSITIVE: u8 = 0x40;
const PARTIAL: u8 = 0x20;
const OPTIONAL_TRANSITIVE: u8 = OPTIONAL | TRANSITIVE;

/// The attributes of an UPDATE but MP_REACH_NLRI; with NEXT_HOP where the prefixes are in the classic field.
pub(super) fn encode(
    attributes: &PathAttributes,
    next_hop: Option<Ipv4Addr>,
    context: &EncodeContext,
) -> Vec<u8> {
    let nothing = RareAttributes::default();
    let rare = attributes.rare.as_deref().unwrap_or(&nothing);
    let mut list = List { out: Vec::with_capacity(64), unknown: &rare.unknown };
    list.put(TRANSITIVE, code::ORIGIN, &[attributes.origin as u8]);
    list.put(TRANSITIVE, code::AS_PATH, &as_path_value(attributes, context));
    if let Some(address) = next_hop {
        list.put(TRANSITIVE, code::NEXT_HOP, &address.octets());
    }
    if let Some(med) = attributes.med {
        list.put(OPTIONAL, code::MULTI_EXIT_DISC, &med.to_be_bytes());
    }
    if let (Some(preference), PeerType::Internal) = (attributes.local_pref, context.peer_type) {
        list.put(TRANSITIVE, code::LOCAL_PREF, &preference.to_be_bytes());
    }
    if attributes.atomic_aggregate {
        list.put(TRANSITIVE, code::ATOMIC_AGGREGATE, &[]);
    }
    list.put_rare(attributes, rare, context);
    list.put_unknown(|_| true);
    list.out
}

struct List<'a> {
    out: Vec<u8>,
    /// Those not yet written.
    unknown: &'a [UnknownAttribute],
}

impl List<'_> {
    /// RFC 1997, 4360, 4456, 6793, 8092, 9234.
    fn put_rare(&mut self, attributes: &PathAttributes, rare: &RareAttributes, context: &EncodeContext) {
        let flags = |code| {
            if rare.partial.contains(code) { OPTIONAL_TRANSITIVE | PARTIAL } else { OPTIONAL_TRANSITIVE }
        };
        if let Some(aggregator) = rare.aggregator {
            self.put(flags(code::AGGREGATOR), code::AGGREGATOR, &aggregator_value(aggregator, context));
        }
        let communities = rare.communities.iter().flat_map(|c| c.to_be_bytes());
        self.put_list(flags(code::COMMUNITIES), code::COMMUNITIES, communities);
        if context.peer_type == PeerType::Internal {
            let octets = |id: &RouterId| id.0.octets();
            self.put_list(OPTIONAL, code::ORIGINATOR_ID, rare.originator_id.iter().flat_map(octets));
            self.put_list(OPTIONAL, code::CLUSTER_LIST, rare.cluster_list.iter().flat_map(octets));
        }
        let extended = rare.extended_communities.iter().flatten().copied();
        self.put_list(flags(code::EXTENDED_COMMUNITIES), code::EXTENDED_COMMUNITIES, extended);
        if !context.four_octet_asn {
            self.put_as4(attributes, rare);
        }
        let large = rare.large_communities.iter().flat_map(|c| [c.global, c.local1, c.local2]);
        self.put_list(flags(code::LARGE_COMMUNITY), code::LARGE_COMMUNITY, large.flat_map(u32::to_be_bytes));
        if let Some(otc) = rare.otc {
            self.put(flags(code::ONLY_TO_CUSTOMER), code::ONLY_TO_CUSTOMER, &otc.0.to_be_bytes());
        }
    }

    /// What the 2-octet attributes cannot say (RFC 6793 section 4.2.2).
    fn put_as4(&mut self, attributes: &PathAttributes, rare: &RareAttributes) {
        if attributes.as_path.needs_four_octets() {
            let path = attributes.as_path.clone().without_confederation();
            self.put(OPTIONAL_TRANSITIVE, code::AS4_PATH, path.as_wire());
        }
        if let Some(aggregator) = rare.aggregator.filter(|a| needs_four_octets(a.asn)) {
            let value = [aggregator.asn.0.to_be_bytes(), aggregator.address.octets()];
            self.put(OPTIONAL_TRANSITIVE, code::AS4_AGGREGATOR, value.as_flattened());
        }
    }

    /// Writes a list attribute unless it is empty.
    fn put_list(&mut self, flags: u8, code: u8, value: impl Iterator<Item = u8>) {
        let value: Vec<u8> = value.collect();
        if !value.is_empty() {
            self.put(flags, code, &value);
        }
    }

    /// Writes an attribute after the unknown ones of lower code.
    fn put(&mut self, flags: u8, code: u8, value: &[u8]) {
        self.put_unknown(|unknown| unknown < code);
        put(flags, code, value, &mut self.out);
    }

    fn put_unknown(&mut self, before: impl Fn(u8) -> bool) {
        while let Some((first, rest)) = self.unknown.split_first().filter(|(first, _)| before(first.code)) {
            put(first.flags, first.code, &first.value, &mut self.out);
            self.unknown = rest;
        }
    }
}

/// Flags, code, length in one octet or two, value. A value longer than 65535 octets makes the whole list
/// longer than any message and is caught there.
fn put(flags: u8, code: u8, value: &[u8], out: &mut Vec<u8>) {
    match u8::try_from(value.len()) {
        Ok(length) => out.extend_from_slice(&[flags & !EXTENDED_LENGTH, code, length]),
        Err(_) => {
            out.extend_from_slice(&[flags | EXTENDED_LENGTH, code]);
            out.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    out.extend_from_slice(value);
}

fn as_path_value(attributes: &PathAttributes, context: &EncodeContext) -> Vec<u8> {
    if context.four_octet_asn {
        return attributes.as_path.as_wire().to_vec();
    }
    let mut value = Vec::new();
    attributes.as_path.put_two_octets(&mut value);
    value
}

fn aggregator_value(aggregator: Aggregator, context: &EncodeContext) -> Vec<u8> {
    let address = aggregator.address.octets();
    if context.four_octet_asn {
        [aggregator.asn.0.to_be_bytes(), address].concat()
    } else {
        [&aggregator.asn.as_two_octets().to_be_bytes()[..], &address].concat()
    }
}

fn needs_four_octets(asn: Asn) -> bool {
    asn.0 > u32::from(u16::MAX)
}
