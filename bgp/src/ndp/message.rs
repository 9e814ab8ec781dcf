//! Router Solicitations and Router Advertisements: octets to values and back.

use std::net::Ipv6Addr;

/// ICMPv6 type of a Router Solicitation (RFC 4861 section 4.1).
pub(crate) const SOLICITATION: u8 = 133;
/// ICMPv6 type of a Router Advertisement (RFC 4861 section 4.2).
pub(crate) const ADVERTISEMENT: u8 = 134;
/// The hop limit of every packet of Neighbor Discovery: what shows less has crossed a router.
pub(crate) const HOP_LIMIT: u8 = 255;

const SOLICITATION_LENGTH: usize = 8;
const ADVERTISEMENT_LENGTH: usize = 16;
/// Option type of a Source Link-Layer Address (RFC 4861 section 4.6.1).
const SOURCE_LINK_ADDRESS: u8 = 1;
/// Options' lengths count in units of so many octets.
const UNIT: usize = 8;

/// An Ethernet address.
pub type LinkAddress = [u8; 6];

/// What is known of a packet beside its octets. The kernel has checked the checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The source address.
    pub source: Ipv6Addr,
    /// The hop limit it arrived with.
    pub hop_limit: u8,
}

/// A message that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// Somebody asks routers to show themselves.
    Solicitation,
    /// A router shows itself.
    Advertisement {
        /// How long it may be used as a default router, in seconds; zero: not at all.
        lifetime: u16,
    },
}

/// Why a packet is ignored (RFC 4861 sections 6.1.1 and 6.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The hop limit is below 255: it does not come from this link.
    HopLimit,
    /// An advertisement's source is no link-local address.
    Source,
    /// Neither a solicitation nor an advertisement.
    Type,
    /// The code is not zero.
    Code,
    /// It ends early.
    Length,
    /// An option has length zero, runs past the end, or must not be there.
    Options,
}

impl Fault {
    /// Every fault, in the order of the checks.
    pub const ALL: [Self; 6] =
        [Self::HopLimit, Self::Type, Self::Code, Self::Length, Self::Source, Self::Options];

    /// A word for tools.
    pub fn name(self) -> &'static str {
        match self {
            Self::HopLimit => "hop_limit",
            Self::Source => "source",
            Self::Type => "type",
            Self::Code => "code",
            Self::Length => "length",
            Self::Options => "options",
        }
    }
}

/// Reads an ICMPv6 message.
///
/// # Errors
/// Why it must be ignored.
pub fn decode(arrival: Arrival, octets: &[u8]) -> Result<Message, Fault> {
    if arrival.hop_limit != HOP_LIMIT {
        return Err(Fault::HopLimit);
    }
    let (length, kind) = match octets.first() {
        Some(&SOLICITATION) => (SOLICITATION_LENGTH, SOLICITATION),
        Some(&ADVERTISEMENT) => (ADVERTISEMENT_LENGTH, ADVERTISEMENT),
        Some(_) => return Err(Fault::Type),
        None => return Err(Fault::Length),
    };
    if octets.get(1).is_some_and(|code| *code != 0) {
        return Err(Fault::Code);
    }
    let (fixed, options) = octets.split_at_checked(length).ok_or(Fault::Length)?;
    let source = arrival.source;
    let admissible =
        if kind == ADVERTISEMENT { source.is_unicast_link_local() } else { !source.is_multicast() };
    if !admissible {
        return Err(Fault::Source);
    }
    let shows_link_address = options_show_link_address(options)?;
    if kind == SOLICITATION && source.is_unspecified() && shows_link_address {
        return Err(Fault::Options);
    }
    match (kind, fixed) {
        (ADVERTISEMENT, [_, _, _, _, _, _, high, low, ..]) => {
            Ok(Message::Advertisement { lifetime: u16::from_be_bytes([*high, *low]) })
        }
        _ => Ok(Message::Solicitation),
    }
}

/// Walks over the options, whatever they are; says whether a Source Link-Layer Address is among them.
fn options_show_link_address(mut options: &[u8]) -> Result<bool, Fault> {
    let mut shown = false;
    while let [kind, units, ..] = *options {
        let length = usize::from(units).saturating_mul(UNIT);
        if length == 0 {
            return Err(Fault::Options);
        }
        options = options.get(length..).ok_or(Fault::Options)?;
        shown |= kind == SOURCE_LINK_ADDRESS;
    }
    if options.is_empty() { Ok(shown) } else { Err(Fault::Options) }
}

/// The octets of a message of ours; the kernel fills in the checksum. An advertisement says nothing but that we are
/// there: no flags, no prefixes, no parameters (zero: unspecified).
pub fn encode(message: Message, link_address: Option<LinkAddress>) -> Vec<u8> {
    let mut octets = match message {
        Message::Solicitation => {
            let mut fixed = vec![0; SOLICITATION_LENGTH];
            fixed.splice(..1, [SOLICITATION]);
            fixed
        }
        Message::Advertisement { lifetime } => {
            let mut fixed = vec![0; ADVERTISEMENT_LENGTH];
            fixed.splice(..1, [ADVERTISEMENT]);
            fixed.splice(6..8, lifetime.to_be_bytes());
            fixed
        }
    };
    if let Some(address) = link_address {
        octets.extend([SOURCE_LINK_ADDRESS, 1]);
        octets.extend(address);
    }
    octets
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAC: LinkAddress = [2, 0, 0, 0, 0, 1];

    fn arrival() -> Arrival {
        Arrival { source: "fe80::1".parse().unwrap(), hop_limit: 255 }
    }

    #[test]
    fn an_advertisement_of_ours_is_what_the_rfc_draws() {
        let octets = encode(Message::Advertisement { lifetime: 0 }, Some(MAC));
        let expected = [&[134][..], &[0; 15], &[1, 1, 2, 0, 0, 0, 0, 1]].concat();
        assert_eq!(octets, expected);
        assert_eq!(encode(Message::Solicitation, None), [133, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn each_rule_of_validity_has_its_fault() {
        let good = encode(Message::Advertisement { lifetime: 1800 }, Some(MAC));
        assert_eq!(decode(arrival(), &good), Ok(Message::Advertisement { lifetime: 1800 }));
        let routed = Arrival { hop_limit: 254, ..arrival() };
        assert_eq!(decode(routed, &good), Err(Fault::HopLimit));
        let global = Arrival { source: "2001:db8::1".parse().unwrap(), ..arrival() };
        assert_eq!(decode(global, &good), Err(Fault::Source));
        assert_eq!(decode(arrival(), &[]), Err(Fault::Length));
        assert_eq!(decode(arrival(), &[135, 0]), Err(Fault::Type));
        assert_eq!(decode(arrival(), &[134, 1]), Err(Fault::Code));
        assert_eq!(decode(arrival(), &good[..15]), Err(Fault::Length));
        assert_eq!(decode(arrival(), &good[..23]), Err(Fault::Options));
        let empty_option = [&good[..16], &[3, 0, 0, 0, 0, 0, 0, 0]].concat();
        assert_eq!(decode(arrival(), &empty_option), Err(Fault::Options));
    }

    #[test]
    fn a_solicitation_from_nowhere_shows_no_link_address() {
        let nowhere = Arrival { source: Ipv6Addr::UNSPECIFIED, hop_limit: 255 };
        assert_eq!(decode(nowhere, &encode(Message::Solicitation, None)), Ok(Message::Solicitation));
        assert_eq!(decode(nowhere, &encode(Message::Solicitation, Some(MAC))), Err(Fault::Options));
    }

    /// The rules once more, as a reader would write them who may index.
    fn is_valid(arrival: Arrival, octets: &[u8]) -> bool {
        let Some(&kind) = octets.first() else { return false };
        let fixed = match kind {
            133 => 8,
            134 => 16,
            _ => return false,
        };
        if arrival.hop_limit != 255 || octets.len() < fixed || octets[1] != 0 {
            return false;
        }
        let (mut at, mut shown) = (fixed, false);
        while at < octets.len() {
            if at + 1 >= octets.len()
                || octets[at + 1] == 0
                || at + 8 * usize::from(octets[at + 1]) > octets.len()
            {
                return false;
            }
            shown |= octets[at] == 1;
            at += 8 * usize::from(octets[at + 1]);
        }
        match kind {
            134 => arrival.source.segments()[0] & 0xffc0 == 0xfe80,
            _ => !(arrival.source.is_multicast() || arrival.source.is_unspecified() && shown),
        }
    }

    fn sources() -> impl Strategy<Value = Ipv6Addr> {
        prop_oneof![
            Just("fe80::1".parse().unwrap()),
            Just("febf:ffff::1".parse().unwrap()),
            Just("2001:db8::1".parse().unwrap()),
            Just("ff02::1".parse().unwrap()),
            Just(Ipv6Addr::UNSPECIFIED),
        ]
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(lifetime: u16, mac in proptest::option::of(any::<LinkAddress>())) {
            for message in [Message::Solicitation, Message::Advertisement { lifetime }] {
                prop_assert_eq!(decode(arrival(), &encode(message, mac)), Ok(message));
            }
        }

        #[test]
        fn exactly_what_the_rfc_calls_valid_is_taken(
            source in sources(),
            hop_limit in prop_oneof![3 => Just(255_u8), 1 => any::<u8>()],
            kind in prop_oneof![Just(133_u8), Just(134), any::<u8>()],
            code in prop_oneof![3 => Just(0_u8), 1 => any::<u8>()],
            rest in proptest::collection::vec(prop_oneof![2 => 0..4_u8, 1 => any::<u8>()], 0..64),
        ) {
            let octets = [&[kind, code][..], &rest].concat();
            let arrival = Arrival { source, hop_limit };
            prop_assert_eq!(decode(arrival, &octets).is_ok(), is_valid(arrival, &octets));
        }
    }
}
