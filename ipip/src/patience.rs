//! How often the guard is put right before we hold back. Pure.
//!
//! Every change of the guard is an event that makes us look again. Should another program, a second siskin say, keep
//! undoing what we write, or should nft print it in a form that never equals what was wanted, we would write for ever.
//!
//! A guard that is gone leaves the tunnel open, so it never waits longer than [`SHORT_PAUSE`]. The same holds for one that
//! was seen to be as written in between: then somebody has altered it. Only rules that never read as written, and are
//! probably in force all the same, wait longer and longer.

use std::time::Duration;

/// Corrections in a row that are made at once.
const AT_ONCE: u32 = 12;
/// The pause after those where the tunnel may be open.
pub(crate) const SHORT_PAUSE: Duration = Duration::from_millis(200);
/// The first pause where rules do not read as they were written; each correction doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest of those pauses.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// After this long without a correction the row is over: a firewall that is reloaded now and then is corrected at once.
const CALM: Duration = Duration::from_secs(10);

/// Whether a correction may be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    Granted,
    Withheld,
}

/// What is wrong with the guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Damage {
    /// There is none.
    Gone,
    /// It is not as written.
    Differs,
}

/// Whether the last correction was seen in the kernel as it was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Reading {
    #[default]
    NotYet,
    AsWritten,
}

/// Counts corrections: changes of the guard although what is wanted of it has not changed.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    row: u32,
    last: Option<Duration>,
    reading: Reading,
    withheld_until: Option<Duration>,
}

impl Patience {
    /// Asks to correct this at `now`, a time since some start.
    pub(crate) fn ask(&mut self, now: Duration, damage: Damage) -> Leave {
        let until = self.last.map(|last| last.saturating_add(self.pause(damage)));
        self.withheld_until = until.filter(|until| now < *until);
        if self.withheld_until.is_some() { Leave::Withheld } else { Leave::Granted }
    }

    /// A correction was made at `now`.
    pub(crate) fn corrected(&mut self, now: Duration) {
        let calm = self.last.is_none_or(|last| now.saturating_sub(last) >= CALM);
        self.row = if calm { 1 } else { self.row.saturating_add(1) };
        self.last = Some(now);
        self.reading = Reading::NotYet;
        self.withheld_until = None;
    }

    /// All was found as it was written, by a look that was not that after the writing: whatever that one sees counts as the
    /// form of what was written.
    pub(crate) fn reads_as_written(&mut self) {
        self.reading = Reading::AsWritten;
        self.withheld_until = None;
    }

    /// When the correction that was withheld last may be made.
    pub(crate) fn withheld_until(&self) -> Option<Duration> {
        self.withheld_until
    }

    /// Whether the guard is being altered again and again.
    pub(crate) fn is_contested(&self, now: Duration) -> bool {
        self.row >= AT_ONCE && self.last.is_some_and(|last| now.saturating_sub(last) < CALM)
    }

    fn pause(&self, damage: Damage) -> Duration {
        let Some(more) = self.row.checked_sub(AT_ONCE) else { return Duration::ZERO };
        if damage == Damage::Gone || self.reading == Reading::AsWritten {
            return SHORT_PAUSE;
        }
        FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(more)).min(LONGEST_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When corrections are made by someone who asks every tenth of a second for a minute.
    fn corrections(patience: &mut Patience, damage: Damage) -> Vec<Duration> {
        let times = (0..600).map(|tenth| Duration::from_millis(100 * tenth));
        let granted = times.filter(|now| {
            let granted = patience.ask(*now, damage) == Leave::Granted;
            if granted {
                patience.corrected(*now);
            }
            granted
        });
        granted.collect()
    }

    #[test]
    fn the_pause_between_corrections_that_never_read_as_written_grows_to_five_seconds() {
        let mut patience = Patience::default();
        let times: Vec<u64> =
            corrections(&mut patience, Damage::Differs).iter().map(Duration::as_secs).collect();
        assert_eq!(times[..12], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(times[12..], [2, 4, 8, 13, 18, 23, 28, 33, 38, 43, 48, 53, 58]);
    }

    /// The longest time between two corrections.
    fn longest(times: &[Duration]) -> Option<Duration> {
        times.windows(2).map(|pair| pair[1] - pair[0]).max()
    }

    #[test]
    fn a_guard_that_is_gone_again_and_again_is_back_within_200_milliseconds_each_time() {
        let mut patience = Patience::default();
        let times = corrections(&mut patience, Damage::Gone);
        assert_eq!((times.len() > 300, longest(&times)), (true, Some(SHORT_PAUSE)));
        assert!(patience.is_contested(Duration::from_secs(60)));
    }

    #[test]
    fn so_is_one_that_somebody_alters_again_and_again() {
        let mut patience = Patience::default();
        let mut times = Vec::new();
        for now in (0..600).map(|tenth| Duration::from_millis(100 * tenth)) {
            if patience.ask(now, Damage::Differs) == Leave::Granted {
                patience.corrected(now);
                patience.reads_as_written();
                times.push(now);
            }
        }
        assert_eq!(longest(&times), Some(SHORT_PAUSE));
    }

    #[test]
    fn the_end_of_the_pause_is_told_while_a_correction_is_withheld() {
        let mut patience = Patience::default();
        let second = Duration::from_secs(1);
        (0..AT_ONCE).for_each(|_| patience.corrected(second));
        assert_eq!(patience.withheld_until(), None);
        assert_eq!(patience.ask(second, Damage::Gone), Leave::Withheld);
        assert_eq!(patience.withheld_until(), Some(second + SHORT_PAUSE));
        assert_eq!(patience.ask(second + SHORT_PAUSE, Damage::Gone), Leave::Granted);
        assert_eq!(patience.withheld_until(), None);
    }

    #[test]
    fn after_a_calm_time_corrections_are_made_at_once_again() {
        let mut patience = Patience::default();
        corrections(&mut patience, Damage::Differs);
        let later = Duration::from_secs(59) + CALM;
        patience.corrected(later);
        assert_eq!(patience.ask(later, Damage::Differs), Leave::Granted);
        assert!(!patience.is_contested(later));
    }
}
