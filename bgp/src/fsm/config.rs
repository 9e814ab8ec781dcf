//! What the state machine of one peer is told.

use std::{net::IpAddr, time::Duration};

use crate::{
    config::{AdminState, Auth, ConnectMode, PeerConfig, SpeakerConfig, TtlPolicy},
    fsm::Md5,
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

/// The part of the configuration that the state machine works with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Our AS number.
    pub local_asn: Asn,
    /// Our BGP Identifier.
    pub router_id: RouterId,
    /// Our Restart Time; zero withholds the Graceful Restart capability.
    pub restart_time: Duration,
    /// Our restart state.
    pub restart: LocalRestart,
    /// The peer's address, for reports.
    pub peer: IpAddr,
    /// The AS number the peer must show.
    pub peer_asn: Asn,
    /// Families to announce.
    pub families: Families,
    /// Administrative state.
    pub admin: AdminState,
    /// Why the demanded key cannot be had, when it cannot.
    pub key_unavailable: Option<String>,
    /// Whether the connection is signed.
    pub md5: Md5,
    /// The TTL policy of the connection.
    pub ttl: TtlPolicy,
    /// Whether we open connections (PassiveTcpEstablishment).
    pub mode: ConnectMode,
    /// The hold time to propose.
    pub hold_time: Duration,
    /// The KEEPALIVE interval, if not a third of the negotiated hold time.
    pub keepalive_time: Option<Duration>,
    /// ConnectRetryTime.
    pub connect_retry_time: Duration,
    /// DelayOpenTime.
    pub delay_open: Option<Duration>,
    /// Wait before the first active open of every start.
    pub first_open_delay: Duration,
    /// IdleHoldTime after the first failure; it doubles with each further one.
    pub idle_hold_time: Duration,
    /// The longest IdleHoldTime.
    pub idle_hold_max: Duration,
}

impl Config {
    /// The state machine's view of `peer`.
    pub fn new(speaker: &SpeakerConfig, peer: &PeerConfig, restart: LocalRestart) -> Self {
        let (md5, key_unavailable) = match &peer.auth {
            Auth::None => (Md5::Unused, None),
            Auth::Md5(_) => (Md5::Used, None),
            Auth::Unavailable(reason) => (Md5::Used, Some(reason.clone())),
        };
        Self {
            local_asn: speaker.asn,
            router_id: speaker.router_id,
            restart_time: speaker.graceful_restart_time,
            restart,
            peer: peer.address,
            peer_asn: peer.asn,
            families: peer.families,
            admin: peer.admin,
            key_unavailable,
            md5,
            ttl: peer.ttl,
            mode: peer.mode,
            hold_time: peer.hold_time,
            keepalive_time: peer.keepalive_time,
            connect_retry_time: peer.connect_retry_time,
            delay_open: peer.delay_open,
            first_open_delay: peer.first_open_delay,
            idle_hold_time: Duration::from_secs(1),
            idle_hold_max: Duration::from_secs(60),
        }
    }

    /// Whether sessions may be sought at all.
    pub(super) fn may_run(&self) -> bool {
        self.admin == AdminState::Up && self.key_unavailable.is_none()
    }
}
