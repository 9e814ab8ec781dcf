//! The way to the tunnel service from the rest of the program.

use std::{io, sync::Arc};

use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    config::{Environment, KnownNodes, TunnelConfig},
    error::Error,
    keeper::Keeper,
    service::{Inbox, Request, Service},
    status::TunnelStatus,
};

/// The tunnel service. Clones speak to the same one; when the last is dropped the service ends and leaves device and
/// guard as they are.
#[derive(Debug, Clone)]
pub struct TunnelHandle {
    config: watch::Sender<Option<TunnelConfig>>,
    known: watch::Sender<Option<KnownNodes>>,
    requests: mpsc::Sender<Request>,
    status: watch::Receiver<Arc<TunnelStatus>>,
}

impl TunnelHandle {
    /// Starts the service on the current tokio runtime, for the network namespace of the calling thread (on a runtime
    /// of several threads all of them must be in it). Touches nothing until [`configure`](Self::configure).
    ///
    /// # Errors
    /// The netlink sockets cannot be opened.
    pub fn spawn(environment: Environment) -> io::Result<Self> {
        let config = watch::Sender::new(None);
        let known = watch::Sender::new(None);
        let (requests, requested) = mpsc::channel(1);
        let (publish, status) = watch::channel(Arc::new(TunnelStatus::idle(&environment.device)));
        let inbox = Inbox { config: config.subscribe(), known: known.subscribe(), requests: requested };
        let service = Service::start(environment, inbox, publish)?;
        tokio::spawn(service.run());
        Ok(Self { config, known, requests, status })
    }

    /// Says how the tunnel shall be. Returns at once; the latest configuration counts.
    pub fn configure(&self, config: TunnelConfig) {
        self.config.send_replace(Some(config));
    }

    /// Says which nodes are known. Returns at once; the latest list counts. Until the first list the guard allows what
    /// a previous incarnation allowed, and nobody else.
    pub fn set_known_nodes(&self, known: KnownNodes) {
        self.known.send_replace(Some(known));
    }

    /// The latest snapshot.
    #[must_use]
    pub fn status(&self) -> Arc<TunnelStatus> {
        self.status.borrow().clone()
    }

    /// The snapshots as they come.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Arc<TunnelStatus>> {
        self.status.clone()
    }

    /// Takes down what was set up: the device goes down and loses its IPv4 addresses, one that we created is deleted,
    /// and the guard goes last. What we never set up is left alone: without a configuration that needs the tunnel, and
    /// without a guard table of ours, nothing is done. Afterwards the service rests until it is configured again.
    ///
    /// # Errors
    /// Why it could not be done; what was done up to then stays done.
    pub async fn flush(&self) -> Result<(), Error> {
        self.ask(Request::Flush).await?
    }

    /// A snapshot taken now: counters in [`status`](Self::status) are as old as the last look, at most
    /// [`Environment::check_interval`].
    ///
    /// # Errors
    /// The service has ended.
    pub async fn refresh(&self) -> Result<Arc<TunnelStatus>, Error> {
        self.ask(Request::Refresh).await
    }

    async fn ask<A>(&self, request: impl FnOnce(oneshot::Sender<A>) -> Request) -> Result<A, Error> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(request(answer)).await.map_err(|_| Error::Stopped)?;
        answered.await.map_err(|_| Error::Stopped)
    }
}

/// [`TunnelHandle::flush`] for when no service runs. A `config` that needs the tunnel says that it was ours although no
/// guard table may tell so (the guard was off).
///
/// # Errors
/// Why it could not be done; what was done up to then stays done.
pub async fn flush(environment: Environment, config: &TunnelConfig) -> Result<(), Error> {
    let opened = Keeper::new(environment);
    let mut keeper =
        opened.map_err(|source| Error::Netlink { operation: "open a netlink socket".to_owned(), source })?;
    keeper.take_in(config, None);
    keeper.flush().await
}
