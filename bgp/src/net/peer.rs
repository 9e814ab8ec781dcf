//! The task of one peer: its state machine, its connections, framing and decoding.

use std::{
    cell::RefCell,
    collections::{BTreeSet, VecDeque},
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use socket2::SockRef;
use tokio::{
    net::TcpStream,
    sync::mpsc,
    time::{Sleep, sleep_until},
};
use tokio_util::{sync::PollSender, task::TaskTracker};
use tracing::debug;

use self::session::ends;
use super::{
    clock::Clock,
    connect::{apply_options, connect, transport_error},
    link::{Link, READ},
    listener::ListenStates,
    mrt::{Tap, unix_time},
    outbox::{OutboxSender, ReadyPeers},
    snapshot::{Shared, count},
    sys,
};
use crate::{
    bmp::SessionRecord,
    event::{Negotiated, RefreshMark, Retention, RouteBatch, SessionAddresses},
    fsm::{
        self, Action, Change, ConnectionId, Failure, Incoming, Outgoing, PeerFsm, SendQueue, Stop,
        TransportError,
    },
    mrt,
    types::{Family, Now, PeerId, PeerType},
    wire::DecodeContext,
};

mod input;
mod session;
#[cfg(test)]
mod tests;

/// What the speaker and the listeners tell a peer task.
#[derive(Debug)]
pub(super) enum Control {
    /// The peer has connected.
    Incoming(TcpStream),
    /// New settings.
    Configure(Box<fsm::Config>, Change),
    /// Close the session, for this reason.
    Stop(Stop),
    /// Close the session of this number, if it is still that one, for this reason.
    StopSession(u64, Stop),
    /// The name of the peer's interface may mean another interface now.
    CheckInterface,
    /// The way of the session of this number is lost, with its link or without.
    WayLost(u64, TransportError),
    /// BFD has found the path to work.
    PathUp,
    /// Ask the peer for all its routes again (RFC 2918).
    RequestRefresh,
    /// Close the session, for this reason, and end the task.
    End(Stop),
}

/// What a peer task tells the speaker.
#[derive(Debug)]
pub(super) struct FromPeer {
    pub(super) peer: PeerId,
    /// Which task speaks: an index may have gone to another peer meanwhile.
    pub(super) task: u64,
    pub(super) news: News,
}

#[derive(Debug)]
pub(super) enum News {
    Up {
        session: u64,
        negotiated: Box<Negotiated>,
        addresses: SessionAddresses,
        outbox: OutboxSender,
        record: Box<SessionRecord>,
    },
    Down {
        retention: Retention,
        failure: Failure,
    },
    Routes(RouteBatch),
    Refresh(Family),
    RefreshMarked(Family, RefreshMark),
}

/// What a peer task shares with the rest of the speaker.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub(super) clock: Clock,
    pub(super) control: mpsc::Receiver<Control>,
    pub(super) core: mpsc::Sender<FromPeer>,
    pub(super) ready: Arc<ReadyPeers>,
    pub(super) shared: Arc<Shared>,
    pub(super) background: TaskTracker,
    pub(super) tap: Arc<Tap>,
    pub(super) listening: ListenStates,
}

/// The connection being opened.
struct Attempt {
    id: ConnectionId,
    /// The index of the peer's interface when the attempt began.
    interface: Option<u32>,
    stream: Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Going,
    Ending,
}

pub(super) struct PeerTask {
    id: PeerId,
    task: u64,
    config: fsm::Config,
    fsm: PeerFsm,
    links: Vec<Link>,
    attempt: Option<Attempt>,
    /// The connection the session runs on.
    session: Option<ConnectionId>,
    /// Sessions that have come up; the number of the latest.
    sessions: u64,
    /// Routes of the chunk being decoded.
    batch: RouteBatch,
    /// Attributes whose malformation this session has been blamed for in the log.
    blamed: BTreeSet<Option<u8>>,
    /// What the speaker has not taken yet; while there is something, nothing is read.
    pending: VecDeque<News>,
    to_core: PollSender<FromPeer>,
    control: mpsc::Receiver<Control>,
    timer: Pin<Box<Sleep>>,
    armed: Option<Now>,
    life: Life,
    clock: Clock,
    ready: Arc<ReadyPeers>,
    shared: Arc<Shared>,
    background: TaskTracker,
    tap: Arc<Tap>,
    listening: ListenStates,
}

thread_local! {
    /// What is read goes here first, so that an idle connection holds no buffer.
    static CHUNK: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into_boxed_slice());
}

impl PeerTask {
    pub(super) fn new(id: PeerId, task: u64, config: fsm::Config, around: Surroundings) -> Self {
        let seed = task.wrapping_mul(0x9e37_79b9).wrapping_add(u64::from(std::process::id()));
        Self {
            id,
            task,
            fsm: PeerFsm::new(config.clone(), seed),
            config,
            links: Vec::new(),
            attempt: None,
            session: None,
            sessions: 0,
            batch: RouteBatch::default(),
            blamed: BTreeSet::new(),
            pending: VecDeque::new(),
            to_core: PollSender::new(around.core),
            control: around.control,
            timer: Box::pin(sleep_until(tokio::time::Instant::now())),
            armed: None,
            life: Life::Going,
            clock: around.clock,
            ready: around.ready,
            shared: around.shared,
            background: around.background,
            tap: around.tap,
            listening: around.listening,
        }
    }

    /// Runs until [`Control::End`], or until the speaker is gone.
    pub(super) async fn run(mut self) {
        self.fsm.handle_start(self.clock.now());
        self.perform();
        self.publish();
        while self.life == Life::Going {
            std::future::poll_fn(|cx| self.poll_step(cx)).await;
        }
    }

    /// Does what can be done now, everything once; pending when there was nothing.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut progress = Poll::Pending;
        while let Poll::Ready(control) = self.control.poll_recv(cx) {
            self.controlled(control.unwrap_or(Control::End(Stop::Restarting)));
            progress = Poll::Ready(());
            if self.life == Life::Ending {
                return progress;
            }
        }
        if self.poll_attempt(cx).is_ready() {
            progress = Poll::Ready(());
        }
        self.poll_deliver(cx);
        if self.poll_links(cx).is_ready() {
            self.poll_deliver(cx);
            progress = Poll::Ready(());
        }
        if self.poll_timer(cx).is_ready() {
            progress = Poll::Ready(());
        }
        progress
    }

    fn controlled(&mut self, control: Control) {
        let now = self.clock.now();
        match control {
            Control::Incoming(stream) => self.incoming(now, stream),
            Control::Configure(config, change) => {
                self.config = *config;
                self.fsm.handle_configure(now, self.config.clone(), change);
            }
            Control::Stop(stop) => self.fsm.handle_stop(now, stop),
            Control::StopSession(number, _) | Control::WayLost(number, _) if number != self.sessions => {}
            Control::WayLost(_, error) => self.fsm.handle_way_lost(now, error),
            Control::StopSession(_, stop) => self.fsm.handle_stop(now, stop),
            Control::CheckInterface => self.check_interface(),
            Control::PathUp => self.fsm.handle_path_up(now),
            Control::RequestRefresh => self.request_refresh(),
            Control::End(stop) => {
                self.fsm.handle_stop(now, stop);
                self.life = Life::Ending;
            }
        }
        self.perform();
        self.publish();
    }

    /// Gives up connections over an interface that has the name of the peer's no more, while another has it: nothing comes
    /// through them again. An interface that is only absent may come back with the index it had.
    fn check_interface(&mut self) {
        let Some(current) = self.interface() else { return };
        let is_another = |bound: Option<u32>| bound.is_some_and(|bound| bound != current);
        let attempt = self.attempt.take_if(|attempt| is_another(attempt.interface)).map(|attempt| attempt.id);
        let dead = self.links.iter().filter(|link| is_another(link.interface())).map(|link| link.id);
        let dead: smallvec::SmallVec<[ConnectionId; 3]> = attempt.into_iter().chain(dead).collect();
        dead.into_iter().for_each(|id| self.lost(id, TransportError::InterfaceReplaced));
    }

    /// The index that the peer's interface has now.
    fn interface(&self) -> Option<u32> {
        self.config.peer.transport.interface.as_deref().and_then(|name| sys::interface_index(name).ok())
    }

    fn incoming(&mut self, now: Now, stream: TcpStream) {
        let prepared = apply_options(SockRef::from(&stream), &self.config.peer).and_then(|()| ends(&stream));
        let addresses = match prepared {
            Ok(addresses) => addresses,
            Err(error) => {
                return debug!(peer = self.config.peer.name, %error, "lost a connection of the peer");
            }
        };
        match self.fsm.handle_incoming(now, addresses) {
            Incoming::Accepted(id) => self.add_link(id, stream),
            Incoming::Refused(refusal) => {
                self.listening.refusals.note(addresses.peer, addresses.local, refusal.into());
                debug!(peer = self.config.peer.name, ?refusal, "refused a connection of the peer");
            }
        }
    }

    fn poll_attempt(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(attempt) = &mut self.attempt else { return Poll::Pending };
        let Poll::Ready(result) = attempt.stream.as_mut().poll(cx) else { return Poll::Pending };
        let (id, now) = (attempt.id, self.clock.now());
        self.attempt = None;
        match result.and_then(|stream| Ok((ends(&stream)?, stream))) {
            Ok((addresses, stream)) => {
                self.add_link(id, stream);
                self.fsm.handle_connected(now, id, addresses);
            }
            Err(error) => {
                debug!(peer = self.config.peer.name, %error, "cannot connect");
                self.fsm.handle_lost(now, id, transport_error(&error));
            }
        }
        self.perform();
        self.publish();
        Poll::Ready(())
    }

    fn add_link(&mut self, id: ConnectionId, stream: TcpStream) {
        // Whether the session is internal matters to UPDATEs alone, and is known by then.
        let context = DecodeContext::unnegotiated(PeerType::External);
        self.links.push(Link::new(id, stream, context));
    }

    /// Gives the speaker what it takes.
    fn poll_deliver(&mut self, cx: &mut Context<'_>) {
        while !self.pending.is_empty() {
            match self.to_core.poll_reserve(cx) {
                Poll::Ready(Ok(())) => {
                    let Some(news) = self.pending.pop_front() else { return };
                    // The place is reserved, so this fails only when the speaker is gone.
                    if self.to_core.send_item(FromPeer { peer: self.id, task: self.task, news }).is_err() {
                        self.life = Life::Ending;
                    }
                }
                Poll::Ready(Err(_)) => {
                    self.life = Life::Ending;
                    return;
                }
                Poll::Pending => return,
            }
        }
    }

    fn poll_links(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut progress = Poll::Pending;
        let ids: smallvec::SmallVec<[ConnectionId; 3]> = self.links.iter().map(|link| link.id).collect();
        for id in ids {
            if self.pending.is_empty() && self.poll_read(cx, id).is_ready() {
                progress = Poll::Ready(());
            }
            if self.poll_write(cx, id).is_ready() {
                progress = Poll::Ready(());
            }
        }
        progress
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, id: ConnectionId) -> Poll<()> {
        CHUNK.with_borrow_mut(|chunk| {
            let Some(link) = self.link_mut(id) else { return Poll::Pending };
            let Poll::Ready(result) = link.poll_read(cx, chunk) else { return Poll::Pending };
            match result {
                Ok(0) => self.lost(id, TransportError::Closed),
                Ok(length) => self.received(id, chunk.get(..length).unwrap_or_default()),
                Err(error) => self.lost(id, transport_error(&error)),
            }
            Poll::Ready(())
        })
    }

    /// Sends what is queued, and what the core has ready.
    fn poll_write(&mut self, cx: &mut Context<'_>, id: ConnectionId) -> Poll<()> {
        let mut progress = Poll::Pending;
        loop {
            let Some(link) = self.link_mut(id) else { return progress };
            if link.is_drained()
                && let Some(Poll::Ready(Some(portion))) = link.outbox.as_mut().map(|outbox| outbox.poll(cx))
            {
                self.queue(id, portion);
            }
            let Some(link) = self.link_mut(id) else { return progress };
            match link.poll_write(cx) {
                Poll::Pending => {
                    let queue = if link.is_drained() { SendQueue::Empty } else { SendQueue::Waiting };
                    self.fsm.handle_send_queue(self.clock.now(), id, queue);
                    return progress;
                }
                Poll::Ready(Ok(written)) => {
                    count(&self.shared.counters.octets_sent, written);
                    self.fsm.handle_sent(self.clock.now(), id);
                }
                Poll::Ready(Err(error)) => self.lost(id, transport_error(&error)),
            }
            progress = Poll::Ready(());
        }
    }

    fn lost(&mut self, id: ConnectionId, error: TransportError) {
        self.links.retain(|link| link.id != id);
        self.fsm.handle_lost(self.clock.now(), id, error);
        self.perform();
        self.publish();
    }

    /// Lets the state machine's timers expire. The timer is only moved forward in time when it fires, since every
    /// chunk that is read puts the HoldTimer off.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.fsm.poll_timeout() else { return Poll::Pending };
        if self.armed.is_none_or(|armed| due < armed) {
            self.armed = Some(due);
            self.timer.as_mut().reset(self.clock.instant(due));
        }
        if self.timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.armed = None;
        let now = self.clock.now();
        self.acknowledge_unread(now);
        self.fsm.handle_timeout(now);
        self.perform();
        self.publish();
        Poll::Ready(())
    }

    /// Octets that we have not come to reading are a sign of life all the same.
    fn acknowledge_unread(&mut self, now: Now) {
        let alive = |link: &&Link| Some(link.id) == self.session && link.has_unread();
        if let Some(id) = self.links.iter().find(alive).map(|link| link.id) {
            self.fsm.handle_bytes(now, id);
        }
    }

    /// Carries out what the state machine asks for.
    fn perform(&mut self) {
        while let Some(action) = self.fsm.poll_action() {
            match action {
                Action::Connect(id) => {
                    let stream = Box::pin(connect(self.config.peer.clone()));
                    self.attempt = Some(Attempt { id, interface: self.interface(), stream });
                }
                Action::Send(id, message) => self.say(id, &message),
                Action::Close(id) => self.close(id),
                Action::SessionUp(up) => self.session_up(*up),
                Action::SessionDown { retention, failure } => self.session_down(retention, failure),
                Action::StateChanged { from, to } => {
                    debug!(peer = self.config.peer.name, %from, %to, "state changed");
                    self.shared.status().since = self.clock.now();
                    if self.tap.is_on() {
                        let ends = self.archived_ends(None);
                        self.tap.record(|out| mrt::message::state_change(unix_time(), &ends, from, to, out));
                    }
                }
            }
        }
    }

    /// Queues a message of the state machine.
    fn say(&mut self, id: ConnectionId, message: &Outgoing) {
        let Some(link) = self.links.iter_mut().find(|link| link.id == id) else { return };
        self.shared.counters.sent.count(&link.send(message));
    }

    /// Queues whole messages.
    fn queue(&mut self, id: ConnectionId, messages: Vec<Bytes>) {
        let Some(link) = self.links.iter_mut().find(|link| link.id == id) else { return };
        messages.iter().for_each(|octets| self.shared.counters.sent.count(octets));
        link.queue(messages);
    }

    fn close(&mut self, id: ConnectionId) {
        self.attempt.take_if(|attempt| attempt.id == id);
        if let Some(index) = self.links.iter().position(|link| link.id == id) {
            self.links.swap_remove(index).close(&self.background);
        }
    }

    fn link_mut(&mut self, id: ConnectionId) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.id == id)
    }
}
