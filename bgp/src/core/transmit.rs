//! Adj-RIB-Out: export groups, and each member's place in the table and in the change log.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use bytes::Bytes;
use ipnet::IpNet;

use super::{
    audience::Receiver,
    chunk::Chunk,
    egress::Rewrite,
    event::{Action, Warning, Work},
    export::ExportSettings,
    family::FamilyRib,
    progress::{Markers, Place, Progress, Scope, Stretch, Surroundings, advance},
    sets::Unsent,
    shared::Shared,
    told::Told,
};
use crate::{
    rib::{Bits, Net, RouteId},
    types::PeerId,
    wire::EncodeContext,
};

/// Octets of encoded chunks a group keeps for members that are behind; beyond it they are encoded for anew.
const CACHE: usize = 1 << 20;

/// All groups and members of a family.
#[derive(Debug)]
pub(super) struct Exports<P> {
    groups: Vec<Group<P>>,
    members: BTreeMap<PeerId, Member>,
}

impl<P> Default for Exports<P> {
    fn default() -> Self {
        Self { groups: Vec::new(), members: BTreeMap::new() }
    }
}

/// Peers that are sent the same.
#[derive(Debug)]
struct Group<P> {
    settings: ExportSettings,
    members: usize,
    /// Routes that some member may have.
    known: Bits,
    /// Routes that no member has because they cannot be sent to it.
    unsent: UnsentRoutes,
    told: Told<P>,
    cache: Cache<P>,
    /// How far the log has been looked through for output.
    scanned: u64,
}

/// Routes that cannot be sent, by the reason.
#[derive(Debug, Default)]
struct UnsentRoutes {
    too_long: Bits,
    no_next_hop: Bits,
}

impl UnsentRoutes {
    fn of(&self, why: Unsent) -> &Bits {
        match why {
            Unsent::TooLong => &self.too_long,
            Unsent::NoNextHop => &self.no_next_hop,
        }
    }

    fn insert(&mut self, route: RouteId, why: Unsent) {
        match why {
            Unsent::TooLong => self.too_long.insert(route),
            Unsent::NoNextHop => self.no_next_hop.insert(route),
        }
    }

    fn remove(&mut self, route: RouteId) {
        self.too_long.remove(route);
        self.no_next_hop.remove(route);
    }

    fn is_empty(&self) -> bool {
        self.too_long.len() == 0 && self.no_next_hop.len() == 0
    }
}

/// Chunks by where they start.
#[derive(Debug)]
struct Cache<P> {
    walk: BTreeMap<(RouteId, Scope), Arc<Chunk<P>>>,
    log: BTreeMap<u64, Arc<Chunk<P>>>,
    size: usize,
}

impl<P> Default for Cache<P> {
    fn default() -> Self {
        Self { walk: BTreeMap::new(), log: BTreeMap::new(), size: 0 }
    }
}

/// One peer's place.
#[derive(Debug)]
pub(super) struct Member {
    group: usize,
    progress: Progress,
    /// Routes it has been sent and not told the end of.
    sent: Bits,
}

impl<P: Net> FamilyRib<P> {
    /// A session began: the peer is sent the whole table, then End-of-RIB, then changes.
    pub(super) fn join(&mut self, shared: &Shared, peer: PeerId) {
        let Some(settings) = settings::<P>(shared, peer) else { return };
        if settings.encode.add_path.contains(P::FAMILY) {
            return self.paths.join(shared, peer, settings);
        }
        let cursor = self.table.head();
        let group = self.exports.enter(settings, cursor);
        let member = Member { group, progress: Progress::new(cursor), sent: Bits::default() };
        self.exports.members.insert(peer, member);
    }

    /// A session ended.
    pub(super) fn leave(&mut self, peer: PeerId) {
        self.paths.leave(peer);
        if let Some(member) = self.exports.members.remove(&peer) {
            self.exports.exit(member.group);
        }
    }

    /// A session goes on under other settings: whatever they change is sent or withdrawn.
    pub(super) fn regroup(&mut self, shared: &Shared, peer: PeerId) {
        let Some(settings) = settings::<P>(shared, peer) else { return };
        let Some(mut member) = self.exports.members.remove(&peer) else {
            return self.paths.regroup(shared, peer, settings);
        };
        self.exports.exit(member.group);
        member.group = self.exports.enter(settings, self.table.head());
        if let Some(group) = self.exports.groups.get_mut(member.group) {
            group.known.union(&member.sent);
            group.cache = Cache::default();
        }
        member.progress.restart();
        self.exports.members.insert(peer, member);
    }

    /// Sends the whole table once more (RFC 2918, RFC 7313).
    pub(super) fn resend(&mut self, peer: PeerId, markers: Markers) {
        self.paths.resend(peer, markers);
        if let Some(member) = self.exports.members.get_mut(&peer) {
            member.progress.refresh(markers);
        }
    }

    /// Sends everybody the whole table once more: what may be exported has changed.
    pub(super) fn exports_changed(&mut self) {
        self.exports.groups.iter_mut().for_each(|g| g.cache = Cache::default());
        self.exports.members.values_mut().for_each(|m| m.progress.restart());
        self.paths.exports_changed();
    }

    /// Sends everybody what was withheld while route selection was deferred.
    pub(super) fn selection_begins(&mut self) {
        self.exports.groups.iter_mut().for_each(|g| g.cache = Cache::default());
        self.exports.members.values_mut().for_each(|m| m.progress.selected());
        self.paths.selection_begins();
    }

    /// Sends those everything once more to whom it matters how a next hop is reached: their policy asks for interfaces,
    /// or the next hop is on the link shared with them and may be passed on.
    pub(super) fn way_changed(&mut self, next_hop: IpAddr) {
        let asks = |group: &Group<P>| group.settings.depends_on_way(next_hop);
        self.exports.groups.iter_mut().filter(|g| asks(g)).for_each(|g| g.cache = Cache::default());
        for member in self.exports.members.values_mut() {
            if self.exports.groups.get(member.group).is_some_and(asks) {
                member.progress.restart();
            }
        }
        self.paths.way_changed(next_hop);
    }

    /// Peers for which something waits.
    pub(super) fn with_output(&self, shared: &Shared) -> impl Iterator<Item = PeerId> {
        let (head, deferring) = (self.table.head(), shared.deferring.contains(P::FAMILY));
        let waiting = self.exports.members.iter().filter(move |(_, m)| m.progress.waits(head, deferring));
        waiting.map(|(id, _)| *id).chain(self.paths.with_output(deferring))
    }

    /// Whether something waits for this peer.
    pub(super) fn has_output(&self, shared: &Shared, peer: PeerId) -> bool {
        let deferring = shared.deferring.contains(P::FAMILY);
        let member = self.exports.members.get(&peer);
        member.is_some_and(|m| m.progress.waits(self.table.head(), deferring))
            || self.paths.has_output(peer, deferring)
    }

    /// Appends messages for a peer until there are `budget` octets or no more.
    pub(super) fn poll_transmit(
        &mut self,
        shared: &mut Shared,
        peer: PeerId,
        budget: usize,
        messages: &mut Vec<Bytes>,
    ) -> Work {
        let Some(mut member) = self.exports.members.remove(&peer) else {
            return self.transmit_paths(shared, peer, budget, messages);
        };
        let to = Receiver::new(shared, peer);
        let around = self.surroundings(shared, self.table.head());
        let work = advance(&mut member, around, budget, messages, |member, place, messages| {
            let chunk = self.next_chunk(shared, member, place)?;
            let group = self.exports.groups.get(member.group)?;
            let octets = chunk.deliver(&group.settings, to, &mut member.sent, messages);
            Some(Stretch { until: chunk.until, octets })
        });
        self.exports.members.insert(peer, member);
        work
    }

    /// What the progress of a member depends on; `head` is that of its log.
    pub(super) fn surroundings(&self, shared: &Shared, head: u64) -> Surroundings {
        let deferring = shared.deferring.contains(P::FAMILY);
        Surroundings { family: P::FAMILY, bound: self.table.bound(), head, deferring }
    }

    /// The chunk at a member's place: kept, or encoded now.
    fn next_chunk(&mut self, shared: &mut Shared, member: &Member, place: Place) -> Option<Arc<Chunk<P>>> {
        let group = self.exports.groups.get(member.group)?;
        if let Some(kept) = group.cache.find(place, member.progress.cursor) {
            return Some(kept);
        }
        let (settings, known) = (&group.settings, &group.known);
        let chunk = Arc::new(match place {
            Place::Walk(next, scope) => self.encode_walk(shared, settings, known, (next, scope)),
            Place::Log(cursor) => {
                let stop = group.cache.log.range(cursor + 1..).next().map(|(start, _)| *start);
                self.encode_changes(shared, settings, known, cursor, stop)
            }
        });
        let group = self.exports.groups.get_mut(member.group)?;
        chunk.announced().for_each(|route| group.known.insert(route));
        if let Some(prefix) = group.note_unsent(&chunk) {
            shared.actions.push_back(Action::Warn(Warning::AttributesTooLong { prefix }));
        }
        if group.members > 1 {
            group.cache.keep(place, chunk.clone());
        }
        Some(chunk)
    }

    /// Moves members past changes that mean nothing to them; `budget` counts changes down.
    pub(super) fn skip_barren(&mut self, shared: &Shared, budget: &mut usize) -> Work {
        if self.table.is_quiet() {
            return Work::Done;
        }
        let mut tips = vec![0; self.exports.groups.len()];
        for member in self.exports.members.values() {
            if let Some(tip) = tips.get_mut(member.group) {
                *tip = member.progress.cursor.max(*tip);
            }
        }
        let reached: Vec<_> = tips
            .iter()
            .enumerate()
            .map(|(group, tip)| self.scan_barren(shared, group, *tip, budget))
            .collect();
        for member in self.exports.members.values_mut() {
            if tips.get(member.group) == Some(&member.progress.cursor) {
                member.progress.cursor = reached.get(member.group).copied().unwrap_or(member.progress.cursor);
            }
        }
        if *budget == 0 { Work::Pending } else { Work::Done }
    }

    /// How far from `tip` on the log means nothing to a group.
    fn scan_barren(&mut self, shared: &Shared, index: usize, tip: u64, budget: &mut usize) -> u64 {
        let Some(group) = self.exports.groups.get(index).filter(|g| g.members > 0) else { return tip };
        let mut reached = tip;
        let mut stopped = group.scanned > tip;
        for (position, route) in self.table.changes_raw(tip) {
            if stopped || *budget == 0 {
                break;
            }
            *budget = budget.saturating_sub(group.settings.policy.effort());
            stopped = route.is_some_and(|r| self.concerns(shared, &group.settings, &group.known, r));
            if !stopped {
                reached = position;
            }
        }
        if let Some(group) = self.exports.groups.get_mut(index) {
            group.scanned = if stopped { reached + 1 } else { reached };
        }
        reached
    }

    /// Lets go of what every reader has passed.
    pub(super) fn trim(&mut self) {
        self.trim_paths();
        if self.table.is_quiet() && self.exports.groups.iter().all(|g| g.cache.size == 0) {
            return;
        }
        let cursors = self.exports.members.values().map(|m| m.progress.cursor).chain(self.best.cursor());
        let passed = cursors.min().unwrap_or(self.table.head());
        let mut freed = self.table.trim(passed);
        let (members, installed) = (&self.exports.members, &self.best);
        let needed = |route| installed.has(route) || members.values().any(|m| m.has(route));
        let useless = self.table.review(needed);
        if !useless.is_empty() {
            // What is kept encoded speaks of these ids, which other routes may get.
            self.exports.groups.iter_mut().for_each(|g| g.cache = Cache::default());
            freed.extend(useless);
        }
        for route in freed {
            for group in &mut self.exports.groups {
                group.known.remove(route);
                group.unsent.remove(route);
            }
        }
        for (index, group) in self.exports.groups.iter_mut().enumerate() {
            if group.cache.size > 0 {
                let members = self.exports.members.values().filter(|m| m.group == index);
                group.cache.trim(members);
            }
        }
    }

    /// How many routes a peer has been sent; each of their paths counts, where it takes several.
    pub(super) fn advertised(&self, peer: PeerId) -> u32 {
        let sent = self.exports.members.get(&peer).map(|m| m.sent.len() as u32);
        sent.unwrap_or_else(|| self.paths.advertised(peer))
    }

    /// How many routes a peer is not sent for this reason.
    pub(super) fn unsent(&self, peer: PeerId, why: Unsent) -> u32 {
        let group = self.exports.members.get(&peer).and_then(|m| self.exports.groups.get(m.group));
        group.map_or_else(|| self.paths.unsent(peer, why), |group| group.unsent.of(why).len() as u32)
    }

    /// The settings of a peer's group, what the peer has been sent, and where it stands.
    pub(super) fn member(&self, peer: PeerId) -> Option<(&ExportSettings, &Member)> {
        let member = self.exports.members.get(&peer)?;
        Some((&self.exports.groups.get(member.group)?.settings, member))
    }
}

impl AsMut<Progress> for Member {
    fn as_mut(&mut self) -> &mut Progress {
        &mut self.progress
    }
}

impl Member {
    /// Whether the peer has been sent this route.
    pub(super) fn has(&self, route: RouteId) -> bool {
        self.sent.contains(route)
    }

    /// Whether news of this route, last changed at `position` of the log if that is still there, wait.
    pub(super) fn awaits(&self, route: RouteId, position: Option<u64>) -> bool {
        self.progress.awaits(route, position)
    }
}

impl<P> Exports<P> {
    fn enter(&mut self, settings: ExportSettings, scanned: u64) -> usize {
        let index = match self.groups.iter().position(|g| g.members > 0 && g.settings == settings) {
            Some(index) => index,
            None => {
                let group = Group {
                    settings,
                    members: 0,
                    known: Bits::default(),
                    unsent: UnsentRoutes::default(),
                    told: Told::default(),
                    cache: Cache::default(),
                    scanned,
                };
                match self.groups.iter().position(|g| g.members == 0) {
                    Some(index) => {
                        if let Some(slot) = self.groups.get_mut(index) {
                            *slot = group;
                        }
                        index
                    }
                    None => {
                        self.groups.push(group);
                        self.groups.len() - 1
                    }
                }
            }
        };
        if let Some(group) = self.groups.get_mut(index) {
            group.members += 1;
        }
        index
    }

    fn exit(&mut self, index: usize) {
        if let Some(group) = self.groups.get_mut(index) {
            group.members -= 1;
            if group.members == 0 {
                (group.known, group.unsent, group.told, group.cache) = Default::default();
            }
        }
    }
}

impl<P: Net> Group<P> {
    /// Keeps account of routes that cannot be sent; the first that is too long when there was none before, if that is news.
    fn note_unsent(&mut self, chunk: &Chunk<P>) -> Option<IpNet> {
        self.told.sent(chunk.sendable());
        if self.unsent.is_empty() && chunk.unsent().is_empty() {
            return None;
        }
        let was_empty = self.unsent.too_long.len() == 0;
        chunk.announced().chain(chunk.withdrawn()).for_each(|route| self.unsent.remove(route));
        chunk.unsent().iter().for_each(|(route, _, why)| self.unsent.insert(*route, *why));
        let mut too_long = chunk.unsent().iter().filter(|(.., why)| *why == Unsent::TooLong);
        let (_, prefix, _) = too_long.next().filter(|_| was_empty)?;
        self.told.is_news(*prefix).then_some((*prefix).into())
    }
}

impl<P: Net> Cache<P> {
    /// The chunk that begins at this place, for a member that has seen the changes up to `cursor`.
    fn find(&self, place: Place, cursor: u64) -> Option<Arc<Chunk<P>>> {
        match place {
            // Its table may be older than what the member will hear of from the log.
            Place::Walk(next, scope) => {
                self.walk.get(&(next, scope)).filter(|chunk| chunk.as_of >= cursor).cloned()
            }
            Place::Log(cursor) => self.log.get(&cursor).cloned(),
        }
    }

    fn keep(&mut self, place: Place, chunk: Arc<Chunk<P>>) {
        if self.size + chunk.size() > CACHE {
            *self = Self::default();
        }
        self.size += chunk.size();
        let replaced = match place {
            Place::Walk(next, scope) => self.walk.insert((next, scope), chunk),
            Place::Log(cursor) => self.log.insert(cursor, chunk),
        };
        self.size -= replaced.map_or(0, |c| c.size());
    }

    /// Drops chunks no member will come to.
    fn trim<'a>(&mut self, members: impl Iterator<Item = &'a Member>) {
        let (mut walk, mut log) = (RouteId::MAX, u64::MAX);
        for member in members {
            walk = walk.min(member.progress.walk.unwrap_or(RouteId::MAX));
            log = log.min(member.progress.cursor);
        }
        self.walk.retain(|(start, _), _| *start >= walk);
        self.log.retain(|start, _| *start >= log);
        self.size = self.walk.values().chain(self.log.values()).map(|c| c.size()).sum();
    }
}

/// What a peer with a session is to be sent by.
fn settings<P: Net>(shared: &Shared, id: PeerId) -> Option<ExportSettings> {
    let peer = shared.peer(id)?;
    let session = peer.session.as_ref()?;
    Some(ExportSettings {
        kind: session.kind(),
        reflection: peer.config.reflection,
        next_hop: peer.config.next_hop,
        own: shared.own_next_hop::<P>(session),
        policy: peer.config.export.clone(),
        peer: peer.config.export.names_peers().then(|| (peer.config.name.clone(), peer.config.address)),
        asn: peer.config.switches.local_as.map_or(shared.asn, |local| local.asn),
        encode: EncodeContext::new(&session.negotiated),
        rewrite: Rewrite::of(shared, peer),
    })
}
