//! Why a session is not up, as data and as one sentence.

use std::{fmt, net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    config::TtlPolicy,
    types::{Asn, Families, RouterId},
    wire::{
        capability::listed_families,
        notification::{ErrorKind, Notification},
    },
};

/// The state of a peer (RFC 4271 section 8.2.2): that of its most advanced connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// No connection is sought or accepted.
    #[default]
    Idle,
    /// Waiting for the peer's connection, or for the ConnectRetryTimer.
    Active,
    /// A TCP connection is being opened.
    Connect,
    /// OPEN sent, waiting for the peer's.
    OpenSent,
    /// OPENs exchanged, waiting for KEEPALIVE.
    OpenConfirm,
    /// Routes flow.
    Established,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "Idle",
            Self::Active => "Active",
            Self::Connect => "Connect",
            Self::OpenSent => "OpenSent",
            Self::OpenConfirm => "OpenConfirm",
            Self::Established => "Established",
        })
    }
}

/// What became of a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransportError {
    /// This host has no route to the peer.
    NoRoute,
    /// There is a route, and nobody answers for the address at its end, or a router on the way said so.
    Unreachable,
    /// This host does not let the connection out.
    Forbidden,
    /// The peer's host answered with a reset: nothing listens there, or not for us.
    Refused,
    /// No answer.
    NoAnswer,
    /// Our own address could not be used as the source.
    SourceUnavailable,
    /// The interface the connection is bound to does not exist.
    NoInterface,
    /// The link the connection went over is down.
    LinkLost,
    /// The session's own address is gone from this host.
    AddressGone,
    /// The interface the connection was bound to has been deleted and created anew, or another has its name now.
    InterfaceReplaced,
    /// No route leads to the peer any more over the link the connection went over, though that is up.
    WayLost,
    /// The peer closed the connection.
    Closed,
    /// The connection was reset.
    Reset,
    /// Another error; the log has it.
    Other,
}

/// Who stopped a peer on purpose, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// Shut down.
    Shutdown,
    /// Removed from the configuration.
    Deconfigured,
    /// This speaker restarts.
    Restarting,
    /// This speaker goes for good.
    Drain,
    /// Reset by the operator.
    Reset,
    /// Session parameters have changed.
    ConfigurationChanged,
}

impl Stopped {
    fn sentence(self) -> &'static str {
        match self {
            Self::Shutdown => "shut down",
            Self::Deconfigured => "removed from the configuration",
            Self::Restarting => "this speaker restarts",
            Self::Drain => "this speaker leaves for good",
            Self::Reset => "reset by the operator",
            Self::ConfigurationChanged => "session parameters have changed",
        }
    }
}

/// Who the peer's OPEN said it is, and what it offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerIdentity {
    /// Its AS number.
    pub asn: Asn,
    /// Its BGP Identifier.
    pub router_id: RouterId,
    /// The families it offers, of those that we know.
    pub families: Families,
}

/// What ended, or kept from coming up, a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The transport failed.
    Transport(TransportError),
    /// A NOTIFICATION was sent.
    Sent {
        /// The NOTIFICATION.
        notification: Notification,
        /// Who the peer is, when its OPEN had come.
        peer: Option<PeerIdentity>,
    },
    /// A NOTIFICATION was received.
    Received {
        /// The NOTIFICATION.
        notification: Notification,
        /// Who the peer is, when its OPEN had come.
        peer: Option<PeerIdentity>,
    },
    /// The peer connected anew while Established: it has restarted (RFC 4724 section 4.2).
    PeerRestarted,
    /// The SendHoldTimer expired: the peer reads nothing (RFC 9687).
    SendHold,
    /// It was stopped on purpose.
    Stopped(Stopped),
}

/// Why there is no session now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Administratively down.
    AdministrativelyDown,
    /// A key is demanded but cannot be had.
    KeyUnavailable(String),
    /// What went wrong last.
    Failed(Failure),
    /// Nothing went wrong yet: the first open is delayed, or the TCP connection is on its way.
    Starting,
    /// Nothing went wrong yet: the peer is to connect, and has not.
    AwaitingPeer,
    /// Nobody was found on the link yet: no router advertises itself there.
    AwaitingNeighbour,
    /// The handshake is going on.
    Handshake,
}

/// Why a session is not up. [`fmt::Display`] gives one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownReport {
    /// The peer's address.
    pub peer: IpAddr,
    /// How segments are signed, which makes silence suspicious.
    pub signing: Signing,
    /// The TTL policy, which can make the peer's packets be dropped.
    pub ttl: TtlPolicy,
    /// The cause.
    pub cause: Cause,
    /// A NOTIFICATION that the last failure followed, which says more than that.
    pub before: Option<Failure>,
    /// The handshake under way.
    pub handshake: Option<Handshake>,
    /// When it is tried again, if it waits.
    pub retry: Option<Retry>,
}

/// When a peer is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// After so long.
    In(Duration),
    /// Not before an operator resets the session, or gives the ceiling that it passed another height.
    Never,
}

impl Retry {
    /// The same so much later.
    pub fn after(self, age: Duration) -> Self {
        match self {
            Self::In(wait) => Self::In(wait.saturating_sub(age)),
            Self::Never => Self::Never,
        }
    }
}

/// What a handshake waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Awaited {
    /// The peer's OPEN.
    Open,
    /// The KEEPALIVE that answers our OPEN.
    Keepalive,
}

/// A handshake under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// What it waits for.
    pub awaited: Awaited,
    /// How old the connection is.
    pub waited: Duration,
}

impl Handshake {
    /// After this long the peer's silence needs an explanation.
    const PATIENCE: Duration = Duration::from_secs(5);
}

/// How the segments of a peer's connection are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signing {
    /// Not at all.
    Unsigned,
    /// By TCP MD5 (RFC 2385).
    Md5,
    /// By the TCP Authentication Option (RFC 5925).
    Ao,
}

impl Signing {
    /// What may be wrong with the keys when a peer does not answer.
    fn doubt(self) -> &'static str {
        match self {
            Self::Unsigned => "it wants an MD5 key",
            Self::Md5 => "the MD5 keys differ",
            Self::Ao => "the TCP-AO keys or their identifiers differ",
        }
    }
}

impl DownReport {
    /// The same sentence with `cause` in the place of what the kernel's error suggests: for somebody who knows better.
    #[must_use]
    pub fn retold(&self, cause: &str) -> String {
        let before = self.before.as_ref().map(|before| format!("{before}, then ")).unwrap_or_default();
        format!("{before}{cause}{}", self.outlook())
    }

    /// When the next attempt follows.
    fn outlook(&self) -> String {
        match self.retry {
            Some(Retry::In(wait)) => {
                format!("; waiting, next attempt in {} s", wait.as_millis().div_ceil(1000))
            }
            Some(Retry::Never) => "; not tried again before `clear`, or another limit in the file".to_owned(),
            None => String::new(),
        }
    }
}

impl fmt::Display for DownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(handshake) = self.handshake.filter(|h| h.waited >= Handshake::PATIENCE) {
            return self.silence(f, handshake.awaited);
        }
        match &self.cause {
            Cause::AdministrativelyDown => f.write_str("administratively down")?,
            Cause::KeyUnavailable(reason) => write!(f, "kept down: key unavailable ({reason})")?,
            Cause::Starting => f.write_str("starting")?,
            Cause::AwaitingPeer => write!(f, "waiting for {} to connect", self.peer)?,
            Cause::AwaitingNeighbour => f.write_str("waiting for a router to show itself on the link")?,
            Cause::Handshake => f.write_str("exchanging OPEN messages")?,
            Cause::Failed(failure) => self.failure(f, failure)?,
        }
        f.write_str(&self.outlook())
    }
}

impl DownReport {
    /// The connection is there, but what is awaited does not come.
    fn silence(&self, f: &mut fmt::Formatter<'_>, awaited: Awaited) -> fmt::Result {
        let what = match awaited {
            Awaited::Open => "OPEN",
            Awaited::Keepalive => "KEEPALIVE",
        };
        write!(f, "connected, but no {what} comes from {} (filtered, ", self.peer)?;
        f.write_str(match self.ttl {
            TtlPolicy::Security(_) => "or its TTL is below what TTL security demands)",
            TtlPolicy::Direct | TtlPolicy::Multihop(_) => "or it demands TTL security)",
        })
    }

    fn ttl_doubt(&self) -> &'static str {
        match self.ttl {
            TtlPolicy::Security(_) => "its TTL is below what TTL security demands, ",
            TtlPolicy::Direct | TtlPolicy::Multihop(_) => "",
        }
    }

    /// As [`Failure`] has it, with the peer's address where it helps.
    fn failure(&self, f: &mut fmt::Formatter<'_>, failure: &Failure) -> fmt::Result {
        let peer = self.peer;
        if let Some(before) = &self.before {
            write!(f, "{before}, then ")?;
        }
        let Failure::Transport(error) = failure else { return fmt::Display::fmt(failure, f) };
        match error {
            TransportError::NoRoute => write!(f, "no route to {peer}"),
            TransportError::Unreachable => {
                write!(f, "{peer} is unreachable: nobody answers for it on its link, or a router says so")
            }
            TransportError::Forbidden => {
                write!(
                    f,
                    "this host does not let connections to {peer} out (a prohibit route, or its firewall)"
                )
            }
            TransportError::Refused => write!(f, "connection refused by {peer}"),
            TransportError::NoAnswer => {
                let (ttl, key) = (self.ttl_doubt(), self.signing.doubt());
                write!(f, "no answer from {peer} (filtered, {ttl}or {key})")
            }
            TransportError::SourceUnavailable => {
                write!(f, "the source address for {peer} is not on this host")
            }
            TransportError::NoInterface => write!(f, "the interface towards {peer} is not on this host"),
            TransportError::LinkLost => write!(f, "the link to {peer} is down"),
            TransportError::AddressGone => {
                write!(f, "our own address of the session with {peer} is no longer on this host")
            }
            TransportError::InterfaceReplaced => {
                write!(
                    f,
                    "the interface towards {peer} is another one now, the connection went over the old one"
                )
            }
            TransportError::WayLost => write!(f, "no route leads to {peer} over its link any more"),
            TransportError::Closed => write!(f, "connection closed by {peer}"),
            TransportError::Reset => write!(f, "connection reset by {peer}"),
            TransportError::Other => write!(f, "connection to {peer} failed"),
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRoute => "no route to the peer",
            Self::Unreachable => {
                "the peer is unreachable: nobody answers for it on its link, or a router says so"
            }
            Self::Forbidden => {
                "this host does not let connections to the peer out (a prohibit route, or its firewall)"
            }
            Self::Refused => "connection refused",
            Self::NoAnswer => "no answer",
            Self::SourceUnavailable => "the source address is not on this host",
            Self::NoInterface => "the interface is not on this host",
            Self::LinkLost => "the link to the peer is down",
            Self::AddressGone => "our own address of the session is no longer on this host",
            Self::InterfaceReplaced => {
                "the interface is another one now, the connection went over the old one"
            }
            Self::WayLost => "no route leads to the peer over its link any more",
            Self::Closed => "connection closed by the peer",
            Self::Reset => "connection reset",
            Self::Other => "connection failed",
        })
    }
}

/// One clause for people.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(error) => fmt::Display::fmt(error, f),
            Self::Sent { notification, peer } => rejected(f, notification, *peer, "us"),
            Self::Received { notification, peer } => rejected(f, notification, *peer, "the peer"),
            Self::PeerRestarted => f.write_str("the peer has restarted"),
            Self::SendHold => f.write_str("send hold timer expired: the peer reads nothing"),
            Self::Stopped(stopped) => f.write_str(stopped.sentence()),
        }
    }
}

fn rejected(
    f: &mut fmt::Formatter<'_>,
    notification: &Notification,
    peer: Option<PeerIdentity>,
    by: &str,
) -> fmt::Result {
    let what = if notification.kind.code == 2 { "OPEN rejected" } else { "session ended" };
    write!(f, "{what} by {by}: {notification}")?;
    let cause = notification.innermost();
    if cause.kind != notification.kind {
        write!(f, ", {cause}")?;
    }
    if let Some(text) = cause.communication() {
        write!(f, ", \"{text}\"")?;
    }
    if notification.kind == ErrorKind::UNSUPPORTED_CAPABILITY {
        families(f, notification, peer, by)?;
    }
    match peer {
        Some(PeerIdentity { asn, router_id, .. }) => write!(f, " (peer is AS {asn}, identifier {router_id})"),
        None => Ok(()),
    }
}

/// What each side wants, where the families are what they do not agree on: the data of the NOTIFICATION has those of its
/// sender (RFC 5492 section 5).
fn families(
    f: &mut fmt::Formatter<'_>,
    notification: &Notification,
    peer: Option<PeerIdentity>,
    by: &str,
) -> fmt::Result {
    let demanded = listed_families(&notification.data);
    if demanded == Families::NONE {
        return Ok(());
    }
    let (demands, offers) =
        if by == "us" { ("we want", "the peer offers") } else { ("the peer wants", "and offers") };
    write!(f, ": {demands} {}", listed(demanded))?;
    match peer {
        Some(peer) => write!(f, ", {offers} {}", listed(peer.families)),
        None => Ok(()),
    }
}

fn listed(families: Families) -> String {
    let names: Vec<String> = families.iter().map(|family| family.to_string()).collect();
    if names.is_empty() { "no family known here".to_owned() } else { names.join(" and ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{types::Family, wire::capability::Capability};

    fn shutdown(text: &str) -> Notification {
        Notification::with_communication(ErrorKind::ADMINISTRATIVE_SHUTDOWN, text)
    }

    #[test]
    fn a_shutdown_says_who_ended_the_session_and_with_which_words() {
        let peer = Some(PeerIdentity {
            asn: Asn(64600),
            router_id: RouterId([192, 0, 2, 1].into()),
            families: Families::NONE,
        });
        let received = Failure::Received { notification: shutdown("maintenance until 14:00"), peer };
        assert_eq!(
            received.to_string(),
            "session ended by the peer: Cease / Administrative Shutdown (6/2), \"maintenance until 14:00\" \
             (peer is AS 64600, identifier 192.0.2.1)"
        );
        let sent = Failure::Sent { notification: shutdown("gone"), peer: None };
        assert_eq!(sent.to_string(), "session ended by us: Cease / Administrative Shutdown (6/2), \"gone\"");
    }

    #[test]
    fn without_words_none_are_told_and_control_characters_are_escaped() {
        let said = |text| Failure::Received { notification: shutdown(text), peer: None }.to_string();
        assert_eq!(said(""), "session ended by the peer: Cease / Administrative Shutdown (6/2)");
        let escaped = said("a\nb\u{1b}[31m");
        assert!(!escaped.contains(|c: char| c.is_control()), "{escaped:?}");
    }

    #[test]
    fn without_a_common_family_it_says_what_each_side_wants() {
        let mut data = bytes::BytesMut::new();
        Capability::multiprotocol(Family::Ipv4Unicast).encode(&mut data);
        let notification = Notification { kind: ErrorKind::UNSUPPORTED_CAPABILITY, data: data.freeze() };
        let families = Families::from_iter([Family::Ipv6Unicast]);
        let peer =
            Some(PeerIdentity { asn: Asn(64600), router_id: RouterId([192, 0, 2, 1].into()), families });
        let sent = Failure::Sent { notification: notification.clone(), peer }.to_string();
        assert!(sent.contains(": we want ipv4, the peer offers ipv6 (peer is"), "{sent}");
        let received = Failure::Received { notification: notification.clone(), peer }.to_string();
        assert!(received.contains(": the peer wants ipv4, and offers ipv6"), "{received}");
        let unknown = Failure::Received { notification, peer: None }.to_string();
        assert!(unknown.ends_with(": the peer wants ipv4"), "{unknown}");
    }
}
