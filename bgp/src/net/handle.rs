//! The way into a running speaker.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::SocketAddr,
};

use ipnet::IpNet;
use tokio::sync::{mpsc, oneshot};

use super::{
    bfd::{BfdQuestions, BfdReport},
    collector::CollectorSnapshot,
    listener::{ListenState, ListenStates},
    mrt::MrtSnapshot,
    refusals::RefusalReport,
    snapshot::{PeerSnapshot, RangeSnapshot},
};
use crate::{
    config::SpeakerConfig,
    core::{AdjRibIn, AdvertisedRoute, Core, Explanation, Page, RouteView},
    event::{HostAddress, InterfaceChanges, NextHopReport},
    types::{Families, Family, NextHopAddress, Now, PeerId},
};

/// Most routes in one page.
const LONGEST_PAGE: usize = 4096;

/// A running speaker; clones speak to the same one. It ends, as with [`ShutdownMode::Keep`], when the last is gone.
#[derive(Clone, Debug)]
pub struct SpeakerHandle {
    commands: mpsc::Sender<Command>,
    listen_states: ListenStates,
    bfd: BfdQuestions,
}

/// Why a speaker did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpeakerError {
    /// It has ended.
    #[error("the speaker has ended")]
    Ended,
    /// There is no such peer.
    #[error("there is no peer named {0:?}")]
    UnknownPeer(String),
}

/// How the speaker leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutdownMode {
    /// It will be back: sessions with graceful restart close without a word, so that the peers keep our routes;
    /// others with Cease 6/2.
    Keep,
    /// It leaves for good: Cease 6/2, as a Hard Reset where the N bit was negotiated (RFC 8538).
    Drain,
}

/// What is cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clear {
    /// The session: Cease 6/4, then set up anew.
    Session,
    /// The peer is asked for all its routes again (RFC 2918).
    Inbound,
    /// The peer is sent all its routes again.
    Outbound,
}

/// What an operator wants of a peer, whatever the configuration says; forgotten when the speaker ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    ShutDown { text: Option<String> },
    BringUp,
}

/// A question to the core, and the way of its answer.
pub(super) type Query = Box<dyn FnOnce(&Core, Now) + Send>;

pub(super) enum Command {
    Reconfigure(Box<SpeakerConfig>),
    Originate(BTreeSet<IpNet>),
    NextHop(NextHopAddress, NextHopReport),
    Interfaces(InterfaceChanges),
    RestartBest,
    HostAddresses(BTreeSet<HostAddress>),
    Forwarding(Families),
    Peers(oneshot::Sender<Vec<PeerSnapshot>>),
    Ranges(oneshot::Sender<Vec<RangeSnapshot>>),
    Mrt(oneshot::Sender<MrtSnapshot>),
    Collectors(oneshot::Sender<Vec<CollectorSnapshot>>),
    Query(Query),
    Clear { peer: String, clear: Clear, found: oneshot::Sender<bool> },
    Order { peer: String, order: Order, found: oneshot::Sender<bool> },
    Shutdown { mode: ShutdownMode, done: oneshot::Sender<()> },
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Command")
    }
}

type Result<T> = std::result::Result<T, SpeakerError>;

impl SpeakerHandle {
    pub(super) fn new(
        commands: mpsc::Sender<Command>,
        listen_states: ListenStates,
        bfd: BfdQuestions,
    ) -> Self {
        Self { commands, listen_states, bfd }
    }

    /// The BFD sessions, straight from their thread: nothing to report while there is none, or when all has ended.
    pub async fn bfd(&self) -> BfdReport {
        self.bfd.report().await
    }

    /// Puts a new configuration in force; only what differs is touched.
    ///
    /// # Errors
    /// [`SpeakerError::Ended`], as of every method.
    pub async fn reconfigure(&self, config: SpeakerConfig) -> Result<()> {
        self.send(Command::Reconfigure(Box::new(config))).await
    }

    /// Replaces the set of prefixes we originate.
    ///
    /// # Errors
    /// [`SpeakerError::Ended`].
    pub async fn originate(&self, prefixes: BTreeSet<IpNet>) -> Result<()> {
        self.send(Command::Originate(prefixes)).await
    }

    /// Answers [`SpeakerEvent::WatchNextHop`](super::SpeakerEvent::WatchNextHop).
    ///
    /// # Errors
    /// [`SpeakerError::Ended`].
    pub async fn next_hop(
        &self,
        next_hop: impl Into<NextHopAddress>,
        report: impl Into<NextHopReport>,
    ) -> Result<()> {
        self.send(Command::NextHop(next_hop.into(), report.into())).await
    }

    /// Says that names mean other interfaces now. Sockets are bound to interfaces by index: those of an interface that was
    /// deleted and created anew, or that gave its name to another, are closed and opened anew.
    ///
    /// # Errors
    /// [`SpeakerError::Ended`].
    pub async fn interfaces_changed(&self, changes: InterfaceChanges) -> Result<()> {
        self.send(Command::Interfaces(changes)).await
    }

    /// Has all best routes handed out once more.
    ///
    /// # Errors
    /// [`SpeakerError::Ended`].
    pub async fn restart_best(&self) -> Result<()> {
        self.send(Command::RestartBest).await
    }

    /// Says which addresses this host has, all of them, at first and whenever they change. A session whose own address has
    /// gone since ends at once rather than with its hold time, and a link whose own link-local address is another one is
    /// shown it.
    ///
    /// # Errors
    /// [`SpeakerError::Ended`].
    pub async fn host_addresses(&self, addresses: BTreeSet<HostAddress>) -> Result<()> {
        self.send(Command::HostAddresses(addresses)).await
    }

    /// Says whose forwarding state is preserved (F bit) in OPENs from now on.
    ///
    /// # Errors
    /// [`SpeakerError::Ended`].
    pub async fn set_forwarding(&self, families: Families) -> Result<()> {
        self.send(Command::Forwarding(families)).await
    }

    /// All peers, ascending by index.
    ///
    /// # Errors
    /// [`SpeakerError::Ended`].
    pub async fn peers(&self) -> Result<Vec<PeerSnapshot>> {
        self.ask(Command::Peers).await
    }

    /// Every configured range, by name.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::Ended`].
    pub async fn ranges(&self) -> Result<Vec<RangeSnapshot>> {
        self.ask(Command::Ranges).await
    }

    /// The addresses to accept connections on, and whether that works.
    pub fn listeners(&self) -> BTreeMap<SocketAddr, ListenState> {
        self.listen_states.states().clone()
    }

    /// Connections that were refused.
    pub fn refusals(&self) -> RefusalReport {
        self.listen_states.refusals.report()
    }

    /// The BMP collectors, sorted by address.
    ///
    /// # Errors
    /// [`SpeakerError::Ended`].
    pub async fn collectors(&self) -> Result<Vec<CollectorSnapshot>> {
        self.ask(Command::Collectors).await
    }

    pub(super) async fn mrt_status(&self) -> Result<MrtSnapshot> {
        self.ask(Command::Mrt).await
    }

    /// Looks into the core; `question` holds everything up while it runs.
    ///
    /// # Errors
    /// [`SpeakerError::Ended`].
    pub async fn query<T, Q>(&self, question: Q) -> Result<T>
    where
        T: Send + 'static,
        Q: FnOnce(&Core, Now) -> T + Send + 'static,
    {
        self.ask(|answer| {
            // The asker may have gone away meanwhile.
            Command::Query(Box::new(move |core, now| drop(answer.send(question(core, now)))))
        })
        .await
    }

    /// A page of the Loc-RIB from behind `after`, with everything that lost.
    ///
    /// # Errors
    /// [`SpeakerError::Ended`].
    pub async fn loc_rib(&self, family: Family, after: Option<IpNet>, max: usize) -> Result<Page<RouteView>> {
        self.query(move |core, _| core.loc_rib(family, after, max.min(LONGEST_PAGE))).await
    }

    /// A page of what a peer has sent.
    ///
    /// # Errors
    /// [`SpeakerError::Ended`].
    pub async fn adj_rib_in(
        &self,
        peer: PeerId,
        part: AdjRibIn,
        family: Family,
        after: Option<IpNet>,
        max: usize,
    ) -> Result<Page<RouteView>> {
        self.query(move |core, _| core.adj_rib_in(peer, part, family, after, max.min(LONGEST_PAGE))).await
    }

    /// A page of what a peer has been sent.
    ///
    /// # Errors
    /// [`SpeakerError::Ended`].
    pub async fn adj_rib_out(
        &self,
        peer: PeerId,
        family: Family,
        after: Option<IpNet>,
        max: usize,
    ) -> Result<Page<AdvertisedRoute>> {
        self.query(move |core, _| core.adj_rib_out(peer, family, after, max.min(LONGEST_PAGE))).await
    }

    /// The longest known prefix that contains `within`, decided over once more with every step told.
    ///
    /// # Errors
    /// [`SpeakerError::Ended`].
    pub async fn explain(&self, within: IpNet) -> Result<Option<Explanation>> {
        self.query(move |core, _| core.lookup(within).and_then(|prefix| core.explain(prefix))).await
    }

    /// Clears a peer.
    ///
    /// # Errors
    /// [`SpeakerError::UnknownPeer`] or [`SpeakerError::Ended`].
    pub async fn clear(&self, peer: &str, clear: Clear) -> Result<()> {
        let name = peer.to_owned();
        match self.ask(|found| Command::Clear { peer: name, clear, found }).await? {
            true => Ok(()),
            false => Err(SpeakerError::UnknownPeer(peer.to_owned())),
        }
    }

    /// Shuts a peer down until [`Self::bring_up_peer`], over new configurations too. It is told `text` (RFC 9003, cut
    /// to 255 octets), or without one what its configuration says.
    ///
    /// # Errors
    /// [`SpeakerError::UnknownPeer`] or [`SpeakerError::Ended`].
    pub async fn shut_down_peer(&self, peer: &str, text: Option<String>) -> Result<()> {
        self.order(peer, Order::ShutDown { text }).await
    }

    /// Takes [`Self::shut_down_peer`] back: the peer is up or down as its configuration has it.
    ///
    /// # Errors
    /// [`SpeakerError::UnknownPeer`] or [`SpeakerError::Ended`].
    pub async fn bring_up_peer(&self, peer: &str) -> Result<()> {
        self.order(peer, Order::BringUp).await
    }

    async fn order(&self, peer: &str, order: Order) -> Result<()> {
        let name = peer.to_owned();
        match self.ask(|found| Command::Order { peer: name, order, found }).await? {
            true => Ok(()),
            false => Err(SpeakerError::UnknownPeer(peer.to_owned())),
        }
    }

    /// Ends the speaker; returns once the peers have had the chance to hear of it.
    ///
    /// # Errors
    /// [`SpeakerError::Ended`] when it had ended before.
    pub async fn shut_down(&self, mode: ShutdownMode) -> Result<()> {
        self.ask(|done| Command::Shutdown { mode, done }).await
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T> {
        let (sender, receiver) = oneshot::channel();
        self.send(command(sender)).await?;
        receiver.await.map_err(|_| SpeakerError::Ended)
    }

    async fn send(&self, command: Command) -> Result<()> {
        self.commands.send(command).await.map_err(|_| SpeakerError::Ended)
    }
}
