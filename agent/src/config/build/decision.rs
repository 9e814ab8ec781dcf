//! `[bgp]`: the knobs of the Decision Process.

use std::num::NonZeroU8;

use bgp::config::DecisionConfig;

use crate::config::{reader::Reader, values, words};

/// Most next hops of a route: what kernels and other routers handle well.
const MOST_NEXT_HOPS: u32 = 64;

pub(super) fn decision(reader: &mut Reader) -> DecisionConfig {
    let table = reader.table("bgp");
    let default = DecisionConfig::default();
    let multipath = reader.get(&table, "multipath", |text| {
        values::number(text, 1..=MOST_NEXT_HOPS).and_then(values::narrow::<u8>)
    });
    let med_missing = reader.get(&table, "med_missing", |text| values::word(text, &words::MED_MISSING));
    let med_compare = reader.get(&table, "med_compare", |text| values::word(text, &words::MED_COMPARE));
    let tie_break = reader.get(&table, "tie_break", |text| values::word(text, &words::TIE_BREAK));
    let as_path = reader.get(&table, "multipath_as_path", |text| values::word(text, &words::AS_PATHS));
    DecisionConfig {
        med_missing: med_missing.map_or(default.med_missing, |s| s.value),
        med_compare: med_compare.map_or(default.med_compare, |s| s.value),
        tie_break: tie_break.map_or(default.tie_break, |s| s.value),
        multipath: multipath.and_then(|s| NonZeroU8::new(s.value)).unwrap_or(default.multipath),
        multipath_as_path: as_path.map_or(default.multipath_as_path, |s| s.value),
    }
}
