//! What BFD says about the paths to the peers.

use std::time::Duration;

use super::{PENDING, Speaker, SpeakerEvent};
use crate::{
    bfd,
    fsm::Stop,
    net::{
        bfd::{BgpSession, Change},
        peer::Control,
    },
    types::PeerId,
    wire::notification::ErrorKind,
};

impl Speaker {
    /// Has BFD watch the paths that the configuration names.
    pub(super) fn update_paths(&mut self) {
        let session = |id: PeerId| match self.peers.get(&id).is_some_and(|peer| peer.outbox.is_some()) {
            true => BgpSession::Up,
            false => BgpSession::Down,
        };
        self.bfd.run(self.core.peers().map(|(id, config)| (config, session(id))));
    }

    /// A path that has failed takes its session along at once (RFC 5882 section 4.2); one that works again lets the
    /// peer be tried without delay.
    pub(super) fn paths_changed(&mut self) {
        for (name, change) in self.bfd.take_changes() {
            let Change { state, cause, failed } = change;
            let id = self.peers.iter().find(|(_, peer)| *peer.name == *name).map(|(id, _)| *id);
            let Some(id) = id else { continue };
            if failed.is_some() {
                let notification = ErrorKind::BFD_DOWN.into();
                self.tell(id, Control::Stop(Stop::Error { notification, retry_after: Duration::ZERO }));
            }
            if state == bfd::State::Up {
                self.tell(id, Control::PathUp);
            }
            self.announce_path(SpeakerEvent::Bfd { peer: name.to_string(), state, cause });
        }
    }

    /// Has the owner hear of a path. Where too much waits already, the latest news of each peer are enough.
    fn announce_path(&mut self, event: SpeakerEvent) {
        if self.pending.len() >= PENDING
            && let SpeakerEvent::Bfd { peer, .. } = &event
        {
            self.pending.retain(|waiting| !matches!(waiting, SpeakerEvent::Bfd { peer: p, .. } if p == peer));
        }
        self.pending.push_back(event);
    }
}
