//! The prefix table of one family.

use prefix_trie::PrefixMap;

use super::{AttributesId, ChangeLog, Net, chunked::Chunked};
use crate::{decision::Reason, types::PeerId};

/// The index of an entry.
pub(crate) type RouteId = u32;

/// The sender of the routes we originate.
pub(crate) const LOCAL: PeerId = PeerId(u32::MAX);

/// One path: 20 bytes, 24 with its place in an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// The attributes as received; this path owns one reference.
    pub(crate) attributes: AttributesId,
    pub(crate) peer: PeerId,
    pub(crate) path_id: u32,
    /// Seconds on the caller's clock.
    pub(crate) learned: u32,
    /// Which session of the peer it was learned over, modulo 256.
    pub(crate) epoch: u8,
    /// Whether the import policy changed it: its attributes are in the side table.
    pub(crate) modified: bool,
    /// Whether it was learned over iBGP.
    pub(crate) internal: bool,
    /// [`Reason`] as a code.
    pub(crate) reason: u8,
}

impl Path {
    /// Whether this is the path that a peer names so.
    pub(crate) fn is(&self, peer: PeerId, path_id: u32) -> bool {
        self.peer == peer && self.path_id == path_id
    }

    /// Its standing.
    pub(crate) fn reason(&self) -> Reason {
        Reason::from_code(self.reason).unwrap_or(Reason::NextHopPending)
    }

    /// Whether it takes part in the decision.
    pub(crate) fn is_accepted(&self) -> bool {
        !self.reason().is_rejected()
    }
}

/// The paths of one prefix: most have one.
#[derive(Debug, Default)]
enum Paths {
    #[default]
    None,
    One(Path),
    Many(Box<[Path]>),
}

/// One prefix.
#[derive(Debug, Default)]
pub(crate) struct Entry<P> {
    paths: Paths,
    /// The low half of the position of its latest change in the log.
    version: u32,
    pub(crate) prefix: P,
}

impl<P> Entry<P> {
    /// Every path, the best first if there is one.
    pub(crate) fn paths(&self) -> &[Path] {
        match &self.paths {
            Paths::None => &[],
            Paths::One(path) => std::slice::from_ref(path),
            Paths::Many(paths) => paths,
        }
    }

    /// Every path, to be changed in place.
    pub(crate) fn paths_mut(&mut self) -> &mut [Path] {
        match &mut self.paths {
            Paths::None => &mut [],
            Paths::One(path) => std::slice::from_mut(path),
            Paths::Many(paths) => paths,
        }
    }

    /// The best path.
    pub(crate) fn best(&self) -> Option<&Path> {
        self.paths().first().filter(|p| p.reason == Reason::Best.code())
    }

    /// Whether there is no best path only because the reachability of a next hop is not known yet: whoever has
    /// been told of an earlier best path keeps it until then.
    pub(crate) fn is_undecided(&self) -> bool {
        let pending = Reason::NextHopPending.code();
        self.best().is_none() && self.paths().iter().any(|p| p.reason == pending)
    }

    /// Adds a path behind the others.
    pub(crate) fn push(&mut self, path: Path) {
        self.paths = match std::mem::take(&mut self.paths) {
            Paths::None => Paths::One(path),
            Paths::One(first) => Paths::Many(Box::new([first, path])),
            Paths::Many(paths) => {
                let mut paths = paths.into_vec();
                paths.reserve_exact(1);
                paths.push(path);
                Paths::Many(paths.into_boxed_slice())
            }
        };
    }

    /// Takes the path at this place out.
    pub(crate) fn remove(&mut self, index: usize) -> Option<Path> {
        let removed = *self.paths().get(index)?;
        self.paths = match std::mem::take(&mut self.paths) {
            Paths::None | Paths::One(_) => Paths::None,
            Paths::Many(paths) => {
                let mut paths = paths.into_vec();
                paths.remove(index);
                match paths.as_slice() {
                    [one] => Paths::One(*one),
                    _ => Paths::Many(paths.into_boxed_slice()),
                }
            }
        };
        Some(removed)
    }
}

/// All prefixes of a family, and the log of their changes.
#[derive(Debug)]
pub(crate) struct Table<P: Net> {
    index: PrefixMap<P, RouteId>,
    entries: Chunked<Entry<P>>,
    log: ChangeLog,
}

impl<P: Net> Default for Table<P> {
    fn default() -> Self {
        Self { index: PrefixMap::new(), entries: Chunked::default(), log: ChangeLog::default() }
    }
}

impl<P: Net> Table<P> {
    /// The entry of a prefix, made if need be.
    pub(crate) fn obtain(&mut self, prefix: P) -> RouteId {
        let (entries, version) = (&mut self.entries, self.log.unlogged());
        *self
            .index
            .entry(prefix)
            .or_insert_with(|| entries.insert(Entry { prefix, paths: Paths::None, version }))
    }

    /// The entry of a prefix.
    pub(crate) fn find(&self, prefix: P) -> Option<RouteId> {
        self.index.get(&prefix).copied()
    }

    /// The longest prefix with a path that covers this one, itself included.
    pub(crate) fn longest_match(&self, prefix: P) -> Option<P> {
        let covering: Vec<_> = self.index.cover(&prefix).collect();
        let known = |route: RouteId| self.get(route).is_some_and(|e| !e.paths().is_empty());
        covering.into_iter().rev().find(|(_, route)| known(**route)).map(|(p, _)| p)
    }

    /// An entry by its id; vacant ids give entries without paths.
    pub(crate) fn get(&self, route: RouteId) -> Option<&Entry<P>> {
        self.entries.get(route)
    }

    /// An entry by its id.
    pub(crate) fn get_mut(&mut self, route: RouteId) -> Option<&mut Entry<P>> {
        self.entries.get_mut(route)
    }

    /// How many prefixes are known.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// The lowest number above every id in use.
    pub(crate) fn bound(&self) -> RouteId {
        self.entries.bound()
    }

    /// Entries behind `after` (from the first one on when `None`), sorted by prefix.
    pub(crate) fn sorted_after(&self, after: Option<P>) -> impl Iterator<Item = &Entry<P>> {
        let ids = match after {
            Some(prefix) => self.index.iter_from(&prefix, false),
            None => self.index.iter(),
        };
        ids.filter_map(|(_, route)| self.entries.get(*route))
    }

    /// The position of the newest change.
    pub(crate) fn head(&self) -> u64 {
        self.log.head()
    }

    /// Whether every reader has seen every change.
    pub(crate) fn is_quiet(&self) -> bool {
        self.log.is_empty()
    }

    /// Where the latest change of a route stands in the log, while it is there.
    pub(crate) fn position(&self, route: RouteId) -> Option<u64> {
        self.log.position(self.entries.get(route)?.version)
    }

    /// Writes a change of this route's best path down.
    pub(crate) fn touch(&mut self, route: RouteId) {
        if let Some(entry) = self.entries.get_mut(route) {
            entry.version = self.log.push(route, entry.version);
        }
        if self.log.is_due_for_renewal() {
            self.renew_versions();
        }
    }

    /// Once in 2^30 changes: gives every route whose latest change is no longer in the log a version that stays so.
    fn renew_versions(&mut self) {
        let (log, unlogged) = (&self.log, self.log.unlogged());
        for route in 0..self.entries.bound() {
            if let Some(entry) = self.entries.get_mut(route).filter(|e| !log.holds(e.version)) {
                entry.version = unlogged;
            }
        }
    }

    /// Changes behind `cursor`, as (position, route), each route at its latest change only.
    pub(crate) fn changes_after(&self, cursor: u64) -> impl Iterator<Item = (u64, RouteId)> + '_ {
        self.changes_raw(cursor).filter_map(|(position, route)| Some((position, route?)))
    }

    /// As [`Table::changes_after`], with superseded changes as `None`, so that a reader can bound its work.
    pub(crate) fn changes_raw(&self, cursor: u64) -> impl Iterator<Item = (u64, Option<RouteId>)> + '_ {
        self.log.after(cursor).map(|(position, version, route)| {
            let live = self.entries.get(route).is_some_and(|e| e.version == version);
            (position, live.then_some(route))
        })
    }

    /// Lets go of changes every reader has seen; frees the routes that are gone and hands their ids out.
    pub(crate) fn trim(&mut self, cursor: u64) -> Vec<RouteId> {
        let (entries, mut passed) = (&self.entries, Vec::new());
        let version = |route| entries.get(route).map_or(0, |e| e.version);
        self.log.trim(cursor, version, |route| {
            if entries.get(route).is_some_and(|e| e.paths().is_empty()) {
                passed.push(route);
            }
        });
        if self.log.is_sparse() {
            self.log.compact(version);
        }
        passed.iter().for_each(|route| self.free(*route));
        passed
    }

    /// From time to time, frees the routes without paths whose end nobody has to learn of, and hands their ids out:
    /// a reader that stays away must not make us remember whatever comes and goes meanwhile.
    pub(crate) fn review(&mut self, is_needed: impl Fn(RouteId) -> bool) -> Vec<RouteId> {
        if !self.log.is_due_for_review() {
            return Vec::new();
        }
        let gone = |route: &RouteId| self.entries.get(*route).is_some_and(|e| e.paths().is_empty());
        let changed = self.changes_raw(0).filter_map(|(_, route)| route);
        let useless: Vec<_> = changed.filter(|route| gone(route) && !is_needed(*route)).collect();
        self.log.reviewed(useless.len());
        useless.iter().for_each(|route| self.free(*route));
        useless
    }

    /// Frees a route without paths at once if no reader has still to learn of its end.
    pub(crate) fn free_unlogged(&mut self, route: RouteId) {
        let log = &self.log;
        if self.entries.get(route).is_some_and(|e| e.paths().is_empty() && !log.holds(e.version)) {
            self.free(route);
        }
    }

    fn free(&mut self, route: RouteId) {
        if let Some(entry) = self.entries.get(route) {
            self.index.remove(&entry.prefix);
            self.entries.remove(route, Entry { version: self.log.unlogged(), ..Entry::default() });
        }
    }
}

#[cfg(test)]
mod tests {
    use ipnet::Ipv4Net;

    use super::*;

    #[test]
    fn a_route_that_has_not_changed_for_four_thousand_million_changes_is_not_taken_for_a_changed_one() {
        const ROUND: u64 = 1 << 30;
        let mut table = Table::<Ipv4Net>::default();
        let [old, busy] = ["10.0.0.0/8", "11.0.0.0/8"].map(|prefix| table.obtain(prefix.parse().unwrap()));
        let path = Path {
            attributes: AttributesId(0),
            peer: LOCAL,
            path_id: 0,
            learned: 0,
            epoch: 0,
            modified: false,
            internal: false,
            reason: Reason::Best.code(),
        };
        [old, busy].iter().for_each(|route| table.get_mut(*route).unwrap().push(path));
        table.touch(old);
        assert_eq!(table.position(old), Some(1));
        table.trim(table.head());
        for round in 1..=4 {
            table.log.skip_to(round * ROUND - 1);
            table.touch(busy);
            table.trim(table.head());
        }
        // Its low half is that of the old route's position.
        table.touch(busy);
        assert_eq!((table.position(busy), table.position(old)), (Some(4 * ROUND + 1), None));
        let young = table.obtain("12.0.0.0/8".parse().unwrap());
        assert_eq!(table.position(young), None);
        table.touch(old);
        assert_eq!(table.changes_after(4 * ROUND).map(|(_, route)| route).collect::<Vec<_>>(), [busy, old]);
    }
}
