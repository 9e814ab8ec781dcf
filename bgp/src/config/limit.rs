//! How many prefixes a peer may send.

use std::time::Duration;

/// The ceiling of prefixes received from a peer, per family; refused ones count too, since they are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixLimit {
    /// Most prefixes; `None`: as many as memory holds.
    pub most: Option<u32>,
    /// When to warn, in percent of the ceiling: 1 to 100.
    pub warn_at: u8,
    /// What happens beyond it.
    pub action: LimitAction,
}

impl Default for PrefixLimit {
    /// No ceiling.
    fn default() -> Self {
        Self { most: None, warn_at: 75, action: LimitAction::Restart(Duration::from_secs(120)) }
    }
}

/// What happens to a peer that sends more prefixes than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitAction {
    /// It is said once, and the prefixes are taken.
    Warn,
    /// The excess is not taken, and counted. Once prefixes have gone (a tenth of the ceiling at least), or the ceiling
    /// is raised, the peer is asked for all its routes again (RFC 2918).
    Block,
    /// The session is closed with Cease 6/1 and tried again after so long; [`LimitAction::FOR_GOOD`] is until an operator
    /// resets the session.
    Restart(Duration),
}

impl LimitAction {
    /// Longer than anybody waits: 136 years.
    pub const FOR_GOOD: Duration = Duration::from_secs(u32::MAX as u64);
}
