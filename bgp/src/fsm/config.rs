//! What the state machine of one peer is told.

use std::{sync::Arc, time::Duration};

use crate::{
    config::{AdminState, Auth, PeerConfig, SpeakerConfig},
    fsm::Signing,
    types::{Asn, Families, RouterId},
};

/// What this speaker says about its own restart in the Graceful Restart capability (RFC 4724 section 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalRestart {
    /// Whether the speaker has restarted and still waits for its peers' routes (R bit).
    pub restarting: Restarting,
    /// The families whose forwarding state was kept (F bit).
    pub forwarding: Families,
}

/// Whether the speaker is in the middle of a graceful restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restarting {
    /// It is.
    Yes,
    /// It is not, or no longer.
    #[default]
    No,
}

/// What the state machine works with: what the speaker says of itself, and the peer.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Our AS number towards this peer.
    pub local_asn: Asn,
    /// Our BGP Identifier.
    pub router_id: RouterId,
    /// Our Restart Time; zero withholds the Graceful Restart capability.
    pub restart_time: Duration,
    /// Our restart state.
    pub restart: LocalRestart,
    /// The peer.
    pub peer: Arc<PeerConfig>,
}

impl Config {
    /// The state machine's view of `peer`.
    pub fn new(speaker: &SpeakerConfig, peer: PeerConfig, restart: LocalRestart) -> Self {
        Self {
            local_asn: peer.switches.local_as.map_or(speaker.asn, |local| local.asn),
            router_id: speaker.router_id,
            restart_time: speaker.graceful_restart_time,
            restart,
            peer: Arc::new(peer),
        }
    }

    /// Whether sessions may be sought at all.
    pub(super) fn may_run(&self) -> bool {
        self.peer.admin == AdminState::Up
            && self.key_unavailable().is_none()
            && !self.peer.address.is_unspecified()
    }

    /// Why the demanded key cannot be had, when it cannot.
    pub(super) fn key_unavailable(&self) -> Option<&str> {
        match &self.peer.transport.auth {
            Auth::Unavailable(reason) => Some(reason),
            Auth::None | Auth::Md5(_) | Auth::Ao(_) => None,
        }
    }

    /// How segments are signed.
    pub(super) fn signing(&self) -> Signing {
        match &self.peer.transport.auth {
            Auth::None => Signing::Unsigned,
            Auth::Md5(_) | Auth::Unavailable(_) => Signing::Md5,
            Auth::Ao(_) => Signing::Ao,
        }
    }
}
