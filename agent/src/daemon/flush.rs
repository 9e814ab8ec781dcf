//! `siskin flush`: removes what a stopped daemon left in the kernel.

use fib::{config::FibConfig, error::FibError, lock::TableLock};
use ipip::Environment;
use tokio::runtime;

use crate::{
    cli::{EXIT_FAILED, args::ConfigArgs, commands::Failure},
    config::{Intent, ThisHost, load},
    translate,
};

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
    let _lock = lock(&intent)?;
    let failed = |error: &dyn std::fmt::Display| Failure::Other(EXIT_FAILED, error.to_string());
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(|e| failed(&e))?;
    runtime.block_on(async {
        let routes = routes(&intent).await.map_err(|e| failed(&e))?;
        ipip::flush(Environment::default(), &translate::tunnel(&intent)).await.map_err(|e| failed(&e))?;
        Ok(routes)
    })
}

fn lock(intent: &Intent) -> Result<TableLock, Failure> {
    let kernel = intent.kernel;
    TableLock::acquire(kernel.protocol, kernel.table).map_err(|error| match error {
        FibError::Locked { .. } => Failure::Other(
            EXIT_FAILED,
            "a daemon is running here, and would put everything back\n  \
             `siskin stop --drain` stops it, lets the peers take other paths, and removes its routes"
                .to_owned(),
        ),
        error => Failure::Other(EXIT_FAILED, error.to_string()),
    })
}

async fn routes(intent: &Intent) -> Result<Flushed, FibError> {
    let (fib, _events) = fib::service::start()?;
    let config = FibConfig {
        protocol: intent.kernel.protocol,
        table: intent.kernel.table,
        metric: intent.kernel.metric,
        ..FibConfig::default()
    };
    fib.configure(config).await?;
    let report = fib.flush().await?;
    fib.stop().await?;
    let failed = report.failed.iter().map(|(prefix, errno)| format!("{prefix}: {errno}")).collect();
    Ok(Flushed { removed: report.removed, failed })
}
