//! A stretch of the table or of the log, encoded for members that have been sent the same.

use std::{collections::BTreeMap, sync::Arc};

use bytes::{Bytes, BytesMut};
use ipnet::IpNet;
use smallvec::SmallVec;

use super::{Member, PathSettings, Sent, SentPaths, Standing, seen, unsent::UnsentPrefixes};
use crate::{
    core::{
        audience::Receiver,
        chunk::{Run, extend},
        export::Counted,
        family::FamilyRib,
        progress::{Place, Scope},
        sets::Sets,
        shared::Shared,
        told::Told,
    },
    decision::Reason,
    rib::{LOCAL, Net, Path, RouteId},
    wire::{nlri::Nlri, packer},
};

/// Most paths announced in one chunk, but for those of the last prefix.
const MAX_PATHS: usize = 2048;
/// Most paths looked at for one chunk; one whose policy has many terms counts for several.
const MAX_SCAN: usize = 4 * 1024;

/// One encoded stretch.
#[derive(Debug)]
pub(super) struct PathChunk<P> {
    /// Where the stretch ends: a position in the log, or a route id in the walk.
    pub(super) until: u64,
    /// The newest change it can have seen.
    as_of: u64,
    extent: Extent,
    /// Prefixes some path of which cannot be decided over yet, where the chunk is [`Extent::Whole`]: to members that have
    /// been sent something of them it has more to say than it does.
    pending: Vec<P>,
    prefixes: Vec<Change<P>>,
    /// Prefixes some path of which cannot be sent.
    unsent: UnsentPrefixes<P>,
    messages: Bytes,
    runs: Vec<Run>,
    /// The message with each path that not its whole audience gets.
    spares: BTreeMap<(P, u32), Bytes>,
}

/// Whether a chunk says everything about its prefixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// It does: it suits everybody.
    Whole,
    /// It says what differs from what was sent before.
    Difference,
}

/// What becomes of one prefix.
#[derive(Debug)]
struct Change<P> {
    prefix: P,
    before: Option<SentPaths>,
    now: Option<SentPaths>,
}

/// What becomes of a member's paths.
struct Noted<P> {
    /// Those it is to forget.
    gone: Vec<Nlri<P>>,
    /// The messages with those that not everybody gets.
    spares: Vec<Bytes>,
}

/// Paths collected for one chunk, by outgoing attributes.
struct Gathered<P> {
    sets: Sets,
    announced: Vec<(usize, Nlri<P>)>,
    spares: Vec<(usize, Nlri<P>)>,
    pending: Vec<P>,
    prefixes: Vec<(P, Option<SentPaths>, Vec<Sent>)>,
}

impl<P: Net> FamilyRib<P> {
    /// Encodes what comes at a member's place.
    pub(super) fn encode_paths(
        &self,
        shared: &mut Shared,
        settings: &PathSettings,
        member: &Member<P>,
        place: Place,
    ) -> PathChunk<P> {
        let as_of = self.paths.log.head();
        let mut gathered = Gathered::new(settings);
        let (until, extent) = match place {
            Place::Walk(next, scope) => {
                let bound = self.table.bound();
                let ids = next..bound;
                let told = |p: &Path| scope == Scope::Learned && p.peer == LOCAL;
                let prefix = |route: RouteId| {
                    self.table.get(route).filter(|e| !e.paths().iter().all(told)).map(|e| e.prefix)
                };
                let routes = ids.map(|route| (u64::from(route) + 1, prefix(route)));
                let until = self.gather_all(shared, settings, member, Extent::Whole, routes, &mut gathered);
                (until.unwrap_or(bound.into()), Extent::Whole)
            }
            Place::Log(cursor) => {
                let changes = self.paths.log.after(cursor).map(|(at, p)| (at, Some(p)));
                let until =
                    self.gather_all(shared, settings, member, Extent::Difference, changes, &mut gathered);
                (until.unwrap_or(as_of), Extent::Difference)
            }
        };
        gathered.encode(shared, settings, until, as_of, extent)
    }

    /// Collects until a chunk is full; where that was, if it was.
    fn gather_all(
        &self,
        shared: &Shared,
        settings: &PathSettings,
        member: &Member<P>,
        extent: Extent,
        prefixes: impl Iterator<Item = (u64, Option<P>)>,
        gathered: &mut Gathered<P>,
    ) -> Option<u64> {
        let mut scanned = 0;
        for (position, prefix) in prefixes {
            scanned += 1;
            if let Some(prefix) = prefix {
                let entry = self.table.find(prefix).and_then(|route| self.table.get(route));
                scanned += entry.map_or(0, |entry| entry.paths().len()) * settings.export.policy.effort();
                let before = member.sent.get(&prefix).cloned();
                self.gather_paths(shared, settings, prefix, extent, before, gathered);
            }
            if scanned >= MAX_SCAN || gathered.is_full() {
                return Some(position);
            }
        }
        None
    }

    fn gather_paths(
        &self,
        shared: &Shared,
        settings: &PathSettings,
        prefix: P,
        extent: Extent,
        before: Option<SentPaths>,
        gathered: &mut Gathered<P>,
    ) {
        let route = self.table.find(prefix);
        let pending = self.pending(route);
        let mut now = undecided(&pending, before.as_deref().unwrap_or_default());
        let before = before.filter(|_| extent == Extent::Difference);
        if extent == Extent::Whole && !pending.is_empty() {
            gathered.pending.push(prefix);
        }
        let outgoing = route.map(|route| self.outgoing_paths(shared, settings, route, &now, Counted::All));
        for (sent, path) in outgoing.unwrap_or_default() {
            now.push(sent);
            let nlri = Nlri { prefix, path_id: sent.id };
            if sent.standing != Standing::Regular {
                let set = gathered.sets.number(shared, path);
                gathered.spare(set, nlri);
            } else if before.as_ref().is_none_or(|before| !before.contains(&sent)) {
                let set = gathered.sets.number(shared, path);
                gathered.announce(set, nlri);
            }
        }
        now.sort_unstable_by_key(|sent| sent.id);
        gathered.prefixes.push((prefix, before, now));
    }

    /// The identifiers of paths that cannot be decided over yet.
    fn pending(&self, route: Option<RouteId>) -> SmallVec<[u32; 2]> {
        let paths = route.and_then(|route| self.table.get(route)).map_or(&[][..], |e| e.paths());
        let pending = paths.iter().filter(|p| p.reason() == Reason::NextHopPending);
        pending.map(|p| self.names.id(p)).collect()
    }
}

/// Paths sent to everybody before that cannot be decided over now: they stay as they were sent.
fn undecided(pending: &[u32], before: &[Sent]) -> Vec<Sent> {
    let stays = |sent: &&Sent| pending.contains(&sent.id) && sent.standing == Standing::Regular;
    before.iter().filter(stays).copied().collect()
}

impl<P: Net> Gathered<P> {
    fn new(settings: &PathSettings) -> Self {
        let sets = Sets::new(settings.export.encode.max_message);
        Self { sets, announced: Vec::new(), spares: Vec::new(), pending: Vec::new(), prefixes: Vec::new() }
    }

    fn is_full(&self) -> bool {
        self.announced.len() + self.spares.len() >= MAX_PATHS || self.sets.is_full()
    }

    fn announce(&mut self, set: usize, nlri: Nlri<P>) {
        self.sets.share(set, wire_length(nlri));
        self.announced.push((set, nlri));
    }

    fn spare(&mut self, set: usize, nlri: Nlri<P>) {
        self.sets.alone(set, wire_length(nlri));
        self.spares.push((set, nlri));
    }

    fn encode(
        mut self,
        shared: &mut Shared,
        settings: &PathSettings,
        until: u64,
        as_of: u64,
        extent: Extent,
    ) -> PathChunk<P> {
        self.announced.sort_by_key(|(set, _)| *set);
        let (mut messages, mut runs) = (BytesMut::new(), Vec::new());
        let (mut withheld, mut unsent) = (Vec::new(), UnsentPrefixes::default());
        for paths in self.announced.chunk_by(|a, b| a.0 == b.0) {
            let Some(set) = paths.first().and_then(|(set, _)| self.sets.get(*set)) else { continue };
            let nlri = paths.iter().map(|(_, nlri)| *nlri);
            match set.encode(shared, &settings.export, nlri.clone(), &mut messages) {
                Ok(()) => extend(&mut runs, messages.len(), set.audience::<P>(shared, &settings.export)),
                Err(why) => {
                    unsent.of_mut(why).extend(nlri.clone().map(|n| n.prefix));
                    withheld.extend(nlri.map(|n| (n.prefix, n.path_id)));
                }
            }
        }
        let mut spares = BTreeMap::new();
        for (set, nlri) in &self.spares {
            let Some(set) = self.sets.get(*set) else { continue };
            let mut message = BytesMut::new();
            match set.encode(shared, &settings.export, std::iter::once(*nlri), &mut message) {
                Ok(()) => _ = spares.insert((nlri.prefix, nlri.path_id), message.freeze()),
                Err(why) => {
                    unsent.of_mut(why).insert(nlri.prefix);
                    withheld.push((nlri.prefix, nlri.path_id));
                }
            }
        }
        withheld.sort_unstable();
        let fits = |prefix: P, sent: &Sent| withheld.binary_search(&(prefix, sent.id)).is_err();
        let change = |(prefix, before, mut now): (P, Option<SentPaths>, Vec<Sent>)| {
            now.retain(|sent| fits(prefix, sent));
            let now = (!now.is_empty()).then(|| SentPaths::from(now));
            Change { prefix, now: same(&before, now), before }
        };
        let prefixes = self.prefixes.into_iter().map(change).collect();
        let (pending, messages) = (self.pending, messages.freeze());
        PathChunk { until, as_of, extent, pending, prefixes, unsent, messages, runs, spares }
    }
}

/// What a path of a prefix takes in a message (RFC 7911 section 3).
fn wire_length<P: Net>(nlri: Nlri<P>) -> usize {
    size_of_val(&nlri.path_id) + nlri.prefix.wire_length()
}

/// What is equal to what was there before is the same, so that members go on sharing it.
fn same(before: &Option<SentPaths>, now: Option<SentPaths>) -> Option<SentPaths> {
    if *before == now { before.clone() } else { now }
}

impl<P: Net> PathChunk<P> {
    /// Whether it brings a member of its group, which stands where it starts, up to date.
    pub(super) fn fits(&self, member: &Member<P>) -> bool {
        let has = |change: &Change<P>| match (member.sent.get(&change.prefix), &change.before) {
            (None, None) => true,
            (Some(sent), Some(before)) => Arc::ptr_eq(sent, before),
            _ => false,
        };
        match self.extent {
            // Its table may be older than what the member will hear of from the log.
            Extent::Whole => self.as_of >= member.progress.cursor && !self.is_personal(member),
            Extent::Difference => self.prefixes.iter().all(has),
        }
    }

    /// True if what the member was sent before belongs into the chunk: paths that cannot be decided over stay with it.
    pub(super) fn is_personal(&self, member: &Member<P>) -> bool {
        self.pending.iter().any(|prefix| member.sent.contains_key(prefix))
    }

    /// Appends what this member gets, and notes what it then has. Returns the octets appended.
    pub(super) fn deliver(
        &self,
        settings: &PathSettings,
        to: Receiver,
        member: &mut Member<P>,
        messages: &mut Vec<Bytes>,
    ) -> usize {
        let before = messages.len();
        let Noted { gone, spares } = self.note(to, member);
        let mut withdrawals = BytesMut::new();
        packer::unreach(gone, &settings.export.encode, &mut withdrawals);
        messages.extend(Some(withdrawals.freeze()).filter(|w| !w.is_empty()));
        let mut start = 0;
        for run in &self.runs {
            if run.audience.includes(to) {
                messages.push(self.messages.slice(start..run.end));
            }
            start = run.end;
        }
        messages.extend(spares);
        messages.iter().skip(before).map(Bytes::len).sum()
    }

    /// Notes what the member will have.
    fn note(&self, to: Receiver, member: &mut Member<P>) -> Noted<P> {
        let mut noted = Noted { gone: Vec::new(), spares: Vec::new() };
        for Change { prefix, now, .. } in &self.prefixes {
            let had = match now {
                Some(now) => member.sent.insert(*prefix, now.clone()),
                None => member.sent.remove(prefix),
            };
            let had = had.as_deref().unwrap_or_default();
            let had = || seen(had, to);
            let now = now.as_deref().unwrap_or_default();
            let now = || seen(now, to);
            member.paths = member.paths + now().count() as u32 - had().count() as u32;
            let left = had().filter(|old| !now().any(|sent| sent.id == old.id));
            noted.gone.extend(left.map(|old| Nlri { prefix: *prefix, path_id: old.id }));
            let known = |sent: &Sent| had().any(|old| old.id == sent.id && old.serial == sent.serial);
            let spares = now().filter(|sent| sent.standing != Standing::Regular);
            let fresh = spares.filter(|sent| self.extent == Extent::Whole || !known(sent));
            noted.spares.extend(fresh.filter_map(|sent| self.spares.get(&(*prefix, sent.id)).cloned()));
        }
        noted
    }

    /// Keeps account of prefixes with a path that cannot be sent; the first with one that is too long when there was none
    /// before, if that is news.
    pub(super) fn note_unsent(&self, known: &mut UnsentPrefixes<P>, told: &mut Told<P>) -> Option<IpNet> {
        let whole = self.prefixes.iter().filter(|change| change.now.is_some());
        told.sent(whole.map(|change| change.prefix).filter(|prefix| !self.unsent.too_long.contains(prefix)));
        let was_empty = known.too_long.is_empty();
        if !known.is_empty() {
            self.prefixes.iter().for_each(|change| known.remove(&change.prefix));
        }
        known.extend(&self.unsent);
        let prefix = self.unsent.too_long.first().filter(|_| was_empty)?;
        told.is_news(*prefix).then_some((*prefix).into())
    }

    /// Octets held.
    pub(super) fn size(&self) -> usize {
        let paths = self.prefixes.iter().map(|c| c.now.as_ref().map_or(0, |now| now.len()));
        let kept = self.prefixes.len() * size_of::<Change<P>>() + paths.sum::<usize>() * size_of::<Sent>();
        self.messages.len() + self.spares.values().map(Bytes::len).sum::<usize>() + kept
    }
}
