//! The command line and HTTP where the daemon, or another client, does not do its part.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout, reason = "a test")]

#[allow(dead_code, reason = "what other tests use")]
mod support;

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt, chown},
        net::UnixStream,
    },
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use support::{Host, Process, can_run, eventually, text};

const NOBODY: u32 = 65534;

const CONFIG: &str = r#"
[node]
name = "master01"
address = "192.168.92.128/24"
[bgp]
listen = ["127.0.0.1"]
[[peers]]
name = "rack10"
address = "192.168.92.10"
asn = "internal"
[[peers]]
name = "rack2"
address = "192.168.92.2"
asn = "internal"
[[pools]]
cidr = "172.16.0.0/16"
ipip_mode = "Never"
[local]
blocks = ["172.16.241.64/26"]
[api]
http = "127.0.0.1:9179"
"#;

/// A host of its own, and its daemon.
struct Lone {
    host: Host,
    daemon: Process,
    dir: tempfile::TempDir,
}

impl Lone {
    fn start(more: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("ours");
        let host = Host::new(dir.path(), "master01");
        host.configure(&format!("{CONFIG}{more}"));
        let daemon = host.run(&[]);
        eventually("the daemon answers", || host.cli("status").status.success());
        Self { host, daemon, dir }
    }

    fn socket(&self) -> std::path::PathBuf {
        self.host.dir.join("siskin.sock")
    }

    /// A command by nobody, who is in no group.
    fn as_nobody(&self, line: &str) -> Output {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", env!("CARGO_BIN_EXE_siskin")]);
        command.arg("--socket").arg(self.socket()).args(line.split_whitespace());
        command.output().expect("runs")
    }

    fn curl(&self, more: &[&str], path: &str) -> String {
        let url = format!("http://127.0.0.1:9179{path}");
        text(
            &self
                .host
                .ns
                .command("curl")
                .args(["-s", "-m", "5"])
                .args(more)
                .arg(url)
                .output()
                .expect("runs")
                .stdout,
        )
    }
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

#[test]
fn with_every_seat_taken_no_command_pretends_to_have_succeeded() {
    if !can_run() {
        return;
    }
    let lone = Lone::start("");
    let host = &lone.host;
    let monitors: Vec<_> = (0..64)
        .map(|_| {
            let mut client = UnixStream::connect(lone.socket()).expect("connects");
            client.write_all(b"{\"command\":\"monitor\"}\n").expect("writes");
            assert!(client.read(&mut [0; 64]).expect("a header") > 0);
            client
        })
        .collect();
    for line in ["status --check", "peers", "disable rack2", "stop", "mrt dump /tmp/never", "monitor"] {
        let output = host.cli(line);
        assert_eq!(code(&output), Some(5), "{line}: {output:?}");
        assert!(text(&output.stderr).contains("64 clients are being served already"), "{output:?}");
        let json = host.cli(&format!("{line} --json"));
        let error: serde_json::Value = serde_json::from_slice(&json.stderr).expect("JSON");
        assert_eq!((&error["error"]["code"], &error["error"]["exit"]), (&"busy".into(), &5.into()));
    }
    drop(monitors);
    eventually("there is room again", || host.cli("peers").status.success());
    assert_eq!(host.json("peers rack2")[0]["admin"], "up", "nothing was done");
    assert!(!Path::new("/tmp/never").exists());
}

#[test]
fn a_daemon_that_stands_still_is_told_from_one_that_is_not_healthy() {
    if !can_run() {
        return;
    }
    let mut lone = Lone::start("");
    let pid = rustix::process::Pid::from_raw(lone.host.json("status")["pid"].as_i64().expect("a pid") as i32);
    let pid = pid.expect("a pid");
    rustix::process::kill_process(pid, Signal::STOP).expect("it runs");
    for line in ["status --check --timeout 1", "disable rack2 --timeout 1", "stop --timeout 1"] {
        let begun = Instant::now();
        let output = lone.host.cli(line);
        assert_eq!(code(&output), Some(4), "{line}: {output:?}");
        assert!(text(&output.stderr).contains("has not answered within 1 s"), "{output:?}");
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
    // Connections that nobody accepts fill the backlog; then connect(2) itself waits.
    let backlog: Vec<_> = std::iter::from_fn(|| {
        use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
        let flags = SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).expect("a socket");
        connect(&socket, &SocketAddrUnix::new(lone.socket()).expect("a path")).ok().map(|()| socket)
    })
    .take(10_000)
    .collect();
    assert_eq!(code(&lone.host.cli("status --timeout 1")), Some(4));
    drop(backlog);
    rustix::process::kill_process(pid, Signal::CONT).expect("it runs");
    eventually("it answers again", || lone.host.cli("status").status.success());
    assert_eq!(lone.host.json("peers rack2")[0]["admin"], "up", "what was given up is not done later");
    lone.host.says("stop");
    assert_eq!(lone.daemon.exit_code(), Some(0));
    assert_eq!(code(&lone.host.cli("status --check")), Some(3));
}

#[test]
fn what_is_wrong_is_json_where_json_was_asked_for_and_help_is_a_command() {
    if !can_run() {
        return;
    }
    let lone = Lone::start("");
    let error = |line: &str| {
        let output = lone.host.cli(line);
        assert!(output.stdout.is_empty(), "{output:?}");
        let error: serde_json::Value = serde_json::from_slice(&output.stderr).expect("JSON");
        assert_eq!(error["error"]["exit"].as_i64(), code(&output).map(i64::from));
        error["error"]["code"].as_str().expect("a code").to_owned()
    };
    assert_eq!(error("peers nobody --json"), "not_found");
    assert_eq!(error("--json peers --no-such-flag"), "usage");
    assert_eq!(error("--json run -c /nowhere/siskin.toml"), "invalid");
    assert!(lone.host.says("help").contains("Exit status"));
    assert!(lone.host.says("help peers").contains("siskin peers"));
    let refused = lone.host.cli("status --check");
    let mut closed = lone.host.siskin();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let verdict =
        closed.args(["status", "--check"]).stdout(writer).stderr(Stdio::null()).status().expect("runs");
    assert_eq!(verdict.code(), code(&refused), "the verdict does not depend on who reads");
    assert_eq!(code(&refused), Some(1), "two sessions are down");
}

#[test]
fn a_dump_goes_where_the_caller_may_write_and_over_nothing_but_a_file() {
    if !can_run() {
        return;
    }
    let lone = Lone::start("socket_group = \"65534\"\n");
    let null = lone.host.cli("mrt dump /dev/null");
    assert_eq!(code(&null), Some(1));
    assert!(text(&null.stderr).contains("it is a device"), "{null:?}");
    assert!(fs::metadata("/dev/null").expect("there").file_type().is_char_device());

    let victim = lone.host.dir.join("victim");
    fs::write(&victim, "precious").expect("writes");
    let denied = lone.as_nobody(&format!("mrt dump {}", victim.display()));
    assert_eq!(code(&denied), Some(1), "{denied:?}");
    assert!(text(&denied.stderr).contains("Permission denied"), "{denied:?}");
    assert_eq!(fs::read_to_string(&victim).expect("there"), "precious");

    let own = lone.dir.path().join("nobody");
    fs::create_dir(&own).expect("a directory");
    chown(&own, Some(NOBODY), None).expect("root");
    let done = lone.as_nobody(&format!("mrt dump {}/rib.mrt", own.display()));
    assert!(done.status.success(), "{done:?}");
    let dumped = fs::metadata(own.join("rib.mrt")).expect("there");
    assert!(dumped.len() > 0 && dumped.uid() == NOBODY);
    assert_eq!(fs::read_dir(&own).expect("a directory").count(), 1, "nothing is left beside it");
    lone.host.says(&format!("mrt dump {}", victim.display()));
    assert_ne!(fs::read(&victim).expect("there"), b"precious");
    eventually("who did it is in the log", || lone.host.log().contains("command=\"mrt dump "));
}

#[test]
fn a_member_of_the_reading_group_may_ask_and_change_nothing() {
    if !can_run() {
        return;
    }
    let refused = Lone::start("").as_nobody("peers");
    assert_eq!(code(&refused), Some(6), "{refused:?}");
    assert!(text(&refused.stderr).contains("read_socket"), "{refused:?}");

    let lone = Lone::start("");
    let read = lone.host.dir.join("read.sock");
    lone.host.says("stop");
    lone.host.configure(&format!("{CONFIG}read_socket = {read:?}\nread_socket_group = \"65534\"\n"));
    let _daemon = lone.host.run(&[]);
    eventually("the daemon answers", || lone.host.cli("status").status.success());
    let peers = lone.as_nobody("peers");
    assert!(peers.status.success() && text(&peers.stdout).contains("rack10"), "{peers:?}");
    assert_eq!(code(&lone.as_nobody("disable rack2")), Some(6));
    let mut direct = Command::new("setpriv");
    direct.args(["--reuid=65534", "--regid=65534", "--clear-groups", env!("CARGO_BIN_EXE_siskin")]);
    let direct = direct.arg("--socket").arg(&read).arg("stop").output().expect("runs");
    assert_eq!(code(&direct), Some(6), "{direct:?}");
    assert!(text(&direct.stderr).contains("only answers questions"), "{direct:?}");
    assert_eq!(lone.host.json("peers rack2")[0]["admin"], "up");
}

#[test]
fn clients_that_do_not_read_do_not_keep_health_from_being_answered() {
    if !can_run() {
        return;
    }
    let lone = Lone::start("");
    let silent: Vec<_> = lone.host.ns.within(|| {
        let client = |n: usize| {
            let mut client = TcpStream::connect("127.0.0.1:9179").expect("connects");
            let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(50);
            // The odd ones do not even finish a request.
            let sent = if n.is_multiple_of(2) { request.as_str() } else { "GET / HT" };
            client.set_nonblocking(true).expect("sets");
            let _as_much_as_fits = client.write(sent.as_bytes());
            client
        };
        (0..200).map(client).collect()
    });
    for _ in 0..5 {
        assert_eq!(lone.curl(&[], "/livez"), "ok\n");
    }
    assert!(lone.curl(&[], "/readyz?verbose").contains("readyz check"));
    drop(silent);
    eventually("there are seats again", || lone.curl(&[], "/metrics").contains("siskin_uptime_seconds"));
}

#[test]
fn another_hosts_name_is_answered_by_nothing() {
    if !can_run() {
        return;
    }
    let lone = Lone::start("http_hosts = [\"monitored.example\"]\n");
    let status = |host: &str| {
        let header = format!("Host: {host}");
        lone.curl(&["-o", "/dev/null", "-w", "%{http_code}", "-H", &header], "/api/v1/status")
    };
    assert_eq!(["evil.example", "evil.example:9179"].map(status), ["403", "403"]);
    let known = ["localhost:9179", "127.0.0.1", "[::1]:9179", "master01", "Monitored.Example:9179"];
    assert_eq!(known.map(status), ["200"; 5]);
}

/// Prometheus' own check of a scrape, where it is installed.
fn promtool() -> Option<std::path::PathBuf> {
    let named = std::env::var_os("PROMTOOL").unwrap_or_else(|| "promtool".into());
    Command::new(&named).arg("--version").output().ok().filter(|o| o.status.success()).map(|_| named.into())
}

#[test]
fn prometheus_finds_no_fault_with_a_scrape_in_either_format() {
    if !can_run() {
        return;
    }
    let lone = Lone::start("");
    let types = |accept: &str| {
        let accept = format!("Accept: {accept}");
        lone.curl(&["-H", &accept, "-o", "/dev/null", "-w", "%{content_type}"], "/metrics")
    };
    let wanted = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3";
    assert_eq!(types(wanted), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert_eq!(types("*/*"), "text/plain; version=0.0.4; charset=utf-8");
    let detailed = lone.curl(&[], "/metrics?detail=messages");
    assert!(detailed.contains("siskin_bgp_messages_total{peer=\"rack2\",direction=\"sent\",type=\"open\"}"));
    assert!(!lone.curl(&[], "/metrics").contains("siskin_bgp_messages"));
    assert!(lone.curl(&[], "/metrics?detail=nonsense").contains("bad_request"));

    let Some(promtool) = promtool() else {
        return println!("SKIPPED: no promtool (Debian's package prometheus)");
    };
    let check = |arguments: &[&str], text: &str| {
        let mut child = Command::new(&promtool)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("writes");
        let output = child.wait_with_output().expect("ends");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}\n{text}");
    };
    check(&["check", "metrics"], &lone.curl(&[], "/metrics"));
    check(&["check", "metrics"], &detailed);
    // OpenMetrics is read by what makes blocks of it, which wants a time with each sample.
    let open = lone.curl(&["-H", "Accept: application/openmetrics-text"], "/metrics?detail=messages");
    let timed: String = open
        .lines()
        .map(|line| if line.starts_with('#') { format!("{line}\n") } else { format!("{line} 1796064435\n") })
        .collect();
    let (file, blocks) = (lone.dir.path().join("open"), lone.dir.path().join("blocks"));
    fs::write(&file, timed).expect("writes");
    let made = Command::new(&promtool)
        .args(["tsdb", "create-blocks-from", "openmetrics"])
        .args([&file, &blocks])
        .output()
        .expect("runs");
    assert!(made.status.success(), "{made:?}\n{open}");
}

#[test]
fn names_are_in_the_order_people_expect_and_moments_stand_beside_ages() {
    if !can_run() {
        return;
    }
    let lone = Lone::start("");
    let peers = lone.host.json("peers");
    assert_eq!((&peers[0]["name"], &peers[1]["name"]), (&"rack2".into(), &"rack10".into()));
    let first = peers[0]["since_time"].as_str().expect("a moment").to_owned();
    assert!(first.starts_with("20") && first.ends_with('Z'), "{first}");
    let status = lone.host.json("status");
    assert!(status["started"].as_str().is_some() && status["config"]["read_time"].as_str().is_some());
    // A terminal of 40 columns, made by script(1).
    let line = format!(
        "stty cols 40; {} --socket {} peers; {0} --socket {1} status; {0} --socket {1} --wide peers > wide",
        env!("CARGO_BIN_EXE_siskin"),
        lone.socket().display(),
    );
    let mut script = lone.host.ns.command("script");
    script.args(["-qec", &line, "/dev/null"]).current_dir(lone.dir.path()).stdin(Stdio::null());
    let shown = text(&script.output().expect("script runs").stdout);
    let plain = anstream::adapter::strip_str(&shown).to_string();
    assert!(plain.contains("PEER") && plain.contains("Health"), "{plain}");
    let too_wide: Vec<_> = plain.lines().filter(|line| line.trim_end().chars().count() > 40).collect();
    assert_eq!(too_wide, [""; 0]);
    let wide = fs::read_to_string(lone.dir.path().join("wide")).expect("there");
    assert!(wide.lines().any(|line| line.len() > 60), "{wide}");
}
