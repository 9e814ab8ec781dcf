//! Opening a connection to a peer, and the socket options of connections in both directions.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::AsFd,
    sync::Arc,
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpSocket, TcpStream};

use super::sys;
use crate::{
    config::{Auth, PeerConfig, TtlPolicy},
    fsm::TransportError,
};

/// Opens a TCP connection to the peer.
///
/// # Errors
/// What the kernel says; [`transport_error`] sorts it.
pub(super) async fn connect(peer: Arc<PeerConfig>) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(peer_address(&peer)), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    match &peer.transport.auth {
        Auth::None => {}
        Auth::Md5(key) => sys::set_md5_key(socket.as_fd(), peer.address.into(), key)?,
        Auth::Ao(key) => sys::set_ao_key(socket.as_fd(), peer.address.into(), key)?,
        Auth::Unavailable(_) => return Err(io::ErrorKind::PermissionDenied.into()),
    }
    if let Some(source) = peer.transport.source {
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    apply_options(SockRef::from(&socket), &peer)?;
    let address = scoped(&peer)?;
    TcpSocket::from_std_stream(socket.into()).connect(address).await
}

fn peer_address(peer: &PeerConfig) -> SocketAddr {
    SocketAddr::new(peer.address, peer.transport.port)
}

/// The peer's address with the link it belongs to.
fn scoped(peer: &PeerConfig) -> io::Result<SocketAddr> {
    match (peer_address(peer), &peer.transport.interface) {
        (SocketAddr::V6(mut address), Some(interface)) if address.ip().is_unicast_link_local() => {
            address.set_scope_id(sys::interface_index(interface)?);
            Ok(address.into())
        }
        (address, _) => Ok(address),
    }
}

/// The options of a connection, whoever opened it: TTL, TTL security, interface, no delay.
///
/// # Errors
/// What the kernel says.
pub(super) fn apply_options(socket: SockRef<'_>, peer: &PeerConfig) -> io::Result<()> {
    let (ttl, minimum) = match peer.transport.ttl {
        TtlPolicy::Direct => (1, 0),
        TtlPolicy::Multihop(hops) => (hops, 0),
        TtlPolicy::Security(hops) => (u8::MAX, minimum_ttl(hops)),
    };
    socket.set_tcp_nodelay(true)?;
    if let Some(interface) = &peer.transport.interface {
        socket.bind_device(Some(interface.as_bytes()))?;
    }
    match peer.address {
        IpAddr::V4(_) => socket.set_ttl_v4(ttl.into())?,
        IpAddr::V6(_) => socket.set_unicast_hops_v6(ttl.into())?,
    }
    sys::set_minimum_ttl(socket.as_fd(), peer.address, minimum)
}

/// What is left of 255 after `hops` hops, the peer's own link counting as the first (RFC 5082 section 3).
pub(super) fn minimum_ttl(hops: u8) -> u8 {
    u8::MAX.saturating_sub(hops.saturating_sub(1))
}

/// Sorts an error of a connection.
pub(super) fn transport_error(error: &io::Error) -> TransportError {
    if error.raw_os_error() == Some(libc::ENODEV) {
        return TransportError::NoInterface;
    }
    match error.kind() {
        io::ErrorKind::NetworkUnreachable => TransportError::NoRoute,
        io::ErrorKind::HostUnreachable => TransportError::Unreachable,
        io::ErrorKind::PermissionDenied => TransportError::Forbidden,
        io::ErrorKind::ConnectionRefused => TransportError::Refused,
        io::ErrorKind::TimedOut => TransportError::NoAnswer,
        io::ErrorKind::AddrNotAvailable => TransportError::SourceUnavailable,
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => TransportError::Reset,
        io::ErrorKind::UnexpectedEof => TransportError::Closed,
        _ => TransportError::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_hop_means_the_ttl_has_not_been_touched() {
        assert_eq!((minimum_ttl(1), minimum_ttl(2), minimum_ttl(255)), (255, 254, 1));
    }
}
