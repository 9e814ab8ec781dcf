//! MRT files, read by bgpdump.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use bgp::{
    config::{MonitoringConfig, MrtConfig, MrtFile},
    core::{Freshness, PathView, RouteView},
    decision::Reason,
    mrt::table::{Collector, TableDump},
    net::{ShutdownMode, SpeakerHandle},
    types::{Asn, Now, RouterId},
    wire::attribute::{AsPath, NextHop, Origin, PathAttributes},
};
use bytes::BytesMut;

use crate::{
    bmp::{pair, prefixes},
    common::eventually,
    namespace::{Place, enter},
};

const SOON: Duration = Duration::from_secs(10);

/// A directory of a test's own, empty.
fn directory(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("siskin-mrt-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir(&directory).unwrap();
    directory
}

/// What bgpdump says about a file, a line per entry; `None`, said loudly, when it is not installed.
fn bgpdump(file: &Path) -> Option<Vec<String>> {
    let Ok(output) = Command::new("bgpdump").args(["-m", "-u"]).arg(file).output() else {
        eprintln!("SKIPPED: bgpdump is not installed");
        return None;
    };
    let errors: Vec<String> = String::from_utf8_lossy(&output.stderr)
        .lines()
        .filter(|line| !line.contains("[info]"))
        .map(str::to_owned)
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

fn updates(file: &Path, every: u64) -> MonitoringConfig {
    let path = file.display().to_string().parse().unwrap();
    let updates = Some(MrtFile { path, every: Duration::from_secs(every) });
    MonitoringConfig { mrt: MrtConfig { updates, table: None }, ..MonitoringConfig::default() }
}

async fn known(ours: &SpeakerHandle, routes: usize) {
    eventually("the routes", SOON, || async {
        let count = |core: &bgp::core::Core| {
            bgp::types::Family::ALL.iter().map(|family| core.prefixes(*family)).sum::<usize>()
        };
        ours.query(move |core, _| count(core)).await.unwrap() == routes
    })
    .await;
}

#[tokio::test]
async fn bgpdump_reads_the_tables_field_by_field_as_the_rib_has_them() {
    if enter("mrt::bgpdump_reads_the_tables_field_by_field_as_the_rib_has_them") == Place::Outside {
        return;
    }
    let file = directory("table").join("rib.mrt");
    let (ours, _theirs, _) = pair(MonitoringConfig::default()).await;
    ours.originate(prefixes(&["10.9.0.0/24"])).await.unwrap();
    known(&ours, 4).await;
    assert_eq!(ours.dump_tables(file.clone()).await.unwrap(), 4);
    let Some(lines) = bgpdump(&file) else { return };
    let entries: Vec<Vec<&str>> = lines.iter().map(|line| line.split('|').collect()).collect();
    let expected = [
        ["10.1.0.0/16", "10.83.0.2", "10.83.0.2", "100"],
        ["10.2.0.0/24", "10.83.0.2", "10.83.0.2", "100"],
        ["10.9.0.0/24", "0.0.0.0", "0.0.0.0", "0"],
        ["2001:db8:1::/48", "10.83.0.2", "2001:db8::2", "100"],
    ];
    let told: Vec<[&str; 4]> = entries.iter().map(|e| [e[5], e[3], e[8], e[9]]).collect();
    assert_eq!(told, expected);
    for entry in &entries {
        assert_eq!(
            [entry[0], entry[2], entry[4], entry[6], entry[7]],
            ["TABLE_DUMP2", "B", "64512", "", "IGP"]
        );
    }
    let left: Vec<_> = std::fs::read_dir(file.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing but the finished file");
}

#[tokio::test]
async fn bgpdump_reads_what_was_heard_and_how_the_session_went() {
    if enter("mrt::bgpdump_reads_what_was_heard_and_how_the_session_went") == Place::Outside {
        return;
    }
    let file = directory("updates").join("updates.mrt");
    let (ours, theirs, _) = pair(updates(&file, 3600)).await;
    known(&ours, 3).await;
    theirs.originate(prefixes(&["10.1.0.0/16", "2001:db8:1::/48"])).await.unwrap();
    eventually("the withdrawal", SOON, || async {
        let prefix = "10.2.0.0/24".parse().unwrap();
        ours.query(move |core, _| core.route(prefix).is_none()).await.unwrap()
    })
    .await;
    // The file is whole while it is being written.
    eventually("the withdrawal in the file", SOON, || async {
        if std::fs::metadata(&file).map_or(0, |file| file.len()) == 0 {
            return false;
        }
        let lines = bgpdump(&file);
        lines.is_none_or(|lines| lines.iter().any(|line| line.contains("|W|10.83.0.2|64512|10.2.0.0/24")))
    })
    .await;
    theirs.shut_down(ShutdownMode::Drain).await.unwrap();
    eventually("the file", SOON, || async { ours.mrt().await.unwrap().records >= 8 }).await;
    ours.shut_down(ShutdownMode::Keep).await.unwrap();
    let Some(lines) = bgpdump(&file) else { return };
    let has = |parts: &[&str]| {
        lines.iter().any(|line| parts.iter().all(|part| line.contains(part)) && line.starts_with("BGP4MP"))
    };
    assert!(has(&["|STATE|10.83.0.2|64512|5|6"]), "{lines:#?}");
    assert!(has(&["|STATE|10.83.0.2|64512|6|1"]), "{lines:#?}");
    assert!(has(&["|A|10.83.0.2|64512|10.2.0.0/24||IGP|10.83.0.2|100|0|"]), "{lines:#?}");
    assert!(has(&["|A|10.83.0.2|64512|2001:db8:1::/48||IGP|2001:db8::2|100|0|"]), "{lines:#?}");
    assert!(has(&["|W|10.83.0.2|64512|10.2.0.0/24"]), "{lines:#?}");
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_to_is_reported_and_stops_nothing() {
    if enter("mrt::a_disk_that_cannot_be_written_to_is_reported_and_stops_nothing") == Place::Outside {
        return;
    }
    let file = directory("nowhere").join("missing/updates.mrt");
    let (ours, _theirs, _) = pair(updates(&file, 3600)).await;
    known(&ours, 3).await;
    let mut snapshot = ours.mrt().await.unwrap();
    for _ in 0..100 {
        if snapshot.last_failure.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        snapshot = ours.mrt().await.unwrap();
    }
    assert!(snapshot.last_failure.unwrap().contains("No such file or directory"));
    assert!(snapshot.dropped > 0);
    assert!(ours.dump_tables(file).await.is_err());
}

#[test]
fn bgpdump_reads_a_path_of_thousands_and_one_too_long_for_a_record_is_left_out() {
    let file = directory("long").join("rib.mrt");
    let mut octets = BytesMut::new();
    let collector = Collector { router_id: RouterId([192, 0, 2, 1].into()), asn: Asn(64512) };
    let mut dump = TableDump::begin(collector, &[], Now::default(), Duration::from_secs(1), &mut octets);
    for (prefix, length) in [("10.0.0.0/8", 5_000), ("10.1.0.0/16", 17_000), ("10.2.0.0/16", 1)] {
        dump.put(&[route(prefix, length)], &mut octets);
    }
    std::fs::write(&file, &octets).unwrap();
    let Some(lines) = bgpdump(&file) else { return };
    let entries: Vec<Vec<&str>> = lines.iter().map(|line| line.split('|').collect()).collect();
    // bgpdump prints the first 8000 characters of a path.
    let told: Vec<_> = entries.iter().map(|e| (e[5], e[6].split(' ').count().min(1_000))).collect();
    assert_eq!(told, [("10.0.0.0/8", 1_000), ("10.2.0.0/16", 1)]);
}

/// A route of ours with an AS path of this length.
fn route(prefix: &str, length: usize) -> RouteView {
    let attributes = Arc::new(PathAttributes {
        origin: Origin::Igp,
        as_path: AsPath::from_sequence(&vec![Asn(70_000); length]).unwrap(),
        next_hop: NextHop::V4([192, 0, 2, 1].into()),
        med: None,
        local_pref: None,
        atomic_aggregate: false,
        rare: None,
    });
    let path = PathView {
        peer: None,
        path_id: 0,
        received: attributes.clone(),
        attributes,
        learned: Now::default(),
        freshness: Freshness::Fresh,
        reason: Reason::Best,
    };
    RouteView { prefix: prefix.parse().unwrap(), paths: vec![path] }
}
