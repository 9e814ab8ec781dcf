//! Messages: from OPEN to Established, and what is out of place on the way (RFC 4271 sections 6.8 and 8.2.2).

use std::{cmp::Ordering, time::Duration};

use crate::{
    event::Negotiated,
    fsm::{
        Action, ConnectionId, Direction, Failure, PeerFsm, PeerIdentity, Received, SessionUp,
        backoff::Weight,
        connection::{Connection, Stage},
        fallback::Retry,
        machine::{Close, Ending},
        terms,
    },
    types::{Asn, Now, PeerType},
    wire::{
        negotiate::negotiate,
        notification::{ErrorKind, Notification},
        open::Open,
        role,
    },
};

/// So soon after a session came up, another OPEN of the peer is taken for the loser of a collision that is still
/// under way, not for a restart.
const COLLISION_WINDOW: Duration = Duration::from_secs(3);

/// Which of two connections stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Older,
    Newer,
}

impl PeerFsm {
    /// A message has come (events 19, 20 and 24 to 27).
    pub fn handle_message(&mut self, now: Now, id: ConnectionId, message: Received) {
        let Some(stage) = self.get_mut(id).map(|c| c.stage) else { return };
        match (stage, message) {
            (Stage::Connecting, _) => {}
            (_, Received::Notification(notification)) => self.notified(now, id, notification),
            (Stage::DelayOpen | Stage::OpenSent, Received::Open(open)) => self.opened(now, id, &open),
            (Stage::OpenConfirm, Received::Keepalive) => self.confirmed(now, id),
            (Stage::Established, Received::Keepalive | Received::Update | Received::RouteRefresh) => {
                self.handle_bytes(now, id);
            }
            (stage, message) => self.fail(now, id, unexpected(stage, &message)),
        }
        self.report();
    }

    /// What has come is no message (events 21, 22 and 28): `notification` says what is wrong with it.
    pub fn handle_malformed(&mut self, now: Now, id: ConnectionId, notification: Notification) {
        self.fail(now, id, notification);
    }

    /// Events 24 and 25. A NOTIFICATION is never answered with one.
    fn notified(&mut self, now: Now, id: ConnectionId, notification: Notification) {
        let Some(connection) = self.remove(id) else { return };
        let retry = match &connection.sent_open {
            Some(sent) if connection.stage < Stage::Established => {
                self.fallback.learn(sent, &notification, &self.config)
            }
            _ => Retry::Unchanged,
        };
        let weight = match retry {
            Retry::Reduced => Weight::Asked,
            Retry::Unchanged => Weight::of(&notification),
        };
        let peer = connection.peer.or(self.memory.identity());
        let failure = Failure::Received { notification, peer };
        self.ended(now, connection, Ending { failure, weight, last_word: None }, Close::Ours);
    }

    /// Events 19 and 20.
    fn opened(&mut self, now: Now, id: ConnectionId, theirs: &Open) {
        let Some(connection) = self.get_mut(id) else { return };
        let (asn, router_id, families) = (theirs.asn(), theirs.router_id, theirs.families());
        let identity = PeerIdentity { asn, router_id, families };
        connection.peer = Some(identity);
        let delayed = connection.stage == Stage::DelayOpen;
        self.memory.identified(identity);
        if delayed {
            self.send_open(now, id);
        }
        let Some(ours) = self.get_mut(id).and_then(|c| c.sent_open.clone()) else { return };
        let fits = |negotiated: Negotiated| {
            // Inside an AS there are no roles (RFC 9234 section 4).
            let external = negotiated.peer_type == PeerType::External;
            let role = terms::role(&self.config).filter(|_| external);
            role::check(role, self.config.peer.switches.role_demand, theirs).map(|()| negotiated)
        };
        let negotiated = match negotiate(&ours, theirs, self.expected(theirs.asn())).and_then(fits) {
            Ok(negotiated) => negotiated,
            Err(notification) => return self.fail(now, id, notification),
        };
        if self.collide(now, id, theirs) == Verdict::Older {
            return self.fail(now, id, ErrorKind::CONNECTION_COLLISION_RESOLUTION.into());
        }
        let agreement = terms::agreement(&self.config, negotiated);
        if let Some(connection) = self.get_mut(id) {
            connection.agreement = Some(agreement);
            connection.stage = Stage::OpenConfirm;
            connection.restart_hold(now);
            self.send_keepalive(now, id);
        }
    }

    /// The AS number the peer must show: `shown`, where that is one of several it may.
    fn expected(&self, shown: Asn) -> Asn {
        let peer = &self.config.peer;
        let admitted = peer.asn_rule.admits(peer.asn, self.config.local_asn, shown);
        // No peer has AS 0 (RFC 7607), so nothing it shows is that.
        if admitted { shown } else { Asn(0) }
    }

    /// Event 26 in OpenConfirm.
    fn confirmed(&mut self, now: Now, id: ConnectionId) {
        let Some(connection) = self.get_mut(id) else { return };
        let (Some(agreement), Some(addresses)) = (&connection.agreement, connection.addresses) else {
            return;
        };
        let up = SessionUp { connection: id, negotiated: agreement.negotiated.clone(), addresses };
        connection.stage = Stage::Established;
        connection.since = now;
        connection.restart_hold(now);
        self.established(id);
        self.actions.push_back(Action::SessionUp(Box::new(up)));
    }

    /// Compares the connection on which an OPEN has come with the peer's other one, and ends the other if it has
    /// to go (RFC 4271 section 6.8; RFC 4724 section 4.2 when the other is Established).
    fn collide(&mut self, now: Now, newer: ConnectionId, theirs: &Open) -> Verdict {
        self.close_quietly(|c| c.id != newer && c.stage <= Stage::DelayOpen);
        let older = self.connections.iter().find(|c| c.id != newer && c.stage > Stage::OpenSent);
        let Some(older) = older.cloned() else { return Verdict::Newer };
        if older.stage == Stage::Established {
            return self.displace(now, &older, theirs);
        }
        let direction = self.get_mut(newer).map_or(Direction::Incoming, |c| c.direction);
        let verdict = self.judge(direction, theirs);
        if verdict == Verdict::Newer {
            self.fail(now, older.id, ErrorKind::CONNECTION_COLLISION_RESOLUTION.into());
        }
        verdict
    }

    /// The connection opened by the side with the higher BGP Identifier stays, by the higher AS number when the
    /// identifiers are equal (RFC 6286 section 2.3). Of two connections of the peer's the newer is taken for its own
    /// when the peer is the higher, else the older stays (RFC 4271 section 6.8).
    fn judge(&self, newer: Direction, theirs: &Open) -> Verdict {
        let ours = (self.config.router_id, self.config.local_asn);
        let winner = match ours.cmp(&(theirs.router_id, theirs.asn())) {
            Ordering::Less => Direction::Incoming,
            Ordering::Greater | Ordering::Equal => Direction::Outgoing,
        };
        if newer == winner { Verdict::Newer } else { Verdict::Older }
    }

    /// An OPEN while Established: the peer has restarted and the old connection goes without a word; or a
    /// collision reaches its end late, and the session stays.
    fn displace(&mut self, now: Now, older: &Connection, theirs: &Open) -> Verdict {
        let restarting_before = older
            .agreement
            .as_ref()
            .and_then(|a| a.negotiated.graceful_restart.as_ref())
            .is_some_and(|r| r.restarting);
        let newly_restarted = !restarting_before && theirs.graceful_restart().is_some_and(|r| r.restarting);
        let late_collision = now.since(older.since) < COLLISION_WINDOW && !newly_restarted;
        if late_collision || !terms::restarts_gracefully(older) {
            return Verdict::Older;
        }
        if let Some(connection) = self.remove(older.id) {
            let ending = Ending { failure: Failure::PeerRestarted, weight: Weight::Lost, last_word: None };
            self.ended(now, connection, ending, Close::Ours);
        }
        Verdict::Newer
    }
}

/// Finite State Machine Error with the state as the subcode (RFC 6608) and the message type as the data.
fn unexpected(stage: Stage, message: &Received) -> Notification {
    let kind = match stage {
        Stage::Connecting | Stage::DelayOpen => ErrorKind::FSM_UNSPECIFIC,
        Stage::OpenSent => ErrorKind::UNEXPECTED_IN_OPEN_SENT,
        Stage::OpenConfirm => ErrorKind::UNEXPECTED_IN_OPEN_CONFIRM,
        Stage::Established => ErrorKind::UNEXPECTED_IN_ESTABLISHED,
    };
    Notification::with_data(kind, &[message.type_code()])
}
