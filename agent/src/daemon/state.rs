//! What the parts of the daemon share: the handles and a small board of facts.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use bgp::{config::SpeakerConfig, net::SpeakerHandle};
use fib::service::FibHandle;
use ipip::TunnelHandle;
use ipnet::IpNet;
use tokio::sync::{Notify, mpsc};

use super::{
    events::Hub, growth::Growth, host::HostLook, known::Known, problems::Troubled, reload::Order,
    succession::Succession,
};
use crate::{
    api::protocol::{
        StopMode,
        problem::{Problem, ProblemCode},
        status::RunMode,
    },
    config::{Held, Loaded},
};

/// The running daemon, as its tasks and its clients hold it.
#[derive(Clone)]
pub(super) struct Daemon(Arc<Inner>);

/// The shared part.
pub(super) struct Inner {
    /// When it started.
    pub started: Instant,
    /// Whether it acts.
    pub mode: RunMode,
    /// Where events are announced.
    pub hub: Hub,
    /// BGP.
    pub speaker: SpeakerHandle,
    /// The kernel's routes.
    pub fib: FibHandle,
    /// The tunnel; none in a dry run, or when there is no netlink socket for it.
    pub tunnel: Option<TunnelHandle>,
    /// Rung when the known nodes, or what is behind them, change.
    pub guard_news: Notify,
    /// Tells the main loop to stop.
    pub control: mpsc::Sender<StopMode>,
    /// Asks for the configuration to be read again.
    pub orders: mpsc::Sender<Order>,
    /// Rung when addresses of this host may have come or gone.
    pub address_news: Notify,
    /// What the life before left, and what is kept for the one after.
    pub succession: Succession,
    board: Mutex<Board>,
    known: Mutex<Known>,
    troubled: Mutex<Troubled>,
    /// Everything wanted in the kernel has been written at least once.
    written: AtomicBool,
    locals: Mutex<BTreeSet<IpNet>>,
    /// What this host says of itself.
    pub host: HostLook,
    growth: Mutex<Growths>,
}

/// Counters whose growth is a problem.
#[derive(Debug, Default)]
pub(super) struct Growths {
    /// Packets that the guard has dropped.
    pub dropped: Growth,
    /// Routes of ours that were removed from the kernel.
    pub removed: Growth,
}

/// Facts that change seldom.
pub(super) struct Board {
    /// The configuration in force.
    pub loaded: Arc<Loaded>,
    /// The same as the speaker knows it.
    pub speaker: Arc<SpeakerConfig>,
    /// Where it comes from, in words.
    pub source: String,
    /// When it was read.
    pub read: Instant,
    /// How many changes were applied.
    pub reloads: u64,
    /// Why the newest content was refused.
    pub refused: Option<String>,
    /// The change that the newest content asks for and that waits for consent.
    pub held: Option<Held>,
    /// When the content was last found valid and in force.
    pub last_success: SystemTime,
    /// What went wrong at start and is still so, by code.
    pub notices: BTreeMap<ProblemCode, Problem>,
}

impl Daemon {
    /// A daemon that has just been put together.
    #[must_use]
    pub(super) fn new(parts: Parts) -> Self {
        let known = Known::new(&parts.loaded.intent);
        Self(Arc::new(Inner {
            started: Instant::now(),
            mode: parts.mode,
            hub: Hub::default(),
            speaker: parts.speaker,
            fib: parts.fib,
            tunnel: parts.tunnel,
            guard_news: Notify::new(),
            control: parts.control,
            orders: parts.orders,
            address_news: Notify::new(),
            succession: parts.succession,
            board: Mutex::new(Board {
                loaded: parts.loaded,
                source: parts.source,
                speaker: Arc::new(parts.speaker_config),
                read: Instant::now(),
                reloads: 0,
                refused: None,
                held: None,
                last_success: SystemTime::now(),
                notices: BTreeMap::new(),
            }),
            known: Mutex::new(known),
            troubled: Mutex::default(),
            written: AtomicBool::new(false),
            locals: Mutex::default(),
            host: HostLook::default(),
            growth: Mutex::default(),
        }))
    }

    /// The counters whose growth is a problem.
    pub(super) fn growth(&self) -> MutexGuard<'_, Growths> {
        self.0.growth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The board.
    pub(super) fn board(&self) -> MutexGuard<'_, Board> {
        self.0.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The known nodes.
    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The routes in trouble.
    pub(super) fn troubled(&self) -> MutexGuard<'_, Troubled> {
        self.0.troubled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The addresses of pods here outside our own blocks.
    pub(super) fn locals(&self) -> MutexGuard<'_, BTreeSet<IpNet>> {
        self.0.locals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The configuration in force.
    #[must_use]
    pub(super) fn loaded(&self) -> Arc<Loaded> {
        Arc::clone(&self.board().loaded)
    }

    /// Notes a problem until [`Self::solved`]; the log tells of it as of every other.
    pub(super) fn notice(&self, problem: Problem) {
        self.board().notices.insert(problem.code, problem);
    }

    /// A problem is no more.
    pub(super) fn solved(&self, code: ProblemCode) {
        self.board().notices.remove(&code);
    }

    /// Takes in whether everything wanted is written to the kernel now. True from the first time on that it is.
    pub(super) fn note_written(&self, now: bool) -> bool {
        if now {
            self.written.store(true, Ordering::Relaxed);
        }
        self.written.load(Ordering::Relaxed)
    }

    /// How long the configuration has been in force.
    #[must_use]
    pub(super) fn configured_for(&self) -> Duration {
        self.board().read.elapsed()
    }

    /// How long it has been running.
    #[must_use]
    pub(super) fn uptime(&self) -> Duration {
        self.0.started.elapsed()
    }
}

impl std::ops::Deref for Daemon {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// What a [`Daemon`] is put together from.
pub(super) struct Parts {
    /// Whether it acts.
    pub mode: RunMode,
    /// BGP.
    pub speaker: SpeakerHandle,
    /// What BGP was started with.
    pub speaker_config: SpeakerConfig,
    /// The kernel's routes.
    pub fib: FibHandle,
    /// The tunnel.
    pub tunnel: Option<TunnelHandle>,
    /// Tells the main loop to stop.
    pub control: mpsc::Sender<StopMode>,
    /// Asks for the configuration to be read again.
    pub orders: mpsc::Sender<Order>,
    /// What the life before left.
    pub succession: Succession,
    /// The configuration.
    pub loaded: Arc<Loaded>,
    /// Where it comes from, in words.
    pub source: String,
}
