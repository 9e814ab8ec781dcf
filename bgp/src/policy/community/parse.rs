//! Communities and patterns out of texts.

use std::{net::Ipv4Addr, str::FromStr};

use super::{
    AnyCommunity, CommunityPattern, Pattern,
    extended::{Administrator, ExtendedPattern, Kind},
};
use crate::{
    policy::Span,
    wire::{attribute::LargeCommunity, community::Community},
};

/// Why a text is no community, or no pattern of some.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseCommunityError {
    /// It has no form we know.
    #[error("no community")]
    Form,
    /// A part is neither a number nor a range, or too large for its field.
    #[error("`{0}` is out of range in a community")]
    Part(String),
    /// One community is wanted, and this stands for several.
    #[error("it stands for more than one community")]
    Several,
}

impl FromStr for CommunityPattern {
    type Err = ParseCommunityError;

    fn from_str(text: &str) -> Result<Self, ParseCommunityError> {
        let text = text.trim();
        if text == "*" {
            return Ok(Self(Pattern::All));
        }
        if let Some(community) = Community::from_name(text) {
            return Ok(community.into());
        }
        if let Some(octets) = text.strip_prefix("0x") {
            return self::octets(octets).map(Pattern::Extended).map(Self);
        }
        let parts: Vec<_> = text.split(':').collect();
        Ok(Self(match parts[..] {
            ["rt", administrator, local] => named(Kind::RouteTarget, administrator, local)?,
            ["ro" | "soo", administrator, local] => named(Kind::RouteOrigin, administrator, local)?,
            ["bandwidth" | "link-bandwidth", administrator, local] => {
                named(Kind::LinkBandwidth, administrator, local)?
            }
            [high, low] => Pattern::Standard([half(high)?, half(low)?]),
            [global, first, second] => Pattern::Large([word(global)?, word(first)?, word(second)?]),
            _ => return Err(ParseCommunityError::Form),
        }))
    }
}

impl FromStr for AnyCommunity {
    type Err = ParseCommunityError;

    fn from_str(text: &str) -> Result<Self, ParseCommunityError> {
        let pattern: CommunityPattern = text.parse()?;
        pattern.single().ok_or(ParseCommunityError::Several)
    }
}

impl CommunityPattern {
    /// The community, when the pattern is just one.
    fn single(&self) -> Option<AnyCommunity> {
        match self.0 {
            Pattern::All => None,
            Pattern::Standard(_) => self.single_standard().map(AnyCommunity::Standard),
            Pattern::Large([global, first, second]) => Some(AnyCommunity::Large(LargeCommunity {
                global: global.single()?,
                local1: first.single()?,
                local2: second.single()?,
            })),
            Pattern::Extended(pattern) => pattern.single().map(AnyCommunity::Extended),
        }
    }
}

/// A part of four octets.
fn word(text: &str) -> Result<Span, ParseCommunityError> {
    text.parse().map_err(|_| ParseCommunityError::Part(text.to_owned()))
}

/// A part of two octets.
fn half(text: &str) -> Result<Span, ParseCommunityError> {
    let span = word(text)?;
    let open = span.high() == u32::MAX && !text.contains('-');
    let fits = span.low() <= u16::MAX.into() && (open || span.high() <= u16::MAX.into());
    fits.then_some(span).ok_or_else(|| ParseCommunityError::Part(text.to_owned()))
}

fn named(kind: Kind, name: &str, local: &str) -> Result<Pattern, ParseCommunityError> {
    let administrator = match name.parse::<Ipv4Addr>() {
        Ok(address) if kind != Kind::LinkBandwidth => Administrator::Address(address),
        _ => Administrator::Asn(
            Span::parse_asns(name).map_err(|_| ParseCommunityError::Part(name.to_owned()))?,
        ),
    };
    // Beside an address or an AS number of four octets two are left (RFC 4360 section 3.2, RFC 5668), and for link
    // bandwidth such a number has no place at all.
    let long = match administrator {
        Administrator::Asn(asn) => asn.low() > u16::MAX.into(),
        Administrator::Address(_) => true,
    };
    let local = match (long, kind) {
        (true, Kind::LinkBandwidth) => return Err(ParseCommunityError::Part(name.to_owned())),
        (true, _) => half(local)?,
        (false, _) => word(local)?,
    };
    Ok(Pattern::Extended(ExtendedPattern::Named { kind, administrator, local }))
}

/// Sixteen hexadecimal digits, or fewer and `*`.
fn octets(text: &str) -> Result<ExtendedPattern, ParseCommunityError> {
    let (digits, open) = match text.strip_suffix('*') {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    let count = u32::try_from(digits.len()).unwrap_or(u32::MAX);
    let valid = digits.bytes().all(|b| b.is_ascii_hexdigit()) && (1..=16).contains(&count);
    if !valid || (count < 16 && !open) {
        return Err(ParseCommunityError::Form);
    }
    let number = u64::from_str_radix(digits, 16).map_err(|_| ParseCommunityError::Form)?;
    let rest = 64 - count * 4;
    Ok(ExtendedPattern::Octets { value: number << rest, mask: u64::MAX << rest })
}
