//! tshark as an independent judge of what is written here: it must find nothing malformed.

use std::{fs, process::Command};

use bgp::{
    types::{Families, PeerType},
    wire::{EncodeContext, attribute::PathAttributes, encode, framer, packer},
};
use bytes::BytesMut;
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};

use crate::values;

/// A capture of one TCP segment for each message, from port 179.
fn pcap(messages: &[Vec<u8>]) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<u8>>();
    let mut file = words(&[0xa1b2_c3d4, 0x0002_0004, 0, 0, 262_144, 101]);
    let mut sequence = 1;
    for message in messages {
        let total = u32::try_from(message.len() + 40).unwrap();
        let ip = words(&[0x4500_0000 | total, 0, 64 << 24 | 6 << 16, 0x0a00_0001, 0x0a00_0002]);
        let tcp = words(&[179 << 16 | 40000, sequence, 1, 0x5018_ffff, 0]);
        file.extend(words(&[0, 0, total, total]));
        file.extend([ip, tcp, message.clone()].concat());
        sequence += total - 40;
    }
    file
}

/// Messages of every kind towards a peer with 2-octet or 4-octet AS numbers.
fn messages(four_octet_asn: bool) -> Vec<Vec<u8>> {
    let mut runner = TestRunner::deterministic();
    let mut out = BytesMut::new();
    let context = |peer_type| EncodeContext {
        peer_type,
        four_octet_asn,
        max_message: 4096,
        add_path: Families::NONE,
        ipv6_next_hops: Families::NONE,
    };
    for round in 0..150 {
        let context = context(if round % 2 == 0 { PeerType::Internal } else { PeerType::External });
        let attributes = judged(draw(&mut runner, values::attributes(values::next_hop_v4())));
        // tshark guesses path identifiers from a field that begins with a zero octet.
        let mut nlri = draw(&mut runner, values::nlri_v4(40));
        nlri.retain(|n| n.prefix.prefix_len() > 0);
        let _ = packer::reach(&attributes, nlri.clone(), &context, &mut out);
        packer::unreach(nlri, &context, &mut out);
        let attributes = judged(draw(&mut runner, values::attributes(values::next_hop_v6())));
        let mut nlri = draw(&mut runner, values::nlri_v6(20));
        nlri.retain(|n| n.prefix.prefix_len() > 0);
        let _ = packer::reach(&attributes, nlri.clone(), &context, &mut out);
        packer::unreach(nlri, &context, &mut out);
    }
    put_others(&mut out);
    let mut all = Vec::new();
    while let Some(message) = framer::next_message(&mut out, 4096).unwrap() {
        all.push(message.to_vec());
    }
    all
}

fn put_others(out: &mut BytesMut) {
    use bgp::{
        types::{Asn, Family, RouterId},
        wire::{
            ErrorKind, Notification, Open, RouteRefresh,
            capability::{Capability, GracefulFamily, GracefulRestart},
        },
    };
    let restart = GracefulRestart {
        restarting: true,
        notification: true,
        restart_time: 120,
        families: vec![GracefulFamily { afi: 1, safi: 1, forwarding: true }],
    };
    let capabilities = vec![
        Capability::multiprotocol(Family::Ipv4Unicast),
        Capability::multiprotocol(Family::Ipv6Unicast),
        Capability::RouteRefresh,
        Capability::ExtendedMessage,
        Capability::GracefulRestart(restart),
        Capability::FourOctetAsn(Asn(200_000)),
        Capability::EnhancedRouteRefresh,
    ];
    Open::new(Asn(200_000), 90, RouterId([10, 0, 0, 1].into()), capabilities).encode(out).unwrap();
    encode::keepalive(out);
    for family in Family::ALL {
        packer::end_of_rib(family, out);
        encode::route_refresh(RouteRefresh::request(family), out);
    }
    let shutdown = Notification::with_communication(ErrorKind::ADMINISTRATIVE_SHUTDOWN, "maintenance");
    encode::notification(&shutdown, out);
    ErrorKind::ALL.iter().for_each(|kind| encode::notification(&Notification::from(*kind), out));
}

/// The attributes without opaque ones that tshark would look into: their content is random.
fn judged(mut attributes: PathAttributes) -> PathAttributes {
    if let Some(rare) = &mut attributes.rare {
        rare.unknown.retain(|unknown| unknown.code == 254);
    }
    attributes
}

fn draw<T>(runner: &mut TestRunner, strategy: impl Strategy<Value = T>) -> T {
    strategy.new_tree(runner).unwrap().current()
}

#[test]
fn tshark_finds_nothing_malformed_in_what_we_write() {
    if Command::new("tshark").arg("--version").output().is_err() {
        println!("SKIPPED: tshark is not installed");
        return;
    }
    for (four_octet_asn, preference) in [(true, "4 octet"), (false, "2 octet")] {
        let messages = messages(four_octet_asn);
        let path =
            std::env::temp_dir().join(format!("siskin-wire-{}-{four_octet_asn}.pcap", std::process::id()));
        fs::write(&path, pcap(&messages)).unwrap();
        let fields = ["-T", "fields", "-e", "bgp.type", "-e", "_ws.expert.message"];
        let tshark = |filter: &str| {
            let output = Command::new("tshark")
                .arg("-r")
                .arg(&path)
                .args(["-o", &format!("bgp.asn_len:{preference}"), "-Y", filter])
                .args(fields)
                .output()
                .unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let decoded = tshark("bgp").lines().count();
        let complaints = tshark("_ws.malformed || _ws.expert.severity >= error");
        fs::remove_file(&path).unwrap();
        assert_eq!((decoded, complaints.as_str()), (messages.len(), ""), "{preference}");
    }
}
