//! One sending socket per session, each with a source port of its own (RFC 5881 section 4).

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
};

use socket2::{Domain, Protocol, Socket, Type};

use super::port;
use crate::{
    bfd::{Endpoint, SOURCE_PORTS, SessionId},
    net::sys::interface_index,
};

/// Ports that are tried before a session goes without.
const TRIES: u16 = 64;
/// DSCP CS6, network control.
const NETWORK_CONTROL: u32 = 0xc0;

/// The sockets of sessions that have sent something.
#[derive(Debug)]
pub(super) struct Transmitters {
    sockets: BTreeMap<SessionId, Transmitter>,
    next_port: u16,
}

#[derive(Debug)]
struct Transmitter {
    socket: Socket,
    target: SocketAddr,
}

impl Transmitters {
    /// No socket yet; ports are tried from `first` on.
    pub(super) fn new(first: u16) -> Self {
        Self { sockets: BTreeMap::new(), next_port: first.max(*SOURCE_PORTS.start()) }
    }

    /// Sends a packet of a session.
    ///
    /// # Errors
    /// What the kernel says; the next packet is tried anew.
    pub(super) fn send(&mut self, id: SessionId, endpoint: &Endpoint, packet: &[u8]) -> io::Result<()> {
        if !self.sockets.contains_key(&id) {
            let transmitter = self.open(endpoint)?;
            self.sockets.insert(id, transmitter);
        }
        let Some(Transmitter { socket, target }) = self.sockets.get(&id) else { return Ok(()) };
        let sent = socket.send_to(packet, &(*target).into());
        if sent.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrNotAvailable) {
            self.sockets.remove(&id);
        }
        sent.map(drop)
    }

    /// The session is no more.
    pub(super) fn close(&mut self, id: SessionId) {
        self.sockets.remove(&id);
    }

    fn open(&mut self, endpoint: &Endpoint) -> io::Result<Transmitter> {
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
        self.bind(&socket, endpoint.source.unwrap_or(any))?;
        Ok(Transmitter { socket, target })
    }

    /// Takes the next port nobody has.
    fn bind(&mut self, socket: &Socket, source: IpAddr) -> io::Result<()> {
        let mut result = Err(io::ErrorKind::AddrInUse.into());
        for _ in 0..TRIES {
            let port = self.next_port;
            self.next_port = port.checked_add(1).unwrap_or(*SOURCE_PORTS.start());
            result = socket.bind(&SocketAddr::new(source, port).into());
            if !result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse) {
                break;
            }
        }
        result
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
