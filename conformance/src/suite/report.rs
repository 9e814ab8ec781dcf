//! The end of the story: a table, what failed, what needed a second attempt, what was skipped and why, and the totals.

use super::{
    check::{Check, Count, Flaky},
    history::History,
    progress::{clock, mark},
};
use crate::{run::Outcome, ui};

/// The whole report; its last line is the totals alone.
pub(crate) fn report(checks: &[Check], history: &History) -> String {
    let mut lines = table(checks);
    section(&mut lines, "failed", checks.iter().filter_map(failure));
    let flaky = checks.iter().flat_map(|check| &check.flaky);
    section(&mut lines, "flaky: passed at the second attempt", flaky.map(first_attempt));
    section(&mut lines, "flaky in the last runs", history.flaky().into_iter());
    section(&mut lines, "skipped", checks.iter().flat_map(skips));
    lines.push(String::new());
    lines.push(totals(checks));
    lines.join("\n")
}

/// `N passed, N failed, N skipped`: programs read this.
pub(crate) fn totals(checks: &[Check]) -> String {
    let Count { passed, failed, skipped } = Count::sum(checks.iter().map(|check| check.count));
    format!("{passed} passed, {failed} failed, {skipped} skipped")
}

fn table(checks: &[Check]) -> Vec<String> {
    let head = ["check", "result", "time", "with", "kernel"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(checks.iter().map(cells)).collect();
    let mut widths = [0; 5];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let marks = std::iter::once(" ".to_owned()).chain(checks.iter().map(|check| mark(&check.outcome)));
    marks.zip(&rows).map(|(mark, row)| line(&mark, row, widths)).collect()
}

fn line(mark: &str, [name, result, time, with, kernel]: &[String; 5], widths: [usize; 5]) -> String {
    let [a, b, c, d, _] = widths;
    format!("{mark} {name:a$}  {result:b$}  {time:>c$}  {with:d$}  {kernel}").trim_end().to_owned()
}

fn cells(check: &Check) -> [String; 5] {
    let ran = !matches!(check.outcome, Outcome::Skipped(_));
    let time = if ran { clock(check.duration) } else { String::new() };
    [check.name.clone(), result(check), time, check.with.clone(), check.kernel.clone()]
}

/// One word, or the numbers where a check holds many.
pub(crate) fn result(check: &Check) -> String {
    let Count { passed, failed, skipped } = check.count;
    if passed + failed + skipped > 1 {
        let parts = [(passed, "ok"), (failed, "FAILED"), (skipped, "SKIPPED")];
        let parts = parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}"));
        return parts.collect::<Vec<_>>().join(", ");
    }
    let word = match check.outcome {
        Outcome::Passed => "ok",
        Outcome::Failed(_) => "FAILED",
        Outcome::Skipped(_) => "SKIPPED",
    };
    word.to_owned()
}

fn failure(check: &Check) -> Option<String> {
    match &check.outcome {
        Outcome::Failed(complaint) => Some(format!("{}: {complaint}", check.name)),
        _ => None,
    }
}

fn first_attempt(flaky: &Flaky) -> String {
    let Flaky { name, complaint, kept } = flaky;
    format!("{name}: {complaint}; see {kept}")
}

fn skips(check: &Check) -> Vec<String> {
    let whole = match &check.outcome {
        Outcome::Skipped(reason) => Some(format!("{}: {reason}", check.name)),
        _ => None,
    };
    let parts = check.skips.iter().map(|skip| format!("{}: {skip}", check.name));
    whole.into_iter().chain(parts).collect()
}

fn section(lines: &mut Vec<String>, title: &str, entries: impl Iterator<Item = String>) {
    let entries: Vec<_> = entries.map(|entry| format!("  {entry}")).collect();
    if !entries.is_empty() {
        lines.push(String::new());
        lines.push(ui::paint("1", title));
        lines.extend(entries);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn checks() -> Vec<Check> {
        let mut tests = Check::new("tests", Outcome::Passed, Duration::from_secs(125));
        tests.count = Count { passed: 410, failed: 0, skipped: 2 };
        tests.skips = vec!["2 × needs root (a, b)".into()];
        let mut lab = Check::new("lab bird", Outcome::Failed("no session".into()), Duration::from_secs(9));
        lab.with = "BIRD 2.0.12".into();
        lab.kernel = "Linux 6.1.0".into();
        vec![
            Check::new("format", Outcome::Passed, Duration::from_secs(1)),
            tests,
            lab,
            Check::new("lab two-hosts", Outcome::Skipped("needs root".into()), Duration::ZERO),
        ]
    }

    #[test]
    fn the_last_line_is_the_totals_and_nothing_skipped_counts_as_passed() {
        let report = report(&checks(), &History::default());
        assert_eq!(report.lines().last(), Some("411 passed, 1 failed, 3 skipped"));
    }

    #[test]
    fn columns_are_aligned_and_reasons_follow() {
        let report = report(&checks(), &History::default());
        let lines: Vec<_> = report.lines().collect();
        assert_eq!(lines[0], "  check          result             time  with         kernel");
        assert_eq!(lines[1], "✓ format         ok                  1 s");
        assert_eq!(lines[2], "✓ tests          410 ok, 2 SKIPPED  2:05");
        assert_eq!(lines[3], "✗ lab bird       FAILED              9 s  BIRD 2.0.12  Linux 6.1.0");
        assert_eq!(lines[4], "- lab two-hosts  SKIPPED");
        assert!(report.contains("failed\n  lab bird: no session\n"));
        assert!(report.contains("skipped\n  tests: 2 × needs root (a, b)\n  lab two-hosts: needs root\n"));
    }
    #[test]
    fn a_second_attempt_is_told_with_the_first_ones_complaint_and_where_its_files_are() {
        let mut checks = checks();
        checks[2].outcome = Outcome::Passed;
        let (name, complaint) = ("lab bird".to_owned(), "no session".to_owned());
        checks[2].flaky = vec![Flaky { name, complaint, kept: "target/x".into() }];
        let report = report(&checks, &History::default());
        assert!(
            report.contains("flaky: passed at the second attempt\n  lab bird: no session; see target/x\n"),
            "{report}"
        );
    }
}
