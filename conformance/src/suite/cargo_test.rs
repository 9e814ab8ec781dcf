//! What `cargo test -- --show-output` says: how many tests passed, which failed, and which did not really run.
//!
//! A test that cannot run here prints a line `SKIPPED: reason` and passes. It does not count as passed.

use std::collections::{BTreeMap, BTreeSet};

use super::check::Count;

/// The word such tests begin their line with.
const SKIPPED: &str = "SKIPPED:";
/// Names of tests shown with a reason.
const NAMES: usize = 3;

/// What a run of all tests adds up to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
    binaries: u64,
    /// Tests that said why they could not run, each with its binary's number.
    skipped: BTreeSet<(u64, String)>,
    reasons: BTreeMap<String, BTreeSet<String>>,
    failures: Vec<String>,
    failed_tests: BTreeSet<String>,
    part: Part,
    section: String,
}

/// Which of a binary's lists is being read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    /// Results, one a line.
    #[default]
    Results,
    /// Output of tests that passed.
    Successes,
    /// Output of tests that failed.
    Failures,
}

impl Tally {
    /// Reads the next line.
    pub(crate) fn line(&mut self, line: &str) {
        let trimmed = line.trim();
        if let Some(counts) = trimmed.strip_prefix("test result:") {
            if is_whole(counts) {
                self.end_of_binary(counts);
            }
        } else if trimmed == "successes:" {
            (self.part, self.section) = (Part::Successes, String::new());
        } else if trimmed == "failures:" {
            (self.part, self.section) = (Part::Failures, String::new());
        } else if let Some(name) = section(line) {
            self.section = name.to_owned();
        } else if let Some(result) = trimmed.strip_prefix("test ") {
            self.ignored_test(result);
            self.failed_tests.extend(result.strip_suffix(" ... FAILED").map(str::to_owned));
        } else if let Some(reason) = trimmed.strip_prefix(SKIPPED).filter(|_| self.part != Part::Failures) {
            self.skip(reason.trim());
        }
        if self.part == Part::Failures {
            self.failures.push(line.to_owned());
        }
    }

    fn skip(&mut self, reason: &str) {
        self.skipped.insert((self.binaries, self.section.clone()));
        self.reasons.entry(reason.to_owned()).or_default().insert(self.section.clone());
    }

    /// `name ... ignored, reason`
    fn ignored_test(&mut self, result: &str) {
        if let Some((name, words)) = result.split_once(" ... ignored") {
            let reason = words.trim_start_matches(", ");
            let reason = if reason.is_empty() { "marked #[ignore]" } else { reason };
            self.reasons.entry(reason.to_owned()).or_default().insert(name.to_owned());
        }
    }

    /// ` ok. 3 passed; 0 failed; 1 ignored; ...`
    fn end_of_binary(&mut self, counts: &str) {
        let number = |word: &str| {
            let part = counts.split(['.', ';']).find(|part| part.trim_end().ends_with(word));
            part.and_then(|part| part.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
        };
        self.passed += number("passed");
        self.failed += number("failed");
        self.ignored += number("ignored");
        self.binaries += 1;
        (self.part, self.section) = (Part::Results, String::new());
    }

    /// The totals.
    pub(crate) fn count(&self) -> Count {
        let unreal = self.skipped.len() as u64;
        Count {
            passed: self.passed.saturating_sub(unreal),
            failed: self.failed,
            skipped: self.ignored + unreal,
        }
    }

    /// Each reason for a skip once, with the number of tests and some names.
    pub(crate) fn skips(&self) -> Vec<String> {
        let show = |(reason, names): (&String, &BTreeSet<String>)| {
            let mut some: Vec<_> = names.iter().filter(|n| !n.is_empty()).take(NAMES).cloned().collect();
            if names.len() > NAMES {
                some.push("...".into());
            }
            format!("{} × {reason} ({})", names.len(), some.join(", "))
        };
        self.reasons.iter().map(show).collect()
    }

    /// The names of the tests that failed.
    pub(crate) fn failed_tests(&self) -> &BTreeSet<String> {
        &self.failed_tests
    }

    /// What the failed tests printed.
    pub(crate) fn failures(&self) -> &[String] {
        &self.failures
    }
}

/// Whether these are the totals of all tests of a binary, and not what a test that runs itself again in another
/// namespace has printed.
fn is_whole(counts: &str) -> bool {
    counts.contains(" 0 filtered out")
}

/// `---- name stdout ----`
fn section(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
     Running unittests src/lib.rs (target/debug/deps/fib-1)

running 5 tests
test a ... ok
test b ... ok
test c ... ok
test d ... ignored, takes an hour
test e ... FAILED

successes:

---- a stdout ----
SKIPPED: needs root

---- b stdout ----
SKIPPED: needs root
SKIPPED: no ipip

successes:
    a
    b
    c

failures:

---- e stdout ----
thread 'e' panicked at src/lib.rs:1:1: no

failures:
    e

test result: FAILED. 3 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s

     Running tests/x.rs (target/debug/deps/x-1)

running 1 test
test a ... ok

successes:

---- a stdout ----
SKIPPED: needs root

successes:
    a

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
";

    fn read(text: &str) -> Tally {
        let mut tally = Tally::default();
        text.lines().for_each(|line| tally.line(line));
        tally
    }

    #[test]
    fn a_test_that_says_it_was_skipped_is_not_passed_and_counts_once() {
        assert_eq!(read(OUTPUT).count(), Count { passed: 1, failed: 1, skipped: 4 });
    }

    #[test]
    fn reasons_are_grouped_with_the_names_of_their_tests() {
        assert_eq!(
            read(OUTPUT).skips(),
            ["2 × needs root (a, b)", "1 × no ipip (b)", "1 × takes an hour (d)"]
        );
    }

    #[test]
    fn what_failed_tests_print_is_kept_and_nothing_else() {
        let failures = read(OUTPUT).failures().join("\n");
        assert!(failures.contains("thread 'e' panicked"));
        assert!(!failures.contains("SKIPPED"));
    }

    #[test]
    fn failed_tests_are_known_by_name() {
        assert_eq!(read(OUTPUT).failed_tests().iter().collect::<Vec<_>>(), ["e"]);
    }

    #[test]
    fn what_a_test_prints_of_its_own_run_in_a_namespace_is_not_counted() {
        let inner =
            "test a ... ok\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 17 filtered out;\n";
        assert_eq!(read(&format!("{inner}{OUTPUT}")).count(), read(OUTPUT).count());
    }

    #[test]
    fn a_build_that_fails_counts_nothing() {
        assert_eq!(read("error[E0425]: cannot find value `x`\n").count(), Count::default());
    }
}
