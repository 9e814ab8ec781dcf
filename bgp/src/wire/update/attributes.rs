//! Walks the path attributes of an UPDATE and gathers their values.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    malformed::{Action, Malformed, Reason},
    rows::{EXTENDED_LENGTH, OPTIONAL, PARTIAL, Row, TRANSITIVE},
};
use crate::{
    event::RouteItem,
    types::{Asn, Family, PeerType},
    wire::{
        as_path::AsPath,
        attribute::{
            Aggregator, AttributeCodes, NextHop, Origin, PathAttributes, RareAttributes, UnknownAttribute,
            code,
        },
        context::DecodeContext,
        nlri::NlriList,
        notification::{ErrorKind, Notification},
    },
};

pub(super) mod opaque;
pub(super) mod values;

/// What an UPDATE's attributes say. Fields stay empty for what is missing, misplaced or malformed.
#[derive(Clone, Debug, Default)]
pub(super) struct Attributes<'a> {
    seen: AttributeCodes,
    origin: Option<Origin>,
    as_path: Option<AsPath>,
    as4_path: Option<AsPath>,
    as4_aggregator: Option<Aggregator>,
    pub(super) next_hop: Option<NextHop>,
    med: Option<u32>,
    local_pref: Option<u32>,
    atomic_aggregate: bool,
    rare: Option<Box<RareAttributes>>,
    /// MP_REACH_NLRI of a negotiated family.
    pub(super) reach: Option<(NlriList, NextHop)>,
    /// MP_UNREACH_NLRI of a negotiated family.
    pub(super) unreach: Option<NlriList>,
    /// Whether MP_REACH_NLRI has prefixes, of whatever family.
    pub(super) has_mp_reach: bool,
    /// Whether MP_UNREACH_NLRI has no prefixes, of whatever family.
    pub(super) mp_unreach_is_empty: bool,
    pub(super) malformed: Vec<Malformed>,
    /// The first error stronger than attribute discard, as RFC 4271 section 6.3 would answer it.
    reset: Option<(ErrorKind, &'a [u8])>,
}

/// One attribute as it stands in the list.
#[derive(Clone, Copy)]
struct Raw<'a> {
    flags: u8,
    code: u8,
    value: &'a [u8],
    /// Header and value.
    whole: &'a [u8],
}

impl<'a> Raw<'a> {
    /// The first attribute and what follows, or its code when there is one but the rest is cut off.
    fn split(list: &'a [u8]) -> Result<(Self, &'a [u8]), Option<u8>> {
        let [flags, code, rest @ ..] = list else { return Err(None) };
        let (length, rest) = if flags & EXTENDED_LENGTH == 0 {
            let (length, rest) = rest.split_first().ok_or(Some(*code))?;
            (usize::from(*length), rest)
        } else {
            let (length, rest) = rest.split_first_chunk::<2>().ok_or(Some(*code))?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        };
        let (value, rest) = rest.split_at_checked(length).ok_or(Some(*code))?;
        let whole = list.get(..list.len().saturating_sub(rest.len())).unwrap_or_default();
        Ok((Self { flags: *flags, code: *code, value, whole }, rest))
    }
}

/// The family of the prefixes in MP_REACH_NLRI or MP_UNREACH_NLRI, whichever comes first.
pub(super) fn multiprotocol_family(mut list: &[u8]) -> Option<Family> {
    while let Ok((raw, rest)) = Raw::split(list) {
        if let (code::MP_REACH_NLRI | code::MP_UNREACH_NLRI, [high, low, safi, ..]) = (raw.code, raw.value) {
            return Family::from_codes(u16::from_be_bytes([*high, *low]), *safi);
        }
        list = rest;
    }
    None
}

impl<'a> Attributes<'a> {
    /// Reads the list.
    ///
    /// # Errors
    /// The NOTIFICATION of a session reset.
    pub(super) fn read(mut list: &'a [u8], context: &DecodeContext) -> Result<Self, Notification> {
        let mut attributes = Self::default();
        while !list.is_empty() {
            match Raw::split(list) {
                Ok((raw, rest)) => {
                    attributes.add(raw, context)?;
                    list = rest;
                }
                Err(code) => {
                    attributes.overrun(code)?;
                    break;
                }
            }
        }
        Ok(attributes)
    }

    /// RFC 7606 section 4: the total length is relied upon. Prefixes that were cut off cannot be withdrawn,
    /// so the session is (section 3 j).
    fn overrun(&mut self, code: Option<u8>) -> Result<(), Notification> {
        if matches!(code, Some(code::MP_REACH_NLRI | code::MP_UNREACH_NLRI)) {
            return Err(ErrorKind::MALFORMED_ATTRIBUTE_LIST.into());
        }
        self.seen.insert(code.unwrap_or_default());
        self.fault(code, Action::TreatAsWithdraw, Reason::Overrun, ErrorKind::MALFORMED_ATTRIBUTE_LIST, &[]);
        Ok(())
    }

    fn add(&mut self, raw: Raw<'a>, context: &DecodeContext) -> Result<(), Notification> {
        if context.unwanted.discarded.contains(raw.code) {
            self.seen.insert(raw.code);
            return Ok(());
        }
        if context.unwanted.withdrawn.contains(raw.code) {
            self.seen.insert(raw.code);
            let (action, reason) = (Action::TreatAsWithdraw, Reason::Unwanted);
            self.malformed.push(Malformed { attribute: Some(raw.code), action, reason });
            return Ok(());
        }
        if !self.seen.insert(raw.code) {
            return self.duplicate(raw.code);
        }
        let Some(row) = Row::of(raw.code) else { return self.unknown(raw) };
        let (action, reason, kind) = if let Some(reason) = row.misplaced(context) {
            (Action::AttributeDiscard, reason, row.kind)
        } else if !row.accepts_length(raw.value.len(), context) {
            (row.on_error, Reason::Length, ErrorKind::ATTRIBUTE_LENGTH_ERROR)
        } else {
            if !row.accepts_flags(raw.flags) {
                let kind = ErrorKind::ATTRIBUTE_FLAGS_ERROR;
                self.fault(Some(raw.code), row.on_flags, Reason::Flags, kind, raw.whole);
                if row.on_flags == Action::AttributeDiscard {
                    return Ok(());
                }
            }
            match (row.read)(self, raw.value, context) {
                Ok(()) => {
                    self.remember_partial(raw);
                    return Ok(());
                }
                Err(reason) => (row.on_error, reason, row.kind),
            }
        };
        if action == Action::SessionReset {
            return Err(Notification::with_data(row.kind, raw.whole));
        }
        self.fault(Some(raw.code), action, reason, kind, raw.whole);
        Ok(())
    }

    /// RFC 7606 section 3 g.
    fn duplicate(&mut self, code: u8) -> Result<(), Notification> {
        if matches!(code, code::MP_REACH_NLRI | code::MP_UNREACH_NLRI) {
            return Err(ErrorKind::MALFORMED_ATTRIBUTE_LIST.into());
        }
        let (action, reason) = (Action::AttributeDiscard, Reason::Duplicate);
        self.malformed.push(Malformed { attribute: Some(code), action, reason });
        Ok(())
    }

    /// RFC 4271 sections 6.3 and 9: an unknown attribute is passed on with the Partial bit, dropped when it
    /// is not transitive, and an error when it is not optional.
    fn unknown(&mut self, raw: Raw<'a>) -> Result<(), Notification> {
        if raw.flags & OPTIONAL == 0 {
            return Err(Notification::with_data(ErrorKind::UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE, raw.whole));
        }
        if raw.flags & TRANSITIVE != 0 {
            self.keep_opaque(raw.code, raw.value);
        }
        Ok(())
    }

    /// A copy, lest a few octets hold the whole receive buffer.
    fn keep_opaque(&mut self, code: u8, value: &[u8]) {
        let long = if value.len() > usize::from(u8::MAX) { EXTENDED_LENGTH } else { 0 };
        self.rare().unknown.push(UnknownAttribute {
            flags: OPTIONAL | TRANSITIVE | PARTIAL | long,
            code,
            value: Bytes::copy_from_slice(value),
        });
    }

    fn remember_partial(&mut self, raw: Raw<'a>) {
        if raw.flags & (TRANSITIVE | PARTIAL) == TRANSITIVE | PARTIAL
            && let Some(rare) = &mut self.rare
        {
            rare.partial.insert(raw.code);
        }
    }

    fn fault(
        &mut self,
        attribute: Option<u8>,
        action: Action,
        reason: Reason,
        kind: ErrorKind,
        whole: &'a [u8],
    ) {
        self.malformed.push(Malformed { attribute, action, reason });
        if action > Action::AttributeDiscard {
            // RFC 4271 section 6.3: a malformed AS_PATH or attribute list is answered without data.
            let data = if kind == ErrorKind::MALFORMED_AS_PATH { &[] } else { whole };
            self.reset.get_or_insert((kind, data));
        }
    }

    fn has_only(&self, code: u8) -> bool {
        self.seen == AttributeCodes::from_iter([code])
    }

    /// The family of an End-of-RIB marker: MP_UNREACH_NLRI without prefixes and nothing else (RFC 4724
    /// section 2).
    pub(super) fn end_of_rib(&self) -> Option<Family> {
        let alone = self.has_only(code::MP_UNREACH_NLRI) && self.malformed.is_empty();
        self.unreach.as_ref().filter(|list| alone && list.is_empty()).map(NlriList::family)
    }

    /// RFC 7606 section 3 d.
    pub(super) fn check_mandatory(&mut self, has_classic_nlri: bool, peer: PeerType) {
        if !has_classic_nlri && !self.has_mp_reach {
            return;
        }
        if !has_classic_nlri {
            // RFC 4760 section 3: beside MP_REACH_NLRI alone, NEXT_HOP is ignored.
            self.malformed.retain(|m| m.attribute != Some(code::NEXT_HOP));
        }
        let (action, reason) = (Action::TreatAsWithdraw, Reason::Missing);
        for (code, needed) in [
            (code::ORIGIN, true),
            (code::AS_PATH, true),
            (code::NEXT_HOP, has_classic_nlri),
            (code::LOCAL_PREF, peer == PeerType::Internal),
        ] {
            if needed && !self.seen.contains(code) {
                self.malformed.push(Malformed { attribute: Some(code), action, reason });
            }
        }
    }

    /// RFC 7606 section 5.2: errors in an UPDATE that has attributes but announces nothing leave it unknown
    /// which routes were meant.
    pub(super) fn check_reach(&self, has_classic_nlri: bool) -> Result<(), Notification> {
        let announces = has_classic_nlri || self.has_mp_reach;
        match self.reset {
            Some((kind, data)) if !announces && !self.has_only(code::MP_UNREACH_NLRI) => {
                Err(Notification::with_data(kind, data))
            }
            _ => Ok(()),
        }
    }

    /// The routes with their attributes. `None` only when a mandatory one is missing, which
    /// [`Self::check_mandatory`] has reported.
    pub(super) fn into_item(mut self, nlri: NlriList, next_hop: Option<NextHop>) -> Option<RouteItem> {
        self.merge_as4();
        let attributes = PathAttributes {
            origin: self.origin?,
            as_path: self.as_path?,
            next_hop: next_hop?,
            med: self.med,
            local_pref: self.local_pref,
            atomic_aggregate: self.atomic_aggregate,
            rare: self.rare.map(sorted),
        };
        Some(RouteItem::Reach { attributes: Arc::new(attributes), nlri })
    }

    /// RFC 6793 section 4.2.3: an AGGREGATOR that a 2-octet speaker replaced since makes what stands beside it
    /// stale.
    fn merge_as4(&mut self) {
        let aggregator = self.rare.as_mut().and_then(|rare| rare.aggregator.as_mut());
        if let (Some(aggregator), Some(as4_aggregator)) = (aggregator, self.as4_aggregator) {
            if aggregator.asn != Asn::TRANS {
                return;
            }
            *aggregator = as4_aggregator;
        }
        if let Some(as4_path) = &self.as4_path {
            self.as_path = self.as_path.take().map(|path| path.merge(as4_path));
        }
    }

    fn rare(&mut self) -> &mut RareAttributes {
        self.rare.get_or_insert_default()
    }
}

fn sorted(mut rare: Box<RareAttributes>) -> Box<RareAttributes> {
    rare.unknown.sort_unstable_by_key(|unknown| unknown.code);
    rare
}
