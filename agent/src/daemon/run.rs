//! The daemon's life: start, main loop, end.

use std::{io, path::Path, process::ExitCode, sync::Arc, time::Duration};

use bgp::{
    net::{Outputs, SpeakerOptions},
    types::{Families, Family},
};
use fib::{config::FibConfig, error::FibError, event::FibEvent, service::FibHandle};
use ipip::{Environment, TunnelHandle};
use sd_notify::NotifyState;
use tokio::{
    runtime,
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep, sleep_until, timeout},
};
use tracing::{error, info, warn};

use super::{
    exclusive, flows, host_addresses,
    logging::{self, LevelHandle},
    panics, plan,
    problems::error as problem,
    reload::{ORDERS, Order, Reloading},
    signals::{Caught, Signals, notify, watchdog_interval},
    state::{Daemon, Parts},
    stop,
    succession::{self, Succession},
    watch,
};
use crate::{
    api::{
        protocol::{
            StopMode,
            problem::{Problem, ProblemCode},
            status::RunMode,
        },
        server::{self, Access},
        socket::ApiSocket,
    },
    cli::{EXIT_FAILED, args::RunArgs, commands::Failure},
    config::{Inputs, Intent, Loaded, Reloader, ThisHost, Watch, load},
    http,
};

/// How soon reading the kernel's routes is tried again.
const ADOPTION_RETRY: Duration = Duration::from_secs(5);
/// How long the speaker may take to show that it lives.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Runs until stopped.
///
/// # Errors
///
/// When the configuration is not valid, another daemon runs here, or there is no socket for clients. Anything else
/// that is missing is shown as a problem while the rest works.
pub fn run(args: &RunArgs, socket: Option<&Path>) -> Result<ExitCode, Failure> {
    let inputs = args.config.inputs(socket);
    let loaded = load(&inputs, &ThisHost).map_err(Failure::invalid)?;
    let intent = &loaded.intent;
    let level = logging::start(intent.log.level, intent.log.format).map_err(fatal)?;
    panics::end_the_process();
    let _lock = exclusive::lock(
        intent,
        "stop it (`siskin stop`), or give this one another `protocol` or `table` in [kernel]",
    )?;
    raise_file_limit();
    let mode = if args.dry_run { RunMode::DryRun } else { RunMode::Normal };
    let on_signal = if args.flush_on_exit { StopMode::Drain } else { StopMode::Keep };
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(fatal)?;
    let code = runtime.block_on(async {
        let running = Running::start(inputs, loaded, mode, level).await?;
        Ok(running.serve(on_signal).await)
    });
    runtime.shutdown_background();
    logging::settle();
    code
}

fn fatal(error: impl std::fmt::Display) -> Failure {
    Failure::Other(EXIT_FAILED, error.to_string())
}

/// A peer needs a descriptor or two.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        warn!(%error, "limit of open files not raised");
    }
}

struct Running {
    daemon: Daemon,
    control: mpsc::Receiver<StopMode>,
    /// The task that reads the configuration again; it ends before the daemon stops.
    reloading: AbortHandle,
    tasks: JoinSet<&'static str>,
}

impl Running {
    async fn start(
        inputs: Inputs,
        loaded: Loaded,
        mode: RunMode,
        level: LevelHandle,
    ) -> Result<Self, Failure> {
        let intent = &loaded.intent;
        let socket =
            ApiSocket::bind(&intent.api.socket, intent.api.socket_group.as_deref()).map_err(fatal)?;
        let bind = |path| ApiSocket::bind(path, intent.api.read_socket_group.as_deref());
        let read_socket = intent.api.read_socket.as_deref().map(bind).transpose().map_err(fatal)?;
        let (fib, fib_events) = fib::service::start().map_err(fatal)?;
        let succession = Succession::begin(intent, mode);
        let predecessors = succession.predecessors();
        let adopted = fib.configure(FibConfig { predecessors, ..plan::fib(intent, mode, None) }).await;
        let tunnel = start_tunnel(intent, mode);
        let speaker_config = plan::speaker(intent, mode);
        let found = adopted.as_ref().ok().map(|configured| configured.adopted);
        let options =
            SpeakerOptions { forwarding: preserved(&adopted, mode), before: succession.peers_before(found) };
        let (speaker, outputs) = bgp::net::start(speaker_config.clone(), options);
        if let Err(error) = speaker.originate(plan::originated(intent)).await {
            return Err(fatal(error));
        }
        let (control, controls) = mpsc::channel(1);
        let (orders, ordered) = mpsc::channel(ORDERS);
        let loaded = Arc::new(loaded);
        let daemon = Daemon::new(Parts {
            mode,
            speaker,
            speaker_config,
            fib,
            tunnel: tunnel.as_ref().ok().cloned().flatten(),
            control,
            orders,
            succession,
            loaded: Arc::clone(&loaded),
            source: source(&inputs),
        });
        let watch = Watch::new(ThisHost, &loaded.files).await;
        let reloader = Reloader::new(inputs, loaded);
        let reloading = Reloading { daemon: daemon.clone(), reloader, watch, level, orders: ordered };
        let mut tasks = JoinSet::new();
        let reloading = tasks.spawn(named("configuration", reloading.run()));
        let mut running = Self { daemon, control: controls, reloading, tasks };
        flows::remember_adopted(&running.daemon).await;
        running.daemon.succession.problem().into_iter().for_each(|problem| running.daemon.notice(problem));
        running.note_failures(adopted, tunnel.err());
        running.spawn_flows(outputs, fib_events);
        running.spawn_interfaces(socket, read_socket).await;
        Ok(running)
    }

    /// What could not be had at start is shown as a problem, and tried again.
    fn note_failures(&mut self, adopted: Result<fib::view::Configured, FibError>, tunnel: Option<io::Error>) {
        if let Err(error) = adopted {
            self.daemon.notice(kernel_unreadable(&error));
            self.tasks.spawn(adopt_later(self.daemon.clone()));
        }
        if let Some(error) = tunnel {
            let message = format!("the tunnel cannot be looked after: {error}");
            self.daemon.notice(problem(
                ProblemCode::TunnelUnavailable,
                message,
                "run as root, or with CAP_NET_ADMIN",
            ));
        }
    }

    fn spawn_flows(&mut self, outputs: Outputs, fib_events: mpsc::Receiver<FibEvent>) {
        let (daemon, tasks) = (&self.daemon, &mut self.tasks);
        tasks.spawn(named("speaker", flows::from_speaker(daemon.clone(), outputs)));
        tasks.spawn(named("problems", watch::problems(daemon.clone())));
        tasks.spawn(named("fib", flows::from_fib(daemon.clone(), fib_events)));
        tasks.spawn(named("addresses", host_addresses::follow(daemon.clone())));
        tasks.spawn(named("succession", succession::keep(daemon.clone())));
        if let Some(tunnel) = &daemon.tunnel {
            flows::tell_known_nodes(daemon);
            flows::tell_tunnel(daemon);
            tasks.spawn(named("guard", flows::to_guard(daemon.clone())));
            tasks.spawn(named("tunnel", flows::from_tunnel(daemon.clone(), tunnel.clone())));
        }
    }

    async fn spawn_interfaces(&mut self, socket: ApiSocket, read_socket: Option<ApiSocket>) {
        self.tasks.spawn(named("api", server::serve(socket, Access::Full, self.daemon.clone())));
        if let Some(socket) = read_socket {
            let server = server::serve(socket, Access::ReadOnly, self.daemon.clone());
            self.tasks.spawn(named("read-only api", server));
        }
        let Some(address) = self.daemon.loaded().intent.api.http else { return };
        match http::listen(address).await {
            Ok(listener) => {
                let hosts = http_hosts(&self.daemon.loaded().intent);
                self.tasks.spawn(named("http", http::serve(listener, hosts, self.daemon.clone())));
            }
            Err(error) => self.daemon.notice(problem(
                ProblemCode::HttpUnavailable,
                format!("no HTTP on {address}: {error}"),
                "give `http` in [api] a free address and port, and restart",
            )),
        }
    }

    async fn serve(mut self, on_signal: StopMode) -> ExitCode {
        let mut signals = match Signals::catch() {
            Ok(signals) => signals,
            Err(error) => {
                error!(%error, "no signals");
                return ExitCode::from(EXIT_FAILED);
            }
        };
        self.announce_start().await;
        let Some(mode) = self.until_stopped(&mut signals, on_signal).await else {
            return ExitCode::from(EXIT_FAILED);
        };
        self.reloading.abort();
        self.tasks.detach_all();
        tokio::select! {
            () = stop::stop(&self.daemon, mode) => ExitCode::SUCCESS,
            () = second_signal(&mut signals) => {
                warn!("second signal: gone at once");
                ExitCode::from(EXIT_FAILED)
            }
        }
    }

    async fn announce_start(&self) {
        let loaded = self.daemon.loaded();
        let node = &loaded.intent.node;
        info!(version = env!("CARGO_PKG_VERSION"), node = node.name, asn = node.asn.0, router_id = %node.router_id, "started");
        for found in loaded.found_addresses() {
            info!(found, "node address detected");
        }
        for note in &loaded.notes {
            info!(note, "configuration");
        }
        for warning in &loaded.warnings {
            warn!(%warning, "configuration");
        }
        if self.daemon.speaker.query(|core, _| core.keeping().is_empty()).await.unwrap_or(false) {
            flows::end_restart(&self.daemon).await;
        }
        notify(&[NotifyState::Ready]);
    }

    /// The main loop. `None`: a part of the daemon has ended by itself.
    async fn until_stopped(&mut self, signals: &mut Signals, on_signal: StopMode) -> Option<StopMode> {
        let watchdog = watchdog_interval();
        let mut beat = Instant::now();
        loop {
            tokio::select! {
                mode = self.control.recv() => return Some(mode.unwrap_or_default()),
                caught = signals.next() => match caught {
                    Caught::Stop => return Some(on_signal),
                    // Where no more orders are taken, one that waits does what this one would.
                    Caught::Reload => _ = self.daemon.orders.try_send(Order::default()),
                },
                () = sleep_until(beat), if watchdog.is_some() => {
                    beat = Instant::now() + watchdog.unwrap_or(HEARTBEAT);
                    self.heartbeat().await;
                }
                Some(ended) = self.tasks.join_next() => {
                    if let Some(part) = fatal_end(ended) {
                        error!(part, "a part of the daemon has ended; the kernel keeps the routes");
                        return None;
                    }
                }
            }
        }
    }

    /// Tells the service manager that the loop turns and the speaker answers.
    async fn heartbeat(&self) {
        if timeout(HEARTBEAT, self.daemon.speaker.query(|_, _| ())).await.is_ok_and(|answer| answer.is_ok()) {
            notify(&[NotifyState::Watchdog]);
        }
    }
}

/// By which names HTTP clients may call this host.
fn http_hosts(intent: &Intent) -> http::Hosts {
    let own = rustix::system::uname().nodename().to_string_lossy().into_owned();
    http::Hosts::new(intent.api.http_hosts.iter().cloned().chain([intent.node.name.clone(), own]))
}

/// A task that ends with its name.
async fn named(name: &'static str, task: impl Future<Output = ()>) -> &'static str {
    task.await;
    name
}

/// The adoption task ends when its work is done.
const ADOPTION: &str = "adoption";

fn fatal_end(ended: Result<&'static str, tokio::task::JoinError>) -> Option<&'static str> {
    match ended {
        Ok(ADOPTION) => None,
        Ok(name) => Some(name),
        Err(_) => Some("a task"),
    }
}

async fn second_signal(signals: &mut Signals) {
    while signals.next().await != Caught::Stop {}
}

fn source(inputs: &Inputs) -> String {
    inputs.file.as_ref().map_or_else(|| "flags and environment".to_owned(), |f| f.display().to_string())
}

/// The families whose routes survived our restart: the F bit of the graceful restart capability.
fn preserved(adopted: &Result<fib::view::Configured, FibError>, mode: RunMode) -> Families {
    match (adopted, mode) {
        (Ok(_), RunMode::Normal) => Family::ALL.into_iter().collect(),
        _ => Families::NONE,
    }
}

fn start_tunnel(intent: &Intent, mode: RunMode) -> io::Result<Option<TunnelHandle>> {
    let _ = intent;
    match mode {
        RunMode::DryRun => Ok(None),
        RunMode::Normal => TunnelHandle::spawn(Environment::default()).map(Some),
    }
}

fn kernel_unreadable(error: &FibError) -> Problem {
    problem(
        ProblemCode::KernelUnreadable,
        format!("the kernel's routes cannot be read, so none is written: {error}"),
        "run as root, or with CAP_NET_ADMIN",
    )
}

/// Tries to read the kernel until it works.
async fn adopt_later(daemon: Daemon) -> &'static str {
    loop {
        sleep(ADOPTION_RETRY).await;
        let loaded = daemon.loaded();
        let status = daemon.tunnel.as_ref().map(TunnelHandle::status);
        let predecessors = daemon.succession.predecessors();
        let config = FibConfig { predecessors, ..plan::fib(&loaded.intent, daemon.mode, status.as_deref()) };
        if adopt(&daemon.fib, config).await {
            daemon.solved(ProblemCode::KernelUnreadable);
            let families = Family::ALL.into_iter().collect();
            if let Err(error) = daemon.speaker.set_forwarding(families).await {
                warn!(%error, "forwarding state not told");
            }
            return ADOPTION;
        }
    }
}

async fn adopt(fib: &FibHandle, config: FibConfig) -> bool {
    fib.configure(config).await.is_ok()
}
