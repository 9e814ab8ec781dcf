//! The next hops in use: who needs them, whether they can be reached, and what must be told about them.

use std::{
    collections::{BTreeSet, VecDeque},
    net::IpAddr,
    sync::Arc,
};

use hashbrown::HashMap;
use ipnet::IpNet;
use rustc_hash::FxBuildHasher;
use slab::Slab;

use crate::{
    event::{NextHopReport, Reachability, Through},
    types::{Family, NextHopAddress},
};

/// The key of a next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NextHopId(u32);

impl NextHopId {
    /// No next hop: a route of our own.
    pub(crate) const NONE: Self = Self(u32::MAX);
}

impl Default for NextHopId {
    fn default() -> Self {
        Self::NONE
    }
}

/// What is known of a next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextHopState {
    /// Nobody has answered yet.
    Pending,
    /// It was answered.
    Known(Reachability),
    /// It is our own address.
    Own,
}

/// A change that has to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextHopNotice {
    Watch(NextHopAddress),
    Unwatch(NextHopAddress),
    InternalPresent(IpAddr),
    InternalGone(IpAddr),
}

/// Routes that wait for a first answer, at most this many by name; beyond it the table is walked.
const WAITING: usize = 4096;

#[derive(Debug)]
struct NextHop {
    address: NextHopAddress,
    references: u32,
    /// Accepted paths learned over iBGP through it.
    internal: u32,
    answer: Option<Reachability>,
    /// The loss, counted over all next hops, since whose end it can be reached; zero: it always could.
    lost: u64,
    /// Sorted.
    interfaces: Vec<Arc<str>>,
    through: Through,
    own: bool,
    watched: bool,
    internal_told: bool,
    waiting: Waiting,
}

/// The routes to decide over again when the first answer comes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// These.
    Routes(Vec<(Family, u32)>),
    /// More than are kept by name.
    Many,
}

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    /// The routes to decide over again.
    pub(crate) routes: Option<Waiting>,
    pub(crate) way: Way,
}

/// Whether a next hop is reached through other interfaces or another kind of route than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Same,
    /// Nothing was known before.
    Found(NextHopId),
    Changed(NextHopId),
}

/// All next hops in use.
#[derive(Debug, Default)]
pub(crate) struct NextHops {
    hops: Slab<NextHop>,
    index: HashMap<NextHopAddress, u32, FxBuildHasher>,
    own: BTreeSet<NextHopAddress>,
    dirty: BTreeSet<NextHopAddress>,
    /// How many ways were lost or came back.
    losses: u64,
    notices: VecDeque<NextHopNotice>,
}

impl NextHops {
    /// The id of this address with one more reference; [`NextHopId::NONE`] for the unspecified address.
    pub(crate) fn acquire(&mut self, address: NextHopAddress) -> NextHopId {
        if address.address.is_unspecified() {
            return NextHopId::NONE;
        }
        let (hops, own) = (&mut self.hops, &self.own);
        let key = *self.index.entry(address).or_insert_with(|| {
            hops.insert(NextHop {
                address,
                references: 0,
                internal: 0,
                answer: None,
                lost: 0,
                interfaces: Vec::new(),
                through: Through::Link,
                own: own.contains(&address),
                watched: false,
                internal_told: false,
                waiting: Waiting::Routes(Vec::new()),
            }) as u32
        });
        if let Some(hop) = self.hops.get_mut(key as usize) {
            hop.references += 1;
            if hop.references == 1 {
                self.dirty.insert(address);
            }
        }
        NextHopId(key)
    }

    /// Gives a reference back.
    pub(crate) fn release(&mut self, id: NextHopId) {
        if let Some(hop) = self.hops.get_mut(id.0 as usize) {
            hop.references -= 1;
            if hop.references == 0 {
                self.dirty.insert(hop.address);
            }
        }
    }

    /// Counts an accepted internal path in.
    pub(crate) fn internal_added(&mut self, id: NextHopId) {
        if let Some(hop) = self.hops.get_mut(id.0 as usize) {
            hop.internal += 1;
            if hop.internal == 1 {
                self.dirty.insert(hop.address);
            }
        }
    }

    /// Counts an accepted internal path out.
    pub(crate) fn internal_removed(&mut self, id: NextHopId) {
        if let Some(hop) = self.hops.get_mut(id.0 as usize) {
            hop.internal -= 1;
            if hop.internal == 0 {
                self.dirty.insert(hop.address);
            }
        }
    }

    /// Whether a next hop in use has not been answered for yet.
    pub(crate) fn awaits_answer(&self) -> bool {
        self.hops.iter().any(|(_, hop)| hop.references > 0 && hop.answer.is_none() && !hop.own)
    }

    /// What is known of a next hop; a route of our own needs none.
    pub(crate) fn state(&self, id: NextHopId) -> NextHopState {
        if id == NextHopId::NONE {
            return NextHopState::Known(Reachability::Reachable { metric: 0 });
        }
        match self.hops.get(id.0 as usize) {
            Some(hop) if hop.own => NextHopState::Own,
            Some(NextHop { answer: Some(answer), .. }) => NextHopState::Known(*answer),
            _ => NextHopState::Pending,
        }
    }

    /// A mark for [`Self::was_lost_since`].
    pub(crate) fn losses(&self) -> u64 {
        self.losses
    }

    /// Whether a next hop cannot be reached, or could not at any time since that mark.
    pub(crate) fn was_lost_since(&self, id: NextHopId, mark: u64) -> bool {
        let hop = self.hops.get(id.0 as usize);
        hop.is_some_and(|hop| hop.answer == Some(Reachability::Unreachable) || hop.lost > mark)
    }

    /// Remembers a route that cannot be decided over before the first answer.
    pub(crate) fn wait(&mut self, id: NextHopId, family: Family, route: u32) {
        if let Some(hop) = self.hops.get_mut(id.0 as usize)
            && let Waiting::Routes(routes) = &mut hop.waiting
        {
            if routes.len() < WAITING {
                routes.push((family, route));
            } else {
                hop.waiting = Waiting::Many;
            }
        }
    }

    /// The interfaces that lead to a next hop; `None`: nobody has answered yet.
    pub(crate) fn interfaces(&self, id: NextHopId) -> Option<&[Arc<str>]> {
        let hop = self.hops.get(id.0 as usize)?;
        (hop.answer.is_some() || hop.own).then_some(&hop.interfaces)
    }

    /// Through what a next hop is reached; `None` while it cannot be reached, or nobody has answered yet.
    pub(crate) fn through(&self, id: NextHopId) -> Option<Through> {
        let hop = self.hops.get(id.0 as usize)?;
        matches!(hop.answer, Some(Reachability::Reachable { .. })).then_some(hop.through)
    }

    /// Whether a route to this prefix would be the way to its own next hop.
    pub(crate) fn loops(&self, id: NextHopId, prefix: IpNet) -> bool {
        let covers = || self.hops.get(id.0 as usize).is_some_and(|hop| prefix.contains(&hop.address.address));
        self.through(id).is_some_and(|through| through.yields_to(prefix.prefix_len())) && covers()
    }

    /// A next hop in use.
    pub(crate) fn find(&self, address: NextHopAddress) -> Option<NextHopId> {
        self.index.get(&address).map(|key| NextHopId(*key))
    }

    /// The interfaces that lead to an address, as far as it is a next hop in use.
    pub(crate) fn interfaces_to(&self, address: NextHopAddress) -> &[Arc<str>] {
        let key = self.index.get(&address);
        key.and_then(|key| self.interfaces(NextHopId(*key))).unwrap_or_default()
    }

    /// Takes an answer; `None` when nobody needs it.
    pub(crate) fn answer(&mut self, address: NextHopAddress, report: NextHopReport) -> Option<Answered> {
        let key = *self.index.get(&address)?;
        let hop = self.hops.get_mut(key as usize)?;
        let NextHopReport { reachability, mut interfaces, through } = report;
        interfaces.sort_unstable();
        interfaces.dedup();
        let other_route = std::mem::replace(&mut hop.through, through) != through;
        let changed = std::mem::replace(&mut hop.interfaces, interfaces) != hop.interfaces || other_route;
        let before = hop.answer.replace(reachability);
        if before == Some(Reachability::Unreachable) && reachability != Reachability::Unreachable {
            self.losses += 1;
            hop.lost = self.losses;
        }
        Some(match before {
            Some(before) => Answered {
                routes: (before != reachability || other_route).then_some(Waiting::Many),
                way: if changed { Way::Changed(NextHopId(key)) } else { Way::Same },
            },
            None => Answered {
                routes: Some(std::mem::replace(&mut hop.waiting, Waiting::Routes(Vec::new()))),
                way: Way::Found(NextHopId(key)),
            },
        })
    }

    /// Replaces the set of our own addresses; whether a next hop in use is concerned.
    pub(crate) fn set_own(&mut self, own: BTreeSet<NextHopAddress>) -> bool {
        let mut concerned = false;
        for address in self.own.symmetric_difference(&own) {
            let key = self.index.get(address);
            if let Some(hop) = key.and_then(|key| self.hops.get_mut(*key as usize)) {
                hop.own = own.contains(address);
                concerned = true;
            }
        }
        self.own = own;
        concerned
    }

    /// The next thing to tell, by address where several are due.
    pub(crate) fn poll(&mut self) -> Option<NextHopNotice> {
        while self.notices.is_empty() {
            let address = self.dirty.pop_first()?;
            self.collect(address);
        }
        self.notices.pop_front()
    }

    fn collect(&mut self, address: NextHopAddress) {
        let Some(key) = self.index.get(&address).map(|k| *k as usize) else { return };
        let Some(hop) = self.hops.get_mut(key) else { return };
        let (used, internal) = (hop.references > 0, hop.internal > 0);
        if used != hop.watched {
            hop.watched = used;
            self.notices.push_back(match used {
                true => NextHopNotice::Watch(address),
                false => NextHopNotice::Unwatch(address),
            });
        }
        if internal != hop.internal_told {
            hop.internal_told = internal;
            self.notices.push_back(match internal {
                true => NextHopNotice::InternalPresent(address.address),
                false => NextHopNotice::InternalGone(address.address),
            });
        }
        if !used {
            self.hops.remove(key);
            self.index.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> NextHopAddress {
        IpAddr::from([192, 0, 2, last]).into()
    }

    #[test]
    fn a_next_hop_is_watched_once_and_let_go_with_its_last_user() {
        let mut hops = NextHops::default();
        let id = hops.acquire(address(1));
        assert_eq!(hops.acquire(address(1)), id);
        assert_eq!(hops.poll(), Some(NextHopNotice::Watch(address(1))));
        assert_eq!(hops.poll(), None);
        hops.release(id);
        assert_eq!(hops.poll(), None);
        hops.release(id);
        assert_eq!(hops.poll(), Some(NextHopNotice::Unwatch(address(1))));
        assert_eq!(hops.answer(address(1), Reachability::Unreachable.into()), None);
    }

    #[test]
    fn a_next_hop_used_only_between_two_polls_is_not_spoken_of() {
        let mut hops = NextHops::default();
        let id = hops.acquire(address(1));
        hops.release(id);
        assert_eq!(hops.poll(), None);
    }

    #[test]
    fn the_first_answer_names_the_waiting_routes_and_a_repeated_one_nothing() {
        let mut hops = NextHops::default();
        let id = hops.acquire(address(1));
        assert_eq!(hops.state(id), NextHopState::Pending);
        hops.wait(id, Family::Ipv4Unicast, 5);
        let reachable = Reachability::Reachable { metric: 1 };
        let waiting = Waiting::Routes(vec![(Family::Ipv4Unicast, 5)]);
        let mut routes = |answer: Reachability| hops.answer(address(1), answer.into()).unwrap().routes;
        assert_eq!(routes(reachable), Some(waiting));
        assert_eq!(routes(reachable), None);
        assert_eq!(routes(Reachability::Unreachable), Some(Waiting::Many));
    }

    #[test]
    fn the_interfaces_of_a_next_hop_are_unknown_at_first_and_a_change_of_them_is_told_once() {
        let mut hops = NextHops::default();
        let id = hops.acquire(address(1));
        assert_eq!(hops.interfaces(id), None);
        let mut way = |names: &[&str]| {
            let interfaces = names.iter().map(|name| Arc::from(*name)).collect();
            let reachability = Reachability::Reachable { metric: 0 };
            hops.answer(address(1), NextHopReport { interfaces, ..reachability.into() }).unwrap().way
        };
        assert_eq!(way(&["eth1", "eth0"]), Way::Found(id));
        assert_eq!(way(&["eth0", "eth1", "eth0"]), Way::Same);
        assert_eq!(way(&["eth0"]), Way::Changed(id));
        assert_eq!(hops.interfaces_to(address(1)).len(), 1);
        assert!(hops.interfaces_to(address(2)).is_empty());
    }

    #[test]
    fn a_route_that_would_be_the_way_to_its_own_next_hop_is_told_from_one_that_would_not() {
        let loops = |through, prefix: &str| {
            let mut hops = NextHops::default();
            let id = hops.acquire(address(1));
            let reachable = Reachability::Reachable { metric: 0 };
            hops.answer(address(1), NextHopReport { through, ..reachable.into() });
            hops.loops(id, prefix.parse().unwrap())
        };
        assert!(!loops(Through::Link, "192.0.2.1/32"), "a neighbour stays one");
        assert!(loops(Through::Kernel(0), "192.0.2.1/32") && loops(Through::Kernel(0), "192.0.0.0/8"));
        assert!(!loops(Through::Kernel(8), "192.0.0.0/8") && !loops(Through::Kernel(0), "0.0.0.0/0"));
        assert!(!loops(Through::Kernel(0), "198.51.100.0/24"), "it does not cover the next hop");
        assert!(loops(Through::Learned(24), "192.0.2.0/24") && !loops(Through::Learned(24), "192.0.2.0/23"));
    }

    #[test]
    fn one_link_local_address_on_two_links_is_two_next_hops() {
        let on =
            |interface| NextHopAddress { address: "fe80::1".parse().unwrap(), interface: Some(interface) };
        let mut hops = NextHops::default();
        let (first, second) = (hops.acquire(on(2)), hops.acquire(on(3)));
        assert_eq!(hops.poll(), Some(NextHopNotice::Watch(on(2))));
        assert_eq!(hops.poll(), Some(NextHopNotice::Watch(on(3))));
        assert!(hops.set_own([on(2)].into()), "our own address on one of the links");
        assert_eq!((hops.state(first), hops.state(second)), (NextHopState::Own, NextHopState::Pending));
    }

    #[test]
    fn a_way_that_was_lost_in_between_is_known_to_have_been_whoever_looks_later() {
        let mut hops = NextHops::default();
        let id = hops.acquire(address(1));
        let answer = |hops: &mut NextHops, r: Reachability| _ = hops.answer(address(1), r.into());
        answer(&mut hops, Reachability::Reachable { metric: 0 });
        let before = hops.losses();
        assert!(!hops.was_lost_since(id, before));
        answer(&mut hops, Reachability::Unreachable);
        let meanwhile = hops.losses();
        assert!(hops.was_lost_since(id, before));
        answer(&mut hops, Reachability::Reachable { metric: 5 });
        assert!(hops.was_lost_since(id, before) && hops.was_lost_since(id, meanwhile));
        assert!(!hops.was_lost_since(id, hops.losses()));
    }

    #[test]
    fn an_address_becomes_and_ceases_to_be_our_own() {
        let mut hops = NextHops::default();
        let id = hops.acquire(address(1));
        assert!(hops.set_own([address(1), address(2)].into()));
        assert_eq!(hops.state(id), NextHopState::Own);
        assert!(!hops.set_own([address(1)].into()));
        assert!(hops.set_own(BTreeSet::new()));
        assert_eq!(hops.state(id), NextHopState::Pending);
    }
}
