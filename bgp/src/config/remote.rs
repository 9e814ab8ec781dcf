//! Whom a peer may be.

use crate::types::{Asn, PeerType};

/// The AS numbers a peer may show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AsnRule {
    /// [`PeerConfig::asn`](super::PeerConfig::asn) alone.
    #[default]
    Configured,
    /// Any of these, ascending.
    OneOf(Vec<Asn>),
    /// Ours.
    Internal,
    /// Any but ours.
    External,
    /// Any.
    Any,
}

impl AsnRule {
    /// Whether a peer that shows `shown` is welcome where `configured` and our `own` number are these.
    pub fn admits(&self, configured: Asn, own: Asn, shown: Asn) -> bool {
        match self {
            Self::Configured => shown == configured,
            Self::OneOf(numbers) => numbers.contains(&shown),
            Self::Internal => PeerType::of(own, shown) == PeerType::Internal,
            Self::External => PeerType::of(own, shown) == PeerType::External,
            Self::Any => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_admits_whom_it_says() {
        let admitted = |rule: AsnRule| {
            [1, 2, 3].into_iter().filter(|shown| rule.admits(Asn(1), Asn(2), Asn(*shown))).collect::<Vec<_>>()
        };
        assert_eq!(admitted(AsnRule::Configured), [1]);
        assert_eq!(admitted(AsnRule::OneOf(vec![Asn(1), Asn(3)])), [1, 3]);
        assert_eq!(admitted(AsnRule::Internal), [2]);
        assert_eq!(admitted(AsnRule::External), [1, 3]);
        assert_eq!(admitted(AsnRule::Any), [1, 2, 3]);
    }
}
