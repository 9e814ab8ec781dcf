//! How the TCP connection of a peer is made and guarded.

use std::net::IpAddr;

use crate::ndp::Advertising;

/// The transport of one peer, in both directions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportConfig {
    /// The peer's port for connections we open.
    pub port: u16,
    /// The interface connections go over, by name; the link a link-local address belongs to.
    pub interface: Option<String>,
    /// The local address of connections in both directions; `None`: the kernel's choice.
    pub source: Option<IpAddr>,
    /// Whether we open connections.
    pub mode: ConnectMode,
    /// TTL of the connection.
    pub ttl: TtlPolicy,
    /// How its segments are signed.
    pub auth: Auth,
    /// Whether a peer without an address, whom Router Advertisements find on `interface`, is sent ours.
    pub advertising: Advertising,
}

impl Default for TransportConfig {
    /// Port 179, from anywhere, opened by either side, at most 64 hops, unsigned.
    fn default() -> Self {
        Self {
            port: 179,
            interface: None,
            source: None,
            mode: ConnectMode::Active,
            ttl: TtlPolicy::Multihop(64),
            auth: Auth::None,
            advertising: Advertising::On,
        }
    }
}

/// What becomes of a session whose link goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallover {
    /// It ends at once, as if the connection had broken: when no route leads to the peer any more, and, where the peer is
    /// one hop away or the connection is bound to an interface, when the way goes over another link. It takes
    /// [answers](crate::net::SpeakerEvent::WatchNextHop) about the way to the peer's address.
    Fast,
    /// It lives until the HoldTimer or BFD ends it.
    Timed,
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
    /// TCP Authentication Option (RFC 5925).
    Ao(AoKey),
    /// A key is demanded but cannot be had: the peer is kept down, with this reason.
    Unavailable(String),
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Md5(_) => "Md5(hidden)",
            Self::Ao(_) => "Ao(hidden)",
            Self::Unavailable(_) => "Unavailable",
        })
    }
}

/// A master key of the TCP Authentication Option, valid in both directions (RFC 5925 section 3.1).
#[derive(Clone, PartialEq, Eq)]
pub struct AoKey {
    /// The key, 1 to 80 octets.
    pub secret: Box<[u8]>,
    /// SendID: the KeyID of our segments, the peer's RecvID.
    pub send_id: u8,
    /// RecvID: the KeyID the peer's segments must show.
    pub receive_id: u8,
    /// How segments are authenticated.
    pub algorithm: AoAlgorithm,
}

impl std::fmt::Debug for AoKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AoKey({}/{}, hidden)", self.send_id, self.receive_id)
    }
}

/// MAC algorithms of the TCP Authentication Option; each code has 12 octets (RFC 5926).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AoAlgorithm {
    /// HMAC-SHA-1-96 (RFC 5926 section 3.2.1).
    #[default]
    HmacSha1,
    /// AES-128-CMAC-96 (RFC 5926 section 3.2.2).
    Aes128Cmac,
    /// HMAC-SHA-256, cut to 96 bits as other implementations do.
    HmacSha256,
}
