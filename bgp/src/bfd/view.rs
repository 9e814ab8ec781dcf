//! A session as an operator sees it.

use std::{num::NonZeroU8, sync::Arc, time::Duration};

use super::{Cause, Diagnostic, Discards, Endpoint, Intervals, State};

/// A session as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// Its name.
    pub name: Arc<str>,
    /// Between whom.
    pub endpoint: Endpoint,
    /// Our discriminator.
    pub discriminator: u32,
    /// The neighbour's; zero while it is not heard.
    pub remote_discriminator: u32,
    /// Our state.
    pub state: State,
    /// The neighbour's, as it last said.
    pub remote_state: State,
    /// Why our state last changed for the worse.
    pub diagnostic: Diagnostic,
    /// The same, of the neighbour.
    pub remote_diagnostic: Diagnostic,
    /// How long it has been in this state.
    pub since: Duration,
    /// The intervals we announce.
    pub announced: Intervals,
    /// Our multiplier.
    pub multiplier: NonZeroU8,
    /// The intervals and the multiplier the neighbour announces; none while it is not heard.
    pub remote: Option<(Intervals, u8)>,
    /// The interval we send at, before jitter; none: the neighbour wants no periodic packets.
    pub interval: Option<Duration>,
    /// How long the neighbour may be silent; zero while it is not heard.
    pub detection_time: Duration,
    /// How often it has come Up.
    pub ups: u64,
    /// Why it last left Up.
    pub last_down: Option<LastDown>,
    /// Packets sent.
    pub sent: u64,
    /// Packets the kernel did not take.
    pub not_sent: u64,
    /// Valid packets received.
    pub received: u64,
    /// Packets received from the neighbour's address, or for this session, and discarded.
    pub discards: Discards,
}

/// How a session last left Up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastDown {
    /// How long ago.
    pub ago: Duration,
    /// Why.
    pub cause: Cause,
}
