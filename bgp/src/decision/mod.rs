//! The Decision Process (RFC 4271 section 9.1) as a pure function that keeps its reasons.
//!
//! Phase 1 (degree of preference) and the reachability test of phase 2 are in the [`Candidate`]; [`decide`] is
//! the tie-breaking of section 9.1.2.2 over the whole set, so that the outcome does not depend on the order of
//! arrival. Explaining a decision is running it with a [`Recorder`] that keeps what it hears.

mod reason;

use std::net::IpAddr;

use smallvec::SmallVec;

pub use self::reason::{Reason, Step};
use crate::{
    types::{Asn, PeerType, RouterId},
    wire::attribute::Origin,
};

/// LOCAL_PREF of a route that has none (the customary default; RFC 4271 section 5.1.5 leaves it open).
pub const DEFAULT_LOCAL_PREF: u32 = 100;

/// A path as the decision sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Why it cannot be chosen, if it cannot.
    pub ineligible: Option<Reason>,
    /// Where it comes from.
    pub source: Source,
    /// Degree of preference (RFC 4271 section 9.1.1).
    pub local_pref: u32,
    /// Length of AS_PATH.
    pub as_path_length: u32,
    /// ORIGIN.
    pub origin: Origin,
    /// MULTI_EXIT_DISC; 0 when absent (RFC 4271 section 9.1.2.2 c).
    pub med: u32,
    /// The neighbouring AS the route came through; `None`: it began in our own.
    pub neighbor_as: Option<Asn>,
    /// Interior cost to the next hop.
    pub igp_cost: u32,
    /// ORIGINATOR_ID, or the sender's BGP Identifier.
    pub router_id: RouterId,
    /// Length of CLUSTER_LIST.
    pub cluster_list_length: u32,
    /// The sender's address.
    pub peer_address: IpAddr,
    /// The path identifier, made unique among senders of one address.
    pub path_id: u64,
}

/// Where a path comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From this speaker.
    Local,
    /// From a peer of this type.
    Peer(PeerType),
}

impl Candidate {
    /// What a step compares; the lowest value stays. MED is comparable within a neighbouring AS only.
    fn value(&self, step: Step) -> u128 {
        match step {
            Step::LocalOrigin => u128::from(self.source != Source::Local),
            Step::LocalPref => u128::from(u32::MAX - self.local_pref),
            Step::AsPathLength => self.as_path_length.into(),
            Step::Origin => self.origin as u128,
            Step::Med => self.med.into(),
            Step::External => u128::from(self.source == Source::Peer(PeerType::Internal)),
            Step::IgpCost => self.igp_cost.into(),
            Step::RouterId => u32::from(self.router_id.0).into(),
            Step::ClusterListLength => self.cluster_list_length.into(),
            Step::PeerAddress => match self.peer_address {
                IpAddr::V4(a) => u32::from(a).into(),
                IpAddr::V6(a) => a.into(),
            },
            Step::PathId => self.path_id.into(),
        }
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
pub fn decide(candidates: &[Candidate], recorder: &mut impl Recorder) -> Reasons {
    let mut reasons: Reasons = candidates.iter().map(|c| c.ineligible.unwrap_or(Reason::Best)).collect();
    let mut alive: Indices = (0..candidates.len()).filter(|i| reasons[*i] == Reason::Best).collect();
    for step in Step::ORDER {
        if alive.len() < 2 {
            break;
        }
        let values: SmallVec<[(usize, u128); 4]> =
            alive.iter().map(|i| (*i, candidates[*i].value(step))).collect();
        let group = |i: usize| (step == Step::Med).then_some(candidates[i].neighbor_as);
        alive.retain(|i| {
            let own = candidates[*i].value(step);
            let beaten = values.iter().any(|(other, value)| group(*other) == group(*i) && *value < own);
            if beaten {
                reasons[*i] = Reason::Lost(step);
            }
            !beaten
        });
        recorder.step(step, &values, &alive);
    }
    for tied in alive.iter().skip(1) {
        reasons[*tied] = Reason::Lost(Step::PathId);
    }
    reasons
}

#[cfg(test)]
mod tests;
