//! What the kernel holds, from dumps and from notifications.

use ipnet::IpNet;
use rustc_hash::FxHashMap;

use super::{
    Table,
    entry::Todo,
    intern::Id,
    sync::{Slot, Stray},
};
use crate::{
    route::{KernelRoute, Path},
    view::Cause,
};

/// Whether the kernel's routes have been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Never,
    Done,
}

/// What a comparison found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Routes of ours in the kernel.
    pub held: u64,
    /// Slots that held something else than we thought.
    pub differences: u64,
}

/// A notification about a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteNotice {
    /// It was added beside what there was.
    Added(KernelRoute),
    /// It was added in place of another.
    Replaced(KernelRoute),
    /// It was removed.
    Removed(KernelRoute),
}

impl RouteNotice {
    /// The route.
    pub fn route(&self) -> &KernelRoute {
        match self {
            Self::Added(route) | Self::Replaced(route) | Self::Removed(route) => route,
        }
    }
}

/// Whether a notification touched a slot that we use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// It did not.
    Elsewhere,
    /// It did: notifications and our own requests may have crossed, so a comparison should follow.
    Ours,
}

impl Table {
    /// Compares with a full dump of our table and queues what differs. The first one adopts what it finds of ours.
    pub fn compare(&mut self, dump: Vec<KernelRoute>) -> Comparison {
        let mut comparison = Comparison::default();
        self.foreign.clear();
        self.strays.clear();
        self.objects.forget_lent();
        self.heritage.begin(self.restart);
        let table = self.table;
        for route in dump.into_iter().filter(|route| route.table == table) {
            self.found(route, &mut comparison);
        }
        self.foreign.shrink_to_fit();
        let missing = self.end_of_dump();
        comparison.differences += missing;
        if self.comparison == Phase::Never {
            comparison.differences = 0;
        }
        self.comparison = Phase::Done;
        comparison
    }

    /// Takes a notification that somebody else caused, and queues the repair if one is needed.
    pub fn observe(&mut self, notice: &RouteNotice) -> Touch {
        let route = notice.route();
        if route.table != self.table {
            return Touch::Elsewhere;
        }
        let (slot, ours) = (slot_of(route), route.protocol == self.protocol);
        if slot != self.slot(route.prefix) {
            return if ours { Touch::Ours } else { Touch::Elsewhere };
        }
        if ours {
            self.observe_ours(notice);
            return Touch::Ours;
        }
        self.observe_foreign(notice);
        let known = self.entries.get(route.prefix).is_some();
        self.enqueue(route.prefix);
        if known { Touch::Ours } else { Touch::Elsewhere }
    }

    /// Links or addresses changed: what was refused may work now.
    pub fn retry_all(&mut self) {
        self.retries.take_all().into_iter().for_each(|prefix| self.enqueue(prefix));
    }

    fn found(&mut self, route: KernelRoute, comparison: &mut Comparison) {
        let (slot, prefix) = (slot_of(&route), route.prefix);
        let in_use = slot == self.slot(prefix);
        if route.protocol != self.protocol {
            route.path.object().into_iter().for_each(|id| self.objects.lend(id));
            self.inherit(&route);
            if in_use {
                self.foreign.entry(prefix).or_default().push(route.protocol);
            }
            return;
        }
        comparison.held += 1;
        let path = self.paths.intern(&route.path);
        let entry = self.entries.entry(prefix);
        if !in_use || entry.marks.seen {
            if entry.is_empty() {
                self.entries.remove(prefix);
            }
            self.strays.push(Stray { slot, path });
            return;
        }
        entry.marks.seen = true;
        entry.adopt(self.restart);
        if entry.actual != Some(path) {
            entry.actual = Some(path);
            comparison.differences += 1;
        }
    }

    /// Takes what the dump did not show for gone and queues every prefix whose sides differ.
    fn end_of_dump(&mut self) -> u64 {
        let (mut missing, mut differing) = (0, Vec::new());
        for (prefix, entry) in self.entries.iter_mut() {
            if !std::mem::take(&mut entry.marks.seen) && entry.actual.take().is_some() {
                missing += 1;
            }
            let settled = entry.todo(self.restart) == Todo::Nothing && !entry.is_empty();
            if settled
                && matches!(entry.cause, Some(Cause::Queued | Cause::ForeignRoute | Cause::KernelError))
            {
                (entry.cause, entry.errno) = (None, None);
            }
            let refused = entry.cause == Some(Cause::KernelError) && self.retries.is_waiting(prefix);
            if !settled && !refused || entry.marks.trouble {
                differing.push(prefix);
            }
        }
        differing.into_iter().for_each(|prefix| self.enqueue(prefix));
        missing
    }

    fn observe_ours(&mut self, notice: &RouteNotice) {
        let path = self.paths.intern(&notice.route().path);
        let prefix = notice.route().prefix;
        let restart = self.restart;
        let entry = self.entries.entry(prefix);
        match notice {
            RouteNotice::Added(_) | RouteNotice::Replaced(_) => {
                entry.adopt(restart);
                entry.actual = Some(path);
            }
            RouteNotice::Removed(_) if entry.actual == Some(path) => entry.actual = None,
            RouteNotice::Removed(_) => {}
        }
        self.enqueue(prefix);
    }

    fn observe_foreign(&mut self, notice: &RouteNotice) {
        let KernelRoute { prefix, protocol, .. } = *notice.route();
        self.heritage.forget(prefix);
        match notice {
            RouteNotice::Added(_) => self.foreign.entry(prefix).or_default().push(protocol),
            RouteNotice::Replaced(_) => {
                if let Some(entry) = self.entries.get_mut(prefix)
                    && !self.foreign.contains_key(&prefix)
                {
                    entry.actual = None;
                }
                let owners = self.foreign.entry(prefix).or_default();
                if !owners.contains(&protocol) {
                    owners.push(protocol);
                }
            }
            RouteNotice::Removed(_) => remove_owner(&mut self.foreign, prefix, protocol),
        }
    }

    /// The path of an id, for messages and views.
    pub fn path(&self, id: Id<Path>) -> Option<&Path> {
        self.paths.get(id)
    }
}

fn remove_owner(foreign: &mut FxHashMap<IpNet, smallvec::SmallVec<[u8; 4]>>, prefix: IpNet, protocol: u8) {
    let Some(owners) = foreign.get_mut(&prefix) else { return };
    if let Some(index) = owners.iter().position(|owner| *owner == protocol) {
        owners.remove(index);
    }
    if owners.is_empty() {
        foreign.remove(&prefix);
    }
}

pub(super) fn slot_of(route: &KernelRoute) -> Slot {
    Slot { prefix: route.prefix, metric: route.metric, tos: route.tos }
}
