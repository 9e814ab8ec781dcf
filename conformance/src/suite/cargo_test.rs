//! What `cargo test -- --show-output` says: how many tests passed, which failed, and which did not really run.
//!
//! A test that cannot run here prints a line `SKIPPED: reason` and passes. It does not count as passed. Nor does it when
//! the line comes from another process, such as the test run once more in a namespace: in the section of a test it
//! belongs to that test, and one that no section holds counts as a skip by itself.

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
    /// Skips whose test is not known.
    nameless: u64,
    reasons: BTreeMap<String, Reason>,
    failures: Vec<String>,
    failed_tests: BTreeSet<String>,
    /// The first complaint of each test that failed: where, and what.
    complaints: BTreeMap<String, String>,
    /// The place of a panic whose words are on the next line.
    panic: Option<String>,
    part: Part,
    section: String,
}

/// Who gave a reason for a skip.
#[derive(Debug, Default)]
struct Reason {
    names: BTreeSet<String>,
    nameless: u64,
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
        self.complaint(trimmed);
        if let Some(counts) = trimmed.strip_prefix("test result:") {
            // In a test's section these are the totals of a run of its own.
            if is_whole(counts) && self.section.is_empty() {
                self.end_of_binary(counts);
            }
        } else if trimmed == "successes:" {
            (self.part, self.section) = (Part::Successes, String::new());
        } else if trimmed == "failures:" {
            (self.part, self.section) = (Part::Failures, String::new());
        } else if let Some(name) = section(line) {
            self.section = name.to_owned();
        } else if let Some((name, reason)) = skip_in(trimmed) {
            if self.part != Part::Failures {
                self.skip(name, reason.trim());
            }
        } else if let Some(result) = trimmed.strip_prefix("test ") {
            self.ignored_test(result);
            self.failed_tests.extend(result.strip_suffix(" ... FAILED").map(str::to_owned));
        }
        if self.part == Part::Failures {
            self.failures.push(line.to_owned());
        }
    }

    /// A skip belongs to the test whose section is read, else to the one that the line names, else to nobody known.
    fn skip(&mut self, named: Option<&str>, reason: &str) {
        let said = self.reasons.entry(reason.to_owned()).or_default();
        let section = Some(self.section.as_str()).filter(|section| !section.is_empty());
        match section.or(named) {
            Some(name) => {
                self.skipped.insert((self.binaries, name.to_owned()));
                said.names.insert(name.to_owned());
            }
            None => {
                self.nameless += 1;
                said.nameless += 1;
            }
        }
    }

    /// `thread 'name' panicked at file:line:column:` and the line after it, the first of each test.
    fn complaint(&mut self, line: &str) {
        if self.part != Part::Failures || self.section.is_empty() {
            return;
        }
        if let Some(place) = self.panic.take() {
            let words = format!("{line} ({})", place.trim_end_matches(':'));
            self.complaints.entry(self.section.clone()).or_insert(words);
        } else if let Some((_, place)) = line.split_once(" panicked at ") {
            self.panic = Some(place.to_owned());
        }
    }

    /// `name ... ignored, reason`
    fn ignored_test(&mut self, result: &str) {
        if let Some((name, words)) = result.split_once(" ... ignored") {
            let reason = words.trim_start_matches(", ");
            let reason = if reason.is_empty() { "marked #[ignore]" } else { reason };
            self.reasons.entry(reason.to_owned()).or_default().names.insert(name.to_owned());
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
        let unreal = self.skipped.len() as u64 + self.nameless;
        Count {
            passed: self.passed.saturating_sub(unreal),
            failed: self.failed,
            skipped: self.ignored + unreal,
        }
    }

    /// Each reason for a skip once, with the number of tests and some names.
    pub(crate) fn skips(&self) -> Vec<String> {
        let show = |(reason, Reason { names, nameless }): (&String, &Reason)| {
            let mut some: Vec<_> = names.iter().take(NAMES).cloned().collect();
            if names.len() > NAMES {
                some.push("...".into());
            }
            if *nameless > 0 {
                some.push("said by another process".into());
            }
            format!("{} × {reason} ({})", names.len() as u64 + nameless, some.join(", "))
        };
        self.reasons.iter().map(show).collect()
    }

    /// The names of the tests that failed.
    pub(crate) fn failed_tests(&self) -> &BTreeSet<String> {
        &self.failed_tests
    }

    /// What a failed test complained of first.
    pub(crate) fn complaint_of(&self, test: &str) -> &str {
        self.complaints.get(test).map_or("it failed without a word", String::as_str)
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

/// `SKIPPED: reason`, or `test name ... SKIPPED: reason` where the test's line is still open.
fn skip_in(line: &str) -> Option<(Option<&str>, &str)> {
    if let Some(reason) = line.strip_prefix(SKIPPED) {
        return Some((None, reason));
    }
    let (name, rest) = line.strip_prefix("test ")?.split_once(" ... ")?;
    Some((Some(name), rest.strip_prefix(SKIPPED)?))
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
    fn a_skip_that_another_process_says_is_a_skip() {
        let tail = "\nsuccesses:\n\nsuccesses:\n    a\n    b\n    c\n\n\
                    test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out;\n";
        // Three tests run themselves again, and what these runs print goes past the capturing of output.
        let head = "running 3 tests\n\nrunning 1 test\nSKIPPED: no bird\n\nrunning 1 test\nSKIPPED: no bird\n\
                    running 1 test\ntest c ... SKIPPED: no frr\nok\n\
                    test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out;\n";
        let tally = read(&format!("{head}{tail}"));
        assert_eq!(tally.count(), Count { passed: 0, failed: 0, skipped: 3 });
        assert_eq!(tally.skips(), ["2 × no bird (said by another process)", "1 × no frr (c)"]);
    }

    #[test]
    fn a_run_of_its_own_in_a_tests_section_has_no_totals_even_where_nothing_is_filtered_out() {
        let text = "running 1 test\ntest a ... ok\n\nsuccesses:\n\n---- a stdout ----\nrunning 1 test\n\
                    SKIPPED: no bird\ntest a ... ok\n\
                    test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out;\n\n\
                    successes:\n    a\n\n\
                    test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out;\n";
        assert_eq!(read(text).count(), Count { passed: 0, failed: 0, skipped: 1 });
        assert_eq!(read(text).skips(), ["1 × no bird (a)"]);
    }

    #[test]
    fn the_first_complaint_of_a_failed_test_is_known() {
        let text = OUTPUT.replace(": no\n", ":\nno way\n");
        assert_eq!(read(&text).complaint_of("e"), "no way (src/lib.rs:1:1)");
        assert_eq!(read(&text).complaint_of("a"), "it failed without a word");
    }

    #[test]
    fn a_build_that_fails_counts_nothing() {
        assert_eq!(read("error[E0425]: cannot find value `x`\n").count(), Count::default());
    }
}
