//! Who may connect: shared by the speaker with its listeners.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use ipnet::IpNet;
use tokio::{net::TcpStream, sync::mpsc};

use super::{connect::minimum_ttl, peer::Control, refusals::RefusalReason, ttl_filter::TtlRule};
use crate::config::{AdminState, AoKey, Auth, PeerConfig, RangeConfig, TtlPolicy};

/// The peers that may connect, by address, and the ranges from which others may.
#[derive(Clone, Debug)]
pub(super) struct Admission {
    peers: BTreeMap<IpAddr, Vec<Entry>>,
    /// The longest prefixes first.
    ranges: Vec<Range>,
    strangers: mpsc::Sender<Stranger>,
}

/// One peer that may connect.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    source: Option<IpAddr>,
    interface: Option<String>,
    minimum_ttl: u8,
    key: Option<Key>,
    task: mpsc::Sender<Control>,
}

#[derive(Clone, Debug)]
struct Range {
    name: String,
    net: IpNet,
    source: Option<IpAddr>,
    interface: Option<String>,
    minimum_ttl: u8,
    key: Option<Key>,
}

/// What a peer's segments must be signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Md5(Box<[u8]>),
    Ao(AoKey),
}

/// A connection from within a range, by somebody who is no peer yet.
#[derive(Debug)]
pub(super) struct Stranger {
    pub(super) range: String,
    pub(super) address: IpAddr,
    /// The address of ours that it has connected to.
    pub(super) local: IpAddr,
    pub(super) stream: TcpStream,
}

/// The ends of a connection that was accepted.
#[derive(Clone, Debug)]
pub(super) struct Ends {
    pub(super) remote: SocketAddr,
    pub(super) local: IpAddr,
    /// The interface of a link-local address.
    pub(super) link: Option<String>,
}

/// Who is behind a connection.
#[derive(Clone, Debug)]
pub(super) enum Visitor<'a> {
    /// A peer: who takes its connections, and what must have signed it.
    Peer(&'a mpsc::Sender<Control>, Option<&'a Key>),
    /// Somebody of a range: its name, and what must have signed it.
    Stranger(&'a str, IpNet, Option<&'a Key>),
    /// Nobody who may connect like this, for this reason.
    Nobody(RefusalReason),
}

impl Key {
    fn of(auth: &Auth) -> Option<Self> {
        match auth {
            Auth::Md5(key) => Some(Self::Md5(key.clone())),
            Auth::Ao(key) => Some(Self::Ao(key.clone())),
            Auth::None | Auth::Unavailable(_) => None,
        }
    }
}

impl Admission {
    pub(super) fn new(strangers: mpsc::Sender<Stranger>) -> Self {
        Self { peers: BTreeMap::new(), ranges: Vec::new(), strangers }
    }

    pub(super) fn add(&mut self, peer: &PeerConfig, task: mpsc::Sender<Control>) {
        let transport = &peer.transport;
        if peer.address.is_unspecified() {
            return self.add_link(peer);
        }
        let entry = Entry {
            source: transport.source,
            interface: transport.interface.clone(),
            minimum_ttl: demanded_ttl(transport.ttl),
            key: Key::of(&transport.auth),
            task,
        };
        self.peers.entry(peer.address).or_default().push(entry);
    }

    /// The neighbour on a link is whoever is found there first, be it by connecting.
    fn add_link(&mut self, peer: &PeerConfig) {
        if let Ok(range) = "fe80::/10".parse() {
            self.add_range(&RangeConfig { range, limit: 1, template: peer.clone() });
        }
    }

    /// Adds a range, unless its peers would be kept down anyway.
    pub(super) fn add_range(&mut self, range: &RangeConfig) {
        let transport = &range.template.transport;
        if range.template.admin == AdminState::Down || matches!(transport.auth, Auth::Unavailable(_)) {
            return;
        }
        self.ranges.push(Range {
            name: range.template.name.clone(),
            net: range.range,
            source: transport.source,
            interface: transport.interface.clone(),
            minimum_ttl: demanded_ttl(transport.ttl),
            key: Key::of(&transport.auth),
        });
        self.ranges.sort_by(|a, b| (b.net.prefix_len(), &a.name).cmp(&(a.net.prefix_len(), &b.name)));
    }

    /// Who has connected.
    pub(super) fn visitor(&self, ends: &Ends) -> Visitor<'_> {
        let remote = ends.remote.ip();
        let entries = self.peers.get(&remote).map(Vec::as_slice).unwrap_or_default();
        let here = || entries.iter().filter(|e| on_link(e.interface.as_deref(), ends));
        let bound = here().find(|e| e.source == Some(ends.local));
        if let Some(entry) = bound.or_else(|| here().find(|e| e.source.is_none())) {
            return Visitor::Peer(&entry.task, entry.key.as_ref());
        }
        let covers = |range: &&Range| {
            range.net.contains(&remote)
                && range.source.is_none_or(|source| source == ends.local)
                && on_link(range.interface.as_deref(), ends)
        };
        match self.ranges.iter().find(covers) {
            Some(range) if entries.is_empty() => {
                Visitor::Stranger(&range.name, range.net, range.key.as_ref())
            }
            _ => Visitor::Nobody(self.why_nobody(ends)),
        }
    }

    /// Why a connection is nobody's: whoever is at its other end may be known, and have come the wrong way.
    fn why_nobody(&self, ends: &Ends) -> RefusalReason {
        let remote = ends.remote.ip();
        let entries = self.peers.get(&remote).map(Vec::as_slice).unwrap_or_default();
        let peers = entries.iter().map(|entry| entry.interface.as_deref());
        let around = self.ranges.iter().filter(|range| range.net.contains(&remote));
        let ranges = around.map(|range| range.interface.as_deref()).filter(|_| entries.is_empty());
        let mut candidates = peers.chain(ranges).peekable();
        if candidates.peek().is_none() {
            return RefusalReason::NotConfigured;
        }
        match candidates.any(|interface| on_link(interface, ends)) {
            true => RefusalReason::OtherLocalAddress,
            false => RefusalReason::OtherInterface,
        }
    }

    /// Where strangers go.
    pub(super) fn strangers(&self) -> &mpsc::Sender<Stranger> {
        &self.strangers
    }

    /// The keys of peers and ranges of one address family.
    pub(super) fn keys(&self, like: IpAddr) -> BTreeMap<IpNet, Key> {
        let peers = self.peers.iter().flat_map(|(address, entries)| {
            entries.iter().filter_map(|entry| Some((IpNet::from(*address), entry.key.clone()?)))
        });
        let ranges = self.ranges.iter().filter_map(|range| Some((range.net, range.key.clone()?)));
        // Of several keys for one address the first counts; who has another is refused.
        let mut keys = BTreeMap::new();
        for (net, key) in peers.chain(ranges).filter(|(net, _)| net.addr().is_ipv4() == like.is_ipv4()) {
            keys.entry(net).or_insert(key);
        }
        // The kernel takes no TCP-AO key twice: that of a range is the one of its guests.
        let outer: Vec<_> =
            keys.iter().filter(|(_, key)| matches!(key, Key::Ao(_))).map(|(n, k)| (*n, k.clone())).collect();
        keys.retain(|net, key| {
            !outer.iter().any(|(other, same)| other != net && other.contains(net) && same == key)
        });
        keys
    }

    /// From how far peers and ranges of one address family may arrive.
    pub(super) fn ttl_rules(&self, like: IpAddr) -> Vec<TtlRule> {
        let peers = self.peers.iter().filter_map(|(address, entries)| {
            let minimum = entries.iter().map(|entry| entry.minimum_ttl).min()?;
            Some(TtlRule { peers: (*address).into(), minimum })
        });
        let ranges = self.ranges.iter().map(|range| TtlRule { peers: range.net, minimum: range.minimum_ttl });
        peers.chain(ranges).filter(|rule| rule.peers.addr().is_ipv4() == like.is_ipv4()).collect()
    }
}

/// Whether a connection came over the interface it must come over; only link-local addresses tell.
fn on_link(interface: Option<&str>, ends: &Ends) -> bool {
    match (interface, ends.link.as_deref()) {
        (Some(wanted), Some(link)) => wanted == link,
        (None, Some(_)) => false,
        (_, None) => true,
    }
}

fn demanded_ttl(policy: TtlPolicy) -> u8 {
    match policy {
        TtlPolicy::Security(hops) => minimum_ttl(hops),
        TtlPolicy::Direct | TtlPolicy::Multihop(_) => 0,
    }
}
