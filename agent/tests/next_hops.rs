//! Next hops as a real BIRD announces them: its own address, the network shared with us, link-local ones, others'.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout, reason = "a test")]

#[allow(dead_code, reason = "what other tests use")]
mod support;

use std::path::Path;

use support::{Host, Namespace, can_run, eventually};

/// A host beside one top-of-rack router; `PEERS` are the two sessions with it, and `KERNEL` how routes are programmed.
const CONFIG: &str = r#"
[node]
name = "host"
address = "10.0.1.1/24"
address6 = "fd01::1/64"
[bgp]
connect_retry_time = 1
open_delay = 0
[kernel]
KERNEL
[[peers]]
name = "tor"
address = "10.0.1.2"
asn = ASN
import = "all"
[[peers]]
name = "tor6"
address = "fd01::2"
asn = ASN
import = "all"
"#;

/// The router announces its own addresses, what lies around them, the network that it shares with the host, and more.
const BIRD: &str = r#"
router id 10.0.1.2;
protocol device {}
protocol static {
    ipv4;
    route 10.0.1.0/24 blackhole;
    route 10.0.1.1/32 blackhole;
    route 10.0.1.2/32 blackhole;
    route 10.0.1.0/25 blackhole;
    route 10.0.0.0/8 blackhole;
    route 203.0.113.0/24 blackhole;
}
protocol static {
    ipv6;
    route fd01::/64 blackhole;
    route fd01::1/128 blackhole;
    route fd01::2/128 blackhole;
    route 2001:db8::/32 blackhole;
}
template bgp host {
    local as ASN;
    direct;
    connect delay time 1;
}
protocol bgp v4 from host {
    neighbor 10.0.1.1 as 64512;
    ipv4 { import all; export all; next hop self; };
}
protocol bgp v6 from host {
    neighbor fd01::1 as 64512;
    ipv6 { import all; export filter { bgp_next_hop = fd01::2; accept; }; };
}
"#;

const BROUGHT: [&str; 4] = ["10.0.0.0/8", "10.0.1.0/25", "10.0.1.2", "203.0.113.0/24"];
const BROUGHT6: [&str; 2] = ["2001:db8::/32", "fd01::2"];

fn hosts(dir: &Path) -> (Host, Host) {
    let (host, tor) = (Host::new(dir, "host"), Host::new(dir, "tor"));
    Namespace::cable(&host.ns, &tor.ns, "10.0.1.1/24", "10.0.1.2/24");
    for (ns, address) in [(&host.ns, "fd01::1/64"), (&tor.ns, "fd01::2/64")] {
        ns.ip(&format!("address add {address} dev eth0 nodad"));
    }
    (host, tor)
}

/// The destinations of our routes, in the kernel's order.
fn destinations(host: &Host, family: &str) -> Vec<String> {
    let output =
        host.ns.command("ip").args([family, "route", "show", "proto", "179"]).output().expect("ip runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .filter(|line| !line.starts_with('\t'))
        .filter_map(|line| Some(line.split(' ').next()?.to_owned()))
        .collect()
}

fn pings(host: &Host, address: &str) -> bool {
    host.ns.command("ping").args(["-c1", "-W2", "-q", address]).output().expect("ping runs").status.success()
}

/// The state and reason of a route in `siskin fib`.
fn fib(host: &Host, prefix: &str) -> (String, String) {
    let rows = host.json("fib");
    let row = rows.as_array().expect("rows").iter().find(|row| row["dst"] == prefix);
    let text = |key: &str| row.and_then(|row| row[key].as_str()).unwrap_or_default().to_owned();
    (text("state"), text("reason"))
}

#[test]
fn a_router_that_announces_itself_and_our_network_brings_all_else_and_stays() {
    if !can_run() {
        return;
    }
    for (asn, kernel) in
        [("64600", ""), ("64600", "metric = 20\nnexthop_objects = \"on\""), ("64512", "metric = 20")]
    {
        let dir = tempfile::tempdir().expect("a directory");
        let (host, tor) = hosts(dir.path());
        host.configure(&CONFIG.replace("KERNEL", kernel).replace("ASN", asn));
        let _bird = tor.bird(&BIRD.replace("ASN", asn));
        let _daemon = host.run(&[]);
        eventually("the routes are there", || {
            destinations(&host, "-4") == BROUGHT && destinations(&host, "-6") == BROUGHT6
        });
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert_eq!(destinations(&host, "-4"), BROUGHT, "{asn} {kernel}");
        assert_eq!(destinations(&host, "-6"), BROUGHT6, "{asn} {kernel}");
        assert!(pings(&host, "10.0.1.2") && pings(&host, "fd01::2"), "the network is there");
        assert!(!host.log().contains("session ended"), "{}", host.log());
        for (prefix, reason) in [
            ("10.0.1.0/24", "connected"),
            ("10.0.1.1", "own_address"),
            ("fd01::/64", "connected"),
            ("fd01::1", "own_address"),
        ] {
            assert_eq!(fib(&host, prefix), ("not_ours".to_owned(), reason.to_owned()), "{prefix}");
        }
        assert_eq!(host.json("status")["problems"], serde_json::json!([]));
        let explained = host.json("explain 10.0.1.77");
        assert_eq!(explained["kernel"]["dst"], "10.0.1.0/25", "{explained}");
    }
}

const TWO_LINKS: &str = r#"
[node]
name = "host"
address = "10.0.1.1/24"
[bgp]
connect_retry_time = 1
open_delay = 0
[[peers]]
name = "tor"
address = "10.0.1.2"
asn = 64600
import = "all"
families = ["ipv4", "ipv6"]
"#;

#[test]
fn a_link_local_next_hop_over_a_session_between_other_addresses_is_on_the_link_of_the_session() {
    if !can_run() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (host, tor) = (Host::new(dir.path(), "host"), Host::new(dir.path(), "tor"));
    // Another link comes first.
    host.ns.ip("link add aaa0 type veth peer name aaa1");
    host.ns.ip("link set aaa0 up");
    host.ns.ip("link set aaa1 up");
    Namespace::cable(&host.ns, &tor.ns, "10.0.1.1/24", "10.0.1.2/24");
    host.configure(TWO_LINKS);
    let _bird = tor.bird(
        r#"
router id 10.0.1.2;
protocol device {}
protocol static { ipv6; route 2001:db8::/32 blackhole; }
protocol bgp host {
    local 10.0.1.2 as 64600;
    neighbor 10.0.1.1 as 64512;
    direct;
    connect delay time 1;
    ipv4 { import all; export all; };
    ipv6 { import all; export filter { bgp_next_hop = fe80::99; accept; }; };
}
"#,
    );
    let _daemon = host.run(&[]);
    eventually("it leads over eth0", || {
        host.ns.ip("-6 route show 2001:db8::/32").contains("via fe80::99 dev eth0 proto 179")
    });
}

const BEHIND: &str = r#"
[node]
name = "host"
address = "10.0.1.1/24"
address6 = "fd01::1/64"
[bgp]
connect_retry_time = 1
open_delay = 0
[[peers]]
name = "tor"
address = "10.0.1.2"
asn = 64600
import = "all"
families = ["ipv4", "ipv6"]
[[peers]]
name = "spine"
address = "10.255.0.1"
asn = 64512
import = "all"
families = ["ipv4", "ipv6"]
"#;

/// The router.
const ROUTER: &str = r#"
router id 10.0.1.2;
protocol device {}
protocol static { ipv4; route 10.255.0.1/32 blackhole; }
protocol static { ipv6; route fdff::1/128 blackhole; }
protocol bgp tor {
    local 10.0.1.2 as 64600;
    neighbor 10.0.1.1 as 64512;
    direct;
    strict bind yes;
    connect delay time 1;
    ipv4 { import all; export all; next hop self; };
    ipv6 { import all; export filter { bgp_next_hop = fd01::2; accept; }; };
}
"#;

/// A speaker of our AS behind it, at its loopback address. One BIRD tells sessions apart by the neighbour alone.
const SPINE: &str = r#"
router id 10.255.0.1;
protocol device {}
protocol static { ipv4; route 198.51.100.0/24 blackhole; }
protocol static { ipv6; route 2001:db8::/32 blackhole; }
protocol bgp spine {
    local 10.255.0.1 as 64512;
    neighbor 10.0.1.1 as 64512;
    multihop;
    strict bind yes;
    connect delay time 1;
    ipv4 { import all; export filter { bgp_next_hop = 10.255.0.1; accept; }; };
    ipv6 { import all; export filter { bgp_next_hop = fdff::1; accept; }; };
}
"#;

#[test]
fn what_an_internal_peer_behind_the_router_brings_goes_to_the_router() {
    if !can_run() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (host, tor) = hosts(dir.path());
    tor.ns.ip("address add 10.255.0.1/32 dev lo");
    host.configure(BEHIND);
    let _router = tor.bird_named("router", ROUTER);
    let _spine = tor.bird_named("spine", SPINE);
    let _daemon = host.run(&[]);
    let way = |family: &str, prefix: &str| host.ns.ip(&format!("{family} route show {prefix} proto 179"));
    eventually("the route leads to the router", || {
        way("-4", "198.51.100.0/24").contains("via 10.0.1.2 dev eth0")
            && way("-6", "2001:db8::/32").contains("via fd01::2 dev eth0")
    });
    let told = host.says("explain 198.51.100.7");
    for step in
        ["10.255.0.1: route 10.255.0.1/32", "10.0.1.2: route 10.0.1.0/24 proto kernel, directly on eth0"]
    {
        assert!(told.contains(step), "{told}");
    }
    assert!(told.contains("(as wanted)"), "{told}");
    assert!(!host.log().contains("session ended"), "{}", host.log());
}

const THIRD: &str = r#"
[node]
name = "host"
address = "10.0.1.1/24"
[bgp]
connect_retry_time = 1
open_delay = 0
[[peers]]
name = "tor"
address = "10.0.1.2"
asn = 64600
import = "all"
[[peers]]
name = "other"
address = "10.0.1.3"
asn = 64601
export = "all"
"#;

#[test]
fn a_third_partys_next_hop_is_passed_on_while_packets_to_it_stay_on_the_shared_link() {
    if !can_run() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (host, tor) = (Host::new(dir.path(), "host"), Host::new(dir.path(), "tor"));
    Namespace::cable(&host.ns, &tor.ns, "10.0.1.1/24", "10.0.1.2/24");
    tor.ns.ip("address add 10.0.1.3/24 dev eth0");
    host.ns.ip("link add aaa0 type veth peer name aaa1");
    host.ns.ip("link set aaa0 up");
    host.ns.ip("link set aaa1 up");
    host.ns.ip("address add 10.7.0.1/24 dev aaa0");
    host.configure(THIRD);
    let _tor = tor.bird_named(
        "tor",
        r#"
router id 10.0.1.2;
protocol device {}
protocol static { ipv4; route 203.0.113.0/24 blackhole; }
protocol bgp host {
    local 10.0.1.2 as 64600;
    neighbor 10.0.1.1 as 64512;
    direct;
    strict bind yes;
    connect delay time 1;
    ipv4 { import none; export filter { bgp_next_hop = 10.0.1.9; accept; }; };
}
"#,
    );
    let _other = tor.bird(
        r#"
router id 10.0.1.3;
protocol device {}
protocol bgp host {
    local 10.0.1.3 as 64601;
    neighbor 10.0.1.1 as 64512;
    direct;
    strict bind yes;
    connect delay time 1;
    ipv4 { import all; export none; };
}
"#,
    );
    let _daemon = host.run(&[]);
    let learned =
        |next_hop: &str| tor.birdc("show route all").contains(&format!("BGP.next_hop: {next_hop}\n"));
    eventually("its own next hop is told", || learned("10.0.1.9"));
    host.ns.ip("route add 10.0.1.9/32 via 10.7.0.9");
    eventually("ours is told", || learned("10.0.1.1"));
    host.ns.ip("route del 10.0.1.9/32");
    eventually("its own again", || learned("10.0.1.9"));
}
