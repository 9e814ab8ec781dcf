//! What others hold of the FIB thread.

use std::sync::Arc;

use ipnet::IpNet;
use tokio::sync::{mpsc, oneshot};

use crate::{
    config::{FibConfig, TunnelUse},
    error::FibError,
    metrics::FibMetrics,
    route::{HopAddress, RouteChange},
    view::{Configured, DiffPage, Explanation, FibStatus, FlushReport, ReleaseReport, RoutePage},
};

/// What the FIB thread is to do, in the order in which it is said; no more is taken while too many routes wait.
#[derive(Debug)]
pub(crate) enum Command {
    Apply(Vec<RouteChange>),
    Configure(Box<FibConfig>, oneshot::Sender<Result<Configured, FibError>>),
    TunnelUse(TunnelUse),
    Watch(HopAddress),
    Unwatch(HopAddress),
    EndRestart,
    Flush(oneshot::Sender<Result<FlushReport, FibError>>),
    Release(u8, oneshot::Sender<Result<ReleaseReport, FibError>>),
    Settle(oneshot::Sender<()>),
}

/// What does not wait behind routes.
#[derive(Debug)]
pub(crate) enum Query {
    Routes(Option<IpNet>, usize, oneshot::Sender<RoutePage>),
    Diff(Option<IpNet>, usize, oneshot::Sender<Result<DiffPage, FibError>>),
    Explain(IpNet, IpNet, oneshot::Sender<Result<Explanation, FibError>>),
    Status(oneshot::Sender<Result<FibStatus, FibError>>),
    Stop(oneshot::Sender<()>),
}

/// A handle to the FIB thread; cheap to clone. The thread ends when the last handle is gone; its routes stay.
#[derive(Clone, Debug)]
pub struct FibHandle {
    commands: mpsc::Sender<Command>,
    queries: mpsc::Sender<Query>,
    metrics: Arc<FibMetrics>,
}

/// The right to hand over one batch without waiting.
#[derive(Debug)]
pub struct ApplyPermit<'a>(mpsc::Permit<'a, Command>);

impl ApplyPermit<'_> {
    /// Hands the batch over. Later changes of a prefix win.
    pub fn send(self, batch: Vec<RouteChange>) {
        self.0.send(Command::Apply(batch));
    }
}

impl FibHandle {
    pub(crate) fn new(
        commands: mpsc::Sender<Command>,
        queries: mpsc::Sender<Query>,
        metrics: Arc<FibMetrics>,
    ) -> Self {
        Self { commands, queries, metrics }
    }

    /// Hands over changes, waiting while the FIB thread is behind. Later changes of a prefix win.
    pub async fn apply(&self, batch: Vec<RouteChange>) -> Result<(), FibError> {
        self.send(Command::Apply(batch)).await
    }

    /// Waits until one batch can be handed over; dropping the future or the permit loses nothing.
    pub async fn reserve(&self) -> Result<ApplyPermit<'_>, FibError> {
        self.commands.reserve().await.map(ApplyPermit).map_err(|_| FibError::Stopped)
    }

    /// Applies a configuration: the first lets the work begin (with a comparison with the kernel), later ones rewrite
    /// in place the routes they affect.
    ///
    /// # Errors
    ///
    /// At the first: when the kernel does not let itself be read. It may then be repeated.
    pub async fn configure(&self, config: FibConfig) -> Result<Configured, FibError> {
        self.ask(|reply| Command::Configure(Box::new(config), reply)).await?
    }

    /// Says what routes do with the tunnel device; [`FibConfig::tunnel`] says it too. That the device exists and is up
    /// the FIB layer sees for itself.
    pub async fn tunnel_use(&self, usage: TunnelUse) -> Result<(), FibError> {
        self.send(Command::TunnelUse(usage)).await
    }

    /// Asks for [`crate::event::FibEvent::NextHop`]: at once, and whenever the answer changes.
    /// A link-local address comes with the index of its device.
    pub async fn watch_next_hop(&self, address: impl Into<HopAddress>) -> Result<(), FibError> {
        self.send(Command::Watch(address.into())).await
    }

    /// Ends [`Self::watch_next_hop`].
    pub async fn unwatch_next_hop(&self, address: impl Into<HopAddress>) -> Result<(), FibError> {
        self.send(Command::Unwatch(address.into())).await
    }

    /// Ends the restart: adopted routes that nobody asked for are swept, now and from now on.
    pub async fn end_restart(&self) -> Result<(), FibError> {
        self.send(Command::EndRestart).await
    }

    /// Removes every route of ours and asks for nothing any more, until the next [`Self::configure`] names blocks or
    /// the next [`Self::apply`] routes. Also the way to clean up without a daemon: start, configure without blocks
    /// and pools, flush, stop.
    pub async fn flush(&self) -> Result<FlushReport, FibError> {
        self.ask(Command::Flush).await?
    }

    /// Gives every route of ours to another protocol, in place: the last thing to do, by a process without blocks and
    /// pools, before another daemon takes over.
    pub async fn release(&self, protocol: u8) -> Result<ReleaseReport, FibError> {
        self.ask(|reply| Command::Release(protocol, reply)).await?
    }

    /// Waits until everything handed over so far has been sent to the kernel and answered, if only by a refusal.
    pub async fn settle(&self) -> Result<(), FibError> {
        self.ask(Command::Settle).await
    }

    /// At most `limit` routes from `from` on, sorted by prefix.
    pub async fn routes(&self, from: Option<IpNet>, limit: usize) -> Result<RoutePage, FibError> {
        self.query(|reply| Query::Routes(from, limit, reply)).await
    }

    /// At most `limit` differences between what is wanted and what the kernel holds now, from `from` on.
    pub async fn diff(&self, from: Option<IpNet>, limit: usize) -> Result<DiffPage, FibError> {
        self.query(|reply| Query::Diff(from, limit, reply)).await?
    }

    /// Explains the longest route that contains the prefix (an address is a prefix of full length), and where packets to
    /// it go.
    pub async fn explain(&self, prefix: IpNet) -> Result<Explanation, FibError> {
        self.explain_for(prefix, prefix).await
    }

    /// Explains the longest route that contains the prefix, and where packets to the target, which lies within it, go.
    pub async fn explain_for(&self, prefix: IpNet, target: IpNet) -> Result<Explanation, FibError> {
        self.query(|reply| Query::Explain(prefix, target, reply)).await?
    }

    /// The whole in a few numbers. Like every question, it does not wait behind routes that were handed over before.
    pub async fn status(&self) -> Result<FibStatus, FibError> {
        self.query(Query::Status).await?
    }

    /// The counters, without a visit to the thread.
    pub fn metrics(&self) -> &FibMetrics {
        &self.metrics
    }

    /// Sends what is due and ends the thread. Routes stay.
    pub async fn stop(&self) -> Result<(), FibError> {
        self.query(Query::Stop).await
    }

    async fn send(&self, command: Command) -> Result<(), FibError> {
        self.commands.send(command).await.map_err(|_| FibError::Stopped)
    }

    async fn query<T>(&self, query: impl FnOnce(oneshot::Sender<T>) -> Query) -> Result<T, FibError> {
        let (reply, answer) = oneshot::channel();
        self.queries.send(query(reply)).await.map_err(|_| FibError::Stopped)?;
        answer.await.map_err(|_| FibError::Stopped)
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, FibError> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await?;
        answer.await.map_err(|_| FibError::Stopped)
    }
}
