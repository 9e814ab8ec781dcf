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
                [api]\nsocket = \"/s\"\nruntime_directory = \"/r\"\nhttp = \"127.0.0.1:1\"\n[log]\nformat = \"json\"";
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
    let mut reloader = Reloader::new(inputs.clone(), load(&inputs, &host).unwrap());
    assert!(matches!(reloader.reload(&host), Outcome::Unchanged));
    let running = reloader.loaded().intent.clone();

    host = host.file(FILE, "[bgp]\nhold_tim");
    assert!(matches!(reloader.reload(&host), Outcome::Refused(_)));
    assert!(matches!(reloader.reload(&host), Outcome::Unchanged));
    assert!(reloader.refused().is_some());
    assert_eq!(reloader.loaded().intent, running);

    host = host.file(FILE, &RUNNING.replace("Always", "Never"));
    assert!(matches!(reloader.reload(&host), Outcome::Changed(_)));
    assert!(reloader.refused().is_none());
}

#[test]
fn a_detected_address_changes_but_never_to_none() {
    let mut host = FakeHost::with_file("");
    let inputs = inputs(&[], Flags::default());
    let mut reloader = Reloader::new(inputs.clone(), load(&inputs, &host).unwrap());

    host.interfaces = vec![interface(2, "eth0", &["192.168.92.7/24"])];
    let Outcome::Changed(change) = reloader.reload(&host) else { panic!("the address changed") };
    assert_eq!(change.warnings, ["node.address has changed: sessions bound to it start anew"]);
    assert!(change.applied.contains(&"node.address: 192.168.92.128/24 -> 192.168.92.7/24".to_owned()));

    host.interfaces = Vec::new();
    assert!(matches!(reloader.reload(&host), Outcome::Refused(_)));
    assert_eq!(reloader.loaded().intent.node.address, Some("192.168.92.7/24".parse().unwrap()));
}

#[test]
fn a_change_that_waits_is_told_once() {
    let mut host = FakeHost::with_file(RUNNING);
    let inputs = inputs(&[], Flags::default());
    let mut reloader = Reloader::new(inputs.clone(), load(&inputs, &host).unwrap());
    host = host.file(FILE, &format!("{RUNNING}[kernel]\nmetric = 5"));
    let Outcome::Changed(change) = reloader.reload(&host) else { panic!("the metric changed") };
    assert!(change.applied.is_empty());
    assert!(matches!(reloader.reload(&host), Outcome::Unchanged));
    assert_eq!(reloader.loaded().pending.len(), 1);
    assert!(show(reloader.loaded(), Origins::Hidden).contains("# kernel.metric: 0 runs, 5 needs a restart"));
}
