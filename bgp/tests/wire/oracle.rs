//! RFC 7606 a second time, naively: what must become of an UPDATE, told from its octets alone. Shared with the fuzz
//! target, which compares it with what the decoder does.

use std::collections::BTreeSet;

use bgp::{
    types::{Family, PeerType},
    wire::{DecodeContext, Notification, Update, context::SegmentRule, update::Action},
};

/// What becomes of an UPDATE.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The session is reset.
    Reset,
    /// Its routes are withdrawn.
    Withdrawn,
    /// Its routes are taken, without these attributes.
    Taken(BTreeSet<u8>),
}

/// What the decoder did.
pub(crate) fn found(decoded: &Result<Update, Notification>) -> Verdict {
    match decoded {
        Err(_) => Verdict::Reset,
        Ok(update) if update.is_treated_as_withdraw() => Verdict::Withdrawn,
        Ok(update) => {
            let discarded = update.malformed.iter().filter(|m| m.action == Action::AttributeDiscard);
            Verdict::Taken(discarded.filter_map(|m| m.attribute).collect())
        }
    }
}

/// What must become of an UPDATE with this body.
pub(crate) fn verdict(body: &[u8], context: &DecodeContext) -> Verdict {
    judge(body, context).unwrap_or(Verdict::Reset)
}

const MP_REACH: u8 = 14;
const MP_UNREACH: u8 = 15;
const NEXT_HOP: u8 = 3;

/// `None`: the session is reset.
fn judge(body: &[u8], context: &DecodeContext) -> Option<Verdict> {
    let (withdrawn, rest) = counted(body)?;
    let (list, nlri) = counted(rest)?;
    for field in [withdrawn, nlri] {
        if context.families.contains(Family::Ipv4Unicast) && !prefixes(field, Family::Ipv4Unicast, context) {
            return None;
        }
    }
    let found = walk(list, context)?;
    let announces = !nlri.is_empty() || found.reach_is_filled;
    let only_next_hop_of_mp = nlri.is_empty() && found.reach_is_filled;
    let mut strong = found.strong.clone();
    if !announces && !strong.is_empty() && found.seen != BTreeSet::from([MP_UNREACH]) {
        return None;
    }
    if only_next_hop_of_mp {
        strong.remove(&NEXT_HOP);
    }
    let internal = context.peer_type == PeerType::Internal;
    let mandatory = [(1, true), (2, true), (NEXT_HOP, !nlri.is_empty()), (5, internal)];
    let missing = mandatory.iter().any(|(code, needed)| *needed && !found.seen.contains(code));
    if announces && missing || !strong.is_empty() {
        return Some(Verdict::Withdrawn);
    }
    let mut discarded = found.discarded;
    if only_next_hop_of_mp {
        discarded.remove(&NEXT_HOP);
    }
    Some(Verdict::Taken(discarded))
}

#[derive(Default)]
struct Found {
    seen: BTreeSet<u8>,
    discarded: BTreeSet<u8>,
    /// Attributes with an error that costs the routes.
    strong: BTreeSet<u8>,
    reach_is_filled: bool,
}

fn walk(mut list: &[u8], context: &DecodeContext) -> Option<Found> {
    let mut found = Found::default();
    while !list.is_empty() {
        let Some((flags, code, value, rest)) = attribute(list) else {
            let code = list.get(1).copied().unwrap_or(0);
            if [MP_REACH, MP_UNREACH].contains(&code) {
                return None;
            }
            found.seen.insert(code);
            found.strong.insert(code);
            return Some(found);
        };
        list = rest;
        if !found.seen.insert(code) {
            if [MP_REACH, MP_UNREACH].contains(&code) {
                return None;
            }
            found.discarded.insert(code);
            continue;
        }
        match judge_attribute(flags, code, value, context) {
            Fate::Fine => {}
            Fate::Discard => drop(found.discarded.insert(code)),
            Fate::Withdraw => drop(found.strong.insert(code)),
            Fate::Reset => return None,
        }
        if code == MP_REACH {
            let next_hop = usize::from(value[3]);
            found.reach_is_filled = value.len() > 5 + next_hop;
        }
    }
    Some(found)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Fine,
    Discard,
    Withdraw,
    Reset,
}

fn judge_attribute(flags: u8, code: u8, value: &[u8], context: &DecodeContext) -> Fate {
    let internal = context.peer_type == PeerType::Internal;
    let length = value.len();
    let times = |unit: usize| length > 0 && length.is_multiple_of(unit);
    // Optional and Transitive bits, whether the length is possible, whether the value is, what an error costs.
    let (bits, right_length, right_value, cost) = match code {
        1 => (0x40, length == 1, value.first() < Some(&3), Fate::Withdraw),
        2 => {
            (0x40, true, as_path(value, if context.four_octet_asn { 4 } else { 2 }, context), Fate::Withdraw)
        }
        NEXT_HOP => (0x40, length == 4, value.first().is_some_and(|first| is_host(*first)), Fate::Withdraw),
        4 => (0x80, length == 4, true, Fate::Withdraw),
        5 | 9 | 10 if !internal => return Fate::Discard,
        5 => (0x40, length == 4, true, Fate::Withdraw),
        6 => (0x40, length == 0, true, Fate::Discard),
        7 if context.four_octet_asn => (0xc0, length == 8, !value.starts_with(&[0; 4]), Fate::Discard),
        7 => (0xc0, length == 6, !value.starts_with(&[0; 2]), Fate::Discard),
        8 => (0xc0, times(4), true, Fate::Withdraw),
        9 => (0x80, length == 4, true, Fate::Withdraw),
        10 => (0x80, times(4), true, Fate::Withdraw),
        MP_REACH => return reach(flags, value, context),
        MP_UNREACH => return unreach(flags, value, context),
        16 => (0xc0, times(8), true, Fate::Withdraw),
        17 | 18 if context.four_octet_asn => return Fate::Discard,
        17 => {
            let confederation = SegmentRule::Accept;
            (
                0xc0,
                true,
                as_path(value, 4, &DecodeContext { confederation, ..context.clone() }),
                Fate::Discard,
            )
        }
        18 => (0xc0, length == 8, !value.starts_with(&[0; 4]), Fate::Discard),
        22 => (0xc0, length >= 5, pmsi(value), Fate::Withdraw),
        23 if flags & 0xc0 != 0xc0 || value.is_empty() => return Fate::Discard,
        23 => (0xc0, true, tunnels(value), Fate::Withdraw),
        25 => (0xc0, times(20), true, Fate::Withdraw),
        26 | 29 if flags & 0xc0 != 0x80 => return Fate::Discard,
        26 => (0x80, length >= 3, metrics(value), Fate::Discard),
        29 => (0x80, true, tlvs(value, 2, 2).is_some(), Fate::Discard),
        38 => (0xc0, length >= 5, discriminator(value), Fate::Discard),
        40 => (0xc0, length >= 3, segments(value), Fate::Discard),
        32 => (0xc0, times(12), true, Fate::Withdraw),
        35 => (0xc0, length == 4, value != [0; 4], Fate::Withdraw),
        _ if flags & 0x80 == 0 => return Fate::Reset,
        _ => return Fate::Fine,
    };
    match (right_length && right_value, flags & 0xc0 == bits) {
        (true, true) => Fate::Fine,
        (true, false) => Fate::Withdraw,
        // Wrong flags weigh more than an error that only costs the attribute.
        (false, false) if right_length => Fate::Withdraw,
        (false, _) => cost,
    }
}

/// TLVs with so many octets of type and of length.
fn tlvs(mut list: &[u8], kind: usize, length: usize) -> Option<Vec<(usize, &[u8])>> {
    let number = |octets: &[u8]| octets.iter().fold(0, |sum, octet| sum * 256 + usize::from(*octet));
    let mut found = Vec::new();
    while !list.is_empty() {
        let size = number(list.get(kind..kind + length)?);
        let end = kind + length + size;
        found.push((number(&list[..kind]), list.get(kind + length..end)?));
        list = &list[end..];
    }
    Some(found)
}

fn pmsi(value: &[u8]) -> bool {
    let Some(identifier) = value.len().checked_sub(5) else { return false };
    match value[1] {
        0 => identifier == 0,
        1 => identifier == 12 || identifier == 24,
        3..=5 => identifier == 8 || identifier == 32,
        6 => identifier == 4 || identifier == 16,
        _ => true,
    }
}

fn tunnels(value: &[u8]) -> bool {
    tlvs(value, 2, 2).is_some_and(|tunnels| tunnels.iter().all(|(_, subs)| sub_tlvs(subs)))
}

fn sub_tlvs(mut list: &[u8]) -> bool {
    while let Some(kind) = list.first() {
        let (header, size) = match (kind, list.get(1), list.get(2)) {
            (..128, Some(size), _) => (2, usize::from(*size)),
            (128.., Some(high), Some(low)) => (3, usize::from(*high) * 256 + usize::from(*low)),
            _ => return false,
        };
        let Some(rest) = list.get(header + size..) else { return false };
        list = rest;
    }
    true
}

fn metrics(mut list: &[u8]) -> bool {
    while !list.is_empty() {
        let [kind, high, low, ..] = list else { return false };
        let size = usize::from(*high) * 256 + usize::from(*low);
        if size < 3 || size > list.len() || *kind == 1 && size != 11 {
            return false;
        }
        list = &list[size..];
    }
    true
}

fn discriminator(value: &[u8]) -> bool {
    let Some(list) = value.get(5..) else { return false };
    let source = |(kind, value): &(usize, &[u8])| *kind != 1 || [4, 16].contains(&value.len());
    tlvs(list, 1, 1).is_some_and(|found| found.iter().all(source))
}

fn segments(value: &[u8]) -> bool {
    let fits = |(kind, value): &(usize, &[u8])| match kind {
        1 => value.len() == 7,
        3 => value.len() > 2 && (value.len() - 2).is_multiple_of(6),
        5 | 6 => value.get(1..).is_some_and(|subs| tlvs(subs, 1, 2).is_some()),
        _ => true,
    };
    tlvs(value, 1, 2).is_some_and(|found| found.iter().all(fits))
}

fn reach(flags: u8, value: &[u8], context: &DecodeContext) -> Fate {
    let Some([afi_high, afi, safi, next_hop_length]) = value.first_chunk().filter(|_| value.len() >= 5)
    else {
        return Fate::Reset;
    };
    let Some((next_hop, rest)) = value[4..].split_at_checked(usize::from(*next_hop_length)) else {
        return Fate::Reset;
    };
    let Some((_reserved, nlri)) = rest.split_first() else { return Fate::Reset };
    let flags_are_right = flags & 0xc0 == 0x80;
    let fine = if flags_are_right { Fate::Fine } else { Fate::Withdraw };
    let Some(family) = family(*afi_high, *afi, *safi, context) else { return fine };
    let ipv6 = family == Family::Ipv6Unicast || context.ipv6_next_hops.contains(family);
    let usable = match next_hop.len() {
        4 if family == Family::Ipv4Unicast => is_host(next_hop[0]),
        16 if ipv6 => is_host_v6(next_hop),
        32 if ipv6 && is_link_local(&next_hop[16..]) => {
            next_hop[..16] == [0; 16] || is_host_v6(&next_hop[..16])
        }
        32 if ipv6 => is_host_v6(&next_hop[..16]),
        _ => return Fate::Reset,
    };
    match (prefixes(nlri, family, context), usable) {
        (false, _) => Fate::Reset,
        (true, false) => Fate::Withdraw,
        (true, true) => fine,
    }
}

fn unreach(flags: u8, value: &[u8], context: &DecodeContext) -> Fate {
    let Some(([afi_high, afi, safi], nlri)) = value.split_first_chunk() else { return Fate::Reset };
    let readable =
        family(*afi_high, *afi, *safi, context).is_none_or(|family| prefixes(nlri, family, context));
    match (readable, flags & 0xc0 == 0x80) {
        (false, _) => Fate::Reset,
        (true, false) => Fate::Withdraw,
        (true, true) => Fate::Fine,
    }
}

fn family(afi_high: u8, afi: u8, safi: u8, context: &DecodeContext) -> Option<Family> {
    let family = match (afi_high, afi, safi) {
        (0, 1, 1) => Family::Ipv4Unicast,
        (0, 2, 1) => Family::Ipv6Unicast,
        _ => return None,
    };
    context.families.contains(family).then_some(family)
}

/// Whether a field of prefixes can be read.
fn prefixes(mut field: &[u8], family: Family, context: &DecodeContext) -> bool {
    let longest = if family == Family::Ipv4Unicast { 32 } else { 128 };
    let identifier = if context.add_path.contains(family) { 4 } else { 0 };
    while !field.is_empty() {
        let Some(length) = field.get(identifier).copied().filter(|length| *length <= longest) else {
            return false;
        };
        let size = identifier + 1 + usize::from(length).div_ceil(8);
        let Some(rest) = field.get(size..) else { return false };
        field = rest;
    }
    true
}

/// Whether an AS_PATH can be read and used.
fn as_path(mut value: &[u8], size: usize, context: &DecodeContext) -> bool {
    while !value.is_empty() {
        let [kind, count, rest @ ..] = value else { return false };
        let allowed = match kind {
            2 => true,
            1 => context.as_sets == SegmentRule::Accept,
            3 | 4 => context.confederation == SegmentRule::Accept,
            _ => false,
        };
        let Some((numbers, rest)) = rest.split_at_checked(usize::from(*count) * size) else { return false };
        let zero = numbers.chunks(size).any(|number| number.iter().all(|octet| *octet == 0));
        if !allowed || *count == 0 || zero {
            return false;
        }
        value = rest;
    }
    true
}

fn is_host(first: u8) -> bool {
    first != 0 && first != 127 && first < 224
}

fn is_host_v6(address: &[u8]) -> bool {
    let small = address[..15] == [0; 15] && address[15] < 2;
    !small && address[0] != 0xff
}

fn is_link_local(address: &[u8]) -> bool {
    address[0] == 0xfe && address[1] & 0xc0 == 0x80
}

fn counted(field: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = field.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// Flags, type code and value of the first attribute, and what follows.
fn attribute(list: &[u8]) -> Option<(u8, u8, &[u8], &[u8])> {
    let [flags, code, rest @ ..] = list else { return None };
    let (value, rest) = if flags & 0x10 != 0 {
        counted(rest)?
    } else {
        let (length, rest) = rest.split_first()?;
        rest.split_at_checked(usize::from(*length))?
    };
    Some((*flags, *code, value, rest))
}
