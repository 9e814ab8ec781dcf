//! Steps that do something in a node.

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use super::{Names, Verdict};
use crate::{
    command::words,
    lab::Lab,
    launch::Service,
    node::{Node, Shell as _},
};

/// A command, through `sh -c`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    /// The node, or several.
    pub node: Names,
    /// What the shell runs.
    pub run: String,
    /// The status it must end with.
    #[serde(default)]
    pub status: i32,
    /// Text its output must contain.
    pub prints: Option<String>,
    /// Text its output, which must not be empty, must not contain.
    pub never_prints: Option<String>,
    /// Its output must be empty.
    #[serde(default)]
    pub prints_nothing: bool,
}

impl Exec {
    /// Runs it and judges status and output.
    pub fn check(&self, lab: &Lab) -> Result<Verdict> {
        for name in self.node.iter() {
            let done = lab.node(name)?.run(["sh", "-c", &self.run])?;
            let text = words(&done);
            let status = done.status.code().unwrap_or(-1);
            if let Some(complaint) = self.complaint(status, &text) {
                return Ok(Verdict::fail(format!("{name}: {complaint}")));
            }
        }
        Ok(Verdict::pass())
    }

    /// What is wrong with a status and an output.
    fn complaint(&self, status: i32, text: &str) -> Option<String> {
        if status != self.status {
            return Some(format!("status {status} instead of {}:\n{text}", self.status));
        }
        if let Some(part) = self.prints.as_ref().filter(|part| !text.contains(*part)) {
            return Some(format!("the output has no {part:?}:\n{text}"));
        }
        if self.prints_nothing && !text.trim().is_empty() {
            return Some(format!("the output is not empty:\n{text}"));
        }
        let part = self.never_prints.as_ref()?;
        if text.trim().is_empty() {
            return Some(format!("the output is empty, so that having no {part:?} proves nothing"));
        }
        text.contains(part).then(|| format!("the output has {part:?}:\n{text}"))
    }
}

/// How a file changes on disk; a daemon has to notice each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manner {
    /// Written to the same file.
    InPlace,
    /// Written beside it and renamed over it, as editors do.
    #[default]
    Rename,
}

/// Writes a whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// The node, or several.
    pub node: Names,
    /// Absolute path in the node.
    pub file: String,
    /// The contents.
    pub text: String,
    /// How.
    #[serde(default)]
    pub manner: Manner,
}

/// Replaces a text in a file; it must be there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// The node, or several.
    pub node: Names,
    /// Absolute path in the node.
    pub file: String,
    /// The text to find.
    pub replace: String,
    /// The text to put there.
    pub with: String,
    /// How.
    #[serde(default)]
    pub manner: Manner,
}

impl Write {
    /// Writes it.
    pub fn run(&self, lab: &Lab) -> Result<()> {
        self.node.iter().try_for_each(|name| put(lab.node(name)?, &self.file, &self.text, self.manner))
    }
}

impl Edit {
    /// Reads, replaces, writes.
    pub fn run(&self, lab: &Lab) -> Result<()> {
        for name in self.node.iter() {
            let node = lab.node(name)?;
            let text = node.ask(&["cat", &self.file])?;
            ensure!(text.contains(&self.replace), "{name}: {} has no {:?}", self.file, self.replace);
            put(node, &self.file, &text.replace(&self.replace, &self.with), self.manner)?;
        }
        Ok(())
    }
}

fn put(node: &Node, file: &str, text: &str, manner: Manner) -> Result<()> {
    let script = match manner {
        Manner::InPlace => "printf %s \"$2\" >\"$1\"",
        Manner::Rename => "printf %s \"$2\" >\"$1.new\" && mv \"$1.new\" \"$1\"",
    };
    node.ask(&["sh", "-c", script, "sh", file, text]).map(drop)
}

/// Sends a signal to a program of a node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    /// The node, or several.
    pub node: Names,
    /// The program, when the node runs more than one.
    pub program: Option<String>,
    /// The signal, without SIG.
    #[serde(default = "kill")]
    pub signal: String,
}

fn kill() -> String {
    "KILL".into()
}

impl Kill {
    /// Sends it; waits for the end when it is a deadly one.
    pub fn run(&self, lab: &Lab) -> Result<()> {
        for name in self.node.iter() {
            let node = lab.node(name)?;
            node.kill(&service(node, self.program.as_deref())?.name, &self.signal)?;
        }
        Ok(())
    }
}

/// Starts a program of a node again.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The node, or several.
    pub node: Names,
    /// The program, when the node runs more than one.
    pub program: Option<String>,
}

impl Start {
    /// Starts it.
    pub fn run(&self, lab: &Lab) -> Result<()> {
        for name in self.node.iter() {
            let node = lab.node(name)?;
            node.start(&service(node, self.program.as_deref())?)?;
        }
        Ok(())
    }
}

fn service(node: &Node, program: Option<&str>) -> Result<Service> {
    let services = node.services();
    let known: Vec<_> = services.iter().map(|s| s.name.clone()).collect();
    match program {
        Some(name) => services
            .into_iter()
            .find(|s| s.name == name)
            .with_context(|| format!("{} runs {}, no `{name}`", node.config.name, known.join(", "))),
        None => match services.as_slice() {
            [only] => Ok(only.clone()),
            _ => bail!("{} runs {}; name one as `program`", node.config.name, known.join(", ")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(keys: &str, text: &str) -> String {
        let exec: Exec = toml::from_str(&format!("node = \"a\"\nrun = \"x\"\n{keys}")).unwrap();
        exec.complaint(0, text).unwrap_or_default()
    }

    #[test]
    fn an_empty_output_proves_nothing_of_what_it_does_not_have() {
        assert_eq!(complaint("never_prints = \"kept\"", "routes 3"), "");
        assert!(complaint("never_prints = \"kept\"", "3 kept").starts_with("the output has \"kept\""));
        assert!(complaint("never_prints = \"kept\"", " \n").contains("proves nothing"));
    }

    #[test]
    fn an_output_that_must_be_empty_says_so() {
        assert_eq!(complaint("prints_nothing = true", "\n"), "");
        assert!(complaint("prints_nothing = true", "x").starts_with("the output is not empty"));
    }
}
