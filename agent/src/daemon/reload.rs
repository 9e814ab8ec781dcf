//! A new configuration in a running daemon: only the difference is applied.

use std::{sync::Arc, time::Instant};

use tracing::{info, warn};

use super::{behind::News, flows, logging::LevelHandle, plan, state::Daemon};
use crate::{
    api::protocol::event::What,
    config::{Outcome, Reloader, ThisHost},
};

/// Reads the configuration again, on a thread that may wait for files and names.
///
/// # Errors
///
/// When that thread panics.
pub(super) async fn read(mut reloader: Reloader) -> Result<(Reloader, Outcome), tokio::task::JoinError> {
    tokio::task::spawn_blocking(move || {
        let outcome = reloader.reload(&ThisHost);
        (reloader, outcome)
    })
    .await
}

/// Applies what came of it.
pub(super) async fn take(daemon: &Daemon, reloader: &Reloader, outcome: Outcome, level: &LevelHandle) {
    match outcome {
        Outcome::Unchanged => {
            daemon.board().refused = reloader.refused().map(ToString::to_string);
        }
        Outcome::Refused(error) => {
            let text = error.to_string();
            warn!(reason = text, "new configuration refused, the one before stays in force");
            daemon.hub.announce(What::Config { state: "refused".to_owned(), info: text.clone() });
            daemon.board().refused = Some(text);
        }
        Outcome::Changed(change) => {
            for line in &change.applied {
                info!(change = line, "configuration changed");
            }
            for warning in &change.warnings {
                warn!(warning, "configuration changed");
            }
            for key in &change.pending {
                warn!(key = key.key, running = key.running, configured = key.configured, "needs a restart");
            }
            put_on_board(daemon, reloader);
            apply(daemon, level).await;
            let info = change.applied.join(", ");
            daemon.hub.announce(What::Config { state: "applied".to_owned(), info });
        }
    }
}

fn put_on_board(daemon: &Daemon, reloader: &Reloader) {
    let loaded = reloader.loaded().clone();
    let mut board = daemon.board();
    board.speaker = Arc::new(plan::speaker(&loaded.intent, daemon.mode));
    board.loaded = Arc::new(loaded);
    board.read = Instant::now();
    board.reloads += 1;
    board.refused = None;
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
