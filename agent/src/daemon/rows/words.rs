//! Codes in words.

use bgp::{
    core::Withheld,
    decision::{Reason, Step},
    policy::RejectReason,
};
use serde::Serialize;

/// The JSON name of an enum without data.
#[must_use]
pub(crate) fn name(value: impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A routing protocol as iproute2 names it, or its number.
#[must_use]
pub(crate) fn protocol(number: u8) -> String {
    match number {
        1 => "redirect",
        2 => "kernel",
        3 => "boot",
        4 => "static",
        9 => "ra",
        11 => "zebra",
        12 => "bird",
        16 => "dhcp",
        186 => "bgp",
        other => return other.to_string(),
    }
    .to_owned()
}

/// A condition of a term: `not_next_hops` is `next hop not`.
#[must_use]
pub(crate) fn condition(key: &str) -> String {
    let (name, not) = match key.strip_prefix("not_") {
        Some(name) => (name, " not"),
        None => (key, ""),
    };
    let phrase = match name {
        "prefixes" => "prefix",
        "next_hops" => "next hop",
        "interfaces" => "interface",
        "peers" | "peer_type" => "peer",
        "learned_from" => "learned from",
        "communities" => "community",
        "all_communities" => "communities",
        "as_paths" => "AS path",
        "as_path_contains" => "AS path contains",
        "neighbor_as" => "neighbour AS",
        "origin_as" => "origin AS",
        "as_path_length" => "AS path length",
        "local_pref" => "LOCAL_PREF",
        "med" => "MED",
        other => other,
    };
    format!("{phrase}{not}")
}

/// What a guard is against.
#[must_use]
pub(crate) fn guard(name: &str) -> Option<&'static str> {
    Some(match name {
        "own-blocks" => "import, prefix equal to one of our blocks",
        "unknown-tunnel-next-hop" => {
            "import from external peers, prefix in a pool with IPIP, next hop no known node"
        }
        "unexported-pools" => "export, prefix in a pool with export = false",
        _ => return None,
    })
}

/// A change that a term makes; `None`: the key is no change.
#[must_use]
pub(crate) fn change(key: &str) -> Option<&'static str> {
    Some(match key {
        "delete_communities" => "delete communities",
        "set_communities" => "replace all communities by",
        "add_communities" => "add communities",
        "prepend" => "prepend our AS, times:",
        "prepend_asn" => "prepend instead",
        "set_local_pref" => "set LOCAL_PREF",
        "set_med" => "set MED",
        "set_origin" => "set origin",
        "set_weight" => "set weight",
        "set_next_hop" => "set next hop",
        _ => return None,
    })
}

/// Why a path that is not the best is not.
#[must_use]
pub(crate) fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Best => "the best",
        Reason::Lost(step) => lost(step),
        Reason::Multipath => "as good as the best, and packets take it too",
        Reason::MultipathAsPath => {
            "as good as the best, but through other ASes (multipath_as_path = \"same\")"
        }
        Reason::MultipathNextHop => "as good as the best, with a next hop that packets take already",
        Reason::MultipathFull => {
            "as good as the best, but the route has as many next hops as it may (multipath)"
        }
        Reason::NextHopPending => "the reachability of its next hop is not known yet",
        Reason::NextHopUnreachable => "no route to its next hop",
        Reason::NextHopLoop => "it would be the way to its own next hop",
        Reason::NextHopOwn => "its next hop is our own address",
        Reason::AsLoop => "our AS is in its AS path",
        Reason::OriginatorLoop => "we originated it ourselves (ORIGINATOR_ID)",
        Reason::ClusterLoop => "it has been through our cluster before (CLUSTER_LIST)",
        Reason::FirstAs => "its AS path does not begin with the peer's AS (enforce_first_as)",
        Reason::OtcLeak => {
            "it has been leaked: marked only-to-customer, it came from where it must not (role)"
        }
        Reason::Martian => {
            "no route leads to such a prefix: multicast, loopback, link-local or reserved (allow_reserved_ranges)"
        }
        Reason::OnlyForPeers => "only for peers with default_originate, not used here",
        Reason::Rejected(why) => rejected(why),
    }
}

/// Why a route is not announced.
#[must_use]
pub(crate) fn withheld(why: Withheld) -> &'static str {
    match why {
        Withheld::SelectionDeferred => "we have restarted and wait for the peers' routes",
        Withheld::SplitHorizon => "it was learned from there",
        Withheld::NextHopIsReceiver => "its next hop is the peer itself",
        Withheld::NotReflected => "learned over iBGP, and neither end is our route reflector client",
        Withheld::OnlyToCustomers => "it may only go to customers (RFC 9234), which the peer is not",
        Withheld::LongLivedStale => {
            "it is long-lived stale, and the peer has not said that it takes such routes"
        }
        Withheld::NoAdvertise => "NO_ADVERTISE is attached",
        Withheld::NoExport => "NO_EXPORT is attached",
        Withheld::NoOwnAddress => "we have no address of its family to name as next hop",
        Withheld::NextHopFamily => {
            "its next hop is of a family that the peer does not take (extended_next_hop)"
        }
        Withheld::TooLong => "its attributes do not fit the longest message the peer takes",
        Withheld::Rejected(reason) => rejected(reason),
    }
}

fn rejected(reason: RejectReason) -> &'static str {
    match reason {
        RejectReason::Policy => "a policy refuses it",
        RejectReason::ImportNone => "nothing is imported from this peer (import = \"none\")",
        RejectReason::OutsidePools => "it lies in no pool (import = \"pools\")",
        RejectReason::OwnBlock => "it equals one of our own blocks",
        RejectReason::UnknownTunnelNextHop => {
            "its pool tunnels, and its next hop is no known node (mesh, tunnel.next_hops, iBGP)"
        }
        RejectReason::ExportNone => "nothing is exported to this peer (export = \"none\")",
        RejectReason::NotOwnBlock => "it is no block of ours (export = \"blocks\")",
        RejectReason::PoolNotExported => "its pool is not exported",
        RejectReason::InterfacePending => "the interface that leads to the peer is not known yet",
    }
}

/// What decided for the best path in this step.
#[must_use]
pub(crate) fn won(step: Step) -> &'static str {
    match step {
        Step::LocalOrigin => "our own",
        Step::Weight => "the highest weight",
        Step::LocalPref => "the highest LOCAL_PREF",
        Step::AsPathLength => "the shortest AS path",
        Step::Origin => "the lowest ORIGIN",
        Step::Med => "the lowest MED",
        Step::External => "learned over eBGP",
        Step::IgpCost => "the nearest next hop",
        Step::Oldest => "the oldest",
        Step::Validity => "the others are long-lived stale",
        Step::RouterId => "the lowest BGP Identifier",
        Step::ClusterListLength => "the shortest CLUSTER_LIST",
        Step::PeerAddress => "the lowest peer address",
        Step::PathId => "the lowest path identifier",
    }
}

fn lost(step: Step) -> &'static str {
    match step {
        Step::LocalOrigin => "the best is our own",
        Step::Weight => "a lower weight than the best",
        Step::LocalPref => "a lower LOCAL_PREF than the best",
        Step::AsPathLength => "a longer AS path than the best",
        Step::Origin => "a higher ORIGIN than the best",
        Step::Med => "a higher MED than the best",
        Step::External => "learned over iBGP, the best over eBGP",
        Step::IgpCost => "its next hop is farther than the best's",
        Step::Oldest => "younger than the best",
        Step::Validity => "long-lived stale: a last resort",
        Step::RouterId => "a higher BGP Identifier than the best",
        Step::ClusterListLength => "a longer CLUSTER_LIST than the best",
        Step::PeerAddress => "a higher peer address than the best",
        Step::PathId => "a higher path identifier than the best",
    }
}

/// Why packets travel as they do.
#[must_use]
pub(crate) fn decision(reason: fib::decide::Reason) -> &'static str {
    use fib::decide::Reason;
    match reason {
        Reason::LocalBlock => "one of our own blocks: what no pod here answers for is dropped",
        Reason::LocalAddress => "a block of one address, which its pod's own route serves",
        Reason::PoolAlways => "the pool tunnels always",
        Reason::SameSubnet => "the pool tunnels across subnets, and the next hop is in our own",
        Reason::OtherSubnet => "the pool tunnels across subnets, and the next hop is outside our own",
        Reason::HostNodeNetwork => "the pool tunnels across subnets, and our own is a single address",
        Reason::NoNodeNetwork => "the pool tunnels across subnets, and we have none of its family",
        Reason::PoolNever => "the pool never tunnels",
        Reason::PoolVxlan => "the pool uses VXLAN, which is left to Felix",
        Reason::NoPool => "no pool contains it, so it is never tunnelled",
        Reason::DiscardAsked => {
            "the BLACKHOLE community asks for its packets being dropped (kernel.blackhole_community)"
        }
        Reason::NotIpv4 => "IPIP carries IPv4 only",
        Reason::Connected => "it is a network on a link of this host, which the kernel's own route serves",
        Reason::OwnAddress => "it is an address of this host",
    }
}
