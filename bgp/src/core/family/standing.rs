//! What of a route a decision may change, compared before and after.

use smallvec::SmallVec;

use super::FamilyRib;
use crate::{
    core::shared::Shared,
    decision::Reason,
    rib::{AttributesId, Net, Path, RouteId},
    types::PeerId,
};

/// What makes a best path another one for those who read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    None,
    /// Not before a next hop has been answered for.
    Undecided,
    Path(PeerId, u32, AttributesId),
}

/// What a decision may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) best: Identity,
    /// The paths beside the best one that packets take (always none while a route has one next hop), or, where none is
    /// best, those whose next hop cannot be reached.
    pub(super) legs: SmallVec<[(PeerId, u32, AttributesId); 2]>,
    /// All paths, where somebody is told of all.
    pub(super) paths: Vec<PathState>,
}

/// What makes a path another one for those who are sent every path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathState {
    name: (PeerId, u32),
    serial: u32,
    reason: u8,
}

impl<P: Net> FamilyRib<P> {
    fn identity(&self, route: RouteId) -> Identity {
        let entry = self.table.get(route);
        match entry.and_then(|e| e.best()) {
            Some(best) => Identity::Path(best.peer, best.path_id, self.effective(route, best)),
            None if entry.is_some_and(|e| e.is_undecided()) => Identity::Undecided,
            None => Identity::None,
        }
    }

    pub(super) fn standing(&self, shared: &Shared, route: RouteId) -> Standing {
        let paths = self.table.get(route).map_or(&[][..], |e| e.paths());
        let best = paths.iter().any(|p| p.reason == Reason::Best.code());
        let counts = |p: &&Path| match best {
            true => p.reason == Reason::Multipath.code(),
            false => p.reason().is_without_way(),
        };
        let legs = paths.iter().filter(counts);
        let mut legs: SmallVec<_> = legs.map(|p| (p.peer, p.path_id, self.effective(route, p))).collect();
        legs.sort_unstable();
        let paths = if self.paths.is_active() { self.path_states(shared, route) } else { Vec::new() };
        Standing { best: self.identity(route), legs, paths }
    }

    /// Everything about the paths that what is sent of them depends on, but for what concerns many routes at once.
    fn path_states(&self, shared: &Shared, route: RouteId) -> Vec<PathState> {
        let paths = self.table.get(route).map_or(&[][..], |e| e.paths());
        let state = |path: &Path| {
            let id = self.effective(route, path);
            PathState {
                name: (path.peer, path.path_id),
                serial: shared.attributes.serial(id),
                reason: path.reason,
            }
        };
        paths.iter().map(state).collect()
    }
}
