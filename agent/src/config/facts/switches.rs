//! What is done to routes beside policy.

use bgp::{
    config::{
        Blackhole, CommunityKind, DefaultRoute, FirstAs, GracefulShutdown, LongLivedRoutes, OwnAs,
        RoleDemand, RouteSwitches,
    },
    martian::ReservedRanges,
};

use super::{Facts, spelled, words};
use crate::config::intent::Bgp;

/// Those of the speaker as a whole.
pub(super) fn speaker(facts: &mut Facts, bgp: &Bgp) {
    facts.add("bgp.as_sets", spelled(bgp.as_sets, &words::AS_SETS));
    facts.add("bgp.allow_reserved_ranges", bgp.reserved_ranges == ReservedRanges::Allow);
    facts.add("bgp.graceful_shutdown", bgp.graceful_shutdown == GracefulShutdown::On);
    facts.add("bgp.long_lived_to_all", bgp.long_lived == LongLivedRoutes::ToAll);
    facts.add_if("bgp.cluster_id", bgp.cluster_id);
}

/// Those of one peer.
pub(super) fn peer(facts: &mut Facts, key: &dyn Fn(&str) -> String, switches: &RouteSwitches) {
    facts.add_if(&key("local_asn"), switches.local_as.map(|local| local.asn));
    let path = switches.local_as.map(|local| spelled(local.path, &words::LOCAL_AS_PATH));
    facts.add_if(&key("local_asn_path"), path);
    facts.add_if(&key("role"), switches.role.map(|role| spelled(role, &words::ROLE)));
    facts.add(&key("role_strict"), switches.role_demand == RoleDemand::Required);
    facts.add_list(&key("discard_attributes"), switches.unwanted.discarded.iter());
    facts.add_list(&key("withdraw_attributes"), switches.unwanted.withdrawn.iter());
    facts.add(&key("allow_as_in"), switches.allow_as_in);
    facts.add(&key("enforce_first_as"), switches.first_as == FirstAs::Enforce);
    facts.add(&key("remove_private_as"), spelled(switches.private_as, &words::PRIVATE_AS));
    facts.add(&key("as_override"), switches.own_as == OwnAs::Override);
    facts.add(&key("weight"), switches.weight);
    let kinds = [
        ("standard", CommunityKind::Standard),
        ("extended", CommunityKind::Extended),
        ("large", CommunityKind::Large),
    ];
    let sent = kinds.into_iter().filter(|(_, kind)| switches.communities.contains(*kind));
    facts.add_list(&key("send_communities"), sent.map(|(word, _)| word));
    facts.add(&key("graceful_shutdown"), switches.graceful_shutdown == GracefulShutdown::On);
    facts.add(&key("long_lived_to_all"), switches.long_lived == LongLivedRoutes::ToAll);
    facts.add(&key("blackhole"), switches.blackhole == Blackhole::Accept);
    facts.add(&key("default_originate"), switches.default_route == DefaultRoute::Originated);
}
