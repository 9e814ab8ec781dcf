//! Random sets of kernel routes, networks on links and routes of ours against a naive model, which knows neither copies
//! nor indexes: it strikes the routes of every loop, one loop after another, and then looks for the longest match.

use proptest::{collection::btree_map, prelude::*};

use super::*;

type Own = BTreeMap<IpNet, IpAddr>;

/// An address of a small world, so that everything covers everything.
fn address() -> impl Strategy<Value = IpAddr> {
    (0u8..3, 0u8..4).prop_map(|(third, last)| IpAddr::from([10, 0, third, last * 64 + 1]))
}

fn prefix() -> impl Strategy<Value = IpNet> {
    let lengths = prop_oneof![Just(8u8), Just(16), Just(22), Just(24), Just(25), Just(26), Just(32)];
    (address(), lengths).prop_map(|(address, length)| IpNet::new(address, length).unwrap().trunc())
}

#[derive(Clone, Debug)]
struct World {
    /// Networks on links, by device.
    connected: BTreeMap<IpNet, u32>,
    /// Routes of others through a gateway.
    gateways: BTreeMap<IpNet, IpAddr>,
    own: Own,
}

fn world() -> impl Strategy<Value = World> {
    let outside = (1u8..250).prop_map(|last| IpAddr::from([192, 0, 2, last]));
    let connected = btree_map(prefix(), 2u32..4, 0..3);
    let gateways = btree_map(prefix(), outside, 0..3);
    let own = btree_map(prefix(), address(), 0..8);
    (connected, gateways, own).prop_map(|(connected, mut gateways, mut own)| {
        gateways.retain(|prefix, _| !connected.contains_key(prefix));
        own.retain(|prefix, _| !connected.contains_key(prefix) && !gateways.contains_key(prefix));
        World { connected, gateways, own }
    })
}

/// The longest match with its prefix.
fn longest<T: Copy>(routes: &BTreeMap<IpNet, T>, address: IpAddr) -> Option<(IpNet, T)> {
    let covering = routes.iter().filter(|(prefix, _)| prefix.contains(&address));
    covering.max_by_key(|(prefix, _)| prefix.prefix_len()).map(|(prefix, value)| (*prefix, *value))
}

impl World {
    /// The route of ours that would carry packets to an address.
    fn own_match(&self, own: &Own, address: IpAddr) -> Option<(IpNet, IpAddr)> {
        let found = longest(own, address)?;
        let theirs = longest(&self.gateways, address).map(|(prefix, _)| prefix.prefix_len());
        let longer = theirs.is_none_or(|theirs| found.0.prefix_len() > theirs);
        (longest(&self.connected, address).is_none() && longer).then_some(found)
    }

    /// The routes of ours on the loop that following them from an address runs into, if it does.
    fn loop_from(&self, own: &Own, mut address: IpAddr) -> Option<Vec<IpNet>> {
        let mut passed: Vec<(IpAddr, IpNet)> = Vec::new();
        while let Some((prefix, next_hop)) = self.own_match(own, address) {
            if let Some(index) = passed.iter().position(|(before, _)| *before == address) {
                return Some(passed.split_off(index).into_iter().map(|(_, prefix)| prefix).collect());
            }
            passed.push((address, prefix));
            address = next_hop;
        }
        None
    }

    fn way(&self, own: &Own, address: IpAddr) -> Option<String> {
        if let Some((_, next_hop)) = self.own_match(own, address) {
            return self.way(own, next_hop);
        }
        match (longest(&self.connected, address), longest(&self.gateways, address)) {
            (Some((near, device)), far)
                if far.is_none_or(|(far, _)| near.prefix_len() > far.prefix_len()) =>
            {
                Some(format!("{address} {device}"))
            }
            (_, Some((_, gateway))) => Some(format!("{gateway} 2")),
            _ => None,
        }
    }

    /// What is left of our routes without loops and without those that lead nowhere.
    fn usable(&self) -> Own {
        let mut own = self.own.clone();
        loop {
            let starts: BTreeSet<_> = own.values().copied().collect();
            if let Some(routes) = starts.iter().find_map(|start| self.loop_from(&own, *start)) {
                routes.iter().for_each(|prefix| _ = own.remove(prefix));
                continue;
            }
            let ends = own.iter().filter(|(_, next_hop)| self.own_match(&own, **next_hop).is_none());
            let dead = ends.into_iter().find(|(_, next_hop)| self.way(&own, **next_hop).is_none());
            let Some(dead) = dead.map(|(prefix, _)| *prefix) else { return own };
            own.remove(&dead);
        }
    }

    fn kernel_routes(&self) -> Vec<KernelRoute> {
        let connected =
            self.connected.iter().map(|(p, device)| foreign(&p.to_string(), 100, on_link(*device)));
        let gateways = self.gateways.iter().map(|(p, g)| foreign(&p.to_string(), 0, via(&g.to_string(), 2)));
        connected.chain(gateways).collect()
    }

    /// What `RTM_GETROUTE` says once those routes of ours are installed.
    fn kernel_says(&self, installed: &Own, address: IpAddr) -> Option<Lookup> {
        let connected = longest(&self.connected, address).map(|(p, device)| (p, 2, on_link(device)));
        let gateway = longest(&self.gateways, address).map(|(p, g)| (p, 2, via(&g.to_string(), 2)));
        let ours = longest(installed, address).map(|(prefix, _)| (prefix, 179, via("10.9.9.9", 2)));
        let all = [connected, gateway, ours].into_iter().flatten();
        let (prefix, protocol, leg) = all.max_by_key(|(prefix, ..)| prefix.prefix_len())?;
        lookup(&prefix.to_string(), protocol, leg)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_next_hop_resolves_as_the_naive_model_says_before_and_after_our_routes_are_installed(world in world()) {
        let (usable, own) = (world.usable(), Rib(world.own.clone()));
        for installed in [Own::new(), usable.clone()] {
            let mut r = resolver();
            r.foreign.replace(&world.kernel_routes());
            for next_hop in world.own.values() {
                r.told(&own, &next_hop.to_string(), world.kernel_says(&installed, *next_hop));
            }
            for (prefix, next_hop) in &world.own {
                let way = r.gateways(&next_hop.to_string()).pop();
                prop_assert_eq!(&way, &world.way(&usable, *next_hop), "to {} of {:?}", next_hop, &world);
                let installable = way.is_some() && !r.loops((*next_hop).into(), *prefix);
                prop_assert_eq!(installable, usable.contains_key(prefix), "{} of {:?}", prefix, &world);
            }
        }
    }
}
