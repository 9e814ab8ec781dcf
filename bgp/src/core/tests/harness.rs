//! A core with peers that decode what they are sent, next hops that answer, and a forwarding table.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
    num::NonZeroU16,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use ipnet::IpNet;

use super::super::*;
pub(super) use crate::event::Reachability;
use crate::{
    config::{Offer, Reflection},
    event::{Extensions, Negotiated, PeerLongLived, PeerRestart, Retention, SessionAddresses, Through},
    types::{Asn, PeerType, PerFamily, RouterId},
    wire::{
        self, DecodeContext, Message,
        as_path::AsPath,
        attribute::{NextHop, Origin, PathAttributes},
        nlri::Nlri,
    },
};

pub(super) const OWN_AS: Asn = Asn(64512);
pub(super) const OWN: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 100);

pub(super) fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// Peer `index` as seen on the wire.
pub(super) fn address(index: u32) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, 1 + index as u8)
}

pub(super) fn peer(index: u32, asn: Asn) -> PeerConfig {
    PeerConfig {
        families: Family::ALL.into_iter().collect(),
        ..PeerConfig::new(&format!("p{index}"), address(index).into(), asn)
    }
}

pub(super) fn client(index: u32) -> PeerConfig {
    PeerConfig { reflection: Reflection::Client, ..peer(index, OWN_AS) }
}

pub(super) fn config(peers: Vec<PeerConfig>) -> SpeakerConfig {
    let new = SpeakerConfig::new(OWN_AS, RouterId(OWN));
    SpeakerConfig { graceful_restart_time: Duration::ZERO, peers, ..new }
}

/// Attributes as a peer outside our AS sends them.
pub(super) fn attributes(next_hop: Ipv4Addr, path: &[u32]) -> PathAttributes {
    let path: Vec<_> = path.iter().map(|a| Asn(*a)).collect();
    PathAttributes {
        origin: Origin::Igp,
        as_path: AsPath::from_sequence(&path).unwrap(),
        next_hop: NextHop::V4(next_hop),
        med: None,
        local_pref: None,
        atomic_aggregate: false,
        rare: None,
    }
}

/// Attributes as a peer inside our AS sends them.
pub(super) fn internal(next_hop: Ipv4Addr) -> PathAttributes {
    PathAttributes { local_pref: Some(100), ..attributes(next_hop, &[]) }
}

fn list(prefixes: &[IpNet]) -> NlriList {
    fn of<P: Net>(prefixes: &[IpNet]) -> Vec<Nlri<P>> {
        prefixes.iter().filter_map(|p| P::of(*p)).map(Nlri::from).collect()
    }
    match prefixes.first() {
        Some(IpNet::V6(_)) => NlriList::V6(of(prefixes)),
        _ => NlriList::V4(of(prefixes)),
    }
}

/// What is agreed with a peer that offers, the other way round, whatever we do.
fn extensions(config: &PeerConfig) -> Extensions {
    let offered = &config.capabilities;
    let directions = offered.add_path.directions;
    Extensions {
        paths_received: if directions.receives() { config.families } else { Families::NONE },
        paths_sent: PerFamily::from_fn(|_| directions.sends().then_some(NonZeroU16::MAX)),
        enhanced_refresh: offered.enhanced_refresh == Offer::Announced,
        ipv6_next_hops: Families::NONE,
        long_lived: (!offered.long_lived_stale_time.is_zero()).then(|| PeerLongLived {
            stale_time: PerFamily::from_fn(|_| offered.long_lived_stale_time),
            forwarding: config.families,
        }),
    }
}

fn named(nlri: &NlriList) -> Vec<(IpNet, u32)> {
    match nlri {
        NlriList::V4(list) => list.iter().map(|n| (n.prefix.into(), n.path_id)).collect(),
        NlriList::V6(list) => list.iter().map(|n| (n.prefix.into(), n.path_id)).collect(),
    }
}

/// What a peer has learned from us over its session.
#[derive(Debug, Default)]
pub(super) struct Learned {
    pub(super) routes: BTreeMap<IpNet, PathAttributes>,
    /// The same by path identifier too.
    pub(super) paths: BTreeMap<(IpNet, u32), PathAttributes>,
    /// Subtypes of ROUTE-REFRESHs.
    pub(super) markers: Vec<u8>,
    pub(super) end_of_rib: Families,
    /// UPDATEs received.
    pub(super) messages: usize,
}

pub(super) struct Lab {
    pub(super) core: Core,
    pub(super) now: Now,
    pub(super) learned: BTreeMap<PeerId, Learned>,
    /// What is agreed with a peer, where that is not what its configuration says.
    pub(super) agreed: BTreeMap<u32, Negotiated>,
    pub(super) reachability: BTreeMap<IpAddr, Reachability>,
    /// The interface that leads to an address.
    pub(super) interfaces: BTreeMap<IpAddr, &'static str>,
    pub(super) through: BTreeMap<IpAddr, Through>,
    pub(super) watched: BTreeSet<IpAddr>,
    /// Next hops whose first answer takes until [`Lab::set_reachability`].
    pub(super) slow: BTreeSet<IpAddr>,
    pub(super) known_nodes: BTreeSet<IpAddr>,
    pub(super) actions: Vec<Action>,
    /// The first next hop of every route, and all of them with their weights.
    pub(super) fib: BTreeMap<IpNet, IpAddr>,
    pub(super) legs: BTreeMap<IpNet, Vec<(IpAddr, u16)>>,
    /// Prefixes that the forwarding table was told cannot be reached.
    pub(super) unreachable: std::collections::BTreeSet<IpNet>,
    /// Prefixes whose packets it was told to drop if it may.
    pub(super) discarded: std::collections::BTreeSet<IpNet>,
}

impl Lab {
    pub(super) fn new(config: SpeakerConfig) -> Self {
        let now = Now(Duration::from_secs(1000));
        Self {
            core: Core::new(config, now),
            now,
            learned: BTreeMap::new(),
            agreed: BTreeMap::new(),
            reachability: BTreeMap::new(),
            interfaces: BTreeMap::new(),
            through: BTreeMap::new(),
            watched: BTreeSet::new(),
            slow: BTreeSet::new(),
            known_nodes: BTreeSet::new(),
            actions: Vec::new(),
            fib: BTreeMap::new(),
            legs: BTreeMap::new(),
            unreachable: Default::default(),
            discarded: Default::default(),
        }
    }

    pub(super) fn negotiated(&self, index: u32, restart: Option<PeerRestart>) -> Negotiated {
        let (_, config) = self.core.peers().find(|(id, _)| id.0 == index).unwrap();
        if let Some(agreed) = self.agreed.get(&index) {
            return agreed.clone();
        }
        Negotiated {
            peer_asn: config.asn,
            peer_type: PeerType::of(config.switches.local_as.map_or(OWN_AS, |local| local.asn), config.asn),
            peer_id: RouterId(address(index)),
            families: config.families,
            four_octet_asn: true,
            route_refresh: true,
            hold_time: Duration::from_secs(90),
            max_message: 4096,
            graceful_restart: restart,
            extensions: extensions(config),
        }
    }

    pub(super) fn up_with(&mut self, index: u32, restart: Option<PeerRestart>) {
        let addresses = SessionAddresses::new(OWN.into(), address(index).into());
        let negotiated = self.negotiated(index, restart);
        self.learned.insert(PeerId(index), Learned::default());
        self.core.session_up(self.now, PeerId(index), negotiated, addresses);
    }

    pub(super) fn up(&mut self, index: u32) {
        self.up_with(index, None);
    }

    pub(super) fn down(&mut self, index: u32, how: Retention) {
        self.learned.remove(&PeerId(index));
        self.core.session_down(self.now, PeerId(index), how);
    }

    pub(super) fn item(&mut self, index: u32, item: RouteItem) {
        self.core.routes(self.now, PeerId(index), RouteBatch { items: vec![item] });
    }

    pub(super) fn announce(&mut self, index: u32, attributes: &PathAttributes, prefixes: &[&str]) {
        let prefixes: Vec<_> = prefixes.iter().map(|p| net(p)).collect();
        let attributes = Arc::new(attributes.clone());
        self.item(index, RouteItem::Reach { attributes, nlri: list(&prefixes) });
    }

    pub(super) fn announce_path(
        &mut self,
        index: u32,
        attributes: &PathAttributes,
        prefix: &str,
        path_id: u32,
    ) {
        let nlri = NlriList::V4(vec![Nlri { prefix: prefix.parse().unwrap(), path_id }]);
        self.item(index, RouteItem::Reach { attributes: Arc::new(attributes.clone()), nlri });
    }

    pub(super) fn withdraw_path(&mut self, index: u32, prefix: &str, path_id: u32) {
        let nlri = NlriList::V4(vec![Nlri { prefix: prefix.parse().unwrap(), path_id }]);
        self.item(index, RouteItem::Unreach(nlri));
    }

    pub(super) fn withdraw(&mut self, index: u32, prefixes: &[&str]) {
        let prefixes: Vec<_> = prefixes.iter().map(|p| net(p)).collect();
        self.item(index, RouteItem::Unreach(list(&prefixes)));
    }

    pub(super) fn end_of_rib(&mut self, index: u32) {
        self.item(index, RouteItem::EndOfRib(Family::Ipv4Unicast));
        self.item(index, RouteItem::EndOfRib(Family::Ipv6Unicast));
    }

    pub(super) fn originate(&mut self, prefixes: &[&str]) {
        self.core.originate(self.now, &prefixes.iter().map(|p| net(p)).collect());
    }

    pub(super) fn wait(&mut self, seconds: u64) {
        self.now = self.now.plus(Duration::from_secs(seconds));
        self.settle();
    }

    pub(super) fn reachable(&self, address: IpAddr) -> Reachability {
        self.reachability.get(&address).copied().unwrap_or(Reachability::Reachable { metric: 0 })
    }

    pub(super) fn set_reachability(&mut self, address: IpAddr, reachability: Reachability) {
        self.reachability.insert(address, reachability);
        if self.watched.contains(&address) {
            self.core.next_hop(self.now, address, self.report(address));
        }
    }

    fn report(&self, address: IpAddr) -> NextHopReport {
        let interfaces = self.interfaces.get(&address).map(|name| Arc::from(*name));
        let through = self.through.get(&address).copied().unwrap_or(Through::Link);
        let interfaces = interfaces.into_iter().collect();
        NextHopReport { reachability: self.reachable(address), interfaces, through }
    }

    pub(super) fn set_through(&mut self, address: IpAddr, through: Through) {
        self.through.insert(address, through);
        self.set_reachability(address, self.reachable(address));
    }

    pub(super) fn set_interface(&mut self, address: IpAddr, name: &'static str) {
        self.interfaces.insert(address, name);
        self.set_reachability(address, self.reachable(address));
    }

    /// Drains the actions, answering for next hops.
    pub(super) fn act(&mut self) {
        while let Some(action) = self.core.poll_action() {
            match &action {
                Action::WatchNextHop(hop) => {
                    assert!(self.watched.insert(hop.address), "watched twice: {hop}");
                    if !self.slow.contains(&hop.address) {
                        self.core.next_hop(self.now, *hop, self.report(hop.address));
                    }
                }
                Action::UnwatchNextHop(hop) => assert!(self.watched.remove(&hop.address)),
                Action::InternalNextHop { address, presence: Presence::Present } => {
                    assert!(self.known_nodes.insert(*address));
                }
                Action::InternalNextHop { address, presence: Presence::Gone } => {
                    assert!(self.known_nodes.remove(address));
                }
                _ => self.actions.push(action),
            }
        }
    }

    /// Lets one peer's socket take about this much.
    pub(super) fn transmit(&mut self, peer: PeerId, budget: usize) -> Work {
        let mut messages = Vec::new();
        let work = self.core.poll_transmit(peer, budget, &mut messages);
        for bytes in messages {
            self.receive(peer, &bytes);
        }
        work
    }

    fn receive(&mut self, peer: PeerId, mut bytes: &[u8]) {
        let negotiated = self.negotiated(peer.0, None);
        let context = DecodeContext {
            add_path: negotiated.extensions.families_sent_with_paths(),
            ..DecodeContext::new(&negotiated)
        };
        let learned = self.learned.get_mut(&peer).expect("a peer without session was sent something");
        while !bytes.is_empty() {
            let length = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
            let (message, rest) = bytes.split_at(length);
            bytes = rest;
            match wire::decode(message, &context) {
                Ok(Message::Update(update)) => {
                    assert_eq!(update.malformed, []);
                    learned.messages += 1;
                    update.items.into_iter().for_each(|item| learned.take(item));
                }
                Ok(Message::RouteRefresh(refresh)) => learned.markers.push(refresh.subtype),
                _ => panic!("not an UPDATE: {message:?}"),
            }
        }
    }

    pub(super) fn read_best(&mut self, max: usize) -> usize {
        let changes = self.core.poll_best(max);
        let count = changes.len();
        for change in changes {
            if change.usability == Usability::Unreachable {
                self.fib.remove(&change.prefix);
                self.legs.remove(&change.prefix);
                self.unreachable.insert(change.prefix);
                continue;
            }
            match change.usability {
                Usability::Discard => _ = self.discarded.insert(change.prefix),
                _ => _ = self.discarded.remove(&change.prefix),
            }
            let refused = self.unreachable.remove(&change.prefix);
            let legs = change.next_hops.iter().map(|hop| (hop.address, hop.weight)).collect();
            self.legs.insert(change.prefix, legs);
            match change.next_hops.first() {
                Some(hop) => _ = self.fib.insert(change.prefix, hop.address),
                None => {
                    let had = self.fib.remove(&change.prefix).is_some() || refused;
                    assert!(had, "never had {}", change.prefix);
                }
            }
        }
        count
    }

    /// Works until nothing is left to do.
    pub(super) fn settle(&mut self) {
        loop {
            self.act();
            while self.core.run(self.now, 3) == Work::Pending {}
            let mut idle = true;
            for peer in self.core.peers_with_output() {
                while self.transmit(peer, 100) == Work::Pending {}
                idle = false;
            }
            while self.read_best(2) > 0 {
                idle = false;
            }
            self.act();
            if idle && self.core.run(self.now, 100) == Work::Done && self.core.peers_with_output().is_empty()
            {
                return;
            }
        }
    }

    /// The prefixes a peer has learned from us.
    pub(super) fn prefixes(&self, index: u32) -> Vec<String> {
        self.learned[&PeerId(index)].routes.keys().map(ToString::to_string).collect()
    }

    pub(super) fn learned(&self, index: u32, prefix: &str) -> Option<&PathAttributes> {
        self.learned[&PeerId(index)].routes.get(&net(prefix))
    }

    pub(super) fn reason(&self, prefix: &str, index: u32) -> Option<crate::decision::Reason> {
        let route = self.core.route(net(prefix))?;
        route.paths.iter().find(|p| p.peer == Some(PeerId(index))).map(|p| p.reason)
    }
}

impl Learned {
    fn take(&mut self, item: RouteItem) {
        match item {
            RouteItem::Reach { attributes, nlri } => named(&nlri).into_iter().for_each(|name| {
                self.routes.insert(name.0, (*attributes).clone());
                self.paths.insert(name, (*attributes).clone());
            }),
            RouteItem::Unreach(nlri) => named(&nlri).into_iter().for_each(|name| {
                assert!(self.paths.remove(&name).is_some(), "withdrawn but never had: {name:?}");
                if !self.paths.keys().any(|(prefix, _)| *prefix == name.0) {
                    self.routes.remove(&name.0);
                }
            }),
            RouteItem::EndOfRib(family) => self.end_of_rib.insert(family),
        }
    }
}

/// The restart capability of a peer that kept forwarding.
pub(super) fn graceful() -> PeerRestart {
    PeerRestart {
        restarting: false,
        notification: false,
        restart_time: Duration::from_secs(120),
        families: Family::ALL.into_iter().collect(),
        forwarding: Family::ALL.into_iter().collect(),
    }
}

/// Octets waiting for a peer, taken without being looked at.
pub(super) fn discard(core: &mut Core, peer: PeerId) {
    let mut messages: Vec<Bytes> = Vec::new();
    while core.poll_transmit(peer, 1 << 16, &mut messages) == Work::Pending {}
}
