//! What we want against what the kernel holds, prefix by prefix, and the requests that close the gap.
//!
//! Everything goes through the same few steps, whatever set it off (a change from BGP, a new configuration, another
//! answer for a next hop, a notification, a dump): the entry's two sides are brought up to date, and if they differ the
//! prefix is queued; [`Table::take_batch`] turns the queue into requests, [`Table::complete`] takes the results.
//!
//! A kernel slot is (table, prefix, type of service, metric). Empty by our view: create, exclusively. Held by ours
//! alone: one atomic replacement. Holding anyone else's route: nothing is sent until it goes.

mod compare;
mod entry;
mod forms;
mod heritage;
pub mod intern;
mod objects;
mod own;
pub(crate) mod prefixes;
mod retry;
mod sync;
mod views;
mod want;

use std::{
    collections::{BTreeSet, VecDeque},
    num::NonZeroU32,
};

use ipnet::IpNet;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

pub use self::{
    compare::{Comparison, RouteNotice, Touch},
    objects::ObjectOutcome,
    sync::{Action, Completion, Request, Slot},
    views::{Asked, Devices},
};
use self::{
    entry::{Entry, Todo},
    intern::Interner,
    objects::Objects,
    prefixes::Prefixes,
    retry::Retries,
};
use crate::{
    config::{FibConfig, ObjectUse, Programming, TunnelUse},
    decide::Decider,
    event::TunnelState,
    object::IdRange,
    resolve::{Exclusion, Resolver},
    route::{HopAddress, NextHop, NextHopSet, Path, RouteChange, Treatment},
    view::{Form, RestartPhase},
};

/// The metric the kernel gives an IPv6 route that asks for none (`IP6_RT_PRIO_USER`).
const IPV6_DEFAULT_METRIC: u32 = 1024;

/// Desired and actual state of one routing table.
#[derive(Debug)]
pub struct Table {
    protocol: u8,
    table: u32,
    metric: u32,
    programming: Programming,
    setting: ObjectUse,
    support: forms::Support,
    form: Form,
    decider: Decider,
    blocks: BTreeSet<IpNet>,
    /// Addresses that no `unreachable` route may cover.
    peers: Prefixes<()>,
    tunnel: TunnelState,
    /// The MTU that routes through the tunnel carry themselves.
    tunnel_mtu: Option<NonZeroU32>,
    restart: RestartPhase,
    entries: Prefixes<Entry>,
    sets: Interner<NextHopSet>,
    paths: Interner<Path>,
    objects: Objects,
    heritage: heritage::Heritage,
    /// Protocol numbers of the routes of others in slots that we use or would use.
    foreign: FxHashMap<IpNet, SmallVec<[u8; 4]>>,
    /// Routes of ours in slots that we do not use: swept when the restart is over.
    strays: Vec<sync::Stray>,
    queue: VecDeque<IpNet>,
    retries: Retries,
    troubles: BTreeSet<IpNet>,
    comparison: compare::Phase,
}

impl Table {
    /// An empty table. Nothing is requested of the kernel before the first [`Table::compare`].
    pub fn new(config: &FibConfig, resolver: &Resolver) -> Self {
        let mut table = Self {
            protocol: config.protocol,
            table: config.table,
            metric: config.metric,
            programming: config.programming,
            setting: config.objects,
            support: forms::Support::Unknown,
            form: Form::Plain,
            decider: Decider::default(),
            blocks: BTreeSet::new(),
            peers: Prefixes::default(),
            tunnel: TunnelState { device: None, permission: config.tunnel.usage.permission },
            tunnel_mtu: config.tunnel.usage.route_mtu,
            restart: RestartPhase::Underway,
            entries: Prefixes::default(),
            sets: Interner::default(),
            paths: Interner::default(),
            heritage: heritage::Heritage::default(),
            objects: Objects::new(IdRange::new(config.protocol, config.table)),
            foreign: FxHashMap::default(),
            strays: Vec::new(),
            queue: VecDeque::new(),
            retries: Retries::default(),
            troubles: BTreeSet::new(),
            comparison: compare::Phase::Never,
        };
        table.configure(config, resolver);
        table
    }

    /// Applies a configuration and queues what it changes. Protocol, table and metric stay as they were.
    pub fn configure(&mut self, config: &FibConfig, resolver: &Resolver) {
        self.decider = Decider::new(config);
        self.programming = config.programming;
        self.setting = config.objects;
        let others = |protocols: &[u8]| protocols.iter().copied().filter(|p| *p != config.protocol).collect();
        self.heritage.protocols = others(&config.adopt);
        self.heritage.own = others(&config.predecessors);
        self.tunnel.permission = config.tunnel.usage.permission;
        self.tunnel_mtu = config.tunnel.usage.route_mtu;
        self.peers = Prefixes::default();
        config.peers.iter().for_each(|peer| *self.peers.entry(peer.trunc()) = ());
        let blocks: BTreeSet<_> = config.local_blocks.iter().map(IpNet::trunc).collect();
        for gone in self.blocks.difference(&blocks) {
            if let Some(entry) = self.entries.get_mut(*gone) {
                entry.marks.block = false;
            }
        }
        for block in &blocks {
            let marks = &mut self.entries.entry(*block).marks;
            (marks.block, marks.adopted) = (true, false);
        }
        self.blocks = blocks;
        if self.form_is_due() {
            return self.take_form(resolver);
        }
        self.refresh_all(resolver);
    }

    /// Takes one wish and queues what it changes. Its next hops should be followed by the resolver already.
    pub fn apply(&mut self, change: &RouteChange, resolver: &Resolver) {
        let prefix = change.prefix.trunc();
        if change.next_hops.is_empty() && self.entries.get(prefix).is_none() {
            return;
        }
        let next_hops = (!change.next_hops.is_empty()).then(|| self.sets.intern(&normal(&change.next_hops)));
        let entry = self.entries.entry(prefix);
        entry.next_hops = next_hops;
        entry.marks.adopted &= next_hops.is_none();
        entry.marks.discard = change.treatment == Treatment::Discard;
        self.refresh(prefix, resolver);
    }

    /// The tunnel device came, went, or changed its index.
    pub fn tunnel_device(&mut self, device: Option<u32>, resolver: &Resolver) {
        if self.tunnel.device != device {
            self.tunnel.device = device;
            self.refresh_all(resolver);
        }
    }

    /// The tunnel device may, or may no longer, be used, or routes through it carry another MTU from now on.
    pub fn tunnel_use(&mut self, usage: TunnelUse, resolver: &Resolver) {
        let TunnelUse { permission, route_mtu } = usage;
        if (self.tunnel.permission, self.tunnel_mtu) != (permission, route_mtu) {
            self.tunnel.permission = permission;
            self.tunnel_mtu = route_mtu;
            self.refresh_all(resolver);
        }
    }

    /// The way to some next hops changed.
    pub fn next_hops_changed(&mut self, changed: &BTreeSet<HopAddress>, resolver: &Resolver) {
        let mut affected = self.sets.marks();
        let concerned = |set: &NextHopSet| set.iter().any(|next_hop| changed.contains(&next_hop.place()));
        let sets: Vec<_> = self.sets.iter().filter(|(_, set)| concerned(set)).map(|(id, _)| id).collect();
        if sets.is_empty() {
            return;
        }
        sets.into_iter().for_each(|id| affected.insert(id));
        self.objects.release(changed);
        let uses = |entry: &Entry| entry.next_hops.is_some_and(|set| affected.contains(set));
        let prefixes: Vec<_> =
            self.entries.iter().filter(|(_, e)| uses(e)).map(|(prefix, _)| prefix).collect();
        prefixes.into_iter().for_each(|prefix| self.refresh(prefix, resolver));
    }

    /// A prefix became or ceased to be this host's own.
    pub fn host_changed(&mut self, prefix: IpNet, resolver: &Resolver) {
        self.refresh(prefix, resolver);
    }

    /// An address is followed from now on: no `unreachable` route may cover it.
    pub fn spare(&mut self, address: HopAddress, resolver: &Resolver) {
        let covering = self.entries.covering(address.address.into());
        let unreachable = covering.into_iter().filter(|(_, entry)| entry.marks.unreachable);
        let prefixes: Vec<_> = unreachable.map(|(prefix, _)| prefix).collect();
        prefixes.into_iter().for_each(|prefix| self.refresh(prefix, resolver));
    }

    /// The restart is over: adopted routes that nobody asked for are deleted, now and from now on.
    pub fn end_restart(&mut self) {
        self.restart = RestartPhase::Over;
        let mut stale = Vec::new();
        for (prefix, entry) in self.entries.iter_mut() {
            entry.marks.adopted = false;
            if entry.todo(RestartPhase::Over) == Todo::Delete {
                stale.push(prefix);
            }
        }
        stale.into_iter().for_each(|prefix| self.enqueue(prefix));
        self.disinherit();
    }

    /// Nobody asks for anything any more: every route of ours is queued for deletion.
    pub fn flush(&mut self, resolver: &Resolver) {
        self.blocks.clear();
        for (_, entry) in self.entries.iter_mut() {
            entry.next_hops = None;
            entry.marks.block = false;
        }
        self.end_restart();
        self.refresh_all(resolver);
    }

    /// The answers that must not count for next hops.
    pub fn exclusion(&self) -> Exclusion {
        Exclusion { protocol: self.protocol, table: self.table, tunnel: self.tunnel.device }
    }

    /// The tunnel device as last told.
    pub fn tunnel(&self) -> TunnelState {
        self.tunnel
    }

    /// Whether the restart is over.
    pub fn restart(&self) -> RestartPhase {
        self.restart
    }

    /// Whether the kernel may be written to.
    pub fn programming(&self) -> Programming {
        self.programming
    }

    /// The paths that requests refer to.
    pub fn paths(&self) -> &Interner<Path> {
        &self.paths
    }

    /// Whether any route of ours, held or wanted, leads through this device.
    pub fn uses_device(&self, device: u32) -> bool {
        let plain = self.paths.iter().flat_map(|(_, path)| path.legs()).any(|leg| leg.device == device);
        plain || self.objects.uses_device(device)
    }

    /// Forgets paths and sets that no route has any more. Returns the next hops that routes have.
    pub fn sweep_unused(&mut self) -> BTreeSet<HopAddress> {
        let (mut sets, mut paths) = (self.sets.marks(), self.paths.marks());
        for (_, entry) in self.entries.iter() {
            entry.next_hops.into_iter().for_each(|set| sets.insert(set));
            entry.wanted.into_iter().chain(entry.actual).for_each(|path| paths.insert(path));
        }
        self.strays.iter().for_each(|stray| paths.insert(stray.path));
        self.heritage.paths().for_each(|path| paths.insert(path));
        self.sets.sweep(&sets);
        self.paths.sweep(&paths);
        self.sets.iter().flat_map(|(_, set)| set.iter().map(NextHop::place)).collect()
    }

    fn refresh_all(&mut self, resolver: &Resolver) {
        self.objects.release_all();
        let prefixes: Vec<_> = self.entries.iter().map(|(prefix, _)| prefix).collect();
        prefixes.into_iter().for_each(|prefix| self.refresh(prefix, resolver));
    }

    fn slot(&self, prefix: IpNet) -> Slot {
        let metric = match (prefix, self.metric) {
            (IpNet::V6(_), 0) => IPV6_DEFAULT_METRIC,
            (_, metric) => metric,
        };
        Slot { prefix, metric, tos: 0 }
    }
}

/// Sorted by address, each place once.
fn normal(next_hops: &NextHopSet) -> NextHopSet {
    let mut normal = next_hops.clone();
    normal.sort_unstable_by_key(|next_hop| (next_hop.place(), next_hop.weight));
    normal.dedup_by_key(|next_hop| next_hop.place());
    normal
}
