//! One daemon per network namespace, protocol and table.

use std::{
    fs, io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            fs::MetadataExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
};

use crate::error::FibError;

/// The lock: an abstract unix socket, which vanishes with the process, however it ends.
#[derive(Debug)]
pub struct TableLock(#[expect(dead_code, reason = "held for its lifetime only")] UnixDatagram);

impl TableLock {
    /// Takes the lock for the network namespace of the calling thread.
    ///
    /// # Errors
    ///
    /// [`FibError::Locked`] while another process, or another part of this one, holds it.
    pub fn acquire(protocol: u8, table: u32) -> Result<Self, FibError> {
        let namespace = fs::metadata("/proc/thread-self/ns/net")?.ino();
        let name = format!("siskin/fib/{namespace}/{protocol}/{table}");
        match UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name)?) {
            Ok(socket) => Ok(Self(socket)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                Err(FibError::Locked { protocol, table })
            }
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_held_once_per_protocol_and_table_and_ends_with_its_holder() {
        let lock = TableLock::acquire(251, 4_000_000_001).unwrap();
        assert!(matches!(TableLock::acquire(251, 4_000_000_001), Err(FibError::Locked { .. })));
        let other = TableLock::acquire(252, 4_000_000_001);
        assert!(other.is_ok());
        drop(lock);
        assert!(TableLock::acquire(251, 4_000_000_001).is_ok());
    }
}
