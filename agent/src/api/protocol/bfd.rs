//! BFD sessions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One session; times that end in `_us` are microseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BfdRow {
    /// The peer's name.
    pub peer: String,
    /// Its address.
    pub address: String,
    /// Our address, when one is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The interface packets are confined to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// `single_hop` (UDP 3784) or `multi_hop` (UDP 4784).
    pub path: BfdPath,
    /// `up`, `init`, `down` or `admin_down`.
    pub state: String,
    /// Seconds in this state.
    pub since: u64,
    /// When it began, RFC 3339.
    #[serde(default)]
    pub since_time: String,
    /// The peer's state, as it last said.
    pub remote_state: String,
    /// Why our end last went down (RFC 5880 section 4.1).
    pub diagnostic: String,
    /// Why the peer's end did.
    pub remote_diagnostic: String,
    /// Our discriminator.
    pub local_discriminator: u32,
    /// The peer's; 0 while it is not heard.
    pub remote_discriminator: u32,
    /// What we announce.
    pub local: BfdTimers,
    /// What the peer announces; absent while it is not heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<BfdTimers>,
    /// The interval we send at, before jitter; absent when the peer wants no periodic packets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx_interval_us: Option<u64>,
    /// How long the peer may be silent; 0 while it is not heard.
    pub detection_time_us: u64,
    /// How often it has come up.
    pub up_count: u64,
    /// Seconds since it last left `up`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_down: Option<u64>,
    /// Why it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_down_reason: Option<String>,
    /// What was exchanged.
    pub counters: BfdCounters,
}

/// The kind of path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BfdPath {
    /// One hop (RFC 5881).
    SingleHop,
    /// Several (RFC 5883).
    MultiHop,
}

/// What one side announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BfdTimers {
    /// Desired Min TX Interval.
    pub min_tx_us: u64,
    /// Required Min RX Interval.
    pub min_rx_us: u64,
    /// Detect Mult.
    pub multiplier: u8,
}

/// Packets of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BfdCounters {
    /// Sent.
    pub sent: u64,
    /// Not taken by the kernel.
    pub not_sent: u64,
    /// Received and valid.
    pub received: u64,
    /// Received and discarded, by reason.
    pub discarded: BTreeMap<String, u64>,
}
