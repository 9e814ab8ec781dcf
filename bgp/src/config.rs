//! What a speaker is told: plain data, validated by whoever builds it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use crate::{
    policy::Policy,
    types::{Asn, Families, Family, RouterId},
};

/// A whole speaker. Peers are matched by [`PeerConfig::name`] when a new configuration is applied.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeakerConfig {
    /// Our AS number.
    pub asn: Asn,
    /// Our BGP Identifier.
    pub router_id: RouterId,
    /// Our cluster id as a route reflector (RFC 4456); the router id is the custom.
    pub cluster_id: RouterId,
    /// Our addresses beside those of the sessions. The first of a family is our own next hop for its routes on
    /// sessions of the other family; none of them is valid as a learned next hop (RFC 4271 section 5.1.3).
    pub addresses: Vec<IpAddr>,
    /// Where to accept connections; each is one listening socket.
    pub listen: Vec<SocketAddr>,
    /// Restart Time we announce (RFC 4724 section 3), at most 4095 s; zero withholds the capability.
    pub graceful_restart_time: Duration,
    /// Longest wait for End-of-RIB after a restart, counted from the first established session.
    pub selection_deferral: Duration,
    /// The peers.
    pub peers: Vec<PeerConfig>,
}

/// One peer.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerConfig {
    /// Unique name.
    pub name: String,
    /// The peer's address.
    pub address: IpAddr,
    /// The peer's port for connections we open.
    pub port: u16,
    /// The peer's AS number.
    pub asn: Asn,
    /// The local address of connections in both directions; `None`: the kernel's choice.
    pub source: Option<IpAddr>,
    /// Administratively up or down.
    pub admin: AdminState,
    /// Families to announce.
    pub families: Families,
    /// Whether we open connections.
    pub mode: ConnectMode,
    /// Proposed hold time: zero, or at least 3 s.
    pub hold_time: Duration,
    /// KEEPALIVE interval; `None`: a third of the negotiated hold time.
    pub keepalive_time: Option<Duration>,
    /// ConnectRetryTimer.
    pub connect_retry_time: Duration,
    /// DelayOpenTimer (RFC 4271 section 8.1.1); `None`: OPEN goes out at once.
    pub delay_open: Option<Duration>,
    /// Wait before the very first active open, so that simultaneous starts seldom collide.
    pub first_open_delay: Duration,
    /// TTL of the connection.
    pub ttl: TtlPolicy,
    /// TCP MD5 (RFC 2385).
    pub auth: Auth,
    /// Next hop towards this peer.
    pub next_hop: NextHopMode,
    /// Role in route reflection (RFC 4456).
    pub reflection: Reflection,
    /// Decides over each received route.
    pub import: Arc<Policy>,
    /// Decides over each best route towards this peer.
    pub export: Arc<Policy>,
    /// Whether best routes learned here are handed to the forwarding table.
    pub install: Install,
    /// Ceiling for prefixes received per family, refused ones included; beyond it Cease 6/1 and a retry after
    /// 120 s. A warning comes at 75 %.
    pub max_prefixes: Option<u32>,
}

impl SpeakerConfig {
    /// A speaker without listening sockets and peers, with graceful restart (120 s).
    pub fn new(asn: Asn, router_id: RouterId) -> Self {
        Self {
            asn,
            router_id,
            cluster_id: router_id,
            addresses: Vec::new(),
            listen: Vec::new(),
            graceful_restart_time: Duration::from_secs(120),
            selection_deferral: Duration::from_secs(30),
            peers: Vec::new(),
        }
    }
}

impl PeerConfig {
    /// A peer on port 179 with the usual timers, speaking its address's family, whose policies accept everything.
    pub fn new(name: &str, address: IpAddr, asn: Asn) -> Self {
        let family = if address.is_ipv4() { Family::Ipv4Unicast } else { Family::Ipv6Unicast };
        Self {
            name: name.to_owned(),
            address,
            port: 179,
            asn,
            source: None,
            admin: AdminState::Up,
            families: Families::from_iter([family]),
            mode: ConnectMode::Active,
            hold_time: Duration::from_secs(90),
            keepalive_time: None,
            connect_retry_time: Duration::from_secs(5),
            delay_open: None,
            first_open_delay: Duration::ZERO,
            ttl: TtlPolicy::Multihop(64),
            auth: Auth::None,
            next_hop: NextHopMode::Auto,
            reflection: Reflection::NonClient,
            import: Arc::default(),
            export: Arc::default(),
            install: Install::Forward,
            max_prefixes: None,
        }
    }
}

/// Administrative state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminState {
    /// Sessions are sought.
    Up,
    /// Kept in Idle; connections from it are refused.
    Down,
}

/// Who opens the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectMode {
    /// Both sides may.
    Active,
    /// Only the peer (PassiveTcpEstablishment).
    Passive,
}

/// Time To Live of a session's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TtlPolicy {
    /// The peer is on our link (eBGP default): TTL 1.
    Direct,
    /// Up to this many hops away.
    Multihop(u8),
    /// Sent with 255, accepted only from at most this many hops away (RFC 5082).
    Security(u8),
}

/// Authentication of the TCP connection.
#[derive(Clone, PartialEq, Eq)]
pub enum Auth {
    /// None.
    None,
    /// TCP MD5 signature (RFC 2385), 1 to 80 octets.
    Md5(Box<[u8]>),
    /// A key is demanded but cannot be had: the peer is kept down, with this reason.
    Unavailable(String),
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Md5(_) => "Md5(hidden)",
            Self::Unavailable(_) => "Unavailable",
        })
    }
}

/// How the next hop is set towards a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextHopMode {
    /// RFC 4271 section 5.1.3.
    Auto,
    /// Always our own address.
    OwnAddress,
    /// Left as learned, for external peers too.
    Keep,
}

/// Role of an internal peer in route reflection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reflection {
    /// Not a client of ours.
    NonClient,
    /// A client of ours.
    Client,
}

/// Whether a peer's routes may be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Install {
    /// They go to the forwarding table.
    Forward,
    /// They stay in the RIB.
    RibOnly,
}
