//! One link: when to show ourselves on it, who has been heard, and who of them is the neighbour.

use std::{collections::BTreeMap, net::Ipv6Addr, time::Duration};

use super::message::{Arrival, Fault, Message, decode};
use crate::{jitter::Jitter, types::Now};

/// The longest interval between advertisements; FRR's for such peers.
const INTERVAL: Duration = Duration::from_secs(10);
/// The shortest (RFC 4861 section 10: MIN_DELAY_BETWEEN_RAS).
const SHORTEST: Duration = Duration::from_secs(3);
/// Advertisements that follow each other quickly once the link is there (MAX_INITIAL_RTR_ADVERTISEMENTS).
const INITIAL: u8 = 3;
/// Solicitations at most until somebody is heard (MAX_RTR_SOLICITATIONS).
const SOLICITATIONS: u8 = 3;
/// The interval between them (RTR_SOLICITATION_INTERVAL).
const SOLICITATION_INTERVAL: Duration = Duration::from_secs(4);
/// When what could not be sent is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// A router that has not been heard for this long gives way to another: three intervals and a bit.
const FRESH: Duration = Duration::from_secs(35);
/// The longest a silent router is remembered, whatever lifetime it claims.
const REMEMBERED: Duration = Duration::from_secs(1800);
/// Routers remembered of one link.
const ROUTERS: usize = 8;

/// Whether we send Router Advertisements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Advertising {
    /// We do, while the link is up.
    #[default]
    On,
    /// We only listen, and solicit.
    Off,
}

/// Whether the link can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is up.
    Up,
    /// The interface is there, but down or without carrier.
    Down,
    /// There is no interface of this name.
    Absent,
    /// It cannot be listened on, for this reason.
    Failed(String),
}

/// What is to be sent: to all nodes, or to all routers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transmit {
    /// A Router Advertisement of lifetime zero to ff02::1.
    Advertisement,
    /// A Router Solicitation to ff02::2.
    Solicitation,
}

/// A router on the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Router {
    first: Now,
    last: Now,
    /// How long it is remembered after `last`.
    remembered: Duration,
    voice: Voice,
}

/// Whether a router is still heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Voice {
    Heard,
    /// Not within [`FRESH`].
    Silent,
}

/// A router on the link as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouterView {
    /// Its link-local address.
    pub address: Ipv6Addr,
    /// How long it has been known.
    pub known: Duration,
    /// How long ago it was heard.
    pub heard: Duration,
}

/// One link; see the [module documentation](super).
#[derive(Clone, Debug)]
pub struct Link {
    advertising: Advertising,
    presence: Presence,
    routers: BTreeMap<Ipv6Addr, Router>,
    /// When the interface was last found to be gone.
    lost_at: Option<Now>,
    advertise_at: Option<Now>,
    last_advertised: Option<Now>,
    initial_left: u8,
    solicit_at: Option<Now>,
    solicitations_left: u8,
    jitter: Jitter,
    /// Advertisements sent.
    pub sent: u64,
    /// Advertisements received that were valid.
    pub received: u64,
    ignored: BTreeMap<Fault, u64>,
}

impl Link {
    /// A link whose interface is not known yet. The same `seed` gives the same intervals.
    pub fn new(advertising: Advertising, seed: u64) -> Self {
        Self {
            advertising,
            presence: Presence::Absent,
            routers: BTreeMap::new(),
            lost_at: None,
            advertise_at: None,
            last_advertised: None,
            initial_left: 0,
            solicit_at: None,
            solicitations_left: 0,
            jitter: Jitter::new(seed),
            sent: 0,
            received: 0,
            ignored: BTreeMap::new(),
        }
    }

    /// Starts or stops advertisements.
    pub fn set_advertising(&mut self, now: Now, advertising: Advertising) {
        if self.advertising != advertising {
            self.advertising = advertising;
            self.rearm(now);
        }
    }

    /// The interface has come, gone, or changed. Of one that is gone nothing is remembered: another of its name is
    /// another link. Says whether that is news.
    pub fn handle_presence(&mut self, now: Now, presence: Presence) -> News {
        if self.presence == presence {
            return News::None;
        }
        if presence == Presence::Absent {
            self.routers.clear();
            self.lost_at = Some(now);
        }
        self.presence = presence;
        self.rearm(now);
        News::Some
    }

    /// Our own link-local address on it is another one: whoever knows us by the one before is shown this one at once, not a
    /// whole interval later.
    pub fn handle_address_changed(&mut self, now: Now) {
        self.last_advertised = None;
        self.rearm(now);
    }

    fn rearm(&mut self, now: Now) {
        let is_up = self.presence == Presence::Up;
        (self.initial_left, self.solicitations_left) = (INITIAL, SOLICITATIONS);
        self.solicit_at = is_up.then_some(now);
        let next = self.last_advertised.map_or(now, |last| now.max(last.plus(SHORTEST)));
        self.advertise_at = (is_up && self.advertising == Advertising::On).then_some(next);
    }

    /// A packet has come.
    pub fn handle_packet(&mut self, now: Now, arrival: Arrival, octets: &[u8]) -> News {
        match decode(arrival, octets) {
            Ok(Message::Solicitation) => {
                self.solicited(now);
                News::None
            }
            Ok(Message::Advertisement { lifetime }) => {
                self.received = self.received.saturating_add(1);
                let lifetime = Duration::from_secs(lifetime.into());
                self.heard(now, arrival.source, lifetime.clamp(FRESH, REMEMBERED))
            }
            Err(fault) => {
                let count = self.ignored.entry(fault).or_default();
                *count = count.saturating_add(1);
                News::None
            }
        }
    }

    /// Somebody on the link has connected to us: as good as an advertisement.
    pub fn handle_contact(&mut self, now: Now, address: Ipv6Addr) -> News {
        self.heard(now, address, FRESH)
    }

    /// Answers a solicitation with the next advertisement, which comes as soon as it may.
    fn solicited(&mut self, now: Now) {
        let soonest = self.last_advertised.map_or(now, |last| now.max(last.plus(SHORTEST)));
        self.advertise_at = self.advertise_at.map(|at| at.min(soonest));
    }

    /// The first that are heard are remembered; a flood of others is not, unless somebody remembered has fallen silent.
    fn heard(&mut self, now: Now, address: Ipv6Addr, remembered: Duration) -> News {
        self.solicit_at = None;
        if let Some(router) = self.routers.get_mut(&address) {
            let was = router.voice;
            *router = Router { first: router.first, last: now, remembered, voice: Voice::Heard };
            return if was == Voice::Silent { News::Some } else { News::None };
        }
        if self.routers.len() >= ROUTERS && !self.forget_silent(now) {
            return News::None;
        }
        self.routers.insert(address, Router { first: now, last: now, remembered, voice: Voice::Heard });
        News::Some
    }

    /// Forgets whoever of the silent was heard least recently: those who claim a long lifetime and say nothing more must not
    /// keep a new router out. Says whether there was one.
    fn forget_silent(&mut self, now: Now) -> bool {
        let silent = self.routers.iter().filter(|(_, router)| now.since(router.last) >= FRESH);
        let oldest = silent.min_by_key(|(_, router)| router.last).map(|(address, _)| *address);
        oldest.is_some_and(|address| self.routers.remove(&address).is_some())
    }

    /// Forgets who was silent for too long. Says whether somebody was forgotten, or is not heard any more.
    pub fn handle_timeout(&mut self, now: Now) -> News {
        let before = self.routers.len();
        self.routers.retain(|_, router| now.since(router.last) < router.remembered);
        if self.routers.is_empty() && before > 0 {
            self.rearm(now);
        }
        let mut news = if self.routers.len() < before { News::Some } else { News::None };
        for router in self.routers.values_mut().filter(|router| router.voice == Voice::Heard) {
            if now.since(router.last) >= FRESH {
                router.voice = Voice::Silent;
                news = News::Some;
            }
        }
        news
    }

    /// What is to be sent now; call again until there is nothing.
    pub fn poll_transmit(&mut self, now: Now) -> Option<Transmit> {
        if self.advertise_at.is_some_and(|at| at <= now) {
            self.initial_left = self.initial_left.saturating_sub(1);
            let longest = if self.initial_left > 0 { SHORTEST } else { INTERVAL };
            self.advertise_at = Some(now.plus(self.jitter.spread(longest).max(SHORTEST)));
            return Some(Transmit::Advertisement);
        }
        if self.solicit_at.is_some_and(|at| at <= now) {
            self.solicitations_left = self.solicitations_left.saturating_sub(1);
            self.solicit_at = (self.solicitations_left > 0).then(|| now.plus(SOLICITATION_INTERVAL));
            return Some(Transmit::Solicitation);
        }
        None
    }

    /// It has left.
    pub fn handle_sent(&mut self, now: Now, what: Transmit) {
        if what == Transmit::Advertisement {
            self.last_advertised = Some(now);
            self.sent = self.sent.saturating_add(1);
        }
    }

    /// It could not be sent, as on a link whose addresses are not settled yet: is tried again soon.
    pub fn handle_unsent(&mut self, now: Now, what: Transmit) {
        let again = Some(now.plus(AGAIN));
        match what {
            Transmit::Advertisement => {
                self.initial_left = self.initial_left.saturating_add(1).min(INITIAL);
                self.advertise_at = again;
            }
            Transmit::Solicitation => {
                self.solicitations_left = self.solicitations_left.saturating_add(1).min(SOLICITATIONS);
                self.solicit_at = again;
            }
        }
    }

    /// When to come back.
    pub fn poll_timeout(&self) -> Option<Now> {
        let silent = self.routers.values().map(|router| {
            router.last.plus(if router.voice == Voice::Heard { FRESH } else { router.remembered })
        });
        silent.chain(self.advertise_at).chain(self.solicit_at).min()
    }

    /// The neighbour: `current` as long as it is heard, else who has been there longest of those that are heard, else
    /// `current` or whoever was heard last, while remembered. Never one of `others`, who are peers by their address.
    pub fn neighbour(&self, now: Now, current: Option<Ipv6Addr>, others: &[Ipv6Addr]) -> Option<Ipv6Addr> {
        let known = || self.routers.iter().filter(|(address, _)| !others.contains(address));
        let fresh = || known().filter(|(_, router)| now.since(router.last) < FRESH);
        let is_current = |(address, _): &(&Ipv6Addr, &Router)| Some(**address) == current;
        fresh()
            .find(is_current)
            .or_else(|| fresh().min_by_key(|(address, router)| (router.first, **address)))
            .or_else(|| known().find(is_current))
            .or_else(|| known().max_by_key(|(_, router)| router.last))
            .map(|(address, _)| *address)
    }

    /// When the interface was last found to be gone: who was found before was found on another link.
    pub fn lost_at(&self) -> Option<Now> {
        self.lost_at
    }

    /// Whether the link can be used.
    pub fn presence(&self) -> &Presence {
        &self.presence
    }

    /// Whether we send advertisements.
    pub fn advertising(&self) -> Advertising {
        self.advertising
    }

    /// Who has been heard, ascending by address.
    pub fn routers(&self, now: Now) -> Vec<RouterView> {
        let view = |(address, router): (&Ipv6Addr, &Router)| RouterView {
            address: *address,
            known: now.since(router.first),
            heard: now.since(router.last),
        };
        self.routers.iter().map(view).collect()
    }

    /// How many packets were ignored, by fault.
    pub fn ignored(&self) -> impl Iterator<Item = (Fault, u64)> {
        self.ignored.iter().map(|(fault, count)| (*fault, *count))
    }
}

/// Whether the neighbour may be another now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It may.
    Some,
    /// It is not.
    None,
}

#[cfg(test)]
mod tests;
