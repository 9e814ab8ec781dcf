//! Walks over all routes for what concerns many of them.

use super::FamilyRib;
use crate::{
    core::{event::Work, shared::Shared},
    rib::{Net, RouteId},
};

/// A walk over all routes that carries out what concerns many of them.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    next: Option<RouteId>,
    again: bool,
}

impl<P: Net> FamilyRib<P> {
    /// Has every route looked at again: dead paths, changed import policies, changed next hops.
    pub(in crate::core) fn request_sweep(&mut self) {
        match self.sweep.next {
            None | Some(0) => self.sweep.next = Some(0),
            Some(_) => self.sweep.again = true,
        }
    }

    /// Whether no walk is under way.
    pub(in crate::core) fn is_swept(&self) -> bool {
        self.sweep.next.is_none()
    }

    /// Looks at one route again. Returns what that took, in routes without a policy.
    pub(in crate::core) fn revisit(&mut self, shared: &mut Shared, route: RouteId) -> usize {
        if self.table.get(route).is_none_or(|e| e.paths().is_empty()) {
            return 1;
        }
        let before = self.standing(shared, route);
        self.take(shared, route, |shared, path, attributes| {
            shared.is_long_lived(P::FAMILY, path) && shared.is_short_lived(path)
                || shared.is_cut_off(P::FAMILY, path, attributes)
        });
        let effort = self.reimport(shared, route);
        self.settle(shared, route, before);
        // The paths may be the same, and yet their order another one.
        let several = self.table.get(route).filter(|e| self.paths.is_active() && e.paths().len() > 1);
        if let Some(entry) = several {
            self.paths.note(entry.prefix);
        }
        1 + effort
    }

    /// Walks on; `budget` counts routes down, and one whose policies are asked again for as much as that takes.
    pub(in crate::core) fn sweep(&mut self, shared: &mut Shared, budget: &mut usize) -> Work {
        while let Some(route) = self.sweep.next {
            if route >= self.table.bound() {
                self.sweep.next = std::mem::take(&mut self.sweep.again).then_some(0);
                if self.sweep.next.is_none() {
                    shared.peers_mut().for_each(|(_, p)| p.input_mut(P::FAMILY).swept());
                }
                continue;
            }
            if *budget == 0 {
                return Work::Pending;
            }
            self.sweep.next = Some(route + 1);
            *budget = budget.saturating_sub(self.revisit(shared, route));
        }
        Work::Done
    }
}
