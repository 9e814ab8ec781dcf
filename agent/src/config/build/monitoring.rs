//! `[[bmp]]` and `[mrt]`: who is told what is heard.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bgp::{
    config::{CollectorConfig, MonitoringConfig, MrtConfig, MrtFile},
    core::WatchedTable,
};

use crate::config::{
    error::Fault,
    reader::{Entry, Reader},
    values,
    words::TABLES,
};

pub(super) fn monitoring(reader: &mut Reader, name: &str) -> MonitoringConfig {
    MonitoringConfig { collectors: collectors(reader), name: name.to_owned(), mrt: mrt(reader) }
}

fn collectors(reader: &mut Reader) -> Vec<CollectorConfig> {
    let mut collectors: BTreeMap<String, CollectorConfig> = BTreeMap::new();
    for entry in reader.tables("bmp", "") {
        let collector = collector(reader, &entry);
        let Some(address) = reader.get(&entry, "address", endpoint) else { continue };
        if collectors.contains_key(&address.value) {
            let fault = Fault::new(format!("{} is there twice", address.value), "make them one collector");
            reader.problem(&address.origin, entry.path("address"), fault);
        }
        let collector = CollectorConfig { address: address.value.clone(), ..collector };
        collectors.insert(address.value, collector);
    }
    collectors.into_values().collect()
}

fn collector(reader: &mut Reader, entry: &Entry) -> CollectorConfig {
    let usual = CollectorConfig::new("");
    let tables = reader.list(entry, "tables", |text| values::word(text, &TABLES));
    let tables: BTreeSet<WatchedTable> = tables.into_iter().map(|table| table.value).collect();
    let statistics = reader.get(entry, "statistics", |text| values::seconds(text, 0..=86_400));
    let retry = reader.get(entry, "retry", |text| values::seconds(text, 1..=3_600));
    let interval = statistics.map_or(usual.statistics, |s| (!s.value.is_zero()).then_some(s.value));
    CollectorConfig {
        tables: if tables.is_empty() { usual.tables.clone() } else { tables },
        statistics: interval,
        retry: retry.map_or(usual.retry, |s| s.value),
        ..usual
    }
}

/// A host by name or address, and a port.
fn endpoint(text: &str) -> Result<String, Fault> {
    let wrong =
        || Fault::new(format!("`{text}` is no HOST:PORT"), "as in 192.0.2.9:1790 or [2001:db8::9]:1790");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let bare_v6 = host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
    if host.is_empty() || bare_v6 || values::port(port).is_err() {
        return Err(wrong());
    }
    Ok(text.to_owned())
}

fn mrt(reader: &mut Reader) -> MrtConfig {
    let table = reader.table("mrt");
    MrtConfig {
        table: file(reader, &table, "table", "table_every"),
        updates: file(reader, &table, "updates", "updates_every"),
    }
}

fn file(reader: &mut Reader, table: &Entry, path_key: &str, every_key: &str) -> Option<MrtFile> {
    let path = reader.get(table, path_key, |text| {
        text.parse().map_err(|error| {
            Fault::new(format!("`{text}`: {error}"), "as in /var/lib/siskin/rib.%Y%m%d.%H%M.mrt")
        })
    });
    let every = reader.get(table, every_key, |text| values::seconds(text, 10..=86_400));
    Some(MrtFile { path: path?.value, every: every.map_or(Duration::from_secs(900), |s| s.value) })
}
