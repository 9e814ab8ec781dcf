//! From one life of the daemon to the next: whom its routes came from, and where in the kernel they are.
//!
//! Two things cannot be read from the kernel after a crash: which peers the routes of our protocol came from, so that
//! their End-of-RIB can be waited for, and under which protocol and in which table they were written, if the file has said
//! otherwise meanwhile. Both are kept in a small file ([`Memory`]), written at most once a second. A file that is missing
//! or unreadable costs nothing but precision: then every configured peer is waited for, and what is in another place
//! stays there.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bgp::core::PeersBefore;
use fib::{config::FibConfig, error::FibError, view::FlushReport};
use tokio::{sync::Notify, task::spawn_blocking, time::sleep};
use tracing::{debug, info, warn};

use super::{exclusive, problems, state::Daemon};
use crate::{
    api::protocol::{
        problem::{Problem, ProblemCode},
        status::RunMode,
    },
    config::Intent,
    runtime_directory::memory::{Life, Memory, Place},
};

/// The file is written at most this often.
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is brought up to date without news: stale routes end without any.
const REVIEW: Duration = Duration::from_secs(10);
/// How soon the removal of what a life before left is tried again.
const RETRY: Duration = Duration::from_secs(30);

/// What the life before left, and what is kept for the one after.
#[derive(Debug)]
pub(super) struct Succession {
    here: Place,
    /// Who was up; `None`: nobody knows.
    peers: Option<BTreeSet<String>>,
    state: Mutex<State>,
    news: Notify,
}

#[derive(Debug)]
struct State {
    /// `None`: nothing is written any more, or there is no place for it.
    memory: Option<Memory>,
    /// Where lives before have left routes that are still there.
    left: Vec<Place>,
    failing: bool,
}

impl Succession {
    /// Reads what the life before left. A dry run leaves nothing and takes nothing over.
    pub(super) fn begin(intent: &Intent, mode: RunMode) -> Self {
        let here = place(intent);
        let memory = match mode {
            RunMode::DryRun => None,
            RunMode::Normal => exclusive::memory(intent)
                .inspect_err(|error| warn!(%error, "nothing can be kept for the next start"))
                .ok(),
        };
        let life = memory.as_ref().and_then(recall);
        let (peers, owned) = life.map_or((None, Vec::new()), |life| (Some(life.peers), life.owned));
        let left: Vec<_> = owned.into_iter().filter(|place| *place != here).collect();
        for Place { protocol, table } in &left {
            info!(protocol, table, "the life before wrote to another place; it is cleared after the restart");
        }
        let state = State { memory, left, failing: false };
        Self { here, peers, state: Mutex::new(state), news: Notify::new() }
    }

    /// Whom the routes that were found came from; `adopted` is their number, unless the kernel could not be read.
    pub(super) fn peers_before(&self, adopted: Option<u64>) -> PeersBefore {
        if adopted == Some(0) && self.left().is_empty() {
            return PeersBefore::None;
        }
        self.peers.clone().map_or(PeersBefore::Unknown, PeersBefore::Named)
    }

    /// Protocol numbers that lives before have written to our table with.
    pub(super) fn predecessors(&self) -> Vec<u8> {
        let here = self.left().into_iter().filter(|place| place.table == self.here.table);
        here.map(|place| place.protocol).collect()
    }

    /// A session has come or gone.
    pub(super) fn note(&self) {
        self.news.notify_one();
    }

    /// Nothing is written from now on; the file stays as it is.
    pub(super) fn close(&self) -> Option<Memory> {
        self.state().memory.take()
    }

    /// The problem that something is left elsewhere, if it is.
    pub(super) fn problem(&self) -> Option<Problem> {
        let left = self.left();
        let places = left.iter().map(|p| format!("protocol {}, table {}", p.protocol, p.table));
        let message = format!(
            "routes from before the configuration named another protocol or table are still in the kernel ({})",
            places.collect::<Vec<_>>().join("; ")
        );
        let remedy = "they are removed once the peers have sent their routes; the log says why if they stay";
        let problem = || problems::warning(ProblemCode::RoutesElsewhere, message, remedy);
        (!left.is_empty()).then(problem)
    }

    fn left(&self) -> Vec<Place> {
        self.state().left.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down who has routes here now, if that is another set than before.
    fn keep(&self, peers: BTreeSet<String>) {
        let state = &mut *self.state();
        let owned = std::iter::once(self.here).chain(state.left.iter().copied()).collect();
        let Some(memory) = &mut state.memory else { return };
        match memory.keep(Life { owned, peers }) {
            Ok(()) => state.failing = false,
            Err(error) if !state.failing => {
                state.failing = true;
                let file = memory.path();
                warn!(file = %file.display(), %error, "the next start will not know who was up");
            }
            Err(_) => {}
        }
    }

    fn cleared(&self, place: Place) {
        self.state().left.retain(|left| *left != place);
    }
}

/// Where the routes of a daemon with this configuration are.
pub(super) fn place(intent: &Intent) -> Place {
    Place { protocol: intent.kernel.protocol, table: intent.kernel.table }
}

/// What a life before left, as far as that can be read.
pub(super) fn recall(memory: &Memory) -> Option<Life> {
    let told = |error: &std::io::Error| {
        let file = memory.path();
        warn!(file = %file.display(), %error, "what the life before left is not known; every peer is waited for");
    };
    memory.recall().inspect_err(told).ok().flatten()
}

/// Keeps the file up to date, without end.
pub(super) async fn keep(daemon: Daemon) {
    loop {
        write(&daemon).await;
        sleep(PAUSE).await;
        tokio::select! {
            () = daemon.succession.news.notified() => {}
            () = sleep(REVIEW) => {}
        }
    }
}

/// Brings the file up to date now.
pub(super) async fn write(daemon: &Daemon) {
    let Ok(peers) = daemon.speaker.query(|core, _| core.involved()).await else { return };
    let keeper = daemon.clone();
    if let Err(error) = spawn_blocking(move || keeper.succession.keep(peers)).await {
        debug!(%error, "who is up was not written down");
    }
}

/// Removes what lives before left in other places, now that everything wanted is in ours.
pub(super) async fn clear(daemon: Daemon) {
    if let Err(error) = daemon.fib.settle().await {
        return debug!(%error, "what is left elsewhere stays");
    }
    while !clear_once(&daemon).await {
        sleep(RETRY).await;
    }
    daemon.solved(ProblemCode::RoutesElsewhere);
    daemon.succession.note();
}

/// The same, tried once; whether nothing is left.
pub(super) async fn clear_once(daemon: &Daemon) -> bool {
    for place in daemon.succession.left() {
        clear_place(daemon, place).await;
    }
    daemon.succession.left().is_empty()
}

async fn clear_place(daemon: &Daemon, place: Place) {
    let Place { protocol, table } = place;
    let intent = &daemon.loaded().intent;
    let _lock = match exclusive::lock_place(intent, place, "it is left alone") {
        Ok(lock) => lock,
        Err(_) => {
            warn!(protocol, table, "another daemon has taken over what the life before left");
            return daemon.succession.cleared(place);
        }
    };
    match remove(place, 0).await {
        Ok(FlushReport { removed, failed }) if failed.is_empty() => {
            info!(protocol, table, removed, "removed what the life before left in another place");
            daemon.succession.cleared(place);
        }
        Ok(FlushReport { failed, .. }) => {
            let example = failed.first().map(|(prefix, errno)| format!("{prefix}: {errno}"));
            warn!(
                protocol,
                table,
                failed = failed.len(),
                example,
                "routes of the life before cannot be removed"
            );
        }
        Err(error) => warn!(protocol, table, %error, "routes of the life before cannot be removed"),
    }
}

/// Removes the routes and next-hop objects of a place.
pub(super) async fn remove(place: Place, metric: u32) -> Result<FlushReport, FibError> {
    let (fib, _events) = fib::service::start()?;
    fib.configure(bare(place, metric)).await?;
    let report = fib.flush().await?;
    fib.stop().await?;
    Ok(report)
}

/// The place, and nothing wanted in it.
pub(super) fn bare(place: Place, metric: u32) -> FibConfig {
    FibConfig { protocol: place.protocol, table: place.table, metric, ..FibConfig::default() }
}
