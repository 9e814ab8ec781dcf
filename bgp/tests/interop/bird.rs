//! BIRD 2.

use std::{net::IpAddr, time::Duration};

use bgp::{
    config::{Auth, ConnectMode, PeerConfig, TtlPolicy},
    fsm::State,
    net::{Clear, ShutdownMode, SpeakerEvent, SpeakerHandle},
    types::Family,
};
use tokio::sync::mpsc::Receiver;

use crate::{
    common::{eventually, host, only_peer, peer, speaker, start, wait_for},
    daemon::Daemon,
    namespace::{Place, enter},
};

pub(crate) const OURS: u16 = 18279;
const THEIRS: u16 = 18280;
const SOON: Duration = Duration::from_secs(15);

/// A speaker of ours and a BIRD that announces 10.9.0.0/26, in the same AS.
pub(crate) struct Lab {
    pub(crate) ours: SpeakerHandle,
    events: Receiver<SpeakerEvent>,
    bird: Daemon,
}

pub(crate) fn bird(options: &str) -> Option<Daemon> {
    let (own, other) = (host(2), host(1));
    let configuration = format!(
        "router id {own};
protocol device {{ }}
protocol direct {{ ipv4; }}
protocol static {{ ipv4; route 10.9.0.0/26 blackhole; }}
protocol bgp peer {{
  local {own} port {THEIRS} as 64512;
  neighbor {other} port {OURS} as 64512;
  strict bind yes;
  connect delay time 0;
  connect retry time 1;
  error wait time 1, 2;
  hold time 3;
  graceful restart on;
  ipv4 {{ import all; export where source = RTS_STATIC; next hop self; }};
  {options}
}}
"
    );
    Daemon::bird(&configuration)
}

pub(crate) fn lab(options: &str, change: impl FnOnce(&mut PeerConfig)) -> Option<Lab> {
    let bird = bird(options)?;
    let (own, other) = (host(1), host(2));
    let mut config = peer(own, other, THEIRS);
    config.timers.hold_time = Duration::from_secs(3);
    change(&mut config);
    let (ours, events) = start(speaker(own, OURS, vec![config]));
    Some(Lab { ours, events, bird })
}

impl Lab {
    fn birdc(&self, command: &str) -> String {
        let socket = self.bird.directory.join("ctl");
        self.bird.ask("birdc", &["-s", socket.to_str().unwrap(), command])
    }

    pub(crate) async fn up(&self) {
        wait_for(&self.ours, State::Established, SOON).await;
        eventually("BIRD says Established", SOON, || async { self.protocol().contains("Established") }).await;
    }

    fn protocol(&self) -> String {
        self.birdc("show protocols all peer")
    }

    /// What BIRD has written down so far; its last error is soon followed by others.
    fn log(&self) -> String {
        std::fs::read_to_string(self.bird.directory.join("log")).unwrap_or_default()
    }

    async fn failure(&mut self) -> String {
        loop {
            if let SpeakerEvent::SessionDown { failure, .. } = self.events.recv().await.unwrap() {
                return failure.to_string();
            }
        }
    }
}

#[tokio::test]
async fn bird_waits_and_we_connect() {
    if enter("bird::bird_waits_and_we_connect") == Place::Outside {
        return;
    }
    let Some(lab) = lab("multihop; passive;", |_| ()) else { return };
    lab.up().await;
}

#[tokio::test]
async fn we_wait_and_bird_connects() {
    if enter("bird::we_wait_and_bird_connects") == Place::Outside {
        return;
    }
    let Some(lab) = lab("multihop;", |peer| peer.transport.mode = ConnectMode::Passive) else { return };
    lab.up().await;
}

#[tokio::test]
async fn both_connect_with_a_key_and_stay_up_beyond_the_hold_time() {
    if enter("bird::both_connect_with_a_key_and_stay_up_beyond_the_hold_time") == Place::Outside {
        return;
    }
    let key = Auth::Md5(b"between us".to_vec().into());
    let Some(lab) = lab("multihop; password \"between us\";", |peer| peer.transport.auth = key) else {
        return;
    };
    lab.up().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(only_peer(&lab.ours).await.sessions, 1);
}

#[tokio::test]
async fn ttl_security_is_understood_alike() {
    if enter("bird::ttl_security_is_understood_alike") == Place::Outside {
        return;
    }
    let security = |peer: &mut PeerConfig| peer.transport.ttl = TtlPolicy::Security(1);
    let Some(lab) = lab("multihop 1; ttl security yes;", security) else { return };
    lab.up().await;
}

#[tokio::test]
async fn notifications_are_read_on_both_sides() {
    if enter("bird::notifications_are_read_on_both_sides") == Place::Outside {
        return;
    }
    let Some(mut lab) = lab("multihop;", |_| ()) else { return };
    lab.up().await;
    lab.ours.clear("peer", Clear::Session).await.unwrap();
    assert!(lab.failure().await.contains("reset by the operator"));
    eventually("BIRD tells our reset", SOON, || async { lab.log().contains("Administrative reset") }).await;
    lab.up().await;

    lab.birdc("disable peer");
    let failure = lab.failure().await;
    assert!(failure.contains("(6/2)") || failure.contains("(6/3)"), "{failure}");
    lab.birdc("enable peer");
    lab.up().await;

    lab.ours.shut_down(ShutdownMode::Drain).await.unwrap();
    eventually("BIRD tells our goodbye", SOON, || async {
        lab.log().contains("Received: Administrative shutdown")
    })
    .await;
}

#[tokio::test]
async fn birds_refusal_of_our_as_number_is_told() {
    if enter("bird::birds_refusal_of_our_as_number_is_told") == Place::Outside {
        return;
    }
    let Some(lab) = lab("multihop;", |_| ()) else { return };
    lab.up().await;
    drop(lab);
    let Some(bird) = bird("multihop; passive;") else { return };
    let (own, other) = (host(1), host(2));
    let mut config = speaker(own, OURS, vec![peer(own, other, THEIRS)]);
    config.asn = bgp::types::Asn(64999);
    let (ours, _events) = start(config);
    eventually("the rejection is told", SOON, || async {
        let down = only_peer(&ours).await.down.map(|down| down.to_string()).unwrap_or_default();
        down.starts_with("OPEN rejected by the peer: OPEN Message Error / Bad Peer AS (2/2)")
    })
    .await;
    drop(bird);
}

#[tokio::test]
async fn a_killed_bird_comes_back_without_anybodys_timer() {
    if enter("bird::a_killed_bird_comes_back_without_anybodys_timer") == Place::Outside {
        return;
    }
    let Some(mut lab) = lab("multihop;", |_| ()) else { return };
    lab.up().await;
    lab.bird.kill();
    lab.failure().await;
    lab.bird = bird("multihop;").unwrap();
    lab.up().await;
}

#[tokio::test]
async fn routes_pass_both_ways() {
    if enter("bird::routes_pass_both_ways") == Place::Outside {
        return;
    }
    let Some(lab) = lab("multihop;", |_| ()) else { return };
    lab.ours.originate(["172.16.0.0/26".parse().unwrap()].into()).await.unwrap();
    lab.up().await;
    eventually("BIRD's route is here", SOON, || async {
        let prefix = "10.9.0.0/26".parse().unwrap();
        let route = lab.ours.query(move |core, _| core.route(prefix)).await.unwrap();
        route
            .is_some_and(|r| r.paths.iter().any(|p| p.attributes.next_hop.address() == IpAddr::from(host(2))))
    })
    .await;
    eventually("our route is there", SOON, || async {
        let table = lab.birdc("show route 172.16.0.0/26 all");
        table.contains("BGP.next_hop: 10.83.0.1") && table.contains("BGP.local_pref: 100")
    })
    .await;
    let page = lab.ours.loc_rib(Family::Ipv4Unicast, None, 10).await.unwrap();
    assert_eq!(page.items.len(), 2);
}

#[tokio::test]
async fn bird_keeps_our_routes_while_we_restart() {
    if enter("bird::bird_keeps_our_routes_while_we_restart") == Place::Outside {
        return;
    }
    let Some(mut lab) = lab("multihop;", |_| ()) else { return };
    let prefix = "172.16.0.0/26";
    lab.ours.originate([prefix.parse().unwrap()].into()).await.unwrap();
    lab.up().await;
    let known = |lab: &Lab| lab.birdc(&format!("show route {prefix}")).contains(prefix);
    eventually("our route is there", SOON, || async { known(&lab) }).await;

    lab.ours.shut_down(ShutdownMode::Keep).await.unwrap();
    eventually("BIRD has noticed", SOON, || async { !lab.protocol().contains("Established") }).await;
    assert!(known(&lab), "the route went with the session");

    let mut config = peer(host(1), host(2), THEIRS);
    config.timers.hold_time = Duration::from_secs(3);
    (lab.ours, lab.events) = start(speaker(host(1), OURS, vec![config]));
    lab.ours.originate([prefix.parse().unwrap()].into()).await.unwrap();
    lab.up().await;
    for _ in 0..20 {
        assert!(known(&lab), "the route went although it was announced again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    lab.ours.shut_down(ShutdownMode::Drain).await.unwrap();
    eventually("our route is gone", SOON, || async { !known(&lab) }).await;
}
