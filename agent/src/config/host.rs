//! The little that a configuration asks of the host it is read on.

use std::{
    io::{self, Read},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use bgp::types::Family;

use crate::autodetect::{Interface, interfaces};

/// How the warning about a node address that no interface has ends. It is true of the moment; the running daemon looks anew.
pub const NOT_OF_THIS_HOST: &str = "is no address of this host now";

/// Questions to the host; tests answer them from memory.
pub trait Host {
    /// The host's name.
    ///
    /// # Errors
    /// Whatever the system says.
    fn name(&self) -> io::Result<String>;

    /// Network interfaces with their addresses, in the kernel's order.
    ///
    /// # Errors
    /// Whatever the kernel says.
    fn interfaces(&self) -> io::Result<Vec<Interface>>;

    /// The address the kernel would send from towards `target`, a name or an address. Sends nothing.
    ///
    /// # Errors
    /// No such name, no address of the family, or no route.
    fn source_towards(&self, target: &str, family: Family) -> io::Result<IpAddr>;

    /// The content of a small regular file.
    ///
    /// # Errors
    /// Whatever the system says; anything but a regular file, and one above 16 MiB.
    fn read_small(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Whether every user of the host may read a file.
    fn is_readable_by_all(&self, path: &Path) -> bool {
        let _ = path;
        false
    }

    /// Whether this is the host the configuration is for. If not, nothing is concluded from what it has and lacks.
    fn is_meant(&self) -> bool {
        true
    }
}

/// Ceiling for [`Host::read_small`], bytes: a mesh of ten thousand nodes fits many times.
const SMALL_FILE: u64 = 16 * 1024 * 1024;

/// The host this process runs on.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThisHost;

impl Host for ThisHost {
    fn name(&self) -> io::Result<String> {
        Ok(rustix::system::uname().nodename().to_string_lossy().into_owned())
    }

    fn interfaces(&self) -> io::Result<Vec<Interface>> {
        interfaces::list()
    }

    fn source_towards(&self, target: &str, family: Family) -> io::Result<IpAddr> {
        let (any, fits): (IpAddr, fn(&SocketAddr) -> bool) = match family {
            Family::Ipv4Unicast => (Ipv4Addr::UNSPECIFIED.into(), SocketAddr::is_ipv4),
            Family::Ipv6Unicast => (Ipv6Addr::UNSPECIFIED.into(), SocketAddr::is_ipv6),
        };
        let remote = (target, 80).to_socket_addrs()?.find(fits).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("{target} has no {family} address"))
        })?;
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect(remote)?;
        Ok(socket.local_addr()?.ip())
    }

    fn read_small(&self, path: &Path) -> io::Result<Vec<u8>> {
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let mut content = Vec::new();
        std::fs::File::open(path)?.take(SMALL_FILE + 1).read_to_end(&mut content)?;
        if content.len() as u64 > SMALL_FILE {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 16 MiB"));
        }
        Ok(content)
    }

    fn is_readable_by_all(&self, path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o004 != 0)
    }
}

/// No host: a configuration is judged by itself, where it is written and not where it will run. Only files named by it
/// as its parts could be read there, so that secrets count as given.
#[derive(Clone, Debug)]
pub struct Offline {
    /// The configuration file, the only one that is read.
    pub file: Option<PathBuf>,
}

impl Host for Offline {
    fn name(&self) -> io::Result<String> {
        Ok("offline".to_owned())
    }

    fn interfaces(&self) -> io::Result<Vec<Interface>> {
        Ok(Vec::new())
    }

    fn source_towards(&self, _: &str, _: Family) -> io::Result<IpAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn read_small(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self.file.as_deref() == Some(path) {
            true => ThisHost.read_small(path),
            false => Ok(b"not looked at".to_vec()),
        }
    }

    fn is_meant(&self) -> bool {
        false
    }
}
