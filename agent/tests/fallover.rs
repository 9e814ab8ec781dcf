//! A session whose link goes down, with a real BIRD at the other end.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout, reason = "a test")]

#[allow(dead_code, reason = "what other tests use")]
mod support;

use std::path::Path;

use support::{Host, Namespace, can_run, eventually};

/// Only the link can end a session soon: the hold time is a quarter of an hour.
const CONFIG: &str = r#"
[node]
name = "master01"
address = "192.168.92.128/24"
[bgp]
connect_retry_time = 1
open_delay = 0
hold_time = 900
[[peers]]
name = "tor"
address = "192.168.92.129"
asn = 64600
import = "all"
"#;

const BIRD: &str = r#"
router id 192.168.92.129;
protocol device {}
protocol static {
    ipv4;
    route 198.51.100.0/24 blackhole;
}
protocol bgp master01 {
    local 192.168.92.129 as 64600;
    neighbor 192.168.92.128 as 64512;
    direct;
    connect delay time 1;
    hold time 900;
    ipv4 { import all; export all; next hop self; };
}
"#;

const ROUTE: &str = "198.51.100.0/24 via 192.168.92.129 dev eth0";

/// A host and the neighbour `tor`, joined by a cable.
fn hosts(dir: &Path) -> (Host, Host) {
    let (host, neighbour) = (Host::new(dir, "master01"), Host::new(dir, "tor"));
    Namespace::cable(&host.ns, &neighbour.ns, "192.168.92.128/24", "192.168.92.129/24");
    (host, neighbour)
}

fn state(host: &Host) -> String {
    host.json("peers tor").to_string()
}

fn is_up(host: &Host) -> bool {
    host.ns.routes("179").contains(&ROUTE.to_owned()) && state(host).contains("\"established\"")
}

#[test]
fn a_session_one_hop_away_ends_with_its_link_and_comes_back_with_it() {
    if !can_run() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (host, neighbour) = hosts(dir.path());
    host.configure(CONFIG);
    let _bird = neighbour.bird(BIRD);
    let _daemon = host.run(&[]);
    eventually("the session is up", || is_up(&host));
    neighbour.ns.ip("link set eth0 down");
    eventually("without carrier it ends", || host.log().contains("the link to the peer is down"));
    neighbour.ns.ip("link set eth0 up");
    eventually("it comes back with the carrier", || is_up(&host));
    host.ns.ip("link set eth0 down");
    let ended = || host.log().matches("the link to the peer is down").count() == 2;
    eventually("it ends with its interface", ended);
    host.ns.ip("link set eth0 up");
    eventually("it comes back with the interface", || is_up(&host));
}

#[test]
fn a_session_that_is_not_to_end_with_its_link_outlives_it() {
    if !can_run() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (host, neighbour) = hosts(dir.path());
    host.configure(&format!("{CONFIG}fast_fallover = false\n"));
    let _bird = neighbour.bird(BIRD);
    let daemon = host.run(&[]);
    eventually("the session is up", || is_up(&host));
    let without = || !host.ns.routes("179").iter().any(|route| route.contains("198.51.100.0/24"));
    host.ns.ip("link set eth0 down");
    eventually("its route leads nowhere", without);
    assert!(state(&host).contains("\"established\""), "the session waits");
    host.ns.ip("link set eth0 up");
    eventually("the route is back", || is_up(&host));
    assert!(!host.log().contains("the link to the peer is down"));

    // Turned on under the session.
    host.ns.ip("link set eth0 down");
    eventually("its route leads nowhere", without);
    host.ns.ip("link set eth0 up");
    eventually("the route is back", || is_up(&host));
    host.configure(CONFIG);
    daemon.signal(rustix::process::Signal::HUP);
    eventually("the file is read", || host.log().contains("configuration changed"));
    host.ns.ip("link set eth0 down");
    eventually("now it ends", || host.log().contains("the link to the peer is down"));
}
