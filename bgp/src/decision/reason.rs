//! Why a path is, or is not, the best one: one small code, stable, with a unique JSON name.

use serde::{Serialize, Serializer};

use crate::policy::RejectReason;

/// A step of the Decision Process, in the order taken (RFC 4271 sections 9.1.1 and 9.1.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Step {
    /// A route we originate wins over any that is learned.
    LocalOrigin = 0,
    /// The higher degree of preference (RFC 4271 section 9.1.1).
    LocalPref = 1,
    /// The smallest number of AS numbers in AS_PATH (9.1.2.2 a).
    AsPathLength = 2,
    /// The lowest ORIGIN (9.1.2.2 b).
    Origin = 3,
    /// The lowest MULTI_EXIT_DISC among routes from the same neighbouring AS (9.1.2.2 c).
    Med = 4,
    /// External before internal (9.1.2.2 d).
    External = 5,
    /// The lowest interior cost to the next hop (9.1.2.2 e).
    IgpCost = 6,
    /// The lowest BGP Identifier, or ORIGINATOR_ID where attached (9.1.2.2 f, RFC 4456 section 9).
    RouterId = 7,
    /// The shortest CLUSTER_LIST (RFC 4456 section 9).
    ClusterListLength = 8,
    /// The lowest peer address (9.1.2.2 g).
    PeerAddress = 9,
    /// The lowest path identifier of one peer (RFC 7911).
    PathId = 10,
    /// The higher weight, which is this speaker's own and never sent.
    Weight = 11,
    /// The external route known longest (RFC 5004), where the configuration asks for it.
    Oldest = 12,
    /// Any other before one that is long-lived stale (RFC 9494 section 4.2).
    Validity = 13,
}

impl Step {
    /// The steps in the order they are taken.
    pub const ORDER: [Self; 14] = [
        Self::LocalOrigin,
        Self::Validity,
        Self::Weight,
        Self::LocalPref,
        Self::AsPathLength,
        Self::Origin,
        Self::Med,
        Self::External,
        Self::IgpCost,
        Self::Oldest,
        Self::RouterId,
        Self::ClusterListLength,
        Self::PeerAddress,
        Self::PathId,
    ];

    /// Its place in [`Step::ORDER`].
    pub fn place(self) -> usize {
        Self::ORDER.iter().position(|step| *step == self).unwrap_or(Self::ORDER.len())
    }

    const fn name(self) -> &'static str {
        match self {
            Self::LocalOrigin => "lost_local_origin",
            Self::LocalPref => "lost_local_pref",
            Self::AsPathLength => "lost_as_path_length",
            Self::Origin => "lost_origin",
            Self::Med => "lost_med",
            Self::External => "lost_external",
            Self::IgpCost => "lost_igp_cost",
            Self::RouterId => "lost_router_id",
            Self::ClusterListLength => "lost_cluster_list_length",
            Self::PeerAddress => "lost_peer_address",
            Self::PathId => "lost_path_id",
            Self::Weight => "lost_weight",
            Self::Oldest => "lost_oldest",
            Self::Validity => "lost_long_lived_stale",
        }
    }
}

/// What a path stands at after the last decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// It is the best path.
    Best,
    /// It lost in this step against the best path.
    Lost(Step),
    /// It is as good as the best path up to the interior cost, and packets take it too.
    Multipath,
    /// As good as the best path, but its AS_PATH is another one.
    MultipathAsPath,
    /// As good as the best path, but packets to its next hop go out already.
    MultipathNextHop,
    /// As good as the best path, but the route has as many next hops as it may.
    MultipathFull,
    /// The reachability of its next hop is not known yet.
    NextHopPending,
    /// Its next hop cannot be reached (RFC 4271 section 9.1.2.1).
    NextHopUnreachable,
    /// It would be the way to its own next hop once it was installed (RFC 4271 section 9.1.2.1).
    NextHopLoop,
    /// Its next hop is our own address (RFC 4271 section 5.1.3).
    NextHopOwn,
    /// Our AS number is in its AS_PATH (RFC 4271 section 9.1.2).
    AsLoop,
    /// Its ORIGINATOR_ID is our BGP Identifier (RFC 4456 section 8).
    OriginatorLoop,
    /// Our cluster id is in its CLUSTER_LIST (RFC 4456 section 8).
    ClusterLoop,
    /// It comes from an external peer whose AS number does not stand first in its AS_PATH (RFC 4271 section 6.3).
    FirstAs,
    /// Only to Customer says that it has been leaked (RFC 9234 section 5).
    OtcLeak,
    /// No route leads to such a prefix (RFC 4271 section 6.3, RFC 6890): multicast, loopback, link-local, reserved.
    Martian,
    /// A default route of our own that is for the peers it is promised to, and not for us.
    OnlyForPeers,
    /// The import policy refused it.
    Rejected(RejectReason),
}

impl Reason {
    const FIRST_REJECT: u8 = 64;
    const FIRST_STEP: u8 = 16;
    const PLAIN: [Self; 16] = [
        Self::Best,
        Self::NextHopPending,
        Self::NextHopUnreachable,
        Self::NextHopOwn,
        Self::AsLoop,
        Self::OriginatorLoop,
        Self::ClusterLoop,
        Self::Multipath,
        Self::MultipathAsPath,
        Self::MultipathNextHop,
        Self::MultipathFull,
        Self::FirstAs,
        Self::OtcLeak,
        Self::OnlyForPeers,
        Self::Martian,
        Self::NextHopLoop,
    ];

    /// Refusals that are no policy's.
    pub(crate) const CHECKS: [Self; 6] =
        [Self::AsLoop, Self::OriginatorLoop, Self::ClusterLoop, Self::FirstAs, Self::OtcLeak, Self::Martian];

    /// The code stored beside a path.
    pub const fn code(self) -> u8 {
        match self {
            Self::Best => 0,
            Self::NextHopPending => 1,
            Self::NextHopUnreachable => 2,
            Self::NextHopOwn => 3,
            Self::AsLoop => 4,
            Self::OriginatorLoop => 5,
            Self::ClusterLoop => 6,
            Self::Multipath => 7,
            Self::MultipathAsPath => 8,
            Self::MultipathNextHop => 9,
            Self::MultipathFull => 10,
            Self::FirstAs => 11,
            Self::OtcLeak => 12,
            Self::OnlyForPeers => 13,
            Self::Martian => 14,
            Self::NextHopLoop => 15,
            Self::Lost(step) => Self::FIRST_STEP + step as u8,
            Self::Rejected(reason) => Self::FIRST_REJECT + reason.code(),
        }
    }

    /// The reason with this code.
    pub fn from_code(code: u8) -> Option<Self> {
        let at = |first: u8| code.checked_sub(first).map(usize::from);
        if let Some(index) = at(Self::FIRST_REJECT) {
            return RejectReason::ALL.get(index).copied().map(Self::Rejected);
        }
        match at(Self::FIRST_STEP) {
            Some(index) => Step::ORDER.into_iter().find(|s| *s as usize == index).map(Self::Lost),
            None => Self::PLAIN.get(usize::from(code)).copied(),
        }
    }

    /// The unique name used in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::Lost(step) => step.name(),
            Self::NextHopPending => "next_hop_pending",
            Self::NextHopUnreachable => "next_hop_unreachable",
            Self::NextHopLoop => "next_hop_loop",
            Self::NextHopOwn => "next_hop_own",
            Self::AsLoop => "as_loop",
            Self::OriginatorLoop => "originator_loop",
            Self::ClusterLoop => "cluster_loop",
            Self::Multipath => "multipath",
            Self::MultipathAsPath => "multipath_as_path",
            Self::MultipathNextHop => "multipath_next_hop",
            Self::MultipathFull => "multipath_full",
            Self::FirstAs => "first_as",
            Self::OtcLeak => "otc_leak",
            Self::OnlyForPeers => "only_for_peers",
            Self::Martian => "martian",
            Self::Rejected(reason) => reason.name(),
        }
    }

    /// Whether the path took part in the decision: it may be used.
    pub const fn is_eligible(self) -> bool {
        !self.is_rejected()
            && !self.is_without_way()
            && !matches!(self, Self::NextHopPending | Self::NextHopOwn)
    }

    /// Whether no usable way leads to the next hop.
    pub const fn is_without_way(self) -> bool {
        matches!(self, Self::NextHopUnreachable | Self::NextHopLoop)
    }

    /// Whether the path is in Adj-RIB-In only: refused before the decision, or not meant for us.
    pub const fn is_rejected(self) -> bool {
        matches!(
            self,
            Self::AsLoop
                | Self::OriginatorLoop
                | Self::ClusterLoop
                | Self::FirstAs
                | Self::OtcLeak
                | Self::OnlyForPeers
                | Self::Martian
                | Self::Rejected(_)
        )
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn every_reason() -> Vec<Reason> {
        (0..=u8::MAX).filter_map(Reason::from_code).collect()
    }

    #[test]
    fn every_reason_survives_its_code() {
        assert_eq!(every_reason().len(), Reason::PLAIN.len() + Step::ORDER.len() + RejectReason::ALL.len());
        assert!((0..=u8::MAX).all(|c| Reason::from_code(c).is_none_or(|r| r.code() == c)));
    }

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = every_reason().into_iter().map(Reason::name).collect();
        assert_eq!(names.len(), every_reason().len());
    }

    #[test]
    fn only_what_is_refused_or_leads_nowhere_takes_no_part_in_the_decision() {
        let refused = |reason: &Reason| {
            matches!(reason, Reason::Rejected(_) | Reason::OnlyForPeers) || Reason::CHECKS.contains(reason)
        };
        let nowhere =
            [Reason::NextHopPending, Reason::NextHopUnreachable, Reason::NextHopLoop, Reason::NextHopOwn];
        for reason in every_reason() {
            assert_eq!(reason.is_rejected(), refused(&reason), "{reason:?}");
            assert_eq!(reason.is_eligible(), !refused(&reason) && !nowhere.contains(&reason), "{reason:?}");
        }
    }

    #[test]
    fn each_step_knows_its_place() {
        let places: Vec<_> = Step::ORDER.iter().map(|step| step.place()).collect();
        assert_eq!(places, (0..Step::ORDER.len()).collect::<Vec<_>>());
    }
}
