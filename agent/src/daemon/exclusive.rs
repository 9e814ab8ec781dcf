//! The right to be the only one: held by a daemon, and by what works without one.

use std::path::{Path, PathBuf};

use rustix::process::getegid;

use crate::{
    cli::{EXIT_FAILED, commands::Failure},
    config::Intent,
    runtime_directory::{
        Passage, RuntimeDirectory,
        lock::{LockError, TableLock},
    },
};

/// Takes the lock of this network namespace and the configured protocol and table.
///
/// # Errors
///
/// While a daemon runs (`remedy` says what to do then), and when the lock's directory cannot be used.
pub(super) fn lock(intent: &Intent, remedy: &str) -> Result<TableLock, Failure> {
    let path = RuntimeDirectory::choose(intent.api.runtime_directory.as_deref());
    let failed = |error: &dyn std::fmt::Display| Failure::Other(EXIT_FAILED, error.to_string());
    let directory = RuntimeDirectory::open(&path, passage(intent, &path)).map_err(|e| failed(&e))?;
    let kernel = intent.kernel;
    TableLock::acquire(directory, kernel.protocol, kernel.table).map_err(|error| match error {
        LockError::Held { .. } => failed(&format!("{error}\n  {remedy}")),
        error => failed(&error),
    })
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
