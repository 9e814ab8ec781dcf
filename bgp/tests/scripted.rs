//! A speaker of ours against a peer that a test plays octet by octet.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use bgp::{
    config::{AsnRule, ConnectMode, LocalAs, LocalAsPath, PeerConfig},
    fsm::{Cause, Failure, State},
    net::{ListenState, MessageTally, SpeakerHandle},
    types::{Asn, Family, PeerType, RouterId},
    wire::{
        self, DecodeContext, ErrorKind, Message, Notification, Open, capability::Capability, encode, framer,
    },
};
use bytes::BytesMut;
use common::{ASN, eventually, loopback, only_peer, peer, speaker, start, wait_for};
use ipnet::IpNet;
use socket2::{Domain, Socket, Type};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    time::timeout,
};

const PORT: u16 = 18679;
const SOON: Duration = Duration::from_secs(8);

/// A passive speaker at `.1` whose peer is the test, at `.2`.
async fn passive(test: u8, change: impl FnOnce(&mut PeerConfig)) -> SpeakerHandle {
    let own = loopback(test, 1);
    let mut config = peer(own, loopback(test, 2), PORT);
    config.transport.mode = ConnectMode::Passive;
    change(&mut config);
    let (handle, _) = start(speaker(own, PORT, vec![config]));
    eventually("listening", SOON, || async {
        handle.listeners().values().any(|state| *state == ListenState::Listening)
    })
    .await;
    handle
}

async fn connect(test: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((loopback(test, 2), 0).into()).unwrap();
    socket.connect((loopback(test, 1), PORT).into()).await.unwrap()
}

fn capabilities() -> Vec<Capability> {
    vec![Capability::multiprotocol(Family::Ipv4Unicast), Capability::FourOctetAsn(ASN)]
}

fn open(test: u8, hold_time: u16) -> BytesMut {
    let mut bytes = BytesMut::new();
    Open::new(ASN, hold_time, RouterId(loopback(test, 2)), capabilities()).encode(&mut bytes).unwrap();
    bytes
}

fn keepalive() -> BytesMut {
    let mut bytes = BytesMut::new();
    encode::keepalive(&mut bytes);
    bytes
}

fn end_of_rib() -> Vec<u8> {
    [&framer::MARKER[..], &[0, 23, 2, 0, 0, 0, 0]].concat()
}

/// Everything said until the connection ends.
async fn messages(stream: &mut TcpStream) -> Vec<Message> {
    let (mut buffer, mut messages) = (BytesMut::new(), Vec::new());
    while timeout(SOON, stream.read_buf(&mut buffer)).await.unwrap().unwrap() > 0 {}
    while let Some(message) = framer::next_message(&mut buffer, 4096).unwrap() {
        messages.push(wire::decode(&message, &DecodeContext::unnegotiated(PeerType::Internal)).unwrap());
    }
    messages
}

async fn last_notification(stream: &mut TcpStream) -> Notification {
    match messages(stream).await.pop() {
        Some(Message::Notification(notification)) => notification,
        other => panic!("no NOTIFICATION before the end but {other:?}"),
    }
}

#[tokio::test]
async fn garbage_is_answered_with_a_notification_that_can_be_read() {
    let _speaker = passive(20, |_| ()).await;
    let mut stream = connect(20).await;
    stream.write_all(&[b'G'; 3000]).await.unwrap();
    assert_eq!(last_notification(&mut stream).await.kind, ErrorKind::CONNECTION_NOT_SYNCHRONIZED);
}

/// RFC 4271 section 8.2.2: whatever the peer begins with, our OPEN is the first that it hears.
#[tokio::test]
async fn whatever_the_peer_begins_with_our_open_comes_before_the_notification() {
    let mut version = open(31, 90);
    version[framer::HEADER] = 3;
    let beginnings = [
        (31, vec![b'G'; 100], ErrorKind::CONNECTION_NOT_SYNCHRONIZED),
        (34, version.to_vec(), ErrorKind::UNSUPPORTED_VERSION),
        (35, open(35, 1).to_vec(), ErrorKind::UNACCEPTABLE_HOLD_TIME),
        (36, end_of_rib(), ErrorKind::UNEXPECTED_IN_OPEN_SENT),
    ];
    for (test, beginning, expected) in beginnings {
        let _speaker = passive(test, |_| ()).await;
        let mut stream = connect(test).await;
        stream.write_all(&beginning).await.unwrap();
        match messages(&mut stream).await.as_slice() {
            [Message::Open(_), Message::Notification(said)] => assert_eq!(said.kind, expected),
            other => panic!("{other:?} after {beginning:?}"),
        }
    }
}

/// RFC 4271 section 6.8.
#[tokio::test]
async fn a_second_connection_of_an_established_peer_is_told_of_the_collision_and_the_session_stays() {
    let speaker = passive(32, |_| ()).await;
    let mut first = connect(32).await;
    first.write_all(&[open(32, 90), keepalive()].concat()).await.unwrap();
    wait_for(&speaker, State::Established, SOON).await;
    for more in [vec![], [keepalive().to_vec(), end_of_rib(), vec![0; 100_000]].concat()] {
        let mut second = connect(32).await;
        second.write_all(&[open(32, 90).to_vec(), more].concat()).await.unwrap();
        match messages(&mut second).await.as_slice() {
            [Message::Open(_), Message::Notification(said)] => {
                assert_eq!(said.kind, ErrorKind::CONNECTION_COLLISION_RESOLUTION);
            }
            other => panic!("{other:?}"),
        }
    }
    let peer = only_peer(&speaker).await;
    assert_eq!((peer.state, peer.sessions), (State::Established, 1));
}

/// The numbers in the OPENs decide, wherever the kind of a session is asked for.
#[tokio::test]
async fn a_peer_of_our_number_that_knows_us_by_another_is_an_external_one_in_every_respect() {
    let known_as = LocalAs { asn: Asn(65000), path: LocalAsPath::Replace };
    let speaker = passive(33, |config| {
        config.asn_rule = AsnRule::Any;
        config.asn = Asn(0);
        config.switches.local_as = Some(known_as);
    })
    .await;
    speaker.originate(["10.9.0.0/24".parse().unwrap()].into()).await.unwrap();
    let mut stream = connect(33).await;
    stream.write_all(&[open(33, 90).to_vec(), keepalive().to_vec(), end_of_rib()].concat()).await.unwrap();
    let peer = wait_for(&speaker, State::Established, SOON).await;
    assert_eq!((peer.peer_type, peer.asn), (PeerType::External, ASN));
    let [.., update] = &messages_until(&mut stream, &[24, 10, 9, 0]).await[..] else {
        panic!("nothing came")
    };
    let has = |attribute: &[u8]| update.windows(attribute.len()).any(|window| window == attribute);
    assert!(has(&[0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe8]), "AS_PATH 65000: {update:?}");
    assert!(!has(&[0x40, 5, 4]), "LOCAL_PREF is not for external peers: {update:?}");
}

/// Messages up to the one that ends so.
async fn messages_until(stream: &mut TcpStream, end: &[u8]) -> Vec<Vec<u8>> {
    let (mut buffer, mut messages) = (BytesMut::new(), Vec::new());
    loop {
        while let Some(message) = framer::next_message(&mut buffer, 4096).unwrap() {
            messages.push(message.to_vec());
            if message.ends_with(end) {
                return messages;
            }
        }
        assert!(timeout(SOON, stream.read_buf(&mut buffer)).await.unwrap().unwrap() > 0);
    }
}

#[tokio::test]
async fn an_update_before_open_is_a_state_machine_error() {
    let _speaker = passive(21, |_| ()).await;
    let mut stream = connect(21).await;
    stream.write_all(&end_of_rib()).await.unwrap();
    let expected = Notification::with_data(ErrorKind::UNEXPECTED_IN_OPEN_SENT, &[2]);
    assert_eq!(last_notification(&mut stream).await, expected);
}

#[tokio::test]
async fn an_update_before_the_keepalive_is_one_too() {
    let _speaker = passive(22, |_| ()).await;
    let mut stream = connect(22).await;
    stream.write_all(&[open(22, 90).to_vec(), end_of_rib()].concat()).await.unwrap();
    assert_eq!(last_notification(&mut stream).await.kind, ErrorKind::UNEXPECTED_IN_OPEN_CONFIRM);
}

#[tokio::test]
async fn a_handshake_that_comes_octet_by_octet_succeeds() {
    let speaker = passive(23, |_| ()).await;
    let mut stream = connect(23).await;
    stream.set_nodelay(true).unwrap();
    for octet in [open(23, 90), keepalive()].concat() {
        stream.write_all(&[octet]).await.unwrap();
        tokio::task::yield_now().await;
    }
    wait_for(&speaker, State::Established, SOON).await;
}

#[tokio::test]
async fn a_handshake_and_routes_in_one_segment_succeed() {
    let speaker = passive(24, |_| ()).await;
    let mut stream = connect(24).await;
    let segment = [open(24, 90).to_vec(), keepalive().to_vec(), end_of_rib(), keepalive().to_vec()].concat();
    stream.write_all(&segment).await.unwrap();
    wait_for(&speaker, State::Established, SOON).await;
    eventually("all four messages are counted", SOON, || async {
        let counts = only_peer(&speaker).await.messages;
        let received = MessageTally { open: 1, update: 1, keepalive: 2, ..MessageTally::default() };
        (counts.received, counts.sent.open, counts.sent.keepalive) == (received, 1, 1)
    })
    .await;
}

#[tokio::test]
async fn a_newer_connection_of_the_peer_replaces_a_silent_one() {
    let speaker = passive(25, |_| ()).await;
    let mut first = connect(25).await;
    eventually("the first is there", SOON, || async { only_peer(&speaker).await.state == State::OpenSent })
        .await;
    let mut second = connect(25).await;
    assert!(matches!(messages(&mut first).await[..], [Message::Open(_)]));
    second.write_all(&[open(25, 90), keepalive()].concat()).await.unwrap();
    wait_for(&speaker, State::Established, SOON).await;
}

/// While everything of ours stands still, the peer's KEEPALIVEs wait in the socket.
#[tokio::test]
async fn unread_octets_keep_a_session_alive_when_we_are_busy() {
    let speaker = passive(26, |_| ()).await;
    let mut stream = connect(26).await;
    stream.write_all(&[open(26, 3), keepalive()].concat()).await.unwrap();
    wait_for(&speaker, State::Established, SOON).await;
    let playing = std::thread::spawn(move || {
        let mut stream = stream.into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        for _ in 0..6 {
            std::io::Write::write_all(&mut stream, &keepalive()).unwrap();
            std::thread::sleep(Duration::from_secs(1));
        }
        stream
    });
    speaker.query(|_, _| std::thread::sleep(Duration::from_secs(4))).await.unwrap();
    let peer = only_peer(&speaker).await;
    assert_eq!((peer.state, peer.sessions), (State::Established, 1));
    drop(playing.join().unwrap());
}

#[tokio::test]
async fn silence_is_answered_with_hold_timer_expired() {
    let _speaker = passive(27, |_| ()).await;
    let mut stream = connect(27).await;
    stream.write_all(&[open(27, 3), keepalive()].concat()).await.unwrap();
    let started = Instant::now();
    assert_eq!(last_notification(&mut stream).await.kind, ErrorKind::HOLD_TIMER_EXPIRED);
    assert!(started.elapsed() >= Duration::from_secs(3));
}

#[tokio::test]
async fn a_peer_that_rejects_every_open_is_not_hammered() {
    let (own, other): (Ipv4Addr, Ipv4Addr) = (loopback(28, 1), loopback(28, 2));
    let listener = TcpListener::bind((other, PORT)).await.unwrap();
    let (speaker, _events) = start(speaker(own, PORT, vec![peer(own, other, PORT)]));
    let mut rejection = BytesMut::new();
    encode::notification(&ErrorKind::BAD_PEER_AS.into(), &mut rejection);
    let mut rejected = 0;
    let end = tokio::time::Instant::now() + Duration::from_secs(5);
    while let Ok(Ok((mut stream, _))) = tokio::time::timeout_at(end, listener.accept()).await {
        stream.write_all(&rejection).await.unwrap();
        rejected += 1;
    }
    assert!((2..=4).contains(&rejected), "{rejected} attempts in five seconds");
    let Some(Cause::Failed(Failure::Received { notification, .. })) =
        only_peer(&speaker).await.down.map(|d| d.cause)
    else {
        panic!("the rejection is not told");
    };
    assert_eq!(notification.kind, ErrorKind::BAD_PEER_AS);
}

/// Two thousand connections, one after the other, leave the speaker as it was.
#[tokio::test]
async fn a_storm_of_connections_passes() {
    let speaker = passive(29, |_| ()).await;
    for _ in 0..2000 {
        drop(connect(29).await);
    }
    let mut stream = connect(29).await;
    stream.write_all(&[open(29, 90), keepalive()].concat()).await.unwrap();
    wait_for(&speaker, State::Established, SOON).await;
}

/// A connection of `host`, with segments and a receive buffer so small that little can be on the way.
async fn connect_tightly(test: u8, host: u8) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.set_tcp_mss(536).unwrap();
    socket.bind(&SocketAddr::from((loopback(test, host), 0)).into()).unwrap();
    let socket = TcpSocket::from_std_stream(socket.into());
    let mut stream = socket.connect((loopback(test, 1), PORT).into()).await.unwrap();
    let open = Open::new(ASN, 90, RouterId(loopback(test, host)), capabilities());
    let mut bytes = BytesMut::new();
    open.encode(&mut bytes).unwrap();
    encode::keepalive(&mut bytes);
    stream.write_all(&bytes).await.unwrap();
    stream
}

/// Reads until these octets have passed by.
async fn read_until(stream: &mut TcpStream, wanted: &[u8]) {
    let mut seen = Vec::new();
    while !seen.windows(wanted.len()).any(|window| window == wanted) {
        let begin = seen.len().saturating_sub(wanted.len());
        seen.drain(..begin);
        assert!(timeout(SOON, stream.read_buf(&mut seen)).await.unwrap().unwrap() > 0);
    }
}

/// What waits for a peer is a place in the table, not a queue of messages.
#[tokio::test]
async fn a_peer_that_never_reads_costs_a_few_portions_and_holds_nobody_up() {
    let own = loopback(30, 1);
    let named = |host: u8| {
        let mut config = peer(own, loopback(30, host), PORT);
        config.name = format!("p{host}");
        config.transport.mode = ConnectMode::Passive;
        config
    };
    let (speaker, _events) = start(speaker(own, PORT, vec![named(2), named(3)]));
    eventually("listening", SOON, || async {
        speaker.listeners().values().any(|state| *state == ListenState::Listening)
    })
    .await;
    let stuck = connect_tightly(30, 2).await;
    let mut reader = connect_tightly(30, 3).await;
    let block = |round: u8| -> BTreeSet<IpNet> {
        (0..=255)
            .flat_map(|i| (0..16).map(move |j| [10, round % 2, i, j]))
            .map(|a| IpAddr::from(a).into())
            .collect()
    };
    for round in 0..30 {
        let marker: IpNet = IpAddr::from([203, 0, 113, round]).into();
        speaker.originate(block(round).into_iter().chain([marker]).collect()).await.unwrap();
        read_until(&mut reader, &[32, 203, 0, 113, round]).await;
    }
    let peers = speaker.peers().await.unwrap();
    let sent = |index: usize| peers[index].messages.sent.update;
    assert!(sent(1) > 30 * 8, "{} to the reader", sent(1));
    assert!(sent(0) < 100, "{} to the one that does not read", sent(0));
    assert!(peers.iter().all(|p| p.state == State::Established));
    drop(stuck);
}
