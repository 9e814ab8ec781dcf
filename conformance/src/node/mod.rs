//! A node: namespaces of its own, and the programs in them.

pub mod init;

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    command::{command, output, run_within},
    debian, guest,
    launch::{Router, Service},
    topology::{self, Access, Bind, StartupConfig, Topology},
};

/// Programs inside a node look here first.
const PATH: &str = "/run/lab/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// A command in a node may take this long.
const COMMAND_LIMIT: Duration = Duration::from_secs(120);
/// A program may take this long until it answers; software emulation is slow.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// Something that runs commands where a router runs.
pub trait Shell {
    /// Runs a command and returns what it printed; a failing status is an error.
    fn ask(&self, argv: &[&str]) -> Result<String>;
}

/// A running node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its part of the topology.
    pub config: topology::Node,
    /// What runs in it.
    pub router: Router,
    /// Name of its network namespace.
    pub namespace: String,
    state: PathBuf,
    pid: u32,
}

impl Node {
    /// Makes the namespaces and starts the first process. `state` is the node's folder on the host.
    pub fn create(topology: &Topology, config: &topology::Node, state: &Path) -> Result<Self> {
        let namespace = topology.namespace(&config.name);
        let router = Router::of_image(&config.image);
        fs::create_dir_all(state.join("bin"))?;
        fs::create_dir_all(state.join("log"))?;
        if router == Router::Siskin {
            let binary = crate::binary::siskin()?;
            std::os::unix::fs::symlink(binary, state.join("bin/siskin"))?;
        }
        if debian::is_newer(&config.image) {
            debian::link_bird(&guest::downloads()?, &state.join("bin"))?;
        }
        std::os::unix::fs::symlink(std::env::current_exe()?, state.join("bin/siskin-lab"))?;
        let spec = init::Spec {
            hostname: config.hostname.clone(),
            state: state.to_owned(),
            binds: binds(config, router, state)?,
            sysctls: sysctls(config),
            folders: router.folders(),
        };
        let spec_file = state.join("spec.json");
        fs::write(&spec_file, serde_json::to_string_pretty(&spec)?)?;
        if config.shares.is_none() {
            output(&mut command("ip", ["netns", "add", &namespace]))?;
        }
        let pid = start_init(&namespace, &spec_file).with_context(|| format!("node {}", config.name))?;
        fs::write(state.join("pid"), pid.to_string())?;
        Ok(Self { config: config.clone(), router, namespace, state: state.to_owned(), pid })
    }

    /// Finds a node that an earlier `up` left running.
    pub fn attach(topology: &Topology, config: &topology::Node, state: &Path) -> Result<Self> {
        let pid = fs::read_to_string(state.join("pid"))
            .with_context(|| format!("node {} is not running; `siskin-lab up` starts it", config.name))?;
        let node = Self {
            config: config.clone(),
            router: Router::of_image(&config.image),
            namespace: topology.namespace(&config.name),
            state: state.to_owned(),
            pid: pid.trim().parse()?,
        };
        ensure!(node.alive(), "node {} has died; `siskin-lab up` starts the lab anew", config.name);
        Ok(node)
    }

    fn alive(&self) -> bool {
        fs::read_to_string(format!("/proc/{}/cmdline", self.pid)).is_ok_and(|line| line.contains("spec.json"))
    }

    /// A command to be run inside the node, ready to spawn.
    pub fn command<S: AsRef<std::ffi::OsStr>>(&self, argv: impl IntoIterator<Item = S>) -> Command {
        let pid = self.pid.to_string();
        let mut enter = Command::new("nsenter");
        enter
            .args(["--target", &pid, "--mount", "--uts", "--ipc", "--net", "--pid", "--wd=/", "--"])
            .args(argv);
        enter.env_clear().env("PATH", PATH).env("HOME", "/root").env("LANG", "C.UTF-8");
        if let Ok(term) = std::env::var("TERM") {
            enter.env("TERM", term);
        }
        enter.envs(&self.config.env);
        enter
    }

    /// Runs a command inside the node to its end, at most two minutes.
    pub fn run<S: AsRef<std::ffi::OsStr>>(&self, argv: impl IntoIterator<Item = S>) -> Result<Output> {
        run_within(&mut self.command(argv), COMMAND_LIMIT)
    }

    /// Runs `ip` on the node's network, without the detour through its other namespaces.
    pub fn ip<'a>(&'a self, arguments: impl IntoIterator<Item = &'a str>) -> Result<String> {
        output(&mut command("ip", ["-n", &self.namespace].into_iter().chain(arguments)))
    }

    /// The node's folder on the host.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The programs this node runs.
    pub fn services(&self) -> Vec<Service> {
        self.router.services(&self.config)
    }

    /// Starts a program and leaves it running, its output in the log.
    pub fn start(&self, service: &Service) -> Result<()> {
        // The shell stays behind to note the status, which says how the program ended.
        let script = r#"name=$1; shift; cd /run/lab
            "$@" >>"log/$name.log" 2>&1 </dev/null &
            echo $! >"$name.pid"
            wait $!
            echo $? >"$name.exit""#;
        let words = ["setsid", "--fork", "sh", "-c", script, "sh", &service.name];
        let argv = words.into_iter().chain(service.argv.iter().map(String::as_str));
        for trace in ["pid", "exit"] {
            fs::remove_file(self.state.join(format!("{}.{trace}", service.name))).ok();
        }
        let status =
            self.command(argv).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        ensure!(status.success(), "cannot start {}: {status}", service.name);
        self.until_ready(service)
    }

    fn until_ready(&self, service: &Service) -> Result<()> {
        let deadline = Instant::now() + READY_LIMIT;
        let pid_file = self.state.join(format!("{}.pid", service.name));
        loop {
            let started = fs::read_to_string(&pid_file).is_ok_and(|text| text.ends_with('\n'));
            if let Some(status) = self.ended(&service.name) {
                bail!(
                    "{} ended at once with status {status}:\n{}",
                    service.name,
                    self.log_tail(&service.name, 15)
                );
            }
            if started && (service.ready.is_empty() || self.run(&service.ready)?.status.success()) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{} does not answer", service.name);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sends a signal to a program; waits for its end when the signal is one that ends it.
    pub fn kill(&self, service: &str, signal: &str) -> Result<()> {
        let pid = fs::read_to_string(self.state.join(format!("{service}.pid")))
            .with_context(|| format!("no program `{service}` runs in node {}", self.config.name))?;
        let pid = self.outside(pid.trim()).with_context(|| format!("{service} has ended already"))?;
        output(&mut command("kill", [&format!("-{signal}"), &pid]))
            .with_context(|| format!("cannot signal {service}"))?;
        if !["KILL", "TERM", "INT", "QUIT", "9", "15"].contains(&signal) {
            return Ok(());
        }
        let deadline = Instant::now() + READY_LIMIT;
        while self.ended(service).is_none() {
            ensure!(Instant::now() < deadline, "{service} did not end on SIG{signal}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The host's number for one of the node's processes.
    fn outside(&self, inside: &str) -> Option<String> {
        let space = fs::read_link(format!("/proc/{}/ns/pid_for_children", self.pid)).ok()?;
        let mut processes = fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.path());
        let found = processes.find(|process| {
            let status = fs::read_to_string(process.join("status")).unwrap_or_default();
            let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
            numbers.split_whitespace().last() == Some(inside)
                && fs::read_link(process.join("ns/pid")).is_ok_and(|own| own == space)
        })?;
        Some(found.file_name()?.to_string_lossy().into_owned())
    }

    /// How a program ended, if it did.
    pub fn ended(&self, service: &str) -> Option<String> {
        let text = fs::read_to_string(self.state.join(format!("{service}.exit"))).ok()?;
        Some(text.trim().to_owned())
    }

    /// The last words of each program of the node that has ended.
    pub fn last_words(&self) -> Vec<String> {
        let word = |service: Service| {
            let status = self.ended(&service.name)?;
            let log = self.log_tail(&service.name, 3);
            let log = if log.is_empty() { "it said nothing".to_owned() } else { log };
            Some(format!("{}: {} has ended with status {status}: {log}", self.config.name, service.name))
        };
        self.services().into_iter().filter_map(word).collect()
    }

    /// Everything a program has printed.
    pub fn log(&self, service: &str) -> String {
        let log = fs::read(self.state.join(format!("log/{service}.log"))).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Forgets what a program has printed.
    pub fn forget_log(&self, service: &str) {
        fs::remove_file(self.state.join(format!("log/{service}.log"))).ok();
    }

    /// The end of a program's log.
    pub fn log_tail(&self, service: &str, lines: usize) -> String {
        let log = self.log(service);
        let all: Vec<_> = log.lines().collect();
        all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
    }
}

impl Shell for Node {
    fn ask(&self, argv: &[&str]) -> Result<String> {
        let answer = self.run(argv)?;
        if answer.status.success() {
            return Ok(String::from_utf8_lossy(&answer.stdout).into_owned());
        }
        bail!("{}: `{}`: {}", self.config.name, argv.join(" "), crate::command::words(&answer))
    }
}

/// What is shown in a node: its binds, and the configuration its router starts with.
fn binds(config: &topology::Node, router: Router, state: &Path) -> Result<Vec<Bind>> {
    let mut binds = config.binds.clone();
    if let (Some(startup), Some(target)) = (&config.startup_config, router.configuration(config)) {
        let source = match startup {
            StartupConfig::File(file) => file.clone(),
            StartupConfig::Text(text) => {
                let file = state.join("startup-config");
                fs::write(&file, text)?;
                file
            }
        };
        binds.push(Bind { source, target: target.into(), access: Access::ReadWrite });
    }
    Ok(binds)
}

/// The settings of a node's kernel: what a container has, then what the file says.
fn sysctls(config: &topology::Node) -> Vec<(String, String)> {
    let mut settings = vec![("net.ipv4.ip_forward".to_owned(), "1".to_owned())];
    if config.shares.is_some() {
        settings.clear();
    }
    settings.extend(config.sysctls.clone());
    settings
}

/// Starts the first process and returns its pid as the host sees it.
fn start_init(namespace: &str, spec: &Path) -> Result<u32> {
    let own = std::env::current_exe()?;
    let net = format!("--net=/run/netns/{namespace}");
    let mut child = Command::new("nsenter")
        .args([&net, "--", "unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--"])
        .arg(own)
        .arg("node-init")
        .arg(spec)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    if line == "ready\n" {
        return only_child(child.id());
    }
    bail!("{}", complaint(child)?)
}

fn complaint(mut child: Child) -> Result<String> {
    let mut words = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut words)?;
    }
    child.wait()?;
    Ok(words.trim().to_owned())
}

fn only_child(parent: u32) -> Result<u32> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))
        .context("the kernel lacks CONFIG_PROC_CHILDREN")?;
    let first = children.split_whitespace().next().context("the node's first process has died")?;
    Ok(first.parse()?)
}
