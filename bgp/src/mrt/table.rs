//! What the tables hold: TABLE_DUMP_V2 (RFC 6396 section 4.3, RFC 8050 section 4).

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use bytes::{BufMut, BytesMut};
use ipnet::IpNet;

use super::{kind, put_address, record, seconds};
use crate::{
    core::{PathView, RouteView},
    types::{Asn, Family, Now, PeerId, RouterId},
    wire::{context::PathIds, packer},
};

/// Subtypes of TABLE_DUMP_V2.
mod subtype {
    pub(super) const PEER_INDEX_TABLE: u16 = 1;
    pub(super) const RIB_IPV4_UNICAST: u16 = 2;
    pub(super) const RIB_IPV6_UNICAST: u16 = 4;
    pub(super) const RIB_IPV4_UNICAST_ADDPATH: u16 = 8;
    pub(super) const RIB_IPV6_UNICAST_ADDPATH: u16 = 10;
}

/// A peer as the index names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexedPeer {
    /// Its id.
    pub id: PeerId,
    /// Its BGP Identifier; 0.0.0.0 when no session has shown it yet.
    pub router_id: RouterId,
    /// Its address.
    pub address: IpAddr,
    /// Its AS number.
    pub asn: Asn,
}

/// Whose tables these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collector {
    /// Our BGP Identifier.
    pub router_id: RouterId,
    /// Our AS number.
    pub asn: Asn,
}

/// A dump under way. Routes of ours stand under index 0, with the address 0.0.0.0.
#[derive(Clone, Debug)]
pub struct TableDump {
    time: u32,
    epoch: Duration,
    index: BTreeMap<PeerId, u16>,
    sequence: u32,
}

impl TableDump {
    /// Begins a dump at `now`, at which it is `unix` since 1970-01-01T00:00:00Z, and appends the index of peers. Peers
    /// beyond the 65535th, and those that come later, are left out with their routes.
    pub fn begin(
        collector: Collector,
        peers: &[IndexedPeer],
        now: Now,
        unix: Duration,
        out: &mut BytesMut,
    ) -> Self {
        let ours = IndexedPeer {
            id: PeerId(u32::MAX),
            router_id: collector.router_id,
            address: Ipv4Addr::UNSPECIFIED.into(),
            asn: collector.asn,
        };
        let known: Vec<IndexedPeer> =
            std::iter::once(ours).chain(peers.iter().copied()).take(usize::from(u16::MAX)).collect();
        let time = seconds(unix);
        record(time, kind::TABLE_DUMP_V2, subtype::PEER_INDEX_TABLE, out, |out| {
            const NO_VIEW_NAME: u16 = 0;
            out.put_slice(&collector.router_id.0.octets());
            out.put_u16(NO_VIEW_NAME);
            out.put_u16(known.len().try_into().unwrap_or(u16::MAX));
            known.iter().for_each(|peer| put_peer(peer, out));
        });
        let index = (0..).zip(&known).skip(1).map(|(index, peer)| (peer.id, index)).collect();
        Self { time, epoch: unix.saturating_sub(now.0), index, sequence: 0 }
    }

    /// Appends the records of some routes: their accepted paths, as the import policy left them, the best first.
    pub fn put(&mut self, routes: &[RouteView], out: &mut BytesMut) {
        routes.iter().for_each(|route| self.put_route(route, out));
    }

    fn put_route(&mut self, route: &RouteView, out: &mut BytesMut) {
        let entries: Vec<(u16, &PathView)> = route
            .paths
            .iter()
            .filter(|path| !path.reason.is_rejected())
            .filter_map(|path| Some((self.place(path.peer)?, path)))
            .collect();
        let ids = if entries.iter().any(|(_, path)| path.path_id != 0) {
            PathIds::Present
        } else {
            PathIds::Absent
        };
        for entries in entries.chunks(usize::from(u16::MAX)) {
            self.put_entries(route.prefix, entries, ids, out);
        }
    }

    fn put_entries(&mut self, prefix: IpNet, entries: &[(u16, &PathView)], ids: PathIds, out: &mut BytesMut) {
        let (family, subtype) = match (prefix, ids) {
            (IpNet::V4(_), PathIds::Absent) => (Family::Ipv4Unicast, subtype::RIB_IPV4_UNICAST),
            (IpNet::V6(_), PathIds::Absent) => (Family::Ipv6Unicast, subtype::RIB_IPV6_UNICAST),
            (IpNet::V4(_), PathIds::Present) => (Family::Ipv4Unicast, subtype::RIB_IPV4_UNICAST_ADDPATH),
            (IpNet::V6(_), PathIds::Present) => (Family::Ipv6Unicast, subtype::RIB_IPV6_UNICAST_ADDPATH),
        };
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        record(self.time, kind::TABLE_DUMP_V2, subtype, out, |out| {
            out.put_u32(sequence);
            packer::prefix(prefix, out);
            out.put_u16(entries.len().try_into().unwrap_or(u16::MAX));
            for (index, path) in entries {
                let attributes = packer::archived_attributes(&path.attributes, family);
                out.put_u16(*index);
                out.put_u32(seconds(self.epoch.saturating_add(path.learned.0)));
                if ids == PathIds::Present {
                    out.put_u32(path.path_id);
                }
                out.put_u16(attributes.len().try_into().unwrap_or(u16::MAX));
                out.put_slice(attributes.get(..usize::from(u16::MAX)).unwrap_or(&attributes));
            }
        });
    }

    fn place(&self, peer: Option<PeerId>) -> Option<u16> {
        match peer {
            None => Some(0),
            Some(peer) => self.index.get(&peer).copied(),
        }
    }
}

fn put_peer(peer: &IndexedPeer, out: &mut BytesMut) {
    const IPV6: u8 = 1;
    const FOUR_OCTET_ASN: u8 = 2;
    out.put_u8(FOUR_OCTET_ASN | if peer.address.is_ipv6() { IPV6 } else { 0 });
    out.put_slice(&peer.router_id.0.octets());
    put_address(peer.address, out);
    out.put_u32(peer.asn.0);
}
