//! The speaker task: gives the core what has come, and hands out what the core has decided.

mod actions;
mod addresses;
mod commands;
mod guests;
mod links;
mod memory;
mod monitoring;
mod orders;
mod output;
mod paths;
mod roster;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{sleep_until, timeout},
};
use tokio_util::task::TaskTracker;
use tracing::{error, warn};

pub use self::output::{Outputs, SpeakerEvent};
use self::{
    memory::Shrinkage,
    monitoring::Monitors,
    orders::Orders,
    roster::{Ao, Roster},
};
use super::{
    admission::{Admission, Stranger},
    bfd::Bfd,
    clock::Clock,
    collector::FromCollector,
    discovery::Discovery,
    handle::{Command, ShutdownMode, SpeakerHandle},
    listener::ListenStates,
    mrt::{self, Tap},
    outbox::{OutboxSender, ReadyPeers},
    peer::{Control, FromPeer, News},
    snapshot::Shared,
    sys,
};
use crate::{
    config::{PeerConfig, SpeakerConfig},
    core::{BestChange, Core, PeersBefore, Work},
    event::HostAddress,
    fsm::{LocalRestart, Restarting, Stop},
    types::{Families, Now, PeerId},
};

/// Batches of routes that may wait for the core.
const BATCHES: usize = 16;
/// News of peers taken in one turn.
const NEWS_PER_TURN: usize = 8;
/// Prefixes of deferred work carried on in one turn.
const WORK_PER_TURN: usize = 4096;
/// How long messages are encoded in one turn, before whatever else waits has its own: a policy with many terms makes
/// each of them slow.
const ENCODING: Duration = Duration::from_millis(5);
/// Octets handed to one peer at once.
const PORTION: usize = 64 * 1024;
/// Best-route changes handed out at once.
const BEST_BATCH: usize = 1024;
/// Batches of best-route changes that may wait for whoever installs them.
const BEST_DEPTH: usize = 2;
/// Events that may wait for their reader in its channel.
const EVENTS: usize = 256;
/// Events that may wait for room in that channel; beyond it nothing more is heard of peers until the reader has caught up.
const PENDING: usize = 4096;
/// Messages that may wait for a peer task.
const CONTROLS: usize = 16;
/// Connections of strangers that may wait to be looked at.
const STRANGERS: usize = 64;
/// How long the last words to all peers may take.
const FAREWELL: Duration = Duration::from_secs(3);

/// What is only known when the speaker starts.
#[derive(Clone, Debug, Default)]
pub struct SpeakerOptions {
    /// The families whose forwarding state survived our restart (F bit, RFC 4724 section 3).
    pub forwarding: Families,
    /// Whom the process before this one had sessions with.
    pub before: PeersBefore,
}

/// Starts a speaker on the current tokio runtime.
pub fn start(config: SpeakerConfig, options: SpeakerOptions) -> (SpeakerHandle, Outputs) {
    let (commands, command_receiver) = mpsc::channel(CONTROLS);
    let (events, event_receiver) = mpsc::channel(EVENTS);
    let (best, best_receiver) = mpsc::channel(BEST_DEPTH);
    let states = ListenStates::default();
    let speaker =
        Speaker::new(config, options, Channels { commands: command_receiver, events, best }, states.clone());
    let questions = speaker.bfd.questions();
    let (tap, weak, listening) = (speaker.tap.clone(), commands.downgrade(), states.clone());
    let asking = questions.clone();
    tokio::spawn(mrt::dump_at_intervals(tap, move || {
        Some(SpeakerHandle::new(weak.upgrade()?, listening.clone(), asking.clone()))
    }));
    tokio::spawn(speaker.run());
    (SpeakerHandle::new(commands, states, questions), Outputs { events: event_receiver, best: best_receiver })
}

struct Channels {
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<SpeakerEvent>,
    best: mpsc::Sender<Vec<BestChange>>,
}

/// A peer task as the speaker sees it.
struct Peer {
    name: String,
    task: u64,
    orders: Orders,
    shared: Arc<Shared>,
    /// The number of the latest session the core has heard of.
    session: u64,
    outbox: Option<OutboxSender>,
}

/// Whether best routes wait for their reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Best {
    HandedOut,
    Waiting,
}

/// Why the speaker woke up.
enum Wake {
    Shutdown(ShutdownMode, Option<oneshot::Sender<()>>),
    Command(Command),
    News(FromPeer),
    /// A BMP collector.
    Collector(FromCollector),
    /// Somebody of a range has connected.
    Stranger(Stranger),
    /// An outbox has room again.
    Ready,
    /// A BFD session has changed its state.
    Paths,
    /// The neighbour on some link may be another.
    Links,
    /// Time has passed, or an output has room again.
    Turn,
}

struct Speaker {
    core: Core,
    roster: Roster,
    clock: Clock,
    /// Those of this host, as far as somebody has told.
    addresses: BTreeSet<HostAddress>,
    channels: Channels,
    peers: BTreeMap<PeerId, Peer>,
    next_task: u64,
    restart: LocalRestart,
    admission: watch::Sender<Admission>,
    listeners: BTreeMap<SocketAddr, JoinHandle<()>>,
    listen_states: ListenStates,
    to_core: mpsc::Sender<FromPeer>,
    from_peers: mpsc::Receiver<FromPeer>,
    to_admit: mpsc::Sender<Stranger>,
    strangers: mpsc::Receiver<Stranger>,
    /// When dynamic peers are looked after next, while there are any.
    review: Option<Now>,
    ready: Arc<ReadyPeers>,
    background: TaskTracker,
    bfd: Bfd,
    discovery: Discovery,
    monitors: Monitors,
    tap: Arc<Tap>,
    pending: VecDeque<SpeakerEvent>,
    best: Best,
    /// The peer that was encoded for last.
    served: Option<PeerId>,
    shrinkage: Shrinkage,
}

impl Speaker {
    fn new(
        config: SpeakerConfig,
        options: SpeakerOptions,
        channels: Channels,
        listen_states: ListenStates,
    ) -> Self {
        let clock = Clock::start();
        let (to_core, from_peers) = mpsc::channel(BATCHES);
        let background = TaskTracker::new();
        let (to_admit, strangers) = mpsc::channel(STRANGERS);
        let ao = if sys::ao_is_supported().is_ok() { Ao::Supported } else { Ao::Unknown };
        let roster = Roster::new(config, ao);
        let mut speaker = Self {
            core: Core::new(roster.effective(), clock.now()),
            roster,
            clock,
            addresses: BTreeSet::new(),
            channels,
            peers: BTreeMap::new(),
            next_task: 0,
            restart: LocalRestart { restarting: Restarting::No, forwarding: options.forwarding },
            admission: watch::Sender::new(Admission::new(to_admit.clone())),
            listeners: BTreeMap::new(),
            listen_states,
            to_core,
            from_peers,
            to_admit,
            strangers,
            review: None,
            ready: Arc::default(),
            bfd: Bfd::new(),
            discovery: Discovery::new(clock),
            monitors: Monitors::new(background.clone()),
            tap: Arc::default(),
            background,
            pending: VecDeque::new(),
            best: Best::HandedOut,
            served: None,
            shrinkage: Shrinkage::default(),
        };
        speaker.core.expect(options.before);
        speaker.restart.restarting = speaker.restarting();
        let configured: Vec<(PeerId, PeerConfig)> =
            speaker.core.peers().map(|(id, p)| (id, p.clone())).collect();
        for (id, peer) in configured {
            speaker.add_peer(id, peer);
        }
        speaker.update_admission();
        speaker.update_listeners();
        speaker.update_paths();
        speaker.update_links();
        speaker.update_monitors();
        speaker
    }

    async fn run(mut self) {
        let mut work = Work::Pending;
        loop {
            match self.wake(work).await {
                Wake::Shutdown(mode, done) => return self.shut_down(mode, done).await,
                Wake::Command(command) => self.command(command),
                Wake::News(news) => self.take_news(news),
                Wake::Stranger(stranger) => self.stranger(stranger),
                Wake::Ready => self.refill(),
                Wake::Paths => self.paths_changed(),
                Wake::Links => self.links_changed(),
                Wake::Collector(request) => {
                    self.monitors.requested(&mut self.core, self.clock.now(), request);
                }
                Wake::Turn => {}
            }
            work = self.turn();
        }
    }

    /// Waits for something to do.
    async fn wake(&mut self, work: Work) -> Wake {
        let due = [self.core.poll_timeout(), self.monitors.poll_timeout(), self.review];
        let deadline = due.into_iter().flatten().min();
        let deadline = deadline.map(|at| self.clock.instant(at));
        let due = sleep_until(deadline.unwrap_or_else(|| self.clock.instant(Now(Duration::MAX))));
        tokio::select! {
            command = self.channels.commands.recv() => match command {
                Some(Command::Shutdown { mode, done }) => Wake::Shutdown(mode, Some(done)),
                Some(command) => Wake::Command(command),
                None => Wake::Shutdown(ShutdownMode::Keep, None),
            },
            Some(news) = self.from_peers.recv(), if self.pending.len() < PENDING => Wake::News(news),
            Some(stranger) = self.strangers.recv() => Wake::Stranger(stranger),
            () = self.ready.wait() => Wake::Ready,
            () = self.bfd.changed() => Wake::Paths,
            () = self.discovery.changed() => Wake::Links,
            Some(request) = self.monitors.request() => Wake::Collector(request),
            Ok(_) = self.channels.best.reserve(), if self.best == Best::Waiting => Wake::Turn,
            Ok(_) = self.channels.events.reserve(), if !self.pending.is_empty() => Wake::Turn,
            () = due, if deadline.is_some() => Wake::Turn,
            () = tokio::task::yield_now(), if work == Work::Pending => Wake::Turn,
        }
    }

    /// A bounded amount of work after something has happened.
    fn turn(&mut self) -> Work {
        self.review_guests();
        let work = self.core.run(self.clock.now(), WORK_PER_TURN);
        self.perform();
        // Routes go to whoever installs them before peers hear of them: that takes longer, and others do it meanwhile.
        self.hand_out();
        let sent = self.transmit();
        let fed = self.monitors.feed(&mut self.core, self.clock.now());
        self.give_memory_back(work);
        let works = [work, sent, fed];
        if works.contains(&Work::Pending) { Work::Pending } else { Work::Done }
    }

    fn take_news(&mut self, first: FromPeer) {
        self.news(first);
        for _ in 1..NEWS_PER_TURN {
            let Ok(news) = self.from_peers.try_recv() else { return };
            self.news(news);
        }
    }

    fn news(&mut self, news: FromPeer) {
        let (now, id) = (self.clock.now(), news.peer);
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.task == news.task) else { return };
        match news.news {
            News::Routes(batch) => self.core.routes(now, id, batch),
            News::Refresh(family) => self.core.route_refresh(now, id, family),
            News::RefreshMarked(family, mark) => self.core.refresh_marked(now, id, family, mark),
            News::Up { session, negotiated, addresses, outbox, record } => {
                self.monitors.session_up(id, *record);
                (peer.session, peer.outbox) = (session, Some(outbox));
                self.pending.push_back(SpeakerEvent::SessionUp { peer: peer.name.clone(), addresses });
                self.core.session_up(now, id, *negotiated, addresses);
            }
            News::Down { retention, failure } => {
                peer.outbox = None;
                self.discovery.review();
                self.monitors.session_down(id, (&failure).into());
                self.pending.push_back(SpeakerEvent::SessionDown { peer: peer.name.clone(), failure });
                self.core.session_down(now, id, retention);
                if self.core.peer(id).is_some_and(|config| config.bfd.is_some()) {
                    self.update_paths();
                }
            }
        }
    }

    fn restarting(&self) -> Restarting {
        if self.core.deferring().is_empty() { Restarting::No } else { Restarting::Yes }
    }

    /// Fills the outboxes of peers that have something to send and room for it, in turn, for a while.
    fn transmit(&mut self) -> Work {
        let peers = self.core.peers_with_output();
        let behind = peers.partition_point(|id| Some(*id) <= self.served);
        let (served, next) = peers.split_at(behind);
        let mut work = Work::Done;
        let end = self.clock.now().plus(ENCODING);
        for id in next.iter().chain(served) {
            if self.clock.now() >= end {
                return Work::Pending;
            }
            if self.fill(*id) == Work::Pending {
                work = Work::Pending;
            }
            self.served = Some(*id);
        }
        work
    }

    fn refill(&mut self) {
        for id in self.ready.take() {
            self.fill(id);
        }
    }

    /// Fills one outbox; pending when the core has looked through a lot without finding anything to send.
    fn fill(&mut self, id: PeerId) -> Work {
        let Some(outbox) = self.peers.get(&id).and_then(|peer| peer.outbox.as_ref()) else {
            return Work::Done;
        };
        while let Some(room) = outbox.try_reserve() {
            let mut portion = Vec::new();
            let work = self.core.poll_transmit(id, PORTION, &mut portion);
            let appended = !portion.is_empty();
            if appended {
                room.send(portion);
            }
            if work == Work::Done || !appended {
                return work;
            }
        }
        Work::Done
    }

    /// Hands out best routes and events as far as their readers keep up.
    fn hand_out(&mut self) {
        self.best = Best::HandedOut;
        while !self.channels.best.is_closed() {
            let Ok(room) = self.channels.best.try_reserve() else {
                self.best = Best::Waiting;
                break;
            };
            let changes = self.core.poll_best(BEST_BATCH);
            if changes.is_empty() {
                break;
            }
            room.send(changes);
        }
        if self.channels.events.is_closed() {
            self.pending.clear();
        }
        while let Some(event) = self.pending.pop_front() {
            // Who sweeps what is stale must have got every route before.
            if self.best == Best::Waiting && matches!(event, SpeakerEvent::RestartOver(_)) {
                return self.pending.push_front(event);
            }
            if let Err(mpsc::error::TrySendError::Full(event)) = self.channels.events.try_send(event) {
                return self.pending.push_front(event);
            }
        }
    }

    /// Says goodbye as `mode` has it, and waits until the peers have heard it.
    async fn shut_down(mut self, mode: ShutdownMode, done: Option<oneshot::Sender<()>>) {
        for listener in self.listeners.values() {
            listener.abort();
        }
        let stop = match mode {
            ShutdownMode::Keep => Stop::Restarting,
            ShutdownMode::Drain => Stop::Drain,
        };
        for id in self.peers.keys() {
            self.tell(*id, Control::End(stop.clone()));
        }
        self.monitors.end();
        self.from_peers.close();
        self.background.close();
        if timeout(FAREWELL, self.background.wait()).await.is_err() {
            warn!("not every peer took our goodbye in time");
        }
        // Only now: a neighbour whose BGP session has ended needs no path any more.
        self.bfd.shut_down().await;
        let tap = self.tap.clone();
        if timeout(FAREWELL, tokio::task::spawn_blocking(move || tap.finish())).await.is_err() {
            warn!("not everything heard is on the disk");
        }
        if let Some(done) = done
            && done.send(()).is_err()
        {
            error!("nobody waited for the speaker's end");
        }
    }
}
