//! What the core asks for: words to the owner, orders to peer tasks.

use std::{os::fd::AsFd, sync::Arc};

use socket2::{Domain, Socket, Type};

use super::{Speaker, SpeakerEvent};
use crate::{
    core::Action,
    fsm::{Stop, TransportError},
    net::{peer::Control, sys},
    types::PeerId,
};

impl Speaker {
    /// Carries out what the core asks for.
    pub(super) fn perform(&mut self) {
        while let Some(action) = self.core.poll_action() {
            let event = match action {
                Action::CloseSession { peer, notification, retry_after } => {
                    let stop = Stop::Error { notification, retry_after };
                    self.tell(peer, Control::StopSession(self.session_of(peer), stop));
                    continue;
                }
                Action::WayLost { peer, interfaces } => {
                    let error = how_lost(&interfaces);
                    self.tell(peer, Control::WayLost(self.session_of(peer), error));
                    continue;
                }
                Action::RequestRoutes(peer) => {
                    self.tell(peer, Control::RequestRefresh);
                    continue;
                }
                Action::WatchNextHop(address) => SpeakerEvent::WatchNextHop(address),
                Action::UnwatchNextHop(address) => SpeakerEvent::UnwatchNextHop(address),
                Action::InternalNextHop { address, presence } => {
                    SpeakerEvent::InternalNextHop { address, presence }
                }
                Action::RestartOver(family) => SpeakerEvent::RestartOver(family),
                Action::Warn(warning) => SpeakerEvent::Warning(warning),
            };
            self.pending.push_back(event);
        }
        if self.restart.restarting != self.restarting() {
            self.restart.restarting = self.restarting();
            self.tell_restart_state();
        }
    }

    /// The session the core means: one that has come up meanwhile is none of its business yet.
    pub(super) fn session_of(&self, peer: PeerId) -> u64 {
        self.peers.get(&peer).map_or(0, |p| p.session)
    }

    /// Tells a peer task something. Its channel is never full for long, as it never waits for us.
    pub(super) fn tell(&self, id: PeerId, control: Control) {
        if let Some(peer) = self.peers.get(&id) {
            peer.orders.send(control, &self.background);
        }
    }
}

/// What the loss of a way over these interfaces is called: only where none of them is up and has a carrier is the link
/// to blame.
fn how_lost(interfaces: &[Arc<str>]) -> TransportError {
    let Ok(socket) = Socket::new(Domain::IPV4, Type::DGRAM, None) else { return TransportError::WayLost };
    let is_running = |name: &Arc<str>| sys::link_state(socket.as_fd(), name).is_ok_and(|link| link.running);
    match interfaces.is_empty() || interfaces.iter().any(is_running) {
        true => TransportError::WayLost,
        false => TransportError::LinkLost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_blamed_only_while_it_is_down_or_gone() {
        assert_eq!(how_lost(&["no-such-link".into()]), TransportError::LinkLost);
        assert_eq!(how_lost(&["no-such-link".into(), "lo".into()]), TransportError::WayLost);
        assert_eq!(how_lost(&[]), TransportError::WayLost);
    }
}
