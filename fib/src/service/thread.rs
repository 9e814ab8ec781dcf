//! The FIB thread: commands in, notices in, turns of work between them.

use std::{
    collections::BTreeSet,
    collections::{BTreeMap, VecDeque},
    io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use tokio::{
    runtime,
    sync::{mpsc, oneshot},
    time::sleep_until,
};
use tracing::{error, warn};

use super::{
    engine::Engine,
    handle::{Command, FibHandle, Query},
};
use crate::{
    config::{FibConfig, TunnelUse},
    error::FibError,
    event::FibEvent,
    kernel::{Monitor, Netlink, Notice, Target},
    metrics::FibMetrics,
    route::{HopAddress, RouteChange},
    view::RoutePage,
};

/// Commands that may wait.
const COMMANDS: usize = 64;
/// Questions that may wait.
const QUERIES: usize = 16;
/// Events that may wait.
const EVENTS: usize = 256;
/// Commands taken before the kernel gets its turn.
const COMMANDS_PER_TURN: usize = 16;
/// Queued changes beyond which no command is taken: who hands over more has to wait.
const QUEUE_LIMIT: usize = 16 << 10;
/// How long a stop may take.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts the FIB thread in the network namespace of the calling thread. It does nothing before
/// [`FibHandle::configure`]. The caller sees to it that no other process programs routes of this protocol in this table.
///
/// # Errors
///
/// When there can be no thread.
pub fn start() -> io::Result<(FibHandle, mpsc::Receiver<FibEvent>)> {
    let (commands, inbox) = mpsc::channel(COMMANDS);
    let (asking, queries) = mpsc::channel(QUERIES);
    let (events, outbox) = mpsc::channel(EVENTS);
    let metrics = Arc::new(FibMetrics::default());
    let handle = FibHandle::new(commands, asking, Arc::clone(&metrics));
    let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let run = move || {
        let thread = Thread::new(inbox, queries, events, metrics);
        runtime.block_on(thread.run());
    };
    thread::Builder::new().name("fib".into()).spawn(run)?;
    Ok((handle, outbox))
}

/// The work, once there is a configuration.
struct Running {
    engine: Engine<Netlink>,
    monitor: Monitor,
}

/// What came before the configuration.
#[derive(Default)]
struct Early {
    changes: BTreeMap<IpNet, RouteChange>,
    watched: BTreeSet<HopAddress>,
    usage: Option<TunnelUse>,
    restart_ended: bool,
}

struct Thread {
    inbox: mpsc::Receiver<Command>,
    queries: mpsc::Receiver<Query>,
    events: mpsc::Sender<FibEvent>,
    metrics: Arc<FibMetrics>,
    unsent: VecDeque<FibEvent>,
    settling: Vec<oneshot::Sender<()>>,
    stopping: Option<oneshot::Sender<()>>,
    early: Early,
}

/// What woke the thread.
enum Woken {
    Command(Option<Command>),
    Query(Query),
    Noticed(io::Result<()>),
    Room,
    Time,
}

impl Thread {
    fn new(
        inbox: mpsc::Receiver<Command>,
        queries: mpsc::Receiver<Query>,
        events: mpsc::Sender<FibEvent>,
        metrics: Arc<FibMetrics>,
    ) -> Self {
        let (unsent, settling) = (VecDeque::new(), Vec::new());
        Self { inbox, queries, events, metrics, unsent, settling, stopping: None, early: Early::default() }
    }

    async fn run(mut self) {
        let Some(mut running) = self.wait_for_configuration().await else { return };
        let mut notices = Vec::new();
        loop {
            let now = Instant::now();
            running.engine.turn(now).await;
            self.report(&mut running.engine);
            if self.stopping.is_some() {
                return self.stop(running.engine).await;
            }
            match self.wait(&mut running, &mut notices).await {
                Woken::Command(None) => return self.stop(running.engine).await,
                Woken::Command(Some(command)) => self.commands(&mut running.engine, command).await,
                Woken::Query(query) => self.query(&mut running.engine, query).await,
                Woken::Noticed(Ok(())) => {
                    let now = Instant::now();
                    notices.drain(..).for_each(|notice| running.engine.notice(now, notice));
                }
                Woken::Noticed(Err(error)) => {
                    error!(%error, "the notification socket is broken; relying on comparisons");
                    running.engine.notice(Instant::now(), Notice::Overrun);
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Woken::Room | Woken::Time => {}
            }
        }
    }

    async fn wait(&mut self, running: &mut Running, notices: &mut Vec<Notice>) -> Woken {
        let now = Instant::now();
        let busy = running.engine.has_work(now);
        let next = if busy { now } else { running.engine.next_time() };
        let receiving = running.engine.queued() < QUEUE_LIMIT;
        let pause =
            async { if busy { tokio::task::yield_now().await } else { sleep_until(next.into()).await } };
        tokio::select! {
            biased;
            noticed = running.monitor.next(notices) => Woken::Noticed(noticed),
            Some(query) = self.queries.recv() => Woken::Query(query),
            command = self.inbox.recv(), if receiving => Woken::Command(command),
            permit = self.events.reserve(), if !self.unsent.is_empty() => {
                if let (Ok(permit), Some(event)) = (permit, self.unsent.pop_front()) {
                    permit.send(event);
                }
                Woken::Room
            }
            () = pause => Woken::Time,
        }
    }

    /// Takes a command and those that have come with it, so that batches get full.
    async fn commands(&mut self, engine: &mut Engine<Netlink>, first: Command) {
        self.command(engine, first).await;
        for _ in 1..COMMANDS_PER_TURN {
            match self.inbox.try_recv() {
                Ok(command) => self.command(engine, command).await,
                Err(_) => break,
            }
        }
    }

    async fn command(&mut self, engine: &mut Engine<Netlink>, command: Command) {
        let now = Instant::now();
        match command {
            Command::Apply(changes) => engine.apply(now, &changes),
            Command::Configure(config, reply) => answer(reply, Ok(engine.configure(now, *config))),
            Command::TunnelUse(usage) => engine.tunnel_use(usage),
            Command::Watch(address) => engine.watch(now, address),
            Command::Unwatch(address) => engine.unwatch(address),
            Command::EndRestart => engine.end_restart(),
            Command::Flush(reply) => answer(reply, engine.flush(now).await.map_err(FibError::from)),
            Command::Release(protocol, reply) => {
                answer(reply, engine.release(now, protocol).await.map_err(FibError::from));
            }
            Command::Settle(reply) => self.settling.push(reply),
        }
    }

    async fn query(&mut self, engine: &mut Engine<Netlink>, query: Query) {
        match query {
            Query::Routes(from, limit, reply) => answer(reply, engine.routes(from, limit)),
            Query::Diff(from, limit, reply) => {
                answer(reply, engine.diff(from, limit).await.map_err(FibError::from));
            }
            Query::Explain(prefix, target, reply) => {
                answer(reply, engine.explain(prefix, target).await.map_err(FibError::from))
            }
            Query::Status(reply) => answer(reply, Ok(engine.status())),
            Query::Stop(reply) => self.stopping = Some(reply),
        }
    }

    /// Passes on what has happened. What finds no room waits here, and nothing is added to it meanwhile.
    fn report(&mut self, engine: &mut Engine<Netlink>) {
        if self.unsent.is_empty() {
            self.unsent.extend(engine.take_events());
        }
        while let Some(event) = self.unsent.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(event)) => {
                    self.unsent.push_front(event);
                    break;
                }
                Err(mpsc::error::TrySendError::Closed(_)) => self.unsent.clear(),
            }
        }
        if !self.settling.is_empty() && engine.is_settled(Instant::now()) {
            self.settling.drain(..).for_each(|reply| answer(reply, ()));
        }
    }

    /// Sends what is due. Routes stay.
    async fn stop(mut self, mut engine: Engine<Netlink>) {
        let began = Instant::now();
        // What was handed over before the stop is due too.
        while let Ok(command) = self.inbox.try_recv() {
            self.command(&mut engine, command).await;
        }
        while engine.queued() > 0 && engine.has_work(began) && began.elapsed() < STOP_TIMEOUT {
            engine.turn(Instant::now()).await;
        }
        if let Some(reply) = self.stopping {
            answer(reply, ());
        }
    }

    async fn wait_for_configuration(&mut self) -> Option<Running> {
        loop {
            let command = tokio::select! {
                Some(query) = self.queries.recv() => match query {
                    Query::Stop(reply) => {
                        answer(reply, ());
                        return None;
                    }
                    query => {
                        refuse(query);
                        continue;
                    }
                },
                command = self.inbox.recv() => command?,
            };
            match command {
                Command::Configure(config, reply) => match self.begin(*config).await {
                    Ok(running) => {
                        answer(reply, Ok(running.engine.configured().clone()));
                        return Some(running);
                    }
                    Err(error) => answer(reply, Err(error.into())),
                },
                command => self.early.take(command),
            }
        }
    }

    async fn begin(&mut self, config: FibConfig) -> io::Result<Running> {
        let target = Target { protocol: config.protocol, table: config.table, metric: config.metric };
        let (kernel, monitor) = Netlink::open(target)?;
        let now = Instant::now();
        let mut engine = Engine::start(now, config, kernel, Arc::clone(&self.metrics)).await?;
        std::mem::take(&mut self.early).replay(now, &mut engine);
        Ok(Running { engine, monitor })
    }
}

impl Early {
    fn take(&mut self, command: Command) {
        match command {
            Command::Apply(changes) => {
                self.changes.extend(changes.into_iter().map(|change| (change.prefix, change)));
            }
            Command::Watch(address) => _ = self.watched.insert(address),
            Command::Unwatch(address) => _ = self.watched.remove(&address),
            Command::TunnelUse(usage) => self.usage = Some(usage),
            Command::EndRestart => self.restart_ended = true,
            Command::Settle(reply) => answer(reply, ()),
            Command::Flush(reply) => answer(reply, Err(FibError::NotConfigured)),
            Command::Release(_, reply) => answer(reply, Err(FibError::NotConfigured)),
            Command::Configure(..) => warn!("a command was lost before the configuration"),
        }
    }

    fn replay(self, now: Instant, engine: &mut Engine<Netlink>) {
        self.usage.into_iter().for_each(|usage| engine.tunnel_use(usage));
        self.watched.into_iter().for_each(|address| engine.watch(now, address));
        let changes: Vec<_> = self.changes.into_values().collect();
        engine.apply(now, &changes);
        if self.restart_ended {
            engine.end_restart();
        }
    }
}

/// Answers a question that comes before the configuration.
fn refuse(query: Query) {
    match query {
        Query::Routes(_, _, reply) => answer(reply, RoutePage::default()),
        Query::Diff(_, _, reply) => answer(reply, Err(FibError::NotConfigured)),
        Query::Explain(_, _, reply) => answer(reply, Err(FibError::NotConfigured)),
        Query::Status(reply) => answer(reply, Err(FibError::NotConfigured)),
        Query::Stop(reply) => answer(reply, ()),
    }
}

/// Whoever asked may have gone away meanwhile.
fn answer<T>(reply: oneshot::Sender<T>, value: T) {
    let _ = reply.send(value);
}
