mod evaluation;
mod model;
mod sets;
mod well_known;

use std::sync::Arc;

use ipnet::IpNet;

use super::*;
use crate::{
    types::{Asn, Family, PeerType},
    wire::attribute::{AsPath, NextHop, Origin, PathAttributes},
};

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn attributes(next_hop: &str) -> PathAttributes {
    PathAttributes {
        origin: Origin::Igp,
        as_path: AsPath::default(),
        next_hop: NextHop::V4(next_hop.parse().unwrap()),
        med: None,
        local_pref: None,
        atomic_aggregate: false,
        rare: None,
    }
}

fn set(ranges: &[PrefixRange]) -> Arc<PrefixSet> {
    Arc::new(ranges.iter().copied().collect())
}

fn neighbor(kind: PeerType) -> Neighbor<'static> {
    Neighbor { name: "tor", address: "192.0.2.1".parse().unwrap(), kind }
}

fn session(kind: PeerType) -> SessionContext<'static> {
    SessionContext {
        peer: neighbor(kind),
        local_asn: Asn(64512),
        local_next_hop: Some(NextHop::V4("192.0.2.254".parse().unwrap())),
        family: Family::Ipv4Unicast,
    }
}

fn learned<'a>(prefix: &str, attributes: &'a PathAttributes, kind: PeerType) -> RouteContext<'a> {
    let source = RouteSource::Learned(neighbor(kind));
    RouteContext { prefix: net(prefix), attributes, session: session(kind), source, interfaces: &[] }
}

/// What a policy makes of a route.
fn outcome(policy: &Policy, route: &RouteContext<'_>) -> Option<PathAttributes> {
    let evaluation = policy.evaluate(route);
    let mut after = route.attributes.clone();
    policy.modify(&evaluation.modifying, &mut after, &route.session);
    (evaluation.verdict == Verdict::Accept).then_some(after)
}
