//! Who is told what this speaker hears.

use std::{collections::BTreeSet, time::Duration};

use crate::{core::WatchedTable, mrt::path::PathTemplate};

/// Programs that look on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MonitoringConfig {
    /// BMP collectors (RFC 7854), each address once.
    pub collectors: Vec<CollectorConfig>,
    /// `sysName` of Initiation messages.
    pub name: String,
    /// MRT files (RFC 6396).
    pub mrt: MrtConfig,
}

/// What is written to MRT files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MrtConfig {
    /// The tables, at intervals (TABLE_DUMP_V2).
    pub table: Option<MrtFile>,
    /// Each UPDATE received and each change of state (BGP4MP_ET); a new file begins with each interval.
    pub updates: Option<MrtFile>,
}

/// A file in intervals, which begin at whole multiples of their length since 1970-01-01T00:00:00Z.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MrtFile {
    /// Its name; times in it are those of the interval's beginning.
    pub path: PathTemplate,
    /// The interval, at least 1 s.
    pub every: Duration,
}

/// A BMP collector, which we connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorConfig {
    /// `HOST:PORT`, or `[ADDRESS]:PORT`.
    pub address: String,
    /// What it is told.
    pub tables: BTreeSet<WatchedTable>,
    /// Interval of statistics reports; `None`: none are sent.
    pub statistics: Option<Duration>,
    /// The first wait before a new attempt to connect; doubled with every failure, up to a minute or this.
    pub retry: Duration,
}

impl CollectorConfig {
    /// A collector that is told the Adj-RIBs-In before policy, with statistics every minute.
    pub fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            tables: BTreeSet::from([WatchedTable::Received]),
            statistics: Some(Duration::from_secs(60)),
            retry: Duration::from_secs(2),
        }
    }
}
