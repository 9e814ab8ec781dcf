//! Connections that were refused: from whom, to which address of ours, why, how often.
//!
//! A peer that connects to another address than its session is configured with, or without the key, looks like a silent
//! one from the other side. This table is what tells the two apart. Anybody can connect, so it is bounded: when it is
//! full, the entry that was last seen longest ago makes room; the counts by reason forget nothing.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::fsm::Refusal;

/// Entries that are kept.
const KEPT: usize = 256;

/// Why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// No peer has this address, and no range contains it.
    NotConfigured,
    /// The peer's session is bound to another address of ours.
    OtherLocalAddress,
    /// The peer's session is bound to another interface.
    OtherInterface,
    /// The key that the peer must sign with is not in force on the listening socket.
    KeyNotInForce,
    /// The peer is administratively down, or its key cannot be had.
    PeerDown,
    /// The IdleHoldTimer runs after a failure.
    IdleHold,
    /// The range has as many peers as it may.
    RangeFull,
    /// Too many connections wait to be looked at.
    Busy,
}

impl RefusalReason {
    /// The name, as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotConfigured => "not_configured",
            Self::OtherLocalAddress => "other_local_address",
            Self::OtherInterface => "other_interface",
            Self::KeyNotInForce => "key_not_in_force",
            Self::PeerDown => "peer_down",
            Self::IdleHold => "idle_hold",
            Self::RangeFull => "range_full",
            Self::Busy => "busy",
        }
    }
}

impl From<Refusal> for RefusalReason {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Down => Self::PeerDown,
            Refusal::IdleHold(_) => Self::IdleHold,
        }
    }
}

/// Connections from one address to one of ours that were refused for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedConnections {
    /// Who connected.
    pub remote: IpAddr,
    /// To which address of ours.
    pub local: IpAddr,
    /// Why it was refused.
    pub reason: RefusalReason,
    /// How often.
    pub count: u64,
    /// How long ago it was last.
    pub age: Duration,
}

/// All of them, as far as remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefusalReport {
    /// The latest, ascending by who connected, to where, and the reason.
    pub entries: Vec<RefusedConnections>,
    /// All since the start, by reason.
    pub totals: BTreeMap<RefusalReason, u64>,
}

type Key = (IpAddr, IpAddr, RefusalReason);

/// The table that listeners and peer tasks write into.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    entries: BTreeMap<Key, (u64, Instant)>,
    totals: BTreeMap<RefusalReason, u64>,
}

impl Refusals {
    /// Counts a refused connection.
    pub(super) fn note(&self, remote: IpAddr, local: IpAddr, reason: RefusalReason) {
        self.table().note((remote.to_canonical(), local.to_canonical(), reason), Instant::now());
    }

    /// What is known now.
    pub(super) fn report(&self) -> RefusalReport {
        let now = Instant::now();
        let table = self.table();
        let entry = |(&(remote, local, reason), &(count, last)): (&Key, &(u64, Instant))| {
            RefusedConnections { remote, local, reason, count, age: now.saturating_duration_since(last) }
        };
        RefusalReport { entries: table.entries.iter().map(entry).collect(), totals: table.totals.clone() }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn note(&mut self, key: Key, now: Instant) {
        let total = self.totals.entry(key.2).or_default();
        *total = total.saturating_add(1);
        if self.entries.len() >= KEPT && !self.entries.contains_key(&key) {
            let oldest = self.entries.iter().min_by_key(|(_, (_, last))| *last).map(|(key, _)| *key);
            oldest.and_then(|oldest| self.entries.remove(&oldest));
        }
        let (count, last) = self.entries.entry(key).or_insert((0, now));
        *count = count.saturating_add(1);
        *last = now;
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn key(number: u32) -> Key {
        let remote = IpAddr::from(Ipv4Addr::from(0x0a00_0000_u32.saturating_add(number)));
        (remote, Ipv4Addr::new(192, 0, 2, 1).into(), RefusalReason::NotConfigured)
    }

    #[test]
    fn the_same_connection_again_is_counted_and_not_kept_twice() {
        let refusals = Refusals::default();
        let (remote, local, reason) = key(1);
        for _ in 0..3 {
            refusals.note(remote, local, reason);
        }
        let report = refusals.report();
        let counts: Vec<_> = report.entries.iter().map(|entry| (entry.remote, entry.count)).collect();
        assert_eq!(counts, [(remote, 3)]);
        assert_eq!(report.totals.get(&reason), Some(&3));
    }

    #[test]
    fn a_flood_from_everywhere_keeps_the_latest_and_loses_no_count() {
        let mut table = Table::default();
        let start = Instant::now();
        for number in 0..1000_u32 {
            table.note(key(number), start + Duration::from_millis(number.into()));
        }
        assert_eq!(table.entries.len(), KEPT);
        assert!(table.entries.contains_key(&key(999)) && !table.entries.contains_key(&key(0)));
        assert_eq!(table.totals.values().sum::<u64>(), 1000);
    }
}
