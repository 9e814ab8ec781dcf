//! What was heard: BGP4MP_ET records (RFC 6396 sections 3 and 4.4, RFC 8050 section 3), with microseconds.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use bytes::{BufMut, BytesMut};

use super::{kind, put_address, record, seconds};
use crate::{fsm::State, types::Asn, wire::context::PathIds};

/// Subtypes of BGP4MP.
mod subtype {
    pub(super) const MESSAGE: u16 = 1;
    pub(super) const MESSAGE_AS4: u16 = 4;
    pub(super) const STATE_CHANGE_AS4: u16 = 5;
    pub(super) const MESSAGE_ADDPATH: u16 = 8;
    pub(super) const MESSAGE_AS4_ADDPATH: u16 = 9;
}

/// Both ends of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The peer's AS number.
    pub peer_asn: Asn,
    /// Ours.
    pub local_asn: Asn,
    /// The peer's address.
    pub peer: IpAddr,
    /// Ours; `None`: not known before there is a connection.
    pub local: Option<IpAddr>,
}

/// How the octets of a message are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// Width of AS numbers in AS_PATH.
    pub as_numbers: AsNumbers,
    /// Whether prefixes come with path identifiers.
    pub path_ids: PathIds,
}

/// Width of AS numbers (RFC 6793).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsNumbers {
    /// 2 octets.
    Two,
    /// 4 octets.
    Four,
}

impl Encoding {
    fn subtype(self) -> u16 {
        match (self.as_numbers, self.path_ids) {
            (AsNumbers::Two, PathIds::Absent) => subtype::MESSAGE,
            (AsNumbers::Four, PathIds::Absent) => subtype::MESSAGE_AS4,
            (AsNumbers::Two, PathIds::Present) => subtype::MESSAGE_ADDPATH,
            (AsNumbers::Four, PathIds::Present) => subtype::MESSAGE_AS4_ADDPATH,
        }
    }
}

/// Appends a record of a message received, whole with its header. `unix` is the time since 1970-01-01T00:00:00Z.
pub fn received(unix: Duration, ends: &Ends, encoding: Encoding, message: &[u8], out: &mut BytesMut) {
    record(seconds(unix), kind::BGP4MP_ET, encoding.subtype(), out, |out| {
        out.put_u32(unix.subsec_micros());
        put_ends(ends, encoding.as_numbers, out);
        out.put_slice(message);
    });
}

/// Appends a record of a change of state.
pub fn state_change(unix: Duration, ends: &Ends, from: State, to: State, out: &mut BytesMut) {
    record(seconds(unix), kind::BGP4MP_ET, subtype::STATE_CHANGE_AS4, out, |out| {
        out.put_u32(unix.subsec_micros());
        put_ends(ends, AsNumbers::Four, out);
        out.put_u16(state_code(from));
        out.put_u16(state_code(to));
    });
}

fn put_ends(ends: &Ends, as_numbers: AsNumbers, out: &mut BytesMut) {
    for asn in [ends.peer_asn, ends.local_asn] {
        match as_numbers {
            AsNumbers::Two => out.put_u16(asn.as_two_octets()),
            AsNumbers::Four => out.put_u32(asn.0),
        }
    }
    const INTERFACE_UNKNOWN: u16 = 0;
    out.put_u16(INTERFACE_UNKNOWN);
    let (family, unspecified): (u16, IpAddr) = match ends.peer {
        IpAddr::V4(_) => (1, Ipv4Addr::UNSPECIFIED.into()),
        IpAddr::V6(_) => (2, Ipv6Addr::UNSPECIFIED.into()),
    };
    out.put_u16(family);
    put_address(ends.peer, out);
    put_address(
        ends.local.filter(|local| local.is_ipv4() == ends.peer.is_ipv4()).unwrap_or(unspecified),
        out,
    );
}

/// RFC 6396 section 4.4.1.
fn state_code(state: State) -> u16 {
    match state {
        State::Idle => 1,
        State::Connect => 2,
        State::Active => 3,
        State::OpenSent => 4,
        State::OpenConfirm => 5,
        State::Established => 6,
    }
}
