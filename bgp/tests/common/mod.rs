//! What the tests over real sockets share: speakers on distinct loopback addresses, and waiting.
#![allow(dead_code, clippy::unwrap_used)]

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use bgp::{
    config::{PeerConfig, SpeakerConfig, TimerConfig, TransportConfig},
    event::Reachability,
    fsm::State,
    net::{self, Outputs, PeerSnapshot, SpeakerEvent, SpeakerHandle, SpeakerOptions},
    types::{Asn, Families, Family, RouterId},
};
use tokio::sync::mpsc;

pub(crate) const ASN: Asn = Asn(64512);

/// A speaker in AS 64512 at `address`, which is its identifier too, on `port`.
pub(crate) fn speaker(address: Ipv4Addr, port: u16, peers: Vec<PeerConfig>) -> SpeakerConfig {
    SpeakerConfig {
        listen: vec![SocketAddr::new(address.into(), port)],
        peers,
        ..SpeakerConfig::new(ASN, RouterId(address))
    }
}

/// An internal peer at `address`, talked to from `source`.
pub(crate) fn peer(source: Ipv4Addr, address: Ipv4Addr, port: u16) -> PeerConfig {
    PeerConfig {
        transport: TransportConfig { port, source: Some(source.into()), ..TransportConfig::default() },
        timers: TimerConfig { connect_retry_time: Duration::from_secs(1), ..TimerConfig::default() },
        ..PeerConfig::new("peer", address.into(), ASN)
    }
}

/// Starts a speaker whose next hops are all reachable; its other events come out.
pub(crate) fn start(config: SpeakerConfig) -> (SpeakerHandle, mpsc::Receiver<SpeakerEvent>) {
    let options =
        SpeakerOptions { forwarding: Families::from_iter(Family::ALL), ..SpeakerOptions::default() };
    let (handle, Outputs { mut events, mut best }) = net::start(config, options);
    let (sender, receiver) = mpsc::channel(1024);
    let answering = handle.clone();
    tokio::spawn(async move {
        let reachable = Reachability::Reachable { metric: 0 };
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(SpeakerEvent::WatchNextHop(address)) => drop(answering.next_hop(address, reachable).await),
                    Some(event) => drop(sender.try_send(event)),
                    None => return,
                },
                Some(_) = best.recv() => {}
            }
        }
    });
    (handle, receiver)
}

pub(crate) async fn only_peer(handle: &SpeakerHandle) -> PeerSnapshot {
    handle.peers().await.unwrap().remove(0)
}

/// Waits until the only peer is in `state`.
pub(crate) async fn wait_for(handle: &SpeakerHandle, state: State, within: Duration) -> PeerSnapshot {
    let end = Instant::now() + within;
    loop {
        let peer = only_peer(handle).await;
        if peer.state == state {
            return peer;
        }
        assert!(Instant::now() < end, "still {} after {within:?}: {:?}", peer.state, peer.down);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until `condition` holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(
    what: &str,
    within: Duration,
    condition: impl Fn() -> F,
) {
    let end = Instant::now() + within;
    while !condition().await {
        assert!(Instant::now() < end, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A loopback address that no other test uses.
pub(crate) fn loopback(test: u8, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 83, test, host)
}

/// One of the two addresses inside a test's own namespace.
pub(crate) fn host(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 83, 0, number)
}

pub(crate) fn ip(address: Ipv4Addr) -> IpAddr {
    address.into()
}
