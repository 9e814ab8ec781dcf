//! Graceful restart (RFC 4724): of a peer, whose routes are kept meanwhile, and of ourselves.

use std::{collections::BTreeSet, time::Duration};

use super::{
    event::{Action, PeersBefore, RestartWait, Work},
    input::{Input, Retention},
    shared::{Peer, Shared},
};
use crate::{
    config::{AdminState, SpeakerConfig},
    event::{Negotiated, Retention as Ended},
    types::{Families, Family, Now},
};

/// Longest time stale routes wait for End-of-RIB after the peer is back, or for the end of a refresh (RFC 4724 section
/// 4.2 and RFC 7313 section 4 leave it open).
pub(super) const STALE_PATHS: Duration = Duration::from_secs(360);

/// How long the routes of a family outlive a lost session. Without graceful restart of the family its restart time is
/// zero for long-lived ones (RFC 9494 section 4.2).
pub(super) fn retention(now: Now, negotiated: &Negotiated, how: Ended, family: Family) -> Option<Retention> {
    if how == Ended::Flush || !negotiated.families.contains(family) {
        return None;
    }
    let restart = negotiated.graceful_restart.as_ref()?;
    let long_lived = negotiated.extensions.long_lived.as_ref();
    let long_lived_time = long_lived.map_or(Duration::ZERO, |l| *l.stale_time.get(family));
    match restart.families.contains(family) {
        true => Some(Retention { deadline: now.plus(restart.restart_time), long_lived_time }),
        false if long_lived_time.is_zero() => None,
        false => Some(Retention { deadline: now, long_lived_time }),
    }
}

/// Whether stale routes of a family stay now that the peer is back: it must say that it kept forwarding
/// (RFC 4724 section 4.2, RFC 9494 section 4.2). Their new deadline if so.
pub(super) fn resumed(now: Now, negotiated: &Negotiated, family: Family, input: &Input) -> Option<Now> {
    let restart = negotiated.graceful_restart.as_ref()?;
    if input.is_long_lived() {
        let kept = negotiated.extensions.long_lived.as_ref()?.forwarding.contains(family);
        return input.deadline.filter(|_| kept);
    }
    let kept = restart.families.intersection(restart.forwarding).intersection(negotiated.families);
    kept.contains(family).then(|| now.plus(STALE_PATHS))
}

/// Our own restart: when route selection may begin (RFC 4724 section 4.1), and when what the process before this one left
/// in the forwarding table may go.
///
/// The deferral of a family is over as soon as every peer that is waited for has sent End-of-RIB. A peer that was up in
/// the life before is waited for until it is up; any other that is not up, only as long as its first attempts take. A peer
/// that is up and has no graceful restart, or restarts itself, is not waited for. The deferral is over anyway
/// `selection_deferral` after the first session. While there is none, it lasts the restart time we announced, or
/// `selection_deferral` if that is longer.
///
/// What was left stays until the peers that restart themselves have sent End-of-RIB too, or the time is up: they come back
/// at the same moment as we do, and none of us waits for the others' before sending it. What was learned in this life is
/// no concern of the deferral: its withdrawal takes effect at once.
#[derive(Debug)]
pub(super) struct Deferral {
    started: Now,
    first_session: Option<Now>,
    /// Peers that were up in the life before, and have not been up with all their routes in this one.
    expected: BTreeSet<String>,
}

/// What waits for a peer's End-of-RIB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Waiting {
    /// Nothing.
    Nothing,
    /// The removal of what was left in the forwarding table.
    Removal,
    /// Route selection, and removal with it.
    Selection,
}

impl Deferral {
    pub(super) fn new(now: Now) -> Self {
        Self { started: now, first_session: None, expected: BTreeSet::new() }
    }

    /// Waits for those that were up in the life before.
    pub(super) fn expect(&mut self, before: PeersBefore, config: &SpeakerConfig) {
        self.expected = match before {
            PeersBefore::None => BTreeSet::new(),
            PeersBefore::Unknown => config.peers.iter().map(|peer| peer.name.clone()).collect(),
            PeersBefore::Named(names) => names,
        };
    }

    /// Names of the peers that were up in the life before and have not sent all their routes in this one.
    pub(super) fn expected(&self) -> impl Iterator<Item = &String> {
        self.expected.iter()
    }

    /// Hosts of ranges that were up in the life before and have not connected yet; sorted. What is no host of a range any
    /// more is not waited for.
    fn absent_guests(&self, config: &SpeakerConfig, shared: &Shared) -> Vec<&String> {
        let admitted = |name: &&String| config.ranges.iter().any(|range| range.admits(name));
        let mut guests: Vec<_> = self.expected.iter().filter(admitted).collect();
        if !guests.is_empty() {
            let present: BTreeSet<_> = shared.peers().map(|(_, peer)| &peer.config.name).collect();
            guests.retain(|name| !present.contains(name));
        }
        guests
    }

    /// A session has come up.
    pub(super) fn session_up(&mut self, now: Now) {
        self.first_session.get_or_insert(now);
    }

    /// When it is over at the latest.
    fn deadline(&self, config: &SpeakerConfig) -> Now {
        match self.first_session {
            Some(first) => first.plus(config.selection_deferral),
            None => self.started.plus(config.graceful_restart_time.max(config.selection_deferral)),
        }
    }

    /// How long a peer that is not up, and was not before, is waited for: its opening delay and two attempts.
    fn patience(&self, peer: &Peer) -> Now {
        let attempts = peer.config.timers.connect_retry_time.saturating_mul(2);
        self.started.plus(peer.config.timers.first_open_delay.saturating_add(attempts))
    }

    fn waiting(&self, now: Now, peer: &Peer, family: Family) -> Waiting {
        let Some(session) = &peer.session else {
            let was_up = self.expected.contains(&peer.config.name);
            let awaited = was_up || now < self.patience(peer);
            let may_come = peer.config.admin == AdminState::Up;
            return if may_come && awaited { Waiting::Selection } else { Waiting::Nothing };
        };
        let Some(restart) = &session.negotiated.graceful_restart else { return Waiting::Nothing };
        let announced = restart.families.is_empty() || restart.families.contains(family);
        let negotiated = session.negotiated.families.contains(family);
        match negotiated && announced && !peer.input(family).complete {
            false => Waiting::Nothing,
            true if restart.restarting => Waiting::Removal,
            true => Waiting::Selection,
        }
    }

    /// Ends the deferral of families for which nothing is waited for any more; which those are. While decisions are
    /// outstanding (`work`, or a next hop nobody has answered for) what was received is not in force yet, and what
    /// the kernel has must not be taken for stale.
    pub(super) fn check(
        &mut self,
        now: Now,
        config: &SpeakerConfig,
        shared: &mut Shared,
        work: Work,
    ) -> Families {
        if shared.keeping.is_empty() {
            return Families::NONE;
        }
        let established = shared.peers().any(|(_, p)| p.session.is_some());
        let late = now >= self.deadline(config);
        let decided = established && work == Work::Done && !shared.next_hops.awaits_answer();
        self.forget_complete(now, shared);
        let guests = decided && !self.absent_guests(config, shared).is_empty();
        let waiting = |family| {
            let all = shared.peers().map(|(_, p)| self.waiting(now, p, family));
            let all = all.chain(guests.then_some(Waiting::Selection));
            if late { Waiting::Nothing } else { all.max().unwrap_or(Waiting::Nothing) }
        };
        let over = |of: Waiting| move |family: &Family| late || decided && waiting(*family) < of;
        let selected: Families = shared.deferring.iter().filter(over(Waiting::Selection)).collect();
        let removed: Families = shared.keeping.iter().filter(over(Waiting::Removal)).collect();
        for family in selected.iter() {
            shared.deferring.remove(family);
        }
        for family in removed.iter() {
            shared.keeping.remove(family);
            shared.actions.push_back(Action::RestartOver(family));
        }
        selected
    }

    /// Whoever is up and has sent everything is waited for no more, should its session end now.
    fn forget_complete(&mut self, now: Now, shared: &Shared) {
        if self.expected.is_empty() {
            return;
        }
        for (_, peer) in shared.peers().filter(|(_, peer)| peer.session.is_some()) {
            let nothing = |family: &Family| self.waiting(now, peer, *family) == Waiting::Nothing;
            if Family::ALL.iter().all(nothing) {
                self.expected.remove(&peer.config.name);
            }
        }
    }

    /// Whom the end of the restart waits for.
    pub(super) fn wait(&self, now: Now, config: &SpeakerConfig, shared: &Shared) -> Option<RestartWait> {
        let awaited =
            |p: &Peer| shared.keeping.iter().any(|family| self.waiting(now, p, family) > Waiting::Nothing);
        (!shared.keeping.is_empty()).then(|| {
            let present = shared.peers().filter(|(_, p)| awaited(p)).map(|(_, p)| p.config.name.clone());
            let mut peers: Vec<_> =
                present.chain(self.absent_guests(config, shared).into_iter().cloned()).collect();
            peers.sort_unstable();
            RestartWait { peers, at_most: self.deadline(config).since(now) }
        })
    }

    /// When [`Deferral::check`] may find something new without an event.
    pub(super) fn timeout(&self, now: Now, config: &SpeakerConfig, shared: &Shared) -> Option<Now> {
        if shared.keeping.is_empty() {
            return None;
        }
        let absent = shared.peers().filter(|(_, p)| p.session.is_none()).map(|(_, p)| self.patience(p));
        absent.filter(|at| *at > now).chain([self.deadline(config)]).min()
    }
}
