//! BFD's own thread, sockets and clock: no session suffers from what the routes cost.
//!
//! ```text
//!   speaker --- wanted sessions (the latest set) ---> thread: bfd::Engine, one receiving socket per port and family,
//!      ^                                              one sending socket per session
//!      '------- changes of state, one slot per session ---'
//! ```
//!
//! The thread starts with the first session somebody wants, and ends with the speaker.

mod changes;
mod receivers;
mod sys;
mod thread;
mod transmitters;

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};
use tracing::error;

pub(super) use changes::Change;

use changes::Changes;

use crate::{
    bfd::{Discards, Endpoint, Path, SessionView, Wanted},
    config::{AdminState, PeerConfig},
};

/// Questions that may wait for an answer.
const QUESTIONS: usize = 8;
/// How long the last words may take.
const FAREWELL: Duration = Duration::from_millis(200);

/// Everything about BFD at one moment.
#[derive(Clone, Debug, Default)]
pub struct BfdReport {
    /// The sessions, sorted by name, which is that of the peer.
    pub sessions: Vec<SessionView>,
    /// Packets discarded that belong to no session.
    pub discards: Discards,
    /// Ports that cannot be listened on, and why: sessions that need them stay down.
    pub failed: Vec<String>,
}

/// Which sessions are wanted, by name.
type WantedSet = BTreeMap<Arc<str>, Wanted>;
type Question = oneshot::Sender<BfdReport>;

/// The way of questions to the thread, once it runs.
#[derive(Clone, Debug, Default)]
pub(super) struct BfdQuestions(Arc<OnceLock<mpsc::Sender<Question>>>);

impl BfdQuestions {
    /// What there is to report; nothing while no session has been wanted yet.
    pub(super) async fn report(&self) -> BfdReport {
        let Some(questions) = self.0.get() else { return BfdReport::default() };
        let (sender, receiver) = oneshot::channel();
        match questions.send(sender).await {
            Ok(()) => receiver.await.unwrap_or_default(),
            Err(_) => BfdReport::default(),
        }
    }
}

/// The speaker's end.
#[derive(Debug)]
pub(super) struct Bfd {
    wanted: watch::Sender<WantedSet>,
    changes: Arc<Changes>,
    questions: BfdQuestions,
    ended: Option<oneshot::Receiver<()>>,
}

impl Bfd {
    pub(super) fn new() -> Self {
        Self {
            wanted: watch::Sender::default(),
            changes: Arc::default(),
            questions: BfdQuestions::default(),
            ended: None,
        }
    }

    pub(super) fn questions(&self) -> BfdQuestions {
        self.questions.clone()
    }

    /// Runs a session with each of these peers that wants one. A peer that is shut down keeps its own while the BGP
    /// session lasts: told of the path's end first, the other side would take that for the reason of the session's.
    pub(super) fn run<'a>(&mut self, peers: impl Iterator<Item = (&'a PeerConfig, BgpSession)>) {
        let wanted: WantedSet = peers.filter_map(|(peer, session)| wanted(peer, session)).collect();
        if wanted.is_empty() && self.ended.is_none() || *self.wanted.borrow() == wanted {
            return;
        }
        self.wanted.send_replace(wanted);
        if self.ended.is_none() {
            match self.start() {
                Ok(ended) => self.ended = Some(ended),
                Err(error) => error!(%error, "BFD cannot be had: no thread"),
            }
        }
    }

    fn start(&self) -> io::Result<oneshot::Receiver<()>> {
        let (sender, questions) = mpsc::channel(QUESTIONS);
        let ended = thread::start(self.wanted.subscribe(), questions, self.changes.clone())?;
        // Only the first thread is ever asked; there is no second, since this one ends with us.
        self.questions.0.set(sender).unwrap_or_default();
        Ok(ended)
    }

    /// Waits until some session has changed its state.
    pub(super) async fn changed(&self) {
        self.changes.wait().await;
    }

    /// What has changed since the last call, by peer.
    pub(super) fn take_changes(&self) -> BTreeMap<Arc<str>, Change> {
        self.changes.take()
    }

    /// Tells all neighbours that we leave on purpose.
    pub(super) async fn shut_down(self) {
        drop(self.wanted);
        if let Some(ended) = self.ended {
            // Whether it took its leave or the time is up, there is nothing left to do.
            drop(timeout(FAREWELL, ended).await);
        }
    }
}

/// Whether a peer has a BGP session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BgpSession {
    /// It has.
    Up,
    /// It has none.
    Down,
}

/// The session with a peer: to the address, from the address, over the hops of its BGP session.
fn wanted(peer: &PeerConfig, session: BgpSession) -> Option<(Arc<str>, Wanted)> {
    let config = peer.bfd.filter(|_| peer.admin == AdminState::Up || session == BgpSession::Up)?;
    let (path, minimum_ttl) = config.path(peer.transport.ttl);
    let interface = peer.transport.interface.as_deref().map(Arc::from);
    let endpoint =
        Endpoint { peer: peer.address, source: peer.transport.source, interface, path, minimum_ttl };
    Some((peer.name.as_str().into(), Wanted { endpoint, parameters: config.parameters }))
}

/// The port of a kind of path.
fn port(path: Path) -> u16 {
    match path {
        Path::SingleHop => crate::bfd::SINGLE_HOP_PORT,
        Path::MultiHop => crate::bfd::MULTI_HOP_PORT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bfd::BfdConfig, config::TtlPolicy, types::Asn};

    #[test]
    fn a_session_keeps_to_the_addresses_link_and_hops_of_bgp() {
        let mut peer = PeerConfig::new("left", "fe80::1".parse().unwrap(), Asn(64600));
        assert_eq!(wanted(&peer, BgpSession::Down), None);
        peer.bfd = Some(BfdConfig::default());
        peer.transport.ttl = TtlPolicy::Direct;
        peer.transport.interface = Some("eth1".to_owned());
        let (name, session) = wanted(&peer, BgpSession::Down).unwrap();
        assert_eq!((&*name, session.endpoint.path), ("left", Path::SingleHop));
        assert_eq!(session.endpoint.interface.as_deref(), Some("eth1"));
        peer.admin = AdminState::Down;
        assert!(wanted(&peer, BgpSession::Up).is_some(), "until the peer has been told why");
        assert_eq!(wanted(&peer, BgpSession::Down), None);
    }
}
