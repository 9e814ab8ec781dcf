//! Many labs: those the host's kernel can run, then the others in one boot of the guest.

use std::{ffi::OsString, path::PathBuf, time::Instant};

use anyhow::{Result, bail, ensure};

use crate::{
    debian,
    evidence::Attempt,
    expect::Set,
    features::Feature,
    guest::{self, Build},
    install, interop,
    launch::Router,
    run::{Job, LabResult, Outcome, find},
    topology::Topology,
    ui, wiretap,
};

/// What to run.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Topology files, or folders that hold some.
    pub paths: Vec<PathBuf>,
    /// Only runs of these names (`lab` or `lab/variant`), wherever they belong; the whole set when empty.
    pub only: Vec<String>,
    /// From then on no run is begun; what is left is reported as not run.
    pub until: Option<Instant>,
    /// Which set.
    pub set: Set,
}

impl Selection {
    /// The runs selected, by file and variant.
    pub fn jobs(&self) -> Result<Vec<Job>> {
        let mut files = Vec::new();
        for path in &self.paths {
            files.extend(find(path)?);
        }
        files.sort();
        files.dedup();
        let mut jobs = Vec::new();
        for file in files {
            jobs.extend(Job::of_file(&file)?);
        }
        for name in &self.only {
            ensure!(jobs.iter().any(|job| job.title == *name), "there is no run `{name}`");
        }
        jobs.retain(|job| match self.only.is_empty() {
            true => job.set <= self.set,
            false => self.only.contains(&job.title),
        });
        if jobs.is_empty() {
            bail!("there is nothing to run: no *.clab.yml with an expect.toml beside it");
        }
        Ok(jobs)
    }

    /// Runs everything selected, here or in the guest, and tells each story as it goes.
    pub fn run(&self) -> Result<Vec<LabResult>> {
        let jobs = self.jobs()?;
        crate::lab::require_root()?;
        let mut results = Vec::new();
        let mut possible = Vec::new();
        for (job, missing) in jobs.iter().zip(missing_for(&jobs)?) {
            match missing {
                Some(reason) => results.push(told(job.skipped(&reason))),
                None => possible.push(job),
            }
        }
        let lacks = |job: &Job| job.needs.iter().copied().find(|feature| !feature.available());
        let (elsewhere, here): (Vec<&Job>, Vec<&Job>) =
            possible.into_iter().partition(|job| lacks(job).is_some());
        results.extend(here.into_iter().map(|job| told(self.run_one(job))));
        match elsewhere.first().and_then(|job| lacks(job)) {
            None => {}
            Some(feature) if guest::inside() => {
                let reason = format!("Debian's kernel has no {}", feature.name());
                results.extend(elsewhere.iter().map(|job| told(job.skipped(&reason))));
            }
            Some(_) => {
                for build in [Build::Stock, Build::Newest] {
                    let jobs: Vec<_> =
                        elsewhere.iter().copied().filter(|job| Build::with(&job.needs) == build).collect();
                    let Some(feature) = jobs.first().and_then(|job| lacks(job)) else { continue };
                    match guest::Boot::prepare(build) {
                        Ok(boot) => {
                            let done = in_guest(&jobs, &boot, feature, self.until)?;
                            results.extend(done.into_iter().map(remembered));
                        }
                        Err(error) => {
                            let reason = format!("no kernel with {}: {error:#}", feature.name());
                            results.extend(jobs.iter().map(|job| told(job.skipped(first_line(&reason)))));
                        }
                    }
                }
            }
        }
        Ok(results)
    }

    /// A run that fails is tried once more, and both results are told: on a busy machine an emulated kernel loses a
    /// packet now and then, a defect shows again.
    fn run_one(&self, job: &Job) -> LabResult {
        remembered(self.run_twice(job))
    }

    fn run_twice(&self, job: &Job) -> LabResult {
        if self.over() {
            return job.skipped("the time was over");
        }
        let first = job.run(Attempt::First);
        let Outcome::Failed(complaint) = first.outcome.clone() else { return first };
        if self.over() {
            return first;
        }
        ui::line(&format!("  {} {}: once more", ui::cross(), job.title));
        let second = job.run(Attempt::Second);
        LabResult { first_attempt: Some(complaint), kept: first.kept, ..second }
    }

    fn over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }
}

/// Hands a result over to whoever reads line by line: the host, when this is the guest.
fn told(result: LabResult) -> LabResult {
    if guest::relays() {
        guest::report(&result).ok();
    }
    result
}

/// Keeps a result for the table of features; the guest leaves that to the host.
fn remembered(result: LabResult) -> LabResult {
    if !guest::inside()
        && !matches!(result.outcome, Outcome::Skipped(_))
        && let Err(error) = interop::remember(&result)
    {
        ui::complain(&format!("{error:#}"));
    }
    result
}

/// What tshark says of the guest's captures; one result for all, or none where there is nothing.
fn judge_guest(results: &[LabResult]) -> Option<LabResult> {
    let began = Instant::now();
    let mut passed = results.iter().filter(|result| result.outcome == Outcome::Passed).peekable();
    let first: LabResult = (*passed.peek()?).clone();
    let outcome = match passed.try_for_each(|result| wiretap::judge(&result.name)) {
        Ok(()) => Outcome::Passed,
        Err(error) => Outcome::Failed(format!("{error:#}")),
    };
    let name = "tshark on what the guest's labs captured".to_owned();
    Some(LabResult {
        name,
        outcome,
        duration: began.elapsed(),
        proofs: Vec::new(),
        cases: Vec::new(),
        first_attempt: None,
        kept: None,
        ..first
    })
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn in_guest(
    jobs: &[&Job],
    boot: &guest::Boot,
    lacking: Feature,
    until: Option<Instant>,
) -> Result<Vec<LabResult>> {
    let mut arguments: Vec<OsString> = vec!["test".into()];
    if let Some(until) = until {
        let left = until.saturating_duration_since(Instant::now());
        arguments.extend(["--time-limit".into(), left.as_secs().to_string().into()]);
    }
    for job in jobs {
        arguments.extend(["--run".into(), job.title.clone().into(), job.file.clone().into()]);
    }
    let why = format!("this kernel has no {}", lacking.name());
    let mut results = boot.run(&arguments, &why)?;
    results.extend(judge_guest(&results).map(told));
    for job in jobs {
        if !results.iter().any(|result| result.name == job.title) {
            results.push(told(job.failed("the guest did not report it")));
        }
    }
    Ok(results)
}

/// Installs what the routers of these labs and the labs themselves need; of each lab, what cannot be had and why.
fn missing_for(jobs: &[Job]) -> Result<Vec<Option<String>>> {
    let mut wanted = Vec::new();
    for job in jobs {
        // A variant may have other routers than the file as it stands.
        let topology = job.topology()?;
        let programs: Vec<_> = install::LAB.iter().copied().chain(programs_of(&topology)).collect();
        wanted.push((programs, topology.nodes.values().any(|node| debian::is_newer(&node.image))));
    }
    let all: Vec<_> = wanted.iter().flat_map(|(programs, _)| programs).copied().collect();
    let missing = install::obtain(&all);
    let newer = match wanted.iter().any(|(_, newer)| *newer) && !guest::inside() {
        true => guest::downloads().and_then(|folder| debian::fetch_bird(&folder)).err(),
        false => None,
    };
    let newer = newer.map(|error| first_line(&format!("{error:#}")).to_owned());
    let of = |(programs, is_newer): (Vec<&str>, bool)| {
        missing.of(&programs).or_else(|| newer.clone().filter(|_| is_newer))
    };
    Ok(wanted.into_iter().map(of).collect())
}

/// The programs a topology's routers come with.
pub fn programs_of(topology: &Topology) -> Vec<&'static str> {
    let routers = topology.nodes.values().map(|node| Router::of_image(&node.image));
    routers.filter_map(install::program_of).collect()
}

/// The table at the end: what ran, with which routers, on which kernel, and how it went.
pub fn summary(results: &[LabResult]) -> String {
    let width = results.iter().map(|result| result.name.len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for result in results {
        let (mark, word) = match &result.outcome {
            Outcome::Passed => (ui::tick(), format!("{:.0} s", result.duration.as_secs_f64())),
            Outcome::Failed(complaint) => (ui::cross(), format!("failed: {complaint}")),
            Outcome::Skipped(reason) => ("-".to_owned(), format!("not run: {reason}")),
        };
        let routers = result.routers.join(", ");
        lines.push(format!("{mark} {:width$}  {}  {routers}  {word}", result.name, result.kernel));
    }
    let count = |wanted: fn(&Outcome) -> bool| results.iter().filter(|r| wanted(&r.outcome)).count();
    let flaky: Vec<_> = results
        .iter()
        .filter_map(|result| Some(format!("  {}: {}", result.name, result.second_attempt()?)))
        .collect();
    if !flaky.is_empty() {
        lines.push("flaky:".to_owned());
        lines.extend(flaky);
    }
    lines.push(format!(
        "{} passed, {} failed, {} not run",
        count(|o| *o == Outcome::Passed),
        count(|o| matches!(o, Outcome::Failed(_))),
        count(|o| matches!(o, Outcome::Skipped(_)))
    ));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_variants_routers_are_asked_for_and_not_those_it_replaces() {
        let labs = Path::new(env!("CARGO_MANIFEST_DIR")).join("labs/reflector");
        let jobs = Selection { paths: vec![labs], set: Set::Full, ..Selection::default() }.jobs().unwrap();
        let programs = |title: &str| {
            let job = jobs.iter().find(|job| job.title == title).unwrap();
            programs_of(&job.topology().unwrap())
        };
        assert_eq!(programs("reflector"), ["zebra"]);
        assert_eq!(programs("reflector/bird"), ["bird"]);
    }

    #[test]
    fn a_file_named_twice_runs_once() {
        let labs = Path::new(env!("CARGO_MANIFEST_DIR")).join("labs/reflector");
        let file = labs.join("topology.clab.yml");
        let once = Selection { paths: vec![file.clone()], ..Selection::default() }.jobs().unwrap();
        let twice =
            Selection { paths: vec![file.clone(), labs, file], ..Selection::default() }.jobs().unwrap();
        assert_eq!(once.len(), twice.len());
    }
}
