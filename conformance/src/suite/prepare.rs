//! Before the stages: what is missing is installed, and it is said what cannot be.

use std::{process::Command, time::Duration};

use super::{
    check::Check,
    plan::{Mode, Stage},
    workspace::cargo_in,
};
use crate::{install, run::Outcome, ui};

/// The compiler of libFuzzer.
const FUZZING: &[&str] = &["c++"];
/// The real routers, so that a fetch that fails is seen at once and not in the middle of the labs.
const ROUTERS: &[&str] = &["bgpctl", "bird", "exabgp", "gobgpd", "zebra"];
/// Independent readers of what tests have written.
const READERS: &[&str] = &["bgpdump", "promtool"];
/// Parts of the toolchain that a minimal installation lacks.
const COMPONENTS: &[(&str, &str)] = &[("fmt", "rustfmt"), ("clippy", "clippy")];

/// Installs what the mode needs. A package that cannot be had is named as skipped, and what needs it is skipped too.
pub(crate) fn prepare(mode: Mode) -> Vec<Check> {
    for (command, component) in COMPONENTS {
        toolchain(command, component);
    }
    let programs = programs(mode);
    if !rustix::process::geteuid().is_root() {
        let missing = install::missing(&programs);
        if !missing.is_empty() {
            ui::line(&format!("missing, and only root can install it: {}", missing.join(" ")));
        }
        return Vec::new();
    }
    let missing = install::obtain(&programs);
    let check = |(package, why): (&str, &str)| {
        ui::complain(&format!("{package}: {why}"));
        let reason = format!("what needs it cannot run: {why}");
        Check::new(&format!("package {package}"), Outcome::Skipped(reason), Duration::ZERO)
    };
    missing.iter().map(check).collect()
}

fn programs(mode: Mode) -> Vec<&'static str> {
    let stages = mode.stages();
    let mut programs = [install::LAB, READERS].concat();
    if stages.contains(&Stage::Fuzzing) {
        programs.extend(FUZZING);
    }
    if stages.contains(&Stage::Labs) {
        programs.extend(ROUTERS);
    }
    programs
}

/// Adds a part of the toolchain through rustup; where that is not to be had, the stage says what is missing.
fn toolchain(subcommand: &str, component: &str) {
    let mut ask = cargo_in(".".as_ref(), [subcommand, "--version"]);
    if crate::command::output(&mut ask).is_ok() || crate::command::on_path("rustup").is_none() {
        return;
    }
    ui::note(&format!("adding to the toolchain: {component}"));
    if let Err(error) = crate::command::output(Command::new("rustup").args(["component", "add", component])) {
        ui::complain(&format!("{error:#}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_set_asks_for_no_routers_and_no_compiler() {
        assert!(!programs(Mode::Quick).iter().any(|p| ["bird", "c++"].contains(p)));
        assert!(programs(Mode::Default).contains(&"gobgpd"));
    }
}
