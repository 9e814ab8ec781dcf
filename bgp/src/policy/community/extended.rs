//! Patterns of extended communities (RFC 4360, RFC 5668).

use std::net::Ipv4Addr;

use crate::policy::Span;

const TWO_OCTET_AS: u8 = 0;
const IPV4_ADDRESS: u8 = 1;
const FOUR_OCTET_AS: u8 = 2;
/// The bit of a type that keeps a community inside the AS (RFC 4360 section 2).
const NON_TRANSITIVE: u8 = 0x40;

/// The kinds that have a name, with their sub-type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Route Target.
    RouteTarget = 2,
    /// Route Origin, also called Site of Origin.
    RouteOrigin = 3,
    /// Link Bandwidth: an AS number and octets per second as a 4-octet float.
    LinkBandwidth = 4,
}

/// The part that names who gave the community its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Administrator {
    Asn(Span),
    Address(Ipv4Addr),
}

/// Some extended communities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ExtendedPattern {
    /// Of a kind with a name; `*` as administrator stands for addresses too.
    Named { kind: Kind, administrator: Administrator, local: Span },
    /// Those whose octets, as one number, equal `value` where `mask` is set.
    Octets { value: u64, mask: u64 },
}

impl ExtendedPattern {
    pub(super) fn matches(self, community: [u8; 8]) -> bool {
        match self {
            Self::Octets { value, mask } => u64::from_be_bytes(community) & mask == value,
            Self::Named { kind: Kind::LinkBandwidth, administrator, local } => link_bandwidth(community)
                .is_some_and(|(asn, rate)| administrator.is_asn(asn.into()) && local.contains(rate)),
            Self::Named { kind, administrator, local } => {
                let [_, subtype, a, b, c, d, e, f] = community;
                let (admits, number) = match community[0] & !NON_TRANSITIVE {
                    TWO_OCTET_AS => (
                        administrator.is_asn(u16::from_be_bytes([a, b]).into()),
                        u32::from_be_bytes([c, d, e, f]),
                    ),
                    IPV4_ADDRESS => {
                        (administrator.is_address([a, b, c, d].into()), u16::from_be_bytes([e, f]).into())
                    }
                    FOUR_OCTET_AS => (
                        administrator.is_asn(u32::from_be_bytes([a, b, c, d])),
                        u16::from_be_bytes([e, f]).into(),
                    ),
                    _ => return false,
                };
                subtype == kind as u8 && admits && local.contains(number)
            }
        }
    }

    /// The community, when the pattern is just one that can be attached: an AS number that fits two octets
    /// goes there.
    pub(super) fn single(self) -> Option<[u8; 8]> {
        let (kind, administrator, local) = match self {
            Self::Octets { value, mask } => return (mask == u64::MAX).then(|| value.to_be_bytes()),
            Self::Named { kind, administrator, local } => (kind, administrator, local.single()?),
        };
        let subtype = kind as u8;
        let (a, b) = match administrator {
            Administrator::Address(address) => {
                let [a, b, c, d] = address.octets();
                let [e, f] = u16::try_from(local).ok()?.to_be_bytes();
                return Some([IPV4_ADDRESS, subtype, a, b, c, d, e, f]);
            }
            Administrator::Asn(asn) => match u16::try_from(asn.single()?) {
                Ok(asn) => (asn.to_be_bytes(), local),
                Err(_) => {
                    let [a, b, c, d] = asn.single()?.to_be_bytes();
                    let [e, f] = u16::try_from(local).ok()?.to_be_bytes();
                    let fits = kind != Kind::LinkBandwidth;
                    return fits.then_some([FOUR_OCTET_AS, subtype, a, b, c, d, e, f]);
                }
            },
        };
        let [c, d, e, f] = match kind {
            Kind::LinkBandwidth => (b as f32).to_be_bytes(),
            Kind::RouteTarget | Kind::RouteOrigin => b.to_be_bytes(),
        };
        let first = if kind == Kind::LinkBandwidth { NON_TRANSITIVE } else { TWO_OCTET_AS };
        Some([first, subtype, a[0], a[1], c, d, e, f])
    }
}

impl Administrator {
    fn is_asn(self, asn: u32) -> bool {
        matches!(self, Self::Asn(span) if span.contains(asn))
    }

    fn is_address(self, address: Ipv4Addr) -> bool {
        matches!(self, Self::Asn(Span::ALL)) || self == Self::Address(address)
    }
}

/// The AS number and the rate in whole octets per second; transitive or not.
fn link_bandwidth(community: [u8; 8]) -> Option<(u16, u32)> {
    let [kind, subtype, a, b, rate @ ..] = community;
    let named = kind & !NON_TRANSITIVE == TWO_OCTET_AS && subtype == Kind::LinkBandwidth as u8;
    // A float that is no number, negative or too large becomes the nearest number that is one.
    named.then(|| (u16::from_be_bytes([a, b]), f32::from_be_bytes(rate) as u32))
}
