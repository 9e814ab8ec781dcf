//! The validated whole: what this host shall do, whoever said so.
//!
//! Every source (the static file, and later Calico's resources) produces the same [`Intent`]; the daemon
//! applies the difference between two of them.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use bgp::{
    bfd::{BfdConfig, Parameters},
    config::{
        AdminState, AsnRule, Auth, CapabilityConfig, DecisionConfig, Fallover, GracefulShutdown, Install,
        LongLivedRoutes, MonitoringConfig, NextHopMode, PrefixLimit, Reflection, RouteSwitches, TimerConfig,
        TransportConfig,
    },
    martian::ReservedRanges,
    policy::Section,
    types::{Asn, Families, RouterId},
    wire::context::SegmentRule,
};
use fib::config::{DiscardRule, ObjectUse};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::Serialize;

/// What this host shall do.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// This host.
    pub node: Node,
    /// The speaker as a whole.
    pub bgp: Bgp,
    /// BFD, as far as no peer says otherwise.
    pub bfd: Bfd,
    /// The node-to-node mesh: internal peers in our AS by address, ourselves left out.
    pub mesh: Mesh,
    /// Every other peer by its name.
    pub peers: BTreeMap<String, Peer>,
    /// Policies that peers may name.
    pub policies: BTreeMap<String, NamedPolicy>,
    /// What the sets that policies name hold, in words, by key: `prefix_sets[bogons].prefixes`.
    pub sets: BTreeMap<String, String>,
    /// Pools of pod addresses by CIDR; none overlaps another.
    pub pools: BTreeMap<IpNet, Pool>,
    /// Blocks this host originates and blackholes, each inside a pool; sorted.
    pub blocks: Vec<IpNet>,
    /// Names of the interfaces of pods; `*` at the end stands for anything.
    pub pod_interfaces: Vec<String>,
    /// Protocol numbers of routing daemons before us; sorted.
    pub adopt: Vec<u8>,
    /// The IPIP tunnel.
    pub tunnel: Tunnel,
    /// How our routes look in the kernel.
    pub kernel: Kernel,
    /// Who is told what is heard.
    pub monitoring: MonitoringConfig,
    /// The daemon's own interface.
    pub api: Api,
    /// Logging.
    pub log: Log,
}

/// This host.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Calico's node name.
    pub name: String,
    /// IPv4 address with the length of its network, which decides what is in our own subnet.
    pub address: Option<Ipv4Net>,
    /// IPv6 address.
    pub address6: Option<Ipv6Net>,
    /// Our AS.
    pub asn: Asn,
    /// BGP Identifier.
    pub router_id: RouterId,
}

impl Node {
    /// The node's address of the family of `other`.
    pub fn address_like(&self, other: IpAddr) -> Option<IpAddr> {
        match other {
            IpAddr::V4(_) => self.address.map(|net| net.addr().into()),
            IpAddr::V6(_) => self.address6.map(|net| net.addr().into()),
        }
    }

    /// Whether `address` is one of the node's own.
    pub fn owns(&self, address: IpAddr) -> bool {
        self.address_like(address) == Some(address)
    }
}

/// The speaker as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Bgp {
    /// TCP port we listen on.
    pub listen_port: u16,
    /// Addresses we listen on.
    pub bind: Bind,
    /// Where else we listen: instead of `bind`, when there is something.
    pub listen: Vec<SocketAddr>,
    /// Hold time of mesh peers.
    pub hold_time: Duration,
    /// KEEPALIVE interval of mesh peers; `None`: a third of the negotiated hold time.
    pub keepalive_time: Option<Duration>,
    /// ConnectRetryTimer of all peers.
    pub connect_retry_time: Duration,
    /// Restart Time we announce, at most 4095 s; zero: no graceful restart.
    pub graceful_restart_time: Duration,
    /// Longest wait for End-of-RIB after a restart.
    pub selection_deferral: Duration,
    /// First active open of the mesh side that waits; zero makes both sides open at once.
    pub open_delay: Duration,
    /// How best paths are chosen.
    pub decision: DecisionConfig,
    /// Routes with AS_SETs.
    pub as_sets: SegmentRule,
    /// Prefixes and next hops of 240.0.0.0/4.
    pub reserved_ranges: ReservedRanges,
    /// Whether everything we announce is about to go.
    pub graceful_shutdown: GracefulShutdown,
    /// Which internal peers are told of long-lived stale routes.
    pub long_lived: LongLivedRoutes,
    /// Our cluster as a route reflector; `None`: the BGP Identifier.
    pub cluster_id: Option<RouterId>,
    /// What mesh peers are offered in OPEN.
    pub capabilities: CapabilityConfig,
}

/// BFD as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bfd {
    /// What peers that watch their path have unless they say otherwise.
    pub parameters: Parameters,
    /// Whether and how the paths to the mesh's nodes are watched.
    pub mesh: Option<BfdConfig>,
}

/// Addresses to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Bind {
    /// Every address of the host.
    Any,
    /// The node's addresses only.
    Node,
}

/// The node-to-node mesh.
#[derive(Clone, Debug, PartialEq)]
pub struct Mesh {
    /// The other nodes, sorted.
    pub nodes: Vec<IpAddr>,
    /// TCP MD5 of all mesh sessions.
    pub auth: Auth,
}

/// A peer outside the mesh.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    /// For people.
    pub description: String,
    /// Administratively up or down.
    pub admin: AdminState,
    /// What the peer is told when it is shut down.
    pub shutdown_text: String,
    /// Address.
    pub address: IpAddr,
    /// The peer's AS; 0 where `asn_rule` leaves a choice.
    pub asn: Asn,
    /// The AS numbers it may show.
    pub asn_rule: AsnRule,
    /// Of dynamic peers: where they connect from, and how many there may be.
    pub range: Option<(IpNet, u32)>,
    /// Families to announce.
    pub families: Families,
    /// How the TCP connection is made and guarded.
    pub transport: TransportConfig,
    /// Timers of the session.
    pub timers: TimerConfig,
    /// What is announced in OPEN, beside the families.
    pub capabilities: CapabilityConfig,
    /// Next hop towards the peer.
    pub next_hop: NextHopMode,
    /// Role in route reflection.
    pub reflection: Reflection,
    /// What is done to its routes beside policy.
    pub switches: RouteSwitches,
    /// What is accepted, asked in this order.
    pub import: Vec<Step<ImportRule>>,
    /// What is announced, asked in this order.
    pub export: Vec<Step<ExportRule>>,
    /// Whether learned routes go to the kernel.
    pub install: Install,
    /// How many prefixes it may send.
    pub limit: PrefixLimit,
    /// Whether and how the path is watched.
    pub bfd: Option<BfdConfig>,
    /// What becomes of the session when its link goes down.
    pub fallover: Fallover,
}

/// One of the names in a peer's `import` or `export`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step<W> {
    /// A word with a meaning of its own.
    Word(W),
    /// The policy of this name.
    Policy(String),
}

impl<W: Serialize> fmt::Display for Step<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => f.write_str(&super::facts::word(word)),
            Self::Policy(name) => f.write_str(name),
        }
    }
}

/// A policy of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedPolicy {
    /// Its terms.
    pub section: Section,
    /// The name of each term, and what it says as TOML on one line.
    pub shown: Vec<(String, String)>,
}

/// What is accepted from a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ImportRule {
    /// Prefixes inside a pool.
    Pools,
    /// Nothing.
    None,
    /// Everything.
    All,
}

/// What is announced to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportRule {
    /// Our own blocks.
    Blocks,
    /// Everything inside an exported pool.
    Pools,
    /// Everything.
    All,
    /// Nothing.
    None,
}

/// A pool of pod addresses (Calico's IPPool).
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// Prefix length of the pool's blocks.
    pub block_size: u8,
    /// When to tunnel.
    pub ipip_mode: IpipMode,
    /// Whether anything inside is announced to anyone.
    pub export: PoolExport,
    /// Whether what leaves the pools takes the host's address.
    pub nat_outgoing: NatOutgoing,
}

/// Whether packets of a pool to destinations outside all pools take the host's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NatOutgoing {
    /// They do.
    On,
    /// They keep theirs.
    Off,
}

/// When packets towards a pool are tunnelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum IpipMode {
    /// Whatever the next hop.
    Always,
    /// When the next hop lies outside the node's own network.
    CrossSubnet,
    /// At no time.
    Never,
}

impl fmt::Display for IpipMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Always => "Always",
            Self::CrossSubnet => "CrossSubnet",
            Self::Never => "Never",
        })
    }
}

/// Whether a pool's prefixes are announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PoolExport {
    /// As each peer's rule says.
    Allowed,
    /// To nobody.
    Denied,
}

/// The IPIP tunnel.
#[derive(Clone, Debug, PartialEq)]
pub struct Tunnel {
    /// The /32 of tunl0.
    pub address: Option<Ipv4Addr>,
    /// MTU; `None`: the underlay's less 20.
    pub mtu: Option<u32>,
    /// The MTU that tunnelled routes carry themselves.
    pub route_mtu: RouteMtu,
    /// The DF bit of outer headers.
    pub pmtudisc: Pmtudisc,
    /// The source of outer headers.
    pub source: TunnelSource,
    /// Networks whose addresses are known nodes, besides mesh and iBGP next hops; sorted.
    pub next_hops: Vec<Ipv4Net>,
    /// Networks whose hosts may send into the tunnel although they are no known nodes; sorted.
    pub allow_from: Vec<Ipv4Net>,
    /// Inner destinations that are let in whoever sends; sorted.
    pub allow_to: Vec<Ipv4Net>,
    /// Networks whose addresses on the device are left alone; sorted.
    pub keep_addresses: Vec<Ipv4Net>,
    /// The filter of what comes out of the tunnel.
    pub guard: Guard,
    /// How long the guard lets in what is no longer known.
    pub guard_grace: Duration,
    /// Whether the guard binds what is behind a node to that node.
    pub guard_bind: GuardBind,
    /// Bits of the packet mark the guard may use for that, in one row.
    pub guard_mark: u32,
    /// What is done about settings of the kernel that keep packets from passing.
    pub sysctls: Sysctls,
}

/// The MTU that tunnelled routes carry themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteMtu {
    /// None: the device's counts.
    Off,
    /// The underlay's less 20.
    Auto,
    /// This many bytes.
    Fixed(u32),
}

impl fmt::Display for RouteMtu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Auto => f.write_str("auto"),
            Self::Fixed(mtu) => mtu.fmt(f),
        }
    }
}

/// The DF bit of outer headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pmtudisc {
    /// As the device has it.
    Keep,
    /// Set.
    On,
    /// That of the inner header.
    Off,
}

/// The source of outer headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TunnelSource {
    /// The kernel's choice for the route to the other node.
    Route,
    /// The node's address.
    Node,
}

/// What is done about settings of the kernel that keep packets from passing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sysctls {
    /// They are problems in the status, each with its remedy.
    Report,
    /// They are set.
    Set,
}

/// The filter that lets protocol 4 in from known nodes only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Guard {
    /// Installed; without it there is no tunnel.
    On,
    /// Left out, and said so.
    Off,
}

/// Whether the guard binds inner sources to outer ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GuardBind {
    /// What is behind any known node is let in from every known node.
    Loose,
    /// It is let in from its own node only.
    Strict,
}

/// How our routes look in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// `rtm_protocol` of our routes.
    pub protocol: u8,
    /// Routing table.
    pub table: u32,
    /// Metric (RTA_PRIORITY).
    pub metric: u32,
    /// Whether routes refer to next-hop objects.
    pub objects: ObjectUse,
    /// Whether packets to routes with the BLACKHOLE community are dropped (RFC 7999).
    pub blackhole_community: DiscardRule,
}

/// The daemon's own interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// The unix socket.
    pub socket: PathBuf,
    /// The group that may use it besides the daemon's user: a name or a number; `None`: the daemon's own.
    pub socket_group: Option<String>,
    /// A second unix socket, which only answers questions.
    pub read_socket: Option<PathBuf>,
    /// The group that may use that one.
    pub read_socket_group: Option<String>,
    /// Names, besides the node's own, by which HTTP clients may call this host, in lower case.
    pub http_hosts: Vec<String>,
    /// The directory of lock and state; `None`: systemd's, else the usual one.
    pub runtime_directory: Option<PathBuf>,
    /// Metrics, health and JSON over HTTP; `None`: off.
    pub http: Option<SocketAddr>,
}

/// Logging.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// The least severe level that is written.
    pub level: LogLevel,
    /// Form of a line.
    pub format: LogFormat,
}

/// Severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Needs a human now.
    Error,
    /// Needs a human soon.
    Warn,
    /// The day's events.
    Info,
    /// For developers.
    Debug,
    /// For developers, per prefix.
    Trace,
}

impl LogLevel {
    /// The level's name, which is also a filter directive of `tracing`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}
