//! Values that every part of the crate shares: AS numbers, identifiers, families, time.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// An autonomous system number, 4 octets (RFC 6793). Written plain (`64512`); `1.10` is read too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Asn(pub u32);

impl Asn {
    /// AS_TRANS, which stands for a 4-octet number towards 2-octet speakers (RFC 6793 section 9).
    pub const TRANS: Self = Self(23456);

    /// Whether the number is for private use (RFC 6996 section 5).
    pub fn is_private(self) -> bool {
        matches!(self.0, 64512..=65534 | 4_200_000_000..=4_294_967_294)
    }

    /// The number as a 2-octet field shows it: itself, or AS_TRANS (RFC 6793 section 4.2.2).
    pub fn as_two_octets(self) -> u16 {
        u16::try_from(self.0).unwrap_or(23456)
    }
}

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Why a text is no AS number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an AS number: use 0 to 4294967295, or HIGH.LOW with both at most 65535")]
pub struct ParseAsnError;

impl FromStr for Asn {
    type Err = ParseAsnError;

    fn from_str(text: &str) -> Result<Self, ParseAsnError> {
        let number = |t: &str| t.parse::<u32>().map_err(|_| ParseAsnError);
        match text.split_once('.') {
            None => number(text).map(Self),
            Some((high, low)) => {
                let half = |t: &str| t.parse::<u16>().map(u32::from).map_err(|_| ParseAsnError);
                Ok(Self(half(high)? << 16 | half(low)?))
            }
        }
    }
}

/// A BGP Identifier: any non-zero 4-octet value, unique within the AS (RFC 6286).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RouterId(pub Ipv4Addr);

impl fmt::Display for RouterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether a peer is inside our AS (RFC 4271 section 1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PeerType {
    /// Same AS number as ours (iBGP).
    Internal,
    /// Another AS number (eBGP).
    External,
}

impl PeerType {
    /// The type of a peer with AS number `peer` as seen from AS number `own`.
    pub fn of(own: Asn, peer: Asn) -> Self {
        if own == peer { Self::Internal } else { Self::External }
    }
}

/// An address family this implementation carries routes of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Family {
    /// AFI 1, SAFI 1.
    #[serde(rename = "ipv4")]
    Ipv4Unicast,
    /// AFI 2, SAFI 1.
    #[serde(rename = "ipv6")]
    Ipv6Unicast,
}

impl Family {
    /// Every family, in wire order.
    pub const ALL: [Self; 2] = [Self::Ipv4Unicast, Self::Ipv6Unicast];

    /// The Address Family Identifier (RFC 4760).
    pub fn afi(self) -> u16 {
        match self {
            Self::Ipv4Unicast => 1,
            Self::Ipv6Unicast => 2,
        }
    }

    /// The Subsequent Address Family Identifier (RFC 4760).
    pub fn safi(self) -> u8 {
        1
    }

    /// The family of these code points, when it is one we carry.
    pub fn from_codes(afi: u16, safi: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|f| (f.afi(), f.safi()) == (afi, safi))
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4Unicast => "ipv4",
            Self::Ipv6Unicast => "ipv6",
        })
    }
}

/// A small set of families.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Families(u8);

impl Families {
    /// The empty set.
    pub const NONE: Self = Self(0);

    fn bit(family: Family) -> u8 {
        1 << (family.afi() - 1)
    }

    /// Adds a family.
    pub fn insert(&mut self, family: Family) {
        self.0 |= Self::bit(family);
    }

    /// Removes a family.
    pub fn remove(&mut self, family: Family) {
        self.0 &= !Self::bit(family);
    }

    /// Whether the family is a member.
    pub fn contains(self, family: Family) -> bool {
        self.0 & Self::bit(family) != 0
    }

    /// Whether there is no member.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members of both sets.
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The members in wire order.
    pub fn iter(self) -> impl Iterator<Item = Family> {
        Family::ALL.into_iter().filter(move |f| self.contains(*f))
    }
}

impl FromIterator<Family> for Families {
    fn from_iter<I: IntoIterator<Item = Family>>(families: I) -> Self {
        let mut set = Self::NONE;
        families.into_iter().for_each(|f| set.insert(f));
        set
    }
}

/// One value for each family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PerFamily<T> {
    /// Of IPv4 unicast.
    pub v4: T,
    /// Of IPv6 unicast.
    pub v6: T,
}

impl<T> PerFamily<T> {
    /// The values that `make` gives.
    pub fn from_fn(mut make: impl FnMut(Family) -> T) -> Self {
        Self { v4: make(Family::Ipv4Unicast), v6: make(Family::Ipv6Unicast) }
    }

    /// The value of a family.
    pub fn get(&self, family: Family) -> &T {
        match family {
            Family::Ipv4Unicast => &self.v4,
            Family::Ipv6Unicast => &self.v6,
        }
    }

    /// The value of a family, to be changed.
    pub fn get_mut(&mut self, family: Family) -> &mut T {
        match family {
            Family::Ipv4Unicast => &mut self.v4,
            Family::Ipv6Unicast => &mut self.v6,
        }
    }
}

/// Where packets for a route go: an address, and for one that is valid on a single link (RFC 4007) the interface there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NextHopAddress {
    /// The address.
    pub address: IpAddr,
    /// The index of the interface, for a link-local address learned over a session on that link.
    pub interface: Option<u32>,
}

impl From<IpAddr> for NextHopAddress {
    fn from(address: IpAddr) -> Self {
        Self { address, interface: None }
    }
}

impl From<Ipv4Addr> for NextHopAddress {
    fn from(address: Ipv4Addr) -> Self {
        IpAddr::from(address).into()
    }
}

/// `192.0.2.1`, `fe80::1%3`.
impl fmt::Display for NextHopAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.interface {
            Some(interface) => write!(f, "{}%{interface}", self.address),
            None => self.address.fmt(f),
        }
    }
}

/// A point on the caller's monotonic clock: the time since an epoch of the caller's choice.
///
/// The pure parts of the crate never read a clock; whoever drives them passes `now`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Now(pub Duration);

impl Now {
    /// The point `after` later.
    pub fn plus(self, after: Duration) -> Self {
        Self(self.0.saturating_add(after))
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// A peer of this speaker: a small index that stays the same while the peer is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PeerId(pub u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asn_reads_both_notations() {
        assert_eq!("64512".parse(), Ok(Asn(64512)));
        assert_eq!("1.10".parse(), Ok(Asn(65546)));
        assert!("1.70000".parse::<Asn>().is_err());
        assert!("-1".parse::<Asn>().is_err());
    }
}
