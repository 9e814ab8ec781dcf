//! The Decision Process (RFC 4271 section 9.1) as a pure function that keeps its reasons.
//!
//! Phase 1 (degree of preference) and the reachability test of phase 2 are in the [`Candidate`]; [`decide`] is
//! the tie-breaking of section 9.1.2.2 over the whole set, so that the outcome does not depend on the order of
//! arrival. Explaining a decision is running it with a [`Recorder`] that keeps what it hears.

mod multipath;
mod reason;
mod weight;

use std::net::IpAddr;

use smallvec::SmallVec;

pub use self::{
    reason::{Reason, Step},
    weight::shares,
};
use crate::{
    config::{DecisionConfig, Install, MedCompare, MedMissing, TieBreak},
    types::{Asn, NextHopAddress, PeerType, RouterId},
    wire::attribute::{AsPath, Origin},
};

/// LOCAL_PREF of a route that has none (the customary default; RFC 4271 section 5.1.5 leaves it open).
pub const DEFAULT_LOCAL_PREF: u32 = 100;

/// A path as the decision sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Why it cannot be chosen, if it cannot.
    pub ineligible: Option<Reason>,
    /// Where it comes from.
    pub source: Source,
    /// Whether it has outlived its sender.
    pub validity: Validity,
    /// What this speaker alone prefers it by, before anything the protocol carries.
    pub weight: u16,
    /// Degree of preference (RFC 4271 section 9.1.1).
    pub local_pref: u32,
    /// AS_PATH.
    pub as_path: &'a AsPath,
    /// Length of AS_PATH.
    pub as_path_length: u32,
    /// ORIGIN.
    pub origin: Origin,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// The neighbouring AS the route came through; `None`: it began in our own.
    pub neighbor_as: Option<Asn>,
    /// Where packets go.
    pub next_hop: NextHopAddress,
    /// Whether packets may take it.
    pub install: Install,
    /// Interior cost to the next hop.
    pub igp_cost: u32,
    /// When it was learned: seconds on any clock.
    pub learned: u32,
    /// ORIGINATOR_ID, or the sender's BGP Identifier.
    pub router_id: RouterId,
    /// Length of CLUSTER_LIST.
    pub cluster_list_length: u32,
    /// The sender's address.
    pub peer_address: IpAddr,
    /// The path identifier, made unique among senders of one address.
    pub path_id: u64,
}

/// Whether a path has outlived its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Validity {
    /// It has not, or not for long.
    Current,
    /// It is marked LLGR_STALE: a last resort (RFC 9494 section 4.2).
    LongLivedStale,
}

/// Where a path comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From this speaker.
    Local,
    /// From a peer of this type.
    Peer(PeerType),
}

impl Candidate<'_> {
    /// What a step compares; the lowest value stays.
    fn value(&self, step: Step, config: &DecisionConfig) -> u128 {
        match step {
            Step::LocalOrigin => u128::from(self.source != Source::Local),
            Step::Validity => self.validity as u128,
            Step::Weight => u128::from(u16::MAX - self.weight),
            Step::LocalPref => u128::from(u32::MAX - self.local_pref),
            Step::AsPathLength => self.as_path_length.into(),
            Step::Origin => self.origin as u128,
            Step::Med => self.med(config).into(),
            Step::External => u128::from(self.source == Source::Peer(PeerType::Internal)),
            Step::IgpCost => self.igp_cost.into(),
            Step::Oldest => self.age_rank(config).into(),
            Step::RouterId => u32::from(self.router_id.0).into(),
            Step::ClusterListLength => self.cluster_list_length.into(),
            Step::PeerAddress => match self.peer_address {
                IpAddr::V4(a) => u32::from(a).into(),
                IpAddr::V6(a) => a.into(),
            },
            Step::PathId => self.path_id.into(),
        }
    }

    fn med(&self, config: &DecisionConfig) -> u32 {
        let missing = match config.med_missing {
            MedMissing::Best => 0,
            MedMissing::Worst => u32::MAX,
        };
        self.med.unwrap_or(missing)
    }

    /// RFC 5004 section 3: the age tells external routes apart only.
    fn age_rank(&self, config: &DecisionConfig) -> u32 {
        let counts = config.tie_break == TieBreak::Oldest && self.source == Source::Peer(PeerType::External);
        if counts { self.learned } else { 0 }
    }

    /// Who is compared with whom in a step: MULTI_EXIT_DISC counts within a neighbouring AS.
    fn group(&self, step: Step, config: &DecisionConfig) -> Option<Option<Asn>> {
        (step == Step::Med && config.med_compare == MedCompare::SameAs).then_some(self.neighbor_as)
    }
}

/// Hears how a decision goes.
pub trait Recorder {
    /// A step has been taken: who took part with which value, lower being better, and who remains.
    fn step(&mut self, step: Step, values: &[(usize, u128)], remaining: &[usize]);
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unrecorded;

impl Recorder for Unrecorded {
    fn step(&mut self, _: Step, _: &[(usize, u128)], _: &[usize]) {}
}

/// The standing of every candidate, in their order.
pub type Reasons = SmallVec<[Reason; 4]>;

type Indices = SmallVec<[usize; 4]>;

/// Chooses among the paths of one prefix. At most one is [`Reason::Best`]; none when none is eligible.
///
/// With `config.multipath` above 1, paths that tie with the best one up to the interior cost and may share its route
/// are [`Reason::Multipath`]; those that may not say why.
pub fn decide(
    candidates: &[Candidate<'_>],
    config: &DecisionConfig,
    recorder: &mut impl Recorder,
) -> Reasons {
    let mut reasons: Reasons = candidates.iter().map(|c| c.ineligible.unwrap_or(Reason::Best)).collect();
    let mut alive: Indices = (0..candidates.len()).filter(|i| reasons[*i] == Reason::Best).collect();
    let mut tied = Indices::new();
    for step in Step::ORDER {
        if alive.len() < 2 {
            break;
        }
        let values: SmallVec<[(usize, u128); 4]> =
            alive.iter().map(|i| (*i, candidates[*i].value(step, config))).collect();
        let group = |i: usize| candidates[i].group(step, config);
        alive.retain(|i| {
            let own = candidates[*i].value(step, config);
            let beaten = values.iter().any(|(other, value)| group(*other) == group(*i) && *value < own);
            if beaten {
                reasons[*i] = Reason::Lost(step);
            }
            !beaten
        });
        recorder.step(step, &values, &alive);
        if step == Step::IgpCost {
            tied.clone_from(&alive);
        }
    }
    for tied in alive.iter().skip(1) {
        reasons[*tied] = Reason::Lost(Step::PathId);
    }
    multipath::share(candidates, config, &tied, &mut reasons);
    reasons
}

#[cfg(test)]
mod tests;
