//! What the OPENs of a session agreed on, in words.

use bgp::{event::Negotiated, types::Families};

/// The capabilities in force.
#[must_use]
pub(super) fn capabilities(n: &Negotiated) -> Vec<String> {
    let notification = n.graceful_restart.as_ref().is_some_and(|r| r.notification);
    let extensions = &n.extensions;
    let plain = [
        (n.four_octet_asn, "4-octet AS"),
        (n.route_refresh, "route refresh"),
        (extensions.enhanced_refresh, "enhanced route refresh"),
        (n.max_message > 4096, "extended message"),
        (n.graceful_restart.is_some(), "graceful restart"),
        (notification, "graceful restart with NOTIFICATION"),
        (extensions.long_lived.is_some(), "long-lived graceful restart"),
    ];
    let plain = plain.into_iter().filter(|(agreed, _)| *agreed).map(|(_, name)| name.to_owned());
    let of_families = [
        ("ADD-PATH receive", extensions.paths_received),
        ("ADD-PATH send", extensions.families_sent_with_paths()),
        ("IPv6 next hops", extensions.ipv6_next_hops),
    ];
    let of_families = of_families.into_iter().filter(|(_, families)| !families.is_empty());
    plain.chain(of_families.map(|(name, families)| format!("{name} ({})", listed(families)))).collect()
}

fn listed(families: Families) -> String {
    families.iter().map(|family| family.to_string()).collect::<Vec<_>>().join(", ")
}
