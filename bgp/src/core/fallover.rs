//! Sessions that end with the link they run over, long before their hold time does.

use std::sync::Arc;

use super::{
    Core,
    egress::is_direct,
    event::Action,
    shared::{Peer, Shared},
};
use crate::{
    config::{Fallover, PeerConfig},
    event::{Reachability, SessionAddresses, Through},
    rib::{NextHopId, NextHopState, NextHops},
    types::{Families, Family, NextHopAddress, PeerId},
};

/// The way to a peer with a session, followed as if it were that to a next hop.
#[derive(Debug)]
pub(super) struct SessionWay {
    next_hop: NextHopId,
    /// The interfaces it was found to lead over; `None`: not found yet.
    interfaces: Option<Vec<Arc<str>>>,
    /// Whether a learned route was that way: what becomes of it says nothing about a link.
    learned: bool,
}

impl SessionWay {
    /// Follows it no more.
    pub(super) fn end(self, next_hops: &mut NextHops) {
        next_hops.release(self.next_hop);
    }
}

impl Shared {
    /// Has the way to a peer followed while it has a session and is configured so; and once it had, while its routes
    /// outlive the session.
    pub(super) fn follow_session(&mut self, id: PeerId) {
        if self.peer(id).is_some_and(|p| p.session.is_none() && p.has_stale() && p.fails_over()) {
            return;
        }
        let way = self.peer(id).and_then(|peer| {
            let session = peer.session.as_ref().filter(|_| peer.fails_over())?;
            Some(peer_hop(session.addresses))
        });
        let way = way.map(|hop| SessionWay {
            next_hop: self.next_hops.acquire(hop),
            interfaces: None,
            learned: false,
        });
        let next_hop = way.as_ref().map(|way| way.next_hop);
        let before = self.peer_mut(id).and_then(|peer| std::mem::replace(&mut peer.session_way, way));
        if let Some(before) = before {
            self.next_hops.release(before.next_hop);
        }
        if let Some(next_hop) = next_hop {
            self.look_after_sessions(next_hop);
        }
    }

    /// Ends the sessions whose way this is, if it is lost.
    pub(super) fn look_after_sessions(&mut self, next_hop: NextHopId) {
        let NextHopState::Known(reachability) = self.next_hops.state(next_hop) else { return };
        let leads_over = self.next_hops.interfaces(next_hop).unwrap_or_default().to_vec();
        let learned = matches!(self.next_hops.through(next_hop), Some(Through::Learned(_)));
        let followed =
            self.peers().filter(|(_, p)| p.session_way.as_ref().is_some_and(|w| w.next_hop == next_hop));
        let ids: Vec<_> = followed.map(|(id, _)| id).collect();
        for id in ids {
            let Some(peer) = self.peer_mut(id) else { continue };
            let Some(way) = &mut peer.session_way else { continue };
            let lost = match (&way.interfaces, reachability) {
                (None, _) => false,
                _ if way.learned || learned => false,
                (Some(_), Reachability::Unreachable) => true,
                (Some(before), Reachability::Reachable { .. }) => {
                    runs_over_one_link(&peer.config)
                        && !before.is_empty()
                        && !leads_over.iter().any(|name| before.contains(name))
                }
            };
            let now = match reachability {
                Reachability::Reachable { .. } if !lost => Some(leads_over.clone()),
                _ => None,
            };
            let before = std::mem::replace(&mut way.interfaces, now);
            way.learned = learned;
            if lost {
                peer.way_lost = true;
                let interfaces = before.unwrap_or_default();
                if peer.session.is_some() {
                    self.actions.push_back(Action::WayLost { peer: id, interfaces });
                }
            }
        }
    }
}

impl Core {
    /// An interface has another name: sessions over it go on as they are.
    pub fn interface_renamed(&mut self, before: &str, now: &str) {
        let ids: Vec<_> = self.shared.peers().map(|(id, _)| id).collect();
        for id in ids {
            let way = self.shared.peer_mut(id).and_then(|peer| peer.session_way.as_mut());
            let interfaces = way.and_then(|way| way.interfaces.as_mut()).into_iter().flatten();
            interfaces.filter(|name| ***name == *before).for_each(|name| *name = now.into());
        }
    }

    /// The way to this next hop may be another.
    pub(super) fn way_changed(&mut self, next_hop: NextHopAddress) {
        if let Some(id) = self.shared.next_hops.find(next_hop) {
            self.shared.look_after_sessions(id);
            self.drop_cut_off();
        }
    }

    /// Ends the routes that outlive a session whose link is lost: what the peer kept forwarding it cannot be sent any more,
    /// and when the link is back the peer may be another (RFC 4724 section 4.2).
    fn drop_cut_off(&mut self) {
        let cut_off = |p: &Peer| p.session.is_none() && p.way_lost;
        let ids: Vec<_> = self.shared.peers().filter(|(_, p)| cut_off(p)).map(|(id, _)| id).collect();
        let mut died = Families::NONE;
        for id in ids {
            let Some(peer) = self.shared.peer_mut(id) else { continue };
            peer.way_lost = false;
            for family in Family::ALL {
                if peer.input_mut(family).drop_stale() {
                    died.insert(family);
                }
            }
            self.shared.follow_session(id);
        }
        self.sweep_families(died);
    }
}

impl Peer {
    /// Whether its session ends with the link.
    fn fails_over(&self) -> bool {
        self.config.fallover == Fallover::Fast
    }
}

/// Whether a session ends where the way goes over another link.
fn runs_over_one_link(config: &PeerConfig) -> bool {
    config.transport.interface.is_some() || is_direct(config.transport.ttl)
}

fn peer_hop(addresses: SessionAddresses) -> NextHopAddress {
    let is_link_local = SessionAddresses { local: addresses.peer, ..addresses };
    is_link_local.local_hop()
}
