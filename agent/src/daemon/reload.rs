//! A new configuration in a running daemon: only the difference is applied.
//!
//! One task does all of it, so that the main loop goes on answering signals and the watchdog however long the files, the
//! names and the comparison take. What blocks or computes for long runs on a thread of its own meanwhile.

use std::{sync::Arc, time::SystemTime};

use bgp::config::SpeakerConfig;
use sd_notify::NotifyState;
use tokio::{
    sync::{mpsc, oneshot},
    task::spawn_blocking,
    time::{Instant, sleep_until},
};
use tracing::{info, warn};

use super::{
    behind::News,
    flows,
    logging::LevelHandle,
    plan,
    signals::notify,
    state::{Board, Daemon},
};
use crate::{
    api::protocol::{
        config::{ReloadOutcome, Reloaded},
        event::What,
    },
    config::{
        Change, ConfigError, Consent, Held, Outcome, REDETECT_INTERVAL, Reloader, SHOWN, ThisHost, Watch,
    },
};

/// Asks for the configuration to be read now.
pub(super) struct Order {
    /// How a change is met that takes much away.
    pub consent: Consent,
    /// Who is told what came of it.
    pub answer: Option<oneshot::Sender<Reloaded>>,
}

impl Default for Order {
    fn default() -> Self {
        Self { consent: Consent::Needed, answer: None }
    }
}

/// Orders that may wait. All of them are served by reading once each, so few are enough.
pub(super) const ORDERS: usize = 4;

/// Reads the configuration again: when it changes, when asked, and from time to time for the host's addresses.
pub(super) struct Reloading {
    /// What is told of changes.
    pub daemon: Daemon,
    /// The inputs, and what they last gave.
    pub reloader: Reloader,
    /// The files.
    pub watch: Watch<ThisHost>,
    /// The level of the log.
    pub level: LevelHandle,
    /// What is asked for.
    pub orders: mpsc::Receiver<Order>,
}

impl Reloading {
    /// Runs until nobody can ask any more.
    pub(super) async fn run(mut self) {
        loop {
            let look = Instant::now() + REDETECT_INTERVAL;
            let order = tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => order,
                    None => return,
                },
                () = self.watch.changed() => Order::default(),
                () = sleep_until(look) => Order::default(),
            };
            let Some(next) = self.reload(order).await else { return };
            self = next;
        }
    }

    /// `None` when the reading thread has panicked, which ends the process.
    async fn reload(self, order: Order) -> Option<Self> {
        let Self { daemon, mut reloader, mut watch, level, orders } = self;
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            notify(&[NotifyState::Reloading, now]);
        }
        let mode = daemon.mode;
        let read = spawn_blocking(move || {
            let outcome = reloader.reload(&ThisHost, order.consent);
            let speaker = match outcome {
                Outcome::Changed(_) => Some(plan::speaker(&reloader.loaded().intent, mode)),
                _ => None,
            };
            (reloader, outcome, speaker)
        });
        let (reloader, outcome, speaker) = read.await.ok()?;
        let told = answer(&reloader, &outcome);
        take(&daemon, &reloader, outcome, speaker, &level).await;
        watch.set_files(&reloader.files()).await;
        notify(&[NotifyState::Ready]);
        if let Some(waiting) = order.answer {
            let _gone = waiting.send(told);
        }
        Some(Self { daemon, reloader, watch, level, orders })
    }
}

/// The state of things after reading, in full even if it was told before.
fn answer(reloader: &Reloader, outcome: &Outcome) -> Reloaded {
    let loaded = reloader.loaded();
    let pending_restart = loaded.pending.iter().map(|pending| pending.key.clone()).collect();
    let warnings = loaded.warnings.iter().map(Into::into).collect();
    let answer = Reloaded { pending_restart, warnings, ..Reloaded::default() };
    match (outcome, reloader.refused(), reloader.held()) {
        (_, Some(error), _) => Reloaded {
            outcome: ReloadOutcome::Refused,
            problems: error.problems.iter().take(SHOWN).map(Into::into).collect(),
            more_problems: error.problems.len().saturating_sub(SHOWN) as u64,
            ..answer
        },
        (_, None, Some(held)) => Reloaded {
            outcome: ReloadOutcome::Pending,
            takes_away: held.takes_away.clone(),
            changes: held.changes.clone(),
            ..answer
        },
        (Outcome::Changed(change), None, None) => {
            Reloaded { outcome: ReloadOutcome::Applied, changes: change.applied.clone(), ..answer }
        }
        (_, None, None) => answer,
    }
}

/// Applies what came of reading.
async fn take(
    daemon: &Daemon,
    reloader: &Reloader,
    outcome: Outcome,
    speaker: Option<SpeakerConfig>,
    level: &LevelHandle,
) {
    match outcome {
        Outcome::Unchanged => unchanged(daemon, reloader),
        Outcome::Refused(error) => refused(daemon, &error),
        Outcome::Held(held) => hold(daemon, *held),
        Outcome::Changed(change) => {
            say(&change);
            put_on_board(daemon, reloader, speaker);
            apply(daemon, level).await;
            let info = change.applied.join(", ");
            daemon.hub.announce(What::Config { state: "applied".to_owned(), info });
        }
    }
}

/// Nothing is to be applied. Places and warnings may differ all the same, and what was refused or held may be gone.
fn unchanged(daemon: &Daemon, reloader: &Reloader) {
    let (refused, held) = (reloader.refused().map(ToString::to_string), reloader.held().cloned());
    let mut board = daemon.board();
    let gone = (board.refused.is_some() || board.held.is_some()) && refused.is_none() && held.is_none();
    if refused.is_none() && held.is_none() {
        board.loaded = Arc::clone(reloader.loaded());
        board.last_success = SystemTime::now();
    }
    board.refused = refused;
    board.held = held;
    drop(board);
    if gone {
        info!("the configuration says again what is in force");
        daemon.hub.announce(What::Config { state: "unchanged".to_owned(), info: String::new() });
    }
}

fn refused(daemon: &Daemon, error: &ConfigError) {
    let text = error.to_string();
    warn!(reason = text, "new configuration refused, the one before stays in force");
    daemon.hub.announce(What::Config { state: "refused".to_owned(), info: text.clone() });
    let mut board = daemon.board();
    board.refused = Some(text);
    board.held = None;
}

fn hold(daemon: &Daemon, held: Held) {
    let takes_away = held.takes_away.join(", ");
    warn!(
        takes_away,
        "new configuration pending, the one before stays in force; `siskin reload --force` applies it"
    );
    let info = format!("it would take away {takes_away}");
    daemon.hub.announce(What::Config { state: "pending".to_owned(), info });
    let mut board = daemon.board();
    board.refused = None;
    board.held = Some(held);
}

fn say(change: &Change) {
    for line in &change.applied {
        info!(change = line, "configuration changed");
    }
    for warning in &change.warnings {
        warn!(warning, "configuration changed");
    }
    for key in &change.pending {
        warn!(key = key.key, running = key.running, configured = key.configured, "needs a restart");
    }
}

fn put_on_board(daemon: &Daemon, reloader: &Reloader, speaker: Option<SpeakerConfig>) {
    let mut board = daemon.board();
    let Board { loaded, speaker: known, read, reloads, refused, held, last_success, .. } = &mut *board;
    if let Some(speaker) = speaker {
        *known = Arc::new(speaker);
    }
    *loaded = Arc::clone(reloader.loaded());
    *read = std::time::Instant::now();
    *reloads += 1;
    *refused = None;
    *held = None;
    *last_success = SystemTime::now();
}

/// Tells every layer what is on the board; each finds out itself what differs.
async fn apply(daemon: &Daemon, level: &LevelHandle) {
    let (loaded, speaker) = {
        let board = daemon.board();
        (board.loaded.clone(), board.speaker.clone())
    };
    let intent = &loaded.intent;
    level.set(intent.log.level);
    let news = daemon.known().configure(intent);
    flows::tell_tunnel(daemon);
    flows::tell_known_nodes(daemon);
    if news == News::Some
        && let Err(error) = daemon.speaker.restart_best().await
    {
        warn!(%error, "what lies in the new pools is not known to the tunnel's guard");
    }
    let fib = plan::fib(intent, daemon.mode, daemon.tunnel.as_ref().map(|t| t.status()).as_deref());
    if let Err(error) = daemon.fib.configure(fib).await {
        warn!(%error, "kernel routes not reconfigured");
    }
    let told = async {
        flows::originate(daemon).await?;
        daemon.speaker.reconfigure(speaker.as_ref().clone()).await
    };
    if let Err(error) = told.await {
        warn!(%error, "BGP not reconfigured");
    }
}
