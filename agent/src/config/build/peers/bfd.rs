//! Whether and how the path to a peer is watched.

use bgp::bfd::{BfdConfig, Parameters, PathChoice};

use super::PeerReader;
use crate::config::{
    build::bfd::{Watch, interval, multiplier, watch},
    values,
};

impl PeerReader<'_> {
    /// Every key is read, so that wrong ones are told even while the path is not watched.
    pub(super) fn bfd(&mut self, usual: Parameters) -> Option<BfdConfig> {
        let watched = self.get("bfd", watch).unwrap_or(Watch::Off);
        let both = self.get("bfd_interval", interval);
        let min_tx = self.get("bfd_min_tx", interval);
        let min_rx = self.get("bfd_min_rx", interval);
        let multiplier = self.get("bfd_multiplier", multiplier);
        let words =
            [("auto", PathChoice::Auto), ("on", PathChoice::MultiHop), ("off", PathChoice::SingleHop)];
        let path = self.get("bfd_multihop", |text| values::word(text, &words)).unwrap_or_default();
        let parameters = Parameters {
            min_tx: min_tx.or(both).unwrap_or(usual.min_tx),
            min_rx: min_rx.or(both).unwrap_or(usual.min_rx),
            multiplier: multiplier.unwrap_or(usual.multiplier),
        };
        (watched == Watch::On).then_some(BfdConfig { parameters, path })
    }
}
