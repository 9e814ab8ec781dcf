//! Communities of all kinds: one of them, a pattern of some, a set of patterns.

mod extended;
mod parse;

use std::fmt;

use self::extended::ExtendedPattern;
pub use self::parse::ParseCommunityError;
use super::Span;
use crate::wire::{
    attribute::{LargeCommunity, PathAttributes, RareAttributes},
    community::{Community, ExtendedCommunity},
};

/// One community of any kind. Written `65000:1`, `no-export`, `65000:1:2`, `rt:65000:1`, `ro:192.0.2.1:7` (or
/// `soo:`), `bandwidth:65000:125000000` (octets per second), or the octets of an extended one in hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnyCommunity {
    /// RFC 1997.
    Standard(u32),
    /// RFC 8092.
    Large(LargeCommunity),
    /// RFC 4360.
    Extended([u8; 8]),
}

impl AnyCommunity {
    /// Attaches it, once.
    pub(super) fn add_to(self, rare: &mut RareAttributes) {
        fn once<T: PartialEq>(list: &mut Vec<T>, item: T) {
            if !list.contains(&item) {
                list.push(item);
            }
        }
        match self {
            Self::Standard(c) => once(&mut rare.communities, c),
            Self::Large(c) => once(&mut rare.large_communities, c),
            Self::Extended(c) => once(&mut rare.extended_communities, c),
        }
    }
}

impl fmt::Display for AnyCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard(c) => Community(*c).fmt(f),
            Self::Large(c) => c.fmt(f),
            Self::Extended(c) => ExtendedCommunity(*c).fmt(f),
        }
    }
}

/// Some communities: one as [`AnyCommunity`] is written, with a number, a range (`100-199`, `>=100`) or `*` in each
/// place; `*` alone for all of every kind; `0x4300*` for extended ones that begin so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommunityPattern(Pattern);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pattern {
    All,
    Standard([Span; 2]),
    Large([Span; 3]),
    Extended(ExtendedPattern),
}

impl CommunityPattern {
    fn matches_standard(&self, community: u32) -> bool {
        match self.0 {
            Pattern::All => true,
            Pattern::Standard([high, low]) => {
                high.contains(community >> 16) && low.contains(community & 0xffff)
            }
            Pattern::Large(_) | Pattern::Extended(_) => false,
        }
    }

    fn matches_large(&self, community: &LargeCommunity) -> bool {
        match self.0 {
            Pattern::All => true,
            Pattern::Large([global, first, second]) => {
                global.contains(community.global)
                    && first.contains(community.local1)
                    && second.contains(community.local2)
            }
            Pattern::Standard(_) | Pattern::Extended(_) => false,
        }
    }

    fn matches_extended(&self, community: &[u8; 8]) -> bool {
        match self.0 {
            Pattern::All => true,
            Pattern::Extended(pattern) => pattern.matches(*community),
            Pattern::Standard(_) | Pattern::Large(_) => false,
        }
    }

    /// The standard community, when the pattern is just one.
    fn single_standard(&self) -> Option<u32> {
        match self.0 {
            Pattern::Standard([high, low]) => Some(high.single()? << 16 | low.single()?),
            Pattern::All | Pattern::Large(_) | Pattern::Extended(_) => None,
        }
    }
}

/// Just this one.
impl From<Community> for CommunityPattern {
    fn from(Community(community): Community) -> Self {
        Self(Pattern::Standard([Span::only(community >> 16), Span::only(community & 0xffff)]))
    }
}

/// A set of [`CommunityPattern`]s. Equal sets compare equal whatever the order they were made in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CommunitySet {
    /// Single communities of RFC 1997, sorted.
    exact: Vec<u32>,
    /// Everything else, sorted.
    patterns: Vec<CommunityPattern>,
}

impl CommunitySet {
    /// Whether one of a route's communities is a member.
    pub fn matches(&self, attributes: &PathAttributes) -> bool {
        attributes.rare.as_deref().is_some_and(|rare| {
            rare.communities.iter().any(|c| self.has_standard(*c))
                || rare.large_communities.iter().any(|c| self.has_large(c))
                || rare.extended_communities.iter().any(|c| self.has_extended(c))
        })
    }

    /// Takes every member away.
    pub(super) fn delete_from(&self, rare: &mut RareAttributes) {
        rare.communities.retain(|c| !self.has_standard(*c));
        rare.large_communities.retain(|c| !self.has_large(c));
        rare.extended_communities.retain(|c| !self.has_extended(c));
    }

    fn has_standard(&self, community: u32) -> bool {
        self.exact.binary_search(&community).is_ok()
            || self.patterns.iter().any(|p| p.matches_standard(community))
    }

    fn has_large(&self, community: &LargeCommunity) -> bool {
        self.patterns.iter().any(|p| p.matches_large(community))
    }

    fn has_extended(&self, community: &[u8; 8]) -> bool {
        self.patterns.iter().any(|p| p.matches_extended(community))
    }
}

impl FromIterator<CommunityPattern> for CommunitySet {
    fn from_iter<I: IntoIterator<Item = CommunityPattern>>(members: I) -> Self {
        let mut set = Self::default();
        for pattern in members {
            match pattern.single_standard() {
                Some(community) => set.exact.push(community),
                None => set.patterns.push(pattern),
            }
        }
        set.exact.sort_unstable();
        set.exact.dedup();
        set.patterns.sort_unstable();
        set.patterns.dedup();
        set
    }
}

#[cfg(test)]
mod tests;
