//! Look, plan, act, look again: one round of care for the tunnel, and what is remembered from round to round.

use std::{
    collections::BTreeSet,
    io,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use ipnet::Ipv4Net;
use tracing::{debug, warn};

use crate::{
    admission::Admission,
    advice::advise,
    config::{
        Environment, GuardMode, IPIP_OVERHEAD, KnownNodes, Mtu, Need, OuterSource, SysctlCare, TunnelConfig,
    },
    error::Error,
    execute::{Executed, execute},
    guard, masquerade,
    netlink::Netlink,
    nft::Nft,
    observe, outer_source,
    patience::{Damage, Leave, Patience},
    plan::{
        AddressGoal, AdminState, Desired, Device, Goal, Observed, Plan, Present, Refusal, Step, TableView,
        plan,
    },
    settings,
    status::{FelixChain, Gaps, GuardState, GuardStatus, MasqueradeState, TunnelState, TunnelStatus},
    sysctl::Sysctls,
    table::{Printed, Ruleset, listing::Felix},
    watch::{Interest, Scope},
};

/// Rounds of planning per call: one may go by an outdated view of the table, another finds what could not be foreseen (the
/// device that loading the module made), the last confirms.
const ROUNDS: usize = 4;
/// How long what was learned of Felix is believed.
const FELIX_INTERVAL: Duration = Duration::from_secs(60);

/// The caretaker.
pub(crate) struct Keeper {
    environment: Environment,
    netlink: Netlink,
    nft: Nft,
    start: Instant,
    config: Option<TunnelConfig>,
    known: Option<KnownNodes>,
    admission: Admission,
    responsibility: Responsibility,
    adoption: Adoption,
    former_addresses: BTreeSet<Ipv4Addr>,
    last_index: Option<u32>,
    /// Our rules as nft printed them after we wrote them: whatever differs was altered by someone.
    printed: Printed,
    /// What was wanted of the table when it was last written.
    written: Option<Desired>,
    patience: Patience,
    settled: Option<Desired>,
    repairs: u64,
    /// When the table was last read.
    table_seen: Option<Instant>,
    /// Since when the guard is not as it was written.
    open_since: Option<Instant>,
    gaps: Gaps,
    felix: Option<(Instant, Felix)>,
    observed: Observed,
    sysctls: Sysctls,
}

/// Whether the tunnel is ours to care for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Responsibility {
    /// It was never needed.
    None,
    /// It was needed once, now or in an earlier life that left its guard.
    Taken,
}

/// Whether what an earlier life allowed has been taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Adoption {
    Pending,
    Done,
}

impl Keeper {
    pub(crate) fn new(environment: Environment) -> io::Result<Self> {
        let (connection, handle, _) = rtnetlink::new_connection()?;
        tokio::spawn(connection);
        Ok(Self {
            netlink: Netlink::new(handle, &environment),
            nft: Nft::new(environment.nft.clone()),
            environment,
            start: Instant::now(),
            config: None,
            known: None,
            admission: Admission::default(),
            responsibility: Responsibility::None,
            adoption: Adoption::Pending,
            former_addresses: BTreeSet::new(),
            last_index: None,
            printed: Printed::default(),
            written: None,
            patience: Patience::default(),
            settled: None,
            repairs: 0,
            table_seen: None,
            open_since: None,
            gaps: Gaps::default(),
            felix: None,
            observed: Observed::default(),
            sysctls: Sysctls::default(),
        })
    }

    /// One round: afterwards the tunnel is as asked, or the error says why not. `heard` is when the kernel said that the table
    /// was changed, if it did.
    pub(crate) async fn keep(
        &mut self,
        config: &TunnelConfig,
        known: Option<&KnownNodes>,
        scope: Scope,
        heard: Option<Instant>,
    ) -> Result<(), Error> {
        self.take_in(config, known);
        let heard = heard.or(self.table_seen);
        let mut guard = self.look(scope).await?;
        self.look_for_felix().await;
        self.admission.expire(self.start.elapsed());
        let mut seen = scope;
        let mut has_written = false;
        for _ in 0..ROUNDS {
            let desired = self.desired(config);
            let Plan { steps, refusal } = plan(&desired, &self.observed, &self.printed);
            if seen == Scope::Links && steps.contains(&Step::SetUp) {
                // The guard comes first: it must be there, not only have been.
                seen = Scope::Everything;
                guard = self.look(seen).await?;
                continue;
            }
            self.count_repair(&desired, &steps);
            self.note_gap(&desired, &steps, heard);
            let (steps, leave) = self.hold_back(&desired, steps);
            if steps.is_empty() && leave == Leave::Withheld {
                return Err(Error::GuardContested);
            }
            if steps.is_empty() {
                if seen == Scope::Everything && !has_written && refusal.is_none() {
                    self.patience.reads_as_written();
                }
                return self.conclude(refusal, guard, desired);
            }
            let Executed { taken, result } = execute(&self.netlink, &self.nft, &steps).await;
            let wrote = steps.iter().take(taken).any(Step::concerns_the_table);
            has_written |= wrote;
            if wrote {
                self.close_gap();
            }
            // The table may have changed since it was last seen: that is no failure yet.
            let is_outdated = seen == Scope::Links
                && result.is_err()
                && steps.get(taken).is_some_and(Step::concerns_the_table);
            seen = if wrote || is_outdated { Scope::Everything } else { Scope::Links };
            guard = self.look(seen).await?;
            if wrote {
                self.remember_rules(steps.iter().take(taken));
                self.remember_writing(desired);
            }
            if !is_outdated {
                result?;
            }
        }
        debug!("the tunnel is being changed by someone else at this moment");
        Ok(())
    }

    /// Takes down what was set up.
    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        let guard = self.look(Scope::Everything).await?;
        let tunnel = match self.responsibility {
            Responsibility::Taken => Goal::Removed {
                kind: self.environment.kind,
                keep: self.config.as_ref().map(|config| config.keep_addresses.clone()).unwrap_or_default(),
            },
            Responsibility::None => Goal::Untouched,
        };
        let desired = Desired { tunnel, leaving: Ruleset::default() };
        let Plan { steps, .. } = plan(&desired, &self.observed, &self.printed);
        execute(&self.netlink, &self.nft, &steps).await.result?;
        if self.responsibility == Responsibility::Taken && self.guard_mode() == GuardMode::On {
            guard?;
        }
        self.responsibility = Responsibility::None;
        self.config = None;
        self.settled = None;
        self.written = None;
        self.printed = Printed::default();
        self.observed.table = TableView::Unknown;
        self.former_addresses.clear();
        Ok(())
    }

    /// How long until someone's grace ends, or a correction that was withheld may be made.
    pub(crate) fn next_expiry(&self) -> Option<Duration> {
        let times = [self.admission.next_expiry(), self.patience.withheld_until()];
        times.into_iter().flatten().min().map(|at| at.saturating_sub(self.start.elapsed()))
    }

    /// What of the kernel's news matters.
    pub(crate) fn interest(&self) -> Interest {
        let device = self.observed.device.as_ref().map(|device| device.index);
        let underlay = self.observed.underlay.as_ref().map(|underlay| underlay.index);
        Interest {
            device: self.environment.device.clone(),
            node_address: self.config.as_ref().and_then(|config| config.node_address),
            links: device.into_iter().chain(underlay).chain(self.last_index).collect(),
        }
    }

    /// Takes in what is asked.
    pub(crate) fn take_in(&mut self, config: &TunnelConfig, known: Option<&KnownNodes>) {
        if let Some(former) = &self.config
            && former.address != config.address
        {
            self.former_addresses.extend(former.address);
        }
        self.former_addresses.retain(|address| Some(*address) != config.address);
        if config.need == Need::Needed {
            self.responsibility = Responsibility::Taken;
        }
        if self.config.as_ref() != Some(config) || self.known.as_ref() != known {
            self.config = Some(config.clone());
            self.known = known.cloned();
            self.update_admission();
        }
    }

    fn update_admission(&mut self) {
        if let Some(config) = &self.config {
            self.admission.update(self.start.elapsed(), config, self.known.as_ref());
        }
    }

    /// Looks at the kernel. The inner result says why the table cannot be seen.
    async fn look(&mut self, scope: Scope) -> Result<Result<(), Error>, Error> {
        let node_address = self.config.as_ref().and_then(|config| config.node_address);
        let links = observe::links(&self.netlink, &self.environment, node_address, self.last_index).await?;
        let last_view = std::mem::take(&mut self.observed.table);
        self.observed = links;
        if let Some(device) = self.own_device() {
            self.last_index = Some(device.index);
        }
        self.sysctls = self.see_to_sysctls();
        let is_enough = scope == Scope::Links && last_view != TableView::Unknown;
        if is_enough || (!self.cares_for_the_table() && self.adoption == Adoption::Done) {
            self.observed.table = last_view;
            return Ok(Ok(()));
        }
        let table = observe::table(&self.nft).await;
        self.table_seen = Some(Instant::now());
        Ok(table.map(|view| self.see_table(view)))
    }

    fn cares_for_the_table(&self) -> bool {
        self.responsibility == Responsibility::Taken
            || self.asks_for_masquerading()
            || self.observed.table.leaving().is_some()
    }

    fn asks_for_masquerading(&self) -> bool {
        self.config.as_ref().is_some_and(|config| !config.masquerade.sources.is_empty())
    }

    /// Reads the kernel's settings, and changes those that stand in the way if that is wanted.
    fn see_to_sysctls(&self) -> Sysctls {
        let read = || settings::read(&self.environment.device, self.observed.underlay.as_ref());
        let found = read();
        let care = self.config.as_ref().map_or(SysctlCare::Report, |config| config.sysctls);
        let corrections = found.corrections();
        if corrections.is_empty() || care == SysctlCare::Report || self.responsibility == Responsibility::None
        {
            return found;
        }
        corrections.iter().for_each(settings::write);
        read()
    }

    /// The device, if it is of our kind.
    fn own_device(&self) -> Option<&Device> {
        self.observed.device.as_ref().filter(|device| device.kind == self.environment.kind.kernel_name())
    }

    fn see_table(&mut self, view: TableView) {
        if let Some(guard) = view.guard() {
            self.responsibility = Responsibility::Taken;
            if self.adoption == Adoption::Pending {
                self.admission.adopt(guard);
                self.update_admission();
            }
        }
        self.adoption = Adoption::Done;
        self.observed.table = view;
    }

    /// Failing to find out is no harm: it is told only for the operator's sake. A guard that is gone does not wait for it.
    async fn look_for_felix(&mut self) {
        let is_open = self.written.is_some() && self.observed.table.guard().is_none();
        let is_fresh = |(at, _): &(Instant, _)| is_open || at.elapsed() < FELIX_INTERVAL;
        if self.cares_for_the_table() && !self.felix.as_ref().is_some_and(is_fresh) {
            self.felix = Some((Instant::now(), self.nft.felix().await.unwrap_or_default()));
        }
    }

    fn desired(&mut self, config: &TunnelConfig) -> Desired {
        let masquerade = match self.felix_masquerade() {
            Some(_) => Ruleset::default(),
            None => masquerade::ruleset(&config.masquerade),
        };
        let source = match (self.responsibility, &config.outer_source, config.node_address) {
            (Responsibility::Taken, OuterSource::Node { inside }, Some(node)) => {
                outer_source::ruleset(node, inside)
            }
            _ => Ruleset::default(),
        };
        Desired { tunnel: self.goal(config), leaving: masquerade.and(source) }
    }

    fn felix_masquerade(&self) -> Option<&FelixChain> {
        self.felix.as_ref().and_then(|(_, felix)| felix.masquerade.as_ref())
    }

    fn goal(&mut self, config: &TunnelConfig) -> Goal {
        if self.responsibility == Responsibility::None {
            return Goal::Untouched;
        }
        let guard = (config.guard == GuardMode::On).then(|| self.guard(config));
        let automatic = || self.observed.underlay.as_ref().map(|link| link.mtu.saturating_sub(IPIP_OVERHEAD));
        Goal::Present(Present {
            kind: self.environment.kind,
            mtu: match config.mtu {
                Mtu::Auto => automatic(),
                Mtu::Fixed(mtu) => Some(mtu),
            },
            addresses: match config.address {
                Some(address) => AddressGoal::Only(address),
                None => AddressGoal::Without(self.former_addresses.clone()),
            },
            dont_fragment: config.dont_fragment,
            keep: config.keep_addresses.clone(),
            guard,
        })
    }

    fn guard(&mut self, config: &TunnelConfig) -> Ruleset {
        let before = self.admission.unmarked();
        let admitted = self.admission.admitted(config.binding, &config.allow_to);
        if before == 0 && self.admission.unmarked() > 0 {
            let nodes = self.admission.unmarked();
            warn!(nodes, "guard_bind has no number left for some nodes: give tunnel.guard_mark more bits");
        }
        guard::ruleset(&admitted, &self.environment.device)
    }

    fn count_repair(&mut self, desired: &Desired, steps: &[Step]) {
        if !steps.is_empty() && self.settled.take().as_ref() == Some(desired) {
            self.repairs = self.repairs.saturating_add(1);
        }
    }

    fn conclude(
        &mut self,
        refusal: Option<Refusal>,
        guard: Result<(), Error>,
        desired: Desired,
    ) -> Result<(), Error> {
        match refusal {
            None => {
                self.settled = Some(desired);
                // Said all the while, not only between two corrections.
                let contested = self.patience.is_contested(self.start.elapsed());
                if contested { Err(Error::GuardContested) } else { Ok(()) }
            }
            Some(Refusal::GuardUnknown) => guard,
            Some(Refusal::ForeignDevice(kind)) => {
                Err(Error::ForeignDevice { device: self.environment.device.clone(), kind })
            }
        }
    }

    /// Leaves the guard as it is for a while when it has been corrected often; without it the device stays down.
    fn hold_back(&mut self, desired: &Desired, mut steps: Vec<Step>) -> (Vec<Step>, Leave) {
        let corrects = self.has_been_written_for(desired) && steps.iter().any(Step::concerns_the_table);
        let damage = if self.observed.table.guard().is_none() { Damage::Gone } else { Damage::Differs };
        let leave = if corrects { self.patience.ask(self.start.elapsed(), damage) } else { Leave::Granted };
        if leave == Leave::Withheld {
            steps.retain(|step| !step.concerns_the_table() && *step != Step::SetUp);
        }
        (steps, leave)
    }

    /// Notes since when the guard is not as it was written, if it is to be written again.
    fn note_gap(&mut self, desired: &Desired, steps: &[Step], heard: Option<Instant>) {
        let corrects = steps.iter().any(|step| matches!(step, Step::ChangeGuard(_)));
        if corrects && self.has_been_written_for(desired) {
            self.open_since = self.open_since.or(heard).or_else(|| Some(Instant::now()));
        }
    }

    /// The guard is written again.
    fn close_gap(&mut self) {
        let Some(since) = self.open_since.take() else { return };
        let open = since.elapsed();
        self.gaps.number = self.gaps.number.saturating_add(1);
        self.gaps.total_ms = self.gaps.total_ms.saturating_add(milliseconds(open));
        self.gaps.last_ms = milliseconds(open);
        let (open_ms, times) = (self.gaps.last_ms, self.gaps.number);
        if self.patience.is_contested(self.start.elapsed()) {
            debug!(open_ms, times, "another program changed the guard; it is restored");
        } else {
            warn!(open_ms, times, "another program changed the guard; it is restored");
        }
    }

    fn has_been_written_for(&self, desired: &Desired) -> bool {
        self.written.as_ref().is_some_and(|written| written.table() == desired.table())
    }

    fn remember_writing(&mut self, desired: Desired) {
        if self.has_been_written_for(&desired) {
            self.patience.corrected(self.start.elapsed());
        }
        self.written = Some(desired);
    }

    fn remember_rules<'a>(&mut self, taken: impl Iterator<Item = &'a Step>) {
        let TableView::Present { guard, leaving } = &self.observed.table else { return };
        for step in taken {
            match step {
                Step::ChangeGuard(change) => self.printed.note(change, guard),
                Step::ChangeLeaving(change) => self.printed.note(change, leaving),
                _ => {}
            }
        }
    }

    /// The tunnel as it was last seen.
    pub(crate) fn status(&self, problem: Option<&Error>) -> TunnelStatus {
        let idle = TunnelStatus::idle(&self.environment.device);
        let Some(config) = &self.config else { return idle };
        let device = self.observed.device.as_ref();
        let taken = self.responsibility == Responsibility::Taken;
        TunnelStatus {
            state: self.state(problem),
            problem: problem.map(Into::into),
            index: device.map(|device| device.index),
            mtu: device.map(|device| device.mtu),
            dont_fragment: device.and_then(|device| device.dont_fragment),
            outer_source: self.outer_source(config),
            addresses: device.map(|device| device.addresses.iter().copied().collect()).unwrap_or_default(),
            underlay: self.observed.underlay.clone(),
            guard: self.guard_status(config),
            felix_guard: self.felix.as_ref().and_then(|(_, felix)| felix.guard.clone()),
            masquerade: self.masquerade_state(),
            warnings: if taken {
                advise(config, &idle.device, &self.observed, &self.sysctls, self.admission.unmarked())
            } else {
                Vec::new()
            },
            repairs: self.repairs,
            ..idle
        }
    }

    fn state(&self, problem: Option<&Error>) -> TunnelState {
        let up = self.own_device().is_some_and(|device| device.admin == AdminState::Up);
        match (self.responsibility, up, problem) {
            (Responsibility::None, ..) => TunnelState::Idle,
            (Responsibility::Taken, true, None) => TunnelState::Up,
            // Rules once written stay in the kernel; a guard that was never seen to be ours may not be there at all.
            (Responsibility::Taken, true, Some(_)) if self.is_guard_settled() => TunnelState::Degraded,
            (Responsibility::Taken, ..) => TunnelState::Down,
        }
    }

    fn is_guard_settled(&self) -> bool {
        self.guard_mode() == GuardMode::Off || !self.printed.is_empty()
    }

    fn guard_mode(&self) -> GuardMode {
        self.config.as_ref().map_or(GuardMode::On, |config| config.guard)
    }

    fn masquerade_state(&self) -> MasqueradeState {
        let is_there = self.observed.table.leaving().is_some_and(masquerade::is_in);
        match (self.asks_for_masquerading(), self.felix_masquerade()) {
            (false, _) => MasqueradeState::Off,
            (true, Some(_)) => MasqueradeState::Felix,
            (true, None) if is_there => MasqueradeState::InForce,
            (true, None) => MasqueradeState::Absent,
        }
    }

    fn outer_source(&self, config: &TunnelConfig) -> Option<Ipv4Addr> {
        let is_there = self.observed.table.leaving().is_some_and(outer_source::is_in);
        config.node_address.filter(|_| is_there)
    }

    fn guard_status(&self, config: &TunnelConfig) -> GuardStatus {
        let Some(table) = self.observed.table.guard() else {
            return GuardStatus { mode: config.guard, gaps: self.gaps, ..GuardStatus::default() };
        };
        let admitted = guard::admitted(table);
        let behind: BTreeSet<Ipv4Net> = admitted.behind.iter().map(|behind| behind.prefix).collect();
        GuardStatus {
            mode: config.guard,
            state: GuardState::InForce,
            allowed: admitted.nodes.into_iter().collect(),
            leaving: self.admission.leaving(),
            accepted: table.counter(guard::ACCEPTED),
            behind: behind.len(),
            here: admitted.here.into_iter().collect(),
            dropped: guard::drops(table),
            gaps: self.gaps,
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
