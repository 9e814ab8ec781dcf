//! What is logged, where and how much of it.

use std::io;

use anyhow::Context;
use tracing_subscriber::{
    EnvFilter, Layer, Registry, filter::LevelFilter, layer::SubscriberExt, reload, util::SubscriberInitExt,
};

use crate::config::{LogFormat, LogLevel};

/// Changes the level while the daemon runs.
#[derive(Debug)]
pub(super) struct LevelHandle(reload::Handle<EnvFilter, Registry>);

/// Starts logging to standard error, with times unless the journal adds its own.
///
/// # Errors
///
/// When logging was started before.
pub(super) fn start(level: LogLevel, format: LogFormat) -> anyhow::Result<LevelHandle> {
    let (filter, handle) = reload::Layer::new(filter(level));
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false);
    let to_journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let lines = match format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Text if to_journal => lines.without_time().with_target(false).boxed(),
        LogFormat::Text => lines.with_target(false).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).try_init().context("logging is on already")?;
    Ok(LevelHandle(handle))
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
