//! What is there, and what an operator should know about it.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::config::GuardMode;

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
    /// The IPv4 addresses on the device, sorted.
    pub addresses: Vec<Ipv4Net>,
    /// The link that carries the node's address.
    pub underlay: Option<Underlay>,
    /// The guard.
    pub guard: GuardStatus,
    /// A guard of Felix's, which is left alone.
    pub felix_guard: Option<FelixGuard>,
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
            addresses: Vec::new(),
            underlay: None,
            guard: GuardStatus::default(),
            felix_guard: None,
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
    /// Packets of protocol 4 from anyone else.
    pub dropped: Counter,
}

impl Default for GuardStatus {
    fn default() -> Self {
        Self {
            mode: GuardMode::On,
            state: GuardState::Absent,
            allowed: Vec::new(),
            leaving: Vec::new(),
            accepted: Counter::default(),
            dropped: Counter::default(),
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
    /// Bytes, outer IP headers included.
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

/// Where Felix keeps a guard of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FelixGuard {
    /// The nftables table.
    pub table: String,
    /// The chain.
    pub chain: String,
}

/// Something an operator should know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Notice {
    /// A stable name for programs.
    pub code: String,
    /// What is the matter.
    pub message: String,
    /// What to do about it: a command where there is one.
    pub remedy: Option<String>,
}
