//! MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760 sections 3 and 4, RFC 2545).

use std::net::{Ipv4Addr, Ipv6Addr};

use nom::{
    IResult, Parser,
    multi::length_data,
    number::complete::{be_u8, be_u16},
};

use super::{
    attributes::{Attributes, values::is_host_v4},
    malformed::{Action, Malformed, Reason},
};
use crate::{
    types::Family,
    wire::{
        attribute::{NextHop, code},
        context::DecodeContext,
        nlri,
    },
};

/// MP_REACH_NLRI; ignored when the family was not negotiated (RFC 7606 section 7.11).
pub(super) fn reach<'a>(
    into: &mut Attributes<'a>,
    value: &'a [u8],
    context: &DecodeContext,
) -> Result<(), Reason> {
    let parsed: IResult<_, _> = (be_u16, be_u8, length_data(be_u8), be_u8).parse_complete(value);
    let (field, (afi, safi, next_hop, _reserved)) = parsed.map_err(|_| Reason::Length)?;
    into.has_mp_reach = !field.is_empty();
    let Some(family) = negotiated(afi, safi, context) else { return Ok(()) };
    let next_hop = read_next_hop(family, next_hop, context).ok_or(Reason::Length)?;
    let list = nlri::decode(field, family, context.path_ids(family)).map_err(|_| Reason::Nlri)?;
    if !is_host(next_hop, context) {
        into.malformed.push(Malformed {
            attribute: Some(code::MP_REACH_NLRI),
            action: Action::TreatAsWithdraw,
            reason: Reason::NextHop,
        });
    }
    into.reach = Some((list, next_hop));
    Ok(())
}

/// MP_UNREACH_NLRI; ignored when the family was not negotiated (RFC 7606 section 7.12).
pub(super) fn unreach<'a>(
    into: &mut Attributes<'a>,
    value: &'a [u8],
    context: &DecodeContext,
) -> Result<(), Reason> {
    let parsed: IResult<_, _> = (be_u16, be_u8).parse_complete(value);
    let (field, (afi, safi)) = parsed.map_err(|_| Reason::Length)?;
    into.mp_unreach_is_empty = field.is_empty();
    let Some(family) = negotiated(afi, safi, context) else { return Ok(()) };
    let list = nlri::decode(field, family, context.path_ids(family)).map_err(|_| Reason::Nlri)?;
    into.unreach = Some(list);
    Ok(())
}

fn negotiated(afi: u16, safi: u8, context: &DecodeContext) -> Option<Family> {
    Family::from_codes(afi, safi).filter(|family| context.families.contains(*family))
}

/// RFC 4760 section 3, RFC 2545 section 3. A lone link-local address comes alone, after an unspecified
/// address, or twice, as the speaker likes.
/// On a session between link-local addresses it counts even beside a global one: it is known to be on the link.
///
/// Its length tells the family of the next hop, which is another one where RFC 8950 was negotiated.
fn read_next_hop(family: Family, field: &[u8], context: &DecodeContext) -> Option<NextHop> {
    let interface = context.interface;
    let is_ipv6 = family == Family::Ipv6Unicast || context.ipv6_next_hops.contains(family);
    let address = |octets: &[u8; 16]| Ipv6Addr::from(*octets);
    let link = interface.or(context.link).unwrap_or_default();
    let alone = |address: Ipv6Addr| NextHop::LinkLocal { address, interface: link };
    if family == Family::Ipv4Unicast
        && let Some(octets) = field.as_array::<4>()
    {
        return Some(NextHop::V4(Ipv4Addr::from(*octets)));
    }
    let (global, link_local) = match field.as_chunks::<16>() {
        ([only], []) if is_ipv6 => (address(only), address(only)),
        ([global, link_local], []) if is_ipv6 => (address(global), address(link_local)),
        _ => return None,
    };
    Some(if !link_local.is_unicast_link_local() {
        NextHop::V6(global)
    } else if global.is_unspecified() || global.is_unicast_link_local() || interface.is_some() {
        alone(link_local)
    } else {
        NextHop::V6WithLinkLocal { global, link_local }
    })
}

fn is_host(next_hop: NextHop, context: &DecodeContext) -> bool {
    match next_hop {
        NextHop::V4(address) => is_host_v4(address, context.reserved_ranges),
        NextHop::V6(address)
        | NextHop::V6WithLinkLocal { global: address, .. }
        | NextHop::LinkLocal { address, .. } => {
            !address.is_unspecified() && !address.is_loopback() && !address.is_multicast()
        }
    }
}
