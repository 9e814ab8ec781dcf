//! Sets of prefixes with bounds on the length, searched along the path from the root of a trie.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;
use smallvec::SmallVec;

/// A prefix together with the lengths of prefixes inside it that it stands for. Written `10.0.0.0/8` (this prefix
/// only), `10.0.0.0/8 ge 16` (inside it, 16 bits or longer), `10.0.0.0/8 le 24`, or `10.0.0.0/8 ge 16 le 24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PrefixRange {
    /// The covering prefix.
    pub prefix: IpNet,
    /// The shortest length matched.
    pub min: u8,
    /// The longest length matched.
    pub max: u8,
}

impl PrefixRange {
    /// Matches this prefix only.
    pub fn exact(prefix: IpNet) -> Self {
        Self::between(prefix, prefix.prefix_len(), prefix.prefix_len())
    }

    /// Matches this prefix and everything inside it.
    pub fn or_longer(prefix: IpNet) -> Self {
        Self::between(prefix, prefix.prefix_len(), prefix.max_prefix_len())
    }

    /// Matches what is inside this prefix and `min` to `max` bits long.
    pub fn between(prefix: IpNet, min: u8, max: u8) -> Self {
        Self { prefix: prefix.trunc(), min: min.max(prefix.prefix_len()), max }
    }
}

/// Why a text is no [`PrefixRange`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParsePrefixRangeError {
    /// It does not begin with a prefix.
    #[error("`{0}` is no prefix")]
    Prefix(String),
    /// Bits are set behind the prefix's length; this is the prefix without them.
    #[error("bits are set behind the length; the prefix is {0}")]
    HostBits(IpNet),
    /// What follows the prefix is not `ge`, `le` or both, each with a length.
    #[error("`{0}` is neither `ge LENGTH` nor `le LENGTH`")]
    Bounds(String),
    /// No length is within the bounds.
    #[error("no length is both at least {min} and at most {max}")]
    Nothing {
        /// The shortest.
        min: u8,
        /// The longest.
        max: u8,
    },
}

impl FromStr for PrefixRange {
    type Err = ParsePrefixRangeError;

    fn from_str(text: &str) -> Result<Self, ParsePrefixRangeError> {
        let mut words = text.split_whitespace();
        let first = words.next().unwrap_or_default();
        let prefix: IpNet = first.parse().map_err(|_| ParsePrefixRangeError::Prefix(first.to_owned()))?;
        if prefix != prefix.trunc() {
            return Err(ParsePrefixRangeError::HostBits(prefix.trunc()));
        }
        let (mut min, mut max) = (None, None);
        while let Some(word) = words.next() {
            let slot = match word {
                "ge" => &mut min,
                "le" => &mut max,
                _ => return Err(ParsePrefixRangeError::Bounds(word.to_owned())),
            };
            let length = words.next().unwrap_or_default();
            let wrong = || ParsePrefixRangeError::Bounds(format!("{word} {length}"));
            let valid = |length: &u8| *length <= prefix.max_prefix_len();
            let number = length.parse().ok().filter(valid).filter(|_| slot.is_none()).ok_or_else(wrong)?;
            *slot = Some(number);
        }
        let longest = if min.is_some() { prefix.max_prefix_len() } else { prefix.prefix_len() };
        let (min, max) = (min.unwrap_or(prefix.prefix_len()), max.unwrap_or(longest));
        match min.max(prefix.prefix_len()) <= max {
            true => Ok(Self::between(prefix, min, max)),
            false => Err(ParsePrefixRangeError::Nothing { min: min.max(prefix.prefix_len()), max }),
        }
    }
}

impl fmt::Display for PrefixRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.prefix.fmt(f)?;
        if self.min > self.prefix.prefix_len() {
            write!(f, " ge {}", self.min)?;
        }
        let longest = self.min > self.prefix.prefix_len() && self.max == self.prefix.max_prefix_len();
        if self.max > self.prefix.prefix_len() && !longest {
            write!(f, " le {}", self.max)?;
        }
        Ok(())
    }
}

type Bounds = SmallVec<[(u8, u8); 2]>;

/// A set of [`PrefixRange`]s. Equal sets compare equal whatever the order they were made in.
#[derive(Clone, Debug, Default)]
pub struct PrefixSet {
    ranges: Vec<PrefixRange>,
    v4: PrefixMap<Ipv4Net, Bounds>,
    v6: PrefixMap<Ipv6Net, Bounds>,
}

impl PrefixSet {
    /// Whether a member stands for this prefix.
    pub fn matches(&self, prefix: IpNet) -> bool {
        let length = prefix.prefix_len();
        let within = |bounds: &Bounds| bounds.iter().any(|(min, max)| (*min..=*max).contains(&length));
        match prefix {
            IpNet::V4(p) => self.v4.cover_values(&p).any(within),
            IpNet::V6(p) => self.v6.cover_values(&p).any(within),
        }
    }

    /// Whether the address lies inside a member's covering prefix, whatever its bounds.
    pub fn contains(&self, address: IpAddr) -> bool {
        match IpNet::from(address) {
            IpNet::V4(p) => self.v4.is_covered(&p),
            IpNet::V6(p) => self.v6.is_covered(&p),
        }
    }

    /// The members in order.
    pub fn ranges(&self) -> &[PrefixRange] {
        &self.ranges
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

impl PartialEq for PrefixSet {
    fn eq(&self, other: &Self) -> bool {
        self.ranges == other.ranges
    }
}

impl FromIterator<PrefixRange> for PrefixSet {
    fn from_iter<I: IntoIterator<Item = PrefixRange>>(members: I) -> Self {
        let mut ranges: Vec<_> = members.into_iter().collect();
        ranges.sort_unstable();
        ranges.dedup();
        let mut set = Self { ranges, ..Self::default() };
        for range in &set.ranges {
            let bounds = match range.prefix {
                IpNet::V4(p) => set.v4.entry(p).or_default(),
                IpNet::V6(p) => set.v6.entry(p).or_default(),
            };
            bounds.push((range.min, range.max));
        }
        set
    }
}
