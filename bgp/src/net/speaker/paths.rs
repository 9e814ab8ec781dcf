//! What BFD says about the paths to the peers.

use std::time::Duration;

use super::{Speaker, SpeakerEvent};
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
            self.pending.push_back(SpeakerEvent::Bfd { peer: name.to_string(), state, cause });
        }
    }
}
