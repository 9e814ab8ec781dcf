//! `[[bmp]]` and `[mrt]`.

use bgp::config::{MonitoringConfig, MrtFile};

use super::Facts;
use crate::config::words::{TABLES, spelled};

pub(super) fn facts(facts: &mut Facts, monitoring: &MonitoringConfig) {
    for collector in &monitoring.collectors {
        let key = |name: &str| format!("bmp[{}].{name}", collector.address);
        facts.add_list(&key("tables"), collector.tables.iter().map(|table| spelled(*table, &TABLES)));
        facts.add(&key("statistics"), collector.statistics.map_or(0, |interval| interval.as_secs()));
        facts.add(&key("retry"), collector.retry.as_secs());
    }
    let mut file = |path: &str, every: &str, file: &Option<MrtFile>| {
        facts.add_if(path, file.as_ref().map(|file| &file.path));
        facts.add_if(every, file.as_ref().map(|file| file.every.as_secs()));
    };
    file("mrt.table", "mrt.table_every", &monitoring.mrt.table);
    file("mrt.updates", "mrt.updates_every", &monitoring.mrt.updates);
}
