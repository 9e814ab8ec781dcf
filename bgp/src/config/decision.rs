//! Knobs of the Decision Process.

use std::num::NonZeroU8;

/// How the best paths are chosen (RFC 4271 section 9.1.2.2). Whatever is set, the outcome does not depend on the order
/// in which routes arrived, but for [`TieBreak::Oldest`], whose purpose that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecisionConfig {
    /// What a route without MULTI_EXIT_DISC counts as.
    pub med_missing: MedMissing,
    /// Between which routes MULTI_EXIT_DISC is compared.
    pub med_compare: MedCompare,
    /// What decides between external routes that are equal up to the interior cost.
    pub tie_break: TieBreak,
    /// Most next hops of one route in the forwarding table; 1: the best path alone.
    pub multipath: NonZeroU8,
    /// Which AS_PATHs may share a route.
    pub multipath_as_path: AsPathMatch,
}

impl Default for DecisionConfig {
    /// What RFC 4271 says, with one next hop for a route.
    fn default() -> Self {
        Self {
            med_missing: MedMissing::Best,
            med_compare: MedCompare::SameAs,
            tie_break: TieBreak::RouterId,
            multipath: NonZeroU8::MIN,
            multipath_as_path: AsPathMatch::Same,
        }
    }
}

/// The rank of a route without MULTI_EXIT_DISC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MedMissing {
    /// As 0, the lowest (RFC 4271 section 9.1.2.2 c).
    Best,
    /// As 4294967295, the highest.
    Worst,
}

/// The reach of MULTI_EXIT_DISC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MedCompare {
    /// Routes through the same neighbouring AS (RFC 4271 section 9.1.2.2 c).
    SameAs,
    /// All routes.
    Always,
}

/// The last word between equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TieBreak {
    /// The lowest BGP Identifier (RFC 4271 section 9.1.2.2 f).
    RouterId,
    /// The external route known longest, so that an equal one that appears moves nothing (RFC 5004); then the lowest
    /// BGP Identifier. Internal routes are told apart by the identifier alone, so that all routers of the AS agree.
    Oldest,
}

/// How alike AS_PATHs must be to share a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsPathMatch {
    /// The same AS numbers in the same order.
    Same,
    /// The same length.
    SameLength,
}
