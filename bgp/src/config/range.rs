//! Peers that are known by the range their address lies in.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{AdminState, ConnectMode, PeerConfig};

/// Whoever connects from a range of addresses becomes a peer while it is there (a dynamic peer).
#[derive(Clone, Debug, PartialEq)]
pub struct RangeConfig {
    /// Where the peers connect from.
    pub range: IpNet,
    /// How many of them there may be at once.
    pub limit: usize,
    /// What holds for each; its name is the range's, its address has no meaning.
    pub template: PeerConfig,
}

impl RangeConfig {
    /// The peer at `address`, named `RANGE/ADDRESS`. We never connect to it.
    pub fn peer(&self, address: IpAddr) -> PeerConfig {
        let mut peer = PeerConfig { name: self.peer_name(address), address, ..self.template.clone() };
        peer.transport.mode = ConnectMode::Passive;
        peer
    }

    /// Whether [`Self::peer_name`] calls a host of the range so that may connect.
    pub fn admits(&self, peer: &str) -> bool {
        let address = peer.strip_prefix(&self.template.name).and_then(|rest| rest.strip_prefix('/'));
        let address = address.and_then(|address| address.parse::<IpAddr>().ok());
        self.template.admin == AdminState::Up && address.is_some_and(|address| self.range.contains(&address))
    }

    /// What the peer at `address` is called.
    pub fn peer_name(&self, address: IpAddr) -> String {
        format!("{}/{address}", self.template.name)
    }
}
