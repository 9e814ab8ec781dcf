//! The ways to next hops, and which of them to find out again.
//!
//! Routes need them (a direct route goes where its next hop goes), and BGP does (RFC 4271 section 9.1.2.1). A next hop is
//! resolved before anything is installed, over the routes of others and our own RIB together (`walk` says how), so that
//! what we install never decides whether it may be installed. A way through the tunnel device counts as none.
//!
//! Next hops are few, routes are many: a change of a route only concerns the next hops it covers and those that lean on
//! them, which an index finds. Three steps keep them current, each a plain call: [`Resolver::next_lookup`] says what to
//! ask the kernel, [`Resolver::hear`] takes the answer, [`Resolver::resolve`] resolves what may have changed.

mod walk;

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use smallvec::SmallVec;

use self::walk::Resolution;
pub use self::walk::{Leads, OwnRoute, OwnRoutes, Owner, Step};
use crate::{
    event::{Reachability, Through},
    foreign::ForeignRoutes,
    route::{HopAddress, Leg, Onlink},
    table::Devices,
};

/// The kernel's answer: the route that leads to an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The route's destination.
    pub by: IpNet,
    /// The routing table.
    pub table: u32,
    /// Who put it there.
    pub protocol: u8,
    /// Its metric.
    pub metric: u32,
    /// The kernel's number of its kind (`RTN_*`).
    pub kind: u8,
    /// Its living legs; none when it leads nowhere (a local address, a blackhole).
    pub legs: SmallVec<[Leg; 1]>,
    /// Devices of its other legs: dead, or without carrier.
    pub idle: SmallVec<[u32; 1]>,
}

impl Lookup {
    /// Whether the address is on a link of this host: its network is on one. A default route without a gateway makes
    /// nobody a neighbour.
    pub fn is_on_link(&self) -> bool {
        let direct = !self.legs.is_empty() && self.legs.iter().all(|leg| leg.gateway.is_none());
        direct && self.by.prefix_len() > 0
    }
}

/// Which answers do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exclusion {
    /// Our protocol number.
    pub protocol: u8,
    /// Our table.
    pub table: u32,
    /// The index of the tunnel device.
    pub tunnel: Option<u32>,
}

impl Exclusion {
    fn is_ours(&self, lookup: &Lookup) -> bool {
        lookup.protocol == self.protocol && lookup.table == self.table
    }

    fn excludes(&self, lookup: &Lookup) -> bool {
        lookup.legs.iter().any(|leg| Some(leg.device) == self.tunnel)
    }
}

#[derive(Debug, Default)]
struct Watch {
    /// What the owner of the FIB layer, if it asked for it, has been told.
    reported: Option<Option<News>>,
    /// The kernel's answer; `None` before the first.
    heard: Option<Option<Lookup>>,
    /// What follows from it and from the routes; `None` before the first answer.
    resolution: Option<Resolution>,
}

/// What the owner of the FIB layer is told of a next hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// Whether it can be reached.
    pub reachability: Reachability,
    /// Through what.
    pub through: Through,
    /// The names of the devices on the way, sorted; none when it cannot be reached.
    pub devices: Vec<String>,
}

/// The next hops followed.
#[derive(Debug, Default)]
pub struct Resolver {
    watches: BTreeMap<HopAddress, Watch>,
    /// To be asked of the kernel.
    dirty: BTreeSet<HopAddress>,
    /// To be resolved anew.
    stale: BTreeSet<HopAddress>,
    /// Who leans on an address: the next hops to resolve anew when a route to it changes.
    leaning: BTreeMap<HopAddress, BTreeSet<HopAddress>>,
    /// Devices that have just come back.
    resting: BTreeSet<u32>,
    exclusion: Exclusion,
    pub(crate) foreign: ForeignRoutes,
}

impl Resolver {
    /// Says which answers do not count.
    pub fn exclude(&mut self, exclusion: Exclusion) {
        if self.exclusion != exclusion {
            self.exclusion = exclusion;
            self.foreign.exclude(exclusion);
            self.reconsider_all();
        }
    }

    /// The routes of others.
    pub fn foreign(&self) -> &ForeignRoutes {
        &self.foreign
    }

    /// Follows a next hop for the owner of the FIB layer.
    pub fn watch(&mut self, address: HopAddress) {
        self.follow(address);
        if let Some(watch) = self.watches.get_mut(&address) {
            watch.reported.get_or_insert(None);
        }
    }

    /// Ends [`Self::watch`]; it is still followed while routes need it.
    pub fn unwatch(&mut self, address: HopAddress) {
        if let Some(watch) = self.watches.get_mut(&address) {
            watch.reported = None;
        }
    }

    /// Follows a next hop that a route needs. Returns whether it was not followed before.
    pub fn follow(&mut self, address: HopAddress) -> bool {
        if let std::collections::btree_map::Entry::Vacant(place) = self.watches.entry(address) {
            place.insert(Watch::default());
            self.dirty.insert(address);
            return true;
        }
        false
    }

    /// Whether an address within a prefix is followed.
    pub fn follows_within(&self, prefix: IpNet) -> bool {
        self.watches.range(addresses(prefix)).next().is_some()
    }

    /// A device has come back: legs over it are taken only where there is no other.
    pub fn rest(&mut self, device: u32) {
        self.resting.insert(device);
    }

    /// It has been there for a while. Returns the next hops that lead over it.
    pub fn rested(&mut self, device: u32) -> BTreeSet<HopAddress> {
        self.resting.remove(&device);
        let over = |watch: &Watch| {
            watch.resolution.as_ref().is_some_and(|way| way.legs.iter().any(|leg| leg.device == device))
        };
        self.watches.iter().filter(|(_, watch)| over(watch)).map(|(address, _)| *address).collect()
    }

    /// Whether a device has just come back.
    pub fn is_resting(&self, device: u32) -> bool {
        self.resting.contains(&device)
    }

    /// Forgets what neither a route nor the owner needs.
    pub fn retain(&mut self, needed_by_routes: &BTreeSet<HopAddress>) {
        self.watches.retain(|address, watch| watch.reported.is_some() || needed_by_routes.contains(address));
        let watches = &self.watches;
        self.dirty.retain(|address| watches.contains_key(address));
        self.stale.retain(|address| watches.contains_key(address));
        self.leaning.retain(|_, leaning| {
            leaning.retain(|address| watches.contains_key(address));
            !leaning.is_empty()
        });
    }

    /// A route to this prefix came, went or changed: answers for addresses within may differ.
    pub fn route_changed(&mut self, prefix: IpNet) {
        self.dirty.extend(self.watches.range(addresses(prefix)).map(|(address, _)| *address));
        self.own_route_changed(prefix);
    }

    /// A route of our own RIB to this prefix came, went or changed: next hops may lead elsewhere.
    pub fn own_route_changed(&mut self, prefix: IpNet) {
        let leaning = self.leaning.range(addresses(prefix)).flat_map(|(_, leaning)| leaning);
        self.stale.extend(leaning.copied());
    }

    /// Anything may have changed.
    pub fn all_changed(&mut self) {
        self.dirty.extend(self.watches.keys());
        self.reconsider_all();
    }

    /// What is made of the answers may have changed.
    pub fn reconsider_all(&mut self) {
        self.stale.extend(self.watches.keys());
    }

    /// One next hop is doubtful.
    pub fn doubt(&mut self, address: HopAddress) {
        if self.watches.contains_key(&address) {
            self.dirty.insert(address);
        }
    }

    /// Whether any next hop waits to be asked for or resolved anew.
    pub fn has_work(&self) -> bool {
        !self.dirty.is_empty() || !self.stale.is_empty()
    }

    /// The next one to ask the kernel for.
    pub fn next_lookup(&mut self) -> Option<HopAddress> {
        self.dirty.pop_first()
    }

    /// Takes the kernel's answer.
    pub fn hear(&mut self, address: HopAddress, lookup: Option<Lookup>) {
        let Some(watch) = self.watches.get_mut(&address) else { return };
        self.dirty.remove(&address);
        if watch.heard.as_ref() != Some(&lookup) {
            watch.heard = Some(lookup);
            self.stale.insert(address);
            self.stale.extend(self.leaning.get(&address).into_iter().flatten().copied());
        }
    }

    /// Resolves what may have changed. Returns the next hops whose way did.
    pub fn resolve(&mut self, rib: &impl OwnRoutes, devices: &impl Devices) -> BTreeSet<HopAddress> {
        let mut changed = BTreeSet::new();
        for address in std::mem::take(&mut self.stale) {
            if !self.is_answered(address) {
                continue;
            }
            let now = walk::resolve(self, rib, devices, address, None);
            let before = self.watches.get(&address).and_then(|watch| watch.resolution.as_ref());
            if before == Some(&now) {
                continue;
            }
            let leant_on = before.map(|before| before.leans_on.clone()).unwrap_or_default();
            self.lean(address, &leant_on, &now.leans_on);
            if let Some(watch) = self.watches.get_mut(&address) {
                watch.resolution = Some(now);
                changed.insert(address);
            }
        }
        changed
    }

    /// Whether an answer has come.
    pub fn is_answered(&self, address: HopAddress) -> bool {
        self.watches.get(&address).is_some_and(|watch| watch.heard.is_some())
    }

    /// The answer as BGP takes it: unreachable until there is one.
    pub fn reachability(&self, address: HopAddress) -> Reachability {
        self.way(address).map_or(Reachability::Unreachable, reachability)
    }

    /// Whether a usable way leads there.
    pub fn is_reachable(&self, address: HopAddress) -> bool {
        self.way(address).is_some_and(|way| !way.legs.is_empty())
    }

    /// Whether a route to this prefix, followed to this next hop, leads back to itself.
    pub fn loops(&self, address: HopAddress, prefix: IpNet) -> bool {
        self.way(address).is_some_and(|way| way.loops.contains(&(prefix, address)))
    }

    /// The answers the owner has not been told, in order of address. What is returned counts as told.
    pub fn take_news(&mut self, devices: &impl Devices) -> Vec<(HopAddress, News)> {
        let mut news = Vec::new();
        for (address, watch) in &mut self.watches {
            let (Some(reported), Some(way)) = (&mut watch.reported, &watch.resolution) else { continue };
            let (reachability, through) = (reachability(way), way.through);
            let names = names(way, devices);
            let told = |told: &News| {
                (told.reachability, told.through) == (reachability, through) && told.devices.iter().eq(&names)
            };
            if !reported.as_ref().is_some_and(told) {
                let devices = names.into_iter().map(str::to_owned).collect();
                let now = News { reachability, through, devices };
                *reported = Some(now.clone());
                news.push((*address, now));
            }
        }
        news
    }

    /// The legs of a direct route to this next hop; none when it cannot be reached.
    pub fn legs(&self, address: HopAddress) -> impl Iterator<Item = Leg> {
        self.way(address).into_iter().flat_map(|way| way.legs.iter().copied())
    }

    /// Routes of ours on the loops that were found on the way to a next hop, sorted. They do not count for it.
    pub fn loops_of(&self, address: HopAddress) -> Vec<IpNet> {
        let loops = self.way(address).into_iter().flat_map(|way| &way.loops);
        let mut prefixes: Vec<_> = loops.map(|(prefix, _)| *prefix).collect();
        prefixes.dedup();
        prefixes
    }

    /// How a next hop resolves, step by step, by the function that resolved it.
    pub fn steps(&self, address: HopAddress, rib: &impl OwnRoutes, devices: &impl Devices) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.is_answered(address) {
            walk::resolve(self, rib, devices, address, Some(&mut steps));
        }
        steps
    }

    /// Whether any way leads through this device, or would if it could be sent through.
    pub fn uses_device(&self, device: u32) -> bool {
        let uses = |lookup: &Lookup| {
            lookup.legs.iter().any(|leg| leg.device == device) || lookup.idle.contains(&device)
        };
        let leads = |way: &Resolution| way.legs.iter().any(|leg| leg.device == device);
        self.watches.values().any(|watch| {
            watch.heard.iter().flatten().any(uses) || watch.resolution.as_ref().is_some_and(leads)
        })
    }

    /// How many next hops are followed.
    pub fn len(&self) -> usize {
        self.watches.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.watches.is_empty()
    }

    /// The kernel's answer as it came; `None`: it knows no way, or has not been asked.
    fn heard(&self, address: HopAddress) -> Option<&Lookup> {
        self.watches.get(&address)?.heard.as_ref()?.as_ref()
    }

    fn way(&self, address: HopAddress) -> Option<&Resolution> {
        self.watches.get(&address)?.resolution.as_ref()
    }

    fn lean(&mut self, address: HopAddress, before: &[HopAddress], now: &[HopAddress]) {
        for other in before.iter().filter(|other| !now.contains(other)) {
            if let Some(leaning) = self.leaning.get_mut(other) {
                leaning.remove(&address);
                if leaning.is_empty() {
                    self.leaning.remove(other);
                }
            }
        }
        for other in now {
            self.leaning.entry(*other).or_default().insert(address);
        }
    }
}

fn reachability(way: &Resolution) -> Reachability {
    match way.legs.is_empty() {
        true => Reachability::Unreachable,
        false => Reachability::Reachable { metric: way.metric },
    }
}

/// The places of all addresses within a prefix.
fn addresses(prefix: IpNet) -> std::ops::RangeInclusive<HopAddress> {
    let first = HopAddress::from(prefix.network());
    first..=HopAddress { address: prefix.broadcast(), interface: Some(u32::MAX) }
}

/// The names of the devices on the way, sorted.
fn names<'a>(way: &Resolution, devices: &'a impl Devices) -> SmallVec<[&'a str; 2]> {
    let mut names: SmallVec<_> = way.legs.iter().filter_map(|leg| devices.name(leg.device)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// A leg on a link, as a lookup of a neighbour shows it.
pub fn on_link(device: u32) -> Leg {
    Leg { gateway: None, device, onlink: Onlink::No, weight: 1 }
}

#[cfg(test)]
mod tests;
