//! Which numbers have arrived. Pure.

use std::time::{Duration, Instant};

/// Numbers beyond this are not a stream's: at 20,000 packets a second it takes five hours.
const LIMIT: u64 = 360_000_000;

/// The numbers that have arrived, one bit each, and the moments that were worst.
#[derive(Debug, Default)]
pub(super) struct Tally {
    seen: Vec<u64>,
    /// One more than the highest number seen.
    next: u64,
    last: Option<Instant>,
    /// Where the present lap began.
    base: u64,
    reordered: u64,
    duplicated: u64,
    longest_silence: Duration,
}

/// What happened in a lap.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Numbers that have not arrived.
    pub(super) missing: u64,
    /// The longest run of them.
    pub(super) longest_gap: u64,
    /// Packets that came after one with a higher number.
    pub(super) reordered: u64,
    /// Packets that came once more.
    pub(super) duplicated: u64,
    /// The longest time between two packets.
    pub(super) longest_silence: Duration,
}

impl Tally {
    /// A packet with this number has come.
    pub(super) fn arrived(&mut self, number: u64, now: Instant) {
        if number >= LIMIT {
            return;
        }
        if let Some(last) = self.last.replace(now) {
            self.longest_silence = self.longest_silence.max(now.saturating_duration_since(last));
        }
        let (word, bit) = place(number);
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        let Some(word) = self.seen.get_mut(word) else { return };
        if *word & bit != 0 {
            self.duplicated += 1;
            return;
        }
        *word |= bit;
        if number < self.next {
            self.reordered += 1;
        }
        self.next = self.next.max(number + 1);
    }

    /// How many numbers of the present lap below `mark` are missing.
    pub(super) fn missing_below(&self, mark: u64) -> u64 {
        self.missing(mark).map(|(first, end)| end - first).sum()
    }

    /// Ends the lap: numbers from `mark` on belong to the next.
    pub(super) fn close(&mut self, mark: u64) -> Seen {
        let seen = Seen {
            missing: self.missing_below(mark),
            longest_gap: self.missing(mark).map(|(first, end)| end - first).max().unwrap_or(0),
            reordered: std::mem::take(&mut self.reordered),
            duplicated: std::mem::take(&mut self.duplicated),
            longest_silence: std::mem::take(&mut self.longest_silence),
        };
        self.base = self.base.max(mark);
        seen
    }

    /// The runs of missing numbers from the lap's beginning up to `mark`: first and end of each.
    fn missing(&self, mark: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
        let mut at = self.base;
        std::iter::from_fn(move || {
            let first = (at..mark).find(|number| !self.has(*number))?;
            let end = (first..mark).find(|number| self.has(*number)).unwrap_or(mark);
            at = end;
            Some((first, end))
        })
    }

    fn has(&self, number: u64) -> bool {
        let (word, bit) = place(number);
        self.seen.get(word).is_some_and(|word| word & bit != 0)
    }
}

fn place(number: u64) -> (usize, u64) {
    (usize::try_from(number / 64).unwrap_or(usize::MAX), 1 << (number % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(numbers: &[u64]) -> Tally {
        let (mut tally, start) = (Tally::default(), Instant::now());
        for (at, number) in (0..).zip(numbers) {
            tally.arrived(*number, start + Duration::from_millis(at));
        }
        tally
    }

    #[test]
    fn gaps_late_packets_and_copies_are_told_apart() {
        let seen = tally(&[0, 1, 2, 6, 4, 6, 100]).close(101);
        assert_eq!((seen.missing, seen.longest_gap), (2 + 93, 93));
        assert_eq!((seen.reordered, seen.duplicated), (1, 1));
        assert_eq!(seen.longest_silence, Duration::from_millis(1));
    }

    #[test]
    fn a_lap_begins_where_the_last_one_ended() {
        let mut tally = tally(&[0, 2, 3, 4]);
        assert_eq!(tally.missing_below(5), 1);
        assert_eq!(tally.close(5).missing, 1);
        assert_eq!(tally.close(7), Seen { missing: 2, longest_gap: 2, ..Seen::default() });
    }

    #[test]
    fn a_number_no_stream_reaches_takes_no_memory() {
        let tally = tally(&[u64::MAX, LIMIT]);
        assert!(tally.seen.is_empty());
    }
}
