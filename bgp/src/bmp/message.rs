//! BMP messages to octets (RFC 7854 section 4, RFC 9069).

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use bytes::{BufMut, BytesMut};

use crate::{
    types::{Asn, Family, RouterId},
    wire::{Notification, encode},
};

const VERSION: u8 = 3;
/// Octets of the common header.
const COMMON: usize = 6;

/// Message types (RFC 7854 section 4.1).
mod kind {
    pub(super) const ROUTE_MONITORING: u8 = 0;
    pub(super) const STATISTICS: u8 = 1;
    pub(super) const PEER_DOWN: u8 = 2;
    pub(super) const PEER_UP: u8 = 3;
    pub(super) const INITIATION: u8 = 4;
    pub(super) const TERMINATION: u8 = 5;
}

/// Information TLVs (RFC 7854 section 4.4).
mod tlv {
    pub(super) const SYS_DESCR: u16 = 1;
    pub(super) const SYS_NAME: u16 = 2;
}

/// Whose routes a message is about (RFC 7854 section 4.2, RFC 9069 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Adj-RIB-In before the import policy.
    PrePolicy,
    /// Adj-RIB-In after it (L flag).
    PostPolicy,
    /// The Loc-RIB (peer type 3).
    LocRib,
}

/// The per-peer header (RFC 7854 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerHeader {
    /// Which table.
    pub table: Table,
    /// The peer's address; of no meaning for the Loc-RIB.
    pub address: IpAddr,
    /// Its AS number; our own for the Loc-RIB.
    pub asn: Asn,
    /// Its BGP Identifier; our own for the Loc-RIB.
    pub router_id: RouterId,
    /// When it happened, since 1970-01-01T00:00:00Z.
    pub time: Duration,
}

impl PeerHeader {
    fn put(&self, out: &mut BytesMut) {
        const V: u8 = 0x80;
        const L: u8 = 0x40;
        let family = if self.address.is_ipv6() { V } else { 0 };
        let (peer_type, flags) = match self.table {
            Table::PrePolicy => (0, family),
            Table::PostPolicy => (0, family | L),
            Table::LocRib => (3, 0),
        };
        out.put_slice(&[peer_type, flags]);
        out.put_u64(0);
        let address = if self.table == Table::LocRib { Ipv4Addr::UNSPECIFIED.into() } else { self.address };
        put_address(address, out);
        out.put_u32(self.asn.0);
        out.put_slice(&self.router_id.0.octets());
        out.put_u32(u32::try_from(self.time.as_secs()).unwrap_or(u32::MAX));
        out.put_u32(self.time.subsec_micros());
    }
}

/// An IPv4 address fills the last four of sixteen octets.
fn put_address(address: IpAddr, out: &mut BytesMut) {
    match address {
        IpAddr::V4(address) => {
            out.put_slice(&[0; 12]);
            out.put_slice(&address.octets());
        }
        IpAddr::V6(address) => out.put_slice(&address.octets()),
    }
}

/// Why a session ended (RFC 7854 section 4.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DownReason {
    /// We sent this NOTIFICATION.
    Sent(Notification),
    /// We closed without a word, upon this event of RFC 4271 section 8.1.
    Closed {
        /// The event's number; 0 when none fits.
        event: u16,
    },
    /// The peer sent this NOTIFICATION.
    Received(Notification),
    /// The peer closed without a word, or the transport failed.
    Lost,
    /// The peer is not monitored any more.
    Deconfigured,
}

/// What a collector is told about a session that came up (RFC 7854 section 4.10).
#[derive(Clone, Copy, Debug)]
pub struct PeerUp<'a> {
    /// Our end.
    pub local: SocketAddr,
    /// The peer's port.
    pub remote_port: u16,
    /// The OPEN we sent, with its header.
    pub sent_open: &'a [u8],
    /// The OPEN we received, with its header.
    pub received_open: &'a [u8],
}

/// One figure of a statistics report (RFC 7854 section 4.8, RFC 8671 section 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// Routes in Adj-RIB-In, all families (type 7).
    AdjRibIn(u64),
    /// Routes in Loc-RIB, all families (type 8).
    LocRib(u64),
    /// Routes in Adj-RIB-In of one family (type 9).
    AdjRibInOf(Family, u64),
    /// Routes in Loc-RIB of one family (type 10).
    LocRibOf(Family, u64),
    /// Routes in Adj-RIB-Out after the export policy, all families (type 15).
    AdjRibOut(u64),
    /// Routes in Adj-RIB-Out after the export policy, one family (type 17).
    AdjRibOutOf(Family, u64),
}

impl Statistic {
    fn put(self, out: &mut BytesMut) {
        let (code, family, value) = match self {
            Self::AdjRibIn(value) => (7, None, value),
            Self::LocRib(value) => (8, None, value),
            Self::AdjRibInOf(family, value) => (9, Some(family), value),
            Self::LocRibOf(family, value) => (10, Some(family), value),
            Self::AdjRibOut(value) => (15, None, value),
            Self::AdjRibOutOf(family, value) => (17, Some(family), value),
        };
        out.put_u16(code);
        out.put_u16(if family.is_some() { 11 } else { 8 });
        if let Some(family) = family {
            out.put_u16(family.afi());
            out.put_u8(family.safi());
        }
        out.put_u64(value);
    }
}

/// Appends the first message of a BMP session: who we are.
pub fn initiation(name: &str, description: &str, out: &mut BytesMut) {
    message(kind::INITIATION, out, |out| {
        put_tlv(tlv::SYS_DESCR, description.as_bytes(), out);
        put_tlv(tlv::SYS_NAME, name.as_bytes(), out);
    });
}

/// Appends the last message of a BMP session: administratively closed.
pub fn termination(out: &mut BytesMut) {
    const REASON: u16 = 1;
    const ADMINISTRATIVELY_CLOSED: [u8; 2] = [0, 0];
    message(kind::TERMINATION, out, |out| put_tlv(REASON, &ADMINISTRATIVELY_CLOSED, out));
}

/// Appends a Peer Up. That of the Loc-RIB goes without the optional table name (RFC 9069 section 5.3), which readers
/// take for one more BGP message.
pub fn peer_up(header: &PeerHeader, up: &PeerUp<'_>, out: &mut BytesMut) {
    message(kind::PEER_UP, out, |out| {
        header.put(out);
        put_address(up.local.ip(), out);
        out.put_u16(up.local.port());
        out.put_u16(up.remote_port);
        out.put_slice(up.sent_open);
        out.put_slice(up.received_open);
    });
}

/// Appends a Peer Down, which withdraws all routes of that peer and table.
pub fn peer_down(header: &PeerHeader, reason: &DownReason, out: &mut BytesMut) {
    message(kind::PEER_DOWN, out, |out| {
        header.put(out);
        match reason {
            DownReason::Sent(notification) => {
                out.put_u8(1);
                encode::notification(notification, out);
            }
            DownReason::Closed { event } => {
                out.put_u8(2);
                out.put_u16(*event);
            }
            DownReason::Received(notification) => {
                out.put_u8(3);
                encode::notification(notification, out);
            }
            DownReason::Lost => out.put_u8(4),
            DownReason::Deconfigured => out.put_u8(5),
        }
    });
}

/// Appends a Route Monitoring message with one whole UPDATE.
pub fn route_monitoring(header: &PeerHeader, update: &[u8], out: &mut BytesMut) {
    message(kind::ROUTE_MONITORING, out, |out| {
        header.put(out);
        out.put_slice(update);
    });
}

/// Appends a Statistics Report.
pub fn statistics(header: &PeerHeader, figures: &[Statistic], out: &mut BytesMut) {
    message(kind::STATISTICS, out, |out| {
        header.put(out);
        out.put_u32(u32::try_from(figures.len()).unwrap_or(u32::MAX));
        figures.iter().for_each(|figure| figure.put(out));
    });
}

/// How many messages these octets, which begin with a message and end with one, are.
pub fn count(mut octets: &[u8]) -> u64 {
    let mut messages: u64 = 0;
    while let Some([_, a, b, c, d, _]) = octets.first_chunk::<COMMON>() {
        let length = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).unwrap_or(usize::MAX).max(COMMON);
        messages = messages.saturating_add(1);
        octets = octets.get(length..).unwrap_or_default();
    }
    messages
}

/// A value too long for its length field is cut.
fn put_tlv(code: u16, value: &[u8], out: &mut BytesMut) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    out.put_u16(code);
    out.put_u16(length);
    out.put_slice(value.get(..usize::from(length)).unwrap_or(value));
}

fn message(kind: u8, out: &mut BytesMut, put_body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u8(VERSION);
    out.put_u32(0);
    out.put_u8(kind);
    put_body(out);
    let length = u32::try_from(out.len().saturating_sub(start)).unwrap_or(u32::MAX);
    if let Some(field) = out.get_mut(start.saturating_add(1)..start.saturating_add(COMMON - 1)) {
        field.copy_from_slice(&length.to_be_bytes());
    }
}
