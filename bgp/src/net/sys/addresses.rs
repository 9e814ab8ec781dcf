//! Which interface two addresses are both on.

use std::{
    ffi::CStr,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ptr,
};

/// The index of the interface in whose network the peer is: one that has our address, and of several the smallest
/// network; `None`: the peer is in no network of ours.
///
/// # Errors
/// What the kernel says.
pub(in crate::net) fn interface_between(local: IpAddr, peer: IpAddr) -> io::Result<Option<u32>> {
    let addresses = addresses()?;
    let near = addresses.iter().filter(|address| address.is_neighbour(peer));
    let best = near.max_by_key(|address| (address.address == local, address.length()));
    best.map_or(Ok(None), |address| super::interface_index(&address.interface).map(Some))
}

/// An address of an interface.
struct Address {
    interface: String,
    address: IpAddr,
    mask: IpAddr,
    /// The other end of a point-to-point link.
    other_end: Option<IpAddr>,
}

impl Address {
    fn is_neighbour(&self, other: IpAddr) -> bool {
        let inside = match (self.address, self.mask, other) {
            (IpAddr::V4(ours), IpAddr::V4(mask), IpAddr::V4(other)) => ours & mask == other & mask,
            (IpAddr::V6(ours), IpAddr::V6(mask), IpAddr::V6(other)) => ours & mask == other & mask,
            _ => false,
        };
        inside || self.other_end == Some(other)
    }

    fn length(&self) -> u32 {
        match self.mask {
            IpAddr::V4(mask) => mask.to_bits().count_ones(),
            IpAddr::V6(mask) => mask.to_bits().count_ones(),
        }
    }
}

fn addresses() -> io::Result<Vec<Address>> {
    let mut first: *mut libc::ifaddrs = ptr::null_mut();
    // SAFETY: the pointer is valid; on success the list is ours until it is freed below.
    if unsafe { libc::getifaddrs(&raw mut first) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut found = Vec::new();
    let mut next = first;
    // SAFETY: each entry is one of the list, or null at its end.
    while let Some(entry) = unsafe { next.as_ref() } {
        found.extend(address(entry));
        next = entry.ifa_next;
    }
    // SAFETY: it is the list from above, and nothing refers to it any more.
    unsafe { libc::freeifaddrs(first) };
    Ok(found)
}

fn address(entry: &libc::ifaddrs) -> Option<Address> {
    // SAFETY: the name is a string of the list, which is still there.
    let name = unsafe { CStr::from_ptr(entry.ifa_name) };
    let is_point_to_point = entry.ifa_flags & libc::IFF_POINTOPOINT.cast_unsigned() != 0;
    Some(Address {
        interface: name.to_str().ok()?.to_owned(),
        address: ip(entry.ifa_addr)?,
        mask: ip(entry.ifa_netmask)?,
        other_end: is_point_to_point.then(|| ip(entry.ifa_ifu)).flatten(),
    })
}

fn ip(address: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: it is null, or an address of the list, as long as its family says.
    let family = unsafe { address.as_ref() }?.sa_family;
    match i32::from(family) {
        libc::AF_INET => {
            // SAFETY: the family says what it is; nothing is said of its alignment.
            let address: libc::sockaddr_in = unsafe { ptr::read_unaligned(address.cast()) };
            Some(Ipv4Addr::from_bits(u32::from_be(address.sin_addr.s_addr)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: the same.
            let address: libc::sockaddr_in6 = unsafe { ptr::read_unaligned(address.cast()) };
            Some(Ipv6Addr::from(address.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_addresses_of_the_loopback_network_are_both_on_it() {
        let between = |local: &str, peer: &str| {
            interface_between(local.parse().unwrap(), peer.parse().unwrap()).unwrap()
        };
        let loopback = super::super::interface_index("lo").unwrap();
        assert_eq!(between("127.0.0.1", "127.0.0.2"), Some(loopback));
        assert_eq!(between("127.0.0.1", "240.0.0.1"), None);
    }
}
