//! `siskin-lab conformance`: everything that must hold, in stages, with a table at the end.
//!
//! `plan` says what is run and how long it may take, `prepare` installs what is missing, `stages`, `fuzz` and
//! `labs` run it, and `report` tells what came of it. Programs run under `process`, seen through `progress`.

mod cargo_test;
mod check;
mod context;
mod fuzz;
mod history;
mod labs;
mod plan;
mod prepare;
pub(crate) mod process;
mod progress;
mod report;
mod stages;
pub(crate) mod workspace;

use std::{process::ExitCode, time::Duration};

use anyhow::Result;

pub use self::plan::Mode;
use self::{
    check::{Check, Count},
    context::Context,
    history::History,
    plan::Stage,
    workspace::{Workspace, as_root},
};
use crate::{interrupt, run::Outcome, ui};

/// Runs the stages of a mode. The last line printed is `N passed, N failed, N skipped`.
pub fn run(mode: Mode) -> Result<ExitCode> {
    let context = Context { workspace: Workspace::find()?, mode, clock: mode.clock() };
    interrupt::listen()?;
    let root = rustix::process::geteuid().is_root();
    if !root {
        ui::line(&format!("{}; with them:\n    {}", without_root(mode), as_root(&alias(mode))));
    }
    let mut checks = prepare::prepare(mode);
    for stage in mode.stages() {
        checks.extend(stage.checks(&context, root));
    }
    let history = History::remember(&context.folder()?.join(history::FILE), history::Run::of(mode, &checks));
    ui::line(&format!("\n{}", report::report(&checks, &history)));
    let failed = Count::sum(checks.iter().map(|check| check.count)).failed;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn alias(mode: Mode) -> String {
    match mode {
        Mode::Quick => "conformance quick".into(),
        Mode::Default => "conformance".into(),
        Mode::Full => "conformance full".into(),
    }
}

fn without_root(mode: Mode) -> &'static str {
    match mode {
        Mode::Quick => "without root's rights the tests that make network namespaces are skipped",
        Mode::Default | Mode::Full => {
            "without root's rights the labs are skipped, and the tests that make network namespaces"
        }
    }
}

impl Stage {
    /// Runs it. What keeps it from running is a failure of its own.
    fn checks(self, context: &Context, root: bool) -> Vec<Check> {
        let one = |check: Result<Check>| check.map(|check| vec![check]);
        let checks = match self {
            Self::Format => one(stages::format(context)),
            Self::Lints => one(stages::lints(context)),
            Self::Documentation => one(stages::documentation(context)),
            Self::Tests => one(stages::tests(context)),
            Self::Fuzzing => fuzz::fuzz(context),
            Self::ReleaseBuild => one(stages::release_build(context)),
            Self::Simulation => one(stages::simulation(context)),
            Self::Labs if root => labs::labs(context),
            Self::Labs => labs::skipped(context, &format!("needs root: {}", as_root(&alias(context.mode)))),
        };
        checks.unwrap_or_else(|error| {
            let complaint = format!("{error:#}");
            ui::complain(&complaint);
            let complaint = complaint.lines().next().unwrap_or_default().to_owned();
            vec![Check::new(&format!("{self:?}").to_lowercase(), Outcome::Failed(complaint), Duration::ZERO)]
        })
    }
}
