//! How many prefixes a peer may send, and how much memory their attributes may take.

use std::time::Duration;

/// The ceilings of what a peer makes us keep: of prefixes, per family (refused ones count too, since they are kept), and
/// of their path attributes, over both families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixLimit {
    /// Most prefixes; `None`: as many as memory holds.
    pub most: Option<u32>,
    /// Most octets of path attributes in memory, every distinct set counted once; `None`: as many as memory holds.
    pub octets: Option<u64>,
    /// When to warn, in percent of a ceiling: 1 to 100.
    pub warn_at: u8,
    /// What happens beyond one.
    pub action: LimitAction,
}

impl Default for PrefixLimit {
    /// No ceiling of prefixes; 256 MiB of attributes, several times what all routes of the Internet need.
    fn default() -> Self {
        let action = LimitAction::Restart(Duration::from_secs(120));
        Self { most: None, octets: Some(256 << 20), warn_at: 75, action }
    }
}

/// What happens to a peer that sends more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitAction {
    /// It is said once, and the prefixes are taken.
    Warn,
    /// The excess is not taken, and counted: a prefix whose new attributes find no room is withdrawn. Once prefixes have
    /// gone (a tenth of the ceiling at least), or the ceiling is raised, the peer is asked for all its routes again
    /// (RFC 2918).
    Block,
    /// The session is closed with Cease 6/1, or 6/8 for the attributes (RFC 4486 section 4), and tried again after so long; [`LimitAction::FOR_GOOD`] is until an operator
    /// resets the session.
    Restart(Duration),
}

impl LimitAction {
    /// Longer than anybody waits: 136 years.
    pub const FOR_GOOD: Duration = Duration::from_secs(u32::MAX as u64);
}
