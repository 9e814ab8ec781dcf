//! Addresses of this host that come and go under sessions.

use std::collections::BTreeSet;

use super::Speaker;
use crate::{event::HostAddress, fsm::TransportError, net::peer::Control, types::NextHopAddress};

impl Speaker {
    /// Takes in which addresses the host has. What was never seen to be there is not missed: a session may run from an
    /// address that no interface has, such as one that a route makes local.
    pub(super) fn host_addresses(&mut self, addresses: BTreeSet<HostAddress>) {
        let before = std::mem::replace(&mut self.addresses, addresses);
        let hops = |of: &BTreeSet<HostAddress>| of.iter().map(HostAddress::hop).collect::<BTreeSet<_>>();
        let now = hops(&self.addresses);
        let gone: BTreeSet<NextHopAddress> = hops(&before).difference(&now).copied().collect();
        if !gone.is_empty() {
            self.end_sessions_of(&gone);
        }
        let link_local = |address: &&HostAddress| address.is_link_local();
        let changed = before.symmetric_difference(&self.addresses).filter(link_local);
        let interfaces: BTreeSet<&str> = changed.map(|address| address.interface.as_str()).collect();
        let clock_now = self.clock.now();
        for interface in interfaces {
            if let Some(mut link) = self.discovery.link(interface) {
                link.handle_address_changed(clock_now);
            }
        }
    }

    /// The kernel neither closes such a session nor can say anything over it: the peer would wait for its hold time too.
    fn end_sessions_of(&self, gone: &BTreeSet<NextHopAddress>) {
        let sessions = self.core.sessions();
        let lost = sessions.filter(|(_, ends)| gone.contains(&ends.local_hop())).map(|(id, _)| id);
        for id in lost.collect::<Vec<_>>() {
            self.tell(id, Control::WayLost(self.session_of(id), TransportError::AddressGone));
        }
    }
}
