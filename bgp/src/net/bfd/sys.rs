//! A thread that is served first and has room for what arrives meanwhile, which no crate at hand offers.
#![allow(unsafe_code)]

use std::{ffi::c_int, io, os::fd::BorrowedFd};

use crate::net::sys::set_option;

/// Makes room for received datagrams, beyond the system's limit where we may.
///
/// # Errors
/// What the kernel says.
pub(super) fn enlarge_receive_buffer(socket: BorrowedFd<'_>, octets: usize) -> io::Result<()> {
    let octets = c_int::try_from(octets).unwrap_or(c_int::MAX);
    set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &octets)
        .or_else(|_| set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUF, &octets))
}

/// Has the calling thread served before others that want the processor as well, where we may.
///
/// # Errors
/// What the kernel says: without CAP_SYS_NICE it refuses.
pub(super) fn raise_priority() -> io::Result<()> {
    const NICENESS: c_int = -15;
    // SAFETY: no pointers; on Linux, zero means the calling thread.
    let result = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
