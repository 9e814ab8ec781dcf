//! Look, plan, act, look again: one round of care for the tunnel, and what is remembered from round to round.

use std::{
    collections::BTreeSet,
    io,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use serde_json::Value;
use tracing::debug;

use crate::{
    advice::{Sysctls, advise},
    config::{Environment, GuardMode, IPIP_OVERHEAD, KnownNodes, Mtu, Need, TunnelConfig},
    error::Error,
    execute::{Executed, execute},
    guard::{Chain, Members},
    membership::Membership,
    netlink::Netlink,
    nft::Nft,
    observe,
    patience::{Leave, Patience},
    plan::{
        AddressGoal, AdminState, Desired, Device, GuardView, Observed, Plan, Present, Refusal, Step, plan,
    },
    status::{FelixGuard, GuardState, GuardStatus, TunnelState, TunnelStatus},
    watch::{Interest, Scope},
};

/// Rounds of planning per call: the second finds what the first could not foresee (the device that loading the module
/// made), the third confirms.
const ROUNDS: usize = 3;
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
    membership: Membership,
    responsibility: Responsibility,
    adoption: Adoption,
    former_addresses: BTreeSet<Ipv4Addr>,
    last_index: Option<u32>,
    /// The guard's rules as nft printed them after we wrote them: whatever differs was altered by someone.
    rules: Option<Vec<Value>>,
    /// What was wanted of the guard when it was last written.
    written: Option<Desired>,
    patience: Patience,
    settled: Option<Desired>,
    repairs: u64,
    felix: Option<(Instant, Option<FelixGuard>)>,
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
            membership: Membership::default(),
            responsibility: Responsibility::None,
            adoption: Adoption::Pending,
            former_addresses: BTreeSet::new(),
            last_index: None,
            rules: None,
            written: None,
            patience: Patience::default(),
            settled: None,
            repairs: 0,
            felix: None,
            observed: Observed::default(),
            sysctls: Sysctls::default(),
        })
    }

    /// One round: afterwards the tunnel is as asked, or the error says why not.
    pub(crate) async fn keep(
        &mut self,
        config: &TunnelConfig,
        known: Option<&KnownNodes>,
        scope: Scope,
    ) -> Result<(), Error> {
        self.take_in(config, known);
        let mut guard = self.look(scope).await?;
        self.look_for_felix(scope).await;
        self.membership.expire(self.start.elapsed());
        for _ in 0..ROUNDS {
            let desired = self.desired(config);
            let Plan { steps, refusal } = plan(&desired, &self.observed, self.rules.as_deref());
            self.count_repair(&desired, &steps);
            let (steps, leave) = self.hold_back(&desired, steps);
            if steps.is_empty() && leave == Leave::Withheld {
                return Err(Error::GuardContested);
            }
            if steps.is_empty() {
                return self.conclude(refusal, guard, desired);
            }
            let Executed { taken, result } = execute(&self.netlink, &self.nft, &steps).await;
            let wrote = steps.iter().take(taken).any(Step::concerns_the_guard);
            guard = self.look(if wrote { Scope::Everything } else { Scope::Links }).await?;
            if wrote {
                self.remember_rules();
                self.remember_writing(desired);
            }
            result?;
        }
        debug!("the tunnel is being changed by someone else at this moment");
        Ok(())
    }

    /// Takes down what was set up.
    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        let guard = self.look(Scope::Everything).await?;
        if self.responsibility == Responsibility::Taken {
            let Plan { steps, .. } = plan(&Desired::Removed(self.environment.kind), &self.observed, None);
            execute(&self.netlink, &self.nft, &steps).await.result?;
            if self.guard_mode() == GuardMode::On {
                guard?;
            }
        }
        self.responsibility = Responsibility::None;
        self.config = None;
        self.settled = None;
        self.written = None;
        self.rules = None;
        self.former_addresses.clear();
        Ok(())
    }

    /// How long until someone's grace ends.
    pub(crate) fn next_expiry(&self) -> Option<Duration> {
        self.membership.next_expiry().map(|at| at.saturating_sub(self.start.elapsed()))
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
        self.config = Some(config.clone());
        if self.known.as_ref() != known {
            self.known = known.cloned();
            self.update_membership();
        }
    }

    fn update_membership(&mut self) {
        let grace =
            self.config.as_ref().map_or(TunnelConfig::DEFAULT_GUARD_GRACE, |config| config.guard_grace);
        if let Some(list) = &self.known {
            self.membership.update(self.start.elapsed(), list, grace);
        }
    }

    /// Looks at the kernel. The inner result says why the guard cannot be seen.
    async fn look(&mut self, scope: Scope) -> Result<Result<(), Error>, Error> {
        let node_address = self.config.as_ref().and_then(|config| config.node_address);
        let links = observe::links(&self.netlink, &self.environment, node_address, self.last_index).await?;
        let last_view = std::mem::take(&mut self.observed.guard);
        self.observed = links;
        if let Some(device) = self.own_device() {
            self.last_index = Some(device.index);
        }
        self.sysctls = observe::sysctls(&self.environment.device);
        let is_enough = scope == Scope::Links && last_view != GuardView::Unknown;
        if is_enough || (self.responsibility == Responsibility::None && self.adoption == Adoption::Done) {
            self.observed.guard = last_view;
            return Ok(Ok(()));
        }
        let guard = observe::guard(&self.nft).await;
        Ok(guard.map(|view| self.see_guard(view)))
    }

    /// The device, if it is of our kind.
    fn own_device(&self) -> Option<&Device> {
        self.observed.device.as_ref().filter(|device| device.kind == self.environment.kind.kernel_name())
    }

    fn see_guard(&mut self, view: GuardView) {
        if let GuardView::Table(table) = &view {
            self.responsibility = Responsibility::Taken;
            if self.adoption == Adoption::Pending {
                self.membership.adopt(table.members.all());
                self.update_membership();
            }
        }
        self.adoption = Adoption::Done;
        self.observed.guard = view;
    }

    /// Failing to find out is no harm: it is told only for the operator's sake.
    async fn look_for_felix(&mut self, scope: Scope) {
        let is_fresh = |(at, _): &(Instant, _)| at.elapsed() < FELIX_INTERVAL;
        let taken = self.responsibility == Responsibility::Taken && scope == Scope::Everything;
        if taken && !self.felix.as_ref().is_some_and(is_fresh) {
            self.felix = Some((Instant::now(), self.nft.felix_guard().await.unwrap_or_default()));
        }
    }

    fn desired(&self, config: &TunnelConfig) -> Desired {
        if self.responsibility == Responsibility::None {
            return Desired::Untouched;
        }
        let automatic = || self.observed.underlay.as_ref().map(|link| link.mtu.saturating_sub(IPIP_OVERHEAD));
        Desired::Present(Present {
            kind: self.environment.kind,
            mtu: match config.mtu {
                Mtu::Auto => automatic(),
                Mtu::Fixed(mtu) => Some(mtu),
            },
            addresses: match config.address {
                Some(address) => AddressGoal::Only(address),
                None => AddressGoal::Without(self.former_addresses.clone()),
            },
            guard: (config.guard == GuardMode::On).then(|| Members::new(&self.membership.allowed())),
        })
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
                Ok(())
            }
            Some(Refusal::GuardUnknown) => guard,
            Some(Refusal::ForeignDevice(kind)) => {
                Err(Error::ForeignDevice { device: self.environment.device.clone(), kind })
            }
        }
    }

    /// Leaves the guard as it is for a while when it has been corrected often; without it the device stays down.
    fn hold_back(&self, desired: &Desired, mut steps: Vec<Step>) -> (Vec<Step>, Leave) {
        let corrects = self.has_been_written_for(desired) && steps.iter().any(Step::concerns_the_guard);
        let leave = if corrects { self.patience.ask(self.start.elapsed()) } else { Leave::Granted };
        if leave == Leave::Withheld {
            steps.retain(|step| !step.concerns_the_guard() && *step != Step::SetUp);
        }
        (steps, leave)
    }

    fn has_been_written_for(&self, desired: &Desired) -> bool {
        self.written.as_ref().is_some_and(|written| written.guard() == desired.guard())
    }

    fn remember_writing(&mut self, desired: Desired) {
        if self.has_been_written_for(&desired) {
            self.patience.corrected(self.start.elapsed());
        }
        self.written = Some(desired);
    }

    fn remember_rules(&mut self) {
        if let GuardView::Table(table) = &self.observed.guard
            && let Chain::Hooked(rules) = &table.chain
        {
            self.rules = Some(rules.clone());
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
            addresses: device.map(|device| device.addresses.iter().copied().collect()).unwrap_or_default(),
            underlay: self.observed.underlay.clone(),
            guard: self.guard_status(config),
            felix_guard: self.felix.as_ref().and_then(|(_, guard)| guard.clone()),
            warnings: if taken {
                advise(config, &idle.device, &self.observed, self.sysctls)
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
        self.guard_mode() == GuardMode::Off || self.rules.is_some()
    }

    fn guard_mode(&self) -> GuardMode {
        self.config.as_ref().map_or(GuardMode::On, |config| config.guard)
    }

    fn guard_status(&self, config: &TunnelConfig) -> GuardStatus {
        let GuardView::Table(table) = &self.observed.guard else {
            return GuardStatus { mode: config.guard, ..GuardStatus::default() };
        };
        GuardStatus {
            mode: config.guard,
            state: GuardState::InForce,
            allowed: table.members.all().into_iter().collect(),
            leaving: self.membership.leaving(),
            accepted: table.accepted,
            dropped: table.dropped,
        }
    }
}
