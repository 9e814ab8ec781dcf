//! Speakers joined by simulated TCP connections under a virtual clock.
//!
//! Octets arrive in order, each after a delay of its own; while a path is cut they are held back as retransmission
//! would. Nothing here knows what the octets mean but for cutting them into messages.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    net::{IpAddr, Ipv4Addr},
};

use bgp::{
    config::SpeakerConfig,
    core::Work,
    event::{RouteBatch, SessionAddresses},
    fsm::{Action, Change, ConnectionId, Incoming, Outgoing, Received, Restarting, State, TransportError},
    types::Now,
    wire::{DecodeContext, Message, decode, encode, framer},
};
use bytes::{Bytes, BytesMut};
use ipnet::IpNet;

use crate::{
    dice::Dice,
    speaker::{Errand, Port, Speaker},
};

/// One TCP connection; side 0 has opened it.
struct Connection {
    speakers: [usize; 2],
    ports: [usize; 2],
    /// What each side's state machine calls it; `None`: that side knows nothing of it (any more).
    ids: [Option<ConnectionId>; 2],
    /// When the last thing sent to each side arrives.
    arrival: [Now; 2],
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Syn(usize),
    SynAck(usize),
    Octets { connection: usize, to: usize, octets: Vec<u8> },
    Closed { connection: usize, to: usize },
    Timer { speaker: usize, port: usize, life: usize },
    Turn { speaker: usize, life: usize },
}

/// How a speaker dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// The kernel lives on and closes its connections.
    Process,
    /// The host goes: its peers hear of it when they next send something.
    Host,
}

pub(crate) struct Network {
    pub(crate) now: Now,
    pub(crate) speakers: Vec<Speaker>,
    /// What each speaker originates.
    pub(crate) own: Vec<BTreeSet<IpNet>>,
    pub(crate) dice: Dice,
    connections: Vec<Connection>,
    events: BinaryHeap<Reverse<(Now, u64, Event)>>,
    sequence: u64,
    /// Pairs of speakers that do not hear each other until then.
    cuts: BTreeMap<(usize, usize), Now>,
}

/// The address, and BGP Identifier, of a speaker.
pub(crate) fn address(speaker: usize) -> Ipv4Addr {
    Ipv4Addr::from(0x0a00_0001 + speaker as u32)
}

/// The speaker that has this address.
pub(crate) fn speaker_at(address: IpAddr) -> usize {
    let IpAddr::V4(address) = address else { panic!("{address} is nobody's") };
    (u32::from(address) - 0x0a00_0001) as usize
}

impl Network {
    pub(crate) fn new(configs: Vec<SpeakerConfig>, own: Vec<BTreeSet<IpNet>>, seed: u64) -> Self {
        let mut network = Self {
            now: Now::default(),
            speakers: Vec::new(),
            own,
            dice: Dice::new(seed),
            connections: Vec::new(),
            events: BinaryHeap::new(),
            sequence: 0,
            cuts: BTreeMap::new(),
        };
        for config in configs {
            let seed = network.dice.next();
            network.speakers.push(Speaker::new(config, network.now, Restarting::No, seed, 0));
        }
        (0..network.speakers.len()).for_each(|speaker| network.start(speaker));
        network
    }

    fn start(&mut self, speaker: usize) {
        for port in 0..self.speakers[speaker].ports.len() {
            let now = self.now;
            self.with(speaker, port, |port| port.fsm.handle_start(now));
        }
        self.originate(speaker);
    }

    /// Begins, or ceases, to originate a prefix at a speaker.
    pub(crate) fn toggle(&mut self, speaker: usize, prefix: IpNet) {
        if !self.own[speaker].remove(&prefix) {
            self.own[speaker].insert(prefix);
        }
        self.originate(speaker);
    }

    fn originate(&mut self, speaker: usize) {
        self.speakers[speaker].core.originate(self.now, &self.own[speaker]);
        self.dirty(speaker);
    }

    /// Ends a speaker and starts it anew.
    pub(crate) fn restart(&mut self, speaker: usize, death: Death, restarting: Restarting) {
        for index in 0..self.connections.len() {
            for side in 0..2 {
                let connection = &mut self.connections[index];
                let was_open = connection.speakers[side] == speaker && connection.ids[side].take().is_some();
                if was_open && death == Death::Process {
                    self.send(index, 1 - side, |connection, to| Event::Closed { connection, to });
                }
            }
        }
        let old = &self.speakers[speaker];
        let (config, life) = (old.config.clone(), old.life + 1);
        let seed = self.dice.next();
        self.speakers[speaker] = Speaker::new(config, self.now, restarting, seed, life);
        self.start(speaker);
    }

    /// Breaks every connection between two speakers.
    pub(crate) fn reset(&mut self, one: usize, other: usize) {
        for index in 0..self.connections.len() {
            let connection = &self.connections[index];
            if connection.speakers == [one, other] || connection.speakers == [other, one] {
                for to in 0..2 {
                    self.send(index, to, |connection, to| Event::Closed { connection, to });
                }
            }
        }
    }

    /// Holds everything between two speakers back for a while.
    pub(crate) fn cut(&mut self, one: usize, other: usize, until: Now) {
        self.cuts.insert((one.min(other), one.max(other)), until);
    }

    /// Runs for a while.
    pub(crate) fn run_until(&mut self, end: Now) {
        while let Some(Reverse((time, ..))) = self.events.peek()
            && *time <= end
        {
            let Some(Reverse((time, _, event))) = self.events.pop() else { break };
            self.now = self.now.max(time);
            self.handle(event);
        }
        self.now = end;
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Syn(connection) => self.syn(connection),
            Event::SynAck(connection) => {
                let (now, ends) = (self.now, self.addresses(connection, 0));
                self.at(connection, 0, |port, id| port.fsm.handle_connected(now, id, ends));
            }
            Event::Octets { connection, to, octets } => self.octets(connection, to, &octets),
            Event::Closed { connection, to } => {
                let now = self.now;
                self.at(connection, to, |port, id| {
                    port.connections.remove(&id);
                    port.fsm.handle_lost(now, id, TransportError::Closed);
                });
                self.connections[connection].ids[to] = None;
            }
            Event::Timer { speaker, port, life } if self.speakers[speaker].life == life => {
                let now = self.now;
                self.with(speaker, port, |port| {
                    port.armed = None;
                    if port.fsm.poll_timeout().is_some_and(|due| due <= now) {
                        port.fsm.handle_timeout(now);
                    }
                });
            }
            Event::Turn { speaker, life } if self.speakers[speaker].life == life => self.turn(speaker),
            Event::Timer { .. } | Event::Turn { .. } => {}
        }
    }

    fn addresses(&self, connection: usize, side: usize) -> SessionAddresses {
        let speakers = self.connections[connection].speakers;
        SessionAddresses {
            local: address(speakers[side]).into(),
            peer: address(speakers[1 - side]).into(),
            interface: None,
        }
    }

    fn syn(&mut self, index: usize) {
        let (now, ends) = (self.now, self.addresses(index, 1));
        let connection = &self.connections[index];
        let (speaker, port) = (connection.speakers[1], connection.ports[1]);
        self.send(index, 0, |connection, _| Event::SynAck(connection));
        match self.speakers[speaker].ports[port].fsm.handle_incoming(now, ends) {
            Incoming::Accepted(id) => {
                self.connections[index].ids[1] = Some(id);
                self.speakers[speaker].ports[port].connections.insert(id, index);
            }
            Incoming::Refused(_) => self.send(index, 0, |connection, to| Event::Closed { connection, to }),
        }
        self.with(speaker, port, |_| ());
    }

    /// Octets for one side; nobody there answers with a reset.
    fn octets(&mut self, index: usize, to: usize, octets: &[u8]) {
        let Some(id) = self.connections[index].ids[to] else {
            return self.send(index, 1 - to, |connection, to| Event::Closed { connection, to });
        };
        let (speaker, port) = (self.connections[index].speakers[to], self.connections[index].ports[to]);
        let now = self.now;
        let place = &mut self.speakers[speaker].ports[port];
        place.fsm.handle_bytes(now, id);
        let mut buffer = place.partial.remove(&id).unwrap_or_default();
        buffer.extend_from_slice(octets);
        while self.speakers[speaker].ports[port].connections.contains_key(&id) {
            let context = context(&self.speakers[speaker].ports[port], id);
            match framer::next_message(&mut buffer, context.max_message) {
                Ok(None) => break,
                Ok(Some(message)) => self.message(speaker, port, id, &message, &context),
                Err(notification) => panic!("{speaker} cannot frame what it got: {notification:?}"),
            }
        }
        if !buffer.is_empty() {
            self.speakers[speaker].ports[port].partial.insert(id, buffer);
        }
    }

    fn message(
        &mut self,
        speaker: usize,
        port: usize,
        id: ConnectionId,
        message: &Bytes,
        context: &DecodeContext,
    ) {
        let now = self.now;
        let received = match decode(message, context) {
            Ok(Message::Update(update)) if self.speakers[speaker].ports[port].session == Some(id) => {
                assert!(update.malformed.is_empty(), "{speaker} got {:?}", update.malformed);
                let place = &mut self.speakers[speaker];
                let peer = place.ports[port].peer;
                place.core.routes(now, peer, RouteBatch { items: update.items });
                return self.dirty(speaker);
            }
            Ok(Message::Update(_)) => Received::Update,
            Ok(Message::Open(open)) => Received::Open(Box::new(open)),
            Ok(Message::Keepalive) => Received::Keepalive,
            Ok(Message::Notification(notification)) => Received::Notification(notification),
            Ok(Message::RouteRefresh(_)) => Received::RouteRefresh,
            Err(notification) => panic!("{speaker} cannot decode what it got: {notification:?}"),
        };
        self.with(speaker, port, |port| port.fsm.handle_message(now, id, received));
    }

    /// Feeds the state machine that one end of a connection belongs to, if that end is open.
    fn at(&mut self, index: usize, side: usize, act: impl FnOnce(&mut Port, ConnectionId)) {
        let connection = &self.connections[index];
        if let Some(id) = connection.ids[side] {
            self.with(connection.speakers[side], connection.ports[side], |port| act(port, id));
        }
    }

    /// Feeds a state machine, carries out what it asks for and sees to its timer.
    fn with(&mut self, speaker: usize, port: usize, act: impl FnOnce(&mut Port)) {
        act(&mut self.speakers[speaker].ports[port]);
        while let Some(action) = self.speakers[speaker].ports[port].fsm.poll_action() {
            self.perform(speaker, port, action);
        }
        let place = &mut self.speakers[speaker];
        let (life, place) = (place.life, &mut place.ports[port]);
        if let Some(due) = place.fsm.poll_timeout()
            && place.armed.is_none_or(|armed| due < armed)
        {
            place.armed = Some(due);
            self.post(due, Event::Timer { speaker, port, life });
        }
    }

    fn perform(&mut self, speaker: usize, port: usize, action: Action) {
        let now = self.now;
        match action {
            Action::Connect(id) => self.connect(speaker, port, id),
            Action::Send(id, message) => self.say(speaker, port, id, encoded(&message)),
            Action::Close(id) => {
                if let Some(index) = self.speakers[speaker].ports[port].connections.remove(&id) {
                    let side = self.side(index, speaker);
                    self.connections[index].ids[side] = None;
                    self.send(index, 1 - side, |connection, to| Event::Closed { connection, to });
                }
            }
            Action::SessionUp(up) => {
                let place = &mut self.speakers[speaker];
                let port = &mut place.ports[port];
                port.sessions += 1;
                port.session = Some(up.connection);
                port.context = DecodeContext::new(&up.negotiated);
                place.core.session_up(now, port.peer, up.negotiated.clone(), up.addresses);
                self.dirty(speaker);
            }
            Action::SessionDown { retention, .. } => {
                let place = &mut self.speakers[speaker];
                place.ports[port].session = None;
                place.core.session_down(now, place.ports[port].peer, retention);
                self.dirty(speaker);
            }
            Action::StateChanged { .. } => {}
        }
    }

    fn connect(&mut self, speaker: usize, port: usize, id: ConnectionId) {
        let other = speaker_at(self.speakers[speaker].config.peers[port].address);
        let ours = IpAddr::from(address(speaker));
        let theirs = self.speakers[other].config.peers.iter().position(|peer| peer.address == ours);
        let index = self.connections.len();
        self.connections.push(Connection {
            speakers: [speaker, other],
            ports: [port, theirs.unwrap()],
            ids: [Some(id), None],
            arrival: [self.now; 2],
        });
        self.speakers[speaker].ports[port].connections.insert(id, index);
        self.send(index, 1, |connection, _| Event::Syn(connection));
    }

    fn say(&mut self, speaker: usize, port: usize, id: ConnectionId, octets: Vec<u8>) {
        let place = &mut self.speakers[speaker].ports[port];
        if let Some(index) = place.connections.get(&id).copied() {
            place.fsm.handle_sent(self.now, id);
            let side = self.side(index, speaker);
            self.send(index, 1 - side, |connection, to| Event::Octets { connection, to, octets });
        }
    }

    fn side(&self, connection: usize, speaker: usize) -> usize {
        usize::from(self.connections[connection].speakers[0] != speaker)
    }

    /// Puts something under way to one side of a connection, behind everything sent there before.
    fn send(&mut self, index: usize, to: usize, event: impl FnOnce(usize, usize) -> Event) {
        let delay = self.dice.millis(1..40);
        let connection = &mut self.connections[index];
        let [one, other] = connection.speakers;
        let cut = self.cuts.get(&(one.min(other), one.max(other))).copied().unwrap_or_default();
        let due = self.now.max(cut).plus(delay).max(connection.arrival[to]);
        connection.arrival[to] = due;
        self.post(due, event(index, to));
    }

    fn post(&mut self, due: Now, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((due, self.sequence, event)));
    }

    fn dirty(&mut self, speaker: usize) {
        let (life, delay) = (self.speakers[speaker].life, self.dice.millis(0..5));
        if !std::mem::replace(&mut self.speakers[speaker].scheduled, true) {
            self.post(self.now.plus(delay), Event::Turn { speaker, life });
        }
    }

    fn turn(&mut self, speaker: usize) {
        let now = self.now;
        let budget = 1 + self.dice.below(400);
        let place = &mut self.speakers[speaker];
        place.scheduled = false;
        let mut errands = Vec::new();
        let work = place.turn(now, budget, &mut errands);
        if let Some(due) = place.core.poll_timeout().filter(|due| *due > now) {
            let life = place.life;
            self.post(due, Event::Turn { speaker, life });
        }
        for errand in errands {
            match errand {
                Errand::Send(port, messages) => {
                    if let Some(id) = self.speakers[speaker].ports[port].session {
                        messages.iter().for_each(|message| self.say(speaker, port, id, message.to_vec()));
                    }
                }
                Errand::Stop(port, stop) => self.with(speaker, port, |port| port.fsm.handle_stop(now, stop)),
                Errand::Reconfigure => self.reconfigure(speaker),
            }
        }
        if work == Work::Pending {
            self.dirty(speaker);
        }
    }

    fn reconfigure(&mut self, speaker: usize) {
        let now = self.now;
        for port in 0..self.speakers[speaker].ports.len() {
            let config = self.speakers[speaker].fsm_config(port);
            self.with(speaker, port, |port| port.fsm.handle_configure(now, config, Change::Quiet));
        }
    }

    /// Peers without a session.
    pub(crate) fn down(&self) -> Vec<(usize, usize, State)> {
        let ports = self.speakers.iter().enumerate().flat_map(|(index, speaker)| {
            speaker.ports.iter().enumerate().map(move |(port, place)| (index, port, place.fsm.state()))
        });
        ports.filter(|(.., state)| *state != State::Established).collect()
    }

    /// Connections that some side still holds.
    pub(crate) fn open_connections(&self) -> usize {
        self.connections.iter().filter(|connection| connection.ids.iter().any(Option::is_some)).count()
    }
}

fn context(port: &Port, id: ConnectionId) -> DecodeContext {
    if port.session == Some(id) { port.context.clone() } else { DecodeContext::unnegotiated(port.kind) }
}

fn encoded(message: &Outgoing) -> Vec<u8> {
    let mut octets = BytesMut::new();
    match message {
        Outgoing::Open(open) => open.encode(&mut octets).unwrap(),
        Outgoing::Keepalive => encode::keepalive(&mut octets),
        Outgoing::Notification(notification) => encode::notification(notification, &mut octets),
    }
    octets.to_vec()
}
