//! What is done to a received route before the import policy and after it, whatever the policy says.

use std::sync::Arc;

use super::shared::{Peer, Shared};
use crate::{
    config::{Blackhole, FirstAs, LocalAsPath},
    decision::Reason,
    types::{PeerId, PeerType},
    wire::{
        attribute::PathAttributes,
        community::Community,
        role::{Leak, Role},
    },
};

/// How routes with the same attributes enter.
#[derive(Clone, Debug, Default)]
pub(super) struct Entrance {
    /// Why they are refused.
    pub(super) refused: Option<Reason>,
    /// What the import policy sees, where that is not what was received.
    pub(super) prepared: Option<Arc<PathAttributes>>,
    /// What happens after the policy.
    pub(super) ending: Ending,
}

/// What well-known communities make of a route once the import policy has had its say: one that takes the community
/// away takes its meaning away too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ending {
    /// GRACEFUL_SHUTDOWN lowers the preference (RFC 8326 section 4).
    lowers: bool,
    /// BLACKHOLE keeps the route in the AS (RFC 7999 section 3.2).
    confines: bool,
    /// One of these communities is there.
    due: bool,
}

impl Shared {
    /// How routes with these attributes enter from a peer over a session of this type.
    pub(super) fn admit(&self, id: PeerId, kind: PeerType, attributes: &PathAttributes) -> Entrance {
        let Some(peer) = self.peer(id) else { return Entrance::default() };
        Entrance {
            refused: self.refusal(peer, kind, attributes),
            prepared: prepared(peer, kind, attributes).map(Arc::new),
            ending: Ending::of(peer, kind, attributes),
        }
    }

    /// RFC 4271 sections 6.3 and 9.1.2, RFC 4456 section 8, RFC 9234 section 5.
    fn refusal(&self, peer: &Peer, kind: PeerType, attributes: &PathAttributes) -> Option<Reason> {
        let (path, switches) = (&attributes.as_path, &peer.config.switches);
        let ours = [Some(self.asn), switches.local_as.map(|local| local.asn)];
        let allowed = usize::from(switches.allow_as_in);
        if ours.into_iter().flatten().any(|asn| path.occurrences(asn) > allowed) {
            return Some(Reason::AsLoop);
        }
        let rare = attributes.rare.as_deref();
        match kind {
            PeerType::Internal => {
                let rare = rare?;
                if rare.originator_id == Some(self.router_id) {
                    return Some(Reason::OriginatorLoop);
                }
                rare.cluster_list.contains(&self.cluster_id).then_some(Reason::ClusterLoop)
            }
            PeerType::External => {
                if switches.first_as == FirstAs::Enforce && path.first() != Some(peer.asn()) {
                    return Some(Reason::FirstAs);
                }
                let leak = switches.role?.judge(rare.and_then(|r| r.otc), peer.asn());
                (leak == Leak::Leaked).then_some(Reason::OtcLeak)
            }
        }
    }
}

/// The attributes with Only to Customer (RFC 9234 section 5) and our other AS number, where these belong there.
fn prepared(peer: &Peer, kind: PeerType, attributes: &PathAttributes) -> Option<PathAttributes> {
    if kind == PeerType::Internal {
        return None;
    }
    let switches = &peer.config.switches;
    let marked = attributes.rare.as_ref().is_some_and(|r| r.otc.is_some());
    let marks = !marked && switches.role.is_some_and(Role::marks_received);
    let prepends = switches.local_as.filter(|local| local.path == LocalAsPath::Prepend);
    if !marks && prepends.is_none() {
        return None;
    }
    let mut prepared = attributes.clone();
    if marks {
        prepared.rare.get_or_insert_default().otc = Some(peer.asn());
    }
    if let Some(local) = prepends {
        prepared.as_path = prepared.as_path.prepend(local.asn, 1);
    }
    Some(prepared)
}

impl Ending {
    fn of(peer: &Peer, kind: PeerType, attributes: &PathAttributes) -> Self {
        let has = |community: Community| {
            attributes.rare.as_ref().is_some_and(|r| r.communities.contains(&community.0))
        };
        let lowers = kind == PeerType::External && has(Community::GRACEFUL_SHUTDOWN);
        let confines = peer.config.switches.blackhole == Blackhole::Accept;
        Self { lowers, confines, due: lowers || confines && has(Community::BLACKHOLE) }
    }

    /// Whether there is nothing to do, unless the policy attaches a community.
    pub(super) fn is_nothing(self) -> bool {
        !self.due
    }

    /// Does it.
    pub(super) fn apply(self, attributes: &mut PathAttributes) {
        let Some(rare) = attributes.rare.as_mut() else { return };
        let has = |list: &[u32], community: Community| list.contains(&community.0);
        if self.confines
            && has(&rare.communities, Community::BLACKHOLE)
            && !has(&rare.communities, Community::NO_EXPORT)
            && !has(&rare.communities, Community::NO_ADVERTISE)
        {
            rare.communities.push(Community::NO_EXPORT.0);
        }
        if self.lowers && has(&rare.communities, Community::GRACEFUL_SHUTDOWN) {
            attributes.local_pref = Some(0);
        }
    }
}
