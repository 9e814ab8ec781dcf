//! The forwarding table as a reader of the change log.

use std::collections::BTreeSet;

use smallvec::SmallVec;

use super::{
    event::{BestChange, Usability, WeightedNextHop},
    family::FamilyRib,
    shared::Shared,
};
use crate::{
    config::{Blackhole, Install},
    decision::{self, Reason},
    rib::{Bits, LOCAL, Net, Path, RouteId},
    types::NextHopAddress,
    wire::{
        attribute::PathAttributes,
        community::{Community, ExtendedCommunity},
    },
};

/// Where the forwarding table stands.
#[derive(Debug, Default)]
pub(super) struct BestReader {
    progress: Progress,
    /// Routes handed out and not taken back.
    installed: Bits,
    /// Routes whose best path stayed while those beside it changed: nobody but this reader is concerned. An id that
    /// was given to another route meanwhile has that one told once more.
    legs_changed: BTreeSet<RouteId>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Progress {
    /// Nobody has asked yet.
    #[default]
    Unread,
    /// Going through the whole table, then the log from `cursor`.
    Walk { next: RouteId, cursor: u64 },
    /// In the log.
    Log { cursor: u64 },
}

impl BestReader {
    /// The position in the log from which changes are still needed.
    pub(super) fn cursor(&self) -> Option<u64> {
        match self.progress {
            Progress::Unread => None,
            Progress::Walk { cursor, .. } | Progress::Log { cursor } => Some(cursor),
        }
    }

    /// Other paths than before share this route with its best one.
    pub(super) fn legs_changed(&mut self, route: RouteId) {
        if !matches!(self.progress, Progress::Unread) {
            self.legs_changed.insert(route);
        }
    }

    /// Whether this route was handed out and not taken back.
    pub(super) fn has(&self, route: RouteId) -> bool {
        self.installed.contains(route)
    }

    /// Goes through the whole table again, still knowing what was handed out.
    pub(super) fn restart(&mut self) {
        if let Some(cursor) = self.cursor() {
            self.progress = Progress::Walk { next: 0, cursor };
        }
    }
}

impl<P: Net> FamilyRib<P> {
    /// Appends changes of installable best routes until there are `max` in the list or no more.
    pub(super) fn poll_best(&mut self, shared: &Shared, max: usize, changes: &mut Vec<BestChange>) {
        if matches!(self.best.progress, Progress::Unread) {
            self.best.progress = Progress::Walk { next: 0, cursor: self.table.head() };
        }
        while changes.len() < max {
            let Some(route) = self.next_route() else { return };
            let (next_hops, usability) = self.to_forward(shared, route);
            let Some(entry) = self.table.get(route) else { continue };
            if !next_hops.is_empty() {
                self.best.installed.insert(route);
                changes.push(BestChange { prefix: entry.prefix.into(), next_hops, usability });
            } else if !entry.is_undecided() && self.best.installed.remove(route) {
                changes.push(BestChange { prefix: entry.prefix.into(), next_hops, usability });
            }
        }
    }

    /// The next route to look at: in the walk those of the table, then the changed ones.
    fn next_route(&mut self) -> Option<RouteId> {
        if let Some(route) = self.best.legs_changed.pop_first() {
            return Some(route);
        }
        match self.best.progress {
            Progress::Walk { next, cursor } if next < self.table.bound() => {
                self.best.progress = Progress::Walk { next: next + 1, cursor };
                Some(next)
            }
            Progress::Walk { cursor, .. } | Progress::Log { cursor } => {
                let change = self.table.changes_after(cursor).next();
                let cursor = change.map_or(self.table.head(), |(position, _)| position);
                self.best.progress = Progress::Log { cursor };
                change.map(|(_, route)| route)
            }
            Progress::Unread => None,
        }
    }

    /// Where the forwarding table sends packets for a route, or would if it could.
    fn to_forward(&self, shared: &Shared, route: RouteId) -> (Vec<WeightedNextHop>, Usability) {
        let next_hops = self.next_hops(shared, route);
        if !next_hops.is_empty() {
            let discard = self.asks_for_discard(shared, route);
            return (next_hops, if discard { Usability::Discard } else { Usability::Usable });
        }
        match self.unreachable(shared, route) {
            Some(next_hop) => (vec![next_hop], Usability::Unreachable),
            None => (Vec::new(), Usability::Usable),
        }
    }

    /// Whether the best path is a blackhole that its sender may ask for (RFC 7999).
    fn asks_for_discard(&self, shared: &Shared, route: RouteId) -> bool {
        let best = self.table.get(route).and_then(|e| e.best());
        best.is_some_and(|best| {
            let may = shared.peer(best.peer).map(|p| p.config.switches.blackhole);
            let rare = shared.attributes.get(self.effective(route, best)).and_then(|a| a.rare.as_ref());
            may == Some(Blackhole::Accept)
                && rare.is_some_and(|r| r.communities.contains(&Community::BLACKHOLE.0))
        })
    }

    /// The next hop that keeps a route without a best path from having one.
    fn unreachable(&self, shared: &Shared, route: RouteId) -> Option<WeightedNextHop> {
        let entry = self.table.get(route).filter(|e| e.best().is_none() && !e.is_undecided())?;
        let waits = |p: &&Path| p.reason().is_without_way();
        let installs = |p: &&Path| shared.peer(p.peer).is_some_and(|o| o.config.install == Install::Forward);
        let path = entry.paths().iter().filter(waits).find(installs)?;
        let NextHopAddress { address, interface } =
            shared.attributes.get(self.effective(route, path))?.next_hop.hop();
        Some(WeightedNextHop { address, interface, weight: 1 })
    }

    /// Where the forwarding table sends packets for a route; none when it is not to be installed.
    fn next_hops(&self, shared: &Shared, route: RouteId) -> Vec<WeightedNextHop> {
        let paths = self.table.get(route).map_or(&[][..], |e| e.paths());
        let Some(best) = paths.first().filter(|p| p.reason == Reason::Best.code()) else { return Vec::new() };
        let install = shared.peer(best.peer).map(|p| p.config.install);
        if best.peer == LOCAL || install != Some(Install::Forward) {
            return Vec::new();
        }
        let beside = paths.iter().skip(1).filter(|p| p.reason == Reason::Multipath.code());
        let legs: SmallVec<[&PathAttributes; 2]> = std::iter::once(best)
            .chain(beside)
            .filter_map(|p| shared.attributes.get(self.effective(route, p)).map(|a| &**a))
            .collect();
        let weights = match legs.as_slice() {
            [_] => vec![1],
            legs => decision::shares(&legs.iter().map(|a| bandwidth(a)).collect::<Vec<_>>()),
        };
        let weighted = legs.iter().zip(weights);
        let mut next_hops: Vec<_> = weighted
            .map(|(leg, weight)| {
                let NextHopAddress { address, interface } = leg.next_hop.hop();
                WeightedNextHop { address, interface, weight }
            })
            .collect();
        next_hops.sort_unstable();
        next_hops
    }
}

/// The bandwidth that a route says its link has.
fn bandwidth(attributes: &PathAttributes) -> Option<f32> {
    let communities = &attributes.rare.as_ref()?.extended_communities;
    communities.iter().find_map(|octets| ExtendedCommunity(*octets).link_bandwidth())
}
