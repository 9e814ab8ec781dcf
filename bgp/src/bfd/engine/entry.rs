//! A session with what an operator wants to know of it.

use std::sync::Arc;

use crate::{
    bfd::{Discards, Endpoint, LastDown, Session, SessionView, State, Transition},
    types::Now,
};

/// One session.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Arc<str>,
    pub(super) endpoint: Endpoint,
    pub(super) session: Session,
    /// Its place among the timers.
    pub(super) armed: Option<Now>,
    /// It is not wanted any more, and says so until then.
    pub(super) retires: Option<Now>,
    pub(super) since: Now,
    pub(super) ups: u64,
    pub(super) last_down: Option<(Now, Transition)>,
    pub(super) sent: u64,
    pub(super) not_sent: u64,
    pub(super) received: u64,
    pub(super) discards: Discards,
}

impl Entry {
    pub(super) fn new(now: Now, name: Arc<str>, endpoint: Endpoint, session: Session) -> Self {
        Self {
            name,
            endpoint,
            session,
            armed: None,
            retires: None,
            since: now,
            ups: 0,
            last_down: None,
            sent: 0,
            not_sent: 0,
            received: 0,
            discards: Discards::default(),
        }
    }

    pub(super) fn note(&mut self, now: Now, transition: Transition) {
        self.since = now;
        if transition.to == State::Up {
            self.ups = self.ups.saturating_add(1);
        }
        if transition.from == State::Up {
            self.last_down = Some((now, transition));
        }
    }

    pub(super) fn view(&self, now: Now) -> SessionView {
        let session = &self.session;
        let (remote_discriminator, remote_state, remote_diagnostic) = session.neighbor();
        SessionView {
            name: self.name.clone(),
            endpoint: self.endpoint.clone(),
            discriminator: session.discriminator().get(),
            remote_discriminator,
            state: session.state(),
            remote_state,
            diagnostic: session.diagnostic(),
            remote_diagnostic,
            since: now.since(self.since),
            announced: session.announced(),
            multiplier: session.multiplier(),
            remote: session.neighbor_parameters(),
            interval: session.interval(),
            detection_time: session.detection_time(),
            ups: self.ups,
            last_down: self.last_down.map(|(at, t)| LastDown { ago: now.since(at), cause: t.cause }),
            sent: self.sent,
            not_sent: self.not_sent,
            received: self.received,
            discards: self.discards,
        }
    }
}
