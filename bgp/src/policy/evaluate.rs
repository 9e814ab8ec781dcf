//! Asking a policy about one route.

use smallvec::SmallVec;

use super::{Decider, Modification, Policy, RouteContext, SessionContext, Then, Verdict};
use crate::wire::attribute::PathAttributes;

/// Positions in a policy of the terms whose modifications apply, in the order they do.
pub type Modifying = SmallVec<[u32; 4]>;

/// What a policy said about one route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// Whether it passes.
    pub verdict: Verdict,
    /// Which part of the policy said so.
    pub decider: Decider,
    /// The terms whose modifications apply; empty when nothing changes, or the route is refused.
    pub modifying: Modifying,
}

/// Hears how an evaluation goes.
pub trait Recorder {
    /// A term has been asked.
    fn asked(&mut self, term: Decider, answer: Answer);
}

/// What became of a term that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// All its conditions hold.
    Matched,
    /// This condition, by its place in the term, does not hold.
    Failed(usize),
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unrecorded;

impl Recorder for Unrecorded {
    fn asked(&mut self, _: Decider, _: Answer) {}
}

/// A route on its way through the terms.
struct Progress<'a, 'b> {
    policy: &'a Policy,
    route: &'b RouteContext<'b>,
    modifying: Modifying,
    /// The attributes as changed so far, made when somebody looks.
    changed: Option<PathAttributes>,
    /// How many of the modifying terms are in `changed`.
    applied: usize,
}

impl Progress<'_, '_> {
    /// The attributes as the terms passed have left them; copied only when one of them changed something.
    fn attributes(&mut self) -> &PathAttributes {
        let new = self.modifying.get(self.applied..).unwrap_or_default();
        if !new.is_empty() {
            let changed = self.changed.get_or_insert_with(|| self.route.attributes.clone());
            self.policy.modify(new, changed, &self.route.session);
            self.applied = self.modifying.len();
        }
        self.changed.as_ref().unwrap_or(self.route.attributes)
    }
}

impl Policy {
    /// Asks the terms in order; the first that accepts or rejects decides. A term sees what those before it
    /// changed. What is accepted must pass the guards.
    pub fn evaluate(&self, route: &RouteContext<'_>) -> Evaluation {
        self.evaluate_recorded(route, &mut Unrecorded)
    }

    /// The same, told step by step.
    pub fn evaluate_recorded(&self, route: &RouteContext<'_>, recorder: &mut impl Recorder) -> Evaluation {
        let mut progress =
            Progress { policy: self, route, modifying: Modifying::new(), changed: None, applied: 0 };
        let mut index = 0;
        let decided = loop {
            let Some(entry) = self.terms.get(index) else { break (self.default, Decider::Default) };
            let decider = Decider::Term(index);
            let answer = {
                let attributes = if entry.reads { progress.attributes() } else { route.attributes };
                let failed = entry.term.conditions.iter().position(|c| !c.holds(route, attributes));
                failed.map_or(Answer::Matched, Answer::Failed)
            };
            recorder.asked(decider, answer);
            if answer != Answer::Matched {
                index += 1;
                continue;
            }
            if !entry.term.changes.is_empty() {
                progress.modifying.push(u32::try_from(index).unwrap_or(u32::MAX));
            }
            match entry.term.then {
                Then::Continue => index += 1,
                // What follows lies ahead, so that no policy runs in circles.
                Then::NextPolicy => index = entry.end.max(index + 1),
                Then::Accept => break (Verdict::Accept, decider),
                Then::Reject(reason) => break (Verdict::Reject(reason), decider),
            }
        };
        self.guarded(decided, progress, recorder)
    }

    /// Asks the guards about what is accepted.
    fn guarded(
        &self,
        (verdict, decider): (Verdict, Decider),
        mut progress: Progress<'_, '_>,
        recorder: &mut impl Recorder,
    ) -> Evaluation {
        let refused = |reason, decider| Evaluation {
            verdict: Verdict::Reject(reason),
            decider,
            modifying: Modifying::new(),
        };
        if let Verdict::Reject(reason) = verdict {
            return refused(reason, decider);
        }
        for (index, guard) in self.guards.iter().enumerate() {
            let route = progress.route;
            let attributes = progress.attributes();
            let failed = guard.conditions.iter().position(|c| !c.holds(route, attributes));
            let decider = Decider::Guard(index);
            recorder.asked(decider, failed.map_or(Answer::Matched, Answer::Failed));
            if failed.is_none() {
                return refused(guard.reason, decider);
            }
        }
        Evaluation { verdict, decider, modifying: progress.modifying }
    }

    /// Applies the modifications that [`Policy::evaluate`] named.
    pub fn modify(&self, modifying: &[u32], attributes: &mut PathAttributes, session: &SessionContext<'_>) {
        self.changes(modifying).for_each(|change| change.apply(attributes, session));
    }

    /// The modifications of these terms, in order.
    pub fn changes(&self, modifying: &[u32]) -> impl DoubleEndedIterator<Item = &Modification> {
        let term = |index: &u32| self.terms.get(usize::try_from(*index).ok()?);
        modifying.iter().filter_map(term).flat_map(|entry| &entry.term.changes)
    }
}
