//! Adj-RIB-Out of peers that take several paths for one prefix (RFC 7911).
//!
//! They have a log of their own, which any change of a route's paths is written to, so that peers that are sent the
//! best path only neither pay for it nor hear of it. A member remembers by prefix which paths it has been sent:
//! what is withdrawn is the difference. Members that stand at the same place and have been sent the same, which is
//! the rule, share what is encoded.

mod chunk;
mod log;
mod names;
mod reading;
mod select;
mod unsent;

use std::{collections::BTreeMap, net::IpAddr, num::NonZeroU16, sync::Arc};

use bytes::Bytes;
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

pub(super) use self::names::PathNames;
use self::{chunk::PathChunk, log::PrefixLog, unsent::UnsentPrefixes};
use super::{
    audience::{Audience, Receiver},
    event::{Action, Warning, Work},
    export::ExportSettings,
    family::FamilyRib,
    progress::{Markers, Place, Progress, Stretch, advance},
    sets::Unsent,
    shared::Shared,
    told::Told,
};
use crate::{
    rib::{Net, RouteId},
    types::PeerId,
};

/// Octets of encoded chunks a group keeps for members that are behind.
const CACHE: usize = 1 << 20;

/// A path as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sent {
    /// The path identifier we gave it.
    id: u32,
    audience: Audience,
    /// The serial number of its attributes.
    serial: u32,
    standing: Standing,
}

/// Whether a path is among as many as the group takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// It is: its whole audience gets it.
    Regular,
    /// So many others are beyond these and better: it goes to members that do not get more than that of the better ones.
    Spare(u16),
}

/// The paths of one prefix that are sent, ascending by identifier; those that some member does not get included.
type SentPaths = Arc<[Sent]>;

/// Of these paths, those that a member has.
fn seen(paths: &[Sent], to: Receiver) -> impl Iterator<Item = &Sent> {
    let lacks = move |spare: &Sent| {
        let better = paths.iter().filter(|sent| sent.standing < spare.standing);
        better.filter(|sent| !sent.audience.includes(to)).count()
    };
    paths.iter().filter(move |sent| {
        sent.audience.includes(to)
            && match sent.standing {
                Standing::Regular => true,
                Standing::Spare(others) => usize::from(others) < lacks(sent),
            }
    })
}

/// What the members of a group have in common.
#[derive(Debug, PartialEq)]
struct PathSettings {
    export: ExportSettings,
    /// The most paths of each prefix.
    limit: NonZeroU16,
}

#[derive(Debug)]
struct Group<P> {
    settings: PathSettings,
    members: usize,
    cache: BTreeMap<Place, Arc<PathChunk<P>>>,
    /// Octets in it.
    size: usize,
    /// Prefixes some path of which cannot be sent to the members.
    unsent: UnsentPrefixes<P>,
    told: Told<P>,
}

#[derive(Debug)]
struct Member<P> {
    group: u32,
    progress: Progress,
    sent: HashMap<P, SentPaths, FxBuildHasher>,
    /// Paths it has: of those in `sent`, the ones that are meant for it.
    paths: u32,
}

impl<P> AsMut<Progress> for Member<P> {
    fn as_mut(&mut self) -> &mut Progress {
        &mut self.progress
    }
}

/// All groups and members of a family.
#[derive(Debug)]
pub(super) struct PathExports<P: Net> {
    groups: BTreeMap<u32, Group<P>>,
    members: BTreeMap<PeerId, Member<P>>,
    log: PrefixLog<P>,
}

impl<P: Net> Default for PathExports<P> {
    fn default() -> Self {
        Self { groups: BTreeMap::new(), members: BTreeMap::new(), log: PrefixLog::default() }
    }
}

impl<P: Net> PathExports<P> {
    /// Whether anybody is to be told of every path.
    pub(super) fn is_active(&self) -> bool {
        !self.members.is_empty()
    }

    /// Writes down that paths of this prefix have changed.
    pub(super) fn note(&mut self, prefix: P) {
        self.log.note(prefix);
    }

    pub(super) fn join(&mut self, shared: &Shared, peer: PeerId, export: ExportSettings) {
        let group = self.enter(settings::<P>(shared, peer, export));
        let progress = Progress::new(self.log.head());
        self.members.insert(peer, Member { group, progress, sent: HashMap::default(), paths: 0 });
    }

    pub(super) fn leave(&mut self, peer: PeerId) {
        if let Some(member) = self.members.remove(&peer) {
            self.exit(member.group);
        }
        if self.members.is_empty() {
            self.log = PrefixLog::default();
        }
    }

    pub(super) fn regroup(&mut self, shared: &Shared, peer: PeerId, export: ExportSettings) {
        let Some(mut member) = self.members.remove(&peer) else { return };
        self.exit(member.group);
        member.group = self.enter(settings::<P>(shared, peer, export));
        member.progress.restart();
        self.members.insert(peer, member);
    }

    pub(super) fn resend(&mut self, peer: PeerId, markers: Markers) {
        if let Some(member) = self.members.get_mut(&peer) {
            member.progress.refresh(markers);
        }
    }

    pub(super) fn exports_changed(&mut self) {
        self.groups.values_mut().for_each(Group::clear);
        self.members.values_mut().for_each(|m| m.progress.restart());
    }

    pub(super) fn selection_begins(&mut self) {
        self.groups.values_mut().for_each(Group::clear);
        self.members.values_mut().for_each(|m| m.progress.selected());
    }

    pub(super) fn way_changed(&mut self, next_hop: IpAddr) {
        let asks = |group: &Group<P>| group.settings.export.depends_on_way(next_hop);
        self.groups.values_mut().filter(|g| asks(g)).for_each(Group::clear);
        for member in self.members.values_mut() {
            if self.groups.get(&member.group).is_some_and(asks) {
                member.progress.restart();
            }
        }
    }

    pub(super) fn with_output(&self, deferring: bool) -> impl Iterator<Item = PeerId> {
        let head = self.log.head();
        self.members.iter().filter(move |(_, m)| m.progress.waits(head, deferring)).map(|(id, _)| *id)
    }

    pub(super) fn has_output(&self, peer: PeerId, deferring: bool) -> bool {
        self.members.get(&peer).is_some_and(|m| m.progress.waits(self.log.head(), deferring))
    }

    /// What a peer is sent by.
    pub(super) fn settings(&self, peer: PeerId) -> Option<&ExportSettings> {
        let member = self.members.get(&peer)?;
        Some(&self.groups.get(&member.group)?.settings.export)
    }

    /// How many paths a peer has been sent.
    pub(super) fn advertised(&self, peer: PeerId) -> u32 {
        self.members.get(&peer).map_or(0, |m| m.paths)
    }

    /// How many prefixes have a path that a peer is not sent for this reason.
    pub(super) fn unsent(&self, peer: PeerId, why: Unsent) -> u32 {
        let group = self.members.get(&peer).and_then(|m| self.groups.get(&m.group));
        group.map_or(0, |group| group.unsent.of(why).len() as u32)
    }

    fn enter(&mut self, settings: PathSettings) -> u32 {
        let found = self.groups.iter_mut().find(|(_, g)| g.settings == settings);
        if let Some((index, group)) = found {
            group.members += 1;
            return *index;
        }
        let index = self.groups.last_key_value().map_or(0, |(last, _)| last + 1);
        self.groups.insert(
            index,
            Group {
                settings,
                members: 1,
                cache: BTreeMap::new(),
                size: 0,
                unsent: UnsentPrefixes::default(),
                told: Told::default(),
            },
        );
        index
    }

    fn exit(&mut self, index: u32) {
        if let Some(group) = self.groups.get_mut(&index) {
            group.members -= 1;
            if group.members == 0 {
                self.groups.remove(&index);
            }
        }
    }
}

impl<P: Net> Group<P> {
    fn clear(&mut self) {
        self.cache.clear();
        self.size = 0;
    }

    fn keep(&mut self, place: Place, chunk: Arc<PathChunk<P>>) {
        if self.size + chunk.size() > CACHE {
            self.clear();
        }
        self.size += chunk.size();
        self.size -= self.cache.insert(place, chunk).map_or(0, |replaced| replaced.size());
    }
}

impl<P: Net> FamilyRib<P> {
    /// Appends messages for a peer that takes several paths.
    pub(super) fn transmit_paths(
        &mut self,
        shared: &mut Shared,
        peer: PeerId,
        budget: usize,
        messages: &mut Vec<Bytes>,
    ) -> Work {
        let Some(mut member) = self.paths.members.remove(&peer) else { return Work::Done };
        let to = Receiver::new(shared, peer);
        let around = self.surroundings(shared, self.paths.log.head());
        let work = advance(&mut member, around, budget, messages, |member, place, messages| {
            let chunk = self.next_path_chunk(shared, member, place)?;
            let group = self.paths.groups.get(&member.group)?;
            let octets = chunk.deliver(&group.settings, to, member, messages);
            Some(Stretch { until: chunk.until, octets })
        });
        self.paths.members.insert(peer, member);
        work
    }

    /// The chunk at a member's place: kept, or encoded now.
    fn next_path_chunk(
        &mut self,
        shared: &mut Shared,
        member: &Member<P>,
        place: Place,
    ) -> Option<Arc<PathChunk<P>>> {
        let group = self.paths.groups.get(&member.group)?;
        if let Some(kept) = group.cache.get(&place).filter(|chunk| chunk.fits(member)) {
            return Some(kept.clone());
        }
        let chunk = Arc::new(self.encode_paths(shared, &group.settings, member, place));
        let group = self.paths.groups.get_mut(&member.group)?;
        if let Some(prefix) = chunk.note_unsent(&mut group.unsent, &mut group.told) {
            shared.actions.push_back(Action::Warn(Warning::AttributesTooLong { prefix }));
        }
        if group.members > 1 && !chunk.is_personal(member) {
            group.keep(place, chunk.clone());
        }
        Some(chunk)
    }

    /// Lets go of what every member has passed, and of prefixes that came and went while one was behind.
    pub(super) fn trim_paths(&mut self) {
        let paths = &mut self.paths;
        let cursors = paths.members.values().map(|m| m.progress.cursor);
        if let Some(passed) = cursors.min() {
            paths.log.trim(passed);
        }
        let (table, members) = (&self.table, &paths.members);
        paths.log.review(|prefix| {
            table.find(*prefix).is_some() || members.values().any(|m| m.sent.contains_key(prefix))
        });
        for (index, group) in paths.groups.iter_mut().filter(|(_, g)| g.size > 0) {
            let members = || paths.members.values().filter(|m| m.group == *index);
            let walk = members().filter_map(|m| m.progress.walk).min().unwrap_or(RouteId::MAX);
            let log = members().map(|m| m.progress.cursor).min().unwrap_or(u64::MAX);
            group.cache.retain(|place, _| match place {
                Place::Walk(next, _) => *next >= walk,
                Place::Log(cursor) => *cursor >= log,
            });
            group.size = group.cache.values().map(|chunk| chunk.size()).sum();
        }
    }
}

fn settings<P: Net>(shared: &Shared, id: PeerId, export: ExportSettings) -> PathSettings {
    let peer = shared.peer(id);
    let theirs =
        peer.and_then(|p| p.session.as_ref()?.negotiated.extensions.paths_sent.get(P::FAMILY).as_ref());
    let ours = peer.and_then(|p| p.config.capabilities.add_path.send_limit);
    let limit = theirs.copied().unwrap_or(NonZeroU16::MAX).min(ours.unwrap_or(NonZeroU16::MAX));
    PathSettings { export, limit }
}
