//! Refused routes and when to try them again.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use rustc_hash::FxHashMap;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(30);

/// Refused routes, each with a delay that doubles from 200 ms to 30 s.
#[derive(Debug, Default)]
pub(super) struct Retries {
    by_prefix: FxHashMap<IpNet, Retry>,
    by_time: BTreeSet<(Instant, IpNet)>,
}

#[derive(Clone, Copy, Debug)]
struct Retry {
    delay: Duration,
    due: Instant,
}

impl Retries {
    /// A prefix was refused (again).
    pub(super) fn refused(&mut self, now: Instant, prefix: IpNet) {
        let before = self.by_prefix.get(&prefix).copied();
        if let Some(retry) = before {
            self.by_time.remove(&(retry.due, prefix));
        }
        let delay = before.map_or(FIRST, |retry| (retry.delay * 2).min(LONGEST));
        let due = now + delay;
        self.by_prefix.insert(prefix, Retry { delay, due });
        self.by_time.insert((due, prefix));
    }

    /// A prefix needs no retry any more.
    pub(super) fn forget(&mut self, prefix: IpNet) {
        if self.by_prefix.is_empty() {
            return;
        }
        if let Some(retry) = self.by_prefix.remove(&prefix) {
            self.by_time.remove(&(retry.due, prefix));
        }
    }

    /// Whether a prefix waits for its time.
    pub(super) fn is_waiting(&self, prefix: IpNet) -> bool {
        self.by_prefix.get(&prefix).is_some_and(|retry| self.by_time.contains(&(retry.due, prefix)))
    }

    /// The next prefix whose time has come. It keeps its delay until [`Self::forget`].
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<IpNet> {
        let (due, _) = self.by_time.first()?;
        if *due > now {
            return None;
        }
        self.by_time.pop_first().map(|(_, prefix)| prefix)
    }

    /// The world has changed: everything may be tried at once, from the shortest delay.
    pub(super) fn take_all(&mut self) -> Vec<IpNet> {
        self.by_time.clear();
        let mut prefixes: Vec<_> = self.by_prefix.drain().map(|(prefix, _)| prefix).collect();
        prefixes.sort_unstable();
        prefixes
    }

    /// When [`Self::pop_due`] has the next.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.by_time.first().map(|(due, _)| *due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_up_to_half_a_minute_and_starts_anew_after_success() {
        let (mut retries, start) = (Retries::default(), Instant::now());
        let prefix: IpNet = "10.0.0.0/26".parse().unwrap();
        let mut delays = Vec::new();
        let mut now = start;
        for _ in 0..10 {
            retries.refused(now, prefix);
            let due = retries.next_due().unwrap();
            delays.push((due - now).as_millis());
            now = due;
            assert!(retries.is_waiting(prefix));
            assert_eq!(retries.pop_due(now), Some(prefix));
            assert!(!retries.is_waiting(prefix));
        }
        assert_eq!(delays, [200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]);
        retries.forget(prefix);
        retries.refused(now, prefix);
        assert_eq!(retries.next_due(), Some(now + FIRST));
    }
}
