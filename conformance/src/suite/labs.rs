//! The labs: on this kernel those it can carry, the others in one boot of the guest.

use std::{
    collections::{BTreeMap, VecDeque},
    process::Command,
    time::Duration,
};

use anyhow::Result;

use super::{
    check::Check,
    context::{Context, keep},
    progress::{Progress, clock, mark},
};
use crate::{
    campaign::Selection,
    expect::Set,
    features::Feature,
    guest,
    run::{Job, LabResult, Outcome},
    ui,
};

/// How long the last lab may go on when the time is over.
const OVERTIME: Duration = Duration::from_secs(300);

/// Runs every lab there is.
pub(crate) fn labs(context: &Context) -> Result<Vec<Check>> {
    let (jobs, long): (Vec<_>, Vec<_>) =
        all(context)?.into_iter().partition(|job| job.set <= context.mode.labs());
    let mut known = BTreeMap::new();
    let mut can = |feature: &Feature| *known.entry(*feature).or_insert_with(|| feature.available());
    let (here, guest): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.needs.iter().all(&mut can));
    let mut checks = batch(context, "labs on this kernel", &here)?;
    checks.extend(batch(context, "labs in the QEMU guest", &guest)?);
    let reason = "it takes long: `cargo conformance -- full` runs it";
    checks.extend(long.iter().map(|job| Check::from(job.skipped(reason))));
    Ok(checks)
}

/// Every lab, as not run.
pub(crate) fn skipped(context: &Context, reason: &str) -> Result<Vec<Check>> {
    Ok(all(context)?.iter().map(|job| job.skipped(reason).into()).collect())
}

fn all(context: &Context) -> Result<Vec<Job>> {
    Selection { paths: vec![context.workspace.labs()], set: Set::Full, ..Selection::default() }.jobs()
}

/// Runs some labs in a process of their own, which cleans up behind itself however this one ends.
fn batch(context: &Context, name: &str, jobs: &[Job]) -> Result<Vec<Check>> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let mut results: Vec<LabResult> = Vec::new();
    let mut story = VecDeque::new();
    let limit = context.clock.left().map(|left| left + OVERTIME);
    let watched = context.watch(name, &mut command(context, jobs)?, limit, |line, progress| {
        match guest::reported(line) {
            Some(result) => {
                tell(progress, &result, &mut story);
                results.push(result);
            }
            None => keep(&mut story, line),
        }
    })?;
    if !results.iter().any(|result| matches!(result.outcome, Outcome::Failed(_))) {
        watched.show_tail();
    }
    let checks = complete(&watched.outcome, jobs, results);
    let outcome =
        checks.iter().map(|check| &check.outcome).find(|outcome| matches!(outcome, Outcome::Failed(_)));
    let whole = Check::new(name, outcome.cloned().unwrap_or(Outcome::Passed), Duration::ZERO);
    watched.finish(whole, "");
    Ok(checks)
}

fn command(context: &Context, jobs: &[Job]) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("test").env(guest::REPORT, "1").env("SISKIN_BIN", context.workspace.siskin());
    if let Some(left) = context.clock.for_labs() {
        command.arg("--time-limit").arg(left.as_secs().to_string());
    }
    for job in jobs {
        command.args(["--run", &job.title]).arg(&job.file);
    }
    Ok(command)
}

/// A line for a lab that has ended; its whole story when that is not a good one.
fn tell(progress: &Progress, result: &LabResult, story: &mut VecDeque<String>) {
    let words = match &result.outcome {
        Outcome::Passed => std::iter::once(clock(result.duration))
            .chain(result.second_attempt())
            .collect::<Vec<_>>()
            .join(", "),
        Outcome::Failed(complaint) => format!("FAILED: {complaint}"),
        Outcome::Skipped(reason) => format!("SKIPPED: {reason}"),
    };
    if matches!(result.outcome, Outcome::Failed(_)) || result.first_attempt.is_some() {
        progress.say(&ui::indent(story.make_contiguous().join("\n").as_str(), 6));
    }
    story.clear();
    progress.say(&format!("    {} {}  {}", mark(&result.outcome), result.name, ui::paint("2", &words)));
}

/// A result for each lab, also for those that the process did not get to.
fn complete(process: &Outcome, jobs: &[Job], results: Vec<LabResult>) -> Vec<Check> {
    let reason = match process {
        Outcome::Failed(complaint) => complaint.as_str(),
        _ => "it was not reported",
    };
    let lost = |job: &&Job| !results.iter().any(|result| result.name == job.title);
    let lost: Vec<Check> = jobs.iter().filter(lost).map(|job| job.failed(reason).into()).collect();
    results.into_iter().map(Check::from).chain(lost).collect()
}
