//! Prefixes that no route leads to, whoever announces them: addresses of the speaker's own host or link, multicast,
//! and what is reserved (RFC 6890, RFC 4271 section 6.3).
//!
//! A prefix is a martian if all its addresses are. So the default route is none, nor is `128.0.0.0/1`, which operators
//! use as half of one; `224.0.0.0/3` is.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Whether addresses of 240.0.0.0/4 (class E, RFC 1112 section 4) are used like others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReservedRanges {
    /// They are martians.
    #[default]
    Refuse,
    /// They are used, as prefixes and as next hops, but for 255.255.255.255.
    Allow,
}

/// 240.0.0.0/4.
const RESERVED: (u32, u32) = (0xf000_0000, 0xf000_0000);

/// Ranges of IPv4 as (address, mask).
const IPV4: [(u32, u32); 4] = [
    // 0.0.0.0/8: this host on this network (RFC 791, RFC 1122 section 3.2.1.3).
    (0x0000_0000, 0xff00_0000),
    // 127.0.0.0/8: loopback (RFC 1122 section 3.2.1.3).
    (0x7f00_0000, 0xff00_0000),
    // 169.254.0.0/16: link-local (RFC 3927 section 2.7: not to be forwarded).
    (0xa9fe_0000, 0xffff_0000),
    // 224.0.0.0/3: multicast (RFC 5771), and the reserved range above it.
    (0xe000_0000, 0xe000_0000),
];

/// Ranges of IPv6.
const IPV6: [(u128, u128); 4] = [
    // ::/96: unspecified, loopback, and the deprecated IPv4-compatible addresses (RFC 4291 sections 2.5.2 to 2.5.5.1).
    (0, !0 << 32),
    // ::ffff:0:0/96: IPv4-mapped (RFC 4291 section 2.5.5.2).
    (0xffff << 32, !0 << 32),
    // fe80::/10: link-local (RFC 4291 section 2.5.6: not to be forwarded).
    (0xfe80 << 112, 0xffc0 << 112),
    // ff00::/8: multicast (RFC 4291 section 2.7).
    (0xff00 << 112, 0xff00 << 112),
];

/// True if no route may lead to the prefix.
pub fn is_martian(prefix: IpNet, reserved: ReservedRanges) -> bool {
    match prefix {
        IpNet::V4(prefix) => is_martian_v4(prefix, reserved),
        IpNet::V6(prefix) => is_martian_v6(prefix),
    }
}

fn is_martian_v4(prefix: Ipv4Net, reserved: ReservedRanges) -> bool {
    let (address, own_mask) = (prefix.network().to_bits(), prefix.netmask().to_bits());
    let lies_in = |(range, mask): (u32, u32)| own_mask & mask == mask && address & mask == range;
    if reserved == ReservedRanges::Allow && lies_in(RESERVED) {
        // 255.255.255.255: limited broadcast (RFC 919 section 7), not for anyone to take.
        return address == u32::MAX;
    }
    IPV4.into_iter().any(lies_in)
}

fn is_martian_v6(prefix: Ipv6Net) -> bool {
    let (address, own_mask) = (prefix.network().to_bits(), prefix.netmask().to_bits());
    let lies_in = |(range, mask): (u128, u128)| own_mask & mask == mask && address & mask == range;
    IPV6.into_iter().any(lies_in)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn martians(reserved: ReservedRanges, prefixes: &[&'static str]) -> Vec<&'static str> {
        prefixes.iter().copied().filter(|text| is_martian(text.parse().unwrap(), reserved)).collect()
    }

    #[test]
    fn what_lies_in_a_martian_range_is_one_whatever_its_length() {
        let all = [
            "0.0.0.0/8",
            "0.0.0.0/32",
            "0.1.2.0/24",
            "127.0.0.0/8",
            "127.0.0.1/32",
            "169.254.0.0/16",
            "169.254.1.1/32",
            "224.0.0.0/3",
            "224.0.0.0/4",
            "239.255.255.255/32",
            "240.0.0.0/4",
            "255.255.255.255/32",
            "::/96",
            "::/128",
            "::1/128",
            "::10.0.0.1/128",
            "::ffff:0:0/96",
            "::ffff:10.0.0.0/104",
            "fe80::/10",
            "fe80::/64",
            "febf:ffff::/32",
            "ff00::/8",
            "ff02::1/128",
        ];
        assert_eq!(martians(ReservedRanges::Refuse, &all), all);
    }

    #[test]
    fn what_has_other_addresses_too_or_lies_beside_is_none() {
        let none = [
            "0.0.0.0/0",
            "0.0.0.0/1",
            "0.0.0.0/7",
            "1.0.0.0/8",
            "126.0.0.0/7",
            "128.0.0.0/1",
            "128.0.0.0/8",
            "169.252.0.0/14",
            "169.255.0.0/16",
            "192.0.0.0/2",
            "192.0.0.0/3",
            "223.255.255.255/32",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "192.0.2.0/24",
            "198.18.0.0/15",
            "::/0",
            "::/1",
            "::/95",
            "64:ff9b::/96",
            "100::/64",
            "2001:db8::/32",
            "fd00::/8",
            "fe00::/9",
            "fec0::/10",
            "fe00::/7",
            "::fffe:0:0/96",
        ];
        assert!(martians(ReservedRanges::Refuse, &none).is_empty());
    }

    #[test]
    fn an_operator_may_take_class_e_but_neither_multicast_nor_the_broadcast_address() {
        let taken = ["240.0.0.0/4", "250.1.0.0/16", "255.255.255.254/31", "255.255.255.254/32"];
        assert!(martians(ReservedRanges::Allow, &taken).is_empty());
        let refused =
            ["224.0.0.0/3", "224.0.0.0/4", "239.0.0.0/8", "255.255.255.255/32", "127.0.0.0/8", "0.0.0.0/8"];
        assert_eq!(martians(ReservedRanges::Allow, &refused), refused);
    }
}
