//! A decoder with a defect, over real sockets.

use std::{net::Ipv4Addr, time::Duration};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};

use crate::{
    config::{ConnectMode, PeerConfig, SpeakerConfig},
    fsm::State,
    net::{SpeakerHandle, SpeakerOptions, start},
    types::{Asn, Family, RouterId},
    wire::{Open, capability::Capability, encode, framer},
};

const ASN: Asn = Asn(64512);
const PORT: u16 = 18878;

fn host(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 83, 90, number)
}

fn peer(number: u8) -> PeerConfig {
    let mut peer = PeerConfig::new(&format!("p{number}"), host(number).into(), ASN);
    peer.transport.mode = ConnectMode::Passive;
    peer
}

/// A session of ours with the test as the peer.
async fn connect(number: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((host(number), 0).into()).unwrap();
    let mut stream = socket.connect((host(1), PORT).into()).await.unwrap();
    let capabilities = vec![Capability::multiprotocol(Family::Ipv4Unicast), Capability::FourOctetAsn(ASN)];
    let mut hello = BytesMut::new();
    Open::new(ASN, 90, RouterId(host(number)), capabilities).encode(&mut hello).unwrap();
    encode::keepalive(&mut hello);
    stream.write_all(&hello).await.unwrap();
    stream
}

async fn wait_until_established(speaker: &SpeakerHandle, index: usize) {
    for _ in 0..400 {
        if speaker.peers().await.unwrap()[index].state == State::Established {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("not established");
}

#[tokio::test]
async fn a_panic_in_the_decoding_of_one_connection_costs_that_connection_alone() {
    let config = SpeakerConfig {
        listen: vec![(host(1), PORT).into()],
        peers: vec![peer(2), peer(3)],
        ..SpeakerConfig::new(ASN, RouterId(host(1)))
    };
    let (speaker, _outputs) = start(config, SpeakerOptions::default());
    while speaker.listeners().is_empty() {
        sleep(Duration::from_millis(10)).await;
    }
    let (mut bad, _good) = (connect(2).await, connect(3).await);
    wait_until_established(&speaker, 0).await;
    wait_until_established(&speaker, 1).await;
    let fault = [&framer::MARKER[..], &[0, 26, 3, 6, 4], super::input::FAULT].concat();
    bad.write_all(&fault).await.unwrap();
    let mut said = Vec::new();
    timeout(Duration::from_secs(5), bad.read_to_end(&mut said)).await.expect("it is closed").unwrap();
    assert_eq!(said[said.len() - 3..], [3, 6, 8], "Cease, Out of Resources");
    let peers = speaker.peers().await.unwrap();
    assert_eq!((peers[0].state, peers[1].state), (State::Idle, State::Established));
    assert_eq!(peers[0].incidents[0].octets, fault);
    sleep(Duration::from_millis(1500)).await;
    let _again = connect(2).await;
    wait_until_established(&speaker, 0).await;
}
