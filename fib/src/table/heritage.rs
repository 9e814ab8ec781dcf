//! What routing daemons before us left: taken over at start, and handed back at the end, route by route in place.
//!
//! Of another's daemon only a route that leads through a gateway, or nowhere, is taken over: those to a host's own pods,
//! which Felix marks with the same protocol as its others, never. What we wrote ourselves in a life before, under another
//! protocol number, is taken over whatever it is and wherever in the table it leads.

use ipnet::IpNet;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::{
    Table,
    compare::slot_of,
    intern::Id,
    sync::{Action, Request, Slot},
    want::normal,
};
use crate::{
    config::Programming,
    route::{KernelRoute, Path},
    view::RestartPhase,
};

/// Routes of the daemons before us.
#[derive(Debug, Default)]
pub(super) struct Heritage {
    /// Their protocol numbers.
    pub(super) protocols: SmallVec<[u8; 4]>,
    /// Our own before.
    pub(super) own: SmallVec<[u8; 4]>,
    /// Those in slots of ours, by prefix: replaced once we know what we want of the prefix.
    in_slot: FxHashMap<IpNet, (u8, Id<Path>)>,
    /// Those elsewhere within our pools: removed once nothing depends on them.
    elsewhere: Vec<Legacy>,
    /// Those whose prefix has no route of ours yet.
    waiting: Vec<Legacy>,
}

#[derive(Clone, Copy, Debug)]
struct Legacy {
    slot: Slot,
    path: Id<Path>,
    protocol: u8,
}

impl Heritage {
    /// A dump begins: what it shows is all there is.
    pub(super) fn begin(&mut self, restart: RestartPhase) {
        if restart == RestartPhase::Underway {
            self.in_slot.clear();
            self.elsewhere.clear();
        } else {
            self.elsewhere.append(&mut self.waiting);
        }
    }

    /// The owner of the only route in a slot of ours, if we may replace it.
    pub(super) fn owner(&self, prefix: IpNet) -> Option<u8> {
        self.in_slot.get(&prefix).map(|(protocol, _)| *protocol)
    }

    /// The paths referred to.
    pub(super) fn paths(&self) -> impl Iterator<Item = Id<Path>> {
        let in_slot = self.in_slot.values().map(|(_, path)| *path);
        in_slot.chain(self.elsewhere.iter().chain(&self.waiting).map(|legacy| legacy.path))
    }

    /// The slot has changed hands.
    pub(super) fn forget(&mut self, prefix: IpNet) {
        self.in_slot.remove(&prefix);
    }
}

impl Table {
    /// Takes down a route of somebody else if it is of a daemon before us. Only what is found during the restart counts:
    /// a daemon that still runs is not fought.
    pub(super) fn inherit(&mut self, route: &KernelRoute) {
        let own = self.heritage.own.contains(&route.protocol);
        let of_another = self.heritage.protocols.contains(&route.protocol) && leads_away(&route.path);
        if !own && !of_another || self.restart != RestartPhase::Underway {
            return;
        }
        let (slot, prefix) = (slot_of(route), route.prefix);
        let path = self.paths.intern(&route.path);
        if slot == self.slot(prefix) {
            self.heritage.in_slot.insert(prefix, (route.protocol, path));
        } else if own || self.decider.pool(prefix).is_some() {
            self.heritage.elsewhere.push(Legacy { slot, path, protocol: route.protocol });
        }
    }

    /// How many routes of daemons before us are known.
    pub(crate) fn inherited(&self) -> u64 {
        (self.heritage.in_slot.len() + self.heritage.elsewhere.len()) as u64
    }

    /// Whether the slot's only route is one that we may replace.
    pub(super) fn is_inherited(&self, prefix: IpNet) -> bool {
        let owner = self.heritage.owner(prefix);
        owner.is_some()
            && self.foreign.get(&prefix).is_some_and(|owners| owners.as_slice() == owner.as_slice())
    }

    /// The inherited route of a slot is ours now, or gone.
    pub(super) fn take_possession(&mut self, prefix: IpNet) {
        if self.heritage.owner(prefix).is_some() {
            self.heritage.forget(prefix);
            self.foreign.remove(&prefix);
        }
    }

    /// The restart is over: what nobody asks for goes.
    pub(super) fn disinherit(&mut self) {
        let unasked = |prefix: &IpNet| !self.entries.get(*prefix).is_some_and(|entry| entry.is_asked_for());
        let gone: Vec<_> = self.heritage.in_slot.iter().filter(|(prefix, _)| unasked(prefix)).collect();
        let mut gone: Vec<_> =
            gone.into_iter().map(|(prefix, (owner, path))| (*prefix, *owner, *path)).collect();
        gone.sort_unstable_by_key(|(prefix, ..)| *prefix);
        for (prefix, protocol, path) in gone {
            self.heritage.forget(prefix);
            if self.heritage.own.contains(&protocol) || self.decider.pool(prefix).is_some() {
                let slot = self.slot(prefix);
                self.heritage.elsewhere.push(Legacy { slot, path, protocol });
            }
        }
    }

    /// Requests that remove what is left of the daemons before us and no longer needed, at most `max`.
    pub(super) fn take_legacy(&mut self, max: usize, batch: &mut Vec<Request>) {
        if self.restart != RestartPhase::Over || self.programming != Programming::On || !self.queue.is_empty()
        {
            return;
        }
        let count = self.heritage.elsewhere.len().min(max);
        let due: Vec<_> = self.heritage.elsewhere.drain(..count).collect();
        for legacy in due {
            let Legacy { slot, path, protocol } = legacy;
            let entry = self.entries.get(slot.prefix).filter(|entry| entry.is_asked_for());
            match entry {
                Some(_) if slot == self.slot(slot.prefix) => {}
                Some(entry) if entry.actual.is_none() => self.heritage.waiting.push(legacy),
                _ => batch.push(Request {
                    action: Action::Delete,
                    slot,
                    path: Some(path),
                    protocol: Some(protocol),
                }),
            }
        }
    }

    /// Whether anything of the daemons before us can be removed now.
    pub(super) fn has_legacy(&self) -> bool {
        self.restart == RestartPhase::Over
            && self.programming == Programming::On
            && self.queue.is_empty()
            && !self.heritage.elsewhere.is_empty()
    }

    /// Requests that give every route of ours to another protocol, in place, with its legs spelled out.
    pub fn hand_over(&mut self, protocol: u8) -> Vec<Request> {
        let held = self.entries.iter().filter_map(|(prefix, entry)| Some((self.slot(prefix), entry.actual?)));
        let strays = self.strays.iter().map(|stray| (stray.slot, stray.path));
        let all: Vec<_> = held.chain(strays).collect();
        let mut requests = Vec::with_capacity(all.len());
        for (slot, path) in all {
            let Some(path) = self.spelled_out(path) else { continue };
            requests.push(Request {
                action: Action::Replace,
                slot,
                path: Some(path),
                protocol: Some(protocol),
            });
        }
        requests
    }

    fn spelled_out(&mut self, path: Id<Path>) -> Option<Id<Path>> {
        let held = self.paths.get(path)?;
        match held.way() {
            Path::Other => None,
            Path::Object(id) => {
                let (legs, mtu) = (normal(self.objects.legs(*id)), held.mtu());
                (!legs.is_empty()).then(|| self.paths.intern(&Path::Unicast(legs).limited(mtu)))
            }
            _ => Some(path),
        }
    }
}

/// Whether a route leads to another host, or nowhere.
fn leads_away(path: &Path) -> bool {
    match path.way() {
        Path::Blackhole | Path::Unreachable => true,
        Path::Unicast(legs) => legs.iter().all(|leg| leg.gateway.is_some()),
        Path::Object(_) | Path::Limited(..) | Path::Other => false,
    }
}
