//! What a failed attempt at a lab leaves for whoever wants to know why: the programs' logs, the captures, the lab's own
//! files as the steps left them, and what the nodes wrote.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::{guest, lab};

/// Files longer than this are left out.
const LONGEST: u64 = 64 << 20;
/// Where a node keeps what it wrote to its private folders, seen from its first process.
const WRITTEN: &str = "root/run/lab-fs";

/// Which attempt at a lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The first; what earlier runs kept is removed.
    First,
    /// The one after a first that failed.
    Second,
}

impl Attempt {
    fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
        }
    }
}

/// The folder that holds what the failed attempts at a run left.
pub(crate) fn folder(title: &str) -> Result<PathBuf> {
    Ok(guest::cache()?.join("attempts").join(title.replace('/', "-")))
}

/// Forgets what earlier runs kept.
pub(crate) fn forget(title: &str) -> Result<()> {
    match fs::remove_dir_all(folder(title)?) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Copies what a running lab has; nothing is copied where nothing runs.
pub(crate) fn keep(lab: &str, title: &str, attempt: Attempt) -> Result<PathBuf> {
    let (state, place) = (lab::state_of(lab), folder(title)?.join(attempt.name()));
    fs::create_dir_all(&place)?;
    copy(&state, &place)?;
    for entry in fs::read_dir(state.join("nodes")).into_iter().flatten().flatten() {
        let Ok(pid) = fs::read_to_string(entry.path().join("pid")) else { continue };
        let written = Path::new("/proc").join(pid.trim()).join(WRITTEN);
        for upper in fs::read_dir(written).into_iter().flatten().flatten() {
            let name = upper.file_name().to_string_lossy().into_owned();
            if let Some(folder) = name.strip_prefix("upper_") {
                copy(&upper.path(), &place.join("nodes").join(entry.file_name()).join("wrote").join(folder))?;
            }
        }
    }
    Ok(place)
}

/// Copies regular files with their folders, through to the disk: a guest of which this is the last act is gone a
/// moment later. What vanishes meanwhile is left out.
fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let Ok(about) = fs::symlink_metadata(&path) else { continue };
        if about.is_dir() {
            copy(&path, &target)?;
        } else if about.is_file() && about.len() <= LONGEST {
            fs::create_dir_all(to)?;
            let mut file =
                fs::File::create(&target).with_context(|| format!("cannot write {}", target.display()))?;
            if let Ok(mut source) = fs::File::open(&path) {
                io::copy(&mut source, &mut file)?;
            }
            file.sync_all()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_files_are_copied_with_their_folders_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("log")).unwrap();
        fs::write(from.join("log/bird.log"), "x").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", from.join("link")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(from.join("socket")).unwrap();
        copy(&from, &to).unwrap();
        let names: Vec<_> = fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["log"]);
        assert_eq!(fs::read_to_string(to.join("log/bird.log")).unwrap(), "x");
    }
}
