use super::*;

const RUNNING: &str =
    "[bgp]\nmesh = [\"192.168.92.129\"]\n[[pools]]\ncidr = \"172.16.0.0/16\"\nipip_mode = \"Always\"\n";

fn change(new: &str) -> Change {
    Change::between(&intent(RUNNING), &intent(new))
}

#[test]
fn a_changed_mode_is_the_only_change() {
    let change = change(&RUNNING.replace("Always", "CrossSubnet"));
    assert_eq!(change.applied, ["pools[172.16.0.0/16].ipip_mode: Always -> CrossSubnet"]);
    assert_eq!(change.pending, []);
}

#[test]
fn an_added_and_a_removed_peer_are_named_once() {
    let peer = "[[peers]]\naddress = \"10.0.0.1\"\nasn = 1\nname = \"tor\"\n";
    assert_eq!(change(&format!("{RUNNING}{peer}")).applied, ["peers[tor]: added"]);
    let back = Change::between(&intent(&format!("{RUNNING}{peer}")), &intent(RUNNING));
    assert_eq!(back.applied, ["peers[tor]: removed"]);
}

#[test]
fn keys_that_need_a_restart_wait_and_are_listed() {
    let change = change(&format!(
        "{}listen_port = 1790\n[kernel]\nprotocol = \"bird\"\n[log]\nlevel = \"debug\"",
        RUNNING.split("[[pools]]").next().unwrap()
    ));
    let applied =
        ["bgp.listen_port: 179 -> 1790", "log.level: info -> debug", "pools[172.16.0.0/16]: removed"];
    assert_eq!(change.applied, applied);
    let pending: Vec<_> =
        change.pending.iter().map(|p| format!("{} {} {}", p.key, p.running, p.configured)).collect();
    assert_eq!(pending, ["kernel.protocol 179 12"]);
    assert_eq!(change.intent.kernel.protocol, 179);
}

#[test]
fn every_key_that_needs_a_restart_keeps_its_running_value() {
    let text = "[kernel]\nprotocol = 12\ntable = 7\nmetric = 1\n\
                [api]\nsocket = \"/s\"\nsocket_group = \"a\"\nread_socket = \"/t\"\nread_socket_group = \"b\"\n\
                http_hosts = [\"n\"]\nruntime_directory = \"/r\"\nhttp = \"127.0.0.1:1\"\n[log]\nformat = \"json\"";
    let running = intent("");
    let change = Change::between(&running, &intent(text));
    assert_eq!(change.intent, running);
    let keys: Vec<_> = change.pending.iter().map(|p| p.key.as_str()).collect();
    let restart = schema::SECTIONS.iter().flat_map(|s| {
        let keys = s.keys.iter().filter(|k| k.applies == schema::Applies::Restart);
        keys.map(|k| format!("{}.{}", s.name, k.name))
    });
    let mut restart: Vec<_> = restart.collect();
    restart.sort();
    assert_eq!(keys, restart);
}

#[test]
fn a_new_password_is_told_without_being_shown() {
    let text = format!("{RUNNING}[[peers]]\naddress = \"10.0.0.1\"\nasn = 1\npassword = \"one\"");
    let change = Change::between(&intent(&text), &intent(&text.replace("one", "two")));
    assert_eq!(change.applied, ["peers[10.0.0.1].password: changed"]);
}

#[test]
fn an_invalid_file_is_refused_once_and_what_runs_goes_on() {
    let mut host = FakeHost::with_file(RUNNING);
    let inputs = inputs(&[], Flags::default());
    let mut reloader = Reloader::new(inputs.clone(), load(&inputs, &host).unwrap().into());
    assert!(matches!(reloader.reload(&host, Consent::Needed), Outcome::Unchanged));
    let running = reloader.loaded().intent.clone();

    host = host.file(FILE, "[bgp]\nhold_tim");
    assert!(matches!(reloader.reload(&host, Consent::Needed), Outcome::Refused(_)));
    assert!(matches!(reloader.reload(&host, Consent::Needed), Outcome::Unchanged));
    assert!(reloader.refused().is_some());
    assert_eq!(reloader.loaded().intent, running);

    host = host.file(FILE, &RUNNING.replace("Always", "Never"));
    assert!(matches!(reloader.reload(&host, Consent::Needed), Outcome::Changed(_)));
    assert!(reloader.refused().is_none());
}

#[test]
fn a_detected_address_changes_but_never_to_none() {
    let mut host = FakeHost::with_file("");
    let inputs = inputs_of("");
    let mut reloader = Reloader::new(inputs.clone(), load(&inputs, &host).unwrap().into());

    host.interfaces = vec![interface(2, "eth0", &["192.168.92.7/24"])];
    let Outcome::Changed(change) = reloader.reload(&host, Consent::Needed) else {
        panic!("the address changed")
    };
    assert_eq!(change.warnings, ["node.address has changed: sessions bound to it start anew"]);
    assert!(change.applied.contains(&"node.address: 192.168.92.128/24 -> 192.168.92.7/24".to_owned()));

    host.interfaces = Vec::new();
    assert!(matches!(reloader.reload(&host, Consent::Needed), Outcome::Refused(_)));
    assert_eq!(reloader.loaded().intent.node.address, Some("192.168.92.7/24".parse().unwrap()));
}

#[test]
fn a_change_that_waits_is_told_once() {
    let mut host = FakeHost::with_file(RUNNING);
    let inputs = inputs(&[], Flags::default());
    let mut reloader = Reloader::new(inputs.clone(), load(&inputs, &host).unwrap().into());
    host = host.file(FILE, &format!("{RUNNING}[kernel]\nmetric = 5"));
    let Outcome::Changed(change) = reloader.reload(&host, Consent::Needed) else {
        panic!("the metric changed")
    };
    assert!(change.applied.is_empty());
    assert!(matches!(reloader.reload(&host, Consent::Needed), Outcome::Unchanged));
    assert_eq!(reloader.loaded().pending.len(), 1);
    assert!(show(reloader.loaded(), Origins::Hidden).contains("# kernel.metric: 0 runs, 5 needs a restart"));
}

#[test]
fn a_password_that_gives_way_to_a_key_of_tcp_ao_is_a_change() {
    let text = "[[peers]]\naddress = \"10.0.0.1\"\nasn = 1\npassword = \"one\"";
    let ao = text.replace("password = \"one\"", "ao_key_file = \"/ao\"");
    let host = FakeHost::with_file(&ao).file("/ao", "one");
    let new = load(&inputs(&[], Flags::default()), &host).unwrap().intent;
    assert_eq!(
        Change::between(&intent(text), &new).applied,
        ["peers[10.0.0.1].password: TCP MD5 -> TCP-AO with hmac-sha1, sends 1, receives 1"]
    );
}

/// What each change would leave nothing of.
const GRAVE: &[(&str, &str, &str)] = &[
    (
        "[node]\nrouter_id = \"hash\"\naddress6 = \"fd00::128/64\"",
        "[node]\nrouter_id = \"hash\"\naddress = \"none\"\naddress6 = \"fd00::128/64\"",
        "node.address (192.168.92.128/24)",
    ),
    ("[node]\naddress6 = \"fd00::128/64\"", "[node]\nasn = 64512", "node.address6 (fd00::128/64)"),
    ("[bgp]\nmesh = [\"192.168.92.2\", \"192.168.92.3\"]", "[bgp]\nmesh = []", "all 2 peers"),
    ("[[peers]]\naddress = \"10.0.0.1\"\nasn = 1", "[bgp]\nmesh = []", "the only peer"),
    ("[[peers]]\nrange = \"10.0.0.0/8\"\nasn = 1", "[bgp]\nmesh = [\"192.168.92.128\"]", "the only peer"),
    (
        "[[pools]]\ncidr = \"172.16.0.0/16\"\n[[pools]]\ncidr = \"172.17.0.0/16\"",
        "[node]\nasn = 64512",
        "all 2 pools",
    ),
    (
        "[[pools]]\ncidr = \"172.16.0.0/16\"\n[local]\nblocks = [\"172.16.0.0/26\"]",
        "[[pools]]\ncidr = \"172.16.0.0/16\"",
        "the only local block",
    ),
];

#[test]
fn a_change_that_leaves_nothing_is_held_until_it_is_forced() {
    for (running, new, taken) in GRAVE {
        let inputs = inputs(&[], Flags::default());
        let before = FakeHost::with_file(running);
        let after = FakeHost::with_file(new);
        let loaded = load(&inputs, &before).unwrap_or_else(|e| panic!("{e}\n{running}"));
        let intent = loaded.intent.clone();
        let mut reloader = Reloader::new(inputs, loaded.into());

        let outcome = reloader.reload(&after, Consent::Needed);
        let Outcome::Held(held) = outcome else { panic!("{taken}: {outcome:?}") };
        assert_eq!(held.takes_away, [*taken]);
        assert!(!held.changes.is_empty());
        assert_eq!(reloader.loaded().intent, intent, "what runs goes on");
        assert!(matches!(reloader.reload(&after, Consent::Needed), Outcome::Unchanged), "told once");
        assert!(reloader.held().is_some(), "and still held");

        assert!(matches!(reloader.reload(&before, Consent::Needed), Outcome::Unchanged));
        assert!(reloader.held().is_none(), "the file says again what runs");

        assert!(matches!(reloader.reload(&after, Consent::Given), Outcome::Changed(_)), "forced");
        assert!(reloader.held().is_none());
        assert_ne!(reloader.loaded().intent, intent);
    }
}

#[test]
fn a_file_that_becomes_invalid_is_no_longer_pending() {
    let inputs = inputs(&[], Flags::default());
    let loaded = load(&inputs, &FakeHost::with_file(RUNNING)).unwrap();
    let mut reloader = Reloader::new(inputs, loaded.into());
    let without_peers = RUNNING.replace("\"192.168.92.129\"", "");
    assert!(matches!(
        reloader.reload(&FakeHost::with_file(&without_peers), Consent::Needed),
        Outcome::Held(_)
    ));
    assert!(matches!(reloader.reload(&FakeHost::with_file(""), Consent::Needed), Outcome::Refused(_)));
    assert!(reloader.held().is_none() && reloader.refused().is_some());
    assert!(
        matches!(reloader.reload(&FakeHost::with_file(""), Consent::Given), Outcome::Unchanged),
        "never forced"
    );
    assert!(matches!(
        reloader.reload(&FakeHost::with_file(&without_peers), Consent::Needed),
        Outcome::Held(_)
    ));
    assert!(reloader.held().is_some() && reloader.refused().is_none());
}

#[test]
fn an_emptied_password_file_ends_no_session() {
    let text = "[bgp]\nmesh = [\"192.168.92.2\"]\nmesh_password_file = \"/mesh\"\n\
                [[peers]]\naddress = \"10.0.0.1\"\nasn = 64512\nname = \"rr\"\nao_key_file = \"/ao\"";
    let whole = FakeHost::with_file(text).file("/mesh", "one").file("/ao", "two");
    let inputs = inputs(&[], Flags::default());
    let mut reloader = Reloader::new(inputs.clone(), load(&inputs, &whole).unwrap().into());
    let held = |reloader: &mut Reloader, host: &FakeHost| {
        let outcome = reloader.reload(host, Consent::Needed);
        let Outcome::Held(held) = outcome else { panic!("{outcome:?}") };
        held.takes_away
    };
    assert_eq!(held(&mut reloader, &whole.clone().file("/mesh", "")), ["the secret of the mesh"]);
    assert_eq!(held(&mut reloader, &whole.clone().file("/ao", "")), ["the secret of peers[rr]"]);
    assert!(matches!(reloader.reload(&whole, Consent::Needed), Outcome::Unchanged));
    let other = whole.clone().file("/mesh", "another");
    assert!(
        matches!(reloader.reload(&other, Consent::Needed), Outcome::Changed(_)),
        "another key is a change"
    );
    assert!(matches!(reloader.reload(&other.file("/ao", ""), Consent::Given), Outcome::Changed(_)), "forced");
}

#[test]
fn of_a_long_list_what_differs_is_told() {
    let mesh = |from: u32, to: u32| {
        let nodes: Vec<_> = (from..to).map(|n| format!("\"192.168.92.{n}\"")).collect();
        intent(&format!("[bgp]\nmesh = [{}]", nodes.join(",")))
    };
    assert_eq!(
        Change::between(&mesh(1, 101), &mesh(8, 103)).applied,
        [
            "bgp.mesh: added 2 (192.168.92.101, 192.168.92.102), removed 7 (192.168.92.1, 192.168.92.2, 192.168.92.3, \
          192.168.92.4, 192.168.92.5, ...)"
        ]
    );
}
