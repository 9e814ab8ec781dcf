//! By how much a counter has grown of late. Pure.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// What counts as of late.
pub(super) const WINDOW: Duration = Duration::from_secs(10 * 60);
/// Samples are at least this far apart, which bounds their number.
const SPACING: Duration = Duration::from_secs(10);

/// Samples of a counter that only grows.
#[derive(Debug, Default)]
pub(super) struct Growth(VecDeque<(Instant, u64)>);

impl Growth {
    /// Takes in what the counter shows now, and returns what it has grown by within [`WINDOW`]. What it showed first is
    /// no growth: it may be from before the daemon's start. A counter that fell has begun anew.
    pub(super) fn note(&mut self, now: Instant, total: u64) -> u64 {
        if self.0.back().is_some_and(|(_, last)| *last > total) {
            self.0.clear();
        }
        if self.0.back().is_none_or(|(at, _)| now.saturating_duration_since(*at) >= SPACING) {
            self.0.push_back((now, total));
        }
        // One sample from before the window stays: growth is counted from there.
        while self.0.get(1).is_some_and(|(at, _)| now.saturating_duration_since(*at) > WINDOW) {
            self.0.pop_front();
        }
        self.0.front().map_or(0, |(_, first)| total.saturating_sub(*first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_forgotten_after_the_window_and_what_was_there_first_is_none() {
        let (mut growth, start) = (Growth::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(growth.note(at(0), 1000), 0);
        assert_eq!(growth.note(at(5), 1003), 3);
        assert_eq!(growth.note(at(60), 1025), 25);
        assert_eq!(growth.note(at(300), 1025), 25);
        assert_eq!(growth.note(at(1300), 1025), 0);
        assert!(growth.0.len() < 5);
    }

    #[test]
    fn a_counter_that_begins_anew_has_not_grown() {
        let (mut growth, start) = (Growth::default(), Instant::now());
        growth.note(start, 50);
        assert_eq!(growth.note(start + Duration::from_secs(20), 2), 0);
        assert_eq!(growth.note(start + Duration::from_secs(40), 4), 2);
    }
}
