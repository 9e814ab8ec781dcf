//! Adj-RIB-Out: export groups, and each member's place in the table and in the change log.

use std::{collections::BTreeMap, sync::Arc};

use bytes::{Bytes, BytesMut};

use super::{chunk::Chunk, event::Work, export::ExportSettings, family::FamilyRib, shared::Shared};
use crate::{
    rib::{Bits, Net, RouteId},
    types::PeerId,
    wire::{EncodeContext, packer},
};

/// Octets of encoded chunks a group keeps for members that are behind; beyond it they are encoded for anew.
const CACHE: usize = 1 << 20;
/// Chunks without output gone through in one call.
const BARREN: usize = 8;

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
    cache: Cache<P>,
    /// How far the log has been looked through for output.
    scanned: u64,
}

/// Chunks by where they start.
#[derive(Debug)]
struct Cache<P> {
    walk: BTreeMap<RouteId, Arc<Chunk<P>>>,
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
    /// The next route of the walk through the whole table, which comes before the log.
    walk: Option<RouteId>,
    /// The last change seen.
    cursor: u64,
    /// Routes it has been sent and not told the end of.
    sent: Bits,
    end_of_rib: EndOfRib,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EndOfRib {
    Due,
    Sent,
}

impl Member {
    fn is_due(&self, deferring: bool) -> bool {
        self.end_of_rib == EndOfRib::Due && !deferring
    }
}

impl<P: Net> FamilyRib<P> {
    /// A session began: the peer is sent the whole table, then End-of-RIB, then changes.
    pub(super) fn join(&mut self, shared: &Shared, peer: PeerId) {
        let Some(settings) = settings::<P>(shared, peer) else { return };
        let cursor = self.table.head();
        let group = self.exports.enter(settings, cursor);
        let end_of_rib = EndOfRib::Due;
        let member = Member { group, walk: Some(0), cursor, sent: Bits::default(), end_of_rib };
        self.exports.members.insert(peer, member);
    }

    /// A session ended.
    pub(super) fn leave(&mut self, peer: PeerId) {
        if let Some(member) = self.exports.members.remove(&peer) {
            self.exports.exit(member.group);
        }
    }

    /// A session goes on under other settings: whatever they change is sent or withdrawn.
    pub(super) fn regroup(&mut self, shared: &Shared, peer: PeerId) {
        let Some(settings) = settings::<P>(shared, peer) else { return };
        let Some(mut member) = self.exports.members.remove(&peer) else { return };
        self.exports.exit(member.group);
        member.group = self.exports.enter(settings, self.table.head());
        if let Some(group) = self.exports.groups.get_mut(member.group) {
            group.known.union(&member.sent);
            group.cache = Cache::default();
        }
        member.walk = Some(0);
        self.exports.members.insert(peer, member);
    }

    /// Sends the whole table once more (RFC 2918).
    pub(super) fn resend(&mut self, peer: PeerId) {
        if let Some(member) = self.exports.members.get_mut(&peer) {
            member.walk = Some(0);
        }
    }

    /// Sends everybody the whole table once more: what may be exported has changed.
    pub(super) fn exports_changed(&mut self) {
        self.exports.groups.iter_mut().for_each(|g| g.cache = Cache::default());
        self.exports.members.values_mut().for_each(|m| m.walk = Some(0));
    }

    /// Peers for which something waits, ascending.
    pub(super) fn with_output(&self, shared: &Shared) -> impl Iterator<Item = PeerId> {
        let (head, deferring) = (self.table.head(), shared.deferring.contains(P::FAMILY));
        let waits = move |m: &Member| m.walk.is_some() || m.cursor < head || m.is_due(deferring);
        self.exports.members.iter().filter(move |(_, m)| waits(m)).map(|(id, _)| *id)
    }

    /// Whether something waits for this peer.
    pub(super) fn has_output(&self, shared: &Shared, peer: PeerId) -> bool {
        let deferring = shared.deferring.contains(P::FAMILY);
        self.exports
            .members
            .get(&peer)
            .is_some_and(|m| m.walk.is_some() || m.cursor < self.table.head() || m.is_due(deferring))
    }

    /// Appends messages for a peer until there are `budget` octets or no more.
    pub(super) fn poll_transmit(
        &mut self,
        shared: &mut Shared,
        peer: PeerId,
        budget: usize,
        messages: &mut Vec<Bytes>,
    ) -> Work {
        let Some(mut member) = self.exports.members.remove(&peer) else { return Work::Done };
        let work = self.advance(shared, peer, &mut member, budget, messages);
        self.exports.members.insert(peer, member);
        work
    }

    fn advance(
        &mut self,
        shared: &mut Shared,
        peer: PeerId,
        member: &mut Member,
        budget: usize,
        messages: &mut Vec<Bytes>,
    ) -> Work {
        let (mut octets, mut barren) = (0, 0);
        while octets < budget && barren < BARREN {
            if member.walk.is_some_and(|next| next >= self.table.bound()) {
                member.walk = None;
            }
            if member.walk.is_none() && member.is_due(shared.deferring.contains(P::FAMILY)) {
                member.end_of_rib = EndOfRib::Sent;
                octets += push_end_of_rib::<P>(messages);
                continue;
            }
            if member.walk.is_none() && member.cursor >= self.table.head() {
                return Work::Done;
            }
            let Some(chunk) = self.next_chunk(shared, member) else { return Work::Done };
            let Some(group) = self.exports.groups.get(member.group) else { return Work::Done };
            let appended = chunk.deliver(&group.settings, peer, &mut member.sent, messages);
            octets += appended;
            barren += usize::from(appended == 0);
            match &mut member.walk {
                Some(next) => *next = chunk.until.try_into().unwrap_or(RouteId::MAX),
                None => member.cursor = chunk.until,
            }
        }
        Work::Pending
    }

    /// The chunk at a member's place: kept, or encoded now.
    fn next_chunk(&mut self, shared: &mut Shared, member: &Member) -> Option<Arc<Chunk<P>>> {
        let group = self.exports.groups.get(member.group)?;
        if let Some(kept) = group.cache.find(member) {
            return Some(kept);
        }
        let (settings, known) = (&group.settings, &group.known);
        let chunk = Arc::new(match member.walk {
            Some(next) => self.encode_walk(shared, settings, known, next),
            None => {
                let stop = group.cache.log.range(member.cursor + 1..).next().map(|(start, _)| *start);
                self.encode_changes(shared, settings, known, member.cursor, stop)
            }
        });
        let group = self.exports.groups.get_mut(member.group)?;
        chunk.announced().for_each(|route| group.known.insert(route));
        if group.members > 1 {
            group.cache.keep(member, chunk.clone());
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
                *tip = member.cursor.max(*tip);
            }
        }
        let reached: Vec<_> = tips
            .iter()
            .enumerate()
            .map(|(group, tip)| self.scan_barren(shared, group, *tip, budget))
            .collect();
        for member in self.exports.members.values_mut() {
            if tips.get(member.group) == Some(&member.cursor) {
                member.cursor = reached.get(member.group).copied().unwrap_or(member.cursor);
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
            *budget -= 1;
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
        if self.table.is_quiet() && self.exports.groups.iter().all(|g| g.cache.size == 0) {
            return;
        }
        let cursors = self.exports.members.values().map(|m| m.cursor).chain(self.best.cursor());
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
            self.exports.groups.iter_mut().for_each(|g| _ = g.known.remove(route));
        }
        for (index, group) in self.exports.groups.iter_mut().enumerate() {
            if group.cache.size > 0 {
                let members = self.exports.members.values().filter(|m| m.group == index);
                group.cache.trim(members);
            }
        }
    }

    /// How many routes a peer has been sent.
    pub(super) fn advertised(&self, peer: PeerId) -> u32 {
        self.exports.members.get(&peer).map_or(0, |m| m.sent.len() as u32)
    }

    /// The settings of a peer's group, what the peer has been sent, and where it stands.
    pub(super) fn member(&self, peer: PeerId) -> Option<(&ExportSettings, &Member)> {
        let member = self.exports.members.get(&peer)?;
        Some((&self.exports.groups.get(member.group)?.settings, member))
    }
}

impl Member {
    /// Whether the peer has been sent this route.
    pub(super) fn has(&self, route: RouteId) -> bool {
        self.sent.contains(route)
    }

    /// Whether news of this route, last changed at `position` of the log if that is still there, wait.
    pub(super) fn awaits(&self, route: RouteId, position: Option<u64>) -> bool {
        self.walk.is_some_and(|next| next <= route) || position.is_some_and(|p| p > self.cursor)
    }
}

impl<P> Exports<P> {
    fn enter(&mut self, settings: ExportSettings, scanned: u64) -> usize {
        let index = match self.groups.iter().position(|g| g.members > 0 && g.settings == settings) {
            Some(index) => index,
            None => {
                let (known, cache) = (Bits::default(), Cache::default());
                let group = Group { settings, members: 0, known, cache, scanned };
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
                (group.known, group.cache) = (Bits::default(), Cache::default());
            }
        }
    }
}

impl<P: Net> Cache<P> {
    fn find(&self, member: &Member) -> Option<Arc<Chunk<P>>> {
        match member.walk {
            // Its table may be older than what the member will hear of from the log.
            Some(next) => self.walk.get(&next).filter(|c| c.as_of >= member.cursor).cloned(),
            None => self.log.get(&member.cursor).cloned(),
        }
    }

    fn keep(&mut self, member: &Member, chunk: Arc<Chunk<P>>) {
        if self.size + chunk.size() > CACHE {
            *self = Self::default();
        }
        self.size += chunk.size();
        let replaced = match member.walk {
            Some(next) => self.walk.insert(next, chunk),
            None => self.log.insert(member.cursor, chunk),
        };
        self.size -= replaced.map_or(0, |c| c.size());
    }

    /// Drops chunks no member will come to.
    fn trim<'a>(&mut self, members: impl Iterator<Item = &'a Member>) {
        let (mut walk, mut log) = (RouteId::MAX, u64::MAX);
        for member in members {
            walk = walk.min(member.walk.unwrap_or(RouteId::MAX));
            log = log.min(member.cursor);
        }
        self.walk.retain(|start, _| *start >= walk);
        self.log.retain(|start, _| *start >= log);
        self.size = self.walk.values().chain(self.log.values()).map(|c| c.size()).sum();
    }
}

/// What a peer with a session is to be sent by.
fn settings<P: Net>(shared: &Shared, id: PeerId) -> Option<ExportSettings> {
    let peer = shared.peer(id)?;
    let session = peer.session.as_ref()?;
    Some(ExportSettings {
        kind: session.kind,
        reflection: peer.config.reflection,
        next_hop: peer.config.next_hop,
        own: shared.own_next_hop::<P>(session.addresses.local),
        policy: peer.config.export.clone(),
        peer: peer.config.export.names_peers().then(|| (peer.config.name.clone(), peer.config.address)),
        asn: shared.asn,
        encode: EncodeContext::new(&session.negotiated, session.kind),
    })
}

fn push_end_of_rib<P: Net>(messages: &mut Vec<Bytes>) -> usize {
    let mut out = BytesMut::new();
    packer::end_of_rib(P::FAMILY, &mut out);
    let length = out.len();
    messages.push(out.freeze());
    length
}
