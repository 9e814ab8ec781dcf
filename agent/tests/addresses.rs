//! Addresses of the host that come and go under a running daemon, with a real BIRD at the other end.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout, reason = "a test")]

#[allow(dead_code, reason = "what other tests use")]
mod support;

use std::time::{Duration, Instant};

use support::{Host, Namespace, Process, can_run, eventually};

/// Neither the hold time nor the link ends a session here.
const CONFIG: &str = r#"
[node]
name = "master01"
address = "NODE"
[bgp]
connect_retry_time = 1
open_delay = 0
hold_time = 900
[[peers]]
name = "tor"
address = "192.168.92.129"
asn = 64600
import = "all"
fast_fallover = false
"#;

const BIRD: &str = r#"
router id 192.168.92.129;
protocol device {}
template bgp host {
    local 192.168.92.129 as 64600;
    direct;
    connect delay time 1;
    hold time 900;
    ipv4 { import all; export all; next hop self; };
}
protocol bgp old from host { neighbor 192.168.92.128 as 64512; }
protocol bgp new from host { neighbor 192.168.92.127 as 64512; }
"#;

struct Rig {
    host: Host,
    _neighbour: Host,
    _bird: Process,
    _daemon: Process,
    _dir: tempfile::TempDir,
}

impl Rig {
    fn start(node: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (host, neighbour) = (Host::new(dir.path(), "master01"), Host::new(dir.path(), "tor"));
        Namespace::cable(&host.ns, &neighbour.ns, "192.168.92.128/24", "192.168.92.129/24");
        host.configure(&CONFIG.replace("NODE", node));
        let bird = neighbour.bird(BIRD);
        let daemon = host.run(&[]);
        let rig = Self { host, _neighbour: neighbour, _bird: bird, _daemon: daemon, _dir: dir };
        eventually("the session is up", || rig.runs_from("192.168.92.128"));
        rig
    }

    fn peer(&self) -> String {
        self.host.json("peers tor").to_string()
    }

    fn runs_from(&self, address: &str) -> bool {
        let up =
            format!("session established peer=\"tor\" asn=64600 identifier=192.168.92.129 local={address}");
        self.host.cli("status").status.success()
            && self.peer().contains("\"established\"")
            && self
                .host
                .log()
                .lines()
                .rev()
                .find(|line| line.contains("session "))
                .is_some_and(|l| l.contains(&up))
    }
}

/// Waits until something is true, and says that it took no longer than `most`.
fn within(most: Duration, what: &str, holds: impl FnMut() -> bool) {
    let began = Instant::now();
    eventually(what, holds);
    assert!(began.elapsed() < most, "{what} took {:?}", began.elapsed());
}

#[test]
fn a_session_whose_own_address_is_removed_ends_at_once_and_comes_back_with_the_address() {
    if !can_run() {
        return;
    }
    let rig = Rig::start("192.168.92.128/24");
    rig.host.ns.ip("address add 192.168.92.120/24 dev eth0");
    rig.host.ns.ip("address add 192.168.92.121/24 dev eth0");
    rig.host.ns.ip("address del 192.168.92.121/24 dev eth0");
    std::thread::sleep(Duration::from_secs(2));
    assert!(rig.runs_from("192.168.92.128"), "another address is no concern of it:\n{}", rig.host.log());
    rig.host.ns.ip("-4 address flush dev eth0");
    rig.host.ns.ip("address add 192.168.92.120/24 dev eth0");
    within(Duration::from_secs(4), "the session ends", || {
        rig.host.log().contains("our own address of the session is no longer on this host")
    });
    assert!(!rig.peer().contains("\"established\""));
    rig.host.ns.ip("address add 192.168.92.128/24 dev eth0");
    eventually("it is back", || rig.runs_from("192.168.92.128"));
}

#[test]
fn a_node_address_that_changes_is_followed_by_the_session_within_seconds() {
    if !can_run() {
        return;
    }
    let rig = Rig::start("autodetect");
    rig.host.ns.ip("address add 192.168.92.127/24 dev eth0");
    rig.host.ns.ip("-4 address flush dev eth0");
    rig.host.ns.ip("address add 192.168.92.127/24 dev eth0");
    within(Duration::from_secs(12), "the session runs from the new address", || {
        rig.runs_from("192.168.92.127")
    });
}
