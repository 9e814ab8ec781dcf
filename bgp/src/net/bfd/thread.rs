//! The thread: sockets and clock around [`Engine`].

use std::{
    collections::BTreeMap,
    future::poll_fn,
    hash::{BuildHasher, Hasher, RandomState},
    io,
    sync::Arc,
    time::Duration,
};

use tokio::{
    runtime,
    sync::{mpsc, oneshot, watch},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};
use tracing::{debug, info, warn};

use super::{
    BfdReport, LAST_WORDS, Question, WantedSet,
    changes::Changes,
    receivers::{Look, Packets, Receivers},
    sys,
    transmitters::Transmitters,
};
use crate::{
    bfd::{Engine, Output, SOURCE_PORTS, SessionId, State, Transition},
    net::{clock::Clock, sys::interface_index},
};

/// Sessions whose timers are served before the sockets get their turn again.
const SESSIONS_PER_TURN: usize = 256;
/// How late a timer may be before the sockets are asked for signs of life that the runtime has not told us of.
const LATE: Duration = Duration::from_millis(5);
/// How often interfaces, and sockets that could not be had, are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Starts the thread; the answer comes when it has ended.
///
/// # Errors
/// When there can be no thread, or no runtime for it.
pub(super) fn start(
    wanted: watch::Receiver<WantedSet>,
    questions: mpsc::Receiver<Question>,
    changes: Arc<Changes>,
) -> io::Result<oneshot::Receiver<()>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let (end, ended) = oneshot::channel();
    std::thread::Builder::new().name("bfd".to_owned()).spawn(move || {
        if let Err(error) = sys::raise_priority() {
            debug!(%error, "BFD runs at ordinary priority");
        }
        runtime.block_on(Thread::new(changes).run(wanted, questions));
        // Whoever waited may have lost patience.
        end.send(()).unwrap_or_default();
    })?;
    Ok(ended)
}

/// A number nobody can guess: the standard library keys its hash maps by such.
fn unguessable() -> u64 {
    RandomState::new().build_hasher().finish()
}

struct Thread {
    clock: Clock,
    engine: Engine,
    receivers: Receivers,
    transmitters: Transmitters,
    batch: Packets,
    changes: Arc<Changes>,
}

/// Why the thread woke up.
enum Wake {
    Wanted,
    Question(Question),
    /// Packets or timers.
    Turn,
    Look,
    End,
}

impl Thread {
    fn new(changes: Arc<Changes>) -> Self {
        let ports = u64::from(SOURCE_PORTS.end() - SOURCE_PORTS.start());
        let first = u16::try_from(unguessable() % ports).unwrap_or(0).saturating_add(*SOURCE_PORTS.start());
        Self {
            clock: Clock::start(),
            engine: Engine::new(unguessable()),
            receivers: Receivers::default(),
            transmitters: Transmitters::new(first),
            batch: Packets::new(),
            changes,
        }
    }

    async fn run(mut self, mut wanted: watch::Receiver<WantedSet>, mut questions: mpsc::Receiver<Question>) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        wanted.mark_changed();
        loop {
            let due = self.engine.poll_timeout().map(|at| self.clock.instant(at));
            let wake = tokio::select! {
                changed = wanted.changed() => if changed.is_ok() { Wake::Wanted } else { Wake::End },
                Some(question) = questions.recv() => Wake::Question(question),
                () = poll_fn(|cx| self.receivers.poll_ready(cx)) => Wake::Turn,
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => Wake::Turn,
                _ = look.tick() => Wake::Look,
            };
            match wake {
                Wake::Wanted => self.configure(&wanted.borrow_and_update().clone()),
                Wake::Question(question) => drop(question.send(self.report())),
                Wake::Look => self.look(),
                Wake::Turn => {}
                Wake::End => return self.end().await,
            }
            self.turn();
        }
    }

    /// First what has come, then what is due: a busy machine must not make us overhear signs of life.
    fn turn(&mut self) {
        let now = self.clock.now();
        let late = self.engine.poll_timeout().is_some_and(|due| now.since(due) > LATE);
        let look = if late { Look::Always } else { Look::IfReady };
        let engine = &mut self.engine;
        self.receivers
            .receive(&mut self.batch, look, |arrival, payload| engine.receive(now, &arrival, payload));
        self.engine.run(now, SESSIONS_PER_TURN);
        self.perform();
    }

    fn configure(&mut self, wanted: &WantedSet) {
        self.engine.configure(self.clock.now(), wanted);
        self.look();
        self.perform();
    }

    fn look(&mut self) {
        self.receivers.update(self.engine.endpoints());
        let names = self.engine.endpoints().filter_map(|endpoint| endpoint.interface.clone());
        let known = names.filter_map(|name| Some((name.clone(), interface_index(&name).ok()?)));
        let known: BTreeMap<Arc<str>, u32> = known.collect();
        self.transmitters.review(|id| self.engine.endpoint(id), &known);
        self.engine.set_interfaces(known);
    }

    fn perform(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Transmit(id, packet) => self.send(id, &packet),
                Output::Changed { name, transition } => self.tell(name, transition),
                Output::Closed(id) => self.transmitters.close(id),
            }
        }
    }

    fn send(&mut self, id: SessionId, packet: &[u8]) {
        let Some(endpoint) = self.engine.endpoint(id) else { return };
        if let Err(error) = self.transmitters.send(id, endpoint, packet) {
            debug!(peer = %endpoint.peer, %error, "cannot send a BFD packet");
            self.engine.not_sent(id);
        }
    }

    fn tell(&self, name: Arc<str>, transition: Transition) {
        let Transition { from, to, cause } = transition;
        match (from, to) {
            (State::Up, _) if cause.is_failure() => {
                warn!(peer = &*name, reason = %cause, "BFD session failed")
            }
            (State::Up, _) | (_, State::Up) => {
                info!(peer = &*name, %from, %to, reason = %cause, "BFD state changed")
            }
            _ => debug!(peer = &*name, %from, %to, reason = %cause, "BFD state changed"),
        }
        self.changes.note(name, transition);
    }

    fn report(&self) -> BfdReport {
        BfdReport {
            sessions: self.engine.sessions(self.clock.now()),
            discards: self.engine.discards(),
            failed: self.receivers.failed(),
        }
    }

    /// Tells every neighbour that this is on purpose, until each has had the time to hear it.
    async fn end(&mut self) {
        self.engine.configure(self.clock.now(), &BTreeMap::new());
        self.perform();
        let latest = self.clock.now().plus(LAST_WORDS);
        while let Some(until) = self.engine.goodbye_until().map(|until| until.min(latest)) {
            if self.clock.now() >= until {
                return;
            }
            let due = self.engine.poll_timeout().map_or(until, |due| due.min(until));
            sleep_until(self.clock.instant(due)).await;
            self.engine.run(self.clock.now(), SESSIONS_PER_TURN);
            self.perform();
        }
    }
}
