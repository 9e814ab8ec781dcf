//! Switches of a peer that reach beyond its session, with a real BIRD as the peer: BLACKHOLE (RFC 7999) to the kernel, a
//! default route of ours.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout, reason = "a test")]

#[allow(dead_code, reason = "what other tests use")]
mod support;

use std::path::Path;

use rustix::process::Signal;
use support::{Host, Namespace, can_run, eventually, text};

const CONFIG: &str = r#"
[node]
name = "master01"
address = "192.168.92.128/24"
[bgp]
connect_retry_time = 1
open_delay = 0
[[pools]]
cidr = "172.16.0.0/16"
ipip_mode = "Always"
[local]
blocks = ["172.16.241.64/26"]
[[peers]]
name = "tor"
address = "192.168.92.129"
asn = 64600
import = "all"
"#;

/// One victim outside any pool and one inside a pool that tunnels; a route that asks for nothing.
const BIRD: &str = r#"
router id 192.168.92.129;
protocol device {}
protocol static {
    ipv4;
    route 203.0.113.7/32 blackhole { bgp_community.add((65535,666)); };
    route 172.16.9.9/32 blackhole { bgp_community.add((65535,666)); };
    route 198.51.100.0/24 blackhole;
}
protocol bgp master01 {
    local 192.168.92.129 as 64600;
    neighbor 192.168.92.128 as 64512;
    direct;
    connect delay time 1;
    ipv4 { import all; export all; next hop self; };
}
"#;

const PLAIN: &str = "198.51.100.0/24 via 192.168.92.129 dev eth0";
const FORWARDED: &str = "203.0.113.7 via 192.168.92.129 dev eth0";
const OWN: &str = "blackhole 172.16.241.64/26";
const INSIDE: &str = "blackhole 172.16.9.9";
const OUTSIDE: &str = "blackhole 203.0.113.7";

/// A host and the neighbour `tor`, joined by a cable.
fn hosts(dir: &Path) -> (Host, Host) {
    let (host, neighbour) = (Host::new(dir, "master01"), Host::new(dir, "tor"));
    Namespace::cable(&host.ns, &neighbour.ns, "192.168.92.128/24", "192.168.92.129/24");
    (host, neighbour)
}

#[test]
fn a_default_route_of_ours_is_told_to_the_peer_and_kept_out_of_our_kernel() {
    if !can_run() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (host, neighbour) = hosts(dir.path());
    host.configure(&format!("{CONFIG}default_originate = true\n"));
    let _bird = neighbour.bird(BIRD);
    let daemon = host.run(&[]);
    let known = || neighbour.birdc("show route 0.0.0.0/0").contains("via 192.168.92.128");
    eventually("BIRD has a default route", known);
    eventually("BIRD's own routes are here", || host.ns.routes("179").contains(&PLAIN.to_owned()));
    assert!(!host.ns.routes("179").iter().any(|route| route.starts_with("default")));
    let story = host.says("explain 0.0.0.0/0");
    for part in [
        "a default route of our own",
        "announced to tor (192.168.92.129) with next hop 192.168.92.128",
        "(default_originate)",
    ] {
        assert!(story.contains(part), "{part} is not in\n{story}");
    }
    let sent = host.json("routes --peer tor --advertised");
    assert!(
        sent.as_array().is_some_and(|rows| rows.iter().any(|row| row["prefix"] == "0.0.0.0/0")),
        "{sent}"
    );

    host.configure(CONFIG);
    daemon.signal(Signal::HUP);
    eventually("BIRD has none any more", || !known());
    assert_eq!(host.json("peers")[0]["established_count"], 1, "no session was touched");
    assert!(host.says("routes").lines().all(|line| !line.contains("0.0.0.0/0")));
}

#[test]
fn packets_to_a_blackhole_are_dropped_by_the_kernel_while_the_configuration_says_so() {
    if !can_run() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (host, neighbour) = hosts(dir.path());
    let honoured = format!("{CONFIG}blackhole = true\n");
    let discarding = format!("{honoured}[kernel]\nblackhole_community = \"discard\"\n");
    host.configure(&honoured);
    let _bird = neighbour.bird(BIRD);
    let daemon = host.run(&[]);
    let holds = |routes: &[&str]| {
        let mut held = host.ns.routes("179");
        held.sort_unstable();
        held == routes
    };
    eventually("the routes are there", || holds(&[PLAIN, FORWARDED, OWN]));
    assert!(host.says("explain 203.0.113.7").contains("no pool contains it"));
    let refused = host.says("routes --peer tor --rejected");
    assert!(refused.contains("172.16.9.9/32"), "no tunnel leads to a neighbour that is no node: {refused}");
    let sent = text(&host.cli("routes --peer tor").stdout);
    assert!(sent.contains("blackhole no-export") || sent.contains("203.0.113.7"), "{sent}");

    host.configure(&discarding);
    daemon.signal(Signal::HUP);
    eventually("packets are dropped", || holds(&[PLAIN, OWN, INSIDE, OUTSIDE]));
    let story = host.says("explain 203.0.113.7");
    for part in ["blackhole: the BLACKHOLE community asks", "blackhole 203.0.113.7 proto 179 (as wanted)"] {
        assert!(story.contains(part), "{part} is not in\n{story}");
    }
    assert!(host.says("explain 172.16.9.9").contains("the BLACKHOLE community asks"));
    let unreachable = host.ns.command("ip").args(["route", "get", "203.0.113.7"]).output().expect("ip runs");
    assert!(!unreachable.status.success(), "the kernel drops it");
    assert!(host.says("fib --diff").contains("exactly the routes wanted"));

    host.configure(CONFIG);
    daemon.signal(Signal::HUP);
    eventually("the neighbour may not ask for it", || holds(&[PLAIN, FORWARDED, OWN]));
    assert_eq!(host.json("peers")[0]["established_count"], 1, "no session was touched");
}
