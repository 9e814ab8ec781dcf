//! Path attributes as values (RFC 4271 section 5 and the RFCs that add to it).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::Bytes;

pub use super::as_path::AsPath;
use crate::types::{Asn, NextHopAddress, RouterId};

/// Attribute type codes (IANA "BGP Path Attributes").
pub mod code {
    /// ORIGIN (RFC 4271).
    pub const ORIGIN: u8 = 1;
    /// AS_PATH (RFC 4271).
    pub const AS_PATH: u8 = 2;
    /// NEXT_HOP (RFC 4271).
    pub const NEXT_HOP: u8 = 3;
    /// MULTI_EXIT_DISC (RFC 4271).
    pub const MULTI_EXIT_DISC: u8 = 4;
    /// LOCAL_PREF (RFC 4271).
    pub const LOCAL_PREF: u8 = 5;
    /// ATOMIC_AGGREGATE (RFC 4271).
    pub const ATOMIC_AGGREGATE: u8 = 6;
    /// AGGREGATOR (RFC 4271).
    pub const AGGREGATOR: u8 = 7;
    /// COMMUNITIES (RFC 1997).
    pub const COMMUNITIES: u8 = 8;
    /// ORIGINATOR_ID (RFC 4456).
    pub const ORIGINATOR_ID: u8 = 9;
    /// CLUSTER_LIST (RFC 4456).
    pub const CLUSTER_LIST: u8 = 10;
    /// MP_REACH_NLRI (RFC 4760).
    pub const MP_REACH_NLRI: u8 = 14;
    /// MP_UNREACH_NLRI (RFC 4760).
    pub const MP_UNREACH_NLRI: u8 = 15;
    /// EXTENDED COMMUNITIES (RFC 4360).
    pub const EXTENDED_COMMUNITIES: u8 = 16;
    /// AS4_PATH (RFC 6793).
    pub const AS4_PATH: u8 = 17;
    /// AS4_AGGREGATOR (RFC 6793).
    pub const AS4_AGGREGATOR: u8 = 18;
    /// PMSI_TUNNEL (RFC 6514).
    pub const PMSI_TUNNEL: u8 = 22;
    /// Tunnel Encapsulation (RFC 9012).
    pub const TUNNEL_ENCAPSULATION: u8 = 23;
    /// IPv6 Address Specific Extended Community (RFC 5701).
    pub const IPV6_EXTENDED_COMMUNITIES: u8 = 25;
    /// AIGP (RFC 7311).
    pub const AIGP: u8 = 26;
    /// BGP-LS Attribute (RFC 9552).
    pub const LINK_STATE: u8 = 29;
    /// LARGE_COMMUNITY (RFC 8092).
    pub const LARGE_COMMUNITY: u8 = 32;
    /// Only to Customer (RFC 9234).
    pub const ONLY_TO_CUSTOMER: u8 = 35;
    /// BFD Discriminator (RFC 9026).
    pub const BFD_DISCRIMINATOR: u8 = 38;
    /// BGP Prefix-SID (RFC 8669).
    pub const PREFIX_SID: u8 = 40;

    /// The name of an attribute we know.
    pub fn name(code: u8) -> Option<&'static str> {
        Some(match code {
            ORIGIN => "ORIGIN",
            AS_PATH => "AS_PATH",
            NEXT_HOP => "NEXT_HOP",
            MULTI_EXIT_DISC => "MULTI_EXIT_DISC",
            LOCAL_PREF => "LOCAL_PREF",
            ATOMIC_AGGREGATE => "ATOMIC_AGGREGATE",
            AGGREGATOR => "AGGREGATOR",
            COMMUNITIES => "COMMUNITIES",
            ORIGINATOR_ID => "ORIGINATOR_ID",
            CLUSTER_LIST => "CLUSTER_LIST",
            MP_REACH_NLRI => "MP_REACH_NLRI",
            MP_UNREACH_NLRI => "MP_UNREACH_NLRI",
            EXTENDED_COMMUNITIES => "EXTENDED COMMUNITIES",
            AS4_PATH => "AS4_PATH",
            AS4_AGGREGATOR => "AS4_AGGREGATOR",
            PMSI_TUNNEL => "PMSI_TUNNEL",
            TUNNEL_ENCAPSULATION => "Tunnel Encapsulation",
            IPV6_EXTENDED_COMMUNITIES => "IPv6 Address Specific Extended Community",
            AIGP => "AIGP",
            LINK_STATE => "BGP-LS Attribute",
            LARGE_COMMUNITY => "LARGE_COMMUNITY",
            ONLY_TO_CUSTOMER => "OTC",
            BFD_DISCRIMINATOR => "BFD Discriminator",
            PREFIX_SID => "BGP Prefix-SID",
            _ => return None,
        })
    }
}

/// A set of attribute type codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AttributeCodes([u128; 2]);

impl AttributeCodes {
    /// Adds the code; whether it is new.
    pub fn insert(&mut self, code: u8) -> bool {
        let [low, high] = &mut self.0;
        let half = if code < 128 { low } else { high };
        let bit = 1_u128 << (code & 127);
        let new = *half & bit == 0;
        *half |= bit;
        new
    }

    /// Whether the code is among them.
    pub fn contains(self, code: u8) -> bool {
        let mut copy = self;
        !copy.insert(code)
    }

    /// The codes, ascending.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..=u8::MAX).filter(move |code| self.contains(*code))
    }
}

impl FromIterator<u8> for AttributeCodes {
    fn from_iter<I: IntoIterator<Item = u8>>(codes: I) -> Self {
        let mut set = Self::default();
        for code in codes {
            set.insert(code);
        }
        set
    }
}

/// ORIGIN (RFC 4271 section 5.1.1). The order is the order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Interior to the originating AS.
    Igp = 0,
    /// Learned through EGP.
    Egp = 1,
    /// Learned by other means.
    Incomplete = 2,
}

/// Where packets for a route go: NEXT_HOP, or the next hop field of MP_REACH_NLRI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NextHop {
    /// An IPv4 address (RFC 4271 section 5.1.3).
    V4(Ipv4Addr),
    /// A global IPv6 address (RFC 2545 section 3).
    V6(Ipv6Addr),
    /// A global and a link-local IPv6 address (RFC 2545 section 3).
    V6WithLinkLocal {
        /// The global address.
        global: Ipv6Addr,
        /// The link-local address, valid on the link to the sender.
        link_local: Ipv6Addr,
    },
    /// A link-local IPv6 address alone, or the one that counts on a session between link-local addresses.
    LinkLocal {
        /// The address.
        address: Ipv6Addr,
        /// The index of the interface the session is on; zero when it is not known.
        interface: u32,
    },
}

impl NextHop {
    /// The address that reachability is asked for.
    pub fn address(self) -> IpAddr {
        match self {
            Self::V4(a) => a.into(),
            Self::V6(a) => a.into(),
            Self::V6WithLinkLocal { global, .. } => global.into(),
            Self::LinkLocal { address, .. } => address.into(),
        }
    }

    /// Where packets go: [`NextHop::address`], with the interface if that is needed and known.
    pub fn hop(self) -> NextHopAddress {
        let interface = match self {
            Self::LinkLocal { interface, .. } => Some(interface).filter(|index| *index != 0),
            Self::V4(_) | Self::V6(_) | Self::V6WithLinkLocal { .. } => None,
        };
        NextHopAddress { address: self.address(), interface }
    }
}

/// AGGREGATOR (RFC 4271 section 5.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Aggregator {
    /// The AS that aggregated.
    pub asn: Asn,
    /// The speaker that aggregated.
    pub address: Ipv4Addr,
}

/// One large community (RFC 8092).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LargeCommunity {
    /// Global Administrator.
    pub global: u32,
    /// Local Data Part 1.
    pub local1: u32,
    /// Local Data Part 2.
    pub local2: u32,
}

/// An optional transitive attribute we do not interpret; passed on byte-identical (RFC 4271 section 9).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnknownAttribute {
    /// The flags octet as it goes out: Partial set, extended-length as the value needs.
    pub flags: u8,
    /// The attribute type code.
    pub code: u8,
    /// The value, untouched.
    pub value: Bytes,
}

/// The optional transitive attributes we interpret whose Partial bit was set by a speaker before us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PartialBits(u8);

impl PartialBits {
    /// Remembers the bit of the attribute with this type code.
    pub fn insert(&mut self, code: u8) {
        self.0 |= Self::bit(code);
    }

    /// Whether the bit of the attribute with this type code was set.
    pub fn contains(self, code: u8) -> bool {
        self.0 & Self::bit(code) != 0
    }

    fn bit(code: u8) -> u8 {
        match code {
            code::AGGREGATOR => 1,
            code::COMMUNITIES => 2,
            code::EXTENDED_COMMUNITIES => 4,
            code::LARGE_COMMUNITY => 8,
            code::ONLY_TO_CUSTOMER => 16,
            _ => 0,
        }
    }
}

/// Attributes that few routes carry, kept apart so that the common set stays small.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RareAttributes {
    /// AGGREGATOR.
    pub aggregator: Option<Aggregator>,
    /// COMMUNITIES in wire order (RFC 1997).
    pub communities: Vec<u32>,
    /// ORIGINATOR_ID (RFC 4456).
    pub originator_id: Option<RouterId>,
    /// CLUSTER_LIST, most recent first (RFC 4456).
    pub cluster_list: Vec<RouterId>,
    /// EXTENDED COMMUNITIES in wire order (RFC 4360).
    pub extended_communities: Vec<[u8; 8]>,
    /// LARGE_COMMUNITY in wire order (RFC 8092).
    pub large_communities: Vec<LargeCommunity>,
    /// Only to Customer: the AS that first sent the route downwards (RFC 9234).
    pub otc: Option<Asn>,
    /// Unknown optional transitive attributes, ascending by code.
    pub unknown: Vec<UnknownAttribute>,
    /// Which of the attributes above came with the Partial bit, which must stay set (RFC 4271 section 5).
    pub partial: PartialBits,
    /// The weight an import policy set, which only this speaker's own decision knows; never on the wire.
    pub weight: Option<u16>,
}

/// The path attributes of a feasible route, next hop included: complete, valid, comparable, hashable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathAttributes {
    /// ORIGIN.
    pub origin: Origin,
    /// AS_PATH, already merged with AS4_PATH (RFC 6793 section 4.2.3).
    pub as_path: AsPath,
    /// NEXT_HOP or the next hop of MP_REACH_NLRI.
    pub next_hop: NextHop,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// LOCAL_PREF; present on routes from internal peers.
    pub local_pref: Option<u32>,
    /// Whether ATOMIC_AGGREGATE is attached.
    pub atomic_aggregate: bool,
    /// Everything else, when there is any.
    pub rare: Option<Box<RareAttributes>>,
}

impl PathAttributes {
    /// What this set takes in memory, in octets, but for the allocator's own.
    pub fn octets(&self) -> usize {
        let rare = self.rare.as_deref().map_or(0, RareAttributes::octets);
        [size_of::<Self>(), self.as_path.as_wire().len(), rare].into_iter().sum()
    }
}

impl RareAttributes {
    fn octets(&self) -> usize {
        let unknown = self.unknown.iter().map(|attribute| attribute.value.len());
        let own = [
            size_of::<Self>(),
            size_of_val(self.communities.as_slice()),
            size_of_val(self.cluster_list.as_slice()),
            size_of_val(self.extended_communities.as_slice()),
            size_of_val(self.large_communities.as_slice()),
            size_of_val(self.unknown.as_slice()),
        ];
        own.into_iter().chain(unknown).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attribute_we_read_has_its_registered_name_and_no_other_has_one() {
        let names: Vec<_> = (0..=u8::MAX).filter_map(|code| Some((code, code::name(code)?))).collect();
        let registered = [
            (1, "ORIGIN"),
            (2, "AS_PATH"),
            (3, "NEXT_HOP"),
            (4, "MULTI_EXIT_DISC"),
            (5, "LOCAL_PREF"),
            (6, "ATOMIC_AGGREGATE"),
            (7, "AGGREGATOR"),
            (8, "COMMUNITIES"),
            (9, "ORIGINATOR_ID"),
            (10, "CLUSTER_LIST"),
            (14, "MP_REACH_NLRI"),
            (15, "MP_UNREACH_NLRI"),
            (16, "EXTENDED COMMUNITIES"),
            (17, "AS4_PATH"),
            (18, "AS4_AGGREGATOR"),
            (22, "PMSI_TUNNEL"),
            (23, "Tunnel Encapsulation"),
            (25, "IPv6 Address Specific Extended Community"),
            (26, "AIGP"),
            (29, "BGP-LS Attribute"),
            (32, "LARGE_COMMUNITY"),
            (35, "OTC"),
            (38, "BFD Discriminator"),
            (40, "BGP Prefix-SID"),
        ];
        assert_eq!(names, registered);
    }

    #[test]
    fn partial_bits_are_kept_for_each_attribute_that_may_carry_one_and_for_no_other() {
        let carriers = [
            code::AGGREGATOR,
            code::COMMUNITIES,
            code::EXTENDED_COMMUNITIES,
            code::LARGE_COMMUNITY,
            code::ONLY_TO_CUSTOMER,
        ];
        for set in 0..=u8::MAX {
            let mut bits = PartialBits::default();
            bits.insert(set);
            let found: Vec<_> = (0..=u8::MAX).filter(|code| bits.contains(*code)).collect();
            let expected: Vec<_> = carriers.into_iter().filter(|code| *code == set).collect();
            assert_eq!(found, expected, "after {set}");
        }
    }

    #[test]
    fn a_link_local_next_hop_carries_its_interface_once_that_is_known() {
        let address = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
        let interfaces = [0, 7].map(|interface| NextHop::LinkLocal { address, interface }.hop().interface);
        assert_eq!(interfaces, [None, Some(7)]);
    }
}
