//! The raw ICMPv6 socket of one interface.

use std::{
    cell::RefCell,
    io,
    net::{IpAddr, Ipv6Addr, SocketAddrV6},
    os::fd::AsFd,
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::{io::Interest, net::UdpSocket};

use super::sys;
use crate::{
    ndp::{ALL_NODES, ALL_ROUTERS, Arrival, HEARD, HOP_LIMIT, Message, Presence, Transmit, encode},
    net::sys::{BATCH, Batch, Datagram, LinkState},
};

/// More than the packets of a link of the usual MTU.
const PAYLOAD: usize = 2048;

/// Hears solicitations and advertisements on one interface.
pub(super) struct RouterSocket {
    /// Raw, which no type of the runtime is; what it does with a datagram socket is the same.
    socket: UdpSocket,
    interface: String,
    index: u32,
}

/// How much was there to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Less than a batch.
    Some,
    /// A whole batch, perhaps not all.
    AllThatFits,
}

thread_local! {
    static ROOM: RefCell<Batch<PAYLOAD>> = RefCell::new(Batch::new());
}

impl RouterSocket {
    /// # Errors
    /// What the kernel says; `ENODEV` or `ENXIO` when there is no such interface.
    pub(super) fn open(interface: &str) -> io::Result<Self> {
        let index = sys::interface_index(interface)?;
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
        socket.set_nonblocking(true)?;
        sys::pass_only_icmp6(socket.as_fd(), &HEARD)?;
        sys::tell_ttl_and_interface(socket.as_fd(), Ipv6Addr::UNSPECIFIED.into())?;
        socket.bind_device(Some(interface.as_bytes()))?;
        socket.set_multicast_if_v6(index)?;
        socket.set_multicast_hops_v6(HOP_LIMIT.into())?;
        socket.set_multicast_loop_v6(false)?;
        socket.join_multicast_v6(&ALL_ROUTERS, index)?;
        let socket = UdpSocket::from_std(socket.into())?;
        Ok(Self { socket, interface: interface.to_owned(), index })
    }

    /// The index of the interface.
    pub(super) fn index(&self) -> u32 {
        self.index
    }

    /// Whether the interface is up.
    ///
    /// # Errors
    /// When it is not the one it was any more.
    pub(super) fn presence(&self) -> io::Result<Presence> {
        if sys::interface_index(&self.interface)? != self.index {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(if self.state()?.running { Presence::Up } else { Presence::Down })
    }

    fn state(&self) -> io::Result<LinkState> {
        sys::link_state(self.socket.as_fd(), &self.interface)
    }

    /// Waits for packets, and hands them out.
    pub(super) async fn receive(&self, mut each: impl FnMut(Arrival, &[u8])) -> Taken {
        if self.socket.readable().await.is_err() {
            return Taken::AllThatFits;
        }
        let taken = self.socket.try_io(Interest::READABLE, || {
            ROOM.with_borrow_mut(|room| {
                room.receive(self.socket.as_fd(), |datagram, octets| {
                    let Datagram { source, ttl, interface } = datagram;
                    if let IpAddr::V6(source) = source
                        && interface == self.index
                    {
                        each(Arrival { source, hop_limit: ttl }, octets);
                    }
                })
            })
        });
        match taken {
            Ok(number) if number < BATCH => Taken::Some,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Taken::Some,
            // An error is that of a link that is down, say: nothing to hurry for.
            Ok(_) | Err(_) => Taken::AllThatFits,
        }
    }

    /// # Errors
    /// What the kernel says: there is no link-local address yet, say.
    pub(super) fn send(&self, what: Transmit) -> io::Result<()> {
        let (message, group) = match what {
            Transmit::Advertisement => (Message::Advertisement { lifetime: 0 }, ALL_NODES),
            Transmit::Solicitation => (Message::Solicitation, ALL_ROUTERS),
        };
        let octets = encode(message, self.state()?.ethernet);
        let target = SocketAddrV6::new(group, 0, 0, self.index);
        SockRef::from(&self.socket).send_to(&octets, &target.into()).map(drop)
    }
}
