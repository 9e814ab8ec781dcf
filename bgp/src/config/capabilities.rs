//! What a peer is offered in OPEN, beside what every speaker must.

use std::{collections::BTreeSet, num::NonZeroU16, time::Duration};

use crate::wire::capability_code::CapabilityCode;

/// Capabilities offered to one peer, and our limits for what they allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapabilityConfig {
    /// Capabilities that are never sent, for peers that cannot bear them.
    pub withhold: BTreeSet<CapabilityCode>,
    /// Several paths for one prefix (RFC 7911).
    pub add_path: AddPath,
    /// Messages of up to 65535 octets (RFC 8654).
    pub extended_messages: Offer,
    /// Delimited route refresh (RFC 7313).
    pub enhanced_refresh: Offer,
    /// IPv6 next hops of IPv4 routes (RFC 8950).
    pub extended_next_hop: Offer,
    /// How long the peer shall keep our routes, and we at most its, beyond the restart time (RFC 9494): at most
    /// 16777215 s; zero withholds the capability.
    pub long_lived_stale_time: Duration,
}

/// Whether a capability is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It is.
    Announced,
    /// It is not.
    Withheld,
}

/// ADD-PATH of one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddPath {
    /// The directions offered.
    pub directions: AddPathDirections,
    /// The most paths of a prefix that are sent, the best ones; `None`: all.
    pub send_limit: Option<NonZeroU16>,
    /// The most paths of a prefix that are taken; further ones are refused.
    pub receive_limit: NonZeroU16,
}

/// Directions in which a peer and we may exchange several paths for one prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddPathDirections {
    /// None: the capability is withheld.
    Off,
    /// The peer may send several.
    Receive,
    /// We may.
    Send,
    /// Both may.
    Both,
}

impl AddPathDirections {
    /// Whether we are ready to receive several paths.
    pub fn receives(self) -> bool {
        matches!(self, Self::Receive | Self::Both)
    }

    /// Whether we are ready to send several paths.
    pub fn sends(self) -> bool {
        matches!(self, Self::Send | Self::Both)
    }
}

impl AddPath {
    /// Paths of a prefix that are taken unless configured otherwise.
    pub const RECEIVE_LIMIT: NonZeroU16 = NonZeroU16::new(256).unwrap();
}

impl Default for AddPath {
    fn default() -> Self {
        Self { directions: AddPathDirections::Off, send_limit: None, receive_limit: Self::RECEIVE_LIMIT }
    }
}

impl Default for CapabilityConfig {
    /// Extended messages and enhanced refresh, nothing else.
    fn default() -> Self {
        Self {
            withhold: BTreeSet::new(),
            add_path: AddPath::default(),
            extended_messages: Offer::Announced,
            enhanced_refresh: Offer::Announced,
            extended_next_hop: Offer::Withheld,
            long_lived_stale_time: Duration::ZERO,
        }
    }
}
