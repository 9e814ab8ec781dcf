//! Timer jitter.

use std::time::Duration;

/// Spreads timers so that peers do not fall into step (RFC 4271 section 10); the same seed gives the same run.
#[derive(Clone, Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Between 0.75 and 1.0 times `base`.
    pub(crate) fn spread(&mut self, base: Duration) -> Duration {
        base.mul_f64(0.75 + 0.25 * self.unit())
    }

    /// The next number in `0.0..1.0` (SplitMix64).
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_between_three_quarters_and_the_whole() {
        let mut jitter = Jitter::new(7);
        let base = Duration::from_secs(100);
        for _ in 0..1000 {
            let value = jitter.spread(base);
            assert!((Duration::from_secs(75)..=base).contains(&value), "{value:?}");
        }
    }

    #[test]
    fn jitter_takes_its_numbers_from_splitmix64() {
        let published = [6_457_827_717_110_365_317_u64, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        let mut jitter = Jitter::new(1_234_567);
        for number in published {
            assert_eq!(jitter.unit(), (number >> 11) as f64 / 2_f64.powi(53));
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_jitter() {
        let draw = |seed| Jitter::new(seed).spread(Duration::from_secs(1));
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
