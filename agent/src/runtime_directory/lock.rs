//! One daemon per network namespace, protocol and table.
//!
//! The lock is flock(2) on a file of its own in the [`RuntimeDirectory`], so it ends with the process however that ends.
//! An abstract socket would do the same, but any local user can bind its name first. The holder writes its process into
//! the file; the words count only while the lock is held.

use std::{
    fmt, fs,
    fs::File,
    io::{self, Read as _, Write as _},
    os::unix::fs::MetadataExt,
};

use rustix::{
    fs::{AtFlags, FlockOperation, OFlags, flock, fstat, openat, statat, unlinkat},
    io::Errno,
    process::{geteuid, getpid},
};

use super::{FILE_MODE, RuntimeDirectory};

/// How often the lock is tried anew because its holder has just removed the file.
const ATTEMPTS: usize = 16;
/// What a holder writes is shorter than this.
const MOST_READ: u64 = 64;

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another daemon holds the same table with the same protocol number in this network namespace.
    #[error(
        "another daemon programs table {table} with protocol {protocol} in this network namespace ({holder})"
    )]
    Held {
        /// The protocol number.
        protocol: u8,
        /// The table.
        table: u32,
        /// Who it is.
        holder: Holder,
    },
    /// The system refused.
    #[error("cannot lock {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
}

/// The process that holds a lock, as far as the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Process and user, once it has written them.
    process: Option<(u32, u32)>,
    /// The file.
    path: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.process {
            Some((pid, uid)) if uid == geteuid().as_raw() => write!(f, "pid {pid}"),
            Some((pid, uid)) => write!(f, "pid {pid}, uid {uid}"),
            None => write!(f, "`fuser -v {}` shows who", self.path),
        }
    }
}

/// The lock, held until dropped.
#[derive(Debug)]
pub struct TableLock {
    directory: RuntimeDirectory,
    name: String,
    #[expect(dead_code, reason = "held for its lifetime only")]
    file: File,
}

impl TableLock {
    /// Takes the lock for the network namespace of the calling thread.
    ///
    /// # Errors
    ///
    /// [`LockError::Held`] while another process, or another part of this one, holds it.
    pub fn acquire(directory: RuntimeDirectory, protocol: u8, table: u32) -> Result<Self, LockError> {
        let path = |name: &str| directory.path().join(name).display().to_string();
        let failed = |name: &str, source| LockError::Io { path: path(name), source };
        let name = file_name(protocol, table).map_err(|error| failed("", error))?;
        for _ in 0..ATTEMPTS {
            match lock(&directory, &name).map_err(|error| failed(&name, error))? {
                Attempt::Locked(file) => return Ok(Self { directory, name, file }),
                Attempt::Held(process) => {
                    let holder = Holder { process, path: path(&name) };
                    return Err(LockError::Held { protocol, table, holder });
                }
                Attempt::Removed => {}
            }
        }
        Err(failed(&name, Errno::AGAIN.into()))
    }
}

impl Drop for TableLock {
    /// The file goes while the lock is held; who opened it meanwhile sees that and opens a new one.
    fn drop(&mut self) {
        let _gone_already = unlinkat(&self.directory.handle, &self.name, AtFlags::empty());
    }
}

/// `netns-4-4026531840.protocol-179.table-254.lock`: a namespace is known by its device and inode.
fn file_name(protocol: u8, table: u32) -> io::Result<String> {
    let namespace = fs::metadata("/proc/thread-self/ns/net")?;
    Ok(format!("netns-{}-{}.protocol-{protocol}.table-{table}.lock", namespace.dev(), namespace.ino()))
}

enum Attempt {
    Locked(File),
    Held(Option<(u32, u32)>),
    /// The holder has removed the file between our opening and locking it.
    Removed,
}

fn lock(directory: &RuntimeDirectory, name: &str) -> io::Result<Attempt> {
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(&directory.handle, name, flags, FILE_MODE)?);
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Ok(Attempt::Held(read_holder(&mut file))),
        Err(error) => return Err(error.into()),
    }
    let here = fstat(&file)?;
    match statat(&directory.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(there) if (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino) => {}
        Ok(_) | Err(Errno::NOENT) => return Ok(Attempt::Removed),
        Err(error) => return Err(error.into()),
    }
    file.set_len(0)?;
    writeln!(file, "{} {}", getpid().as_raw_nonzero(), geteuid().as_raw())?;
    Ok(Attempt::Locked(file))
}

fn read_holder(file: &mut File) -> Option<(u32, u32)> {
    let mut text = String::new();
    file.take(MOST_READ).read_to_string(&mut text).ok()?;
    let (pid, uid) = text.trim().split_once(' ')?;
    Some((pid.parse().ok()?, uid.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::MetadataExt as _, path::Path};

    use super::*;
    use crate::runtime_directory::Passage;

    fn acquire(path: &Path, protocol: u8) -> Result<TableLock, LockError> {
        let directory = RuntimeDirectory::open(path, Passage::Closed).expect("a directory");
        TableLock::acquire(directory, protocol, 4_000_000_001)
    }

    #[test]
    fn the_lock_is_held_once_per_protocol_and_table_and_ends_with_its_holder() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("siskin");
        let lock = acquire(&path, 251).expect("free");
        let refusal = acquire(&path, 251).expect_err("held").to_string();
        assert!(refusal.ends_with(&format!("(pid {})", std::process::id())), "{refusal}");
        assert!(acquire(&path, 252).is_ok());
        drop(lock);
        assert_eq!(fs::read_dir(&path).expect("a directory").count(), 0, "no file is left");
        assert!(acquire(&path, 251).is_ok());
    }

    #[test]
    fn the_holder_is_named_with_its_uid_only_where_that_is_another() {
        let holder = |process| Holder { process, path: "/run/siskin/l".into() }.to_string();
        let (user, other) = (geteuid().as_raw(), geteuid().as_raw() + 1);
        assert_eq!(holder(Some((7, user))), "pid 7");
        assert_eq!(holder(Some((7, other))), format!("pid 7, uid {other}"));
        assert_eq!(holder(None), "`fuser -v /run/siskin/l` shows who");
    }

    #[test]
    fn what_a_killed_holder_left_is_taken_and_no_other_user_can_open_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("siskin");
        let lock = acquire(&path, 251).expect("free");
        let file = path.join(&lock.name);
        drop(lock);
        fs::write(&file, "4194304 0\n").expect("writes");
        let _lock = acquire(&path, 251).expect("nobody holds it");
        assert_eq!(
            fs::read_to_string(&file).expect("there").split(' ').next(),
            Some(&*std::process::id().to_string())
        );
        fs::remove_file(&file).expect("removes");
        let _lock = acquire(&path, 251).expect("a new file");
        assert_eq!(fs::metadata(&file).expect("there").mode() & 0o777, 0o600);
    }
}
