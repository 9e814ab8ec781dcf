//! What reading a file brings to light besides the topology: every error of it at once, and what has no effect here.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

use anyhow::{Result, anyhow};

/// Collected while a file is read.
#[derive(Debug, Default)]
pub(super) struct Findings {
    errors: RefCell<BTreeSet<(u64, String)>>,
    /// Bound files that are not there: a picture can be drawn without them.
    missing: RefCell<BTreeSet<(u64, String)>>,
    /// Keys without effect, with their lines.
    idle: RefCell<BTreeMap<String, BTreeSet<u64>>>,
    notes: RefCell<BTreeSet<String>>,
}

impl Findings {
    /// Keeps the error of a result, and gives its value.
    pub(super) fn take<T>(&self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.error(&format!("{error:#}"))).ok()
    }

    /// An error; `line N:` at its beginning is where it belongs.
    pub(super) fn error(&self, words: &str) {
        self.errors.borrow_mut().insert((line_of(words), words.to_owned()));
    }

    /// A file that is not there.
    pub(super) fn missing(&self, words: &str) {
        self.missing.borrow_mut().insert((line_of(words), words.to_owned()));
    }

    /// A key that has no effect in network namespaces.
    pub(super) fn idle(&self, key: impl Display, line: u64) {
        self.idle.borrow_mut().entry(key.to_string()).or_default().insert(line);
    }

    /// Something to tell once.
    pub(super) fn note(&self, words: String) {
        self.notes.borrow_mut().insert(words);
    }

    /// What was found so far that keeps the lab from running, all of it, in the order of the file.
    pub(super) fn check(&self, files: super::Files) -> Result<()> {
        let mut all = self.errors.borrow().clone();
        if files == super::Files::MustExist {
            all.extend(self.missing.borrow().iter().cloned());
        }
        if all.is_empty() {
            return Ok(());
        }
        Err(anyhow!(all.into_iter().map(|(_, words)| words).collect::<Vec<_>>().join("\n")))
    }

    /// What there is to tell of a file that can be used.
    pub(super) fn notes(&self) -> Vec<String> {
        let idle = self.idle.borrow();
        let idle = idle.iter().map(|(key, lines)| {
            let lines: Vec<_> = lines.iter().take(3).map(ToString::to_string).collect();
            let more = if idle.get(key).map_or(0, BTreeSet::len) > lines.len() { ", ..." } else { "" };
            format!("`{key}` has no effect in network namespaces (line {}{more})", lines.join(", "))
        });
        let missing = self.missing.borrow();
        self.notes
            .borrow()
            .iter()
            .cloned()
            .chain(idle)
            .chain(missing.iter().map(|(_, w)| w.clone()))
            .collect()
    }
}

fn line_of(words: &str) -> u64 {
    let digits = words.strip_prefix("line ").and_then(|rest| rest.split(':').next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}
