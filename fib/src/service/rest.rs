//! Links that have just come back.
//!
//! A link with carrier again leads nowhere yet: the port at the other end is brought up a moment later, and neighbours
//! must be found anew, while packets wait or are lost. So a leg over such a link is left out for a while, as long as the
//! route has another one.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How long a link rests. The kernel itself takes up to a second to bring both ends of a link up.
const REST: Duration = Duration::from_millis(1200);

/// The links that rest, and until when.
#[derive(Debug, Default)]
pub(super) struct Resting(BTreeMap<u32, Instant>);

impl Resting {
    /// A link has come back.
    pub(super) fn begin(&mut self, now: Instant, device: u32) {
        self.0.insert(device, now + REST);
    }

    /// A link whose rest is over, once.
    pub(super) fn take_rested(&mut self, now: Instant) -> Option<u32> {
        let device = self.0.iter().find(|(_, until)| **until <= now).map(|(device, _)| *device)?;
        self.0.remove(&device);
        Some(device)
    }

    /// When the next rest is over.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.values().min().copied()
    }
}
