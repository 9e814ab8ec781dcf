//! BFD with real neighbours, BIRD 2 and FRR, each in a network namespace of its own.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout, reason = "a test")]

#[allow(dead_code)]
mod support;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, SystemTime},
};

use serde_json::Value;
use support::{Host, Namespace, Process, can_run, eventually, text};

const PEER: &str = "192.168.92.129";

/// A daemon with one peer, and that peer's namespace.
struct Lab {
    host: Host,
    neighbour: Host,
    daemon: Option<Process>,
    others: Vec<Process>,
    _dir: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let host = Host::new(dir.path(), "host");
        let neighbour = Host::new(dir.path(), "neighbour");
        Namespace::cable(&host.ns, &neighbour.ns, "192.168.92.128/24", "192.168.92.129/24");
        host.ns.ip("address add fd00::128/64 dev eth0 nodad");
        neighbour.ns.ip("address add fd00::129/64 dev eth0 nodad");
        Self { host, neighbour, daemon: None, others: Vec::new(), _dir: dir }
    }

    /// With BIRD, whose BGP has these options, and a peer with these keys.
    fn bird(options: &str, keys: &str) -> Self {
        let mut lab = Self::new();
        let config = format!(
            "router id 192.168.92.129;
             protocol device {{}}
             protocol static {{ ipv4; route 10.9.0.0/24 blackhole; }}
             protocol bfd bfd1 {{
                interface \"*\" {{ interval 200 ms; multiplier 3; }}; multihop {{ interval 200 ms; multiplier 3; }}; }}
             protocol bgp host {{ connect delay time 0; connect retry time 1; error wait time 1, 1; bfd on;
                ipv4 {{ import all; export all; next hop self; extended next hop on; }}; {options} }}"
        );
        lab.others.push(lab.neighbour.bird(&config));
        lab.run(keys);
        lab
    }

    /// Starts our daemon.
    fn run(&mut self, keys: &str) {
        self.configure(keys);
        self.daemon = Some(self.host.run(&[]));
        eventually("the daemon answers", || self.host.cli("status").status.success());
    }

    fn configure(&self, keys: &str) {
        self.host.configure(&format!(
            "[node]\nname = \"host\"\naddress = \"192.168.92.128/24\"\naddress6 = \"fd00::128/64\"
             [bgp]\nconnect_retry_time = 1\n[bfd]\ninterval = 200\n[[peers]]\nname = \"peer\"
             import = \"all\"\nbfd = \"on\"\n{keys}\n"
        ));
    }

    fn path(&self) -> Value {
        self.host.json("bfd peer")[0].clone()
    }

    fn up(&self) {
        eventually("BFD is up", || self.path()["state"] == "up");
        self.established();
    }

    fn established(&self) {
        eventually("BGP is established", || self.host.json("peers")[0]["state"] == "established");
    }

    /// From now on the neighbour neither hears nor says anything, without anybody's being told.
    fn cut(&self) -> u64 {
        let rules = "table inet cut { chain i { type filter hook input priority 0; policy drop; }
                     chain o { type filter hook output priority 0; policy drop; }; }";
        self.nft(&[rules]);
        now()
    }

    fn mend(&self) {
        self.nft(&["delete table inet cut"]);
    }

    fn nft(&self, arguments: &[&str]) {
        let status = self.neighbour.ns.command("nft").args(arguments).status().expect("nft runs");
        assert!(status.success(), "nft {arguments:?}");
    }

    /// Waits for the neighbour's route.
    fn learned(&self) {
        eventually("the route is here", || self.host.says("routes").contains("10.9.0.0/24"));
    }

    /// Writes what `siskin monitor` tells to a file.
    fn monitor(&self) -> Monitor {
        let file = self.host.dir.join("events");
        let out = fs::File::create(&file).expect("a file");
        let mut command = self.host.ns.command(env!("CARGO_BIN_EXE_siskin"));
        command
            .arg("--socket")
            .arg(self.host.dir.join("siskin.sock"))
            .args(["monitor", "--json"])
            .stderr(Stdio::null())
            .stdout(out);
        let process = Process(command.spawn().expect("starts"));
        std::thread::sleep(Duration::from_millis(300));
        Monitor { file, _process: process }
    }
}

struct Monitor {
    file: std::path::PathBuf,
    _process: Process,
}

impl Monitor {
    fn events(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.file).expect("a file");
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// When the first event came for which this holds, in milliseconds since the epoch.
    fn when(&self, what: &str, fits: impl Fn(&Value) -> bool) -> u64 {
        eventually(what, || self.events().iter().any(&fits));
        self.events()
            .iter()
            .find(|event| fits(event))
            .and_then(|event| event["time_ms"].as_u64())
            .expect("a time")
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_millis()).expect("fits")
}

fn detection_ms(path: &Value) -> Option<u64> {
    Some(path["detection_time_us"].as_u64()? / 1000)
}

/// Packets of the neighbour's interface, decoded at the end.
struct Capture {
    file: std::path::PathBuf,
    process: Process,
}

impl Capture {
    fn start(lab: &Lab) -> Option<Self> {
        if !Path::new("/usr/bin/tshark").exists() {
            println!("SKIPPED: no tshark, so the packets are not decoded");
            return None;
        }
        let file = lab.host.dir.join("capture.pcap");
        let mut command = lab.host.ns.command("tshark");
        command.args(["-q", "-i", "eth0", "-w"]).arg(&file).stderr(Stdio::null()).stdout(Stdio::null());
        let process = Process(command.spawn().expect("starts"));
        eventually("the capture runs", || fs::metadata(&file).is_ok_and(|file| file.len() > 0));
        Some(Self { file, process })
    }

    fn fields(&self, filter: &str, field: &str) -> Vec<String> {
        let mut command = Command::new("tshark");
        command.arg("-r").arg(&self.file).args(["-Y", filter, "-T", "fields", "-e", field]);
        text(&command.output().expect("runs").stdout).lines().map(str::to_owned).collect()
    }

    /// Ends it, once what was on its way is there.
    fn end(&mut self) {
        std::thread::sleep(Duration::from_secs(1));
        self.process.signal(rustix::process::Signal::INT);
        self.process.exit_code();
    }

    /// Nothing of what we sent is malformed, and all of it is as the RFCs have it.
    fn check(mut self, port: &str) {
        self.end();
        let ours = "bfd && !icmp && !icmpv6 && (ip.src == 192.168.92.128 || ipv6.src == fd00::128)";
        let malformed = format!("{ours} && (_ws.malformed || _ws.expert.severity == error)");
        assert_eq!(self.fields(&malformed, "frame.number"), [""; 0], "malformed packets");
        let mut ports = self.fields(ours, "udp.srcport");
        assert!(ports.len() > 4, "{} packets", ports.len());
        ports.sort();
        ports.dedup();
        assert!(ports.iter().all(|port| port.parse::<u32>().is_ok_and(|port| port >= 49152)), "{ports:?}");
        assert!(self.fields(ours, "udp.dstport").iter().all(|to| to == port));
        assert!(self.fields(&format!("{ours} && ip"), "ip.ttl").iter().all(|ttl| ttl == "255"));
        assert!(self.fields(&format!("{ours} && ipv6"), "ipv6.hlim").iter().all(|ttl| ttl == "255"));
        let set = |flag: &str| !self.fields(&format!("{ours} && {flag} == 1"), "frame.number").is_empty();
        assert!(!set("bfd.flags.a") && !set("bfd.flags.m"));
        // One packet can be lost, and the peer then takes our silence for the end of the path (RFC 5880 section 6.8.16).
        let goodbyes = self.fields(&format!("{ours} && bfd.sta == 0"), "frame.number").len();
        assert!(goodbyes == 0 || goodbyes >= 3, "{goodbyes} packets say AdminDown");
        // A session that has come up before the capture began has confirmed its timers already.
        assert!(port != "3784" || set("bfd.flags.p") && set("bfd.flags.f"));
    }

    /// Our NOTIFICATION with this text goes out before BFD says AdminDown: the other side is to know why first.
    fn tells_of_the_end_first(mut self, words: &str) {
        self.end();
        let first = |filter: &str| -> Option<u32> {
            let frames = self.fields(&format!("ip.src == 192.168.92.128 && {filter}"), "frame.number");
            frames.first()?.parse().ok()
        };
        let notification = first(&format!("bgp.type == 3 && frame contains \"{words}\""));
        let admin_down = first("bfd.sta == 0");
        assert!(notification.is_some() && notification < admin_down, "{notification:?} {admin_down:?}");
    }
}

const EXTERNAL: &str = "direct; local 192.168.92.129 as 64600; neighbor 192.168.92.128 as 64512;";

#[test]
fn the_end_of_a_path_to_bird_ends_the_session_within_the_detection_time() {
    if !can_run() {
        return;
    }
    let lab = Lab::bird(EXTERNAL, &format!("address = \"{PEER}\"\nasn = 64600"));
    let capture = Capture::start(&lab);
    lab.up();
    eventually("BIRD says up", || lab.neighbour.birdc("show bfd sessions").contains("Up"));
    eventually("the timers are negotiated", || detection_ms(&lab.path()) == Some(600));
    let path = lab.path();
    assert_eq!((&path["path"], &path["tx_interval_us"]), (&"single_hop".into(), &200_000.into()));
    assert!(lab.host.says("peers peer").contains("BFD         up for"));
    assert!(lab.host.says("peers").contains("BFD"), "the table has a column");

    lab.learned();
    let monitor = lab.monitor();
    let cut = lab.cut();
    let down = monitor.when("BFD fails", |e| e["event"] == "bfd" && e["state"] == "down") - cut;
    let gone = monitor
        .when("the route goes", |e| e["event"] == "route" && e["next_hops"] == serde_json::json!([]))
        - cut;
    println!("200 ms x 3 with BIRD: BFD down {down} ms after the cut, its route gone after {gone} ms");
    assert!(down <= 750 && gone <= 1000, "BFD after {down} ms, the route after {gone} ms");
    let peer = &lab.host.json("peers")[0];
    assert!(peer["last_error"].as_str().is_some_and(|e| e.contains("BFD Down (6/10)")), "{peer}");
    assert_eq!(peer["bfd"]["last_down_reason"], "no packet for 600 ms");

    lab.mend();
    lab.up();
    assert_eq!(lab.path()["up_count"], 2);
    capture.into_iter().for_each(|capture| capture.check("3784"));
}

#[test]
fn other_intervals_are_agreed_on_with_bird_without_a_flap() {
    if !can_run() {
        return;
    }
    let keys = format!("address = \"{PEER}\"\nasn = 64600\n");
    let lab = Lab::bird(EXTERNAL, &keys);
    lab.up();
    for (interval, multiplier, detection) in [(400, 5, 1200), (50, 4, 600)] {
        lab.configure(&format!("{keys}bfd_interval = {interval}\nbfd_multiplier = {multiplier}"));
        // BIRD announces 200 ms and 3.
        eventually("the new timers hold", || {
            let path = lab.path();
            detection_ms(&path) == Some(detection)
                && path["tx_interval_us"] == 1000 * interval.max(200)
                && path["local"]["multiplier"] == multiplier
        });
    }
    assert_eq!(lab.path()["up_count"], 1);
    assert_eq!(lab.host.json("peers")[0]["established_count"], 1);

    let capture = Capture::start(&lab);
    lab.configure(&keys.replace("\nasn", "\nenabled = false\nshutdown_text = \"maintenance\"\nasn"));
    eventually("a disabled peer's path is not watched", || lab.host.json("bfd") == serde_json::json!([]));
    eventually("BIRD heard AdminDown or silence", || {
        !lab.neighbour.birdc("show bfd sessions").contains("Up")
    });
    capture.into_iter().for_each(|capture| capture.tells_of_the_end_first("maintenance"));
}

#[test]
fn bird_is_watched_over_several_hops_and_ipv6() {
    if !can_run() {
        return;
    }
    let options = "multihop; local fd00::129 as 64512; neighbor fd00::128 as 64512;";
    let keys = "address = \"fd00::129\"\nasn = 64512\nfamilies = [\"ipv4\", \"ipv6\"]";
    let lab = Lab::bird(options, keys);
    let capture = Capture::start(&lab);
    lab.up();
    eventually("the timers are negotiated", || detection_ms(&lab.path()) == Some(600));
    assert_eq!(lab.path()["path"], "multi_hop");
    let monitor = lab.monitor();
    let cut = lab.cut();
    let down = monitor.when("BFD fails", |e| e["event"] == "bfd" && e["state"] == "down") - cut;
    println!("200 ms x 3 with BIRD, several hops, IPv6: BFD down {down} ms after the cut");
    assert!(down <= 750, "{down} ms");
    capture.into_iter().for_each(|capture| capture.check("4784"));
}

#[test]
fn a_killed_bird_is_noticed_and_one_that_comes_back_is_watched_again() {
    if !can_run() {
        return;
    }
    let mut lab = Lab::bird(EXTERNAL, &format!("address = \"{PEER}\"\nasn = 64600"));
    lab.up();
    lab.others.remove(0).signal(rustix::process::Signal::KILL);
    eventually("BFD is down", || lab.path()["state"] == "down");
    let config = fs::read_to_string(lab.neighbour.dir.join("bird.conf")).expect("its configuration");
    lab.others.push(lab.neighbour.bird(&config));
    lab.up();
}

#[test]
fn bfd_does_not_spoil_a_graceful_restart_and_a_graceful_restart_does_not_hide_a_dead_path() {
    if !can_run() {
        return;
    }
    let options = format!("{EXTERNAL} graceful restart on; graceful restart time 60;");
    let mut lab = Lab::bird(&options, &format!("address = \"{PEER}\"\nasn = 64600"));
    lab.up();
    let known = |lab: &Lab| lab.host.says("routes").contains("10.9.0.0/24");
    eventually("BIRD's route is here", || known(&lab));

    // Its BFD dies with it, which tells nothing of the path (RFC 5882 section 4.3.2).
    lab.others.remove(0).signal(rustix::process::Signal::KILL);
    eventually("BFD is down", || lab.path()["state"] == "down");
    assert!(known(&lab), "the route went although BIRD restarts");
    let config = fs::read_to_string(lab.neighbour.dir.join("bird.conf")).expect("its configuration");
    lab.others.push(lab.neighbour.bird(&config));
    lab.up();
    lab.learned();

    let cut = lab.cut();
    eventually("the route goes with the path", || !known(&lab));
    let gone = now() - cut;
    assert!(gone <= 1500, "gone after {gone} ms, far from the restart time of 60 s");
}

/// FRR's daemons, in the neighbour's namespace.
struct Frr<'a>(&'a Host);

impl Frr<'_> {
    fn start(host: &Host, bgp: &str, bfd: &str) -> Vec<Process> {
        let dir = host.dir.to_str().expect("a path");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(&host.dir, mode).expect("FRR drops its privileges");
        let config = format!(
            "bfd\n peer {PEER_OF_FRR} {bfd}\n  detect-multiplier 3\n  receive-interval 200\n  transmit-interval 200\n !\n!
router bgp 64600\n bgp router-id {PEER}\n no bgp ebgp-requires-policy\n no bgp network import-check
 neighbor {PEER_OF_FRR} timers connect 1\n {bgp}\n address-family ipv4 unicast\n  network 10.9.0.0/24\n exit-address-family\n",
        );
        let mut started = Vec::new();
        for daemon in ["zebra", "bfdd", "bgpd"] {
            let file = host.dir.join(format!("{daemon}.conf"));
            fs::write(&file, if daemon == "zebra" { "" } else { &config }).expect("writes");
            let mut command = host.ns.command(format!("/usr/lib/frr/{daemon}"));
            command.arg("-f").arg(&file).args(["-A", "127.0.0.1", "--vty_socket", dir]);
            command.args(["-i", &format!("{dir}/{daemon}.pid"), "-z", &format!("{dir}/zserv")]);
            if daemon == "bfdd" {
                command.args(["--bfdctl", &format!("{dir}/bfdd.sock")]);
            }
            command.stdout(Stdio::null()).stderr(Stdio::null());
            started.push(Process(command.spawn().expect("starts")));
            eventually("FRR's daemon answers", || host.dir.join(format!("{daemon}.vty")).exists());
        }
        started
    }

    fn says(&self, commands: &[&str]) -> String {
        let mut command = self.0.ns.command("vtysh");
        command.arg("--vty_socket").arg(&self.0.dir);
        commands.iter().for_each(|line| _ = command.args(["-c", line]));
        text(&command.output().expect("runs").stdout)
    }
}

const PEER_OF_FRR: &str = "192.168.92.128";

fn frr_is_there() -> bool {
    let there = Path::new("/usr/lib/frr/bfdd").exists();
    if !there {
        println!("SKIPPED: FRR's bfdd is not installed");
    }
    there
}

#[test]
fn frr_is_watched_and_its_admin_down_ends_no_session() {
    if !can_run() || !frr_is_there() {
        return;
    }
    let mut lab = Lab::new();
    let bgp = format!("neighbor {PEER_OF_FRR} remote-as 64512\n neighbor {PEER_OF_FRR} bfd");
    lab.others = Frr::start(&lab.neighbour, &bgp, "");
    lab.run(&format!("address = \"{PEER}\"\nasn = 64600"));
    let capture = Capture::start(&lab);
    let frr = Frr(&lab.neighbour);
    lab.up();
    eventually("the timers are negotiated", || detection_ms(&lab.path()) == Some(600));
    eventually("FRR says up", || frr.says(&["show bfd peers"]).contains("Status: up"));

    let peer = format!("peer {PEER_OF_FRR}");
    frr.says(&["configure terminal", "bfd", &peer, "shutdown"]);
    eventually("FRR's AdminDown is heard", || lab.path()["remote_state"] == "admin_down");
    std::thread::sleep(Duration::from_millis(1000));
    let row = &lab.host.json("peers")[0];
    assert_eq!((&row["state"], &row["established_count"]), (&"established".into(), &1.into()), "{row}");
    frr.says(&["configure terminal", "bfd", &peer, "no shutdown"]);
    lab.up();

    frr.says(&["configure terminal", "bfd", &peer, "transmit-interval 300"]);
    eventually("FRR's new interval is known", || detection_ms(&lab.path()) == Some(900));
    assert_eq!(lab.host.json("peers")[0]["established_count"], 1, "no flap");

    lab.host.says("stop");
    eventually("FRR hears that we left on purpose", || {
        frr.says(&["show bfd peers"]).contains("Remote diagnostics: administratively down")
    });
    capture.into_iter().for_each(|capture| capture.check("3784"));
}

#[test]
fn frr_is_watched_over_several_hops() {
    if !can_run() || !frr_is_there() {
        return;
    }
    let mut lab = Lab::new();
    let bgp = format!(
        "neighbor {PEER_OF_FRR} remote-as 64512\n neighbor {PEER_OF_FRR} ebgp-multihop 3
 neighbor {PEER_OF_FRR} update-source {PEER}\n neighbor {PEER_OF_FRR} bfd"
    );
    lab.others = Frr::start(&lab.neighbour, &bgp, &format!("multihop local-address {PEER}"));
    lab.run(&format!("address = \"{PEER}\"\nasn = 64600\nmultihop = 3"));
    lab.up();
    eventually("the timers are negotiated", || detection_ms(&lab.path()) == Some(600));
    assert_eq!(lab.path()["path"], "multi_hop");
    lab.learned();
    let monitor = lab.monitor();
    let cut = lab.cut();
    let down = monitor.when("BFD fails", |e| e["event"] == "bfd" && e["state"] == "down") - cut;
    let gone = monitor
        .when("the route goes", |e| e["event"] == "route" && e["next_hops"] == serde_json::json!([]))
        - cut;
    println!(
        "200 ms x 3 with FRR, several hops: BFD down {down} ms after the cut, its route gone after {gone} ms"
    );
    assert!(down <= 750 && gone <= 1000, "BFD after {down} ms, the route after {gone} ms");
    eventually("the reason is told", || {
        lab.host.json("peers")[0]["last_error"].as_str().is_some_and(|e| e.contains("BFD Down (6/10)"))
    });
}
