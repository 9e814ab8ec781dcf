//! All sessions of a system: whose packet it is, whose time has come.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
    num::NonZeroU32,
    sync::Arc,
};

use rustc_hash::FxHashMap;
use slab::Slab;

use super::{
    CONTROL_LENGTH, ControlPacket, Discard, Discards, Endpoint, Parameters, Path, SLOW, Session, SessionView,
    Transition, decode, random::Random,
};
use crate::types::Now;

mod entry;
mod setup;

use entry::Entry;

/// A session of an [`Engine`]: an index that is used again once [`Output::Closed`] has named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(usize);

/// A session to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Between whom.
    pub endpoint: Endpoint,
    /// Intervals and multiplier.
    pub parameters: Parameters,
}

/// What came with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its source address.
    pub source: IpAddr,
    /// The index of the interface it arrived on.
    pub interface: u32,
    /// Its TTL or hop limit, as received; zero when the kernel did not say.
    pub ttl: u8,
    /// The port it came to.
    pub path: Path,
}

/// Something for the caller to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a packet from the session's source port.
    Transmit(SessionId, [u8; CONTROL_LENGTH]),
    /// Tell whoever relies on the session.
    Changed {
        /// The session's name.
        name: Arc<str>,
        /// What has happened.
        transition: Transition,
    },
    /// The session is no more: its source port can go.
    Closed(SessionId),
}

/// All sessions. Fed packets and the time, drained by [`Engine::poll_output`] after every call.
#[derive(Debug)]
pub struct Engine {
    sessions: Slab<Entry>,
    by_name: BTreeMap<Arc<str>, usize>,
    by_discriminator: FxHashMap<NonZeroU32, usize>,
    by_peer: BTreeMap<(Path, IpAddr), Vec<usize>>,
    interfaces: BTreeMap<Arc<str>, u32>,
    /// When each session is to be looked at next; never later than its own timers.
    due: BTreeSet<(Now, usize)>,
    random: Random,
    /// Of packets that belong to no session.
    discards: Discards,
    output: VecDeque<Output>,
}

impl Engine {
    /// No session. `seed` decides discriminators and jitter, and must not be guessable by neighbours several hops away.
    pub fn new(seed: u64) -> Self {
        Self {
            sessions: Slab::new(),
            by_name: BTreeMap::new(),
            by_discriminator: FxHashMap::default(),
            by_peer: BTreeMap::new(),
            interfaces: BTreeMap::new(),
            due: BTreeSet::new(),
            random: Random::new(seed),
            discards: Discards::default(),
            output: VecDeque::new(),
        }
    }

    /// Takes a received datagram.
    pub fn receive(&mut self, now: Now, arrival: &Arrival, payload: &[u8]) {
        let (index, result) = self.select(arrival, payload);
        let (Some(index), Ok(packet)) = (index, result) else {
            let discards = match index.and_then(|index| self.sessions.get_mut(index)) {
                Some(entry) => &mut entry.discards,
                None => &mut self.discards,
            };
            return discards.count(result.err().unwrap_or(Discard::UnknownNeighbor));
        };
        let Some(entry) = self.sessions.get_mut(index) else { return };
        match entry.session.handle_packet(now, &packet) {
            Ok(transition) => {
                entry.received = entry.received.saturating_add(1);
                self.changed(now, index, transition);
            }
            Err(reason) => entry.discards.count(reason),
        }
        self.settle(now, index);
    }

    /// The session a datagram is for, or the one whose neighbour it seems to come from, and what it says.
    fn select(&self, arrival: &Arrival, payload: &[u8]) -> (Option<usize>, Result<ControlPacket, Discard>) {
        let neighbor = self.neighbor(arrival);
        let decoded = match arrival.path {
            Path::SingleHop if arrival.ttl != u8::MAX => Err(Discard::Ttl),
            Path::SingleHop | Path::MultiHop => decode(payload),
        };
        let Ok(packet) = decoded else { return (neighbor, decoded) };
        let selected = match NonZeroU32::new(packet.your_discriminator) {
            Some(ours) => {
                let known = self.by_discriminator.get(&ours).copied();
                let known = known.filter(|index| self.path_of(*index) == Some(arrival.path));
                known.ok_or((neighbor, Discard::UnknownDiscriminator))
            }
            None => neighbor.ok_or((None, Discard::UnknownNeighbor)),
        };
        match selected {
            Err((blamed, reason)) => (blamed, Err(reason)),
            Ok(index) if self.minimum_ttl(index) > arrival.ttl => (Some(index), Err(Discard::Ttl)),
            Ok(index) => (Some(index), Ok(packet)),
        }
    }

    /// The session with the sender (RFC 5881 section 3, RFC 5883 section 3): its address, its interface if we are
    /// particular about that.
    fn neighbor(&self, arrival: &Arrival) -> Option<usize> {
        let candidates = self.by_peer.get(&(arrival.path, arrival.source))?;
        let fits = |index: &&usize| {
            let wanted = self.sessions.get(**index).and_then(|entry| entry.endpoint.interface.as_ref());
            wanted.is_none_or(|name| self.interfaces.get(name) == Some(&arrival.interface))
        };
        candidates.iter().find(fits).copied()
    }

    fn path_of(&self, index: usize) -> Option<Path> {
        self.sessions.get(index).map(|entry| entry.endpoint.path)
    }

    fn minimum_ttl(&self, index: usize) -> u8 {
        self.sessions.get(index).map_or(u8::MAX, |entry| entry.endpoint.minimum_ttl)
    }

    /// Lets the timers of at most `budget` sessions expire. Feed it what has been received before: packets that wait
    /// while the system was busy are signs of life.
    pub fn run(&mut self, now: Now, budget: usize) {
        for _ in 0..budget {
            let Some((_, index)) = self.due.first().filter(|(at, _)| *at <= now).copied() else { return };
            self.due.pop_first();
            let Some(entry) = self.sessions.get_mut(index) else { continue };
            entry.armed = None;
            if entry.retires.is_some_and(|at| at <= now) {
                self.close(index);
                continue;
            }
            let transition = entry.session.handle_timeout(now);
            self.changed(now, index, transition);
            self.settle(now, index);
        }
    }

    /// When [`Self::run`] has something to do.
    pub fn poll_timeout(&self) -> Option<Now> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.output.pop_front()
    }

    /// Where the packets of a session go.
    pub fn endpoint(&self, id: SessionId) -> Option<&Endpoint> {
        self.sessions.get(id.0).map(|entry| &entry.endpoint)
    }

    /// The endpoints of all sessions, those that only say goodbye included.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.sessions.iter().map(|(_, entry)| &entry.endpoint)
    }

    /// Until when neighbours have to be told of sessions that ended.
    pub fn goodbye_until(&self) -> Option<Now> {
        let ending = self.sessions.iter().filter(|(_, entry)| entry.retires.is_some());
        ending.filter_map(|(_, entry)| entry.session.goodbye_until()).max()
    }

    /// A packet of this session could not be sent.
    pub fn not_sent(&mut self, id: SessionId) {
        if let Some(entry) = self.sessions.get_mut(id.0) {
            entry.sent = entry.sent.saturating_sub(1);
            entry.not_sent = entry.not_sent.saturating_add(1);
        }
    }

    /// All sessions, sorted by name.
    pub fn sessions(&self, now: Now) -> Vec<SessionView> {
        let entries = self.by_name.values().filter_map(|index| self.sessions.get(*index));
        entries.map(|entry| entry.view(now)).collect()
    }

    /// Packets discarded that belong to no session.
    pub fn discards(&self) -> Discards {
        self.discards
    }

    fn changed(&mut self, now: Now, index: usize, transition: Option<Transition>) {
        let Some((entry, transition)) = self.sessions.get_mut(index).zip(transition) else { return };
        entry.note(now, transition);
        if entry.retires.is_none() {
            self.output.push_back(Output::Changed { name: entry.name.clone(), transition });
        }
    }

    /// Sends what a session has to send, and sees to it that its next timer is not missed.
    fn settle(&mut self, now: Now, index: usize) {
        let Some(entry) = self.sessions.get_mut(index) else { return };
        while let Some(packet) = entry.session.poll_transmit(now) {
            entry.sent = entry.sent.saturating_add(1);
            self.output.push_back(Output::Transmit(SessionId(index), packet.encode()));
        }
        let wanted = entry.session.poll_timeout().into_iter().chain(entry.retires).min();
        // A timer that was put off is found out when it would have expired: no work per packet.
        let Some(at) = wanted.filter(|at| entry.armed.is_none_or(|armed| *at < armed)) else { return };
        if let Some(armed) = entry.armed.replace(at) {
            self.due.remove(&(armed, index));
        }
        self.due.insert((at, index));
    }
}
