//! What the FIB layer is told: plain data, validated by whoever builds it.

use std::num::NonZeroU32;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

/// The routing protocol number that marks our routes unless configured otherwise.
pub const DEFAULT_PROTOCOL: u8 = 179;

/// The kernel's main routing table.
pub const TABLE_MAIN: u32 = 254;

/// The kernel's fallback IPIP device.
pub const TUNNEL_DEVICE: &str = "tunl0";

/// Everything the FIB layer needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FibConfig {
    /// The network of this node's own IPv4 address; host bits are ignored. `None`: the node has none.
    pub node_network: Option<Ipv4Net>,
    /// The address pools, in any order.
    pub pools: Vec<Pool>,
    /// The blocks this host owns: each becomes a blackhole route, unless it is a single address.
    pub local_blocks: Vec<IpNet>,
    /// Names of the interfaces of pods; `*` at the end stands for anything.
    pub local_interfaces: Vec<String>,
    /// Addresses of peers and nodes, and ranges they may come from: no `unreachable` route covers any of them.
    pub peers: Vec<IpNet>,
    /// The protocol number that marks our routes.
    pub protocol: u8,
    /// The routing table our routes go to.
    pub table: u32,
    /// The metric of our routes; zero leaves the kernel's default.
    pub metric: u32,
    /// The tunnel device.
    pub tunnel: Tunnel,
    /// Whether routes refer to next-hop objects of the kernel.
    pub objects: ObjectUse,
    /// Protocol numbers of routing daemons before us, whose routes are taken over at start.
    pub adopt: Vec<u8>,
    /// Protocol numbers under which we ourselves wrote to this table in a life before: whatever carries one is taken over at
    /// start. Only those of the first configuration count.
    pub predecessors: Vec<u8>,
    /// Whether routes may ask for their packets being dropped.
    pub discard: DiscardRule,
    /// Whether the kernel is written to.
    pub programming: Programming,
}

impl Default for FibConfig {
    fn default() -> Self {
        Self {
            node_network: None,
            pools: Vec::new(),
            local_blocks: Vec::new(),
            local_interfaces: vec!["cali*".into()],
            peers: Vec::new(),
            protocol: DEFAULT_PROTOCOL,
            table: TABLE_MAIN,
            metric: 0,
            tunnel: Tunnel::default(),
            objects: ObjectUse::default(),
            adopt: Vec::new(),
            predecessors: Vec::new(),
            discard: DiscardRule::Ignore,
            programming: Programming::On,
        }
    }
}

impl FibConfig {
    /// The keys by which `next` differs and which a running FIB layer cannot change, sorted.
    pub fn restart_keys(&self, next: &Self) -> Vec<RestartKey> {
        let differs = [
            (RestartKey::Metric, self.metric != next.metric),
            (RestartKey::Protocol, self.protocol != next.protocol),
            (RestartKey::Table, self.table != next.table),
        ];
        differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }
}

/// A pool of addresses and how packets to it travel between hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pool {
    /// The addresses.
    pub cidr: IpNet,
    /// The encapsulation.
    pub mode: PoolMode,
}

/// The encapsulation of a pool (Calico's `ipipMode` and `vxlanMode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PoolMode {
    /// IPIP to every host.
    Always,
    /// IPIP to hosts outside our own network.
    CrossSubnet,
    /// No encapsulation.
    Never,
    /// VXLAN, which somebody else programs.
    #[serde(rename = "VXLAN")]
    Vxlan,
}

/// Whether routes may ask for their packets being dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiscardRule {
    /// They are sent on like those of any other route.
    #[default]
    Ignore,
    /// They are dropped, but for those of a default route: nobody may cut a host off.
    Honour,
}

/// The tunnel device and whether it may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// The device's name; its index and whether it is up are watched.
    pub device: String,
    /// What routes do with it.
    pub usage: TunnelUse,
}

impl Default for Tunnel {
    fn default() -> Self {
        Self { device: TUNNEL_DEVICE.into(), usage: TunnelUse::default() }
    }
}

/// What routes do with the tunnel device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TunnelUse {
    /// Whether they may be sent through it while it is up.
    pub permission: TunnelPermission,
    /// The MTU in bytes that those through it carry themselves (`RTAX_MTU`); `None`: the device's counts.
    pub route_mtu: Option<NonZeroU32>,
}

impl Default for TunnelUse {
    fn default() -> Self {
        Self { permission: TunnelPermission::Granted, route_mtu: None }
    }
}

/// Whether routes refer to next-hop objects of the kernel, where it has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectUse {
    /// Once there are [`AUTO_OBJECTS`] routes, from then on.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// From how many routes on [`ObjectUse::Auto`] uses objects: what they save grows with the routes that share one. Fewer
/// routes stay plain, which every tool knows how to show, and which outlive a loss of carrier while the daemon is down.
pub const AUTO_OBJECTS: usize = 50_000;

/// Whether tunnelled routes may be written. While withheld, those already in the kernel stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TunnelPermission {
    /// The device is prepared and guarded.
    Granted,
    /// It is not (yet).
    Withheld,
}

/// Whether the kernel is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Programming {
    /// Routes are programmed.
    On,
    /// Nothing is written; the difference can be asked for.
    DryRun,
}

/// A key of [`FibConfig`] whose change needs a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestartKey {
    /// [`FibConfig::metric`].
    Metric,
    /// [`FibConfig::protocol`].
    Protocol,
    /// [`FibConfig::table`].
    Table,
}
