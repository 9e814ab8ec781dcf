//! Health that is true, and diagnosis from this host's own facts: the daemon against a real BIRD in network namespaces.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout, reason = "a test")]

#[allow(dead_code, reason = "what other tests use")]
mod support;

use support::{Host, Namespace, Process, can_run, eventually};

const NODE: &str = r#"
[node]
name = "master01"
address = "192.168.92.128/24"
[bgp]
connect_retry_time = 1
open_delay = 0
[[pools]]
cidr = "172.16.0.0/16"
ipip_mode = "Never"
[local]
blocks = ["172.16.241.64/26"]
"#;

const TOR: &str = r#"
[[peers]]
name = "tor"
address = "192.168.92.129"
asn = 64600
import = "all"
export = "all"
idle_hold_time = 1
"#;

/// BIRD as the peer `tor`; what stands in the channel's place follows.
fn tor(channel: &str) -> String {
    format!(
        "router id 192.168.92.129;
        protocol device {{}}
        protocol static {{ ipv4; route 10.1.0.0/24 blackhole; route 172.16.241.64/26 blackhole; }}
        protocol bgp siskin {{
            local 192.168.92.129 as 64600;
            neighbor 192.168.92.128 as 64512;
            direct;
            connect delay time 1;
            connect retry time 2;
            error wait time 1, 2;
            {channel}
        }}"
    )
}

const IPV4: &str = "ipv4 { import all; export where source = RTS_STATIC; next hop self; };";

struct Site {
    host: Host,
    _neighbour: Host,
    _bird: Process,
    _daemon: Process,
    _dir: tempfile::TempDir,
}

impl Site {
    fn start(config: &str, bird: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let host = Host::new(dir.path(), "master01");
        let neighbour = Host::new(dir.path(), "tor");
        Namespace::cable(&host.ns, &neighbour.ns, "192.168.92.128/24", "192.168.92.129/24");
        host.ns.ip("link add d0 type veth peer name d1");
        host.ns.ip("link set d1 up");
        host.ns.ip("address add 10.9.9.1/24 dev d0");
        host.ns.ip("link set d0 up");
        host.configure(config);
        let bird = neighbour.bird(bird);
        let daemon = host.run(&[]);
        eventually("the daemon answers", || host.cli("status").status.success());
        Self { host, _neighbour: neighbour, _bird: bird, _daemon: daemon, _dir: dir }
    }

    fn codes(&self) -> Vec<String> {
        let status = self.host.json("status");
        let problems = status["problems"].as_array().cloned().unwrap_or_default();
        problems.iter().filter_map(|problem| problem["code"].as_str().map(str::to_owned)).collect()
    }

    fn has(&self, code: &str) -> bool {
        self.codes().iter().any(|found| found == code)
    }

    fn is_up(&self) -> bool {
        self.host.json("peers")[0]["state"] == "established"
    }

    fn info(&self) -> String {
        self.host.json("peers")[0]["info"].as_str().unwrap_or_default().to_owned()
    }

    fn checks(&self) -> bool {
        self.host.cli("status --check").status.success()
    }
}

#[test]
fn a_peer_that_connects_to_another_address_of_ours_is_seen_to_be_refused_here() {
    if !can_run() {
        return;
    }
    let elsewhere = NODE.replace("192.168.92.128/24", "10.9.9.1/24");
    let site = Site::start(&format!("{elsewhere}{TOR}"), &tor(IPV4));
    eventually("the refusal explains the silence", || {
        site.info().starts_with("192.168.92.129 connects to 192.168.92.128 and was refused")
    });
    let info = site.info();
    assert!(info.contains("bound to 10.9.9.1; set source = \"192.168.92.128\""), "{info}");
    let status = site.host.json("status");
    let refused = &status["refused_connections"][0];
    let row = (&refused["remote"], &refused["local"], &refused["reason"]);
    let expected = ("192.168.92.129".into(), "192.168.92.128".into(), "other_local_address".into());
    assert_eq!(row, (&expected.0, &expected.1, &expected.2), "{status}");
    assert!(site.host.says("status").contains("from 192.168.92.129 to 192.168.92.128, the last"));
    site.host.configure(&format!("{elsewhere}{TOR}source = \"192.168.92.128\"\n"));
    eventually("with that source it comes up", || site.is_up());
}

#[test]
fn a_source_on_another_link_than_the_way_is_named_before_any_filter_is() {
    if !can_run() {
        return;
    }
    let elsewhere = NODE.replace("192.168.92.128/24", "10.9.9.1/24");
    let silent = "router id 192.168.92.129; protocol device {}";
    let site = Site::start(&format!("{elsewhere}{TOR}"), silent);
    eventually("the link is named", || {
        site.info()
            .starts_with("the way to 192.168.92.129 leads over eth0, where this host is 192.168.92.128")
    });
}

#[test]
fn a_session_that_is_lost_is_a_problem_until_it_is_back_and_one_that_is_disabled_is_none() {
    if !can_run() {
        return;
    }
    let far = "[[peers]]\nname = \"zz\"\naddress = \"192.168.92.130\"\nasn = 64700\nimport = \"all\"\nenabled = false\n";
    let site = Site::start(&format!("{NODE}{TOR}{far}"), &tor(IPV4));
    eventually("all is well", || site.is_up() && site.checks());
    assert!(!site.has("session_down"));
    site.host.ns.ip("link set eth0 down");
    eventually("the loss is a problem with its reason", || {
        let status = site.host.json("status");
        let found = status["problems"].as_array().is_some_and(|problems| {
            problems.iter().any(|problem| {
                problem["code"] == "session_down"
                    && problem["subject"] == "tor"
                    && problem["message"].as_str().is_some_and(|text| text.contains("not established: "))
            })
        });
        found && status["health"] == "unhealthy" && status["readiness"][2]["failure"].is_string()
    });
    assert_eq!(site.host.cli("status --check").status.code(), Some(1));
    site.host.ns.ip("link set eth0 up");
    eventually("it is over", || site.checks());
    assert!(site.host.json("status")["readiness"][2]["failure"].is_null());
}

#[test]
fn the_nodes_address_is_missed_while_it_is_gone_and_no_longer() {
    if !can_run() {
        return;
    }
    let site = Site::start(&format!("{NODE}{TOR}"), &tor(IPV4));
    eventually("all is well", || site.is_up() && site.checks());
    site.host.ns.ip("address del 192.168.92.128/24 dev eth0");
    eventually("it is missed", || site.has("node_address_missing"));
    assert!(!site.checks());
    eventually("the log has it", || site.host.log().contains("node_address_missing"));
    site.host.ns.ip("address add 192.168.92.128/24 dev eth0");
    eventually("it is not missed any more", || !site.has("node_address_missing"));
    eventually("all is well again", || site.checks());
    eventually("the log has its end too", || site.host.log().contains("problem solved"));
}

#[test]
fn a_warning_about_an_absent_address_goes_when_the_address_comes() {
    if !can_run() {
        return;
    }
    let later = NODE.replace("192.168.92.128/24", "192.168.92.200/24");
    let site = Site::start(&format!("{later}{TOR}"), &tor(IPV4));
    eventually("it is missed", || site.has("node_address_missing"));
    site.host.ns.ip("address add 192.168.92.200/24 dev eth0");
    eventually("nothing of it is left", || {
        !site.has("node_address_missing") && !site.host.says("status").contains("no address of this host now")
    });
}

#[test]
fn a_peer_whose_address_came_to_this_host_is_named_as_this_host() {
    if !can_run() {
        return;
    }
    let peer = TOR.replace("192.168.92.129", "192.168.92.77");
    let site = Site::start(&format!("{NODE}{peer}"), &tor(IPV4));
    site.host.ns.ip("address add 192.168.92.77/32 dev d0");
    eventually("it is named", || site.has("peer_is_self"));
    eventually("and so in its row", || {
        site.info().starts_with("192.168.92.77 is an address of this host itself")
    });
}

#[test]
fn our_own_block_from_another_node_is_a_problem_with_the_next_hop() {
    if !can_run() {
        return;
    }
    let internal = TOR.replace("64600", "64512");
    let bird = tor(IPV4).replace("64600", "64512");
    let site = Site::start(&format!("{NODE}{internal}"), &bird);
    eventually("it is named", || site.has("own_block_announced"));
    let status = site.host.says("status");
    assert!(
        status.contains("tor announces this node's own block 172.16.241.64/26 with next hop 192.168.92.129"),
        "{status}"
    );
}

#[test]
fn without_a_common_family_both_sides_are_named() {
    if !can_run() {
        return;
    }
    let site = Site::start(&format!("{NODE}{TOR}"), &tor("ipv6 { import all; export none; };"));
    eventually("what each side has is said", || {
        let info = site.info();
        info.contains("ipv4") && info.contains("ipv6") && info.contains("peer is AS 64600")
    });
}

#[test]
fn a_peer_of_whose_routes_none_is_accepted_says_why() {
    if !can_run() {
        return;
    }
    let none = TOR.replace("import = \"all\"", "import = \"none\"");
    let site = Site::start(&format!("{NODE}{none}"), &tor(IPV4));
    eventually("it says so", || site.info().starts_with("none of its routes is accepted ("));
    assert!(site.info().contains("import_none"), "{}", site.info());
}

#[test]
fn a_route_that_somebody_removes_again_and_again_is_a_problem_with_the_route() {
    if !can_run() {
        return;
    }
    let site = Site::start(&format!("{NODE}{TOR}"), &tor(IPV4));
    let route = "10.1.0.0/24 via 192.168.92.129 dev eth0";
    let is_there = || site.host.ns.routes("179").iter().any(|line| line.starts_with("10.1.0.0/24"));
    eventually("the route is there", is_there);
    // The first look at the counter is what growth is counted from.
    site.host.says("status");
    for _ in 0..4 {
        site.host.ns.ip(&format!("route del {route}"));
        eventually("it is put back", is_there);
    }
    eventually("it is told", || site.has("routes_removed"));
    assert!(site.host.says("status").contains("the last was 10.1.0.0/24"));
}
