//! What can be wrong with a configuration, all of it at once.

use std::fmt;

use super::origin::Origin;
use crate::api::protocol::config::ConfigProblem;

/// One thing that is wrong, or worth a warning.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where it was written.
    pub origin: Origin,
    /// The key by its full name (`bgp.hold_time`, `peers[0].asn`), empty when the whole file is meant.
    pub key: String,
    /// What is wrong, in a few words.
    pub what: String,
    /// What to do about it, empty when there is no more to say.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)?;
        if !self.remedy.is_empty() {
            write!(f, "; {}", self.remedy)?;
        }
        Ok(())
    }
}

/// Why a single value is refused, before its place is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl Fault {
    /// A fault with its remedy.
    pub(super) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }

    /// The fault at its place.
    pub(super) fn at(self, origin: &Origin, key: impl Into<String>) -> Problem {
        Problem { origin: origin.clone(), key: key.into(), what: self.what, remedy: self.remedy }
    }
}

impl From<&Problem> for ConfigProblem {
    fn from(problem: &Problem) -> Self {
        let Problem { origin, key, what, remedy } = problem;
        let (file, line, column) = match origin {
            Origin::File { path, line, column } => {
                (Some(path.clone()), Some(*line as u64), Some(*column as u64))
            }
            Origin::Default | Origin::Environment(_) | Origin::Flag(_) => (None, None, None),
        };
        let (key, message, remedy) = (key.clone(), what.clone(), remedy.clone());
        Self { file, line, column, origin: origin.to_string(), key, message, remedy }
    }
}

/// How many problems are shown in one text; the rest is counted.
pub const SHOWN: usize = 20;

/// Everything that is wrong with a configuration, sorted by place; as text the first [`SHOWN`], one a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.problems))]
pub struct ConfigError {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// The error of these problems, sorted; `None` when there are none.
    pub fn of(mut problems: Vec<Problem>) -> Option<Self> {
        problems.sort();
        problems.dedup();
        (!problems.is_empty()).then_some(Self { problems })
    }
}

fn lines(problems: &[Problem]) -> String {
    let mut lines: Vec<_> = problems.iter().take(SHOWN).map(Problem::to_string).collect();
    let more = problems.len().saturating_sub(SHOWN);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines.join("\n")
}

/// The first [`SHOWN`] warnings in their order, and one that counts the rest.
pub(super) fn capped(mut warnings: Vec<Problem>) -> Vec<Problem> {
    warnings.sort();
    warnings.dedup();
    let more = warnings.len().saturating_sub(SHOWN);
    if more > 0 {
        warnings.truncate(SHOWN);
        let what = format!("{more} more warnings");
        warnings.push(Fault::new(what, "mend these first").at(&Origin::Default, ""));
    }
    warnings
}

/// The remedy for an unknown name: the known one nearest to it.
pub(super) fn nearest<'a>(unknown: &str, known: impl Iterator<Item = &'a str>) -> String {
    let unknown = unknown.to_lowercase();
    let related = |name: &str| unknown.len() > 2 && (name.contains(&*unknown) || unknown.contains(name));
    // One slip of the finger is likelier than a name cut short.
    let distance = |name: &str| match (related(name), strsim::damerau_levenshtein(&unknown, name)) {
        (true, distance) => distance.min(2),
        (false, distance) => distance,
    };
    match known.map(|name| (distance(name), name)).min() {
        Some((distance, name)) if distance <= 2.max(name.len() / 3) => format!("did you mean `{name}`?"),
        Some((_, name)) => format!("the nearest known one is `{name}`"),
        None => String::new(),
    }
}
