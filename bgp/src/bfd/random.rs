//! Numbers from a seed: the same seed gives the same run.

use std::{num::NonZeroU32, time::Duration};

/// SplitMix64.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number that is not zero.
    pub(super) fn discriminator(&mut self) -> NonZeroU32 {
        loop {
            let [.., a, b, c, d] = self.next().to_be_bytes();
            if let Some(number) = NonZeroU32::new(u32::from_be_bytes([a, b, c, d])) {
                return number;
            }
        }
    }

    /// An interval shortened as RFC 5880 section 6.8.7 wants it: to between 75 and 100 percent, and to at most 90 when
    /// a single lost packet would end the session.
    pub(super) fn shorten(&mut self, interval: Duration, multiplier: u8) -> Duration {
        let most: u64 = if multiplier == 1 { 900 } else { 1000 };
        let permille = 750_u64.saturating_add(self.next() % most.saturating_sub(749));
        let microseconds = interval.as_micros().saturating_mul(u128::from(permille)) / 1000;
        Duration::from_micros(u64::try_from(microseconds).unwrap_or(u64::MAX))
    }
}
