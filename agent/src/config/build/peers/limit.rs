//! How many prefixes a peer may send, and how much memory their attributes may take.

use std::time::Duration;

use bgp::config::{LimitAction, PrefixLimit};

use super::PeerReader;
use crate::config::{
    error::Fault,
    intent::{ImportRule, Step},
    values,
};

const MAX_PREFIXES: u32 = 100_000;

/// The words of `max_prefixes_action`, before the time of a restart is known.
const ACTIONS: [(&str, LimitAction); 3] = [
    ("restart", LimitAction::Restart(Duration::ZERO)),
    ("block", LimitAction::Block),
    ("warn", LimitAction::Warn),
];

impl PeerReader<'_> {
    pub(super) fn limit(&mut self, import: &[Step<ImportRule>]) -> PrefixLimit {
        let default = PrefixLimit::default();
        let most = self.max_prefixes(import);
        let octets = self.max_attribute_octets().unwrap_or(default.octets);
        let action = self.get("max_prefixes_action", |text| values::word(text, &ACTIONS));
        let restart = self.get("max_prefixes_restart", |text| values::seconds(text, 0..=86400));
        let percent = |text: &str| values::number(text, 1..=100).and_then(values::narrow::<u8>);
        let warn_at = self.get("max_prefixes_warn_at", percent).unwrap_or(default.warn_at);
        let action = match (action.unwrap_or(default.action), restart) {
            (LimitAction::Restart(_), Some(Duration::ZERO)) => LimitAction::Restart(LimitAction::FOR_GOOD),
            (LimitAction::Restart(_), Some(after)) => LimitAction::Restart(after),
            (action, _) => action,
        };
        PrefixLimit { most, octets, warn_at, action }
    }

    fn max_attribute_octets(&mut self) -> Option<Option<u64>> {
        let parse = |text: &str| unlimited_or(text, |text| values::number(text, 4096..=u32::MAX));
        self.get("max_attribute_octets", parse).map(|most| most.map(u64::from))
    }

    fn max_prefixes(&mut self, import: &[Step<ImportRule>]) -> Option<u32> {
        let parse = |text: &str| unlimited_or(text, |text| values::number(text, 1..=u32::MAX));
        match import {
            [Step::Word(ImportRule::All)] => {
                self.or_derived("max_prefixes", parse, None, "unlimited", "import is all")
            }
            _ => self.or_derived("max_prefixes", parse, Some(MAX_PREFIXES), "100000", ""),
        }
    }
}

fn unlimited_or<T>(text: &str, number: impl Fn(&str) -> Result<T, Fault>) -> Result<Option<T>, Fault> {
    match text {
        "unlimited" => Ok(None),
        _ => number(text)
            .map(Some)
            .map_err(|fault| Fault::new(fault.what, format!("{}, or unlimited", fault.remedy))),
    }
}
