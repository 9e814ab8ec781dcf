//! Who the peers are: those configured, those of ranges that are there now, and what an operator has said since.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv6Addr},
};

use crate::{
    config::{AdminState, Auth, PeerConfig, RangeConfig, SpeakerConfig},
    ndp::Advertising,
    net::snapshot::RangeSnapshot,
    types::Now,
};

/// The configuration and what has come on top of it at run time. Pure.
#[derive(Debug)]
pub(super) struct Roster {
    configured: SpeakerConfig,
    /// Whether this kernel has the TCP Authentication Option.
    ao: Ao,
    /// Dynamic peers by name.
    guests: BTreeMap<String, Guest>,
    /// Peers an operator has shut down, and what they are told.
    down: BTreeMap<String, String>,
    /// Who was found on the links of interface peers, and when, by peer.
    neighbours: BTreeMap<String, (Ipv6Addr, Now)>,
    /// Ranges that have turned somebody away since they last had room.
    full: BTreeSet<String>,
    /// Whom each range has turned away.
    refused: BTreeMap<String, u64>,
}

/// Whether the kernel has the TCP Authentication Option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ao {
    Supported,
    Unknown,
}

/// A dynamic peer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Guest {
    range: String,
    address: IpAddr,
}

/// A peer that is known by its interface alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkPeer<'a> {
    pub(super) name: &'a str,
    pub(super) interface: &'a str,
    /// An operator's orders included.
    pub(super) admin: AdminState,
    pub(super) advertising: Advertising,
}

impl LinkPeer<'_> {
    pub(super) fn is_up(&self) -> bool {
        self.admin == AdminState::Up
    }

    /// Its name and its interface.
    pub(super) fn own(self) -> (String, String) {
        (self.name.to_owned(), self.interface.to_owned())
    }
}

/// Whether a stranger became a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Admitted {
    /// It did, or was one already, by this name.
    As(String),
    /// Its range is full; whether that is news.
    Full(News),
    /// There is no such range any more.
    Unknown,
}

/// Whether somebody should hear of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// For the first time.
    First,
    /// It was told before.
    Known,
}

impl Roster {
    pub(super) fn new(configured: SpeakerConfig, ao: Ao) -> Self {
        Self {
            configured: feasible(configured, ao),
            ao,
            guests: BTreeMap::new(),
            down: BTreeMap::new(),
            neighbours: BTreeMap::new(),
            full: BTreeSet::new(),
            refused: BTreeMap::new(),
        }
    }

    /// Takes another configuration. Guests whose range no longer covers them go, the last ones of a range whose limit
    /// shrank too; what an operator has shut down stays down while it is a peer.
    pub(super) fn configure(&mut self, configured: SpeakerConfig) {
        self.configured = feasible(configured, self.ao);
        let mut seats: BTreeMap<String, usize> = BTreeMap::new();
        let ranges = &self.configured.ranges;
        self.guests.retain(|_, guest| {
            let range = ranges.iter().find(|range| range.template.name == guest.range);
            let seat = seats.entry(guest.range.clone()).or_default();
            *seat = seat.saturating_add(1);
            range.is_some_and(|range| range.range.contains(&guest.address) && *seat <= range.limit)
        });
        let names: BTreeSet<String> = self.peers().map(|peer| peer.name).collect();
        self.down.retain(|name, _| names.contains(name));
        self.neighbours.retain(|name, _| names.contains(name));
        self.full.clear();
        self.refused.clear();
    }

    /// What is in force.
    pub(super) fn effective(&self) -> SpeakerConfig {
        SpeakerConfig { peers: self.peers().collect(), ..self.configured.clone() }
    }

    fn peers(&self) -> impl Iterator<Item = PeerConfig> {
        let guests =
            self.guests.values().filter_map(|guest| Some(self.range(&guest.range)?.peer(guest.address)));
        self.configured.peers.iter().cloned().chain(guests).map(|peer| self.with_orders(peer))
    }

    fn with_orders(&self, mut peer: PeerConfig) -> PeerConfig {
        if let Some(text) = self.down.get(&peer.name) {
            peer.admin = AdminState::Down;
            peer.shutdown_text.clone_from(text);
        }
        if let Some((neighbour, _)) =
            self.neighbours.get(&peer.name).filter(|_| peer.address.is_unspecified())
        {
            peer.address = (*neighbour).into();
        }
        peer
    }

    fn range(&self, name: &str) -> Option<&RangeConfig> {
        self.configured.ranges.iter().find(|range| range.template.name == name)
    }

    /// Makes a peer of whoever has connected from `address`.
    pub(super) fn admit(&mut self, range: &str, address: IpAddr) -> Admitted {
        let Some(config) = self.range(range) else { return Admitted::Unknown };
        let (name, limit) = (config.peer_name(address), config.limit);
        if self.guests.contains_key(&name) {
            return Admitted::As(name);
        }
        if self.members(range) >= limit {
            let refused = self.refused.entry(range.to_owned()).or_default();
            *refused = refused.saturating_add(1);
            let first = self.full.insert(range.to_owned());
            return Admitted::Full(if first { News::First } else { News::Known });
        }
        self.guests.insert(name.clone(), Guest { range: range.to_owned(), address });
        Admitted::As(name)
    }

    /// Lets a guest go.
    pub(super) fn dismiss(&mut self, name: &str) {
        if let Some(guest) = self.guests.remove(name) {
            self.full.remove(&guest.range);
            self.down.remove(name);
        }
    }

    /// The ranges as they are now, by name.
    pub(super) fn ranges(&self) -> Vec<RangeSnapshot> {
        let snapshot = |range: &RangeConfig| {
            let name = range.template.name.clone();
            let refused = self.refused.get(&name).copied().unwrap_or_default();
            RangeSnapshot { peers: self.members(&name), limit: range.limit, refused, name }
        };
        let mut ranges: Vec<_> = self.configured.ranges.iter().map(snapshot).collect();
        ranges.sort_by(|a, b| a.name.cmp(&b.name));
        ranges
    }

    fn members(&self, range: &str) -> usize {
        self.guests.values().filter(|guest| guest.range == range).count()
    }

    /// The names of all guests.
    pub(super) fn guests(&self) -> impl Iterator<Item = &str> {
        self.guests.keys().map(String::as_str)
    }

    /// The range a guest belongs to.
    pub(super) fn range_of(&self, name: &str) -> Option<&str> {
        self.guests.get(name).map(|guest| guest.range.as_str())
    }

    /// Shuts a peer down whatever the configuration says; it is told `text`, or what is configured.
    pub(super) fn shut_down(&mut self, peer: &str, text: Option<String>) {
        let configured = self.peers().find(|p| p.name == peer).map(|p| p.shutdown_text);
        self.down.insert(peer.to_owned(), text.or(configured).unwrap_or_default());
    }

    /// Takes [`Self::shut_down`] back.
    pub(super) fn bring_up(&mut self, peer: &str) {
        self.down.remove(peer);
    }

    /// Somebody was found on the link of an interface peer, or the one found before is gone.
    pub(super) fn neighbour(&mut self, peer: &str, found: Option<(Ipv6Addr, Now)>) {
        match found {
            Some(found) => drop(self.neighbours.insert(peer.to_owned(), found)),
            None => drop(self.neighbours.remove(peer)),
        }
    }

    /// Who was found on the link of an interface peer, and when.
    pub(super) fn found(&self, peer: &str) -> Option<(Ipv6Addr, Now)> {
        self.neighbours.get(peer).copied()
    }

    /// The peers that are known by their interface alone.
    pub(super) fn link_peers(&self) -> impl Iterator<Item = LinkPeer<'_>> {
        self.configured.peers.iter().filter(|peer| peer.address.is_unspecified()).filter_map(|peer| {
            let admin = if self.down.contains_key(&peer.name) { AdminState::Down } else { peer.admin };
            let interface = peer.transport.interface.as_deref()?;
            Some(LinkPeer { name: &peer.name, interface, admin, advertising: peer.transport.advertising })
        })
    }

    /// The interface of such a peer.
    pub(super) fn link_of(&self, peer: &str) -> Option<String> {
        self.link_peers().find(|link| link.name == peer).map(|link| link.interface.to_owned())
    }

    /// The addresses of those on a link that are peers by their address.
    pub(super) fn addressed_on(&self, interface: &str) -> Vec<Ipv6Addr> {
        let here = |peer: &&PeerConfig| peer.transport.interface.as_deref() == Some(interface);
        let addresses = self.configured.peers.iter().filter(here).map(|peer| peer.address);
        addresses
            .filter_map(|address| match address {
                IpAddr::V6(address) if !address.is_unspecified() => Some(address),
                _ => None,
            })
            .collect()
    }
}

/// A peer whose segments cannot be signed as they must be is kept down, never left unsigned.
fn feasible(mut config: SpeakerConfig, ao: Ao) -> SpeakerConfig {
    let templates = config.ranges.iter_mut().map(|range| &mut range.template);
    for peer in config.peers.iter_mut().chain(templates) {
        let auth = &mut peer.transport.auth;
        if ao == Ao::Unknown && matches!(auth, Auth::Ao(_)) {
            *auth =
                Auth::Unavailable("this kernel has no TCP-AO: it takes Linux 6.7 with CONFIG_TCP_AO".into());
        }
    }
    config
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::{
        config::{AoAlgorithm, AoKey, DefaultRoute},
        types::{Asn, RouterId},
    };

    const ANYWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

    fn config(limit: usize) -> SpeakerConfig {
        let template = PeerConfig::new("rack", ANYWHERE, Asn(64513));
        SpeakerConfig {
            peers: vec![PeerConfig::new("tor", "192.0.2.1".parse().unwrap(), Asn(64600))],
            ranges: vec![RangeConfig { range: "10.1.0.0/16".parse().unwrap(), limit, template }],
            ..SpeakerConfig::new(Asn(64512), RouterId(Ipv4Addr::new(10, 0, 0, 1)))
        }
    }

    fn host(number: u8) -> IpAddr {
        Ipv4Addr::new(10, 1, 0, number).into()
    }

    fn names(roster: &Roster) -> Vec<String> {
        roster.effective().peers.into_iter().map(|peer| peer.name).collect()
    }

    #[test]
    fn a_range_admits_as_many_as_its_limit_and_tells_once_that_it_is_full() {
        let mut roster = Roster::new(config(2), Ao::Supported);
        assert_eq!(roster.admit("rack", host(1)), Admitted::As("rack/10.1.0.1".into()));
        assert_eq!(roster.admit("rack", host(1)), Admitted::As("rack/10.1.0.1".into()));
        roster.admit("rack", host(2));
        assert_eq!(roster.admit("rack", host(3)), Admitted::Full(News::First));
        assert_eq!(roster.admit("rack", host(3)), Admitted::Full(News::Known));
        let full = RangeSnapshot { name: "rack".into(), peers: 2, limit: 2, refused: 2 };
        assert_eq!(roster.ranges(), [full]);
        roster.dismiss("rack/10.1.0.1");
        assert_eq!(roster.admit("rack", host(3)), Admitted::As("rack/10.1.0.3".into()));
        assert_eq!(names(&roster), ["tor", "rack/10.1.0.2", "rack/10.1.0.3"]);
        assert_eq!(roster.admit("nowhere", host(1)), Admitted::Unknown);
    }

    #[test]
    fn a_default_route_promised_to_a_range_is_promised_to_its_guests() {
        let mut promising = config(2);
        promising.ranges[0].template.switches.default_route = DefaultRoute::Originated;
        let mut roster = Roster::new(promising, Ao::Supported);
        roster.admit("rack", host(1));
        let promised = roster.effective().peers.into_iter().map(|peer| peer.switches.default_route);
        assert_eq!(promised.collect::<Vec<_>>(), [DefaultRoute::Known, DefaultRoute::Originated]);
    }

    #[test]
    fn guests_leave_with_their_range_or_when_its_limit_shrinks() {
        let mut roster = Roster::new(config(2), Ao::Supported);
        roster.admit("rack", host(1));
        roster.admit("rack", host(2));
        roster.configure(config(1));
        assert_eq!(names(&roster), ["tor", "rack/10.1.0.1"]);
        roster.configure(SpeakerConfig { ranges: vec![], ..config(1) });
        assert_eq!(names(&roster), ["tor"]);
    }

    #[test]
    fn what_an_operator_shut_down_stays_down_over_a_new_configuration() {
        let mut roster = Roster::new(config(2), Ao::Supported);
        roster.shut_down("tor", Some("maintenance".into()));
        roster.configure(config(1));
        let tor = roster.effective().peers.remove(0);
        assert_eq!((tor.admin, tor.shutdown_text.as_str()), (AdminState::Down, "maintenance"));
        roster.bring_up("tor");
        assert_eq!(roster.effective(), config(1));
    }

    #[test]
    fn without_the_authentication_option_a_peer_that_demands_it_is_kept_down() {
        let secret = b"secret".to_vec().into();
        let key = AoKey { secret, send_id: 1, receive_id: 1, algorithm: AoAlgorithm::HmacSha1 };
        let mut signed = config(1);
        signed.peers[0].transport.auth = Auth::Ao(key.clone());
        signed.ranges[0].template.transport.auth = Auth::Ao(key);
        assert_eq!(Roster::new(signed.clone(), Ao::Supported).effective(), signed);
        let kept_down = Roster::new(signed, Ao::Unknown).effective();
        assert!(matches!(kept_down.peers[0].transport.auth, Auth::Unavailable(_)));
        assert!(matches!(kept_down.ranges[0].template.transport.auth, Auth::Unavailable(_)));
    }

    #[test]
    fn an_interface_peer_has_the_address_of_whom_was_found() {
        let mut unnumbered = config(1);
        unnumbered.peers[0].address = Ipv6Addr::UNSPECIFIED.into();
        let mut roster = Roster::new(unnumbered, Ao::Supported);
        let found: Ipv6Addr = "fe80::1".parse().unwrap();
        roster.neighbour("tor", Some((found, Now::default())));
        assert_eq!(roster.effective().peers[0].address, IpAddr::from(found));
        roster.neighbour("tor", None);
        assert!(roster.effective().peers[0].address.is_unspecified());
    }
}
