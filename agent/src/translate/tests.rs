use std::{collections::BTreeMap, time::Duration};

use ::bgp::{
    config::{Auth, Blackhole, TtlPolicy},
    policy::{Neighbor, RejectReason, RouteContext, RouteSource, SessionContext, Verdict},
    types::{Asn, Family, PeerType},
    wire::attribute::{AsPath, NextHop, Origin, PathAttributes},
};

use fib::config::DiscardRule;

use super::*;
use crate::config::{Flags, Host, ImportRule, Inputs, Pool, Step, load};

/// A host that has nothing.
struct NoHost;

impl Host for NoHost {
    fn name(&self) -> std::io::Result<String> {
        Ok("master01".into())
    }

    fn interfaces(&self) -> std::io::Result<Vec<crate::autodetect::Interface>> {
        Ok(Vec::new())
    }

    fn source_towards(&self, _: &str, _: ::bgp::types::Family) -> std::io::Result<std::net::IpAddr> {
        Err(std::io::ErrorKind::NetworkUnreachable.into())
    }

    fn read_small(&self, _: &std::path::Path) -> std::io::Result<Vec<u8>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

fn intent(address: &str, mesh: &[&str], pool: &str, set: &[&str]) -> Intent {
    let flags = Flags {
        node_address: Some(format!("{address}/24")),
        mesh: mesh.iter().map(ToString::to_string).collect(),
        pool: vec![pool.to_owned()],
        block: vec!["172.16.241.64/26".to_owned()],
        peer: vec!["192.168.92.1,64600,import=pools,export=pools,name=tor".to_owned()],
        set: set.iter().map(ToString::to_string).collect(),
        ..Flags::default()
    };
    load(&Inputs { flags, environment: BTreeMap::new(), ..Inputs::default() }, &NoHost).unwrap().intent
}

fn scenario(pool: &str) -> SpeakerConfig {
    speaker(&intent("192.168.92.128", &["192.168.92.129"], pool, &[]))
}

/// Where a route comes from.
#[derive(Clone, Copy, PartialEq)]
enum Source {
    Local,
    Learned,
}

/// What the policy of a peer says of a prefix with a next hop.
fn verdict(speaker: &SpeakerConfig, peer: &str, import: bool, route: (&str, &str, Source)) -> Verdict {
    let peer = speaker.peers.iter().find(|p| p.name == peer).unwrap();
    let (prefix, next_hop, source) = route;
    let attributes = PathAttributes {
        origin: Origin::Igp,
        as_path: AsPath::default(),
        next_hop: NextHop::V4(next_hop.parse().unwrap()),
        med: None,
        local_pref: None,
        atomic_aggregate: Default::default(),
        rare: None,
    };
    let kind = PeerType::of(Asn(64512), peer.asn);
    let neighbor = Neighbor { name: &peer.name, address: peer.address, kind };
    let source = if source == Source::Local { RouteSource::Local } else { RouteSource::Learned(neighbor) };
    let session = SessionContext {
        peer: neighbor,
        local_asn: Asn(64512),
        local_next_hop: None,
        family: Family::Ipv4Unicast,
    };
    let context = RouteContext {
        prefix: prefix.parse().unwrap(),
        attributes: &attributes,
        session,
        source,
        interfaces: &[],
    };
    if import { peer.import.evaluate(&context).verdict } else { peer.export.evaluate(&context).verdict }
}

fn import(speaker: &SpeakerConfig, peer: &str, prefix: &str, next_hop: &str) -> Verdict {
    verdict(speaker, peer, true, (prefix, next_hop, Source::Learned))
}

fn export(speaker: &SpeakerConfig, peer: &str, prefix: &str, source: Source) -> Verdict {
    verdict(speaker, peer, false, (prefix, "192.168.92.129", source))
}

const MESH: &str = "192.168.92.129";

#[test]
fn the_side_that_calico_would_make_passive_waits_before_it_connects() {
    let delay = |own: &str, other: &str, set: &[&str]| {
        speaker(&intent(own, &[other], "172.16.0.0/16", set)).peers[0].timers.first_open_delay
    };
    assert_eq!(delay("192.168.92.128", "192.168.92.129", &[]), Duration::from_secs(3));
    assert_eq!(delay("192.168.92.129", "192.168.92.128", &[]), Duration::ZERO);
    // As strings: "10.0.0.10" < "10.0.0.9".
    assert_eq!(delay("10.0.0.10", "10.0.0.9", &[]), Duration::from_secs(3));
    assert_eq!(delay("10.0.0.9", "10.0.0.10", &[]), Duration::ZERO);
    assert_eq!(delay("10.0.0.10", "10.0.0.9", &["bgp.open_delay=0"]), Duration::ZERO);
}

#[test]
fn mesh_sessions_are_bound_to_the_node_address() {
    let speaker = scenario("172.16.0.0/16,Always");
    let peer = speaker.peers.iter().find(|p| p.name == MESH).unwrap();
    assert_eq!(peer.transport.source, Some("192.168.92.128".parse().unwrap()));
    assert_eq!((peer.asn, peer.transport.ttl), (Asn(64512), TtlPolicy::Multihop(64)));
    assert_eq!(peer.transport.auth, Auth::None);
}

#[test]
fn a_received_route_that_equals_an_own_block_is_refused_and_a_longer_one_is_not() {
    let speaker = scenario("172.16.0.0/16,Always");
    let own = Verdict::Reject(RejectReason::OwnBlock);
    assert_eq!(import(&speaker, MESH, "172.16.241.64/26", MESH), own);
    assert_eq!(import(&speaker, MESH, "172.16.241.70/32", MESH), Verdict::Accept);
    assert_eq!(import(&speaker, MESH, "172.16.196.128/26", MESH), Verdict::Accept);
}

#[test]
fn only_prefixes_inside_pools_are_imported() {
    let speaker = scenario("172.16.0.0/16,Never");
    let outside = Verdict::Reject(RejectReason::OutsidePools);
    assert_eq!(import(&speaker, MESH, "172.0.0.0/8", MESH), outside);
    assert_eq!(import(&speaker, "tor", "0.0.0.0/0", "192.168.92.1"), outside);
}

#[test]
fn nodes_of_the_mesh_may_ask_for_packets_being_dropped_where_the_kernel_is_to_drop_them() {
    let asked = |set: &[&str]| {
        let intent = intent("192.168.92.128", &[MESH], "172.16.0.0/16,Always", set);
        let (speaker, fib) = (speaker(&intent), fib(&intent, Programming::On));
        let peer = |name: &str| speaker.peers.iter().find(|p| p.name == name).unwrap().switches.blackhole;
        (peer(MESH), peer("tor"), fib.discard)
    };
    assert_eq!(asked(&[]), (Blackhole::Ignore, Blackhole::Ignore, DiscardRule::Ignore));
    let discarding = asked(&["kernel.blackhole_community=discard"]);
    assert_eq!(discarding, (Blackhole::Accept, Blackhole::Ignore, DiscardRule::Honour));
}

#[test]
fn a_router_that_readvertises_blocks_is_refused_where_tunnels_are_needed() {
    let unknown = Verdict::Reject(RejectReason::UnknownTunnelNextHop);
    let router = |mode: &str, next_hop: &str| {
        let speaker = scenario(&format!("172.16.0.0/16,{mode}"));
        import(&speaker, "tor", "172.16.196.128/26", next_hop)
    };
    assert_eq!(router("Always", "192.168.92.1"), unknown);
    assert_eq!(router("CrossSubnet", "192.168.92.1"), unknown);
    assert_eq!(router("Never", "192.168.92.1"), Verdict::Accept);
    assert_eq!(router("Always", MESH), Verdict::Accept);
    let set = ["tunnel.next_hops=10.9.0.0/24"];
    let speaker = speaker(&intent("192.168.92.128", &[MESH], "172.16.0.0/16,Always", &set));
    assert_eq!(import(&speaker, "tor", "172.16.196.128/26", "10.9.0.7"), Verdict::Accept);
}

#[test]
fn a_mesh_peer_gets_own_blocks_only_and_a_router_what_it_is_given() {
    let speaker = scenario("172.16.0.0/16,Always");
    let not_own = Verdict::Reject(RejectReason::NotOwnBlock);
    assert_eq!(export(&speaker, MESH, "172.16.241.64/26", Source::Local), Verdict::Accept);
    assert_eq!(export(&speaker, MESH, "172.16.196.128/26", Source::Learned), not_own);
    assert_eq!(export(&speaker, "tor", "172.16.196.128/26", Source::Learned), Verdict::Accept);
}

#[test]
fn nothing_of_a_pool_that_is_not_exported_goes_out() {
    let speaker = scenario("172.16.0.0/16,Always,export=false");
    let kept = Verdict::Reject(RejectReason::PoolNotExported);
    for peer in [MESH, "tor"] {
        assert_eq!(export(&speaker, peer, "172.16.241.64/26", Source::Local), kept);
    }
}

#[test]
fn a_changed_mode_changes_policies_only() {
    let (before, after) = (scenario("172.16.0.0/16,Always"), scenario("172.16.0.0/16,Never"));
    let changed: Vec<_> = before.peers.iter().zip(&after.peers).filter(|(a, b)| a != b).collect();
    let names: Vec<_> = changed.iter().map(|(a, _)| a.name.as_str()).collect();
    assert_eq!(names, ["tor"], "only an external peer asks whether tunnels are needed");
    assert_eq!(scenario("172.16.0.0/16,Always"), before);
}

#[test]
fn peers_with_the_same_words_share_their_policies() {
    let all = ["10.0.0.1", "10.0.0.2"];
    let speaker = speaker(&intent("192.168.92.128", &all, "172.16.0.0/16", &[]));
    assert!(std::sync::Arc::ptr_eq(&speaker.peers[0].export, &speaker.peers[1].export));
}

#[test]
fn only_families_in_use_are_listened_on() {
    let speaker = scenario("172.16.0.0/16");
    assert_eq!(speaker.listen, ["0.0.0.0:179".parse().unwrap()]);
    let bound =
        intent("192.168.92.128", &[], "172.16.0.0/16", &["bgp.bind=node", "node.address6=fd00::1/64"]);
    let listen = super::speaker(&bound).listen;
    assert_eq!(listen, ["192.168.92.128:179".parse().unwrap(), "[fd00::1]:179".parse().unwrap()]);
}

#[test]
fn the_fib_and_the_tunnel_are_told_of_pools_and_node() {
    let intent = intent(
        "192.168.92.128",
        &[MESH],
        "172.16.0.0/16,CrossSubnet",
        &[
            "tunnel.mtu=1400",
            "tunnel.guard_grace=5",
            "tunnel.allow_to=203.0.113.10",
            "tunnel.keep_addresses=203.0.113.0/24",
        ],
    );
    let fib = fib(&intent, Programming::On);
    assert_eq!(fib.node_network, Some("192.168.92.0/24".parse().unwrap()));
    assert_eq!(fib.pools[0].mode, PoolMode::CrossSubnet);
    assert_eq!(fib.local_blocks, ["172.16.241.64/26".parse().unwrap()]);
    let tunnel = tunnel(&intent);
    assert_eq!((tunnel.need, tunnel.mtu), (Need::Needed, Mtu::Fixed(1400)));
    assert_eq!(tunnel.guard_grace, Duration::from_secs(5));
    assert_eq!(tunnel.allow_to, ["203.0.113.10/32".parse().unwrap()].into());
    assert_eq!(tunnel.keep_addresses, ["203.0.113.0/24".parse().unwrap()].into());
    assert_eq!(known_nodes(&intent), BTreeSet::from(["192.168.92.129/32".parse().unwrap()]));
}

#[test]
fn the_outer_headers_and_the_routes_mtu_are_as_asked() {
    let mesh = |set: &[&str]| intent("192.168.92.128", &[MESH], "172.16.0.0/16,CrossSubnet", set);
    let plain = mesh(&[]);
    assert_eq!((tunnel(&plain).dont_fragment, tunnel(&plain).outer_source), (None, OuterSource::Route));
    assert_eq!(route_mtu(&plain, Some(1500)), None);
    let asked = mesh(&["tunnel.route_mtu=auto", "tunnel.pmtudisc=on", "tunnel.source=node"]);
    let inside = BTreeSet::from(["172.16.0.0/16".parse().unwrap()]);
    assert_eq!(tunnel(&asked).outer_source, OuterSource::Node { inside });
    assert_eq!(tunnel(&asked).dont_fragment, Some(DontFragment::Always));
    assert_eq!(route_mtu(&asked, Some(1500)), NonZeroU32::new(1480));
    assert_eq!(route_mtu(&asked, None), None);
    let fixed = mesh(&["tunnel.route_mtu=1400", "tunnel.pmtudisc=off"]);
    assert_eq!(route_mtu(&fixed, None), NonZeroU32::new(1400));
    assert_eq!(tunnel(&fixed).dont_fragment, Some(DontFragment::Inherited));
}

#[test]
fn the_guard_goes_by_our_blocks_and_binds_by_the_mark_it_is_given() {
    let set = ["tunnel.guard_bind=true", "tunnel.guard_mark=0xff0"];
    let tunnel = tunnel(&intent("192.168.92.128", &[MESH], "172.16.0.0/16,Always", &set));
    assert_eq!(tunnel.local, BTreeSet::from(["172.16.241.64/26".parse().unwrap()]));
    assert_eq!(tunnel.binding, Binding::Strict { mask: 0xff0 });
    assert!(tunnel.masquerade.sources.is_empty());
}

#[test]
fn what_leaves_a_pool_with_nat_outgoing_is_masqueraded_unless_it_goes_to_any_pool() {
    let mut intent = intent("192.168.92.128", &[], "172.16.0.0/16,Never,nat_outgoing=true", &[]);
    let other = intent.pools.values().next().cloned().unwrap();
    intent.pools.insert("10.8.0.0/16".parse().unwrap(), Pool { nat_outgoing: NatOutgoing::Off, ..other });
    let masquerade = tunnel(&intent).masquerade;
    assert_eq!(masquerade.sources, BTreeSet::from(["172.16.0.0/16".parse().unwrap()]));
    let pools = ["172.16.0.0/16", "10.8.0.0/16"].map(|pool| pool.parse().unwrap());
    assert_eq!(masquerade.except_to, BTreeSet::from(pools));
}

#[test]
fn no_tunnel_is_needed_where_every_pool_is_never() {
    assert_eq!(tunnel(&intent("10.0.0.1", &[], "172.16.0.0/16,Never", &[])).need, Need::NotNeeded);
}

#[test]
fn policies_and_words_are_asked_in_order_and_guards_hold_for_all_of_them() {
    use ::bgp::policy::{Section, Term, Then};
    let mut intent = intent("192.168.92.128", &["192.168.92.129"], "172.16.0.0/16,CrossSubnet", &[]);
    let refused = Then::Reject(RejectReason::Policy);
    let term = |prefix: &str, then| Term {
        name: prefix.to_owned(),
        conditions: vec![::bgp::policy::Condition::Prefix(std::sync::Arc::new(
            [prefix.parse().unwrap()].into_iter().collect(),
        ))],
        changes: Vec::new(),
        then,
    };
    let terms = vec![term("172.16.9.0/24 le 32", refused), term("0.0.0.0/0", Then::Accept)];
    let section = Section { name: "p".into(), terms, default: None };
    intent.policies.insert("p".into(), crate::config::NamedPolicy { section, shown: Vec::new() });
    let peer = intent.peers.get_mut("tor").unwrap();
    peer.import = vec![Step::Policy("p".into()), Step::Word(ImportRule::Pools)];
    let speaker = speaker(&intent);
    let tor = |prefix, next_hop| import(&speaker, "tor", prefix, next_hop);
    let no = Verdict::Reject;
    assert_eq!(tor("0.0.0.0/0", "192.168.92.1"), Verdict::Accept);
    assert_eq!(tor("172.16.9.64/26", "192.168.92.129"), no(RejectReason::Policy));
    assert_eq!(tor("172.16.8.64/26", "192.168.92.129"), Verdict::Accept);
    assert_eq!(tor("172.16.8.64/26", "192.168.92.1"), no(RejectReason::UnknownTunnelNextHop));
    assert_eq!(tor("172.16.241.64/26", "192.168.92.129"), no(RejectReason::OwnBlock));
    assert_eq!(tor("10.0.0.0/8", "192.168.92.1"), no(RejectReason::OutsidePools));
}
