//! Signed segments: TCP MD5 (RFC 2385) and the TCP Authentication Option (RFC 5925).

use std::{
    ffi::c_int,
    io,
    mem::zeroed,
    os::fd::{AsFd, BorrowedFd},
};

use ipnet::IpNet;
use socket2::{Domain, Protocol, Socket, Type};

use super::{set_option, socket_address};
use crate::config::{AoAlgorithm, AoKey};

/// The longest key the kernel takes, in octets (TCP_MD5SIG_MAXKEYLEN, TCP_AO_MAXKEYLEN).
pub const KEY_MAX: usize = 80;

/// `TCP_MD5SIG_EXT` of `linux/tcp.h`.
const TCP_MD5SIG_EXT: c_int = 32;
/// `TCP_MD5SIG_FLAG_PREFIX` of `linux/tcp.h`.
const MD5_PREFIX: u8 = 1;
/// `TCP_AO_ADD_KEY` of `linux/tcp.h`.
const TCP_AO_ADD_KEY: c_int = 38;
/// `TCP_AO_DEL_KEY` of `linux/tcp.h`.
const TCP_AO_DEL_KEY: c_int = 39;
/// The length of an authentication code in octets (RFC 5926 section 2.2).
const MAC_LENGTH: u8 = 12;

/// `struct tcp_md5sig` of `linux/tcp.h`.
#[repr(C)]
struct TcpMd5Sig {
    address: libc::sockaddr_storage,
    flags: u8,
    prefix_length: u8,
    key_length: u16,
    interface: c_int,
    key: [u8; KEY_MAX],
}

/// `struct tcp_ao_add` of `linux/tcp.h`.
#[repr(C, align(8))]
struct TcpAoAdd {
    address: libc::sockaddr_storage,
    algorithm: [u8; 64],
    interface: i32,
    flags: u32,
    reserved: u16,
    prefix_length: u8,
    send_id: u8,
    receive_id: u8,
    mac_length: u8,
    key_flags: u8,
    key_length: u8,
    key: [u8; KEY_MAX],
}

/// `struct tcp_ao_del` of `linux/tcp.h`.
#[repr(C, align(8))]
struct TcpAoDel {
    address: libc::sockaddr_storage,
    interface: i32,
    flags: u32,
    reserved: u16,
    prefix_length: u8,
    send_id: u8,
    receive_id: u8,
    current_key: u8,
    next_key: u8,
    key_flags: u8,
}

/// Demands TCP MD5 signatures with `key` of all `peers`, on a listening socket or before connecting. Of several prefixes
/// that cover a peer the longest counts.
///
/// An empty key removes the demand; removing one that is not there succeeds.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] for a key longer than [`KEY_MAX`], else what the kernel says.
pub fn set_md5_key(socket: BorrowedFd<'_>, peers: IpNet, key: &[u8]) -> io::Result<()> {
    let (key, key_length) = padded(key)?;
    let option = TcpMd5Sig {
        address: socket_address(peers.network()),
        flags: MD5_PREFIX,
        prefix_length: peers.prefix_len(),
        key_length: key_length.into(),
        interface: 0,
        key,
    };
    match set_option(socket, libc::IPPROTO_TCP, TCP_MD5SIG_EXT, &option) {
        Err(e) if key_length == 0 && e.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        result => result,
    }
}

/// Demands the TCP Authentication Option with `key` of all `peers`, on a listening socket or before connecting.
///
/// # Errors
/// What the kernel says; `ENOPROTOOPT` when it does not know the option.
pub fn set_ao_key(socket: BorrowedFd<'_>, peers: IpNet, key: &AoKey) -> io::Result<()> {
    let (secret, key_length) = padded(&key.secret)?;
    let name: &[u8] = match key.algorithm {
        AoAlgorithm::HmacSha1 => b"hmac(sha1)",
        AoAlgorithm::Aes128Cmac => b"cmac(aes128)",
        AoAlgorithm::HmacSha256 => b"hmac(sha256)",
    };
    let mut algorithm = [0; 64];
    algorithm.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
    let option = TcpAoAdd {
        address: socket_address(peers.network()),
        algorithm,
        interface: 0,
        flags: 0,
        reserved: 0,
        prefix_length: peers.prefix_len(),
        send_id: key.send_id,
        receive_id: key.receive_id,
        mac_length: MAC_LENGTH,
        key_flags: 0,
        key_length,
        key: secret,
    };
    set_option(socket, libc::IPPROTO_TCP, TCP_AO_ADD_KEY, &option)
}

/// Takes [`set_ao_key`] back; removing a key that is not there succeeds.
///
/// # Errors
/// What the kernel says.
pub fn remove_ao_key(socket: BorrowedFd<'_>, peers: IpNet, key: &AoKey) -> io::Result<()> {
    let option = TcpAoDel {
        address: socket_address(peers.network()),
        interface: 0,
        flags: 0,
        reserved: 0,
        prefix_length: peers.prefix_len(),
        send_id: key.send_id,
        receive_id: key.receive_id,
        current_key: 0,
        next_key: 0,
        key_flags: 0,
    };
    match set_option(socket, libc::IPPROTO_TCP, TCP_AO_DEL_KEY, &option) {
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        result => result,
    }
}

/// Whether this kernel can authenticate segments by RFC 5925: Linux 6.7 and later, when built with CONFIG_TCP_AO.
///
/// # Errors
/// Why it cannot.
pub fn ao_is_supported() -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    // SAFETY: all zeroes is a valid value of this plain structure.
    let nobody: TcpAoDel = unsafe { zeroed() };
    match set_option(socket.as_fd(), libc::IPPROTO_TCP, TCP_AO_DEL_KEY, &nobody) {
        Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => Err(error),
        // Any other answer is one of a kernel that knows what a key is.
        _ => Ok(()),
    }
}

fn padded(key: &[u8]) -> io::Result<([u8; KEY_MAX], u8)> {
    let too_long = || io::Error::new(io::ErrorKind::InvalidInput, "a key has at most 80 octets");
    let mut padded = [0; KEY_MAX];
    padded.get_mut(..key.len()).ok_or_else(too_long)?.copy_from_slice(key);
    Ok((padded, u8::try_from(key.len()).map_err(|_| too_long())?))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr, TcpListener};

    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    /// A connection under way to a listener on the loopback interface, signed with a key unless that is empty.
    fn dial(target: SocketAddr, key: &[u8]) -> Socket {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        if !key.is_empty() {
            set_md5_key(socket.as_fd(), net("127.0.0.1/32"), key).unwrap();
        }
        socket.set_nonblocking(true).unwrap();
        // It is under way, which a socket that does not block calls an error.
        socket.connect(&target.into()).ok();
        socket
    }

    #[test]
    fn a_key_is_asked_of_a_peer_for_as_long_as_it_is_set() {
        for peers in [net("127.0.0.1/32"), net("127.0.0.0/8")] {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let target = listener.local_addr().unwrap();
            let accepted = || listener.accept().ok().map(|(_, from)| from);
            let port = |socket: &Socket| socket.local_addr().unwrap().as_socket();
            set_md5_key(listener.as_fd(), peers, b"secret").unwrap();
            let (without, wrong, right) =
                (dial(target, b""), dial(target, b"other"), dial(target, b"secret"));
            assert_eq!(accepted(), port(&right));
            drop((without, wrong));
            set_md5_key(listener.as_fd(), peers, b"").unwrap();
            set_md5_key(listener.as_fd(), peers, b"").unwrap();
            let free = dial(target, b"");
            assert_eq!(accepted(), port(&free));
        }
    }

    #[test]
    fn a_key_of_81_octets_is_refused() {
        let socket = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
        let result = set_md5_key(socket.as_fd(), net("fd00::1/128"), &[b'x'; 81]);
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        set_md5_key(socket.as_fd(), net("fd00::1/128"), &[b'x'; 80]).unwrap();
    }

    #[test]
    fn a_kernel_takes_the_authentication_option_or_says_that_it_does_not_know_it() {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let secret = b"secret".to_vec().into();
        let key = AoKey { secret, send_id: 1, receive_id: 2, algorithm: AoAlgorithm::HmacSha1 };
        let set = set_ao_key(socket.as_fd(), net("127.0.0.1/32"), &key);
        match ao_is_supported() {
            Ok(()) => {
                set.unwrap();
                remove_ao_key(socket.as_fd(), net("127.0.0.1/32"), &key).unwrap();
                remove_ao_key(socket.as_fd(), net("127.0.0.1/32"), &key).unwrap();
            }
            Err(_) => assert_eq!(set.unwrap_err().raw_os_error(), Some(libc::ENOPROTOOPT)),
        }
    }
}
