//! How much is run: the stages of each mode and their limits in time.

use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::expect::Set;

/// How much to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Format, lints, docs, unit and property tests
    Quick,
    /// Everything, in at most 52 minutes
    #[default]
    Default,
    /// Everything, without a limit, and an hour of fuzzing for each target
    Full,
}

/// A part of the suite, in the order of running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Format,
    Lints,
    Documentation,
    Tests,
    Fuzzing,
    ReleaseBuild,
    Simulation,
    Labs,
}

/// The default set ends within this.
const LIMIT: Duration = Duration::from_secs(52 * 60);
/// All targets share it in the default set.
const FUZZING: Duration = Duration::from_secs(70);
/// Each target has it in the full set.
const FULL_FUZZING: Duration = Duration::from_secs(60 * 60);
/// At the end of the time no lab is begun that could not be ended properly.
const LAST_LAB: Duration = Duration::from_secs(150);

/// When the set has to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    end: Option<Instant>,
}

impl Mode {
    /// Its stages.
    pub(crate) fn stages(self) -> &'static [Stage] {
        use Stage::{Documentation, Format, Fuzzing, Labs, Lints, ReleaseBuild, Simulation, Tests};
        match self {
            Self::Quick => &[Format, Lints, Documentation, Tests],
            Self::Default | Self::Full => {
                &[Format, Lints, Documentation, Tests, Fuzzing, ReleaseBuild, Simulation, Labs]
            }
        }
    }

    /// How long each of so many fuzz targets runs.
    pub(crate) fn fuzzing(self, targets: u32) -> Duration {
        match self {
            Self::Quick | Self::Default => FUZZING / targets.max(1),
            Self::Full => FULL_FUZZING,
        }
    }

    /// How many simulated networks of each kind run.
    pub(crate) fn seeds(self) -> u32 {
        match self {
            Self::Quick | Self::Default => 50,
            Self::Full => 2000,
        }
    }

    /// Its labs.
    pub(crate) fn labs(self) -> Set {
        match self {
            Self::Quick | Self::Default => Set::Default,
            Self::Full => Set::Full,
        }
    }

    /// Its limit, counted from now.
    pub(crate) fn clock(self) -> Clock {
        match self {
            Self::Full => Clock { end: None },
            Self::Quick | Self::Default => Clock { end: Instant::now().checked_add(LIMIT) },
        }
    }
}

impl Clock {
    /// What is left, if there is a limit.
    pub(crate) fn left(self) -> Option<Duration> {
        self.end.map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// Until when labs may be begun.
    pub(crate) fn for_labs(self) -> Option<Duration> {
        self.left().map(|left| left.saturating_sub(LAST_LAB))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_is_a_prefix_of_everything() {
        assert!(Mode::Default.stages().starts_with(Mode::Quick.stages()));
        assert_eq!(Mode::Default.stages(), Mode::Full.stages());
    }

    #[test]
    fn two_minutes_of_fuzzing_are_shared() {
        assert_eq!(Mode::Default.fuzzing(1), Duration::from_secs(70));
        assert_eq!(Mode::Default.fuzzing(7), Duration::from_secs(10));
        assert_eq!(Mode::Default.fuzzing(0), Duration::from_secs(70));
        assert_eq!(Mode::Full.fuzzing(3), Duration::from_secs(3600));
    }

    #[test]
    fn only_the_full_set_has_no_limit() {
        assert!(Mode::Full.clock().left().is_none());
        let clock = Mode::Default.clock();
        assert!(clock.for_labs() < clock.left());
    }
}
