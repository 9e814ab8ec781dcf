//! What is logged, where and how much of it.
//!
//! ```text
//!   an event -> level -> throttle -> one line -> queue -> thread "log" -> standard error
//! ```
//!
//! Nobody waits for standard error: a line goes into the [`queue`], and where that is full it is dropped and counted.
//! What peers and other programs of the host can cause as often as they like is limited by kind in [`throttle`].

mod fields;
mod queue;
mod throttle;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::Context;
use tracing_subscriber::{
    EnvFilter, Layer, Registry, field::MakeExt, filter::LevelFilter, fmt::format::debug_fn,
    layer::SubscriberExt, reload, util::SubscriberInitExt,
};

use self::{queue::Queue, throttle::Throttle};
use crate::{
    api::protocol::status::LogStatus,
    config::{LogFormat, LogLevel},
};

/// A line that waits longer than this at the end of the process is given up.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The process has one log, as it has one standard error.
static LOG: OnceLock<Log> = OnceLock::new();

struct Log {
    queue: Arc<Queue>,
    throttle: Throttle,
}

/// Changes the level while the daemon runs.
#[derive(Debug)]
pub(super) struct LevelHandle(reload::Handle<EnvFilter, Registry>);

/// Starts logging to standard error, with times unless the journal adds its own.
///
/// # Errors
///
/// When logging was started before, or there is no thread for it.
pub(super) fn start(level: LogLevel, format: LogFormat) -> anyhow::Result<LevelHandle> {
    let throttle = Throttle::default();
    let queue = queue::start(throttle.clone()).context("no thread for the log")?;
    let (filter, handle) = reload::Layer::new(filter(level));
    let output = Arc::clone(&queue);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(move || queue::Line(Arc::clone(&output)))
        .with_ansi(false);
    let to_journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let fields = || debug_fn(fields::write).delimited(" ");
    let lines = match format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Text if to_journal => lines.fmt_fields(fields()).without_time().with_target(false).boxed(),
        LogFormat::Text => lines.fmt_fields(fields()).with_target(false).boxed(),
    };
    let lines = lines.with_filter(throttle.clone());
    tracing_subscriber::registry().with(filter).with(lines).try_init().context("logging is on already")?;
    let _only_once = LOG.set(Log { queue, throttle });
    Ok(LevelHandle(handle))
}

/// Waits a moment for what was logged to be written: the process is about to end.
pub(super) fn settle() {
    if let Some(log) = LOG.get() {
        log.queue.settle(LAST_WORDS);
    }
}

/// How the log fares.
#[must_use]
pub(super) fn status() -> LogStatus {
    LOG.get().map_or_else(LogStatus::default, |log| LogStatus {
        dropped: log.queue.dropped(),
        left_out: log.throttle.left_out(),
        blocked: log.queue.blocked().map(|since| since.as_secs()),
    })
}

impl LevelHandle {
    /// Sets another level.
    pub(super) fn set(&self, level: LogLevel) {
        if let Err(error) = self.0.reload(filter(level)) {
            tracing::warn!(%error, "log level not changed");
        }
    }
}

/// Our crates at the level asked for, the libraries below never louder than `warn`.
fn filter(level: LogLevel) -> EnvFilter {
    let level = level.name();
    let ours = ["siskin", "bgp", "fib", "ipip"].map(|name| format!("{name}={level}"));
    EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).parse_lossy(ours.join(","))
}
