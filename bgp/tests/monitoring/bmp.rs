//! What a collector gets, decoded by tshark.

use std::{collections::BTreeSet, time::Duration};

use bgp::{
    bmp::message,
    config::{CollectorConfig, MonitoringConfig, SpeakerConfig},
    core::WatchedTable,
    fsm::State,
    net::{CollectorState, ShutdownMode, SpeakerHandle},
    types::{Families, Family},
};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::{
    common::{eventually, host, peer, speaker, start, wait_for},
    namespace::{Place, enter},
    tshark,
};

const PORT: u16 = 18379;
const SOON: Duration = Duration::from_secs(10);

fn collector(address: &str, tables: &[WatchedTable]) -> CollectorConfig {
    CollectorConfig {
        tables: tables.iter().copied().collect(),
        statistics: None,
        retry: Duration::from_millis(100),
        ..CollectorConfig::new(address)
    }
}

/// The monitored speaker, and its peer, which announces routes of both families.
pub(crate) async fn pair(monitoring: MonitoringConfig) -> (SpeakerHandle, SpeakerHandle, SpeakerConfig) {
    let families = Families::from_iter(Family::ALL);
    let config = |own: u8, other: u8| {
        let peer = bgp::config::PeerConfig { families, ..peer(host(own), host(other), PORT) };
        SpeakerConfig {
            addresses: vec![format!("2001:db8::{own}").parse().unwrap()],
            ..speaker(host(own), PORT, vec![peer])
        }
    };
    let monitored = SpeakerConfig { monitoring, ..config(1, 2) };
    let (ours, _) = start(monitored.clone());
    let (theirs, _) = start(config(2, 1));
    theirs.originate(prefixes(&["10.1.0.0/16", "10.2.0.0/24", "2001:db8:1::/48"])).await.unwrap();
    wait_for(&ours, State::Established, SOON).await;
    (ours, theirs, monitored)
}

pub(crate) fn prefixes(list: &[&str]) -> BTreeSet<ipnet::IpNet> {
    list.iter().map(|prefix| prefix.parse().unwrap()).collect()
}

/// Reads until nothing has come for a while.
async fn read(stream: &mut TcpStream, octets: &mut Vec<u8>) {
    let mut buffer = vec![0; 65536];
    while let Ok(Ok(length @ 1..)) = timeout(Duration::from_millis(350), stream.read(&mut buffer)).await {
        octets.extend_from_slice(&buffer[..length]);
    }
}

#[tokio::test]
async fn tshark_reads_a_whole_bmp_session() {
    if !tshark::is_here() || enter("bmp::tshark_reads_a_whole_bmp_session") == Place::Outside {
        return;
    }
    let listener = TcpListener::bind((host(1), 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let tables = [WatchedTable::Received, WatchedTable::Accepted, WatchedTable::LocRib];
    let statistics = Some(Duration::from_secs(1));
    let collectors = vec![CollectorConfig { statistics, ..collector(&address, &tables) }];
    let (ours, theirs, _) =
        pair(MonitoringConfig { collectors, name: "master01".to_owned(), ..MonitoringConfig::default() })
            .await;
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut octets = Vec::new();
    read(&mut stream, &mut octets).await;
    theirs.originate(prefixes(&["10.1.0.0/16", "2001:db8:1::/48"])).await.unwrap();
    read(&mut stream, &mut octets).await;
    theirs.shut_down(ShutdownMode::Drain).await.unwrap();
    read(&mut stream, &mut octets).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    read(&mut stream, &mut octets).await;
    ours.shut_down(ShutdownMode::Keep).await.unwrap();
    read(&mut stream, &mut octets).await;
    let tree = tshark::tree("bmp-session", &octets);
    let kinds = tshark::values(&tree, "BGP Monitoring Protocol, Type");
    assert_eq!(kinds.first(), Some(&"Initiation Message"));
    assert_eq!(kinds.last(), Some(&"Termination Message"));
    assert_eq!(kinds.iter().filter(|kind| **kind == "Peer Up Notification").count(), 2, "peer and Loc-RIB");
    assert_eq!(kinds.iter().filter(|kind| **kind == "Peer Down Notification").count(), 1);
    assert!(kinds.contains(&"Statistics Report"));
    assert_eq!(
        tshark::values(&tree, "Information:"),
        [concat!("siskin ", env!("CARGO_PKG_VERSION")), "master01"]
    );
    assert_eq!(
        tshark::values(&tree, "Reason:"),
        ["Remote System, Notification (3)", "Session administratively closed (0)",]
    );
    let messages: Vec<&str> = tree.split("BGP Monitoring Protocol, Type").collect();
    for [kind, flag] in [
        ["Global Instance Peer (0)", ".0.. .... = Post-policy: Not set"],
        ["Global Instance Peer (0)", ".1.. .... = Post-policy: Set"],
        ["Loc-RIB Instance Peer (3)", "0... .... = Loc-RIB: Not set"],
    ] {
        let of_table = |m: &&&str| m.contains("Route Monitoring") && m.contains(kind) && m.contains(flag);
        let table: Vec<&str> = messages.iter().filter(of_table).copied().collect();
        let count = |text: &str| table.iter().filter(|m| m.contains(text)).count();
        // What was announced, what was withdrawn, and End-of-RIB of both families.
        for prefix in ["10.1.0.0/16", "10.2.0.0/24", "2001:db8:1::/48"] {
            assert!(count(prefix) >= 1, "{prefix} in {kind} {flag}");
        }
        assert!(table.iter().any(|m| m.contains("Withdrawn Routes Length: 4") && m.contains("10.2.0.0/24")));
        let is_marker = |m: &&&str| {
            m.contains("Withdrawn Routes Length: 0\n") && m.contains("Total Path Attribute Length: 0\n")
        };
        assert_eq!(table.iter().filter(is_marker).count(), 1, "End-of-RIB of IPv4");
        assert!(table.iter().any(|m| m.contains("MP_UNREACH_NLRI") && !m.contains("2001:db8:1::")));
    }
}

#[tokio::test]
async fn a_peers_opens_reach_the_collector_as_they_were_exchanged() {
    if enter("bmp::a_peers_opens_reach_the_collector_as_they_were_exchanged") == Place::Outside {
        return;
    }
    let listener = TcpListener::bind((host(1), 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let collectors = vec![collector(&address, &[WatchedTable::Received])];
    let (ours, _theirs, _) = pair(MonitoringConfig { collectors, ..MonitoringConfig::default() }).await;
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut octets = Vec::new();
    read(&mut stream, &mut octets).await;
    let up = messages(&octets).into_iter().find(|m| m[5] == 3).unwrap();
    assert_eq!(up[58..64], [&[0, 0], &host(1).octets()[..]].concat());
    let sent = &up[68..];
    let length = usize::from(u16::from_be_bytes([sent[16], sent[17]]));
    let identifiers = [&sent[24..28], &sent[length + 24..length + 28]];
    assert_eq!(identifiers, [host(1).octets(), host(2).octets()]);
    let snapshot = ours.collectors().await.unwrap().remove(0);
    assert_eq!((snapshot.state, snapshot.octets), (CollectorState::Up, octets.len() as u64));
    assert_eq!(snapshot.messages, message::count(&octets));
}

/// The BMP messages of a stream.
fn messages(mut octets: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while let Some((message, rest)) = octets
        .get(1..5)
        .and_then(|length| octets.split_at_checked(u32::from_be_bytes(length.try_into().unwrap()) as usize))
    {
        messages.push(message);
        octets = rest;
    }
    messages
}

#[tokio::test]
async fn a_collector_that_reads_nothing_holds_nobody_up_and_costs_one_portion() {
    if enter("bmp::a_collector_that_reads_nothing_holds_nobody_up_and_costs_one_portion") == Place::Outside {
        return;
    }
    let listener = TcpListener::bind((host(1), 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let collectors = vec![collector(&address, &[WatchedTable::Received])];
    let (ours, theirs, _) = pair(MonitoringConfig { collectors, ..MonitoringConfig::default() }).await;
    let (_unread, _) = listener.accept().await.unwrap();
    let many = |third: u8| (0..=255).map(move |fourth| format!("10.{third}.{fourth}.0/24").parse().unwrap());
    for round in 0..12 {
        theirs
            .originate((0..10).filter(|third| third % 2 == round % 2).flat_map(many).collect())
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    eventually("the last routes", SOON, || async {
        ours.query(|core, _| core.prefixes(Family::Ipv4Unicast)).await.unwrap() >= 1280
    })
    .await;
    let snapshot = ours.collectors().await.unwrap().remove(0);
    assert!(snapshot.waiting <= 10 * 256, "{snapshot:?}");
    assert_eq!(crate::common::only_peer(&ours).await.sessions, 1);
}

#[tokio::test]
async fn a_collector_that_comes_back_is_told_everything_anew() {
    if enter("bmp::a_collector_that_comes_back_is_told_everything_anew") == Place::Outside {
        return;
    }
    let listener = TcpListener::bind((host(1), 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let collectors = vec![collector(&address, &[WatchedTable::Received])];
    let (ours, _theirs, config) = pair(MonitoringConfig { collectors, ..MonitoringConfig::default() }).await;
    for _ in 0..2 {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut octets = Vec::new();
        read(&mut stream, &mut octets).await;
        let kinds: BTreeSet<u8> = messages(&octets).iter().map(|m| m[5]).collect();
        assert!(kinds.is_superset(&BTreeSet::from([0, 3, 4])), "{kinds:?}");
        assert_eq!(octets[5], 4);
    }
    ours.reconfigure(SpeakerConfig { monitoring: MonitoringConfig::default(), ..config }).await.unwrap();
    eventually("no collector", SOON, || async { ours.collectors().await.unwrap().is_empty() }).await;
}

#[tokio::test]
async fn leaving_does_not_wait_for_a_collector_that_reads_nothing() {
    if enter("bmp::leaving_does_not_wait_for_a_collector_that_reads_nothing") == Place::Outside {
        return;
    }
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind((host(1), 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let tables = [WatchedTable::Received, WatchedTable::Accepted, WatchedTable::LocRib];
    let collectors = vec![collector(&address, &tables)];
    let (ours, theirs, _) = pair(MonitoringConfig { collectors, ..MonitoringConfig::default() }).await;
    let (_unread, _) = listener.accept().await.unwrap();
    let mut written = (0, 1);
    for round in 0..200u8 {
        if written.0 == written.1 {
            break;
        }
        let many =
            (0..1024u16).map(|low| format!("10.{round}.{}.{}/30", low >> 6, low << 2 & 255).parse().unwrap());
        theirs.originate(many.collect()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(60)).await;
        written = (written.1, ours.collectors().await.unwrap().remove(0).octets);
    }
    assert_eq!(written.0, written.1, "the collector's socket is full");
    let begun = std::time::Instant::now();
    ours.shut_down(ShutdownMode::Keep).await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(2500), "{:?}", begun.elapsed());
}
