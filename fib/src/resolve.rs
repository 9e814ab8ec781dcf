//! The kernel's answers for next hops, and which of them to ask for again.
//!
//! Routes need them (a direct route goes where its next hop goes), and BGP does (RFC 4271 section 9.1.2.1). An answer
//! through a route of our own or through the tunnel device counts as none: it would make reachability depend on itself.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use smallvec::SmallVec;

use crate::{
    event::Reachability,
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
    /// Its living legs; none when it leads nowhere (a local address, a blackhole).
    pub legs: SmallVec<[Leg; 1]>,
    /// Devices of its other legs: dead, or without carrier.
    pub idle: SmallVec<[u32; 1]>,
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
    fn excludes(&self, lookup: &Lookup) -> bool {
        let ours = lookup.protocol == self.protocol && lookup.table == self.table;
        ours || lookup.legs.iter().any(|leg| Some(leg.device) == self.tunnel)
    }
}

#[derive(Debug, Default)]
struct Watch {
    /// What the owner of the FIB layer, if it asked for it, has been told.
    reported: Option<Option<News>>,
    /// `None` before the first answer.
    answer: Option<Answer>,
}

/// What the owner of the FIB layer is told of a next hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// Whether it can be reached.
    pub reachability: Reachability,
    /// The names of the devices on the way, sorted; none when it cannot be reached.
    pub devices: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    lookup: Option<Lookup>,
    usable: bool,
}

/// The next hops followed.
#[derive(Debug, Default)]
pub struct Resolver {
    watches: BTreeMap<HopAddress, Watch>,
    dirty: BTreeSet<HopAddress>,
    /// Devices that have just come back.
    resting: BTreeSet<u32>,
    exclusion: Exclusion,
}

impl Resolver {
    /// Says which answers do not count; those already there are judged anew. Returns the next hops whose way changed.
    pub fn exclude(&mut self, exclusion: Exclusion) -> Vec<HopAddress> {
        self.exclusion = exclusion;
        let mut changed = Vec::new();
        for (address, watch) in &mut self.watches {
            let Some(answer) = &mut watch.answer else { continue };
            let usable = answer.lookup.as_ref().is_some_and(|lookup| usable(lookup, &exclusion));
            if usable != answer.usable {
                answer.usable = usable;
                changed.push(*address);
            }
        }
        changed
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

    /// Follows a next hop that a route needs.
    pub fn follow(&mut self, address: HopAddress) {
        if let std::collections::btree_map::Entry::Vacant(place) = self.watches.entry(address) {
            place.insert(Watch::default());
            self.dirty.insert(address);
        }
    }

    /// A device has come back: legs over it are taken only where there is no other.
    pub fn rest(&mut self, device: u32) {
        self.resting.insert(device);
    }

    /// It has been there for a while. Returns the next hops that lead over it.
    pub fn rested(&mut self, device: u32) -> BTreeSet<HopAddress> {
        self.resting.remove(&device);
        let over = |watch: &Watch| {
            let lookup = watch.answer.as_ref().and_then(|answer| answer.lookup.as_ref());
            lookup.is_some_and(|lookup| lookup.legs.iter().any(|leg| leg.device == device))
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
    }

    /// A route to this prefix came, went or changed: answers for addresses within may differ.
    pub fn route_changed(&mut self, prefix: IpNet) {
        let first = HopAddress::from(prefix.network());
        let last = HopAddress { address: prefix.broadcast(), interface: Some(u32::MAX) };
        self.dirty.extend(self.watches.range(first..=last).map(|(address, _)| *address));
    }

    /// Anything may have changed.
    pub fn all_changed(&mut self) {
        self.dirty.extend(self.watches.keys());
    }

    /// One next hop is doubtful.
    pub fn doubt(&mut self, address: HopAddress) {
        if self.watches.contains_key(&address) {
            self.dirty.insert(address);
        }
    }

    /// Whether any next hop waits to be asked for.
    pub fn has_work(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// The next one to ask the kernel for.
    pub fn next_lookup(&mut self) -> Option<HopAddress> {
        self.dirty.pop_first()
    }

    /// Takes the kernel's answer. Returns whether the way to the next hop changed.
    pub fn answer(&mut self, address: HopAddress, lookup: Option<Lookup>) -> Changed {
        let Some(watch) = self.watches.get_mut(&address) else { return Changed::No };
        self.dirty.remove(&address);
        let usable = lookup.as_ref().is_some_and(|lookup| usable(lookup, &self.exclusion));
        let answer = Some(Answer { lookup, usable });
        if watch.answer == answer {
            return Changed::No;
        }
        watch.answer = answer;
        Changed::Yes
    }

    /// Whether an answer has come.
    pub fn is_answered(&self, address: HopAddress) -> bool {
        self.watches.get(&address).is_some_and(|watch| watch.answer.is_some())
    }

    /// The answer as BGP takes it: unreachable until there is one.
    pub fn reachability(&self, address: HopAddress) -> Reachability {
        match self.usable(address) {
            Some(lookup) => Reachability::Reachable { metric: lookup.metric },
            None => Reachability::Unreachable,
        }
    }

    /// Whether a usable way leads there.
    pub fn is_reachable(&self, address: HopAddress) -> bool {
        self.usable(address).is_some()
    }

    /// The answers the owner has not been told, in order of address. What is returned counts as told.
    pub fn take_news(&mut self, devices: &impl Devices) -> Vec<(HopAddress, News)> {
        let mut news = Vec::new();
        for (address, watch) in &mut self.watches {
            let (Some(reported), Some(answer)) = (&mut watch.reported, &watch.answer) else { continue };
            let usable = answer.lookup.as_ref().filter(|_| answer.usable);
            let reachability = usable.map_or(Reachability::Unreachable, |lookup| Reachability::Reachable {
                metric: lookup.metric,
            });
            let names = usable.map(|lookup| names(lookup, devices)).unwrap_or_default();
            let told = |told: &News| told.reachability == reachability && told.devices.iter().eq(&names);
            if !reported.as_ref().is_some_and(told) {
                let devices = names.into_iter().map(str::to_owned).collect();
                let now = News { reachability, devices };
                *reported = Some(now.clone());
                news.push((*address, now));
            }
        }
        news
    }

    /// The legs of a direct route to this next hop; none when it cannot be reached.
    pub fn legs(&self, address: HopAddress) -> impl Iterator<Item = Leg> {
        let legs = self.usable(address).into_iter().flat_map(|lookup| lookup.legs.iter());
        legs.map(move |leg| Leg { gateway: Some(leg.gateway.unwrap_or(address.address)), ..*leg })
    }

    /// The kernel's answer as it came.
    pub fn lookup(&self, address: HopAddress) -> Option<&Lookup> {
        self.watches.get(&address)?.answer.as_ref()?.lookup.as_ref()
    }

    /// Whether any answer leads through this device.
    pub fn uses_device(&self, device: u32) -> bool {
        let answers = self.watches.values().filter_map(|watch| watch.answer.as_ref()?.lookup.as_ref());
        let uses = |lookup: &Lookup| {
            lookup.legs.iter().any(|leg| leg.device == device) || lookup.idle.contains(&device)
        };
        answers.into_iter().any(uses)
    }

    /// How many next hops are followed.
    pub fn len(&self) -> usize {
        self.watches.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.watches.is_empty()
    }

    fn usable(&self, address: HopAddress) -> Option<&Lookup> {
        let answer = self.watches.get(&address)?.answer.as_ref()?;
        answer.lookup.as_ref().filter(|_| answer.usable)
    }
}

/// Whether an answer differs from the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is the same.
    No,
    /// It differs.
    Yes,
}

/// The names of the devices on the way, sorted.
fn names<'a>(lookup: &Lookup, devices: &'a impl Devices) -> SmallVec<[&'a str; 2]> {
    let mut names: SmallVec<_> = lookup.legs.iter().filter_map(|leg| devices.name(leg.device)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn usable(lookup: &Lookup, exclusion: &Exclusion) -> bool {
    !lookup.legs.is_empty() && !exclusion.excludes(lookup)
}

/// A leg on a link, as a lookup of a neighbour shows it.
pub fn on_link(device: u32) -> Leg {
    Leg { gateway: None, device, onlink: Onlink::No, weight: 1 }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::view::LinkState;

    const NODE: &str = "192.168.92.129";

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn at(text: &str) -> HopAddress {
        ip(text).into()
    }

    fn lookup(by: &str, protocol: u8, leg: Leg) -> Option<Lookup> {
        let legs = SmallVec::from_elem(leg, 1);
        let idle = SmallVec::new();
        Some(Lookup { by: by.parse().unwrap(), table: 254, protocol, metric: 7, legs, idle })
    }

    fn resolver() -> Resolver {
        let mut resolver = Resolver::default();
        resolver.exclude(Exclusion { protocol: 179, table: 254, tunnel: Some(9) });
        resolver
    }

    /// Device 2 has this name, device 3 another.
    struct Cards(&'static str);

    impl Devices for Cards {
        fn name(&self, index: u32) -> Option<&str> {
            [(2, self.0), (3, "card3"), (9, "tunl9")]
                .into_iter()
                .find(|(i, _)| *i == index)
                .map(|(_, name)| name)
        }

        fn state(&self, _: u32) -> LinkState {
            LinkState::Up
        }
    }

    #[test]
    fn a_neighbour_is_its_own_gateway_and_a_gateway_is_kept() {
        let mut r = resolver();
        for (address, leg) in
            [(NODE, on_link(2)), ("10.9.9.9", Leg { gateway: Some(ip("192.168.92.1")), ..on_link(2) })]
        {
            r.follow(at(address));
            r.answer(at(address), lookup("0.0.0.0/0", 2, leg));
        }
        assert_eq!(r.legs(at(NODE)).next().unwrap().gateway, Some(ip(NODE)));
        assert_eq!(r.legs(at("10.9.9.9")).next().unwrap().gateway, Some(ip("192.168.92.1")));
    }

    #[test]
    fn answers_through_our_own_routes_or_the_tunnel_are_unreachable() {
        let mut r = resolver();
        r.watch(at(NODE));
        let expected = [
            (lookup("192.168.92.0/24", 2, on_link(2)), Reachability::Reachable { metric: 7 }),
            (lookup("192.168.92.0/24", 179, on_link(2)), Reachability::Unreachable),
            (lookup("192.168.92.0/24", 2, on_link(9)), Reachability::Unreachable),
            (None, Reachability::Unreachable),
        ];
        for (answer, reachability) in expected {
            r.answer(at(NODE), answer);
            assert_eq!(r.reachability(at(NODE)), reachability);
        }
    }

    #[test]
    fn news_is_told_once_and_to_watchers_only() {
        let mut r = resolver();
        r.watch(at(NODE));
        r.follow(at("10.0.0.1"));
        let nowhere = || News { reachability: Reachability::Unreachable, devices: vec![] };
        assert_eq!(r.take_news(&Cards("eth0")), []);
        r.answer(at(NODE), None);
        r.answer(at("10.0.0.1"), None);
        assert_eq!(r.take_news(&Cards("eth0")), [(at(NODE), nowhere())]);
        assert_eq!(r.take_news(&Cards("eth0")), []);
        r.unwatch(at(NODE));
        r.watch(at(NODE));
        assert_eq!(r.take_news(&Cards("eth0")), [(at(NODE), nowhere())]);
    }

    #[test]
    fn another_device_and_another_name_of_it_are_news() {
        let mut r = resolver();
        r.watch(at(NODE));
        let told = |r: &mut Resolver, name| r.take_news(&Cards(name)).pop().map(|(_, news)| news.devices);
        r.answer(at(NODE), lookup("0.0.0.0/0", 2, on_link(2)));
        assert_eq!(told(&mut r, "eth0"), Some(vec!["eth0".to_owned()]));
        assert_eq!(told(&mut r, "eth0"), None);
        assert_eq!(told(&mut r, "uplink"), Some(vec!["uplink".to_owned()]));
        r.answer(at(NODE), lookup("0.0.0.0/0", 2, on_link(3)));
        assert_eq!(told(&mut r, "uplink"), Some(vec!["card3".to_owned()]));
        r.answer(at(NODE), lookup("0.0.0.0/0", 2, on_link(9)));
        assert_eq!(told(&mut r, "uplink"), Some(vec![]), "the tunnel does not count");
    }

    #[test]
    fn a_route_change_doubts_only_the_next_hops_within_it() {
        let mut r = resolver();
        for address in [NODE, "192.168.93.1", "fd00::1"] {
            r.follow(at(address));
        }
        while r.next_lookup().is_some() {}
        r.route_changed("192.168.92.0/24".parse().unwrap());
        assert_eq!((r.next_lookup(), r.next_lookup()), (Some(at(NODE)), None));
        r.route_changed("::/0".parse().unwrap());
        assert_eq!((r.next_lookup(), r.next_lookup()), (Some(at("fd00::1")), None));
    }

    #[test]
    fn a_new_tunnel_index_judges_old_answers_anew() {
        let mut r = resolver();
        r.follow(at(NODE));
        r.answer(at(NODE), lookup("0.0.0.0/0", 2, on_link(5)));
        let exclusion = Exclusion { protocol: 179, table: 254, tunnel: Some(5) };
        assert_eq!(r.exclude(exclusion), [at(NODE)]);
        assert!(r.exclude(exclusion).is_empty());
        assert_eq!(r.reachability(at(NODE)), Reachability::Unreachable);
    }
}
