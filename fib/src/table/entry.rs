//! One prefix: what is wanted of it, and what of ours the kernel holds.

use crate::{
    decide::{Decision, Verdict},
    error::Errno,
    route::{NextHopSet, Path},
    table::intern::Id,
    view::{Cause, RestartPhase, State},
};

/// The state of one prefix.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// The next hops asked for; `None`: none, or a block of our own.
    pub(super) next_hops: Option<Id<NextHopSet>>,
    /// What the kernel is to hold; `None`: nothing, or nothing can be said yet.
    pub(super) wanted: Option<Id<Path>>,
    /// What it holds of ours in the slot.
    pub(super) actual: Option<Id<Path>>,
    /// Why not what is wanted.
    pub(super) cause: Option<Cause>,
    /// The decision; `None`: nobody asks for the prefix.
    pub(super) decision: Option<Decision>,
    /// The kernel's last refusal.
    pub(super) errno: Option<u16>,
    pub(super) marks: Marks,
}

/// Small facts about an entry.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks {
    /// A block of our own.
    pub(super) block: bool,
    /// In the queue.
    pub(super) queued: bool,
    /// Found in the kernel at start, and not asked for since: not deleted before the restart is over. Once somebody has
    /// asked for the prefix, what becomes of it is what is asked for.
    pub(super) adopted: bool,
    /// Found in the dump under comparison.
    pub(super) seen: bool,
    /// The owner has been told of trouble.
    pub(super) trouble: bool,
    /// No way leads to the next hop: what is wanted says so, or nothing is wanted.
    pub(super) unreachable: bool,
    /// The route asks for its packets being dropped.
    pub(super) discard: bool,
}

/// What is to be done about an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Todo {
    /// The kernel holds what is wanted, or must be left as it is for now.
    Nothing,
    /// The slot is empty of ours.
    Create(Id<Path>),
    /// The slot holds something of ours.
    Replace(Id<Path>),
    /// Nobody asks for it any more, or it leads nowhere.
    Delete,
}

impl Entry {
    /// Whether anybody asks for the prefix.
    pub(super) fn is_asked_for(&self) -> bool {
        self.marks.block || self.next_hops.is_some()
    }

    /// Takes a route of ours that was just found in the kernel for one of the life before, while the restart is under way.
    /// It is none if somebody asks for the prefix, or if the route was known before: then it is on its way out.
    pub(super) fn adopt(&mut self, restart: RestartPhase) {
        let found = restart == RestartPhase::Underway && self.actual.is_none();
        self.marks.adopted |= found && !self.is_asked_for();
    }

    /// What is to be done, foreign routes aside.
    pub(super) fn todo(&self, restart: RestartPhase) -> Todo {
        let not_ours = self.decision.is_some_and(|decision| decision.verdict == Verdict::NotOurs);
        let unwanted = not_ours || self.decision.is_none() || self.marks.unreachable;
        // What hides the host's own network or address is no route to keep.
        let harmful = self.decision.is_some_and(Decision::is_of_host);
        let kept = self.marks.adopted && restart == RestartPhase::Underway && !harmful;
        match (self.wanted, self.actual) {
            (Some(wanted), None) => Todo::Create(wanted),
            (Some(wanted), Some(actual)) if wanted != actual => Todo::Replace(wanted),
            (None, Some(_)) if unwanted && !kept => Todo::Delete,
            _ => Todo::Nothing,
        }
    }

    /// Where the route stands.
    pub(super) fn state(&self) -> State {
        match (self.decision, self.cause) {
            (None, _) => State::Stale,
            (Some(_), Some(Cause::ForeignRoute)) => State::Conflict,
            (Some(_), Some(Cause::KernelError)) => State::Failed,
            (Some(_), Some(Cause::NextHopUnreachable | Cause::NextHopLoop)) if self.wanted == self.actual => {
                State::Unreachable
            }
            (Some(_), Some(_)) => State::Pending,
            (Some(decision), None) if decision.verdict == Verdict::NotOurs => State::NotOurs,
            (Some(_), None) if self.wanted == self.actual && self.marks.unreachable => State::Unreachable,
            (Some(_), None) if self.wanted == self.actual => State::Installed,
            (Some(_), None) => State::Pending,
        }
    }

    /// The kernel's last refusal.
    pub(super) fn errno(&self) -> Option<Errno> {
        self.errno.map(|number| Errno(number.into()))
    }

    /// Whether the entry says nothing any more.
    pub(super) fn is_empty(&self) -> bool {
        !self.is_asked_for() && self.actual.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_stays_small() {
        assert!(size_of::<Entry>() <= 28, "{}", size_of::<Entry>());
    }
}
