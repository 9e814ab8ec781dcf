//! How many prefixes a peer may send, and how much memory their attributes may take.

use bgp::config::{LimitAction, PrefixLimit};

use super::Facts;

pub(super) fn peer(facts: &mut Facts, key: &dyn Fn(&str) -> String, limit: &PrefixLimit) {
    let most = limit.most.map_or("unlimited".to_owned(), |most| most.to_string());
    facts.add(&key("max_prefixes"), most);
    let octets = limit.octets.map_or("unlimited".to_owned(), |most| most.to_string());
    facts.add(&key("max_attribute_octets"), octets);
    facts.add(&key("max_prefixes_warn_at"), limit.warn_at);
    match limit.action {
        LimitAction::Warn => facts.add(&key("max_prefixes_action"), "warn"),
        LimitAction::Block => facts.add(&key("max_prefixes_action"), "block"),
        LimitAction::Restart(after) => {
            facts.add(&key("max_prefixes_action"), "restart");
            let seconds = if after == LimitAction::FOR_GOOD { 0 } else { after.as_secs() };
            facts.add(&key("max_prefixes_restart"), seconds);
        }
    }
}
