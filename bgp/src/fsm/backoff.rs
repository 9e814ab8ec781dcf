//! IdleHoldTimer with exponential backoff (DampPeerOscillations, RFC 4271 section 8.1.1).

use std::time::Duration;

/// How heavily a failure weighs on the wait before the next start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// The transport went away, nobody complained: the first few times cost nothing.
    Lost,
    /// Somebody ended the session on purpose, or the HoldTimer did, which takes its time: always the shortest wait.
    Asked,
    /// A NOTIFICATION was sent or received.
    Error,
    /// The peer does not take our version, while the DelayOpenTimer ran (event 24): counts for nothing.
    Version,
    /// Too many prefixes (Cease 6/1): reconnecting at once would end the same way.
    MaxPrefixes,
}

/// A session that lasted this long clears the record.
const STABLE: Duration = Duration::from_secs(60);
/// Transport losses in a row that are not punished.
const FREE_LOSSES: u32 = 3;
/// The shortest wait after Cease 6/1.
const MAX_PREFIXES_HOLD: Duration = Duration::from_secs(60);

/// The IdleHoldTimer's length as a function of how a peer behaved.
#[derive(Clone, Debug)]
pub(super) struct IdleHold {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl IdleHold {
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// Takes other limits.
    pub(super) fn set_limits(&mut self, first: Duration, longest: Duration) {
        (self.first, self.longest) = (first, longest);
    }

    /// Forgets the past.
    pub(super) fn forgive(&mut self) {
        self.failures = 0;
    }

    /// The wait after a failure; `lasted` is how long the session had been Established, zero if it never was.
    pub(super) fn after(&mut self, weight: Weight, lasted: Duration) -> Duration {
        if lasted >= STABLE {
            self.failures = 0;
        }
        let before = self.failures;
        if !matches!(weight, Weight::Asked | Weight::Version) {
            self.failures = self.failures.saturating_add(1);
        }
        match weight {
            Weight::Asked => self.first,
            Weight::Version => self.doubled(before),
            Weight::Lost if before < FREE_LOSSES => Duration::ZERO,
            Weight::Lost => self.doubled(before - FREE_LOSSES),
            Weight::Error => self.doubled(before),
            Weight::MaxPrefixes => self.doubled(before).max(MAX_PREFIXES_HOLD),
        }
    }

    fn doubled(&self, times: u32) -> Duration {
        self.first.saturating_mul(1_u32.checked_shl(times).unwrap_or(u32::MAX)).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle_hold() -> IdleHold {
        IdleHold::new(Duration::from_secs(1), Duration::from_secs(60))
    }

    #[test]
    fn errors_double_the_wait_up_to_the_ceiling() {
        let mut hold = idle_hold();
        let waits: Vec<u64> = (0..9).map(|_| hold.after(Weight::Error, Duration::ZERO).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn other_limits_hold_from_the_next_failure_on() {
        let mut hold = idle_hold();
        hold.set_limits(Duration::from_secs(3), Duration::from_secs(5));
        let waits: Vec<u64> = (0..3).map(|_| hold.after(Weight::Error, Duration::ZERO).as_secs()).collect();
        assert_eq!(waits, [3, 5, 5]);
    }

    #[test]
    fn a_stable_session_clears_the_record() {
        let mut hold = idle_hold();
        for _ in 0..5 {
            hold.after(Weight::Error, Duration::ZERO);
        }
        assert_eq!(hold.after(Weight::Error, STABLE), Duration::from_secs(1));
    }

    #[test]
    fn a_pardon_clears_the_record_too() {
        let mut hold = idle_hold();
        for _ in 0..5 {
            hold.after(Weight::Error, Duration::ZERO);
        }
        hold.forgive();
        assert_eq!(hold.after(Weight::Error, Duration::ZERO), Duration::from_secs(1));
    }

    #[test]
    fn a_few_lost_connections_cost_nothing() {
        let mut hold = idle_hold();
        let waits: Vec<u64> = (0..6).map(|_| hold.after(Weight::Lost, Duration::ZERO).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 1, 2, 4]);
    }

    #[test]
    fn too_many_prefixes_wait_at_least_a_minute() {
        assert_eq!(idle_hold().after(Weight::MaxPrefixes, Duration::from_secs(3600)), MAX_PREFIXES_HOLD);
    }

    #[test]
    fn a_thousand_failures_do_not_overflow() {
        let mut hold = idle_hold();
        for _ in 0..1000 {
            hold.after(Weight::Error, Duration::ZERO);
        }
        assert_eq!(hold.after(Weight::Error, Duration::ZERO), Duration::from_secs(60));
    }
}
