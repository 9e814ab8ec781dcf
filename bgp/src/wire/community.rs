//! Communities as people write them.

use std::fmt;

use super::attribute::LargeCommunity;

/// One community of RFC 1997, for display: `64512:100`, or the name of a well-known one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Community(pub u32);

impl Community {
    /// GRACEFUL_SHUTDOWN (RFC 8326).
    pub const GRACEFUL_SHUTDOWN: Self = Self(0xffff_0000);
    /// ACCEPT_OWN (RFC 7611).
    pub const ACCEPT_OWN: Self = Self(0xffff_0001);
    /// LLGR_STALE (RFC 9494).
    pub const LLGR_STALE: Self = Self(0xffff_0006);
    /// NO_LLGR (RFC 9494).
    pub const NO_LLGR: Self = Self(0xffff_0007);
    /// BLACKHOLE (RFC 7999).
    pub const BLACKHOLE: Self = Self(0xffff_029a);
    /// NO_EXPORT (RFC 1997).
    pub const NO_EXPORT: Self = Self(0xffff_ff01);
    /// NO_ADVERTISE (RFC 1997).
    pub const NO_ADVERTISE: Self = Self(0xffff_ff02);
    /// NO_EXPORT_SUBCONFED (RFC 1997).
    pub const NO_EXPORT_SUBCONFED: Self = Self(0xffff_ff03);
    /// NOPEER (RFC 3765).
    pub const NO_PEER: Self = Self(0xffff_ff04);

    /// Every well-known community that has a name.
    pub(crate) const NAMED: [Self; 9] = [
        Self::GRACEFUL_SHUTDOWN,
        Self::ACCEPT_OWN,
        Self::LLGR_STALE,
        Self::NO_LLGR,
        Self::BLACKHOLE,
        Self::NO_EXPORT,
        Self::NO_ADVERTISE,
        Self::NO_EXPORT_SUBCONFED,
        Self::NO_PEER,
    ];

    /// The well-known community of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMED.into_iter().find(|c| c.name() == Some(name))
    }

    /// The name of a well-known community.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::GRACEFUL_SHUTDOWN => "graceful-shutdown",
            Self::ACCEPT_OWN => "accept-own",
            Self::LLGR_STALE => "llgr-stale",
            Self::NO_LLGR => "no-llgr",
            Self::BLACKHOLE => "blackhole",
            Self::NO_EXPORT => "no-export",
            Self::NO_ADVERTISE => "no-advertise",
            Self::NO_EXPORT_SUBCONFED => "no-export-subconfed",
            Self::NO_PEER => "no-peer",
            _ => return None,
        })
    }
}

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}:{}", self.0 >> 16, self.0 & 0xffff),
        }
    }
}

/// `64512:1:2`.
impl fmt::Display for LargeCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.global, self.local1, self.local2)
    }
}

/// One extended community (RFC 4360), for display: `rt:64512:100`, `ro:10.0.0.1:7`,
/// `bandwidth:64512:1250000000` (octets per second), else the octets in hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtendedCommunity(pub [u8; 8]);

impl fmt::Display for ExtendedCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [kind, subtype, a, b, c, d, e, g] = self.0;
        if let Some(bandwidth) = self.link_bandwidth() {
            return write!(f, "bandwidth:{}:{bandwidth}", u16::from_be_bytes([a, b]));
        }
        let name = match subtype {
            2 => "rt",
            3 => "ro",
            _ => return self.fmt_octets(f),
        };
        match kind & !0x40 {
            0 => write!(f, "{name}:{}:{}", u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, g])),
            1 => write!(f, "{name}:{a}.{b}.{c}.{d}:{}", u16::from_be_bytes([e, g])),
            2 => write!(f, "{name}:{}:{}", u32::from_be_bytes([a, b, c, d]), u16::from_be_bytes([e, g])),
            _ => self.fmt_octets(f),
        }
    }
}

impl ExtendedCommunity {
    /// Whether it crosses the border of an AS (RFC 4360 section 2).
    pub fn is_transitive(self) -> bool {
        let [kind, ..] = self.0;
        kind & 0x40 == 0
    }

    fn fmt_octets(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:016x}", u64::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn communities_read_as_operators_write_them() {
        assert_eq!(Community(64512 << 16 | 100).to_string(), "64512:100");
        assert_eq!(Community::NO_EXPORT.to_string(), "no-export");
        let large = LargeCommunity { global: 4_200_000_000, local1: 1, local2: 2 };
        assert_eq!(large.to_string(), "4200000000:1:2");
    }

    #[test]
    fn extended_communities_of_all_three_administrators_are_read() {
        let text = |octets| ExtendedCommunity(octets).to_string();
        assert_eq!(text([0, 2, 0xfc, 0, 0, 0, 0, 100]), "rt:64512:100");
        assert_eq!(text([1, 3, 10, 0, 0, 1, 0, 7]), "ro:10.0.0.1:7");
        assert_eq!(text([2, 2, 0, 3, 0x0d, 0x40, 0, 1]), "rt:200000:1");
        assert_eq!(text([0x40, 4, 0xfc, 0, 0x4e, 0x95, 0x02, 0xf9]), "bandwidth:64512:1250000000");
        assert_eq!(text([0x43, 0x0c, 0, 0, 0, 0, 0, 8]), "0x430c000000000008");
    }
}
