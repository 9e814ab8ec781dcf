//! BFD sessions.

use std::time::Duration;

use bgp::{
    bfd::{Diagnostic, Intervals, Path, SessionView},
    net::BfdReport,
};

use super::words;
use crate::{
    api::protocol::{
        bfd::{BfdCounters, BfdPath, BfdRow, BfdTimers},
        time,
    },
    natural,
};

/// One row per session, sorted by the peer's name.
#[must_use]
pub(crate) fn rows(report: &BfdReport) -> Vec<BfdRow> {
    let mut rows: Vec<_> = report.sessions.iter().map(row).collect();
    rows.sort_by(|a, b| natural::compare(&a.peer, &b.peer));
    rows
}

fn row(view: &SessionView) -> BfdRow {
    let endpoint = &view.endpoint;
    BfdRow {
        peer: view.name.to_string(),
        address: endpoint.peer.to_string(),
        source: endpoint.source.map(|source| source.to_string()),
        interface: endpoint.interface.as_ref().map(ToString::to_string),
        path: match endpoint.path {
            Path::SingleHop => BfdPath::SingleHop,
            Path::MultiHop => BfdPath::MultiHop,
        },
        state: words::name(view.state),
        since: view.since.as_secs(),
        since_time: time::ago(view.since),
        remote_state: words::name(view.remote_state),
        diagnostic: diagnostic(view.diagnostic),
        remote_diagnostic: diagnostic(view.remote_diagnostic),
        local_discriminator: view.discriminator,
        remote_discriminator: view.remote_discriminator,
        local: timers(view.announced, view.multiplier.get()),
        remote: view.remote.map(|(intervals, multiplier)| timers(intervals, multiplier)),
        tx_interval_us: view.interval.map(microseconds),
        detection_time_us: microseconds(view.detection_time),
        up_count: view.ups,
        last_down: view.last_down.map(|down| down.ago.as_secs()),
        last_down_reason: view.last_down.map(|down| down.cause.to_string()),
        counters: BfdCounters {
            sent: view.sent,
            not_sent: view.not_sent,
            received: view.received,
            discarded: view.discards.iter().map(|(reason, n)| (reason.name().to_owned(), n)).collect(),
        },
    }
}

fn diagnostic(diagnostic: Diagnostic) -> String {
    if diagnostic == Diagnostic::NONE { "none".to_owned() } else { diagnostic.to_string() }
}

fn timers(intervals: Intervals, multiplier: u8) -> BfdTimers {
    BfdTimers { min_tx_us: microseconds(intervals.tx), min_rx_us: microseconds(intervals.rx), multiplier }
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
