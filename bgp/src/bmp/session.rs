//! What the session layer knows and a collector is told.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};

use super::message::{DownReason, PeerHeader, PeerUp, Table};
use crate::{
    event::Negotiated,
    fsm::{Failure, Stopped},
    types::{Asn, Families, RouterId},
    wire::{ErrorKind, Open, capability::Capability},
};

/// A session as it was set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// What the OPENs agreed on.
    pub negotiated: Negotiated,
    /// Our end.
    pub local: SocketAddr,
    /// The peer's end.
    pub remote: SocketAddr,
    /// The OPEN we sent, with its header.
    pub sent_open: Bytes,
    /// The OPEN we received, with its header.
    pub received_open: Bytes,
    /// When it reached Established, since 1970-01-01T00:00:00Z.
    pub since: Duration,
}

impl SessionRecord {
    pub(super) fn header(&self, table: Table, time: Duration) -> PeerHeader {
        PeerHeader {
            table,
            address: self.remote.ip(),
            asn: self.negotiated.peer_asn,
            router_id: self.negotiated.peer_id,
            time,
        }
    }

    /// Families whose prefixes come with path identifiers (RFC 7911).
    pub(super) fn add_path(&self) -> Families {
        self.negotiated.extensions.paths_received
    }

    pub(super) fn peer_up(&self) -> PeerUp<'_> {
        PeerUp {
            local: self.local,
            remote_port: self.remote.port(),
            sent_open: &self.sent_open,
            received_open: &self.received_open,
        }
    }
}

/// A peer as a collector may be told of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MonitoredPeer {
    /// Its session, while there is one.
    pub up: Option<Arc<SessionRecord>>,
    /// Why the last one ended.
    pub ended: Option<DownReason>,
}

impl From<&Failure> for DownReason {
    fn from(failure: &Failure) -> Self {
        const MANUAL_STOP: u16 = 2;
        const SEND_HOLD_TIMER_EXPIRES: u16 = 29;
        match failure {
            Failure::Sent { notification, .. } => Self::Sent(notification.clone()),
            Failure::Received { notification, .. } => Self::Received(notification.clone()),
            Failure::Transport(_) | Failure::PeerRestarted => Self::Lost,
            Failure::SendHold => Self::Closed { event: SEND_HOLD_TIMER_EXPIRES },
            Failure::Stopped(Stopped::Restarting) => Self::Closed { event: MANUAL_STOP },
            Failure::Stopped(Stopped::Shutdown | Stopped::Drain) => {
                Self::Sent(ErrorKind::ADMINISTRATIVE_SHUTDOWN.into())
            }
            Failure::Stopped(Stopped::Deconfigured) => Self::Sent(ErrorKind::PEER_DECONFIGURED.into()),
            Failure::Stopped(Stopped::Reset) => Self::Sent(ErrorKind::ADMINISTRATIVE_RESET.into()),
            Failure::Stopped(Stopped::ConfigurationChanged) => {
                Self::Sent(ErrorKind::OTHER_CONFIGURATION_CHANGE.into())
            }
        }
    }
}

/// The OPEN that stands for both sides of the Loc-RIB's "session": 4-octet AS numbers and our families (RFC 9069
/// section 4.4).
pub(super) fn loc_rib_open(asn: Asn, router_id: RouterId, families: Families) -> Bytes {
    let families = families.iter().map(Capability::multiprotocol);
    let capabilities = families.chain([Capability::FourOctetAsn(asn)]).collect();
    let mut out = BytesMut::new();
    if Open::new(asn, 0, router_id, capabilities).encode(&mut out).is_err() {
        debug_assert!(false, "three capabilities fit an OPEN");
    }
    out.freeze()
}
