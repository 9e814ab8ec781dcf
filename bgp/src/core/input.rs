//! Adj-RIB-In of one peer and family, but for its paths: which of them count, and for how long.

use std::time::Duration;

use super::Refusals;
use crate::{decision::Reason, types::Now};

/// Most epochs that can be alive at once; a peer that begins refresh after refresh and ends none has its paths
/// marked no further.
const MOST_EPOCHS: u8 = 64;

/// Paths are told apart by the epoch they came in: a session begins one, and so does a refresh (RFC 7313).
#[derive(Debug, Default)]
pub(super) struct Input {
    /// Paths of this epoch are as new as can be.
    pub(super) epoch: u8,
    /// Paths from this epoch on are stale but alive (RFC 4724 section 4.2, RFC 7313 section 4).
    pub(super) retained: Option<u8>,
    /// When the stale ones end at the latest.
    pub(super) deadline: Option<Now>,
    kept: Kept,
    /// Ways to next hops that were lost before the paths became stale (see [`NextHops::losses`](crate::rib::NextHops)).
    pub(super) losses_before: u64,
    /// How long they may be kept beyond the restart time (RFC 9494); zero: not at all.
    long_lived_time: Duration,
    /// Whether End-of-RIB has come over the present session.
    pub(super) complete: bool,
    /// Whether the import policy changed under the paths, or they have become long-lived.
    pub(super) reimport: bool,
    /// Epochs begun since every dead path was last taken out.
    unswept: u8,
    /// Paths refused over the present session because there were too many of their prefix.
    pub(super) refused_paths: u32,
    /// Prefixes beyond the limit that were not taken over the present session.
    pub(super) refused_prefixes: u32,
    /// Prefixes not taken over the present session because there was no room for their attributes.
    pub(super) refused_attributes: u32,
    pub(super) fresh: Tally,
    pub(super) stale: Tally,
}

/// Why stale paths are alive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kept {
    /// The peer restarts, or there are none.
    #[default]
    Restart,
    /// It has not come back in time, and they are a last resort.
    LongLived,
    /// It is sending everything anew.
    Refresh,
}

/// How long paths outlive a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retention {
    /// The end of the restart time.
    pub(super) deadline: Now,
    /// How long they may be kept beyond it; zero: not at all.
    pub(super) long_lived_time: Duration,
}

/// Paths counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) accepted: u32,
    pub(super) refused: Refusals,
}

impl Tally {
    pub(super) fn total(self) -> u32 {
        self.accepted + self.refused.total()
    }

    /// The counter of paths that stand so.
    pub(super) fn of(&mut self, reason: Reason) -> Option<&mut u32> {
        if reason.is_rejected() { self.refused.of(reason) } else { Some(&mut self.accepted) }
    }

    fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.refused = self.refused.plus(&other.refused);
    }
}

impl Input {
    /// Whether paths of this epoch still count.
    pub(super) fn is_alive(&self, epoch: u8) -> bool {
        let age = self.epoch.wrapping_sub(epoch);
        age == 0 || self.retained.is_some_and(|oldest| age <= self.epoch.wrapping_sub(oldest))
    }

    /// Whether stale paths are kept beyond the restart time.
    pub(super) fn is_long_lived(&self) -> bool {
        self.kept == Kept::LongLived
    }

    /// Whether paths of this epoch are kept because the peer restarts: neither fresh, nor merely sent anew.
    pub(super) fn is_kept_for_restart(&self, epoch: u8) -> bool {
        epoch != self.epoch && self.kept != Kept::Refresh && self.is_alive(epoch)
    }

    /// Whether paths of this epoch came over the present session.
    pub(super) fn is_of_session(&self, epoch: u8) -> bool {
        epoch == self.epoch || self.kept == Kept::Refresh && self.is_alive(epoch)
    }

    /// Paths that came over the present session.
    pub(super) fn of_session(&self) -> u32 {
        self.fresh.total() + if self.kept == Kept::Refresh { self.stale.total() } else { 0 }
    }

    pub(super) fn tally(&mut self, epoch: u8) -> Option<&mut Tally> {
        match epoch {
            e if e == self.epoch => Some(&mut self.fresh),
            e if self.is_alive(e) => Some(&mut self.stale),
            _ => None,
        }
    }

    /// Every route has been looked at: no dead path is left, and every path went through the present policy.
    pub(super) fn swept(&mut self) {
        self.reimport = false;
        self.unswept = 0;
    }

    /// Whether the next epoch could be taken for one of which dead paths may still be there.
    pub(super) fn must_be_swept(&self) -> bool {
        self.unswept == u8::MAX
    }

    fn begin_epoch(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
        self.unswept = self.unswept.saturating_add(1);
    }

    /// Ends the stale paths; whether there were any.
    pub(super) fn drop_stale(&mut self) -> bool {
        let had = std::mem::take(&mut self.stale).total() > 0;
        (self.retained, self.deadline, self.kept) = (None, None, Kept::Restart);
        had
    }

    /// Ends the session's paths, or turns them stale; whether any path died.
    pub(super) fn end_session(&mut self, retention: Option<Retention>) -> bool {
        let oldest = self.retained.filter(|_| self.kept == Kept::Refresh);
        let mut own = std::mem::take(&mut self.fresh);
        if oldest.is_some() {
            own.add(std::mem::take(&mut self.stale));
        }
        let mut died = self.drop_stale();
        match retention.filter(|_| own.total() > 0) {
            Some(Retention { deadline, long_lived_time }) => {
                (self.retained, self.deadline) = (Some(oldest.unwrap_or(self.epoch)), Some(deadline));
                (self.stale, self.long_lived_time) = (own, long_lived_time);
            }
            None => died |= own.total() > 0,
        }
        self.begin_epoch();
        self.complete = false;
        self.refused_paths = 0;
        self.refused_prefixes = 0;
        self.refused_attributes = 0;
        died
    }

    /// The restart time has passed without the peer: keeps what is stale as a last resort, if that was agreed on
    /// (RFC 9494 section 4.2).
    pub(super) fn become_long_lived(&mut self, now: Now) -> bool {
        let begins = self.kept == Kept::Restart && !self.long_lived_time.is_zero() && self.stale.total() > 0;
        if begins {
            (self.kept, self.deadline) = (Kept::LongLived, Some(now.plus(self.long_lived_time)));
            self.reimport = true;
        }
        begins
    }

    /// The peer begins to send everything anew: what is there becomes stale (RFC 7313 section 4). Not before all has
    /// come once.
    pub(super) fn begin_refresh(&mut self, deadline: Now) {
        let restarting = self.retained.is_some() && self.kept != Kept::Refresh;
        let oldest = self.retained.unwrap_or(self.epoch);
        if restarting || self.epoch.wrapping_sub(oldest) >= MOST_EPOCHS {
            return;
        }
        self.deadline = Some(deadline);
        if self.fresh.total() > 0 {
            (self.retained, self.kept) = (Some(oldest), Kept::Refresh);
            self.stale.add(std::mem::take(&mut self.fresh));
            self.begin_epoch();
        }
    }

    /// The peer has sent everything anew: what is still stale ends. Whether there was any.
    pub(super) fn end_refresh(&mut self) -> bool {
        self.kept == Kept::Refresh && self.drop_stale()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(accepted: u32) -> Input {
        Input { fresh: Tally { accepted, ..Tally::default() }, ..Input::default() }
    }

    #[test]
    fn refreshes_that_are_begun_and_not_ended_keep_every_path_alive() {
        let mut input = with(1);
        for round in 0..200_u8 {
            input.begin_refresh(Now::default());
            input.fresh.accepted += 1;
            assert!(input.is_alive(0), "round {round}");
        }
        assert!(input.epoch <= MOST_EPOCHS);
        assert_eq!(input.of_session(), 201);
        assert!(input.end_refresh() && !input.is_alive(0) && input.is_alive(input.epoch));
    }

    #[test]
    fn a_session_lost_within_a_refresh_keeps_what_was_not_refreshed_yet() {
        let mut input = with(3);
        input.begin_refresh(Now::default());
        input.fresh.accepted += 1;
        let retention = Retention { deadline: Now::default(), long_lived_time: Duration::ZERO };
        assert!(!input.end_session(Some(retention)));
        assert!(input.is_alive(0) && input.is_alive(1) && input.stale.total() == 4);
    }

    #[test]
    fn a_refresh_does_not_begin_before_all_has_come_after_a_restart() {
        let mut input = with(1);
        let retention = Retention { deadline: Now::default(), long_lived_time: Duration::ZERO };
        input.end_session(Some(retention));
        input.fresh.accepted += 1;
        input.begin_refresh(Now::default());
        assert!(!input.end_refresh());
        assert_eq!((input.fresh.total(), input.stale.total()), (1, 1));
    }
}
