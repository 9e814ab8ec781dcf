use super::*;

fn load_layers(environment: &[(&str, &str)], file: &str, flags: Flags) -> Result<Loaded, ConfigError> {
    let file_name = inputs_of(file).file;
    let mut environment = environment.to_vec();
    environment.push(("SISKIN_CALICO_ENV", "1"));
    load(&Inputs { file: file_name, ..inputs(&environment, flags) }, &FakeHost::with_file(file))
}

/// The origin and the value of a key.
fn setting(loaded: &Loaded, key: &str) -> String {
    let setting = loaded.settings.iter().find(|s| s.key == key).unwrap();
    format!("{} {}", setting.origin, setting.value)
}

#[test]
fn each_layer_overrides_the_ones_below() {
    let file = "[node]\nname = \"file\"\n";
    let calico = ("NODENAME", "calico");
    let ours = ("SISKIN__NODE__NAME", "ours");
    let flags = Flags { node_name: Some("flag".into()), ..Flags::default() };
    let name = |environment: &[_], file: &str, flags: &Flags| {
        setting(&load_layers(environment, file, flags.clone()).unwrap(), "node.name")
    };
    let none = Flags::default();
    assert_eq!(name(&[], "", &none), "default \"master01\"");
    assert_eq!(name(&[calico], "", &none), "env NODENAME \"calico\"");
    assert_eq!(name(&[calico], file, &none), "siskin.toml:2:8 \"file\"");
    assert_eq!(name(&[calico, ours], file, &none), "env SISKIN__NODE__NAME \"ours\"");
    assert_eq!(name(&[calico, ours], file, &flags), "flag --node-name \"flag\"");
}

#[test]
fn the_scenario_can_be_said_in_calicos_words() {
    let environment = [
        ("NODENAME", "master01"),
        ("IP", "autodetect"),
        ("IP_AUTODETECTION_METHOD", "interface=eth.*"),
        ("AS", "64513"),
        ("CALICO_ROUTER_ID", "1.2.3.4"),
        ("CALICO_IPV4POOL_CIDR", "172.16.0.0/16"),
        ("CALICO_IPV4POOL_BLOCK_SIZE", "25"),
        ("CALICO_IPV4POOL_IPIP", "cross-subnet"),
        ("CALICO_IPV4POOL_DISABLE_BGP_EXPORT", "true"),
        ("CALICO_IPV4POOL_NAT_OUTGOING", "true"),
        ("CALICO_IPV6POOL_CIDR", "fd00:1::/48"),
        ("CALICO_IPV6POOL_BLOCK_SIZE", "120"),
        ("BGP_LOGSEVERITYSCREEN", "Warning"),
        ("FELIX_IPINIPMTU", "0"),
    ];
    let loaded = load_layers(&environment, "", Flags::default()).unwrap();
    let Intent { node, pools, tunnel, .. } = &loaded.intent;
    assert_eq!(node.asn.0, 64513);
    assert_eq!(node.router_id.to_string(), "1.2.3.4");
    let pool = &pools[&"172.16.0.0/16".parse().unwrap()];
    assert_eq!((pool.block_size, pool.ipip_mode), (25, IpipMode::CrossSubnet));
    assert_eq!((pool.export, pool.nat_outgoing), (PoolExport::Denied, NatOutgoing::On));
    let pool6 = &pools[&"fd00:1::/48".parse().unwrap()];
    assert_eq!((pool6.block_size, pool6.ipip_mode), (120, IpipMode::Never));
    assert_eq!((pool6.export, pool6.nat_outgoing), (PoolExport::Allowed, NatOutgoing::Off));
    assert_eq!(loaded.intent.log.level, LogLevel::Warn);
    assert_eq!(tunnel.mtu, None);
    assert_eq!(setting(&loaded, "pools[0].ipip_mode"), "env CALICO_IPV4POOL_IPIP \"cross-subnet\"");
}

#[test]
fn a_files_pools_replace_calicos_and_inherit_what_they_leave_unsaid() {
    let environment = [("CALICO_IPV4POOL_CIDR", "192.168.0.0/16"), ("CALICO_IPV4POOL_IPIP", "Always")];
    let file = "[[pools]]\ncidr = \"10.1.0.0/16\"\n[[pools]]\ncidr = \"10.2.0.0/16\"\nipip_mode = \"Never\"\n\
                [[pools]]\ncidr = \"fd00:1::/48\"";
    let pools = load_layers(&environment, file, Flags::default()).unwrap().intent.pools;
    let modes: Vec<_> = pools.iter().map(|(cidr, pool)| format!("{cidr} {}", pool.ipip_mode)).collect();
    assert_eq!(modes, ["10.1.0.0/16 Always", "10.2.0.0/16 Never", "fd00:1::/48 Never"]);
}

#[test]
fn unknown_variables_of_ours_are_errors() {
    let environment = [
        ("SISKIN__BGP__LISTEN_PROT", "1"),
        ("SISKIN__BPG__LISTEN_PORT", "1"),
        ("SISKIN__PEERS__ASN", "1"),
        ("SISKIN__BGP__HOLD_TIME", "soon"),
        ("SISKIN_SOCKET", "not of these"),
    ];
    assert_eq!(
        load_layers(&environment, "", Flags::default()).unwrap_err().to_string(),
        "\
env SISKIN__BGP__HOLD_TIME: bgp.hold_time: `soon` is not a whole number
env SISKIN__BGP__LISTEN_PROT: unknown key `bgp.listen_prot`; did you mean `listen_port`?
env SISKIN__BPG__LISTEN_PORT: unknown section `bpg`; did you mean `bgp`?
env SISKIN__PEERS__ASN: [[peers]] is a list of tables; write it in the file, or use --peer or --pool"
    );
}

#[test]
fn lists_in_variables_are_parted_by_commas() {
    let environment = [("SISKIN__BGP__MESH", "192.168.92.130, 192.168.92.129")];
    let intent = load_layers(&environment, "", Flags::default()).unwrap().intent;
    assert_eq!(intent.mesh.nodes.len(), 2);
}

#[test]
fn flags_make_a_file_unnecessary() {
    let flags = Flags {
        node_address: Some("192.168.92.128/24".into()),
        peer: vec!["192.168.92.129,64512".into(), "10.0.0.1,64600,multihop=2,families=ipv4+ipv6".into()],
        pool: vec!["172.16.0.0/16,CrossSubnet".into()],
        block: vec!["172.16.241.64/26".into()],
        set: vec!["bgp.hold_time=9".into()],
        ..Flags::default()
    };
    let inputs = Inputs { flags, ..Inputs::default() };
    let intent = load(&inputs, &FakeHost::default()).unwrap().intent;
    assert_eq!(intent.peers.keys().collect::<Vec<_>>(), ["10.0.0.1", "192.168.92.129"]);
    assert_eq!(intent.peers["10.0.0.1"].families.iter().count(), 2);
    assert_eq!(intent.peers["10.0.0.1"].timers.hold_time.as_secs(), 9);
    assert_eq!(intent.pools.len(), 1);
    assert_eq!(intent.blocks.len(), 1);
}

#[test]
fn wrong_flags_name_themselves() {
    let flags = Flags {
        peer: vec!["10.0.0.1,64600,password=x".into(), "10.0.0.2,1,hops=3".into(), "10.0.0.3".into()],
        set: vec!["bgp".into(), "bgp.port=1".into()],
        ..Flags::default()
    };
    let error = load_layers(&[], "", flags).unwrap_err().to_string();
    assert_eq!(
        error,
        "\
flag --peer: peers[0]: a password on the command line can be seen by everybody; use password_file
flag --peer: peers[0].asn: this key is missing; say asn = ...
flag --peer: peers[1]: unknown key `hops`; the nearest known one is `port`
flag --set: `bgp` is not SECTION.KEY=VALUE; as in --set bgp.hold_time=30
flag --set: unknown key `bgp.port`; did you mean `listen_port`?"
    );
}

#[test]
fn the_shown_configuration_loads_to_the_same_intent() {
    let file = "[bgp]\nmesh = [\"192.168.92.129\"]\n[[peers]]\naddress = \"10.0.0.1\"\nasn = 64600\n\
                [[pools]]\ncidr = \"172.16.0.0/16\"\nipip_mode = \"always\"\n[local]\nblocks = [\"172.16.1.0/26\"]";
    let first = load_layers(&[], file, Flags::default()).unwrap();
    let shown = show(&first, Origins::Hidden);
    let second = load_layers(&[], &shown, Flags::default()).unwrap_or_else(|e| panic!("{e}\n{shown}"));
    assert_eq!(second.intent, first.intent);
}

#[test]
fn secrets_are_never_shown() {
    let file = "[[peers]]\naddress = \"10.0.0.1\"\nasn = 1\npassword = \"hunter2\"";
    let loaded = load_layers(&[], file, Flags::default()).unwrap();
    for text in [show(&loaded, Origins::Shown), show_json(&loaded).to_string(), format!("{loaded:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert!(show(&loaded, Origins::Shown).contains("password = (hidden)"));
}

proptest::proptest! {
    #[test]
    fn the_highest_layer_that_speaks_is_heard(layers: [Option<u16>; 4]) {
        let [calico, file, ours, flag] = layers.map(|asn| asn.map(|asn| u32::from(asn) + 100_000));
        let mut environment = BTreeMap::from([("SISKIN_CALICO_ENV".to_owned(), "1".to_owned())]);
        environment.extend(calico.map(|asn| ("AS".to_owned(), asn.to_string())));
        environment.extend(ours.map(|asn| ("SISKIN__NODE__ASN".to_owned(), asn.to_string())));
        let text = file.map(|asn| format!("[node]\nasn = {asn}")).unwrap_or_default();
        let flags = Flags { asn: flag.map(|asn| asn.to_string()), ..Flags::default() };
        let inputs = Inputs { environment, flags, ..inputs_of(&text) };
        let loaded = load(&inputs, &FakeHost::with_file(&text)).unwrap();
        let wanted = flag.or(ours).or(file).or(calico).unwrap_or(64512);
        proptest::prop_assert_eq!(loaded.intent.node.asn.0, wanted);
    }

    #[test]
    fn no_text_panics_and_every_error_has_a_place(
        text in r#"(\[{1,2}(node|bgp|peers|pools|local|tunnel)\]{1,2}\n|[a-z_]{1,8} ?= ?[^\n]{0,12}\n|cidr = "[0-9a-f.:/]{0,12}"\n|address = "[0-9a-f.:/]{0,12}"\n|asn = [0-9"]{1,4}\n){0,8}"#
    ) {
        if let Err(error) = load(&inputs(&[], Flags::default()), &FakeHost::with_file(&text)) {
            for problem in error.problems {
                proptest::prop_assert!(!problem.what.is_empty());
            }
        }
    }
}

#[test]
fn calicos_names_count_only_when_they_are_asked_for_and_a_note_names_them() {
    let file = "[bgp]\nmesh = [\"192.168.92.2\"]";
    let seen =
        [("AS", "x86_64-linux-gnu-as"), ("IP", "10.9.9.9"), ("CALICO_IPV4POOL_CIDR", ""), ("PATH", "/bin")];
    let with = |environment: &[(&str, &str)], flags: Flags| {
        load(&inputs(environment, flags), &FakeHost::with_file(file))
    };
    let plain = with(&seen, Flags::default()).unwrap();
    assert_eq!(plain.intent, with(&[], Flags::default()).unwrap().intent, "they change nothing");
    let note = "AS, IP in the environment: ignored; Calico's names count with --calico-env or SISKIN_CALICO_ENV=1 only";
    assert_eq!((plain.notes, plain.warnings), (vec![note.to_owned()], vec![]));
    assert!(with(&[("PATH", "/bin")], Flags::default()).unwrap().notes.is_empty());

    let as_number = [("AS", "65000"), ("CALICO_IPV4POOL_VXLAN", "Always")];
    let asked = with(&as_number, Flags { calico_env: true, ..Flags::default() }).unwrap();
    assert_eq!(asked.intent.node.asn.0, 65000);
    assert_eq!(asked.notes, ["CALICO_IPV4POOL_VXLAN in the environment: ignored; siskin has no VXLAN"]);
    for (word, asn) in [("1", 65000), ("true", 65000), ("0", 64512), ("", 64512), ("no", 64512)] {
        let loaded = with(&[("AS", "65000"), ("SISKIN_CALICO_ENV", word)], Flags::default()).unwrap();
        assert_eq!(loaded.intent.node.asn.0, asn, "{word:?}");
    }
    let error = with(&[("SISKIN_CALICO_ENV", "maybe")], Flags::default()).unwrap_err();
    assert_eq!(error.to_string(), "env SISKIN_CALICO_ENV: `maybe` is neither yes nor no; use 1 or 0");
    let wrong = with(&seen, Flags { calico_env: true, ..Flags::default() }).unwrap_err().to_string();
    assert!(wrong.starts_with("env AS: node.asn: "), "{wrong}");
}

#[test]
fn calico_makes_no_pool_where_it_is_told_not_to() {
    let environment = [("CALICO_IPV4POOL_CIDR", "172.16.0.0/16"), ("NO_DEFAULT_POOLS", "true")];
    assert!(load_layers(&environment, "", Flags::default()).unwrap().intent.pools.is_empty());
}
