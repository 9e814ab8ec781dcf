//! Other nodes that announce what is ours: one of our blocks, or the tunnel's address. Pure.

use bgp::{
    core::RouteView,
    decision::Reason,
    types::{PeerId, PeerType},
};

use super::problems::{error, warning};
use crate::api::protocol::problem::{Problem, ProblemCode};

/// What of ours may be announced by nobody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Own {
    /// A block of pod addresses.
    Block,
    /// The tunnel's address.
    TunnelAddress,
}

/// Who sent a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sender {
    /// Its index.
    pub(super) id: PeerId,
    /// Its name.
    pub(super) name: String,
    /// Of our AS or another.
    pub(super) kind: PeerType,
}

/// One problem for each of our prefixes that somebody else announces too. What has come back to us on a detour (our AS, our
/// cluster, ourselves as the originator or the next hop) is our own announcement, and no rival's.
#[must_use]
pub(super) fn of(routes: &[(Own, RouteView)], senders: &[Sender]) -> Vec<Problem> {
    routes.iter().filter_map(|(own, route)| rival(*own, route, senders)).collect()
}

fn rival(own: Own, route: &RouteView, senders: &[Sender]) -> Option<Problem> {
    let came_back = |reason: Reason| {
        matches!(reason, Reason::AsLoop | Reason::OriginatorLoop | Reason::ClusterLoop | Reason::NextHopOwn)
    };
    let path = route.paths.iter().find(|path| path.peer.is_some() && !came_back(path.reason))?;
    let sender = senders.iter().find(|sender| Some(sender.id) == path.peer)?;
    let (code, what) = match own {
        Own::Block => (ProblemCode::OwnBlockAnnounced, "this node's own block"),
        Own::TunnelAddress => (ProblemCode::TunnelAddressAnnounced, "this node's tunnel address"),
    };
    let next_hop = path.received.next_hop.hop().address;
    let message = format!("{} announces {what} {} with next hop {next_hop}", sender.name, route.prefix);
    let remedy = match own {
        Own::Block => {
            "see which of the two nodes the block belongs to (`calicoctl ipam show`), and take it from the other"
        }
        Own::TunnelAddress => "give each node a tunnel address of its own",
    };
    let problem = match sender.kind {
        PeerType::Internal => error(code, message, remedy),
        // A router that replaces our AS by its own sends us what we sent it, and it cannot be told from a rival's.
        PeerType::External => warning(code, message, remedy),
    };
    Some(problem.about(route.prefix.to_string()))
}
