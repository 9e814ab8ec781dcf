//! Prefixes with paths that cannot be sent.

use std::collections::BTreeSet;

use crate::core::sets::Unsent;

/// Prefixes some path of which cannot be sent, by the reason.
#[derive(Debug)]
pub(super) struct UnsentPrefixes<P> {
    pub(super) too_long: BTreeSet<P>,
    no_next_hop: BTreeSet<P>,
}

impl<P> Default for UnsentPrefixes<P> {
    fn default() -> Self {
        Self { too_long: BTreeSet::new(), no_next_hop: BTreeSet::new() }
    }
}

impl<P: Copy + Ord> UnsentPrefixes<P> {
    pub(super) fn of(&self, why: Unsent) -> &BTreeSet<P> {
        match why {
            Unsent::TooLong => &self.too_long,
            Unsent::NoNextHop => &self.no_next_hop,
        }
    }

    pub(super) fn of_mut(&mut self, why: Unsent) -> &mut BTreeSet<P> {
        match why {
            Unsent::TooLong => &mut self.too_long,
            Unsent::NoNextHop => &mut self.no_next_hop,
        }
    }

    pub(super) fn remove(&mut self, prefix: &P) {
        self.too_long.remove(prefix);
        self.no_next_hop.remove(prefix);
    }

    pub(super) fn extend(&mut self, other: &Self) {
        self.too_long.extend(&other.too_long);
        self.no_next_hop.extend(&other.no_next_hop);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.too_long.is_empty() && self.no_next_hop.is_empty()
    }
}
