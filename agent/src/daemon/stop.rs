//! The end of the daemon: the kernel goes on forwarding, unless told otherwise.

use std::time::Duration;

use bgp::net::ShutdownMode;
use tokio::time::sleep;
use tracing::{info, warn};

use super::{signals::notify, state::Daemon, succession};
use crate::{
    api::protocol::{StopMode, status::RunMode},
    runtime_directory::memory::Memory,
};

/// How long peers get to take other paths before routes are removed.
const SETTLE: Duration = Duration::from_secs(2);

/// Says goodbye as `mode` has it.
pub(super) async fn stop(daemon: &Daemon, mode: StopMode) {
    let mode = if daemon.mode == RunMode::DryRun { StopMode::Keep } else { mode };
    info!(?mode, "stopping");
    notify(&[sd_notify::NotifyState::Stopping]);
    // From here on sessions end because we go: who was up before that is what the next life must know.
    succession::write(daemon).await;
    let memory = daemon.succession.close();
    match mode {
        StopMode::Keep => keep(daemon).await,
        StopMode::Drain => drain(daemon, memory).await,
    }
    info!("stopped");
}

/// Sessions with graceful restart end without a word, so that the peers keep sending.
async fn keep(daemon: &Daemon) {
    shut_down(daemon, ShutdownMode::Keep).await;
    if let Err(error) = daemon.fib.stop().await {
        warn!(%error, "changes on their way may not have reached the kernel");
    }
}

async fn drain(daemon: &Daemon, memory: Option<Memory>) {
    let peers = daemon.speaker.peers().await.unwrap_or_default();
    shut_down(daemon, ShutdownMode::Drain).await;
    if peers.iter().any(|p| p.session.is_some()) {
        sleep(SETTLE).await;
    }
    match daemon.fib.flush().await {
        Ok(report) => {
            info!(removed = report.removed, failed = report.failed.len(), "routes removed");
            let nothing_left = report.failed.is_empty() && succession::clear_once(daemon).await;
            if let Some(Err(error)) = memory.filter(|_| nothing_left).map(|mut memory| memory.forget()) {
                warn!(%error, "what was kept for the next start is still there");
            }
        }
        Err(error) => warn!(%error, "routes not removed"),
    }
    if let Some(tunnel) = &daemon.tunnel
        && let Err(error) = tunnel.flush().await
    {
        warn!(%error, "tunnel not taken down");
    }
}

async fn shut_down(daemon: &Daemon, mode: ShutdownMode) {
    if let Err(error) = daemon.speaker.shut_down(mode).await {
        warn!(%error, "peers were not told");
    }
}
