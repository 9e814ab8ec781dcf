//! BFD.

use bgp::bfd::{BfdConfig, PathChoice};

use super::Facts;
use crate::config::intent::Bfd;

pub(super) fn general(facts: &mut Facts, bfd: Bfd) {
    facts.add("bfd.mesh", on_off(bfd.mesh.is_some()));
    facts.add("bfd.interval", bfd.parameters.min_tx.as_millis());
    facts.add("bfd.multiplier", bfd.parameters.multiplier);
}

pub(super) fn of_peer(facts: &mut Facts, key: &dyn Fn(&str) -> String, bfd: Option<BfdConfig>) {
    facts.add(&key("bfd"), on_off(bfd.is_some()));
    let Some(BfdConfig { parameters, path }) = bfd else { return };
    facts.add(&key("bfd_min_tx"), parameters.min_tx.as_millis());
    facts.add(&key("bfd_min_rx"), parameters.min_rx.as_millis());
    facts.add(&key("bfd_multiplier"), parameters.multiplier);
    let multihop = match path {
        PathChoice::Auto => "auto",
        PathChoice::MultiHop => "on",
        PathChoice::SingleHop => "off",
    };
    facts.add(&key("bfd_multihop"), multihop);
}

fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}
