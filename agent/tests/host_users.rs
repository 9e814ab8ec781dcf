//! The daemon among the host's other users: what they can, and cannot, do to it.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout, reason = "a test")]

#[allow(dead_code, reason = "what other tests use")]
mod support;

use std::{
    fs,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            fs::{MetadataExt, PermissionsExt, chown},
            net::{SocketAddr, UnixDatagram},
        },
    },
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use support::{Host, Process, can_run, eventually, text};

/// A user without any rights.
const NOBODY: u32 = 65534;

const CONFIG: &str = r#"
[node]
name = "master01"
address = "192.168.92.128/24"
[bgp]
mesh = ["192.168.92.129"]
[local]
blocks = ["172.16.241.64/26"]
[[pools]]
cidr = "172.16.0.0/16"
ipip_mode = "Never"
"#;

/// A host whose daemon keeps its lock in a directory of the test.
struct Alone {
    host: Host,
    runtime: PathBuf,
    _dir: tempfile::TempDir,
}

impl Alone {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("ours");
        let host = Host::new(dir.path(), "master01");
        host.ns.ip("link add eth0 type veth peer name eth1");
        host.ns.ip("address add 192.168.92.128/24 dev eth0");
        host.ns.ip("link set eth0 up");
        host.ns.ip("link set eth1 up");
        let runtime = host.dir.join("run");
        host.configure(&format!("{CONFIG}[api]\nruntime_directory = {runtime:?}\n"));
        Self { host, runtime, _dir: dir }
    }

    fn run(&self) -> Process {
        let daemon = self.host.run(&[]);
        self.answers();
        daemon
    }

    fn answers(&self) {
        eventually("the daemon answers", || self.host.cli("status").status.success());
    }

    fn flush(&self) -> Output {
        self.host.cli(&format!("flush -c {}", self.host.config().display()))
    }

    /// The only lock there is.
    fn lock(&self) -> PathBuf {
        let mut files = fs::read_dir(&self.runtime).expect("a directory").map(|f| f.expect("a file").path());
        files.find(|f| f.extension().is_some_and(|e| e == "lock")).expect("a lock")
    }
}

/// `argv` by nobody, with these capabilities.
fn as_nobody(capabilities: &str, argv: &[&Path]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    if !capabilities.is_empty() {
        command.arg(format!("--inh-caps={capabilities}")).arg(format!("--ambient-caps={capabilities}"));
    }
    command.args(argv);
    command
}

#[test]
fn a_user_who_binds_the_name_of_the_old_lock_first_keeps_nobody_from_starting() {
    if !can_run() {
        return;
    }
    let alone = Alone::new();
    let _name = alone.host.ns.within(|| {
        let inode = fs::metadata("/proc/thread-self/ns/net").expect("a namespace").ino();
        let name = SocketAddr::from_abstract_name(format!("siskin/fib/{inode}/179/254")).expect("a name");
        UnixDatagram::bind_addr(&name).expect("the name is free")
    });
    let mut daemon = alone.run();
    alone.host.says("stop");
    assert_eq!(daemon.exit_code(), Some(0));
    assert!(alone.flush().status.success());
}

#[test]
fn nobody_can_take_the_lock_and_who_holds_it_is_named() {
    if !can_run() {
        return;
    }
    let alone = Alone::new();
    let _daemon = alone.run();
    let pid = alone.host.json("status")["pid"].as_u64().expect("a pid");
    let lock = alone.lock();
    let taken = as_nobody("", &[Path::new("flock"), Path::new("-n"), &lock, Path::new("true")]);
    let denied = { taken }.output().expect("runs");
    assert!(text(&denied.stderr).contains("Permission denied"), "{denied:?}");

    let mut second = alone.host.run(&[]);
    assert_eq!(second.exit_code(), Some(1));
    assert!(alone.host.log().contains(&format!("(pid {pid})")), "{}", alone.host.log());
    let flush = alone.flush();
    assert_eq!(flush.status.code(), Some(1));
    let said = text(&flush.stderr);
    assert!(said.contains(&format!("(pid {pid})")) && said.contains("siskin stop --drain"), "{said}");
}

#[test]
fn a_directory_of_somebody_else_is_refused_and_said() {
    if !can_run() {
        return;
    }
    let alone = Alone::new();
    fs::create_dir(&alone.runtime).expect("a directory");
    chown(&alone.runtime, Some(NOBODY), None).expect("root");
    let mut daemon = alone.host.run(&[]);
    assert_eq!(daemon.exit_code(), Some(1));
    assert!(alone.host.log().contains("belongs to uid 65534"), "{}", alone.host.log());
    chown(&alone.runtime, Some(0), None).expect("root");
    alone.run();
}

#[test]
fn a_daemon_without_root_runs_in_directories_of_its_own_and_says_so_where_it_has_none() {
    if !can_run() {
        return;
    }
    let alone = Alone::new();
    chown(&alone.host.dir, Some(NOBODY), Some(NOBODY)).expect("root");
    let capabilities = "+net_admin,+net_bind_service";
    let start = |log: &str| {
        let log = fs::File::create(alone.host.dir.join(log)).expect("a log");
        let mut inner = as_nobody(capabilities, &[Path::new(env!("CARGO_BIN_EXE_siskin"))]);
        inner.arg("--socket").arg(alone.host.dir.join("siskin.sock"));
        inner.args(["run", "-c"]).arg(alone.host.config());
        let mut command = alone.host.ns.command(inner.get_program());
        Process(command.args(inner.get_args()).stderr(log).stdout(Stdio::null()).spawn().expect("starts"))
    };
    let mut daemon = start("log");
    alone.answers();
    let own = "blackhole 172.16.241.64/26";
    eventually("our block is in the kernel", || alone.host.ns.routes("179") == [own]);
    assert_eq!(fs::metadata(alone.lock()).expect("there").uid(), NOBODY);
    let flush = alone.flush();
    assert!(text(&flush.stderr).contains("run siskin as uid 65534"), "{}", text(&flush.stderr));
    alone.host.says("stop");
    assert_eq!(daemon.exit_code(), Some(0));

    alone.host.configure(&format!("{CONFIG}[api]\nruntime_directory = \"/run/siskin-of-nobody\"\n"));
    assert_eq!(start("second").exit_code(), Some(1));
    let said = fs::read_to_string(alone.host.dir.join("second")).expect("a log");
    assert!(said.contains("RuntimeDirectory=siskin") && said.contains("uid 65534 can make"), "{said}");
}
