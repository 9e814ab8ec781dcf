use super::*;

#[test]
fn all_errors_of_a_file_come_at_once_and_in_order() {
    let text = r#"
[node]
asn = 1.10
addres = "192.168.92.128/24"

[bgp]
hold_time = 2
graceful_restart_time = 5000
listen_prot = 1790

[[peers]]
address = "10.0.0.1"
asn = 64600
multihop = 2
ttl_security = 1

[[peers]]
address = "10.0.0.1"
asn = 0

[[pools]]
cidr = "172.16.0.1/16"

[local]
blocks = ["172.16.241.64/26"]

[kernel]
protocol = "static"

[tunel]
"#;
    assert_eq!(
        problems(text),
        "\
siskin.toml:3:7: node.asn: wants a string or a whole number, not a float; quote it: \"1.10\"
siskin.toml:4:1: node.addres: unknown key; did you mean `address`?
siskin.toml:7:13: bgp.hold_time: 2 is no hold time; use 0 (never expire) or 3 to 65535 seconds
siskin.toml:8:25: bgp.graceful_restart_time: 5000 is out of range; use 0 to 4095
siskin.toml:9:1: bgp.listen_prot: unknown key; did you mean `listen_port`?
siskin.toml:15:16: peers[0].ttl_security: multihop and ttl_security are both given; drop one: ttl_security counts hops as well
siskin.toml:19:7: peers[1].asn: AS 0 is reserved (RFC 7607); use 1 to 4294967295
siskin.toml:22:8: pools[0].cidr: 172.16.0.1/16 has bits set beyond its length; write 172.16.0.0/16
siskin.toml:28:12: kernel.protocol: protocol static is the kernel's own; use 179, bird or another number above 4: routes of ours must be told from others
siskin.toml:30:2: tunel: unknown section; did you mean `tunnel`?"
    );
}

/// Each file, its only problem.
fn refused(cases: &[(&str, &str)]) {
    for (text, problem) in cases {
        assert_eq!(problems(text), *problem, "of {text}");
    }
}

#[test]
fn a_syntax_error_names_its_place() {
    refused(&[
        ("[node]\nname = \"a\nasn = 1\n", "siskin.toml:2:10: invalid basic string, expected `\"`"),
        ("[node]\nasn = 1\nasn = 2\n", "siskin.toml:3:1: duplicate key `asn`"),
    ]);
}

#[test]
fn a_value_of_another_type_says_how_to_write_it() {
    refused(&[
        (
            "[bgp]\nhold_time = \"90\"",
            "siskin.toml:2:13: bgp.hold_time: wants a whole number, not a string; drop the quotes: 90",
        ),
        (
            "[bgp]\nmesh = \"10.0.0.1\"",
            "siskin.toml:2:8: bgp.mesh: wants an array of strings, not a string; put it in brackets: [\"10.0.0.1\"]",
        ),
        ("[peers]\nasn = 1", "siskin.toml:1:2: peers: this is a list of tables; write [[peers]]"),
        ("node = 1", "siskin.toml:1:1: node: this is a section; write [node]"),
    ]);
}

#[test]
fn an_unknown_key_names_the_nearest_known_one_however_far() {
    refused(&[
        ("[log]\nxyzzy = 1", "siskin.toml:2:1: log.xyzzy: unknown key; the nearest known one is `level`"),
        ("[bgp]\nport = 1", "siskin.toml:2:1: bgp.port: unknown key; did you mean `listen_port`?"),
    ]);
}

#[test]
fn a_mesh_takes_bare_addresses_once() {
    refused(&[
        (
            "[bgp]\nmesh = [\"192.168.92.129/24\"]",
            "siskin.toml:2:9: bgp.mesh: `192.168.92.129/24` has a prefix length; write 192.168.92.129",
        ),
        (
            "[bgp]\nmesh = [\"192.168.92.129\",\n\"192.168.92.129\"]",
            "siskin.toml:3:1: bgp.mesh: 192.168.92.129 is listed twice, first at siskin.toml:2:9; drop one of them",
        ),
        (
            "[bgp]\nmesh = [\"fd00::1\"]",
            "siskin.toml:2:9: bgp.mesh: the node has no address to reach fd00::1 from; set node.address6",
        ),
    ]);
}

#[test]
fn unwanted_attributes_are_codes_that_routes_can_do_without() {
    let peer = "[[peers]]\naddress = \"192.168.92.1\"\nasn = 64600\nimport = \"all\"\n";
    let told = [
        (
            "discard_attributes = [3]",
            "5:23: peers[0].discard_attributes: NEXT_HOP (3) is needed; leave it out",
        ),
        (
            "withdraw_attributes = [\"10-20\"]",
            "5:24: peers[0].withdraw_attributes: MP_REACH_NLRI (14) is needed; leave it out",
        ),
        (
            "discard_attributes = [\"254-128\"]",
            "5:23: peers[0].discard_attributes: `254-128` is no type code of path attributes; use 1 to 255, or a range such as \"128-254\"",
        ),
        (
            "discard_attributes = [256]",
            "5:23: peers[0].discard_attributes: `256` is no type code of path attributes; use 1 to 255, or a range such as \"128-254\"",
        ),
        (
            "discard_attributes = [40]\nwithdraw_attributes = [\"30-45\"]",
            "6:23: peers[0].withdraw_attributes: attribute 40 is in discard_attributes too; leave it in one of the two",
        ),
    ];
    for (line, error) in told {
        refused(&[(&format!("{peer}{line}"), &format!("siskin.toml:{error}"))]);
    }
}

#[test]
fn pools_do_not_overlap_and_hold_all_blocks() {
    refused(&[
        (
            "[[pools]]\ncidr = \"172.16.0.0/16\"\n[[pools]]\ncidr = \"172.16.8.0/24\"",
            "siskin.toml:4:8: pools[1].cidr: 172.16.8.0/24 overlaps the pool 172.16.0.0/16; make them one pool or keep them apart",
        ),
        (
            "[[pools]]\ncidr = \"172.16.0.0/16\"\n[local]\nblocks = [\"172.17.0.0/26\"]",
            "siskin.toml:4:11: local.blocks: 172.17.0.0/26 lies outside every pool; add its pool to [[pools]], which has 172.16.0.0/16",
        ),
        (
            "[[pools]]\ncidr = \"240.1.0.0/16\"",
            "siskin.toml:2:8: pools[0].cidr: no route leads to 240.1.0.0/16 (martian); use another range, or set bgp.allow_reserved_ranges here and on every host",
        ),
        (
            "[bgp]\nallow_reserved_ranges = true\n[[pools]]\ncidr = \"224.0.0.0/3\"",
            "siskin.toml:4:8: pools[0].cidr: no route leads to 224.0.0.0/3 (martian); use a range that routes may lead to",
        ),
        (
            "[[pools]]\ncidr = \"126.0.0.0/7\"\n[local]\nblocks = [\"127.0.0.0/26\"]",
            "siskin.toml:4:11: local.blocks: no route leads to 127.0.0.0/26 (martian); use a range that routes may lead to",
        ),
        (
            "[[pools]]\ncidr = \"fd00:1::/48\"\nipip_mode = \"Always\"",
            "siskin.toml:3:13: pools[0].ipip_mode: fd00:1::/48 is IPv6, IPIP carries IPv4; use Never",
        ),
        (
            "[[pools]]\ncidr = \"10.0.0.0/8\"\nblock_size = 16",
            "siskin.toml:3:14: pools[0].block_size: 16 is out of range; use 20 to 32",
        ),
        (
            "[[pools]]\ncidr = \"10.0.0.0/8\"\nipip_mode = \"Sometimes\"",
            "siskin.toml:3:13: pools[0].ipip_mode: `Sometimes` is no IPIP mode; use Always, CrossSubnet or Never",
        ),
        (
            "[[pools]]\ncidr = \"fd00:1::/48\"\nnat_outgoing = true",
            "siskin.toml:3:16: pools[0].nat_outgoing: fd00:1::/48 is IPv6, which is not translated; use false",
        ),
    ]);
}

#[test]
fn the_guards_mark_is_bits_in_one_row() {
    for mark in ["0", "0x5", "-1", "many"] {
        refused(&[(
            &format!("[tunnel]\nguard_mark = \"{mark}\""),
            &format!(
                "siskin.toml:2:14: tunnel.guard_mark: {mark} is no mask of a packet mark; \
                 use bits in one row, such as \"0x3fff\""
            ),
        )]);
    }
}

#[test]
fn what_outer_headers_and_routes_may_be_told_is_listed() {
    refused(&[
        (
            "[tunnel]\nroute_mtu = 20",
            "siskin.toml:2:13: tunnel.route_mtu: 20 is out of range; use 68 to 65515, or auto, or off",
        ),
        (
            "[tunnel]\npmtudisc = \"yes\"",
            "siskin.toml:2:12: tunnel.pmtudisc: `yes` means nothing here; use keep, on or off",
        ),
        (
            "[tunnel]\nsource = \"192.168.92.128\"",
            "siskin.toml:2:10: tunnel.source: `192.168.92.128` means nothing here; use route or node",
        ),
    ]);
}

#[test]
fn a_peer_is_another_host_known_once() {
    let peers =
        |list: &[&str]| -> String { list.iter().map(|keys| format!("[[peers]]\n{keys}\n")).collect() };
    refused(&[
        (
            &peers(&["address = \"192.168.92.128\"\nasn = 1"]),
            "siskin.toml:2:11: peers[0].address: 192.168.92.128 is this node's own address; a node is no peer of itself",
        ),
        (
            &peers(&["address = \"10.0.0.1\"\nasn = 1", "address = \"10.0.0.1\"\nasn = 2\nname = \"b\""]),
            "siskin.toml:5:11: peers[1].address: 10.0.0.1 is a peer already, at siskin.toml:2:11; drop one of them",
        ),
        (
            &peers(&[
                "address = \"10.0.0.1\"\nasn = 1\nname = \"b\"",
                "address = \"10.0.0.2\"\nasn = 2\nname = \"b\"",
            ]),
            "siskin.toml:8:8: peers[1].name: another peer is called `b`; choose another name",
        ),
        (
            &peers(&["address = \"10.0.0.1\""]),
            "siskin.toml:1:1: peers[0].asn: this key is missing; say asn = ...",
        ),
        (
            &peers(&["address = \"10.0.0.1\"\nasn = 1\nroute_reflector_client = true"]),
            "siskin.toml:4:26: peers[0].route_reflector_client: AS 1 is not ours (64512): only internal peers can be clients; drop the key or correct asn",
        ),
        (
            &peers(&["address = \"fe80::1\"\nasn = 1"]),
            "siskin.toml:2:11: peers[0].address: fe80::1 is a link-local address; name its link: interface = \"eth1\"",
        ),
        (
            &peers(&["address = \"10.0.0.1\"\nasn = 1\nimport = \"some\""]),
            "siskin.toml:4:10: peers[0].import: `some` means nothing here; use pools, none or all",
        ),
        (
            &peers(&["address = \"10.0.0.1\"\nasn = 1\nhold_time = 9\nkeepalive_time = 9"]),
            "siskin.toml:5:18: peers[0].keepalive_time: 9 s is not below the hold time of 9 s; use at most 3 (a third), or drop the key",
        ),
    ]);
}

#[test]
fn the_kernels_own_protocols_and_tables_are_refused() {
    let protocol = |value: &str| problems(&format!("[kernel]\nprotocol = {value}"));
    for (value, name) in [
        ("0", "unspec"),
        ("1", "redirect"),
        ("2", "kernel"),
        ("3", "boot"),
        ("4", "static"),
        ("\"boot\"", "boot"),
    ] {
        assert!(protocol(value).contains(&format!("protocol {name} is the kernel's own")), "{value}");
    }
    assert!(protocol("256").ends_with("256 is out of range; use 5 to 255"));
    assert!(protocol("\"brid\"").ends_with("`brid` is no protocol; did you mean `bird`?"));
    assert!(problems("[kernel]\ntable = \"local\"").ends_with("use main or another number"));
}

#[test]
fn a_password_is_given_one_way_and_fits_tcp_md5() {
    let peer = "[[peers]]\naddress = \"10.0.0.1\"\nasn = 1\n";
    let long = format!("{peer}password = \"{}\"", "x".repeat(81));
    let twice = format!("{peer}password = \"x\"\npassword_file = \"/p\"");
    refused(&[
        (
            &long,
            "siskin.toml:4:12: peers[0].password: the password has 81 bytes; TCP MD5 takes 1 to 80 bytes",
        ),
        (
            &twice,
            "siskin.toml:5:17: peers[0].password_file: password and password_file are both given; drop one of them",
        ),
    ]);
}

#[test]
fn a_missing_file_is_one_clear_error() {
    let error = load(&inputs(&[], Flags::default()), &FakeHost::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "siskin.toml:1:1: cannot be read: entity not found; check the path and its permissions"
    );
}

#[test]
fn a_broken_file_is_not_blamed_for_what_it_may_well_say() {
    let flags = Flags { block: vec!["172.16.1.0/26".into()], ..Flags::default() };
    let host = FakeHost::with_file("[[pools]]\ncidr = \"172.16.0.0/16");
    let error = load(&inputs(&[], flags), &host).unwrap_err();
    assert_eq!(error.problems.len(), 1, "{error}");
}

#[test]
fn a_node_without_address_is_blamed_once() {
    let text = "[bgp]\nmesh = [\"10.0.0.1\"]\n[[peers]]\naddress = \"10.0.0.2\"\nasn = 1\n\
                [[pools]]\ncidr = \"172.16.0.0/16\"\nipip_mode = \"Always\"";
    let mut host = FakeHost::with_file(text);
    host.interfaces = vec![interface(5, "tunl0", &["172.16.0.1/32"])];
    let error = load(&inputs(&[], Flags::default()), &host).unwrap_err();
    assert_eq!(
        error.to_string(),
        "default: node.address: not detected: first-found finds no ipv4 address on any interface; set \
         node.address = \"ADDRESS/LENGTH\", or another method by node.autodetect"
    );
}

#[test]
fn keys_that_keep_a_peer_out_are_warned_of_where_it_is_written() {
    let text = "[node]\nasn = 64512\n\n[[peers]]\nname = \"rack\"\nrange = \"10.1.0.0/16\"\nasn = 64513\n\
        password = \"one\"\n\n[[peers]]\nname = \"tor\"\naddress = \"10.1.0.9\"\nasn = 64513\n";
    assert_eq!(
        warnings(text).iter().filter(|w| w.contains("key")).collect::<Vec<_>>(),
        [
            "siskin.toml:11:8: peers[1].name: tor cannot connect: the kernel has one key for an address, and that of rack \
          counts; give both the same password, or addresses that do not overlap"
        ]
    );
    assert_eq!(
        warnings(&format!("{text}password = \"one\"\n")),
        warnings(&format!("{text}password = \"two\"\n"))
    );
}

#[test]
fn a_mark_that_a_peer_would_not_be_sent_is_warned_of() {
    let peer = "[node]\nasn = 64512\n\n[bgp]\ngraceful_shutdown = true\n\n[[peers]]\naddress = \"10.1.0.9\"\nasn = 64513\n";
    let lost = |text: String| warnings(&text).iter().filter(|w| w.contains("RFC 8326")).count();
    assert_eq!(lost(format!("{peer}send_communities = [\"large\"]\n")), 1);
    assert_eq!(lost(format!("{peer}send_communities = [\"large\"]\ngraceful_shutdown = false\n")), 0);
    assert_eq!(lost(format!("{peer}send_communities = [\"standard\"]\n")), 0);
}

#[test]
fn a_file_that_says_nothing_is_an_error() {
    for text in ["", "\n \t\r\n", "\u{feff}"] {
        let error = load(&inputs(&[], Flags::default()), &FakeHost::with_file(text)).unwrap_err().to_string();
        assert_eq!(
            error, "siskin.toml:1:1: the file is empty; write it anew; without a file, leave out -c FILE",
            "of {text:?}"
        );
    }
    for text in ["# siskin\n", "[node]\n", "# all\n[bgp]\n# mesh = []\n[node]\n"] {
        assert_eq!(
            problems(text),
            "siskin.toml:1:1: the file says nothing: no key is set in it; write it anew; without a file, leave out -c FILE",
            "of {text:?}"
        );
    }
}

#[test]
fn of_many_errors_twenty_are_shown_and_the_rest_is_counted() {
    let text = format!("[bgp]\nmesh = [{}]", "\"x\",".repeat(20_000));
    let shown = problems(&text);
    assert_eq!(shown.lines().count(), 21);
    assert_eq!(shown.lines().last(), Some("and 19980 more"));
    let blocks: String = (0..100).map(|n| format!("\"172.16.{n}.0/27\",")).collect();
    let text = format!("[[pools]]\ncidr = \"172.16.0.0/16\"\n[local]\nblocks = [{blocks}]");
    let warnings = warnings(&text);
    assert_eq!(warnings.len(), 21);
    assert_eq!(warnings.last().map(String::as_str), Some("default: 80 more warnings; mend these first"));
}
