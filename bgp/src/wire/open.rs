//! The OPEN message (RFC 4271 section 4.2, RFC 5492, RFC 9072).

use std::net::Ipv4Addr;

use bytes::{BufMut, BytesMut};
use nom::{
    IResult, Parser,
    multi::length_data,
    number::complete::{be_u8, be_u16, be_u32},
};

use super::{
    capability::{self, Capability, GracefulRestart},
    context::MAX_MESSAGE,
    encode::{EncodeError, message},
    message::MessageType,
    notification::{ErrorKind, Notification},
};
use crate::types::{Asn, Families, Family, RouterId};

/// The one version of BGP.
const VERSION: u8 = 4;
/// Optional parameter type of capabilities (RFC 5492 section 4).
const CAPABILITIES: u8 = 2;
/// Marks the extended form where the first parameter's type would be (RFC 9072 section 2).
const EXTENDED: u8 = 255;

/// An OPEN. What is decoded has a valid version, identifier and hold time; whether the AS number is the
/// expected one is for [`super::negotiate()`] to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The 2-octet My Autonomous System field: AS_TRANS where the number needs four.
    pub my_as: u16,
    /// Proposed hold time in seconds: 0, or at least 3.
    pub hold_time: u16,
    /// BGP Identifier.
    pub router_id: RouterId,
    /// Capabilities in the order sent.
    pub capabilities: Vec<Capability>,
}

impl Open {
    /// An OPEN of this speaker; the 4-octet AS capability is among `capabilities` if it is wanted.
    pub fn new(asn: Asn, hold_time: u16, router_id: RouterId, capabilities: Vec<Capability>) -> Self {
        Self { my_as: asn.as_two_octets(), hold_time, router_id, capabilities }
    }

    /// The sender's AS number: that of its capability, else that of the field (RFC 6793 section 4.2.1).
    pub fn asn(&self) -> Asn {
        self.four_octet_asn().unwrap_or(Asn(self.my_as.into()))
    }

    /// The AS number in the 4-octet AS capability, when there is one.
    pub fn four_octet_asn(&self) -> Option<Asn> {
        self.capabilities.iter().find_map(|c| match c {
            Capability::FourOctetAsn(asn) => Some(*asn),
            _ => None,
        })
    }

    /// Whether the capability is announced.
    pub fn announces(&self, capability: &Capability) -> bool {
        self.capabilities.contains(capability)
    }

    /// Families announced; IPv4 unicast when there is no Multiprotocol capability at all (RFC 4760).
    pub fn families(&self) -> Families {
        let mut announced = self.capabilities.iter().filter_map(|c| match c {
            Capability::Multiprotocol { afi, safi } => Some(Family::from_codes(*afi, *safi)),
            _ => None,
        });
        match announced.next() {
            None => Families::from_iter([Family::Ipv4Unicast]),
            Some(first) => first.into_iter().chain(announced.flatten()).collect(),
        }
    }

    /// The Graceful Restart capability; of several the last (RFC 4724 section 3).
    pub fn graceful_restart(&self) -> Option<&GracefulRestart> {
        self.capabilities.iter().rev().find_map(|c| match c {
            Capability::GracefulRestart(restart) => Some(restart),
            _ => None,
        })
    }

    /// Appends the message; uses the extended parameters of RFC 9072 only when it has to.
    ///
    /// # Errors
    /// [`EncodeError::TooLarge`] when it would be longer than 4096 octets; nothing is written then.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut capabilities = BytesMut::new();
        self.capabilities.iter().for_each(|c| c.encode(&mut capabilities));
        message(MessageType::Open, MAX_MESSAGE, out, |out| {
            out.put_u8(VERSION);
            out.put_u16(self.my_as);
            out.put_u16(self.hold_time);
            out.put_slice(&self.router_id.0.octets());
            put_parameters(&capabilities, out);
        })
    }

    /// Reads the message's body.
    pub(super) fn decode(body: &[u8]) -> Result<Self, Notification> {
        let (parameters, fixed) = Fixed::parse(body).map_err(|_| ErrorKind::OPEN_UNSPECIFIC)?;
        fixed.check()?;
        let mut capabilities = Vec::new();
        for (kind, value) in optional_parameters(fixed.parameters_length, parameters)? {
            if kind != CAPABILITIES {
                return Err(ErrorKind::UNSUPPORTED_OPTIONAL_PARAMETER.into());
            }
            capability::decode_all(value, &mut capabilities).map_err(|_| ErrorKind::OPEN_UNSPECIFIC)?;
        }
        let open = Self {
            my_as: fixed.my_as,
            hold_time: fixed.hold_time,
            router_id: RouterId(fixed.router_id.into()),
            capabilities,
        };
        // RFC 7607 section 2: AS 0 in the field or in the capability.
        if open.asn() == Asn(0) {
            return Err(ErrorKind::BAD_PEER_AS.into());
        }
        Ok(open)
    }
}

struct Fixed {
    version: u8,
    my_as: u16,
    hold_time: u16,
    router_id: u32,
    parameters_length: u8,
}

impl Fixed {
    fn parse(body: &[u8]) -> IResult<&[u8], Self> {
        (be_u8, be_u16, be_u16, be_u32, be_u8)
            .map(|(version, my_as, hold_time, router_id, parameters_length)| Self {
                version,
                my_as,
                hold_time,
                router_id,
                parameters_length,
            })
            .parse_complete(body)
    }

    /// RFC 4271 section 6.2, RFC 6286 section 2.2, RFC 7607 section 2.
    fn check(&self) -> Result<(), Notification> {
        if self.version != VERSION {
            return Err(Notification::with_data(ErrorKind::UNSUPPORTED_VERSION, &[0, VERSION]));
        }
        if self.my_as == 0 {
            return Err(ErrorKind::BAD_PEER_AS.into());
        }
        if self.router_id == Ipv4Addr::UNSPECIFIED.to_bits() {
            return Err(ErrorKind::BAD_BGP_IDENTIFIER.into());
        }
        if matches!(self.hold_time, 1 | 2) {
            return Err(ErrorKind::UNACCEPTABLE_HOLD_TIME.into());
        }
        Ok(())
    }
}

/// The optional parameters as (type, value). In the extended form the first length octet means nothing
/// (RFC 9072 section 2); either length must be that of the rest of the message exactly.
fn optional_parameters(length: u8, rest: &[u8]) -> Result<Vec<(u8, &[u8])>, Notification> {
    let malformed = || Notification::from(ErrorKind::OPEN_UNSPECIFIC);
    let (mut rest, extended) = match rest {
        [EXTENDED, high, low, rest @ ..] if length != 0 => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            (rest.len() == length).then_some((rest, true)).ok_or_else(malformed)?
        }
        _ if rest.len() == usize::from(length) => (rest, false),
        _ => return Err(malformed()),
    };
    let mut parameters = Vec::new();
    while !rest.is_empty() {
        let (after, parameter) = if extended {
            (be_u8, length_data(be_u16)).parse_complete(rest)
        } else {
            (be_u8, length_data(be_u8)).parse_complete(rest)
        }
        .map_err(|_: nom::Err<nom::error::Error<&[u8]>>| malformed())?;
        parameters.push(parameter);
        rest = after;
    }
    Ok(parameters)
}

fn put_parameters(capabilities: &[u8], out: &mut BytesMut) {
    let length = capabilities.len();
    let total = |header: usize| if length == 0 { 0 } else { length.saturating_add(header) };
    match (u8::try_from(length), u8::try_from(total(2))) {
        (Ok(length), Ok(total)) => {
            out.put_u8(total);
            if length > 0 {
                out.put_slice(&[CAPABILITIES, length]);
            }
        }
        _ => {
            out.put_slice(&[EXTENDED, EXTENDED]);
            out.put_u16(u16::try_from(total(3)).unwrap_or(u16::MAX));
            out.put_u8(CAPABILITIES);
            out.put_u16(u16::try_from(length).unwrap_or(u16::MAX));
        }
    }
    out.put_slice(capabilities);
}
