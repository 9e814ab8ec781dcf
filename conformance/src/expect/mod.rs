//! `expect.toml`: what a lab does and what must then be true.
//!
//! A list of steps, each with exactly one verb. Checks are repeated until they hold or their deadline passes.

pub mod act;
pub mod capture;
pub mod captured;
pub mod paths;
pub mod ping;
mod rounds;
pub mod routes;
pub mod runner;
pub mod sessions;
pub mod stream;
pub mod watch;

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde::Deserialize;

use crate::{interop::subject, launch::Router};

/// A whole file.
#[derive(Clone, Debug)]
pub struct Expectations {
    /// One sentence for the report.
    pub about: String,
    /// What the kernel must be able to do: `ipip`, `netem`, `dummy`, `vrf`.
    pub needs: Vec<String>,
    /// Where the lab as it stands belongs; each variant says so itself.
    pub set: Set,
    /// The same lab with other texts in its files.
    pub variants: Vec<Variant>,
    /// Features the other daemon does not have, by their words in `interop::TOPICS`, and what is known of that.
    pub lacks: BTreeMap<String, String>,
    /// Nodes with siskin that speak no BGP, so that their captures are empty.
    pub silent: Vec<String>,
    /// How many commands of the topology's `exec` fail, and configurations of FRR's that are not taken whole.
    pub failing_execs: usize,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// A lab run again with some texts replaced in every file of its folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Its name, shown after the lab's.
    pub name: String,
    /// Text to find and text to put there; all at once, so that two can be swapped.
    pub replace: BTreeMap<String, String>,
    /// The title of the step after which the variant ends, when it need not repeat them all.
    pub ends_with: Option<String>,
    /// Replaces the file's `needs`.
    pub needs: Option<Vec<String>>,
    /// Where it belongs.
    #[serde(default)]
    pub set: Set,
}

/// How many of the runs are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Set {
    /// Those that always run.
    #[default]
    Default,
    /// Also those that take long.
    Full,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its title; the verb describes itself when there is none.
    pub say: Option<String>,
    /// How long a check may take to become true.
    pub within: Duration,
    /// The features it proves with the other daemon, by their words in `interop::TOPICS`.
    pub proves: Vec<String>,
    /// What the check must do.
    pub outcome: Outcome,
    /// What to do or check.
    pub verb: Verb,
}

/// What a check must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Hold.
    Holds,
    /// Fail with a complaint that has this text in it: a control that proves the check can.
    Fails(String),
}

/// The verbs of the step language.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Kernel routes are exactly these.
    Routes(routes::Routes),
    /// Sessions are up or down, as the router itself says.
    Sessions(sessions::Sessions),
    /// The router's own table holds exactly these paths.
    Paths(paths::Paths),
    /// A ping is answered.
    Ping(ping::Ping),
    /// A ping that goes on through the next steps.
    Flood(ping::Flood),
    /// The end of a flood, and how much of it was lost.
    FloodEnds(ping::FloodEnds),
    /// A stream of UDP packets that goes on through the next steps.
    Stream(stream::Start),
    /// What became of a stream's packets since it was last asked; it goes on.
    StreamLap(stream::Judge),
    /// The end of a stream, and what became of its packets since it was last asked.
    StreamEnds(stream::Judge),
    /// Packets on a link have this many IP headers.
    Capture(capture::Capture),
    /// What has been captured of the BGP sessions so far.
    Captured(captured::Captured),
    /// From here on `ip monitor route` is recorded.
    Watch(watch::Watch),
    /// What the record must and must not show.
    WatchEnds(watch::WatchEnds),
    /// A command in a node; repeated until it answers as it should.
    Exec(act::Exec),
    /// A file in a node is written anew.
    Write(act::Write),
    /// A text in a node's file is replaced.
    Edit(act::Edit),
    /// A signal to a node's program.
    Kill(act::Kill),
    /// A node's program is started again.
    Start(act::Start),
    /// Wait, in seconds.
    Sleep(f64),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    about: String,
    #[serde(default)]
    needs: Vec<String>,
    #[serde(default)]
    set: Set,
    #[serde(default = "default_within")]
    within: f64,
    #[serde(default)]
    lacks: BTreeMap<String, String>,
    #[serde(default)]
    silent: Vec<String>,
    #[serde(default)]
    failing_execs: usize,
    #[serde(default)]
    variant: Vec<Variant>,
    #[serde(default)]
    step: Vec<toml::Table>,
}

fn default_within() -> f64 {
    20.0
}

impl Expectations {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    /// Parses a file's text.
    pub fn parse(text: &str) -> Result<Self> {
        let file: File = toml::from_str(text)?;
        let mut steps = Vec::new();
        for (index, table) in file.step.into_iter().enumerate() {
            let read =
                || rounds::unroll(table)?.into_iter().map(|step| read_step(step, file.within)).collect();
            let read: Result<Vec<_>> = read();
            steps.extend(read.with_context(|| format!("step {}", index + 1))?);
        }
        ensure!(!steps.is_empty(), "there is no [[step]]");
        for variant in &file.variant {
            variant.steps(&steps)?;
        }
        known(file.lacks.keys()).context("`lacks`")?;
        let File { about, needs, set, lacks, silent, failing_execs, variant: variants, .. } = file;
        Ok(Self { about, needs, set, lacks, silent, failing_execs, variants, steps })
    }
}

impl Variant {
    /// The steps of this variant.
    pub fn steps<'a>(&self, all: &'a [Step]) -> Result<&'a [Step]> {
        let Some(title) = &self.ends_with else { return Ok(all) };
        let last = all.iter().position(|step| step.say.as_ref() == Some(title));
        let last = last.with_context(|| format!("variant {}: no step says {title:?}", self.name))?;
        Ok(all.get(..=last).unwrap_or(all))
    }
}

fn read_step(mut table: toml::Table, within: f64) -> Result<Step> {
    let say = take(&mut table, "say")?;
    let within = take(&mut table, "within")?.unwrap_or(within);
    let proves: Vec<String> = take(&mut table, "proves")?.unwrap_or_default();
    known(proves.iter()).context("`proves`")?;
    let outcome = match take(&mut table, "fails")? {
        Some(toml::Value::String(text)) if !text.is_empty() => Outcome::Fails(text),
        Some(_) => bail!("`fails` names what the check must complain of, such as \"1 lost\""),
        None => Outcome::Holds,
    };
    let verbs: Vec<_> = table.keys().cloned().collect();
    let [verb] = verbs.as_slice() else {
        bail!("a step has exactly one verb, this one has {}: {}", verbs.len(), verbs.join(", "));
    };
    let value = toml::Value::Table(table.clone());
    let verb = value.try_into().map_err(|e: toml::de::Error| anyhow!("`{verb}`: {}", e.message()))?;
    Ok(Step { say, within: Duration::from_secs_f64(within), proves, outcome, verb })
}

fn known<'a>(mut topics: impl Iterator<Item = &'a String>) -> Result<()> {
    match topics.find(|topic| subject(topic, Some(Router::Siskin)).is_none()) {
        None => Ok(()),
        Some(topic) => bail!("there is no feature `{topic}`"),
    }
}

fn take<'de, T: Deserialize<'de>>(table: &mut toml::Table, key: &str) -> Result<Option<T>> {
    let Some(value) = table.remove(key) else { return Ok(None) };
    value.try_into().map(Some).map_err(|e| anyhow!("`{key}`: {}", e.message()))
}

/// A single name, or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Names {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Names {
    /// The names.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let slice = match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Many(names) => names.as_slice(),
        };
        slice.iter().map(String::as_str)
    }

    /// The names in one line.
    pub fn show(&self) -> String {
        self.iter().collect::<Vec<_>>().join(" and ")
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds; a word on what was seen.
    Pass(String),
    /// It does not; the difference, and the prefixes it concerns.
    Fail {
        /// What is missing or too much, for people.
        difference: String,
        /// Prefixes worth an explanation by the daemon.
        prefixes: Vec<String>,
    },
}

impl Verdict {
    /// A pass with nothing to add.
    pub fn pass() -> Self {
        Self::Pass(String::new())
    }

    /// A failure that concerns no prefix.
    pub fn fail(difference: impl Into<String>) -> Self {
        Self::Fail { difference: difference.into(), prefixes: Vec::new() }
    }

    /// Compares two collections of lines, in whatever order; a line that is there twice counts twice.
    pub fn compare(expected: &[String], found: &[String]) -> Self {
        let missing = beyond(expected, found);
        let extra = beyond(found, expected);
        let mut prefixes = Vec::new();
        let mut difference = Vec::new();
        for (sign, line) in missing.iter().map(|l| ('-', l)).chain(extra.iter().map(|l| ('+', l))) {
            let prefix = line.split_whitespace().find(|w| w.contains('.') || w.contains(':'));
            prefixes.extend(prefix.map(str::to_owned));
            difference.push(format!("{sign} {line}"));
        }
        if difference.is_empty() {
            return Self::Pass(format!("{} as expected", expected.len()));
        }
        prefixes.sort();
        prefixes.dedup();
        Self::Fail { difference: difference.join("\n"), prefixes }
    }
}

/// The lines of one collection that are left when each of the other has taken one away.
fn beyond<'a>(lines: &'a [String], other: &[String]) -> Vec<&'a String> {
    let mut others: Vec<_> = other.iter().collect();
    let mut left = Vec::new();
    for line in lines {
        match others.iter().position(|o| *o == line) {
            Some(place) => drop(others.swap_remove(place)),
            None => left.push(line),
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_one_verb_and_may_have_a_title_and_a_deadline() {
        let text = "about = \"a\"\n[[step]]\nsay = \"both learn\"\nwithin = 3\nsleep = 1.5\n";
        let parsed = Expectations::parse(text).unwrap();
        assert_eq!(parsed.steps[0].within, Duration::from_secs(3));
        assert!(matches!(parsed.steps[0].verb, Verb::Sleep(s) if s == 1.5));
    }

    #[test]
    fn mistakes_name_the_step_and_the_verb() {
        let error = |steps: &str| {
            format!("{:#}", Expectations::parse(&format!("about = \"a\"\n{steps}")).unwrap_err())
        };
        assert!(
            error("[[step]]\nsay = \"x\"\n").contains("step 1: a step has exactly one verb, this one has 0")
        );
        assert!(
            error("[[step]]\nsleep = 1\n[[step]]\nslep = 1\n").contains("step 2: `slep`: unknown variant")
        );
        assert!(error("[[step]]\nfails = true\nsleep = 1\n").contains("`fails` names what"));
        assert!(error("[[step]]\nkill = {}\n").contains("step 1: `kill`: missing field `node`"));
        assert!(error("[[step]]\nkill = {node = \"a\", x = 1}\n").contains("unknown field `x`"));
    }

    #[test]
    fn a_comparison_lists_what_is_missing_and_what_is_too_much() {
        let lines = |l: &[&str]| l.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let verdict =
            Verdict::compare(&lines(&["10.0.0.0/8 a", "b"]), &lines(&["b", "blackhole 10.1.0.0/16"]));
        let Verdict::Fail { difference, prefixes } = verdict else { panic!("it must fail") };
        assert_eq!(difference, "- 10.0.0.0/8 a\n+ blackhole 10.1.0.0/16");
        assert_eq!(prefixes, ["10.0.0.0/8", "10.1.0.0/16"]);
    }

    #[test]
    fn a_line_that_is_there_twice_is_not_the_line_once() {
        let lines = |l: &[&str]| l.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let difference = |a: &[&str], b: &[&str]| match Verdict::compare(&lines(a), &lines(b)) {
            Verdict::Pass(_) => String::new(),
            Verdict::Fail { difference, .. } => difference,
        };
        assert_eq!(difference(&["a", "b"], &["a", "b", "a"]), "+ a");
        assert_eq!(difference(&["a", "a", "b"], &["b", "a"]), "- a");
        assert_eq!(difference(&["a", "b", "a"], &["b", "a", "a"]), "");
    }
}
