//! How often the parts of a policy had a say.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{Decider, Evaluation, Policy, TermName};

/// A number that one task counts up and any may read. Two that count at once may lose some.
#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl Counter {
    fn count(&self) {
        self.0.store(self.0.load(Relaxed).wrapping_add(1), Relaxed);
    }
}

/// One counter for each part. Equal policies may have counted differently, and a copy begins at nothing.
#[derive(Debug, Default)]
pub(super) struct Hits {
    terms: Box<[Counter]>,
    guards: Box<[Counter]>,
    default: Counter,
}

impl Hits {
    pub(super) fn of(terms: usize, guards: usize) -> Self {
        let some = |number| (0..number).map(|_| Counter::default()).collect();
        Self { terms: some(terms), guards: some(guards), default: Counter::default() }
    }

    fn of_part(&self, part: Decider) -> Option<&Counter> {
        match part {
            Decider::Term(index) => self.terms.get(index),
            Decider::Guard(index) => self.guards.get(index),
            Decider::Default => Some(&self.default),
        }
    }
}

impl Clone for Hits {
    fn clone(&self) -> Self {
        Self::of(self.terms.len(), self.guards.len())
    }
}

impl PartialEq for Hits {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Policy {
    /// Counts what an evaluation came to: the part that decided, and the terms that changed what was accepted.
    pub(crate) fn count(&self, evaluation: &Evaluation) {
        let changing = evaluation.modifying.iter().filter_map(|index| usize::try_from(*index).ok());
        let others = changing.map(Decider::Term).filter(|part| *part != evaluation.decider);
        for part in others.chain([evaluation.decider]) {
            self.hits.of_part(part).into_iter().for_each(Counter::count);
        }
    }

    /// How often each part decided, or changed a route that was accepted, in the order in which they are asked: the
    /// terms, the guards, and the default of the whole.
    ///
    /// A speaker counts every route it judges on its way in, and on its way out once for all peers that are sent the
    /// same. It goes on counting while a new configuration says the same.
    pub fn hits(&self) -> Vec<(TermName, u64)> {
        let terms = (0..self.terms.len()).map(Decider::Term);
        let parts = terms.chain((0..self.guards.len()).map(Decider::Guard)).chain([Decider::Default]);
        let number = |part| self.hits.of_part(part).map_or(0, |counter| counter.0.load(Relaxed));
        parts.map(|part| (self.name_of(part), number(part))).collect()
    }
}
