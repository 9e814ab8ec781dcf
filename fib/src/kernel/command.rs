//! The socket for requests: blocking, in batches, with every result matched to its request.
//!
//! The kernel carries out a batch before `sendto` returns, in order, and reports every failure; so only the last
//! message asks for an acknowledgement, and its coming says that all that was not reported has succeeded.

use std::{io, net::IpAddr, time::Duration};

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::{
    RouteNetlinkMessage,
    route::{RouteAttribute, RouteFlags, RouteHeader, RouteMessage},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use rustix::net::sockopt;

use super::{
    Target, decode,
    encode::{self, Encoder, Inexpressible, family},
    object,
};
use crate::{
    error::Errno,
    object::{KernelObject, ObjectRequest},
    resolve::Lookup,
    route::Path,
    table::{Request, intern::Interner},
};

/// How long an answer may take before it is given up and everything compared.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
pub(super) const RECEIVE_BUFFER: usize = 4 << 20;

/// The socket.
pub(super) struct CommandSocket {
    socket: Socket,
    port: u32,
    sequence: u32,
    encoder: Encoder,
    out: Vec<u8>,
    inward: Box<[u8]>,
}

/// One message of an answer.
enum Answer {
    Result { sequence: u32, errno: Option<Errno> },
    Route { sequence: u32, message: RouteMessage },
    Unrelated,
}

impl CommandSocket {
    pub(super) fn open(target: Target) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        let port = socket.bind_auto()?.port_number();
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_cap_ack(true)?;
        enlarge(&socket)?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(ANSWER_TIMEOUT))?;
        let inward = vec![0; 64 << 10].into_boxed_slice();
        Ok(Self { socket, port, sequence: 0, encoder: Encoder::new(target), out: Vec::new(), inward })
    }

    /// The number by which the kernel marks the notifications of this socket's requests.
    pub(super) fn port(&self) -> u32 {
        self.port
    }

    pub(super) fn program(
        &mut self,
        paths: &Interner<Path>,
        batch: &[Request],
        refused: &mut Vec<(usize, Errno)>,
    ) -> io::Result<()> {
        self.send(batch, refused, |encoder, request, sequence, out| {
            encoder.append(paths, request, sequence, out)
        })
    }

    pub(super) fn program_objects(
        &mut self,
        batch: &[ObjectRequest],
        refused: &mut Vec<(usize, Errno)>,
    ) -> io::Result<()> {
        self.send(batch, refused, |encoder, request, sequence, out| {
            object::append(encoder.protocol(), request, sequence, out)
        })
    }

    /// Reads every next-hop object; `None`: the kernel knows of no such thing.
    pub(super) fn objects(&mut self) -> io::Result<Option<Vec<KernelObject>>> {
        let sequence = self.next_sequence();
        self.socket.send(&object::dump_request(sequence), 0)?;
        let mut objects = Vec::new();
        loop {
            let length = self.socket.recv(&mut &mut *self.inward, 0)?;
            for message in messages(self.inward.get(..length).unwrap_or_default()) {
                if sequence_of(message) != Some(sequence) {
                    continue;
                }
                match object::object(message) {
                    Some(object) => objects.push(object),
                    None => return end_of_objects(message).map(|known| known.then_some(objects)),
                }
            }
        }
    }

    /// Sends a batch and reads its results.
    fn send<T>(
        &mut self,
        batch: &[T],
        refused: &mut Vec<(usize, Errno)>,
        append: impl Fn(&mut Encoder, &T, u32, &mut Vec<u8>) -> Result<(), Inexpressible>,
    ) -> io::Result<()> {
        refused.clear();
        self.out.clear();
        let first = self.sequence.wrapping_add(1);
        let mut last = None;
        for (index, request) in batch.iter().enumerate() {
            let (start, sequence) = (self.out.len(), self.next_sequence());
            match append(&mut self.encoder, request, sequence, &mut self.out) {
                Ok(()) => last = Some((start, sequence)),
                Err(Inexpressible) => {
                    self.out.truncate(start);
                    refused.push((index, Errno(libc::EINVAL)));
                }
            }
        }
        let Some((start, last)) = last else { return Ok(()) };
        encode::acknowledge(&mut self.out, start);
        self.socket.send(&self.out, 0)?;
        self.results(first, last, batch.len(), refused)?;
        refused.sort_unstable_by_key(|(index, _)| *index);
        Ok(())
    }

    /// Asks the kernel which route leads to an address (`RTM_F_FIB_MATCH`).
    pub(super) fn lookup(&mut self, address: IpAddr, device: Option<u32>) -> io::Result<Option<Lookup>> {
        let prefix = IpNet::from(address);
        let mut request = RouteMessage::default();
        request.header = RouteHeader {
            address_family: family(prefix),
            destination_prefix_length: prefix.prefix_len(),
            flags: RouteFlags::FibMatch,
            ..RouteHeader::default()
        };
        request.attributes.push(RouteAttribute::Destination(address.into()));
        request.attributes.extend(device.map(RouteAttribute::Oif));
        let mut message = NetlinkMessage::from(RouteNetlinkMessage::GetRoute(request));
        let sequence = self.next_sequence();
        (message.header.flags, message.header.sequence_number) = (NLM_F_REQUEST, sequence);
        message.finalize();
        self.out.resize(message.buffer_len(), 0);
        message.serialize(&mut self.out);
        self.socket.send(&self.out, 0)?;
        loop {
            for answer in self.receive()? {
                match answer? {
                    Answer::Route { sequence: s, message } if s == sequence => {
                        return Ok(decode::lookup(&message));
                    }
                    Answer::Result { sequence: s, errno } if s == sequence => return no_route(errno),
                    _ => {}
                }
            }
        }
    }

    /// Reads results until that of the last message has come.
    fn results(
        &mut self,
        first: u32,
        last: u32,
        length: usize,
        refused: &mut Vec<(usize, Errno)>,
    ) -> io::Result<()> {
        loop {
            for answer in self.receive()? {
                let Answer::Result { sequence, errno } = answer? else { continue };
                let index = sequence.wrapping_sub(first) as usize;
                if index >= length {
                    continue;
                }
                if let Some(errno) = errno {
                    refused.push((index, errno));
                }
                if sequence == last {
                    return Ok(());
                }
            }
        }
    }

    fn receive(&mut self) -> io::Result<impl Iterator<Item = io::Result<Answer>>> {
        let length = self.socket.recv(&mut &mut *self.inward, 0)?;
        Ok(messages(self.inward.get(..length).unwrap_or_default()).map(answer))
    }

    fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }
}

/// Gives a socket room for many answers; beyond the system's limit where we may.
pub(super) fn enlarge(socket: &Socket) -> io::Result<()> {
    if sockopt::set_socket_recv_buffer_size_force(socket, RECEIVE_BUFFER).is_err() {
        sockopt::set_socket_recv_buffer_size(socket, RECEIVE_BUFFER)?;
    }
    Ok(())
}

/// Cuts a datagram into messages.
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = message_length(bytes)?;
        let message = bytes.get(..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

fn message_length(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
    (16..=bytes.len()).contains(&length).then_some(length)
}

fn sequence_of(message: &[u8]) -> Option<u32> {
    message.get(8..)?.first_chunk().map(|sequence| u32::from_ne_bytes(*sequence))
}

/// Whether what ended a dump was its end; not so when the kernel does not know the request.
fn end_of_objects(message: &[u8]) -> io::Result<bool> {
    match answer(message)? {
        Answer::Result { errno: Some(Errno(libc::EOPNOTSUPP | libc::EINVAL)), .. } => Ok(false),
        Answer::Result { errno: Some(errno), .. } => Err(io::Error::from_raw_os_error(errno.0)),
        _ => Ok(true),
    }
}

fn no_route(errno: Option<Errno>) -> io::Result<Option<Lookup>> {
    match errno.map(|errno| errno.0) {
        None => Ok(None),
        Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EACCES | libc::EINVAL | libc::ENETDOWN) => {
            Ok(None)
        }
        Some(number) => Err(io::Error::from_raw_os_error(number)),
    }
}

fn answer(bytes: &[u8]) -> io::Result<Answer> {
    let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let sequence = message.header.sequence_number;
    Ok(match message.payload {
        NetlinkPayload::Error(error) => {
            Answer::Result { sequence, errno: error.code.map(|code| Errno(code.get().saturating_neg())) }
        }
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(message)) => {
            Answer::Route { sequence, message }
        }
        _ => Answer::Unrelated,
    })
}
