//! Network Layer Reachability Information (RFC 4271 section 4.3, RFC 4760, RFC 7911).

use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::{BufMut, BytesMut};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::context::PathIds;
use crate::types::Family;

/// One prefix as a peer names it. `path_id` is 0 unless ADD-PATH was negotiated (RFC 7911).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nlri<P> {
    /// The prefix, host bits cleared.
    pub prefix: P,
    /// The path identifier.
    pub path_id: u32,
}

/// Prefixes of one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NlriList {
    /// IPv4 unicast.
    V4(Vec<Nlri<Ipv4Net>>),
    /// IPv6 unicast.
    V6(Vec<Nlri<Ipv6Net>>),
}

impl NlriList {
    /// The family of the prefixes.
    pub fn family(&self) -> Family {
        match self {
            Self::V4(_) => Family::Ipv4Unicast,
            Self::V6(_) => Family::Ipv6Unicast,
        }
    }

    /// How many prefixes there are.
    pub fn len(&self) -> usize {
        match self {
            Self::V4(list) => list.len(),
            Self::V6(list) => list.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The prefixes, family-erased.
    pub fn iter(&self) -> Box<dyn Iterator<Item = IpNet> + '_> {
        match self {
            Self::V4(list) => Box::new(list.iter().map(|n| n.prefix.into())),
            Self::V6(list) => Box::new(list.iter().map(|n| n.prefix.into())),
        }
    }
}

impl<P> From<P> for Nlri<P> {
    fn from(prefix: P) -> Self {
        Self { prefix, path_id: 0 }
    }
}

/// A prefix as the wire has it: a length in bits and as many octets as hold them.
pub trait WirePrefix: Copy + sealed::Sealed {
    /// The family of such prefixes.
    const FAMILY: Family;
    /// Longest prefix in bits.
    const MAX_BITS: u8;

    /// The prefix of `bits` bits that begins with `octets`, host bits cleared; `bits` is at most
    /// [`Self::MAX_BITS`] and at least that many bits are there.
    #[doc(hidden)]
    fn from_octets(octets: &[u8], bits: u8) -> Option<Self>;

    /// Appends length and octets.
    #[doc(hidden)]
    fn put(self, out: &mut BytesMut);

    /// The octets that [`Self::put`] appends.
    #[doc(hidden)]
    fn wire_length(self) -> usize;

    /// The list of such prefixes.
    fn list(prefixes: Vec<Nlri<Self>>) -> NlriList;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for ipnet::Ipv4Net {}
    impl Sealed for ipnet::Ipv6Net {}
}

macro_rules! wire_prefix {
    ($net:ty, $address:ty, $int:ty, $octets:literal, $family:expr, $list:path) => {
        impl WirePrefix for $net {
            const FAMILY: Family = $family;
            const MAX_BITS: u8 = $octets * 8;

            #[inline]
            fn from_octets(octets: &[u8], bits: u8) -> Option<Self> {
                let raw = match octets.first_chunk::<$octets>() {
                    Some(all) => <$int>::from_be_bytes(*all),
                    None => {
                        let mut padded = [0; $octets];
                        padded.get_mut(..octets.len())?.copy_from_slice(octets);
                        <$int>::from_be_bytes(padded)
                    }
                };
                let host_bits = u32::from(Self::MAX_BITS.checked_sub(bits)?);
                let mask = <$int>::MAX.checked_shl(host_bits).unwrap_or(0);
                Self::new(<$address>::from_bits(raw & mask), bits).ok()
            }

            #[inline]
            fn put(self, out: &mut BytesMut) {
                out.put_u8(self.prefix_len());
                let octets = self.network().octets();
                out.put_slice(octets.get(..octets_of(self.prefix_len())).unwrap_or(&octets));
            }

            #[inline]
            fn wire_length(self) -> usize {
                octets_of(self.prefix_len()).saturating_add(1)
            }

            fn list(prefixes: Vec<Nlri<Self>>) -> NlriList {
                $list(prefixes)
            }
        }
    };
}

wire_prefix!(Ipv4Net, Ipv4Addr, u32, 4, Family::Ipv4Unicast, NlriList::V4);
wire_prefix!(Ipv6Net, Ipv6Addr, u128, 16, Family::Ipv6Unicast, NlriList::V6);

/// A prefix is longer than its family allows, or runs past the end of its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InvalidNetworkField;

/// Reads a field full of prefixes.
pub(super) fn decode(field: &[u8], family: Family, ids: PathIds) -> Result<NlriList, InvalidNetworkField> {
    match family {
        Family::Ipv4Unicast => decode_all(field, ids).map(NlriList::V4),
        Family::Ipv6Unicast => decode_all(field, ids).map(NlriList::V6),
    }
}

fn decode_all<P: WirePrefix>(mut field: &[u8], ids: PathIds) -> Result<Vec<Nlri<P>>, InvalidNetworkField> {
    // A usual prefix takes this much at least (/24, /48); shorter ones make the list grow.
    let usual = match P::FAMILY {
        Family::Ipv4Unicast => 4,
        Family::Ipv6Unicast => 7,
    };
    let mut list = Vec::with_capacity(field.len().div_ceil(usual));
    while !field.is_empty() {
        let (nlri, rest) = decode_one(field, ids).ok_or(InvalidNetworkField)?;
        list.push(nlri);
        field = rest;
    }
    Ok(list)
}

#[inline]
fn decode_one<P: WirePrefix>(field: &[u8], ids: PathIds) -> Option<(Nlri<P>, &[u8])> {
    let (path_id, field) = match ids {
        PathIds::Absent => (0, field),
        PathIds::Present => {
            let (id, rest) = field.split_first_chunk::<4>()?;
            (u32::from_be_bytes(*id), rest)
        }
    };
    let (bits, field) = field.split_first()?;
    if *bits > P::MAX_BITS {
        return None;
    }
    let rest = field.get(octets_of(*bits)..)?;
    Some((Nlri { prefix: P::from_octets(field, *bits)?, path_id }, rest))
}

fn octets_of(bits: u8) -> usize {
    usize::from(bits.div_ceil(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(field: &[u8]) -> Result<Vec<String>, InvalidNetworkField> {
        let list = decode(field, Family::Ipv4Unicast, PathIds::Absent)?;
        Ok(list.iter().map(|p| p.to_string()).collect())
    }

    #[test]
    fn host_bits_are_cleared_whether_inside_the_octet_or_past_it() {
        let field = [9, 10, 0xff, 0, 26, 172, 16, 196, 0xbf, 32, 1, 2, 3, 4];
        assert_eq!(v4(&field).unwrap(), ["10.128.0.0/9", "0.0.0.0/0", "172.16.196.128/26", "1.2.3.4/32"]);
    }

    #[test]
    fn a_prefix_longer_than_its_family_allows_is_refused() {
        assert_eq!(v4(&[33, 1, 2, 3, 4, 5]), Err(InvalidNetworkField));
        let v6 =
            |bits: u8| decode(&[&[bits][..], &[0x20; 17]].concat(), Family::Ipv6Unicast, PathIds::Absent);
        assert_eq!(v6(129), Err(InvalidNetworkField));
        assert_eq!(v6(255), Err(InvalidNetworkField));
    }

    #[test]
    fn a_prefix_that_runs_past_the_field_is_refused() {
        for cut in 1..4 {
            assert_eq!(v4(&[24, 1, 2, 3][..cut]), Err(InvalidNetworkField));
        }
    }

    #[test]
    fn path_identifiers_are_read_when_expected() {
        let field = [0, 0, 0, 7, 8, 10];
        let list = decode(&field, Family::Ipv4Unicast, PathIds::Present).unwrap();
        assert_eq!(list, NlriList::V4(vec![Nlri { prefix: "10.0.0.0/8".parse().unwrap(), path_id: 7 }]));
        assert!(decode(&field[..5], Family::Ipv4Unicast, PathIds::Present).is_err());
        assert!(decode(&field[..3], Family::Ipv4Unicast, PathIds::Present).is_err());
    }

    #[test]
    fn path_identifiers_on_one_side_only_are_an_error_or_other_prefixes_never_a_panic() {
        let with = [0, 0, 0, 1, 24, 10, 0, 0, 0, 0, 0, 2, 24, 10, 0, 1];
        let _ = decode(&with, Family::Ipv4Unicast, PathIds::Absent);
        assert!(decode(&[32, 10, 0, 0, 9], Family::Ipv4Unicast, PathIds::Present).is_err());
    }
}
