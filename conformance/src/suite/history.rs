//! The last runs, remembered in `target/conformance`: what needed a second attempt, and how often.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::{
    check::{Check, Flaky},
    plan::Mode,
};
use crate::{run::Outcome, ui};

/// The file's name, a run a line.
pub(crate) const FILE: &str = "history.jsonl";
/// So many runs are remembered.
const RUNS: usize = 20;

/// One run of the suite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// When it ended, in seconds since 1970.
    ended: u64,
    mode: String,
    flaky: Vec<Flaky>,
    failed: Vec<String>,
}

/// The last runs, the newest last.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct History {
    runs: Vec<Run>,
}

impl Run {
    /// The run that has led to these checks.
    pub(crate) fn of(mode: Mode, checks: &[Check]) -> Self {
        let failed = checks.iter().filter(|check| matches!(check.outcome, Outcome::Failed(_)));
        Self {
            ended: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            mode: format!("{mode:?}").to_lowercase(),
            flaky: checks.iter().flat_map(|check| check.flaky.iter().cloned()).collect(),
            failed: failed.map(|check| check.name.clone()).collect(),
        }
    }
}

impl History {
    /// Adds a run to the file and returns all that are remembered. A file that cannot be read counts as empty, and one
    /// that cannot be written costs a warning.
    pub(crate) fn remember(file: &Path, run: Run) -> Self {
        let text = fs::read_to_string(file).unwrap_or_default();
        let mut runs: Vec<Run> =
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).chain([run]).collect();
        runs.drain(..runs.len().saturating_sub(RUNS));
        let lines: String =
            runs.iter().filter_map(|run| serde_json::to_string(run).ok()).map(|line| line + "\n").collect();
        if let Err(error) = fs::write(file, lines) {
            ui::complain(&format!("{}: {error}", file.display()));
        }
        Self { runs }
    }

    /// Each name that needed a second attempt, with the number of runs and the last complaint.
    pub(crate) fn flaky(&self) -> Vec<String> {
        let mut seen: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
        for flaky in self.runs.iter().flat_map(|run| &run.flaky) {
            let (times, complaint) = seen.entry(&flaky.name).or_default();
            *times += 1;
            *complaint = &flaky.complaint;
        }
        let number = self.runs.len();
        let line = |(name, (times, complaint)): (&str, (usize, &str))| {
            format!("{name}: {times} of the last {number} runs; {complaint}")
        };
        seen.into_iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(names: &[&str]) -> Run {
        let flaky = |name: &&str| Flaky {
            name: (*name).to_owned(),
            complaint: "no session".into(),
            kept: "x".into(),
        };
        Run { ended: 1, mode: "default".into(), flaky: names.iter().map(flaky).collect(), failed: Vec::new() }
    }

    #[test]
    fn what_needed_a_second_attempt_is_counted_over_the_last_runs() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        fs::write(&file, "no json\n").unwrap();
        for names in [&["lab a"][..], &[], &["lab a", "lab b"]] {
            History::remember(&file, run(names));
        }
        let history = History::remember(&file, run(&[]));
        assert_eq!(
            history.flaky(),
            ["lab a: 2 of the last 4 runs; no session", "lab b: 1 of the last 4 runs; no session"]
        );
    }

    #[test]
    fn old_runs_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        History::remember(&file, run(&["lab a"]));
        let mut last = History::default();
        for _ in 0..RUNS {
            last = History::remember(&file, run(&[]));
        }
        assert!(last.flaky().is_empty());
        assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), RUNS);
    }
}
