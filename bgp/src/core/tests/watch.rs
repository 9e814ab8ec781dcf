//! Readers that mirror the tables.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{super::*, harness::*};
use crate::{
    event::Retention,
    policy::{Policy, RejectReason},
    types::Asn,
};

const V4: Family = Family::Ipv4Unicast;

/// What a reader has been told.
#[derive(Debug, Default, PartialEq, Eq)]
struct Mirror {
    routes: BTreeMap<(WatchedTable, Option<PeerId>, IpNet), Arc<PathAttributes>>,
    complete: Vec<(WatchedTable, Option<PeerId>, Family)>,
    told: usize,
}

impl Mirror {
    fn take(&mut self, items: Vec<WatchItem>) {
        for item in items {
            self.told += 1;
            match item {
                WatchItem::Route { table, peer, prefix, attributes, .. } => {
                    self.routes.insert((table, peer, prefix), attributes);
                }
                WatchItem::Withdrawn { table, peer, prefix, .. } => {
                    _ = self.routes.remove(&(table, peer, prefix))
                }
                WatchItem::Complete { table, peer, family } => self.complete.push((table, peer, family)),
            }
        }
    }

    fn prefixes(&self, table: WatchedTable) -> Vec<String> {
        self.routes.keys().filter(|(of, ..)| *of == table).map(|(.., prefix)| prefix.to_string()).collect()
    }
}

fn settings(tables: &[WatchedTable]) -> WatchSettings {
    WatchSettings { tables: tables.iter().copied().collect(), most_marks: 100 }
}

/// Two peers outside our AS with sessions.
fn lab() -> Lab {
    let mut lab = Lab::new(config(vec![peer(0, Asn(65000)), peer(1, Asn(65001))]));
    (0..2).for_each(|index| lab.up(index));
    lab
}

fn watch(lab: &mut Lab, tables: &[WatchedTable]) -> WatchId {
    let id = lab.core.watch(settings(tables));
    (0..2).for_each(|index| lab.core.watch_peer(id, PeerId(index), Family::ALL.into_iter().collect()));
    id
}

fn read(lab: &mut Lab, id: WatchId, mirror: &mut Mirror) {
    loop {
        let mut items = Vec::new();
        let work = lab.core.poll_watch(id, 3, &mut items).unwrap();
        mirror.take(items);
        if work == Work::Done {
            return;
        }
    }
}

#[test]
fn everything_that_is_there_is_told_then_its_end_then_what_changes() {
    let mut lab = lab();
    lab.announce(0, &attributes(address(0), &[65000]), &["10.0.0.0/16", "10.1.0.0/16"]);
    lab.settle();
    let id = watch(&mut lab, &[WatchedTable::Received, WatchedTable::LocRib]);
    let mut mirror = Mirror::default();
    read(&mut lab, id, &mut mirror);
    for table in [WatchedTable::Received, WatchedTable::LocRib] {
        assert_eq!(mirror.prefixes(table), ["10.0.0.0/16", "10.1.0.0/16"]);
    }
    assert!(mirror.complete.contains(&(WatchedTable::Received, Some(PeerId(0)), V4)));
    assert_eq!(mirror.complete.len(), 6, "two peers and the Loc-RIB in two families");
    lab.withdraw(0, &["10.1.0.0/16"]);
    lab.settle();
    let told = mirror.told;
    read(&mut lab, id, &mut mirror);
    assert_eq!(mirror.prefixes(WatchedTable::LocRib), ["10.0.0.0/16"]);
    assert_eq!(mirror.told - told, 2, "one withdrawal for each table");
}

#[test]
fn a_path_that_changes_many_times_is_told_once_in_its_latest_state() {
    let mut lab = lab();
    let id = watch(&mut lab, &[WatchedTable::Received]);
    let mut mirror = Mirror::default();
    read(&mut lab, id, &mut mirror);
    let told = mirror.told;
    for last in 65_100..65_150 {
        lab.announce(0, &attributes(address(0), &[65000, last]), &["10.0.0.0/16"]);
    }
    assert_eq!(lab.core.watch_figures(id).marks, 1);
    assert!(lab.core.watch_figures(id).coalesced >= 49);
    read(&mut lab, id, &mut mirror);
    assert_eq!(mirror.told - told, 1);
    let attributes = mirror.routes.values().next().unwrap();
    assert_eq!(attributes.as_path.to_string(), "65000 65149");
}

#[test]
fn a_reader_that_falls_too_far_behind_is_told_so_and_remembers_nothing() {
    let mut lab = lab();
    let id = watch(&mut lab, &[WatchedTable::Received]);
    let names: Vec<_> = (0..=100).map(|i| format!("10.0.0.{i}/32")).collect();
    lab.announce(0, &attributes(address(0), &[65000]), &names.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(lab.core.poll_watch(id, 10, &mut Vec::new()), Err(Overtaken));
    assert_eq!(lab.core.watch_figures(id).marks, 0);
    lab.core.unwatch(id);
    assert_eq!(lab.core.poll_watch(id, 10, &mut Vec::new()), Ok(Work::Done));
}

#[test]
fn what_the_import_policy_refuses_stands_before_it_only() {
    let refusing =
        PeerConfig { import: Arc::new(Policy::reject_all(RejectReason::ImportNone)), ..peer(0, Asn(65000)) };
    let mut lab = Lab::new(config(vec![refusing, peer(1, Asn(65001))]));
    (0..2).for_each(|index| lab.up(index));
    let id = watch(&mut lab, &[WatchedTable::Received, WatchedTable::Accepted]);
    lab.announce(0, &attributes(address(0), &[65000]), &["10.0.0.0/16"]);
    lab.settle();
    let mut mirror = Mirror::default();
    read(&mut lab, id, &mut mirror);
    assert_eq!(mirror.prefixes(WatchedTable::Received), ["10.0.0.0/16"]);
    assert_eq!(mirror.prefixes(WatchedTable::Accepted), [] as [&str; 0]);
}

#[test]
fn a_peer_that_is_not_watched_any_more_takes_its_marks_along() {
    let mut lab = lab();
    let id = watch(&mut lab, &[WatchedTable::Received]);
    lab.announce(0, &attributes(address(0), &[65000]), &["10.0.0.0/16"]);
    lab.core.unwatch_peer(id, PeerId(0));
    lab.core.session_down(lab.now, PeerId(0), Retention::Flush);
    lab.settle();
    let mut mirror = Mirror::default();
    read(&mut lab, id, &mut mirror);
    assert_eq!((mirror.routes.len(), lab.core.watch_figures(id).marks), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_mirror_is_what_the_tables_are_after_any_history(
        steps in prop::collection::vec((0u32..2, 0u8..12, 0u32..4), 0..60),
    ) {
        let tables = [WatchedTable::Received, WatchedTable::Accepted, WatchedTable::LocRib];
        let mut lab = lab();
        let id = watch(&mut lab, &tables);
        let mut mirror = Mirror::default();
        for (peer, prefix, act) in steps {
            let prefix = format!("10.{prefix}.0.0/16");
            match act {
                0 => lab.withdraw(peer, &[&prefix]),
                1 => {
                    let mut items = Vec::new();
                    prop_assert!(lab.core.poll_watch(id, 2, &mut items).is_ok());
                    mirror.take(items);
                }
                _ => lab.announce(peer, &attributes(address(peer), &[65000 + peer, 65100 + act]), &[&prefix]),
            }
        }
        lab.settle();
        read(&mut lab, id, &mut mirror);
        let mut expected = BTreeMap::new();
        for index in 0..2 {
            for (table, part) in [(tables[0], AdjRibIn::Received), (tables[1], AdjRibIn::Accepted)] {
                for route in lab.core.adj_rib_in(PeerId(index), part, V4, None, 100).items {
                    let path = &route.paths[0];
                    let attributes = if part == AdjRibIn::Received { &path.received } else { &path.attributes };
                    expected.insert((table, Some(PeerId(index)), route.prefix), attributes.clone());
                }
            }
        }
        for route in lab.core.loc_rib(V4, None, 100).items {
            expected.insert((tables[2], None, route.prefix), route.paths[0].attributes.clone());
        }
        prop_assert_eq!(&mirror.routes, &expected);
        let complete: BTreeSet<_> = mirror.complete.iter().copied().collect();
        prop_assert_eq!(complete.len(), mirror.complete.len(), "each end is told once");
    }
}
