//! Capabilities whose value is a list of families with something about each.

use bytes::{BufMut, BytesMut};

use super::Malformed;

/// One entry of such a list: `N` octets.
pub(super) trait Tuple<const N: usize>: Sized {
    fn from_octets(octets: &[u8; N]) -> Self;
    fn to_octets(&self) -> [u8; N];
}

/// Reads a whole value; a rest shorter than an entry makes it malformed.
pub(super) fn decode_tuples<const N: usize, T: Tuple<N>>(value: &[u8]) -> Result<Vec<T>, Malformed> {
    let (entries, []) = value.as_chunks::<N>() else { return Err(Malformed) };
    Ok(entries.iter().map(T::from_octets).collect())
}

/// Writes as many entries as the length octet can count.
pub(super) fn encode_tuples<const N: usize, T: Tuple<N>>(list: &[T], out: &mut BytesMut) {
    let fitting = usize::from(u8::MAX).checked_div(N).unwrap_or_default();
    list.iter().take(fitting).for_each(|entry| out.put_slice(&entry.to_octets()));
}

/// One family of the ADD-PATH capability (RFC 7911 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddPathFamily {
    /// Address Family Identifier.
    pub afi: u16,
    /// Subsequent Address Family Identifier.
    pub safi: u8,
    /// Send/Receive: 1, the sender of the capability can receive several paths; 2, it can send them; 3, both.
    pub directions: u8,
}

impl AddPathFamily {
    /// The bit of a speaker that can receive several paths.
    pub const RECEIVE: u8 = 1;
    /// The bit of a speaker that can send several paths.
    pub const SEND: u8 = 2;
}

impl Tuple<4> for AddPathFamily {
    fn from_octets([high, low, safi, directions]: &[u8; 4]) -> Self {
        Self { afi: u16::from_be_bytes([*high, *low]), safi: *safi, directions: *directions }
    }

    fn to_octets(&self) -> [u8; 4] {
        let [high, low] = self.afi.to_be_bytes();
        [high, low, self.safi, self.directions]
    }
}

/// The most paths of a prefix that the sender takes (draft-abraitis-idr-addpath-paths-limit).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathsLimit {
    /// Address Family Identifier.
    pub afi: u16,
    /// Subsequent Address Family Identifier.
    pub safi: u8,
    /// The limit; zero means nothing.
    pub limit: u16,
}

impl Tuple<5> for PathsLimit {
    fn from_octets([afi1, afi2, safi, high, low]: &[u8; 5]) -> Self {
        let [afi, limit] = [[*afi1, *afi2], [*high, *low]].map(u16::from_be_bytes);
        Self { afi, safi: *safi, limit }
    }

    fn to_octets(&self) -> [u8; 5] {
        let ([afi1, afi2], [high, low]) = (self.afi.to_be_bytes(), self.limit.to_be_bytes());
        [afi1, afi2, self.safi, high, low]
    }
}

/// Prefixes of a family whose next hop may be of another (RFC 8950 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendedNextHop {
    /// Address Family Identifier of the prefixes.
    pub afi: u16,
    /// Subsequent Address Family Identifier of the prefixes, here in two octets.
    pub safi: u16,
    /// Address Family Identifier of the next hop.
    pub next_hop_afi: u16,
}

impl Tuple<6> for ExtendedNextHop {
    fn from_octets([afi1, afi2, safi1, safi2, hop1, hop2]: &[u8; 6]) -> Self {
        let [afi, safi, next_hop_afi] =
            [[*afi1, *afi2], [*safi1, *safi2], [*hop1, *hop2]].map(u16::from_be_bytes);
        Self { afi, safi, next_hop_afi }
    }

    fn to_octets(&self) -> [u8; 6] {
        let [[a, b], [c, d], [e, f]] = [self.afi, self.safi, self.next_hop_afi].map(u16::to_be_bytes);
        [a, b, c, d, e, f]
    }
}

/// One family of the Long-Lived Graceful Restart capability (RFC 9494 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongLivedFamily {
    /// Address Family Identifier.
    pub afi: u16,
    /// Subsequent Address Family Identifier.
    pub safi: u8,
    /// F bit: forwarding state was preserved.
    pub forwarding: bool,
    /// Long-Lived Stale Time in seconds, at most 24 bits.
    pub stale_time: u32,
}

const FORWARDING: u8 = 0x80;
const STALE_TIME: u32 = 0x00ff_ffff;

impl Tuple<7> for LongLivedFamily {
    fn from_octets([afi1, afi2, safi, flags, high, middle, low]: &[u8; 7]) -> Self {
        Self {
            afi: u16::from_be_bytes([*afi1, *afi2]),
            safi: *safi,
            forwarding: flags & FORWARDING != 0,
            stale_time: u32::from_be_bytes([0, *high, *middle, *low]),
        }
    }

    fn to_octets(&self) -> [u8; 7] {
        let [afi1, afi2] = self.afi.to_be_bytes();
        let [_, high, middle, low] = self.stale_time.min(STALE_TIME).to_be_bytes();
        [afi1, afi2, self.safi, if self.forwarding { FORWARDING } else { 0 }, high, middle, low]
    }
}
