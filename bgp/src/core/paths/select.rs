//! Which paths of a prefix are sent: the best ones, as many as the peer takes.

use std::num::NonZeroU16;

use smallvec::SmallVec;

use super::{PathSettings, Sent, Standing};
use crate::{
    core::{export::Counted, family::FamilyRib, sets::OutgoingPath, shared::Shared},
    decision::{self, Candidate, Reason, Unrecorded},
    policy::Modifying,
    rib::{Net, Path, RouteId},
    types::PeerId,
};

impl<P: Net> FamilyRib<P> {
    /// The paths of a route that go to a group, beside those of `held`, which stay. Where there are more than the group
    /// takes, they are the best, and as many more as make up for those that some member does not get.
    pub(super) fn outgoing_paths(
        &self,
        shared: &Shared,
        settings: &PathSettings,
        route: RouteId,
        held: &[Sent],
        counted: Counted,
    ) -> Vec<(Sent, OutgoingPath)> {
        let Some(entry) = self.table.get(route) else { return Vec::new() };
        let mut chosen = Chosen::new(settings.limit, held);
        if let Some(path) = self.promised_to(&settings.export, entry) {
            let outgoing = OutgoingPath { path, attributes: path.attributes, modifying: Modifying::new() };
            chosen.add(self.sent(shared, settings, &outgoing), outgoing);
            return chosen.paths;
        }
        let mut left: SmallVec<[Path; 4]> =
            entry.paths().iter().filter(|p| p.reason().is_eligible()).copied().collect();
        while !left.is_empty() && !suffices::<P>(shared, &chosen) {
            let next = if chosen.has_room_for(left.len()) { 0 } else { self.best_of(shared, route, &left) };
            let path = left.remove(next);
            if let Some(outgoing) = self.outgoing_path(shared, settings, route, path, counted) {
                chosen.add(self.sent(shared, settings, &outgoing), outgoing);
            }
        }
        chosen.paths
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

    fn sent(&self, shared: &Shared, settings: &PathSettings, outgoing: &OutgoingPath) -> Sent {
        Sent {
            id: self.names.id(&outgoing.path),
            audience: outgoing.audience::<P>(shared, &settings.export),
            serial: shared.attributes.serial(outgoing.attributes),
            standing: Standing::Regular,
        }
    }

    /// Which of these is best.
    fn best_of(&self, shared: &Shared, route: RouteId, paths: &[Path]) -> usize {
        let prefix = self.prefix(route);
        let candidates: SmallVec<[Candidate<'_>; 4]> =
            paths.iter().filter_map(|p| shared.candidate(prefix, p, self.effective(route, p))).collect();
        let reasons = decision::decide(&candidates, &shared.decision, &mut Unrecorded);
        reasons.iter().position(|r| *r == Reason::Best).unwrap_or(0)
    }
}

/// Whether every member has as many paths as it takes.
fn suffices<P: Net>(shared: &Shared, chosen: &Chosen) -> bool {
    let Some(beyond) = chosen.total.checked_sub(chosen.limit) else { return false };
    let mut sources = chosen.sources.iter().filter(|source| takes_several::<P>(shared, **source));
    sources.all(|source| chosen.from(*source) <= beyond)
}

fn takes_several<P: Net>(shared: &Shared, peer: PeerId) -> bool {
    let session = shared.peer(peer).and_then(|p| p.session.as_ref());
    session.is_some_and(|s| s.negotiated.extensions.paths_sent.get(P::FAMILY).is_some())
}

/// Paths chosen so far, the best first where that matters.
struct Chosen {
    limit: usize,
    paths: Vec<(Sent, OutgoingPath)>,
    sources: SmallVec<[PeerId; 4]>,
    total: usize,
}

impl Chosen {
    fn new(limit: NonZeroU16, held: &[Sent]) -> Self {
        let sources = held.iter().map(|sent| sent.audience.source).collect();
        Self { limit: limit.get().into(), paths: Vec::new(), sources, total: held.len() }
    }

    /// Whether that many more are no more than anybody takes, so that their order is no matter.
    fn has_room_for(&self, more: usize) -> bool {
        self.total + more <= self.limit
    }

    fn add(&mut self, sent: Sent, outgoing: OutgoingPath) {
        let standing = match self.total.checked_sub(self.limit) {
            None => Standing::Regular,
            Some(others) => Standing::Spare(others.try_into().unwrap_or(u16::MAX)),
        };
        self.total += 1;
        self.sources.push(sent.audience.source);
        self.paths.push((Sent { standing, ..sent }, outgoing));
    }

    /// How many of them came from this peer.
    fn from(&self, source: PeerId) -> usize {
        self.sources.iter().filter(|s| **s == source).count()
    }
}
