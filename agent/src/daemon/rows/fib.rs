//! Kernel routes.

use std::num::NonZeroU32;

use fib::{
    route::Onlink,
    view::{Cause, DiffAction, DiffEntry, KernelRouteView, LegView, LinkState, RouteView, State},
};
use ipnet::IpNet;

use super::words;
use crate::api::protocol::fib::{FibRow, KernelRoute, NextHop};

/// How our routes look in the kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    /// `rtm_protocol`.
    pub protocol: u8,
    /// Their metric.
    pub metric: u32,
}

/// A route of ours.
#[must_use]
pub(crate) fn row(view: &RouteView, slot: Slot) -> FibRow {
    FibRow {
        route: KernelRoute {
            nhid: view.object.map(|id| id.0),
            mtu: view.mtu.map(NonZeroU32::get),
            ..route(
                view.kind.as_deref().unwrap_or("unicast"),
                view.prefix,
                &view.legs,
                slot.protocol,
                slot.metric,
            )
        },
        path: path(view),
        reason: view.reason.map(words::name).unwrap_or_default(),
        state: words::name(view.state),
        error: trouble(view),
        kernel: None,
        change: None,
    }
}

fn path(view: &RouteView) -> String {
    view.path.map_or_else(|| "-".to_owned(), words::name)
}

/// Why a route is not installed, in words.
#[must_use]
pub(crate) fn trouble(view: &RouteView) -> Option<String> {
    let errno = view.errno.map(|e| format!("the kernel says {e}"));
    let owner = view
        .owner
        .map(|owner| format!("a route of protocol {} has this prefix and metric", words::protocol(owner)));
    match view.state {
        State::Installed | State::NotOurs => None,
        State::Conflict => owner.or(errno),
        State::Failed => errno.or(owner),
        State::Pending | State::Stale | State::Unreachable => view.cause.map(cause),
    }
}

/// A cause in words.
#[must_use]
pub(crate) fn cause(cause: Cause) -> String {
    match cause {
        Cause::Queued => "on its way to the kernel",
        Cause::NextHopUnreachable => "its next hop cannot be reached",
        Cause::NextHopLoop => "followed to its next hop, it leads back to itself",
        Cause::TunnelDown => "the tunnel device is missing or down",
        Cause::TunnelWithheld => "the tunnel is not ready, see `siskin status`",
        Cause::ForeignRoute => "another's route has this prefix and metric",
        Cause::KernelError => "the kernel refused it; it is tried again",
        Cause::DryRun => "dry run",
        Cause::RestartUnderway => "adopted at start, kept until the restart is over",
    }
    .to_owned()
}

/// A difference between what we want and what the kernel holds.
#[must_use]
pub(crate) fn difference(entry: &DiffEntry, slot: Slot) -> FibRow {
    let held = entry.held.first().map(kernel_route);
    let wanted = entry.wanted.as_ref().map(kernel_route);
    let (change, kernel) = match entry.action {
        DiffAction::Add => ("add", held),
        DiffAction::Replace => ("replace", held),
        DiffAction::Remove => ("delete", None),
        DiffAction::Conflict => ("conflict", held),
        DiffAction::Wait => ("wait", held),
    };
    let waits = matches!(entry.action, DiffAction::Conflict | DiffAction::Wait);
    let shown = wanted.or_else(|| entry.held.first().map(kernel_route));
    FibRow {
        route: shown.unwrap_or_else(|| route("unicast", entry.prefix, &[], slot.protocol, slot.metric)),
        path: String::new(),
        reason: String::new(),
        state: if waits { "waiting" } else { "different" }.to_owned(),
        error: entry.cause.filter(|_| waits).map(cause),
        kernel,
        change: Some(change.to_owned()),
    }
}

/// A route in the kernel, whoever owns it.
#[must_use]
pub(crate) fn kernel_route(view: &KernelRouteView) -> KernelRoute {
    let nhid = view.object.map(|id| id.0);
    let mtu = view.mtu.map(NonZeroU32::get);
    KernelRoute { nhid, mtu, ..route(&view.kind, view.dst, &view.legs, view.protocol, view.metric) }
}

fn route(kind: &str, prefix: IpNet, legs: &[LegView], protocol: u8, metric: u32) -> KernelRoute {
    let mut route = KernelRoute {
        kind: (kind != "unicast").then(|| kind.to_owned()),
        dst: destination(prefix),
        protocol: Some(words::protocol(protocol)),
        metric: (metric != 0).then_some(metric),
        ..KernelRoute::default()
    };
    match legs {
        [only] => {
            route.gateway = only.gateway.map(|g| g.to_string());
            route.dev = Some(only.device.clone());
            route.flags = flags(only);
        }
        many => route.nexthops = many.iter().map(next_hop).collect(),
    }
    route
}

fn next_hop(leg: &LegView) -> NextHop {
    NextHop {
        gateway: leg.gateway.map(|g| g.to_string()).unwrap_or_default(),
        dev: leg.device.clone(),
        weight: leg.weight.into(),
        flags: flags(leg),
    }
}

fn flags(leg: &LegView) -> Vec<String> {
    let onlink = (leg.onlink == Onlink::Yes).then_some("onlink");
    let link = match leg.link {
        LinkState::Up => None,
        LinkState::NoCarrier => Some("linkdown"),
        LinkState::Down => Some("dead"),
    };
    link.into_iter().chain(onlink).map(str::to_owned).collect()
}

/// As `ip route` prints it: a host route without its length.
fn destination(prefix: IpNet) -> String {
    if prefix.prefix_len() == prefix.max_prefix_len() {
        prefix.addr().to_string()
    } else {
        prefix.to_string()
    }
}

#[cfg(test)]
mod tests {
    use fib::decide::{Reason, Verdict};

    use super::*;

    const SLOT: Slot = Slot { protocol: 179, metric: 0 };

    fn view() -> RouteView {
        RouteView {
            prefix: "172.16.196.128/26".parse().expect("a prefix"),
            path: Some(Verdict::Tunnel),
            reason: Some(Reason::PoolAlways),
            legs: vec![LegView {
                gateway: Some([192, 168, 92, 129].into()),
                device: "tunl0".into(),
                onlink: Onlink::Yes,
                weight: 1,
                link: LinkState::Up,
            }],
            kind: Some("unicast".to_owned()),
            object: None,
            mtu: None,
            state: State::Installed,
            cause: None,
            errno: None,
            owner: None,
        }
    }

    #[test]
    fn a_tunnelled_route_reads_as_in_the_kernel() {
        let row = row(&view(), SLOT);
        assert_eq!(row.route.to_string(), "172.16.196.128/26 via 192.168.92.129 dev tunl0 proto 179 onlink");
        assert_eq!((row.path.as_str(), row.state.as_str(), row.error), ("tunnel", "installed", None));
    }

    #[test]
    fn a_route_with_an_mtu_of_its_own_tells_it() {
        let row = row(&RouteView { mtu: NonZeroU32::new(1400), ..view() }, SLOT);
        assert!(row.route.to_string().ends_with("dev tunl0 proto 179 onlink mtu 1400"), "{}", row.route);
    }

    #[test]
    fn a_conflict_names_the_owner() {
        let row = row(&RouteView { state: State::Conflict, owner: Some(4), ..view() }, SLOT);
        assert_eq!(row.error.as_deref(), Some("a route of protocol static has this prefix and metric"));
    }
}
