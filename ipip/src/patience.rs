//! How often the guard is put right before we hold back. Pure.
//!
//! Every change of the guard is an event that makes us look again. Should another program, a second siskin say, keep
//! undoing what we write, or should nft print it in a form that never equals what was wanted, we would write for ever.

use std::time::Duration;

/// Corrections in a row that are made at once.
const AT_ONCE: u32 = 12;
/// The first pause after those; each correction doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause, for which the guard may be missing.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// After this long without a correction the row is over: a firewall that is reloaded now and then is corrected at once.
const CALM: Duration = Duration::from_secs(10);

/// Whether a correction may be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    Granted,
    Withheld,
}

/// Counts corrections: changes of the guard although what is wanted of it has not changed.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    row: u32,
    last: Option<Duration>,
}

impl Patience {
    /// Asks to correct at `now`, a time since some start.
    pub(crate) fn ask(&self, now: Duration) -> Leave {
        match self.last {
            Some(last) if now < last.saturating_add(self.pause()) => Leave::Withheld,
            _ => Leave::Granted,
        }
    }

    /// A correction was made at `now`.
    pub(crate) fn corrected(&mut self, now: Duration) {
        let calm = self.last.is_none_or(|last| now.saturating_sub(last) >= CALM);
        self.row = if calm { 1 } else { self.row.saturating_add(1) };
        self.last = Some(now);
    }

    fn pause(&self) -> Duration {
        match self.row.checked_sub(AT_ONCE) {
            None => Duration::ZERO,
            Some(more) => FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(more)).min(LONGEST_PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When corrections are made, in seconds, by someone who asks every tenth of a second for a minute.
    fn corrections(patience: &mut Patience) -> Vec<u64> {
        let times = (0..600).map(|tenth| Duration::from_millis(100 * tenth));
        let granted = times.filter(|now| {
            let granted = patience.ask(*now) == Leave::Granted;
            if granted {
                patience.corrected(*now);
            }
            granted
        });
        granted.map(|at| at.as_secs()).collect()
    }

    #[test]
    fn the_pause_between_endless_corrections_grows_to_five_seconds() {
        let times = corrections(&mut Patience::default());
        assert_eq!(times[..12], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(times[12..], [2, 4, 8, 13, 18, 23, 28, 33, 38, 43, 48, 53, 58]);
    }

    #[test]
    fn after_a_calm_time_corrections_are_made_at_once_again() {
        let mut patience = Patience::default();
        corrections(&mut patience);
        let later = Duration::from_secs(59) + CALM;
        patience.corrected(later);
        assert_eq!(patience.ask(later), Leave::Granted);
    }
}
