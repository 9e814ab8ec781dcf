//! The command line: what can be typed ([`args`]), how it is asked ([`commands`]), how the answer looks ([`show`]).

pub mod args;
mod check;
pub mod commands;
mod dump;
pub mod failure;
pub mod output;
pub mod show;

pub use failure::{EXIT_FAILED, EXIT_INVALID, EXIT_NO_DAEMON};
use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;

use args::{Cli, Command};
use failure::{Described, Failure};
use output::LineWidth;

/// Parses the command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let mut out = output::stdout(line_width(&cli));
    let result = commands::execute(&cli, &mut out).and_then(|code| match out.flush() {
        Err(error) if !is_closed(&error) => Err(error.into()),
        _ => Ok(code),
    });
    match result {
        Ok(code) => code,
        // `siskin routes | head` has seen enough.
        Err(Failure::Output(error)) if is_closed(&error) => ExitCode::SUCCESS,
        Err(failure) => tell(&failure.describe(), cli.json),
    }
}

/// What programs or files are to read is never broken.
fn line_width(cli: &Cli) -> LineWidth {
    let literal = cli.json || matches!(cli.command, Command::Config { .. } | Command::Run(_));
    if cli.wide || literal { LineWidth::Unlimited } else { LineWidth::Terminal }
}

/// Whether nobody reads standard output any more.
fn is_closed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

fn tell(failure: &Described, json: bool) -> ExitCode {
    if json {
        anstream::eprintln!("{}", failure.json());
    } else {
        anstream::eprintln!("{} {}", output::Tone::Error.paint("siskin:"), failure.text());
    }
    ExitCode::from(failure.exit)
}

/// What was typed is not understood, or was a call for help. `--json` counts wherever it stands.
fn usage(error: &clap::Error) -> ExitCode {
    let json = env::args_os().skip(1).any(|argument| argument == "--json");
    if json && error.use_stderr() {
        let text = error.render().to_string();
        let message = text.trim().trim_start_matches("error: ").to_owned();
        return tell(&Described { exit: EXIT_INVALID, code: "usage", message, remedy: None }, true);
    }
    let _nobody_reads_it = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(EXIT_INVALID))
}
