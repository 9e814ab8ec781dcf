//! What came of a check, and what it counts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::run::{LabResult, Outcome};

/// One line of the final table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Check {
    /// What was checked.
    pub(crate) name: String,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// What it adds to the totals.
    pub(crate) count: Count,
    /// How long it took.
    pub(crate) duration: Duration,
    /// The routers or tools that took part, with their versions.
    pub(crate) with: String,
    /// The kernel it ran on, where that matters.
    pub(crate) kernel: String,
    /// What inside it was skipped, and why.
    pub(crate) skips: Vec<String>,
    /// What passed only at a second attempt.
    pub(crate) flaky: Vec<Flaky>,
}

/// A test or a lab that failed and then passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Flaky {
    /// The lab, or the test.
    pub(crate) name: String,
    /// What was wrong at the first attempt.
    pub(crate) complaint: String,
    /// Where its logs and files are.
    pub(crate) kept: String,
}

/// The totals: what is skipped is not passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Count {
    /// One check of this outcome.
    pub(crate) fn one(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Passed => Self { passed: 1, ..Self::default() },
            Outcome::Failed(_) => Self { failed: 1, ..Self::default() },
            Outcome::Skipped(_) => Self { skipped: 1, ..Self::default() },
        }
    }

    /// All of them together.
    pub(crate) fn sum(counts: impl Iterator<Item = Self>) -> Self {
        counts.fold(Self::default(), |a, b| Self {
            passed: a.passed + b.passed,
            failed: a.failed + b.failed,
            skipped: a.skipped + b.skipped,
        })
    }
}

impl Check {
    /// A check that counts as one.
    pub(crate) fn new(name: &str, outcome: Outcome, duration: Duration) -> Self {
        Self {
            name: name.to_owned(),
            count: Count::one(&outcome),
            outcome,
            duration,
            with: String::new(),
            kernel: String::new(),
            skips: Vec::new(),
            flaky: Vec::new(),
        }
    }
}

impl From<LabResult> for Check {
    fn from(lab: LabResult) -> Self {
        let mut check = Self::new(&format!("lab {}", lab.name), lab.outcome, lab.duration);
        check.with = lab.routers.join(", ");
        if let (Outcome::Passed, Some(complaint)) = (&check.outcome, lab.first_attempt) {
            let kept = lab.kept.map(|place| place.display().to_string()).unwrap_or_default();
            check.flaky.push(Flaky { name: check.name.clone(), complaint, kept });
        }
        if !matches!(check.outcome, Outcome::Skipped(_)) {
            check.kernel = lab.kernel;
        }
        check
    }
}
