//! Import and export policies: ordered terms, first match decides.
//!
//! Pure data and one pure function; how other names (`pools`, `blocks`, `all`, ...) translate into terms is
//! the business of whoever configures the speaker.

mod modification;
mod prefix_set;

use std::{net::IpAddr, sync::Arc};

use ipnet::IpNet;
use smallvec::SmallVec;

pub use self::{
    modification::Modification,
    prefix_set::{PrefixRange, PrefixSet},
};
use crate::{types::PeerType, wire::attribute::PathAttributes};

/// An ordered list of terms with a default verdict. The default policy accepts everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// The terms, asked in this order.
    pub terms: Vec<Term>,
    /// What happens to a route that no term decides over.
    pub default: Verdict,
}

/// One term: when every condition holds, its action is taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// Shown where a decision is explained.
    pub name: String,
    /// All must hold; an empty list always does.
    pub conditions: Vec<Condition>,
    /// What to do then.
    pub action: Action,
}

/// Something that holds for a route or does not.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// The prefix is matched by the set.
    Prefix(Arc<PrefixSet>),
    /// The next hop's address lies inside a prefix of the set.
    NextHop(Arc<PrefixSet>),
    /// The peer that the policy is applied to (import: the sender, export: the receiver) is of this kind.
    Peer(PeerType),
    /// Where the route came from.
    Source(RouteSource),
    /// The community (RFC 1997) is attached.
    Community(u32),
    /// The condition does not hold.
    Not(Box<Condition>),
}

/// What a matching term does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Accepts the route; nothing further is asked.
    Accept(Vec<Modification>),
    /// Refuses the route; nothing further is asked.
    Reject(RejectReason),
    /// Changes the route and goes on with the next term.
    Modify(Vec<Modification>),
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

/// Where a route came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteSource {
    /// Originated by this speaker.
    Local,
    /// Learned from a peer.
    Learned,
}

macro_rules! reject_reasons {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $name:literal;)*) => {
        /// Why a policy refused a route. Codes and names are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum RejectReason { $($(#[$doc])* $variant = $code,)* }

        impl RejectReason {
            /// Every reason, ascending by code.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The unique name used in JSON.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The small code stored beside a route.
            pub const fn code(self) -> u8 {
                self as u8
            }
        }
    };
}

reject_reasons! {
    /// A term of a policy that gave no more precise reason.
    Policy = 0, "policy";
    /// Nothing is imported from this peer.
    ImportNone = 1, "import_none";
    /// The prefix is inside no pool.
    OutsidePools = 2, "outside_pools";
    /// The prefix equals one of our own blocks.
    OwnBlock = 3, "own_block";
    /// A tunnel would be needed to a next hop that is no known node.
    UnknownTunnelNextHop = 4, "unknown_tunnel_next_hop";
    /// Nothing is exported to this peer.
    ExportNone = 5, "export_none";
    /// Only our own blocks are exported to this peer.
    NotOwnBlock = 6, "not_own_block";
    /// The pool that contains the prefix is not exported.
    PoolNotExported = 7, "pool_not_exported";
}

/// What a policy is asked about.
#[derive(Clone, Copy, Debug)]
pub struct RouteContext<'a> {
    /// The prefix.
    pub prefix: IpNet,
    /// The attributes before this policy.
    pub attributes: &'a PathAttributes,
    /// The peer the policy belongs to.
    pub peer: PeerType,
    /// Where the route came from.
    pub source: RouteSource,
}

/// What a policy said about one route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// Whether it passes.
    pub verdict: Verdict,
    /// The index of the deciding term; `None`: the default decided.
    pub term: Option<usize>,
    /// Indices of the terms whose modifications apply, ascending; empty when nothing changes.
    pub modifying: SmallVec<[u16; 4]>,
}

impl Policy {
    /// A policy that refuses everything.
    pub fn reject_all(reason: RejectReason) -> Self {
        Self { terms: Vec::new(), default: Verdict::Reject(reason) }
    }

    /// Whether every route passes unchanged, without any being asked about.
    pub fn accepts_all(&self) -> bool {
        self.terms.is_empty() && self.default == Verdict::Accept
    }

    /// Asks the terms in order; the first that accepts or rejects decides.
    ///
    /// Conditions see the route as it was before the policy; only [`Policy::modify`] changes it.
    pub fn evaluate(&self, route: &RouteContext<'_>) -> Evaluation {
        let mut modifying = SmallVec::new();
        for (index, term) in self.terms.iter().enumerate() {
            if !term.conditions.iter().all(|c| c.holds(route)) {
                continue;
            }
            let note = |changes: &[Modification], list: &mut SmallVec<[u16; 4]>| {
                if let (false, Ok(index)) = (changes.is_empty(), u16::try_from(index)) {
                    list.push(index);
                }
            };
            match &term.action {
                Action::Modify(changes) => note(changes, &mut modifying),
                Action::Accept(changes) => {
                    note(changes, &mut modifying);
                    return Evaluation { verdict: Verdict::Accept, term: Some(index), modifying };
                }
                Action::Reject(reason) => {
                    let verdict = Verdict::Reject(*reason);
                    return Evaluation { verdict, term: Some(index), modifying: SmallVec::new() };
                }
            }
        }
        if self.default != Verdict::Accept {
            modifying.clear();
        }
        Evaluation { verdict: self.default, term: None, modifying }
    }

    /// Applies the modifications that [`Policy::evaluate`] named.
    pub fn modify(&self, modifying: &[u16], attributes: &mut PathAttributes) {
        for term in modifying.iter().filter_map(|i| self.terms.get(usize::from(*i))) {
            if let Action::Accept(changes) | Action::Modify(changes) = &term.action {
                changes.iter().for_each(|change| change.apply(attributes));
            }
        }
    }

    /// Whether one of these terms sets MULTI_EXIT_DISC.
    pub fn sets_med(&self, modifying: &[u16]) -> bool {
        self.any_change(modifying, |c| matches!(c, Modification::Med(_)))
    }

    /// Whether one of these terms sets the next hop.
    pub fn sets_next_hop(&self, modifying: &[u16]) -> bool {
        self.any_change(modifying, |c| matches!(c, Modification::NextHop(_)))
    }

    fn any_change(&self, modifying: &[u16], holds: impl Fn(&Modification) -> bool) -> bool {
        modifying.iter().filter_map(|i| self.terms.get(usize::from(*i))).any(|term| match &term.action {
            Action::Accept(changes) | Action::Modify(changes) => changes.iter().any(&holds),
            Action::Reject(_) => false,
        })
    }
}

impl Condition {
    /// Whether the condition holds for a route.
    pub fn holds(&self, route: &RouteContext<'_>) -> bool {
        match self {
            Self::Prefix(set) => set.matches(route.prefix),
            Self::NextHop(set) => set.contains(next_hop(route.attributes)),
            Self::Peer(kind) => *kind == route.peer,
            Self::Source(source) => *source == route.source,
            Self::Community(c) => route.attributes.rare.as_ref().is_some_and(|r| r.communities.contains(c)),
            Self::Not(inner) => !inner.holds(route),
        }
    }
}

fn next_hop(attributes: &PathAttributes) -> IpAddr {
    attributes.next_hop.address()
}

#[cfg(test)]
mod tests;
