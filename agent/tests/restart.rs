//! A daemon that is killed and starts again: whom it waits for, and what becomes of routes in another place.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout, reason = "a test")]

#[allow(dead_code, reason = "what other tests use")]
mod support;

use std::{fs, path::PathBuf, thread::sleep, time::Duration};

use rustix::process::Signal;
use support::{Host, Namespace, Process, can_run, eventually, text};

const CONFIG: &str = r#"
[node]
name = "master01"
address = "192.168.92.128/24"
[bgp]
connect_retry_time = 1
open_delay = 0
selection_deferral = 100
[kernel]
KERNEL
"#;

const PEERS: &str = r#"
[[peers]]
name = "first"
address = "192.168.92.129"
asn = 64600
import = "all"
[[peers]]
name = "second"
address = "192.168.92.130"
asn = 64600
import = "all"
"#;

const RANGE: &str = r#"
[[peers]]
name = "rack"
range = "192.168.92.0/24"
asn = 64600
import = "all"
"#;

const FIRST: &str = "198.51.100.0/24 via 192.168.92.129 dev eth0";
const SECOND: &str = "203.0.113.0/24 via 192.168.92.130 dev eth0";

/// A host with two neighbours behind one cable.
struct Rig {
    host: Host,
    neighbours: Host,
    _dir: tempfile::TempDir,
}

impl Rig {
    fn new(peers: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (host, neighbours) = (Host::new(dir.path(), "master01"), Host::new(dir.path(), "tors"));
        Namespace::cable(&host.ns, &neighbours.ns, "192.168.92.128/24", "192.168.92.129/24");
        neighbours.ns.ip("address add 192.168.92.130/24 dev eth0");
        let rig = Self { host, neighbours, _dir: dir };
        rig.configure("", peers);
        rig
    }

    fn configure(&self, kernel: &str, peers: &str) {
        self.host.configure(&format!("{}{peers}", CONFIG.replace("KERNEL", kernel)));
    }

    fn bird(&self, name: &str, address: &str, prefix: &str) -> Process {
        let config = format!(
            "router id {address};
             protocol device {{}}
             protocol static {{ ipv4; route {prefix} blackhole; }}
             protocol bgp host {{
                 local {address} as 64600;
                 strict bind on;
                 neighbor 192.168.92.128 as 64512;
                 direct;
                 graceful restart on;
                 connect delay time 1;
                 ipv4 {{ import all; export all; next hop self; }};
             }}"
        );
        self.neighbours.bird_named(name, &config)
    }

    fn first(&self) -> Process {
        self.bird("first", "192.168.92.129", "198.51.100.0/24")
    }

    fn second(&self) -> Process {
        self.bird("second", "192.168.92.130", "203.0.113.0/24")
    }

    fn state_file(&self) -> PathBuf {
        let entries = fs::read_dir(self.host.dir.join("run")).expect("the runtime directory");
        let mut paths = entries.map(|entry| entry.expect("an entry").path());
        paths.find(|path| path.extension().is_some_and(|e| e == "state")).expect("a state file")
    }

    fn remembers(&self, names: &[&str]) -> bool {
        let state: serde_json::Value =
            serde_json::from_slice(&fs::read(self.state_file()).expect("reads")).expect("JSON");
        state["peers"] == serde_json::json!(names)
    }

    fn has(&self, routes: &[&str]) -> bool {
        self.host.ns.routes("179") == routes
    }

    /// Kills the daemon; the log of the next one begins anew.
    fn crash(&self, daemon: Process) {
        kill(daemon);
        fs::write(self.host.dir.join("log"), "").expect("writes");
    }

    fn log(&self) -> String {
        self.host.log()
    }

    /// What `status` prints; an empty text while nobody answers.
    fn status(&self) -> String {
        text(&self.host.cli("status").stdout)
    }
}

/// Kills a process, as the kernel does that runs out of memory.
fn kill(mut process: Process) {
    process.signal(Signal::KILL);
    process.exit_code();
}

/// One peer comes back at once, the other after more time than two attempts take: its route stays meanwhile.
fn the_second_comes_back_late(rig: &Rig, names: &[&str]) {
    let (_first, second) = (rig.first(), rig.second());
    let daemon = rig.host.run(&[]);
    eventually("both routes are there", || rig.has(&[FIRST, SECOND]));
    eventually("both peers are remembered", || rig.remembers(names));
    rig.crash(daemon);
    kill(second);
    let _daemon = rig.host.run(&[]);
    eventually("the first is back", || rig.status().contains("1 of "));
    sleep(Duration::from_secs(5));
    assert!(rig.status().contains(names[1]), "{}", rig.status());
    assert!(rig.has(&[FIRST, SECOND]), "{:?}", rig.host.ns.routes("179"));
    assert!(rig.remembers(names), "a second crash would find the same");
    let _second = rig.second();
    eventually("the restart is over", || rig.log().contains("restart complete"));
    assert!(rig.has(&[FIRST, SECOND]), "{:?}", rig.host.ns.routes("179"));
}

#[test]
fn a_peer_that_was_up_before_a_crash_is_waited_for_however_late_it_comes_back() {
    if can_run() {
        the_second_comes_back_late(&Rig::new(PEERS), &["first", "second"]);
    }
}

#[test]
fn the_hosts_of_a_range_that_were_up_before_a_crash_are_waited_for_too() {
    if can_run() {
        the_second_comes_back_late(&Rig::new(RANGE), &["rack/192.168.92.129", "rack/192.168.92.130"]);
    }
}

#[test]
fn whoever_was_not_up_or_is_not_configured_any_more_is_not_waited_for() {
    if !can_run() {
        return;
    }
    let rig = Rig::new(PEERS);
    let (_first, second) = (rig.first(), rig.second());
    let daemon = rig.host.run(&[]);
    eventually("both routes are there", || rig.has(&[FIRST, SECOND]));
    eventually("both peers are remembered", || rig.remembers(&["first", "second"]));
    rig.crash(daemon);
    kill(second);
    let (first_only, _) = PEERS.split_once("[[peers]]\nname = \"second\"").expect("two peers");
    rig.configure("", first_only);
    let _daemon = rig.host.run(&[]);
    eventually("the other's route goes", || rig.has(&[FIRST]));
    eventually("it is forgotten", || rig.remembers(&["first"]));
}

#[test]
fn without_what_was_remembered_every_peer_is_waited_for_and_the_log_says_why() {
    if !can_run() {
        return;
    }
    let rig = Rig::new(PEERS);
    let (_first, second) = (rig.first(), rig.second());
    let daemon = rig.host.run(&[]);
    eventually("both routes are there", || rig.has(&[FIRST, SECOND]));
    rig.crash(daemon);
    kill(second);
    fs::write(rig.state_file(), "{\"version\":1,\"pee").expect("writes");
    let _daemon = rig.host.run(&[]);
    eventually("the first is back", || rig.status().contains("1 of 2"));
    assert!(rig.log().contains("what the life before left is not known"), "{}", rig.log());
    sleep(Duration::from_secs(4));
    assert!(rig.has(&[FIRST, SECOND]), "{:?}", rig.host.ns.routes("179"));
    let _second = rig.second();
    eventually("the restart is over", || rig.log().contains("restart complete"));
    assert!(!rig.status().contains("waiting for") && rig.has(&[FIRST, SECOND]));
}

/// What the kernel holds of ours in any table and under the protocols that the tests use.
fn everywhere(host: &Host) -> Vec<String> {
    let lines = host.ns.ip("route show table all").lines().map(|l| l.trim().to_owned()).collect::<Vec<_>>();
    let ours = |line: &&String| line.contains("proto 179") || line.contains("proto 201");
    let mut found: Vec<_> = lines.iter().filter(ours).cloned().collect();
    found.sort_unstable();
    found
}

fn objects(host: &Host) -> Vec<String> {
    host.ns.ip("nexthop show").lines().map(|l| l.trim().to_owned()).collect()
}

#[test]
fn what_was_written_under_another_table_or_protocol_is_taken_over_or_removed_with_its_objects() {
    if !can_run() {
        return;
    }
    let rig = Rig::new(PEERS);
    rig.configure("nexthop_objects = \"on\"", PEERS);
    let (_first, _second) = (rig.first(), rig.second());
    let mut daemon = rig.host.run(&[]);
    eventually("both routes are there", || everywhere(&rig.host).len() == 2);
    let steps = [
        ("protocol = 201\nnexthop_objects = \"on\"", ["proto 201", "nhid"]),
        ("protocol = 201\ntable = 100\nnexthop_objects = \"off\"", ["table 100", "proto 201"]),
        ("protocol = 179\ntable = 100\nnexthop_objects = \"on\"", ["table 100", "proto 179"]),
        ("", ["proto 179", "via"]),
    ];
    for (kernel, marks) in steps {
        rig.crash(daemon);
        rig.configure(kernel, PEERS);
        daemon = rig.host.run(&[]);
        eventually("the restart is over", || rig.log().contains("restart complete"));
        let moved = || {
            let found = everywhere(&rig.host);
            found.len() == 2 && found.iter().all(|line| marks.iter().all(|mark| line.contains(mark)))
        };
        eventually(&format!("only the new place has routes ({kernel:?})"), moved);
        eventually("it is said", || rig.log().contains("removed what the life before left"));
        eventually("and over", || !rig.status().contains("routes from before"));
        assert!(!rig.status().contains("conflict"));
    }
    eventually("no object of before is left", || objects(&rig.host).is_empty());
}

#[test]
fn routes_of_our_own_protocol_before_are_replaced_in_place_and_never_missing() {
    if !can_run() {
        return;
    }
    let rig = Rig::new(PEERS);
    let (_first, _second) = (rig.first(), rig.second());
    let daemon = rig.host.run(&[]);
    eventually("both routes are there", || rig.has(&[FIRST, SECOND]));
    let seen = rig.host.dir.join("monitor");
    let mut command = rig.host.ns.command("ip");
    let out = fs::File::create(&seen).expect("a file");
    let monitor = Process(command.args(["monitor", "route"]).stdout(out).spawn().expect("starts"));
    let log = || fs::read_to_string(&seen).expect("a file");
    eventually("the monitor sees a canary", || {
        rig.host.ns.ip("route add 192.0.2.1/32 via 192.168.92.129");
        rig.host.ns.ip("route del 192.0.2.1/32");
        log().contains("Deleted 192.0.2.1")
    });
    rig.crash(daemon);
    rig.configure("protocol = 201", PEERS);
    let _daemon = rig.host.run(&[]);
    eventually("both are of the new protocol", || rig.host.ns.routes("201").len() == 2);
    eventually("nothing is left", || rig.log().contains("removed what the life before left"));
    drop(monitor);
    let lost = |line: &&str| line.starts_with("Deleted") && !line.contains("192.0.2.1");
    assert_eq!(log().lines().find(lost), None, "{}", log());
}

#[test]
fn flush_clears_the_place_of_before_too() {
    if !can_run() {
        return;
    }
    let rig = Rig::new(PEERS);
    let (_first, _second) = (rig.first(), rig.second());
    let daemon = rig.host.run(&[]);
    eventually("both routes are there", || rig.has(&[FIRST, SECOND]));
    rig.crash(daemon);
    rig.configure("table = 100", PEERS);
    let said = rig.host.siskin().arg("flush").arg("-c").arg(rig.host.config()).output().expect("runs");
    assert!(said.status.success(), "{}", text(&said.stderr));
    assert_eq!(everywhere(&rig.host), [""; 0]);
    assert!(fs::read_dir(rig.host.dir.join("run")).expect("lists").next().is_none(), "nothing to remember");
}
