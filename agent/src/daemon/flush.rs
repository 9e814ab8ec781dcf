//! `siskin flush` and `siskin release`: remove what a stopped daemon left in the kernel, or hand it over.

use fib::{config::FibConfig, error::FibError};
use ipip::Environment;
use tokio::runtime;

use super::exclusive;
use crate::{
    cli::{EXIT_FAILED, args::ConfigArgs, commands::Failure},
    config::{Intent, ThisHost, load},
    translate,
};

/// What to do about a daemon that runs.
const REMEDY: &str = "it would put everything back; `siskin stop --drain` stops it, lets the peers take other paths, and \
                      removes its routes";

/// What was removed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Flushed {
    /// Routes removed.
    pub removed: u64,
    /// Prefixes the kernel would not remove, with its reason.
    pub failed: Vec<String>,
}

/// Removes routes, tunnel address and guard.
///
/// # Errors
///
/// While a daemon runs, and when the kernel refuses.
pub fn flush(args: &ConfigArgs) -> Result<Flushed, Failure> {
    let intent = load(&args.inputs(None), &ThisHost).map_err(Failure::invalid)?.intent;
    let _lock = exclusive::lock(&intent, REMEDY)?;
    let failed = |error: &dyn std::fmt::Display| Failure::Other(EXIT_FAILED, error.to_string());
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(|e| failed(&e))?;
    runtime.block_on(async {
        let routes = routes(&intent).await.map_err(|e| failed(&e))?;
        ipip::flush(Environment::default(), &translate::tunnel(&intent)).await.map_err(|e| failed(&e))?;
        Ok(routes)
    })
}

/// What was handed over.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Released {
    /// Routes that have another protocol now.
    pub released: u64,
    /// Prefixes the kernel would not hand over, with its reason.
    pub failed: Vec<String>,
}

/// Gives the routes to another protocol, in place.
///
/// # Errors
///
/// While a daemon runs, and when the kernel refuses.
pub fn release(args: &ConfigArgs, protocol: u8) -> Result<Released, Failure> {
    let intent = load(&args.inputs(None), &ThisHost).map_err(Failure::invalid)?.intent;
    let _lock = exclusive::lock(&intent, REMEDY)?;
    let failed = |error: &dyn std::fmt::Display| Failure::Other(EXIT_FAILED, error.to_string());
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(|e| failed(&e))?;
    runtime.block_on(hand_over(&intent, protocol)).map_err(|e| failed(&e))
}

async fn hand_over(intent: &Intent, protocol: u8) -> Result<Released, FibError> {
    let (fib, _events) = fib::service::start()?;
    fib.configure(bare(intent)).await?;
    let report = fib.release(protocol).await?;
    fib.stop().await?;
    let failed = report.failed.iter().map(|(prefix, errno)| format!("{prefix}: {errno}")).collect();
    Ok(Released { released: report.released, failed })
}

/// Where our routes are, and nothing wanted.
fn bare(intent: &Intent) -> FibConfig {
    FibConfig {
        protocol: intent.kernel.protocol,
        table: intent.kernel.table,
        metric: intent.kernel.metric,
        ..FibConfig::default()
    }
}

async fn routes(intent: &Intent) -> Result<Flushed, FibError> {
    let (fib, _events) = fib::service::start()?;
    fib.configure(bare(intent)).await?;
    let report = fib.flush().await?;
    fib.stop().await?;
    let failed = report.failed.iter().map(|(prefix, errno)| format!("{prefix}: {errno}")).collect();
    Ok(Flushed { removed: report.removed, failed })
}
