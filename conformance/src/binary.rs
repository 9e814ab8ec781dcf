//! Where the daemon under test is.

use std::path::PathBuf;

use anyhow::{Result, bail};

/// `SISKIN_BIN`, else the newest build beside this program, else the path.
pub fn siskin() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("SISKIN_BIN") {
        return Ok(PathBuf::from(path).canonicalize()?);
    }
    match built().or_else(|| crate::command::on_path("siskin")) {
        Some(path) => Ok(path.canonicalize()?),
        None => bail!("there is no siskin to run: `cargo build --release`, or name one in SISKIN_BIN"),
    }
}

fn built() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let profiles = own.ancestors().find(|folder| folder.ends_with("target"))?;
    let candidates = ["release", "debug"].map(|profile| profiles.join(profile).join("siskin"));
    let age = |path: &PathBuf| path.metadata().and_then(|m| m.modified()).ok();
    candidates.into_iter().filter(|path| path.is_file()).max_by_key(age)
}
