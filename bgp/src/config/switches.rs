//! What is done to the routes of one peer beside policy, in both directions.

use crate::{
    martian::ReservedRanges,
    types::Asn,
    wire::{
        context::{SegmentRule, UnwantedAttributes},
        role::Role,
    },
};

/// The switches of one peer. By default all are as the standards have it.
///
/// [`local_as`](Self::local_as), [`role`](Self::role), [`role_demand`](Self::role_demand), [`as_sets`](Self::as_sets),
/// [`reserved_ranges`](Self::reserved_ranges) and [`unwanted`](Self::unwanted) belong to the session, which starts anew when they change; the others are changed under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSwitches {
    /// Another AS number of ours towards this external peer.
    pub local_as: Option<LocalAs>,
    /// Our role towards this external peer (RFC 9234).
    pub role: Option<Role>,
    /// Whether the peer must announce a role too.
    pub role_demand: RoleDemand,
    /// Routes with AS_SET or AS_CONFED_SET in their path (RFC 9774 section 3).
    pub as_sets: SegmentRule,
    /// Prefixes and next hops of 240.0.0.0/4.
    pub reserved_ranges: ReservedRanges,
    /// Attributes that the peer's routes may not bring.
    pub unwanted: UnwantedAttributes,
    /// How often our own AS number may be in a received AS_PATH.
    pub allow_as_in: u8,
    /// Whether an external peer's AS number must come first in AS_PATH (RFC 4271 section 6.3).
    pub first_as: FirstAs,
    /// Private AS numbers in paths sent to this external peer.
    pub private_as: PrivateAs,
    /// The external peer's own AS number in paths sent to it.
    pub own_as: OwnAs,
    /// Weight of the routes learned here, unless a policy sets one; the highest wins before LOCAL_PREF.
    pub weight: u16,
    /// Kinds of communities that are sent.
    pub communities: SentCommunities,
    /// Whether what we send is marked as about to go (RFC 8326).
    pub graceful_shutdown: GracefulShutdown,
    /// What the BLACKHOLE community means on routes of this peer (RFC 7999).
    pub blackhole: Blackhole,
    /// The default routes the peer is sent.
    pub default_route: DefaultRoute,
    /// Long-lived stale routes towards this internal peer (RFC 9494 section 4.6).
    pub long_lived: LongLivedRoutes,
}

impl Default for RouteSwitches {
    fn default() -> Self {
        Self {
            local_as: None,
            role: None,
            role_demand: RoleDemand::Optional,
            as_sets: SegmentRule::TreatAsWithdraw,
            reserved_ranges: ReservedRanges::Refuse,
            unwanted: UnwantedAttributes::default(),
            allow_as_in: 0,
            first_as: FirstAs::Enforce,
            private_as: PrivateAs::Keep,
            own_as: OwnAs::Keep,
            weight: 0,
            communities: SentCommunities::ALL,
            graceful_shutdown: GracefulShutdown::Off,
            blackhole: Blackhole::Ignore,
            default_route: DefaultRoute::Known,
            long_lived: LongLivedRoutes::ToAware,
        }
    }
}

impl RouteSwitches {
    /// Whether a session can go on under the other switches.
    pub(crate) fn same_session(&self, other: &Self) -> bool {
        self.local_as == other.local_as
            && self.role == other.role
            && self.role_demand == other.role_demand
            && self.as_sets == other.as_sets
            && self.reserved_ranges == other.reserved_ranges
            && self.unwanted == other.unwanted
    }
}

/// Another AS number of ours, for peers that still know us by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalAs {
    /// The number in our OPEN.
    pub asn: Asn,
    /// Where it is put into AS_PATHs.
    pub path: LocalAsPath,
}

/// Where the other AS number of ours is put into AS_PATHs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalAsPath {
    /// Before the path of what is received, and before our own number in what is sent.
    Prepend,
    /// Before our own number in what is sent only.
    NoPrepend,
    /// In place of our own number in what is sent.
    Replace,
}

/// Whether the peer must announce a role (RFC 9234 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleDemand {
    /// A peer without one is taken for what our role makes of it.
    Optional,
    /// A peer without one is refused (strict mode).
    Required,
}

/// Whether the first AS number of a path from an external peer is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstAs {
    /// It must be the peer's.
    Enforce,
    /// It may be any: route servers do not put theirs there (RFC 7947 section 2.2.2.1).
    Any,
}

/// What becomes of private AS numbers (RFC 6996), but for the receiver's own, by which it finds loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrivateAs {
    /// They stay.
    Keep,
    /// They are taken out.
    Remove,
    /// Each is replaced by ours.
    Replace,
}

/// What becomes of the receiver's own AS number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnAs {
    /// It stays, and the receiver finds the loop.
    Keep,
    /// It is replaced by ours, so that sites of one AS number reach each other through us.
    Override,
}

/// A set of kinds of communities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentCommunities(u8);

/// One kind of communities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommunityKind {
    /// RFC 1997.
    Standard,
    /// RFC 4360.
    Extended,
    /// RFC 8092.
    Large,
}

impl SentCommunities {
    /// Every kind.
    pub const ALL: Self = Self(0b111);

    /// Whether this kind is sent.
    pub fn contains(self, kind: CommunityKind) -> bool {
        self.0 & Self::bit(kind) != 0
    }

    fn bit(kind: CommunityKind) -> u8 {
        match kind {
            CommunityKind::Standard => 1,
            CommunityKind::Extended => 2,
            CommunityKind::Large => 4,
        }
    }
}

impl FromIterator<CommunityKind> for SentCommunities {
    fn from_iter<I: IntoIterator<Item = CommunityKind>>(kinds: I) -> Self {
        Self(kinds.into_iter().fold(0, |bits, kind| bits | Self::bit(kind)))
    }
}

/// Whether we are about to go (RFC 8326 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GracefulShutdown {
    /// We stay.
    Off,
    /// Everything sent carries GRACEFUL_SHUTDOWN, with LOCAL_PREF 0 inside our AS.
    On,
}

/// What BLACKHOLE means (RFC 7999).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blackhole {
    /// Nothing.
    Ignore,
    /// The route does not leave the AS (section 3.2), and is handed out as one whose packets
    /// [may be dropped](crate::core::Usability::Discard).
    Accept,
}

/// The default routes a peer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultRoute {
    /// Those of the Loc-RIB, if any, like every other route.
    Known,
    /// One of our own for each family, whatever we know, with ourselves as next hop and past the export policy. It is
    /// for such peers only: not in our Loc-RIB, not in our forwarding table.
    Originated,
}

/// Which internal peers are told of long-lived stale routes (RFC 9494). External peers must have announced the
/// capability in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LongLivedRoutes {
    /// Those that have announced the capability (section 4.3).
    ToAware,
    /// All of them: the procedure for a partial deployment (section 4.6). The routes have LOCAL_PREF 0, whoever the
    /// internal peer is, so that all agree on how little they are worth; to those without the capability they go with
    /// NO_EXPORT.
    ToAll,
}
