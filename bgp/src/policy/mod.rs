//! Import and export policies: ordered terms, the first that accepts or rejects decides.
//!
//! ```text
//! Policy = Section ("from-tor") + Section ("pools") + ...  + default + guards
//!             Term: conditions -> modifications -> continue | next policy | accept | reject
//! ```
//!
//! A [`Policy`] is the whole chain a peer has; each [`Section`] is one of the names in the peer's list. A term sees
//! what those before it changed, of its own section or an earlier one; attributes are copied once something has
//! changed and somebody looks. Terms only lead ahead, so that every evaluation ends, and no condition takes more
//! than time linear in the attribute it reads.
//!
//! Pure data and pure functions; what names like `pools` or `blocks` mean is the business of whoever configures the
//! speaker. Explaining a verdict is evaluating with a [`Recorder`].

mod as_path;
mod community;
mod condition;
mod context;
mod evaluate;
mod hits;
mod interface;
mod modification;
mod prefix_set;
mod reason;
mod span;

use std::{fmt, sync::Arc};

use self::hits::Hits;
pub use self::{
    as_path::{AsPathPattern, ParsePatternError},
    community::{AnyCommunity, CommunityPattern, CommunitySet, ParseCommunityError},
    condition::{Condition, SourceKind},
    context::{Neighbor, NeighborSet, RouteContext, RouteSource, SessionContext},
    evaluate::{Answer, Evaluation, Modifying, Recorder, Unrecorded},
    interface::{InterfacePattern, ParseInterfaceError},
    modification::{MedChange, Modification, NextHopChange},
    prefix_set::{ParsePrefixRangeError, PrefixRange, PrefixSet},
    reason::RejectReason,
    span::{ParseSpanError, Span},
};

/// What a peer's routes are judged by: the terms of all its sections, in order, and guards nothing gets around.
/// The default policy accepts everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    terms: Vec<Entry>,
    default: Verdict,
    guards: Vec<Guard>,
    /// Whether a condition asks for interfaces.
    reads_interfaces: bool,
    hits: Hits,
}

/// A term in its place.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    section: Arc<str>,
    term: Term,
    /// The index of the next section's first term.
    end: usize,
    /// Whether a condition depends on what earlier terms may have changed.
    reads: bool,
}

/// The terms of one named policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// The policy's name.
    pub name: String,
    /// The terms, asked in this order.
    pub terms: Vec<Term>,
    /// What happens to a route that no term decides over; `None`: the next section is asked.
    pub default: Option<Verdict>,
}

/// One term: when every condition holds, the route is changed, and `then` says how it goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// Shown where a decision is explained.
    pub name: String,
    /// All must hold; an empty list always does.
    pub conditions: Vec<Condition>,
    /// Changes, in this order.
    pub changes: Vec<Modification>,
    /// How it goes on.
    pub then: Then,
}

/// How it goes on after a term that matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// With the next term.
    Continue,
    /// With the next section, or the default when this was the last.
    NextPolicy,
    /// The route passes; only the guards are still asked.
    Accept,
    /// The route does not pass.
    Reject(RejectReason),
}

/// A condition under which no route passes, whatever the terms say. It sees what the terms made of the route.
#[derive(Clone, Debug, PartialEq)]
pub struct Guard {
    /// Shown where a decision is explained.
    pub name: String,
    /// When all of them hold, the route is refused.
    pub conditions: Vec<Condition>,
    /// The reason given.
    pub reason: RejectReason,
}

/// The end of a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// The route passes.
    #[default]
    Accept,
    /// It does not.
    Reject(RejectReason),
}

/// The part of a policy that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decider {
    /// The term at this position, counted over all sections.
    Term(usize),
    /// The guard at this position.
    Guard(usize),
    /// No term did, and the policy's default holds.
    Default,
}

/// The name of a part of a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TermName {
    /// The section; `None`: a guard, or the default of the whole policy.
    pub policy: Option<String>,
    /// The term, or the guard; `default` where none decided.
    pub term: String,
}

/// Which parts of a policy made of a route what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The one that decided.
    pub decided: TermName,
    /// Those that changed it, in order.
    pub changed: Vec<TermName>,
}

impl fmt::Display for TermName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.policy {
            Some(policy) if self.term == DEFAULT_TERM => write!(f, "the default of {policy}"),
            Some(policy) => write!(f, "term {} of {policy}", self.term),
            None if self.term == DEFAULT_TERM => f.write_str("no term"),
            None => write!(f, "the guard {}", self.term),
        }
    }
}

/// So many terms take about as long as everything else that is done for a route.
const TERMS_PER_ROUTE: usize = 16;

/// The name of the term that stands for a section's default.
const DEFAULT_TERM: &str = "default";

impl Policy {
    /// These sections, one after the other; `default` is for routes that none decides over, and no route passes
    /// that one of the guards is against.
    pub fn new(sections: Vec<Section>, default: Verdict, guards: Vec<Guard>) -> Self {
        let mut terms = Vec::new();
        for section in sections {
            let name: Arc<str> = section.name.into();
            let last = section.default.map(|verdict| Term {
                name: DEFAULT_TERM.to_owned(),
                conditions: Vec::new(),
                changes: Vec::new(),
                then: verdict.into(),
            });
            let end = terms.len() + section.terms.len() + usize::from(last.is_some());
            terms.extend(section.terms.into_iter().chain(last).map(|term| {
                let reads = term.conditions.iter().any(Condition::reads_attributes);
                Entry { section: name.clone(), term, end, reads }
            }));
        }
        let conditions = terms.iter().flat_map(|entry| &entry.term.conditions);
        let reads_interfaces = conditions
            .chain(guards.iter().flat_map(|guard| &guard.conditions))
            .any(Condition::reads_interfaces);
        let hits = Hits::of(terms.len(), guards.len());
        Self { terms, default, guards, reads_interfaces, hits }
    }

    /// A policy of one section.
    pub fn of(name: &str, terms: Vec<Term>, default: Verdict) -> Self {
        let section = Section { name: name.to_owned(), terms, default: None };
        Self::new(vec![section], default, Vec::new())
    }

    /// A policy that refuses everything.
    pub fn reject_all(reason: RejectReason) -> Self {
        Self { default: Verdict::Reject(reason), ..Self::default() }
    }

    /// Whether every route passes unchanged, without any being asked about.
    pub fn accepts_all(&self) -> bool {
        self.terms.is_empty() && self.guards.is_empty() && self.default == Verdict::Accept
    }

    /// What asking it takes at most, in routes looked at without a policy.
    pub(crate) fn effort(&self) -> usize {
        1 + (self.terms.len() + self.guards.len()) / TERMS_PER_ROUTE
    }

    /// Whether it treats peers of one kind differently.
    pub fn names_peers(&self) -> bool {
        let peer = |change: &Modification| matches!(change, Modification::NextHop(NextHopChange::Peer));
        self.terms
            .iter()
            .any(|e| e.term.conditions.iter().any(Condition::names_peers) || e.term.changes.iter().any(peer))
            || self.guards.iter().flat_map(|guard| &guard.conditions).any(Condition::names_peers)
    }

    /// Whether a condition asks through which interface a route leads.
    pub fn reads_interfaces(&self) -> bool {
        self.reads_interfaces
    }

    /// The names of the parts that made an evaluation what it is.
    pub fn trace(&self, evaluation: &Evaluation) -> Trace {
        let name = |index: &u32| self.name_of(Decider::Term(usize::try_from(*index).unwrap_or(usize::MAX)));
        Trace {
            decided: self.name_of(evaluation.decider),
            changed: evaluation.modifying.iter().map(name).collect(),
        }
    }

    /// The name of the part that decided.
    pub fn name_of(&self, decider: Decider) -> TermName {
        let entry = match decider {
            Decider::Term(index) => self.terms.get(index),
            Decider::Guard(_) | Decider::Default => None,
        };
        let guard = match decider {
            Decider::Guard(index) => self.guards.get(index),
            Decider::Term(_) | Decider::Default => None,
        };
        let term = entry.map(|e| &e.term.name).or(guard.map(|g| &g.name));
        TermName {
            policy: entry.map(|e| e.section.to_string()),
            term: term.cloned().unwrap_or_else(|| DEFAULT_TERM.to_owned()),
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} decides", self.decided)?;
        for (index, term) in self.changed.iter().enumerate() {
            write!(f, "{} {term}", if index == 0 { "; changed by" } else { "," })?;
        }
        Ok(())
    }
}

impl From<Verdict> for Then {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Accept => Self::Accept,
            Verdict::Reject(reason) => Self::Reject(reason),
        }
    }
}

#[cfg(test)]
mod tests;
