//! The import policy and what it makes of a path.

use std::sync::Arc;

use super::FamilyRib;
use crate::{
    core::{
        ingress::Entrance,
        shared::{Peer, Shared},
    },
    decision::Reason,
    martian,
    policy::{Policy, RejectReason, Verdict},
    rib::{AttributesId, LOCAL, Net, Path, RouteId},
    types::PeerType,
    wire::{attribute::PathAttributes, community::Community},
};

/// What the import policy said.
pub(super) struct Imported {
    pub(super) refused: Option<Reason>,
    /// The attributes it made, with a reference that the path will own.
    pub(super) modified: Option<AttributesId>,
}

impl<P: Net> FamilyRib<P> {
    /// Asks the import policy about a path.
    pub(super) fn import(
        &self,
        shared: &mut Shared,
        route: RouteId,
        path: &Path,
        entrance: &Entrance,
        policy: &Policy,
    ) -> Imported {
        let refused = |reason| Imported { refused: Some(reason), modified: None };
        let unchanged = Imported { refused: None, modified: None };
        if let Some(reason) = entrance.refused {
            return refused(reason);
        }
        if path.peer != LOCAL && self.is_martian(shared, route, path) {
            return refused(Reason::Martian);
        }
        let long_lived = shared.is_long_lived(P::FAMILY, path);
        let plain = policy.accepts_all()
            && entrance.prepared.is_none()
            && entrance.ending.is_nothing()
            && !long_lived;
        let received = self.table.get(route).zip(shared.attributes.get(path.attributes));
        let Some((entry, attributes)) = received.filter(|_| path.peer != LOCAL && !plain) else {
            return unchanged;
        };
        if policy.reads_interfaces() && shared.interfaces_of(path.peer).is_none() {
            return refused(Reason::Rejected(RejectReason::InterfacePending));
        }
        let attributes = entrance.prepared.as_ref().unwrap_or(attributes);
        let context = shared.import_context(entry.prefix.into(), attributes, path);
        let evaluation = policy.evaluate(&context);
        policy.count(&evaluation);
        if let Verdict::Reject(reason) = evaluation.verdict {
            return refused(Reason::Rejected(reason));
        }
        if evaluation.modifying.is_empty()
            && entrance.prepared.is_none()
            && entrance.ending.is_nothing()
            && !long_lived
        {
            return unchanged;
        }
        let mut changed = (**attributes).clone();
        policy.modify(&evaluation.modifying, &mut changed, &context.session);
        entrance.ending.apply(&mut changed);
        if long_lived {
            mark_long_lived(&mut changed);
        }
        let id = shared.attributes.intern(&Arc::new(changed), &mut shared.next_hops);
        Imported { refused: None, modified: Some(id) }
    }

    /// True if no route may lead to the prefix, whatever the policy says of it.
    fn is_martian(&self, shared: &Shared, route: RouteId, path: &Path) -> bool {
        let reserved = shared.peer(path.peer).map(|p| p.config.switches.reserved_ranges).unwrap_or_default();
        self.table.get(route).is_some_and(|entry| martian::is_martian(entry.prefix.into(), reserved))
    }

    /// The attributes of a path after the import policy.
    pub(in crate::core) fn effective(&self, route: RouteId, path: &Path) -> AttributesId {
        let changed = path.modified.then(|| self.modified.get(&(route, path.peer, path.path_id)));
        changed.flatten().copied().unwrap_or(path.attributes)
    }

    /// Asks changed import policies once more. Returns what that took, in routes without a policy.
    pub(super) fn reimport(&mut self, shared: &mut Shared, route: RouteId) -> usize {
        let mut effort = 0;
        let concerned = |p: &Peer| p.input(P::FAMILY).reimport;
        let paths = self.table.get(route).map_or(0, |e| e.paths().len());
        for index in 0..paths {
            let Some(path) = self.table.get(route).and_then(|e| e.paths().get(index)).copied() else { break };
            let peer = shared.peer(path.peer).filter(|p| concerned(p));
            let Some(policy) = peer.map(|p| p.config.import.clone()) else { continue };
            let kind = if path.internal { PeerType::Internal } else { PeerType::External };
            let received = shared.attributes.get(path.attributes);
            let entrance = received.map(|a| shared.admit(path.peer, kind, a)).unwrap_or_default();
            let imported = self.import(shared, route, &path, &entrance, &policy);
            effort += policy.effort();
            shared.hold(path.peer, path.attributes);
            self.disown(shared, route, &path);
            let path = Path {
                reason: imported.refused.unwrap_or(Reason::NextHopPending).code(),
                modified: imported.modified.is_some(),
                ..path
            };
            if let Some(id) = imported.modified {
                self.modified.insert((route, path.peer, path.path_id), id);
            }
            let attributes = self.effective(route, &path);
            shared.account_in(P::FAMILY, &path, attributes);
            if let Some(slot) = self.table.get_mut(route).and_then(|e| e.paths_mut().get_mut(index)) {
                *slot = path;
            }
        }
        effort
    }
}

/// RFC 9494 section 4.2.
fn mark_long_lived(attributes: &mut PathAttributes) {
    let rare = attributes.rare.get_or_insert_default();
    if !rare.communities.contains(&Community::LLGR_STALE.0) {
        rare.communities.push(Community::LLGR_STALE.0);
    }
}
