//! The tunnel interface older than netlink, which alone changes the kernel's own device; the only `unsafe` of this
//! crate.
#![allow(unsafe_code)]

use std::{
    ffi::{c_int, c_ulong},
    io,
    mem::{size_of, zeroed},
    net::UdpSocket,
    os::fd::AsRawFd,
};

use crate::config::DontFragment;

/// `SIOCGETTUNNEL` and `SIOCCHGTUNNEL` of `linux/if_tunnel.h`.
const GET: c_ulong = 0x89f0;
const CHANGE: c_ulong = 0x89f3;
/// The DF bit of an IPv4 header's `frag_off`.
const DF: u16 = 0x4000;

/// `struct ip_tunnel_parm` of `linux/if_tunnel.h`.
#[repr(C)]
struct Parameters {
    name: [u8; libc::IFNAMSIZ],
    link: c_int,
    flags: [u16; 2],
    keys: [u32; 2],
    header: Header,
}

/// `struct iphdr` of `linux/ip.h`, numbers in network order.
#[repr(C)]
struct Header {
    version_and_length: u8,
    tos: u8,
    length: u16,
    id: u16,
    fragment_offset: u16,
    ttl: u8,
    protocol: u8,
    checksum: u16,
    addresses: [u32; 2],
}

const _: () = assert!(size_of::<Parameters>() == 52, "as the kernel has it");

/// Changes the DF bit of a tunnel device's outer headers and nothing else of it. A TTL of its own goes with a DF bit
/// that is always set only, in the kernel's eyes: it gives way to that of the inner header.
///
/// # Errors
/// What the kernel says.
pub(crate) fn change_dont_fragment(device: &str, bit: DontFragment) -> io::Result<()> {
    let any = UdpSocket::bind((std::net::Ipv4Addr::UNSPECIFIED, 0))?;
    // SAFETY: all of its fields are numbers, and zero is one.
    let mut parameters: Parameters = unsafe { zeroed() };
    request(&any, GET, device, &mut parameters)?;
    let header = &mut parameters.header;
    match bit {
        DontFragment::Always => header.fragment_offset |= DF.to_be(),
        DontFragment::Inherited => {
            header.fragment_offset &= !DF.to_be();
            header.ttl = 0;
        }
    }
    request(&any, CHANGE, device, &mut parameters)
}

fn request(
    socket: &impl AsRawFd,
    request: c_ulong,
    device: &str,
    parameters: &mut Parameters,
) -> io::Result<()> {
    if device.len() >= libc::IFNAMSIZ {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: all of its fields are numbers or a pointer, and zero is one.
    let mut about: libc::ifreq = unsafe { zeroed() };
    for (to, from) in about.ifr_name.iter_mut().zip(device.bytes()) {
        *to = from.cast_signed();
    }
    about.ifr_ifru.ifru_data = std::ptr::from_mut(parameters).cast();
    // SAFETY: both requests take an ifreq whose data are an ip_tunnel_parm, which outlives the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), request as _, &mut about) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
