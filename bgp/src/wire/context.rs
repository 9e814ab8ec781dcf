//! What a session's negotiation means for reading and writing its messages.

use super::attribute::{AttributeCodes, code};
use crate::{
    event::Negotiated,
    martian::ReservedRanges,
    types::{Families, Family, PeerType},
};

/// Longest message without RFC 8654, and longest OPEN and KEEPALIVE with it (RFC 4271 section 4.1).
pub const MAX_MESSAGE: usize = 4096;

/// Longest message with RFC 8654.
pub const MAX_EXTENDED_MESSAGE: usize = 65535;

/// What happens to routes whose AS_PATH holds segments of a disputed kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentRule {
    /// They are taken.
    Accept,
    /// They are treated as withdrawn (RFC 7606).
    TreatAsWithdraw,
}

/// Attributes that are kept out by their type codes, whatever is in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct UnwantedAttributes {
    /// These are taken off, unread.
    pub discarded: AttributeCodes,
    /// Routes with one of these are treated as withdrawn.
    pub withdrawn: AttributeCodes,
}

impl UnwantedAttributes {
    /// The attributes that no route can do without, or that hold its prefixes: they are never unwanted.
    pub const NEEDED: [u8; 6] = [
        code::ORIGIN,
        code::AS_PATH,
        code::NEXT_HOP,
        code::LOCAL_PREF,
        code::MP_REACH_NLRI,
        code::MP_UNREACH_NLRI,
    ];
}

/// How to read the messages of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeContext {
    /// Whether the peer is internal or external.
    pub peer_type: PeerType,
    /// Families whose routes are taken; others are ignored (RFC 4760 section 6).
    pub families: Families,
    /// Whether AS numbers travel in 4 octets (RFC 6793).
    pub four_octet_asn: bool,
    /// Longest message we announced to take: [`MAX_MESSAGE`] or [`MAX_EXTENDED_MESSAGE`].
    pub max_message: usize,
    /// Families whose prefixes come with path identifiers (RFC 7911).
    pub add_path: Families,
    /// Families other than IPv6 whose prefixes may have IPv6 next hops (RFC 8950).
    pub ipv6_next_hops: Families,
    /// AS_SET segments: RFC 4271 takes them, RFC 9774 section 3 would have them withdrawn.
    pub as_sets: SegmentRule,
    /// AS_CONFED segments: taken only inside a confederation (RFC 5065 section 5).
    pub confederation: SegmentRule,
    /// Next hops of 240.0.0.0/4: RFC 4271 section 6.3 asks for host addresses, which these are to some operators.
    pub reserved_ranges: ReservedRanges,
    /// Attributes that the peer's routes may not bring.
    pub unwanted: UnwantedAttributes,
    /// The index of the interface of a session between link-local addresses: link-local next hops belong to it.
    pub interface: Option<u32>,
    /// The index of the interface that any other session runs over: a link-local next hop without a global one belongs to
    /// it too (RFC 2545 section 3, RFC 4007).
    pub link: Option<u32>,
}

impl DecodeContext {
    /// The context of an established session.
    pub fn new(negotiated: &Negotiated) -> Self {
        Self {
            peer_type: negotiated.peer_type,
            families: negotiated.families,
            four_octet_asn: negotiated.four_octet_asn,
            max_message: negotiated.max_message,
            add_path: negotiated.extensions.paths_received,
            ipv6_next_hops: negotiated.extensions.ipv6_next_hops,
            as_sets: SegmentRule::Accept,
            confederation: SegmentRule::TreatAsWithdraw,
            reserved_ranges: ReservedRanges::Refuse,
            unwanted: UnwantedAttributes::default(),
            interface: None,
            link: None,
        }
    }

    /// The same for a session between other addresses that runs over this interface.
    #[must_use]
    pub fn over(self, link: Option<u32>) -> Self {
        Self { link, ..self }
    }

    /// The same for a session whose link-local ends belong to this interface.
    #[must_use]
    pub fn on_link(self, interface: Option<u32>) -> Self {
        Self { interface, ..self }
    }

    /// The context before the OPENs have been exchanged.
    pub fn unnegotiated(peer_type: PeerType) -> Self {
        Self {
            peer_type,
            families: Families::NONE,
            four_octet_asn: false,
            max_message: MAX_MESSAGE,
            add_path: Families::NONE,
            ipv6_next_hops: Families::NONE,
            as_sets: SegmentRule::Accept,
            confederation: SegmentRule::TreatAsWithdraw,
            reserved_ranges: ReservedRanges::Refuse,
            unwanted: UnwantedAttributes::default(),
            interface: None,
            link: None,
        }
    }

    pub(super) fn path_ids(&self, family: Family) -> PathIds {
        PathIds::of(self.add_path, family)
    }
}

/// How to write the messages of one session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EncodeContext {
    /// Whether the peer is internal or external; external peers get no LOCAL_PREF, ORIGINATOR_ID, CLUSTER_LIST.
    pub peer_type: PeerType,
    /// Whether AS numbers travel in 4 octets; if not, AS_TRANS and AS4_PATH are used (RFC 6793).
    pub four_octet_asn: bool,
    /// Longest message the peer takes: [`MAX_MESSAGE`] or [`MAX_EXTENDED_MESSAGE`].
    pub max_message: usize,
    /// Families whose prefixes go out with path identifiers (RFC 7911).
    pub add_path: Families,
    /// Families other than IPv6 whose prefixes may have IPv6 next hops (RFC 8950).
    pub ipv6_next_hops: Families,
}

impl EncodeContext {
    /// The context of an established session.
    pub fn new(negotiated: &Negotiated) -> Self {
        Self {
            peer_type: negotiated.peer_type,
            four_octet_asn: negotiated.four_octet_asn,
            max_message: negotiated.max_message,
            add_path: negotiated.extensions.families_sent_with_paths(),
            ipv6_next_hops: negotiated.extensions.ipv6_next_hops,
        }
    }

    pub(super) fn path_ids(&self, family: Family) -> PathIds {
        PathIds::of(self.add_path, family)
    }
}

impl EncodeContext {
    /// Whether routes of a family may have IPv6 next hops.
    pub fn takes_ipv6_next_hops(&self, family: Family) -> bool {
        family == Family::Ipv6Unicast || self.ipv6_next_hops.contains(family)
    }
}

/// Whether prefixes are preceded by a path identifier (RFC 7911 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathIds {
    /// They are bare.
    Absent,
    /// Four octets come before each.
    Present,
}

impl PathIds {
    fn of(families: Families, family: Family) -> Self {
        if families.contains(family) { Self::Present } else { Self::Absent }
    }
}
