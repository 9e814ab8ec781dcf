//! What the guard lets in, over time: nodes, what is behind them, or what is here. Pure.
//!
//! A member is let in as soon as it is known and leaves only after a time of grace; nobody leaves before the list of
//! those known is complete. What a previous incarnation allowed is adopted and judged the same way.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::config::Completeness;

/// Those let in.
#[derive(Debug)]
pub(crate) struct Membership<T> {
    known: BTreeSet<T>,
    /// Members that are not known, with the moment their grace ends. `None`: not before the list is complete.
    leaving: BTreeMap<T, Option<Duration>>,
}

impl<T> Default for Membership<T> {
    fn default() -> Self {
        Self { known: BTreeSet::new(), leaving: BTreeMap::new() }
    }
}

impl<T: Ord + Copy> Membership<T> {
    /// Takes over what the kernel's guard allows from an earlier time.
    pub(crate) fn adopt(&mut self, allowed: impl IntoIterator<Item = T>) {
        for member in allowed {
            if !self.known.contains(&member) {
                self.leaving.entry(member).or_insert(None);
            }
        }
    }

    /// Takes a new list of those known. `now` is any monotonic time.
    pub(crate) fn update(
        &mut self,
        now: Duration,
        list: BTreeSet<T>,
        completeness: Completeness,
        grace: Duration,
    ) {
        for member in std::mem::replace(&mut self.known, list) {
            if !self.known.contains(&member) {
                self.leaving.entry(member).or_insert(None);
            }
        }
        let known = &self.known;
        self.leaving.retain(|member, _| !known.contains(member));
        let deadline = match completeness {
            Completeness::Partial => None,
            Completeness::Complete => Some(now.saturating_add(grace)),
        };
        for end in self.leaving.values_mut() {
            *end = deadline.map(|deadline| end.unwrap_or(deadline));
        }
    }

    /// Lets a member go at once that is no longer known.
    pub(crate) fn forget(&mut self, member: &T) {
        self.leaving.remove(member);
    }

    /// All that are known.
    pub(crate) fn known(&self) -> &BTreeSet<T> {
        &self.known
    }

    /// Lets those go whose grace has ended.
    pub(crate) fn expire(&mut self, now: Duration) {
        self.leaving.retain(|_, end| end.is_none_or(|end| now < end));
    }

    /// The moment the next grace ends.
    pub(crate) fn next_expiry(&self) -> Option<Duration> {
        self.leaving.values().flatten().min().copied()
    }

    /// All that are let in.
    pub(crate) fn allowed(&self) -> BTreeSet<T> {
        self.known.iter().chain(self.leaving.keys()).copied().collect()
    }

    /// Those let in that are no longer known, sorted.
    pub(crate) fn leaving(&self) -> Vec<T> {
        self.leaving.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use Completeness::{Complete, Partial};
    use proptest::prelude::*;

    use super::*;

    const GRACE: Duration = Duration::from_secs(30);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_adopted_node_stays_until_the_list_is_complete_and_then_for_the_grace() {
        let mut membership = Membership::default();
        membership.adopt([1, 2]);
        membership.update(at(0), [2].into(), Partial, GRACE);
        membership.expire(at(1_000));
        assert_eq!(membership.allowed(), BTreeSet::from([1, 2]));
        assert_eq!(membership.next_expiry(), None);
        membership.update(at(1_000), [2].into(), Complete, GRACE);
        membership.expire(at(1_029));
        assert_eq!(membership.leaving(), [1]);
        membership.expire(at(1_030));
        assert_eq!(membership.allowed(), [2].into());
    }

    #[test]
    fn a_node_that_comes_back_within_its_grace_never_leaves() {
        let mut membership = Membership::default();
        membership.update(at(0), [1].into(), Complete, GRACE);
        membership.update(at(10), [].into(), Complete, GRACE);
        membership.update(at(20), [1].into(), Complete, GRACE);
        membership.expire(at(100));
        assert_eq!(membership.allowed(), [1].into());
        assert!(membership.leaving().is_empty());
    }

    #[test]
    fn a_repeated_list_does_not_prolong_the_grace() {
        let mut membership = Membership::default();
        membership.update(at(0), [1].into(), Complete, GRACE);
        membership.update(at(10), [].into(), Complete, GRACE);
        membership.update(at(39), [].into(), Complete, GRACE);
        assert_eq!(membership.next_expiry(), Some(at(40)));
    }

    #[test]
    fn a_list_that_becomes_partial_again_stops_the_clock() {
        let mut membership = Membership::default();
        membership.update(at(0), [1].into(), Complete, GRACE);
        membership.update(at(10), [].into(), Complete, GRACE);
        membership.update(at(20), [].into(), Partial, GRACE);
        membership.expire(at(1_000));
        assert_eq!(membership.allowed(), [1].into());
    }

    proptest! {
        #[test]
        fn whoever_is_known_or_was_within_the_grace_is_allowed_and_nobody_else(
            lists in prop::collection::vec((1_u64..40, prop::collection::btree_set(0_u8..6, 0..6)), 1..20)
        ) {
            let mut membership = Membership::default();
            let mut last_known: BTreeMap<u8, u64> = BTreeMap::new();
            let mut current = BTreeSet::new();
            let mut now = 0;
            for (step, nodes) in lists {
                now += step;
                for gone in &current {
                    last_known.insert(*gone, now);
                }
                membership.update(at(now), nodes.clone(), Complete, GRACE);
                membership.expire(at(now));
                current = nodes;
                let expected: BTreeSet<u8> = (0..6)
                    .filter(|n| current.contains(n) || last_known.get(n).is_some_and(|t| now < t + 30))
                    .collect();
                prop_assert_eq!(membership.allowed(), expected);
            }
        }
    }
}
