//! What we originate ourselves: our own prefixes, and default routes that are meant for some peers only.

use std::sync::Arc;

use super::{FamilyRib, seconds};
use crate::{
    config::DefaultRoute,
    core::{export::ExportSettings, ingress::Entrance, shared::Shared},
    decision::Reason,
    policy::Policy,
    rib::{Entry, LOCAL, Net, Path},
    types::Now,
    wire::{
        attribute::{Origin, PathAttributes},
        nlri::Nlri,
    },
};

/// The path identifier of a default route that is meant for some peers only; that of our own prefixes is 0.
const PROMISED: u32 = 1;

/// Whether a peer is promised a default route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::core) enum Promise {
    /// One is.
    Given,
    /// None is.
    None,
}

impl<P: Net> FamilyRib<P> {
    /// Begins to originate a prefix, or goes on to.
    pub(in crate::core) fn originate(&mut self, shared: &mut Shared, now: Now, prefix: P) {
        self.put_own(shared, now, prefix, (0, Reason::Best));
    }

    /// Ceases to originate a prefix.
    pub(in crate::core) fn unoriginate(&mut self, shared: &mut Shared, prefix: P) {
        self.unreach(shared, LOCAL, &[Nlri { prefix, path_id: 0 }]);
    }

    /// Has a default route for those it is promised to, or for nobody. It takes no part in the decision.
    pub(in crate::core) fn promise_default(&mut self, shared: &mut Shared, now: Now, promise: Promise) {
        let prefix = P::default();
        match promise {
            Promise::Given => self.put_own(shared, now, prefix, (PROMISED, Reason::OnlyForPeers)),
            Promise::None => {
                let Some(route) = self.table.find(prefix) else { return };
                if self.table.get(route).is_none_or(|e| promised(e).is_none()) {
                    return;
                }
                // Those who have it find it in the log, although no best path has changed.
                self.table.touch(route);
                self.unreach(shared, LOCAL, &[Nlri { prefix, path_id: PROMISED }]);
            }
        }
    }

    /// The default route a group is promised, where this is its entry: it goes there instead of the best path.
    pub(in crate::core) fn promised_to(&self, settings: &ExportSettings, entry: &Entry<P>) -> Option<Path> {
        let is_promised = settings.rewrite.default_route == DefaultRoute::Originated;
        promised(entry).filter(|_| is_promised).copied()
    }

    fn put_own(&mut self, shared: &mut Shared, now: Now, prefix: P, (path_id, reason): (u32, Reason)) {
        let id = shared.attributes.intern(&Arc::new(own_attributes::<P>()), &mut shared.next_hops);
        let path = Path {
            attributes: id,
            peer: LOCAL,
            path_id,
            learned: seconds(now),
            epoch: 0,
            modified: false,
            internal: false,
            reason: reason.code(),
        };
        let route = self.table.obtain(prefix);
        self.put(shared, route, path, &Entrance::default(), &Policy::default());
        shared.release(id);
    }
}

fn promised<P>(entry: &Entry<P>) -> Option<&Path> {
    entry.paths().iter().find(|path| path.is(LOCAL, PROMISED))
}

/// The attributes of a route of our own; the next hop is filled in for each peer.
fn own_attributes<P: Net>() -> PathAttributes {
    PathAttributes {
        origin: Origin::Igp,
        as_path: Default::default(),
        next_hop: P::unspecified(),
        med: None,
        local_pref: None,
        atomic_aggregate: false,
        rare: None,
    }
}
