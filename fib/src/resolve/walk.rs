//! The resolution of one next hop: the longest match over the routes of others and our own RIB, recursively.
//!
//! RFC 4271 section 9.1.2.1 in the order of its steps:
//!
//! 1. The kernel's answer counts unless it is a route of ours; then what the copy of the others' routes holds behind it.
//! 2. An address within a network on a link of this host resolves there: no route of ours is asked.
//! 3. Otherwise a longer route of ours is followed to its own next hops, each resolved the same way. One that is not
//!    usable is passed over for the next shorter one, as if it were not there: it is not installed either.
//! 4. A route that leads back to an address under way is on a loop. Every route of the loop is passed over and named,
//!    since none of them would be resolvable once it was installed. Of a route with several next hops, only the one that
//!    leads back is left out.

use std::net::IpAddr;

use ipnet::IpNet;
use smallvec::SmallVec;

use super::{Lookup, Resolver};
use crate::{
    event::Through,
    route::{HopAddress, Leg, NextHop, Onlink},
    table::Devices,
};

/// How many routes may lead from one to the next.
const MAX_DEPTH: usize = 16;
/// How many next hops one resolution looks at, so that sets of many next hops in a row cannot multiply.
const MAX_VISITS: u32 = 512;

/// Our own RIB, as far as next hops resolve through it.
pub trait OwnRoutes {
    /// The routes of ours that cover an address, the longest first; those left to somebody else not among them.
    fn covering(&self, address: IpAddr) -> SmallVec<[OwnRoute; 2]>;
}

/// A route of ours that next hops may resolve through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRoute {
    /// Its destination.
    pub prefix: IpNet,
    /// Its metric.
    pub metric: u32,
    /// Where it leads.
    pub leads: Leads,
}

/// Where a route of ours leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leads {
    /// Straight to these next hops.
    To(SmallVec<[NextHop; 2]>),
    /// As the kernel holds it from the life before: nobody has announced it yet.
    Held(SmallVec<[Leg; 1]>),
    /// Nowhere, or into the tunnel only, which does not count.
    Nowhere,
}

/// One step of a resolution, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The address that was looked for.
    pub address: IpAddr,
    /// The route that leads there; `None`: none does.
    pub by: Option<IpNet>,
    /// Whose it is.
    pub owner: Owner,
    /// The way, where the route is the last of the steps.
    pub legs: SmallVec<[Leg; 1]>,
}

/// Whose a route is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Somebody else's, of this protocol number.
    Other(u8),
    /// Ours.
    Ours,
    /// Nobody's: there is no route.
    Nobody,
}

/// One leg of a route of ours: the route's destination and one of its next hops.
pub(super) type OwnLeg = (IpNet, HopAddress);

/// The way to a next hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resolution {
    /// Its legs, each with its gateway; none when it cannot be reached.
    pub(super) legs: SmallVec<[Leg; 1]>,
    /// Its distance: that of the route of somebody else at the end; zero for a network on a link.
    pub(super) metric: u32,
    pub(super) through: Through,
    /// Legs of ours on loops, sorted: the route, and the next hop that leads back to it.
    pub(super) loops: SmallVec<[OwnLeg; 1]>,
    /// The addresses whose routes decide, sorted: the next hop, those it leads to in turn, the gateways.
    pub(super) leans_on: SmallVec<[HopAddress; 2]>,
}

impl Resolution {
    fn nowhere() -> Self {
        Self {
            legs: SmallVec::new(),
            metric: 0,
            through: Through::Link,
            loops: SmallVec::new(),
            leans_on: SmallVec::new(),
        }
    }
}

/// Resolves one next hop, and notes the steps if asked to.
pub(super) fn resolve(
    resolver: &Resolver,
    rib: &impl OwnRoutes,
    devices: &impl Devices,
    address: HopAddress,
    steps: Option<&mut Vec<Step>>,
) -> Resolution {
    let (chain, loops, leans_on) = (Vec::new(), Vec::new(), Vec::new());
    let mut walk = Walk { resolver, rib, devices, chain, loops, visits: 0, leans_on, steps };
    let mut resolution = match walk.visit(address) {
        Visited::Resolved(resolution) => resolution,
        Visited::LoopsBack(..) => Resolution::nowhere(),
    };
    walk.settle_gateways(&mut resolution.legs);
    walk.loops.sort_unstable();
    walk.loops.dedup();
    resolution.loops = walk.loops.into_iter().collect();
    walk.leans_on.sort_unstable();
    walk.leans_on.dedup();
    resolution.leans_on = walk.leans_on.into_iter().collect();
    resolution
}

struct Walk<'a, R, D> {
    resolver: &'a Resolver,
    rib: &'a R,
    devices: &'a D,
    /// The addresses under way, each with the leg of ours that is being followed from it.
    chain: Vec<(HopAddress, Option<OwnLeg>)>,
    /// Legs found to be on loops: they count no more.
    loops: Vec<OwnLeg>,
    visits: u32,
    leans_on: Vec<HopAddress>,
    steps: Option<&'a mut Vec<Step>>,
}

enum Visited {
    Resolved(Resolution),
    /// The longest match leads back to the address at this place of the chain, by these legs.
    LoopsBack(usize, Loop),
}

type Loop = SmallVec<[OwnLeg; 2]>;

/// What following a route of ours came to.
enum Followed {
    Leads(Resolution),
    /// It is not usable: the next shorter one counts.
    PassedOver,
    LoopsBack(usize, Loop),
}

impl<R: OwnRoutes, D: Devices> Walk<'_, R, D> {
    fn visit(&mut self, address: HopAddress) -> Visited {
        self.visits += 1;
        self.leans_on.push(address);
        if self.chain.len() >= MAX_DEPTH || self.visits > MAX_VISITS {
            return Visited::Resolved(Resolution::nowhere());
        }
        let place = self.chain.len();
        self.chain.push((address, None));
        let visited = self.match_longest(address, place);
        self.chain.truncate(place);
        visited
    }

    fn match_longest(&mut self, address: HopAddress, place: usize) -> Visited {
        let other = self.of_others(address);
        for own in self.candidates(address, other.as_ref()) {
            let (by, legs) = (Some(own.prefix), SmallVec::new());
            let noted = self.note(Step { address: address.address, by, owner: Owner::Ours, legs });
            match self.follow(&own, address, place) {
                Followed::Leads(resolution) => {
                    let through = Through::Own(own.prefix.prefix_len());
                    return Visited::Resolved(Resolution { through, ..resolution });
                }
                Followed::LoopsBack(index, by) => return Visited::LoopsBack(index, by),
                Followed::PassedOver => self.forget_steps(noted),
            }
        }
        Visited::Resolved(self.by_others(address, other))
    }

    /// The longest match among the routes of others.
    fn of_others(&self, address: HopAddress) -> Option<Lookup> {
        let heard = self.resolver.heard(address)?;
        if self.resolver.exclusion.is_ours(heard) {
            return self.resolver.foreign.longest(address.address, self.devices);
        }
        Some(heard.clone())
    }

    /// The routes of ours that come before the longest match among those of others, the longest first.
    fn candidates(&self, address: HopAddress, other: Option<&Lookup>) -> SmallVec<[OwnRoute; 2]> {
        if address.interface.is_some() || !self.asks_own_routes(address, other) {
            return SmallVec::new();
        }
        let longer = |own: &OwnRoute| {
            other.is_none_or(|other| {
                let (ours, theirs) = (own.prefix.prefix_len(), other.by.prefix_len());
                ours > theirs || ours == theirs && own.metric < other.metric
            })
        };
        let mut own = self.rib.covering(address.address);
        own.retain(|own| longer(own));
        own
    }

    /// Whether a longer route of ours would carry packets to an address. Where another table has answered, it would only
    /// if the kernel has seen one of ours first.
    fn asks_own_routes(&self, address: HopAddress, other: Option<&Lookup>) -> bool {
        if self.resolver.foreign.connected_length(address.address).is_some() {
            return false;
        }
        let Some(other) = other else { return true };
        let ours_first = self.resolver.heard(address).is_some_and(|l| self.resolver.exclusion.is_ours(l));
        let in_our_table = other.table == self.resolver.exclusion.table;
        (ours_first || in_our_table) && !other.is_on_link()
    }

    fn follow(&mut self, own: &OwnRoute, address: HopAddress, place: usize) -> Followed {
        match &own.leads {
            Leads::Nowhere => Followed::Leads(Resolution::nowhere()),
            Leads::Held(legs) => Followed::Leads(Resolution {
                legs: with_gateway(legs, address.address),
                ..Resolution::nowhere()
            }),
            Leads::To(next_hops) => self.follow_to(own.prefix, next_hops, place),
        }
    }

    fn follow_to(&mut self, prefix: IpNet, next_hops: &[NextHop], place: usize) -> Followed {
        let mut found = Resolution { metric: u32::MAX, ..Resolution::nowhere() };
        let mut back: Option<(usize, Loop)> = None;
        for next_hop in next_hops {
            let leg = (prefix, next_hop.place());
            if self.loops.contains(&leg) {
                continue;
            }
            if let Some(entry) = self.chain.get_mut(place) {
                entry.1 = Some(leg);
            }
            match self.visit_once(next_hop.place()) {
                Visited::LoopsBack(index, by) if index == place => {
                    self.loops.extend(by);
                    // What led here may have been on that loop too: it is not followed any further.
                    if let Some(earlier) = self.first_on_a_loop(place) {
                        return Followed::LoopsBack(earlier, Loop::new());
                    }
                }
                Visited::LoopsBack(index, by) => {
                    if back.as_ref().is_none_or(|(other, _)| index < *other) {
                        back = Some((index, by));
                    }
                }
                // The leg is on a loop that was found from its next hop.
                Visited::Resolved(_) if self.loops.contains(&leg) => {}
                Visited::Resolved(resolution) if resolution.legs.is_empty() => {}
                Visited::Resolved(resolution) => {
                    found.metric = found.metric.min(resolution.metric);
                    found.legs.extend(resolution.legs.iter().map(|leg| weighted(*leg, next_hop.weight)));
                }
            }
        }
        match back {
            _ if !found.legs.is_empty() => Followed::Leads(found),
            Some((index, by)) => Followed::LoopsBack(index, by),
            None => Followed::PassedOver,
        }
    }

    /// Visits an address unless it is under way: then the routes from there on are a loop.
    fn visit_once(&mut self, address: HopAddress) -> Visited {
        match self.chain.iter().position(|(under_way, _)| *under_way == address) {
            Some(index) => {
                let legs = self.chain.iter().skip(index).filter_map(|(_, leg)| *leg);
                Visited::LoopsBack(index, legs.collect())
            }
            None => self.visit(address),
        }
    }

    /// The first place of the chain before this one whose leg has been found to be on a loop.
    fn first_on_a_loop(&self, place: usize) -> Option<usize> {
        let legs = self.chain.iter().take(place).map(|(_, leg)| leg);
        legs.into_iter().position(|leg| leg.is_some_and(|leg| self.loops.contains(&leg)))
    }

    fn by_others(&mut self, address: HopAddress, other: Option<Lookup>) -> Resolution {
        let step = |by, owner, legs| Step { address: address.address, by, owner, legs };
        let Some(other) = other else {
            self.note(step(None, Owner::Nobody, SmallVec::new()));
            return Resolution::nowhere();
        };
        self.note(step(Some(other.by), Owner::Other(other.protocol), other.legs.clone()));
        let through = match other.is_on_link() {
            true => Through::Link,
            false => Through::Kernel(other.by.prefix_len()),
        };
        if self.resolver.exclusion.excludes(&other) {
            return Resolution { through, ..Resolution::nowhere() };
        }
        let metric = if through == Through::Link { 0 } else { other.metric };
        let legs = with_gateway(&other.legs, address.address);
        Resolution { legs, metric, through, ..Resolution::nowhere() }
    }

    /// The kernel takes an IPv6 gateway for a neighbour only if no route with a gateway of its own leads to it, and one
    /// of ours may: the link says so instead.
    fn settle_gateways(&mut self, legs: &mut [Leg]) {
        for leg in legs {
            let Some(IpAddr::V6(gateway)) = leg.gateway.filter(|_| leg.onlink == Onlink::No) else {
                continue;
            };
            if gateway.is_unicast_link_local() {
                continue;
            }
            self.leans_on.push(IpAddr::V6(gateway).into());
            let link = self.resolver.foreign.connected_length(gateway.into());
            let covering = self.rib.covering(gateway.into());
            if covering.iter().any(|own| link.is_some_and(|length| own.prefix.prefix_len() > length)) {
                leg.onlink = Onlink::Yes;
            }
        }
    }

    /// Notes a step. Returns how many there were before.
    fn note(&mut self, step: Step) -> usize {
        let Some(steps) = &mut self.steps else { return 0 };
        steps.push(step);
        steps.len() - 1
    }

    fn forget_steps(&mut self, length: usize) {
        if let Some(steps) = &mut self.steps {
            steps.truncate(length);
        }
    }
}

/// The legs with the address itself as the gateway where it is on the link.
fn with_gateway(legs: &[Leg], address: IpAddr) -> SmallVec<[Leg; 1]> {
    legs.iter().map(|leg| Leg { gateway: Some(leg.gateway.unwrap_or(address)), ..*leg }).collect()
}

fn weighted(leg: Leg, weight: u8) -> Leg {
    Leg { weight: leg.weight.max(1).saturating_mul(weight.max(1)), ..leg }
}
