//! Peers without an address: the neighbour on their link is who shows itself there.

use std::net::{IpAddr, Ipv6Addr};

use tracing::info;

use super::{Speaker, roster::LinkPeer};
use crate::{
    event::InterfaceChanges,
    fsm::State,
    ndp::Presence,
    net::{discovery::DiscoveryReport, peer::Control},
    types::{Now, PeerId},
};

impl Speaker {
    /// Has the links of such peers watched.
    pub(super) fn update_links(&mut self) {
        let wanted = self.roster.link_peers().filter(LinkPeer::is_up);
        self.discovery.run(&wanted.map(|peer| (peer.interface.to_owned(), peer.advertising)).collect());
    }

    /// Names of interfaces may mean others now: whatever is bound to an interface is looked at.
    pub(super) fn interfaces_changed(&mut self, changes: &InterfaceChanges) {
        changes.renamed().for_each(|(before, now)| self.core.interface_renamed(before, now));
        self.discovery.interfaces_changed(changes);
        self.bfd.look();
        let names = changes.names();
        let concerned = self.core.peers().filter_map(|(id, config)| {
            let interface = config.transport.interface.as_deref()?;
            names.contains(interface).then_some(id)
        });
        let concerned: Vec<PeerId> = concerned.collect();
        concerned.into_iter().for_each(|id| self.tell(id, Control::CheckInterface));
    }

    /// Chooses the neighbours anew. Who has a session stays what it is until that ends, or the interface goes.
    pub(super) fn links_changed(&mut self) {
        let now = self.clock.now();
        let peers: Vec<_> = self.roster.link_peers().filter(LinkPeer::is_up).map(LinkPeer::own).collect();
        let mut changed = false;
        for (name, interface) in peers {
            let found = self.roster.found(&name);
            let current = found.filter(|(_, since)| !self.is_lost_since(&interface, *since));
            let current = current.map(|(address, _)| address);
            let lost = found.is_some() && current.is_none();
            if let Some(id) = self.find(&name).filter(|_| lost) {
                self.tell(id, Control::CheckInterface);
            }
            let chosen = self.choose(now, &name, &interface, current);
            if chosen != current || lost {
                match chosen {
                    Some(address) => {
                        info!(peer = name, interface, %address, "found the neighbour on the link")
                    }
                    None => info!(peer = name, interface, "the neighbour on the link is gone"),
                }
                self.roster.neighbour(&name, chosen.map(|address| (address, now)));
                changed = true;
            }
        }
        if changed {
            self.apply();
        }
    }

    /// Whether the interface has gone since then: connections over it are dead, whoever is found on the interface that has
    /// the name now.
    fn is_lost_since(&self, interface: &str, since: Now) -> bool {
        let lost_at = self.discovery.link(interface).and_then(|link| link.lost_at());
        lost_at.is_some_and(|lost| lost >= since)
    }

    fn choose(&self, now: Now, name: &str, interface: &str, current: Option<Ipv6Addr>) -> Option<Ipv6Addr> {
        let link = self.discovery.link(interface)?;
        let present = *link.presence() != Presence::Absent;
        let established = || self.find(name).is_some_and(|id| self.is_established(id));
        if present && current.is_some() && established() {
            return current;
        }
        link.neighbour(now, current, &self.roster.addressed_on(interface))
    }

    fn is_established(&self, id: PeerId) -> bool {
        self.peers.get(&id).is_some_and(|peer| peer.shared.status().state == State::Established)
    }

    /// Somebody on the link has connected, and is the neighbour unless there is one already.
    pub(super) fn contact(&mut self, name: &str, address: IpAddr) {
        let now = self.clock.now();
        let (IpAddr::V6(address), Some(interface)) = (address, self.roster.link_of(name)) else { return };
        if let Some(mut link) = self.discovery.link(&interface) {
            link.handle_contact(now, address);
        }
        if self.roster.found(name).is_none() {
            info!(peer = name, interface, %address, "the neighbour on the link has connected");
            self.roster.neighbour(name, Some((address, now)));
        }
    }

    /// What is known of the link of a peer without an address.
    pub(super) fn discovery_report(&self, name: &str, now: Now) -> Option<DiscoveryReport> {
        let interface = self.roster.link_of(name)?;
        let found = self.roster.found(name).map(|(_, since)| now.since(since));
        self.discovery.report(&interface, now).map(|report| DiscoveryReport { found, ..report })
    }
}
