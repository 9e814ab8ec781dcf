//! The session of a peer: what the others are told when it comes and goes.

use std::{io, net::SocketAddr};

use tokio::net::TcpStream;
use tracing::{info, warn};

use super::{News, PeerTask};
use crate::{
    bmp::SessionRecord,
    event::{Negotiated, Retention, SessionAddresses},
    fsm::{ConnectionId, Failure, SessionUp},
    mrt,
    net::{mrt::unix_time, outbox::outbox, snapshot::SessionSnapshot},
    wire::DecodeContext,
};

impl PeerTask {
    pub(super) fn session_up(&mut self, up: SessionUp) {
        let (sender, receiver) = outbox(self.id, self.ready.clone());
        let interface = up.addresses.interface;
        let link = self.link_mut(up.connection).and_then(|link| link.runs_over());
        let mut context = DecodeContext::new(&up.negotiated).on_link(interface).over(link);
        context.as_sets = self.config.peer.switches.as_sets;
        context.unwanted = self.config.peer.switches.unwanted;
        context.reserved_ranges = self.config.peer.switches.reserved_ranges;
        self.session = Some(up.connection);
        self.sessions = self.sessions.wrapping_add(1);
        self.blamed.clear();
        if let Some(link) = self.link_mut(up.connection) {
            link.context = context;
            link.outbox = Some(receiver);
        }
        let addresses = up.addresses;
        info!(peer = self.config.peer.name, asn = %up.negotiated.peer_asn, identifier = %up.negotiated.peer_id,
            local = %addresses.local, "session established");
        {
            let mut status = self.shared.status();
            status.session = Some(SessionSnapshot { negotiated: up.negotiated.clone(), addresses });
            status.sessions = self.sessions;
        }
        let record = Box::new(self.record(up.connection, &up.negotiated));
        let (session, negotiated) = (self.sessions, Box::new(up.negotiated));
        self.pending.push_back(News::Up { session, negotiated, addresses, outbox: sender, record });
    }

    /// Who speaks with whom, for archives.
    pub(super) fn archived_ends(&mut self, id: Option<ConnectionId>) -> mrt::message::Ends {
        let known = id.or(self.session).and_then(|id| self.link_mut(id)).and_then(|link| link.ends());
        let peer = &self.config.peer;
        mrt::message::Ends {
            peer_asn: peer.asn,
            local_asn: self.config.local_asn,
            peer: known.map_or(peer.address, |(_, remote)| remote.ip()),
            local: known.map(|(local, _)| local.ip()),
        }
    }

    /// The session as those who look on are told of it.
    fn record(&mut self, id: ConnectionId, negotiated: &Negotiated) -> SessionRecord {
        let (ends, opens) =
            self.link_mut(id).map(|link| (link.ends(), link.opens.clone())).unwrap_or_default();
        let nowhere = SocketAddr::from(([0; 4], 0));
        SessionRecord {
            negotiated: negotiated.clone(),
            local: ends.map_or(nowhere, |(local, _)| local),
            remote: ends.map_or(nowhere, |(_, remote)| remote),
            sent_open: opens.sent,
            received_open: opens.received,
            since: unix_time(),
        }
    }

    pub(super) fn session_down(&mut self, retention: Retention, failure: Failure) {
        let (peer, reason) = (&self.config.peer.name, failure.to_string());
        match failure {
            Failure::Stopped(_) => info!(peer, reason, "session ended"),
            _ => warn!(peer, reason, "session ended"),
        }
        self.session = None;
        self.shared.status().session = None;
        self.flush_batch();
        self.pending.push_back(News::Down { retention, failure });
    }

    /// Shows the state to whoever asks for a snapshot.
    pub(super) fn publish(&mut self) {
        let now = self.clock.now();
        let mut status = self.shared.status();
        status.state = self.fsm.state();
        status.down = self.fsm.down_report(now);
        status.published = now;
        status.last_failure = self.fsm.last_failure().cloned();
        status.fallback.clone_from(self.fsm.fallback());
    }
}

/// Both ends of a connection.
pub(super) fn ends(stream: &TcpStream) -> io::Result<SessionAddresses> {
    let (local, peer) = (stream.local_addr()?, stream.peer_addr()?);
    let scope = |end: SocketAddr| match end {
        SocketAddr::V6(end) if end.ip().is_unicast_link_local() => Some(end.scope_id()).filter(|id| *id != 0),
        _ => None,
    };
    let interface = scope(local).or(scope(peer));
    Ok(SessionAddresses { local: local.ip(), peer: peer.ip(), interface })
}
