//! One receiving socket per port and family, open while a session needs it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::AsFd,
    task::{Context, Poll},
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::{io::Interest, net::UdpSocket};
use tracing::{info, warn};

use super::{port, sys};
use crate::{
    bfd::{Arrival, Endpoint, Path},
    net::sys::{BATCH, Batch, Datagram, tell_ttl_and_interface},
};

/// Datagrams taken from one socket before the timers get their turn, in batches.
const BATCHES: usize = 16;
/// Room for what arrives while the machine is busy, in octets.
const BUFFER: usize = 4 << 20;

/// Room for packets: their length is one octet.
pub(super) type Packets = Batch<256>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum IpVersion {
    V4,
    V6,
}

type Key = (Path, IpVersion);

/// The sockets.
#[derive(Debug, Default)]
pub(super) struct Receivers {
    sockets: BTreeMap<Key, UdpSocket>,
    failed: BTreeMap<Key, String>,
}

/// Whether the kernel is asked even if the runtime has not heard of anything to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    IfReady,
    Always,
}

impl Receivers {
    /// Opens what these sessions need, and closes the rest. What cannot be had is tried again by the next call.
    pub(super) fn update<'a>(&mut self, endpoints: impl Iterator<Item = &'a Endpoint>) {
        let version = |e: &Endpoint| if e.peer.is_ipv4() { IpVersion::V4 } else { IpVersion::V6 };
        let needed: BTreeSet<Key> = endpoints.map(|e| (e.path, version(e))).collect();
        self.sockets.retain(|key, _| needed.contains(key));
        self.failed.retain(|key, _| needed.contains(key));
        for key in needed {
            if !self.sockets.contains_key(&key) {
                self.open(key);
            }
        }
    }

    fn open(&mut self, key: Key) {
        let address = address(key);
        match open(address) {
            Ok(socket) => {
                info!(%address, "receiving BFD packets");
                self.failed.remove(&key);
                self.sockets.insert(key, socket);
            }
            Err(error) => {
                let remedy = match error.kind() {
                    io::ErrorKind::AddrInUse => "another daemon's BFD listens there: stop it",
                    _ => "it is tried again",
                };
                let reason = format!("cannot listen on UDP {address}: {error}; {remedy}");
                if self.failed.insert(key, reason.clone()).as_ref() != Some(&reason) {
                    warn!(%address, %error, remedy, "cannot receive BFD packets");
                }
            }
        }
    }

    /// Why sessions may be deaf.
    pub(super) fn failed(&self) -> Vec<String> {
        self.failed.values().cloned().collect()
    }

    /// Whether a socket has something to read.
    pub(super) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        let ready = self.sockets.values().filter(|socket| socket.poll_recv_ready(cx).is_ready()).count();
        if ready > 0 { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Hands out what has come, a bounded amount of it.
    pub(super) fn receive(&self, batch: &mut Packets, look: Look, mut each: impl FnMut(Arrival, &[u8])) {
        for ((path, _), socket) in &self.sockets {
            for _ in 0..BATCHES {
                let mut take = || {
                    batch.receive(socket.as_fd(), |datagram, payload| {
                        let Datagram { source, interface, ttl } = datagram;
                        each(Arrival { source, interface, ttl, path: *path }, payload);
                    })
                };
                let taken = match look {
                    Look::IfReady => socket.try_io(Interest::READABLE, take),
                    Look::Always => take(),
                };
                if !taken.is_ok_and(|number| number == BATCH) {
                    break;
                }
            }
        }
    }
}

fn address((path, version): Key) -> SocketAddr {
    let any = match version {
        IpVersion::V4 => Ipv4Addr::UNSPECIFIED.into(),
        IpVersion::V6 => Ipv6Addr::UNSPECIFIED.into(),
    };
    SocketAddr::new(any, port(path))
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    sys::enlarge_receive_buffer(socket.as_fd(), BUFFER)?;
    tell_ttl_and_interface(socket.as_fd(), address.ip())?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}
