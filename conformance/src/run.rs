//! Runs labs by their folders and says how each went.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::{
    evidence::{self, Attempt},
    expect::{Expectations, Set, Step, Variant, runner::Runner},
    features::{self, Feature},
    guest,
    interop::{self, Proof},
    interrupt::hold_off,
    lab::{self, Guardian, Lab},
    launch::Router,
    stage,
    stream::Case,
    topology::{Topology, is_topology},
    ui, wiretap,
};

/// One run of a lab: its file and the variant.
#[derive(Clone, Debug)]
pub struct Job {
    /// The topology file.
    pub file: PathBuf,
    /// The variant; none is the lab as it stands.
    pub variant: Option<Variant>,
    /// What it needs of the kernel.
    pub needs: Vec<Feature>,
    /// Lab and variant, for people.
    pub title: String,
    /// Where it belongs.
    pub set: Set,
    expectations: PathBuf,
}

/// How one run went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabResult {
    /// Lab and variant.
    pub name: String,
    /// The kernel it ran on.
    pub kernel: String,
    /// The routers that took part, with their versions.
    pub routers: Vec<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub duration: Duration,
    /// What it says about features with the other daemon.
    #[serde(default)]
    pub proofs: Vec<Proof>,
    /// What became of its streams of packets, event by event.
    #[serde(default)]
    pub cases: Vec<Case>,
    /// Why the attempt before this one failed, if there was one.
    #[serde(default)]
    pub first_attempt: Option<String>,
    /// The folder with what the failed attempts left.
    #[serde(default)]
    pub kept: Option<PathBuf>,
}

impl LabResult {
    /// That a good run was the second attempt, and what was wrong with the first.
    pub fn second_attempt(&self) -> Option<String> {
        let complaint = self.first_attempt.as_ref().filter(|_| self.outcome == Outcome::Passed)?;
        let kept = self.kept.as_ref().map(|place| format!("; kept in {}", place.display()));
        Some(format!("at the second attempt; the first: {complaint}{}", kept.unwrap_or_default()))
    }
}

/// What is known of a run, also of one that fails.
#[derive(Default)]
struct Story {
    routers: Vec<String>,
    proofs: Vec<Proof>,
    cases: Vec<Case>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every step held.
    Passed,
    /// One did not; its complaint.
    Failed(String),
    /// It was not run; why.
    Skipped(String),
}

impl Job {
    /// The runs a topology file asks for: as it stands, then each variant.
    pub fn of_file(file: &Path) -> Result<Vec<Self>> {
        let file = file.canonicalize().with_context(|| format!("cannot open {}", file.display()))?;
        let expectations = file.with_file_name("expect.toml");
        let expect = Expectations::read(&expectations)?;
        let name = Topology::read(&file)?.name;
        let job = |variant: Option<&Variant>| {
            let needs = variant.and_then(|v| v.needs.as_ref()).unwrap_or(&expect.needs);
            Ok(Self {
                file: file.clone(),
                needs: needs.iter().map(|word| Feature::parse(word)).collect::<Result<_>>()?,
                title: variant.map_or_else(|| name.clone(), |v| format!("{name}/{}", v.name)),
                set: variant.map_or(expect.set, |v| v.set),
                variant: variant.cloned(),
                expectations: expectations.clone(),
            })
        };
        std::iter::once(None).chain(expect.variants.iter().map(Some)).map(job).collect()
    }

    /// Runs it on this kernel and tells its story. What a failed attempt leaves is kept.
    pub fn run(&self, attempt: Attempt) -> LabResult {
        let began = Instant::now();
        let mut kept = None;
        ui::line(&ui::paint("1", &self.title));
        let mut story = Story::default();
        let outcome = match self.attempt(attempt, &mut story) {
            Ok(()) => Outcome::Passed,
            Err(error) => {
                let complaint = format!("{error:#}");
                if story.routers.is_empty() {
                    ui::line(&format!("  {} {complaint}", ui::cross()));
                }
                kept = evidence::folder(&self.title).ok().filter(|folder| folder.exists());
                Outcome::Failed(complaint.lines().next().unwrap_or_default().to_owned())
            }
        };
        let (name, kernel) = (self.title.clone(), features::kernel());
        let Story { routers, proofs, cases } = story;
        let duration = began.elapsed();
        LabResult { name, kernel, routers, outcome, duration, proofs, cases, first_attempt: None, kept }
    }

    /// A result for a run that did not take place.
    pub fn skipped(&self, reason: &str) -> LabResult {
        self.without_run(Outcome::Skipped(reason.to_owned()))
    }

    /// A result for a run that was lost.
    pub fn failed(&self, reason: &str) -> LabResult {
        self.without_run(Outcome::Failed(reason.to_owned()))
    }

    fn without_run(&self, outcome: Outcome) -> LabResult {
        let (name, kernel) = (self.title.clone(), features::kernel());
        LabResult {
            name,
            kernel,
            routers: Vec::new(),
            outcome,
            duration: Duration::ZERO,
            proofs: Vec::new(),
            cases: Vec::new(),
            first_attempt: None,
            kept: None,
        }
    }

    fn attempt(&self, attempt: Attempt, story: &mut Story) -> Result<()> {
        if attempt == Attempt::First {
            evidence::forget(&self.title)?;
        }
        let replace = self.variant.as_ref().map(|v| v.replace.clone()).unwrap_or_default();
        on_a_copy(&self.file, &replace, |copy| {
            let outcome = self.steps(copy, story);
            if outcome.is_err() {
                self.keep(copy, attempt);
            }
            outcome
        })
    }

    /// Keeps what a failed attempt has left, while the lab still runs.
    fn keep(&self, copy: &Path, attempt: Attempt) {
        let kept = Topology::read(copy).and_then(|lab| evidence::keep(&lab.name, &self.title, attempt));
        match kept {
            Ok(place) => ui::line(&format!("    logs, captures and files: {}", place.display())),
            Err(error) => ui::complain(&format!("nothing is kept of the attempt: {error:#}")),
        }
    }

    fn steps(&self, copy: &Path, story: &mut Story) -> Result<()> {
        let topology = Topology::read(copy)?;
        let name = self.expectations.file_name().context("no file name")?;
        let expect = Expectations::read(&copy.with_file_name(name))?;
        let lab = Lab::build_up(topology)?;
        story.routers = versions(&lab);
        ui::line(&ui::paint("2", &format!("  {}; {}", features::kernel(), story.routers.join(", "))));
        let steps = self.steps_of(&expect)?;
        let mut runner = Runner::new(&lab);
        let outcome = runner.run(steps);
        let complaint = outcome.as_ref().err().map(|error| format!("{error:#}"));
        story.proofs = interop::proofs(steps, runner.held(), complaint.as_deref());
        story.cases = runner.cases().to_vec();
        if !story.cases.is_empty() {
            ui::line(&ui::indent(&Case::table(&story.cases), 2));
        }
        wiretap::keep(&lab, &self.title, &expect.silent)?;
        outcome?;
        let failed = lab.complaints.len();
        ensure!(
            failed == expect.failing_execs,
            "{failed} commands of `exec` or configurations failed, {} must: {}",
            expect.failing_execs,
            lab.complaints.join("; ")
        );
        match guest::inside() {
            // Emulated, tshark takes its time; the host sees the same files.
            true => Ok(()),
            false => wiretap::judge(&self.title),
        }
    }

    /// The steps of this run.
    pub fn steps_of<'a>(&self, expect: &'a Expectations) -> Result<&'a [Step]> {
        match &self.variant {
            Some(variant) => variant.steps(&expect.steps),
            None => Ok(&expect.steps),
        }
    }

    /// The topology, with the variant's texts in it.
    pub fn topology(&self) -> Result<Topology> {
        let folder = self.file.parent().context("the file has no folder")?;
        Topology::parse(&self.text(&self.file)?, folder)
    }

    /// The expectations, with the variant's texts in them.
    pub fn expect(&self) -> Result<Expectations> {
        Expectations::parse(&self.text(&self.expectations)?)
    }

    fn text(&self, file: &Path) -> Result<String> {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(match &self.variant {
            Some(variant) => stage::substitute(&text, &variant.replace),
            None => text,
        })
    }
}

/// Hands over a private copy of a lab, whose files may be changed, and takes down afterwards what was brought up,
/// however it ends. Other runs of the same lab wait.
pub fn on_a_copy(
    file: &Path,
    replace: &BTreeMap<String, String>,
    use_it: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    lab::require_root()?;
    let name = Topology::read(file)?.name;
    let _lock = lab::lock(&name)?;
    Lab::down_by_name(&name)?;
    let _undo = Lab::down_on_interrupt(&name);
    let guardian = Guardian::watch(&name)?;
    let copies = lab::state_of(&name).join("files");
    stage::stage(file.parent().context("the file has no folder")?, &copies, replace)?;
    let outcome = use_it(&copies.join(file.file_name().context("no file name")?));
    // After an interrupt this waits for the end of the process: the failure is no result.
    drop(hold_off());
    guardian.finish()?;
    outcome
}

/// The routers of a lab with their versions, each once.
fn versions(lab: &Lab) -> Vec<String> {
    let mut versions = BTreeMap::new();
    for node in lab.nodes.values().filter(|node| node.router != Router::None) {
        versions.entry(node.router).or_insert_with(|| {
            let command = node.router.version_command().unwrap_or_default();
            let words: Vec<_> = command.iter().map(String::as_str).collect();
            let answer = node.run(&words).map(|done| crate::command::words(&done)).unwrap_or_default();
            format!("{} {}", node.router.name(), version_in(&answer))
        });
    }
    versions.into_values().collect()
}

/// The first word that looks like a version.
fn version_in(text: &str) -> String {
    let mut words = text.split(|c: char| c.is_whitespace() || c == ',');
    let version = words.find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'));
    version.unwrap_or("of unknown version").to_owned()
}

/// Every topology file below a folder, or the file itself.
pub fn find(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).with_context(|| format!("cannot open {}", path.display()))? {
        let entry = entry?.path();
        if entry.is_dir() {
            found.extend(find(&entry)?);
        } else if is_topology(&entry) {
            found.push(entry);
        }
    }
    found.sort();
    if found.is_empty() && path.join("expect.toml").exists() {
        bail!("{} has no topology file (*.clab.yml)", path.display());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_among_other_words() {
        assert_eq!(version_in("BIRD version 2.0.12"), "2.0.12");
        assert_eq!(version_in("bgpd version 8.4.4\nCopyright 1996"), "8.4.4");
        assert_eq!(version_in("gobgpd version 3.10.0"), "3.10.0");
    }
}
