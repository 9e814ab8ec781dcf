//! What an interface is, and which ICMPv6 messages a raw socket hears.

use std::{
    ffi::c_int,
    io,
    mem::{size_of, zeroed},
    os::fd::{AsRawFd, BorrowedFd},
};

use super::set_option;

/// `ICMP6_FILTER` of `netinet/icmp6.h`.
const ICMP6_FILTER: c_int = 1;
/// `SO_BINDTOIFINDEX` of `asm-generic/socket.h`.
const SO_BINDTOIFINDEX: c_int = 62;
/// `ARPHRD_ETHER` of `net/if_arp.h`.
const ETHERNET: u16 = 1;

/// An interface as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) struct LinkState {
    /// Whether it is up and has a carrier.
    pub(in crate::net) running: bool,
    /// Its address, where it is an Ethernet.
    pub(in crate::net) ethernet: Option<[u8; 6]>,
}

/// Looks at the interface of this name, through any socket.
///
/// # Errors
/// What the kernel says.
pub(in crate::net) fn link_state(socket: BorrowedFd<'_>, name: &str) -> io::Result<LinkState> {
    let mut request = request(name)?;
    ask(socket, libc::SIOCGIFFLAGS, &mut request)?;
    // SAFETY: the kernel has filled in the flags.
    let flags = c_int::from(unsafe { request.ifr_ifru.ifru_flags });
    ask(socket, libc::SIOCGIFHWADDR, &mut request)?;
    // SAFETY: the kernel has filled in the address.
    let address = unsafe { request.ifr_ifru.ifru_hwaddr };
    let octets = address.sa_data.map(|octet| octet.to_ne_bytes()[0]);
    let ethernet = octets.first_chunk::<6>().filter(|_| address.sa_family == ETHERNET).copied();
    let needed = libc::IFF_UP | libc::IFF_RUNNING;
    Ok(LinkState { running: flags & needed == needed, ethernet })
}

/// The index of the interface a socket is bound to. The index stays the same when the interface is renamed or deleted.
///
/// # Errors
/// What the kernel says; `ENOPROTOOPT` before Linux 5.1.
pub(in crate::net) fn bound_interface(socket: BorrowedFd<'_>) -> io::Result<Option<u32>> {
    let mut index: c_int = 0;
    let mut length = size_of::<c_int>() as libc::socklen_t;
    let target = std::ptr::from_mut(&mut index).cast();
    // SAFETY: the kernel writes at most `length` octets to the pointer, which points at that many.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, SO_BINDTOIFINDEX, target, &raw mut length)
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(u32::try_from(index).ok().filter(|index| *index != 0))
}

fn request(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: all zeroes is a valid ifreq.
    let mut request: libc::ifreq = unsafe { zeroed() };
    let [room @ .., _] = &mut request.ifr_name;
    if name.len() > room.len() || name.contains('\0') {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    room.iter_mut().zip(name.bytes()).for_each(|(to, octet)| *to = libc::c_char::from_ne_bytes([octet]));
    Ok(request)
}

fn ask(socket: BorrowedFd<'_>, what: libc::c_ulong, request: &mut libc::ifreq) -> io::Result<()> {
    // SAFETY: these requests read the name and write one value into the structure, which outlives the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), what as libc::Ioctl, std::ptr::from_mut(request)) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Has a raw ICMPv6 socket hear messages of these types only (RFC 3542 section 3.2).
///
/// # Errors
/// What the kernel says.
pub(in crate::net) fn pass_only_icmp6(socket: BorrowedFd<'_>, types: &[u8]) -> io::Result<()> {
    let mut blocked = [u32::MAX; 8];
    for kind in types {
        if let Some(word) = blocked.get_mut(usize::from(kind >> 5)) {
            *word &= !(1_u32 << (kind & 31));
        }
    }
    set_option(socket, libc::IPPROTO_ICMPV6, ICMP6_FILTER, &blocked)
}

#[cfg(test)]
mod tests {
    use std::{net::UdpSocket, os::fd::AsFd};

    use super::*;

    #[test]
    fn the_loopback_interface_runs_and_is_no_ethernet() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let state = link_state(socket.as_fd(), "lo").unwrap();
        assert_eq!(state, LinkState { running: true, ethernet: None });
    }

    #[test]
    fn a_socket_tells_which_interface_it_is_bound_to() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(bound_interface(socket.as_fd()).unwrap(), None);
        socket2::SockRef::from(&socket).bind_device(Some(b"lo")).unwrap();
        let index = super::super::interface_index("lo").unwrap();
        assert_eq!(bound_interface(socket.as_fd()).unwrap(), Some(index));
    }

    #[test]
    fn there_are_no_interfaces_with_strange_names() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let gone = link_state(socket.as_fd(), "nothing-here").unwrap_err();
        assert_eq!(gone.raw_os_error(), Some(libc::ENODEV));
        for name in ["a-name-that-is-too-long", "l\0o"] {
            assert_eq!(link_state(socket.as_fd(), name).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }
}
