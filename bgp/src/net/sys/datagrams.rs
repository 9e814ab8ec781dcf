//! Receiving datagrams in batches, each with its TTL and interface, which no crate at hand does.

use std::{
    ffi::c_int,
    io,
    mem::{size_of, zeroed},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::{AsRawFd, BorrowedFd},
};

use super::set_option;

/// Datagrams taken by one system call.
pub(in crate::net) const BATCH: usize = 32;
/// Room for the ancillary data we ask for, in 8 octets: a TTL and a packet info, each with its header.
const ANCILLARY: usize = 16;

/// What came with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) struct Datagram {
    pub(in crate::net) source: IpAddr,
    /// Index of the interface it arrived on; zero when the kernel did not say.
    pub(in crate::net) interface: u32,
    /// TTL or hop limit; zero when the kernel did not say.
    pub(in crate::net) ttl: u8,
}

/// Room for a batch of datagrams of at most `PAYLOAD` octets, used again and again.
pub(in crate::net) struct Batch<const PAYLOAD: usize> {
    payloads: Box<[[u8; PAYLOAD]; BATCH]>,
    ancillary: Box<[[u64; ANCILLARY]; BATCH]>,
    sources: Box<[libc::sockaddr_storage; BATCH]>,
}

impl<const PAYLOAD: usize> Batch<PAYLOAD> {
    pub(in crate::net) fn new() -> Self {
        // SAFETY: all zeroes is a valid sockaddr_storage.
        let source: libc::sockaddr_storage = unsafe { zeroed() };
        Self {
            payloads: Box::new([[0; PAYLOAD]; BATCH]),
            ancillary: Box::new([[0; ANCILLARY]; BATCH]),
            sources: Box::new([source; BATCH]),
        }
    }

    /// Hands out what the socket holds, at most [`BATCH`] datagrams, and says how many there were. A longer one is cut.
    ///
    /// # Errors
    /// What the kernel says; [`io::ErrorKind::WouldBlock`] when there is nothing.
    pub(in crate::net) fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        mut each: impl FnMut(Datagram, &[u8]),
    ) -> io::Result<usize> {
        // SAFETY: all zeroes is a valid iovec and a valid mmsghdr.
        let (mut vectors, mut headers): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) =
            unsafe { (zeroed(), zeroed()) };
        let room = self.payloads.iter_mut().zip(self.ancillary.iter_mut()).zip(self.sources.iter_mut());
        for (((payload, ancillary), source), (vector, header)) in
            room.zip(vectors.iter_mut().zip(&mut headers))
        {
            vector.iov_base = payload.as_mut_ptr().cast();
            vector.iov_len = PAYLOAD;
            let message = &mut header.msg_hdr;
            message.msg_name = std::ptr::from_mut(source).cast();
            message.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            message.msg_iov = std::ptr::from_mut(vector);
            message.msg_iovlen = 1;
            message.msg_control = ancillary.as_mut_ptr().cast();
            message.msg_controllen = size_of::<[u64; ANCILLARY]>();
        }
        let (descriptor, length) = (socket.as_raw_fd(), BATCH as libc::c_uint);
        // SAFETY: every header points to buffers of the lengths it names, which outlive the call.
        let taken = unsafe {
            libc::recvmmsg(descriptor, headers.as_mut_ptr(), length, libc::MSG_DONTWAIT, std::ptr::null_mut())
        };
        let taken = usize::try_from(taken).map_err(|_| io::Error::last_os_error())?;
        for ((header, payload), source) in
            headers.iter().zip(self.payloads.iter()).zip(self.sources.iter()).take(taken)
        {
            let length = usize::try_from(header.msg_len).unwrap_or(usize::MAX).min(PAYLOAD);
            if let (Some(source), Some(payload)) = (address(source), payload.get(..length)) {
                let (ttl, interface) = ancillary(&header.msg_hdr);
                each(Datagram { source, interface, ttl }, payload);
            }
        }
        Ok(taken)
    }
}

fn address(storage: &libc::sockaddr_storage) -> Option<IpAddr> {
    let source = std::ptr::from_ref(storage);
    match c_int::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: of this family, the storage begins with a sockaddr_in.
            let v4 = unsafe { source.cast::<libc::sockaddr_in>().read() };
            Some(Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { source.cast::<libc::sockaddr_in6>().read() };
            Some(Ipv6Addr::from(v6.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}

/// TTL and interface of a received message.
fn ancillary(message: &libc::msghdr) -> (u8, u32) {
    let (mut ttl, mut interface) = (0, 0);
    // SAFETY: the kernel has filled in the message and its control buffer, and these walk through it within bounds.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    // SAFETY: not null, so it points at a header inside the control buffer.
    while let Some(part) = unsafe { header.as_ref() } {
        // SAFETY: as above.
        let data = unsafe { libc::CMSG_DATA(header) };
        // SAFETY: the kernel puts a value of the type named by level and type there; it may be unaligned.
        unsafe {
            match (part.cmsg_level, part.cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                    ttl = u8::try_from(data.cast::<c_int>().read_unaligned()).unwrap_or(0);
                }
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info = data.cast::<libc::in_pktinfo>().read_unaligned();
                    interface = u32::try_from(info.ipi_ifindex).unwrap_or(0);
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    interface = data.cast::<libc::in6_pktinfo>().read_unaligned().ipi6_ifindex;
                }
                _ => {}
            }
        }
        // SAFETY: as for the first.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    (ttl, interface)
}

/// Has the kernel tell TTL and interface of every datagram.
///
/// # Errors
/// What the kernel says.
pub(in crate::net) fn tell_ttl_and_interface(socket: BorrowedFd<'_>, family: IpAddr) -> io::Result<()> {
    let (level, options) = match family {
        IpAddr::V4(_) => (libc::IPPROTO_IP, [libc::IP_RECVTTL, libc::IP_PKTINFO]),
        IpAddr::V6(_) => (libc::IPPROTO_IPV6, [libc::IPV6_RECVHOPLIMIT, libc::IPV6_RECVPKTINFO]),
    };
    let on: c_int = 1;
    options.into_iter().try_for_each(|option| set_option(socket, level, option, &on))
}

#[cfg(test)]
mod tests {
    use std::{net::UdpSocket, os::fd::AsFd};

    use super::{super::interface_index, *};

    #[test]
    fn datagrams_come_with_source_ttl_and_interface() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let (Ok(receiver), Ok(sender)) = (UdpSocket::bind(address), UdpSocket::bind(address)) else {
                println!("SKIPPED: no {address} here");
                continue;
            };
            let target = receiver.local_addr().unwrap();
            tell_ttl_and_interface(receiver.as_fd(), target.ip()).unwrap();
            let socket = socket2::SockRef::from(&sender);
            if target.is_ipv4() { socket.set_ttl_v4(255) } else { socket.set_unicast_hops_v6(255) }.unwrap();
            for length in [24, 0, 1000] {
                sender.send_to(&vec![7; length], target).unwrap();
            }
            let mut seen = Vec::new();
            let taken = Batch::<256>::new().receive(receiver.as_fd(), |datagram, payload| {
                assert_eq!(
                    datagram,
                    Datagram { source: target.ip(), interface: interface_index("lo").unwrap(), ttl: 255 }
                );
                seen.push(payload.len());
            });
            assert_eq!((taken.unwrap(), seen), (3, vec![24, 0, 256]));
        }
    }

    #[test]
    fn an_empty_socket_would_block() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let error = Batch::<256>::new().receive(socket.as_fd(), |_, _| ()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
