//! The directory of what belongs to the running daemon alone: its lock, and what it remembers over a restart.
//!
//! Whoever may write there can keep the daemon from starting or make it believe what is not so. So the directory
//! belongs to the daemon's own user and nobody else may write into it; one that is otherwise is refused, not mended.
//! Files in it are made with [`FILE_MODE`].

pub mod lock;
pub mod memory;

use std::{
    env, fs, io,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fd::OwnedFd,
    fs::{Mode, OFlags, Stat},
    process::geteuid,
};

/// Where it is unless told otherwise.
const DEFAULT: &str = "/run/siskin";
/// What systemd made for `RuntimeDirectory=`; several are separated by colons.
const OF_SYSTEMD: &str = "RUNTIME_DIRECTORY";
/// Only the owner.
const MODE: u32 = 0o700;
/// Others may reach a socket in it by its name, and see nothing else.
const PASSABLE_MODE: u32 = 0o711;
/// Mode of the files in it: with flock(2), who can read a lock can hold it.
pub const FILE_MODE: Mode = Mode::from_raw_mode(0o600);
/// Write permission of others than the owner.
const OTHERS_WRITE: u32 = 0o022;

/// Why the directory cannot be used. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// It leads elsewhere, or is no directory at all.
    #[error(
        "{path} is {what}, where siskin keeps its lock\n  remove it, or give `runtime_directory` in [api] another path"
    )]
    NotADirectory {
        /// The path.
        path: PathBuf,
        /// `a symbolic link` or `no directory`.
        what: &'static str,
    },
    /// Somebody else could do there as he likes.
    #[error(
        "{path}, where siskin keeps its lock, belongs to uid {owner}, and siskin runs as uid {user}\n  \
         `chown {user} {path}` or remove it, run siskin as uid {owner}, or give `runtime_directory` in [api] another path"
    )]
    Owner {
        /// The path.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        user: u32,
    },
    /// Others than its owner may write into it.
    #[error(
        "others may write into {path} (mode {mode:04o}), where siskin keeps its lock\n  \
         `chmod 0700 {path}`, or give `runtime_directory` in [api] another path"
    )]
    Writable {
        /// The path.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The system refused.
    #[error(
        "siskin keeps its lock in {path}, which cannot be had: {source}\n  \
         start siskin as root, let systemd make the directory (`RuntimeDirectory=siskin`), or give \
         `runtime_directory` in [api] a path that uid {user} can make"
    )]
    Io {
        /// The path.
        path: PathBuf,
        /// Who we are.
        user: u32,
        /// Why.
        source: io::Error,
    },
}

/// Whether others may reach what lies in the directory and is meant for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// Nobody but the owner.
    Closed,
    /// They may open a name that they know: the socket's mode says who may use it.
    Open,
}

/// The directory, checked.
#[derive(Debug)]
pub struct RuntimeDirectory {
    path: PathBuf,
    handle: OwnedFd,
}

impl RuntimeDirectory {
    /// The path: what is configured, else what systemd made, else `/run/siskin`.
    #[must_use]
    pub fn choose(configured: Option<&Path>) -> PathBuf {
        let of_systemd = || {
            let list = env::var_os(OF_SYSTEMD)?;
            let first = list.as_bytes().split(|b| *b == b':').next().filter(|path| !path.is_empty())?;
            Some(PathBuf::from(std::ffi::OsStr::from_bytes(first)))
        };
        configured.map(Path::to_owned).or_else(of_systemd).unwrap_or_else(|| PathBuf::from(DEFAULT))
    }

    /// Opens the directory; makes it when there is none.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`], unless it is a directory of this process's user into which nobody else may write.
    pub fn open(path: &Path, passage: Passage) -> Result<Self, DirectoryError> {
        let user = geteuid().as_raw();
        let failed = |source: io::Error| DirectoryError::Io { path: path.to_owned(), user, source };
        make(path).map_err(failed)?;
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(handle) => handle,
            Err(error) => return Err(misfit(path, user).unwrap_or_else(|| failed(error.into()))),
        };
        let found = rustix::fs::fstat(&handle).map_err(|e| failed(e.into()))?;
        judge(path, user, &found)?;
        if passage == Passage::Open && found.st_mode & PASSABLE_MODE != PASSABLE_MODE {
            let mode = Mode::from_raw_mode(found.st_mode | PASSABLE_MODE);
            rustix::fs::fchmod(&handle, mode).map_err(|e| failed(e.into()))?;
        }
        Ok(Self { path: path.to_owned(), handle })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn make(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::DirBuilder::new().mode(MODE).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Why something could not be opened as a directory of ours, if that can be seen from outside.
fn misfit(path: &Path, user: u32) -> Option<DirectoryError> {
    let found = fs::symlink_metadata(path).ok()?;
    let path = path.to_owned();
    if found.is_symlink() {
        return Some(DirectoryError::NotADirectory { path, what: "a symbolic link" });
    }
    if !found.is_dir() {
        return Some(DirectoryError::NotADirectory { path, what: "no directory" });
    }
    (found.uid() != user).then(|| DirectoryError::Owner { path, owner: found.uid(), user })
}

fn judge(path: &Path, user: u32, found: &Stat) -> Result<(), DirectoryError> {
    if found.st_uid != user {
        return Err(DirectoryError::Owner { path: path.to_owned(), owner: found.st_uid, user });
    }
    let mode = found.st_mode & 0o7777;
    if mode & OTHERS_WRITE != 0 {
        return Err(DirectoryError::Writable { path: path.to_owned(), mode });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("there").mode() & 0o7777
    }

    #[test]
    fn the_directory_is_made_for_its_owner_alone_and_lets_others_pass_only_when_told() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a/siskin");
        assert_eq!(RuntimeDirectory::open(&path, Passage::Closed).expect("made").path(), path);
        assert_eq!(mode(&path), 0o700);
        RuntimeDirectory::open(&path, Passage::Open).expect("ours");
        assert_eq!(mode(&path), 0o711);
    }

    #[test]
    fn a_link_a_file_and_a_directory_that_others_may_write_are_refused_with_a_remedy() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("siskin");
        let refusal = || RuntimeDirectory::open(&path, Passage::Closed).expect_err("refused").to_string();
        symlink(dir.path(), &path).expect("a link");
        assert!(refusal().contains("is a symbolic link") && refusal().contains("remove it"), "{}", refusal());
        fs::remove_file(&path).expect("removes");
        fs::write(&path, "").expect("a file");
        assert!(refusal().contains("is no directory"), "{}", refusal());
        fs::remove_file(&path).expect("removes");
        fs::create_dir(&path).expect("a directory");
        for open in [0o777, 0o1777, 0o770] {
            fs::set_permissions(&path, fs::Permissions::from_mode(open)).expect("ours");
            assert!(refusal().contains("chmod 0700"), "{}", refusal());
        }
    }

    #[test]
    fn a_directory_of_somebody_else_is_refused_by_his_uid() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("siskin");
        fs::create_dir(&path).expect("a directory");
        if chown(&path, Some(65534), None).is_err() {
            return println!("SKIPPED: not root; a directory cannot be given away");
        }
        let refusal = RuntimeDirectory::open(&path, Passage::Closed).expect_err("refused").to_string();
        assert!(refusal.contains("belongs to uid 65534") && refusal.contains("chown 0 "), "{refusal}");
    }

    #[test]
    fn what_is_configured_comes_before_what_is_usual() {
        assert_eq!(RuntimeDirectory::choose(Some(Path::new("/srv/r"))), Path::new("/srv/r"));
    }
}
