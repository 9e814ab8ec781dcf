//! What the speaker hands out.

use std::net::IpAddr;

use tokio::sync::mpsc;

use crate::{
    bfd,
    core::{BestChange, Presence, Warning},
    event::SessionAddresses,
    fsm::Failure,
    types::{Family, NextHopAddress},
};

/// What the speaker tells its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpeakerEvent {
    /// Answer with [`SpeakerHandle::next_hop`](crate::net::SpeakerHandle::next_hop), now and on every change.
    WatchNextHop(NextHopAddress),
    /// The next hop is of no interest any more.
    UnwatchNextHop(NextHopAddress),
    /// The next hop of accepted routes learned over iBGP: a known node.
    InternalNextHop {
        /// The next hop.
        address: IpAddr,
        /// Whether such routes exist now.
        presence: Presence,
    },
    /// Every peer has sent its routes after our restart: what the forwarding table holds beyond them is stale.
    RestartOver(Family),
    /// Something an operator should see.
    Warning(Warning),
    /// A session is Established.
    SessionUp {
        /// The peer's name.
        peer: String,
        /// The ends of its connection.
        addresses: SessionAddresses,
    },
    /// The BFD session with a peer has changed its state; only the latest change while nobody listens.
    Bfd {
        /// The peer's name.
        peer: String,
        /// The new state.
        state: bfd::State,
        /// Why.
        cause: bfd::Cause,
    },
    /// A session has ended.
    SessionDown {
        /// The peer's name.
        peer: String,
        /// Why.
        failure: Failure,
    },
}

/// What the speaker hands out. Dropping a receiver is fine: nobody is interested then.
#[derive(Debug)]
pub struct Outputs {
    /// Events, in order.
    pub events: mpsc::Receiver<SpeakerEvent>,
    /// Changes of best routes that may be installed, the latest state of each prefix only. A batch is pulled from
    /// the core only once there is room for it here.
    pub best: mpsc::Receiver<Vec<BestChange>>,
}
