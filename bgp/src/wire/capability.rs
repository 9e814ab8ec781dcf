//! Capabilities of the OPEN message (RFC 5492).

mod families;

use bytes::{BufMut, Bytes, BytesMut};
use nom::{
    IResult, Parser,
    multi::length_data,
    number::complete::{be_u8, be_u32},
};

pub use self::families::{AddPathFamily, ExtendedNextHop, LongLivedFamily, PathsLimit};
use self::families::{decode_tuples, encode_tuples};
use crate::types::{Asn, Families, Family};

/// One capability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Multiprotocol Extensions (RFC 4760 section 8), of any family.
    Multiprotocol {
        /// Address Family Identifier.
        afi: u16,
        /// Subsequent Address Family Identifier.
        safi: u8,
    },
    /// Route Refresh (RFC 2918).
    RouteRefresh,
    /// Extended Next Hop Encoding (RFC 8950).
    ExtendedNextHop(Vec<ExtendedNextHop>),
    /// Extended Message (RFC 8654).
    ExtendedMessage,
    /// Graceful Restart (RFC 4724, RFC 8538).
    GracefulRestart(GracefulRestart),
    /// Support for 4-octet AS numbers, and the speaker's own (RFC 6793).
    FourOctetAsn(Asn),
    /// ADD-PATH (RFC 7911 section 4). One with an undefined direction is not understood, thus `Unknown`.
    AddPath(Vec<AddPathFamily>),
    /// Enhanced Route Refresh (RFC 7313).
    EnhancedRouteRefresh,
    /// Long-Lived Graceful Restart (RFC 9494 section 3.1).
    LongLivedGracefulRestart(Vec<LongLivedFamily>),
    /// Paths Limit (draft-abraitis-idr-addpath-paths-limit).
    PathsLimit(Vec<PathsLimit>),
    /// Any other, kept as it came.
    Unknown {
        /// Capability code.
        code: u8,
        /// The value, at most 255 octets.
        value: Bytes,
    },
}

/// The Graceful Restart capability (RFC 4724 section 3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GracefulRestart {
    /// R bit: the speaker has restarted.
    pub restarting: bool,
    /// N bit: graceful restart also after a NOTIFICATION (RFC 8538 section 2).
    pub notification: bool,
    /// Restart Time in seconds, at most 4095.
    pub restart_time: u16,
    /// The families that can be restarted gracefully.
    pub families: Vec<GracefulFamily>,
}

/// One family of the Graceful Restart capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GracefulFamily {
    /// Address Family Identifier.
    pub afi: u16,
    /// Subsequent Address Family Identifier.
    pub safi: u8,
    /// F bit: forwarding state was preserved.
    pub forwarding: bool,
}

/// The capability was malformed (answered with OPEN Message Error, Unspecific).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

const RESTARTING: u16 = 0x8000;
const NOTIFICATION: u16 = 0x4000;
const RESTART_TIME: u16 = 0x0fff;
const FORWARDING: u8 = 0x80;

impl Capability {
    /// The Multiprotocol capability of a family we carry.
    pub fn multiprotocol(family: Family) -> Self {
        Self::Multiprotocol { afi: family.afi(), safi: family.safi() }
    }

    /// The capability code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Multiprotocol { .. } => 1,
            Self::RouteRefresh => 2,
            Self::ExtendedNextHop(_) => 5,
            Self::ExtendedMessage => 6,
            Self::GracefulRestart(_) => 64,
            Self::FourOctetAsn(_) => 65,
            Self::AddPath(_) => 69,
            Self::EnhancedRouteRefresh => 70,
            Self::LongLivedGracefulRestart(_) => 71,
            Self::PathsLimit(_) => 76,
            Self::Unknown { code, .. } => *code,
        }
    }

    /// The capability as code, length and value; also the data of an Unsupported Capability (RFC 5492
    /// section 5). A value longer than 255 octets is cut.
    pub fn encode(&self, out: &mut BytesMut) {
        let mut value = BytesMut::new();
        self.encode_value(&mut value);
        value.truncate(usize::from(u8::MAX));
        out.put_u8(self.code());
        out.put_u8(u8::try_from(value.len()).unwrap_or(u8::MAX));
        out.put_slice(&value);
    }

    fn encode_value(&self, out: &mut BytesMut) {
        match self {
            Self::Multiprotocol { afi, safi } => {
                out.put_u16(*afi);
                out.put_u8(0);
                out.put_u8(*safi);
            }
            Self::RouteRefresh | Self::ExtendedMessage | Self::EnhancedRouteRefresh => {}
            Self::ExtendedNextHop(list) => encode_tuples(list, out),
            Self::AddPath(list) => encode_tuples(list, out),
            Self::LongLivedGracefulRestart(list) => encode_tuples(list, out),
            Self::PathsLimit(list) => encode_tuples(list, out),
            Self::GracefulRestart(restart) => restart.encode_value(out),
            Self::FourOctetAsn(asn) => out.put_u32(asn.0),
            Self::Unknown { value, .. } => out.put_slice(value),
        }
    }

    fn decode(code: u8, value: &[u8]) -> Result<Self, Malformed> {
        let empty = |capability| if value.is_empty() { Ok(capability) } else { Err(Malformed) };
        let unknown = || Self::Unknown { code, value: Bytes::copy_from_slice(value) };
        match code {
            1 => match value {
                [high, low, _, safi] => {
                    Ok(Self::Multiprotocol { afi: u16::from_be_bytes([*high, *low]), safi: *safi })
                }
                _ => Err(Malformed),
            },
            2 => empty(Self::RouteRefresh),
            5 => decode_tuples(value).map(Self::ExtendedNextHop),
            6 => empty(Self::ExtendedMessage),
            64 => GracefulRestart::decode(value).map(Self::GracefulRestart),
            65 => whole(be_u32.parse_complete(value)).map(|asn| Self::FourOctetAsn(Asn(asn))),
            69 => decode_tuples::<4, AddPathFamily>(value).map(|list| {
                let defined = list.iter().all(|family| matches!(family.directions, 1..=3));
                if defined { Self::AddPath(list) } else { unknown() }
            }),
            70 => empty(Self::EnhancedRouteRefresh),
            71 => decode_tuples(value).map(Self::LongLivedGracefulRestart),
            76 => decode_tuples(value).map(Self::PathsLimit),
            _ => Ok(unknown()),
        }
    }
}

impl GracefulRestart {
    fn encode_value(&self, out: &mut BytesMut) {
        let bit = |set: bool, bit: u16| if set { bit } else { 0 };
        out.put_u16(
            bit(self.restarting, RESTARTING)
                | bit(self.notification, NOTIFICATION)
                | self.restart_time.min(RESTART_TIME),
        );
        for family in &self.families {
            out.put_u16(family.afi);
            out.put_u8(family.safi);
            out.put_u8(if family.forwarding { FORWARDING } else { 0 });
        }
    }

    /// RFC 4724 section 3: two octets, then four for each family; anything else is malformed.
    fn decode(value: &[u8]) -> Result<Self, Malformed> {
        let (head, rest) = value.split_first_chunk::<2>().ok_or(Malformed)?;
        let head = u16::from_be_bytes(*head);
        let (families, []) = rest.as_chunks::<4>() else { return Err(Malformed) };
        let family = |[high, low, safi, flags]: &[u8; 4]| GracefulFamily {
            afi: u16::from_be_bytes([*high, *low]),
            safi: *safi,
            forwarding: flags & FORWARDING != 0,
        };
        Ok(Self {
            restarting: head & RESTARTING != 0,
            notification: head & NOTIFICATION != 0,
            restart_time: head & RESTART_TIME,
            families: families.iter().map(family).collect(),
        })
    }
}

/// The families that a list of capabilities names, as far as the list can be read.
pub(crate) fn listed_families(value: &[u8]) -> Families {
    let mut capabilities = Vec::new();
    let _readable_to_its_end = decode_all(value, &mut capabilities);
    let family = |capability: &Capability| match capability {
        Capability::Multiprotocol { afi, safi } => Family::from_codes(*afi, *safi),
        _ => None,
    };
    capabilities.iter().filter_map(family).collect()
}

/// Appends the capabilities of one optional parameter's value.
pub(super) fn decode_all(mut value: &[u8], into: &mut Vec<Capability>) -> Result<(), Malformed> {
    while !value.is_empty() {
        let (rest, (code, body)) = tlv(value).map_err(|_| Malformed)?;
        into.push(Capability::decode(code, body)?);
        value = rest;
    }
    Ok(())
}

fn tlv(input: &[u8]) -> IResult<&[u8], (u8, &[u8])> {
    (be_u8, length_data(be_u8)).parse_complete(input)
}

fn whole<T>(parsed: IResult<&[u8], T>) -> Result<T, Malformed> {
    match parsed {
        Ok(([], value)) => Ok(value),
        _ => Err(Malformed),
    }
}
