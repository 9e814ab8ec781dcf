//! How far a peer has come in being told a table: the walk through all of it, the log of changes, and the markers.

use bytes::{Bytes, BytesMut};

use super::event::Work;
use crate::{
    rib::RouteId,
    types::Family,
    wire::{RouteRefresh, encode, packer},
};

/// Stretches without output gone through in one call.
const BARREN: usize = 8;

/// Where a peer is told from next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// The route of the walk through the whole table, and what of it is told.
    Walk(RouteId, Scope),
    /// The log of changes, behind this position.
    Log(u64),
}

/// One peer's place.
#[derive(Debug)]
pub(super) struct Progress {
    /// The next route of the walk through the whole table.
    pub(super) walk: Option<RouteId>,
    /// What the walk tells.
    pub(super) scope: Scope,
    /// The last change seen.
    pub(super) cursor: u64,
    /// The walk is the first of the session, and comes before the log. A later one repeats what the peer knows, so that
    /// changes are sent between its stretches: a withdrawal does not wait for the end of the table.
    initial: bool,
    /// The latest stretch was one of the walk.
    walked: bool,
    end_of_rib: EndOfRib,
    refresh: Refresh,
}

/// What a walk through the table tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// Every route.
    All,
    /// Those that peers have sent: the peer has been told our own routes while selection was deferred.
    Learned,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EndOfRib {
    Due,
    Sent,
}

/// A walk between Beginning and End of Route Refresh (RFC 7313).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refresh {
    None,
    Asked,
    Begun,
}

/// Whether a refresh is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Markers {
    /// By BoRR and EoRR: both sides know them (RFC 7313).
    Sent,
    /// Not at all (RFC 2918).
    None,
}

/// What the markers depend on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surroundings {
    pub(super) family: Family,
    /// The lowest number above every route.
    pub(super) bound: RouteId,
    /// The newest change.
    pub(super) head: u64,
    /// Whether route selection is deferred.
    pub(super) deferring: bool,
}

/// A part of the table or of the log that a peer has been told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    /// Where it ends.
    pub(super) until: u64,
    /// What it took; zero: it meant nothing to the peer.
    pub(super) octets: usize,
}

/// Tells a peer what is new to it, until there are `budget` octets or no more: the markers that stand at its place, and
/// what `tell` appends of the stretch there; `None`: there is none.
pub(super) fn advance<M: AsMut<Progress>>(
    member: &mut M,
    around: Surroundings,
    budget: usize,
    messages: &mut Vec<Bytes>,
    mut tell: impl FnMut(&mut M, Place, &mut Vec<Bytes>) -> Option<Stretch>,
) -> Work {
    let (mut octets, mut barren) = (0, 0);
    while octets < budget && barren < BARREN {
        if let Some(length) = member.as_mut().mark(around, messages) {
            octets += length;
            continue;
        }
        if member.as_mut().is_done(around.head) {
            return Work::Done;
        }
        let place = member.as_mut().place(around.head);
        let Some(told) = tell(member, place, messages) else { return Work::Done };
        octets += told.octets;
        barren += usize::from(told.octets == 0);
        member.as_mut().pass(place, told.until);
    }
    Work::Pending
}

impl Progress {
    /// The place of a new session: the whole table, End-of-RIB, then what changes from `cursor` on.
    pub(super) fn new(cursor: u64) -> Self {
        let (end_of_rib, refresh) = (EndOfRib::Due, Refresh::None);
        let (walk, scope) = (Some(0), Scope::All);
        Self { walk, scope, cursor, initial: true, walked: false, end_of_rib, refresh }
    }

    /// Goes through the whole table again.
    pub(super) fn restart(&mut self) {
        self.walk_again(Scope::All);
    }

    /// Goes through the table because selection has begun: for whoever has been told all of our own routes, the others
    /// are left.
    pub(super) fn selected(&mut self) {
        self.walk_again(if self.walk.is_none() { Scope::Learned } else { Scope::All });
    }

    fn walk_again(&mut self, scope: Scope) {
        self.initial &= self.walk.is_some();
        (self.walk, self.scope) = (Some(0), scope);
    }

    /// Where the peer is told from next, if the newest change is `head`.
    pub(super) fn place(&self, head: u64) -> Place {
        let changes_first = !self.initial && self.walked && self.cursor < head;
        match self.walk {
            Some(next) if !changes_first => Place::Walk(next, self.scope),
            _ => Place::Log(self.cursor),
        }
    }

    /// Goes through the whole table again because the peer has asked.
    pub(super) fn refresh(&mut self, markers: Markers) {
        match markers {
            Markers::Sent => self.refresh = Refresh::Asked,
            Markers::None => self.restart(),
        }
    }

    /// Whether something waits.
    pub(super) fn waits(&self, head: u64, deferring: bool) -> bool {
        self.walk.is_some() || self.cursor < head || self.end_of_rib_due(deferring) || self.refresh_due()
    }

    fn end_of_rib_due(&self, deferring: bool) -> bool {
        self.end_of_rib == EndOfRib::Due && !deferring
    }

    /// RFC 7313 section 4: no refresh begins before End-of-RIB.
    fn refresh_due(&self) -> bool {
        self.refresh == Refresh::Asked && self.end_of_rib == EndOfRib::Sent
    }

    /// Appends the marker that stands here, if one does; its octets.
    fn mark(&mut self, around: Surroundings, messages: &mut Vec<Bytes>) -> Option<usize> {
        let mut out = BytesMut::new();
        if self.walk.is_some_and(|next| next >= around.bound) {
            self.walk = None;
        }
        if self.refresh_due() {
            self.refresh = Refresh::Begun;
            self.restart();
            encode::route_refresh(RouteRefresh::beginning(around.family), &mut out);
        } else if self.walk.is_some() {
            return None;
        } else if self.end_of_rib_due(around.deferring) {
            self.end_of_rib = EndOfRib::Sent;
            packer::end_of_rib(around.family, &mut out);
        } else if self.refresh == Refresh::Begun {
            self.refresh = Refresh::None;
            encode::route_refresh(RouteRefresh::end(around.family), &mut out);
        } else {
            return None;
        }
        let length = out.len();
        messages.push(out.freeze());
        Some(length)
    }

    /// Whether nothing is left but what will change.
    fn is_done(&self, head: u64) -> bool {
        self.walk.is_none() && self.cursor >= head
    }

    /// Goes on behind a stretch that began at `place` and ends at `until`.
    fn pass(&mut self, place: Place, until: u64) {
        self.walked = matches!(place, Place::Walk(..));
        match place {
            Place::Walk(..) => self.walk = Some(until.try_into().unwrap_or(RouteId::MAX)),
            Place::Log(_) => self.cursor = until,
        }
    }

    /// Whether news of this route, last changed at `position` of the log if that is still there, wait.
    pub(super) fn awaits(&self, route: RouteId, position: Option<u64>) -> bool {
        self.walk.is_some_and(|next| next <= route) || position.is_some_and(|p| p > self.cursor)
    }
}
