//! `siskin-lab demo`
use anyhow::Result;
use std::process::ExitCode;

/// Runs.
pub fn run() -> Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
