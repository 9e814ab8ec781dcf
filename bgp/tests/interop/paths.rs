//! Capabilities that carry routes: ADD-PATH both ways, delimited refresh, long-lived stale routes, with each daemon that
//! has them.

use std::{collections::BTreeSet, net::Ipv4Addr, process::Command, time::Duration};

use bgp::{
    config::{AddPath, AddPathDirections, CapabilityConfig, PeerConfig, Reflection},
    core::Freshness,
    event::Negotiated,
    fsm::State,
    net::{Clear, SpeakerHandle},
};

use crate::{
    common::{eventually, host, peer, speaker, start},
    daemon::Daemon,
    frr,
    namespace::{Place, enter},
};

const OURS: u16 = 18679;
const THEIRS: u16 = 18680;
const SOON: Duration = Duration::from_secs(20);
/// Announced by two of our clients.
const SHARED: &str = "172.16.9.0/26";

/// A reflector of ours between two clients that announce the same and the other daemon.
struct Lab {
    reflector: SpeakerHandle,
    clients: Vec<SpeakerHandle>,
}

fn client(address: Ipv4Addr, port: u16, name: &str) -> PeerConfig {
    let base = peer(host(1), address, port);
    PeerConfig { name: name.to_owned(), reflection: Reflection::Client, ..base }
}

async fn lab() -> Lab {
    for last in [3, 4] {
        let address = format!("{}/24", host(last));
        assert!(Command::new("ip").args(["addr", "add", &address, "dev", "lo"]).status().unwrap().success());
    }
    let add_path = AddPath { directions: AddPathDirections::Both, ..AddPath::default() };
    let long_lived_stale_time = Duration::from_secs(60);
    let mut other = client(host(2), THEIRS, "other");
    other.capabilities = CapabilityConfig { add_path, long_lived_stale_time, ..CapabilityConfig::default() };
    let feeders = [3, 4].map(|last| client(host(last), OURS, &last.to_string()));
    let peers = [other].into_iter().chain(feeders).collect();
    let (reflector, _events) = start(speaker(host(1), OURS, peers));
    let mut clients = Vec::new();
    for last in [3, 4] {
        let (handle, _events) = start(speaker(host(last), OURS, vec![peer(host(last), host(1), OURS)]));
        handle.originate([SHARED.parse().unwrap()].into()).await.unwrap();
        clients.push(handle);
    }
    Lab { reflector, clients }
}

impl Lab {
    async fn negotiated(&self) -> Negotiated {
        eventually("the session is up", SOON, || async {
            self.reflector
                .peers()
                .await
                .unwrap()
                .iter()
                .any(|p| p.name == "other" && p.state == State::Established)
        })
        .await;
        let peers = self.reflector.peers().await.unwrap();
        let other = peers.into_iter().find(|p| p.name == "other").unwrap();
        other.session.unwrap().negotiated
    }

    /// Paths of the other daemon's prefix: their identifiers and how fresh they are.
    async fn paths(&self) -> Vec<(u32, Freshness)> {
        let prefix = "10.9.0.0/26".parse().unwrap();
        let route = self.reflector.query(move |core, _| core.route(prefix)).await.unwrap();
        route.map_or_else(Vec::new, |r| r.paths.iter().map(|p| (p.path_id, p.freshness)).collect())
    }

    async fn has_two_paths(&self) {
        eventually("two paths are here", SOON, || async {
            let ids: BTreeSet<_> = self.paths().await.into_iter().map(|(id, _)| id).collect();
            ids.len() == 2
        })
        .await;
    }

    /// One client takes its route away, and the other daemon is left with the other's.
    async fn withdraw_one(&self, known: impl Fn(&str) -> bool) {
        let [third, fourth] = [3, 4].map(|last| host(last).to_string());
        eventually("both paths are there", SOON, || async { known(&third) && known(&fourth) }).await;
        self.clients[0].originate(BTreeSet::new()).await.unwrap();
        eventually("one path is left", SOON, || async { !known(&third) && known(&fourth) }).await;
    }
}

fn bird() -> Option<Daemon> {
    let (own, other) = (host(2), host(1));
    let configuration = format!(
        "router id {own};
protocol device {{ }}
protocol static one {{ ipv4 {{ preference 200; }}; route 10.9.0.0/26 blackhole; }}
protocol static two {{ ipv4 {{ preference 210; }}; route 10.9.0.0/26 blackhole; }}
protocol bgp peer {{
  local {own} port {THEIRS} as 64512;
  neighbor {other} port {OURS} as 64512;
  multihop; strict bind yes; connect delay time 0; connect retry time 1;
  graceful restart on; graceful restart time 2;
  long lived graceful restart on; long lived stale time 100;
  ipv4 {{ add paths on; import all; export where source = RTS_STATIC; next hop self; }};
}}
"
    );
    Daemon::bird(&configuration)
}

#[tokio::test]
async fn bird_exchanges_paths_refreshes_and_leaves_long_lived_routes() {
    if enter("paths::bird_exchanges_paths_refreshes_and_leaves_long_lived_routes") == Place::Outside {
        return;
    }
    let Some(mut bird) = bird() else { return };
    let lab = lab().await;
    let extensions = lab.negotiated().await.extensions;
    assert!(extensions.enhanced_refresh && extensions.long_lived.is_some());
    lab.has_two_paths().await;

    lab.reflector.clear("other", Clear::Inbound).await.unwrap();
    eventually("both marks have come", SOON, || async {
        let peers = lab.reflector.peers().await.unwrap();
        peers.iter().any(|p| p.name == "other" && p.messages.received.route_refresh >= 2)
    })
    .await;
    eventually("every path is confirmed", SOON, || async {
        lab.paths().await.iter().filter(|(_, f)| *f == Freshness::Fresh).count() == 2
    })
    .await;

    let socket = bird.directory.join("ctl").to_str().unwrap().to_owned();
    let ask = |bird: &Daemon, command: &str| bird.ask("birdc", &["-s", &socket, command]);
    ask(&bird, "reload in peer");
    lab.withdraw_one(|hop| {
        ask(&bird, &format!("show route {SHARED} all")).contains(&format!("next_hop: {hop}"))
    })
    .await;

    bird.kill();
    eventually("the routes are a last resort", SOON, || async {
        let paths = lab.paths().await;
        paths.len() == 2 && paths.iter().all(|(_, f)| *f == Freshness::LongLivedStale)
    })
    .await;
}

#[tokio::test]
async fn frr_takes_every_path() {
    if enter("paths::frr_takes_every_path") == Place::Outside {
        return;
    }
    let (own, other) = (host(2), host(1));
    let configuration = format!(
        "router bgp 64512
 bgp router-id {own}
 no bgp network import-check
 bgp graceful-restart
 neighbor {other} remote-as 64512
 neighbor {other} port {OURS}
 neighbor {other} update-source {own}
 neighbor {other} timers connect 1
 address-family ipv4 unicast
  network 10.9.0.0/26
  neighbor {other} addpath-tx-all-paths
 exit-address-family
"
    );
    let Some(frr) = frr::bgpd(own, THEIRS, &configuration) else { return };
    let lab = lab().await;
    let extensions = lab.negotiated().await.extensions;
    assert!(extensions.enhanced_refresh && !extensions.paths_received.is_empty());
    eventually("FRR's path is here, with its identifier", SOON, || async {
        matches!(lab.paths().await[..], [(id, _)] if id != 0)
    })
    .await;
    let directory = frr.directory.to_str().unwrap();
    let show = format!("show bgp ipv4 unicast {SHARED}");
    lab.withdraw_one(|hop| {
        let paths = frr.ask("vtysh", &["--vty_socket", directory, "-c", &show]);
        paths.contains(&format!("{hop} (inaccessible")) || paths.contains(&format!("    {hop} "))
    })
    .await;
}

#[tokio::test]
async fn gobgp_exchanges_paths() {
    const API: &str = "10.83.0.2:18681";
    if enter("paths::gobgp_exchanges_paths") == Place::Outside {
        return;
    }
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
[[neighbors.afi-safis]]
[neighbors.afi-safis.config]
afi-safi-name = \"ipv4-unicast\"
[neighbors.afi-safis.add-paths.config]
receive = true
send-max = 8
"
    );
    let arguments = ["-f", "{}/conf", "-t", "toml", "--api-hosts", API, "--pprof-disable"];
    let Some(gobgp) = Daemon::start("gobgpd", &arguments, &configuration) else { return };
    let lab = lab().await;
    let extensions = lab.negotiated().await.extensions;
    assert!(!extensions.paths_received.is_empty() && !extensions.families_sent_with_paths().is_empty());
    let (address, port) = API.split_once(':').unwrap();
    let ask = |words: &str| {
        let all: Vec<&str> = ["-u", address, "-p", port].into_iter().chain(words.split(' ')).collect();
        gobgp.ask("gobgp", &all)
    };
    for id in ["10", "20"] {
        ask(&format!("global rib add 10.9.0.0/26 identifier {id} nexthop {own}"));
    }
    lab.has_two_paths().await;
    lab.withdraw_one(|hop| ask(&format!("global rib {SHARED}")).contains(hop)).await;
}
