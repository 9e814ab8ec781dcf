//! Graceful restart (RFC 4724): of a peer, whose routes are kept meanwhile, and of ourselves.

use std::time::Duration;

use super::{
    event::{Action, RestartWait, Work},
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

/// Our own restart: when route selection may begin (RFC 4724 section 4.1), and when what was forwarded before may go.
///
/// The deferral of a family is over as soon as every peer that is Established and waited for has sent
/// End-of-RIB. Peers without graceful restart, or that restart themselves, are not waited for; one that is not
/// up yet only as long as a first attempt takes. It is over anyway `selection_deferral` after the first
/// session, or when the restart time we announced has passed.
///
/// Nothing is taken from the forwarding table before the peers that restart themselves have sent End-of-RIB too, or the
/// time is up: they come back at the same moment as we do, and none of us waits for the others' before sending it.
#[derive(Debug)]
pub(super) struct Deferral {
    started: Now,
    first_session: Option<Now>,
}

/// What waits for a peer's End-of-RIB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Waiting {
    /// Nothing.
    Nothing,
    /// Taking routes from the forwarding table.
    Removal,
    /// Route selection, and removal with it.
    Selection,
}

impl Deferral {
    pub(super) fn new(now: Now) -> Self {
        Self { started: now, first_session: None }
    }

    /// A session has come up.
    pub(super) fn session_up(&mut self, now: Now) {
        self.first_session.get_or_insert(now);
    }

    /// When it is over at the latest.
    fn deadline(&self, config: &SpeakerConfig) -> Now {
        let latest = self.started.plus(config.graceful_restart_time);
        let after_first = self.first_session.map(|first| first.plus(config.selection_deferral));
        after_first.map_or(latest, |deadline| deadline.min(latest))
    }

    /// How long a peer that is not up is waited for: its opening delay and two attempts.
    fn patience(&self, peer: &Peer) -> Now {
        let attempts = peer.config.timers.connect_retry_time.saturating_mul(2);
        self.started.plus(peer.config.timers.first_open_delay.saturating_add(attempts))
    }

    fn waiting(&self, now: Now, peer: &Peer, family: Family) -> Waiting {
        let Some(session) = &peer.session else {
            let expected = peer.config.admin == AdminState::Up && now < self.patience(peer);
            return if expected { Waiting::Selection } else { Waiting::Nothing };
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
        &self,
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
        let waiting = |family| {
            let all = shared.peers().map(|(_, p)| self.waiting(now, p, family));
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

    /// Whom the end of the restart waits for.
    pub(super) fn wait(&self, now: Now, config: &SpeakerConfig, shared: &Shared) -> Option<RestartWait> {
        let awaited =
            |p: &Peer| shared.keeping.iter().any(|family| self.waiting(now, p, family) > Waiting::Nothing);
        (!shared.keeping.is_empty()).then(|| RestartWait {
            peers: shared.peers().filter(|(_, p)| awaited(p)).map(|(id, _)| id).collect(),
            at_most: self.deadline(config).since(now),
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
