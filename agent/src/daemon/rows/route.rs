//! Routes of the RIB.

use bgp::{
    core::{AdvertisedRoute, Delivery, Freshness, PathView, RouteView},
    decision::Reason,
    types::{Now, PeerId},
    wire::{
        attribute::{Origin, PathAttributes},
        community::{Community, ExtendedCommunity},
    },
};
use ipnet::IpNet;

use super::words;
use crate::api::protocol::route::RouteRow;

/// What the rows need to know besides the route.
pub(crate) struct Context<'a> {
    /// A peer's name.
    pub peer_name: &'a dyn Fn(PeerId) -> String,
    /// The present.
    pub now: Now,
}

/// Which attributes of a path are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// As received.
    Received,
    /// As import policy left them.
    Accepted,
}

/// One row per path, best first.
#[must_use]
pub(crate) fn rows(route: &RouteView, shown: Shown, context: &Context) -> Vec<RouteRow> {
    route.paths.iter().map(|path| row(route, path, shown, context)).collect()
}

fn row(route: &RouteView, path: &PathView, shown: Shown, context: &Context) -> RouteRow {
    let attributes = match shown {
        Shown::Received => &path.received,
        Shown::Accepted => &path.attributes,
    };
    RouteRow {
        next_hop: path.peer.map(|_| attributes.next_hop.hop().to_string()),
        path_id: Some(path.path_id).filter(|id| *id != 0 && path.peer.is_some()),
        peer: path.peer.map(context.peer_name),
        state: state(path.reason).to_owned(),
        reason: path.reason.name().to_owned(),
        reason_text: reason(route, path),
        age: context.now.since(path.learned).as_secs(),
        time: crate::api::protocol::time::ago(context.now.since(path.learned)),
        stale: path.freshness != Freshness::Fresh,
        long_lived: path.freshness == Freshness::LongLivedStale,
        ..with_attributes(route.prefix, attributes)
    }
}

/// A row of an Adj-RIB-Out.
#[must_use]
pub(crate) fn advertised(route: &AdvertisedRoute, peer: &str) -> RouteRow {
    let pending = match (&route.attributes, route.delivery) {
        (None, _) => "withdrawal waits for the peer's socket",
        (Some(_), Delivery::Pending) => "waits for the peer's socket",
        (Some(_), Delivery::Sent) => "",
    };
    let base = match &route.attributes {
        Some(attributes) => RouteRow {
            next_hop: Some(attributes.next_hop.hop().to_string()),
            ..with_attributes(route.prefix, attributes)
        },
        None => RouteRow { prefix: route.prefix.to_string(), ..RouteRow::default() },
    };
    RouteRow {
        path_id: Some(route.path_id).filter(|id| *id != 0),
        peer: Some(peer.to_owned()),
        state: "advertised".to_owned(),
        reason: if pending.is_empty() { "sent" } else { "pending" }.to_owned(),
        reason_text: pending.to_owned(),
        ..base
    }
}

fn with_attributes(prefix: IpNet, attributes: &PathAttributes) -> RouteRow {
    let rare = attributes.rare.as_deref();
    RouteRow {
        prefix: prefix.to_string(),
        origin: origin(attributes.origin).to_owned(),
        as_path: attributes.as_path.to_string(),
        local_pref: attributes.local_pref,
        med: attributes.med,
        communities: rare.map_or_else(Vec::new, |r| texts(r.communities.iter().map(|c| Community(*c)))),
        large_communities: rare.map_or_else(Vec::new, |r| texts(&r.large_communities)),
        extended_communities: rare
            .map_or_else(Vec::new, |r| texts(r.extended_communities.iter().map(|c| ExtendedCommunity(*c)))),
        originator_id: rare.and_then(|r| r.originator_id).map(|id| id.to_string()),
        cluster_list: rare.map_or_else(Vec::new, |r| texts(&r.cluster_list)),
        ..RouteRow::default()
    }
}

/// Communities of every kind.
pub(super) fn texts_of(attributes: &PathAttributes) -> Vec<String> {
    let row = with_attributes(IpNet::default(), attributes);
    [row.communities, row.large_communities, row.extended_communities].concat()
}

fn texts<T: ToString>(items: impl IntoIterator<Item = T>) -> Vec<String> {
    items.into_iter().map(|item| item.to_string()).collect()
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Igp => "igp",
        Origin::Egp => "egp",
        Origin::Incomplete => "incomplete",
    }
}

fn state(reason: Reason) -> &'static str {
    match reason {
        Reason::Best => "best",
        Reason::Multipath => "multipath",
        Reason::Lost(_) | Reason::MultipathAsPath | Reason::MultipathNextHop | Reason::MultipathFull => {
            "usable"
        }
        Reason::NextHopPending | Reason::NextHopUnreachable | Reason::NextHopLoop => "unreachable",
        Reason::OnlyForPeers => "originated",
        _ => "rejected",
    }
}

/// Why the path stands where it does; for the best one: what made it better than the next.
fn reason(route: &RouteView, path: &PathView) -> String {
    if path.reason != Reason::Best {
        return words::reason(path.reason).to_owned();
    }
    let beside = route.paths.iter().filter(|p| p.reason == Reason::Multipath).count();
    if beside > 0 {
        return format!("the best of {} that share the route", beside + 1);
    }
    let closest = route.paths.iter().filter_map(|p| match p.reason {
        Reason::Lost(step) => Some(step),
        _ => None,
    });
    match closest.max_by_key(|step| step.place()) {
        Some(step) => words::won(step).to_owned(),
        None => "the only usable path".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, sync::Arc, time::Duration};

    use bgp::{
        decision::Step,
        wire::attribute::{AsPath, NextHop, RareAttributes},
    };

    use super::*;

    fn path(peer: u32, reason: Reason) -> PathView {
        let attributes = Arc::new(PathAttributes {
            origin: Origin::Igp,
            as_path: AsPath::default(),
            next_hop: NextHop::V4(Ipv4Addr::new(192, 168, 92, 129)),
            med: None,
            local_pref: Some(100),
            atomic_aggregate: false,
            rare: Some(Box::new(RareAttributes { communities: vec![0xffff_ff01], ..Default::default() })),
        });
        PathView {
            peer: Some(PeerId(peer)),
            path_id: 0,
            received: Arc::clone(&attributes),
            attributes,
            learned: Now(Duration::from_secs(10)),
            freshness: Freshness::Fresh,
            reason,
        }
    }

    #[test]
    fn the_best_path_says_what_it_won_by() {
        let prefix = "172.16.196.128/26".parse().expect("a prefix");
        let name = |id: PeerId| format!("peer{}", id.0);
        let context = Context { peer_name: &name, now: Now(Duration::from_secs(70)) };
        let paths = vec![path(1, Reason::Best), path(2, Reason::Lost(Step::RouterId))];
        let rows = rows(&RouteView { prefix, paths }, Shown::Accepted, &context);
        let [best, other] = rows.as_slice() else { panic!("two rows") };
        assert_eq!(
            (best.state.as_str(), best.age, best.communities.as_slice()),
            ("best", 60, &["no-export".to_owned()][..])
        );
        assert_eq!(best.reason_text, "the lowest BGP Identifier");
        assert_eq!(
            (other.state.as_str(), other.reason_text.as_str()),
            ("usable", "a higher BGP Identifier than the best")
        );
    }
}
