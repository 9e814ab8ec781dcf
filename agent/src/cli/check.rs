//! `siskin config check`: needs no daemon, and asks none.

use std::{
    io::{self, Read, Write},
    path::Path,
    process::ExitCode,
};

use serde_json::json;

use super::{
    EXIT_FAILED, EXIT_INVALID,
    args::{CheckArgs, ConfigArgs},
    commands::{Failure, write_json},
};
use crate::{
    api::protocol::config::ConfigProblem,
    cli::output::Stdout,
    config::{ConfigError, Inputs, Loaded, Offline, ThisHost, load, summary},
};

/// More than any configuration that `run` would read from a file.
const STDIN_MAX: u64 = 16 * 1024 * 1024;

/// Checks a file, standard input or flags.
///
/// # Errors
///
/// Everything that is wrong with the configuration; nothing to check; standard input cannot be read.
pub(super) fn check(out: &mut Stdout, args: &CheckArgs, json: bool) -> Result<ExitCode, Failure> {
    let inputs = inputs(args)?;
    let verdict = match args.offline {
        true => load(&inputs, &Offline { file: inputs.file.clone() }),
        false => load(&inputs, &ThisHost),
    };
    if json {
        return write_verdict(out, args, &verdict);
    }
    let loaded = verdict.map_err(Failure::invalid)?;
    out.write_all(summary(&loaded, &name(&inputs)).as_bytes())?;
    match loaded.warnings.is_empty() || !args.strict {
        true => Ok(ExitCode::SUCCESS),
        false => Err(Failure::invalid("there are warnings, and --strict makes them errors")),
    }
}

fn inputs(args: &CheckArgs) -> Result<Inputs, Failure> {
    let file = args.file.clone().or_else(|| args.config.config.clone());
    if file.is_none() && args.config.is_empty() {
        return Err(Failure::invalid(
            "nothing to check: name a file (`siskin config check siskin.toml`), `-` for standard input, or give flags",
        ));
    }
    let stdin = file.as_deref() == Some(Path::new("-"));
    let config = ConfigArgs { config: file.filter(|_| !stdin), ..args.config.clone() };
    let mut inputs = config.inputs(None);
    if stdin {
        let mut content = Vec::new();
        let read = io::stdin().take(STDIN_MAX).read_to_end(&mut content);
        read.map_err(|error| Failure::Other(EXIT_FAILED, format!("standard input cannot be read: {error}")))?;
        inputs.stdin = Some(content);
    }
    Ok(inputs)
}

fn name(inputs: &Inputs) -> String {
    match (&inputs.stdin, &inputs.file) {
        (Some(_), _) => "standard input".to_owned(),
        (None, Some(file)) => file.display().to_string(),
        (None, None) => "flags and environment".to_owned(),
    }
}

/// The verdict for programs, with all problems and not only the first.
fn write_verdict(
    out: &mut Stdout,
    args: &CheckArgs,
    verdict: &Result<Loaded, ConfigError>,
) -> Result<ExitCode, Failure> {
    let (problems, warnings, notes) = match verdict {
        Ok(loaded) => (&[][..], &loaded.warnings[..], &loaded.notes[..]),
        Err(error) => (&error.problems[..], &[][..], &[][..]),
    };
    let passed = verdict.is_ok() && (warnings.is_empty() || !args.strict);
    let rows =
        |list: &[crate::config::Problem]| -> Vec<ConfigProblem> { list.iter().map(Into::into).collect() };
    let answer = json!({
        "valid": verdict.is_ok(),
        "problems": rows(problems),
        "warnings": rows(warnings),
        "notes": notes,
    });
    write_json(out, &answer)?;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::from(EXIT_INVALID) })
}
