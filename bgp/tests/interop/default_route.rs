//! A default route of ours for whom it is promised to, with BIRD and FRR at the other end.

use std::{net::Ipv4Addr, process::Command, time::Duration};

use bgp::{
    config::{DefaultRoute, PeerConfig, SpeakerConfig},
    net::SpeakerHandle,
    types::{Asn, Families, Family},
};

use crate::{
    common::{eventually, host, peer, speaker, start},
    daemon::Daemon,
    frr::bgpd,
    namespace::{Place, enter},
};

const OURS: u16 = 18779;
const THEIRS: u16 = 18780;
const SOON: Duration = Duration::from_secs(60);
/// What we originate for everybody.
const SHARED: &str = "172.16.9.0/26";

fn bird() -> Option<Daemon> {
    let (own, other) = (host(2), host(1));
    let configuration = format!(
        "router id {own};
protocol device {{ }}
protocol bgp peer {{
  local {own} port {THEIRS} as 64601;
  neighbor {other} port {OURS} as 64512;
  multihop; strict bind yes; connect delay time 0; connect retry time 1; error wait time 1, 2;
  ipv4 {{ import all; export none; }};
  ipv6 {{ import all; export none; }};
}}
"
    );
    Daemon::bird(&configuration)
}

/// FRR, which takes routes of external peers without a policy.
fn frr() -> Option<Daemon> {
    let (own, other) = (host(3), host(1));
    let configuration = format!(
        "router bgp 64602
 bgp router-id {own}
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor {other} remote-as 64512
 neighbor {other} port {OURS}
 neighbor {other} update-source {own}
 neighbor {other} ebgp-multihop 2
 neighbor {other} timers connect 1
"
    );
    bgpd(own, THEIRS, &configuration)
}

fn external(name: &str, address: Ipv4Addr, asn: u32) -> PeerConfig {
    let base = peer(host(1), address, THEIRS);
    PeerConfig { name: name.to_owned(), asn: Asn(asn), ..base }
}

/// BIRD takes both families, FRR IPv4; `promised` names those that are promised a default route.
fn config(promised: &[&str]) -> SpeakerConfig {
    let mut peers = vec![external("bird", host(2), 64601), external("frr", host(3), 64602)];
    peers[0].families = Families::from_iter(Family::ALL);
    for peer in peers.iter_mut().filter(|peer| promised.contains(&peer.name.as_str())) {
        peer.switches.default_route = DefaultRoute::Originated;
    }
    SpeakerConfig { addresses: vec!["2001:db8::1".parse().unwrap()], ..speaker(host(1), OURS, peers) }
}

struct Lab {
    ours: SpeakerHandle,
    bird: Daemon,
    frr: Daemon,
}

impl Lab {
    fn bird_says(&self, question: &str) -> String {
        let socket = self.bird.directory.join("ctl");
        self.bird.ask("birdc", &["-s", socket.to_str().unwrap(), question])
    }

    fn frr_says(&self, question: &str) -> String {
        let directory = self.frr.directory.to_str().unwrap();
        self.frr.ask("vtysh", &["--vty_socket", directory, "-c", question])
    }

    fn bird_has_both(&self) -> bool {
        let (v4, v6) = (
            self.bird_says("show route 0.0.0.0/0 all protocol peer"),
            self.bird_says("show route ::/0 all protocol peer"),
        );
        v4.contains("BGP.next_hop: 10.83.0.1")
            && v4.contains("BGP.as_path: 64512\n")
            && v6.contains("BGP.next_hop: 2001:db8::1")
    }

    fn frr_has_it(&self) -> bool {
        let said = self.frr_says("show bgp ipv4 unicast 0.0.0.0/0");
        said.contains("10.83.0.1") && said.contains("64512")
    }

    async fn sessions(&self) -> Vec<u64> {
        self.ours.peers().await.unwrap().iter().map(|peer| peer.sessions).collect()
    }
}

#[tokio::test]
async fn bird_and_frr_are_sent_a_default_route_of_ours_and_another_peer_is_not() {
    if enter("default_route::bird_and_frr_are_sent_a_default_route_of_ours_and_another_peer_is_not")
        == Place::Outside
    {
        return;
    }
    let address = format!("{}/24", host(3));
    assert!(Command::new("ip").args(["addr", "add", &address, "dev", "lo"]).status().unwrap().success());
    let (Some(bird), Some(frr)) = (bird(), frr()) else { return };
    let (ours, _events) = start(config(&["bird"]));
    ours.originate([SHARED.parse().unwrap()].into()).await.unwrap();
    let lab = Lab { ours, bird, frr };
    eventually("BIRD has a default route of both families", SOON, || async { lab.bird_has_both() }).await;
    eventually("FRR has what everybody has", SOON, || async {
        lab.frr_says(&format!("show bgp ipv4 unicast {SHARED}")).contains("10.83.0.1")
    })
    .await;
    assert!(!lab.frr_has_it(), "FRR was promised none");

    lab.ours.reconfigure(config(&["frr"])).await.unwrap();
    eventually("FRR has one now", SOON, || async { lab.frr_has_it() }).await;
    eventually("BIRD has none any more", SOON, || async {
        let said = lab.bird_says("show route 0.0.0.0/0 protocol peer")
            + &lab.bird_says("show route ::/0 protocol peer");
        !said.contains("0.0.0.0/0") && !said.contains("::/0")
    })
    .await;
    assert!(lab.bird_says(&format!("show route {SHARED}")).contains(SHARED), "the rest stayed");
    assert_eq!(lab.sessions().await, [1, 1], "no session was touched");
}
