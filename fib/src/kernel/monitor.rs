//! The socket for notifications.

use std::io;

use netlink_packet_core::NetlinkMessage;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket, protocols::NETLINK_ROUTE};
use rtnetlink::MulticastGroup;
use socket2::{SockFilter, SockRef};

use super::{Notice, command, decode, object};

const GROUPS: [MulticastGroup; 7] = [
    MulticastGroup::Link,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
    MulticastGroup::Ipv4Rule,
    MulticastGroup::Ipv6Rule,
];

/// Datagrams read before others get their turn.
const BURST: usize = 256;

/// Hears what happens to routes, links and addresses, but for what we do ourselves.
pub struct Monitor {
    socket: TokioSocket,
    buffer: Box<[u8]>,
}

impl Monitor {
    /// Listens, but not to the notifications of the requests of the socket with this port number.
    ///
    /// # Errors
    ///
    /// When the kernel gives no socket.
    pub fn open(ignored_port: u32) -> io::Result<Self> {
        let mut socket = TokioSocket::new(NETLINK_ROUTE)?;
        command::enlarge(socket.socket_ref())?;
        SockRef::from(socket.socket_ref()).attach_filter(&all_but(ignored_port))?;
        socket.socket_mut().bind(&SocketAddr::new(0, 0))?;
        for group in GROUPS {
            socket.socket_mut().add_membership(group as u32)?;
        }
        // A kernel without next-hop objects has no such group.
        let _ = socket.socket_mut().add_membership(object::NOTIFICATIONS);
        Ok(Self { socket, buffer: vec![0; 64 << 10].into_boxed_slice() })
    }

    /// Waits for notices and adds all that have come, up to a limit. Cancelling loses none.
    ///
    /// # Errors
    ///
    /// When the socket is broken; lost notices are a [`Notice::Overrun`].
    pub async fn next(&mut self, notices: &mut Vec<Notice>) -> io::Result<()> {
        let mut room = &mut *self.buffer;
        let received = self.socket.recv(&mut room).await;
        let left = room.len();
        self.take(received.map(|()| self.buffer.len() - left), notices)?;
        for _ in 1..BURST {
            match self.socket.socket_ref().recv(&mut &mut *self.buffer, 0) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                received => self.take(received, notices)?,
            }
        }
        Ok(())
    }

    fn take(&self, received: io::Result<usize>, notices: &mut Vec<Notice>) -> io::Result<()> {
        match received {
            Ok(length) => notices.extend(read(self.buffer.get(..length).unwrap_or_default())),
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => notices.push(Notice::Overrun),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

fn read(bytes: &[u8]) -> impl Iterator<Item = Notice> {
    command::messages(bytes).filter_map(|bytes| {
        if let Some(notice) = object::notice(bytes) {
            return Some(Notice::Object(notice));
        }
        match NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes) {
            Ok(message) => decode::notice(message),
            Err(_) => Some(unreadable(bytes)),
        }
    })
}

/// A route that cannot be read may have taken a slot of ours: it counts as lost.
fn unreadable(message: &[u8]) -> Notice {
    let kind = message.get(4..).and_then(|rest| rest.first_chunk()).map(|kind| u16::from_ne_bytes(*kind));
    match kind {
        Some(libc::RTM_NEWROUTE | libc::RTM_DELROUTE) | None => Notice::Overrun,
        Some(_) => Notice::Unreadable,
    }
}

/// A filter that drops every datagram whose first message has this `nlmsg_pid`.
fn all_but(port: u32) -> [SockFilter; 4] {
    const LOAD_WORD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    const NLMSG_PID: u32 = 12;
    [
        SockFilter::new(LOAD_WORD, 0, 0, NLMSG_PID),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, port.to_be()),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ]
}
