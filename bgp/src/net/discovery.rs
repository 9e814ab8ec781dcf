//! Finding neighbours on links: a task for each interface that has a peer without an address.

mod socket;

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
    time::{Instant, sleep, sleep_until, timeout},
};
use tracing::{debug, info, warn};

use self::socket::{RouterSocket, Taken};
use super::{clock::Clock, sys};
use crate::{
    event::InterfaceChanges,
    ndp::{Advertising, Fault, Link, News, Presence, RouterView},
    types::Now,
};

/// How often an interface is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// The pause after a full batch of packets: no flood of them gets more of the processor than this leaves.
const PAUSE: Duration = Duration::from_millis(100);

/// What is known of the link of a peer that is found there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoveryReport {
    /// Whether the link can be used.
    pub presence: Presence,
    /// Whether we send Router Advertisements.
    pub advertising: Advertising,
    /// How long the present neighbour has been that; `None`: there is none.
    pub found: Option<Duration>,
    /// Everybody who shows himself there, ascending by address.
    pub routers: Vec<RouterView>,
    /// Advertisements sent.
    pub sent: u64,
    /// Valid advertisements received.
    pub received: u64,
    /// Packets ignored, by fault.
    pub ignored: Vec<(Fault, u64)>,
}

type SharedLink = Arc<Mutex<Link>>;
/// The index of the interface that lost the name last, and a sign that the name may mean another interface now.
type LostIndex = watch::Sender<Option<u32>>;

/// The speaker's end.
#[derive(Debug)]
pub(super) struct Discovery {
    links: BTreeMap<String, Watched>,
    news: Arc<Notify>,
    clock: Clock,
}

/// One interface; its task ends with it.
#[derive(Debug)]
struct Watched {
    link: SharedLink,
    lost: LostIndex,
    task: JoinHandle<()>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Discovery {
    pub(super) fn new(clock: Clock) -> Self {
        Self { links: BTreeMap::new(), news: Arc::default(), clock }
    }

    /// Watches these interfaces and no others.
    pub(super) fn run(&mut self, wanted: &BTreeMap<String, Advertising>) {
        self.links.retain(|interface, _| wanted.contains_key(interface));
        for (interface, advertising) in wanted {
            match self.links.get(interface) {
                Some(watched) => lock(&watched.link).set_advertising(self.clock.now(), *advertising),
                None => self.watch(interface, *advertising),
            }
        }
    }

    fn watch(&mut self, interface: &str, advertising: Advertising) {
        let seed = interface.bytes().fold(u64::from(std::process::id()), |seed, octet| {
            seed.wrapping_mul(31).wrapping_add(octet.into())
        });
        let link: SharedLink = Arc::new(Mutex::new(Link::new(advertising, seed)));
        let lost = LostIndex::default();
        let watcher = Watcher {
            interface: interface.to_owned(),
            link: link.clone(),
            lost: lost.subscribe(),
            news: self.news.clone(),
            clock: self.clock,
        };
        self.links.insert(interface.to_owned(), Watched { link, lost, task: tokio::spawn(watcher.run()) });
    }

    /// Has the links looked at whose names may mean other interfaces now.
    pub(super) fn interfaces_changed(&self, changes: &InterfaceChanges) {
        for name in changes.names() {
            if let Some(watched) = self.links.get(name) {
                let lost = changes.lost.iter().find(|interface| interface.name == name);
                watched.lost.send_replace(lost.map(|interface| interface.index));
            }
        }
    }

    /// Waits until the neighbour on some link may be another.
    pub(super) async fn changed(&self) {
        self.news.notified().await;
    }

    /// Has the neighbours looked at again.
    pub(super) fn review(&self) {
        if !self.links.is_empty() {
            self.news.notify_one();
        }
    }

    /// A link that is watched.
    pub(super) fn link(&self, interface: &str) -> Option<MutexGuard<'_, Link>> {
        self.links.get(interface).map(|watched| lock(&watched.link))
    }

    /// What is known of a link; who is the neighbour there is for the caller to add.
    pub(super) fn report(&self, interface: &str, now: Now) -> Option<DiscoveryReport> {
        let link = self.link(interface)?;
        Some(DiscoveryReport {
            presence: link.presence().clone(),
            advertising: link.advertising(),
            found: None,
            routers: link.routers(now),
            sent: link.sent,
            received: link.received,
            ignored: link.ignored().collect(),
        })
    }
}

fn lock(link: &SharedLink) -> MutexGuard<'_, Link> {
    link.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The task of one interface.
struct Watcher {
    interface: String,
    link: SharedLink,
    lost: watch::Receiver<Option<u32>>,
    news: Arc<Notify>,
    clock: Clock,
}

impl Watcher {
    /// Waits for the interface, and serves it while it is there: one that is renamed, or comes anew, is another.
    async fn run(mut self) {
        loop {
            match RouterSocket::open(&self.interface) {
                Ok(socket) => {
                    self.serve(&socket).await;
                    // Another of its name may be there already: whoever was found on the old one is gone all the same.
                    self.present(Presence::Absent);
                    sleep(PAUSE).await;
                }
                Err(error) => {
                    self.absent(&error);
                    drop(timeout(LOOK, self.lost.changed()).await);
                }
            }
        }
    }

    fn absent(&self, error: &io::Error) {
        let presence = match error.raw_os_error() {
            Some(libc::ENODEV | libc::ENXIO) => Presence::Absent,
            _ => Presence::Failed(error.to_string()),
        };
        self.present(presence);
    }

    fn present(&self, presence: Presence) {
        let interface = &self.interface;
        let told = presence.clone();
        if self.note(|link, now| link.handle_presence(now, presence)) == News::None {
            return;
        }
        match told {
            Presence::Up => info!(interface, "looking for the neighbour on the link"),
            Presence::Down => info!(interface, "the link is down"),
            Presence::Absent => info!(interface, "the interface is not on this host"),
            Presence::Failed(error) => warn!(interface, error, "cannot look for the neighbour on the link"),
        }
    }

    /// Does something to the link, and wakes the speaker if it matters.
    fn note(&self, act: impl FnOnce(&mut Link, Now) -> News) -> News {
        let news = act(&mut lock(&self.link), self.clock.now());
        if news == News::Some {
            self.news.notify_one();
        }
        news
    }

    /// Returns when the interface of the socket is gone, or has the name no more.
    async fn serve(&mut self, socket: &RouterSocket) {
        let mut look = Instant::now();
        loop {
            if look <= Instant::now() {
                match socket.presence() {
                    Ok(presence) => self.present(presence),
                    Err(_) => return,
                }
                look = Instant::now() + LOOK;
            }
            self.note(|link, now| link.handle_timeout(now));
            self.transmit(socket);
            let due = lock(&self.link).poll_timeout().map_or(look, |due| look.min(self.clock.instant(due)));
            let mut lost = self.lost.clone();
            tokio::select! {
                taken = self.receive(socket) => if taken == Taken::AllThatFits {
                    sleep(PAUSE).await;
                },
                () = sleep_until(due) => {}
                Ok(()) = lost.changed() => {
                    self.lost = lost;
                    if *self.lost.borrow_and_update() == Some(socket.index()) {
                        return;
                    }
                    look = Instant::now();
                }
            }
        }
    }

    async fn receive(&self, socket: &RouterSocket) -> Taken {
        socket
            .receive(|arrival, octets| {
                self.note(|link, now| link.handle_packet(now, arrival, octets));
            })
            .await
    }

    fn transmit(&self, socket: &RouterSocket) {
        let now = self.clock.now();
        loop {
            let Some(what) = lock(&self.link).poll_transmit(now) else { return };
            match socket.send(what) {
                Ok(()) => lock(&self.link).handle_sent(now, what),
                Err(error) => {
                    debug!(interface = self.interface, ?what, %error, "cannot send on the link yet");
                    lock(&self.link).handle_unsent(now, what);
                }
            }
        }
    }
}
