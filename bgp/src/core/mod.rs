//! The heart of the speaker: sole owner of the RIBs and of the routing side of every session.
//!
//! ```text
//! routes() -> import policy -> Adj-RIB-In -> decision -> Loc-RIB -> change log
//!                                                                     |-> poll_best()      (forwarding table)
//!                                                                     `-> poll_transmit()  (export groups)
//! ```
//!
//! No IO and no clock: whoever drives it passes `now`. After any mutation call [`Core::run`] until it is
//! [`Work::Done`], drain [`Core::poll_action`], and come back at [`Core::poll_timeout`]. Whatever can be large
//! is pulled: best routes by [`Core::poll_best`], messages by [`Core::poll_transmit`] while a socket is writable.

mod audience;
mod best;
mod chunk;
mod egress;
mod event;
mod export;
mod fallover;
mod family;
mod holding;
mod ingress;
mod input;
mod kept;
mod limit;
mod paths;
mod peers;
mod progress;
mod query;
mod refusals;
mod restart;
mod sessions;
mod sets;
mod shared;
mod told;
mod transmit;
mod watch;
mod ways;

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

pub use self::event::{
    Action, AdjRibIn, AdvertisedRoute, BestChange, Delivery, ExplainedExport, ExplainedStep, Explanation,
    ExportSubject, Freshness, Page, PathView, PeerChange, PeersBefore, Presence, RestartWait, RouteCounts,
    RouteView, Usability, Warning, WatchItem, WatchedTable, WeightedNextHop, Withheld, Work,
};
pub use self::refusals::Refusals;
pub use self::watch::{Overtaken, WatchFigures, WatchId, WatchSettings};
use self::{
    family::{FamilyRib, Promise},
    peers::PeerIds,
    restart::Deferral,
    sets::Unsent,
    shared::{Peer, Shared},
};
use crate::{
    config::{DefaultRoute, PeerConfig, SpeakerConfig},
    event::{NextHopReport, RouteBatch, RouteItem, SessionAddresses},
    rib::Net,
    types::{Families, Family, NextHopAddress, Now, PeerId},
    wire::{attribute::PathAttributes, nlri::NlriList},
};

/// The pure core of a BGP speaker.
#[derive(Debug)]
pub struct Core {
    config: SpeakerConfig,
    ids: PeerIds,
    shared: Shared,
    v4: FamilyRib<Ipv4Net>,
    v6: FamilyRib<Ipv6Net>,
    /// What we originate.
    own: BTreeSet<IpNet>,
    deferral: Deferral,
    /// Removed peers whose paths have not all been swept yet.
    dying: Vec<PeerId>,
    next_watch: u64,
    now: Now,
}

/// Calls the same method of the family meant.
macro_rules! in_family {
    ($core:expr, $family:expr, $rib:ident => $call:expr) => {
        match $family {
            Family::Ipv4Unicast => {
                let $rib = &mut $core.v4;
                $call
            }
            Family::Ipv6Unicast => {
                let $rib = &mut $core.v6;
                $call
            }
        }
    };
    (ref $core:expr, $family:expr, $rib:ident => $call:expr) => {
        match $family {
            Family::Ipv4Unicast => {
                let $rib = &$core.v4;
                $call
            }
            Family::Ipv6Unicast => {
                let $rib = &$core.v6;
                $call
            }
        }
    };
}
use in_family;

impl Core {
    /// A core with these peers, none of which has a session. The deferral of our own restart starts now.
    pub fn new(config: SpeakerConfig, now: Now) -> Self {
        let mut shared = Shared::new(&config);
        let mut ids = PeerIds::default();
        for peer in &config.peers {
            let id = ids.assign(&peer.name);
            shared.insert_peer(id, Peer::new(peer.clone()));
            shared.follow_way(id);
        }
        if config.graceful_restart_time.is_zero() {
            shared.actions.extend(Family::ALL.map(Action::RestartOver));
        } else {
            shared.deferring = Family::ALL.into_iter().collect();
            shared.keeping = shared.deferring;
        }
        let mut core = Self {
            config,
            ids,
            shared,
            v4: FamilyRib::default(),
            v6: FamilyRib::default(),
            own: BTreeSet::new(),
            deferral: Deferral::new(now),
            dying: Vec::new(),
            next_watch: 0,
            now,
        };
        core.promise_defaults();
        core
    }

    /// Says whom the process before this one had sessions with: our restart waits for their routes, for as long as the
    /// configuration allows.
    pub fn expect(&mut self, before: PeersBefore) {
        self.deferral.expect(before, &self.config);
    }

    /// Names of the peers whose routes may be in the forwarding table, sorted: those with a session, those whose routes
    /// outlive one, and while our restart is under way those it waits for.
    pub fn involved(&self) -> BTreeSet<String> {
        let present = self.shared.peers().filter(|(_, peer)| peer.session.is_some() || peer.has_stale());
        let mut names: BTreeSet<_> = present.map(|(_, peer)| peer.config.name.clone()).collect();
        if !self.shared.keeping.is_empty() {
            names.extend(self.deferral.expected().cloned());
        }
        names
    }

    /// The configured peers, ascending by index.
    pub fn peers(&self) -> impl Iterator<Item = (PeerId, &PeerConfig)> {
        self.shared.peers().map(|(id, peer)| (id, &peer.config))
    }

    /// The ends of the established sessions, ascending by peer.
    pub fn sessions(&self) -> impl Iterator<Item = (PeerId, SessionAddresses)> {
        self.shared.peers().filter_map(|(id, peer)| Some((id, peer.session.as_ref()?.addresses)))
    }

    /// The configuration of one peer.
    pub fn peer(&self, id: PeerId) -> Option<&PeerConfig> {
        self.shared.peer(id).map(|peer| &peer.config)
    }

    /// The configuration in force.
    pub fn config(&self) -> &SpeakerConfig {
        &self.config
    }

    /// What an established session received.
    ///
    /// Ignored when the peer has no session, or is to be closed for passing its limit.
    pub fn routes(&mut self, now: Now, peer: PeerId, batch: RouteBatch) {
        self.now = now;
        for item in batch.items {
            let session = self.shared.peer(peer).filter(|p| !p.closing).and_then(|p| p.session.as_ref());
            let Some(families) = session.map(|s| s.negotiated.families) else { return };
            match item {
                RouteItem::Reach { nlri, .. } if !families.contains(nlri.family()) => {}
                RouteItem::Reach { attributes, nlri } => match nlri {
                    NlriList::V4(list) => self.v4.reach(&mut self.shared, now, peer, &attributes, &list),
                    NlriList::V6(list) => self.v6.reach(&mut self.shared, now, peer, &attributes, &list),
                },
                RouteItem::Unreach(NlriList::V4(list)) => self.v4.unreach(&mut self.shared, peer, &list),
                RouteItem::Unreach(NlriList::V6(list)) => self.v6.unreach(&mut self.shared, peer, &list),
                RouteItem::EndOfRib(family) => self.end_of_rib(peer, family),
            }
        }
    }

    /// The answer to [`Action::WatchNextHop`], or a change of it.
    pub fn next_hop(
        &mut self,
        now: Now,
        next_hop: impl Into<NextHopAddress>,
        report: impl Into<NextHopReport>,
    ) {
        self.now = now;
        self.take_report(next_hop.into(), report.into());
    }

    /// Replaces the set of prefixes we originate.
    pub fn originate(&mut self, now: Now, prefixes: &BTreeSet<IpNet>) {
        self.now = now;
        let prefixes: BTreeSet<_> = prefixes.iter().map(IpNet::trunc).collect();
        for prefix in self.own.difference(&prefixes) {
            match prefix {
                IpNet::V4(p) => self.v4.unoriginate(&mut self.shared, *p),
                IpNet::V6(p) => self.v6.unoriginate(&mut self.shared, *p),
            }
        }
        for prefix in prefixes.difference(&self.own) {
            match prefix {
                IpNet::V4(p) => self.v4.originate(&mut self.shared, now, *p),
                IpNet::V6(p) => self.v6.originate(&mut self.shared, now, *p),
            }
        }
        self.own = prefixes;
    }

    /// Has default routes for the peers that are to be sent one whatever we know.
    fn promise_defaults(&mut self) {
        for family in Family::ALL {
            let promised = |peer: &Peer| {
                peer.config.switches.default_route == DefaultRoute::Originated
                    && peer.config.families.contains(family)
            };
            let given = self.shared.peers().any(|(_, peer)| promised(peer));
            let promise = if given { Promise::Given } else { Promise::None };
            in_family!(self, family, rib => rib.promise_default(&mut self.shared, self.now, promise));
        }
    }

    /// Carries timers and deferred work on, at most about `budget` prefixes of it.
    pub fn run(&mut self, now: Now, budget: usize) -> Work {
        self.now = now;
        self.expire_stale();
        // Each family has a half, and what the other leaves: neither waits for the end of the other's work.
        let mut own = budget.max(2) / 2;
        let mut first = run_family(&mut self.v4, &mut self.shared, &mut own);
        let mut rest = own + budget.max(2) / 2;
        let second = run_family(&mut self.v6, &mut self.shared, &mut rest);
        if first == Work::Pending {
            first = run_family(&mut self.v4, &mut self.shared, &mut rest);
        }
        let work = [first, second];
        if self.v4.is_swept() && self.v6.is_swept() {
            self.dying.drain(..).for_each(|id| self.ids.free(id));
        }
        let work = if work.contains(&Work::Pending) { Work::Pending } else { Work::Done };
        let kept = self.shared.keeping;
        let selected = self.deferral.check(now, &self.config, &mut self.shared, work);
        for family in selected.iter() {
            in_family!(self, family, rib => rib.selection_begins());
        }
        if selected.is_empty() && kept == self.shared.keeping { work } else { Work::Pending }
    }

    /// The next small thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.shared.poll_action()
    }

    /// At most `max` changes of best routes since the last call, the latest state of each prefix only.
    ///
    /// The first call starts with the whole table. Only routes of peers whose
    /// [`install`](PeerConfig::install) says so are handed out, and never our own. A route that
    /// was handed out and is withdrawn is taken back at once, also while our own restart is under way: what the life before
    /// left in the forwarding table was never handed out by this one, and is its owner's to keep until
    /// [`Action::RestartOver`].
    pub fn poll_best(&mut self, max: usize) -> Vec<BestChange> {
        let mut changes = Vec::new();
        // Neither family waits for the end of the other's changes.
        self.v4.poll_best(&self.shared, max.div_ceil(2), &mut changes);
        self.v6.poll_best(&self.shared, max, &mut changes);
        self.v4.poll_best(&self.shared, max, &mut changes);
        changes
    }

    /// Has the next [`Core::poll_best`] calls go through the whole table again.
    pub fn restart_best(&mut self) {
        self.v4.best.restart();
        self.v6.best.restart();
    }

    /// Peers for which [`Core::poll_transmit`] has something, ascending.
    pub fn peers_with_output(&self) -> Vec<PeerId> {
        let mut peers: Vec<_> =
            self.v4.with_output(&self.shared).chain(self.v6.with_output(&self.shared)).collect();
        peers.sort_unstable();
        peers.dedup();
        peers
    }

    fn has_output(&self, peer: PeerId) -> bool {
        self.v4.has_output(&self.shared, peer) || self.v6.has_output(&self.shared, peer)
    }

    /// Appends whole messages for this peer, about `budget` bytes of them, in the order to be sent.
    ///
    /// [`Work::Pending`] means that more is waiting, whether or not something was appended.
    pub fn poll_transmit(&mut self, peer: PeerId, budget: usize, messages: &mut Vec<Bytes>) -> Work {
        let before = messages.len();
        let left = |messages: &[Bytes]| {
            let used: usize = messages.iter().skip(before).map(Bytes::len).sum();
            budget.saturating_sub(used)
        };
        // Neither family waits for the end of the other's messages.
        let half = budget.div_ceil(2);
        let first = self.v4.poll_transmit(&mut self.shared, peer, half, messages);
        self.v6.poll_transmit(&mut self.shared, peer, left(messages).max(1), messages);
        if first == Work::Pending {
            self.v4.poll_transmit(&mut self.shared, peer, left(messages), messages);
        }
        if self.has_output(peer) { Work::Pending } else { Work::Done }
    }

    /// When [`Core::run`] must be called next, if nothing else happens.
    pub fn poll_timeout(&self) -> Option<Now> {
        let stale = self.shared.peers().flat_map(|(_, p)| Family::ALL.map(|f| p.input(f).deadline));
        let deferral = self.deferral.timeout(self.now, &self.config, &self.shared);
        stale.flatten().chain(deferral).min()
    }

    /// Families whose route selection is still deferred after our restart: the R bit is to be set while any is.
    pub fn deferring(&self) -> Families {
        self.shared.deferring
    }

    /// Families of which nothing is taken from the forwarding table yet after our restart, because somebody may still
    /// announce it.
    pub fn keeping(&self) -> Families {
        self.shared.keeping
    }

    /// Whom the end of our restart waits for; none when it is over.
    pub fn restart_wait(&self, now: Now) -> Option<RestartWait> {
        self.deferral.wait(now, &self.config, &self.shared)
    }

    /// How many prefixes are known, those whose every path was refused included.
    pub fn prefixes(&self, family: Family) -> usize {
        in_family!(ref self, family, rib => rib.prefixes())
    }

    /// Routes with all their paths, the best first, sorted by prefix, from behind `after`.
    pub fn loc_rib(&self, family: Family, after: Option<IpNet>, max: usize) -> Page<RouteView> {
        in_family!(ref self, family, rib => rib.loc_rib(&self.shared, after, max))
    }

    /// The paths one peer sent, sorted by prefix, from behind `after`.
    pub fn adj_rib_in(
        &self,
        peer: PeerId,
        part: AdjRibIn,
        family: Family,
        after: Option<IpNet>,
        max: usize,
    ) -> Page<RouteView> {
        in_family!(ref self, family, rib => rib.adj_rib_in(&self.shared, peer, part, after, max))
    }

    /// What one peer has been sent, sorted by prefix, from behind `after`.
    pub fn adj_rib_out(
        &self,
        peer: PeerId,
        family: Family,
        after: Option<IpNet>,
        max: usize,
    ) -> Page<AdvertisedRoute> {
        in_family!(ref self, family, rib => rib.adj_rib_out(&self.shared, peer, after, max))
    }

    /// The longest prefix known that contains this one (or is it).
    pub fn lookup(&self, within: IpNet) -> Option<IpNet> {
        in_family!(ref self, query::family(within), rib => rib.lookup(within))
    }

    /// The route of exactly this prefix.
    pub fn route(&self, prefix: IpNet) -> Option<RouteView> {
        in_family!(ref self, query::family(prefix), rib => rib.route(&self.shared, prefix))
    }

    /// Decides once more over this prefix, telling every step.
    pub fn explain(&self, prefix: IpNet) -> Option<Explanation> {
        in_family!(ref self, query::family(prefix), rib => rib.explain(&self.shared, prefix))
    }

    /// What a peer is sent about this prefix, or why nothing; `None` without a session or a best path.
    pub fn explain_export(
        &self,
        peer: PeerId,
        prefix: IpNet,
    ) -> Option<Result<Arc<PathAttributes>, Withheld>> {
        in_family!(ref self, query::family(prefix), rib => rib.explain_export(&self.shared, peer, prefix))
    }

    /// What the path attributes that a peer has sent take in memory, in octets: every distinct set counted once.
    pub fn attribute_octets(&self, peer: PeerId) -> u64 {
        self.shared.peer(peer).map_or(0, |p| p.holding.octets)
    }

    /// What all path attributes take in memory, in octets: every distinct set counted once.
    pub(crate) fn octets_held(&self) -> u64 {
        self.shared.attributes.octets()
    }

    /// Route counters of a peer.
    pub fn counts(&self, peer: PeerId, family: Family) -> RouteCounts {
        let Some(input) = self.shared.peer(peer).map(|p| p.input(family)) else {
            return RouteCounts::default();
        };
        let accepted = input.fresh.accepted + input.stale.accepted;
        let refused = input.fresh.refused.plus(&input.stale.refused);
        RouteCounts {
            received: accepted + refused.total(),
            accepted,
            rejected: refused.total(),
            refused,
            stale: input.stale.total(),
            refused_paths: input.refused_paths,
            too_long: in_family!(ref self, family, rib => rib.unsent(peer, Unsent::TooLong)),
            no_next_hop: in_family!(ref self, family, rib => rib.unsent(peer, Unsent::NoNextHop)),
            refused_prefixes: input.refused_prefixes,
            refused_attributes: input.refused_attributes,
            advertised: in_family!(ref self, family, rib => rib.advertised(peer)),
        }
    }
}

/// Sweeping, moving readers on, letting go.
fn run_family<P: Net>(rib: &mut FamilyRib<P>, shared: &mut Shared, budget: &mut usize) -> Work {
    let swept = rib.sweep(shared, budget);
    let skipped = rib.skip_barren(shared, budget);
    rib.trim();
    if swept == Work::Done { skipped } else { swept }
}

#[cfg(test)]
mod tests;
