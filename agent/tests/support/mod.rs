//! Network namespaces with a daemon and a BIRD in them, gone when dropped.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// How long anything may take to become true.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Whether the tests can run here; says loudly when not.
pub(crate) fn can_run() -> bool {
    let missing = if !rustix::process::geteuid().is_root() {
        "not root"
    } else if !Command::new("bird").arg("--version").stderr(Stdio::null()).status().is_ok_and(|s| s.success())
    {
        "no bird"
    } else if !Command::new("unshare").args(["-n", "true"]).status().is_ok_and(|s| s.success()) {
        "no network namespaces"
    } else {
        return true;
    };
    println!("SKIPPED: {missing}; these tests need root, BIRD 2, unshare, nsenter and ip");
    false
}

/// A network namespace, kept by a sleeping process.
pub(crate) struct Namespace {
    /// The process that others find it by.
    pub(crate) holder: Child,
}

impl Namespace {
    pub(crate) fn new() -> Self {
        let holder = Command::new("unshare").args(["-n", "sleep", "600"]).spawn().expect("unshare runs");
        let ns = Self { holder };
        let ours = fs::read_link("/proc/self/ns/net").expect("our namespace");
        eventually("the namespace", || {
            fs::read_link(format!("/proc/{}/ns/net", ns.holder.id())).is_ok_and(|theirs| theirs != ours)
        });
        ns.ip("link set lo up");
        ns
    }

    /// Joins two namespaces by a cable, `eth0` at both ends.
    pub(crate) fn cable(a: &Self, b: &Self, address_a: &str, address_b: &str) {
        a.ip(&format!("link add eth0 type veth peer name eth0 netns {}", b.holder.id()));
        for (ns, address) in [(a, address_a), (b, address_b)] {
            ns.ip(&format!("address add {address} dev eth0"));
            ns.ip("link set eth0 up");
        }
    }

    /// A command to be run inside.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.holder.id())).arg("--").arg(program.as_ref());
        command
    }

    /// Does something on a thread that is inside.
    pub(crate) fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        use rustix::{fd::AsFd, thread};
        let namespace = fs::File::open(format!("/proc/{}/ns/net", self.holder.id())).expect("a namespace");
        std::thread::scope(|scope| {
            let inside = scope.spawn(move || {
                let kind = Some(thread::LinkNameSpaceType::Network);
                thread::move_into_link_name_space(namespace.as_fd(), kind).expect("root may enter");
                work()
            });
            inside.join().expect("no panic")
        })
    }

    /// Runs `ip` and returns what it says.
    pub(crate) fn ip(&self, line: &str) -> String {
        let output = self.command("ip").args(line.split_whitespace()).output().expect("ip runs");
        assert!(output.status.success(), "ip {line}: {}", String::from_utf8_lossy(&output.stderr));
        text(&output.stdout)
    }

    /// The routes of this protocol, one a line, as `ip route` prints them.
    pub(crate) fn routes(&self, protocol: &str) -> Vec<String> {
        self.ip(&format!("route show proto {protocol}")).lines().map(|l| l.trim().to_owned()).collect()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        end(&mut self.holder);
    }
}

/// A running process that ends with the test.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, signal).expect("it runs");
    }

    /// The exit status, once it has ended.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.0.try_wait().expect("a child") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("it does not end");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

fn end(child: &mut Child) {
    let _ended_already = child.kill();
    let _reaped = child.wait();
}

/// One host: a namespace, a directory, and the command line inside.
pub(crate) struct Host {
    pub(crate) ns: Namespace,
    pub(crate) dir: PathBuf,
}

impl Host {
    pub(crate) fn new(dir: &Path, name: &str) -> Self {
        let dir = dir.join(name);
        fs::create_dir_all(&dir).expect("a directory");
        Self { ns: Namespace::new(), dir }
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir.join("siskin.toml")
    }

    pub(crate) fn configure(&self, text: &str) {
        fs::write(self.config(), text).expect("writes");
    }

    /// The command line, asking this host's daemon; what has blanks in an argument cannot be said with [`Self::cli`].
    pub(crate) fn siskin(&self) -> Command {
        let mut command = self.ns.command(env!("CARGO_BIN_EXE_siskin"));
        command.env("RUNTIME_DIRECTORY", self.dir.join("run"));
        command.arg("--socket").arg(self.dir.join("siskin.sock"));
        command
    }

    /// Starts the daemon with the configuration of this host.
    pub(crate) fn run(&self, flags: &[&str]) -> Process {
        let log = fs::File::options().create(true).append(true).open(self.dir.join("log")).expect("a log");
        let mut command = self.siskin();
        command.args(["run", "-c"]).arg(self.config()).args(flags).stderr(log).stdout(Stdio::null());
        Process(command.spawn().expect("starts"))
    }

    /// Runs a command of the command line.
    pub(crate) fn cli(&self, line: &str) -> Output {
        self.siskin().args(line.split_whitespace()).output().expect("runs")
    }

    /// What a command prints, which must succeed.
    pub(crate) fn says(&self, line: &str) -> String {
        let output = self.cli(line);
        assert!(output.status.success(), "siskin {line}: {}\n{}", text(&output.stderr), self.log());
        text(&output.stdout)
    }

    /// The same as JSON.
    pub(crate) fn json(&self, line: &str) -> serde_json::Value {
        serde_json::from_str(&self.says(&format!("{line} --json"))).expect("JSON")
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Starts BIRD with this configuration.
    pub(crate) fn bird(&self, config: &str) -> Process {
        self.bird_named("bird", config)
    }

    /// The same with files of this name, for a second one beside it.
    pub(crate) fn bird_named(&self, name: &str, config: &str) -> Process {
        let file = |suffix: &str| self.dir.join(format!("{name}.{suffix}"));
        fs::write(file("conf"), config).expect("writes");
        let mut command = self.ns.command("bird");
        command.arg("-f").arg("-c").arg(file("conf")).arg("-s").arg(file("ctl"));
        command.arg("-P").arg(file("pid")).stderr(Stdio::null());
        Process(command.spawn().expect("starts"))
    }

    pub(crate) fn birdc(&self, line: &str) -> String {
        let mut command = self.ns.command("birdc");
        command.arg("-s").arg(self.dir.join("bird.ctl")).args(line.split_whitespace());
        text(&command.output().expect("runs").stdout)
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Waits until something is true.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
