//! Tables by pages.

use std::{collections::BTreeMap, net::IpAddr};

use bgp::{
    core::{AdjRibIn, AdvertisedRoute, Core, RouteView},
    types::{Family, Now, PeerId},
};
use ipnet::IpNet;

use super::{
    rows::{
        fib::{Slot, difference, row},
        route::{Context, Shown, advertised, rows},
    },
    state::Daemon,
};
use crate::api::{
    backend::{Cursor, PAGE_ROWS, Page},
    protocol::{
        ApiError, ErrorCode,
        fib::{FibRow, FibSelect},
        route::{RouteQuery, RouteRow, RouteSide},
    },
};

/// A page of kernel routes.
///
/// # Errors
///
/// When the FIB layer does not answer.
pub(super) async fn fib(
    daemon: &Daemon,
    select: FibSelect,
    cursor: Option<&Cursor>,
) -> Result<Page, ApiError> {
    let from = match cursor {
        None => None,
        Some(cursor) => Some(cursor.0.parse().map_err(|_| bad_cursor())?),
    };
    let slot = slot(daemon);
    let (rows, next): (Vec<FibRow>, _) = match select {
        FibSelect::All => {
            let page = daemon.fib.routes(from, PAGE_ROWS).await.map_err(internal)?;
            (page.routes.iter().map(|view| row(view, slot)).collect(), page.next)
        }
        FibSelect::Different => {
            let page = daemon.fib.diff(from, PAGE_ROWS).await.map_err(internal)?;
            (page.entries.iter().map(|entry| difference(entry, slot)).collect(), page.next)
        }
    };
    Ok(Page::of(rows)?.then(next.map(|prefix| Cursor(prefix.to_string()))))
}

/// How our routes look in the kernel.
#[must_use]
pub(super) fn slot(daemon: &Daemon) -> Slot {
    let kernel = daemon.loaded().intent.kernel;
    Slot { protocol: kernel.protocol, metric: kernel.metric }
}

/// A page of routes of the RIB.
///
/// # Errors
///
/// When the query names what is not there, or the speaker does not answer.
pub(super) async fn routes(
    daemon: &Daemon,
    query: &RouteQuery,
    cursor: Option<&Cursor>,
) -> Result<Page, ApiError> {
    let within = query.prefix.as_deref().map(parse_target).transpose()?;
    let reader =
        Reader { peer: query.peer.clone(), side: query.side, within, at: Place::of(cursor, within)? };
    let (rows, next) =
        daemon.speaker.query(move |core, now| reader.read(core, now)).await.map_err(internal)??;
    Ok(Page::of(rows)?.then(next))
}

/// A prefix, or an address as a prefix of full length.
///
/// # Errors
///
/// When it is neither.
pub(super) fn parse_target(text: &str) -> Result<IpNet, ApiError> {
    if let Ok(prefix) = text.parse::<IpNet>() {
        return Ok(prefix.trunc());
    }
    let address: Result<IpAddr, _> = text.parse();
    address.map(IpNet::from).map_err(|_| {
        ApiError::new(ErrorCode::BadRequest, format!("{text:?} is neither a prefix nor an address"))
    })
}

/// Where a page starts: a family, and behind which prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    family: Family,
    after: Option<IpNet>,
}

impl Place {
    fn of(cursor: Option<&Cursor>, within: Option<IpNet>) -> Result<Self, ApiError> {
        let family_of = |prefix: &IpNet| match prefix {
            IpNet::V4(_) => Family::Ipv4Unicast,
            IpNet::V6(_) => Family::Ipv6Unicast,
        };
        match cursor.map(|c| c.0.as_str()) {
            None => Ok(Self { family: within.as_ref().map_or(Family::Ipv4Unicast, family_of), after: None }),
            Some("ipv6") => Ok(Self { family: Family::Ipv6Unicast, after: None }),
            Some(text) => {
                let prefix: IpNet = text.parse().map_err(|_| bad_cursor())?;
                Ok(Self { family: family_of(&prefix), after: Some(prefix) })
            }
        }
    }
}

struct Reader {
    peer: Option<String>,
    side: RouteSide,
    within: Option<IpNet>,
    at: Place,
}

type Rows = Result<(Vec<RouteRow>, Option<Cursor>), ApiError>;

impl Reader {
    /// Runs in the speaker's task: bounded by a page.
    fn read(&self, core: &Core, now: Now) -> Rows {
        let names: BTreeMap<PeerId, String> = core.peers().map(|(id, c)| (id, c.name.clone())).collect();
        let name = |id| names.get(&id).cloned().unwrap_or_else(|| "gone".to_owned());
        let context = Context { peer_name: &name, now };
        let peer = self.peer_id(core)?;
        if self.side == RouteSide::Advertised {
            let Some(peer) = peer else { return Err(needs_peer()) };
            let page = core.adj_rib_out(peer, self.at.family, self.at.after, PAGE_ROWS);
            let wanted = |route: &&AdvertisedRoute| self.covers(route.prefix);
            let rows = page.items.iter().filter(wanted).map(|r| advertised(r, &name(peer))).collect();
            return Ok((rows, self.next(page.next)));
        }
        let (routes, next) = self.views(core, peer)?;
        let shown = if self.side == RouteSide::Received { Shown::Received } else { Shown::Accepted };
        let rows = routes.iter().flat_map(|route| rows(&self.cut(route, peer), shown, &context)).collect();
        Ok((rows, next))
    }

    fn peer_id(&self, core: &Core) -> Result<Option<PeerId>, ApiError> {
        let Some(wanted) = &self.peer else { return Ok(None) };
        let address: Option<IpAddr> = wanted.parse().ok();
        let found = core.peers().find(|(_, c)| c.name == *wanted || Some(c.address) == address);
        found.map(|(id, _)| Some(id)).ok_or_else(|| no_such_peer(wanted))
    }

    fn views(&self, core: &Core, peer: Option<PeerId>) -> Result<(Vec<RouteView>, Option<Cursor>), ApiError> {
        if let Some(target) = self.within.filter(|p| p.prefix_len() == p.max_prefix_len()) {
            return Ok((covering(core, target), None));
        }
        let first = self.within.filter(|_| self.at.after.is_none());
        let after = self.at.after.or(first);
        let page = match (self.side, peer) {
            (RouteSide::LocRib, None) => core.loc_rib(self.at.family, after, PAGE_ROWS),
            (_, None) => return Err(needs_peer()),
            (side, Some(peer)) => core.adj_rib_in(peer, part(side), self.at.family, after, PAGE_ROWS),
        };
        let own = first.and_then(|prefix| core.route(prefix));
        let left = page.items.last().is_some_and(|last| !self.covers(last.prefix));
        let inside = page.items.into_iter().filter(|route| self.covers(route.prefix));
        let routes = own.into_iter().chain(inside).collect();
        Ok((routes, if left { None } else { self.next(page.next) }))
    }

    /// The route with the paths that were asked for only.
    fn cut(&self, route: &RouteView, peer: Option<PeerId>) -> RouteView {
        let wanted = |rejected: bool| match self.side {
            RouteSide::Rejected => rejected,
            RouteSide::LocRib | RouteSide::Accepted => !rejected,
            RouteSide::Received | RouteSide::Advertised => true,
        };
        let paths = route
            .paths
            .iter()
            .filter(|p| wanted(p.reason.is_rejected()) && (peer.is_none() || p.peer == peer))
            .cloned()
            .collect();
        RouteView { prefix: route.prefix, paths }
    }

    fn covers(&self, prefix: IpNet) -> bool {
        self.within.is_none_or(|within| within.contains(&prefix))
    }

    /// After the last IPv4 route comes IPv6, unless one family was asked for.
    fn next(&self, next: Option<IpNet>) -> Option<Cursor> {
        match next {
            Some(prefix) => Some(Cursor(prefix.to_string())),
            None if self.at.family == Family::Ipv4Unicast && self.within.is_none() => {
                Some(Cursor("ipv6".to_owned()))
            }
            None => None,
        }
    }
}

/// Every route that contains the target, shortest prefix first.
fn covering(core: &Core, target: IpNet) -> Vec<RouteView> {
    (0..=target.max_prefix_len())
        .filter_map(|length| IpNet::new(target.addr(), length).ok())
        .filter_map(|prefix| core.route(prefix.trunc()))
        .collect()
}

fn part(side: RouteSide) -> AdjRibIn {
    match side {
        RouteSide::Received => AdjRibIn::Received,
        RouteSide::Rejected => AdjRibIn::Rejected,
        RouteSide::LocRib | RouteSide::Accepted | RouteSide::Advertised => AdjRibIn::Accepted,
    }
}

/// Whatever went wrong inside.
pub(super) fn internal(error: impl ToString) -> ApiError {
    ApiError::new(ErrorCode::Internal, error.to_string())
}

/// No such peer.
#[must_use]
pub(super) fn no_such_peer(name: &str) -> ApiError {
    ApiError::new(ErrorCode::NotFound, format!("no peer has the name or address {name:?}"))
        .remedy("`siskin peers` lists them")
}

fn needs_peer() -> ApiError {
    ApiError::new(ErrorCode::BadRequest, "this side is a peer's: name one with `peer`")
}

fn bad_cursor() -> ApiError {
    ApiError::new(ErrorCode::BadRequest, "not a cursor that was handed out")
}
