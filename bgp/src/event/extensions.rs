//! What two OPENs agree on beyond the basics: how routes are told apart, refreshed, and kept.

use std::{num::NonZeroU16, time::Duration};

use crate::types::{Families, Family, PerFamily};

/// Extensions in force on a session; none of them by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// Families whose prefixes the peer sends with path identifiers (RFC 7911).
    pub paths_received: Families,
    /// Families whose prefixes we send with path identifiers, and the most paths of each prefix the peer is sent.
    pub paths_sent: PerFamily<Option<NonZeroU16>>,
    /// Whether both delimit refreshed routes (RFC 7313).
    pub enhanced_refresh: bool,
    /// Families other than IPv6 whose prefixes may have IPv6 next hops (RFC 8950).
    pub ipv6_next_hops: Families,
    /// What the peer said about keeping routes for long, when it announced that (RFC 9494).
    pub long_lived: Option<PeerLongLived>,
}

impl Extensions {
    /// Families whose prefixes we send with path identifiers.
    pub fn families_sent_with_paths(&self) -> Families {
        Family::ALL.into_iter().filter(|family| self.paths_sent.get(*family).is_some()).collect()
    }
}

/// The peer's Long-Lived Graceful Restart capability (RFC 9494 section 3.1), in so far as we announced it too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerLongLived {
    /// How long to keep the routes of a family once its restart time has passed; zero: not at all.
    pub stale_time: PerFamily<Duration>,
    /// Families whose forwarding state it kept (F bit).
    pub forwarding: Families,
}
