//! What happens when time passes (RFC 4271 sections 8.2.2 and 10, RFC 9687).

use std::time::Duration;

use crate::{
    fsm::{
        Action, ConnectionId, Failure, Outgoing, PeerFsm, TransportError,
        backoff::Weight,
        connection::{Connection, Stage},
        machine::{Close, Ending, Phase},
    },
    types::Now,
    wire::notification::ErrorKind,
};

/// The shortest interval between KEEPALIVEs (RFC 4271 section 4.4).
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

impl PeerFsm {
    /// Lets every timer that is due expire (events 9 to 13 and 29).
    pub fn handle_timeout(&mut self, now: Now) {
        if matches!(self.phase, Phase::IdleHold(until) if until <= now) {
            self.begin(now);
        }
        if self.connect_retry.is_some_and(|due| due <= now) {
            self.connect_retry_expired(now);
        }
        let due: Vec<ConnectionId> = self
            .connections
            .iter()
            .filter(|c| c.deadline().is_some_and(|d| d <= now))
            .map(|c| c.id)
            .collect();
        due.into_iter().for_each(|id| self.connection_timers(now, id));
        self.report();
    }

    /// When to call [`Self::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Now> {
        let hold = match self.phase {
            Phase::IdleHold(until) => Some(until),
            Phase::Stopped | Phase::Running => None,
        };
        self.connections.iter().filter_map(Connection::deadline).chain(self.connect_retry).chain(hold).min()
    }

    /// Event 9: gives up a connection that is still on its way and tries anew, unless the peer's has come.
    fn connect_retry_expired(&mut self, now: Now) {
        self.connect_retry = None;
        let stuck = self.connections.iter().find(|c| c.stage == Stage::Connecting).map(|c| c.id);
        if let Some(connection) = stuck.and_then(|id| self.remove(id)) {
            self.actions.push_back(Action::Close(connection.id));
            if self.connections.is_empty() {
                self.memory.failed(Failure::Transport(TransportError::NoAnswer));
                self.retries = self.retries.saturating_add(1);
            }
        }
        if self.connections.is_empty() {
            self.connect(now);
        }
    }

    fn connection_timers(&mut self, now: Now, id: ConnectionId) {
        let Some(connection) = self.get_mut(id) else { return };
        let due = |timer: Option<Now>| timer.is_some_and(|at| at <= now);
        if due(connection.hold) {
            return self.fail(now, id, ErrorKind::HOLD_TIMER_EXPIRED.into());
        }
        if due(connection.send_hold) {
            return self.send_hold_expired(now, id);
        }
        if due(connection.delay_open) {
            self.send_open(now, id);
        } else if due(connection.keepalive) {
            self.send_keepalive(now, id);
        }
    }

    /// Event 29. The NOTIFICATION 8/0 could not get out either, so it is not sent (RFC 9687 section 3.2).
    fn send_hold_expired(&mut self, now: Now, id: ConnectionId) {
        if let Some(connection) = self.remove(id) {
            let ending = Ending { failure: Failure::SendHold, weight: Weight::Error, last_word: None };
            self.ended(now, connection, ending, Close::Ours);
        }
    }

    pub(super) fn send_keepalive(&mut self, now: Now, id: ConnectionId) {
        let Some(interval) = self.get_mut(id).and_then(|c| c.agreement.as_ref()).map(|a| a.keepalive) else {
            return;
        };
        // RFC 4271 section 4.4: not more than one a second, jitter or not.
        let next =
            (!interval.is_zero()).then(|| now.plus(self.jitter.spread(interval).max(SHORTEST_INTERVAL)));
        if let Some(connection) = self.get_mut(id) {
            connection.keepalive = next;
            connection.last_keepalive = now;
            self.actions.push_back(Action::Send(id, Outgoing::Keepalive));
        }
    }
}
