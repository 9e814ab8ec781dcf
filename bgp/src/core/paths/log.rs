//! The order in which prefixes changed, each at its latest change.

use std::{collections::BTreeMap, hash::Hash};

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

/// Prefixes by which the log may grow between two reviews. Few in tests, so that short histories meet one.
const SLACK: usize = if cfg!(test) { 8 } else { 4096 };

/// The log. Positions count up from 1; a cursor is the position of the last change read.
#[derive(Debug)]
pub(super) struct PrefixLog<P> {
    order: BTreeMap<u64, P>,
    positions: HashMap<P, u64, FxBuildHasher>,
    head: u64,
    /// Prefixes in it after the last review.
    reviewed: usize,
}

impl<P> Default for PrefixLog<P> {
    fn default() -> Self {
        Self { order: BTreeMap::new(), positions: HashMap::default(), head: 0, reviewed: 0 }
    }
}

impl<P: Copy + Eq + Hash> PrefixLog<P> {
    /// The position of the newest change.
    pub(super) fn head(&self) -> u64 {
        self.head
    }

    /// Writes a change down; an earlier one of the prefix is forgotten.
    pub(super) fn note(&mut self, prefix: P) {
        self.head += 1;
        if let Some(earlier) = self.positions.insert(prefix, self.head) {
            self.order.remove(&earlier);
        }
        self.order.insert(self.head, prefix);
    }

    /// Where the latest change of a prefix stands, while it is there.
    pub(super) fn position(&self, prefix: P) -> Option<u64> {
        self.positions.get(&prefix).copied()
    }

    /// Changes behind `cursor`.
    pub(super) fn after(&self, cursor: u64) -> impl Iterator<Item = (u64, P)> {
        self.order.range(cursor + 1..).map(|(position, prefix)| (*position, *prefix))
    }

    /// Forgets the changes up to `cursor`.
    pub(super) fn trim(&mut self, cursor: u64) {
        while let Some(first) = self.order.first_entry().filter(|first| *first.key() <= cursor) {
            self.positions.remove(&first.remove());
        }
        self.reviewed = self.reviewed.min(self.order.len());
    }

    /// From time to time, forgets the prefixes whose change nobody has to learn of.
    pub(super) fn review(&mut self, is_needed: impl Fn(&P) -> bool) {
        if self.order.len() <= 2 * self.reviewed + SLACK {
            return;
        }
        let positions = &mut self.positions;
        self.order.retain(|_, prefix| {
            let needed = is_needed(prefix);
            if !needed {
                positions.remove(prefix);
            }
            needed
        });
        self.reviewed = self.order.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_stands_where_it_changed_last() {
        let mut log = PrefixLog::default();
        ["a", "b", "a", "c"].into_iter().for_each(|p| log.note(p));
        assert_eq!(log.after(0).map(|(_, p)| p).collect::<String>(), "bac");
        assert_eq!(log.after(3).map(|(_, p)| p).collect::<String>(), "c");
        assert_eq!((log.head(), log.position("a")), (4, Some(3)));
        log.trim(3);
        assert_eq!((log.after(0).count(), log.position("a")), (1, None));
    }

    #[test]
    fn what_nobody_needs_is_forgotten_although_nobody_reads() {
        let mut log = PrefixLog::default();
        for prefix in 0..1000 {
            log.note(prefix);
            log.review(|p| *p == 0);
        }
        assert!(log.after(0).count() <= 2 * SLACK, "{}", log.after(0).count());
        assert!(log.position(0).is_some());
    }
}
