//! The command line: what can be typed ([`args`]), how it is asked ([`commands`]), how the answer looks ([`show`]).

pub mod args;
pub mod commands;
pub mod output;
pub mod show;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;

use crate::api::client::ClientError;
use args::Cli;
use commands::Failure;

/// The command failed, or `--check` found something.
pub const EXIT_FAILED: u8 = 1;
/// What was typed or configured is not valid.
pub const EXIT_INVALID: u8 = 2;
/// The daemon is not there.
pub const EXIT_NO_DAEMON: u8 = 3;

/// Parses the command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = output::stdout();
    let result = commands::execute(&cli, &mut out).and_then(|code| Ok(out.flush().map(|()| code)?));
    match result {
        Ok(code) => code,
        // `siskin routes | head` has seen enough.
        Err(Failure::Client(ClientError::Io(e))) if e.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            let (code, text) = failure.describe();
            anstream::eprintln!("{} {text}", output::Tone::Error.paint("siskin:"));
            ExitCode::from(code)
        }
    }
}
