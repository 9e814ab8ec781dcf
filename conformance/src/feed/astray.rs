//! What BIRD 2 does with `deterministic med`, and nobody else: its one explained difference.
//!
//! It keeps the best route of each neighbour AS, and compares only those with each other. When a peer replaces the best
//! route of all, and that was the last one of its neighbour AS, by a route of another neighbour AS, then it compares the
//! new route with nothing but the one just replaced, which it has already marked as out of the race: the new route
//! becomes the best, whatever else there is. (`bgp_rte_recalculate` handles the two groups one after the other, and
//! neither asks for all routes to be compared.) So a LOCAL_PREF of 90 wins over one of 100, until something makes BIRD
//! compare all of them again.

use std::collections::BTreeSet;

use bgp::wire::attribute::PathAttributes;
use ipnet::Ipv4Net;

use super::{
    compare::Difference,
    routes::{OWN, Source, World},
};

/// The name in the report.
pub(super) const NAME: &str = "a best route replaced by one of another neighbour AS, which BIRD then keeps";

/// The prefixes for which BIRD is known not to have compared all routes.
#[derive(Debug)]
pub(super) struct Astray {
    /// The daemon's name.
    daemon: String,
    prefixes: BTreeSet<Ipv4Net>,
}

impl Astray {
    pub(super) fn new(daemon: String) -> Self {
        Self { daemon, prefixes: BTreeSet::new() }
    }

    /// Takes out what is explained, and forgets the prefixes for which all choose the same again. `before` is the
    /// world before the last step, `after` that behind it.
    pub(super) fn explain(
        &mut self,
        differences: &mut Vec<Difference>,
        before: &World,
        after: &World,
    ) -> u64 {
        let differing: BTreeSet<_> = differences.iter().map(|difference| difference.prefix).collect();
        self.prefixes.retain(|prefix| differing.contains(prefix));
        let all = differences.len();
        differences.retain(|difference| !self.explains(difference, before, after));
        u64::try_from(all - differences.len()).unwrap_or(u64::MAX)
    }

    fn explains(&mut self, difference: &Difference, before: &World, after: &World) -> bool {
        let prefix = difference.prefix;
        let mut others = difference.chosen.iter().filter(|(name, _)| **name != self.daemon);
        let first = others.next();
        let alone = others.all(|(_, chosen)| Some(chosen) == first.map(|(_, chosen)| chosen));
        let explained = alone
            && (self.prefixes.contains(&prefix)
                || Source::SPEAKERS.iter().any(|s| moves(*s, prefix, before, after)));
        if explained {
            self.prefixes.insert(prefix);
        }
        explained
    }
}

/// Whether a source's route has moved to another neighbour AS, and has left nothing behind in the first.
fn moves(source: Source, prefix: Ipv4Net, before: &World, after: &World) -> bool {
    let of = |world: &World, who: Source| {
        world.to(prefix).find(|(source, _)| *source == who).map(|(_, attributes)| group(attributes))
    };
    let (Some(old), Some(new)) = (of(before, source), of(after, source)) else { return false };
    let left = |other: &Source| {
        *other != source && of(before, *other) == Some(old) && of(after, *other) == Some(old)
    };
    old != new && !Source::SPEAKERS.iter().any(left)
}

/// The neighbour AS of a route, as BIRD sees it.
fn group(attributes: &PathAttributes) -> u32 {
    attributes.as_path.neighbor().unwrap_or(OWN).0
}
