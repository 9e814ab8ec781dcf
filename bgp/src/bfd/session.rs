//! The state machine of one session (RFC 5880 section 6.8).

use std::{
    fmt,
    num::{NonZeroU8, NonZeroU32},
    time::Duration,
};

use super::{ControlPacket, Diagnostic, Discard, Parameters, SLOW, State, random::Random};
use crate::types::Now;

mod remote;

use remote::Remote;

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state now.
    pub to: State,
    /// Why.
    pub cause: Cause,
}

/// Why a session has changed its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The neighbour was heard, and how far along it is.
    Handshake,
    /// Nothing came for the detection time, which was this long.
    DetectionTimeExpired(Duration),
    /// The neighbour said that its end is down, and why.
    NeighborDown(Diagnostic),
    /// The neighbour holds its end down on purpose: not a failure of the path (RFC 5882 section 3.2).
    NeighborAdminDown,
    /// We were told to hold it down, or to let it go.
    Administrative,
}

impl Cause {
    /// Whether the path is to be taken for broken.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::DetectionTimeExpired(_) | Self::NeighborDown(_))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake => f.write_str("handshake"),
            Self::DetectionTimeExpired(time) => write!(f, "no packet for {} ms", time.as_millis()),
            Self::NeighborDown(diagnostic) => write!(f, "the neighbour says Down: {diagnostic}"),
            Self::NeighborAdminDown => f.write_str("administratively down at the neighbour's"),
            Self::Administrative => f.write_str("administratively down"),
        }
    }
}

/// A pair of intervals of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intervals {
    /// The least between packets we send.
    pub tx: Duration,
    /// The least between packets we receive.
    pub rx: Duration,
}

/// Where a poll sequence stands (RFC 5880 section 6.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Poll {
    /// Nothing to be confirmed.
    Idle,
    /// Every packet carries P until F comes.
    Going,
    /// As before, and something has changed meanwhile: another must follow.
    GoingStale,
    /// One packet without P, so that a late F is not taken for the answer to the next sequence.
    Pause,
}

/// Packets that say AdminDown must reach the neighbour before it takes silence for the end of the path. So they come as often
/// as those of the Up session came, for the neighbour's Detection Time (section 6.8.16); a second apart, as in every
/// other state that is not Up, most neighbours would get one, and one can be lost.
#[derive(Clone, Copy, Debug)]
struct Goodbye {
    interval: Duration,
    until: Now,
}

/// One session. Feed it packets and the time; take packets and transitions from it.
#[derive(Clone, Debug)]
pub struct Session {
    parameters: Parameters,
    discriminator: NonZeroU32,
    state: State,
    diagnostic: Diagnostic,
    remote: Remote,
    /// What we say in packets.
    announced: Intervals,
    /// What we go by ourselves: while a poll sequence runs, the more cautious of the old and the new (section 6.8.3).
    effective: Intervals,
    poll: Poll,
    detect_at: Option<Now>,
    last_sent: Option<Now>,
    next_periodic: Option<Now>,
    /// The interval of an Up session that was disabled, and until when it is kept to.
    goodbye: Option<Goodbye>,
    /// The packet would say something new: it does not wait for its turn.
    urgent: bool,
    final_due: bool,
    random: Random,
}

impl Session {
    /// A session that is Down and sends at once.
    pub fn new(now: Now, parameters: Parameters, discriminator: NonZeroU32, seed: u64) -> Self {
        let parameters = parameters.clamped();
        let announced = slow(parameters);
        Self {
            parameters,
            discriminator,
            state: State::Down,
            diagnostic: Diagnostic::NONE,
            remote: Remote::default(),
            announced,
            effective: announced,
            poll: Poll::Idle,
            detect_at: None,
            last_sent: None,
            next_periodic: Some(now),
            goodbye: None,
            urgent: false,
            final_due: false,
            random: Random::new(seed),
        }
    }

    /// Takes a packet that belongs to this session (section 6.8.6).
    ///
    /// # Errors
    /// Why it was discarded.
    pub fn handle_packet(&mut self, now: Now, packet: &ControlPacket) -> Result<Option<Transition>, Discard> {
        if packet.authenticated {
            return Err(Discard::Authenticated);
        }
        self.remote = Remote::of(packet);
        if packet.final_ {
            self.poll_answered();
        }
        if self.state == State::AdminDown {
            self.reschedule(now);
            return Err(Discard::AdminDown);
        }
        let transition = self.advance(packet);
        self.detect_at = Some(now.plus(self.detection_time()));
        self.final_due |= packet.poll;
        self.reschedule(now);
        Ok(transition)
    }

    /// The state table of section 6.8.6.
    fn advance(&mut self, packet: &ControlPacket) -> Option<Transition> {
        let (to, cause) = match (self.state, packet.state) {
            (State::Init | State::Up, State::AdminDown) => (State::Down, Cause::NeighborAdminDown),
            (State::Up, State::Down) => (State::Down, Cause::NeighborDown(packet.diagnostic)),
            (State::Down, State::Down) => (State::Init, Cause::Handshake),
            (State::Down, State::Init) | (State::Init, State::Init | State::Up) => {
                (State::Up, Cause::Handshake)
            }
            _ => return None,
        };
        Some(self.change(to, cause))
    }

    /// Lets timers expire.
    pub fn handle_timeout(&mut self, now: Now) -> Option<Transition> {
        self.detect_at.take_if(|at| *at <= now)?;
        let waited = self.detection_time();
        // A Detection Time without a packet: the neighbour's discriminator is void (section 6.8.1).
        self.remote = Remote::default();
        let heard = matches!(self.state, State::Init | State::Up);
        let transition = heard.then(|| self.change(State::Down, Cause::DetectionTimeExpired(waited)));
        self.reschedule(now);
        transition
    }

    /// Puts other parameters in force; an Up session confirms them by a poll sequence and stays Up.
    pub fn configure(&mut self, now: Now, parameters: Parameters) {
        let parameters = parameters.clamped();
        if parameters == self.parameters {
            return;
        }
        self.parameters = parameters;
        self.announce();
        self.reschedule(now);
    }

    /// Holds the session down on purpose (section 6.8.16). Packets that say so go on being sent; those of the neighbour's
    /// Detection Time as often as before.
    pub fn disable(&mut self, now: Now) -> Option<Transition> {
        if self.state == State::AdminDown {
            return None;
        }
        let interval = self.interval().filter(|_| self.state == State::Up);
        self.goodbye = interval.map(|interval| {
            let detection_time = interval.saturating_mul(self.parameters.multiplier.get().into());
            Goodbye { interval, until: now.plus(detection_time) }
        });
        let transition = self.change(State::AdminDown, Cause::Administrative);
        self.detect_at = None;
        self.reschedule(now);
        Some(transition)
    }

    /// The next packet to send now.
    pub fn poll_transmit(&mut self, now: Now) -> Option<ControlPacket> {
        if std::mem::take(&mut self.final_due) {
            let answer = ControlPacket { poll: false, final_: true, ..self.packet() };
            return Some(answer);
        }
        let periodic = self.next_periodic.is_some_and(|at| at <= now);
        if !periodic && !std::mem::take(&mut self.urgent) {
            return None;
        }
        self.urgent = false;
        let packet = self.packet();
        if self.poll == Poll::Pause {
            self.poll = Poll::Going;
        }
        self.last_sent = Some(now);
        let interval = self.goodbye.filter(|goodbye| now < goodbye.until).map(|goodbye| goodbye.interval);
        let interval = interval.or_else(|| self.interval());
        self.next_periodic = interval.map(|interval| now.plus(self.jittered(interval)));
        Some(packet)
    }

    /// Until when a disabled session has to go on saying so.
    pub fn goodbye_until(&self) -> Option<Now> {
        self.goodbye.map(|goodbye| goodbye.until)
    }

    /// When something is due.
    pub fn poll_timeout(&self) -> Option<Now> {
        self.next_periodic.into_iter().chain(self.detect_at).min()
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Why the state last changed for the worse; none while Up.
    pub fn diagnostic(&self) -> Diagnostic {
        self.diagnostic
    }

    /// Our discriminator.
    pub fn discriminator(&self) -> NonZeroU32 {
        self.discriminator
    }

    /// Our multiplier.
    pub fn multiplier(&self) -> NonZeroU8 {
        self.parameters.multiplier
    }

    /// The neighbour's last packet: discriminator (zero: unknown), state, diagnostic.
    pub fn neighbor(&self) -> (u32, State, Diagnostic) {
        (self.remote.discriminator, self.remote.state, self.remote.diagnostic)
    }

    /// What the neighbour last announced: intervals and multiplier; none while it is not heard.
    pub fn neighbor_parameters(&self) -> Option<(Intervals, u8)> {
        let intervals = Intervals { tx: self.remote.desired_tx, rx: self.remote.min_rx };
        (self.remote.discriminator != 0).then_some((intervals, self.remote.multiplier))
    }

    /// What we announce.
    pub fn announced(&self) -> Intervals {
        self.announced
    }

    /// The interval we send at before jitter; none: the neighbour wants no periodic packets.
    pub fn interval(&self) -> Option<Duration> {
        let quiet = self.remote.demand
            && (self.state, self.remote.state) == (State::Up, State::Up)
            && matches!(self.poll, Poll::Idle);
        let wanted = !self.remote.min_rx.is_zero() && !quiet;
        wanted.then(|| self.effective.tx.max(self.remote.min_rx))
    }

    /// How long the neighbour may be silent (section 6.8.4); zero while it is not heard.
    pub fn detection_time(&self) -> Duration {
        let interval = self.effective.rx.max(self.remote.desired_tx);
        interval.saturating_mul(self.remote.multiplier.into())
    }

    fn change(&mut self, to: State, cause: Cause) -> Transition {
        let from = std::mem::replace(&mut self.state, to);
        self.diagnostic = match (to, cause) {
            (State::Up, _) => Diagnostic::NONE,
            (State::AdminDown, _) => Diagnostic::ADMINISTRATIVELY_DOWN,
            (_, Cause::DetectionTimeExpired(_)) => Diagnostic::DETECTION_TIME_EXPIRED,
            (_, Cause::NeighborDown(_) | Cause::NeighborAdminDown) => Diagnostic::NEIGHBOR_SIGNALED_DOWN,
            (_, Cause::Handshake | Cause::Administrative) => self.diagnostic,
        };
        self.urgent = true;
        if from == State::Up {
            self.poll = Poll::Idle;
        }
        self.announce();
        Transition { from, to, cause }
    }

    /// Brings what we announce in line with state and parameters. Only an Up session need confirm it: in every other
    /// state we are slow, and the neighbour hears the new values with the first packet.
    fn announce(&mut self) {
        let wanted = match self.state {
            State::Up => Intervals { tx: self.parameters.min_tx, rx: self.parameters.min_rx },
            State::AdminDown | State::Down | State::Init => slow(self.parameters),
        };
        let changed = wanted != self.announced;
        self.announced = wanted;
        if self.state != State::Up {
            self.effective = wanted;
        } else if changed {
            self.effective.tx = self.effective.tx.min(wanted.tx);
            self.effective.rx = self.effective.rx.max(wanted.rx);
            self.poll = match self.poll {
                Poll::Idle => Poll::Going,
                Poll::Going | Poll::GoingStale => Poll::GoingStale,
                Poll::Pause => Poll::Pause,
            };
        }
    }

    fn poll_answered(&mut self) {
        self.poll = match self.poll {
            Poll::Going => {
                self.effective = self.announced;
                Poll::Idle
            }
            Poll::GoingStale => Poll::Pause,
            other => other,
        };
    }

    /// A shorter interval takes effect at once, a longer one after the next packet.
    fn reschedule(&mut self, now: Now) {
        let Some(interval) = self.interval() else {
            self.next_periodic = None;
            return;
        };
        let latest = self.last_sent.map_or(now, |sent| sent.plus(interval));
        if self.next_periodic.is_none_or(|at| at > latest) {
            let jittered = self.jittered(interval);
            self.next_periodic = Some(self.last_sent.map_or(now, |sent| sent.plus(jittered)));
        }
    }

    fn jittered(&mut self, interval: Duration) -> Duration {
        self.random.shorten(interval, self.parameters.multiplier.get())
    }

    fn packet(&self) -> ControlPacket {
        ControlPacket {
            diagnostic: self.diagnostic,
            state: self.state,
            poll: matches!(self.poll, Poll::Going | Poll::GoingStale),
            final_: false,
            control_plane_independent: false,
            authenticated: false,
            demand: false,
            multiplier: self.parameters.multiplier.get(),
            my_discriminator: self.discriminator,
            your_discriminator: self.remote.discriminator,
            desired_min_tx: self.announced.tx,
            required_min_rx: self.announced.rx,
            required_min_echo_rx: Duration::ZERO,
        }
    }
}

fn slow(parameters: Parameters) -> Intervals {
    Intervals { tx: parameters.min_tx.max(SLOW), rx: parameters.min_rx }
}
