//! What the core asks for: words to the owner, orders to peer tasks.

use super::{Speaker, SpeakerEvent};
use crate::{core::Action, fsm::Stop, net::peer::Control, types::PeerId};

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
                Action::LinkLost(peer) => {
                    self.tell(peer, Control::LinkLost(self.session_of(peer)));
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
    fn session_of(&self, peer: PeerId) -> u64 {
        self.peers.get(&peer).map_or(0, |p| p.session)
    }

    /// Tells a peer task something. Its channel is never full for long, as it never waits for us.
    pub(super) fn tell(&self, id: PeerId, control: Control) {
        if let Some(peer) = self.peers.get(&id) {
            peer.orders.send(control, &self.background);
        }
    }
}
