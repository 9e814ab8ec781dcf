//! One speaker with three peers, all pure: the first is whoever sends the input, the others are bystanders whose
//! sessions and routes nothing may touch.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

use bgp::{
    config::{PeerConfig, SpeakerConfig},
    core::{AdjRibIn, Core, Work},
    decision::Reason,
    event::{Reachability, RouteBatch, SessionAddresses},
    fsm::{
        Action, Config, ConnectionId, Incoming, LocalRestart, Outgoing, PeerFsm, Received, State, Stop,
        TransportError,
    },
    types::{Asn, Family, NextHopAddress, Now, PeerId, PeerType, RouterId},
    wire::{DecodeContext, Message, Open, capability::Capability, decode, encode, framer},
};
use bytes::{Bytes, BytesMut};
use ipnet::IpNet;

/// The peer that the input comes from.
pub(crate) const SENDER: usize = 0;
const PEERS: [(u8, u32); 3] = [(1, 65001), (2, 65002), (3, OWN_AS)];
const OWN_AS: u32 = 64512;
/// More actions than one input can ask for.
const ACTIONS: usize = 64;
/// Units of work (turns of the core, actions, changes of best routes, messages written) that one input may cost, whatever
/// it is, and how many more for each octet heard until then: what an octet can name once, it can cost only so often.
const UNITS: usize = 32;
const UNITS_PER_OCTET: usize = 4;

struct Port {
    peer: PeerId,
    kind: PeerType,
    asn: Asn,
    fsm: PeerFsm,
    connections: BTreeMap<ConnectionId, Option<Open>>,
    session: Option<ConnectionId>,
    context: DecodeContext,
    partial: BytesMut,
}

pub(crate) struct Rig {
    now: Now,
    core: Core,
    ports: Vec<Port>,
    reachability: BTreeMap<NextHopAddress, Reachability>,
    /// Octets heard so far.
    heard: usize,
}

fn address(host: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, host).into()
}

impl Rig {
    /// A speaker whose bystanders' sessions are up, each with a route of its own.
    pub(crate) fn new() -> Self {
        let mut config = SpeakerConfig::new(Asn(OWN_AS), RouterId(Ipv4Addr::new(192, 0, 2, 100)));
        config.peers = PEERS
            .iter()
            .map(|(host, asn)| PeerConfig {
                families: Family::ALL.into_iter().collect(),
                ..PeerConfig::new(&format!("p{host}"), address(*host), Asn(*asn))
            })
            .collect();
        let core = Core::new(config.clone(), Now::default());
        let ports = core.peers().map(|(id, peer)| port(&config, id, peer)).collect();
        let mut rig = Self { now: Now::default(), core, ports, reachability: BTreeMap::new(), heard: 0 };
        for port in 0..PEERS.len() {
            let now = rig.now;
            rig.with(port, |port| port.fsm.handle_start(now));
        }
        for bystander in 1..PEERS.len() {
            rig.connect(bystander);
            rig.say(bystander, Speech::Open);
            rig.say(bystander, Speech::Keepalive);
            rig.announce(bystander);
        }
        rig.check();
        rig
    }

    /// The peer opens a connection.
    pub(crate) fn connect(&mut self, port: usize) {
        let ends = SessionAddresses::new(address(100), address(PEERS[port].0));
        let now = self.now;
        if let Incoming::Accepted(id) = self.ports[port].fsm.handle_incoming(now, ends) {
            self.ports[port].connections.insert(id, None);
            self.ports[port].partial.clear();
        }
        self.with(port, |_| ());
    }

    /// The peer sends a message that is in order.
    pub(crate) fn say(&mut self, port: usize, speech: Speech) {
        let mut octets = BytesMut::new();
        match speech {
            Speech::Keepalive => encode::keepalive(&mut octets),
            Speech::Open => {
                let place = &self.ports[port];
                let ours = place.connections.values().rev().find_map(Option::clone);
                let Some(theirs) = ours.map(|open| mirrored(open, place.asn, PEERS[port].0)) else { return };
                theirs.encode(&mut octets).unwrap();
            }
        }
        self.octets(port, &octets);
    }

    /// A bystander announces its own prefix.
    fn announce(&mut self, port: usize) {
        let host = PEERS[port].0;
        let mut attributes = vec![0x40, 1, 1, 0];
        match self.ports[port].kind {
            PeerType::External => {
                attributes.extend([0x40, 2, 6, 2, 1]);
                attributes.extend(self.ports[port].asn.0.to_be_bytes());
            }
            PeerType::Internal => attributes.extend([0x40, 2, 0, 0x40, 5, 4, 0, 0, 0, 100]),
        }
        attributes.extend([0x40, 3, 4, 192, 0, 2, host]);
        let nlri = [26, 203, 0, 113, 64 * port as u8];
        let length = 23 + attributes.len() + nlri.len();
        let head = [&[0xff; 16][..], &[0, length as u8, 2, 0, 0, 0, attributes.len() as u8]].concat();
        self.octets(port, &[&head[..], &attributes, &nlri].concat());
    }

    /// Octets of the peer come in on its newest connection.
    pub(crate) fn octets(&mut self, port: usize, octets: &[u8]) {
        let now = self.now;
        let Some(id) = self.ports[port].connections.keys().next_back().copied() else { return };
        self.ports[port].fsm.handle_bytes(now, id);
        self.ports[port].partial.extend_from_slice(octets);
        self.heard += octets.len();
        while self.ports[port].connections.contains_key(&id) {
            let place = &mut self.ports[port];
            let context = if place.session == Some(id) {
                place.context.clone()
            } else {
                DecodeContext::unnegotiated(place.kind)
            };
            match framer::next_message(&mut place.partial, context.max_message) {
                Ok(None) => return,
                Ok(Some(message)) => self.message(port, id, &message, &context),
                Err(notification) => {
                    self.with(port, |port| port.fsm.handle_malformed(now, id, notification));
                    assert!(
                        !self.ports[port].connections.contains_key(&id),
                        "a header error ends the connection"
                    );
                }
            }
        }
        self.ports[port].partial.clear();
    }

    fn message(&mut self, port: usize, id: ConnectionId, message: &[u8], context: &DecodeContext) {
        let now = self.now;
        let received = match decode(message, context) {
            Ok(Message::Update(update)) if self.ports[port].session == Some(id) => {
                let peer = self.ports[port].peer;
                self.core.routes(now, peer, RouteBatch { items: update.items });
                return self.settle();
            }
            Ok(Message::Update(_)) => Received::Update,
            Ok(Message::Open(open)) => Received::Open(Box::new(open)),
            Ok(Message::Keepalive) => Received::Keepalive,
            Ok(Message::Notification(notification)) => Received::Notification(notification),
            Ok(Message::RouteRefresh(refresh)) => {
                if let Some(family) =
                    refresh.requested_family().filter(|_| self.ports[port].session == Some(id))
                {
                    self.core.route_refresh(now, self.ports[port].peer, family);
                }
                Received::RouteRefresh
            }
            Err(notification) => {
                self.with(port, |port| port.fsm.handle_malformed(now, id, notification));
                assert!(
                    !self.ports[port].connections.contains_key(&id),
                    "an error message ends the connection"
                );
                return;
            }
        };
        self.with(port, |port| port.fsm.handle_message(now, id, received));
    }

    /// The peer's connection breaks.
    pub(crate) fn lose(&mut self, port: usize) {
        let now = self.now;
        if let Some((id, _)) = self.ports[port].connections.pop_last() {
            self.with(port, |port| port.fsm.handle_lost(now, id, TransportError::Reset));
        }
    }

    /// Time goes by. The bystanders are heard of meanwhile.
    pub(crate) fn wait(&mut self, seconds: u8) {
        for _ in 0..seconds {
            self.now = self.now.plus(std::time::Duration::from_secs(1));
            let now = self.now;
            for port in 0..PEERS.len() {
                if port != SENDER {
                    self.octets(port, &keepalive());
                }
                self.with(port, |port| {
                    port.connections.keys().for_each(|id| port.fsm.handle_sent(now, *id));
                    if port.fsm.poll_timeout().is_some_and(|due| due <= now) {
                        port.fsm.handle_timeout(now);
                    }
                });
            }
            self.settle();
        }
    }

    /// An operator resets the sender's session.
    pub(crate) fn reset(&mut self) {
        let now = self.now;
        self.with(SENDER, |port| port.fsm.handle_stop(now, Stop::Reset));
    }

    /// Some next hops are, or are no longer, reachable; the bystanders' own always are.
    pub(crate) fn flip(&mut self, choice: u8) {
        let theirs = |hop: &NextHopAddress| PEERS.iter().any(|(host, _)| hop.address == address(*host));
        let hops: Vec<_> = self.reachability.keys().copied().filter(|hop| !theirs(hop)).collect();
        let Some(hop) = hops.get(usize::from(choice) % hops.len().max(1)) else { return };
        let turned = match self.reachability.get(hop) {
            Some(Reachability::Unreachable) => Reachability::Reachable { metric: choice.into() },
            _ => Reachability::Unreachable,
        };
        self.reachability.insert(*hop, turned);
        self.core.next_hop(self.now, *hop, turned);
        self.settle();
    }

    fn with(&mut self, port: usize, act: impl FnOnce(&mut Port)) {
        act(&mut self.ports[port]);
        let mut actions = 0;
        while let Some(action) = self.ports[port].fsm.poll_action() {
            actions += 1;
            assert!(actions < ACTIONS, "one input asks for more and more");
            self.perform(port, action);
        }
        self.settle();
    }

    fn perform(&mut self, port: usize, action: Action) {
        let now = self.now;
        let place = &mut self.ports[port];
        match action {
            // Nobody answers; the state machine's own timer sees to it.
            Action::Connect(_) | Action::StateChanged { .. } => {}
            Action::Send(id, Outgoing::Open(open)) => {
                if let Some(sent) = place.connections.get_mut(&id) {
                    *sent = Some(*open);
                }
            }
            Action::Send(id, Outgoing::Keepalive) => {
                assert!(place.connections.contains_key(&id), "a KEEPALIVE on a closed connection");
            }
            Action::Send(id, Outgoing::Notification(notification)) => {
                assert!(place.connections.contains_key(&id), "a NOTIFICATION on a closed connection");
                assert_eq!(port, SENDER, "a bystander is told {notification:?}");
            }
            Action::Close(id) => {
                place.connections.remove(&id);
            }
            Action::SessionUp(up) => {
                assert_eq!(place.session, None, "two sessions of one peer");
                place.session = Some(up.connection);
                place.context = DecodeContext::new(&up.negotiated);
                self.core.session_up(now, place.peer, up.negotiated.clone(), up.addresses);
            }
            Action::SessionDown { retention, failure } => {
                assert_eq!(port, SENDER, "a bystander's session ends: {failure:?}");
                assert!(place.session.take().is_some(), "the end of no session");
                self.core.session_down(now, place.peer, retention);
            }
        }
    }

    /// Lets the core come to rest, which must not take more work than linear in what was heard.
    fn settle(&mut self) {
        let limit = UNITS + UNITS_PER_OCTET * self.heard;
        let mut units = 0;
        while self.turn(&mut units) == Work::Pending {
            assert!(units <= limit, "{units} units of work after {} octets", self.heard);
        }
    }

    /// One turn of the core; counts its work.
    fn turn(&mut self, units: &mut usize) -> Work {
        let mut work = self.core.run(self.now, 64);
        let mut done = 1;
        while let Some(action) = self.core.poll_action() {
            done += 1;
            self.core_action(action);
        }
        done += self.core.poll_best(64).len();
        for peer in self.core.peers_with_output() {
            let mut messages = Vec::new();
            if self.core.poll_transmit(peer, 65536, &mut messages) == Work::Pending {
                work = Work::Pending;
            }
            done += messages.len();
            self.receive(peer, &messages);
        }
        *units += done;
        if done > 1 { Work::Pending } else { work }
    }

    fn core_action(&mut self, action: bgp::core::Action) {
        use bgp::core::Action::{CloseSession, UnwatchNextHop, WatchNextHop};
        match action {
            WatchNextHop(hop) => {
                let answer = Reachability::Reachable { metric: 0 };
                self.reachability.insert(hop, answer);
                self.core.next_hop(self.now, hop, answer);
            }
            UnwatchNextHop(hop) => {
                assert!(self.reachability.remove(&hop).is_some(), "nobody watches {hop:?}")
            }
            CloseSession { peer, notification, retry_after } => {
                let port = self.ports.iter().position(|port| port.peer == peer).unwrap();
                assert_eq!(port, SENDER, "a bystander is to be told {notification:?}");
                let now = self.now;
                self.ports[port].fsm.handle_stop(now, Stop::Error { notification, retry_after });
                while let Some(action) = self.ports[port].fsm.poll_action() {
                    self.perform(port, action);
                }
            }
            _ => {}
        }
    }

    /// What the speaker sends, a peer can read.
    fn receive(&self, peer: PeerId, messages: &[Bytes]) {
        let Some(port) = self.ports.iter().find(|port| port.peer == peer && port.session.is_some()) else {
            return;
        };
        let mut octets = BytesMut::from(&messages.concat()[..]);
        while let Some(message) = framer::next_message(&mut octets, port.context.max_message).unwrap() {
            match decode(&message, &port.context) {
                Ok(Message::Update(update)) => assert_eq!(update.malformed, [], "we send what is malformed"),
                Ok(_) => {}
                Err(notification) => panic!("we send what costs the session: {notification:?}"),
            }
        }
        assert!(octets.is_empty(), "we send the beginning of a message");
    }

    /// What holds whatever the sender does.
    pub(crate) fn check(&self) {
        for (index, port) in self.ports.iter().enumerate() {
            assert_eq!(port.session.is_some(), port.fsm.state() == State::Established);
            assert!(port.connections.len() <= 2, "{} connections of one peer", port.connections.len());
            if index != SENDER {
                assert!(port.session.is_some(), "a bystander's session is gone");
                let page = self.core.adj_rib_in(port.peer, AdjRibIn::Accepted, Family::Ipv4Unicast, None, 10);
                let held: Vec<_> = page.items.iter().map(|route| route.prefix).collect();
                assert_eq!(held, [own_prefix(index)], "a bystander's route is not what it announced");
            }
        }
        for family in Family::ALL {
            for route in self.core.loc_rib(family, None, usize::MAX).items {
                let best = route.paths.iter().filter(|path| path.reason == Reason::Best).count();
                assert!(best <= 1, "{}: {best} best paths", route.prefix);
            }
        }
    }
}

/// A message the peer sends in order.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Speech {
    /// An OPEN that agrees with ours.
    Open,
    Keepalive,
}

fn port(config: &SpeakerConfig, peer: PeerId, told: &PeerConfig) -> Port {
    let kind = PeerType::of(config.asn, told.asn);
    Port {
        peer,
        kind,
        asn: told.asn,
        fsm: PeerFsm::new(Config::new(config, told.clone(), LocalRestart::default()), 7),
        connections: BTreeMap::new(),
        session: None,
        context: DecodeContext::unnegotiated(kind),
        partial: BytesMut::new(),
    }
}

/// Our own OPEN as the peer would send it.
fn mirrored(mut open: Open, asn: Asn, host: u8) -> Open {
    open.my_as = asn.as_two_octets();
    open.router_id = RouterId(Ipv4Addr::new(192, 0, 2, host));
    for capability in &mut open.capabilities {
        if let Capability::FourOctetAsn(number) = capability {
            *number = asn;
        }
    }
    open
}

fn keepalive() -> BytesMut {
    let mut octets = BytesMut::new();
    encode::keepalive(&mut octets);
    octets
}

fn own_prefix(port: usize) -> IpNet {
    IpNet::new(Ipv4Addr::new(203, 0, 113, 64 * port as u8).into(), 26).unwrap()
}
