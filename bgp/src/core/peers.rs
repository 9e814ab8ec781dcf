//! The configured peers: stable indices, and what a new configuration means for each.

use std::collections::{BTreeMap, VecDeque};

use super::event::PeerChange;
use crate::{
    config::{PeerConfig, SpeakerConfig, TimerConfig, TransportConfig},
    types::PeerId,
};

/// Whether two configurations of a peer can share a session.
pub(super) fn same_session(a: &PeerConfig, b: &PeerConfig) -> bool {
    let plain = |c: &PeerConfig| PeerConfig {
        next_hop: a.next_hop,
        switches: if a.switches.same_session(&c.switches) { a.switches.clone() } else { c.switches.clone() },
        reflection: a.reflection,
        import: a.import.clone(),
        export: a.export.clone(),
        install: a.install,
        limit: a.limit,
        bfd: a.bfd,
        fallover: a.fallover,
        shutdown_text: a.shutdown_text.clone(),
        transport: TransportConfig { advertising: a.transport.advertising, ..c.transport.clone() },
        timers: TimerConfig {
            hold_time: c.timers.hold_time,
            keepalive_time: c.timers.keepalive_time,
            send_hold_time: c.timers.send_hold_time,
            ..a.timers
        },
        ..c.clone()
    };
    *a == plain(b)
}

/// Whether a peer's state machine waits and says the same with two configurations that can share a session.
fn same_waits(a: &PeerConfig, b: &PeerConfig) -> bool {
    (a.timers, &a.shutdown_text) == (b.timers, &b.shutdown_text)
}

/// Whether two configurations of the whole speaker leave all sessions valid.
pub(super) fn same_speaker(a: &SpeakerConfig, b: &SpeakerConfig) -> bool {
    a.asn == b.asn && a.router_id == b.router_id && a.graceful_restart_time == b.graceful_restart_time
}

/// An index rests until so many others are free: late messages of the old peer's task find nobody.
const RESTING: usize = 256;

/// Names of peers and the indices they hold.
#[derive(Debug, Default)]
pub(super) struct PeerIds {
    by_name: BTreeMap<String, PeerId>,
    free: VecDeque<PeerId>,
    next: u32,
}

impl PeerIds {
    /// The index of this name, now or from now on.
    pub(super) fn assign(&mut self, name: &str) -> PeerId {
        if let Some(id) = self.by_name.get(name) {
            return *id;
        }
        let rested = (self.free.len() > RESTING).then(|| self.free.pop_front()).flatten();
        let id = rested.unwrap_or_else(|| {
            self.next += 1;
            PeerId(self.next - 1)
        });
        self.by_name.insert(name.to_owned(), id);
        id
    }

    /// The index of this name.
    pub(super) fn get(&self, name: &str) -> Option<PeerId> {
        self.by_name.get(name).copied()
    }

    /// Forgets a name; the index stays taken until [`PeerIds::free`].
    pub(super) fn forget(&mut self, name: &str) {
        self.by_name.remove(name);
    }

    /// Lets an index be given to another peer.
    pub(super) fn free(&mut self, id: PeerId) {
        self.free.push_back(id);
    }
}

/// What the step from one configuration to the next means for the peers' tasks: removals first, then by index.
pub(super) fn changes(old: &SpeakerConfig, new: &SpeakerConfig, ids: &mut PeerIds) -> Vec<PeerChange> {
    let restart_all = !same_speaker(old, new);
    let named = |c: &'_ SpeakerConfig| -> BTreeMap<String, PeerConfig> {
        c.peers.iter().map(|p| (p.name.clone(), p.clone())).collect()
    };
    let (before, after) = (named(old), named(new));
    let mut list: Vec<_> = before
        .keys()
        .filter(|name| !after.contains_key(*name))
        .filter_map(|name| ids.get(name))
        .map(PeerChange::Remove)
        .collect();
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        ids.forget(name);
    }
    for peer in &new.peers {
        let id = ids.assign(&peer.name);
        match before.get(&peer.name) {
            None => list.push(PeerChange::Add(id)),
            Some(old) if restart_all || !same_session(old, peer) => list.push(PeerChange::Restart(id)),
            Some(old) if !same_waits(old, peer) => list.push(PeerChange::Update(id)),
            Some(_) => {}
        }
    }
    list
}
