//! One map for both families, in the order of prefixes: IPv4 first.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;
use smallvec::SmallVec;

/// A map from prefixes of both families.
#[derive(Debug)]
pub(crate) struct Prefixes<T> {
    v4: PrefixMap<Ipv4Net, T>,
    v6: PrefixMap<Ipv6Net, T>,
}

impl<T> Default for Prefixes<T> {
    fn default() -> Self {
        Self { v4: PrefixMap::new(), v6: PrefixMap::new() }
    }
}

impl<T> Prefixes<T> {
    /// The value of exactly this prefix.
    pub(crate) fn get(&self, prefix: IpNet) -> Option<&T> {
        match prefix {
            IpNet::V4(prefix) => self.v4.get(&prefix),
            IpNet::V6(prefix) => self.v6.get(&prefix),
        }
    }

    /// The value of exactly this prefix.
    pub(crate) fn get_mut(&mut self, prefix: IpNet) -> Option<&mut T> {
        match prefix {
            IpNet::V4(prefix) => self.v4.get_mut(&prefix),
            IpNet::V6(prefix) => self.v6.get_mut(&prefix),
        }
    }

    /// The value of exactly this prefix, made if need be.
    pub(crate) fn entry(&mut self, prefix: IpNet) -> &mut T
    where
        T: Default,
    {
        match prefix {
            IpNet::V4(prefix) => self.v4.entry(prefix).or_default(),
            IpNet::V6(prefix) => self.v6.entry(prefix).or_default(),
        }
    }

    /// Removes exactly this prefix.
    pub(crate) fn remove(&mut self, prefix: IpNet) -> Option<T> {
        match prefix {
            IpNet::V4(prefix) => self.v4.remove(&prefix),
            IpNet::V6(prefix) => self.v6.remove(&prefix),
        }
    }

    /// The longest prefix that contains this one.
    pub(crate) fn longest_match(&self, prefix: IpNet) -> Option<(IpNet, &T)> {
        match prefix {
            IpNet::V4(prefix) => self.v4.get_lpm(&prefix).map(|(prefix, value)| (IpNet::V4(prefix), value)),
            IpNet::V6(prefix) => self.v6.get_lpm(&prefix).map(|(prefix, value)| (IpNet::V6(prefix), value)),
        }
    }

    /// Those that contain this prefix, itself included, the longest first.
    pub(crate) fn covering(&self, prefix: IpNet) -> SmallVec<[(IpNet, &T); 4]> {
        let mut found: SmallVec<_> = match prefix {
            IpNet::V4(prefix) => self.v4.cover(&prefix).map(|(p, value)| (IpNet::V4(p), value)).collect(),
            IpNet::V6(prefix) => self.v6.cover(&prefix).map(|(p, value)| (IpNet::V6(p), value)).collect(),
        };
        found.reverse();
        found
    }

    /// Whether any contains this prefix or lies within it.
    pub(crate) fn overlaps(&self, prefix: IpNet) -> bool {
        let within = match prefix {
            IpNet::V4(prefix) => self.v4.children(&prefix).next().is_some(),
            IpNet::V6(prefix) => self.v6.children(&prefix).next().is_some(),
        };
        within || self.longest_match(prefix).is_some()
    }

    /// Everything, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (IpNet, &T)> {
        let v4 = self.v4.iter().map(|(prefix, value)| (IpNet::V4(prefix), value));
        v4.chain(self.v6.iter().map(|(prefix, value)| (IpNet::V6(prefix), value)))
    }

    /// Everything from this prefix on, in order.
    pub(crate) fn iter_from(&self, from: Option<IpNet>) -> Box<dyn Iterator<Item = (IpNet, &T)> + '_> {
        match from {
            None => Box::new(self.iter()),
            Some(IpNet::V4(from)) => {
                let v4 = self.v4.iter_from(&from, true).map(|(prefix, value)| (IpNet::V4(prefix), value));
                Box::new(v4.chain(self.v6.iter().map(|(prefix, value)| (IpNet::V6(prefix), value))))
            }
            Some(IpNet::V6(from)) => {
                Box::new(self.v6.iter_from(&from, true).map(|(prefix, value)| (IpNet::V6(prefix), value)))
            }
        }
    }

    /// Everything, in order.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (IpNet, &mut T)> {
        let v4 = self.v4.iter_mut().map(|(prefix, value)| (IpNet::V4(prefix), value));
        v4.chain(self.v6.iter_mut().map(|(prefix, value)| (IpNet::V6(prefix), value)))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Bytes used.
    pub(crate) fn mem_size(&self) -> usize {
        self.v4.mem_size() + self.v6.mem_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iteration_from_a_prefix_is_sorted_and_crosses_the_families() {
        let mut map = Prefixes::default();
        for prefix in ["fd00::/64", "10.0.0.0/8", "10.1.0.0/16", "192.168.0.0/24", "10.0.0.0/16"] {
            *map.entry(prefix.parse().unwrap()) = prefix;
        }
        let from = |from: &str| map.iter_from(from.parse().ok()).map(|(_, value)| *value).collect::<Vec<_>>();
        assert_eq!(from(""), ["10.0.0.0/8", "10.0.0.0/16", "10.1.0.0/16", "192.168.0.0/24", "fd00::/64"]);
        assert_eq!(from("10.0.0.0/16"), ["10.0.0.0/16", "10.1.0.0/16", "192.168.0.0/24", "fd00::/64"]);
        assert_eq!(from("10.2.0.0/16"), ["192.168.0.0/24", "fd00::/64"]);
        assert_eq!(from("fd00::/64"), ["fd00::/64"]);
    }

    #[test]
    fn what_covers_a_prefix_comes_longest_first_and_what_lies_within_it_overlaps() {
        let mut map: Prefixes<()> = Prefixes::default();
        for prefix in ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16", "fd00::/64"] {
            map.entry(prefix.parse().unwrap());
        }
        let covering = |prefix: &str| {
            let found = map.covering(prefix.parse().unwrap());
            found.iter().map(|(prefix, ())| prefix.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(covering("10.1.0.0/16"), ["10.1.0.0/16", "10.0.0.0/8", "0.0.0.0/0"]);
        assert_eq!(covering("192.0.2.1/32"), ["0.0.0.0/0"]);
        let overlaps = |prefix: &str| map.overlaps(prefix.parse().unwrap());
        assert!(overlaps("fd00::/48") && overlaps("fd00::1/128") && !overlaps("fd01::/64"));
    }
}
