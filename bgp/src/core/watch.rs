//! Readers that mirror the tables path by path: BMP collectors, and whoever embeds the speaker to look on.
//!
//! A reader has a set of *marks*, the names of paths that changed since it was told; a mark is set once however often
//! the path changes, and what is told is the path as it is when the mark is read. Tables a reader has not seen yet are
//! walked. A reader with more marks than it may have has lost its place and is told so.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::{Ipv4Net, Ipv6Net};

use super::{
    Core,
    event::{WatchItem, WatchedTable, Work},
    family::FamilyRib,
    in_family,
    shared::Shared,
};
use crate::{
    rib::{LOCAL, Net, Path, RouteId},
    types::{Families, Family, Now, PeerId},
};

/// Routes looked through for each one that may be told.
const SCAN: usize = 16;

/// Names a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(u64);

/// The reader has lost its place: [`Core::unwatch`] it and begin anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more paths changed than are remembered for one reader")]
pub struct Overtaken;

/// What a reader wants to see, and how far it may fall behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchSettings {
    /// The tables.
    pub tables: BTreeSet<WatchedTable>,
    /// Most marks per family.
    pub most_marks: usize,
}

/// How a reader is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WatchFigures {
    /// Paths changed and not told yet.
    pub marks: usize,
    /// Changes that were told together with a later one of the same path.
    pub coalesced: u64,
}

/// The name of a path: the peer, [`LOCAL`] for the best path; the prefix; the path identifier.
type Key<P> = (PeerId, P, u32);

/// All readers of one family.
#[derive(Debug)]
pub(super) struct Watchers<P>(BTreeMap<WatchId, Watcher<P>>);

impl<P> Default for Watchers<P> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// One reader of one family.
#[derive(Debug)]
struct Watcher<P> {
    settings: WatchSettings,
    /// Peers whose paths it is told.
    joined: BTreeSet<PeerId>,
    marks: BTreeSet<Key<P>>,
    /// The mark read last: reading goes round, so that a path that changes all the time keeps none waiting.
    last: Option<Key<P>>,
    coalesced: u64,
    overtaken: Option<Overtaken>,
    /// Peers whose paths the walk under way collects, and where it is.
    walking: BTreeSet<PeerId>,
    next: RouteId,
    /// Peers for the next walk.
    waiting: BTreeSet<PeerId>,
}

impl<P: Net> Watcher<P> {
    fn new(settings: WatchSettings) -> Self {
        Self {
            settings,
            joined: BTreeSet::new(),
            marks: BTreeSet::new(),
            last: None,
            coalesced: 0,
            overtaken: None,
            walking: BTreeSet::new(),
            next: 0,
            waiting: BTreeSet::new(),
        }
    }

    fn mark(&mut self, key: Key<P>) {
        if !self.joined.contains(&key.0) || self.overtaken.is_some() {
            return;
        }
        if !self.marks.insert(key) {
            self.coalesced = self.coalesced.saturating_add(1);
        }
        if self.marks.len() > self.settings.most_marks {
            self.marks.clear();
            self.overtaken = Some(Overtaken);
        }
    }

    /// The next mark in the round.
    fn take_mark(&mut self) -> Option<Key<P>> {
        use std::ops::Bound::{Excluded, Unbounded};
        let after = self.last.and_then(|last| self.marks.range((Excluded(last), Unbounded)).next());
        let key = *after.or_else(|| self.marks.first())?;
        self.marks.remove(&key);
        self.last = Some(key);
        Some(key)
    }

    fn leave(&mut self, peer: PeerId) {
        self.joined.remove(&peer);
        self.walking.remove(&peer);
        self.waiting.remove(&peer);
        self.marks.retain(|(of, ..)| *of != peer);
    }

    fn join(&mut self, peer: PeerId) {
        self.joined.insert(peer);
        self.waiting.insert(peer);
    }

    fn is_idle(&self) -> bool {
        self.marks.is_empty() && self.walking.is_empty() && self.waiting.is_empty()
    }
}

impl<P: Net> Watchers<P> {
    /// A path of a peer changed, came or went.
    pub(super) fn path_changed(&mut self, peer: PeerId, prefix: P, path_id: u32) {
        self.0.values_mut().for_each(|w| w.mark((peer, prefix, path_id)));
    }

    /// The best path of a prefix changed, came or went.
    pub(super) fn best_changed(&mut self, prefix: P) {
        self.path_changed(LOCAL, prefix, 0);
    }

    /// Whether nobody watches.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<P: Net> FamilyRib<P> {
    /// Appends what a reader is to be told, about `max` items.
    fn poll_watch(
        &mut self,
        shared: &Shared,
        id: WatchId,
        max: usize,
        items: &mut Vec<WatchItem>,
    ) -> Result<Work, Overtaken> {
        let Some(mut watcher) = self.watchers.0.remove(&id) else { return Ok(Work::Done) };
        let work = match watcher.overtaken {
            Some(overtaken) => Err(overtaken),
            None => Ok(self.advance_watch(shared, &mut watcher, max, items)),
        };
        self.watchers.0.insert(id, watcher);
        work
    }

    fn advance_watch(
        &self,
        shared: &Shared,
        watcher: &mut Watcher<P>,
        max: usize,
        items: &mut Vec<WatchItem>,
    ) -> Work {
        let mut scanned = 0;
        while items.len() < max && scanned < max.saturating_mul(SCAN) {
            scanned += 1;
            if let Some((peer, prefix, path_id)) = watcher.take_mark() {
                self.tell_marked(shared, watcher, (peer, prefix, path_id), items);
            } else if !self.walk_on(shared, watcher, items) {
                return Work::Done;
            }
        }
        if watcher.is_idle() { Work::Done } else { Work::Pending }
    }

    /// One step of the walk; whether there was one to take.
    fn walk_on(&self, shared: &Shared, watcher: &mut Watcher<P>, items: &mut Vec<WatchItem>) -> bool {
        if watcher.walking.is_empty() {
            watcher.walking = std::mem::take(&mut watcher.waiting);
            watcher.next = 0;
            return !watcher.walking.is_empty();
        }
        let route = watcher.next;
        if route < self.table.bound() {
            watcher.next += 1;
            self.tell_walked(shared, watcher, route, items);
            return true;
        }
        for peer in std::mem::take(&mut watcher.walking) {
            let tables = watcher.settings.tables.iter().filter(|t| t.is_of(peer));
            let complete = |table: &WatchedTable| WatchItem::Complete {
                table: *table,
                peer: named(peer),
                family: P::FAMILY,
            };
            items.extend(tables.map(complete));
        }
        true
    }

    fn tell_walked(&self, shared: &Shared, watcher: &Watcher<P>, route: RouteId, items: &mut Vec<WatchItem>) {
        let Some(entry) = self.table.get(route) else { return };
        for path in entry.paths().iter().filter(|p| watcher.walking.contains(&p.peer) && p.peer != LOCAL) {
            for table in watcher.settings.tables.iter().filter(|t| t.is_of(path.peer)) {
                items.extend(self.told(shared, *table, route, path));
            }
        }
        if watcher.walking.contains(&LOCAL)
            && let Some(best) = entry.best()
        {
            items.extend(self.told(shared, WatchedTable::LocRib, route, best));
        }
    }

    fn tell_marked(&self, shared: &Shared, watcher: &Watcher<P>, key: Key<P>, items: &mut Vec<WatchItem>) {
        let (peer, prefix, path_id) = key;
        let found = self.table.find(prefix).and_then(|route| Some((route, self.table.get(route)?)));
        for table in watcher.settings.tables.iter().filter(|t| t.is_of(peer)) {
            let path = found.and_then(|(route, entry)| {
                let path = match table {
                    WatchedTable::LocRib => entry.best(),
                    _ => entry.paths().iter().find(|p| p.is(peer, path_id)),
                };
                self.told(shared, *table, route, path?)
            });
            let (table, peer, prefix) = (*table, named(peer), prefix.into());
            items.push(path.unwrap_or(WatchItem::Withdrawn { table, peer, prefix, path_id }));
        }
    }

    /// The path as it stands in a table, if it does.
    fn told(&self, shared: &Shared, table: WatchedTable, route: RouteId, path: &Path) -> Option<WatchItem> {
        let fresh = shared.is_alive(P::FAMILY, path) && !shared.is_stale(P::FAMILY, path);
        let (attributes, path_id, stands) = match table {
            WatchedTable::Received => (path.attributes, path.path_id, fresh),
            WatchedTable::Accepted => {
                (self.effective(route, path), path.path_id, fresh && path.is_accepted())
            }
            WatchedTable::LocRib => (self.effective(route, path), 0, true),
        };
        if !stands {
            return None;
        }
        Some(WatchItem::Route {
            table,
            peer: if table == WatchedTable::LocRib { None } else { named(path.peer) },
            prefix: self.table.get(route)?.prefix.into(),
            path_id,
            attributes: shared.attributes.get(attributes)?.clone(),
            learned: Now(std::time::Duration::from_secs(path.learned.into())),
        })
    }
}

fn named(peer: PeerId) -> Option<PeerId> {
    (peer != LOCAL).then_some(peer)
}

impl WatchedTable {
    /// Whether paths of this sender ([`LOCAL`]: the best ones) stand in the table.
    fn is_of(self, peer: PeerId) -> bool {
        (self == Self::LocRib) == (peer == LOCAL)
    }
}

/// For the one family, then for the other.
impl Core {
    /// A new reader. It is told the Loc-RIB at once if it wants it, the tables of a peer after
    /// [`Core::watch_peer`].
    pub fn watch(&mut self, settings: WatchSettings) -> WatchId {
        let id = WatchId(self.next_watch);
        self.next_watch = self.next_watch.wrapping_add(1);
        let (mut v4, mut v6) =
            (Watcher::<Ipv4Net>::new(settings.clone()), Watcher::<Ipv6Net>::new(settings.clone()));
        if settings.tables.contains(&WatchedTable::LocRib) {
            v4.join(LOCAL);
            v6.join(LOCAL);
        }
        self.v4.watchers.0.insert(id, v4);
        self.v6.watchers.0.insert(id, v6);
        id
    }

    /// Forgets a reader.
    pub fn unwatch(&mut self, id: WatchId) {
        self.v4.watchers.0.remove(&id);
        self.v6.watchers.0.remove(&id);
    }

    /// A reader is told the tables of this peer's session from now on, those there are first.
    pub fn watch_peer(&mut self, id: WatchId, peer: PeerId, families: Families) {
        for family in families.iter() {
            in_family!(self, family, rib => rib.watchers.0.get_mut(&id).into_iter().for_each(|w| w.join(peer)));
        }
    }

    /// A reader is told nothing of this peer any more: it has forgotten what it was told.
    pub fn unwatch_peer(&mut self, id: WatchId, peer: PeerId) {
        for family in Family::ALL {
            in_family!(self, family, rib => rib.watchers.0.get_mut(&id).into_iter().for_each(|w| w.leave(peer)));
        }
    }

    /// Appends what a reader is to be told, until there are about `max` items or no more.
    ///
    /// # Errors
    /// [`Overtaken`] when it has fallen too far behind.
    pub fn poll_watch(
        &mut self,
        id: WatchId,
        max: usize,
        items: &mut Vec<WatchItem>,
    ) -> Result<Work, Overtaken> {
        let v4 = self.v4.poll_watch(&self.shared, id, max, items)?;
        let v6 = self.v6.poll_watch(&self.shared, id, max, items)?;
        Ok(if v4 == Work::Done { v6 } else { v4 })
    }

    /// How a reader is doing.
    pub fn watch_figures(&self, id: WatchId) -> WatchFigures {
        let v4 = self.v4.watchers.0.get(&id).map(|w| (w.marks.len(), w.coalesced));
        let v6 = self.v6.watchers.0.get(&id).map(|w| (w.marks.len(), w.coalesced));
        [v4, v6].into_iter().flatten().fold(WatchFigures::default(), |sum, (marks, coalesced)| WatchFigures {
            marks: sum.marks.saturating_add(marks),
            coalesced: sum.coalesced.saturating_add(coalesced),
        })
    }
}
