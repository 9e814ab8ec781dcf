//! The interfaces that lead to peers and next hops, for policies that ask for them.

use std::sync::Arc;

use super::{Core, shared::Shared};
use crate::{
    event::NextHopReport,
    rib::{Answered, NextHopId, Waiting, Way},
    types::{Family, NextHopAddress, PeerId},
};

/// How the interface is known that leads to a peer.
#[derive(Debug, Default)]
pub(super) enum PeerWay {
    /// Its import policy asks for none.
    #[default]
    Unasked,
    /// Its connections are bound to this one.
    Bound(Arc<str>),
    /// Its address is followed as if it were a next hop.
    Followed(NextHopId),
}

impl Shared {
    /// Has the way to a peer followed if its import policy asks for it.
    pub(super) fn follow_way(&mut self, id: PeerId) {
        let Some(config) = self.peer(id).map(|peer| &peer.config) else { return };
        let way = match (&config.transport.interface, config.import.reads_interfaces()) {
            (_, false) => PeerWay::Unasked,
            (Some(name), true) => PeerWay::Bound(name.as_str().into()),
            (None, true) => {
                let address = config.address.into();
                PeerWay::Followed(self.next_hops.acquire(address))
            }
        };
        if let Some(peer) = self.peer_mut(id) {
            let before = std::mem::replace(&mut peer.way, way);
            self.unfollow(&before);
        }
    }

    /// Ends that a way is followed.
    pub(super) fn unfollow(&mut self, way: &PeerWay) {
        if let PeerWay::Followed(next_hop) = way {
            self.next_hops.release(*next_hop);
        }
    }

    /// The interfaces that lead to a peer; `None`: not known yet.
    pub(super) fn interfaces_of(&self, id: PeerId) -> Option<&[Arc<str>]> {
        match self.peer(id).map(|peer| &peer.way) {
            None | Some(PeerWay::Unasked) => Some(&[]),
            Some(PeerWay::Bound(name)) => Some(std::slice::from_ref(name)),
            Some(PeerWay::Followed(next_hop)) => self.next_hops.interfaces(*next_hop),
        }
    }

    /// Has the routes of peers judged anew that are reached like this next hop; whether there are such peers.
    fn judge_anew(&mut self, next_hop: NextHopId) -> bool {
        let mut found = false;
        for (_, peer) in self.peers_mut() {
            if matches!(peer.way, PeerWay::Followed(way) if way == next_hop) {
                found = true;
                Family::ALL.iter().for_each(|family| peer.input_mut(*family).reimport = true);
            }
        }
        found
    }
}

impl Core {
    pub(super) fn take_report(&mut self, next_hop: NextHopAddress, report: NextHopReport) {
        let Some(Answered { routes, way }) = self.shared.next_hops.answer(next_hop, report) else { return };
        if routes.is_some() || way != Way::Same {
            self.way_changed(next_hop);
        }
        if let Way::Found(id) | Way::Changed(id) = way
            && self.shared.judge_anew(id)
        {
            self.request_sweeps();
        }
        if matches!(way, Way::Changed(_)) {
            self.v4.way_changed(next_hop.address);
            self.v6.way_changed(next_hop.address);
        }
        match routes {
            None => {}
            Some(Waiting::Many) => self.request_sweeps(),
            Some(Waiting::Routes(routes)) => {
                for (family, route) in routes {
                    super::in_family!(self, family, rib => rib.revisit(&mut self.shared, route));
                }
            }
        }
    }
}
