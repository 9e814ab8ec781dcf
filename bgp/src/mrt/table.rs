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
        let entries: Vec<Entry> = route
            .paths
            .iter()
            .filter(|path| !path.reason.is_rejected())
            .filter_map(|path| self.entry(path, family(route.prefix)))
            .collect();
        let ids = if entries.iter().any(|e| e.path_id != 0) { PathIds::Present } else { PathIds::Absent };
        for entries in entries.chunks(usize::from(u16::MAX)) {
            self.put_entries(route.prefix, entries, ids, out);
        }
    }

    /// `None`: the peer is not in the index, or the attributes are too long for a record.
    fn entry(&self, path: &PathView, family: Family) -> Option<Entry> {
        let attributes = packer::archived_attributes(&path.attributes, family);
        Some(Entry {
            peer: self.place(path.peer)?,
            learned: seconds(self.epoch.saturating_add(path.learned.0)),
            path_id: path.path_id,
            length: attributes.len().try_into().ok()?,
            attributes,
        })
    }

    fn put_entries(&mut self, prefix: IpNet, entries: &[Entry], ids: PathIds, out: &mut BytesMut) {
        let subtype = match (prefix, ids) {
            (IpNet::V4(_), PathIds::Absent) => subtype::RIB_IPV4_UNICAST,
            (IpNet::V6(_), PathIds::Absent) => subtype::RIB_IPV6_UNICAST,
            (IpNet::V4(_), PathIds::Present) => subtype::RIB_IPV4_UNICAST_ADDPATH,
            (IpNet::V6(_), PathIds::Present) => subtype::RIB_IPV6_UNICAST_ADDPATH,
        };
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        record(self.time, kind::TABLE_DUMP_V2, subtype, out, |out| {
            out.put_u32(sequence);
            packer::prefix(prefix, out);
            out.put_u16(entries.len().try_into().unwrap_or(u16::MAX));
            for entry in entries {
                out.put_u16(entry.peer);
                out.put_u32(entry.learned);
                if ids == PathIds::Present {
                    out.put_u32(entry.path_id);
                }
                out.put_u16(entry.length);
                out.put_slice(&entry.attributes);
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

/// One path of a record.
struct Entry {
    peer: u16,
    learned: u32,
    path_id: u32,
    length: u16,
    attributes: Vec<u8>,
}

fn family(prefix: IpNet) -> Family {
    match prefix {
        IpNet::V4(_) => Family::Ipv4Unicast,
        IpNet::V6(_) => Family::Ipv6Unicast,
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        core::Freshness,
        decision::Reason,
        wire::attribute::{AsPath, NextHop, Origin, PathAttributes},
    };

    fn path(path_id: u32, reason: Reason) -> PathView {
        let attributes = Arc::new(PathAttributes {
            origin: Origin::Igp,
            as_path: AsPath::default(),
            next_hop: NextHop::V4([192, 0, 2, 2].into()),
            med: None,
            local_pref: None,
            atomic_aggregate: false,
            rare: None,
        });
        PathView {
            peer: Some(PeerId(3)),
            path_id,
            received: attributes.clone(),
            attributes,
            learned: Now(Duration::from_secs(5)),
            freshness: Freshness::Fresh,
            reason,
        }
    }

    /// Subtype and body of the one record of a route with these paths.
    fn recorded(paths: Vec<PathView>) -> (u8, Vec<u8>) {
        let collector = Collector { router_id: RouterId([192, 0, 2, 1].into()), asn: Asn(64512) };
        let peer = IndexedPeer {
            id: PeerId(3),
            router_id: RouterId([192, 0, 2, 2].into()),
            address: [192, 0, 2, 2].into(),
            asn: Asn(64600),
        };
        let mut out = BytesMut::new();
        let mut dump = TableDump::begin(
            collector,
            &[peer],
            Now(Duration::from_secs(10)),
            Duration::from_secs(1000),
            &mut out,
        );
        out.clear();
        dump.put(&[RouteView { prefix: "10.0.0.0/8".parse().expect("a prefix"), paths }], &mut out);
        (out[7], out[12..].to_vec())
    }

    #[test]
    fn records_name_their_paths_where_a_peer_sends_several() {
        let (subtype, body) =
            recorded(vec![path(7, Reason::Best), path(9, Reason::Lost(crate::decision::Step::LocalPref))]);
        assert_eq!(subtype, 8);
        // Sequence, prefix, two entries: peer 1, learned at 995, its identifier.
        assert_eq!(body[..18], [0, 0, 0, 0, 8, 10, 0, 2, 0, 1, 0, 0, 3, 0xe3, 0, 0, 0, 7]);
        assert_eq!(body.windows(4).filter(|octets| *octets == [0, 0, 0, 9]).count(), 1);
    }

    #[test]
    fn refused_paths_are_left_out_and_plain_ones_have_no_identifier() {
        let (subtype, body) = recorded(vec![path(0, Reason::Best), path(0, Reason::AsLoop)]);
        assert_eq!((subtype, &body[..14]), (2, &[0, 0, 0, 0, 8, 10, 0, 1, 0, 1, 0, 0, 3, 0xe3][..]));
    }
}
