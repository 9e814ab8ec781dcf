//! A lab's life: up, attach, down, and nothing left behind however it ends.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};

use crate::{
    command::{command, feed, output, run},
    interrupt::{OnInterrupt, hold_off},
    launch::{Router, frr},
    node::{Node, init},
    topology::{End, Kind, Topology},
    wiretap,
};

/// Running labs are described here, one folder each.
const STATE: &str = "/run/siskin-lab";

/// A running lab.
pub struct Lab {
    /// What its file says.
    pub topology: Topology,
    /// Its nodes by name.
    pub nodes: BTreeMap<String, Node>,
    /// The `exec` commands that failed, and configurations that were not taken whole, each with its complaint.
    pub complaints: Vec<String>,
}

/// Takes a lab down when the process that started it is gone.
pub struct Guardian {
    child: Child,
}

impl Lab {
    /// Starts every node, links them, runs the routers and then the `exec` commands. What an earlier run left behind is
    /// removed first.
    pub fn up(topology: Topology) -> Result<Self> {
        require_root()?;
        clean(&topology.name)?;
        let _undo = Self::down_on_interrupt(&topology.name);
        let name = topology.name.clone();
        Self::build_up(topology).inspect_err(|_| {
            clean(&name).ok();
        })
    }

    /// As [`Self::up`], where nothing can have been left behind; after an error the caller removes what there is.
    pub fn build_up(topology: Topology) -> Result<Self> {
        let mut lab = Self { topology, nodes: BTreeMap::new(), complaints: Vec::new() };
        if let Err(error) = lab.build() {
            // The program that does not answer may only be waiting for one that has ended.
            let words: Vec<_> = lab.nodes.values().flat_map(Node::last_words).collect();
            return Err(match words.is_empty() || format!("{error:#}").contains(" ended at once ") {
                true => error,
                false => anyhow!("{error:#}\n{}", words.join("\n")),
            });
        }
        Ok(lab)
    }

    /// Finds a lab that an earlier `up` left running.
    pub fn attach(topology: Topology) -> Result<Self> {
        require_root()?;
        let mut nodes = BTreeMap::new();
        for config in topology.nodes.values() {
            let state = state_of(&topology.name).join("nodes").join(&config.name);
            nodes.insert(config.name.clone(), Node::attach(&topology, config, &state)?);
        }
        Ok(Self { topology, nodes, complaints: Vec::new() })
    }

    /// Ends everything the lab runs and removes every trace of it. Harmless when nothing runs.
    pub fn down(topology: &Topology) -> Result<()> {
        require_root()?;
        clean(&topology.name)
    }

    /// As [`Self::down`], when only the name is known.
    pub fn down_by_name(lab: &str) -> Result<()> {
        clean(lab)
    }

    /// Takes a lab down if this process is interrupted while the answer lives.
    pub fn down_on_interrupt(lab: &str) -> OnInterrupt {
        let lab = lab.to_owned();
        OnInterrupt::new(move || {
            if let Err(error) = clean(&lab) {
                crate::ui::complain(&format!("{error:#}"));
            }
        })
    }

    /// A node by name.
    pub fn node(&self, name: &str) -> Result<&Node> {
        self.nodes.get(name).with_context(|| {
            let known: Vec<_> = self.nodes.keys().map(String::as_str).collect();
            format!("there is no node `{name}`; there are {}", known.join(", "))
        })
    }

    fn build(&mut self) -> Result<()> {
        let (own, shared): (Vec<_>, Vec<_>) =
            self.topology.nodes.values().partition(|config| config.shares.is_none());
        for config in own.into_iter().chain(shared) {
            let state = state_of(&self.topology.name).join("nodes").join(&config.name);
            let _gate = hold_off();
            fs::create_dir_all(&state)?;
            self.nodes.insert(config.name.clone(), Node::create(&self.topology, config, &state)?);
        }
        self.link()?;
        // Switches and pods first: their commands make the network the routers find.
        let (plain, routers): (Vec<_>, Vec<_>) = self.nodes.values().partition(|n| n.router == Router::None);
        let mut complaints = Vec::new();
        for node in plain.iter().chain(&routers) {
            std::thread::sleep(node.config.startup_delay);
            if wiretap::listens(node) {
                node.start(&wiretap::service()).with_context(|| format!("node {}", node.config.name))?;
            }
            for service in node.services() {
                node.start(&service).with_context(|| format!("node {}", node.config.name))?;
            }
            let taken = node.log("vtysh");
            if node.router == Router::Frr && taken.contains(frr::NOT_TAKEN) {
                complaints.push(format!("node {}: {}", node.config.name, taken.trim().replace('\n', "; ")));
            }
            for argv in &node.config.exec {
                let done = node.run(argv)?;
                if !done.status.success() {
                    let (name, words) = (&node.config.name, crate::command::words(&done));
                    complaints.push(format!(
                        "node {name}: `exec`: {}: {} {words}",
                        argv.join(" "),
                        done.status
                    ));
                }
            }
        }
        // As under containerlab, a command that fails is logged and the lab goes on.
        complaints.iter().for_each(|complaint| crate::ui::complain(complaint));
        self.complaints = complaints;
        Ok(())
    }

    /// Makes the bridges of nodes that are one.
    fn bridges(&self) -> Result<()> {
        for node in self.nodes.values().filter(|node| node.config.kind == Kind::Bridge) {
            let name = self.bridge_of(&node.config.name);
            node.ip(["link", "add", &name, "type", "bridge"])?;
            node.ip(["link", "set", &name, "up"])?;
        }
        Ok(())
    }

    /// The name of the bridge in a node that is one: its own, where the kernel takes it and no port has it.
    fn bridge_of(&self, node: &str) -> String {
        let mut ends = self.topology.links.iter().flat_map(|link| &link.ends);
        let taken = ends.any(|end| end.node == node && end.interface == node);
        if taken || node.len() > 15 { "bridge".to_owned() } else { node.to_owned() }
    }

    fn link(&self) -> Result<()> {
        self.bridges()?;
        let mut settings: BTreeMap<&str, String> = BTreeMap::new();
        for link in &self.topology.links {
            let [a, b] = &link.ends;
            let (left, right) = (self.topology.namespace(&a.node), self.topology.namespace(&b.node));
            let mtu = link.mtu.to_string();
            let add = ["link", "add", "name", &a.interface, "mtu", &mtu];
            let words = add.into_iter().chain(["netns", &left, "type", "veth", "peer", "name"]);
            let peer = [&b.interface, "mtu", &mtu, "netns", &right];
            output(&mut command("ip", words.chain(peer)))?;
            for end in [a, b] {
                let lines = settings.entry(&end.node).or_default();
                lines.push_str(&configure(end));
                if self.topology.nodes.get(&end.node).is_some_and(|node| node.kind == Kind::Bridge) {
                    lines.push_str(&format!(
                        "link set dev {} master {}\n",
                        end.interface,
                        self.bridge_of(&end.node)
                    ));
                }
            }
        }
        for node in self.nodes.values() {
            let lines = settings.remove(node.config.name.as_str()).unwrap_or_default();
            let batch = format!("link set lo up\n{lines}");
            feed(&mut command("ip", ["-n", &node.namespace, "-batch", "-"]), &batch)?;
        }
        Ok(())
    }
}

/// The `ip` commands that set up one end of a link.
fn configure(end: &End) -> String {
    let mut lines = String::new();
    if let Some(mac) = &end.mac {
        lines.push_str(&format!("link set dev {} address {mac}\n", end.interface));
    }
    for address in &end.addresses {
        // Duplicate address detection would keep an IPv6 address unusable for a second.
        let detection = if address.addr().is_ipv6() { " nodad" } else { "" };
        lines.push_str(&format!("address add {address} dev {}{detection}\n", end.interface));
    }
    lines.push_str(&format!("link set dev {} up\n", end.interface));
    lines
}

/// The folder that describes a running lab.
pub fn state_of(lab: &str) -> PathBuf {
    Path::new(STATE).join(lab)
}

/// Keeps other runs of the same lab waiting for as long as the answer is open.
pub fn lock(lab: &str) -> Result<UnixListener> {
    take(&format!("siskin-lab/{lab}"), || crate::ui::note(&format!("waiting for another run of {lab}")))
}

/// Takes a lock by a socket whose abstract name vanishes with the process; `tell` is called once if that takes a while.
fn take(name: &str, tell: impl FnOnce()) -> Result<UnixListener> {
    let address = SocketAddr::from_abstract_name(name)?;
    let mut tell = Some(tell);
    loop {
        match UnixListener::bind_addr(&address) {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                tell.take().into_iter().for_each(|tell| tell());
                std::thread::sleep(Duration::from_millis(50));
            }
            other => return other.with_context(|| format!("cannot lock {name}")),
        }
    }
}

/// Kills what lives in the lab's namespaces, then removes these and the state folder.
fn clean(lab: &str) -> Result<()> {
    let state = state_of(lab);
    let _one_at_a_time = take(&format!("siskin-lab-clean/{lab}"), || ())?;
    if !state.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(state.join("nodes")).into_iter().flatten() {
        let namespace = format!("clab-{lab}-{}", entry?.file_name().to_string_lossy());
        if Path::new("/run/netns").join(&namespace).exists() {
            remove_namespace(&namespace)?;
        }
    }
    for entry in fs::read_dir(state.join("nodes")).into_iter().flatten() {
        remove_made(&fs::read_to_string(entry?.path().join(init::MADE)).unwrap_or_default());
    }
    fs::remove_dir_all(&state).with_context(|| format!("cannot remove {}", state.display()))?;
    // The folder of all labs goes with the last one; until then it is not empty, and stays.
    fs::remove_dir(STATE).ok();
    Ok(())
}

/// Removes the empty folders and files that had to be made on the host for a node's binds.
fn remove_made(places: &str) {
    fn remove(place: &Path) {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            remove(&entry.path());
        }
        let empty = fs::symlink_metadata(place).is_ok_and(|about| about.is_file() && about.len() == 0);
        // A folder that is not empty is somebody else's by now, and stays.
        if empty {
            fs::remove_file(place).ok()
        } else {
            fs::remove_dir(place).ok()
        };
    }
    places.lines().map(Path::new).for_each(remove);
}

fn remove_namespace(namespace: &str) -> Result<()> {
    for _ in 0..50 {
        let pids = output(&mut command("ip", ["netns", "pids", namespace]))?;
        if pids.trim().is_empty() {
            output(&mut command("ip", ["netns", "delete", namespace]))?;
            return Ok(());
        }
        run(&mut command("kill", std::iter::once("-KILL").chain(pids.split_whitespace())))?;
        std::thread::sleep(Duration::from_millis(10));
    }
    bail!("the processes in namespace {namespace} do not die")
}

/// Root is needed for namespaces, mounts and routes.
pub fn require_root() -> Result<()> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let words: Vec<_> = std::env::args().collect();
    bail!("network namespaces, mounts and routes need root; run\n    sudo {}", words.join(" "))
}

impl Guardian {
    /// Starts the process that outlives this one just long enough to clean up after it.
    pub fn watch(lab: &str) -> Result<Self> {
        use std::os::unix::process::CommandExt as _;
        let child = Command::new(std::env::current_exe()?)
            .args(["guard", lab])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start the guardian")?;
        Ok(Self { child })
    }

    /// The guardian's own life: waits until its parent ends, in whatever way, then takes the lab down.
    pub fn run(lab: &str) -> Result<()> {
        std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
        clean(lab)
    }

    /// Takes the lab down now.
    pub fn finish(mut self) -> Result<()> {
        if let Some(mut stdin) = self.child.stdin.take() {
            stdin.flush()?;
        }
        let status = self.child.wait()?;
        ensure!(status.success(), "the lab could not be taken down: {status}");
        Ok(())
    }
}
