//! One collector's place in the story.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use ipnet::IpNet;

use super::{
    message::{self, DownReason, PeerHeader, PeerUp, Statistic, Table},
    session::{MonitoredPeer, SessionRecord, loc_rib_open},
};
use crate::{
    core::{Core, WatchFigures, WatchId, WatchItem, WatchSettings, WatchedTable, Work},
    types::{Families, Family, Now, PeerId, PeerType},
    wire::{
        EncodeContext,
        attribute::PathAttributes,
        context::MAX_EXTENDED_MESSAGE,
        framer,
        nlri::{Nlri, NlriList},
        packer,
    },
};

pub use crate::core::Overtaken as TooSlow;

/// Changed paths remembered for a collector, per family; beyond it, it starts over.
const MOST_MARKS: usize = 1 << 18;
/// Paths encoded at once.
const ITEMS: usize = 1024;
/// Octets after which a portion is handed out.
const PORTION: usize = 64 * 1024;

/// What a collector is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exports {
    /// Which tables.
    pub tables: BTreeSet<WatchedTable>,
    /// Interval of statistics reports; `None`: none are sent.
    pub statistics: Option<Duration>,
    /// `sysName` of the Initiation message.
    pub name: String,
    /// `sysDescr` of the Initiation message.
    pub description: String,
}

/// One BMP session: what the collector has been told, and what is next.
#[derive(Debug)]
pub struct Exporter {
    exports: Exports,
    watch: WatchId,
    /// The time at [`Now`] zero, since 1970-01-01T00:00:00Z.
    epoch: Duration,
    told: BTreeMap<PeerId, Arc<SessionRecord>>,
    loc_rib: Option<Arc<LocRib>>,
    report_at: Option<Now>,
    /// Whether the next poll begins the session.
    opening: Option<Opening>,
}

/// The session has not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Opening;

/// The "session" of the Loc-RIB.
#[derive(Debug)]
struct LocRib {
    header: PeerHeader,
    open: Bytes,
}

/// Routes to be packed together: of one table and peer, with the same attributes or none.
#[derive(Debug)]
struct Group {
    table: WatchedTable,
    peer: Option<PeerId>,
    attributes: Option<Arc<PathAttributes>>,
    learned: Now,
    prefixes: Vec<Nlri<IpNet>>,
}

impl Exporter {
    /// A session that begins at `now`, at which it is `unix` since 1970-01-01T00:00:00Z.
    pub fn new(exports: Exports, core: &mut Core, now: Now, unix: Duration) -> Self {
        let settings = WatchSettings { tables: exports.tables.clone(), most_marks: MOST_MARKS };
        let loc_rib = exports.tables.contains(&WatchedTable::LocRib).then(|| Arc::new(loc_rib(core, unix)));
        Self {
            report_at: exports.statistics.map(|interval| now.plus(interval)),
            watch: core.watch(settings),
            epoch: unix.saturating_sub(now.0),
            told: BTreeMap::new(),
            loc_rib,
            opening: Some(Opening),
            exports,
        }
    }

    /// Has the core forget this session.
    pub fn end(self, core: &mut Core) {
        core.unwatch(self.watch);
    }

    /// When statistics are due.
    pub fn poll_timeout(&self) -> Option<Now> {
        self.report_at
    }

    /// How far behind it is.
    pub fn figures(&self, core: &Core) -> WatchFigures {
        core.watch_figures(self.watch)
    }

    /// Appends whole messages, about 64 KiB of them, in the order to be sent; [`Work::Pending`]: there is more.
    ///
    /// # Errors
    /// [`TooSlow`]: the session must be closed.
    pub fn poll(
        &mut self,
        now: Now,
        core: &mut Core,
        peers: &BTreeMap<PeerId, MonitoredPeer>,
        out: &mut BytesMut,
    ) -> Result<Work, TooSlow> {
        self.open(out);
        self.follow_sessions(core, peers, now, out);
        self.report(now, core, out);
        let mut items = Vec::new();
        let mut work = Work::Pending;
        while work == Work::Pending && out.len() < PORTION {
            items.clear();
            work = core.poll_watch(self.watch, ITEMS, &mut items)?;
            self.put_items(&items, out);
            if items.is_empty() {
                break;
            }
        }
        Ok(work)
    }

    fn open(&mut self, out: &mut BytesMut) {
        if self.opening.take().is_none() {
            return;
        }
        message::initiation(&self.exports.name, &self.exports.description, out);
        if let Some(loc_rib) = &self.loc_rib {
            let nowhere = ([0; 4], 0).into();
            let up = PeerUp {
                local: nowhere,
                remote_port: 0,
                sent_open: &loc_rib.open,
                received_open: &loc_rib.open,
            };
            message::peer_up(&loc_rib.header, &up, out);
        }
    }

    /// Whether tables of peers, not only the Loc-RIB, are told.
    fn tells_peers(&self) -> bool {
        self.exports.tables.iter().any(|t| *t != WatchedTable::LocRib)
    }

    /// Peer Down for what has ended since, then Peer Up for what has begun.
    fn follow_sessions(
        &mut self,
        core: &mut Core,
        peers: &BTreeMap<PeerId, MonitoredPeer>,
        now: Now,
        out: &mut BytesMut,
    ) {
        if !self.tells_peers() {
            return;
        }
        let unix = self.epoch.saturating_add(now.0);
        let is_current = |id: &PeerId, told: &Arc<SessionRecord>| {
            peers.get(id).and_then(|p| p.up.as_ref()).is_some_and(|up| Arc::ptr_eq(up, told))
        };
        for (id, told) in self.told.extract_if(.., |id, told| !is_current(id, told)) {
            core.unwatch_peer(self.watch, id);
            let reason = match peers.get(&id) {
                Some(peer) => peer.ended.clone().unwrap_or(DownReason::Lost),
                None => DownReason::Deconfigured,
            };
            message::peer_down(&told.header(Table::PrePolicy, unix), &reason, out);
        }
        for (id, record) in peers.iter().filter_map(|(id, peer)| Some((*id, peer.up.as_ref()?))) {
            if let std::collections::btree_map::Entry::Vacant(place) = self.told.entry(id) {
                place.insert(record.clone());
                core.watch_peer(self.watch, id, record.negotiated.families);
                message::peer_up(&record.header(Table::PrePolicy, record.since), &record.peer_up(), out);
            }
        }
    }

    fn report(&mut self, now: Now, core: &Core, out: &mut BytesMut) {
        let Some(interval) = self.exports.statistics.filter(|_| self.report_at.is_some_and(|at| at <= now))
        else {
            return;
        };
        self.report_at = Some(now.plus(interval));
        let unix = self.epoch.saturating_add(now.0);
        for (id, told) in &self.told {
            let figures = peer_figures(core, *id, told.negotiated.families);
            message::statistics(&told.header(Table::PrePolicy, unix), &figures, out);
        }
        if let Some(loc_rib) = &self.loc_rib {
            let header = PeerHeader { time: unix, ..loc_rib.header };
            message::statistics(&header, &table_figures(core), out);
        }
    }

    fn put_items(&self, items: &[WatchItem], out: &mut BytesMut) {
        let mut groups: Vec<Group> = Vec::new();
        let mut places: BTreeMap<(WatchedTable, Option<PeerId>, Family, usize), usize> = BTreeMap::new();
        for item in items {
            let (table, peer, prefix, path_id, attributes, learned) = match item {
                WatchItem::Route { table, peer, prefix, path_id, attributes, learned } => {
                    (*table, *peer, *prefix, *path_id, Some(attributes), *learned)
                }
                WatchItem::Withdrawn { table, peer, prefix, path_id } => {
                    (*table, *peer, *prefix, *path_id, None, Now::default())
                }
                WatchItem::Complete { table, peer, family } => {
                    groups.drain(..).for_each(|group| self.put_group(&group, out));
                    places.clear();
                    self.put_end_of_rib(*table, *peer, *family, out);
                    continue;
                }
            };
            let set = attributes.map_or(0, |a| Arc::as_ptr(a).addr());
            let place = *places.entry((table, peer, family(prefix), set)).or_insert_with(|| {
                let attributes = attributes.cloned();
                groups.push(Group { table, peer, attributes, learned, prefixes: Vec::new() });
                groups.len() - 1
            });
            if let Some(group) = groups.get_mut(place) {
                group.prefixes.push(Nlri { prefix, path_id });
                group.learned = group.learned.max(learned);
            }
        }
        groups.iter().for_each(|group| self.put_group(group, out));
    }

    fn put_group(&self, group: &Group, out: &mut BytesMut) {
        let learned =
            group.attributes.as_ref().map_or(Duration::ZERO, |_| self.epoch.saturating_add(group.learned.0));
        let Some((header, context)) = self.header(group.table, group.peer, learned) else { return };
        let mut updates = BytesMut::new();
        match split(&group.prefixes) {
            [Some(NlriList::V4(list)), _] => pack(group.attributes.as_deref(), list, &context, &mut updates),
            [_, Some(NlriList::V6(list))] => pack(group.attributes.as_deref(), list, &context, &mut updates),
            _ => {}
        }
        put_updates(&header, &updates, out);
    }

    fn put_end_of_rib(&self, table: WatchedTable, peer: Option<PeerId>, family: Family, out: &mut BytesMut) {
        let Some((header, _)) = self.header(table, peer, Duration::ZERO) else { return };
        let mut update = BytesMut::new();
        packer::end_of_rib(family, &mut update);
        message::route_monitoring(&header, &update, out);
    }

    /// What a message about a table begins with, and how its UPDATE is written.
    fn header(
        &self,
        table: WatchedTable,
        peer: Option<PeerId>,
        time: Duration,
    ) -> Option<(PeerHeader, EncodeContext)> {
        let Some(peer) = peer else {
            let header = PeerHeader { time, ..self.loc_rib.as_ref()?.header };
            return Some((header, context(Families::NONE, MAX_EXTENDED_MESSAGE)));
        };
        let told = self.told.get(&peer)?;
        let table = if table == WatchedTable::Accepted { Table::PostPolicy } else { Table::PrePolicy };
        Some((told.header(table, time), context(told.add_path(), told.negotiated.max_message)))
    }
}

/// Everything is written, as to an internal peer with 4-octet AS numbers that takes any next hop.
fn context(add_path: Families, max_message: usize) -> EncodeContext {
    let ipv6_next_hops = Families::from_iter(Family::ALL);
    EncodeContext {
        peer_type: PeerType::Internal,
        four_octet_asn: true,
        max_message,
        add_path,
        ipv6_next_hops,
    }
}

fn loc_rib(core: &Core, time: Duration) -> LocRib {
    let config = core.config();
    let (asn, router_id) = (config.asn, config.router_id);
    let header = PeerHeader { table: Table::LocRib, address: [0; 4].into(), asn, router_id, time };
    LocRib { header, open: loc_rib_open(asn, router_id, Families::from_iter(Family::ALL)) }
}

fn peer_figures(core: &Core, peer: PeerId, families: Families) -> Vec<Statistic> {
    let counts: Vec<_> = families.iter().map(|f| (f, core.counts(peer, f))).collect();
    let received = counts.iter().map(|(_, c)| u64::from(c.received)).sum();
    let advertised = counts.iter().map(|(_, c)| u64::from(c.advertised)).sum();
    let mut figures = vec![Statistic::AdjRibIn(received)];
    figures.extend(counts.iter().map(|(f, c)| Statistic::AdjRibInOf(*f, c.received.into())));
    figures.push(Statistic::AdjRibOut(advertised));
    figures.extend(counts.iter().map(|(f, c)| Statistic::AdjRibOutOf(*f, c.advertised.into())));
    figures
}

fn table_figures(core: &Core) -> Vec<Statistic> {
    let counts = Family::ALL.map(|f| (f, core.prefixes(f) as u64));
    let mut figures = vec![Statistic::LocRib(counts.iter().map(|(_, n)| n).sum())];
    figures.extend(counts.map(|(f, n)| Statistic::LocRibOf(f, n)));
    figures
}

fn family(prefix: IpNet) -> Family {
    match prefix {
        IpNet::V4(_) => Family::Ipv4Unicast,
        IpNet::V6(_) => Family::Ipv6Unicast,
    }
}

/// The prefixes of each family.
fn split(prefixes: &[Nlri<IpNet>]) -> [Option<NlriList>; 2] {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for nlri in prefixes {
        match nlri.prefix {
            IpNet::V4(prefix) => v4.push(Nlri { prefix, path_id: nlri.path_id }),
            IpNet::V6(prefix) => v6.push(Nlri { prefix, path_id: nlri.path_id }),
        }
    }
    let some = |list: NlriList| (!list.is_empty()).then_some(list);
    [some(NlriList::V4(v4)), some(NlriList::V6(v6))]
}

/// Appends UPDATEs. A route that fits no UPDATE could not have come in one.
fn pack<P: crate::wire::nlri::WirePrefix>(
    attributes: Option<&PathAttributes>,
    prefixes: Vec<Nlri<P>>,
    context: &EncodeContext,
    out: &mut BytesMut,
) {
    match attributes {
        None => packer::unreach(prefixes, context, out),
        Some(attributes) => {
            if packer::reach(attributes, prefixes.iter().copied(), context, out).is_err() {
                packer::unreach(prefixes, context, out);
            }
        }
    }
}

/// One Route Monitoring message for each UPDATE.
fn put_updates(header: &PeerHeader, mut updates: &[u8], out: &mut BytesMut) {
    while let Ok(Some(length)) = framer::message_length(updates, MAX_EXTENDED_MESSAGE) {
        let Some((update, rest)) = updates.split_at_checked(length) else { return };
        message::route_monitoring(header, update, out);
        updates = rest;
    }
}
