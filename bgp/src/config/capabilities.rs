//! What is announced in OPEN.

use std::collections::BTreeSet;

/// The capabilities announced to one peer, beside its families.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CapabilityConfig {
    /// Codes of capabilities (RFC 5492) that are never sent, for peers that cannot bear them.
    pub withhold: BTreeSet<u8>,
}
