//! Long-lived stale routes towards a BIRD that does not know what they are (RFC 9494 section 4.6).

use std::{process::Command, time::Duration};

use bgp::{
    config::{CapabilityConfig, LongLivedRoutes, PeerConfig, Reflection, SpeakerConfig},
    core::Freshness,
    net::{ShutdownMode, SpeakerHandle},
};

use crate::{
    common::{eventually, host, peer, speaker, start},
    daemon::Daemon,
    namespace::{Place, enter},
};

const OURS: u16 = 18879;
const THEIRS: u16 = 18880;
const SOON: Duration = Duration::from_secs(60);
const PREFIX: &str = "172.16.9.0/26";

fn bird() -> Option<Daemon> {
    let (own, other) = (host(2), host(1));
    let configuration = format!(
        "router id {own};
protocol device {{ }}
protocol bgp peer {{
  local {own} port {THEIRS} as 64512;
  neighbor {other} port {OURS} as 64512;
  multihop; strict bind yes; connect delay time 0; connect retry time 1; error wait time 1, 2;
  graceful restart aware;
  long lived graceful restart off;
  ipv4 {{ import all; export none; }};
}}
"
    );
    Daemon::bird(&configuration)
}

fn long_lived(peer: PeerConfig) -> PeerConfig {
    let long_lived_stale_time = Duration::from_secs(3600);
    let capabilities = CapabilityConfig { long_lived_stale_time, ..CapabilityConfig::default() };
    PeerConfig { capabilities, reflection: Reflection::Client, ..peer }
}

/// BIRD, and one who announces the prefix and leaves.
fn config(towards_bird: LongLivedRoutes) -> SpeakerConfig {
    let mut bird = PeerConfig { name: "bird".to_owned(), ..peer(host(1), host(2), THEIRS) };
    bird.switches.long_lived = towards_bird;
    let leaver = PeerConfig { name: "leaver".to_owned(), ..peer(host(1), host(3), OURS) };
    speaker(host(1), OURS, vec![bird, long_lived(leaver)])
}

async fn freshness(speaker: &SpeakerHandle) -> Option<Freshness> {
    let prefix = PREFIX.parse().unwrap();
    let route = speaker.query(move |core, _| core.route(prefix)).await.unwrap()?;
    route.paths.first().map(|path| path.freshness)
}

#[tokio::test]
async fn bird_without_the_capability_gets_stale_routes_last_and_confined_where_we_are_told_to() {
    if enter(
        "long_lived::bird_without_the_capability_gets_stale_routes_last_and_confined_where_we_are_told_to",
    ) == Place::Outside
    {
        return;
    }
    let address = format!("{}/24", host(3));
    assert!(Command::new("ip").args(["addr", "add", &address, "dev", "lo"]).status().unwrap().success());
    let Some(bird) = bird() else { return };
    let socket = bird.directory.join("ctl").to_str().unwrap().to_owned();
    let bird_knows = || bird.ask("birdc", &["-s", &socket, &format!("show route {PREFIX} all")]);
    let (ours, _events) = start(config(LongLivedRoutes::ToAware));
    let leaver = SpeakerConfig {
        graceful_restart_time: Duration::from_secs(2),
        ..speaker(host(3), OURS, vec![long_lived(peer(host(3), host(1), OURS))])
    };
    let (leaver, _their_events) = start(leaver);
    leaver.originate([PREFIX.parse().unwrap()].into()).await.unwrap();
    eventually("BIRD has the route", SOON, || async { bird_knows().contains("local_pref: 100") }).await;

    leaver.shut_down(ShutdownMode::Keep).await.unwrap();
    eventually("it is a last resort here", SOON, || async {
        freshness(&ours).await == Some(Freshness::LongLivedStale)
    })
    .await;
    eventually("BIRD is not to know it", SOON, || async { !bird_knows().contains(PREFIX) }).await;

    ours.reconfigure(config(LongLivedRoutes::ToAll)).await.unwrap();
    eventually("BIRD has it, as the last choice that stays in the AS", SOON, || async {
        let known = bird_knows();
        known.contains("local_pref: 0\n") && known.contains("(65535,65281)") && known.contains("(65535,6)")
    })
    .await;
    assert!(ours.peers().await.unwrap().iter().any(|peer| peer.name == "bird" && peer.sessions == 1));
}
