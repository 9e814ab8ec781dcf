//! A stretch of the table or of the change log, encoded once for a whole export group.
//!
//! Members differ in two things only: a route has an audience, and a withdrawal goes to those who have the
//! route. The first is a rule at each run of messages, the second is asked of the
//! member's own bits; only a member that has fewer of the withdrawn routes than the others is encoded for.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::{
    audience::{Audience, Receiver},
    export::{Counted, ExportSettings},
    family::FamilyRib,
    progress::Scope,
    sets::{OutgoingPath, Sets, Unsent},
    shared::Shared,
};
use crate::{
    policy::Modifying,
    rib::{Bits, LOCAL, Net, RouteId},
    wire::{nlri::Nlri, packer},
};

/// Most routes announced in one chunk.
const MAX_ROUTES: usize = 2048;
/// Most distinct sets of attributes in one chunk.
const MAX_SETS: usize = 512;
/// Most routes looked at for one chunk; one whose policy has many terms counts for several.
const MAX_SCAN: usize = 4 * 1024;

/// One encoded stretch.
#[derive(Debug)]
pub(super) struct Chunk<P> {
    /// Where the stretch ends: a position in the log, or a route id in the walk.
    pub(super) until: u64,
    /// The newest change it can have seen.
    pub(super) as_of: u64,
    announced: Vec<(RouteId, Audience, P)>,
    withdrawn: Vec<(RouteId, P)>,
    /// Of the withdrawn, those that cannot be sent.
    unsent: Vec<(RouteId, P, Unsent)>,
    messages: Bytes,
    runs: Vec<Run>,
    withdrawals: Bytes,
}

/// Messages up to `end`, and who gets them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) end: usize,
    pub(super) audience: Audience,
}

/// Routes collected for one chunk, by outgoing attributes.
struct Gathered<P> {
    sets: Sets,
    routes: Vec<(usize, RouteId, P)>,
    withdrawn: Vec<(RouteId, P)>,
}

impl<P: Net> FamilyRib<P> {
    /// Encodes the changes behind `cursor`, or a part of them.
    pub(super) fn encode_changes(
        &self,
        shared: &mut Shared,
        settings: &ExportSettings,
        known: &Bits,
        cursor: u64,
        stop: Option<u64>,
    ) -> Chunk<P> {
        let stop = stop.unwrap_or(u64::MAX);
        let changes = self.table.changes_raw(cursor).take_while(|(position, _)| *position <= stop);
        self.encode(shared, settings, known, changes, self.table.head().min(stop))
    }

    /// Encodes the routes of this scope from id `next` on, or a part of them.
    pub(super) fn encode_walk(
        &self,
        shared: &mut Shared,
        settings: &ExportSettings,
        known: &Bits,
        (next, scope): (RouteId, Scope),
    ) -> Chunk<P> {
        let bound = self.table.bound();
        let told = |route: RouteId| scope == Scope::Learned && self.is_own(settings, route);
        let routes = (next..bound).map(|route| (u64::from(route) + 1, (!told(route)).then_some(route)));
        self.encode(shared, settings, known, routes, bound.into())
    }

    /// Whether what the group is sent of this route is of our own making.
    fn is_own(&self, settings: &ExportSettings, route: RouteId) -> bool {
        let Some(entry) = self.table.get(route) else { return false };
        let sent = self.promised_to(settings, entry).or(entry.best().copied());
        sent.is_some_and(|path| path.peer == LOCAL)
    }

    /// Whether the group would send anything about this route.
    pub(super) fn concerns(
        &self,
        shared: &Shared,
        settings: &ExportSettings,
        known: &Bits,
        route: RouteId,
    ) -> bool {
        known.contains(route) || self.outgoing(shared, settings, route, Counted::Refusals).is_some()
    }

    /// How a route goes to a group: its best path, that path's attributes, and the export policy's changes.
    pub(super) fn outgoing(
        &self,
        shared: &Shared,
        settings: &ExportSettings,
        route: RouteId,
        counted: Counted,
    ) -> Option<OutgoingPath> {
        let entry = self.table.get(route)?;
        if let Some(path) = self.promised_to(settings, entry) {
            return Some(OutgoingPath { path, attributes: path.attributes, modifying: Modifying::new() });
        }
        let path = *entry.best()?;
        let attributes = self.effective(route, &path);
        let known = shared.attributes.get(attributes)?;
        settings.permit::<P>(shared, &path, known).ok()?;
        let modifying = settings.consent(shared, entry.prefix, &path, known, counted).ok()?;
        Some(OutgoingPath { path, attributes, modifying })
    }

    fn encode(
        &self,
        shared: &mut Shared,
        settings: &ExportSettings,
        known: &Bits,
        mut routes: impl Iterator<Item = (u64, Option<RouteId>)>,
        end: u64,
    ) -> Chunk<P> {
        let mut gathered = Gathered::new(settings);
        let mut until = end;
        let mut scanned = 0;
        for (position, route) in routes.by_ref() {
            if let Some(route) = route {
                self.gather(shared, settings, known, route, &mut gathered);
            }
            scanned += settings.policy.effort();
            if scanned >= MAX_SCAN || gathered.is_full() {
                until = position;
                break;
            }
        }
        gathered.encode(shared, settings, until, self.table.head())
    }

    fn gather(
        &self,
        shared: &Shared,
        settings: &ExportSettings,
        known: &Bits,
        route: RouteId,
        into: &mut Gathered<P>,
    ) {
        let Some(entry) = self.table.get(route) else { return };
        match self.outgoing(shared, settings, route, Counted::All) {
            Some(outgoing) => {
                let set = into.sets.number(shared, outgoing);
                into.add(set, route, entry.prefix);
            }
            None if entry.is_undecided() => {}
            None if known.contains(route) => into.withdrawn.push((route, entry.prefix)),
            None => {}
        }
    }
}

impl<P: Net> Gathered<P> {
    fn new(settings: &ExportSettings) -> Self {
        let sets = Sets::new(settings.encode.max_message);
        Self { sets, routes: Vec::new(), withdrawn: Vec::new() }
    }

    fn is_full(&self) -> bool {
        let routes = self.routes.len() + self.withdrawn.len();
        routes >= MAX_ROUTES || self.sets.len() >= MAX_SETS || self.sets.is_full()
    }

    fn add(&mut self, set: usize, route: RouteId, prefix: P) {
        self.sets.share(set, prefix.wire_length());
        self.routes.push((set, route, prefix));
    }

    fn encode(mut self, shared: &mut Shared, settings: &ExportSettings, until: u64, as_of: u64) -> Chunk<P> {
        self.routes.sort_by_key(|(set, ..)| *set);
        let (mut messages, mut runs) = (BytesMut::new(), Vec::new());
        let mut announced = Vec::with_capacity(self.routes.len());
        let mut unsent = Vec::new();
        for routes in self.routes.chunk_by(|a, b| a.0 == b.0) {
            let Some(set) = routes.first().and_then(|(set, ..)| self.sets.get(*set)) else { continue };
            let nlri = routes.iter().map(|(.., prefix)| Nlri::from(*prefix));
            if let Err(why) = set.encode(shared, settings, nlri, &mut messages) {
                self.withdrawn.extend(routes.iter().map(|(_, route, prefix)| (*route, *prefix)));
                unsent.extend(routes.iter().map(|(_, route, prefix)| (*route, *prefix, why)));
                continue;
            }
            let audience = set.audience::<P>(shared, settings);
            announced.extend(routes.iter().map(|(_, route, prefix)| (*route, audience, *prefix)));
            extend(&mut runs, messages.len(), audience);
        }
        let withdrawals = withdraw(settings, self.withdrawn.iter().map(|(_, prefix)| *prefix));
        let withdrawn = self.withdrawn;
        Chunk { until, as_of, announced, withdrawn, unsent, messages: messages.freeze(), runs, withdrawals }
    }
}

/// Says who gets the messages up to `end`.
pub(super) fn extend(runs: &mut Vec<Run>, end: usize, audience: Audience) {
    match runs.last_mut() {
        Some(run) if run.audience == audience => run.end = end,
        _ => runs.push(Run { end, audience }),
    }
}

fn withdraw<P: Net>(settings: &ExportSettings, prefixes: impl Iterator<Item = P>) -> Bytes {
    let mut out = BytesMut::new();
    packer::unreach(prefixes.map(Nlri::from), &settings.encode, &mut out);
    out.freeze()
}

impl<P: Net> Chunk<P> {
    /// Appends what this member gets, and notes in `sent` what it then has. Returns the octets appended.
    pub(super) fn deliver(
        self: &Arc<Self>,
        settings: &ExportSettings,
        to: Receiver,
        sent: &mut Bits,
        messages: &mut Vec<Bytes>,
    ) -> usize {
        let before = messages.len();
        self.deliver_withdrawals(settings, to, sent, messages);
        let mut pending: Option<(usize, usize)> = None;
        let mut start = 0;
        for run in &self.runs {
            if run.audience.includes(to) {
                pending = Some((pending.map_or(start, |(from, _)| from), run.end));
            } else {
                messages.extend(pending.take().map(|(from, end)| self.messages.slice(from..end)));
            }
            start = run.end;
        }
        messages.extend(pending.map(|(from, end)| self.messages.slice(from..end)));
        messages.iter().skip(before).map(Bytes::len).sum()
    }

    fn deliver_withdrawals(
        &self,
        settings: &ExportSettings,
        to: Receiver,
        sent: &mut Bits,
        messages: &mut Vec<Bytes>,
    ) {
        let mut returned = Vec::new();
        for (route, audience, prefix) in &self.announced {
            if audience.includes(to) {
                sent.insert(*route);
            } else if sent.remove(*route) {
                returned.push(*prefix);
            }
        }
        let had: Vec<_> = self.withdrawn.iter().filter(|(route, _)| sent.remove(*route)).collect();
        if returned.is_empty() && had.len() == self.withdrawn.len() {
            messages.extend(Some(self.withdrawals.clone()).filter(|w| !w.is_empty()));
            return;
        }
        let prefixes = returned.into_iter().chain(had.into_iter().map(|(_, prefix)| *prefix));
        messages.extend(Some(withdraw(settings, prefixes)).filter(|w| !w.is_empty()));
    }

    /// Routes that cannot be sent, and why.
    pub(super) fn unsent(&self) -> &[(RouteId, P, Unsent)] {
        &self.unsent
    }

    /// Routes that are withdrawn, those that cannot be sent included.
    pub(super) fn withdrawn(&self) -> impl Iterator<Item = RouteId> + '_ {
        self.withdrawn.iter().map(|(route, _)| *route)
    }

    /// Routes announced to somebody.
    pub(super) fn announced(&self) -> impl Iterator<Item = RouteId> + '_ {
        self.announced.iter().map(|(route, ..)| *route)
    }

    /// The prefixes announced to somebody.
    pub(super) fn sendable(&self) -> impl Iterator<Item = P> + '_ {
        self.announced.iter().map(|(.., prefix)| *prefix)
    }

    /// Octets held.
    pub(super) fn size(&self) -> usize {
        let ids = self.announced.len() * size_of::<(RouteId, Audience, P)>();
        self.messages.len() + self.withdrawals.len() + ids
    }
}
