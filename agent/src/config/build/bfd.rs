//! `[bfd]`: what every session has unless its peer says otherwise.

use std::{num::NonZeroU8, ops::RangeInclusive, time::Duration};

use bgp::bfd::{BfdConfig, Parameters};

use crate::config::{error::Fault, intent::Bfd, reader::Reader, values};

/// Milliseconds. Below ten, the load of a few hundred sessions is felt, and an idle virtual machine fails to keep up.
const INTERVALS: RangeInclusive<u32> = 10..=60_000;

/// Whether paths are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watch {
    On,
    Off,
}

pub(super) fn bfd(reader: &mut Reader) -> Bfd {
    let table = reader.table("bfd");
    let usual = Parameters::default();
    let interval = reader.get(&table, "interval", interval).map_or(usual.min_tx, |s| s.value);
    let multiplier = reader.get(&table, "multiplier", multiplier).map_or(usual.multiplier, |s| s.value);
    let parameters = Parameters { min_tx: interval, min_rx: interval, multiplier };
    let mesh = reader.get(&table, "mesh", watch).map_or(Watch::Off, |s| s.value);
    let config = BfdConfig { parameters, ..BfdConfig::default() };
    Bfd { parameters, mesh: (mesh == Watch::On).then_some(config) }
}

/// Milliseconds between packets.
pub(super) fn interval(text: &str) -> Result<Duration, Fault> {
    values::number(text, INTERVALS).map(|n| Duration::from_millis(n.into()))
}

/// How many packets may be lost.
pub(super) fn multiplier(text: &str) -> Result<NonZeroU8, Fault> {
    let number: u8 = values::number(text, 1..=255).and_then(values::narrow)?;
    NonZeroU8::new(number).ok_or_else(|| Fault::new("0 is out of range", "use 1 to 255"))
}

/// `on` or `off`.
pub(super) fn watch(text: &str) -> Result<Watch, Fault> {
    values::word(text, &[("on", Watch::On), ("off", Watch::Off)])
}
