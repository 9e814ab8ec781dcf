//! One sending socket per session, each with a source port of its own (RFC 5881 section 4).

//!
//! A socket is bound to an interface by index and to an address, and either can go away under it and come back as another:
//! whatever the kernel says against a packet, the socket is opened anew, with the port it had.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
    os::fd::AsFd,
    sync::Arc,
};

use socket2::{Domain, Protocol, Socket, Type};

use super::port;
use crate::{
    bfd::{Endpoint, SOURCE_PORTS, SessionId},
    net::sys::{bound_interface, interface_index},
};

/// Ports that are tried before a session goes without.
const TRIES: u16 = 64;
/// DSCP CS6, network control.
const NETWORK_CONTROL: u32 = 0xc0;

/// The sockets of sessions that have sent something.
#[derive(Debug)]
pub(super) struct Transmitters {
    sockets: BTreeMap<SessionId, Transmitter>,
    /// The port each session has had from its first socket on (RFC 5881 section 4: the same for all packets).
    ports: BTreeMap<SessionId, u16>,
    next_port: u16,
}

#[derive(Debug)]
struct Transmitter {
    socket: Socket,
    target: SocketAddr,
    /// The index of the interface the socket is bound to.
    interface: Option<u32>,
}

/// Whether a socket is worth keeping after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The packet found no room; the socket is as good as before.
    Kept,
    /// The address or the interface of the socket may be gone.
    Dropped,
}

impl Transmitters {
    /// No socket yet; ports are tried from `first` on.
    pub(super) fn new(first: u16) -> Self {
        Self { sockets: BTreeMap::new(), ports: BTreeMap::new(), next_port: first.max(*SOURCE_PORTS.start()) }
    }

    /// Sends a packet of a session. A socket that was open before and fails is opened anew for the same packet.
    ///
    /// # Errors
    /// What the kernel says; the next packet is tried anew.
    pub(super) fn send(&mut self, id: SessionId, endpoint: &Endpoint, packet: &[u8]) -> io::Result<()> {
        if let Some(transmitter) = self.sockets.get(&id) {
            let sent = transmitter.send(packet);
            if fate(&sent) == Fate::Kept {
                return sent;
            }
            self.sockets.remove(&id);
        }
        let transmitter = self.open(id, endpoint)?;
        let sent = transmitter.send(packet);
        if fate(&sent) == Fate::Kept {
            self.sockets.insert(id, transmitter);
        }
        sent
    }

    /// Closes the sockets that are bound to an interface other than the one that has the name now. `interfaces` holds the
    /// indexes by name.
    pub(super) fn review<'a>(
        &mut self,
        endpoint: impl Fn(SessionId) -> Option<&'a Endpoint>,
        interfaces: &BTreeMap<Arc<str>, u32>,
    ) {
        self.sockets.retain(|id, transmitter| {
            let name = endpoint(*id).and_then(|endpoint| endpoint.interface.as_ref());
            name.is_none_or(|name| interfaces.get(name).copied() == transmitter.interface)
        });
    }

    /// The session is no more.
    pub(super) fn close(&mut self, id: SessionId) {
        self.sockets.remove(&id);
        self.ports.remove(&id);
    }

    fn open(&mut self, id: SessionId, endpoint: &Endpoint) -> io::Result<Transmitter> {
        let target = target(endpoint)?;
        let socket = Socket::new(Domain::for_address(target), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        // Nobody reads what strangers send here.
        socket.set_recv_buffer_size(0)?;
        match target {
            SocketAddr::V4(_) => {
                socket.set_ttl_v4(u8::MAX.into())?;
                socket.set_tos_v4(NETWORK_CONTROL)?;
            }
            SocketAddr::V6(_) => {
                socket.set_only_v6(true)?;
                socket.set_unicast_hops_v6(u8::MAX.into())?;
                socket.set_tclass_v6(NETWORK_CONTROL)?;
            }
        }
        if let Some(interface) = &endpoint.interface {
            socket.bind_device(Some(interface.as_bytes()))?;
        }
        let any = if target.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let interface = bound_interface(socket.as_fd())?;
        self.bind(id, &socket, endpoint.source.unwrap_or(any))?;
        Ok(Transmitter { socket, target, interface })
    }

    /// Takes the port the session had, else the next one nobody has.
    fn bind(&mut self, id: SessionId, socket: &Socket, source: IpAddr) -> io::Result<()> {
        if let Some(port) = self.ports.get(&id)
            && socket.bind(&SocketAddr::new(source, *port).into()).is_ok()
        {
            return Ok(());
        }
        let mut result = Err(io::ErrorKind::AddrInUse.into());
        for _ in 0..TRIES {
            let port = self.next_port;
            self.next_port = port.checked_add(1).unwrap_or(*SOURCE_PORTS.start());
            result = socket.bind(&SocketAddr::new(source, port).into());
            if !result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse) {
                self.ports.insert(id, port);
                break;
            }
        }
        result
    }
}

impl Transmitter {
    fn send(&self, packet: &[u8]) -> io::Result<()> {
        self.socket.send_to(packet, &self.target.into()).map(drop)
    }
}

/// An address that is gone says `EADDRNOTAVAIL` or `EINVAL`, an interface `ENODEV`, `ENXIO` or `ENETUNREACH`: only what
/// surely has another cause is no reason to open the socket anew, which costs little.
fn fate(sent: &io::Result<()>) -> Fate {
    match sent.as_ref().map_err(io::Error::raw_os_error) {
        Ok(()) | Err(Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM | libc::EINTR)) => Fate::Kept,
        Err(_) => Fate::Dropped,
    }
}

fn target(endpoint: &Endpoint) -> io::Result<SocketAddr> {
    let port = port(endpoint.path);
    Ok(match (endpoint.peer, &endpoint.interface) {
        (IpAddr::V6(peer), Some(interface)) if peer.is_unicast_link_local() => {
            SocketAddrV6::new(peer, port, 0, interface_index(interface)?).into()
        }
        (peer, _) => SocketAddr::new(peer, port),
    })
}
