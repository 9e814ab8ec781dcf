//! Who may send into the tunnel: the known nodes.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use bgp::core::Presence;
use ipip::{Completeness, KnownNodes};
use ipnet::Ipv4Net;

use crate::config::Intent;

/// Nodes by where they are known from.
#[derive(Debug)]
pub(super) struct Known {
    mesh: BTreeSet<Ipv4Addr>,
    networks: Vec<Ipv4Net>,
    learned: BTreeSet<Ipv4Addr>,
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
            learned: BTreeSet::new(),
            completeness: Completeness::Partial,
        };
        known.configure(intent);
        known
    }

    /// Takes in another configuration.
    pub(super) fn configure(&mut self, intent: &Intent) {
        let v4 = |address: &IpAddr| match address {
            IpAddr::V4(address) => Some(*address),
            IpAddr::V6(_) => None,
        };
        self.mesh = intent.mesh.nodes.iter().filter_map(v4).collect();
        self.networks.clone_from(&intent.tunnel.next_hops);
    }

    /// A next hop of routes learned over iBGP came or went.
    pub(super) fn learn(&mut self, address: IpAddr, presence: Presence) {
        let IpAddr::V4(address) = address else { return };
        match presence {
            Presence::Present => self.learned.insert(address),
            Presence::Gone => self.learned.remove(&address),
        };
    }

    /// From now on nobody else is known. Whether that is new.
    pub(super) fn complete(&mut self) -> Completed {
        match std::mem::replace(&mut self.completeness, Completeness::Complete) {
            Completeness::Partial => Completed::Now,
            Completeness::Complete => Completed::Before,
        }
    }

    /// All of them.
    #[must_use]
    pub(super) fn nodes(&self) -> KnownNodes {
        let single = self.mesh.iter().chain(&self.learned).map(|address| Ipv4Net::from(*address));
        KnownNodes {
            nodes: single.chain(self.networks.iter().copied()).collect(),
            completeness: self.completeness,
        }
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
