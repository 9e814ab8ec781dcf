//! What all stages share, and how a program runs as part of one.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::{
    check::Check,
    plan::{Clock, Mode},
    process::{self, Ended, Event},
    progress::Progress,
    workspace::Workspace,
};
use crate::{run::Outcome, ui};

/// Lines of a failing program that are shown at once.
const SHOWN: usize = 60;

/// What all stages share.
pub(crate) struct Context {
    pub(crate) workspace: Workspace,
    pub(crate) mode: Mode,
    pub(crate) clock: Clock,
}

/// A program that has run, its stage still open.
pub(crate) struct Watched {
    /// How it ended.
    pub(crate) outcome: Outcome,
    progress: Progress,
    tail: VecDeque<String>,
}

impl Context {
    /// The folder for logs and other results.
    pub(crate) fn folder(&self) -> Result<PathBuf> {
        let folder = self.workspace.target().join("conformance");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }

    /// A stage that is one program.
    pub(crate) fn program(&self, name: &str, command: &mut Command) -> Result<Check> {
        let watched = self.watch(name, command, self.clock.left(), |_, _| {})?;
        watched.show_tail();
        let check = Check::new(name, watched.outcome.clone(), Duration::ZERO);
        Ok(watched.finish(check, ""))
    }

    /// Opens a stage and runs a program, its output going to the log and, line by line, to `each`.
    pub(crate) fn watch(
        &self,
        name: &str,
        command: &mut Command,
        limit: Option<Duration>,
        mut each: impl FnMut(&str, &Progress),
    ) -> Result<Watched> {
        let path = self.folder()?.join(file_name(name));
        let mut log = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut progress = Progress::start(name);
        let mut tail = VecDeque::new();
        let ended = process::watch(command, limit, |event| {
            if let Event::Line(line) = event {
                // A full disk must not hide what is being tested.
                writeln!(log, "{line}").ok();
                each(line, &progress);
                keep(&mut tail, line);
            }
            progress.tick(tail.back().map_or("", String::as_str));
        })?;
        let see = format!("see {}", self.show(&path));
        let outcome = match ended {
            Ended::Well => Outcome::Passed,
            Ended::Badly(status) => Outcome::Failed(format!("{status}; {see}")),
            Ended::OutOfTime => Outcome::Failed(format!("its time was over; {see}")),
        };
        Ok(Watched { outcome, progress, tail })
    }

    /// The log of a stage, as seen from the workspace.
    pub(crate) fn log_of(&self, stage: &str) -> String {
        self.show(&self.workspace.target().join("conformance").join(file_name(stage)))
    }

    /// A path as seen from the workspace.
    fn show(&self, path: &Path) -> String {
        path.strip_prefix(self.workspace.root()).unwrap_or(path).display().to_string()
    }
}

impl Watched {
    /// Shows the end of what a program that failed has printed.
    pub(crate) fn show_tail(&self) {
        if matches!(self.outcome, Outcome::Failed(_)) {
            self.say(self.tail.iter());
        }
    }

    /// Shows lines.
    pub(crate) fn say<'a>(&self, lines: impl IntoIterator<Item = &'a String>) {
        let text = lines.into_iter().map(String::as_str).collect::<Vec<_>>().join("\n");
        self.progress.say(&ui::indent(&text, 4));
    }

    /// Closes the stage and notes how long it took.
    pub(crate) fn finish(self, mut check: Check, words: &str) -> Check {
        check.duration = self.progress.finish(&check.outcome, words);
        check
    }
}

/// Remembers the last lines.
pub(crate) fn keep(tail: &mut VecDeque<String>, line: &str) {
    if tail.len() == SHOWN {
        tail.pop_front();
    }
    tail.push_back(line.to_owned());
}

fn file_name(stage: &str) -> String {
    let words = stage.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    format!("{}.log", words.collect::<Vec<_>>().join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_named_after_their_stage() {
        assert_eq!(file_name("labs in the QEMU guest"), "labs-in-the-QEMU-guest.log");
        assert_eq!(file_name("fuzzing: message"), "fuzzing-message.log");
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut tail = VecDeque::new();
        (0..SHOWN + 2).for_each(|n| keep(&mut tail, &n.to_string()));
        assert_eq!((tail.len(), tail.front().map(String::as_str)), (SHOWN, Some("2")));
    }
}
