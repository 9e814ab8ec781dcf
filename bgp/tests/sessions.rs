//! Two speakers of ours over loopback: the socket options, refusals and endings that no pure test can see.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    io::Read,
    net::{IpAddr, Ipv6Addr, TcpStream},
    time::Duration,
};

use bgp::{
    config::{AdminState, Auth, PeerConfig, SpeakerConfig, TimerConfig, TransportConfig, TtlPolicy},
    fsm::{Cause, Failure, State, TransportError},
    net::{Clear, ListenState, ShutdownMode, SpeakerEvent, SpeakerHandle},
    types::Family,
};
use common::{ip, loopback, peer, speaker, start, wait_for};
use tokio::sync::mpsc::Receiver;

const PORT: u16 = 18179;
const SOON: Duration = Duration::from_secs(8);

/// Two speakers that see each other, each peer as `change` makes it for that side.
fn pair(test: u8, change: impl Fn(usize, &mut PeerConfig)) -> [(SpeakerHandle, Receiver<SpeakerEvent>); 2] {
    [(1, 2), (2, 1)].map(|(own, other)| {
        let (own_address, other_address) = (loopback(test, own), loopback(test, other));
        let mut config = peer(own_address, other_address, PORT);
        change(usize::from(own) - 1, &mut config);
        start(speaker(own_address, PORT, vec![config]))
    })
}

async fn both_up(speakers: &[(SpeakerHandle, Receiver<SpeakerEvent>); 2]) {
    for (handle, _) in speakers {
        wait_for(handle, State::Established, SOON).await;
    }
}

#[tokio::test]
async fn a_session_comes_up_between_two_speakers_that_start_at_once() {
    let speakers = pair(1, |_, _| ());
    both_up(&speakers).await;
    let snapshot = common::only_peer(&speakers[0].0).await;
    let session = snapshot.session.unwrap();
    assert_eq!(session.addresses.local, ip(loopback(1, 1)));
    assert_eq!(session.negotiated.peer_id.0, loopback(1, 2));
    assert_eq!(snapshot.sessions, 1);
}

#[tokio::test]
async fn equal_md5_keys_let_a_session_up() {
    let speakers = pair(2, |_, peer| peer.transport.auth = Auth::Md5(b"secret".to_vec().into()));
    both_up(&speakers).await;
}

#[tokio::test]
async fn ipv6_sessions_take_a_key_and_ttl_security_too() {
    let address = IpAddr::from(Ipv6Addr::LOCALHOST);
    let speakers = [(1, 18181, 18182), (2, 18182, 18181)].map(|(number, own, other)| {
        let peer = PeerConfig {
            transport: TransportConfig {
                port: other,
                source: Some(address),
                auth: Auth::Md5(b"secret".to_vec().into()),
                ttl: TtlPolicy::Security(1),
                ..TransportConfig::default()
            },
            timers: TimerConfig { connect_retry_time: Duration::from_secs(1), ..TimerConfig::default() },
            ..PeerConfig::new("peer", address, common::ASN)
        };
        let config = speaker(loopback(17, number), own, vec![peer]);
        start(SpeakerConfig { listen: vec![(address, own).into()], ..config })
    });
    both_up(&speakers).await;
    let session = common::only_peer(&speakers[0].0).await.session.unwrap();
    assert_eq!(session.negotiated.families.iter().collect::<Vec<_>>(), [Family::Ipv6Unicast]);
}

#[tokio::test]
async fn different_md5_keys_keep_a_session_down_and_the_report_suspects_them() {
    let keys: [&[u8]; 2] = [b"one", b"other"];
    let speakers = pair(3, |side, peer| peer.transport.auth = Auth::Md5(keys[side].to_vec().into()));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let peer = common::only_peer(&speakers[0].0).await;
    assert_ne!(peer.state, State::Established);
    assert!(peer.down.unwrap().to_string().contains("the MD5 keys differ"));
}

#[tokio::test]
async fn a_key_on_one_side_only_keeps_a_session_down() {
    let speakers = pair(4, |side, peer| {
        if side == 0 {
            peer.transport.auth = Auth::Md5(b"secret".to_vec().into());
        }
    });
    tokio::time::sleep(Duration::from_secs(2)).await;
    for (handle, _) in &speakers {
        assert_eq!(common::only_peer(handle).await.sessions, 0);
    }
}

#[tokio::test]
async fn a_changed_key_restarts_the_session() {
    let key = |text: &str| Auth::Md5(text.as_bytes().into());
    let speakers = pair(5, |_, peer| peer.transport.auth = Auth::Md5(b"old".to_vec().into()));
    both_up(&speakers).await;
    for (index, (handle, _)) in speakers.iter().enumerate() {
        let (own, other) = if index == 0 { (1, 2) } else { (2, 1) };
        let mut config = peer(loopback(5, own), loopback(5, other), PORT);
        config.transport.auth = key("new");
        handle.reconfigure(speaker(loopback(5, own), PORT, vec![config])).await.unwrap();
    }
    for (handle, _) in &speakers {
        common::eventually("a second session", SOON, || async {
            let peer = common::only_peer(handle).await;
            peer.sessions >= 2 && peer.state == State::Established
        })
        .await;
    }
}

#[tokio::test]
async fn ttl_security_on_both_sides_lets_a_session_up() {
    let speakers = pair(6, |_, peer| peer.transport.ttl = TtlPolicy::Security(1));
    both_up(&speakers).await;
}

#[tokio::test]
async fn ttl_security_on_one_side_keeps_a_session_down() {
    let speakers = pair(7, |side, peer| {
        peer.transport.ttl = if side == 0 { TtlPolicy::Security(1) } else { TtlPolicy::Direct };
    });
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(common::only_peer(&speakers[0].0).await.sessions, 0);
}

#[tokio::test]
async fn a_clear_is_seen_by_the_peer_as_an_administrative_reset() {
    let mut speakers = pair(8, |_, _| ());
    both_up(&speakers).await;
    speakers[0].0.clear("peer", Clear::Session).await.unwrap();
    let reset = loop {
        if let SpeakerEvent::SessionDown { failure, .. } = speakers[1].1.recv().await.unwrap() {
            break failure;
        }
    };
    assert!(reset.to_string().contains("Administrative Reset (6/4)"), "{reset}");
    both_up(&speakers).await;
    assert!(speakers[0].0.clear("nobody", Clear::Session).await.is_err());
}

#[tokio::test]
async fn leaving_to_return_closes_without_a_notification() {
    let mut speakers = pair(9, |_, _| ());
    both_up(&speakers).await;
    speakers[0].0.shut_down(ShutdownMode::Keep).await.unwrap();
    let failure = session_down(&mut speakers[1].1).await;
    assert!(matches!(failure, Failure::Transport(_)), "{failure:?}");
}

#[tokio::test]
async fn leaving_for_good_is_a_hard_reset() {
    let mut speakers = pair(10, |_, _| ());
    both_up(&speakers).await;
    speakers[0].0.shut_down(ShutdownMode::Drain).await.unwrap();
    let failure = session_down(&mut speakers[1].1).await;
    assert!(failure.to_string().contains("Hard Reset (6/9)"), "{failure}");
}

async fn session_down(events: &mut Receiver<SpeakerEvent>) -> Failure {
    loop {
        match tokio::time::timeout(SOON, events.recv()).await.unwrap().unwrap() {
            SpeakerEvent::SessionDown { failure, .. } => return failure,
            _ => continue,
        }
    }
}

#[tokio::test]
async fn a_peer_that_is_down_refuses_and_reports_it() {
    let speakers = pair(11, |side, peer| {
        if side == 0 {
            peer.admin = AdminState::Down;
        }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let down = common::only_peer(&speakers[0].0).await.down.unwrap();
    assert_eq!(down.cause, Cause::AdministrativelyDown);
    let other = common::only_peer(&speakers[1].0).await;
    assert_eq!(other.sessions, 0);
}

#[tokio::test]
async fn a_connection_from_nobody_we_know_is_closed_without_a_word() {
    let own = loopback(12, 1);
    let (handle, _events) = start(speaker(own, PORT, vec![peer(own, loopback(12, 2), PORT)]));
    common::eventually("listening", SOON, || async {
        handle.listeners().values().any(|state| *state == ListenState::Listening)
    })
    .await;
    let said = tokio::task::spawn_blocking(move || {
        let mut said = Vec::new();
        let mut stream = TcpStream::connect((own, PORT)).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        // A reset instead of an end is silence too.
        stream.read_to_end(&mut said).unwrap_or(0);
        said
    });
    assert!(said.await.unwrap().is_empty());
}

#[tokio::test]
async fn an_occupied_port_is_reported_and_the_session_comes_up_all_the_same() {
    let blocker = std::net::TcpListener::bind((loopback(13, 1), PORT)).unwrap();
    let speakers = pair(13, |_, _| ());
    both_up(&speakers).await;
    let states = speakers[0].0.listeners();
    let Some(ListenState::Failed(reason)) = states.values().next() else { panic!("{states:?}") };
    assert!(reason.contains("another process"), "{reason}");
    drop(blocker);
}

#[tokio::test]
async fn a_refused_connection_is_reported_as_refused() {
    let own = loopback(14, 1);
    let (handle, _events) = start(speaker(own, PORT, vec![peer(own, loopback(14, 2), PORT)]));
    common::eventually("the report", SOON, || async {
        let down = common::only_peer(&handle).await.down;
        down.is_some_and(|d| d.cause == Cause::Failed(Failure::Transport(TransportError::Refused)))
    })
    .await;
}

#[tokio::test]
async fn a_removed_peer_is_gone_and_its_connections_are_refused() {
    let mut speakers = pair(15, |_, _| ());
    both_up(&speakers).await;
    speakers[0].0.reconfigure(speaker(loopback(15, 1), PORT, vec![])).await.unwrap();
    let failure = session_down(&mut speakers[1].1).await;
    assert!(failure.to_string().contains("Hard Reset (6/9)"), "{failure}");
    assert!(speakers[0].0.peers().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_short_hold_time_is_kept_alive() {
    let speakers = pair(16, |_, peer| peer.timers.hold_time = Duration::from_secs(3));
    both_up(&speakers).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    for (handle, _) in &speakers {
        assert_eq!(common::only_peer(handle).await.sessions, 1);
    }
}
