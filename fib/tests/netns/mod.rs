//! A network namespace for a test, gone when the test ends.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    os::fd::AsFd,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Runs a test in a network namespace of its own with `eth0` (192.168.92.128/24), `eth1` (10.1.1.2/24) and `tunl9`, a stand-in for the
/// tunnel device.
pub(crate) fn run<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send) {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: a network namespace needs root");
        return;
    }
    thread::scope(|scope| {
        let inside = scope.spawn(|| {
            enter();
            for command in [
                "link set lo up",
                "link add eth0 type veth peer name wire0",
                "link set wire0 up",
                "link set eth0 up",
                "addr add 192.168.92.128/24 dev eth0",
                "addr add fd00::128/64 dev eth0 nodad",
                "link add eth1 type veth peer name wire1",
                "link set wire1 up",
                "link set eth1 up",
                "addr add 10.1.1.2/24 dev eth1",
                "link add tunl9 type veth peer name wire9",
                "link set wire9 up",
                "link set tunl9 up",
            ] {
                ip(command);
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(test());
        });
        if let Err(panic) = inside.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Moves this thread into a fresh namespace, which a short-lived child makes.
fn enter() {
    let mut maker = Command::new("unshare")
        .args(["--net", "sh", "-c", "echo; read line"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    BufReader::new(maker.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    let namespace = File::open(format!("/proc/{}/ns/net", maker.id())).unwrap();
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
    drop(maker.stdin.take());
    maker.wait().unwrap();
}

/// Runs `ip` and returns what it prints.
pub(crate) fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs `ip`, whatever comes of it.
pub(crate) fn try_ip(arguments: &str) {
    Command::new("ip").args(arguments.split_whitespace()).output().unwrap();
}

/// The routes of a protocol, a line each, in the kernel's order, without needless blanks.
pub(crate) fn routes(protocol: u8) -> Vec<String> {
    let both =
        ip(&format!("-4 route show proto {protocol}")) + &ip(&format!("-6 route show proto {protocol}"));
    both.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Waits until the routes are these.
#[track_caller]
pub(crate) fn eventually_routes(expected: &[&str]) {
    let give_up = Instant::now() + Duration::from_secs(5);
    loop {
        let routes = routes(179);
        if routes == expected {
            return;
        }
        assert!(Instant::now() < give_up, "have {routes:#?}, want {expected:#?}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// `ip monitor route`, from start to [`RouteMonitor::lines`].
pub(crate) struct RouteMonitor {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl RouteMonitor {
    /// Begins to listen.
    pub(crate) fn start() -> Self {
        let mut child = Command::new("ip").args(["monitor", "route"]).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            output.lines().map_while(Result::ok).for_each(|line| _ = sender.send(line));
        });
        let mut monitor = Self { child, lines };
        monitor.canary();
        monitor
    }

    /// What was heard so far about prefixes that begin so.
    pub(crate) fn lines(mut self, prefix: &str) -> Vec<String> {
        let heard = self.canary();
        heard.into_iter().filter(|line| line.contains(prefix)).map(|line| line.trim().to_string()).collect()
    }

    /// Lets a route come and go, and listens until it has been heard to go.
    fn canary(&mut self) -> Vec<String> {
        let mut heard = Vec::new();
        let give_up = Instant::now() + Duration::from_secs(5);
        while Instant::now() < give_up {
            ip("route add blackhole 203.0.113.113/32");
            ip("route del blackhole 203.0.113.113/32");
            while let Ok(line) = self.lines.recv_timeout(Duration::from_millis(50)) {
                let over = line.starts_with("Deleted") && line.contains("203.0.113.113");
                heard.push(line);
                if over {
                    return heard;
                }
            }
        }
        panic!("ip monitor hears nothing");
    }
}

impl Drop for RouteMonitor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
