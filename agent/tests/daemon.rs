//! The daemon as users meet it, against a real BIRD in network namespaces.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout, reason = "a test")]

#[allow(dead_code, reason = "what other tests use")]
mod support;

use std::{fs, time::Duration};

use rustix::process::Signal;
use support::{Host, Process, can_run, eventually, text};

const CONFIG: &str = r#"
[node]
name = "master01"
address = "192.168.92.128/24"
[bgp]
mesh = ["192.168.92.129"]
connect_retry_time = 1
open_delay = 0
[[pools]]
cidr = "172.16.0.0/16"
ipip_mode = "Never"
[local]
blocks = ["172.16.241.64/26"]
"#;

const BIRD: &str = r#"
router id 192.168.92.129;
protocol device {}
protocol static { ipv4; route 172.16.196.128/26 blackhole; route 10.9.0.0/24 blackhole; }
protocol bgp master01 {
    local 192.168.92.129 as 64512;
    neighbor 192.168.92.128 as 64512;
    direct;
    graceful restart on;
    connect delay time 1;
    ipv4 { import all; export all; next hop self; };
}
"#;

const LEARNED: &str = "172.16.196.128/26 via 192.168.92.129 dev eth0";
const OWN: &str = "blackhole 172.16.241.64/26";

/// A daemon and its neighbour.
struct Pair {
    host: Host,
    neighbour: Host,
    daemon: Process,
    _bird: Process,
    _dir: tempfile::TempDir,
}

impl Pair {
    fn start(flags: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let host = Host::new(dir.path(), "master01");
        let neighbour = Host::new(dir.path(), "node01");
        support::Namespace::cable(&host.ns, &neighbour.ns, "192.168.92.128/24", "192.168.92.129/24");
        host.configure(CONFIG);
        let bird = neighbour.bird(BIRD);
        let daemon = host.run(flags);
        eventually("the daemon answers", || {
            host.cli("version --json").stdout.contains(&b'{') && host.cli("status").status.success()
        });
        Self { host, neighbour, daemon, _bird: bird, _dir: dir }
    }

    fn converged() -> Self {
        let pair = Self::start(&[]);
        eventually("both routes are in the kernel", || pair.host.ns.routes("179") == [LEARNED, OWN]);
        pair
    }
}

#[test]
fn routes_travel_from_a_peer_to_the_kernel_and_every_command_tells_of_them() {
    if !can_run() {
        return;
    }
    let pair = Pair::converged();
    let host = &pair.host;
    eventually("BIRD has learned our block", || {
        pair.neighbour.birdc("show route 172.16.241.64/26").contains("via 192.168.92.128")
    });

    let status = host.says("status --check");
    assert!(status.contains("Sessions    1 of 1 established"), "{status}");
    assert!(status.contains("Health      healthy"), "{status}");
    let peers = host.json("peers");
    assert_eq!(peers[0]["state"], "established");
    assert_eq!((peers[0]["received"].as_u64(), peers[0]["accepted"].as_u64()), (Some(2), Some(1)));
    assert!(host.says("peers 192.168.92.129").contains("router id 192.168.92.129"));
    let routes = host.says("routes");
    assert!(routes.contains("172.16.196.128/26  192.168.92.129"), "{routes}");
    assert!(!routes.contains("10.9.0.0/24"), "{routes}");
    assert!(host.says("routes --peer 192.168.92.129 --rejected").contains("it lies in no pool"));
    assert!(host.says("routes --peer 192.168.92.129 --advertised").contains("172.16.241.64/26"));
    assert!(host.says("routes 172.16.196.132").contains("172.16.196.128/26"));
    let fib = host.json("fib");
    assert_eq!(fib[0]["dst"], "172.16.196.128/26");
    assert_eq!(fib[0]["gateway"], "192.168.92.129");
    assert_eq!(fib[1]["type"], "blackhole");
    assert!(host.says("fib --diff").contains("exactly the routes wanted"));
    let story = host.says("explain 172.16.196.132");
    for part in
        ["172.16.196.128/26", "IPIP Never", "a known node", "inside our network 192.168.92.0/24", "as wanted"]
    {
        assert!(story.contains(part), "{part} is not in\n{story}");
    }
    assert!(host.says("explain 172.16.9.9").contains("no peer announces"));
    assert!(host.says("config show --origin").contains("siskin.toml"));
    assert_eq!(host.cli("peers nobody").status.code(), Some(1));
}

#[test]
fn a_changed_file_is_applied_and_an_invalid_one_refused() {
    if !can_run() {
        return;
    }
    let pair = Pair::converged();
    let host = &pair.host;
    host.configure(&CONFIG.replace("Never", "CrossSubnet"));
    eventually("the mode has changed", || host.says("explain 172.16.196.132").contains("IPIP CrossSubnet"));
    assert_eq!(host.ns.routes("179"), [LEARNED, OWN], "same subnet: direct as before");

    host.configure("[node]\nnmae = 1\n");
    eventually("the file is refused", || host.says("status").contains("did you mean `name`"));
    assert_eq!(host.cli("status --check").status.code(), Some(1));
    assert_eq!(host.json("peers")[0]["established_count"], 1, "no session was touched");

    host.configure(&format!("{CONFIG}[kernel]\nmetric = 7\n"));
    eventually("the key waits for a restart", || {
        host.says("status").contains("waiting for a restart: kernel.metric")
    });
    assert!(!host.says("status").contains("did you mean"));

    host.configure(&CONFIG.replace("[\"192.168.92.129\"]", "[]"));
    eventually("the change is pending", || host.says("status").contains("would take away the only peer"));
    host.says("reload --force");
    eventually("the peer is gone with its route", || host.ns.routes("179") == [OWN]);
    assert_eq!(host.json("peers"), serde_json::json!([]));
}

#[test]
fn an_emptied_file_under_a_running_daemon_ends_no_session_and_deletes_no_route() {
    if !can_run() {
        return;
    }
    let pair = Pair::converged();
    let host = &pair.host;
    host.configure("");
    eventually("the file is refused", || host.says("status").contains("the file is empty"));
    assert_eq!(host.cli("status --check").status.code(), Some(1));
    let reload = host.cli("reload");
    assert_eq!(reload.status.code(), Some(2), "{}", text(&reload.stdout));
    assert!(text(&reload.stdout).contains("siskin.toml:1:1: the file is empty"), "{}", text(&reload.stdout));
    assert_eq!(host.cli("reload --force").status.code(), Some(2), "no force makes a wrong file right");

    host.configure(CONFIG);
    eventually("all is well again", || host.cli("status --check").status.success());
    assert_eq!(host.says("reload"), "nothing has changed\n");
    assert_eq!(host.json("peers")[0]["established_count"], 1, "no session was touched");
    assert_eq!(host.ns.routes("179"), [LEARNED, OWN]);
}

#[test]
fn a_change_that_takes_away_all_peers_and_pools_waits_for_force_or_a_restart() {
    if !can_run() {
        return;
    }
    let mut pair = Pair::converged();
    let host = &pair.host;
    let (with_http, cut) = (
        format!("{CONFIG}[api]\nhttp = \"127.0.0.1:9179\"\n"),
        "[node]\nname = \"master01\"\naddress = \"192.168.92.128/24\"\n",
    );
    host.says("stop");
    pair.daemon.exit_code();
    host.configure(&with_http);
    pair.daemon = host.run(&[]);
    let get = |path: &str| {
        let url = format!("http://127.0.0.1:9179{path}");
        text(&host.ns.command("curl").args(["-s", "-m", "5", &url]).output().expect("curl runs").stdout)
    };
    eventually("ready", || get("/readyz") == "ok\n" && host.cli("status --check").status.success());
    let established = host.json("peers")[0]["established_count"].clone();

    host.configure(cut);
    eventually("the change is pending", || host.json("status")["config"]["pending"].is_object());
    let taken = &host.json("status")["config"]["pending"]["takes_away"];
    assert_eq!(*taken, serde_json::json!(["the only peer", "the only pool", "the only local block"]));
    assert!(host.says("status").contains("`siskin reload --force` applies it"));
    assert_eq!(host.cli("status --check").status.code(), Some(1));
    assert_eq!(get("/readyz"), "ok\n", "what ran goes on serving");
    assert!(get("/readyz?verbose").contains("problems: config_pending\n"), "{}", get("/readyz?verbose"));
    let metrics = get("/metrics");
    assert!(
        metrics.contains("siskin_config_pending 1") && metrics.contains("reload_successful 0"),
        "{metrics}"
    );
    assert!(host.log().contains("new configuration pending"), "{}", host.log());
    let reload = host.cli("reload");
    assert_eq!(reload.status.code(), Some(1), "{}", text(&reload.stdout));
    assert!(
        text(&reload.stdout).starts_with("pending: it would take away the only peer"),
        "{}",
        text(&reload.stdout)
    );
    assert_eq!(host.ns.routes("179"), [LEARNED, OWN]);

    host.configure(&with_http);
    eventually("the file is as before", || host.cli("status --check").status.success());
    assert_eq!(host.json("peers")[0]["established_count"], established, "no session was touched");
    assert!(get("/metrics").contains("siskin_config_pending 0"));

    host.configure(cut);
    let forced = host.says("reload --force");
    assert!(forced.contains("bgp.mesh: 192.168.92.129 -> none"), "{forced}");
    eventually("the routes are gone", || host.ns.routes("179").is_empty());
    let problems = host.json("status")["problems"].clone();
    let has = |code: &str| problems.as_array().is_some_and(|list| list.iter().any(|p| p["code"] == code));
    assert!(has("no_peers") && has("no_pools"), "{problems}");
    assert!(get("/readyz").contains("no peer is configured"), "0 of 0 is not health: {}", get("/readyz"));
    assert_eq!(host.cli("status --check").status.code(), Some(1));
}

#[test]
fn a_stop_is_heard_while_the_configuration_is_read() {
    if !can_run() {
        return;
    }
    let mut pair = Pair::converged();
    let host = &pair.host;
    // A mesh so large that an unoptimised build reads it for seconds.
    let nodes: String =
        (0..60_000).map(|n| format!("\"10.{}.{}.{}\",", n / 60_000, n / 256, n % 256)).collect();
    host.configure(&CONFIG.replace("[\"192.168.92.129\"]", &format!("[\"192.168.92.129\",{nodes}]")));
    pair.daemon.signal(Signal::HUP);
    std::thread::sleep(Duration::from_millis(100));
    pair.daemon.signal(Signal::TERM);
    let asked = std::time::Instant::now();
    assert_eq!(pair.daemon.exit_code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    assert!(!host.log().contains("configuration changed"), "the reading was not over");
}

#[test]
fn stopping_keeps_the_routes_and_flushing_removes_them() {
    if !can_run() {
        return;
    }
    let mut pair = Pair::converged();
    let host = &pair.host;
    let mut second = host.run(&[]);
    assert_eq!(second.exit_code(), Some(1), "a second daemon is refused");
    assert!(host.log().contains("another daemon"), "{}", host.log());
    let flush = host.cli("flush");
    assert_eq!(flush.status.code(), Some(1));
    assert!(text(&flush.stderr).contains("siskin stop --drain"), "{}", text(&flush.stderr));

    host.says("stop");
    assert_eq!(pair.daemon.exit_code(), Some(0));
    assert_eq!(host.ns.routes("179"), [LEARNED, OWN]);
    assert_eq!(host.cli("status").status.code(), Some(3));

    let mut again = host.run(&[]);
    eventually("the daemon answers again", || host.cli("status").status.success());
    again.signal(Signal::TERM);
    assert_eq!(again.exit_code(), Some(0));
    assert_eq!(host.ns.routes("179"), [LEARNED, OWN]);

    host.says("flush");
    assert_eq!(host.ns.routes("179"), [""; 0]);
    assert!(!host.dir.join("siskin.sock").exists());
}

#[test]
fn draining_tells_the_peer_and_removes_the_routes() {
    if !can_run() {
        return;
    }
    let mut pair = Pair::converged();
    pair.host.says("stop --drain");
    assert_eq!(pair.daemon.exit_code(), Some(0));
    assert_eq!(pair.host.ns.routes("179"), [""; 0]);
    assert!(!pair.neighbour.birdc("show route 172.16.241.64/26").contains("via 192.168.92.128"));
}

#[test]
fn a_dry_run_learns_and_shows_but_touches_nothing() {
    if !can_run() {
        return;
    }
    let pair = Pair::start(&["--dry-run"]);
    let host = &pair.host;
    eventually("the difference is shown", || {
        let diff = host.says("fib --diff");
        diff.contains(&format!("+ {LEARNED} proto 179")) && diff.contains(&format!("+ {OWN} proto 179"))
    });
    assert_eq!(host.ns.routes("179"), [""; 0]);
    assert!(!pair.neighbour.birdc("show route 172.16.241.64/26").contains("via 192.168.92.128"));
    assert!(host.says("status").contains("dry run"));
}

#[test]
fn http_serves_metrics_and_health() {
    if !can_run() {
        return;
    }
    let pair = Pair::converged();
    let host = &pair.host;
    drop(pair.daemon);
    host.configure(&format!("{CONFIG}[api]\nhttp = \"127.0.0.1:9179\"\n"));
    let _daemon = host.run(&[]);
    let get = |path: &str| {
        let url = format!("http://127.0.0.1:9179{path}");
        text(&host.ns.command("curl").args(["-s", "-m", "5", &url]).output().expect("curl runs").stdout)
    };
    eventually("the session is back", || {
        get("/metrics")
            .contains("siskin_bgp_peer_up{peer=\"192.168.92.129\",peer_as=\"64512\",peer_type=\"mesh\"} 1")
    });
    assert_eq!(get("/livez"), "ok\n");
    eventually("ready", || get("/readyz") == "ok\n");
    assert!(get("/readyz?verbose").contains("[+]restart ok"));
    assert!(get("/api/v1/routes?prefix=172.16.196.132").contains("\"prefix\":\"172.16.196.128/26\""));
    assert!(get("/api/v1/peers?peer=nobody").contains("not_found"));
}

#[test]
fn a_client_that_goes_away_in_the_middle_is_no_error() {
    if !can_run() {
        return;
    }
    let pair = Pair::converged();
    let socket = pair.host.dir.join("siskin.sock");
    let shell = format!("{} --socket {} routes | true", env!("CARGO_BIN_EXE_siskin"), socket.display());
    let output = pair.host.ns.command("bash").args(["-o", "pipefail", "-c", &shell]).output().expect("runs");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
    std::thread::sleep(Duration::from_millis(10));
    assert!(fs::metadata(socket).is_ok());
}

#[test]
fn a_killed_daemon_comes_back_without_touching_a_route() {
    if !can_run() {
        return;
    }
    let mut pair = Pair::converged();
    let host = &pair.host;
    let seen = host.dir.join("monitor");
    let out = fs::File::create(&seen).expect("a file");
    let mut command = host.ns.command("ip");
    let monitor = Process(command.args(["monitor", "route"]).stdout(out).spawn().expect("starts"));
    let log = || fs::read_to_string(&seen).expect("a file");
    eventually("the monitor sees a canary", || {
        host.ns.ip("route add 203.0.113.1/32 via 192.168.92.129");
        host.ns.ip("route del 203.0.113.1/32");
        log().contains("Deleted 203.0.113.1")
    });
    pair.daemon.signal(Signal::KILL);
    pair.daemon.exit_code();
    assert_eq!(host.ns.routes("179"), [LEARNED, OWN]);
    let stale = "10.8.0.0/24 via 192.168.92.129 dev eth0";
    host.ns.ip(&format!("route add {stale} proto 179"));

    let _daemon = host.run(&[]);
    eventually("what no peer confirms is swept", || host.ns.routes("179") == [LEARNED, OWN]);
    eventually("the restart is over", || host.cli("status --check").status.success());
    host.ns.ip("route add 203.0.113.2/32 via 192.168.92.129");
    eventually("the monitor still works", || log().contains("203.0.113.2"));
    drop(monitor);
    assert!(!log().contains("172.16."), "no route of a pool was touched:\n{}", log());
}
