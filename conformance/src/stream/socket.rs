//! The sockets of a stream, opened in a node's network namespace.

use std::{
    fs::File,
    net::{SocketAddrV4, UdpSocket},
    os::{fd::AsFd as _, unix::fs::FileExt as _},
    time::Duration,
};

use anyhow::{Context as _, Result};
use rustix::{
    net::sockopt,
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

use super::Side;

/// Octets of a packet that mean something: a word that marks the stream's packets, and the number.
pub(super) const HEADER: usize = 16;
/// The word.
const MARK: [u8; 8] = *b"siskin\0\x01";
/// Room for what arrives while the receiver has no processor: seconds of packets at full rate.
const ROOM: usize = 32 << 20;
/// How often a receiver looks up although nothing has come.
const PAUSE: Duration = Duration::from_millis(50);

/// A socket that sends or receives numbered packets.
pub(super) struct Packets {
    socket: UdpSocket,
}

impl Packets {
    /// Moves the calling thread into the side's namespace for good, and opens a socket on its address there.
    pub(super) fn open(side: &Side, port: u16) -> Result<Self> {
        let path = format!("/run/netns/{}", side.namespace);
        let namespace = File::open(&path).with_context(|| format!("cannot open {path}"))?;
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .with_context(|| format!("cannot enter {path}"))?;
        let address = SocketAddrV4::new(side.address, port);
        let socket = UdpSocket::bind(address).with_context(|| format!("cannot listen on {address}"))?;
        sockopt::set_socket_recv_buffer_size_force(&socket, ROOM)?;
        socket.set_read_timeout(Some(PAUSE))?;
        Ok(Self { socket })
    }

    /// Sends one packet; false when the kernel did not take it.
    pub(super) fn send(&self, payload: &mut [u8], number: u64, to: SocketAddrV4) -> bool {
        let header = MARK.into_iter().chain(number.to_be_bytes());
        payload.iter_mut().zip(header).for_each(|(to, from)| *to = from);
        self.socket.send_to(payload, to).is_ok()
    }

    /// The next packet's number; none when it is another's, or nothing comes for a moment.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> Option<u64> {
        let length = self.socket.recv(buffer).ok()?;
        let (mark, rest) = buffer.get(..length)?.split_at_checked(MARK.len())?;
        let number = rest.get(..HEADER - MARK.len())?.try_into().ok()?;
        (mark == MARK).then(|| u64::from_be_bytes(number))
    }

    /// The counter of what this thread's socket had no room for.
    pub(super) fn overflow(&self, port: u16) -> Result<Overflow> {
        // Opened in this thread's namespace, the file speaks of that namespace whoever reads it.
        Ok(Overflow { table: File::open("/proc/thread-self/net/udp")?, port, last: 0 })
    }
}

/// Packets that found a socket's buffer full, as `/proc/net/udp` counts them.
pub(super) struct Overflow {
    table: File,
    port: u16,
    last: u64,
}

impl Overflow {
    /// How many there were since this was last asked.
    pub(super) fn since_last_time(&mut self) -> u64 {
        let mut text = vec![0; 64 << 10];
        let length = self.table.read_at(&mut text, 0).unwrap_or(0);
        let total = drops(&String::from_utf8_lossy(text.get(..length).unwrap_or_default()), self.port);
        let new = total.saturating_sub(self.last);
        self.last = total;
        new
    }
}

/// The last column of the sockets bound to this port.
fn drops(table: &str, port: u16) -> u64 {
    let port = format!(":{port:04X}");
    let own = table.lines().filter(|line| line.split_whitespace().nth(1).is_some_and(|l| l.ends_with(&port)));
    own.filter_map(|line| line.split_whitespace().next_back()?.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_tells_what_found_no_room() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
                     10384: 0100007F:0FA0 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 27 2 0000 42\n\
                     10385: 0100007F:0FA1 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 28 2 0000 7\n";
        assert_eq!(drops(table, 4000), 42);
    }
}
