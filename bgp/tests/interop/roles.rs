//! BGP roles (RFC 9234) with BIRD 2.

use std::time::Duration;

use bgp::{
    config::PeerConfig,
    fsm::State,
    net::SpeakerHandle,
    types::{Asn, Family},
    wire::role::Role,
};

use crate::{
    common::{eventually, host, only_peer, peer, speaker, start, wait_for},
    daemon::Daemon,
    namespace::{Place, enter},
};

const OURS: u16 = 18579;
const THEIRS: u16 = 18580;
const SOON: Duration = Duration::from_secs(15);
const BIRDS: Asn = Asn(64999);

/// A BIRD in AS 64999 that announces 10.9.0.0/26 to us with this role.
fn bird(role: &str) -> Option<Daemon> {
    let (own, other) = (host(2), host(1));
    let configuration = format!(
        "router id {own};
protocol device {{ }}
protocol static {{ ipv4; route 10.9.0.0/26 blackhole; }}
protocol bgp peer {{
  local {own} port {THEIRS} as {BIRDS};
  neighbor {other} port {OURS} as 64512;
  multihop;
  local role {role};
  strict bind yes;
  connect delay time 0;
  connect retry time 1;
  error wait time 1, 2;
  ipv4 {{ import all; export where source = RTS_STATIC; }};
}}
"
    );
    Daemon::bird(&configuration)
}

fn ours(role: Role) -> SpeakerHandle {
    let mut config = PeerConfig { asn: BIRDS, ..peer(host(1), host(2), THEIRS) };
    config.switches.role = Some(role);
    start(speaker(host(1), OURS, vec![config])).0
}

#[tokio::test]
async fn a_provider_and_its_customer_agree_and_mark_what_goes_down() {
    if enter("roles::a_provider_and_its_customer_agree_and_mark_what_goes_down") == Place::Outside {
        return;
    }
    let Some(bird) = bird("provider") else { return };
    let ours = ours(Role::Customer);
    ours.originate(["172.16.0.0/26".parse().unwrap()].into()).await.unwrap();
    wait_for(&ours, State::Established, SOON).await;
    eventually("the provider's route is marked by it", SOON, || async {
        let page = ours.loc_rib(Family::Ipv4Unicast, None, 10).await.unwrap();
        let learned = page.items.iter().flat_map(|r| &r.paths).find(|p| p.peer.is_some()).cloned();
        learned.is_some_and(|p| p.received.rare.as_ref().and_then(|r| r.otc) == Some(BIRDS))
    })
    .await;
    let socket = bird.directory.join("ctl");
    eventually("our route is there, unmarked", SOON, || async {
        let command = ["-s", socket.to_str().unwrap(), "show route 172.16.0.0/26 all"];
        let shown = bird.ask("birdc", &command);
        shown.contains("172.16.0.0/26") && !shown.contains("otc")
    })
    .await;
}

#[tokio::test]
async fn roles_that_do_not_fit_are_refused() {
    if enter("roles::roles_that_do_not_fit_are_refused") == Place::Outside {
        return;
    }
    let Some(_bird) = bird("provider") else { return };
    let ours = ours(Role::Provider);
    eventually("the mismatch is told", SOON, || async {
        let down = only_peer(&ours).await.last_failure.map(|failure| failure.to_string());
        down.is_some_and(|text| text.contains("(2/11)"))
    })
    .await;
}
