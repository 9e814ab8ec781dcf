//! BIRD 2 as a dynamic peer, as one that is shut down with words, and as one that hears of fewer capabilities.

use std::{net::Ipv4Addr, time::Duration};

use bgp::{
    config::{AsnRule, Auth, PeerConfig, RangeConfig, SpeakerConfig},
    fsm::State,
    types::Asn,
};

use crate::{
    bird::{OURS, bird, lab},
    common::{ASN, eventually, host, only_peer, speaker, start},
    namespace::{Place, enter},
};

const SOON: Duration = Duration::from_secs(15);

#[tokio::test]
async fn bird_is_taken_from_a_range_with_the_ranges_key_and_hears_why_it_is_shut_down() {
    let name = "bird_sessions::bird_is_taken_from_a_range_with_the_ranges_key_and_hears_why_it_is_shut_down";
    if enter(name) == Place::Outside {
        return;
    }
    let Some(bird) = bird("multihop; password \"of the range\";") else { return };
    let mut template = PeerConfig::new("rack", Ipv4Addr::UNSPECIFIED.into(), Asn(0));
    template.asn_rule = AsnRule::OneOf(vec![ASN]);
    template.transport.auth = Auth::Md5(b"of the range".to_vec().into());
    let range = RangeConfig { range: "10.83.0.0/25".parse().unwrap(), limit: 1, template };
    let config = SpeakerConfig { ranges: vec![range], ..speaker(host(1), OURS, vec![]) };
    let (ours, _events) = start(config);
    let up =
        || async { ours.peers().await.unwrap().first().is_some_and(|peer| peer.state == State::Established) };
    eventually("BIRD is up", SOON, up).await;
    let peer = only_peer(&ours).await;
    assert_eq!((peer.name.as_str(), peer.asn), ("rack/10.83.0.2", ASN));

    ours.shut_down_peer("rack/10.83.0.2", Some("new cables".to_owned())).await.unwrap();
    let socket = bird.directory.join("ctl");
    let show = || bird.ask("birdc", &["-s", socket.to_str().unwrap(), "show protocols all peer"]);
    eventually("BIRD shows what it was told", SOON, || async { show().contains("new cables") }).await;
}

#[tokio::test]
async fn without_the_four_octet_capability_bird_speaks_two_octets() {
    if enter("bird_sessions::without_the_four_octet_capability_bird_speaks_two_octets") == Place::Outside {
        return;
    }
    let withhold = |peer: &mut PeerConfig| {
        peer.capabilities.withhold =
            ["four-octet-as", "route-refresh"].iter().map(|name| name.parse().unwrap()).collect();
    };
    let Some(lab) = lab("multihop; passive;", withhold) else { return };
    lab.up().await;
    let session = only_peer(&lab.ours).await.session.unwrap();
    assert!(!session.negotiated.four_octet_asn);
}
