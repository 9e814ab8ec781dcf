//! What is remembered, and told, about why there is no session.

use std::time::Duration;

use crate::{
    config::{AdminState, ConnectMode},
    fsm::{
        Awaited, Cause, DownReport, Failure, Handshake, PeerFsm, PeerIdentity, Retry, State, TransportError,
        connection::{Connection, Stage},
        machine::Phase,
    },
    types::Now,
};

/// What has gone wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// What ended the last session or attempt.
    last: Option<Failure>,
    /// The last NOTIFICATION, as long as nothing but connections that end without a word have followed.
    notification: Option<Failure>,
    /// Who the peer's last OPEN said it is.
    identity: Option<PeerIdentity>,
}

impl Memory {
    pub(super) fn failed(&mut self, failure: Failure) {
        match &failure {
            Failure::Sent { .. } | Failure::Received { .. } => self.notification = Some(failure.clone()),
            Failure::Transport(TransportError::Closed | TransportError::Reset) => {}
            _ => self.notification = None,
        }
        self.last = Some(failure);
    }

    pub(super) fn session_up(&mut self) {
        self.notification = None;
    }

    pub(super) fn identified(&mut self, identity: PeerIdentity) {
        self.identity = Some(identity);
    }

    pub(super) fn identity(&self) -> Option<PeerIdentity> {
        self.identity
    }

    /// The failure before the last, when that one said more.
    pub(super) fn before(&self) -> Option<Failure> {
        let wordless = matches!(self.last, Some(Failure::Transport(_)));
        self.notification.clone().filter(|_| wordless)
    }
}

impl PeerFsm {
    /// What ended the last session or attempt.
    pub fn last_failure(&self) -> Option<&Failure> {
        self.memory.last.as_ref()
    }

    /// Why there is no session; `None` while there is one.
    pub fn down_report(&self, now: Now) -> Option<DownReport> {
        let at = |due: Now| Retry::In(due.since(now));
        let retry = match self.phase {
            Phase::IdleHold(_) if self.penalty.is_some_and(|penalty| penalty.for_good) => Some(Retry::Never),
            Phase::IdleHold(until) => Some(at(until)),
            Phase::Running if self.connections.is_empty() => self.connect_retry.map(at),
            Phase::Running | Phase::Stopped => None,
        };
        (self.state() != State::Established).then(|| DownReport {
            peer: self.config.peer.address,
            signing: self.config.signing(),
            ttl: self.config.peer.transport.ttl,
            cause: self.cause(),
            before: self.memory.before(),
            handshake: self.connections.iter().filter_map(|c| handshake(c, now)).max_by_key(|h| h.awaited),
            retry,
        })
    }

    fn cause(&self) -> Cause {
        match (self.config.key_unavailable(), &self.memory.last) {
            _ if self.config.peer.admin == AdminState::Down => Cause::AdministrativelyDown,
            (Some(reason), _) => Cause::KeyUnavailable(reason.to_owned()),
            (None, _) if self.config.peer.address.is_unspecified() => Cause::AwaitingNeighbour,
            (None, Some(failure)) => Cause::Failed(failure.clone()),
            (None, None) if self.connections.iter().any(|c| c.stage > Stage::Connecting) => Cause::Handshake,
            (None, None) if self.config.peer.transport.mode == ConnectMode::Passive => Cause::AwaitingPeer,
            (None, None) => Cause::Starting,
        }
    }
}

fn handshake(connection: &Connection, now: Now) -> Option<Handshake> {
    let awaited = match connection.stage {
        Stage::OpenSent => Awaited::Open,
        Stage::OpenConfirm => Awaited::Keepalive,
        Stage::Connecting | Stage::DelayOpen | Stage::Established => return None,
    };
    let waited: Duration = now.since(connection.since);
    Some(Handshake { awaited, waited })
}
