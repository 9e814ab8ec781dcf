//! Which paths of a prefix are sent: the best ones, as many as the peer takes.

use smallvec::SmallVec;

use super::PathSettings;
use crate::{
    core::{export::Counted, family::FamilyRib, shared::Shared},
    decision::{self, Candidate, Reason, Unrecorded},
    policy::Modifying,
    rib::{AttributesId, Entry, Net, Path, RouteId},
};

/// A path to be sent.
#[derive(Clone, Debug)]
pub(in crate::core) struct OutgoingPath {
    pub(in crate::core) path: Path,
    pub(in crate::core) attributes: AttributesId,
    pub(in crate::core) modifying: Modifying,
}

impl<P: Net> FamilyRib<P> {
    /// The paths of a route that go to a group, the best first where the group takes fewer than there are.
    pub(super) fn outgoing_paths(
        &self,
        shared: &Shared,
        settings: &PathSettings,
        route: RouteId,
        counted: Counted,
    ) -> SmallVec<[OutgoingPath; 4]> {
        let Some(entry) = self.table.get(route) else { return SmallVec::new() };
        if let Some(path) = self.promised_to(&settings.export, entry) {
            let outgoing = OutgoingPath { path, attributes: path.attributes, modifying: Modifying::new() };
            return SmallVec::from_iter([outgoing]);
        }
        let paths = self.best_paths(shared, route, entry, settings.limit.get().into());
        paths
            .into_iter()
            .filter_map(|path| self.outgoing_path(shared, settings, route, path, counted))
            .collect()
    }

    fn outgoing_path(
        &self,
        shared: &Shared,
        settings: &PathSettings,
        route: RouteId,
        path: Path,
        counted: Counted,
    ) -> Option<OutgoingPath> {
        let attributes = self.effective(route, &path);
        let (entry, known) = (self.table.get(route)?, shared.attributes.get(attributes)?);
        settings.export.permit::<P>(shared, &path, known).ok()?;
        let modifying = settings.export.consent(shared, entry.prefix, &path, known, counted).ok()?;
        Some(OutgoingPath { path, attributes, modifying })
    }

    /// The eligible paths, or the best `limit` of them.
    fn best_paths(
        &self,
        shared: &Shared,
        route: RouteId,
        entry: &Entry<P>,
        limit: usize,
    ) -> SmallVec<[Path; 4]> {
        let mut left: SmallVec<[Path; 4]> =
            entry.paths().iter().filter(|p| p.reason().is_eligible()).copied().collect();
        if left.len() <= limit {
            return left;
        }
        let mut best = SmallVec::new();
        while best.len() < limit {
            let candidates: SmallVec<[Candidate<'_>; 4]> =
                left.iter().filter_map(|p| shared.candidate(p, self.effective(route, p))).collect();
            let reasons = decision::decide(&candidates, &shared.decision, &mut Unrecorded);
            let Some(first) = reasons.iter().position(|r| *r == Reason::Best) else { break };
            best.push(left.remove(first));
        }
        best
    }
}
