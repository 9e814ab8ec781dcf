//! Interfaces that are deleted and created anew under their old names, or give their names to others, with a real BIRD at
//! the other end. Sockets are bound to interfaces by index: none of them may outlive what it was bound to.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout, reason = "a test")]

#[allow(dead_code, reason = "what other tests use")]
mod support;

use std::{io::Write, process::Stdio};

use serde_json::Value;
use support::{Host, Namespace, Process, can_run, eventually};

/// Nothing but the interface tells that a session is dead: the hold time is a quarter of an hour.
const NODE: &str = r#"
[node]
name = "master01"
address = "192.168.92.128/24"
[bgp]
connect_retry_time = 1
open_delay = 0
hold_time = 900
[bfd]
interval = 200
[[peers]]
name = "tor"
asn = 64600
import = "all"
interface = "eth0"
idle_hold_time = 1
"#;

const STATIC: &str = "router id 192.168.92.129;
    protocol device {}
    protocol static { ipv4; route 198.51.100.0/24 blackhole; }
    protocol bfd { interface \"*\" { interval 200 ms; multiplier 3; }; }";

/// How a cable comes to be another one.
#[derive(Clone, Copy, Debug)]
enum Exchange {
    /// Deleted and created: the index is another.
    Recreated,
    /// Deleted and created with the index it had.
    SameIndex,
    /// Renamed, so that another cable can have the name.
    Renamed,
}

/// A host and its neighbour, whose cable is exchanged.
struct Site {
    host: Host,
    neighbour: Host,
    _bird: Process,
    _daemon: Process,
    _dir: tempfile::TempDir,
}

impl Site {
    fn start(keys: &str, bird: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (host, neighbour) = (Host::new(dir.path(), "master01"), Host::new(dir.path(), "tor"));
        batch(&host.ns, &cable(&neighbour, ""));
        batch(&neighbour.ns, &equip("192.168.92.129/24", "fe80::129/64"));
        host.configure(&format!("{NODE}{keys}\n"));
        let bird = neighbour.bird(&format!("{STATIC}{bird}"));
        let daemon = host.run(&[]);
        let site = Self { host, neighbour, _bird: bird, _daemon: daemon, _dir: dir };
        eventually("the daemon answers", || site.host.cli("status").status.success());
        site
    }

    fn exchange(&self, how: Exchange, link_local: &str) {
        let index = self.host.ns.ip("-o link show eth0");
        let index = index.split(':').next().unwrap_or_default();
        let same = if matches!(how, Exchange::SameIndex) { format!("index {index}") } else { String::new() };
        let old = match how {
            Exchange::Renamed => {
                "link set eth0 down\nlink set eth0 name old0\nlink set old0 up\naddress flush dev old0\n"
            }
            Exchange::Recreated | Exchange::SameIndex => "link del eth0\n",
        };
        if matches!(how, Exchange::Renamed) {
            // Out of BIRD's sight: its BFD goes on sending over an interface that has been renamed.
            let away = format!("link set eth0 netns {} name away0\n", self.host.ns.holder.id());
            batch(&self.neighbour.ns, &away);
        }
        batch(&self.host.ns, &format!("{old}{}", cable(&self.neighbour, &same)));
        batch(&self.neighbour.ns, &equip("192.168.92.129/24", link_local));
        let now = self.host.ns.ip("-o link show eth0");
        let kept = now.split(':').next().unwrap_or_default() == index;
        assert_eq!(kept, matches!(how, Exchange::SameIndex), "{how:?}: {now}");
    }

    fn peer(&self) -> Value {
        self.host.json("peers tor")[0].clone()
    }

    fn is_up(&self) -> bool {
        let routes = self.host.ns.routes("179");
        self.peer()["state"] == "established"
            && routes.iter().any(|route| route.starts_with("198.51.100.0/24 "))
    }

    /// How often the session has come up, once it is up.
    fn sessions(&self, what: &str) -> u64 {
        eventually(what, || self.is_up());
        self.peer()["established_count"].as_u64().expect("a number")
    }
}

fn cable(neighbour: &Host, index: &str) -> String {
    format!(
        "link add eth0 {index} type veth peer name eth0 netns {}\n{}",
        neighbour.ns.holder.id(),
        equip("192.168.92.128/24", "fe80::128/64")
    )
}

fn equip(address: &str, link_local: &str) -> String {
    format!(
        "link set eth0 addrgenmode none\nlink set eth0 up\naddress add {address} dev eth0
address add {link_local} dev eth0 nodad\n"
    )
}

/// Runs commands of `ip` faster than anybody could look in between.
fn batch(ns: &Namespace, lines: &str) {
    let mut ip = ns.command("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn().expect("ip runs");
    ip.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("writes");
    assert!(ip.wait().expect("ends").success(), "ip -batch: {lines}");
}

const BIRD: &str = "protocol bgp master01 { local 192.168.92.129 as 64600; neighbor 192.168.92.128 as 64512;
    direct; connect delay time 1; connect retry time 1; error wait time 1, 1; hold time 900; BFD
    ipv4 { import all; export all; next hop self; }; }";

#[test]
fn bgp_and_bfd_come_back_over_an_interface_that_is_another_under_its_old_name() {
    if !can_run() {
        return;
    }
    let site = Site::start("address = \"192.168.92.129\"\nbfd = \"on\"", &BIRD.replace("BFD", "bfd on;"));
    let bfd = || site.host.json("bfd tor")[0]["state"] == "up";
    let mut before = site.sessions("the session is up");
    eventually("BFD is up", bfd);
    for how in [Exchange::Recreated, Exchange::SameIndex, Exchange::Renamed] {
        site.exchange(how, "fe80::129/64");
        eventually(&format!("{how:?}: another session is up"), || {
            site.is_up() && site.peer()["established_count"].as_u64() > Some(before)
        });
        eventually(&format!("{how:?}: BFD is up"), bfd);
        before = site.sessions("the session is up");
    }
}

#[test]
fn a_session_that_outlives_its_link_does_not_outlive_its_interface() {
    if !can_run() {
        return;
    }
    let site = Site::start("address = \"192.168.92.129\"\nfast_fallover = false", &BIRD.replace("BFD", ""));
    let before = site.sessions("the session is up");
    site.exchange(Exchange::Recreated, "fe80::129/64");
    eventually("another session is up", || {
        site.is_up() && site.peer()["established_count"].as_u64() > Some(before)
    });
    let log = site.host.log();
    assert!(log.contains("the interface is another one now"), "{log}");
}

#[test]
fn the_neighbour_on_a_link_that_goes_and_comes_within_a_second_is_looked_for_anew() {
    if !can_run() {
        return;
    }
    let bird = "protocol radv { interface \"eth0\" { min ra interval 3; max ra interval 4; default lifetime 0; }; }
        protocol bgp master01 { local as 64600; neighbor fe80::128%eth0 as 64512; direct; connect delay time 1;
        connect retry time 1; error wait time 1, 1; hold time 900;
        ipv4 { import all; export all; next hop self; extended next hop on; }; }";
    let site = Site::start("", bird);
    let mut before = site.sessions("the session is up");
    for (number, how) in [Exchange::Recreated, Exchange::SameIndex, Exchange::Renamed].into_iter().enumerate()
    {
        let neighbour = format!("fe80::{}", 130 + number);
        site.exchange(how, &format!("{neighbour}/64"));
        eventually(&format!("{how:?}: the new neighbour has a session"), || {
            site.is_up() && site.peer()["address"].as_str().is_some_and(|a| a.starts_with(&neighbour))
        });
        let now = site.sessions("the session is up");
        assert!(now > before, "{now} {before}");
        before = now;
    }
}

#[test]
fn a_session_that_is_bound_to_no_interface_outlives_the_renaming_of_its_link() {
    if !can_run() {
        return;
    }
    let keys = "address = \"192.168.92.129\"\nbfd = \"on\"";
    let site = Site::start(keys, &BIRD.replace("BFD", "bfd on;").replace("direct;", "multihop 2;"));
    let plain = format!("{NODE}{keys}\n").replace("interface = \"eth0\"\n", "");
    site.host.configure(&plain);
    eventually("the file is read", || site.host.log().contains("configuration changed"));
    let before = site.sessions("the session is up");
    let renamed = site.host.ns.command("ip").args(["link", "set", "eth0", "name", "wan0"]).status();
    if !renamed.is_ok_and(|status| status.success()) {
        println!("SKIPPED: this kernel renames no link that is up");
        return;
    }
    eventually("the kernel's route has the new name", || {
        site.host.says("routes").contains("198.51.100.0/24") && site.host.ns.routes("179")[0].contains("wan0")
    });
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert_eq!(site.sessions("the session is still up"), before, "{}", site.host.log());
}
