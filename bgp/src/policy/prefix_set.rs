//! Sets of prefixes with bounds on the length, searched along the path from the root of a trie.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;
use smallvec::SmallVec;

/// A prefix together with the lengths of prefixes inside it that it stands for.
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
