//! Peers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bfd::BfdRow;

/// One peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerRow {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Of a host of a range: the range's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
    /// What it is to us.
    #[serde(rename = "type")]
    pub kind: PeerKind,
    /// Its AS number, as configured.
    pub remote_as: u32,
    /// Ours.
    pub local_as: u32,
    /// What the configuration says about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether a session is wanted.
    pub admin: Admin,
    /// State of RFC 4271 section 8.2.2.
    pub state: String,
    /// Seconds in this state.
    pub since: u64,
    /// When it began, RFC 3339.
    #[serde(default)]
    pub since_time: String,
    /// How often it has become Established.
    pub established_count: u64,
    /// Why it is not Established, in one sentence; what is remarkable otherwise.
    pub info: String,
    /// Prefixes it has sent.
    pub received: u64,
    /// Of these, passed by import policy.
    pub accepted: u64,
    /// Prefixes it was sent.
    pub advertised: u64,
    /// Routes refused at import, by the name of the reason; those that are not kept (`max_prefixes`, `add_path_limit`)
    /// are not among the received.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<String, u64>,
    /// Prefixes that cannot be sent to it, by the name of the reason: `too_long`, `no_next_hop`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unsent: BTreeMap<String, u64>,
    /// Octets of memory that the path attributes it has sent take.
    #[serde(default)]
    pub attribute_octets: u64,
    /// What the session agreed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionDetails>,
    /// The session that watches the path, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bfd: Option<BfdRow>,
    /// What is known of its link, where that is all that is known of the peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkRow>,
    /// What was exchanged, over all sessions.
    pub counters: Counters,
    /// What ended the last session or attempt, one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// The same for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error_code: Option<LastError>,
    /// Its last messages that were not as they should be, the latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<IncidentRow>,
}

/// What ended a session or attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    /// `sent` or `received`: a NOTIFICATION; else `transport`, `peer_restarted`, `send_hold`, `stopped`.
    pub cause: String,
    /// Error code of the NOTIFICATION.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
    /// Its subcode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subcode: Option<u8>,
}

/// A message that an RFC 7606 action or a NOTIFICATION followed, or that was a NOTIFICATION.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentRow {
    /// Seconds since it came.
    pub age: u64,
    /// When it came, RFC 3339.
    #[serde(default)]
    pub time: String,
    /// What was wrong with it, or what it says.
    pub what: String,
    /// Its length in octets.
    pub length: usize,
    /// The message as it came, in hexadecimal digits, at most 4096 octets of it.
    pub octets: String,
}

/// The link of a peer that is found there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRow {
    /// The interface.
    pub interface: String,
    /// `up`, `down`, `absent` or `failed`.
    pub state: String,
    /// Why it cannot be listened on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Seconds since the neighbour was found; none while there is nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<u64>,
    /// Whoever shows himself there, ascending by address.
    pub routers: Vec<RouterRow>,
    /// Whether we send Router Advertisements.
    pub advertising: bool,
    /// Router Advertisements sent.
    pub sent: u64,
    /// Valid ones received.
    pub received: u64,
    /// Packets ignored, by what was wrong with them (RFC 4861 section 6.1).
    pub ignored: BTreeMap<String, u64>,
}

/// A router on a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterRow {
    /// Its link-local address.
    pub address: String,
    /// Seconds since it was first heard.
    pub known: u64,
    /// Seconds since it was heard last.
    pub heard: u64,
}

/// What a peer is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeerKind {
    /// Of our AS, from the mesh list.
    Mesh,
    /// Of our AS.
    Internal,
    /// Of our AS, and we reflect routes to it (RFC 4456).
    Client,
    /// Of another AS.
    External,
}

/// Whether a session is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admin {
    /// It is.
    #[default]
    Up,
    /// It is not: administratively down.
    Down,
}

impl PeerKind {
    /// The JSON name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mesh => "mesh",
            Self::Internal => "internal",
            Self::Client => "client",
            Self::External => "external",
        }
    }
}

/// What an Established session agreed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionDetails {
    /// Our end of the connection.
    pub local_address: String,
    /// The peer's BGP Identifier.
    pub remote_id: String,
    /// Seconds; zero: none.
    pub hold_time: u64,
    /// Families both sides carry.
    pub families: Vec<String>,
    /// Capabilities in force, by name.
    pub capabilities: Vec<String>,
    /// Seconds the peer may take for a graceful restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_time: Option<u64>,
}

/// Messages by type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Messages {
    /// OPENs.
    pub open: u64,
    /// UPDATEs.
    pub update: u64,
    /// NOTIFICATIONs.
    pub notification: u64,
    /// KEEPALIVEs.
    pub keepalive: u64,
    /// ROUTE-REFRESHs.
    pub refresh: u64,
}

impl Messages {
    /// Every type with its name.
    #[must_use]
    pub fn by_type(&self) -> [(&'static str, u64); 5] {
        [
            ("open", self.open),
            ("update", self.update),
            ("notification", self.notification),
            ("keepalive", self.keepalive),
            ("refresh", self.refresh),
        ]
    }
}

/// What was exchanged with a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Messages received.
    pub received: Messages,
    /// Messages sent.
    pub sent: Messages,
    /// Octets received.
    pub octets_received: u64,
    /// Octets sent.
    pub octets_sent: u64,
    /// Malformed path attributes survived (RFC 7606).
    pub malformed_attributes: u64,
}

/// A peer for tests to vary.
#[cfg(test)]
pub(crate) fn example() -> PeerRow {
    PeerRow {
        name: "tor".into(),
        address: "10.0.0.1".into(),
        range: None,
        kind: PeerKind::External,
        remote_as: 64600,
        local_as: 64512,
        description: None,
        admin: Admin::Up,
        state: "established".into(),
        since: 5,
        since_time: String::new(),
        established_count: 1,
        info: String::new(),
        received: 0,
        accepted: 0,
        advertised: 0,
        refused: BTreeMap::new(),
        unsent: BTreeMap::new(),
        attribute_octets: 0,
        session: None,
        bfd: None,
        link: None,
        counters: Counters::default(),
        last_error: None,
        last_error_code: None,
        incidents: Vec::new(),
    }
}
