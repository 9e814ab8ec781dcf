//! The decision: direct, through the tunnel, a blackhole, or none of our business.
//!
//! The longest pool that contains the prefix decides; whether the next hop lies in our own node network only chooses
//! between direct and tunnel in a `CrossSubnet` pool. Nothing else enters into it.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

use crate::config::{DiscardRule, FibConfig, Pool, PoolMode};

/// How packets to a prefix travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Through the underlay, by the kernel's resolution of the next hop.
    Direct,
    /// `via NEXT_HOP dev TUNNEL onlink`.
    Tunnel,
    /// Dropped here: a block of our own, or a route that asks for it.
    Blackhole,
    /// Somebody else programs it.
    NotOurs,
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The prefix is one of our own blocks.
    LocalBlock,
    /// The prefix is one of our own blocks, but a single address, which its pod's route serves.
    LocalAddress,
    /// Its pool is `Always`.
    PoolAlways,
    /// Its pool is `CrossSubnet` and the next hop is in our own node network.
    SameSubnet,
    /// Its pool is `CrossSubnet` and the next hop is outside our own node network.
    OtherSubnet,
    /// Its pool is `CrossSubnet` and our node address is a /32, so that nothing is in the same subnet.
    HostNodeNetwork,
    /// Its pool is `CrossSubnet` and our node network is not known.
    NoNodeNetwork,
    /// Its pool is `Never`.
    PoolNever,
    /// Its pool is VXLAN.
    PoolVxlan,
    /// No pool contains it.
    NoPool,
    /// Its pool would tunnel, but IPIP carries IPv4 over IPv4 only.
    NotIpv4,
    /// The route asks for its packets being dropped, and the configuration honours that.
    DiscardAsked,
    /// The prefix is a network on a link of this host, which the kernel's own route serves.
    Connected,
    /// The prefix is an address of this host.
    OwnAddress,
}

/// A decision and its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Decision {
    /// What.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
}

impl Decision {
    const fn new(verdict: Verdict, reason: Reason) -> Self {
        Self { verdict, reason }
    }

    /// The prefix is this host's own affair: whatever is announced of it, nothing is wanted of us.
    pub const fn host(reason: Reason) -> Self {
        Self::new(Verdict::NotOurs, reason)
    }

    /// Whether the prefix is this host's own affair.
    pub const fn is_of_host(self) -> bool {
        matches!(self.reason, Reason::Connected | Reason::OwnAddress)
    }
}

/// Something the decision looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fact")]
pub enum Fact {
    /// The prefix equals a block of our own.
    OwnBlock {
        /// The block.
        block: IpNet,
    },
    /// The longest pool that contains the prefix.
    Pool(Pool),
    /// No pool contains the prefix.
    NoPool,
    /// The next hop was held against our own node network.
    NodeNetwork {
        /// The network; `None` when not known.
        network: Option<Ipv4Net>,
        /// The next hop.
        next_hop: IpAddr,
        /// On which side of its border the next hop is.
        side: Side,
    },
}

/// On which side of a network's border an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// In the network.
    Inside,
    /// Elsewhere.
    Outside,
}

/// Takes down what the decision looks at; `()` takes nothing down.
pub trait Recorder {
    /// Takes down one fact.
    fn record(&mut self, fact: Fact);
}

impl Recorder for () {
    fn record(&mut self, _: Fact) {}
}

impl Recorder for Vec<Fact> {
    fn record(&mut self, fact: Fact) {
        self.push(fact);
    }
}

/// The part of the configuration that decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decider {
    node_network: Option<Ipv4Net>,
    discard: DiscardRule,
    /// Longest first, so that the first that contains a prefix is the one that decides.
    pools: Vec<Pool>,
}

impl Decider {
    /// The decider of this configuration.
    pub fn new(config: &FibConfig) -> Self {
        let truncated = |pool: &Pool| Pool { cidr: pool.cidr.trunc(), ..*pool };
        let mut pools: Vec<_> = config.pools.iter().map(truncated).collect();
        pools.sort_by_key(|pool| (std::cmp::Reverse(pool.cidr.prefix_len()), pool.cidr));
        Self {
            node_network: config.node_network.map(|network| network.trunc()),
            discard: config.discard,
            pools,
        }
    }

    /// The longest pool that contains the prefix.
    pub fn pool(&self, prefix: IpNet) -> Option<Pool> {
        self.pools.iter().find(|pool| pool.cidr.contains(&prefix)).copied()
    }

    /// Decides over one next hop of a learned route.
    pub fn route(&self, prefix: IpNet, next_hop: IpAddr, recorder: &mut impl Recorder) -> Decision {
        let Some(pool) = self.pool(prefix) else {
            recorder.record(Fact::NoPool);
            return Decision::new(Verdict::Direct, Reason::NoPool);
        };
        recorder.record(Fact::Pool(pool));
        match pool.mode {
            PoolMode::Vxlan => Decision::new(Verdict::NotOurs, Reason::PoolVxlan),
            PoolMode::Never => Decision::new(Verdict::Direct, Reason::PoolNever),
            PoolMode::Always | PoolMode::CrossSubnet if !both_ipv4(prefix, next_hop) => {
                Decision::new(Verdict::Direct, Reason::NotIpv4)
            }
            PoolMode::Always => Decision::new(Verdict::Tunnel, Reason::PoolAlways),
            PoolMode::CrossSubnet => self.cross_subnet(next_hop, recorder),
        }
    }

    /// Decides over a route that asks for its packets being dropped; `None`: it is one like any other.
    pub fn discard(&self, prefix: IpNet, recorder: &mut impl Recorder) -> Option<Decision> {
        let pool = self.pool(prefix);
        let left_alone = pool.is_some_and(|pool| pool.mode == PoolMode::Vxlan);
        if self.discard == DiscardRule::Ignore || left_alone || prefix.prefix_len() == 0 {
            return None;
        }
        recorder.record(pool.map_or(Fact::NoPool, Fact::Pool));
        Some(Decision::new(Verdict::Blackhole, Reason::DiscardAsked))
    }

    /// Decides over a block of our own.
    pub fn local_block(&self, block: IpNet, recorder: &mut impl Recorder) -> Decision {
        recorder.record(Fact::OwnBlock { block });
        if block.prefix_len() == block.max_prefix_len() {
            return Decision::new(Verdict::NotOurs, Reason::LocalAddress);
        }
        match self.pool(block) {
            Some(pool) if pool.mode == PoolMode::Vxlan => {
                recorder.record(Fact::Pool(pool));
                Decision::new(Verdict::NotOurs, Reason::PoolVxlan)
            }
            _ => Decision::new(Verdict::Blackhole, Reason::LocalBlock),
        }
    }

    fn cross_subnet(&self, next_hop: IpAddr, recorder: &mut impl Recorder) -> Decision {
        let (decision, side) = match self.node_network {
            None => (Decision::new(Verdict::Tunnel, Reason::NoNodeNetwork), Side::Outside),
            Some(own) if own.prefix_len() == 32 => {
                (Decision::new(Verdict::Tunnel, Reason::HostNodeNetwork), Side::Outside)
            }
            Some(own) if IpNet::V4(own).contains(&next_hop) => {
                (Decision::new(Verdict::Direct, Reason::SameSubnet), Side::Inside)
            }
            Some(_) => (Decision::new(Verdict::Tunnel, Reason::OtherSubnet), Side::Outside),
        };
        recorder.record(Fact::NodeNetwork { network: self.node_network, next_hop, side });
        decision
    }
}

fn both_ipv4(prefix: IpNet, next_hop: IpAddr) -> bool {
    matches!((prefix, next_hop), (IpNet::V4(_), IpAddr::V4(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decider(node: &str, pools: &[(&str, PoolMode)]) -> Decider {
        let pools =
            pools.iter().map(|(cidr, mode)| Pool { cidr: cidr.parse().unwrap(), mode: *mode }).collect();
        Decider::new(&FibConfig { node_network: node.parse().ok(), pools, ..FibConfig::default() })
    }

    fn decided(decider: &Decider, prefix: &str, next_hop: &str) -> (Verdict, Reason) {
        let decision = decider.route(prefix.parse().unwrap(), next_hop.parse().unwrap(), &mut ());
        (decision.verdict, decision.reason)
    }

    const BLOCK: &str = "172.16.196.128/26";

    #[test]
    fn a_route_that_asks_for_it_is_dropped_where_that_is_honoured() {
        let pools = vec![
            Pool { cidr: "172.16.0.0/16".parse().unwrap(), mode: PoolMode::Always },
            Pool { cidr: "172.17.0.0/16".parse().unwrap(), mode: PoolMode::Vxlan },
        ];
        let config = FibConfig { pools, ..FibConfig::default() };
        let asked = |decider: &Decider, prefix: &str| {
            decider.discard(prefix.parse().unwrap(), &mut ()).map(|d| (d.verdict, d.reason))
        };
        assert_eq!(asked(&Decider::new(&config), "172.16.1.1/32"), None);
        let honouring = Decider::new(&FibConfig { discard: DiscardRule::Honour, ..config });
        let dropped = Some((Verdict::Blackhole, Reason::DiscardAsked));
        assert_eq!(asked(&honouring, "172.16.1.1/32"), dropped, "whatever the pool's mode");
        assert_eq!(asked(&honouring, "10.0.0.1/32"), dropped);
        assert_eq!(asked(&honouring, "172.17.1.1/32"), None, "left to Felix");
        assert_eq!(asked(&honouring, "0.0.0.0/0"), None);
        assert_eq!(decided(&honouring, "172.16.1.2/32", "10.9.9.9"), (Verdict::Tunnel, Reason::PoolAlways));
    }

    #[test]
    fn always_tunnels_whatever_the_next_hop() {
        let d = decider("192.168.92.128/24", &[("172.16.0.0/16", PoolMode::Always)]);
        assert_eq!(decided(&d, BLOCK, "192.168.92.129"), (Verdict::Tunnel, Reason::PoolAlways));
        assert_eq!(decided(&d, BLOCK, "10.9.9.9"), (Verdict::Tunnel, Reason::PoolAlways));
    }

    #[test]
    fn cross_subnet_is_direct_inside_our_own_network_only() {
        let d = decider("192.168.92.128/24", &[("172.16.0.0/16", PoolMode::CrossSubnet)]);
        assert_eq!(decided(&d, BLOCK, "192.168.92.129"), (Verdict::Direct, Reason::SameSubnet));
        assert_eq!(decided(&d, BLOCK, "192.168.93.129"), (Verdict::Tunnel, Reason::OtherSubnet));
    }

    #[test]
    fn a_host_node_network_has_nobody_in_it() {
        let d = decider("192.168.92.128/32", &[("172.16.0.0/16", PoolMode::CrossSubnet)]);
        assert_eq!(decided(&d, BLOCK, "192.168.92.128"), (Verdict::Tunnel, Reason::HostNodeNetwork));
        let d = decider("none", &[("172.16.0.0/16", PoolMode::CrossSubnet)]);
        assert_eq!(decided(&d, BLOCK, "192.168.92.129"), (Verdict::Tunnel, Reason::NoNodeNetwork));
    }

    #[test]
    fn never_and_no_pool_are_direct_and_vxlan_is_left_alone() {
        let d = decider(
            "192.168.92.128/24",
            &[("172.16.0.0/16", PoolMode::Never), ("172.17.0.0/16", PoolMode::Vxlan)],
        );
        assert_eq!(decided(&d, BLOCK, "10.9.9.9"), (Verdict::Direct, Reason::PoolNever));
        assert_eq!(decided(&d, "10.0.0.0/8", "10.9.9.9"), (Verdict::Direct, Reason::NoPool));
        assert_eq!(decided(&d, "172.16.0.0/15", "10.9.9.9"), (Verdict::Direct, Reason::NoPool));
        assert_eq!(decided(&d, "172.17.3.0/26", "192.168.92.129"), (Verdict::NotOurs, Reason::PoolVxlan));
    }

    #[test]
    fn the_longest_pool_decides() {
        let d = decider(
            "192.168.92.128/24",
            &[("172.16.0.0/16", PoolMode::Always), ("172.16.196.0/24", PoolMode::Never)],
        );
        assert_eq!(decided(&d, BLOCK, "192.168.92.129"), (Verdict::Direct, Reason::PoolNever));
        assert_eq!(decided(&d, "172.16.1.0/26", "192.168.92.129"), (Verdict::Tunnel, Reason::PoolAlways));
    }

    #[test]
    fn ipip_carries_ipv4_over_ipv4_only() {
        let d = decider(
            "192.168.92.128/24",
            &[("172.16.0.0/16", PoolMode::Always), ("fd00::/48", PoolMode::CrossSubnet)],
        );
        assert_eq!(decided(&d, BLOCK, "fe80::1"), (Verdict::Direct, Reason::NotIpv4));
        assert_eq!(decided(&d, "fd00::/64", "fd01::1"), (Verdict::Direct, Reason::NotIpv4));
    }

    #[test]
    fn own_blocks_are_blackholes_unless_single_addresses_or_vxlan() {
        let d = decider("192.168.92.128/24", &[("172.17.0.0/16", PoolMode::Vxlan)]);
        let reason = |block: &str| d.local_block(block.parse().unwrap(), &mut ()).reason;
        assert_eq!(reason("172.16.241.64/26"), Reason::LocalBlock);
        assert_eq!(reason("172.16.241.64/32"), Reason::LocalAddress);
        assert_eq!(reason("fd00::1/128"), Reason::LocalAddress);
        assert_eq!(reason("172.17.241.64/26"), Reason::PoolVxlan);
    }

    #[test]
    fn the_recorder_sees_what_decided() {
        let d = decider("192.168.92.128/24", &[("172.16.0.0/16", PoolMode::CrossSubnet)]);
        let mut facts = Vec::new();
        let next_hop = "192.168.92.129".parse().unwrap();
        d.route(BLOCK.parse().unwrap(), next_hop, &mut facts);
        let network = "192.168.92.0/24".parse().ok();
        let pool = Pool { cidr: "172.16.0.0/16".parse().unwrap(), mode: PoolMode::CrossSubnet };
        assert_eq!(facts, [Fact::Pool(pool), Fact::NodeNetwork { network, next_hop, side: Side::Inside }]);
    }
}
