//! `siskin flush` and `siskin release`: remove what a stopped daemon left in the kernel, or hand it over.

use std::path::Path;

use fib::{
    error::{Errno, FibError},
    view::ReleaseReport,
};
use ipip::Environment;
use ipnet::IpNet;
use tokio::runtime;

use super::{exclusive, succession};
use crate::{
    cli::{EXIT_FAILED, args::ConfigArgs, commands::Failure},
    config::{Intent, ThisHost, load},
    runtime_directory::{
        lock::TableLock,
        memory::{Memory, Place},
    },
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
pub fn flush(args: &ConfigArgs, socket: Option<&Path>) -> Result<Flushed, Failure> {
    let intent = load(&args.inputs(socket), &ThisHost).map_err(Failure::invalid)?.intent;
    let places = Places::find(&intent)?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let (mut removed, mut kept) = (0, Vec::new());
        for place in &places.all {
            let report = succession::remove(*place, intent.kernel.metric).await.map_err(failed)?;
            removed += report.removed;
            kept.extend(report.failed.iter().map(refused));
        }
        ipip::flush(Environment::default(), &translate::tunnel(&intent)).await.map_err(failed)?;
        places.forget(&kept)?;
        Ok(Flushed { removed, failed: kept })
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
pub fn release(args: &ConfigArgs, socket: Option<&Path>, protocol: u8) -> Result<Released, Failure> {
    let intent = load(&args.inputs(socket), &ThisHost).map_err(Failure::invalid)?.intent;
    let places = Places::find(&intent)?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let (mut released, mut kept) = (0, Vec::new());
        for place in places.all.iter().filter(|place| place.protocol != protocol) {
            let report = hand_over(*place, intent.kernel.metric, protocol).await.map_err(failed)?;
            released += report.released;
            kept.extend(report.failed.iter().map(refused));
        }
        places.forget(&kept)?;
        Ok(Released { released, failed: kept })
    })
}

async fn hand_over(place: Place, metric: u32, protocol: u8) -> Result<ReleaseReport, FibError> {
    let (fib, _events) = fib::service::start()?;
    fib.configure(succession::bare(place, metric)).await?;
    let report = fib.release(protocol).await?;
    fib.stop().await?;
    Ok(report)
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Other(EXIT_FAILED, error.to_string())
}

fn refused((prefix, errno): &(IpNet, Errno)) -> String {
    format!("{prefix}: {errno}")
}

/// Where a stopped daemon has left routes: the configured place, and those of lives before it that its file names.
struct Places {
    all: Vec<Place>,
    memory: Option<Memory>,
    _locks: Vec<TableLock>,
}

impl Places {
    /// Takes the locks of all of them.
    fn find(intent: &Intent) -> Result<Self, Failure> {
        let mut locks = vec![exclusive::lock(intent, REMEDY)?];
        let mut all = vec![succession::place(intent)];
        let memory = exclusive::memory(intent).ok();
        let owned = memory.as_ref().and_then(succession::recall).map(|life| life.owned);
        for place in owned.unwrap_or_default() {
            if !all.contains(&place) {
                locks.push(exclusive::lock_place(intent, place, REMEDY)?);
                all.push(place);
            }
        }
        Ok(Self { all, memory, _locks: locks })
    }

    /// Removes the file, unless something has stayed.
    fn forget(self, kept: &[String]) -> Result<(), Failure> {
        match self.memory.filter(|_| kept.is_empty()) {
            Some(mut memory) => memory.forget().map_err(failed),
            None => Ok(()),
        }
    }
}
