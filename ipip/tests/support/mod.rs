//! Network namespaces that vanish with the test, however it ends, and what the tests do in them.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "the tests' own tools")]
#![allow(dead_code, missing_docs, reason = "each test binary uses its part")]

pub(crate) mod ends;

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    num::NonZeroU32,
    os::fd::{AsFd, OwnedFd},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use ipip::{
    Completeness, DeviceKind, Environment, KnownNodes, Mtu, Need, TunnelConfig, TunnelHandle, TunnelStatus,
};
use rustix::{
    net::{
        AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, sendto,
        socket_with, sockopt,
    },
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

pub(crate) const NODE: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 100);

/// A network namespace held by a process that ends when our end of its standard input closes.
pub(crate) struct Namespace {
    holder: Child,
}

impl Namespace {
    /// `None`, said loudly, where there is no right to make one.
    pub(crate) fn new() -> Option<Self> {
        let holder = Command::new("unshare")
            .args(["--net", "sh", "-c", "ip link set lo up && echo ready && cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut namespace = Self { holder: holder.ok()? };
        let mut ready = [0_u8; 6];
        let mut stdout = namespace.holder.stdout.take()?;
        if std::io::Read::read_exact(&mut stdout, &mut ready).is_err() {
            println!("SKIPPED: no network namespace can be made here (root is needed)");
            return None;
        }
        Some(namespace)
    }

    /// Runs a command line in the namespace and returns what it prints, or `Err` with what it complains of.
    pub(crate) fn try_run(&self, line: &str) -> Result<String, String> {
        let net = format!("--net=/proc/{}/ns/net", self.holder.id());
        let output = Command::new("nsenter").args([&net, "sh", "-c", line]).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// The process that holds it, to name it to `ip`.
    pub(crate) fn pid(&self) -> u32 {
        self.holder.id()
    }

    pub(crate) fn run(&self, line: &str) -> String {
        self.try_run(line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// A second, and what looking for the outcome takes on this machine: in an emulated one (QEMU without KVM) starting
    /// a process alone may take half a second.
    pub(crate) fn a_second(&self) -> Duration {
        let start = Instant::now();
        self.run("ip link show >/dev/null; nft list tables >/dev/null");
        Duration::from_secs(1) + 5 * start.elapsed()
    }

    pub(crate) fn spawn(&self, line: &str) -> Child {
        let net = format!("--net=/proc/{}/ns/net", self.holder.id());
        Command::new("nsenter").args([&net, "sh", "-c", line]).stdout(Stdio::piped()).spawn().unwrap()
    }

    /// Runs `work` on a thread of its own that is in the namespace.
    pub(crate) fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let path = format!("/proc/{}/ns/net", self.holder.id());
        std::thread::scope(|scope| {
            let inside = scope.spawn(move || {
                let namespace = std::fs::File::open(path).unwrap();
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                work()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Runs a future in the namespace.
    pub(crate) fn block_on<F: Future>(&self, work: impl FnOnce() -> F + Send) -> F::Output
    where
        F::Output: Send,
    {
        self.enter(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { work().await })
        })
    }

    /// Links to another namespace: `eth0` on both sides, with these addresses.
    pub(crate) fn link(&self, peer: &Self, own: &str, peers: &[&str]) {
        let there = peer.holder.id();
        self.run(&format!("ip link add eth0 type veth peer name eth0 netns {there}"));
        self.run(&format!("ip addr add {own} dev eth0 && ip link set eth0 up"));
        for address in peers {
            peer.run(&format!("ip addr add {address} dev eth0"));
        }
        peer.run("ip link set eth0 up");
    }

    /// A socket for protocol 4 without a tunnel, with this address as its own.
    pub(crate) fn raw_ipip(&self, address: Ipv4Addr) -> OwnedFd {
        self.enter(|| {
            let protocol = Protocol::from_raw(NonZeroU32::new(4).unwrap());
            let socket =
                socket_with(AddressFamily::INET, SocketType::RAW, SocketFlags::empty(), Some(protocol));
            let socket = socket.unwrap();
            bind(&socket, &SocketAddrV4::new(address, 0)).unwrap();
            sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(Duration::from_millis(200)))
                .unwrap();
            sockopt::set_socket_broadcast(&socket, true).unwrap();
            sockopt::set_socket_recv_buffer_size_force(&socket, 8 << 20).unwrap();
            socket
        })
    }

    /// The kind of device to test with: ipip where the kernel has it.
    pub(crate) fn device_kind(&self) -> DeviceKind {
        match self
            .try_run("ip link add probe type ipip local 127.0.0.1 remote 127.0.0.2 && ip link del probe")
        {
            Ok(_) => DeviceKind::Ipip,
            Err(_) => {
                println!("SKIPPED: this kernel has no ipip; a bridge stands in for tunl0");
                DeviceKind::Bridge
            }
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

/// Sends one packet of protocol 4 to the node whose payload ends with `marker`.
pub(crate) fn send(socket: &OwnedFd, marker: u32) {
    send_to(socket, NODE, marker);
}

/// Sends one packet of protocol 4 to this address.
pub(crate) fn send_to(socket: &OwnedFd, destination: Ipv4Addr, marker: u32) {
    let mut inner = [0_u8; 20];
    inner[0] = 0x45;
    inner[16..].copy_from_slice(&marker.to_be_bytes());
    let sent = sendto(socket, &inner, SendFlags::empty(), &SocketAddrV4::new(destination, 0));
    sent.unwrap_or_else(|error| panic!("send: {error}"));
}

/// The markers of all packets that have arrived and arrive within 200 ms.
pub(crate) fn receive(socket: &OwnedFd) -> Vec<u32> {
    let mut markers = Vec::new();
    let mut packet = [0_u8; 128];
    while let Ok((length, _)) = recv(socket, &mut packet, RecvFlags::empty()) {
        let tail = packet[..length].last_chunk::<4>().unwrap();
        markers.push(u32::from_be_bytes(*tail));
    }
    markers
}

/// Starts a tunnel in the namespace of this thread.
pub(crate) fn start(host: &Namespace, config: TunnelConfig, nodes: KnownNodes) -> TunnelHandle {
    let tunnel = TunnelHandle::spawn(environment(host.device_kind())).unwrap();
    tunnel.configure(config);
    tunnel.set_known_nodes(nodes);
    tunnel
}

/// A tunnel whose care hangs on events: no periodic look comes to the rescue.
pub(crate) fn environment(kind: DeviceKind) -> Environment {
    Environment { kind, check_interval: Duration::from_secs(600), ..Environment::default() }
}

pub(crate) fn needed() -> TunnelConfig {
    TunnelConfig {
        need: Need::Needed,
        address: Some(Ipv4Addr::new(172, 16, 241, 64)),
        mtu: Mtu::Auto,
        node_address: Some(NODE),
        guard_grace: Duration::ZERO,
        ..TunnelConfig::default()
    }
}

pub(crate) fn known(nodes: &[&str], completeness: Completeness) -> KnownNodes {
    let nodes = nodes.iter().map(|net| net.parse().unwrap()).collect();
    KnownNodes { nodes, behind: [].into(), completeness }
}

/// Waits until the status is as expected; at most half a minute, since test machines are slow.
pub(crate) async fn until(
    tunnel: &TunnelHandle,
    expected: impl Fn(&TunnelStatus) -> bool,
) -> Arc<TunnelStatus> {
    let mut status = tunnel.subscribe();
    let wait = status.wait_for(|status| expected(status));
    match tokio::time::timeout(Duration::from_secs(30), wait).await {
        Ok(status) => status.unwrap().clone(),
        Err(_) => panic!("never came; the status is {:#?}", tunnel.status()),
    }
}

/// Waits until `check` holds and says how long that took, at most half a minute.
pub(crate) async fn settled(what: &str, check: impl Fn() -> bool) -> Duration {
    let start = Instant::now();
    while !check() {
        assert!(start.elapsed() < Duration::from_secs(30), "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    start.elapsed()
}
