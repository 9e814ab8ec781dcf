//! What lies behind the nodes: which prefix was learned with which next hop. Pure.
//!
//! Only prefixes inside a pool count: nothing else is ever tunnelled, and so the list stays small where a peer sends the
//! whole Internet's table.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
};

use ipip::NodePrefix;
use ipnet::{IpNet, Ipv4Net};

use crate::{config::Intent, translate::v4};

/// Prefixes inside pools, with their next hops.
#[derive(Debug, Default)]
pub(super) struct Behind {
    pools: Vec<Ipv4Net>,
    learned: BTreeMap<Ipv4Net, BTreeSet<Ipv4Addr>>,
    /// What the kernel's routes from before our start say, until the restart is over.
    before: BTreeMap<Ipv4Net, BTreeSet<Ipv4Addr>>,
}

/// Whether anything is other than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Something is.
    Some,
    /// Nothing is.
    None,
}

impl Behind {
    /// Takes in another configuration. With other pools every route must be noted anew.
    pub(super) fn configure(&mut self, intent: &Intent) -> News {
        let pools: Vec<Ipv4Net> = v4(intent.pools.keys()).collect();
        let inside = |prefix: &Ipv4Net| pools.iter().any(|pool| pool.contains(prefix));
        self.learned.retain(|prefix, _| inside(prefix));
        self.before.retain(|prefix, _| inside(prefix));
        if std::mem::replace(&mut self.pools, pools) == self.pools { News::None } else { News::Some }
    }

    /// The best route of a prefix has these next hops now; none: it is gone.
    pub(super) fn note(&mut self, prefix: IpNet, next_hops: impl Iterator<Item = IpAddr>) -> News {
        let Some(prefix) = self.inside(prefix) else { return News::None };
        let nodes: BTreeSet<Ipv4Addr> = next_hops.filter_map(v4_address).collect();
        let before = match nodes.is_empty() {
            true => self.learned.remove(&prefix).unwrap_or_default(),
            false => self.learned.insert(prefix, nodes.clone()).unwrap_or_default(),
        };
        if before == nodes { News::None } else { News::Some }
    }

    /// A route that was in the kernel before us leads there.
    pub(super) fn remember(&mut self, prefix: IpNet, gateways: impl Iterator<Item = IpAddr>) {
        if let Some(prefix) = self.inside(prefix) {
            self.before.entry(prefix).or_default().extend(gateways.filter_map(v4_address));
        }
    }

    /// What was there before us counts no longer.
    pub(super) fn forget(&mut self) {
        self.before.clear();
    }

    /// Where the routes from before us led.
    pub(super) fn remembered_nodes(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.before.values().flatten().copied()
    }

    /// What is behind those next hops that are nodes.
    pub(super) fn prefixes(&self, is_node: impl Fn(Ipv4Addr) -> bool) -> BTreeSet<NodePrefix> {
        let pairs = |(prefix, nodes): (&Ipv4Net, &BTreeSet<Ipv4Addr>)| -> Vec<NodePrefix> {
            nodes.iter().map(|node| NodePrefix { prefix: *prefix, node: *node }).collect()
        };
        let learned = self.learned.iter().flat_map(pairs).filter(|pair| is_node(pair.node));
        learned.chain(self.before.iter().flat_map(pairs)).collect()
    }

    fn inside(&self, prefix: IpNet) -> Option<Ipv4Net> {
        let IpNet::V4(prefix) = prefix else { return None };
        self.pools.iter().any(|pool| pool.contains(&prefix)).then_some(prefix)
    }
}

fn v4_address(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind(pool: &str) -> Behind {
        Behind { pools: vec![pool.parse().expect("a pool")], ..Behind::default() }
    }

    fn net(text: &str) -> IpNet {
        text.parse().expect("a prefix")
    }

    fn hop(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn shown(prefixes: &BTreeSet<NodePrefix>) -> Vec<String> {
        prefixes.iter().map(|pair| format!("{} {}", pair.prefix, pair.node)).collect()
    }

    #[test]
    fn prefixes_inside_a_pool_count_as_soon_as_their_next_hop_is_a_node() {
        let mut behind = behind("172.16.0.0/16");
        assert_eq!(behind.note(net("172.16.1.0/26"), [hop("10.0.0.1")].into_iter()), News::Some);
        assert_eq!(behind.note(net("172.16.1.0/26"), [hop("10.0.0.1")].into_iter()), News::None);
        assert_eq!(behind.note(net("0.0.0.0/0"), [hop("10.0.0.1")].into_iter()), News::None);
        assert_eq!(behind.note(net("172.16.2.0/26"), [hop("fd00::1")].into_iter()), News::None);
        assert!(behind.prefixes(|_| false).is_empty());
        assert_eq!(shown(&behind.prefixes(|_| true)), ["172.16.1.0/26 10.0.0.1"]);
        assert_eq!(behind.note(net("172.16.1.0/26"), [].into_iter()), News::Some);
        assert!(behind.prefixes(|_| true).is_empty());
    }

    #[test]
    fn routes_from_before_our_start_count_until_they_are_forgotten() {
        let mut behind = behind("172.16.0.0/16");
        behind.remember(net("172.16.1.0/26"), [hop("10.0.0.1")].into_iter());
        behind.note(net("172.16.1.0/26"), [hop("10.0.0.2")].into_iter());
        let nodes = |address| address == Ipv4Addr::new(10, 0, 0, 2);
        assert_eq!(shown(&behind.prefixes(nodes)), ["172.16.1.0/26 10.0.0.1", "172.16.1.0/26 10.0.0.2"]);
        behind.forget();
        assert_eq!(shown(&behind.prefixes(nodes)), ["172.16.1.0/26 10.0.0.2"]);
    }
}
