//! Dynamic peers: strangers become peers when they connect, and leave when they are idle.

use std::time::Duration;

use tracing::{info, warn};

use super::{
    Speaker,
    roster::{Admitted, News},
};
use crate::{
    fsm::State,
    net::{admission::Stranger, peer::Control, refusals::RefusalReason},
    types::{Family, Now, PeerId},
};

/// How often guests are looked after.
const REVIEW: Duration = Duration::from_secs(2);
/// A guest without a connection leaves after this long.
const PATIENCE: Duration = Duration::from_secs(5);

impl Speaker {
    /// Somebody of a range, or on the link of an interface peer, has connected.
    pub(super) fn stranger(&mut self, stranger: Stranger) {
        let Stranger { range, address, local, stream } = stranger;
        let name = match self.roster.admit(&range, address) {
            Admitted::As(name) => {
                info!(peer = name, "a new peer of a range has connected");
                name
            }
            Admitted::Full(news) => {
                self.listen_states.refusals.note(address, local, RefusalReason::RangeFull);
                if news == News::Known {
                    return;
                }
                return warn!(range, %address, "refused a connection: the range has as many peers as it may");
            }
            Admitted::Unknown => {
                self.contact(&range, address);
                range
            }
        };
        self.apply();
        if let Some(id) = self.find(&name) {
            self.tell(id, Control::Incoming(stream));
        }
        self.review.get_or_insert(self.clock.now().plus(REVIEW));
    }

    /// Lets guests go that have neither a connection nor routes that wait for them.
    pub(super) fn review_guests(&mut self) {
        let now = self.clock.now();
        if self.review.is_none_or(|due| due > now) {
            return;
        }
        let names: Vec<String> = self.roster.guests().map(str::to_owned).collect();
        let idle: Vec<String> = names.iter().filter(|name| self.is_idle(name, now)).cloned().collect();
        self.review = (idle.len() < names.len()).then(|| now.plus(REVIEW));
        if idle.is_empty() {
            return;
        }
        for name in &idle {
            info!(peer = name, "the peer of a range has gone");
            self.roster.dismiss(name);
        }
        self.apply();
    }

    fn is_idle(&self, name: &str, now: Now) -> bool {
        let Some(id) = self.find(name) else { return true };
        let Some(peer) = self.peers.get(&id) else { return true };
        let (state, since) = {
            let status = peer.shared.status();
            (status.state, status.since)
        };
        let stale = Family::ALL.iter().any(|family| self.core.counts(id, *family).stale > 0);
        // Idle is where one waits that has misbehaved: who leaves then would be welcome again at once.
        state == State::Active && now.since(since) >= PATIENCE && !stale
    }

    pub(super) fn find(&self, name: &str) -> Option<PeerId> {
        self.peers.iter().find(|(_, peer)| peer.name == name).map(|(id, _)| *id)
    }
}
