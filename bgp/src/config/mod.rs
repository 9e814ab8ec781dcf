//! What a speaker is told: plain data, validated by whoever builds it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

mod capabilities;
mod clash;
mod decision;
mod limit;
mod monitoring;
mod range;
mod remote;
mod switches;
mod timers;
mod transport;

pub use self::{
    capabilities::{AddPath, AddPathDirections, CapabilityConfig, Offer},
    clash::KeyClash,
    decision::{AsPathMatch, DecisionConfig, MedCompare, MedMissing, TieBreak},
    limit::{LimitAction, PrefixLimit},
    monitoring::{CollectorConfig, MonitoringConfig, MrtConfig, MrtFile},
    range::RangeConfig,
    remote::AsnRule,
    switches::{
        Blackhole, CommunityKind, DefaultRoute, FirstAs, GracefulShutdown, LocalAs, LocalAsPath,
        LongLivedRoutes, OwnAs, PrivateAs, RoleDemand, RouteSwitches, SentCommunities,
    },
    timers::TimerConfig,
    transport::{AoAlgorithm, AoKey, Auth, ConnectMode, Fallover, TransportConfig, TtlPolicy},
};
use ipnet::IpNet;

use crate::{
    bfd::BfdConfig,
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
    /// The networks on our links: a next hop in one of them is passed on to an external peer in the same one (RFC 4271
    /// section 5.1.3).
    pub on_link: Vec<IpNet>,
    /// Where to accept connections; each is one listening socket.
    pub listen: Vec<SocketAddr>,
    /// Restart Time we announce (RFC 4724 section 3), at most 4095 s; zero withholds the capability.
    pub graceful_restart_time: Duration,
    /// Longest wait for End-of-RIB after a restart, counted from the first established session.
    pub selection_deferral: Duration,
    /// How the best paths are chosen.
    pub decision: DecisionConfig,
    /// Programs that look on.
    pub monitoring: MonitoringConfig,
    /// The peers.
    pub peers: Vec<PeerConfig>,
    /// Ranges whose hosts become peers when they connect. A peer's own configuration goes before a range's, a longer
    /// prefix before a shorter.
    pub ranges: Vec<RangeConfig>,
}

/// One peer. What belongs together is one field; every such field has a default.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerConfig {
    /// Unique name.
    pub name: String,
    /// The peer's address.
    pub address: IpAddr,
    /// The peer's AS number; of no meaning where `asn_rule` leaves a choice.
    pub asn: Asn,
    /// The AS numbers the peer may show.
    pub asn_rule: AsnRule,
    /// Administratively up or down.
    pub admin: AdminState,
    /// What the peer is told when it is shut down (RFC 9003), cut to 255 octets; empty: nothing.
    pub shutdown_text: String,
    /// Families to announce.
    pub families: Families,
    /// How the TCP connection is made and guarded.
    pub transport: TransportConfig,
    /// Timers of the session.
    pub timers: TimerConfig,
    /// What is announced in OPEN, beside the families.
    pub capabilities: CapabilityConfig,
    /// Next hop towards this peer.
    pub next_hop: NextHopMode,
    /// Role in route reflection (RFC 4456).
    pub reflection: Reflection,
    /// What is done to its routes beside policy.
    pub switches: RouteSwitches,
    /// Decides over each received route.
    pub import: Arc<Policy>,
    /// Decides over each best route towards this peer.
    pub export: Arc<Policy>,
    /// Whether best routes learned here are handed to the forwarding table.
    pub install: Install,
    /// How many prefixes it may send.
    pub limit: PrefixLimit,
    /// Watch the path to the peer with BFD, and end the session when it fails; `None`: do not.
    pub bfd: Option<BfdConfig>,
    /// What becomes of the session when its link goes down.
    pub fallover: Fallover,
}

impl SpeakerConfig {
    /// A speaker without listening sockets and peers, with graceful restart (120 s).
    pub fn new(asn: Asn, router_id: RouterId) -> Self {
        Self {
            asn,
            router_id,
            cluster_id: router_id,
            addresses: Vec::new(),
            on_link: Vec::new(),
            listen: Vec::new(),
            graceful_restart_time: Duration::from_secs(120),
            selection_deferral: Duration::from_secs(30),
            decision: DecisionConfig::default(),
            monitoring: MonitoringConfig::default(),
            peers: Vec::new(),
            ranges: Vec::new(),
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
            asn,
            asn_rule: AsnRule::Configured,
            admin: AdminState::Up,
            shutdown_text: String::new(),
            families: Families::from_iter([family]),
            transport: TransportConfig::default(),
            timers: TimerConfig::default(),
            capabilities: CapabilityConfig::default(),
            next_hop: NextHopMode::Auto,
            reflection: Reflection::NonClient,
            switches: RouteSwitches::default(),
            import: Arc::default(),
            export: Arc::default(),
            install: Install::Forward,
            limit: PrefixLimit::default(),
            bfd: None,
            fallover: Fallover::Timed,
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
