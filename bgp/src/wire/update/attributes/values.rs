//! Reads the values of attributes whose length is right, by the rows of the table.

use std::net::Ipv4Addr;

use super::Attributes;
use crate::{
    martian::ReservedRanges,
    types::{Asn, RouterId},
    wire::{
        as_path::{AsPath, AsnSize, SegmentRules},
        attribute::{Aggregator, LargeCommunity, NextHop, Origin},
        context::{DecodeContext, SegmentRule},
        update::malformed::Reason,
    },
};

/// RFC 7606 section 7.1.
pub(in crate::wire::update) fn origin(
    into: &mut Attributes<'_>,
    value: &[u8],
    _: &DecodeContext,
) -> Result<(), Reason> {
    into.origin = Some(match value {
        [0] => Origin::Igp,
        [1] => Origin::Egp,
        [2] => Origin::Incomplete,
        _ => return Err(Reason::Value),
    });
    Ok(())
}

/// RFC 7606 section 7.2.
pub(in crate::wire::update) fn as_path(
    into: &mut Attributes<'_>,
    value: &[u8],
    context: &DecodeContext,
) -> Result<(), Reason> {
    let rules = SegmentRules { sets: context.as_sets, confederation: context.confederation };
    let size = AsnSize::of(context.four_octet_asn);
    into.as_path = Some(AsPath::decode(value, size, rules).map_err(Reason::AsPath)?);
    Ok(())
}

/// RFC 6793 section 6: confederation segments are dropped and the rest is used.
pub(in crate::wire::update) fn as4_path(
    into: &mut Attributes<'_>,
    value: &[u8],
    context: &DecodeContext,
) -> Result<(), Reason> {
    let rules = SegmentRules { sets: context.as_sets, confederation: SegmentRule::Accept };
    let path = AsPath::decode(value, AsnSize::Four, rules).map_err(Reason::AsPath)?;
    into.as4_path = Some(path.without_confederation());
    Ok(())
}

/// RFC 4271 section 6.3: a host address.
pub(in crate::wire::update) fn next_hop(
    into: &mut Attributes<'_>,
    value: &[u8],
    context: &DecodeContext,
) -> Result<(), Reason> {
    let address = Ipv4Addr::from_bits(number(value)?);
    if !is_host_v4(address, context.reserved_ranges) {
        return Err(Reason::NextHop);
    }
    into.next_hop = Some(NextHop::V4(address));
    Ok(())
}

/// Not of 0/8 (RFC 1122), 127/8 or 224/4, nor of 240/4 unless that is in use.
pub(in crate::wire::update) fn is_host_v4(address: Ipv4Addr, reserved: ReservedRanges) -> bool {
    let [first, ..] = address.octets();
    match first {
        0 | 127 | 224..=239 => false,
        240.. => reserved == ReservedRanges::Allow && !address.is_broadcast(),
        _ => true,
    }
}

/// RFC 7606 section 7.4.
pub(in crate::wire::update) fn multi_exit_disc(
    into: &mut Attributes<'_>,
    value: &[u8],
    _: &DecodeContext,
) -> Result<(), Reason> {
    into.med = Some(number(value)?);
    Ok(())
}

/// RFC 7606 section 7.5.
pub(in crate::wire::update) fn local_pref(
    into: &mut Attributes<'_>,
    value: &[u8],
    _: &DecodeContext,
) -> Result<(), Reason> {
    into.local_pref = Some(number(value)?);
    Ok(())
}

/// RFC 7606 section 7.6.
pub(in crate::wire::update) fn atomic_aggregate(
    into: &mut Attributes<'_>,
    _: &[u8],
    _: &DecodeContext,
) -> Result<(), Reason> {
    into.atomic_aggregate = true;
    Ok(())
}

/// RFC 7606 section 7.7.
pub(in crate::wire::update) fn aggregator(
    into: &mut Attributes<'_>,
    value: &[u8],
    _: &DecodeContext,
) -> Result<(), Reason> {
    let aggregator = read_aggregator(value)?;
    into.rare().aggregator = Some(aggregator);
    Ok(())
}

/// RFC 6793 section 6.
pub(in crate::wire::update) fn as4_aggregator(
    into: &mut Attributes<'_>,
    value: &[u8],
    _: &DecodeContext,
) -> Result<(), Reason> {
    into.as4_aggregator = Some(read_aggregator(value)?);
    Ok(())
}

/// RFC 1997.
pub(in crate::wire::update) fn communities(
    into: &mut Attributes<'_>,
    value: &[u8],
    _: &DecodeContext,
) -> Result<(), Reason> {
    into.rare().communities = numbers(value).collect();
    Ok(())
}

/// RFC 4456 section 8.
pub(in crate::wire::update) fn originator_id(
    into: &mut Attributes<'_>,
    value: &[u8],
    _: &DecodeContext,
) -> Result<(), Reason> {
    let id = Ipv4Addr::from_bits(number(value)?);
    into.rare().originator_id = Some(RouterId(id));
    Ok(())
}

/// RFC 4456 section 8.
pub(in crate::wire::update) fn cluster_list(
    into: &mut Attributes<'_>,
    value: &[u8],
    _: &DecodeContext,
) -> Result<(), Reason> {
    into.rare().cluster_list = numbers(value).map(|id| RouterId(Ipv4Addr::from_bits(id))).collect();
    Ok(())
}

/// RFC 4360 section 2.
pub(in crate::wire::update) fn extended_communities(
    into: &mut Attributes<'_>,
    value: &[u8],
    _: &DecodeContext,
) -> Result<(), Reason> {
    into.rare().extended_communities = value.as_chunks().0.to_vec();
    Ok(())
}

/// RFC 8092 section 3.
pub(in crate::wire::update) fn large_communities(
    into: &mut Attributes<'_>,
    value: &[u8],
    _: &DecodeContext,
) -> Result<(), Reason> {
    let (communities, _) = value.as_chunks::<12>();
    into.rare().large_communities = communities
        .iter()
        .filter_map(|octets| match octets.as_chunks::<4>().0 {
            [global, local1, local2] => Some(LargeCommunity {
                global: u32::from_be_bytes(*global),
                local1: u32::from_be_bytes(*local1),
                local2: u32::from_be_bytes(*local2),
            }),
            _ => None,
        })
        .collect();
    Ok(())
}

/// RFC 9234 section 5.
pub(in crate::wire::update) fn only_to_customer(
    into: &mut Attributes<'_>,
    value: &[u8],
    _: &DecodeContext,
) -> Result<(), Reason> {
    let asn = Asn(number(value)?);
    if asn == Asn(0) {
        return Err(Reason::AsZero);
    }
    into.rare().otc = Some(asn);
    Ok(())
}

/// The AS number in as many octets as there are before the address.
fn read_aggregator(value: &[u8]) -> Result<Aggregator, Reason> {
    let (asn, address) = value.split_last_chunk::<4>().ok_or(Reason::Length)?;
    let asn = Asn(asn.iter().fold(0, |sum, octet| sum << 8 | u32::from(*octet)));
    if asn == Asn(0) {
        return Err(Reason::AsZero);
    }
    Ok(Aggregator { asn, address: Ipv4Addr::from(*address) })
}

fn number(value: &[u8]) -> Result<u32, Reason> {
    value.as_array().map(|octets| u32::from_be_bytes(*octets)).ok_or(Reason::Length)
}

fn numbers(value: &[u8]) -> impl Iterator<Item = u32> {
    value.as_chunks().0.iter().map(|octets| u32::from_be_bytes(*octets))
}
