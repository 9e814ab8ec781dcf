//! Rows, differences and explanations.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

use super::{
    Table,
    compare::slot_of,
    entry::{Entry, Todo},
};
use crate::{
    config::{Programming, TABLE_MAIN},
    decide::{Decision, Fact, Verdict},
    foreign::TABLE_LOCAL,
    resolve::{Lookup, Owner, Resolver, Step},
    route::{HopAddress, KernelRoute, Leg, Path},
    view::{
        Cause, DecisionView, DiffAction, DiffEntry, DiffPage, Explanation, KernelRouteView, LegView,
        LinkState, ResolutionView, RestartPhase, RouteCount, RoutePage, RouteView, State, StepView,
    },
};

/// What is asked of the kernel beside a route of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Which route covers this prefix.
    Prefix(IpNet),
    /// Where packets to this address go: the kernel's answer, if it has a route that leads somewhere.
    Address(IpAddr, Option<Lookup>),
}

/// Devices by index.
pub trait Devices {
    /// The name, when it is known.
    fn name(&self, index: u32) -> Option<&str>;

    /// Whether it can be sent through.
    fn state(&self, index: u32) -> LinkState;
}

impl Table {
    /// At most `limit` routes from a prefix on.
    pub fn routes(&self, from: Option<IpNet>, limit: usize, devices: &impl Devices) -> RoutePage {
        let mut entries = self.entries.iter_from(from);
        let routes =
            entries.by_ref().take(limit).map(|(prefix, entry)| self.view(prefix, entry, devices)).collect();
        RoutePage { routes, next: entries.next().map(|(prefix, _)| prefix) }
    }

    /// Routes counted by path and state.
    pub fn counts(&self) -> Vec<RouteCount> {
        let mut counts = BTreeMap::new();
        for (_, entry) in self.entries.iter() {
            *counts.entry((entry.decision.map(|d| d.verdict), entry.state())).or_default() += 1;
        }
        counts.into_iter().map(|((path, state), routes)| RouteCount { path, state, routes }).collect()
    }

    /// Bytes that the routes themselves take.
    pub fn mem_size(&self) -> usize {
        self.entries.mem_size() + self.queue.capacity() * size_of::<IpNet>()
    }

    /// At most `limit` differences between what is wanted and this dump, from a prefix on.
    pub fn diff(
        &self,
        from: Option<IpNet>,
        limit: usize,
        dump: &[KernelRoute],
        devices: &impl Devices,
    ) -> DiffPage {
        let mut held: BTreeMap<IpNet, Vec<&KernelRoute>> = BTreeMap::new();
        for route in dump.iter().filter(|route| self.concerns_us(route)) {
            held.entry(route.prefix).or_default().push(route);
        }
        let ours = |routes: &[&KernelRoute]| routes.iter().any(|route| route.protocol == self.protocol);
        let mut prefixes: BTreeSet<_> = self.entries.iter_from(from).map(|(prefix, _)| prefix).collect();
        prefixes.extend(held.iter().filter(|(_, routes)| ours(routes)).map(|(prefix, _)| *prefix));
        let due = prefixes.into_iter().filter(|prefix| from.is_none_or(|from| *prefix >= from));
        let mut differences = due.filter_map(|prefix| {
            self.difference(prefix, held.get(&prefix).map(Vec::as_slice).unwrap_or_default(), devices)
        });
        let entries = differences.by_ref().take(limit).collect();
        DiffPage { entries, next: differences.next().map(|entry| entry.prefix) }
    }

    /// Explains the longest route that contains the prefix. `lookup` is the kernel's answer for the address asked for.
    pub fn explain(
        &self,
        prefix: IpNet,
        asked: Asked,
        resolver: &Resolver,
        dump: &[KernelRoute],
        devices: &impl Devices,
    ) -> Explanation {
        let found = self.entries.longest_match(prefix.trunc());
        let slot = self.slot(found.map_or(prefix.trunc(), |(prefix, _)| prefix));
        let in_slot = dump.iter().filter(|route| route.table == self.table && slot_of(route) == slot);
        Explanation {
            route: found.map(|(prefix, entry)| self.view(prefix, entry, devices)),
            decisions: found
                .map_or_else(Vec::new, |(prefix, entry)| self.decisions(prefix, entry, resolver, devices)),
            kernel: in_slot.map(|route| self.kernel_view(route, devices)).collect(),
            answer: match asked {
                Asked::Prefix(prefix) => self.kernel_match(prefix, dump, devices),
                Asked::Address(_, Some(lookup)) => {
                    let dumped = dump.iter().find(|route| is_answer(route, &lookup));
                    let view = || lookup_view(&lookup, devices);
                    Some(dumped.map_or_else(view, |route| self.kernel_view(route, devices)))
                }
                // To a blackhole and its like the kernel answers with an error.
                Asked::Address(address, None) => {
                    let found = self.kernel_match(address.into(), dump, devices);
                    found.filter(|route| route.legs.is_empty())
                }
            },
        }
    }

    /// The longest route of a dump that contains a prefix, in the order in which the kernel asks its tables.
    fn kernel_match(
        &self,
        prefix: IpNet,
        dump: &[KernelRoute],
        devices: &impl Devices,
    ) -> Option<KernelRouteView> {
        let covers = |route: &&KernelRoute| route.tos == 0 && route.prefix.contains(&prefix);
        let rank = |route: &&KernelRoute| (std::cmp::Reverse(route.prefix.prefix_len()), route.metric);
        let found = [TABLE_LOCAL, self.table, TABLE_MAIN].into_iter().find_map(|table| {
            let in_table = dump.iter().filter(|route| route.table == table);
            in_table.filter(covers).min_by_key(rank).filter(|route| route.kind != libc::RTN_THROW)
        });
        found.map(|route| self.kernel_view(route, devices))
    }

    fn decisions(
        &self,
        prefix: IpNet,
        entry: &Entry,
        resolver: &Resolver,
        devices: &impl Devices,
    ) -> Vec<DecisionView> {
        if let Some(decision) = self.host_decision(prefix, entry, resolver) {
            return vec![DecisionView { next_hop: None, decision, facts: vec![], resolution: None }];
        }
        if entry.marks.block {
            let mut facts = Vec::new();
            let decision = self.decider.local_block(prefix, &mut facts);
            return vec![DecisionView { next_hop: None, decision, facts, resolution: None }];
        }
        if entry.marks.discard {
            let mut facts = Vec::new();
            if let Some(decision) = self.decider.discard(prefix, &mut facts) {
                return vec![DecisionView { next_hop: None, decision, facts, resolution: None }];
            }
        }
        let next_hops = entry.next_hops.and_then(|set| self.sets.get(set)).into_iter().flatten();
        let decided = next_hops.map(|next_hop| {
            let mut facts: Vec<Fact> = Vec::new();
            let decision = self.decider.route(prefix, next_hop.address, &mut facts);
            let resolution = self.resolution(next_hop.place(), resolver, devices);
            DecisionView { next_hop: Some(next_hop.address), decision, facts, resolution: Some(resolution) }
        });
        decided.collect()
    }

    fn view(&self, prefix: IpNet, entry: &Entry, devices: &impl Devices) -> RouteView {
        let path = entry.actual.or(entry.wanted).and_then(|path| self.paths.get(path));
        let state = entry.state();
        RouteView {
            prefix,
            path: entry.decision.map(|decision: Decision| decision.verdict),
            reason: entry.decision.map(|decision| decision.reason),
            legs: path.map_or_else(Vec::new, |path| self.legs_of(path, devices)),
            kind: path.map(|path| kind(path, libc::RTN_UNICAST)),
            object: path.and_then(Path::object),
            mtu: path.and_then(Path::mtu),
            state,
            cause: self.cause(entry, state),
            errno: entry.errno(),
            owner: self.owner(prefix),
        }
    }

    fn cause(&self, entry: &Entry, state: State) -> Option<Cause> {
        match state {
            State::Stale if entry.marks.adopted && self.restart == RestartPhase::Underway => {
                Some(Cause::RestartUnderway)
            }
            State::Stale | State::Pending => Some(entry.cause.unwrap_or(Cause::Queued)),
            State::Unreachable => Some(entry.cause.unwrap_or(Cause::NextHopUnreachable)),
            _ => entry.cause,
        }
    }

    fn difference(&self, prefix: IpNet, held: &[&KernelRoute], devices: &impl Devices) -> Option<DiffEntry> {
        let slot = self.slot(prefix);
        let entry = self.entries.get(prefix);
        let wanted = entry.and_then(|entry| entry.wanted).and_then(|path| self.paths.get(path));
        let mut ours = held.iter().filter(|route| route.protocol == self.protocol);
        let in_slot = ours.clone().find(|route| slot_of(route) == slot);
        let foreign = held.iter().any(|route| route.protocol != self.protocol);
        let action = match (wanted, in_slot) {
            (Some(wanted), Some(route)) if *wanted == route.path && ours.all(|r| slot_of(r) == slot) => {
                return None;
            }
            (Some(wanted), Some(route)) if *wanted == route.path => DiffAction::Remove,
            (Some(_), _) if foreign => DiffAction::Conflict,
            (Some(_), Some(_)) => DiffAction::Replace,
            (Some(_), None) => DiffAction::Add,
            (None, Some(_)) if entry.is_some_and(|entry| entry.todo(self.restart) == Todo::Delete) => {
                DiffAction::Remove
            }
            (None, _) if entry.is_some_and(|entry| entry.is_asked_for() && !left_alone(entry)) => {
                DiffAction::Wait
            }
            (None, Some(_)) => DiffAction::Remove,
            (None, None) if ours.next().is_some() => DiffAction::Remove,
            (None, None) => return None,
        };
        Some(DiffEntry {
            prefix,
            action,
            wanted: wanted.map(|path| self.wanted_view(prefix, path, devices)),
            held: held.iter().map(|route| self.kernel_view(route, devices)).collect(),
            cause: self.diff_cause(action, entry),
        })
    }

    fn diff_cause(&self, action: DiffAction, entry: Option<&Entry>) -> Option<Cause> {
        match action {
            DiffAction::Conflict => Some(Cause::ForeignRoute),
            _ if self.programming == Programming::DryRun => Some(Cause::DryRun),
            DiffAction::Remove if self.restart == RestartPhase::Underway => Some(Cause::RestartUnderway),
            _ => entry.and_then(|entry| self.cause(entry, entry.state())),
        }
    }

    fn wanted_view(&self, prefix: IpNet, path: &Path, devices: &impl Devices) -> KernelRouteView {
        KernelRouteView {
            kind: kind(path, 0),
            dst: prefix,
            protocol: self.protocol,
            metric: self.slot(prefix).metric,
            object: path.object(),
            mtu: path.mtu(),
            legs: self.legs_of(path, devices),
        }
    }

    fn kernel_view(&self, route: &KernelRoute, devices: &impl Devices) -> KernelRouteView {
        KernelRouteView {
            kind: kind(&route.path, route.kind),
            dst: route.prefix,
            protocol: route.protocol,
            metric: route.metric,
            object: route.path.object(),
            mtu: route.path.mtu(),
            legs: match route.path {
                Path::Other => legs(&route.legs, devices),
                _ => self.legs_of(&route.path, devices),
            },
        }
    }

    /// The legs of a path, those of its object included.
    fn legs_of(&self, path: &Path, devices: &impl Devices) -> Vec<LegView> {
        match path.way() {
            Path::Object(id) => legs(&self.objects.legs(*id), devices),
            path => legs(path.legs(), devices),
        }
    }

    fn resolution(&self, address: HopAddress, resolver: &Resolver, devices: &impl Devices) -> ResolutionView {
        let view = |step: Step| StepView {
            address: step.address,
            by: step.by,
            protocol: match step.owner {
                Owner::Ours => Some(self.protocol),
                Owner::Other(protocol) => Some(protocol),
                Owner::Nobody => None,
            },
            legs: legs(&step.legs, devices),
        };
        let way: Vec<_> = resolver.legs(address).collect();
        ResolutionView {
            reachability: resolver.reachability(address),
            steps: resolver.steps(address, self, devices).into_iter().map(view).collect(),
            loops: resolver.loops_of(address),
            legs: legs(&way, devices),
        }
    }

    fn concerns_us(&self, route: &KernelRoute) -> bool {
        let ours = route.protocol == self.protocol;
        route.table == self.table && (ours || slot_of(route) == self.slot(route.prefix))
    }
}

fn left_alone(entry: &Entry) -> bool {
    entry.decision.is_some_and(|decision| decision.verdict == Verdict::NotOurs)
}

/// Whether this is the route that a lookup found.
fn is_answer(route: &KernelRoute, lookup: &Lookup) -> bool {
    let found = (lookup.by, lookup.table, lookup.protocol, lookup.metric, lookup.kind);
    (route.prefix, route.table, route.protocol, route.metric, route.kind) == found
}

fn lookup_view(lookup: &Lookup, devices: &impl Devices) -> KernelRouteView {
    KernelRouteView {
        kind: kind_name(lookup.kind),
        dst: lookup.by,
        protocol: lookup.protocol,
        metric: lookup.metric,
        object: None,
        mtu: None,
        legs: legs(&lookup.legs, devices),
    }
}

/// The kernel's number of a kind of route, as iproute2 names it.
fn kind_name(number: u8) -> String {
    let name = match number {
        libc::RTN_UNICAST => "unicast",
        libc::RTN_LOCAL => "local",
        libc::RTN_BROADCAST => "broadcast",
        libc::RTN_ANYCAST => "anycast",
        libc::RTN_MULTICAST => "multicast",
        libc::RTN_BLACKHOLE => "blackhole",
        libc::RTN_UNREACHABLE => "unreachable",
        libc::RTN_PROHIBIT => "prohibit",
        libc::RTN_THROW => "throw",
        other => return other.to_string(),
    };
    name.to_owned()
}

fn kind(path: &Path, number: u8) -> String {
    match path.way() {
        Path::Blackhole => "blackhole".into(),
        Path::Unreachable => "unreachable".into(),
        Path::Unicast(_) | Path::Object(_) => "unicast".into(),
        Path::Limited(..) | Path::Other => kind_name(number),
    }
}

fn legs(legs: &[Leg], devices: &impl Devices) -> Vec<LegView> {
    let view = |leg: &Leg| LegView {
        gateway: leg.gateway,
        device: devices.name(leg.device).map_or_else(|| leg.device.to_string(), Into::into),
        onlink: leg.onlink,
        weight: leg.weight,
        link: devices.state(leg.device),
    };
    legs.iter().map(view).collect()
}
