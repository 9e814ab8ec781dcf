//! The stages that are one cargo command.

use std::{process::Command, time::Duration};

use anyhow::Result;

use super::{
    cargo_test::Tally,
    check::{Check, Count, Flaky},
    context::Context,
    plan::Mode,
    report,
};
use crate::{features, run::Outcome};

/// Tests that failed are tried again if there are no more of them.
const RETRIED: usize = 3;

/// `cargo fmt`
pub(crate) fn format(context: &Context) -> Result<Check> {
    context.program("format", &mut context.workspace.cargo(["fmt", "--all", "--check"]))
}

/// `cargo clippy`
pub(crate) fn lints(context: &Context) -> Result<Check> {
    let words = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    context.program("lints", &mut context.workspace.cargo(words))
}

/// `cargo doc`
pub(crate) fn documentation(context: &Context) -> Result<Check> {
    let mut doc = context.workspace.cargo(["doc", "--workspace", "--no-deps"]);
    context.program("documentation", doc.env("RUSTDOCFLAGS", "-D warnings"))
}

/// `cargo build --release` of the daemon.
pub(crate) fn release_build(context: &Context) -> Result<Check> {
    context.program("release build", &mut context.workspace.release_build())
}

/// `cargo test`
pub(crate) fn tests(context: &Context) -> Result<Check> {
    tested(context, "tests", |only| {
        let words = ["test", "--workspace", "--no-fail-fast", "--", "--show-output"];
        let mut command = context.workspace.cargo(words);
        command.args(only);
        if context.mode == Mode::Full {
            command.env("SISKIN_SABOTAGE_SECONDS", "60").env("SISKIN_SABOTAGE_SEEDS", sabotage_seeds());
        }
        command
    })
}

/// The seeds of the kernel's sabotage in the full set, a minute each.
fn sabotage_seeds() -> String {
    (1..=20).map(|seed| seed.to_string()).collect::<Vec<_>>().join(",")
}

/// Networks of simulated speakers, many and large ones, compiled with optimisation.
pub(crate) fn simulation(context: &Context) -> Result<Check> {
    tested(context, "simulated networks", |only| {
        // All packages are named, so that libraries are built with the features they have already been built with.
        let words = ["test", "--release", "--workspace", "--test", "mesh", "--no-fail-fast"];
        let mut command = context.workspace.cargo(words);
        command.args(["--", "--include-ignored", "--show-output"]).args(only);
        command.env("SEEDS", context.mode.seeds().to_string());
        command
    })
}

/// A stage that is a run of tests; a few that fail are tried once more, by themselves, and both is told.
fn tested(context: &Context, name: &str, command: impl Fn(&[String]) -> Command) -> Result<Check> {
    let mut tally = Tally::default();
    let limit = context.clock.left();
    let watched = context.watch(name, &mut command(&[]), limit, |line, _| tally.line(line))?;
    if tally.failures().is_empty() {
        watched.show_tail();
    }
    watched.say(tally.failures());
    let mut check = Check::new(name, watched.outcome.clone(), Duration::ZERO);
    judge(&mut check, &tally);
    check.kernel = features::kernel();
    let words = report::result(&check);
    let mut check = watched.finish(check, &words);
    let failed: Vec<_> = tally.failed_tests().iter().cloned().collect();
    let few = 1..=RETRIED;
    if few.contains(&failed.len()) && check.count.failed == failed.len() as u64 {
        let mut command = command(&["--exact".to_owned()]);
        let second = context.program(&format!("{name}: second attempt"), command.args(&failed))?;
        retried(&mut check, &tally, &second, &context.log_of(name));
    }
    Ok(check)
}

/// Makes the best of what came of a second attempt.
fn retried(check: &mut Check, first: &Tally, second: &Check, log: &str) {
    check.duration += second.duration;
    if second.outcome != Outcome::Passed {
        return;
    }
    let number = first.failed_tests().len() as u64;
    check.outcome = Outcome::Passed;
    check.count = Count { passed: check.count.passed + number, failed: 0, ..check.count };
    let flaky = |test: &String| Flaky {
        name: format!("{} {test}", check.name),
        complaint: first.complaint_of(test).to_owned(),
        kept: log.to_owned(),
    };
    check.flaky = first.failed_tests().iter().map(flaky).collect();
}

/// The program's own status counts too: a test binary that does not build or dies has no totals.
fn judge(check: &mut Check, tally: &Tally) {
    let lost = matches!(check.outcome, Outcome::Failed(_)) && tally.count().failed == 0;
    check.count = Count { failed: tally.count().failed + u64::from(lost), ..tally.count() };
    check.skips = tally.skips();
    if tally.count() == Count::default() && !lost {
        *check = Check::new(&check.name, Outcome::Failed("there are no tests".into()), Duration::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(outcome: Outcome, result: &str) -> Check {
        let mut tally = Tally::default();
        tally.line(result);
        let mut check = Check::new("tests", outcome, Duration::ZERO);
        judge(&mut check, &tally);
        check
    }

    #[test]
    fn a_binary_that_dies_without_totals_is_one_failure() {
        let failed = || Outcome::Failed("status 101".into());
        assert_eq!(judged(failed(), "").count, Count { failed: 1, ..Count::default() });
        let some = judged(failed(), "test result: ok. 3 passed; 0 failed; 0 ignored; 0 filtered out");
        assert_eq!(some.count, Count { passed: 3, failed: 1, skipped: 0 });
        let own = judged(failed(), "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 filtered out");
        assert_eq!(own.count, Count { passed: 3, failed: 2, skipped: 0 });
    }

    #[test]
    fn a_second_attempt_that_succeeds_is_told_and_one_that_fails_changes_nothing() {
        let failed = || {
            judged(
                Outcome::Failed("status 101".into()),
                "test result: FAILED. 3 passed; 1 failed; 0 filtered out",
            )
        };
        let second = |outcome| Check::new("second", outcome, Duration::ZERO);
        let mut first = Tally::default();
        let words =
            "test a ... FAILED\nfailures:\n---- a stdout ----\nthread 'a' panicked at x.rs:1:2:\nno\n";
        words.lines().for_each(|line| first.line(line));
        let mut check = failed();
        retried(&mut check, &first, &second(Outcome::Failed("status 101".into())), "tests.log");
        assert_eq!(check, failed());
        retried(&mut check, &first, &second(Outcome::Passed), "tests.log");
        assert_eq!(
            (&check.outcome, check.count),
            (&Outcome::Passed, Count { passed: 4, ..Count::default() })
        );
        let (name, complaint) = ("tests a".to_owned(), "no (x.rs:1:2)".to_owned());
        assert_eq!(check.flaky, [Flaky { name, complaint, kept: "tests.log".into() }]);
    }

    #[test]
    fn no_tests_at_all_is_a_failure() {
        assert!(matches!(judged(Outcome::Passed, "").outcome, Outcome::Failed(_)));
    }
}
