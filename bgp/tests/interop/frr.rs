//! FRR's bgpd, without zebra.

use std::{net::Ipv4Addr, time::Duration};

use bgp::fsm::State;

use crate::{
    common::{eventually, host, only_peer, peer, speaker, start, wait_for},
    daemon::Daemon,
    namespace::{Place, enter},
};

const OURS: u16 = 18379;
const THEIRS: u16 = 18380;
const SOON: Duration = Duration::from_secs(20);

fn frr() -> Option<Daemon> {
    let (own, other) = (host(2), host(1));
    let configuration = format!(
        "router bgp 64512
 bgp router-id {own}
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp graceful-restart
 timers bgp 3 9
 neighbor {other} remote-as 64512
 neighbor {other} port {OURS}
 neighbor {other} update-source {own}
 neighbor {other} timers connect 1
 address-family ipv4 unicast
  network 10.9.0.0/26
 exit-address-family
"
    );
    bgpd(own, THEIRS, &configuration)
}

/// FRR's BGP daemon by itself, without zebra.
pub(crate) fn bgpd(address: Ipv4Addr, port: u16, configuration: &str) -> Option<Daemon> {
    let (port, address) = (port.to_string(), address.to_string());
    let arguments = [
        "-Z",
        "-S",
        "-p",
        &port,
        "-l",
        &address,
        "-f",
        "{}/conf",
        "-i",
        "{}/pid",
        "-A",
        "127.0.0.1",
        "-P",
        "0",
        "--vty_socket",
        "{}",
    ];
    Daemon::start("/usr/lib/frr/bgpd", &arguments, configuration)
}

#[tokio::test]
async fn a_session_comes_up_and_routes_arrive() {
    if enter("frr::a_session_comes_up_and_routes_arrive") == Place::Outside {
        return;
    }
    let Some(_frr) = frr() else { return };
    let (own, other) = (host(1), host(2));
    let (ours, _events) = start(speaker(own, OURS, vec![peer(own, other, THEIRS)]));
    wait_for(&ours, State::Established, SOON).await;
    eventually("FRR's route is here", SOON, || async {
        let prefix = "10.9.0.0/26".parse().unwrap();
        ours.query(move |core, _| core.route(prefix)).await.unwrap().is_some()
    })
    .await;
    assert_eq!(only_peer(&ours).await.messages.malformed, 0);
}
