//! BMP and MRT of the daemon, with a real BIRD as the peer and bgpdump as the reader.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout, reason = "a test")]

#[allow(dead_code, reason = "what other tests use")]
mod support;

use std::{fs, process::Command};

use support::{Host, Namespace, can_run, eventually, text};

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
[[bmp]]
address = "192.168.92.129:1790"
retry = 1
"#;

const BIRD: &str = r#"
router id 192.168.92.129;
protocol device {}
protocol static { ipv4; route 172.16.196.128/26 blackhole; }
protocol bgp master01 {
    local 192.168.92.129 as 64512;
    neighbor 192.168.92.128 as 64512;
    direct;
    connect delay time 1;
    ipv4 { import all; export all; next hop self; };
}
"#;

#[test]
fn files_are_written_on_command_and_as_configured_and_a_missing_collector_is_a_problem() {
    if !can_run() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let host = Host::new(dir.path(), "master01");
    let neighbour = Host::new(dir.path(), "node01");
    Namespace::cable(&host.ns, &neighbour.ns, "192.168.92.128/24", "192.168.92.129/24");
    let updates = dir.path().join("updates.%Y.mrt");
    host.configure(&format!("{CONFIG}[mrt]\nupdates = \"{}\"\nupdates_every = 86400\n", updates.display()));
    let _bird = neighbour.bird(BIRD);
    let _daemon = host.run(&[]);
    eventually("the route is there", || text(&host.cli("routes").stdout).contains("172.16.196.128/26"));
    let status = || text(&host.cli("status").stdout);
    eventually("the collector is missed", || {
        status().contains("the BMP collector 192.168.92.129:1790 is not reached")
    });
    eventually("something is heard", || status().contains("updates.2"));

    let table = dir.path().join("rib.mrt");
    let done = host.cli(&format!("mrt dump {}", table.display()));
    assert!(text(&done.stdout).contains("2 routes dumped"), "{}", text(&done.stdout));
    let refused = host.cli("mrt dump /nowhere/rib.mrt");
    assert!(!refused.status.success());

    let Ok(output) = Command::new("bgpdump").arg("-m").arg(&table).output() else {
        println!("SKIPPED: bgpdump is not installed");
        return;
    };
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(lines.contains("|192.168.92.129|64512|172.16.196.128/26||IGP|192.168.92.129|100|"), "{lines}");
    assert!(lines.contains("|0.0.0.0|64512|172.16.241.64/26|"), "{lines}");
    assert!(fs::read_dir(dir.path()).expect("the directory").count() >= 2);
}
