//! From the queue to requests, and from results back to the table.

use std::time::Instant;

use ipnet::IpNet;

use super::{Table, compare::Phase, entry::Todo, intern::Id};
use crate::{
    config::Programming,
    error::Errno,
    event::RouteOutcome,
    metrics::ResyncReason,
    route::{HopAddress, NextHop, Path},
    view::{Cause, RestartPhase, State},
};

/// The place of a route within our table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// The destination.
    pub prefix: IpNet,
    /// The metric as the kernel shows it.
    pub metric: u32,
    /// The type of service.
    pub tos: u8,
}

/// One request to the kernel. Every one carries our protocol and table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// What to do.
    pub action: Action,
    /// Where.
    pub slot: Slot,
    /// The new path; for a deletion the path to delete, `None` for whatever of ours is there.
    pub path: Option<Id<Path>>,
    /// The protocol number, if not ours: of a route to be deleted, or to be handed over.
    pub protocol: Option<u8>,
}

impl Request {
    /// Whether the slot loses a route of somebody else by it, if it has one: only what is inherited is replaced.
    pub(crate) fn displaces_others(&self) -> bool {
        self.action == Action::Replace || self.protocol.is_some()
    }

    /// Whether it deletes one certain route rather than whatever of ours is in the slot.
    fn is_stray(&self) -> bool {
        self.action == Action::Delete && self.path.is_some()
    }
}

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Makes a route where there is none (`NLM_F_CREATE | NLM_F_EXCL`).
    Create,
    /// Puts another in the place of the one there (`NLM_F_REPLACE`).
    Replace,
    /// Removes one of ours.
    Delete,
}

/// A route of ours in a slot that we do not use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stray {
    pub(super) slot: Slot,
    pub(super) path: Id<Path>,
}

/// What the results of a batch ask of the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// Next hops whose answers the kernel contradicted.
    pub doubtful: Vec<HopAddress>,
    /// A slot was not as thought: compare soon.
    pub resync: Option<ResyncReason>,
}

impl Table {
    /// Turns at most `max` queued prefixes into requests, into `batch`, which is emptied first.
    pub fn take_batch(&mut self, now: Instant, max: usize, batch: &mut Vec<Request>) {
        batch.clear();
        if self.comparison == Phase::Never {
            return;
        }
        while let Some(prefix) = self.retries.pop_due(now) {
            self.enqueue(prefix);
        }
        if self.restart == RestartPhase::Over && self.programming == Programming::On {
            let strays = self.strays.drain(..self.strays.len().min(max));
            batch.extend(strays.map(|s| Request {
                action: Action::Delete,
                slot: s.slot,
                path: Some(s.path),
                protocol: None,
            }));
        }
        self.take_legacy(max.saturating_sub(batch.len()), batch);
        while batch.len() < max {
            let Some(prefix) = self.queue.pop_front() else { break };
            batch.extend(self.request(prefix));
        }
    }

    /// Takes the results of a batch: all were carried out but the refused, given by index.
    pub fn complete(&mut self, now: Instant, batch: &[Request], refused: &[(usize, Errno)]) -> Completion {
        let mut completion = Completion::default();
        let mut refused = refused.iter().peekable();
        for (index, request) in batch.iter().enumerate() {
            match refused.next_if(|(refused, _)| *refused == index) {
                Some((_, errno)) => self.refused(now, request, *errno, &mut completion),
                None => self.done(request),
            }
            // Whoever put a second route of ours into a slot may have moved the first: look again.
            if request.is_stray() && request.slot == self.slot(request.slot.prefix) {
                completion.resync = Some(ResyncReason::ForeignChange);
            }
        }
        completion
    }

    /// Whether anything is queued, or due again.
    pub fn has_work(&self, now: Instant) -> bool {
        let ready = self.comparison == Phase::Done;
        let strays = self.restart == RestartPhase::Over
            && self.programming == Programming::On
            && !self.strays.is_empty();
        ready
            && (strays
                || self.has_legacy()
                || !self.queue.is_empty()
                || self.retries.next_due().is_some_and(|due| due <= now))
    }

    /// When a refused route is due again.
    pub fn next_retry(&self) -> Option<Instant> {
        self.retries.next_due()
    }

    /// How many prefixes are queued.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Routes that got into or out of trouble since the last call, sorted; at most `max`.
    pub fn take_outcomes(&mut self, max: usize) -> Vec<RouteOutcome> {
        let mut outcomes = Vec::new();
        while outcomes.len() < max {
            let Some(prefix) = self.troubles.pop_first() else { break };
            let entry = self.entries.get(prefix);
            let state = entry.filter(|entry| entry.is_asked_for()).map(|entry| entry.state());
            let errno = entry.and_then(|entry| entry.errno());
            outcomes.push(RouteOutcome { prefix, state, errno, owner: self.owner(prefix) });
        }
        outcomes
    }

    /// Routes of ours that nobody asks for and the kernel would not delete, sorted.
    pub fn leftovers(&self) -> Vec<(IpNet, Errno)> {
        let left = self.entries.iter().filter(|(_, entry)| !entry.is_asked_for());
        left.filter_map(|(prefix, entry)| Some((prefix, entry.errno()?))).collect()
    }

    /// The protocol number of a foreign route in the slot.
    pub(super) fn owner(&self, prefix: IpNet) -> Option<u8> {
        self.foreign.get(&prefix).and_then(|owners| owners.first().copied())
    }

    /// Queues a prefix unless nothing is to be done about it.
    pub(super) fn enqueue(&mut self, prefix: IpNet) {
        let restart = self.restart;
        let Some(entry) = self.entries.get_mut(prefix) else { return };
        if entry.is_empty() {
            self.forget(prefix);
        } else if entry.todo(restart) == Todo::Nothing {
            self.note_trouble(prefix);
        } else if !entry.marks.queued {
            entry.marks.queued = true;
            self.queue.push_back(prefix);
        }
    }

    fn request(&mut self, prefix: IpNet) -> Option<Request> {
        let inherited = self.is_inherited(prefix);
        let occupied = self.foreign.contains_key(&prefix) && !inherited;
        let slot = self.slot(prefix);
        let entry = self.entries.get_mut(prefix)?;
        entry.marks.queued = false;
        let todo = entry.todo(self.restart);
        let (action, path) = match todo {
            Todo::Nothing => {
                self.note_trouble(prefix);
                return None;
            }
            Todo::Create(_) | Todo::Replace(_) if occupied => {
                entry.cause = Some(Cause::ForeignRoute);
                self.note_trouble(prefix);
                return None;
            }
            Todo::Create(path) if inherited => (Action::Replace, Some(path)),
            Todo::Create(path) => (Action::Create, Some(path)),
            Todo::Replace(path) => (Action::Replace, Some(path)),
            Todo::Delete => (Action::Delete, None),
        };
        if self.programming == Programming::DryRun {
            entry.cause = Some(Cause::DryRun);
            return None;
        }
        Some(Request { action, slot, path, protocol: None })
    }

    fn done(&mut self, request: &Request) {
        let prefix = request.slot.prefix;
        if request.slot != self.slot(prefix) {
            return;
        }
        self.retries.forget(prefix);
        let Some(entry) = self.entries.get_mut(prefix) else { return };
        if request.is_stray() {
            return;
        }
        let before = std::mem::replace(&mut entry.actual, request.path);
        // Why nothing better is wanted stays true.
        entry.cause = entry.cause.filter(|_| entry.marks.unreachable && entry.errno.is_none());
        entry.errno = None;
        self.take_possession(prefix);
        self.loosen(before.filter(|before| Some(*before) != request.path));
        self.enqueue(prefix);
    }

    fn refused(&mut self, now: Instant, request: &Request, errno: Errno, completion: &mut Completion) {
        let prefix = request.slot.prefix;
        match (request.action, errno.0) {
            (Action::Delete, libc::ESRCH) => return self.done(request),
            (Action::Create, libc::EEXIST) => completion.resync = Some(ResyncReason::Mismatch),
            (Action::Replace, libc::ENOENT) => return self.vanished(prefix),
            (_, libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EINVAL | libc::ENODEV | libc::ENETDOWN) => {
                completion.doubtful.extend(self.next_hops(prefix));
            }
            _ => {}
        }
        if request.is_stray() {
            return;
        }
        self.retries.refused(now, prefix);
        if let Some(entry) = self.entries.get_mut(prefix) {
            entry.cause = Some(Cause::KernelError);
            entry.errno = u16::try_from(errno.0).ok();
        }
        self.note_trouble(prefix);
    }

    /// The slot of a route to be replaced turned out to be empty: it is created instead, exclusively.
    fn vanished(&mut self, prefix: IpNet) {
        if let Some(entry) = self.entries.get_mut(prefix) {
            entry.actual = None;
        }
        self.take_possession(prefix);
        self.enqueue(prefix);
    }

    /// The results of a batch are not known: the next comparison decides what is left to do.
    pub fn lost(&mut self, batch: &[Request]) {
        for request in batch {
            if let Some(entry) = self.entries.get_mut(request.slot.prefix) {
                entry.cause = Some(Cause::Queued);
            }
        }
    }

    fn next_hops(&self, prefix: IpNet) -> Vec<HopAddress> {
        let set = self.entries.get(prefix).and_then(|entry| entry.next_hops);
        let next_hops = set.and_then(|set| self.sets.get(set)).into_iter().flatten();
        next_hops.map(NextHop::place).collect()
    }

    pub(super) fn forget(&mut self, prefix: IpNet) {
        if let Some(entry) = self.entries.remove(prefix)
            && entry.marks.trouble
        {
            self.troubles.insert(prefix);
        }
        self.retries.forget(prefix);
    }

    pub(super) fn note_trouble(&mut self, prefix: IpNet) {
        let Some(entry) = self.entries.get_mut(prefix) else { return };
        let trouble = matches!(entry.state(), State::Conflict | State::Failed);
        if trouble != entry.marks.trouble {
            entry.marks.trouble = trouble;
            self.troubles.insert(prefix);
        }
    }
}
