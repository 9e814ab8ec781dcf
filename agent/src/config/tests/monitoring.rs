use std::{collections::BTreeSet, time::Duration};

use bgp::core::WatchedTable;

use super::*;

#[test]
fn a_collector_is_told_what_the_peers_send_unless_it_wants_more() {
    let intent = intent(
        "[node]\naddress = \"192.0.2.1/24\"\n\
         [[bmp]]\naddress = \"collector.example:1790\"\nstatistics = 0\n\
         [[bmp]]\naddress = \"[2001:db8::9]:1790\"\ntables = [\"accepted\", \"loc-rib\"]\n",
    );
    let [v6, named] = intent.monitoring.collectors.as_slice() else { panic!("two collectors") };
    assert_eq!((named.statistics, &named.tables), (None, &BTreeSet::from([WatchedTable::Received])));
    assert_eq!(v6.tables, BTreeSet::from([WatchedTable::Accepted, WatchedTable::LocRib]));
    assert_eq!(v6.statistics, Some(Duration::from_secs(60)));
}

#[test]
fn mrt_files_have_absolute_names_with_known_fields() {
    let mrt =
        |text: &str| intent(&format!("[node]\naddress = \"192.0.2.1/24\"\n[mrt]\n{text}\n")).monitoring.mrt;
    let table = mrt("table = \"/rib.%Y%m%d.mrt\"").table.unwrap();
    assert_eq!(
        (table.path.to_string(), table.every),
        ("/rib.%Y%m%d.mrt".to_owned(), Duration::from_secs(7200))
    );
    assert_eq!(mrt("updates = \"/u\"\nupdates_every = 60").updates.unwrap().every, Duration::from_secs(60));
    assert_eq!(mrt("").table, None);
}

#[test]
fn wrong_addresses_tables_and_names_are_refused_with_the_remedy() {
    let found = problems(
        "[[bmp]]\naddress = \"2001:db8::9:1790\"\n[[bmp]]\naddress = \"a:1\"\ntables = [\"sent\"]\n\
         [[bmp]]\naddress = \"a:1\"\n[mrt]\ntable = \"rib.mrt\"\nupdates = \"/u.%s\"\n",
    );
    for expected in [
        "bmp[0].address: `2001:db8::9:1790` is no HOST:PORT; as in",
        "bmp[1].tables: `sent`",
        "bmp[2].address: a:1 is there twice",
        "mrt.table: `rib.mrt`: the path is not absolute",
        "mrt.updates: `/u.%s`: `%s` means nothing here",
    ] {
        assert!(found.contains(expected), "{expected} in\n{found}");
    }
}
