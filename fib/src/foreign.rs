//! The kernel's routes that are not ours: a copy, kept current by dumps and notifications.
//!
//! `RTM_GETROUTE` answers with our own routes too. Where it does, the copy says what lies behind them. It also says which
//! prefixes are this host's own affair (the networks on its links, its addresses), so that a route to one of them is
//! never wanted of us. The copy holds our table, the main one, which is asked after ours where ours is another, and the
//! local one with the host's addresses.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;
use smallvec::SmallVec;

use crate::{
    config::TABLE_MAIN,
    decide::Reason,
    resolve::{Exclusion, Lookup},
    route::{KernelRoute, Leg},
    table::{
        Devices, RouteNotice, Slot,
        intern::{Id, Interner},
        prefixes::Prefixes,
    },
    view::LinkState,
};

/// The kernel's table of this host's own addresses.
pub const TABLE_LOCAL: u32 = 255;

/// The tables that matter to who programs this one.
pub fn tables(ours: u32) -> BTreeSet<u32> {
    [ours, TABLE_MAIN, TABLE_LOCAL].into()
}

/// Why a prefix is this host's own affair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// It is a network on one of its links.
    Connected,
    /// It is one of its addresses.
    Address,
}

impl Host {
    /// The same as the reason of a decision.
    pub fn reason(self) -> Reason {
        match self {
            Self::Connected => Reason::Connected,
            Self::Address => Reason::OwnAddress,
        }
    }
}

/// One route of somebody else. Its prefix is its place in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ForeignRoute {
    table: u32,
    metric: u32,
    legs: Id<SmallVec<[Leg; 1]>>,
    protocol: u8,
    kind: u8,
}

impl ForeignRoute {
    fn is_in_slot(&self, table: u32, metric: u32) -> bool {
        (self.table, self.metric) == (table, metric)
    }
}

/// The routes of others in the tables that matter.
#[derive(Debug, Default)]
pub struct ForeignRoutes {
    exclusion: Exclusion,
    routes: Prefixes<SmallVec<[ForeignRoute; 1]>>,
    legs: Interner<SmallVec<[Leg; 1]>>,
    /// The prefixes that are this host's own, found in `routes`.
    hosts: BTreeMap<IpNet, Host>,
}

impl ForeignRoutes {
    /// Says which routes are ours and which device is the tunnel, whose networks do not count.
    pub(crate) fn exclude(&mut self, exclusion: Exclusion) {
        self.exclusion = exclusion;
        let on_link: Vec<_> = self.hosts.keys().copied().collect();
        on_link.into_iter().for_each(|prefix| _ = self.review(prefix));
    }

    /// Takes a full dump. Returns the prefixes that became or ceased to be this host's own.
    pub(crate) fn replace(&mut self, dump: &[KernelRoute]) -> BTreeSet<IpNet> {
        let before = std::mem::take(self);
        self.exclusion = before.exclusion;
        for route in dump {
            if self.concerns(route) {
                self.insert(route);
            }
        }
        let all = before.hosts.keys().chain(self.hosts.keys());
        all.filter(|prefix| before.hosts.get(prefix) != self.hosts.get(prefix)).copied().collect()
    }

    /// Takes a notification. Returns whether its prefix became or ceased to be this host's own.
    pub(crate) fn observe(&mut self, notice: &RouteNotice) -> bool {
        let route = notice.route();
        if !self.concerns(route) {
            // One of ours that replaced another's is not beside it.
            if let (RouteNotice::Replaced(route), true) = (notice, self.is_ours(route)) {
                return self.remove_first(route.prefix, route.table, route.metric);
            }
            return false;
        }
        let before = self.hosts.get(&route.prefix).copied();
        match notice {
            RouteNotice::Added(route) => self.insert(route),
            RouteNotice::Replaced(route) => {
                self.remove_first(route.prefix, route.table, route.metric);
                self.insert(route);
            }
            RouteNotice::Removed(route) => self.remove(route),
        }
        self.hosts.get(&route.prefix).copied() != before
    }

    /// We have put a route into a slot, or taken another's out of it: no route of others is there any more.
    pub(crate) fn taken(&mut self, slot: Slot) {
        self.remove_first(slot.prefix, self.exclusion.table, slot.metric);
    }

    /// The kernel drops the networks of a device that goes or is set down without a word. Returns their prefixes.
    pub(crate) fn device_lost(&mut self, device: u32) -> Vec<IpNet> {
        let connected = self.hosts.iter().filter(|(_, host)| **host == Host::Connected);
        let prefixes: Vec<_> = connected.map(|(prefix, _)| *prefix).collect();
        let legs = &self.legs;
        let only_there = |route: &ForeignRoute| {
            let legs = legs.get(route.legs).map(SmallVec::as_slice).unwrap_or_default();
            !legs.is_empty() && legs.iter().all(|leg| leg.device == device)
        };
        for prefix in &prefixes {
            if let Some(routes) = self.routes.get_mut(*prefix) {
                routes.retain(|route| !only_there(route));
            }
        }
        prefixes.into_iter().filter(|prefix| self.review(*prefix)).collect()
    }

    /// Whether a route through a gateway leads over this device: the kernel drops such routes without a word too, and
    /// only a dump tells.
    pub(crate) fn has_gateway_over(&self, device: u32) -> bool {
        let gateway = |leg: &Leg| leg.device == device && leg.gateway.is_some();
        self.legs.iter().any(|(_, legs)| legs.iter().any(gateway))
    }

    /// Whether a prefix equals a network on a link of this host or one of its addresses.
    pub fn host(&self, prefix: IpNet) -> Option<Host> {
        self.hosts.get(&prefix).copied()
    }

    /// The length of the longest network on a link of this host that contains an address.
    pub fn connected_length(&self, address: IpAddr) -> Option<u8> {
        let covering = self.routes.covering(address.into());
        let connected = covering.iter().find(|(prefix, _)| self.host(*prefix) == Some(Host::Connected));
        connected.map(|(prefix, _)| prefix.prefix_len())
    }

    /// The longest match for an address, as the kernel would find it without our routes.
    pub fn longest(&self, address: IpAddr, devices: &impl Devices) -> Option<Lookup> {
        let covering = self.routes.covering(address.into());
        let ours = self.exclusion.table;
        let tables = [ours, TABLE_MAIN];
        let distinct = if ours == TABLE_MAIN { &tables[..1] } else { &tables[..] };
        for table in distinct {
            let alive = |route: &&ForeignRoute| route.table == *table && !self.is_gone(route, devices);
            let found = covering.iter().find_map(|(prefix, routes)| {
                Some((*prefix, routes.iter().filter(alive).min_by_key(|route| route.metric)?))
            });
            match found {
                Some((_, route)) if route.kind == libc::RTN_THROW => {}
                Some((by, route)) => return Some(self.lookup(by, route, devices)),
                None => {}
            }
        }
        None
    }

    fn lookup(&self, by: IpNet, route: &ForeignRoute, devices: &impl Devices) -> Lookup {
        let all = self.legs_of(route);
        let up = |leg: &&Leg| devices.state(leg.device) == LinkState::Up;
        let (legs, idle): (Vec<_>, Vec<_>) = all.iter().partition(up);
        let ForeignRoute { table, metric, protocol, kind, .. } = *route;
        Lookup {
            by,
            table,
            protocol,
            metric,
            kind,
            legs: legs.into_iter().copied().collect(),
            idle: idle.into_iter().map(|leg| leg.device).collect(),
        }
    }

    /// Whether the kernel has dropped a route with its devices, and only a dump has not told yet.
    fn is_gone(&self, route: &ForeignRoute, devices: &impl Devices) -> bool {
        let legs = self.legs_of(route);
        !legs.is_empty() && legs.iter().all(|leg| devices.state(leg.device) == LinkState::Down)
    }

    fn legs_of(&self, route: &ForeignRoute) -> &[Leg] {
        self.legs.get(route.legs).map(SmallVec::as_slice).unwrap_or_default()
    }

    fn is_ours(&self, route: &KernelRoute) -> bool {
        (route.protocol, route.table) == (self.exclusion.protocol, self.exclusion.table)
    }

    fn concerns(&self, route: &KernelRoute) -> bool {
        let tables = [self.exclusion.table, TABLE_MAIN, TABLE_LOCAL];
        let kind = route.table != TABLE_LOCAL || route.kind == libc::RTN_LOCAL;
        tables.contains(&route.table) && kind && route.tos == 0 && !self.is_ours(route)
    }

    fn insert(&mut self, route: &KernelRoute) {
        let KernelRoute { prefix, table, metric, protocol, kind, .. } = *route;
        let route = ForeignRoute { table, metric, legs: self.legs.intern(&route.legs), protocol, kind };
        let routes = self.routes.entry(prefix);
        // An IPv6 route that gets another leg is told of as a whole.
        let grown = |other: &&mut ForeignRoute| {
            prefix.addr().is_ipv6() && other.is_in_slot(table, metric) && other.protocol == protocol
        };
        match routes.iter_mut().find(grown) {
            Some(other) => *other = route,
            None => routes.push(route),
        }
        self.review(prefix);
    }

    fn remove(&mut self, route: &KernelRoute) {
        let KernelRoute { prefix, table, metric, protocol, .. } = *route;
        let legs = self.legs.intern(&route.legs);
        let Some(routes) = self.routes.get_mut(prefix) else { return };
        let like = |other: &ForeignRoute| other.is_in_slot(table, metric) && other.protocol == protocol;
        let same = routes.iter().position(|other| like(other) && other.legs == legs);
        if let Some(index) = same.or_else(|| routes.iter().position(like)) {
            routes.remove(index);
        }
        self.review(prefix);
    }

    /// Removes the route that a replacement in this slot hits. Returns whether the prefix ceased to be this host's own.
    fn remove_first(&mut self, prefix: IpNet, table: u32, metric: u32) -> bool {
        let Some(routes) = self.routes.get_mut(prefix) else { return false };
        let Some(index) = routes.iter().position(|route| route.is_in_slot(table, metric)) else {
            return false;
        };
        routes.remove(index);
        self.review(prefix)
    }

    /// Finds out anew whether a prefix is this host's own. Returns whether that changed.
    fn review(&mut self, prefix: IpNet) -> bool {
        let Some(routes) = self.routes.get(prefix) else { return self.hosts.remove(&prefix).is_some() };
        let host = routes.iter().find_map(|route| self.host_of(prefix, route));
        if routes.is_empty() {
            self.routes.remove(prefix);
        }
        match host {
            Some(host) => self.hosts.insert(prefix, host) != Some(host),
            None => self.hosts.remove(&prefix).is_some(),
        }
    }

    fn host_of(&self, prefix: IpNet, route: &ForeignRoute) -> Option<Host> {
        if route.kind == libc::RTN_LOCAL {
            return Some(Host::Address);
        }
        let legs = self.legs_of(route);
        let on_link = |leg: &Leg| leg.gateway.is_none() && Some(leg.device) != self.exclusion.tunnel;
        let connected = !legs.is_empty() && legs.iter().all(on_link) && prefix.prefix_len() > 0;
        connected.then_some(Host::Connected)
    }
}
