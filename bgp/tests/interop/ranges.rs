//! The other daemons as dynamic peers: the range's TCP MD5 key and its TTL security, and words at a shutdown both ways.

use std::{net::Ipv4Addr, time::Duration};

use bgp::{
    config::{AsnRule, Auth, PeerConfig, RangeConfig, SpeakerConfig, TtlPolicy},
    fsm::State,
    net::{SpeakerEvent, SpeakerHandle},
    types::Asn,
};
use tokio::sync::mpsc::Receiver;

use crate::{
    common::{eventually, host, only_peer, speaker, start},
    daemon::Daemon,
    frr::bgpd,
    namespace::{Place, enter},
};

const OURS: u16 = 18979;
const THEIRS: u16 = 18980;
const API: u16 = 18981;
const SOON: Duration = Duration::from_secs(60);
const KEY: &str = "of-the-range";
/// Octets of more than one unit, and more of them than a NOTIFICATION takes.
const FAREWELL: &str = "Zürich schließt um 14:00 ";

/// A speaker that takes one external peer of the range, which signs with the key and is on its own link.
struct Range {
    ours: SpeakerHandle,
    events: Receiver<SpeakerEvent>,
}

impl Range {
    fn open() -> Self {
        let mut template = PeerConfig::new("rack", Ipv4Addr::UNSPECIFIED.into(), Asn(0));
        template.asn_rule = AsnRule::OneOf(vec![Asn(64601)]);
        template.transport.auth = Auth::Md5(KEY.as_bytes().to_vec().into());
        template.transport.ttl = TtlPolicy::Security(1);
        let range = RangeConfig { range: "10.83.0.0/25".parse().unwrap(), limit: 1, template };
        let (ours, events) = start(SpeakerConfig { ranges: vec![range], ..speaker(host(1), OURS, vec![]) });
        Self { ours, events }
    }

    async fn up(&self) {
        let up = || async {
            let peers = self.ours.peers().await.unwrap();
            peers.first().is_some_and(|peer| peer.state == State::Established)
        };
        eventually("the guest is up", SOON, up).await;
        assert_eq!(only_peer(&self.ours).await.name, "rack/10.83.0.2");
    }

    /// Why the next session to end has ended.
    async fn failure(&mut self) -> String {
        loop {
            let event = tokio::time::timeout(SOON, self.events.recv()).await.unwrap();
            if let Some(SpeakerEvent::SessionDown { failure, .. }) = event {
                return failure.to_string();
            }
        }
    }

    async fn shut_down(&self) {
        self.ours.shut_down_peer("rack/10.83.0.2", Some(FAREWELL.repeat(20))).await.unwrap();
    }

    async fn bring_up(&mut self) {
        self.failure().await;
        self.ours.bring_up_peer("rack/10.83.0.2").await.unwrap();
        self.up().await;
    }
}

/// Octets of the farewell that a NOTIFICATION has room for (RFC 9003 section 2), whole characters only.
fn heard() -> String {
    let mut text = FAREWELL.repeat(20);
    text.truncate((0..=255).rev().find(|end| text.is_char_boundary(*end)).unwrap());
    text
}

fn bird(key: &str) -> Option<Daemon> {
    let (own, other) = (host(2), host(1));
    Daemon::bird(&format!(
        "router id {own};
protocol device {{ }}
protocol bgp peer {{
  local {own} port {THEIRS} as 64601;
  neighbor {other} port {OURS} as 64512;
  multihop 1; ttl security on; password \"{key}\";
  strict bind yes; connect delay time 0; connect retry time 1; error wait time 1, 2;
  ipv4 {{ import all; export none; }};
}}
"
    ))
}

#[tokio::test]
async fn bird_comes_through_key_and_ttl_of_a_range_and_texts_go_both_ways() {
    if enter("ranges::bird_comes_through_key_and_ttl_of_a_range_and_texts_go_both_ways") == Place::Outside {
        return;
    }
    let Some(bird) = bird(KEY) else { return };
    let socket = bird.directory.join("ctl").to_str().unwrap().to_owned();
    let birdc = |command: &str| bird.ask("birdc", &["-s", &socket, command]);
    let mut range = Range::open();
    range.up().await;
    range.shut_down().await;
    let said = || async { std::fs::read_to_string(bird.directory.join("log")).unwrap_or_default() };
    eventually("BIRD has all of it that fits", SOON, || async { said().await.contains(&heard()) }).await;
    range.bring_up().await;
    birdc("disable peer \"neue Optik\u{7}\u{2602}\"");
    let failure = range.failure().await;
    assert!(failure.contains("\"neue Optik\\u{7}\u{2602}\""), "{failure}");
}

fn frr() -> Option<Daemon> {
    let (own, other) = (host(2), host(1));
    let configuration = format!(
        "router bgp 64601
 bgp router-id {own}
 no bgp ebgp-requires-policy
 neighbor {other} remote-as 64512
 neighbor {other} port {OURS}
 neighbor {other} update-source {own}
 neighbor {other} timers connect 1
 neighbor {other} password {KEY}
 neighbor {other} ttl-security hops 1
"
    );
    bgpd(own, THEIRS, &configuration)
}

#[tokio::test]
async fn frr_comes_through_key_and_ttl_of_a_range_and_texts_go_both_ways() {
    if enter("ranges::frr_comes_through_key_and_ttl_of_a_range_and_texts_go_both_ways") == Place::Outside {
        return;
    }
    let Some(frr) = frr() else { return };
    let directory = frr.directory.to_str().unwrap().to_owned();
    let vtysh = |commands: &[&str]| {
        let words = commands.iter().flat_map(|command| ["-c", command]);
        frr.ask("vtysh", &["--vty_socket", &directory].into_iter().chain(words).collect::<Vec<_>>())
    };
    let mut range = Range::open();
    range.up().await;
    range.shut_down().await;
    let shown = || async { vtysh(&["show bgp neighbors"]).contains("Cease/Administrative Shutdown") };
    eventually("FRR shows that it was shut down", SOON, shown).await;
    range.bring_up().await;
    vtysh(&["conf t", "router bgp 64601", "neighbor 10.83.0.1 shutdown message neue Optik \u{2602}"]);
    let failure = range.failure().await;
    assert!(failure.contains("\"neue Optik \u{2602}\""), "{failure}");
}

fn gobgp() -> Option<Daemon> {
    let (own, other) = (host(2), host(1));
    let configuration = format!(
        "[global.config]
as = 64601
router-id = \"{own}\"
port = {THEIRS}
local-address-list = [\"{own}\"]
[[neighbors]]
[neighbors.config]
neighbor-address = \"{other}\"
peer-as = 64512
auth-password = \"{KEY}\"
[neighbors.transport.config]
local-address = \"{own}\"
remote-port = {OURS}
[neighbors.ttl-security.config]
enabled = true
ttl-min = 255
[neighbors.timers.config]
connect-retry = 1
idle-hold-time-after-reset = 1
[[neighbors.afi-safis]]
[neighbors.afi-safis.config]
afi-safi-name = \"ipv4-unicast\"
"
    );
    let api = format!("{own}:{API}");
    let arguments = ["-f", "{}/conf", "-t", "toml", "--api-hosts", &api, "--pprof-disable"];
    Daemon::start("gobgpd", &arguments, &configuration)
}

#[tokio::test]
async fn gobgp_comes_through_key_and_ttl_of_a_range_and_its_text_arrives() {
    if enter("ranges::gobgp_comes_through_key_and_ttl_of_a_range_and_its_text_arrives") == Place::Outside {
        return;
    }
    let Some(gobgp) = gobgp() else { return };
    let mut range = Range::open();
    range.up().await;
    let (own, port) = (host(2).to_string(), API.to_string());
    let words =
        ["-u", &own, "-p", &port, "neighbor", "10.83.0.1", "shutdown", "--reason", "neue Optik \u{2602}"];
    gobgp.ask("gobgp", &words);
    let failure = range.failure().await;
    assert!(failure.contains("\"neue Optik \u{2602}\""), "{failure}");
}

#[tokio::test]
async fn bird_with_another_key_stays_outside_the_range() {
    if enter("ranges::bird_with_another_key_stays_outside_the_range") == Place::Outside {
        return;
    }
    let Some(_bird) = bird("another") else { return };
    let range = Range::open();
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(range.ours.peers().await.unwrap().is_empty());
}
