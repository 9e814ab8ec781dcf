//! The daemon on one screen.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::problem::Problem;

/// The whole of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// True if [`Self::health`] is [`Health::Healthy`]: `siskin status --check` goes by it.
    pub healthy: bool,
    /// The same with what lies between.
    #[serde(default)]
    pub health: Health,
    /// The node's name.
    pub node: String,
    /// The daemon's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Seconds since it started.
    pub uptime: u64,
    /// When it started, RFC 3339.
    #[serde(default)]
    pub started: String,
    /// Our AS number.
    pub asn: u32,
    /// Our BGP Identifier.
    pub router_id: String,
    /// Our address with its subnet.
    pub address: String,
    /// Our IPv6 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address6: Option<String>,
    /// `normal`, or `dry_run`: nothing is programmed or announced.
    pub mode: RunMode,
    /// Where the configuration comes from and whether it is current.
    pub config: ConfigStatus,
    /// How many sessions are in which state.
    pub sessions: SessionCounts,
    /// How many routes are where.
    pub routes: RouteCounts,
    /// Where routes are written.
    pub kernel: KernelStatus,
    /// tunl0 and its guard.
    pub tunnel: TunnelStatus,
    /// Graceful restart of this daemon.
    pub graceful_restart: RestartStatus,
    /// Ranges of peers, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<RangeStatus>,
    /// BMP collectors, sorted by address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bmp: Vec<CollectorStatus>,
    /// MRT files, when any are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mrt: Option<MrtStatus>,
    /// The log.
    #[serde(default)]
    pub log: LogStatus,
    /// What needs attention, gravest first.
    pub problems: Vec<Problem>,
    /// The checks of `/readyz`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readiness: Vec<ReadinessCheck>,
    /// Connections that were refused, the latest 256 kinds, ascending by who connected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_connections: Vec<RefusedRow>,
    /// All connections that were refused since the start, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused_totals: BTreeMap<String, u64>,
}

/// Connections from one address to one of ours that were refused for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedRow {
    /// Who connected.
    pub remote: String,
    /// To which address of ours.
    pub local: String,
    /// `not_configured`, `other_local_address`, `other_interface`, `key_not_in_force`, `peer_down`, `idle_hold`,
    /// `range_full` or `busy`.
    pub reason: String,
    /// How often.
    pub count: u64,
    /// Seconds since the last.
    pub age: u64,
}

impl Status {
    /// Whether this node can serve its pods: every check of [`Self::readiness`] passes.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.readiness.iter().all(|check| check.failure.is_none())
    }
}

/// One check of `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadinessCheck {
    /// `restart`, `kernel`, `sessions` or `tunnel`.
    pub name: String,
    /// Why it fails; none: it passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// The one notion of health, which `siskin status`, `--check`, the metrics and the HTTP interface share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// No problem of severity error, and every session that is wanted is established.
    #[default]
    Healthy,
    /// No problem of severity error, but sessions that were configured a moment ago are not established yet.
    Starting,
    /// There is a problem of severity error.
    Unhealthy,
}

impl Health {
    /// The JSON name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Starting => "starting",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// The log on standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogStatus {
    /// Lines dropped because standard error took none.
    pub dropped: u64,
    /// Lines left out because there were too many of their kind.
    pub left_out: u64,
    /// Seconds for which standard error has taken nothing, while it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<u64>,
}

/// A range from which peers connect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeStatus {
    /// Its name.
    pub name: String,
    /// Its peers at present.
    pub peers: u64,
    /// How many there may be.
    pub limit: u64,
    /// Connections refused because there were as many, since the last change of the configuration.
    pub refused: u64,
}

/// A BMP collector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectorStatus {
    /// Its address, as configured.
    pub address: String,
    /// `up`, `connecting`, or `waiting` for the next attempt.
    pub state: String,
    /// Seconds in this state.
    pub age: u64,
    /// Seconds until the next attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_in: Option<u64>,
    /// What ended the last connection or attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<String>,
    /// Connections so far.
    pub connections: u64,
    /// Messages written so far.
    pub messages: u64,
    /// Octets written so far.
    pub octets: u64,
    /// Changed paths that wait to be told.
    pub waiting: u64,
    /// Changes told together with a later one of the same path, over this connection.
    pub coalesced: u64,
    /// Connections given up because the collector was too slow.
    pub overtaken: u64,
}

/// MRT files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MrtStatus {
    /// The file of what is heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updates_file: Option<String>,
    /// Records written to it and its predecessors.
    pub records: u64,
    /// Records left out: the disk was too slow, or could not be written to.
    pub dropped: u64,
    /// The last dump of the tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_file: Option<String>,
    /// Dumps so far.
    pub dumps: u64,
    /// What failed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<String>,
}

/// Whether the daemon acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunMode {
    /// It does.
    #[default]
    Normal,
    /// It learns and decides only.
    DryRun,
}

/// The configuration's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigStatus {
    /// A file's path, or `flags and environment`.
    pub source: String,
    /// Seconds since what is in force was read.
    pub age: u64,
    /// When that was, RFC 3339.
    #[serde(default)]
    pub read_time: String,
    /// How many times a change was applied.
    pub reloads: u64,
    /// Why the newest content was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The change that the newest content asks for and that waits for `siskin reload --force`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingChange>,
    /// When the content was last found valid and in force: seconds since 1970.
    #[serde(default)]
    pub last_success: u64,
    /// Keys whose new values wait for a restart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending_restart: Vec<String>,
}

/// A change of the configuration that would take too much away to be applied unasked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingChange {
    /// What it would leave nothing of.
    pub takes_away: Vec<String>,
    /// All that it changes, a line each.
    pub changes: Vec<String>,
}

/// Sessions by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCounts {
    /// Peers configured.
    pub configured: u64,
    /// Of these, Established.
    pub established: u64,
    /// Of these, administratively down.
    pub disabled: u64,
}

/// Routes by place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteCounts {
    /// Prefixes of the RIB, refused ones included.
    pub rib: RibCounts,
    /// Kernel routes wanted, by path.
    pub fib: FibCounts,
}

/// Prefixes by family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RibCounts {
    /// IPv4 unicast.
    pub ipv4: u64,
    /// IPv6 unicast.
    pub ipv6: u64,
}

/// Kernel routes by path and by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FibCounts {
    /// Straight through the underlay.
    pub direct: u64,
    /// Through tunl0.
    pub tunnel: u64,
    /// Our own blocks.
    pub blackhole: u64,
    /// In the kernel as wanted.
    pub installed: u64,
    /// On their way.
    pub pending: u64,
    /// Refused by the kernel on our behalf, because no way leads to their next hops.
    #[serde(default)]
    pub unreachable: u64,
    /// Refused by the kernel.
    pub failed: u64,
    /// Another's route is in the slot.
    pub conflict: u64,
    /// Adopted at start and not yet confirmed.
    pub stale: u64,
}

/// Where routes are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelStatus {
    /// `rtm_protocol`.
    pub protocol: u8,
    /// The table's number.
    pub table: u32,
    /// The routes' metric.
    pub metric: u32,
    /// `plain`, `objects` (routes refer to next-hop objects), or `unsupported` (plain, for want of them).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub routes: String,
    /// Next-hop objects of ours in the kernel.
    #[serde(default)]
    pub objects: u64,
}

/// tunl0 and its guard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunnelStatus {
    /// The device's name.
    pub device: String,
    /// `unused`, `up`, or what is wrong with it.
    pub state: String,
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Its MTU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// MTU that tunnelled routes carry themselves, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route_mtu: Option<u32>,
    /// DF bit of outer headers: `always` set, or `inherited` from the inner ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outer_df: Option<String>,
    /// The source that outer headers are given, if it is not left to the kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outer_source: Option<String>,
    /// `on`, `off`, or why it could not be set up.
    pub guard: String,
    /// How many nodes may send to us through the tunnel.
    pub known_nodes: u64,
    /// How many prefixes behind them may come out of the tunnel as sources.
    #[serde(default)]
    pub prefixes: u64,
    /// Packets dropped because their sender is none of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped_packets: Option<u64>,
    /// Packets dropped, by reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<GuardDrops>,
    /// How often the guard had to be written again because another program had removed or altered it.
    #[serde(default)]
    pub guard_gaps: u64,
    /// For how long altogether it was not as written, in milliseconds.
    #[serde(default)]
    pub guard_open_ms: u64,
    /// Felix's own guard, which is left alone: table and chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub felix_guard: Option<String>,
    /// Source NAT of what leaves the pools: `off`, `in_force`, `felix` (left to it), `absent`.
    #[serde(default)]
    pub nat_outgoing: String,
}

/// Packets the tunnel's guard has dropped, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardDrops {
    /// Their sender is no known node.
    pub stranger: u64,
    /// Their inner source is behind no known node, or ours.
    pub inner_source: u64,
    /// Their inner destination is not ours.
    pub inner_destination: u64,
    /// Their inner source is behind another node than their sender.
    pub unbound_source: u64,
}

impl GuardDrops {
    /// Each reason by its name.
    #[must_use]
    pub fn by_reason(&self) -> [(&'static str, u64); 4] {
        [
            ("stranger", self.stranger),
            ("inner_source", self.inner_source),
            ("inner_destination", self.inner_destination),
            ("unbound_source", self.unbound_source),
        ]
    }
}

/// Graceful restart of this daemon (RFC 4724, the Restarting Speaker).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartStatus {
    /// Where it stands.
    pub state: RestartState,
    /// Adopted routes that no peer has confirmed yet.
    pub stale_routes: u64,
    /// Peers whose End-of-RIB is waited for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting_for: Vec<String>,
    /// Seconds until it ends without them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u64>,
}

/// Where graceful restart stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestartState {
    /// Peers' routes are being learned anew; nothing adopted is removed yet.
    InProgress,
    /// Over, or there was nothing to do.
    #[default]
    Complete,
}
