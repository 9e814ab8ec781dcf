//! BMP collectors and MRT files, as clients see them.

use std::{fs::File, path::Path};

use bgp::net::{CollectorSnapshot, CollectorState, DumpError};

use super::{problems::warning, state::Daemon, tables::internal};
use crate::api::protocol::{
    ApiError, Done, ErrorCode,
    problem::{Problem, ProblemCode},
    status::{CollectorStatus, MrtStatus},
};

/// The collectors, sorted by address.
///
/// # Errors
///
/// When the speaker has ended.
pub(super) async fn collectors(daemon: &Daemon) -> Result<Vec<CollectorStatus>, ApiError> {
    let collectors = daemon.speaker.collectors().await.map_err(internal)?;
    Ok(collectors.into_iter().map(collector).collect())
}

fn collector(snapshot: CollectorSnapshot) -> CollectorStatus {
    let (state, retry_in) = match snapshot.state {
        CollectorState::Up => ("up", None),
        CollectorState::Connecting => ("connecting", None),
        CollectorState::Waiting { retry_in } => ("waiting", Some(retry_in.as_secs())),
    };
    CollectorStatus {
        address: snapshot.address,
        state: state.to_owned(),
        age: snapshot.state_age.as_secs(),
        retry_in,
        last_failure: snapshot.last_failure,
        connections: snapshot.connections,
        messages: snapshot.messages,
        octets: snapshot.octets,
        waiting: snapshot.waiting as u64,
        coalesced: snapshot.coalesced,
        overtaken: snapshot.overtaken,
    }
}

/// The MRT files, when any are configured or have been written.
///
/// # Errors
///
/// When the speaker has ended.
pub(super) async fn mrt(daemon: &Daemon) -> Result<Option<MrtStatus>, ApiError> {
    let snapshot = daemon.speaker.mrt().await.map_err(internal)?;
    let configured = {
        let mrt = &daemon.board().loaded.intent.monitoring.mrt;
        mrt.table.is_some() || mrt.updates.is_some()
    };
    let path = |path: Option<std::path::PathBuf>| path.map(|path| path.display().to_string());
    Ok(configured.then(|| MrtStatus {
        updates_file: path(snapshot.updates_file),
        records: snapshot.records,
        dropped: snapshot.dropped,
        table_file: path(snapshot.table_file),
        dumps: snapshot.dumps,
        last_failure: snapshot.last_failure,
    }))
}

/// What needs attention.
#[must_use]
pub(super) fn problems(collectors: &[CollectorStatus], mrt: Option<&MrtStatus>) -> Vec<Problem> {
    let down = collectors.iter().filter(|c| c.state == "waiting").map(|c| {
        let reason = c.last_failure.as_deref().unwrap_or("no connection");
        let message = format!("the BMP collector {} is not reached: {reason}", c.address);
        warning(ProblemCode::BmpCollectorDown, message, "see whether it listens there; attempts go on")
            .about(&c.address)
    });
    let failing = mrt.and_then(|mrt| mrt.last_failure.as_ref()).map(|failure| {
        let remedy = "make room or give the daemon the right to write there; attempts go on";
        warning(ProblemCode::MrtFailing, format!("MRT files are not written: {failure}"), remedy)
    });
    down.chain(failing).collect()
}

/// Dumps the tables into a file that a client has opened; `name` is what the client calls it.
///
/// # Errors
///
/// When the file cannot be written, or the speaker has ended.
pub(super) async fn dump(daemon: &Daemon, name: &Path, file: File) -> Result<Done, ApiError> {
    match daemon.speaker.write_tables(file).await {
        Ok(routes) => Ok(Done { message: format!("{}: {routes} routes dumped", name.display()) }),
        Err(DumpError::Speaker(error)) => Err(internal(error)),
        Err(error) => {
            let message = format!("{}: {error}", name.display());
            Err(ApiError::new(ErrorCode::BadRequest, message)
                .remedy("make room for it, or dump into another place"))
        }
    }
}
