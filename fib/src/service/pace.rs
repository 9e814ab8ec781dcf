//! When to compare with the kernel: at an interval, and soon after a suspicion, but never so often that it matters.

use std::time::{Duration, Instant};

use crate::metrics::ResyncReason;

const INTERVAL: Duration = Duration::from_secs(60);
const AFTER_FAILURE: Duration = Duration::from_secs(1);
const SHORTEST_GAP: Duration = Duration::from_millis(100);
/// When to look again after the last notice of a link or address. The kernel sends it before it changes its routes, and
/// whoever changed the link may be held up in between.
const SECOND_LOOK: Duration = Duration::from_millis(500);

/// Plans comparisons.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    due: Instant,
    reason: ResyncReason,
    earliest: Instant,
    second_look: Option<Instant>,
    sight: Sight,
}

/// Whether our view of the kernel can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// It can.
    Clear,
    /// Notices or results were lost: nothing is sent before the next comparison, lest a foreign route be replaced.
    Blind,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        let due = now + INTERVAL;
        let (reason, sight) = (ResyncReason::Interval, Sight::Clear);
        Self { due, reason, earliest: now, second_look: None, sight }
    }

    /// Something is suspicious. A burst of suspicions leads to one comparison.
    pub(super) fn suspect(&mut self, now: Instant, reason: ResyncReason) {
        let wait = match reason {
            ResyncReason::Start | ResyncReason::Interval | ResyncReason::SecondLook => Duration::ZERO,
            ResyncReason::Mismatch => Duration::from_millis(20),
            ResyncReason::LinkChange => Duration::from_millis(50),
            ResyncReason::Overrun | ResyncReason::Timeout => Duration::from_millis(100),
            ResyncReason::ForeignChange => Duration::from_millis(500),
        };
        if matches!(reason, ResyncReason::Overrun | ResyncReason::Timeout) {
            self.sight = Sight::Blind;
        }
        if matches!(reason, ResyncReason::Overrun | ResyncReason::LinkChange) {
            self.second_look = Some(now + SECOND_LOOK);
        }
        let due = (now + wait).max(self.earliest);
        if due < self.due {
            (self.due, self.reason) = (due, reason);
        }
    }

    /// The reason to compare now, if there is one.
    pub(super) fn due(&self, now: Instant) -> Option<ResyncReason> {
        (self.due <= now).then_some(self.reason)
    }

    /// Whether the second look after a notice of a link or address is due. Says so once.
    pub(super) fn take_second_look(&mut self, now: Instant) -> bool {
        self.second_look.take_if(|at| *at <= now).is_some()
    }

    /// When there will be a reason, or a second look.
    pub(super) fn next(&self) -> Instant {
        self.second_look.map_or(self.due, |at| at.min(self.due))
    }

    /// Whether a comparison is due soon, a second look aside.
    pub(super) fn is_suspicious(&self, now: Instant) -> bool {
        self.due <= now + Duration::from_millis(500)
    }

    /// A comparison ended; the next one waits at least ten times as long as it took.
    pub(super) fn compared(&mut self, now: Instant, took: Duration) {
        self.earliest = now + took.saturating_mul(10).max(SHORTEST_GAP);
        (self.due, self.reason) = (now + INTERVAL, ResyncReason::Interval);
        self.sight = Sight::Clear;
    }

    /// Whether our view of the kernel can be trusted.
    pub(super) fn sight(&self) -> Sight {
        self.sight
    }

    /// A comparison failed.
    pub(super) fn failed(&mut self, now: Instant) {
        self.due = now + AFTER_FAILURE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_suspicions_leads_to_one_comparison_and_slow_ones_are_rarer() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        assert_eq!(pace.due(start), None);
        pace.suspect(start, ResyncReason::ForeignChange);
        pace.suspect(start, ResyncReason::LinkChange);
        pace.suspect(start, ResyncReason::ForeignChange);
        let at = pace.next();
        assert_eq!((at - start, pace.due(at)), (Duration::from_millis(50), Some(ResyncReason::LinkChange)));
        pace.compared(at, Duration::from_millis(30));
        pace.suspect(at, ResyncReason::Mismatch);
        assert_eq!(pace.next() - at, Duration::from_millis(300));
        pace.compared(at, Duration::from_millis(1));
        assert_eq!(pace.due(at + INTERVAL), Some(ResyncReason::Interval));
    }

    #[test]
    fn a_second_look_follows_the_last_notice_of_a_link_and_is_no_suspicion() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let later = start + Duration::from_millis(300);
        pace.suspect(start, ResyncReason::LinkChange);
        pace.suspect(later, ResyncReason::LinkChange);
        pace.compared(later, Duration::from_millis(1));
        assert_eq!((pace.is_suspicious(later), pace.next()), (false, later + SECOND_LOOK));
        assert!(!pace.take_second_look(start + SECOND_LOOK));
        assert!(pace.take_second_look(later + SECOND_LOOK));
        assert!(!pace.take_second_look(later + SECOND_LOOK));
        pace.suspect(later, ResyncReason::ForeignChange);
        pace.compared(later, Duration::from_millis(1));
        assert_eq!(pace.next(), later + INTERVAL);
    }
}
