//! Who may connect, and how: ranges of dynamic peers, keys for ranges, TTL security before the first octet is read,
//! strangers, and peers that an operator shuts down.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use bgp::{
    config::{AdminState, AsnRule, Auth, ConnectMode, PeerConfig, RangeConfig, SpeakerConfig, TtlPolicy},
    fsm::{Cause, Failure, State},
    net::{ListenState, PeerSnapshot, ShutdownMode, SpeakerHandle},
    types::{Asn, RouterId},
};
use common::{ASN, eventually, loopback, peer, speaker, start};
use socket2::{Domain, Socket, Type};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const PORT: u16 = 18779;
const SOON: Duration = Duration::from_secs(8);

/// A speaker at `.1` that takes whoever connects from `.0/26`, at most `limit` of them, in AS 64512 or 64513.
async fn host(test: u8, limit: usize, change: impl FnOnce(&mut SpeakerConfig)) -> SpeakerHandle {
    let own = loopback(test, 1);
    let mut template = PeerConfig::new("rack", Ipv4Addr::UNSPECIFIED.into(), Asn(0));
    template.asn_rule = AsnRule::OneOf(vec![ASN, Asn(64513)]);
    template.families = PeerConfig::new("", own.into(), ASN).families;
    let range = RangeConfig { range: format!("{}/26", loopback(test, 0)).parse().unwrap(), limit, template };
    let mut config = SpeakerConfig { ranges: vec![range], ..speaker(own, PORT, vec![]) };
    change(&mut config);
    let (handle, _) = start(config);
    eventually("listening", SOON, || async {
        handle.listeners().values().any(|state| *state == ListenState::Listening)
    })
    .await;
    handle
}

/// A speaker at `.number` that connects to the host.
fn guest(test: u8, number: u8, asn: u32, change: impl FnOnce(&mut PeerConfig)) -> SpeakerHandle {
    let own = loopback(test, number);
    let mut config = peer(own, loopback(test, 1), PORT);
    change(&mut config);
    let new = SpeakerConfig::new(Asn(asn), RouterId(own));
    start(SpeakerConfig { peers: vec![config], ..new }).0
}

async fn peers(handle: &SpeakerHandle) -> Vec<PeerSnapshot> {
    handle.peers().await.unwrap()
}

async fn established(handle: &SpeakerHandle) -> Vec<String> {
    let up = peers(handle).await.into_iter().filter(|peer| peer.state == State::Established);
    up.map(|peer| peer.name).collect()
}

/// Connects from `.number`; every packet has this TTL.
fn connect(test: u8, number: u8, ttl: u32) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_ttl_v4(ttl)?;
    socket.bind(&SocketAddr::from((loopback(test, number), 0)).into())?;
    socket
        .connect_timeout(&SocketAddr::from((loopback(test, 1), PORT)).into(), Duration::from_millis(300))?;
    socket.set_nonblocking(true)?;
    TcpStream::from_std(socket.into())
}

/// What the other side does with a connection: octets it sent before it closed, or `None` while it is open.
async fn fate(mut stream: TcpStream) -> Option<usize> {
    let mut octets = Vec::new();
    match timeout(Duration::from_millis(500), stream.read_to_end(&mut octets)).await {
        Ok(_) => Some(octets.len()),
        Err(_) => None,
    }
}

#[tokio::test]
async fn hosts_of_a_range_become_peers_up_to_its_limit_and_leave_when_they_are_idle() {
    let ours = host(1, 2, |_| ()).await;
    let guests = [guest(1, 2, 64512, |_| ()), guest(1, 3, 64513, |_| ())];
    eventually("both are up", SOON, || async { established(&ours).await.len() == 2 }).await;
    let names = established(&ours).await;
    assert_eq!(names, ["rack/127.83.1.2", "rack/127.83.1.3"]);
    let asns: Vec<u32> = peers(&ours).await.iter().map(|peer| peer.asn.0).collect();
    assert_eq!(asns, [64512, 64513], "each has the AS number its OPEN showed");
    assert!(peers(&ours).await.iter().all(|peer| peer.range.as_deref() == Some("rack")));
    assert_eq!(fate(connect(1, 4, 64).unwrap()).await, Some(0), "the third finds no room");
    assert_eq!(fate(connect(1, 65, 64).unwrap()).await, Some(0), "nobody expects that one");
    for guest in guests {
        guest.shut_down(ShutdownMode::Drain).await.unwrap();
    }
    eventually("none is left", Duration::from_secs(15), || async { peers(&ours).await.is_empty() }).await;
}

#[tokio::test]
async fn a_guest_of_an_as_that_is_not_listed_is_refused_and_told_so() {
    let ours = host(2, 2, |_| ()).await;
    let theirs = guest(2, 2, 64999, |peer| peer.asn = ASN);
    let said =
        |report: &bgp::fsm::DownReport| matches!(&report.cause, Cause::Failed(Failure::Received { .. }));
    eventually("it is told", SOON, || async { peers(&theirs).await[0].down.as_ref().is_some_and(said) })
        .await;
    assert!(established(&ours).await.is_empty());
}

#[tokio::test]
async fn one_key_signs_a_whole_range_and_nobody_without_it_gets_in() {
    let key = |secret: &str| Auth::Md5(secret.as_bytes().to_vec().into());
    let ours = host(3, 4, |config| config.ranges[0].template.transport.auth = key("range")).await;
    let _with_key = guest(3, 2, 64512, |peer| peer.transport.auth = key("range"));
    let _with_another = guest(3, 3, 64512, |peer| peer.transport.auth = key("other"));
    eventually("the one with the key is up", SOON, || async { established(&ours).await.len() == 1 }).await;
    assert!(connect(3, 4, 64).is_err(), "an unsigned SYN is not answered");
    assert_eq!(established(&ours).await, ["rack/127.83.3.2"]);
}

/// The filter on the listening socket knows each peer: the same TTL is enough from one and too low from another.
#[tokio::test]
async fn ttl_security_drops_packets_from_afar_before_the_handshake_and_only_where_it_is_demanded() {
    let ours = host(4, 4, |config| {
        config.ranges[0].template.transport.ttl = TtlPolicy::Security(2);
        let mut easy = peer(loopback(4, 1), loopback(4, 9), PORT);
        easy.transport.mode = ConnectMode::Passive;
        config.peers.push(easy);
    })
    .await;
    assert!(connect(4, 2, 253).is_err(), "one hop too far");
    assert!(connect(4, 2, 254).is_ok());
    assert!(connect(4, 9, 1).is_ok(), "nothing is demanded of this one");
    assert_eq!(fate(connect(4, 70, 1).unwrap()).await, Some(0), "a stranger is closed as ever");
    drop(ours);
}

#[tokio::test]
async fn what_a_stranger_sends_is_not_read() {
    let ours = host(5, 0, |_| ()).await;
    for number in [2, 77] {
        let mut stream = connect(5, number, 64).unwrap();
        // The answer to octets nobody reads is a reset, if the connection is not gone before they are sent.
        let sent = stream.write_all(&[0xff; 100]).await;
        let mut octets = [0; 1];
        let read = timeout(SOON, stream.read(&mut octets)).await.expect("it is closed");
        assert!(sent.is_err() || !matches!(read, Ok(1..)), "it was answered");
    }
    assert!(peers(&ours).await.is_empty());
}

#[tokio::test]
async fn a_peer_is_shut_down_with_a_text_and_brought_back() {
    let ours = host(6, 1, |_| ()).await;
    let theirs = guest(6, 2, 64512, |_| ());
    eventually("up", SOON, || async { established(&ours).await.len() == 1 }).await;
    let name = "rack/127.83.6.2";
    ours.shut_down_peer(name, Some("back at 14:00\u{7}".to_owned())).await.unwrap();
    let heard = || async {
        let down = peers(&theirs).await.remove(0).down.map(|report| report.to_string()).unwrap_or_default();
        down.contains("\"back at 14:00\\u{7}\"")
    };
    eventually("the text is shown, escaped", SOON, heard).await;
    let shut = peers(&ours).await.remove(0);
    assert_eq!((shut.admin, shut.state), (AdminState::Down, State::Idle));
    assert_eq!(fate(connect(6, 2, 64).unwrap()).await, Some(0), "its connections are refused meanwhile");
    ours.bring_up_peer(name).await.unwrap();
    eventually("up again", Duration::from_secs(15), || async { established(&ours).await.len() == 1 }).await;
    assert!(ours.bring_up_peer("nobody").await.is_err());
}

#[tokio::test]
async fn a_connection_bound_to_an_interface_goes_over_it_or_not_at_all() {
    let ours =
        host(7, 2, |config| config.ranges[0].template.transport.interface = Some("lo".to_owned())).await;
    let _here = guest(7, 2, 64512, |peer| peer.transport.interface = Some("lo".to_owned()));
    let nowhere = guest(7, 3, 64512, |peer| peer.transport.interface = Some("nothing0".to_owned()));
    eventually("up", SOON, || async { established(&ours).await.len() == 1 }).await;
    let why = peers(&nowhere).await.remove(0).down.unwrap().to_string();
    assert!(why.starts_with("the interface towards 127.83.7.1 is not on this host"), "{why}");
}

#[tokio::test]
async fn an_address_that_cannot_be_had_is_told_and_the_others_accept() {
    let own = loopback(8, 1);
    let absent: SocketAddr = (IpAddr::from([192, 0, 2, 77]), PORT).into();
    let mut config = speaker(own, PORT, vec![]);
    config.listen.extend([absent, (own, PORT + 1).into()]);
    let (ours, _) = start(config);
    eventually("two of three listen", SOON, || async {
        ours.listeners().values().filter(|state| **state == ListenState::Listening).count() == 2
    })
    .await;
    let states = ours.listeners();
    assert!(
        matches!(&states[&absent], ListenState::Failed(why) if why.contains("no interface of this host"))
    );
}
