//! Each key of the schema is changed once: a reload notices it, and applies it or says that it waits for a restart.

use std::collections::BTreeSet;

use super::*;

/// A key, what else its file says, and two of its values; an empty value leaves the key out.
type Row = (&'static str, &'static [&'static str], &'static str, &'static str);

const ROWS: &[Row] = &[
    ("node.name", &[], "\"a\"", "\"b\""),
    ("node.address", &[], "\"192.168.92.128/24\"", "\"192.168.92.128/16\""),
    ("node.address6", &[], "\"none\"", "\"fd00::128/64\""),
    ("node.autodetect", &["node.address = \"autodetect\""], "\"first-found\"", "\"interface=eth1\""),
    ("node.autodetect6", &["node.address6 = \"autodetect\""], "\"first-found\"", "\"interface=eth1\""),
    ("node.asn", &[], "64512", "64513"),
    ("node.router_id", &[], "\"1.1.1.1\"", "\"hash\""),
    ("bgp.listen_port", &[], "179", "1790"),
    ("bgp.listen", &[], "[]", "[\"192.168.92.128\"]"),
    ("bgp.bind", &[], "\"any\"", "\"node\""),
    ("bgp.mesh", &[], "[\"192.168.92.2\"]", "[\"192.168.92.3\"]"),
    ("bgp.mesh_password_file", &[], "", "\"/one\""),
    ("bgp.hold_time", &[], "90", "30"),
    ("bgp.keepalive_time", &[], "", "10"),
    ("bgp.connect_retry_time", &[], "5", "6"),
    ("bgp.graceful_restart_time", &[], "120", "0"),
    ("bgp.selection_deferral", &[], "30", "31"),
    ("bgp.med_missing", &[], "\"best\"", "\"worst\""),
    ("bgp.med_compare", &[], "\"same-as\"", "\"always\""),
    ("bgp.tie_break", &[], "\"router-id\"", "\"oldest\""),
    ("bgp.multipath", &[], "1", "2"),
    ("bgp.multipath_as_path", &[], "\"same\"", "\"relax\""),
    ("bgp.cluster_id", &[], "", "\"9.9.9.9\""),
    ("bgp.as_sets", &[], "\"reject\"", "\"accept\""),
    ("bgp.long_lived_to_all", &[], "false", "true"),
    ("bgp.graceful_shutdown", &[], "false", "true"),
    ("bgp.allow_reserved_ranges", &[], "false", "true"),
    ("bgp.open_delay", &[], "3", "0"),
    ("bgp.add_path", &[], "\"off\"", "\"both\""),
    ("bgp.add_path_limit", &[], "\"all\"", "4"),
    ("bgp.add_path_receive_limit", &[], "256", "8"),
    ("bgp.extended_messages", &[], "true", "false"),
    ("bgp.enhanced_refresh", &[], "true", "false"),
    ("bgp.extended_next_hop", &[], "false", "true"),
    ("bgp.long_lived_stale_time", &[], "0", "60"),
    ("bfd.mesh", &[], "\"off\"", "\"on\""),
    ("bfd.interval", &[], "300", "400"),
    ("bfd.multiplier", &[], "3", "5"),
    ("peers.name", &[], "\"tor\"", "\"left\""),
    ("peers.description", &[], "\"left\"", "\"right\""),
    ("peers.enabled", &[], "true", "false"),
    ("peers.address", &[], "\"10.0.0.1\"", "\"10.0.0.2\""),
    ("peers.range", &["peers.address"], "\"10.1.0.0/16\"", "\"10.2.0.0/16\""),
    ("peers.range_limit", &["peers.address", "peers.range = \"10.1.0.0/16\""], "100", "50"),
    ("peers.interface", &[], "", "\"eth0\""),
    ("peers.router_advertisements", &["peers.address", "peers.interface = \"eth0\""], "true", "false"),
    ("peers.port", &[], "179", "1790"),
    ("peers.asn", &[], "64600", "\"external\""),
    ("peers.source", &[], "\"node\"", "\"any\""),
    ("peers.families", &[], "[\"ipv4\"]", "[\"ipv4\", \"ipv6\"]"),
    ("peers.passive", &[], "false", "true"),
    ("peers.hold_time", &[], "90", "30"),
    ("peers.keepalive_time", &[], "", "10"),
    ("peers.connect_retry_time", &[], "5", "6"),
    ("peers.delay_open", &[], "0", "3"),
    ("peers.idle_hold_time", &[], "1", "2"),
    ("peers.idle_hold_max", &[], "60", "61"),
    ("peers.send_hold_time", &[], "", "480"),
    ("peers.handshake_time", &[], "240", "60"),
    ("peers.shutdown_text", &[], "\"a\"", "\"b\""),
    ("peers.withhold", &[], "[]", "[\"extended-message\"]"),
    ("peers.discard_attributes", &[], "[40]", "[40, \"128-254\"]"),
    ("peers.withdraw_attributes", &[], "[]", "[23]"),
    ("peers.next_hop", &[], "\"auto\"", "\"self\""),
    ("peers.route_reflector_client", &["peers.asn = 64512"], "false", "true"),
    ("peers.add_path", &[], "\"off\"", "\"both\""),
    ("peers.add_path_limit", &[], "\"all\"", "4"),
    ("peers.add_path_receive_limit", &[], "256", "8"),
    ("peers.extended_messages", &[], "true", "false"),
    ("peers.enhanced_refresh", &[], "true", "false"),
    ("peers.extended_next_hop", &[], "false", "true"),
    ("peers.long_lived_stale_time", &[], "0", "60"),
    ("peers.password", &[], "\"one\"", "\"two\""),
    ("peers.password_file", &[], "\"/one\"", "\"/two\""),
    ("peers.ao_key_file", &[], "\"/one\"", "\"/two\""),
    ("peers.ao_send_id", &["peers.ao_key_file = \"/one\""], "1", "2"),
    ("peers.ao_receive_id", &["peers.ao_key_file = \"/one\""], "1", "2"),
    ("peers.ao_algorithm", &["peers.ao_key_file = \"/one\""], "\"hmac-sha1\"", "\"aes128-cmac\""),
    ("peers.multihop", &[], "1", "2"),
    ("peers.ttl_security", &[], "1", "2"),
    ("peers.fast_fallover", &[], "true", "false"),
    ("peers.import", &[], "\"none\"", "\"from-tor\""),
    ("peers.export", &[], "\"blocks\"", "[\"blocks\", \"pools\"]"),
    ("peers.local_asn", &[], "", "64999"),
    ("peers.local_asn_path", &["peers.local_asn = 64999"], "\"prepend\"", "\"replace\""),
    ("peers.role", &[], "", "\"customer\""),
    ("peers.role_strict", &["peers.role = \"customer\""], "false", "true"),
    ("peers.allow_as_in", &[], "0", "1"),
    ("peers.enforce_first_as", &[], "true", "false"),
    ("peers.remove_private_as", &[], "\"off\"", "\"all\""),
    ("peers.as_override", &[], "false", "true"),
    ("peers.weight", &[], "0", "1"),
    ("peers.send_communities", &[], "[\"standard\"]", "[\"large\"]"),
    ("peers.long_lived_to_all", &["peers.asn = 64512"], "false", "true"),
    ("peers.graceful_shutdown", &[], "false", "true"),
    ("peers.blackhole", &[], "false", "true"),
    ("peers.default_originate", &[], "false", "true"),
    ("peers.install", &[], "true", "false"),
    ("peers.max_prefixes", &[], "1000", "\"unlimited\""),
    ("peers.max_attribute_octets", &[], "268435456", "\"unlimited\""),
    ("peers.max_prefixes_action", &[], "\"restart\"", "\"block\""),
    ("peers.max_prefixes_restart", &[], "120", "0"),
    ("peers.max_prefixes_warn_at", &[], "75", "80"),
    ("peers.bfd", &[], "\"off\"", "\"on\""),
    ("peers.bfd_interval", &["peers.bfd = \"on\""], "300", "400"),
    ("peers.bfd_min_tx", &["peers.bfd = \"on\""], "300", "400"),
    ("peers.bfd_min_rx", &["peers.bfd = \"on\""], "300", "400"),
    ("peers.bfd_multiplier", &["peers.bfd = \"on\""], "3", "5"),
    ("peers.bfd_multihop", &["peers.bfd = \"on\""], "\"auto\"", "\"on\""),
    ("policies.name", &["peers.import = \"all\""], "\"from-tor\"", "\"to-tor\""),
    ("policies.default", &[], "\"next\"", "\"accept\""),
    ("policies.terms.name", &[], "\"one\"", "\"two\""),
    ("policies.terms.prefixes", &[], "\"10.0.0.0/8\"", "\"10.0.0.0/8 ge 24\""),
    ("policies.terms.not_prefixes", &[], "", "\"10.0.0.0/8\""),
    ("policies.terms.family", &[], "\"ipv4\"", "\"ipv6\""),
    ("policies.terms.next_hops", &[], "", "\"10.0.0.0/8\""),
    ("policies.terms.not_next_hops", &[], "", "\"10.0.0.0/8\""),
    ("policies.terms.interfaces", &[], "\"eth0\"", "\"eth*\""),
    ("policies.terms.not_interfaces", &[], "\"eth0\"", "\"eth*\""),
    ("policies.terms.peers", &[], "", "\"tor\""),
    ("policies.terms.not_peers", &[], "", "\"tor\""),
    ("policies.terms.peer_type", &[], "\"internal\"", "\"external\""),
    ("policies.terms.source", &[], "", "\"learned\""),
    ("policies.terms.learned_from", &[], "", "\"tor\""),
    ("policies.terms.not_learned_from", &[], "", "\"tor\""),
    ("policies.terms.communities", &[], "\"65000:1\"", "\"65000:2\""),
    ("policies.terms.all_communities", &[], "[\"65000:1\"]", "[\"65000:1\", \"65000:2\"]"),
    ("policies.terms.not_communities", &[], "", "\"no-export\""),
    ("policies.terms.as_paths", &[], "\"?\"", "\"+\""),
    ("policies.terms.not_as_paths", &[], "", "\"?\""),
    ("policies.terms.as_path_contains", &[], "1", "2"),
    ("policies.terms.neighbor_as", &[], "1", "2"),
    ("policies.terms.origin_as", &[], "1", "2"),
    ("policies.terms.as_path_length", &[], "3", "\"<=3\""),
    ("policies.terms.origin", &[], "\"igp\"", "\"incomplete\""),
    ("policies.terms.local_pref", &[], "100", "101"),
    ("policies.terms.med", &[], "\"none\"", "0"),
    ("policies.terms.weight", &[], "0", "1"),
    ("policies.terms.delete_communities", &[], "", "\"65000:*\""),
    ("policies.terms.set_communities", &[], "", "[]"),
    ("policies.terms.add_communities", &[], "", "\"64512:1\""),
    ("policies.terms.prepend", &[], "1", "2"),
    ("policies.terms.prepend_asn", &["policies.terms.prepend = 1"], "", "64600"),
    ("policies.terms.set_local_pref", &[], "", "200"),
    ("policies.terms.set_med", &[], "", "\"+10\""),
    ("policies.terms.set_origin", &[], "", "\"igp\""),
    ("policies.terms.set_weight", &[], "", "10"),
    ("policies.terms.set_next_hop", &[], "", "\"192.168.92.1\""),
    ("policies.terms.then", &[], "\"accept\"", "\"reject\""),
    ("prefix_sets.name", &[], "\"a\"", "\"b\""),
    ("prefix_sets.prefixes", &[], "[\"10.0.0.0/8\"]", "[\"10.0.0.0/9\"]"),
    ("community_sets.name", &[], "\"a\"", "\"b\""),
    ("community_sets.communities", &[], "[\"65000:1\"]", "[\"65000:2\"]"),
    ("as_path_sets.name", &[], "\"a\"", "\"b\""),
    ("as_path_sets.as_paths", &[], "[\"?\"]", "[\"+\"]"),
    ("pools.cidr", &[], "\"172.16.0.0/16\"", "\"172.17.0.0/16\""),
    ("pools.block_size", &[], "26", "25"),
    ("pools.ipip_mode", &[], "\"Always\"", "\"Never\""),
    ("pools.export", &[], "true", "false"),
    ("pools.nat_outgoing", &[], "false", "true"),
    ("local.blocks", &[], "[\"172.16.0.0/26\"]", "[\"172.16.1.0/26\"]"),
    ("local.interfaces", &[], "[\"cali*\"]", "[\"veth*\"]"),
    ("tunnel.address", &[], "\"172.16.0.1\"", "\"172.16.0.2\""),
    ("tunnel.mtu", &[], "\"auto\"", "1400"),
    ("tunnel.route_mtu", &[], "\"off\"", "\"auto\""),
    ("tunnel.pmtudisc", &[], "\"keep\"", "\"on\""),
    ("tunnel.source", &[], "\"route\"", "\"node\""),
    ("tunnel.next_hops", &[], "[]", "[\"10.0.0.0/8\"]"),
    ("tunnel.guard", &[], "\"on\"", "\"off\""),
    ("tunnel.allow_from", &[], "[]", "[\"10.0.0.0/8\"]"),
    ("tunnel.allow_to", &[], "[]", "[\"10.0.0.0/8\"]"),
    ("tunnel.keep_addresses", &[], "[]", "[\"10.0.0.0/8\"]"),
    ("tunnel.guard_grace", &[], "30", "31"),
    ("tunnel.guard_bind", &[], "false", "true"),
    ("tunnel.guard_mark", &[], "\"0x3fff\"", "\"0x1fff\""),
    ("tunnel.sysctls", &[], "\"report\"", "\"set\""),
    ("kernel.protocol", &[], "179", "\"bird\""),
    ("kernel.table", &[], "\"main\"", "100"),
    ("kernel.metric", &[], "0", "1"),
    ("kernel.adopt", &[], "[]", "[\"bird\"]"),
    ("kernel.nexthop_objects", &[], "\"auto\"", "\"on\""),
    ("kernel.blackhole_community", &[], "\"ignore\"", "\"discard\""),
    ("bmp.address", &[], "\"192.0.2.9:1790\"", "\"192.0.2.9:1791\""),
    ("bmp.tables", &[], "[\"received\"]", "[\"accepted\"]"),
    ("bmp.statistics", &[], "60", "0"),
    ("bmp.retry", &[], "2", "3"),
    ("mrt.table", &[], "", "\"/t\""),
    ("mrt.table_every", &["mrt.table = \"/t.%Y%m%d.%H%M%S\""], "7200", "3600"),
    ("mrt.updates", &[], "", "\"/u\""),
    ("mrt.updates_every", &["mrt.updates = \"/u.%Y%m%d.%H%M%S\""], "900", "600"),
    ("api.socket", &[], "\"/a\"", "\"/b\""),
    ("api.socket_group", &[], "\"a\"", "\"b\""),
    ("api.read_socket", &[], "\"off\"", "\"/b\""),
    ("api.read_socket_group", &[], "\"a\"", "\"b\""),
    ("api.http_hosts", &[], "[]", "[\"node1.example\"]"),
    ("api.runtime_directory", &[], "\"/run/siskin\"", "\"/b\""),
    ("api.http", &[], "\"off\"", "\"127.0.0.1:1\""),
    ("log.level", &[], "\"info\"", "\"debug\""),
    ("log.format", &[], "\"text\"", "\"json\""),
];

/// What every file says beside a key and its context, so that the key has something to work on.
const BASE: &[&str] = &[
    "node.name = \"a\"",
    "peers.name = \"tor\"",
    "peers.address = \"10.0.0.1\"",
    "peers.asn = 64600",
    "peers.import = \"from-tor\"",
    "policies.name = \"from-tor\"",
    "policies.terms.name = \"one\"",
    "policies.terms.then = \"accept\"",
    "prefix_sets.name = \"a\"",
    "prefix_sets.prefixes = [\"10.0.0.0/8\"]",
    "community_sets.name = \"a\"",
    "community_sets.communities = [\"65000:1\"]",
    "as_path_sets.name = \"a\"",
    "as_path_sets.as_paths = [\"?\"]",
    "pools.cidr = \"172.16.0.0/16\"",
    "bmp.address = \"192.0.2.9:1790\"",
];

/// A file that says the base, overridden by the context and then by the key. A context without a value takes a key out.
fn file(key: &str, context: &[&str], value: &str) -> String {
    let mut lines: BTreeMap<(&str, &str), String> = BTreeMap::new();
    let own = format!("{key} = {value}");
    for line in BASE.iter().chain(context).copied().chain([own.as_str()]) {
        let (path, value) = line.split_once(" = ").unwrap_or((line, ""));
        let place = path.rsplit_once('.').unwrap();
        match value {
            "" => _ = lines.remove(&place),
            _ => _ = lines.insert(place, format!("{} = {value}\n", place.1)),
        }
    }
    let mut text = String::new();
    let mut last = "";
    for ((section, _), line) in &lines {
        if *section != last {
            let root = section.split('.').next().unwrap();
            let heading = match schema::section(root).unwrap().shape {
                schema::Shape::Table => format!("[{section}]\n"),
                schema::Shape::Tables => format!("[[{section}]]\n"),
            };
            text.push_str(&heading);
            last = section;
        }
        text.push_str(line);
    }
    text
}

fn host(text: &str) -> FakeHost {
    let mut host = FakeHost::with_file(text).file("/one", "one").file("/two", "two");
    host.interfaces.push(interface(1, "eth1", &["10.7.0.1/24", "fd07::1/64"]));
    host
}

fn every_key() -> Vec<String> {
    fn of(path: &str, section: &schema::Section, keys: &mut Vec<String>) {
        for key in section.keys {
            let path = format!("{path}.{}", key.name);
            match key.kind {
                schema::Kind::Tables(inner) => of(&path, inner, keys),
                _ => keys.push(path),
            }
        }
    }
    let mut keys = Vec::new();
    schema::SECTIONS.iter().for_each(|section| of(section.name, section, &mut keys));
    keys
}

#[test]
fn the_rows_are_the_keys_of_the_schema() {
    let rows: BTreeSet<_> = ROWS.iter().map(|(key, ..)| (*key).to_owned()).collect();
    let keys: BTreeSet<_> = every_key().into_iter().collect();
    let missing: Vec<_> = keys.difference(&rows).collect();
    let gone: Vec<_> = rows.difference(&keys).collect();
    assert!(missing.is_empty() && gone.is_empty(), "write rows for {missing:?}, drop those for {gone:?}");
}

#[test]
fn a_change_of_any_key_is_noticed_and_applied_or_waits_for_a_restart() {
    let inputs = inputs(&[], Flags::default());
    for (key, context, before, after) in ROWS {
        for (before, after) in [(before, after), (after, before)] {
            let (old, new) = (file(key, context, before), file(key, context, after));
            let loaded = load(&inputs, &host(&old)).unwrap_or_else(|e| panic!("{key}: {e}\n{old}"));
            let wanted = load(&inputs, &host(&new)).unwrap_or_else(|e| panic!("{key}: {e}\n{new}")).intent;
            let running = loaded.intent.clone();
            let mut reloader = Reloader::new(inputs.clone(), loaded.into());
            let outcome = reloader.reload(&host(&new), Consent::Given);
            let Outcome::Changed(change) = outcome else { panic!("{key}: {outcome:?}\n{old}{new}") };
            let (section, name) = key.split_once('.').unwrap();
            let restart = schema::section(section)
                .and_then(|section| section.key(name))
                .is_some_and(|key| key.applies == schema::Applies::Restart);
            let pending: Vec<_> = change.pending.iter().map(|pending| pending.key.as_str()).collect();
            if restart {
                assert_eq!(pending, [*key], "{key} waits");
                assert_eq!(change.intent, running, "{key} keeps its running value");
            } else {
                assert!(pending.is_empty(), "{key}: {pending:?}");
                assert_eq!(change.intent, wanted, "{key} is applied");
                assert!(!change.applied.is_empty(), "{key} is told");
            }
            assert!(matches!(reloader.reload(&host(&new), Consent::Given), Outcome::Unchanged), "{key} once");
        }
    }
}

#[test]
fn a_change_without_words_of_its_own_is_told_by_the_name_of_its_part() {
    let running = intent("[[peers]]\naddress = \"10.0.0.1\"\nasn = 1\nname = \"tor\"");
    let mut new = running.clone();
    // No key leads to this field, so no fact can name it.
    new.peers.get_mut("tor").unwrap().timers.first_open_delay = std::time::Duration::from_secs(9);
    let change = Change::between(&running, &new);
    assert_eq!(change.applied, ["peers[tor]: changed"]);
    assert_eq!(change.intent, new);
}
