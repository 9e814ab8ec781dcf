//! Table, resolver and kernel put together: everything the FIB thread does, one bounded turn at a time.

mod notices;

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use ipnet::IpNet;
use tracing::{debug, info, warn};

use super::{
    links::Links,
    objects::ObjectTurn,
    pace::{Pace, Sight},
    rest::Resting,
};
use crate::{
    config::{FibConfig, TunnelUse},
    error::Errno,
    event::{FibEvent, TunnelState},
    kernel::{BATCH, Kernel},
    locals::{Locals, Stale},
    metrics::{FibMetrics, ResyncReason},
    resolve::{News, Resolver},
    route::{HopAddress, RouteChange},
    table::{Action, Asked, Request, Table},
    view::{Configured, DiffPage, Explanation, FibStatus, FlushReport, ReleaseReport, RoutePage},
};

/// Outcomes in one event.
const OUTCOMES: usize = 1024;

/// The FIB layer without its thread.
pub(crate) struct Engine<K> {
    pub(super) kernel: K,
    config: FibConfig,
    configured: Configured,
    pub(super) table: Table,
    pub(super) resolver: Resolver,
    pub(super) objects: ObjectTurn,
    links: Links,
    resting: Resting,
    locals: Locals,
    pub(super) pace: Pace,
    lookups_due: Option<Instant>,
    told_tunnel: Option<TunnelState>,
    /// Addresses have come or gone, and nobody was told.
    pub(super) addresses_changed: bool,
    sweep_at: usize,
    batch: Vec<Request>,
    refused: Vec<(usize, Errno)>,
    pub(super) metrics: Arc<FibMetrics>,
}

impl<K: Kernel> Engine<K> {
    /// Reads the kernel and adopts what it finds of ours.
    pub(crate) async fn start(
        now: Instant,
        config: FibConfig,
        mut kernel: K,
        metrics: Arc<FibMetrics>,
    ) -> io::Result<Self> {
        let mut links = Links::default();
        links.replace(kernel.links().await?);
        // What is there at the start is no news.
        links.take_news();
        let mut resolver = Resolver::default();
        let table = Table::new(&config, &resolver);
        resolver.exclude(table.exclusion());
        let mut engine = Self {
            kernel,
            config,
            configured: Configured::default(),
            table,
            resolver,
            objects: ObjectTurn::default(),
            links,
            resting: Resting::default(),
            locals: Locals::default(),
            pace: Pace::new(now),
            lookups_due: None,
            told_tunnel: None,
            addresses_changed: false,
            sweep_at: 1024,
            batch: Vec::with_capacity(BATCH),
            refused: Vec::new(),
            metrics,
        };
        engine.locals.configure(&engine.config);
        engine.find_tunnel_device();
        let adopted = engine.compare(now, ResyncReason::Start).await?;
        engine.metrics.adopted.fetch_add(adopted, Relaxed);
        engine.configured.adopted = adopted + engine.table.inherited();
        info!(adopted, "adopted the routes of our protocol");
        Ok(engine)
    }

    /// Applies another configuration.
    pub(crate) fn configure(&mut self, now: Instant, config: FibConfig) -> Configured {
        let restart_required = self.config.restart_keys(&config);
        let FibConfig { protocol, table, metric, .. } = self.config;
        let predecessors = std::mem::take(&mut self.config.predecessors);
        self.config = FibConfig { protocol, table, metric, predecessors, ..config };
        self.table.configure(&self.config, &self.resolver);
        self.resolver.reconsider_all();
        self.resolve();
        // Another pool may make locals of routes that were none.
        if self.locals.configure(&self.config) == Stale::Yes {
            self.pace.suspect(now, ResyncReason::LinkChange);
        }
        self.tunnel_device(now);
        self.configured.restart_required = restart_required;
        self.configured.clone()
    }

    /// What the first configuration found.
    pub(crate) fn configured(&self) -> &Configured {
        &self.configured
    }

    /// Says what routes do with the tunnel device.
    pub(crate) fn tunnel_use(&mut self, usage: TunnelUse) {
        self.config.tunnel.usage = usage;
        self.table.tunnel_use(usage, &self.resolver);
    }

    /// Takes changes. New next hops are looked up first, so that each route is decided once; those that lead elsewhere
    /// because of the changes are resolved anew, before anything is sent to the kernel.
    pub(crate) fn apply(&mut self, now: Instant, changes: &[RouteChange]) {
        for next_hop in changes.iter().flat_map(|change| &change.next_hops) {
            self.follow(now, next_hop.place());
        }
        self.resolve();
        for change in changes {
            self.table.apply(change, &self.resolver);
            self.resolver.own_route_changed(change.prefix);
        }
        self.resolve();
    }

    /// Follows a next hop for the owner.
    pub(crate) fn watch(&mut self, now: Instant, address: HopAddress) {
        self.follow(now, address);
        self.resolver.watch(address);
        self.resolve();
    }

    /// Ends [`Self::watch`].
    pub(crate) fn unwatch(&mut self, address: HopAddress) {
        self.resolver.unwatch(address);
    }

    /// Sweeps what is stale, now and from now on.
    pub(crate) fn end_restart(&mut self) {
        self.table.end_restart();
        // Next hops may have been led by what goes now.
        self.resolver.reconsider_all();
        self.resolve();
    }

    /// One bounded turn of work.
    pub(crate) async fn turn(&mut self, now: Instant) {
        while let Some(device) = self.resting.take_rested(now) {
            let changed = self.resolver.rested(device);
            self.next_hops_changed(changed);
        }
        if self.lookups_due.is_some_and(|due| due <= now) {
            self.lookups(now);
        }
        if self.pace.sight() == Sight::Clear {
            self.objects(now);
        }
        // An unanswered batch blinds us.
        if self.pace.sight() == Sight::Clear {
            self.program(now);
        }
        if self.pace.take_second_look(now) {
            self.doubt_all(now);
            self.pace.suspect(now, ResyncReason::SecondLook);
        }
        if let Some(reason) = self.pace.due(now) {
            self.resync(now, reason).await;
        }
        if self.pace.sight() == Sight::Clear {
            self.sweep_objects(now);
        }
        if self.resolver.len() > self.sweep_at {
            self.sweep();
        }
    }

    /// Whether another turn has something to do at once.
    pub(crate) fn has_work(&self, now: Instant) -> bool {
        let objects = self.objects.next().filter(|_| self.pace.sight() == Sight::Clear);
        let times = [Some(self.pace.next()), self.lookups_due, self.resting.next(), objects];
        let due = times.into_iter().flatten().any(|time| time <= now);
        let work = self.table.has_work(now) || self.table.has_object_work() || self.table.form_is_due();
        due || self.pace.sight() == Sight::Clear && work
    }

    /// Whether everything known has been done; refusals that wait for their time do not count.
    pub(crate) fn is_settled(&self, now: Instant) -> bool {
        !self.table.has_work(now)
            && !self.table.has_object_work()
            && self.lookups_due.is_none()
            && !self.pace.is_suspicious(now)
    }

    /// When [`Self::turn`] has something to do again, work aside.
    pub(crate) fn next_time(&self) -> Instant {
        let ours = [self.table.next_retry(), self.objects.next()].into_iter().flatten().min();
        let ours = ours.filter(|_| self.pace.sight() == Sight::Clear);
        let times = [Some(self.pace.next()), self.lookups_due, self.resting.next(), ours];
        times.into_iter().flatten().min().unwrap_or_else(|| self.pace.next())
    }

    /// How many changes wait.
    pub(crate) fn queued(&self) -> usize {
        self.table.queued()
    }

    /// What the owner has not been told.
    pub(crate) fn take_events(&mut self) -> Vec<FibEvent> {
        // First: next hops name devices by the names they have now.
        let mut events: Vec<_> = self.links.take_news().map(FibEvent::Devices).into_iter().collect();
        let news = self.resolver.take_news(&self.links).into_iter();
        events.extend(news.map(|(HopAddress { address, interface }, news)| {
            let News { reachability, through, devices } = news;
            FibEvent::NextHop { address, interface, reachability, through, devices }
        }));
        let tunnel = self.table.tunnel();
        if self.told_tunnel != Some(tunnel) {
            self.told_tunnel = Some(tunnel);
            events.push(FibEvent::Tunnel(tunnel));
        }
        if std::mem::take(&mut self.addresses_changed) {
            events.push(FibEvent::Addresses);
        }
        events.extend(self.locals.take_news(&self.links).map(FibEvent::Locals));
        let outcomes = self.table.take_outcomes(OUTCOMES);
        if !outcomes.is_empty() {
            events.push(FibEvent::Routes(outcomes));
        }
        events
    }

    /// Removes everything of ours.
    pub(crate) async fn flush(&mut self, now: Instant) -> io::Result<FlushReport> {
        let before = self.metrics.deleted.load(Relaxed);
        self.table.flush(&self.resolver);
        self.resolver.reconsider_all();
        self.resolve();
        for _ in 0..3 {
            while self.table.has_work(now) {
                self.program(now);
            }
            if self.compare(now, ResyncReason::Mismatch).await? == 0 {
                break;
            }
        }
        self.sweep_objects_now(now);
        let removed = self.metrics.deleted.load(Relaxed) - before;
        Ok(FlushReport { removed, failed: self.table.leftovers() })
    }

    /// Gives every route of ours to another protocol, in place, and lets go of them. Ends with an engine that knows of no
    /// route any more.
    pub(crate) async fn release(&mut self, now: Instant, protocol: u8) -> io::Result<ReleaseReport> {
        let requests = self.table.hand_over(protocol);
        let mut report = ReleaseReport::default();
        for batch in requests.chunks(BATCH) {
            self.kernel.program(self.table.paths(), batch, &mut self.refused)?;
            report.released += batch.len().saturating_sub(self.refused.len()) as u64;
            let failed = self.refused.iter();
            report.failed.extend(failed.filter_map(|(i, errno)| Some((batch.get(*i)?.slot.prefix, *errno))));
        }
        self.compare(now, ResyncReason::Mismatch).await?;
        self.end_restart();
        self.sweep_objects_now(now);
        Ok(report)
    }

    /// A page of routes.
    pub(crate) fn routes(&self, from: Option<IpNet>, limit: usize) -> RoutePage {
        self.table.routes(from, limit, &self.links)
    }

    /// A page of differences with the kernel as it is now.
    pub(crate) async fn diff(&mut self, from: Option<IpNet>, limit: usize) -> io::Result<DiffPage> {
        let dump = self.kernel.dump().await?;
        Ok(self.table.diff(from, limit, &dump, &self.links))
    }

    /// Explains a route, and what becomes of packets to what was asked for, with the kernel as it is now.
    pub(crate) async fn explain(&mut self, prefix: IpNet, target: IpNet) -> io::Result<Explanation> {
        let dump = self.kernel.dump().await?;
        let asked = if target.prefix_len() == target.max_prefix_len() {
            Asked::Address(target.addr(), self.kernel.lookup(target.addr(), None)?)
        } else {
            Asked::Prefix(target.trunc())
        };
        Ok(self.table.explain(prefix, asked, &self.resolver, &dump, &self.links))
    }

    /// The whole in a few numbers.
    pub(crate) fn status(&self) -> FibStatus {
        FibStatus {
            routes: self.table.counts(),
            queued: self.table.queued() as u64,
            bytes: self.table.mem_size() as u64,
            next_hops: self.resolver.len() as u64,
            objects: self.table.objects_view(),
            tunnel: self.table.tunnel(),
            restart: self.table.restart(),
            programming: self.table.programming(),
            restart_required: self.configured.restart_required.clone(),
        }
    }

    /// Sends one batch and takes its results.
    fn program(&mut self, now: Instant) {
        self.table.take_batch(now, BATCH, &mut self.batch);
        if self.batch.is_empty() {
            return;
        }
        let began = Instant::now();
        self.metrics.batches.fetch_add(1, Relaxed);
        let sent = self.kernel.program(self.table.paths(), &self.batch, &mut self.refused);
        let busy = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.metrics.busy_nanoseconds.fetch_add(busy, Relaxed);
        match sent {
            Ok(()) => self.complete(now),
            Err(error) => {
                warn!(%error, "a batch was not answered; comparing everything");
                self.metrics.error(Errno::from(&error));
                self.table.lost(&self.batch);
                self.pace.suspect(now, ResyncReason::Timeout);
            }
        }
    }

    fn complete(&mut self, now: Instant) {
        let completion = self.table.complete(now, &self.batch, &self.refused);
        self.count();
        let refused: BTreeSet<_> = self.refused.iter().map(|(index, _)| *index).collect();
        for (index, request) in self.batch.iter().enumerate() {
            if request.displaces_others() && !refused.contains(&index) {
                self.resolver.foreign.taken(request.slot);
            }
            if request.action != Action::Replace {
                self.resolver.route_changed(request.slot.prefix);
            }
        }
        self.resolve();
        completion.doubtful.into_iter().for_each(|address| self.resolver.doubt(address));
        self.plan_lookups(now);
        if let Some(reason) = completion.resync {
            self.pace.suspect(now, reason);
        }
    }

    fn count(&self) {
        let mut done = [0u64; 3];
        self.batch.iter().for_each(|request| done[request.action as usize] += 1);
        for (index, errno) in &self.refused {
            self.metrics.error(*errno);
            if let Some(request) = self.batch.get(*index) {
                done[request.action as usize] -= 1;
                debug!(prefix = %request.slot.prefix, action = ?request.action, %errno, "the kernel refused");
            }
        }
        let [created, replaced, deleted] = done;
        self.metrics.created.fetch_add(created, Relaxed);
        self.metrics.replaced.fetch_add(replaced, Relaxed);
        self.metrics.deleted.fetch_add(deleted, Relaxed);
    }

    async fn resync(&mut self, now: Instant, reason: ResyncReason) {
        match self.compare(now, reason).await {
            Ok(_) if reason == ResyncReason::Interval => {
                self.doubt_all(now);
                self.sweep();
            }
            Ok(_) => {}
            Err(error) => {
                warn!(%error, "reading the kernel's routes failed; trying again");
                self.pace.failed(now);
            }
        }
    }

    /// Compares with the kernel. Returns how many routes of ours it holds.
    async fn compare(&mut self, now: Instant, reason: ResyncReason) -> io::Result<u64> {
        let began = Instant::now();
        self.metrics.resync(reason);
        if matches!(reason, ResyncReason::Interval | ResyncReason::Overrun | ResyncReason::LinkChange) {
            let links = self.kernel.links().await?;
            self.replace_links(now, links);
        }
        let objects = self.compare_objects()?;
        let dump = self.kernel.dump().await?;
        self.locals.replace(&dump);
        let hosts = self.resolver.foreign.replace(&dump);
        let comparison = self.table.compare(dump);
        self.resolver.reconsider_all();
        self.hosts_changed(hosts);
        self.metrics.repaired.fetch_add(comparison.differences + objects, Relaxed);
        if reason == ResyncReason::LinkChange {
            self.table.retry_all();
        }
        self.pace.compared(now, began.elapsed());
        debug!(
            ?reason,
            held = comparison.held,
            differences = comparison.differences,
            "compared with the kernel"
        );
        Ok(comparison.held)
    }

    fn sweep(&mut self) {
        let needed = self.table.sweep_unused();
        self.resolver.retain(&needed);
        self.sweep_at = 2 * self.resolver.len() + 1024;
    }
}
