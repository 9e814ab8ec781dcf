//! What is asked of the tunnel.

use std::{collections::BTreeSet, net::Ipv4Addr, path::PathBuf, time::Duration};

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

/// Bytes an IPIP header adds to every packet (an IPv4 header without options, RFC 2003 section 3.1).
pub const IPIP_OVERHEAD: u32 = 20;

/// How the tunnel shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelConfig {
    /// Whether anything needs the tunnel. Nothing is touched until this has once been [`Need::Needed`]; after that the
    /// device stays up, with its address and its guard, whatever is said here: a neighbour may not have switched yet.
    pub need: Need,
    /// The address on the device, as a /32. It is then the only IPv4 address there: any other is removed, after this
    /// one was added. With `None` foreign addresses are left alone and only those this process was configured with
    /// earlier are removed.
    pub address: Option<Ipv4Addr>,
    /// Addresses on the device that are left alone whatever [`TunnelConfig::address`] is.
    pub keep_addresses: BTreeSet<Ipv4Net>,
    /// The device's MTU.
    pub mtu: Mtu,
    /// The DF bit of outer headers; `None`: the device stays as it is.
    pub dont_fragment: Option<DontFragment>,
    /// The source of outer headers.
    pub outer_source: OuterSource,
    /// The address of the node itself. The link that carries it is the underlay, whose MTU [`Mtu::Auto`] follows.
    pub node_address: Option<Ipv4Addr>,
    /// Whether the kernel's settings that stand in the way are changed.
    pub sysctls: SysctlCare,
    /// Whether protocol 4 is guarded.
    pub guard: GuardMode,
    /// How long what is no longer known stays allowed: hosts never change at the same instant.
    pub guard_grace: Duration,
    /// Inner destinations that are let in from anyone, with any inner source: addresses of other users of the device, as of
    /// IPVS. Only the first fragment of an outer packet has them, so fragments need connection tracking.
    pub allow_to: BTreeSet<Ipv4Net>,
    /// Whether the inner source must be behind the node that the outer header names.
    pub binding: Binding,
    /// Prefixes of this host's pods: what may be reached through the tunnel, beside [`TunnelConfig::address`] and
    /// [`TunnelConfig::node_address`].
    pub local: BTreeSet<Ipv4Net>,
    /// Whose packets leave with this host's address.
    pub masquerade: Masquerade,
}

impl TunnelConfig {
    /// The default of [`TunnelConfig::guard_grace`].
    pub const DEFAULT_GUARD_GRACE: Duration = Duration::from_secs(30);
}

impl Default for TunnelConfig {
    /// Not needed, no address, MTU by the underlay, guarded.
    fn default() -> Self {
        Self {
            need: Need::NotNeeded,
            address: None,
            keep_addresses: BTreeSet::new(),
            mtu: Mtu::Auto,
            dont_fragment: None,
            outer_source: OuterSource::Route,
            node_address: None,
            sysctls: SysctlCare::Report,
            guard: GuardMode::On,
            guard_grace: Self::DEFAULT_GUARD_GRACE,
            allow_to: BTreeSet::new(),
            binding: Binding::Loose,
            local: BTreeSet::new(),
            masquerade: Masquerade::default(),
        }
    }
}

/// Whether anything needs the tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// A pool may send packets into the tunnel.
    Needed,
    /// No pool does.
    NotNeeded,
}

/// The MTU of the tunnel device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mtu {
    /// The underlay link's MTU less [`IPIP_OVERHEAD`], followed live. While the underlay is unknown the device keeps
    /// the MTU it has.
    Auto,
    /// This many bytes.
    Fixed(u32),
}

/// The DF bit of outer headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DontFragment {
    /// That of the inner header (`nopmtudisc`), as on the kernel's own device: who allows his packets to be fragmented
    /// has the outer ones fragmented.
    Inherited,
    /// Set (`pmtudisc`): the outer packet is never fragmented. The path's MTU is found out for every packet.
    Always,
}

/// The source of outer headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OuterSource {
    /// The kernel's choice for the route to the other node.
    Route,
    /// [`TunnelConfig::node_address`].
    Node {
        /// For packets whose inner destination lies here: the tunnel's, not those of other tunnels of this host.
        inside: BTreeSet<Ipv4Net>,
    },
}

/// What is done about settings of the kernel that keep packets from passing: `ip_forward`, and `rp_filter` of the device
/// and the underlay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SysctlCare {
    /// They are told, with the command that mends each.
    Report,
    /// They are set.
    Set,
}

/// Whether protocol 4 is accepted from known nodes only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardMode {
    /// Guarded. Where nftables cannot do it, the tunnel is not brought up.
    On,
    /// Anyone who reaches this host may send into the tunnel. A guard table of ours is removed.
    Off,
}

/// Whether the inner source is bound to the outer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    /// What is behind any known node is accepted from every known node.
    Loose,
    /// It is accepted only from the node it is behind. Between the two checks a packet carries the node's number in
    /// these bits of its mark, which must stand in one row and must not be used by others; nodes for which the bits
    /// have no number are not told apart.
    Strict {
        /// The bits.
        mask: u32,
    },
}

/// What leaves with the address of this host (source NAT).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Masquerade {
    /// Packets from these prefixes do. None: nothing is masqueraded.
    pub sources: BTreeSet<Ipv4Net>,
    /// Unless they go to one of these.
    pub except_to: BTreeSet<Ipv4Net>,
}

/// The nodes protocol 4 is accepted from, and what may come from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownNodes {
    /// Single nodes (as /32) and prefixes all of whose addresses count as nodes.
    pub nodes: BTreeSet<Ipv4Net>,
    /// What is behind them: after decapsulation a source is accepted only within one of these, or if it is a node's.
    pub behind: BTreeSet<NodePrefix>,
    /// Whether the list is all there is.
    pub completeness: Completeness,
}

/// A prefix behind a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodePrefix {
    /// The prefix.
    pub prefix: Ipv4Net,
    /// The node's address.
    pub node: Ipv4Addr,
}

/// Whether a list of known nodes is all there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Completeness {
    /// More may follow (sessions are still coming up): nodes are added to the guard, none is taken out, and those a
    /// previous incarnation allowed stay.
    Partial,
    /// What is not in the list leaves the guard after [`TunnelConfig::guard_grace`].
    Complete,
}

/// Where the tunnel lives: fixed for the life of a `TunnelHandle`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The device's name.
    pub device: String,
    /// What kind of link it is.
    pub kind: DeviceKind,
    /// The nftables program.
    pub nft: PathBuf,
    /// How often everything is compared with the kernel although no event said so.
    pub check_interval: Duration,
}

impl Default for Environment {
    fn default() -> Self {
        Self {
            device: "tunl0".to_owned(),
            kind: DeviceKind::Ipip,
            nft: PathBuf::from("nft"),
            check_interval: Duration::from_secs(10),
        }
    }
}

/// The kind of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// The kernel's IPIP tunnel.
    Ipip,
    /// A bridge without ports: a stand-in that lets the care for the device be tested where the kernel has no ipip. It
    /// encapsulates nothing.
    Bridge,
}

impl DeviceKind {
    /// The kernel's name for it (`IFLA_INFO_KIND`).
    #[must_use]
    pub fn kernel_name(self) -> &'static str {
        match self {
            Self::Ipip => "ipip",
            Self::Bridge => "bridge",
        }
    }
}
