//! How the story looks: numbered acts, commands after a prompt, their output indented.

use anyhow::{Result, ensure};

use crate::{
    command::words,
    lab::Lab,
    ui::{indent, line, paint},
};

/// The stage, with the number of the act.
#[derive(Debug, Default)]
pub(super) struct Screen {
    act: u32,
}

impl Screen {
    /// Begins the next act.
    pub(super) fn act(&mut self, title: &str) {
        self.act += 1;
        line(&format!("\n\n{}", paint("1", &format!("{}. {title}", self.act))));
    }

    /// A line between two things shown.
    pub(super) fn gap(&self) {
        line("");
    }

    /// A sentence of the narrator.
    pub(super) fn say(&self, text: &str) {
        line(&format!("   {}", paint("3", text)));
    }

    /// What a program said.
    pub(super) fn output(&self, text: &str) {
        let lines = text.trim_end().lines().map(|text| indent(text, 3).trim_end().to_owned());
        line(&lines.collect::<Vec<_>>().join("\n"));
    }

    /// A command as typed in a node, apart from what was before.
    pub(super) fn prompt(&self, node: &str, command: &str) {
        line(&format!("\n   {} {}", paint("36", &format!("{node}$")), paint("1", command)));
    }

    /// Types a command in a node, shows what it says, and returns that. A failing status is an error.
    pub(super) fn run(&self, lab: &Lab, node: &str, command: &str) -> Result<String> {
        self.prompt(node, command);
        let done = lab.node(node)?.run(["sh", "-c", command])?;
        let text = words(&done);
        if !text.is_empty() {
            self.output(&text);
        }
        ensure!(done.status.success(), "{node}: `{command}`: {}", done.status);
        Ok(text)
    }
}
