use std::{collections::BTreeSet, time::Duration};

use bgp::{
    config::{AddPathDirections, AsnRule, Auth, Offer, Reflection, TtlPolicy},
    types::{Asn, Families},
};

use super::*;

const PEER: &str = "[[peers]]\naddress = \"10.0.0.1\"\n";

fn peer(keys: &str) -> Peer {
    intent(&format!("{PEER}{keys}")).peers.into_values().next().unwrap()
}

/// What a peer imports and exports, as it is written.
fn words(peer: &Peer) -> (String, String) {
    let list = |steps: Vec<String>| steps.join(", ");
    let import = peer.import.iter().map(ToString::to_string).collect();
    (list(import), list(peer.export.iter().map(ToString::to_string).collect()))
}

#[test]
fn an_empty_file_is_a_node_that_knows_itself() {
    let intent = intent("");
    assert_eq!(intent.node.name, "master01");
    assert_eq!(
        loaded("").found_addresses(),
        ["node.address = \"192.168.92.128/24\": autodetected by first-found on eth0"]
    );
    assert_eq!(intent.node.address, Some("192.168.92.128/24".parse().unwrap()));
    assert_eq!(intent.node.address6, None);
    assert_eq!(intent.node.asn, Asn(64512));
    assert_eq!(intent.node.router_id.to_string(), "192.168.92.128");
    assert_eq!(intent.bgp.listen_port, 179);
    assert_eq!(intent.bgp.hold_time, Duration::from_secs(90));
    assert_eq!(intent.bgp.open_delay, Duration::from_secs(3));
    assert_eq!(
        intent.kernel,
        Kernel {
            protocol: 179,
            table: 254,
            metric: 0,
            objects: fib::config::ObjectUse::Auto,
            blackhole_community: fib::config::DiscardRule::Ignore,
        }
    );
    assert_eq!(intent.api.socket, Path::new("/run/siskin/siskin.sock"));
    assert_eq!(intent.api.http, None);
}

#[test]
fn the_own_address_in_the_mesh_is_skipped() {
    let intent = intent("[bgp]\nmesh = [\"192.168.92.129\", \"192.168.92.128\"]");
    assert_eq!(intent.mesh.nodes, ["192.168.92.129".parse::<IpAddr>().unwrap()]);
}

#[test]
fn an_internal_peer_imports_pools_and_may_be_far_away() {
    let peer = peer("asn = 64512");
    assert_eq!(words(&peer), ("pools".into(), "blocks".into()));
    assert_eq!(peer.transport.ttl, TtlPolicy::Multihop(64));
    assert_eq!(peer.limit.most, Some(100_000));
    assert_eq!(peer.transport.source, Some("192.168.92.128".parse().unwrap()));
    assert_eq!(peer.families, Families::from_iter([Family::Ipv4Unicast]));
}

#[test]
fn an_external_peer_imports_nothing_and_is_next_door() {
    let peer = peer("asn = 64600");
    assert_eq!(words(&peer), ("none".into(), "blocks".into()));
    assert_eq!(peer.transport.ttl, TtlPolicy::Direct);
}

#[test]
fn a_route_reflector_client_gets_the_pools() {
    let peer = peer("asn = 64512\nroute_reflector_client = true");
    assert_eq!((peer.reflection, words(&peer).1), (Reflection::Client, "pools".into()));
}

#[test]
fn only_an_import_of_everything_has_no_ceiling() {
    assert_eq!(peer("asn = 1\nimport = \"all\"").limit.most, None);
    assert_eq!(peer("asn = 1\nimport = \"all\"\nmax_prefixes = 5").limit.most, Some(5));
    assert_eq!(peer("asn = 1\nmax_prefixes = \"unlimited\"").limit.most, None);
}

#[test]
fn every_spelling_of_the_ipip_mode_is_read() {
    let mode = |text: &str| {
        let pool = format!("[[pools]]\ncidr = \"10.0.0.0/8\"\nipip_mode = \"{text}\"");
        intent(&pool).pools.into_values().next().unwrap().ipip_mode
    };
    for text in ["", "off", "Never", "OFF"] {
        assert_eq!(mode(text), IpipMode::Never);
    }
    for text in ["CrossSubnet", "cross-subnet", "crosssubnet", "Cross-Subnet"] {
        assert_eq!(mode(text), IpipMode::CrossSubnet);
    }
    for text in ["Always", "always", "ALWAYS"] {
        assert_eq!(mode(text), IpipMode::Always);
    }
}

#[test]
fn as_numbers_are_read_plain_and_dotted() {
    assert_eq!(intent("[node]\nasn = \"1.10\"").node.asn, Asn(65546));
    assert_eq!(intent("[node]\nasn = 4200000000").node.asn, Asn(4_200_000_000));
    assert_eq!(intent("[node]\nasn = \"64513\"").node.asn, Asn(64513));
}

#[test]
fn a_router_id_can_be_the_hash_of_the_name() {
    // SHA-256("master01") begins 0f..; SHA-256("node-17") is checked against `sha256sum`.
    let id = |name: &str| {
        intent(&format!("[node]\nname = \"{name}\"\nrouter_id = \"hash\"")).node.router_id.to_string()
    };
    assert_eq!(id("master01"), hash("master01"));
    assert_eq!(id("node01"), hash("node01"));
    let firsts: BTreeSet<u8> =
        (0..64).map(|n| id(&format!("n{n}")).split('.').next().unwrap().parse().unwrap()).collect();
    assert!(firsts.last().is_some_and(|first| *first <= 223));
}

fn hash(name: &str) -> String {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(name);
    let first = if digest[0] > 223 { digest[0] - 32 } else { digest[0] };
    format!("{first}.{}.{}.{}", digest[1], digest[2], digest[3])
}

#[test]
fn a_bare_address_takes_its_length_from_the_host() {
    let loaded = loaded("[node]\naddress = \"192.168.92.128\"");
    assert_eq!(loaded.intent.node.address, Some("192.168.92.128/24".parse().unwrap()));
    let shown = show(&loaded, Origins::Shown);
    let line = "address = \"192.168.92.128/24\"                # siskin.toml:2:11: length as on the host";
    assert!(shown.contains(line), "{shown}");
}

#[test]
fn an_address_of_one_is_warned_of() {
    let across = |address: &str, mode: &str| {
        warnings(&format!(
            "[node]\naddress = \"{address}\"\n[[pools]]\ncidr = \"172.16.0.0/16\"\nipip_mode = \"{mode}\""
        ))
    };
    let all = across("192.168.92.128/32", "CrossSubnet");
    assert_eq!(
        all,
        ["siskin.toml:2:11: node.address: 192.168.92.128/32 is a network of one: no other node shares our \
          subnet; write the real prefix length, or every CrossSubnet pool is tunnelled everywhere"]
    );
    assert_eq!(across("192.168.92.128/32", "Never"), [""; 0], "nobody asks for its network");
    let bare = across("10.9.9.9", "CrossSubnet");
    assert!(bare.iter().any(|w| w.contains("10.9.9.9 is no address of this host now")), "{bare:?}");
    assert!(bare.iter().any(|w| w.contains("is a network of one")), "{bare:?}");
}

#[test]
fn a_node_of_ipv6_only_names_its_identifier() {
    let text = "[node]\naddress = \"none\"\naddress6 = \"fd00::128/64\"\nrouter_id = \"1.1.1.1\"";
    assert_eq!(intent(text).node.address, None);
    assert!(problems("[node]\naddress = \"none\"\naddress6 = \"fd00::128/64\"").contains("node.router_id"));
}

#[test]
fn a_password_file_loses_its_line_end_and_nothing_else() {
    let text = format!("{PEER}asn = 1\npassword_file = \"/secret\"");
    let host = FakeHost::with_file(&text).file("/secret", " s3cret \r\n");
    let loaded = load(&inputs(&[], Flags::default()), &host).unwrap();
    assert_eq!(loaded.intent.peers["10.0.0.1"].transport.auth, Auth::Md5((*b" s3cret ").into()));
    assert_eq!(loaded.files, [PathBuf::from("/secret"), PathBuf::from(FILE)]);
}

#[test]
fn a_relative_password_file_lies_beside_the_configuration() {
    let text = format!("{PEER}asn = 1\npassword_file = \"tor.password\"");
    let mut host =
        FakeHost::default().file("/etc/siskin/siskin.toml", &text).file("/etc/siskin/tor.password", "x");
    host.interfaces = vec![interface(2, "eth0", &["192.168.92.128/24"])];
    let inputs = Inputs { file: Some("/etc/siskin/siskin.toml".into()), ..Inputs::default() };
    let loaded = load(&inputs, &host).unwrap();
    assert_eq!(loaded.intent.peers["10.0.0.1"].transport.auth, Auth::Md5((*b"x").into()));
}

#[test]
fn an_unreadable_password_keeps_the_peer_down_and_the_rest_valid() {
    let text = format!("{PEER}asn = 1\npassword_file = \"/gone\"");
    let Auth::Unavailable(reason) = peer_auth(&text) else { panic!("a session without password") };
    assert_eq!(reason, "/gone cannot be read: entity not found");
    assert!(warnings(&text).iter().any(|w| w.contains("peers[0].password_file: /gone cannot be read")));
}

fn peer_auth(text: &str) -> Auth {
    intent(text).peers.into_values().next().unwrap().transport.auth
}

#[test]
fn a_block_of_another_size_is_warned_of_as_pools_can_be_made_anew() {
    let text = "[[pools]]\ncidr = \"172.16.0.0/16\"\n[local]\nblocks = [\"172.16.1.0/24\"]";
    assert_eq!(intent(text).blocks, ["172.16.1.0/24".parse().unwrap()]);
    assert!(warnings(text)[0].contains("172.16.1.0/24 is no /26"));
}

#[test]
fn protocols_are_read_by_name_and_number() {
    assert_eq!(intent("[kernel]\nprotocol = \"bird\"").kernel.protocol, 12);
    assert_eq!(intent("[kernel]\nprotocol = 200").kernel.protocol, 200);
    assert!(warnings("[kernel]\nprotocol = 80")[0].contains("Felix"));
}

#[test]
fn the_knobs_of_the_decision_are_read_and_default_to_the_standards() {
    use bgp::config::{AsPathMatch, DecisionConfig, MedCompare, MedMissing, TieBreak};
    assert_eq!(intent("").bgp.decision, DecisionConfig::default());
    let all = "[bgp]\nmed_missing = \"worst\"\nmed_compare = \"always\"\ntie_break = \"oldest\"\nmultipath = 8\n\
               multipath_as_path = \"relax\"";
    let expected = DecisionConfig {
        med_missing: MedMissing::Worst,
        med_compare: MedCompare::Always,
        tie_break: TieBreak::Oldest,
        multipath: 8.try_into().unwrap(),
        multipath_as_path: AsPathMatch::SameLength,
    };
    assert_eq!(intent(all).bgp.decision, expected);
}

#[test]
fn a_peer_is_offered_what_the_speaker_offers_unless_it_says_otherwise() {
    let speaker = "[bgp]\nadd_path = \"both\"\nadd_path_limit = 8\nlong_lived_stale_time = 3600\n";
    let file = format!("{speaker}{PEER}asn = 64512\nadd_path = \"receive\"\nextended_messages = false\n");
    let intent = intent(&file);
    let peer = &intent.peers["10.0.0.1"].capabilities;
    assert_eq!(peer.add_path.directions, AddPathDirections::Receive);
    assert_eq!(peer.add_path.send_limit.map(u16::from), Some(8));
    assert_eq!((peer.extended_messages, peer.enhanced_refresh), (Offer::Withheld, Offer::Announced));
    assert_eq!(peer.long_lived_stale_time, Duration::from_secs(3600));
    assert_eq!(intent.bgp.capabilities.add_path.directions, AddPathDirections::Both);
}

#[test]
fn ipv6_next_hops_of_ipv4_are_offered_where_ipv4_is_carried_between_ipv6_addresses() {
    let offered = |keys: &str| {
        let node = "[node]\naddress6 = \"2001:db8::1/64\"\n";
        let file = format!("{node}[[peers]]\naddress = \"2001:db8::2\"\nasn = 64512\n{keys}");
        intent(&file).peers.into_values().next().unwrap().capabilities.extended_next_hop
    };
    assert_eq!(offered(""), Offer::Withheld);
    assert_eq!(offered("families = [\"ipv4\", \"ipv6\"]"), Offer::Announced);
    assert_eq!(offered("families = [\"ipv4\"]\nextended_next_hop = false"), Offer::Withheld);
    assert_eq!(offered("families = [\"ipv4\"]\n[bgp]\nextended_next_hop = false"), Offer::Withheld);
}

#[test]
fn the_switches_of_a_peer_are_read() {
    use bgp::{
        config::{
            Blackhole, DefaultRoute, FirstAs, GracefulShutdown, LocalAs, LocalAsPath, OwnAs, PrivateAs,
            RoleDemand, RouteSwitches,
        },
        wire::role::Role,
    };
    assert_eq!(peer("asn = 64600").switches, RouteSwitches::default());
    let switches = peer(
        "asn = 64600\nlocal_asn = 64999\nlocal_asn_path = \"replace\"\nrole = \"rs-client\"\nrole_strict = true\n\
         allow_as_in = 2\nremove_private_as = \"all\"\nas_override = true\nweight = 7\ngraceful_shutdown = true\n\
         blackhole = true\ndefault_originate = true",
    )
    .switches;
    assert_eq!(switches.local_as, Some(LocalAs { asn: Asn(64999), path: LocalAsPath::Replace }));
    assert_eq!((switches.role, switches.role_demand), (Some(Role::RouteServerClient), RoleDemand::Required));
    assert_eq!((switches.allow_as_in, switches.weight), (2, 7));
    assert_eq!((switches.private_as, switches.own_as), (PrivateAs::Remove, OwnAs::Override));
    assert_eq!(switches.first_as, FirstAs::Any, "a route server leaves its own out");
    assert_eq!(switches.graceful_shutdown, GracefulShutdown::On);
    assert_eq!((switches.blackhole, switches.default_route), (Blackhole::Accept, DefaultRoute::Originated));
}

#[test]
fn what_holds_for_the_whole_speaker_holds_for_its_peers() {
    use bgp::{
        config::{GracefulShutdown, LongLivedRoutes},
        wire::context::SegmentRule,
    };
    let text = format!(
        "[bgp]\ngraceful_shutdown = true\nas_sets = \"accept\"\ncluster_id = 7\nlong_lived_to_all = true\n\
         {PEER}asn = 64512"
    );
    let intent = intent(&text);
    assert_eq!(intent.bgp.cluster_id.map(|id| id.to_string()).as_deref(), Some("0.0.0.7"));
    let peer = intent.peers.into_values().next().unwrap();
    assert_eq!(peer.switches.graceful_shutdown, GracefulShutdown::On);
    assert_eq!(peer.switches.as_sets, SegmentRule::Accept);
    assert_eq!(peer.switches.long_lived, LongLivedRoutes::ToAll);
}

#[test]
fn a_range_takes_many_peers_and_several_as_numbers() {
    let peers = intent("[[peers]]\nname = \"rack\"\nrange = \"10.1.0.0/16\"\nrange_limit = 20\nasn = [64514, \"64513\"]\nsource = \"any\"").peers;
    let rack = &peers["rack"];
    assert_eq!(rack.range, Some(("10.1.0.0/16".parse().unwrap(), 20)));
    assert_eq!(rack.asn_rule, AsnRule::OneOf(vec![Asn(64513), Asn(64514)]));
}

#[test]
fn an_interface_makes_a_link_local_peer_with_or_without_an_address() {
    let text = "[[peers]]\ninterface = \"eth1\"\nasn = \"external\"\n[[peers]]\ninterface = \"eth2\"\naddress = \"fe80::1\"\nasn = 64600";
    let peers = intent(text).peers;
    assert_eq!(peers.keys().collect::<Vec<_>>(), ["eth1", "fe80::1%eth2"]);
    assert!(peers["eth1"].address.is_unspecified() && peers["eth1"].transport.source.is_none());
    assert_eq!(peers["eth1"].asn_rule, AsnRule::External);
    assert_eq!(peers["eth1"].families.iter().count(), 2);
}

#[test]
fn addresses_to_listen_on_may_have_ports_of_their_own() {
    let listen =
        intent("[bgp]\nlisten_port = 1790\nlisten = [\"192.0.2.1\", \"[2001:db8::1]:179\"]").bgp.listen;
    assert_eq!(listen, ["192.0.2.1:1790".parse().unwrap(), "[2001:db8::1]:179".parse().unwrap()]);
}

#[test]
fn a_peer_is_whom_its_timers_texts_and_keys_say() {
    let text = "[[peers]]\naddress = \"10.0.0.1\"\nasn = 64600\nsource = \"any\"\ndelay_open = 5\nidle_hold_time = 2\n\
                idle_hold_max = 1\nsend_hold_time = 0\nshutdown_text = \"bye\"\nwithhold = [\"role\", \"200\"]";
    let peer = intent(text).peers.remove("10.0.0.1").unwrap();
    assert_eq!(peer.timers.delay_open, Some(Duration::from_secs(5)));
    assert_eq!(peer.timers.idle_hold_max, Duration::from_secs(2), "never below the first");
    assert_eq!((peer.timers.send_hold_time, peer.shutdown_text.as_str()), (Some(Duration::ZERO), "bye"));
    assert_eq!(peer.capabilities.withhold.iter().map(|c| c.0).collect::<Vec<_>>(), [9, 200]);
}

#[test]
fn what_happens_beyond_the_limit_is_read() {
    use bgp::config::LimitAction;
    let action = |keys: &str| peer(&format!("asn = 64512\n{keys}")).limit.action;
    assert_eq!(action(""), LimitAction::Restart(Duration::from_secs(120)));
    assert_eq!(action("max_prefixes_restart = 0"), LimitAction::Restart(LimitAction::FOR_GOOD));
    assert_eq!(action("max_prefixes_action = \"block\""), LimitAction::Block);
    assert_eq!(action("max_prefixes_action = \"warn\""), LimitAction::Warn);
    assert_eq!(peer("asn = 64512\nmax_prefixes_warn_at = 90").limit.warn_at, 90);
}
