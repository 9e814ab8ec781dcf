//! What is there, and what an operator should know about it.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::{
    config::{DontFragment, GuardMode},
    notice::Notice,
};

/// A snapshot of the tunnel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunnelStatus {
    /// The device's name.
    pub device: String,
    /// How it stands.
    pub state: TunnelState,
    /// Why it is not as asked.
    pub problem: Option<Notice>,
    /// The device's index, where it exists.
    pub index: Option<u32>,
    /// The device's MTU in bytes, where it exists.
    pub mtu: Option<u32>,
    /// The DF bit of outer headers, where the device exists and is a tunnel.
    pub dont_fragment: Option<DontFragment>,
    /// The source that outer headers are given, if it is not left to the kernel.
    pub outer_source: Option<Ipv4Addr>,
    /// The IPv4 addresses on the device, sorted.
    pub addresses: Vec<Ipv4Net>,
    /// The link that carries the node's address.
    pub underlay: Option<Underlay>,
    /// The guard.
    pub guard: GuardStatus,
    /// A guard of Felix's, which is left alone.
    pub felix_guard: Option<FelixChain>,
    /// Masquerading.
    pub masquerade: MasqueradeState,
    /// What is not ours to change but stands in the way, sorted by code.
    pub warnings: Vec<Notice>,
    /// How often the device or the guard had to be put right after others changed it.
    pub repairs: u64,
}

impl TunnelStatus {
    /// The status before anything was asked.
    #[must_use]
    pub fn idle(device: &str) -> Self {
        Self {
            device: device.to_owned(),
            state: TunnelState::Idle,
            problem: None,
            index: None,
            mtu: None,
            dont_fragment: None,
            outer_source: None,
            addresses: Vec::new(),
            underlay: None,
            guard: GuardStatus::default(),
            felix_guard: None,
            masquerade: MasqueradeState::Off,
            warnings: Vec::new(),
            repairs: 0,
        }
    }
}

/// How the tunnel stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TunnelState {
    /// Never needed: nothing was touched.
    Idle,
    /// Up and as asked: routes may use it.
    Up,
    /// Up, though something about it is not as asked; see the problem. Routes may use it.
    Degraded,
    /// Asked for, but not up, or without the guard it needs; see the problem.
    Down,
}

impl TunnelState {
    /// Whether routes may point to the device.
    #[must_use]
    pub fn is_usable(self) -> bool {
        matches!(self, Self::Up | Self::Degraded)
    }
}

/// The guard as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardStatus {
    /// What was asked.
    pub mode: GuardMode,
    /// What is there.
    pub state: GuardState,
    /// What protocol 4 is accepted from, sorted: the known nodes and those in their time of grace.
    pub allowed: Vec<Ipv4Net>,
    /// Nodes no longer known that are still allowed, sorted.
    pub leaving: Vec<Ipv4Net>,
    /// Packets of protocol 4 from known nodes.
    pub accepted: Counter,
    /// Prefixes behind those nodes, from which packets are accepted after decapsulation.
    pub behind: usize,
    /// Where packets may go after decapsulation, sorted.
    pub here: Vec<Ipv4Net>,
    /// What was kept out.
    pub dropped: Drops,
    /// How often and for how long it was not as it was written.
    pub gaps: Gaps,
}

/// Times during which the guard was gone or altered by another program, from the kernel's notice (or, where none came, the
/// last look) until it was written again. In such a time anyone may have sent into the tunnel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gaps {
    /// How many there were since the service started.
    pub number: u64,
    /// All of them together, in milliseconds.
    pub total_ms: u64,
    /// The last, in milliseconds.
    pub last_ms: u64,
}

/// What the guard has dropped, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drops {
    /// Packets of protocol 4 whose sender is no known node.
    pub stranger: Counter,
    /// Packets out of the tunnel whose source is behind no known node, or ours.
    pub inner_source: Counter,
    /// Packets out of the tunnel whose destination is not ours.
    pub inner_destination: Counter,
    /// Packets out of the tunnel whose source is behind another node than the one that sent them.
    pub unbound_source: Counter,
}

/// Whether packets leave with this host's address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MasqueradeState {
    /// Not asked for.
    #[default]
    Off,
    /// The kernel does it.
    InForce,
    /// Left to Felix, which does it itself.
    Felix,
    /// Asked for and not there; see the problem.
    Absent,
}

impl Default for GuardStatus {
    fn default() -> Self {
        Self {
            mode: GuardMode::On,
            state: GuardState::Absent,
            allowed: Vec::new(),
            leaving: Vec::new(),
            accepted: Counter::default(),
            behind: 0,
            here: Vec::new(),
            dropped: Drops::default(),
            gaps: Gaps::default(),
        }
    }
}

/// Whether the guard is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardState {
    /// The kernel enforces it.
    InForce,
    /// It is not there.
    Absent,
}

/// Packets and bytes seen by a rule since the guard was first installed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// Packets.
    pub packets: u64,
    /// Bytes, IP headers included: of outer packets the outer ones.
    pub bytes: u64,
}

/// The link that carries the node's address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Underlay {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// The node's address.
    pub address: Ipv4Addr,
}

/// A chain of Felix's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FelixChain {
    /// The nftables table.
    pub table: String,
    /// The chain.
    pub chain: String,
}
