//! The RIBs of one family: from received routes to best paths.

mod import;
mod own;
mod standing;
mod sweep;

use std::sync::Arc;

use hashbrown::HashMap;
use ipnet::IpNet;
use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;

pub(super) use self::own::Promise;
use self::{
    standing::{Identity, Standing},
    sweep::Sweep,
};
use super::{
    best::BestReader,
    holding::{self, Room},
    ingress::Entrance,
    paths::{PathExports, PathNames},
    shared::Shared,
    transmit::Exports,
    watch::Watchers,
};
use crate::{
    decision::{self, Candidate, Reason, Unrecorded},
    policy::Policy,
    rib::{AttributesId, LOCAL, Net, Path, RouteId, Table},
    types::{Now, PeerId, PeerType},
    wire::{attribute::PathAttributes, nlri::Nlri},
};

/// The names of a path whose attributes the import policy changed.
type PathKey = (RouteId, PeerId, u32);

/// The RIBs of one family.
#[derive(Debug)]
pub(super) struct FamilyRib<P: Net> {
    pub(super) table: Table<P>,
    /// Attributes after the import policy, where it changed them; each owns one reference.
    modified: HashMap<PathKey, AttributesId, FxBuildHasher>,
    sweep: Sweep,
    pub(super) best: BestReader,
    pub(super) exports: Exports<P>,
    pub(super) watchers: Watchers<P>,
    /// Towards peers that take several paths for one prefix.
    pub(super) paths: PathExports<P>,
    pub(super) names: PathNames,
}

impl<P: Net> Default for FamilyRib<P> {
    fn default() -> Self {
        Self {
            table: Table::default(),
            modified: HashMap::default(),
            sweep: Sweep::default(),
            best: BestReader::default(),
            exports: Exports::default(),
            watchers: Watchers::default(),
            paths: PathExports::default(),
            names: PathNames::default(),
        }
    }
}

impl<P: Net> FamilyRib<P> {
    /// Takes feasible routes from a peer; ends early when the peer has passed its limit.
    pub(super) fn reach(
        &mut self,
        shared: &mut Shared,
        now: Now,
        peer: PeerId,
        attributes: &Arc<PathAttributes>,
        prefixes: &[Nlri<P>],
    ) {
        let Some((kind, policy, epoch)) = shared.peer(peer).and_then(|p| {
            Some((p.session.as_ref()?.kind(), p.config.import.clone(), p.input(P::FAMILY).epoch))
        }) else {
            return;
        };
        let entrance = shared.admit(peer, kind, attributes);
        let most = shared.most_paths(peer, P::FAMILY);
        let id = shared.attributes.intern(attributes, &mut shared.next_hops);
        if self.make_room(shared, peer, id, prefixes) == Room::None {
            return shared.release(id);
        }
        let learned = seconds(now);
        for nlri in prefixes {
            if most.is_some_and(|most| self.is_full(shared, nlri, peer, most)) {
                super::limit::refuse_path(shared, peer, nlri.prefix);
                continue;
            }
            if super::limit::is_blocked(shared, peer, P::FAMILY) && !self.has_announced(shared, nlri, peer) {
                super::limit::refuse_prefix(shared, peer, P::FAMILY);
                continue;
            }
            let route = self.table.obtain(nlri.prefix);
            let path = Path {
                attributes: id,
                peer,
                path_id: nlri.path_id,
                learned,
                epoch,
                modified: false,
                internal: kind == PeerType::Internal,
                reason: Reason::NextHopPending.code(),
            };
            self.put(shared, route, path, &entrance, &policy);
            if !super::limit::check(shared, peer, P::FAMILY) {
                break;
            }
        }
        holding::warn(shared, peer);
        shared.release(id);
    }

    /// Finds out whether these prefixes may come in with these attributes. If not, what they had before is withdrawn: it
    /// is not true any more.
    fn make_room(
        &mut self,
        shared: &mut Shared,
        peer: PeerId,
        id: AttributesId,
        prefixes: &[Nlri<P>],
    ) -> Room {
        if shared.room_for(peer, id) == Room::There {
            return Room::There;
        }
        // What earlier sessions have left may not have been let go yet.
        let mut budget = usize::MAX;
        self.sweep(shared, &mut budget);
        if shared.room_for(peer, id) == Room::There || holding::pass(shared, peer) == Room::There {
            return Room::There;
        }
        self.withdraw(shared, peer, prefixes);
        let room = shared.room_for(peer, id);
        if room == Room::None {
            holding::refuse(shared, peer, P::FAMILY, prefixes.len(), id);
        }
        room
    }

    /// Whether a peer has announced this path over its session.
    fn has_announced(&self, shared: &Shared, nlri: &Nlri<P>, peer: PeerId) -> bool {
        let entry = self.table.find(nlri.prefix).and_then(|route| self.table.get(route));
        let path = entry.and_then(|e| e.paths().iter().find(|p| p.is(peer, nlri.path_id)));
        let input = shared.peer(peer).map(|p| p.input(P::FAMILY));
        path.zip(input).is_some_and(|(path, input)| input.is_of_session(path.epoch))
    }

    /// Whether a peer has announced so many paths of a prefix over its session that one of another name is too many.
    fn is_full(&self, shared: &Shared, nlri: &Nlri<P>, peer: PeerId, most: usize) -> bool {
        let entry = self.table.find(nlri.prefix).and_then(|route| self.table.get(route));
        let Some(paths) = entry.map(|e| e.paths()).filter(|paths| paths.len() >= most) else { return false };
        let input = shared.peer(peer).map(|p| p.input(P::FAMILY));
        let counts = |p: &&Path| p.peer == peer && input.is_some_and(|i| i.is_of_session(p.epoch));
        let of_session = || paths.iter().filter(counts);
        of_session().count() >= most && !of_session().any(|p| p.path_id == nlri.path_id)
    }

    /// Withdraws routes of a peer.
    pub(super) fn unreach(&mut self, shared: &mut Shared, peer: PeerId, prefixes: &[Nlri<P>]) {
        self.withdraw(shared, peer, prefixes);
        super::limit::reconsider(shared, peer, P::FAMILY);
        holding::reconsider(shared, peer);
    }

    fn withdraw(&mut self, shared: &mut Shared, peer: PeerId, prefixes: &[Nlri<P>]) {
        for nlri in prefixes {
            let Some(route) = self.table.find(nlri.prefix) else { continue };
            let before = self.standing(shared, route);
            self.take(shared, route, |_, path, _| path.is(peer, nlri.path_id));
            self.settle(shared, route, before);
        }
    }

    /// Puts a path in place of the one of its name, with a reference of its own on its attributes.
    fn put(
        &mut self,
        shared: &mut Shared,
        route: RouteId,
        mut path: Path,
        entrance: &Entrance,
        policy: &Policy,
    ) {
        let before = self.standing(shared, route);
        if self.confirm(shared, route, &path) {
            return;
        }
        shared.hold(path.peer, path.attributes);
        let imported = self.import(shared, route, &path, entrance, policy);
        let found = self.find_path(route, &path);
        if let Some(old) = found {
            self.disown(shared, route, &old);
        }
        if let Some(reason) = imported.refused {
            path.reason = reason.code();
        }
        path.modified = imported.modified.is_some();
        if let Some(id) = imported.modified {
            self.modified.insert((route, path.peer, path.path_id), id);
        }
        let attributes = self.effective(route, &path);
        self.watched(route, &path);
        shared.account_in(P::FAMILY, &path, attributes);
        if let Some(entry) = self.table.get_mut(route) {
            match entry.paths_mut().iter_mut().find(|p| p.is(path.peer, path.path_id)) {
                Some(slot) => *slot = path,
                None => {
                    self.names.acquire(&path);
                    entry.push(path);
                }
            }
        }
        self.settle(shared, route, before);
    }

    /// Whether the same path with the same attributes is there already; it is fresh then.
    fn confirm(&mut self, shared: &mut Shared, route: RouteId, path: &Path) -> bool {
        let Some(known) = self.find_path(route, path) else { return false };
        let renewed = shared.is_alive(P::FAMILY, &known) && !shared.is_long_lived(P::FAMILY, &known);
        if known.attributes != path.attributes || !renewed {
            return false;
        }
        let attributes = self.effective(route, &known);
        shared.account_out(P::FAMILY, &known, attributes);
        let renewed = Path { epoch: path.epoch, ..known };
        if known.epoch != renewed.epoch {
            self.watched(route, &renewed);
        }
        shared.account_in(P::FAMILY, &renewed, attributes);
        let paths = self.table.get_mut(route).map(|e| e.paths_mut());
        if let Some(slot) = paths.and_then(|p| p.iter_mut().find(|p| p.is(path.peer, path.path_id))) {
            *slot = renewed;
        }
        true
    }

    fn find_path(&self, route: RouteId, named: &Path) -> Option<Path> {
        let entry = self.table.get(route)?;
        entry.paths().iter().find(|p| p.is(named.peer, named.path_id)).copied()
    }

    /// Takes paths out of an entry and gives up what they hold.
    fn take(
        &mut self,
        shared: &mut Shared,
        route: RouteId,
        which: impl Fn(&Shared, &Path, AttributesId) -> bool,
    ) {
        let paths = |rib: &Self| rib.table.get(route).map_or(0, |e| e.paths().len());
        for index in (0..paths(self)).rev() {
            let path = self.table.get(route).and_then(|entry| entry.paths().get(index)).copied();
            if !path.is_some_and(|path| which(shared, &path, self.effective(route, &path))) {
                continue;
            }
            let Some(entry) = self.table.get_mut(route) else { return };
            if let Some(path) = entry.remove(index) {
                self.names.release(&path);
                self.disown(shared, route, &path);
            }
        }
    }

    /// Counts a path out and gives up its attributes.
    fn disown(&mut self, shared: &mut Shared, route: RouteId, path: &Path) {
        let effective = self.effective(route, path);
        self.watched(route, path);
        shared.account_out(P::FAMILY, path, effective);
        if path.modified {
            self.modified.remove(&(route, path.peer, path.path_id));
            shared.release(effective);
        }
        shared.let_go(path.peer, path.attributes);
    }

    /// Decides over a route and writes a change of its best path down.
    fn settle(&mut self, shared: &mut Shared, route: RouteId, before: Standing) {
        let dead = |shared: &Shared, p: &Path| !shared.is_alive(P::FAMILY, p);
        if self.table.get(route).is_some_and(|e| e.paths().iter().any(|p| dead(shared, p))) {
            self.take(shared, route, |shared, path, _| dead(shared, path));
        }
        self.decide(shared, route);
        let now = self.standing(shared, route);
        if before.paths != now.paths
            && let Some(entry) = self.table.get(route)
        {
            self.paths.note(entry.prefix);
        }
        match (before.best, now.best) {
            (Identity::None, Identity::Undecided) => {}
            (before, now) if before != now => self.touch(route),
            _ if before.legs != now.legs && now.best == Identity::None && now.legs.is_empty() => {
                self.touch(route)
            }
            _ if before.legs != now.legs => self.best.legs_changed(route),
            _ => self.table.free_unlogged(route),
        }
    }

    /// Writes a change of the best path down.
    fn touch(&mut self, route: RouteId) {
        if !self.watchers.is_empty()
            && let Some(prefix) = self.table.get(route).map(|e| e.prefix)
        {
            self.watchers.best_changed(prefix);
        }
        self.table.touch(route);
    }

    /// A path of a peer came, went, or is another one for those who watch.
    fn watched(&mut self, route: RouteId, path: &Path) {
        if !self.watchers.is_empty()
            && path.peer != LOCAL
            && let Some(prefix) = self.table.get(route).map(|e| e.prefix)
        {
            self.watchers.path_changed(path.peer, prefix, path.path_id);
        }
    }

    fn decide(&mut self, shared: &mut Shared, route: RouteId) {
        let reasons = match self.table.get(route).map(|e| e.paths()) {
            None | Some([]) => return,
            Some([path]) => {
                let standing = shared.ineligible(self.prefix(route), path, self.effective(route, path));
                SmallVec::from_slice(&[standing.unwrap_or(Reason::Best)])
            }
            Some(_) => decision::decide(&self.candidates(shared, route), &shared.decision, &mut Unrecorded),
        };
        let Some(entry) = self.table.get_mut(route) else { return };
        let mut waiting: SmallVec<[Path; 2]> = SmallVec::new();
        for (path, reason) in entry.paths_mut().iter_mut().zip(&reasons) {
            path.reason = reason.code();
            if *reason == Reason::NextHopPending {
                waiting.push(*path);
            }
        }
        if let Some(best) = reasons.iter().position(|r| *r == Reason::Best) {
            entry.paths_mut().swap(0, best);
        }
        for path in waiting {
            let next_hop = shared.attributes.next_hop(self.effective(route, &path));
            shared.next_hops.wait(next_hop, P::FAMILY, route);
        }
    }

    /// The paths of a route as the decision sees them, in their order.
    fn candidates<'a>(&self, shared: &'a Shared, route: RouteId) -> SmallVec<[Candidate<'a>; 4]> {
        let paths = self.table.get(route).map_or(&[][..], |e| e.paths());
        let prefix = self.prefix(route);
        paths.iter().filter_map(|p| shared.candidate(prefix, p, self.effective(route, p))).collect()
    }

    /// The prefix of a route that is there.
    pub(super) fn prefix(&self, route: RouteId) -> IpNet {
        self.table.get(route).map_or_else(IpNet::default, |entry| entry.prefix.into())
    }
}

fn seconds(now: Now) -> u32 {
    now.0.as_secs().try_into().unwrap_or(u32::MAX)
}
