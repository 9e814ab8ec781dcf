//! Addresses of pods on this host: host routes through an interface of a pod, inside a pool of ours.
//!
//! Those within our own blocks are covered by the block. The others are borrowed from a block of another host, which does
//! not know where they are: they have to be announced one by one.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use crate::{
    config::FibConfig,
    decide::Decider,
    route::KernelRoute,
    table::{Devices, RouteNotice},
};

/// The host routes seen, and which of them to announce.
#[derive(Debug, Default)]
pub(crate) struct Locals {
    protocol: u8,
    table: u32,
    decider: Decider,
    blocks: BTreeSet<IpNet>,
    patterns: Vec<String>,
    /// The device of each host route inside a pool that needs no gateway.
    routes: BTreeMap<IpNet, u32>,
    told: BTreeSet<IpNet>,
}

impl Locals {
    /// Takes what the configuration says of pools, blocks and interfaces.
    pub(crate) fn configure(&mut self, config: &FibConfig) -> Stale {
        (self.protocol, self.table) = (config.protocol, config.table);
        let decider = Decider::new(config);
        let stale = if self.decider == decider { Stale::No } else { Stale::Yes };
        self.decider = decider;
        self.blocks = config.local_blocks.iter().map(IpNet::trunc).collect();
        self.patterns.clone_from(&config.local_interfaces);
        stale
    }

    /// Takes a full dump.
    pub(crate) fn replace(&mut self, dump: &[KernelRoute]) {
        self.routes = dump.iter().filter_map(|route| self.local(route)).collect();
    }

    /// Takes a notification.
    pub(crate) fn observe(&mut self, notice: &RouteNotice) {
        let Some((prefix, device)) = self.local(notice.route()) else { return };
        match notice {
            RouteNotice::Added(_) | RouteNotice::Replaced(_) => _ = self.routes.insert(prefix, device),
            RouteNotice::Removed(_) => _ = self.routes.remove(&prefix),
        }
    }

    /// The kernel drops the routes of a device that goes or is set down without a word.
    pub(crate) fn device_lost(&mut self, device: u32) {
        self.routes.retain(|_, of| *of != device);
    }

    /// The addresses to announce, if others than before.
    pub(crate) fn take_news(&mut self, devices: &impl Devices) -> Option<BTreeSet<IpNet>> {
        let now = self.borrowed(devices);
        if now == self.told {
            return None;
        }
        self.told.clone_from(&now);
        Some(now)
    }

    fn borrowed(&self, devices: &impl Devices) -> BTreeSet<IpNet> {
        let of_a_pod = |device: u32| {
            devices.name(device).is_some_and(|name| self.patterns.iter().any(|p| matches(p, name)))
        };
        let covered = |prefix: &IpNet| self.blocks.iter().any(|block| block.contains(prefix));
        let routes = self.routes.iter().filter(|(prefix, device)| of_a_pod(**device) && !covered(prefix));
        routes.map(|(prefix, _)| *prefix).collect()
    }

    /// A host route of somebody else through a device, inside a pool.
    fn local(&self, route: &KernelRoute) -> Option<(IpNet, u32)> {
        let ours = route.protocol == self.protocol || route.table != self.table;
        let host = route.prefix.prefix_len() == route.prefix.max_prefix_len();
        match route.legs.as_slice() {
            [leg] if !ours && host && route.kind == libc::RTN_UNICAST && leg.gateway.is_none() => {
                self.decider.pool(route.prefix).map(|_| (route.prefix, leg.device))
            }
            _ => None,
        }
    }
}

/// Whether only another dump tells what is local.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stale {
    /// The routes seen are all there are.
    No,
    /// Others may be local now.
    Yes,
}

/// Whether a name is as the pattern says; `*` stands for any end.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use smallvec::smallvec;

    use super::*;
    use crate::{
        config::{Pool, PoolMode},
        resolve::on_link,
        route::Path,
        view::LinkState,
    };

    struct Pods;

    impl Devices for Pods {
        fn name(&self, index: u32) -> Option<&str> {
            [(5, "cali12ab"), (6, "eth0"), (7, "tap1")]
                .iter()
                .find(|(i, _)| *i == index)
                .map(|(_, name)| *name)
        }

        fn state(&self, _: u32) -> LinkState {
            LinkState::Up
        }
    }

    fn route(prefix: &str, device: u32) -> KernelRoute {
        let path = Path::Unicast(smallvec![on_link(device)]);
        let prefix = prefix.parse().unwrap();
        let legs = path.legs().into();
        KernelRoute { prefix, table: 254, protocol: 3, metric: 0, tos: 0, path, legs, kind: 1 }
    }

    /// The route of a pod whose packets may be no larger than that.
    fn limited(route: KernelRoute) -> KernelRoute {
        KernelRoute { path: route.path.limited(NonZeroU32::new(1380)), ..route }
    }

    fn locals() -> Locals {
        let mut locals = Locals::default();
        locals.configure(&FibConfig {
            pools: vec![Pool { cidr: "172.16.0.0/16".parse().unwrap(), mode: PoolMode::Always }],
            local_blocks: vec!["172.16.241.64/26".parse().unwrap()],
            local_interfaces: vec!["cali*".into(), "tap1".into()],
            ..FibConfig::default()
        });
        locals
    }

    fn told(locals: &mut Locals) -> Vec<String> {
        locals.take_news(&Pods).into_iter().flatten().map(|prefix| prefix.to_string()).collect()
    }

    #[test]
    fn borrowed_addresses_are_announced_and_others_are_not() {
        let mut locals = locals();
        locals.replace(&[
            route("172.16.9.7/32", 5),
            route("172.16.9.8/32", 7),
            route("172.16.9.9/32", 6),
            route("172.16.241.69/32", 5),
            route("172.16.10.0/26", 5),
            route("10.0.0.1/32", 5),
            KernelRoute { protocol: 179, ..route("172.16.9.10/32", 5) },
            limited(route("172.16.9.11/32", 5)),
            // With a preferred source, say.
            KernelRoute { path: Path::Other, ..route("172.16.9.12/32", 5) },
            KernelRoute { kind: libc::RTN_LOCAL, ..route("172.16.9.13/32", 5) },
        ]);
        let borrowed = ["172.16.9.7/32", "172.16.9.8/32", "172.16.9.11/32", "172.16.9.12/32"];
        assert_eq!(told(&mut locals), borrowed);
        assert_eq!(locals.take_news(&Pods), None);
        locals.observe(&RouteNotice::Removed(route("172.16.9.8/32", 7)));
        assert_eq!(told(&mut locals), ["172.16.9.7/32", "172.16.9.11/32", "172.16.9.12/32"]);
        locals.device_lost(5);
        assert_eq!(locals.take_news(&Pods), Some(BTreeSet::new()));
    }
}
