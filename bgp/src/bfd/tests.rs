//! The whole of BFD without a socket.

mod engine;
mod packet;
mod pair;
mod session;

use std::{
    num::{NonZeroU8, NonZeroU32},
    time::Duration,
};

use super::{ControlPacket, Diagnostic, Parameters, State};
use crate::types::Now;

const fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

const fn at(number: u64) -> Now {
    Now(ms(number))
}

fn parameters(interval: u64, multiplier: u8) -> Parameters {
    let multiplier = NonZeroU8::new(multiplier).unwrap();
    Parameters { min_tx: ms(interval), min_rx: ms(interval), multiplier }
}

/// What a neighbour with discriminator 7 sends, 300 ms and 3, to our session `yours`.
fn from_neighbor(state: State, yours: u32) -> ControlPacket {
    ControlPacket {
        diagnostic: Diagnostic::NONE,
        state,
        poll: false,
        final_: false,
        control_plane_independent: false,
        authenticated: false,
        demand: false,
        multiplier: 3,
        my_discriminator: NonZeroU32::new(7).unwrap(),
        your_discriminator: yours,
        desired_min_tx: ms(300),
        required_min_rx: ms(300),
        required_min_echo_rx: Duration::ZERO,
    }
}
