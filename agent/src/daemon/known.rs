//! Who may send into the tunnel: the known nodes, and what is behind them.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use bgp::core::Presence;
use ipip::{Completeness, KnownNodes};
use ipnet::Ipv4Net;

use super::behind::{Behind, News};
use crate::config::Intent;

/// Nodes by where they are known from.
#[derive(Debug)]
pub(super) struct Known {
    mesh: BTreeSet<Ipv4Addr>,
    networks: Vec<Ipv4Net>,
    allowed: Vec<Ipv4Net>,
    learned: BTreeSet<Ipv4Addr>,
    behind: Behind,
    completeness: Completeness,
}

/// When a list became complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Completed {
    /// Just now.
    Now,
    /// Some time ago.
    Before,
}

impl Known {
    /// Those of the configuration; more may follow.
    #[must_use]
    pub(super) fn new(intent: &Intent) -> Self {
        let mut known = Self {
            mesh: BTreeSet::new(),
            networks: Vec::new(),
            allowed: Vec::new(),
            learned: BTreeSet::new(),
            behind: Behind::default(),
            completeness: Completeness::Partial,
        };
        known.configure(intent);
        known
    }

    /// Takes in another configuration. Whether every route must be noted anew.
    pub(super) fn configure(&mut self, intent: &Intent) -> News {
        let v4 = |address: &IpAddr| match address {
            IpAddr::V4(address) => Some(*address),
            IpAddr::V6(_) => None,
        };
        self.mesh = intent.mesh.nodes.iter().filter_map(v4).collect();
        self.networks.clone_from(&intent.tunnel.next_hops);
        self.allowed.clone_from(&intent.tunnel.allow_from);
        self.behind.configure(intent)
    }

    /// A next hop of routes learned over iBGP came or went.
    pub(super) fn learn(&mut self, address: IpAddr, presence: Presence) {
        let IpAddr::V4(address) = address else { return };
        match presence {
            Presence::Present => self.learned.insert(address),
            Presence::Gone => self.learned.remove(&address),
        };
    }

    /// Nodes that are known one by one.
    pub(super) fn addresses(&self) -> BTreeSet<Ipv4Addr> {
        self.mesh.union(&self.learned).copied().collect()
    }

    /// What lies behind the nodes, to be told of routes.
    pub(super) fn behind(&mut self) -> &mut Behind {
        &mut self.behind
    }

    /// From now on nobody else is known. Whether that is new.
    pub(super) fn complete(&mut self) -> Completed {
        self.behind.forget();
        match std::mem::replace(&mut self.completeness, Completeness::Complete) {
            Completeness::Partial => Completed::Now,
            Completeness::Complete => Completed::Before,
        }
    }

    /// All of them, and who is let in besides.
    #[must_use]
    pub(super) fn nodes(&self) -> KnownNodes {
        let single = self.mesh.iter().chain(&self.learned).copied().chain(self.behind.remembered_nodes());
        let networks = self.networks.iter().chain(&self.allowed).copied();
        KnownNodes {
            nodes: single.map(Ipv4Net::from).chain(networks).collect(),
            behind: self.behind.prefixes(|address| self.is_node(address)),
            completeness: self.completeness,
        }
    }

    fn is_node(&self, address: Ipv4Addr) -> bool {
        self.mesh.contains(&address)
            || self.learned.contains(&address)
            || self.networks.iter().any(|network| network.contains(&address))
    }

    /// Why an address counts as a node's.
    #[must_use]
    pub(super) fn why(&self, address: IpAddr) -> Option<String> {
        let IpAddr::V4(address) = address else { return None };
        if self.mesh.contains(&address) {
            return Some("mesh".to_owned());
        }
        if let Some(network) = self.networks.iter().find(|network| network.contains(&address)) {
            return Some(format!("tunnel.next_hops {network}"));
        }
        self.learned.contains(&address).then(|| "next hop of an iBGP route".to_owned())
    }
}
