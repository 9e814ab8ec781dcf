//! `siskin-lab demo`: two hosts route their pods, live, told in the terminal.
//!
//! `story` runs the lab `two-hosts` on a kernel with `ipip` (in the guest where the host's has none) and tells it on
//! the `screen`, with the `picture` of the topology and what `wire` sees between the hosts.

mod picture;
mod screen;
mod story;
mod wire;

use std::{
    ffi::OsString,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, ExitCode},
    time::Instant,
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    features::{self, Feature},
    guest, install, interrupt,
    run::{LabResult, Outcome},
    suite::{
        process,
        workspace::{Workspace, as_root},
    },
    ui,
};

/// Builds the daemon, installs what is missing and begins. Never returns but with an error.
pub fn prepare() -> Result<ExitCode> {
    if !rustix::process::geteuid().is_root() {
        bail!("network namespaces, tunnels and routes need root; run\n    {}", as_root("demo"));
    }
    let workspace = Workspace::find()?;
    interrupt::listen()?;
    install::ensure_programs(install::LAB)?;
    ui::line("building siskin");
    let status = process::attend(&mut workspace.release_build())?;
    ensure!(status.success(), "siskin does not build");
    let topology = workspace.labs().join("two-hosts/topology.clab.yml");
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["demo", "--topology"]).arg(topology).env("SISKIN_BIN", workspace.siskin());
    Err(command.exec()).context("cannot start the demo")
}

/// Tells the story, here or in the guest.
pub fn run(topology: &Path) -> Result<ExitCode> {
    interrupt::listen()?;
    let result = if guest::inside() || Feature::Ipip.available() { here(topology) } else { there(topology)? };
    if guest::inside() {
        guest::report(&result)?;
        return Ok(ExitCode::SUCCESS);
    }
    match result.outcome {
        Outcome::Passed => {
            let took = result.duration.as_secs();
            ui::line(&format!("\nDone in {took} s. Nothing of it is left on this machine."));
            Ok(ExitCode::SUCCESS)
        }
        Outcome::Failed(complaint) | Outcome::Skipped(complaint) => bail!("the demo failed: {complaint}"),
    }
}

fn here(topology: &Path) -> LabResult {
    let began = Instant::now();
    let outcome = match story::tell(topology) {
        Ok(()) => Outcome::Passed,
        Err(error) => Outcome::Failed(format!("{error:#}")),
    };
    let (name, kernel) = ("demo".to_owned(), features::kernel());
    let (routers, proofs) = (Vec::new(), Vec::new());
    let duration = began.elapsed();
    LabResult {
        name,
        kernel,
        routers,
        outcome,
        duration,
        proofs,
        cases: Vec::new(),
        first_attempt: None,
        kept: None,
    }
}

fn there(topology: &Path) -> Result<LabResult> {
    let began = Instant::now();
    let arguments: [OsString; 3] = ["demo".into(), "--topology".into(), topology.into()];
    let result = guest::Boot::prepare(guest::Build::Stock)?.run(&arguments, "this kernel has no ipip")?.pop();
    let result = result.context("the guest did not say how it went")?;
    Ok(LabResult { duration: began.elapsed(), ..result })
}
