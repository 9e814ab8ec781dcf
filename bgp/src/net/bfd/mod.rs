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
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, timeout, timeout_at},
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
/// How long the thread may take beyond [`LAST_WORDS`] to end.
const FAREWELL: Duration = Duration::from_millis(200);
/// How long neighbours are told that we leave, at most.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// When a thread that could not be had is tried again.
const AGAIN: Duration = Duration::from_secs(1);

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
/// Starts the thread; the answer comes when it has ended.
type Starter = fn(
    watch::Receiver<WantedSet>,
    mpsc::Receiver<Question>,
    Arc<Changes>,
) -> io::Result<oneshot::Receiver<()>>;

/// The way of questions to the thread, once it runs.
#[derive(Clone, Debug, Default)]
pub(super) struct BfdQuestions(Arc<Way>);

#[derive(Debug, Default)]
struct Way {
    thread: OnceLock<mpsc::Sender<Question>>,
    /// Why there is no thread although one is wanted.
    trouble: Mutex<Option<String>>,
}

impl BfdQuestions {
    /// What there is to report; nothing while no session has been wanted yet.
    pub(super) async fn report(&self) -> BfdReport {
        let Some(questions) = self.0.thread.get() else { return self.without_thread() };
        let (sender, receiver) = oneshot::channel();
        match questions.send(sender).await {
            Ok(()) => receiver.await.unwrap_or_default(),
            Err(_) => BfdReport::default(),
        }
    }

    fn without_thread(&self) -> BfdReport {
        let failed = self.trouble().clone().into_iter().collect();
        BfdReport { failed, ..BfdReport::default() }
    }

    fn trouble(&self) -> MutexGuard<'_, Option<String>> {
        self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The speaker's end.
#[derive(Debug)]
pub(super) struct Bfd {
    wanted: watch::Sender<WantedSet>,
    changes: Arc<Changes>,
    questions: BfdQuestions,
    ended: Option<oneshot::Receiver<()>>,
    starter: Starter,
    /// When the thread is tried again.
    again: Option<Instant>,
}

impl Bfd {
    pub(super) fn new() -> Self {
        Self::started_by(thread::start)
    }

    fn started_by(starter: Starter) -> Self {
        Self {
            starter,
            again: None,
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
        self.see_to_thread();
    }

    /// Has interfaces and sockets looked at now: a name may mean another interface.
    pub(super) fn look(&self) {
        self.wanted.send_modify(|_| ());
    }

    /// Starts the thread if it is wanted and does not run.
    fn see_to_thread(&mut self) {
        self.again = None;
        if self.ended.is_some() || self.wanted.borrow().is_empty() {
            return;
        }
        let started = self.start();
        let trouble = started.as_ref().err().map(|error| {
            format!("no thread for BFD: {error}; its start is tried again every {} s", AGAIN.as_secs())
        });
        let mut told = self.questions.trouble();
        if let (Err(error), true) = (&started, *told != trouble) {
            error!(%error, "BFD cannot be had: no thread, which is tried again");
        }
        *told = trouble;
        drop(told);
        match started {
            Ok(ended) => self.ended = Some(ended),
            Err(_) => self.again = Some(Instant::now() + AGAIN),
        }
    }

    fn start(&self) -> io::Result<oneshot::Receiver<()>> {
        let (sender, questions) = mpsc::channel(QUESTIONS);
        let ended = (self.starter)(self.wanted.subscribe(), questions, self.changes.clone())?;
        // Only the first thread is ever asked; there is no second, since this one ends with us.
        self.questions.0.thread.set(sender).unwrap_or_default();
        Ok(ended)
    }

    /// Waits until some session has changed its state, or the thread is to be tried again.
    pub(super) async fn changed(&self) {
        match self.again {
            Some(again) => drop(timeout_at(again, self.changes.wait()).await),
            None => self.changes.wait().await,
        }
    }

    /// What has changed since the last call, by peer.
    pub(super) fn take_changes(&mut self) -> BTreeMap<Arc<str>, Change> {
        if self.again.is_some_and(|again| again <= Instant::now()) {
            self.see_to_thread();
        }
        self.changes.take()
    }

    /// Tells all neighbours that we leave on purpose, for as long as it takes that one of these packets reaches them.
    pub(super) async fn shut_down(self) {
        drop(self.wanted);
        if let Some(ended) = self.ended {
            // Whether it took its leave or the time is up, there is nothing left to do.
            drop(timeout(LAST_WORDS + FAREWELL, ended).await);
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
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::*;
    use crate::{bfd::BfdConfig, config::TtlPolicy, types::Asn};

    /// The second start succeeds.
    fn reluctant(
        _: watch::Receiver<WantedSet>,
        _: mpsc::Receiver<Question>,
        _: Arc<Changes>,
    ) -> io::Result<oneshot::Receiver<()>> {
        static STARTS: AtomicU32 = AtomicU32::new(0);
        match STARTS.fetch_add(1, Relaxed) {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(oneshot::channel().1),
        }
    }

    #[tokio::test]
    async fn a_thread_that_could_not_be_had_is_tried_again_although_nothing_else_is_wanted() {
        let mut peer = PeerConfig::new("left", "192.0.2.1".parse().unwrap(), Asn(64600));
        peer.bfd = Some(BfdConfig::default());
        let mut bfd = Bfd::started_by(reluctant);
        let questions = bfd.questions();
        bfd.run([(&peer, BgpSession::Down)].into_iter());
        assert!(bfd.ended.is_none());
        let [trouble] = &questions.report().await.failed[..] else { panic!("one reason") };
        assert!(trouble.contains("tried again"), "{trouble}");

        bfd.changed().await;
        assert!(bfd.take_changes().is_empty());
        assert!(bfd.ended.is_some() && bfd.again.is_none());
        assert_eq!(*questions.trouble(), None);
    }

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
