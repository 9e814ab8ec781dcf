//! `siskin-lab`: runs labs and checks what becomes of them.

use std::process::ExitCode;

use clap::Parser as _;
use siskin_lab::{cli::Cli, ui};

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            ui::complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
