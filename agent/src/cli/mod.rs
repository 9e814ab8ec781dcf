//! The command line.

pub mod args;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

/// Parses the command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        Command::Version => {
            anstream::println!("siskin {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        _ => {
            anstream::eprintln!("siskin: this command needs a daemon, which this build does not have");
            ExitCode::from(3)
        }
    }
}
