//! The daemon and whoever reads its log, or does not.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout, reason = "a test")]

#[allow(dead_code, reason = "what other tests use")]
mod support;

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::Stdio,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use support::{Host, Namespace, Process, can_run, eventually, text};

const CONFIG: &str = r#"
[node]
name = "master01"
address = "192.168.92.128/24"
[bgp]
mesh = ["192.168.92.129"]
connect_retry_time = 1
open_delay = 0
hold_time = 3
[[pools]]
cidr = "172.16.0.0/16"
ipip_mode = "Never"
[api]
http = "127.0.0.1:9179"
"#;

const BIRD: &str = r"
router id 192.168.92.129;
protocol device {}
protocol bgp master01 {
    local 192.168.92.129 as 64512;
    neighbor 192.168.92.128 as 64512;
    direct;
    hold time 3;
    connect delay time 1;
    ipv4 { import all; export none; };
}
";

/// A pipe that takes nothing more: the end to read from, and the end a daemon may write to.
fn full_pipe() -> (File, File) {
    let (read, write) = io::pipe().expect("a pipe");
    let flags = fcntl_getfl(&write).expect("flags");
    fcntl_setfl(&write, flags | OFlags::NONBLOCK).expect("sets flags");
    let mut write = File::from(OwnedFd::from(write));
    while write.write(&[b'\n'; 4096]).is_ok() {}
    while write.write(b"\n").is_ok() {}
    fcntl_setfl(&write, flags).expect("sets flags");
    (OwnedFd::from(read).into(), write)
}

/// Reads a pipe on a thread of its own from now on.
fn follow(mut pipe: File) -> Arc<Mutex<String>> {
    let seen = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&seen);
    thread::spawn(move || {
        let mut part = [0; 65536];
        while let Ok(length @ 1..) = pipe.read(&mut part) {
            sink.lock().expect("no panic").push_str(&text(&part[..length]));
        }
    });
    seen
}

/// Asks so many times, over one connection, for what cannot be done: each leaves a line in the log.
fn fill_the_log(host: &Host, lines: usize) {
    let mut socket = UnixStream::connect(host.dir.join("siskin.sock")).expect("connects");
    let mut answers = BufReader::new(socket.try_clone().expect("a second handle")).lines();
    for _ in 0..lines {
        socket.write_all(b"{\"command\":\"enable\",\"peer\":\"nobody\"}\n").expect("writes");
        let answer = answers.find(|line| line.as_ref().is_ok_and(|line| line.contains("error")));
        assert!(answer.is_some(), "the daemon answers");
    }
}

#[test]
fn a_log_that_nobody_reads_stops_nothing_and_what_is_lost_is_counted_and_told() {
    if !can_run() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let host = Host::new(dir.path(), "master01");
    let neighbour = Host::new(dir.path(), "node01");
    Namespace::cable(&host.ns, &neighbour.ns, "192.168.92.128/24", "192.168.92.129/24");
    host.configure(CONFIG);
    let bird = neighbour.bird(BIRD);
    let (read, write) = full_pipe();
    let mut command = host.siskin();
    command.args(["run", "-c"]).arg(host.config()).stderr(write).stdout(Stdio::null());
    let mut daemon = Process(command.spawn().expect("starts"));
    drop(command);

    eventually("the session is up", || {
        let up = host.cli("peers --json");
        text(&up.stdout).contains("\"state\":\"established\"")
    });
    fill_the_log(&host, 9000);
    let status = host.json("status");
    assert!(status["log"]["dropped"].as_u64() > Some(500), "{status}");
    thread::sleep(Duration::from_secs(4));
    let status = host.json("status");
    assert!(status["log"]["blocked"].as_u64() >= Some(4), "{status}");
    assert!(host.says("status").contains("standard error takes no log line"));
    let curl = ["-s", "-m", "5", "http://127.0.0.1:9179/livez"];
    assert_eq!(host.ns.command("curl").args(curl).output().expect("curl runs").stdout, b"ok\n");
    assert_eq!(host.json("peers")[0]["established_count"], 1, "longer than the hold time");

    let log = follow(read);
    let has = |part: &str| log.lock().expect("no panic").contains(part);
    eventually("the log says what is missing", || has("lines are missing here") && has("missing="));
    eventually("nothing is blocked any more", || host.json("status")["log"]["blocked"].is_null());
    let uid = "uid=0 program=\"siskin\"";
    host.says("disable 192.168.92.129");
    let disabled = "command of a client command=\"disable 192.168.92.129\" pid=";
    eventually("who disabled it", || has(disabled) && has(uid));
    host.says("enable 192.168.92.129");
    eventually("the session is back", || host.json("peers")[0]["established_count"] == 2);
    drop(bird);
    eventually("the loss of a session is a warning", || {
        has(" WARN session ended peer=\"192.168.92.129\" reason=\"")
    });
    assert!(has(" INFO session ended peer=\"192.168.92.129\" reason=\""), "what was asked for is none");
    host.says("stop");
    assert_eq!(daemon.exit_code(), Some(0));
}

#[test]
fn a_daemon_whose_log_nobody_reads_ends_when_told() {
    if !can_run() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let host = Host::new(dir.path(), "master01");
    host.configure(CONFIG);
    let (_read, write) = full_pipe();
    let mut command = host.siskin();
    command.args(["run", "-c"]).arg(host.config()).stderr(write).stdout(Stdio::null());
    let mut daemon = Process(command.spawn().expect("starts"));
    eventually("the daemon answers", || host.cli("status").status.success());
    daemon.signal(rustix::process::Signal::TERM);
    assert_eq!(daemon.exit_code(), Some(0));
}
