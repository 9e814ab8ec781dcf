//! The right to be the only one: held by a daemon, and by what works without one.

use std::{
    io,
    path::{Path, PathBuf},
};

use rustix::process::getegid;

use crate::{
    cli::{EXIT_FAILED, commands::Failure},
    config::{Intent, Kernel},
    runtime_directory::{
        DirectoryError, Passage, RuntimeDirectory,
        lock::{LockError, TableLock},
        memory::{Memory, Place},
    },
};

/// Takes the lock of this network namespace and the configured protocol and table.
///
/// # Errors
///
/// While a daemon runs (`remedy` says what to do then), and when the lock's directory cannot be used.
pub(super) fn lock(intent: &Intent, remedy: &str) -> Result<TableLock, Failure> {
    let Kernel { protocol, table, .. } = intent.kernel;
    lock_place(intent, Place { protocol, table }, remedy)
}

/// The same for another protocol and table.
pub(super) fn lock_place(intent: &Intent, place: Place, remedy: &str) -> Result<TableLock, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Other(EXIT_FAILED, error.to_string());
    let directory = directory(intent).map_err(|e| failed(&e))?;
    TableLock::acquire(directory, place.protocol, place.table).map_err(|error| match error {
        LockError::Held { .. } => failed(&format!("{error}\n  {remedy}")),
        error => failed(&error),
    })
}

/// What the daemon before left for this one.
///
/// # Errors
///
/// When there is no place to remember anything.
pub(super) fn memory(intent: &Intent) -> io::Result<Memory> {
    Memory::of(directory(intent).map_err(io::Error::other)?, &intent.api.socket)
}

fn directory(intent: &Intent) -> Result<RuntimeDirectory, DirectoryError> {
    let path = RuntimeDirectory::choose(intent.api.runtime_directory.as_deref());
    RuntimeDirectory::open(&path, passage(intent, &path))
}

/// A group other than root's that may use a socket must be able to reach it.
fn passage(intent: &Intent, directory: &Path) -> Passage {
    let api = &intent.api;
    let inside = |socket: Option<&PathBuf>| socket.and_then(|path| path.parent()) == Some(directory);
    let for_group = |group: Option<&String>| group.is_some() || !getegid().is_root();
    let main = inside(Some(&api.socket)) && for_group(api.socket_group.as_ref());
    let read = inside(api.read_socket.as_ref()) && for_group(api.read_socket_group.as_ref());
    if main || read { Passage::Open } else { Passage::Closed }
}
