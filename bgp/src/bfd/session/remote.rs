//! What is known of the neighbour.

use std::time::Duration;

use crate::bfd::{ControlPacket, Diagnostic, State};

/// What the neighbour's last packet said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remote {
    /// bfd.RemoteDiscr; zero: unknown.
    pub(super) discriminator: u32,
    pub(super) state: State,
    pub(super) diagnostic: Diagnostic,
    /// bfd.RemoteMinRxInterval.
    pub(super) min_rx: Duration,
    pub(super) desired_tx: Duration,
    pub(super) multiplier: u8,
    /// bfd.RemoteDemandMode.
    pub(super) demand: bool,
}

impl Default for Remote {
    /// A neighbour that has not been heard (RFC 5880 section 6.8.1).
    fn default() -> Self {
        Self {
            discriminator: 0,
            state: State::Down,
            diagnostic: Diagnostic::NONE,
            min_rx: Duration::from_micros(1),
            desired_tx: Duration::ZERO,
            multiplier: 0,
            demand: false,
        }
    }
}

impl Remote {
    pub(super) fn of(packet: &ControlPacket) -> Self {
        Self {
            discriminator: packet.my_discriminator.get(),
            state: packet.state,
            diagnostic: packet.diagnostic,
            min_rx: packet.required_min_rx,
            desired_tx: packet.desired_min_tx,
            multiplier: packet.multiplier,
            demand: packet.demand,
        }
    }
}
