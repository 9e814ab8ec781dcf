//! The monotonic clock of one speaker.

use std::time::{Duration, Instant};

use crate::types::Now;

/// Turns the operating system's clock into [`Now`]; copies agree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(self) -> Now {
        Now(self.0.elapsed())
    }

    /// The runtime's name for a point in time; far ahead for what it cannot express.
    pub(super) fn instant(self, at: Now) -> tokio::time::Instant {
        const FAR: Duration = Duration::from_secs(365 * 24 * 3600);
        self.0.checked_add(at.0).unwrap_or_else(|| Instant::now() + FAR).into()
    }
}
