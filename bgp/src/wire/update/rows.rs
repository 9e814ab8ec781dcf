//! The table of RFC 7606 section 7: what each attribute must look like and what happens when it does not.

use super::{
    attributes::{Attributes, opaque, values},
    malformed::{Action, Reason},
    multiprotocol,
};
use crate::{
    types::PeerType,
    wire::{attribute::code, context::DecodeContext, notification::ErrorKind},
};

pub(super) const OPTIONAL: u8 = 0x80;
pub(super) const TRANSITIVE: u8 = 0x40;
pub(super) const PARTIAL: u8 = 0x20;
pub(super) const EXTENDED_LENGTH: u8 = 0x10;

/// The value of the Optional and Transitive bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Category {
    WellKnown = TRANSITIVE as isize,
    OptionalTransitive = (OPTIONAL | TRANSITIVE) as isize,
    OptionalNonTransitive = OPTIONAL as isize,
}

/// Who may send the attribute; from others it is discarded unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    Anyone,
    InternalPeer,
    TwoOctetSpeaker,
}

/// Possible lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Any,
    Exactly(usize),
    AtLeast(usize),
    /// A multiple, and not zero.
    NonZeroMultipleOf(usize),
    /// Six octets with 2-octet AS numbers, eight with 4-octet ones.
    Aggregator,
}

/// Reads a value whose length is right.
pub(super) type Read = for<'a> fn(&mut Attributes<'a>, &'a [u8], &DecodeContext) -> Result<(), Reason>;

/// One attribute.
pub(super) struct Row {
    pub(super) code: u8,
    pub(super) category: Category,
    pub(super) sender: Sender,
    pub(super) length: Length,
    /// What a wrong length or value leads to.
    pub(super) on_error: Action,
    /// What a wrong Optional or Transitive bit leads to (RFC 7606 section 3 c).
    pub(super) on_flags: Action,
    /// The NOTIFICATION that RFC 4271 section 6.3 has for a wrong value, should the session be reset.
    pub(super) kind: ErrorKind,
    pub(super) read: Read,
}

use Action::{AttributeDiscard, SessionReset, TreatAsWithdraw};
use Category::{OptionalNonTransitive, OptionalTransitive, WellKnown};
use Length::{Any, AtLeast, Exactly, NonZeroMultipleOf};
use Sender::{Anyone, InternalPeer, TwoOctetSpeaker};

const OPTIONAL_ERROR: ErrorKind = ErrorKind::OPTIONAL_ATTRIBUTE_ERROR;

#[rustfmt::skip]
const fn row(
    code: u8, category: Category, sender: Sender, length: Length, on_error: Action, kind: ErrorKind, read: Read,
) -> Row {
    Row { code, category, sender, length, on_error, on_flags: TreatAsWithdraw, kind, read }
}

/// An attribute that is checked but not used.
#[rustfmt::skip]
const fn unused(code: u8, category: Category, length: Length, on_error: Action, on_flags: Action, read: Read) -> Row {
    Row { code, category, sender: Anyone, length, on_error, on_flags, kind: OPTIONAL_ERROR, read }
}

/// Ascending by code. Attributes not named here are passed on unread (RFC 4271 section 9).
#[rustfmt::skip]
static ROWS: [Row; 24] = [
    // RFC 7606 section 7.1
    row(code::ORIGIN, WellKnown, Anyone, Exactly(1), TreatAsWithdraw, ErrorKind::INVALID_ORIGIN, values::origin),
    // RFC 7606 section 7.2, RFC 7607, RFC 9774
    row(code::AS_PATH, WellKnown, Anyone, Any, TreatAsWithdraw, ErrorKind::MALFORMED_AS_PATH, values::as_path),
    // RFC 7606 section 7.3
    row(code::NEXT_HOP, WellKnown, Anyone, Exactly(4), TreatAsWithdraw, ErrorKind::INVALID_NEXT_HOP, values::next_hop),
    // RFC 7606 section 7.4
    row(code::MULTI_EXIT_DISC, OptionalNonTransitive, Anyone, Exactly(4), TreatAsWithdraw, OPTIONAL_ERROR, values::multi_exit_disc),
    // RFC 7606 section 7.5
    row(code::LOCAL_PREF, WellKnown, InternalPeer, Exactly(4), TreatAsWithdraw, ErrorKind::ATTRIBUTE_LENGTH_ERROR, values::local_pref),
    // RFC 7606 section 7.6
    row(code::ATOMIC_AGGREGATE, WellKnown, Anyone, Exactly(0), AttributeDiscard, ErrorKind::ATTRIBUTE_LENGTH_ERROR, values::atomic_aggregate),
    // RFC 7606 section 7.7, RFC 7607
    row(code::AGGREGATOR, OptionalTransitive, Anyone, Length::Aggregator, AttributeDiscard, OPTIONAL_ERROR, values::aggregator),
    // RFC 7606 section 7.8
    row(code::COMMUNITIES, OptionalTransitive, Anyone, NonZeroMultipleOf(4), TreatAsWithdraw, OPTIONAL_ERROR, values::communities),
    // RFC 7606 section 7.9
    row(code::ORIGINATOR_ID, OptionalNonTransitive, InternalPeer, Exactly(4), TreatAsWithdraw, OPTIONAL_ERROR, values::originator_id),
    // RFC 7606 section 7.10
    row(code::CLUSTER_LIST, OptionalNonTransitive, InternalPeer, NonZeroMultipleOf(4), TreatAsWithdraw, OPTIONAL_ERROR, values::cluster_list),
    // RFC 7606 section 7.11, RFC 4760 section 7
    row(code::MP_REACH_NLRI, OptionalNonTransitive, Anyone, AtLeast(5), SessionReset, OPTIONAL_ERROR, multiprotocol::reach),
    // RFC 7606 section 7.12, RFC 4760 section 7
    row(code::MP_UNREACH_NLRI, OptionalNonTransitive, Anyone, AtLeast(3), SessionReset, OPTIONAL_ERROR, multiprotocol::unreach),
    // RFC 7606 section 7.14
    row(code::EXTENDED_COMMUNITIES, OptionalTransitive, Anyone, NonZeroMultipleOf(8), TreatAsWithdraw, OPTIONAL_ERROR, values::extended_communities),
    // RFC 6793 section 6
    row(code::AS4_PATH, OptionalTransitive, TwoOctetSpeaker, Any, AttributeDiscard, OPTIONAL_ERROR, values::as4_path),
    // RFC 6793 section 6
    row(code::AS4_AGGREGATOR, OptionalTransitive, TwoOctetSpeaker, Exactly(8), AttributeDiscard, OPTIONAL_ERROR, values::as4_aggregator),
    // RFC 6514 section 5
    unused(code::PMSI_TUNNEL, OptionalTransitive, AtLeast(5), TreatAsWithdraw, TreatAsWithdraw, opaque::pmsi_tunnel),
    // RFC 9012 section 13
    unused(code::TUNNEL_ENCAPSULATION, OptionalTransitive, Any, TreatAsWithdraw, AttributeDiscard, opaque::tunnel_encapsulation),
    // RFC 7606 section 7.15, RFC 5701
    unused(code::IPV6_EXTENDED_COMMUNITIES, OptionalTransitive, NonZeroMultipleOf(20), TreatAsWithdraw, TreatAsWithdraw, opaque::ipv6_extended_communities),
    // RFC 7311 section 3
    unused(code::AIGP, OptionalNonTransitive, AtLeast(3), AttributeDiscard, AttributeDiscard, opaque::aigp),
    // RFC 9552 section 8.2.2
    unused(code::LINK_STATE, OptionalNonTransitive, Any, AttributeDiscard, AttributeDiscard, opaque::link_state),
    // RFC 8092 section 5
    row(code::LARGE_COMMUNITY, OptionalTransitive, Anyone, NonZeroMultipleOf(12), TreatAsWithdraw, OPTIONAL_ERROR, values::large_communities),
    // RFC 9234 section 5
    row(code::ONLY_TO_CUSTOMER, OptionalTransitive, Anyone, Exactly(4), TreatAsWithdraw, OPTIONAL_ERROR, values::only_to_customer),
    // RFC 9026 section 3.1.6
    unused(code::BFD_DISCRIMINATOR, OptionalTransitive, AtLeast(5), AttributeDiscard, TreatAsWithdraw, opaque::bfd_discriminator),
    // RFC 8669 section 6
    unused(code::PREFIX_SID, OptionalTransitive, AtLeast(3), AttributeDiscard, TreatAsWithdraw, opaque::prefix_sid),
];

impl Row {
    pub(super) fn of(code: u8) -> Option<&'static Self> {
        ROWS.iter().find(|row| row.code == code)
    }

    /// Why this peer must not send the attribute, if so.
    pub(super) fn misplaced(&self, context: &DecodeContext) -> Option<Reason> {
        match self.sender {
            InternalPeer if context.peer_type == PeerType::External => Some(Reason::FromExternalPeer),
            TwoOctetSpeaker if context.four_octet_asn => Some(Reason::FromFourOctetSpeaker),
            _ => None,
        }
    }

    /// RFC 7606 section 3 c: the other flag bits do not matter.
    pub(super) fn accepts_flags(&self, flags: u8) -> bool {
        flags & (OPTIONAL | TRANSITIVE) == self.category as u8
    }

    pub(super) fn accepts_length(&self, length: usize, context: &DecodeContext) -> bool {
        match self.length {
            Any => true,
            Exactly(n) => length == n,
            AtLeast(n) => length >= n,
            NonZeroMultipleOf(n) => length > 0 && length.is_multiple_of(n),
            Length::Aggregator => length == if context.four_octet_asn { 8 } else { 6 },
        }
    }
}
