//! Reads the syntax of attributes that this speaker does not use, by the rows of the table. Routers that use them have
//! fallen over malformed ones, so those go no further. What is well-formed is passed on as it came.

use super::Attributes;
use crate::wire::{
    attribute::code,
    context::DecodeContext,
    update::malformed::{Action, Malformed, Reason},
};

/// A type, a value, and what follows both.
type Split<'a> = Option<(u16, &'a [u8], &'a [u8])>;

/// PMSI_TUNNEL (RFC 6514 section 5): flags, tunnel type, a label, and an identifier that suits the type.
pub(in crate::wire::update) fn pmsi_tunnel(
    into: &mut Attributes<'_>,
    value: &[u8],
    _: &DecodeContext,
) -> Result<(), Reason> {
    let [_flags, tunnel, _, _, _, identifier @ ..] = value else { return Err(Reason::Length) };
    let fits = match tunnel {
        // No tunnel information.
        0 => identifier.is_empty(),
        // RSVP-TE P2MP LSP: two numbers of two octets beside P2MP ID and extended tunnel id, which are addresses.
        1 => matches!(identifier.len(), 12 | 24),
        // The three kinds of PIM trees: sender, or the root, and group.
        3..=5 => matches!(identifier.len(), 8 | 32),
        // Ingress replication: the tunnel's endpoint.
        6 => matches!(identifier.len(), 4 | 16),
        // mLDP has FECs of any length, and other types came later.
        _ => true,
    };
    if !fits {
        return Err(Reason::Length);
    }
    into.keep_opaque(code::PMSI_TUNNEL, value);
    Ok(())
}

/// Tunnel Encapsulation (RFC 9012 section 13): TLVs of sub-TLVs, each of which ends where its TLV does. Without any, the
/// attribute is discarded.
pub(in crate::wire::update) fn tunnel_encapsulation(
    into: &mut Attributes<'_>,
    value: &[u8],
    _: &DecodeContext,
) -> Result<(), Reason> {
    if value.is_empty() {
        let (action, reason) = (Action::AttributeDiscard, Reason::Length);
        into.malformed.push(Malformed { attribute: Some(code::TUNNEL_ENCAPSULATION), action, reason });
        return Ok(());
    }
    walk(value, wide, |_, sub_tlvs| walk(sub_tlvs, sub_tlv, |_, _| Ok(())))?;
    into.keep_opaque(code::TUNNEL_ENCAPSULATION, value);
    Ok(())
}

/// IPv6 Address Specific Extended Communities (RFC 5701, RFC 7606 section 7.15).
pub(in crate::wire::update) fn ipv6_extended_communities(
    into: &mut Attributes<'_>,
    value: &[u8],
    _: &DecodeContext,
) -> Result<(), Reason> {
    into.keep_opaque(code::IPV6_EXTENDED_COMMUNITIES, value);
    Ok(())
}

/// AIGP (RFC 7311 section 3). Not transitive, so that it goes no further whatever is in it.
pub(in crate::wire::update) fn aigp(
    _: &mut Attributes<'_>,
    value: &[u8],
    _: &DecodeContext,
) -> Result<(), Reason> {
    /// Octets of the metric in its TLV.
    const METRIC: usize = 8;
    walk(value, inclusive, |kind, metric| match kind {
        1 if metric.len() != METRIC => Err(Reason::Length),
        _ => Ok(()),
    })
}

/// BGP-LS (RFC 9552 section 8.2.2). Not transitive either.
pub(in crate::wire::update) fn link_state(
    _: &mut Attributes<'_>,
    value: &[u8],
    _: &DecodeContext,
) -> Result<(), Reason> {
    walk(value, wide, |_, _| Ok(()))
}

/// BFD Discriminator (RFC 9026 section 3.1.6): mode, discriminator, and TLVs.
pub(in crate::wire::update) fn bfd_discriminator(
    into: &mut Attributes<'_>,
    value: &[u8],
    _: &DecodeContext,
) -> Result<(), Reason> {
    let [_mode, _, _, _, _, tlvs @ ..] = value else { return Err(Reason::Length) };
    walk(tlvs, short, |kind, source| match (kind, source.len()) {
        // Source IP Address.
        (1, 4 | 16) => Ok(()),
        (1, _) => Err(Reason::Length),
        _ => Ok(()),
    })?;
    into.keep_opaque(code::BFD_DISCRIMINATOR, value);
    Ok(())
}

/// Prefix-SID (RFC 8669 sections 3 and 6, RFC 9252 section 2).
pub(in crate::wire::update) fn prefix_sid(
    into: &mut Attributes<'_>,
    value: &[u8],
    _: &DecodeContext,
) -> Result<(), Reason> {
    walk(value, long, |kind, value| {
        let fits = match (kind, value.len()) {
            // Label-Index: a reserved octet, flags, the index.
            (1, length) => length == 7,
            // Originator SRGB: flags, and ranges of six octets.
            (3, length) => length.checked_sub(2).is_some_and(|ranges| ranges > 0 && ranges.is_multiple_of(6)),
            // SRv6 services: a reserved octet, and sub-TLVs.
            (5 | 6, length) => {
                length > 0 && value.get(1..).is_some_and(|subs| walk(subs, long, |_, _| Ok(())).is_ok())
            }
            _ => true,
        };
        if fits { Ok(()) } else { Err(Reason::Length) }
    })?;
    if value.is_empty() {
        return Err(Reason::Length);
    }
    into.keep_opaque(code::PREFIX_SID, value);
    Ok(())
}

/// Reads TLVs to the very end of `list`.
fn walk<'a>(
    mut list: &'a [u8],
    split: impl Fn(&'a [u8]) -> Split<'a>,
    mut each: impl FnMut(u16, &'a [u8]) -> Result<(), Reason>,
) -> Result<(), Reason> {
    while !list.is_empty() {
        let (kind, value, rest) = split(list).ok_or(Reason::Length)?;
        each(kind, value)?;
        list = rest;
    }
    Ok(())
}

/// A type and a length of one octet each.
fn short(list: &[u8]) -> Split<'_> {
    let [kind, length, rest @ ..] = list else { return None };
    let (value, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((u16::from(*kind), value, rest))
}

/// A type of one octet, a length of two.
fn long(list: &[u8]) -> Split<'_> {
    let [kind, high, low, rest @ ..] = list else { return None };
    let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
    Some((u16::from(*kind), value, rest))
}

/// The same, with a length that counts the TLV's own three octets too (RFC 7311 section 3).
fn inclusive(list: &[u8]) -> Split<'_> {
    let [kind, high, low, rest @ ..] = list else { return None };
    let length = usize::from(u16::from_be_bytes([*high, *low])).checked_sub(3)?;
    let (value, rest) = rest.split_at_checked(length)?;
    Some((u16::from(*kind), value, rest))
}

/// A type and a length of two octets each.
fn wide(list: &[u8]) -> Split<'_> {
    let [kind_high, kind, high, low, rest @ ..] = list else { return None };
    let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
    Some((u16::from_be_bytes([*kind_high, *kind]), value, rest))
}

/// A type of one octet, whose upper half has lengths of two (RFC 9012 section 2).
fn sub_tlv(list: &[u8]) -> Split<'_> {
    if list.first()? & 0x80 == 0 { short(list) } else { long(list) }
}
