//! What was wrong with an UPDATE, and what was done about it.

use std::fmt;

use crate::wire::{as_path::AsPathError, attribute::code};

/// What RFC 7606 section 2 does about an error, weakest first. The strongest action of several wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// The attribute is dropped, the route taken.
    AttributeDiscard,
    /// The routes of the UPDATE are handled as withdrawn.
    TreatAsWithdraw,
    /// The session ends with a NOTIFICATION.
    SessionReset,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AttributeDiscard => "attribute discard",
            Self::TreatAsWithdraw => "treat-as-withdraw",
            Self::SessionReset => "session reset",
        })
    }
}

/// What was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The attribute runs past the list of attributes, or its header is cut off (RFC 7606 section 4).
    #[error("runs past the end of the attributes")]
    Overrun,
    /// Optional or Transitive bit contrary to the type (RFC 7606 section 3 c).
    #[error("flags contradict its type")]
    Flags,
    /// Impossible length.
    #[error("impossible length")]
    Length,
    /// Undefined value.
    #[error("undefined value")]
    Value,
    /// A next hop that is no host address.
    #[error("not a host address")]
    NextHop,
    /// AS_PATH or AS4_PATH.
    #[error(transparent)]
    AsPath(AsPathError),
    /// AS number zero (RFC 7607).
    #[error("AS 0")]
    AsZero,
    /// A mandatory attribute is not there (RFC 7606 section 3 d).
    #[error("missing")]
    Missing,
    /// The attribute appears again (RFC 7606 section 3 g).
    #[error("appears more than once")]
    Duplicate,
    /// Not for external peers to send (RFC 7606 sections 7.5, 7.9, 7.10).
    #[error("sent by an external peer")]
    FromExternalPeer,
    /// Not for speakers of 4-octet AS numbers to send (RFC 6793 section 4.1).
    #[error("sent by a speaker of 4-octet AS numbers")]
    FromFourOctetSpeaker,
    /// Not optional, yet unknown (RFC 4271 section 6.3).
    #[error("unknown, yet not optional")]
    UnknownWellKnown,
    /// The configuration of the peer does not want routes with it.
    #[error("not wanted (withdraw_attributes)")]
    Unwanted,
    /// Prefixes that cannot be read (RFC 7606 section 5.3).
    #[error("malformed prefixes")]
    Nlri,
}

/// One error that the session survived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Type code of the attribute; `None` when not even that was there.
    pub attribute: Option<u8>,
    /// What was done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
}

/// `ORIGIN (1): impossible length: treat-as-withdraw`.
impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.attribute.map(|code| (code::name(code), code)) {
            Some((Some(name), code)) => write!(f, "{name} ({code})")?,
            Some((None, code)) => write!(f, "attribute {code}")?,
            None => f.write_str("attribute list")?,
        }
        write!(f, ": {}: {}", self.reason, self.action)
    }
}
