//! What an operator does to peers and their routes, on the running daemon and through reloads, as a real BIRD sees it.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout, reason = "a test")]

#[allow(dead_code, reason = "what other tests use")]
mod support;

use std::fs;

use rustix::process::Signal;
use serde_json::Value;
use support::{Host, Namespace, Process, can_run, eventually};

const CONFIG: &str = r#"
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
[[peers]]
name = "far"
address = "192.168.92.130"
asn = 64700
import = "all"
export = "none"
[[peers]]
name = "tor"
address = "192.168.92.129"
asn = 64600
import = "all"
export = "all"
idle_hold_time = 1
"#;

/// Sends four prefixes, one of which has been with us.
const TOR: &str = r#"
router id 192.168.92.129;
log "LOG" all;
protocol device {}
protocol static {
    ipv4;
    route 10.1.0.0/24 blackhole;
    route 10.2.0.0/24 blackhole { bgp_path.prepend(64512); };
    route 10.3.0.0/24 blackhole;
    route 10.30.0.0/24 blackhole;
}
protocol bgp tor {
    local 192.168.92.129 as 64600;
    neighbor 192.168.92.128 external;
    strict bind yes;
    direct;
    connect delay time 1;
    error wait time 1, 2;
    ipv4 { import all; export where source = RTS_STATIC; next hop self; };
}
"#;

/// A second BIRD beside it, since one keeps no two sessions with the same neighbour. Sends a prefix that has been with
/// the first one's AS, one with a private number, and one that the first has a shorter path to, all by way of a
/// third router.
const FAR: &str = r#"
router id 192.168.92.130;
protocol device {}
protocol static {
    ipv4;
    route 10.20.0.0/24 blackhole { bgp_path.prepend(64600); };
    route 10.21.0.0/24 blackhole { bgp_path.prepend(65001); };
    route 10.30.0.0/24 blackhole { bgp_path.prepend(64701); };
}
protocol bgp far {
    local 192.168.92.130 as 64700;
    neighbor 192.168.92.128 as 64512;
    strict bind yes;
    direct;
    connect delay time 1;
    ipv4 {
        import all;
        export filter { if source != RTS_STATIC then reject; bgp_next_hop = 192.168.92.131; accept; };
    };
}
"#;

struct Site {
    host: Host,
    neighbour: Host,
    daemon: Process,
    _birds: [Process; 2],
    _dir: tempfile::TempDir,
}

impl Site {
    /// Both sessions are up; `with` are more lines about `tor`.
    fn start(with: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let host = Host::new(dir.path(), "master01");
        let neighbour = Host::new(dir.path(), "tor");
        Namespace::cable(&host.ns, &neighbour.ns, "192.168.92.128/24", "192.168.92.129/24");
        neighbour.ns.ip("address add 192.168.92.130/24 dev eth0");
        host.configure(&format!("{CONFIG}{with}"));
        let log = neighbour.dir.join("bird.log").display().to_string();
        let birds = [neighbour.bird(&TOR.replace("LOG", &log)), neighbour.bird_named("far", FAR)];
        let daemon = host.run(&[]);
        let site = Self { host, neighbour, daemon, _birds: birds, _dir: dir };
        eventually("the daemon answers", || site.host.cli("status").status.success());
        eventually("both sessions are up", || {
            ["tor", "far"].iter().all(|name| site.peer(name)["state"] == "established")
        });
        site
    }

    fn peer(&self, name: &str) -> Value {
        let peers = self.host.json("peers");
        let found = peers.as_array().and_then(|peers| peers.iter().find(|peer| peer["name"] == name));
        found.cloned().unwrap_or_default()
    }

    fn number(&self, key: &str) -> u64 {
        self.peer("tor")[key].as_u64().unwrap_or_default()
    }

    /// Another configuration of `tor`, by SIGHUP.
    fn reload(&self, with: &str) {
        self.host.configure(&format!("{CONFIG}{with}"));
        self.daemon.signal(Signal::HUP);
    }

    /// What BIRD's log says.
    fn log(&self) -> String {
        fs::read_to_string(self.neighbour.dir.join("bird.log")).unwrap_or_default()
    }

    /// The line of an attribute of a route that `tor` has from us.
    fn attribute(&self, prefix: &str, name: &str) -> String {
        let route = self.neighbour.birdc(&format!("show route {prefix} protocol tor all"));
        let line = route.lines().find_map(|line| line.trim().strip_prefix(name));
        line.unwrap_or_default().trim_start_matches(':').trim().to_owned()
    }

    /// Reloads until BIRD sees this.
    fn leads_to(&self, with: &str, prefix: &str, name: &str, expected: &str) {
        self.reload(with);
        eventually(&format!("{with}: {name} of {prefix} is {expected:?}"), || {
            self.attribute(prefix, name) == expected
        });
    }
}

#[test]
fn a_peer_is_shut_down_with_a_text_until_it_is_enabled_whatever_is_reloaded() {
    if !can_run() {
        return;
    }
    let site = Site::start("");
    let disable = ["disable", "tor", "--text", "until 14:00"];
    let said = site.host.siskin().args(disable).output().expect("runs");
    assert!(said.status.success(), "{said:?}");
    eventually("it is down", || site.peer("tor")["state"] == "idle");
    assert_eq!(site.peer("tor")["admin"], "down");
    eventually("BIRD was told why", || site.log().contains("until 14:00"));
    site.reload("weight = 3\n");
    eventually("the file is read", || site.host.says("config show").contains("weight = 3"));
    assert_eq!(site.peer("tor")["state"], "idle", "a reload does not bring it back");
    let status = site.host.json("status");
    assert_eq!((&status["healthy"], &status["sessions"]["disabled"]), (&true.into(), &1.into()), "{status}");
    site.host.says("enable tor");
    eventually("it is back", || site.peer("tor")["state"] == "established");
    assert_eq!(site.peer("far")["established_count"], 1, "the other peer heard nothing of it");
}

#[test]
fn switches_of_routes_sent_change_on_the_running_session() {
    if !can_run() {
        return;
    }
    let site = Site::start("");
    eventually("a private number is sent", || {
        site.attribute("10.21.0.0/24", "BGP.as_path") == "64512 64700 65001"
    });
    assert_eq!(site.attribute("10.20.0.0/24", "BGP.as_path"), "", "it has its own number in it");
    assert_eq!(site.attribute("10.21.0.0/24", "BGP.next_hop"), "192.168.92.131", "a third party");
    site.leads_to("remove_private_as = \"all\"\n", "10.21.0.0/24", "BGP.as_path", "64512");
    site.leads_to("remove_private_as = \"replace\"\n", "10.21.0.0/24", "BGP.as_path", "64512 64512 64512");
    site.leads_to("as_override = true\n", "10.20.0.0/24", "BGP.as_path", "64512 64700 64512");
    site.leads_to("next_hop = \"self\"\n", "10.21.0.0/24", "BGP.next_hop", "192.168.92.128");
    site.leads_to("", "10.21.0.0/24", "BGP.next_hop", "192.168.92.131");
    assert_eq!(site.number("established_count"), 1, "no session was touched");

    site.leads_to("local_asn = 64999\n", "10.21.0.0/24", "BGP.as_path", "64999 64512 64700 65001");
    assert_eq!((site.number("local_as"), site.number("established_count")), (64999, 2));
    let replaced = "local_asn = 64999\nlocal_asn_path = \"replace\"\n";
    site.leads_to(replaced, "10.21.0.0/24", "BGP.as_path", "64999 64700 65001");
}

#[test]
fn switches_of_routes_received_change_what_is_taken_and_what_wins() {
    if !can_run() {
        return;
    }
    let site = Site::start("");
    let rejected = || site.host.says("routes --peer tor --rejected");
    eventually("our number is refused", || rejected().contains("our AS is in its AS path"));
    assert_eq!((site.number("received"), site.number("accepted")), (4, 3));
    site.reload("allow_as_in = 1\n");
    eventually("once is allowed", || site.number("accepted") == 4);
    assert!(site.host.says("explain 10.2.0.0/24").contains("64600 64512"));
    site.reload("");
    eventually("and no more", || site.number("accepted") == 3);

    let best = |peer: &str| site.host.json("routes 10.30.0.0/24")[0]["peer"] == peer;
    eventually("the shorter path wins", || best("tor"));
    site.host.configure(&CONFIG.replace("asn = 64700", "asn = 64700\nweight = 7"));
    site.daemon.signal(Signal::HUP);
    eventually("the heavier one wins", || best("far"));
    let story = site.host.says("explain 10.30.0.0/24");
    assert!(story.contains("a lower weight than the best"), "{story}");
    assert_eq!(site.number("established_count"), 1, "no session was touched");
}

#[test]
fn a_soft_clear_asks_for_the_routes_again_and_sends_ours_again() {
    if !can_run() {
        return;
    }
    let site = Site::start("");
    eventually("all is exchanged", || site.number("received") == 4 && site.number("advertised") >= 3);
    let counter =
        |way: &str, kind: &str| site.peer("tor")["counters"][way][kind].as_u64().unwrap_or_default();
    let before = (counter("received", "update"), counter("sent", "update"), counter("sent", "refresh"));
    site.host.says("clear tor --soft");
    eventually("both ways are renewed", || {
        counter("received", "update") > before.0
            && counter("sent", "update") > before.1
            && counter("sent", "refresh") > before.2
    });
    assert_eq!((site.number("received"), site.number("established_count")), (4, 1));
    site.host.says("clear tor");
    eventually("a hard one starts the session anew", || {
        site.number("established_count") == 2 && site.number("received") == 4
    });
}

#[test]
fn too_many_prefixes_are_kept_out_taken_or_end_the_session_as_the_configuration_says_now() {
    if !can_run() {
        return;
    }
    let limit = |action: &str| format!("max_prefixes = 2\nmax_prefixes_action = \"{action}\"\n");
    let site = Site::start(&limit("block"));
    eventually("two are kept out", || {
        site.peer("tor")["info"].as_str().is_some_and(|info| info.contains("2 prefixes refused"))
    });
    assert_eq!(site.number("received"), 2);
    site.reload("max_prefixes = 9\nmax_prefixes_action = \"block\"\n");
    eventually("there is room, and they were asked for again", || site.number("received") == 4);
    assert!(site.number("attribute_octets") > 100);
    assert!(site.host.says("peers tor").contains("octets of path attributes in memory"));
    site.reload(&limit("warn"));
    eventually("it is said", || site.host.log().contains("more prefixes than it may"));
    assert_eq!((site.number("received"), site.number("established_count")), (4, 1));
    site.reload(&limit("restart"));
    eventually("the session is closed", || site.peer("tor")["state"] != "established");
    let why = site.host.says("peers tor");
    assert!(why.contains("Maximum Number of Prefixes Reached (6/1)"), "{why}");
    eventually("BIRD was told why", || site.log().contains("Maximum number of prefixes reached"));
    site.reload("");
    site.host.says("clear tor");
    eventually("it is back", || site.number("established_count") == 2 && site.number("received") == 4);
    assert_eq!(site.peer("far")["established_count"], 1, "the other peer heard nothing of it");
}
