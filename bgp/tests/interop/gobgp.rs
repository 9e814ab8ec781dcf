//! GoBGP.

use std::time::Duration;

use bgp::fsm::State;

use crate::{
    common::{eventually, host, only_peer, peer, speaker, start, wait_for},
    daemon::Daemon,
    namespace::{Place, enter},
};

const OURS: u16 = 18479;
const THEIRS: u16 = 18480;
const API: &str = "10.83.0.2:18481";
const SOON: Duration = Duration::from_secs(20);

fn gobgp() -> Option<Daemon> {
    let (own, other) = (host(2), host(1));
    let configuration = format!(
        "[global.config]
as = 64512
router-id = \"{own}\"
port = {THEIRS}
local-address-list = [\"{own}\"]
[[neighbors]]
[neighbors.config]
neighbor-address = \"{other}\"
peer-as = 64512
[neighbors.transport.config]
local-address = \"{own}\"
passive-mode = true
[neighbors.timers.config]
hold-time = 9
keepalive-interval = 3
[neighbors.graceful-restart.config]
enabled = true
restart-time = 30
notification-enabled = true
[[neighbors.afi-safis]]
[neighbors.afi-safis.config]
afi-safi-name = \"ipv4-unicast\"
[neighbors.afi-safis.mp-graceful-restart.config]
enabled = true
"
    );
    Daemon::start(
        "gobgpd",
        &["-f", "{}/conf", "-t", "toml", "--api-hosts", API, "--pprof-disable"],
        &configuration,
    )
}

#[tokio::test]
async fn a_session_comes_up_and_routes_arrive() {
    if enter("gobgp::a_session_comes_up_and_routes_arrive") == Place::Outside {
        return;
    }
    let Some(gobgp) = gobgp() else { return };
    let (own, other) = (host(1), host(2));
    let (ours, _events) = start(speaker(own, OURS, vec![peer(own, other, THEIRS)]));
    wait_for(&ours, State::Established, SOON).await;
    let (host, port) = API.split_once(':').unwrap();
    gobgp.ask("gobgp", &["-u", host, "-p", port, "global", "rib", "add", "10.9.0.0/26"]);
    eventually("GoBGP's route is here", SOON, || async {
        let prefix = "10.9.0.0/26".parse().unwrap();
        ours.query(move |core, _| core.route(prefix)).await.unwrap().is_some()
    })
    .await;
    assert_eq!(only_peer(&ours).await.messages.malformed, 0);
}
