//! What peer tasks publish about themselves.

use std::{
    net::IpAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    discovery::DiscoveryReport,
    incidents::{Incident, Incidents},
};
use crate::{
    config::{AdminState, AsnRule, PeerConfig, Reflection},
    core::RouteCounts,
    event::{Negotiated, SessionAddresses},
    fsm::{DownReport, Failure, Fallback, Handshake, State},
    types::{Asn, Family, Now, PeerId, PeerType},
    wire::framer,
};

/// A peer as it is now.
#[derive(Clone, Debug)]
pub struct PeerSnapshot {
    /// Its index.
    pub id: PeerId,
    /// Its name.
    pub name: String,
    /// Of a dynamic peer: the name of the range that admits it.
    pub range: Option<String>,
    /// Administratively up or down, an operator's orders included.
    pub admin: AdminState,
    /// Our own cluster's client or not.
    pub reflection: Reflection,
    /// Its address; unspecified while nobody was found on its link.
    pub address: IpAddr,
    /// The interface its connections are bound to.
    pub interface: Option<String>,
    /// Of a peer that is known by its interface alone: what is known of the link, while it is wanted.
    pub discovery: Option<DiscoveryReport>,
    /// Its AS number: the session's, else the configured one; 0 while it is not known.
    pub asn: Asn,
    /// Internal or external.
    pub peer_type: PeerType,
    /// State of its session.
    pub state: State,
    /// How long it has been in this state.
    pub state_age: Duration,
    /// Why there is no session; `None` while there is one.
    pub down: Option<DownReport>,
    /// The session, while there is one.
    pub session: Option<SessionSnapshot>,
    /// What ended the last session or attempt.
    pub last_failure: Option<Failure>,
    /// Its last messages that were not as they should be, the latest first.
    pub incidents: Vec<Incident>,
    /// What is left out of our OPENs because the peer has refused it.
    pub fallback: Fallback,
    /// Sessions that have reached Established so far.
    pub sessions: u64,
    /// Messages exchanged so far, over all sessions.
    pub messages: MessageCounts,
    /// Routes by family, in wire order.
    pub routes: Vec<(Family, RouteCounts)>,
    /// What the path attributes it has sent take in memory, in octets.
    pub attribute_octets: u64,
}

/// A range of addresses as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeSnapshot {
    /// Its name.
    pub name: String,
    /// Its peers at present.
    pub peers: usize,
    /// How many there may be.
    pub limit: usize,
    /// Connections refused because there were as many, since the last change of the configuration.
    pub refused: u64,
}

/// An established session.
#[derive(Clone, Debug)]
pub struct SessionSnapshot {
    /// What the OPENs agreed on.
    pub negotiated: Negotiated,
    /// The ends of the connection.
    pub addresses: SessionAddresses,
}

/// Counters of one peer; they only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageCounts {
    /// Messages received, malformed ones included.
    pub received: MessageTally,
    /// Messages sent, or queued to be.
    pub sent: MessageTally,
    /// Octets received.
    pub octets_received: u64,
    /// Octets sent.
    pub octets_sent: u64,
    /// Malformed path attributes survived (RFC 7606).
    pub malformed: u64,
}

/// Messages by type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageTally {
    /// OPENs.
    pub open: u64,
    /// UPDATEs.
    pub update: u64,
    /// NOTIFICATIONs.
    pub notification: u64,
    /// KEEPALIVEs.
    pub keepalive: u64,
    /// ROUTE-REFRESHs.
    pub route_refresh: u64,
}

impl MessageTally {
    /// Messages of every type.
    pub fn total(&self) -> u64 {
        [self.open, self.update, self.notification, self.keepalive, self.route_refresh].iter().sum()
    }
}

/// [`MessageTally`] as it is kept: by type code, from 1.
#[derive(Debug, Default)]
pub(super) struct TypeCounters([AtomicU64; 5]);

impl TypeCounters {
    /// Counts the messages in these octets, which begin with a message and end with one.
    pub(super) fn count(&self, mut octets: &[u8]) {
        while let Some(header) = octets.first_chunk::<{ framer::HEADER }>() {
            let [.., high, low, code] = *header;
            if let Some(counter) = usize::from(code).checked_sub(1).and_then(|index| self.0.get(index)) {
                count(counter, 1);
            }
            let length = usize::from(u16::from_be_bytes([high, low])).max(framer::HEADER);
            octets = octets.get(length..).unwrap_or_default();
        }
    }

    fn read(&self) -> MessageTally {
        let [open, update, notification, keepalive, route_refresh] =
            self.0.each_ref().map(|counter| counter.load(Ordering::Relaxed));
        MessageTally { open, update, notification, keepalive, route_refresh }
    }
}

/// The counters as a peer task keeps them.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) received: TypeCounters,
    pub(super) sent: TypeCounters,
    pub(super) octets_received: AtomicU64,
    pub(super) octets_sent: AtomicU64,
    pub(super) malformed: AtomicU64,
}

impl Counters {
    fn read(&self) -> MessageCounts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        MessageCounts {
            received: self.received.read(),
            sent: self.sent.read(),
            octets_received: get(&self.octets_received),
            octets_sent: get(&self.octets_sent),
            malformed: get(&self.malformed),
        }
    }
}

/// Adds to a counter.
pub(super) fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(u64::try_from(by).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// The state as a peer task publishes it.
#[derive(Clone, Debug, Default)]
pub(super) struct Status {
    pub(super) state: State,
    pub(super) since: Now,
    /// As of `published`.
    pub(super) down: Option<DownReport>,
    pub(super) published: Now,
    pub(super) session: Option<SessionSnapshot>,
    pub(super) last_failure: Option<Failure>,
    pub(super) fallback: Fallback,
    pub(super) sessions: u64,
}

/// What a peer task shares with the speaker.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) counters: Counters,
    status: Mutex<Status>,
    incidents: Mutex<Incidents>,
}

impl Shared {
    pub(super) fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a message that was not as it should be.
    pub(super) fn keep(&self, now: Now, what: String, message: &[u8]) {
        self.incidents.lock().unwrap_or_else(PoisonError::into_inner).keep(now, what, message);
    }

    /// The peer as it is now; its routes are for the caller to add.
    pub(super) fn snapshot(&self, now: Now, id: PeerId, config: &PeerConfig, own: Asn) -> PeerSnapshot {
        let status = self.status().clone();
        let age = now.since(status.published);
        let asn = match (&status.session, &config.asn_rule) {
            (Some(session), _) => session.negotiated.peer_asn,
            (None, AsnRule::Configured) => config.asn,
            (None, _) => Asn(0),
        };
        let peer_type = match &status.session {
            Some(session) => session.negotiated.peer_type,
            None => PeerType::of(config.switches.local_as.map_or(own, |local| local.asn), asn),
        };
        PeerSnapshot {
            id,
            name: config.name.clone(),
            range: None,
            admin: config.admin,
            reflection: config.reflection,
            interface: config.transport.interface.clone(),
            address: config.address,
            discovery: None,
            asn,
            peer_type,
            state: status.state,
            state_age: now.since(status.since),
            down: status.down.map(|report| DownReport {
                retry: report.retry.map(|retry| retry.after(age)),
                handshake: report.handshake.map(|h| Handshake { waited: h.waited.saturating_add(age), ..h }),
                ..report
            }),
            session: status.session,
            last_failure: status.last_failure,
            incidents: self.incidents.lock().unwrap_or_else(PoisonError::into_inner).at(now),
            fallback: status.fallback,
            sessions: status.sessions,
            messages: self.counters.read(),
            routes: Vec::new(),
            attribute_octets: 0,
        }
    }
}
