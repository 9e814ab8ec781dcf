//! Socket options that no crate exposes; the only `unsafe` of this crate.
#![allow(unsafe_code)]

use std::{
    ffi::c_int,
    io,
    mem::{size_of, zeroed},
    net::IpAddr,
    os::fd::{AsRawFd, BorrowedFd},
};

/// The longest TCP MD5 key the kernel takes, in octets (TCP_MD5SIG_MAXKEYLEN).
pub const MD5_KEY_MAX: usize = 80;

/// `TCP_MD5SIG` of `linux/tcp.h`.
const TCP_MD5SIG: c_int = 14;
/// `IP_MINTTL` of `linux/in.h`.
const IP_MINTTL: c_int = 21;
/// `IPV6_MINHOPCOUNT` of `linux/in6.h`.
const IPV6_MINHOPCOUNT: c_int = 73;

/// `struct tcp_md5sig` of `linux/tcp.h`.
#[repr(C)]
struct TcpMd5Sig {
    address: libc::sockaddr_storage,
    flags: u8,
    prefix_length: u8,
    key_length: u16,
    interface: c_int,
    key: [u8; MD5_KEY_MAX],
}

/// Demands TCP MD5 signatures (RFC 2385) with `key` of `peer`, on a listening socket or before connecting.
///
/// An empty key removes the demand; removing one that is not there succeeds.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] for a key longer than [`MD5_KEY_MAX`], else what the kernel says.
pub fn set_md5_key(socket: BorrowedFd<'_>, peer: IpAddr, key: &[u8]) -> io::Result<()> {
    let too_long = || io::Error::new(io::ErrorKind::InvalidInput, "a TCP MD5 key has at most 80 octets");
    let mut option = TcpMd5Sig {
        address: socket_address(peer),
        flags: 0,
        prefix_length: 0,
        key_length: u16::try_from(key.len()).map_err(|_| too_long())?,
        interface: 0,
        key: [0; MD5_KEY_MAX],
    };
    option.key.get_mut(..key.len()).ok_or_else(too_long)?.copy_from_slice(key);
    match set_option(socket, libc::IPPROTO_TCP, TCP_MD5SIG, &option) {
        Err(e) if key.is_empty() && e.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        result => result,
    }
}

/// Drops packets that arrive with a TTL or hop limit below `minimum` (RFC 5082); zero accepts all.
///
/// # Errors
/// What the kernel says.
pub fn set_minimum_ttl(socket: BorrowedFd<'_>, family: IpAddr, minimum: u8) -> io::Result<()> {
    let value = c_int::from(minimum);
    match family {
        IpAddr::V4(_) => set_option(socket, libc::IPPROTO_IP, IP_MINTTL, &value),
        IpAddr::V6(_) => set_option(socket, libc::IPPROTO_IPV6, IPV6_MINHOPCOUNT, &value),
    }
}

/// How many received octets wait in the socket, unread.
///
/// # Errors
/// What the kernel says.
pub fn unread(socket: BorrowedFd<'_>) -> io::Result<usize> {
    let mut count: c_int = 0;
    // SAFETY: FIONREAD writes one int to the pointer, which points at one.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::FIONREAD, &raw mut count) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(usize::try_from(count).unwrap_or(0)) }
}

fn socket_address(address: IpAddr) -> libc::sockaddr_storage {
    // SAFETY: all zeroes is a valid sockaddr_storage.
    let mut storage: libc::sockaddr_storage = unsafe { zeroed() };
    let target = &raw mut storage;
    match address {
        IpAddr::V4(a) => {
            let v4 = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: 0,
                sin_addr: libc::in_addr { s_addr: u32::from(a).to_be() },
                sin_zero: [0; 8],
            };
            // SAFETY: sockaddr_storage is at least as large and as aligned as every socket address.
            unsafe { target.cast::<libc::sockaddr_in>().write(v4) };
        }
        IpAddr::V6(a) => {
            let v6 = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: 0,
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr { s6_addr: a.octets() },
                sin6_scope_id: 0,
            };
            // SAFETY: as above.
            unsafe { target.cast::<libc::sockaddr_in6>().write(v6) };
        }
    }
    storage
}

pub(super) fn set_option<T>(socket: BorrowedFd<'_>, level: c_int, name: c_int, value: &T) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the pointer and the length describe `value`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, std::ptr::from_ref(value).cast(), length)
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        net::{Ipv4Addr, TcpListener, TcpStream},
        os::fd::AsFd,
    };

    use socket2::{Domain, Socket, Type};

    use super::*;

    #[test]
    fn a_key_can_be_set_and_removed_twice() {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let peer = Ipv4Addr::LOCALHOST.into();
        set_md5_key(socket.as_fd(), peer, b"secret").unwrap();
        set_md5_key(socket.as_fd(), peer, b"").unwrap();
        set_md5_key(socket.as_fd(), peer, b"").unwrap();
    }

    #[test]
    fn a_key_of_81_octets_is_refused() {
        let socket = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
        let result = set_md5_key(socket.as_fd(), "fd00::1".parse().unwrap(), &[b'x'; 81]);
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        set_md5_key(socket.as_fd(), "fd00::1".parse().unwrap(), &[b'x'; 80]).unwrap();
    }

    #[test]
    fn the_minimum_ttl_is_taken_for_both_families() {
        for (domain, address) in [(Domain::IPV4, "127.0.0.1"), (Domain::IPV6, "::1")] {
            let socket = Socket::new(domain, Type::STREAM, None).unwrap();
            set_minimum_ttl(socket.as_fd(), address.parse().unwrap(), 255).unwrap();
        }
    }

    #[test]
    fn unread_octets_are_counted() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        assert_eq!(unread(server.as_fd()).unwrap(), 0);
        client.write_all(b"abc").unwrap();
        server.peek(&mut [0; 3]).unwrap();
        assert_eq!(unread(server.as_fd()).unwrap(), 3);
    }
}
