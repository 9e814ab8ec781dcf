//! Socket options that no crate exposes; the only `unsafe` of this crate.
#![allow(unsafe_code)]

use std::{
    ffi::{CStr, CString, c_int},
    io,
    mem::{size_of, zeroed},
    net::IpAddr,
    os::fd::{AsRawFd, BorrowedFd},
};

/// `IP_MINTTL` of `linux/in.h`.
const IP_MINTTL: c_int = 21;
/// `IPV6_MINHOPCOUNT` of `linux/in6.h`.
const IPV6_MINHOPCOUNT: c_int = 73;

mod addresses;
mod authentication;
mod datagrams;
mod link;

pub(super) use addresses::interface_between;
pub(super) use datagrams::{BATCH, Batch, Datagram, tell_ttl_and_interface};
pub(super) use link::{LinkState, bound_interface, link_state, pass_only_icmp6};

pub use authentication::{KEY_MAX, ao_is_supported, remove_ao_key, set_ao_key, set_md5_key};

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

/// Has the allocator give the system what nothing uses. It may block for milliseconds.
pub(super) fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the function takes no pointer, and may be called by any thread at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// The name of the interface with this index.
///
/// # Errors
/// What the kernel says.
pub fn interface_name(index: u32) -> io::Result<String> {
    let mut name = [0_u8; libc::IF_NAMESIZE];
    // SAFETY: the buffer has the IF_NAMESIZE octets the function may write.
    let result = unsafe { libc::if_indextoname(index, name.as_mut_ptr().cast()) };
    if result.is_null() {
        return Err(io::Error::last_os_error());
    }
    let name = CStr::from_bytes_until_nul(&name).map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(name.to_string_lossy().into_owned())
}

/// The index of the interface with this name.
///
/// # Errors
/// What the kernel says.
pub fn interface_index(name: &str) -> io::Result<u32> {
    let name = CString::new(name).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the pointer is to a string that ends with a zero and outlives the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 { Err(io::Error::last_os_error()) } else { Ok(index) }
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

pub(in crate::net) fn set_option<T>(
    socket: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: &T,
) -> io::Result<()> {
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
        net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream},
        os::fd::AsFd,
    };

    use socket2::{Domain, Socket, Type};

    use super::*;

    #[test]
    fn interfaces_have_names_and_numbers() {
        let index = interface_index("lo").unwrap();
        assert_eq!(interface_name(index).unwrap(), "lo");
        assert!(interface_index("nothing-like-it").is_err());
        assert!(interface_index("l\0o").is_err());
    }

    #[test]
    fn only_what_has_the_minimum_ttl_reaches_a_listener_of_either_family() {
        for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            let listener = TcpListener::bind((address, 0)).unwrap();
            set_minimum_ttl(listener.as_fd(), address, 255).unwrap();
            let target = listener.local_addr().unwrap();
            let dial = |hops: u32| {
                let socket = Socket::new(Domain::for_address(target), Type::STREAM, None).unwrap();
                match address {
                    IpAddr::V4(_) => socket.set_ttl_v4(hops).unwrap(),
                    IpAddr::V6(_) => socket.set_unicast_hops_v6(hops).unwrap(),
                }
                socket.set_nonblocking(true).unwrap();
                // It is under way, which a socket that does not block calls an error.
                socket.connect(&target.into()).ok();
                socket
            };
            let (_far, near) = (dial(254), dial(255));
            let (_, first) = listener.accept().unwrap();
            assert_eq!(Some(first), near.local_addr().unwrap().as_socket());
            listener.set_nonblocking(true).unwrap();
            assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
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
