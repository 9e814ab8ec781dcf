//! Capture files as tcpdump writes them: the TCP segments in them, in the order captured.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context as _, Result, bail};

/// Octets of the file's header, and of the header before each packet.
const FILE_HEADER: usize = 24;
const PACKET_HEADER: usize = 16;
/// The file's first four octets on a little-endian machine, with times in microseconds.
const MAGIC: [u8; 4] = [0xd4, 0xc3, 0xb2, 0xa1];
/// The protocol number of TCP.
const TCP: u8 = 6;
/// The bit of SYN among the flags of TCP.
const SYN: u8 = 0x02;

/// One TCP segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment<'a> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    /// The number of the first octet; with SYN, the number before it.
    pub(super) sequence: u32,
    pub(super) begins: Begins,
    pub(super) octets: &'a [u8],
}

/// Whether a segment opens its direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begins {
    /// It has SYN.
    Direction,
    /// It has not.
    Nothing,
}

/// The TCP segments of a capture; other packets are passed over.
pub(super) fn segments(file: &[u8]) -> Result<Vec<Segment<'_>>> {
    let (header, mut rest) = file.split_at_checked(FILE_HEADER).context("the capture has no header")?;
    if !header.starts_with(&MAGIC) {
        bail!("not a capture file as this machine's tcpdump writes it");
    }
    let link = Link::of(little(header.get(20..24)))?;
    let mut segments = Vec::new();
    // The last packet may be cut off, as the writer was stopped.
    while let Some((header, after)) = rest.split_at_checked(PACKET_HEADER)
        && let Some((packet, after)) = after.split_at_checked(little(header.get(8..12)) as usize)
    {
        segments.extend(link.network_packet(packet).and_then(segment));
        rest = after;
    }
    Ok(segments)
}

fn little(octets: Option<&[u8]>) -> u32 {
    octets.and_then(|octets| octets.as_array()).map_or(0, |octets| u32::from_le_bytes(*octets))
}

/// What comes before the network's packet.
#[derive(Clone, Copy, Debug)]
enum Link {
    /// Nothing.
    Raw,
    /// Linux's "any" interface: as many octets.
    Cooked(usize),
}

impl Link {
    fn of(code: u32) -> Result<Self> {
        match code {
            101 => Ok(Self::Raw),
            113 => Ok(Self::Cooked(16)),
            276 => Ok(Self::Cooked(20)),
            other => bail!("captures of link type {other} are not read here"),
        }
    }

    fn network_packet(self, packet: &[u8]) -> Option<&[u8]> {
        match self {
            Self::Raw => Some(packet),
            Self::Cooked(length) => packet.get(length..),
        }
    }
}

fn segment(packet: &[u8]) -> Option<Segment<'_>> {
    let (from, to, tcp) = match packet.first()? >> 4 {
        4 => ipv4(packet)?,
        6 => ipv6(packet)?,
        _ => return None,
    };
    let port = |at: usize| tcp.get(at..)?.first_chunk().map(|octets| u16::from_be_bytes(*octets));
    let header = usize::from(tcp.get(12)? >> 4) * 4;
    Some(Segment {
        from: (from, port(0)?).into(),
        to: (to, port(2)?).into(),
        sequence: u32::from_be_bytes(*tcp.get(4..)?.first_chunk()?),
        begins: if tcp.get(13)? & SYN == 0 { Begins::Nothing } else { Begins::Direction },
        octets: tcp.get(header..)?,
    })
}

/// Addresses and payload; without the padding that links add.
fn ipv4(packet: &[u8]) -> Option<(IpAddr, IpAddr, &[u8])> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes(*packet.get(2..)?.first_chunk()?));
    let address = |at: usize| Some(Ipv4Addr::from(*packet.get(at..)?.first_chunk::<4>()?).into());
    (*packet.get(9)? == TCP).then_some(())?;
    Some((address(12)?, address(16)?, packet.get(header..total)?))
}

fn ipv6(packet: &[u8]) -> Option<(IpAddr, IpAddr, &[u8])> {
    let length = usize::from(u16::from_be_bytes(*packet.get(4..)?.first_chunk()?));
    let address = |at: usize| Some(Ipv6Addr::from(*packet.get(at..)?.first_chunk::<16>()?).into());
    (*packet.get(6)? == TCP).then_some(())?;
    Some((address(8)?, address(24)?, packet.get(40..40 + length)?))
}
