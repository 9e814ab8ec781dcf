//! The states of a peer, its peer-wide timers, and what happens when a connection ends.

use std::{collections::VecDeque, time::Duration};

use crate::{
    config::{ConnectMode, LimitAction, PrefixLimit},
    event::SessionAddresses,
    fsm::{
        Action, Change, Config, ConnectionId, Direction, Failure, Fallback, Incoming, Outgoing, Refusal,
        SendQueue, State, Stop, Stopped, TransportError,
        backoff::{IdleHold, Weight},
        connection::{Connection, Stage},
        report::Memory,
        terms,
    },
    jitter::Jitter,
    types::Now,
    wire::notification::{ErrorKind, Notification},
};

/// Whether connections are sought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Until somebody starts the peer.
    Stopped,
    /// Until the IdleHoldTimer expires.
    IdleHold(Now),
    /// Now.
    Running,
}

/// A ceiling that the peer has passed, and for which it is kept in Idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Penalty {
    /// As it was configured then.
    limit: PrefixLimit,
    /// Whether it ends by an operator's word only.
    pub(super) for_good: bool,
}

/// The state machine of one peer; see the [module documentation](super).
#[derive(Clone, Debug)]
pub struct PeerFsm {
    pub(super) config: Config,
    pub(super) phase: Phase,
    pub(super) connections: Vec<Connection>,
    /// ConnectRetryTimer.
    pub(super) connect_retry: Option<Now>,
    /// No active open before this, so that attempts stay a ConnectRetryTime apart whatever happens.
    not_before: Now,
    /// ConnectRetryCounter.
    pub(super) retries: u32,
    idle_hold: IdleHold,
    pub(super) penalty: Option<Penalty>,
    pub(super) jitter: Jitter,
    pub(super) next_id: u64,
    pub(super) actions: VecDeque<Action>,
    reported: State,
    pub(super) memory: Memory,
    pub(super) fallback: Fallback,
}

/// How a connection ends.
pub(super) struct Ending {
    pub(super) failure: Failure,
    pub(super) weight: Weight,
    /// What is said to the peer.
    pub(super) last_word: Option<Notification>,
}

impl PeerFsm {
    /// A machine in Idle; [`Self::handle_start`] starts it. The same `seed` gives the same jitter.
    pub fn new(config: Config, seed: u64) -> Self {
        let timers = config.peer.timers;
        Self {
            idle_hold: IdleHold::new(timers.idle_hold_time, timers.idle_hold_max),
            config,
            phase: Phase::Stopped,
            connections: Vec::new(),
            connect_retry: None,
            not_before: Now::default(),
            retries: 0,
            penalty: None,
            jitter: Jitter::new(seed),
            next_id: 0,
            actions: VecDeque::new(),
            reported: State::Idle,
            memory: Memory::default(),
            fallback: Fallback::default(),
        }
    }

    /// ManualStart, AutomaticStart and their passive variants (events 1 and 3 to 7). Without effect while
    /// connections are sought already, and while the peer is administratively down or lacks its key.
    pub fn handle_start(&mut self, now: Now) {
        if self.phase == Phase::Running || !self.config.may_run() {
            return;
        }
        self.idle_hold.forgive();
        self.retries = 0;
        self.begin(now);
        self.report();
    }

    /// ManualStop and AutomaticStop (events 2 and 8).
    pub fn handle_stop(&mut self, now: Now, stop: Stop) {
        let stopped = match stop {
            Stop::Error { notification, retry_after } => {
                return self.stop_for_error(now, notification, retry_after);
            }
            Stop::Shutdown => Stopped::Shutdown,
            Stop::Deconfigured => Stopped::Deconfigured,
            Stop::Restarting => Stopped::Restarting,
            Stop::Drain => Stopped::Drain,
            Stop::Reset => Stopped::Reset,
            Stop::ConfigurationChanged => Stopped::ConfigurationChanged,
        };
        self.phase = Phase::Stopped;
        self.penalty = None;
        self.connect_retry = None;
        self.retries = 0;
        self.fallback = Fallback::default();
        self.memory.failed(Failure::Stopped(stopped));
        for connection in std::mem::take(&mut self.connections) {
            let last_word = terms::farewell(&self.config, stopped, &connection);
            self.finish(
                connection,
                Ending { failure: Failure::Stopped(stopped), weight: Weight::Asked, last_word },
            );
        }
        if matches!(stopped, Stopped::Reset | Stopped::ConfigurationChanged) && self.config.may_run() {
            self.idle_hold.forgive();
            self.begin(now);
        }
        self.report();
    }

    /// BFD has found the path to the peer to work. If its failure was what ended the last session, waiting any longer
    /// is in vain (RFC 5882 section 3.1).
    pub fn handle_path_up(&mut self, now: Now) {
        let by_bfd = self.last_failure().is_some_and(terms::is_path_failure);
        if by_bfd && matches!(self.phase, Phase::IdleHold(_)) {
            self.handle_start(now);
        }
    }

    /// Takes a new configuration. Starts and stops the peer as its administrative state demands. A wait that the one
    /// before imposed ends with it: that for a ceiling which is another one now, and that of other idle hold times.
    pub fn handle_configure(&mut self, now: Now, config: Config, change: Change) {
        let timers = config.peer.timers;
        self.idle_hold.set_limits(timers.idle_hold_time, timers.idle_hold_max);
        if self.config.peer.capabilities != config.peer.capabilities {
            self.fallback = Fallback::default();
        }
        let pardoned = self.is_pardoned_by(&config);
        self.config = config;
        match (self.config.may_run(), self.phase) {
            (true, Phase::Stopped) => self.handle_start(now),
            (true, Phase::IdleHold(_)) if pardoned => self.handle_start(now),
            (true, Phase::Running | Phase::IdleHold(_)) if change == Change::RestartSession => {
                self.handle_stop(now, Stop::ConfigurationChanged);
            }
            (false, Phase::Running | Phase::IdleHold(_)) => self.handle_stop(now, Stop::Shutdown),
            (true, Phase::Running | Phase::IdleHold(_)) | (false, Phase::Stopped) => {}
        }
    }

    fn is_pardoned_by(&self, next: &Config) -> bool {
        let ceilings = |limit: &PrefixLimit| (limit.most, limit.octets, limit.action);
        match self.penalty {
            Some(penalty) => ceilings(&penalty.limit) != ceilings(&next.peer.limit),
            None => {
                let times =
                    |config: &Config| (config.peer.timers.idle_hold_time, config.peer.timers.idle_hold_max);
                times(&self.config) != times(next)
            }
        }
    }

    /// Our connection is open (event 16).
    pub fn handle_connected(&mut self, now: Now, id: ConnectionId, addresses: SessionAddresses) {
        if let Some(index) = self.position(id).filter(|i| self.stage(*i) == Some(Stage::Connecting)) {
            self.transport_open(now, index, addresses);
            self.report();
        }
    }

    /// The peer has opened a connection (events 14 and 17).
    pub fn handle_incoming(&mut self, now: Now, addresses: SessionAddresses) -> Incoming {
        if let Some(refusal) = self.refusal(now) {
            return Incoming::Refused(refusal);
        }
        self.drop_silent_incoming();
        self.probe(now);
        let id = self.add(now, Direction::Incoming);
        self.transport_open(now, self.connections.len().saturating_sub(1), addresses);
        self.report();
        Incoming::Accepted(id)
    }

    /// A connection could not be opened, or broke (event 18).
    pub fn handle_lost(&mut self, now: Now, id: ConnectionId, error: TransportError) {
        if let Some(connection) = self.remove(id) {
            let failure = Failure::Transport(error);
            self.ended(
                now,
                connection,
                Ending { failure, weight: Weight::Lost, last_word: None },
                Close::Gone,
            );
        }
    }

    /// The way of the session is lost: `error` says whether its link is down. That the connection breaks (event 18) would
    /// be noticed later: nothing can be said over it, so nothing is.
    pub fn handle_way_lost(&mut self, now: Now, error: TransportError) {
        let session = self.connections.iter().find(|c| c.stage == Stage::Established).map(|c| c.id);
        if let Some(connection) = session.and_then(|id| self.remove(id)) {
            let failure = Failure::Transport(error);
            let ending = Ending { failure, weight: Weight::Lost, last_word: None };
            self.ended(now, connection, ending, Close::Ours);
        }
    }

    /// Octets have come: a sign of life for the HoldTimer, whoever has time to look into them.
    pub fn handle_bytes(&mut self, now: Now, id: ConnectionId) {
        if let Some(connection) = self.get_mut(id).filter(|c| c.stage == Stage::Established) {
            connection.restart_hold(now);
        }
    }

    /// The peer's TCP has taken octets: restarts the SendHoldTimer.
    pub fn handle_sent(&mut self, now: Now, id: ConnectionId) {
        if let Some(connection) = self.get_mut(id).filter(|c| c.stage == Stage::Established) {
            connection.restart_send_hold(now);
        }
    }

    /// The peer's TCP takes no more for now. The SendHoldTimer runs on while octets wait for it, and stops when none do:
    /// a session with nothing to say is healthy (RFC 9687 section 3.1).
    pub fn handle_send_queue(&mut self, now: Now, id: ConnectionId, queue: SendQueue) {
        let Some(connection) = self.get_mut(id).filter(|c| c.stage == Stage::Established) else { return };
        match queue {
            SendQueue::Empty => connection.send_hold = None,
            SendQueue::Waiting if connection.send_hold.is_none() => connection.restart_send_hold(now),
            SendQueue::Waiting => {}
        }
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The state of the peer.
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Stopped | Phase::IdleHold(_) => State::Idle,
            Phase::Running => self.connections.iter().map(Connection::state).max().unwrap_or(State::Active),
        }
    }

    /// What is left out of our OPENs because the peer has refused it.
    pub fn fallback(&self) -> &Fallback {
        &self.fallback
    }

    /// How often the peer was tried in vain since the last stop or session (ConnectRetryCounter).
    pub fn connect_retry_counter(&self) -> u32 {
        self.retries
    }

    /// Leaves Idle.
    pub(super) fn begin(&mut self, now: Now) {
        self.phase = Phase::Running;
        self.penalty = None;
        self.await_retry(now);
    }

    /// Arms the ConnectRetryTimer for the next active open, or opens at once when that is allowed.
    fn await_retry(&mut self, now: Now) {
        if self.config.peer.transport.mode == ConnectMode::Passive {
            self.connect_retry = None;
            return;
        }
        let due = now.plus(self.config.peer.timers.first_open_delay).max(self.not_before);
        self.connect_retry = Some(due);
        if due <= now {
            self.connect(now);
        }
    }

    pub(super) fn connect(&mut self, now: Now) {
        let id = self.add(now, Direction::Outgoing);
        self.not_before = now.plus(self.jitter.spread(self.config.peer.timers.connect_retry_time));
        self.connect_retry = Some(self.not_before);
        self.actions.push_back(Action::Connect(id));
    }

    /// A peer that connects although there is a connection may have lost its end of it without our hearing of it. A
    /// KEEPALIVE, at most one each second (RFC 4271 section 4.4), has its kernel tell us.
    fn probe(&mut self, now: Now) {
        let older = self.connections.iter().find(|c| {
            c.stage == Stage::Established
                || c.stage == Stage::OpenConfirm && c.direction == Direction::Incoming
        });
        let quiet = older.filter(|c| now.since(c.last_keepalive) >= Duration::from_secs(1)).map(|c| c.id);
        if let Some(id) = quiet {
            self.send_keepalive(now, id);
        }
    }

    fn transport_open(&mut self, now: Now, index: usize, addresses: SessionAddresses) {
        let delay = self.config.peer.timers.delay_open.filter(|delay| !delay.is_zero());
        let Some(connection) = self.connections.get_mut(index) else { return };
        connection.addresses = Some(addresses);
        let id = connection.id;
        if let Some(delay) = delay {
            connection.stage = Stage::DelayOpen;
            connection.delay_open = Some(now.plus(delay));
        } else {
            self.send_open(now, id);
        }
        if !self.connections.iter().any(|c| c.stage == Stage::Connecting) {
            self.connect_retry = None;
        }
    }

    /// Sends OPEN and awaits the peer's with a large hold time.
    pub(super) fn send_open(&mut self, now: Now, id: ConnectionId) {
        let open = Box::new(terms::open(&self.config, &self.fallback));
        let patience = self.config.peer.timers.handshake_time;
        if let Some(connection) = self.get_mut(id) {
            connection.delay_open = None;
            connection.stage = Stage::OpenSent;
            connection.hold = Some(now.plus(patience));
            connection.sent_open = Some(open.clone());
            self.actions.push_back(Action::Send(id, Outgoing::Open(open)));
        }
    }

    /// Ends a connection with a NOTIFICATION of ours (events 10, 21, 22, 23 and 28, and unexpected messages).
    pub(super) fn fail(&mut self, now: Now, id: ConnectionId, notification: Notification) {
        let Some(connection) = self.remove(id) else { return };
        let weight = Weight::of(&notification);
        let spoken = connection.stage >= Stage::OpenSent;
        let last_word = spoken.then(|| notification.clone());
        let failure = Failure::Sent { notification, peer: connection.peer };
        self.ended(now, connection, Ending { failure, weight, last_word }, Close::Ours);
    }

    fn stop_for_error(&mut self, now: Now, notification: Notification, retry_after: Duration) {
        let session = self.connections.iter().find(|c| c.stage == Stage::Established).map(|c| c.id);
        let Some(id) = session else { return };
        let notification = self.get_mut(id).map_or(notification.clone(), |c| terms::parting(notification, c));
        let kind = notification.kind;
        self.fail(now, id, notification);
        if let Phase::IdleHold(until) = &mut self.phase {
            *until = (*until).max(now.plus(retry_after));
            let passed = matches!(kind, ErrorKind::MAXIMUM_PREFIXES_REACHED | ErrorKind::OUT_OF_RESOURCES);
            let for_good = retry_after == LimitAction::FOR_GOOD;
            self.penalty = passed.then_some(Penalty { limit: self.config.peer.limit, for_good });
        }
    }

    /// A connection, already taken off the list, has ended by itself: says so, and decides what comes next.
    pub(super) fn ended(&mut self, now: Now, connection: Connection, ending: Ending, close: Close) {
        let (stage, lasted) = (connection.stage, now.since(connection.since));
        let (failure, weight) = (ending.failure.clone(), ending.weight);
        match close {
            Close::Ours => self.finish(connection, ending),
            Close::Gone => self.session_down(&connection, &ending.failure),
        }
        if self.connections.is_empty() && self.phase == Phase::Running {
            self.memory.failed(failure);
            self.after_failure(now, stage, weight, lasted);
        }
        self.report();
    }

    /// Idle with the IdleHoldTimer, or Active at once.
    fn after_failure(&mut self, now: Now, stage: Stage, weight: Weight, lasted: Duration) {
        if weight != Weight::Version {
            self.retries = self.retries.saturating_add(1);
        }
        let lasted = if stage == Stage::Established { lasted } else { Duration::ZERO };
        let harmless = weight == Weight::Lost && stage <= Stage::OpenSent;
        let hold = if harmless { Duration::ZERO } else { self.idle_hold.after(weight, lasted) };
        if hold.is_zero() {
            return self.rearm(now);
        }
        self.connect_retry = None;
        self.phase = Phase::IdleHold(now.plus(hold));
    }

    /// Active: the ConnectRetryTimer goes on if it runs.
    fn rearm(&mut self, now: Now) {
        if self.connect_retry.is_none() {
            self.await_retry(now);
        }
    }

    fn finish(&mut self, connection: Connection, ending: Ending) {
        if let Some(notification) = ending.last_word {
            self.actions.push_back(Action::Send(connection.id, Outgoing::Notification(notification)));
        }
        self.actions.push_back(Action::Close(connection.id));
        self.session_down(&connection, &ending.failure);
    }

    fn session_down(&mut self, connection: &Connection, failure: &Failure) {
        if connection.stage == Stage::Established {
            let retention = terms::retention(failure, connection);
            self.actions.push_back(Action::SessionDown { retention, failure: failure.clone() });
        }
    }

    /// Why a connection of the peer is not welcome.
    fn refusal(&self, now: Now) -> Option<Refusal> {
        match self.phase {
            Phase::Stopped => Some(Refusal::Down),
            Phase::IdleHold(until) => Some(Refusal::IdleHold(until.since(now))),
            Phase::Running => None,
        }
    }

    /// The peer has only one connection of its own at a time: a newer one means that it gave the older one up.
    fn drop_silent_incoming(&mut self) {
        let silent = |c: &&Connection| c.direction == Direction::Incoming && c.stage < Stage::OpenConfirm;
        if let Some(id) = self.connections.iter().find(silent).map(|c| c.id) {
            self.remove(id);
            self.actions.push_back(Action::Close(id));
        }
    }

    /// The session is up: nothing else is being sought.
    pub(super) fn established(&mut self, id: ConnectionId) {
        self.connect_retry = None;
        self.retries = 0;
        self.memory.session_up();
        self.close_quietly(|c| c.id != id && c.stage <= Stage::DelayOpen);
    }

    /// Closes connections without a word and without consequences.
    pub(super) fn close_quietly(&mut self, which: impl Fn(&Connection) -> bool) {
        let actions = &mut self.actions;
        self.connections.retain(|c| {
            let close = which(c);
            if close {
                actions.push_back(Action::Close(c.id));
            }
            !close
        });
    }

    fn add(&mut self, now: Now, direction: Direction) -> ConnectionId {
        let id = ConnectionId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        self.connections.push(Connection::new(id, direction, now));
        id
    }

    fn position(&self, id: ConnectionId) -> Option<usize> {
        self.connections.iter().position(|c| c.id == id)
    }

    fn stage(&self, index: usize) -> Option<Stage> {
        self.connections.get(index).map(|c| c.stage)
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|c| c.id == id)
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        self.position(id).map(|index| self.connections.remove(index))
    }

    pub(super) fn report(&mut self) {
        let (from, to) = (self.reported, self.state());
        if from != to {
            self.reported = to;
            self.actions.push_back(Action::StateChanged { from, to });
        }
    }
}

/// Whether a connection that ended is still to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// By us.
    Ours,
    /// It is gone already.
    Gone,
}
