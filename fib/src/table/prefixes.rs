//! One map for both families, in the order of prefixes: IPv4 first.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;

/// A map from prefixes of both families.
#[derive(Debug)]
pub(super) struct Prefixes<T> {
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
    pub(super) fn get(&self, prefix: IpNet) -> Option<&T> {
        match prefix {
            IpNet::V4(prefix) => self.v4.get(&prefix),
            IpNet::V6(prefix) => self.v6.get(&prefix),
        }
    }

    /// The value of exactly this prefix.
    pub(super) fn get_mut(&mut self, prefix: IpNet) -> Option<&mut T> {
        match prefix {
            IpNet::V4(prefix) => self.v4.get_mut(&prefix),
            IpNet::V6(prefix) => self.v6.get_mut(&prefix),
        }
    }

    /// The value of exactly this prefix, made if need be.
    pub(super) fn entry(&mut self, prefix: IpNet) -> &mut T
    where
        T: Default,
    {
        match prefix {
            IpNet::V4(prefix) => self.v4.entry(prefix).or_default(),
            IpNet::V6(prefix) => self.v6.entry(prefix).or_default(),
        }
    }

    /// Removes exactly this prefix.
    pub(super) fn remove(&mut self, prefix: IpNet) -> Option<T> {
        match prefix {
            IpNet::V4(prefix) => self.v4.remove(&prefix),
            IpNet::V6(prefix) => self.v6.remove(&prefix),
        }
    }

    /// The longest prefix that contains this one.
    pub(super) fn longest_match(&self, prefix: IpNet) -> Option<(IpNet, &T)> {
        match prefix {
            IpNet::V4(prefix) => self.v4.get_lpm(&prefix).map(|(prefix, value)| (IpNet::V4(prefix), value)),
            IpNet::V6(prefix) => self.v6.get_lpm(&prefix).map(|(prefix, value)| (IpNet::V6(prefix), value)),
        }
    }

    /// Everything, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (IpNet, &T)> {
        let v4 = self.v4.iter().map(|(prefix, value)| (IpNet::V4(prefix), value));
        v4.chain(self.v6.iter().map(|(prefix, value)| (IpNet::V6(prefix), value)))
    }

    /// Everything from this prefix on, in order.
    pub(super) fn iter_from(&self, from: Option<IpNet>) -> Box<dyn Iterator<Item = (IpNet, &T)> + '_> {
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
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (IpNet, &mut T)> {
        let v4 = self.v4.iter_mut().map(|(prefix, value)| (IpNet::V4(prefix), value));
        v4.chain(self.v6.iter_mut().map(|(prefix, value)| (IpNet::V6(prefix), value)))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Bytes used.
    pub(super) fn mem_size(&self) -> usize {
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
}
