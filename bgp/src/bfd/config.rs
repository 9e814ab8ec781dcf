//! What a session is told.

use std::{net::IpAddr, num::NonZeroU8, sync::Arc, time::Duration};

use crate::config::TtlPolicy;

/// The shortest interval between packets while a session is not Up (RFC 5880 section 6.8.3).
pub const SLOW: Duration = Duration::from_secs(1);

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(4294);

/// BFD with one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BfdConfig {
    /// Intervals and multiplier.
    pub parameters: Parameters,
    /// Over how many hops.
    pub path: PathChoice,
}

/// What a session negotiates with (RFC 5880 section 6.8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// The shortest interval we like to send at (bfd.DesiredMinTxInterval): whole microseconds, 1 ms to 4294 s; what
    /// lies outside is taken for the bound.
    pub min_tx: Duration,
    /// The shortest interval we can receive at (bfd.RequiredMinRxInterval), likewise.
    pub min_rx: Duration,
    /// How many of our packets in a row may be lost before the neighbour declares the path down (bfd.DetectMult).
    pub multiplier: NonZeroU8,
}

/// Over how many hops a session runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathChoice {
    /// As many as the BGP session's TTL allows.
    #[default]
    Auto,
    /// One, whatever that allows.
    SingleHop,
    /// Several, whatever that allows.
    MultiHop,
}

/// The kind of path a session watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    /// One hop: port 3784, TTL 255 (RFC 5881).
    SingleHop,
    /// Any number of hops: port 4784 (RFC 5883).
    MultiHop,
}

/// Between whom a session runs. A session whose endpoint changes is another session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The neighbour.
    pub peer: IpAddr,
    /// Our address; `None`: the kernel's choice.
    pub source: Option<IpAddr>,
    /// The interface packets leave by and must arrive on; `None`: any.
    pub interface: Option<Arc<str>>,
    /// The kind of path.
    pub path: Path,
    /// The lowest TTL a received packet may have.
    pub minimum_ttl: u8,
}

impl Default for BfdConfig {
    /// 300 ms and a multiplier of 3: a dead path is noticed within 900 ms.
    fn default() -> Self {
        Self { parameters: Parameters::default(), path: PathChoice::Auto }
    }
}

impl Default for Parameters {
    fn default() -> Self {
        let interval = Duration::from_millis(300);
        Self { min_tx: interval, min_rx: interval, multiplier: NonZeroU8::MIN.saturating_add(2) }
    }
}

impl Parameters {
    /// The same within the bounds.
    pub(super) fn clamped(self) -> Self {
        let clamp = |interval: Duration| interval.clamp(SHORTEST, LONGEST);
        Self { min_tx: clamp(self.min_tx), min_rx: clamp(self.min_rx), ..self }
    }
}

impl BfdConfig {
    /// The kind of path for a BGP session with this TTL, and the lowest TTL its packets may arrive with.
    pub fn path(&self, ttl: TtlPolicy) -> (Path, u8) {
        let (path, minimum) = match ttl {
            TtlPolicy::Direct | TtlPolicy::Multihop(0 | 1) | TtlPolicy::Security(0 | 1) => {
                (Path::SingleHop, u8::MAX)
            }
            TtlPolicy::Multihop(_) => (Path::MultiHop, 0),
            TtlPolicy::Security(hops) => (Path::MultiHop, u8::MAX.saturating_sub(hops.saturating_sub(1))),
        };
        match (self.path, path) {
            (PathChoice::Auto, _) | (PathChoice::MultiHop, Path::MultiHop) => (path, minimum),
            (PathChoice::SingleHop, _) => (Path::SingleHop, u8::MAX),
            (PathChoice::MultiHop, Path::SingleHop) => (Path::MultiHop, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_follows_the_ttl_of_the_bgp_session() {
        let auto = BfdConfig::default();
        assert_eq!(auto.path(TtlPolicy::Direct), (Path::SingleHop, 255));
        assert_eq!(auto.path(TtlPolicy::Security(1)), (Path::SingleHop, 255));
        assert_eq!(auto.path(TtlPolicy::Multihop(64)), (Path::MultiHop, 0));
        assert_eq!(auto.path(TtlPolicy::Security(3)), (Path::MultiHop, 253));
    }

    #[test]
    fn the_path_can_be_chosen() {
        let chosen = |path| BfdConfig { path, ..BfdConfig::default() };
        assert_eq!(chosen(PathChoice::SingleHop).path(TtlPolicy::Multihop(64)), (Path::SingleHop, 255));
        assert_eq!(chosen(PathChoice::MultiHop).path(TtlPolicy::Direct), (Path::MultiHop, 0));
        assert_eq!(chosen(PathChoice::MultiHop).path(TtlPolicy::Security(2)), (Path::MultiHop, 254));
    }
}
