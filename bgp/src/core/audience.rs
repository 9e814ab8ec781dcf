//! Who of a group is sent a path.

use std::net::IpAddr;

use super::shared::Shared;
use crate::types::PeerId;

/// Everybody, but for the peer it came from, and for whoever would find its own address as the next hop: it does not
/// install such a route (RFC 4271 section 5.1.3), and with ours instead the packets would come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Audience {
    pub(super) source: PeerId,
    /// The next hop as it is sent, unless it is ours or the source's.
    pub(super) next_hop: Option<IpAddr>,
}

/// A peer that is sent something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receiver {
    pub(super) peer: PeerId,
    /// Its end of the session; none without one.
    address: Option<IpAddr>,
}

impl Receiver {
    pub(super) fn new(shared: &Shared, peer: PeerId) -> Self {
        let session = shared.peer(peer).and_then(|p| p.session.as_ref());
        Self { peer, address: session.map(|s| s.addresses.peer) }
    }
}

impl Audience {
    /// Whether a peer is sent the path.
    pub(super) fn includes(self, to: Receiver) -> bool {
        self.source != to.peer && !self.names(to)
    }

    /// Whether its next hop is the peer's own address.
    pub(super) fn names(self, to: Receiver) -> bool {
        self.next_hop.is_some() && self.next_hop == to.address
    }
}
