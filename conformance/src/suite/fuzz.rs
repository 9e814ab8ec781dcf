//! Fuzzing with libFuzzer, built with the stable compiler.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::{check::Check, context::Context, workspace::cargo_in};
use crate::{command::output, run::Outcome};

/// What `cargo fuzz` would pass; the sanitizers, which need a nightly compiler, are left out.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
                     -Cllvm-args=-sanitizer-coverage-pc-table --cfg fuzzing";
/// How libFuzzer's statistics begin the line with the number of inputs.
const EXECUTED: &str = "stat::number_of_executed_units:";
/// A fuzzer that does not stop by itself is given this much longer.
const GRACE: Duration = Duration::from_secs(60);

/// Builds the targets and runs each for its share of the time.
pub(crate) fn fuzz(context: &Context) -> Result<Vec<Check>> {
    let folder = context.workspace.root().join("bgp/fuzz");
    let targets = targets(&fs::read_to_string(folder.join("Cargo.toml"))?)?;
    let host = host()?;
    let built = context.workspace.target().join("fuzz");
    let build = context.program("fuzzing: build", &mut build(&folder, &built, &host))?;
    if build.outcome != Outcome::Passed {
        return Ok(vec![build]);
    }
    let share = context.mode.fuzzing(u32::try_from(targets.len()).unwrap_or(u32::MAX));
    let run = |target: &String| {
        let program = built.join(&host).join("release").join(target);
        one(context, &folder, &program, target, share)
    };
    targets.iter().map(run).collect()
}

fn build(folder: &Path, built: &Path, host: &str) -> Command {
    let mut command = cargo_in(folder, ["build", "--release", "--target", host, "--target-dir"]);
    command.arg(built).env("RUSTFLAGS", FLAGS).env_remove("CARGO_ENCODED_RUSTFLAGS");
    command
}

/// Runs one target. New inputs are kept beside the logs, and so is an input that fails.
fn one(context: &Context, folder: &Path, program: &Path, target: &str, time: Duration) -> Result<Check> {
    let name = format!("fuzzing: {target}");
    let kept = context.folder()?.join("corpus").join(target);
    fs::create_dir_all(&kept)?;
    let mut command = Command::new(program);
    command.arg(&kept).args(seeds(folder, target)).args(options(time, &context.folder()?));
    let mut inputs = String::new();
    let watched = context.watch(&name, &mut command, Some(time + GRACE), |line, _| {
        if let Some(number) = line.strip_prefix(EXECUTED) {
            inputs = format!("{} inputs", number.trim());
        }
    })?;
    watched.show_tail();
    let mut check = Check::new(&name, watched.outcome.clone(), Duration::ZERO);
    check.with = inputs.clone();
    Ok(watched.finish(check, &inputs))
}

fn seeds(folder: &Path, target: &str) -> Option<PathBuf> {
    Some(folder.join("seeds").join(target)).filter(|seeds| seeds.is_dir())
}

fn options(time: Duration, results: &Path) -> [String; 4] {
    [
        format!("-max_total_time={}", time.as_secs()),
        "-max_len=65000".into(),
        "-print_final_stats=1".into(),
        format!("-artifact_prefix={}/", results.display()),
    ]
}

/// The names of the targets, from the manifest.
fn targets(manifest: &str) -> Result<Vec<String>> {
    let manifest: toml::Table = toml::from_str(manifest).context("bgp/fuzz/Cargo.toml")?;
    let binaries = manifest.get("bin").and_then(toml::Value::as_array).context("no [[bin]]")?;
    let name = |binary: &toml::Value| Some(binary.get("name")?.as_str()?.to_owned());
    Ok(binaries.iter().filter_map(name).collect())
}

/// The compiler's own platform; naming it keeps the flags from build scripts.
fn host() -> Result<String> {
    let words = output(Command::new("rustc").arg("-vV"))?;
    let host = words.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_manifests_binaries() {
        let found = targets("[[bin]]\nname = \"message\"\n[[bin]]\nname = \"open\"\npath = \"x\"\n");
        assert_eq!(found.unwrap(), ["message", "open"]);
        assert!(targets("[package]\nname = \"x\"\n").is_err());
    }

    #[test]
    fn this_compilers_platform_is_known() {
        assert!(host().unwrap().contains('-'));
    }
}
