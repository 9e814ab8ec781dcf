use std::net::IpAddr;

use smallvec::smallvec;

use super::*;
use crate::{
    route::{KernelRoute, NextHop, Path},
    table::RouteNotice,
    view::LinkState,
};

mod model;

const NODE: &str = "192.168.92.129";
const DEFAULT: &str = "0.0.0.0/0";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(text: &str) -> HopAddress {
    ip(text).into()
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn via(gateway: &str, device: u32) -> Leg {
    Leg { gateway: Some(ip(gateway)), ..on_link(device) }
}

fn lookup(by: &str, protocol: u8, leg: Leg) -> Option<Lookup> {
    let (legs, idle) = (smallvec![leg], SmallVec::new());
    Some(Lookup { by: net(by), table: 254, protocol, metric: 7, kind: 1, legs, idle })
}

fn foreign(prefix: &str, metric: u32, leg: Leg) -> KernelRoute {
    let (path, legs) = (Path::Other, smallvec![leg]);
    KernelRoute { prefix: net(prefix), table: 254, protocol: 2, metric, tos: 0, path, legs, kind: 1 }
}

fn resolver() -> Resolver {
    let mut resolver = Resolver::default();
    resolver.exclude(Exclusion { protocol: 179, table: 254, tunnel: Some(9) });
    resolver
}

/// Device 2 has this name, device 3 another.
struct Cards(&'static str);

impl Devices for Cards {
    fn name(&self, index: u32) -> Option<&str> {
        [(2, self.0), (3, "card3"), (9, "tunl9")].into_iter().find(|(i, _)| *i == index).map(|(_, name)| name)
    }

    fn state(&self, _: u32) -> LinkState {
        LinkState::Up
    }
}

/// Our own routes, each to one next hop.
#[derive(Clone, Debug, Default)]
struct Rib(BTreeMap<IpNet, IpAddr>);

impl Rib {
    fn of(routes: &[(&str, &str)]) -> Self {
        Self(routes.iter().map(|(prefix, next_hop)| (net(prefix), ip(next_hop))).collect())
    }
}

impl OwnRoutes for Rib {
    fn covering(&self, address: IpAddr) -> SmallVec<[OwnRoute; 2]> {
        let mut covering: Vec<_> = self.0.iter().filter(|(prefix, _)| prefix.contains(&address)).collect();
        covering.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.prefix_len()));
        let route = |(prefix, next_hop): (&IpNet, &IpAddr)| OwnRoute {
            prefix: *prefix,
            metric: 0,
            leads: Leads::To(smallvec![NextHop::new(*next_hop)]),
        };
        covering.into_iter().map(route).collect()
    }
}

impl Resolver {
    /// Follows a next hop, with this answer of the kernel.
    fn told(&mut self, rib: &Rib, address: &str, lookup: Option<Lookup>) {
        self.follow(at(address));
        self.hear(at(address), lookup);
        self.resolve(rib, &Cards("eth0"));
    }

    fn gateways(&self, address: &str) -> Vec<String> {
        self.legs(at(address)).map(|leg| format!("{} {}", leg.gateway.unwrap(), leg.device)).collect()
    }

    fn through(&self, address: &str) -> Through {
        self.way(at(address)).unwrap().through
    }

    fn named_loops(&self, address: &str) -> Vec<String> {
        self.loops_of(at(address)).iter().map(ToString::to_string).collect()
    }
}

#[test]
fn a_neighbour_is_its_own_gateway_and_a_gateway_is_kept() {
    let mut r = resolver();
    r.told(&Rib::default(), NODE, lookup("192.168.92.0/24", 2, on_link(2)));
    r.told(&Rib::default(), "10.9.9.9", lookup(DEFAULT, 2, via("192.168.92.1", 2)));
    assert_eq!(
        (r.gateways(NODE), r.gateways("10.9.9.9")),
        (vec![format!("{NODE} 2")], vec!["192.168.92.1 2".into()])
    );
}

#[test]
fn a_network_on_a_link_is_at_distance_zero_whatever_its_metric() {
    let mut r = resolver();
    r.told(&Rib::default(), NODE, lookup("192.168.92.0/24", 2, on_link(2)));
    r.told(&Rib::default(), "fd00::9", lookup("fd00::/64", 2, on_link(2)));
    r.told(&Rib::default(), "10.9.9.9", lookup(DEFAULT, 2, via("192.168.92.1", 2)));
    let metrics = [NODE, "fd00::9", "10.9.9.9"].map(|address| r.reachability(at(address)));
    assert_eq!(metrics, [0, 0, 7].map(|metric| Reachability::Reachable { metric }));
    assert_eq!((r.through(NODE), r.through("10.9.9.9")), (Through::Link, Through::Kernel(0)));
}

#[test]
fn a_way_through_the_tunnel_is_none() {
    let mut r = resolver();
    for answer in [lookup("192.168.92.0/24", 2, on_link(9)), None] {
        r.told(&Rib::default(), NODE, answer);
        assert_eq!(r.reachability(at(NODE)), Reachability::Unreachable);
    }
}

#[test]
fn behind_an_answer_that_is_ours_the_routes_of_others_count() {
    let mut r = resolver();
    let connected = foreign("192.168.92.0/24", 256, on_link(2));
    r.foreign.replace(&[connected.clone(), foreign(DEFAULT, 0, via("192.168.92.1", 2))]);
    let own = Rib::of(&[("192.168.92.129/32", NODE), ("192.168.92.128/30", NODE), ("192.0.0.0/8", NODE)]);
    r.told(&own, NODE, lookup("192.168.92.129/32", 179, via(NODE, 2)));
    assert_eq!((r.gateways(NODE), r.through(NODE)), (vec![format!("{NODE} 2")], Through::Link));
    assert!(r.loops_of(at(NODE)).is_empty(), "no route of ours is asked");
    r.foreign.observe(&RouteNotice::Removed(connected));
    r.route_changed(net("192.168.92.0/24"));
    r.resolve(&own, &Cards("eth0"));
    assert_eq!(r.gateways(NODE), ["192.168.92.1 2"]);
    assert_eq!(r.named_loops(NODE), ["192.0.0.0/8", "192.168.92.128/30", "192.168.92.129/32"]);
}

#[test]
fn a_longer_route_of_ours_is_followed_to_its_own_next_hop() {
    let mut r = resolver();
    let mut own = Rib::of(&[("10.255.0.1/32", "10.0.1.2"), ("198.51.100.0/24", "10.255.0.1")]);
    r.told(&own, "10.0.1.2", lookup("10.0.1.0/24", 2, on_link(2)));
    r.told(&own, "10.255.0.1", lookup(DEFAULT, 2, via("192.168.92.1", 2)));
    assert_eq!(
        (r.gateways("10.255.0.1"), r.through("10.255.0.1")),
        (vec!["10.0.1.2 2".into()], Through::Own(32))
    );
    let steps = r.steps(at("10.255.0.1"), &own, &Cards("eth0"));
    let told: Vec<_> = steps.iter().map(|step| (step.by.unwrap().to_string(), step.owner)).collect();
    assert_eq!(told, [("10.255.0.1/32".into(), Owner::Ours), ("10.0.1.0/24".into(), Owner::Other(2))]);
    own.0.remove(&net("10.255.0.1/32"));
    r.own_route_changed(net("10.255.0.1/32"));
    assert_eq!(r.resolve(&own, &Cards("eth0")), [at("10.255.0.1")].into());
    assert_eq!(r.gateways("10.255.0.1"), ["192.168.92.1 2"]);
}

#[test]
fn who_leans_on_a_next_hop_is_resolved_anew_with_it_and_nobody_else_is() {
    let mut r = resolver();
    let own = Rib::of(&[("10.255.0.0/24", "10.0.1.2")]);
    r.told(&own, "10.0.1.2", lookup("10.0.1.0/24", 2, on_link(2)));
    r.told(&own, "10.255.0.1", None);
    r.told(&own, "10.0.1.3", lookup("10.0.1.0/24", 2, on_link(2)));
    r.hear(at("10.0.1.2"), None);
    assert_eq!(r.resolve(&own, &Cards("eth0")), [at("10.0.1.2"), at("10.255.0.1")].into());
    assert!(!r.is_reachable(at("10.255.0.1")));
    r.own_route_changed(net("203.0.113.0/24"));
    assert!(!r.has_work(), "a route that nobody resolves through concerns nobody");
}

#[test]
fn routes_that_lead_back_to_themselves_are_named_and_passed_over() {
    let mut r = resolver();
    let own =
        Rib::of(&[("10.1.0.0/24", "10.2.0.1"), ("10.2.0.0/24", "10.1.0.1"), ("10.3.0.0/24", "10.3.0.1")]);
    for address in ["10.1.0.1", "10.2.0.1", "10.3.0.1"] {
        r.told(&own, address, lookup(DEFAULT, 2, via("192.168.92.1", 2)));
    }
    r.reconsider_all();
    r.resolve(&own, &Cards("eth0"));
    for address in ["10.1.0.1", "10.2.0.1", "10.3.0.1"] {
        assert_eq!(r.gateways(address), ["192.168.92.1 2"], "{address} resolves through what is left");
    }
    assert_eq!(r.named_loops("10.1.0.1"), ["10.1.0.0/24", "10.2.0.0/24"]);
    assert_eq!(r.named_loops("10.2.0.1"), ["10.1.0.0/24", "10.2.0.0/24"]);
    assert_eq!(r.named_loops("10.3.0.1"), ["10.3.0.0/24"]);
}

#[test]
fn a_chain_of_routes_without_an_end_is_given_up() {
    let mut r = resolver();
    let routes = (1..200u8).map(|n| (net(&format!("10.{n}.0.0/16")), IpAddr::from([10, n + 1, 0, 1])));
    let own = Rib(routes.collect());
    for n in 1..=200 {
        r.told(&own, &format!("10.{n}.0.1"), None);
    }
    assert!(!r.is_reachable(at("10.1.0.1")));
}

#[test]
fn a_gateway_of_ipv6_that_a_route_of_ours_covers_is_taken_by_its_link() {
    let mut r = resolver();
    r.foreign.replace(&[foreign("fd01::/64", 256, on_link(2))]);
    let onlink = |r: &Resolver| r.legs(at("fd01::2")).next().unwrap().onlink;
    r.told(&Rib::default(), "fd01::2", lookup("fd01::/64", 2, on_link(2)));
    assert_eq!(onlink(&r), Onlink::No);
    let own = Rib::of(&[("fd01::2/128", "fd01::2")]);
    r.own_route_changed(net("fd01::2/128"));
    r.resolve(&own, &Cards("eth0"));
    assert_eq!(onlink(&r), Onlink::Yes);
}

#[test]
fn news_is_told_once_and_to_watchers_only() {
    let mut r = resolver();
    r.watch(at(NODE));
    let nowhere =
        || News { reachability: Reachability::Unreachable, through: Through::Link, devices: vec![] };
    assert_eq!(r.take_news(&Cards("eth0")), []);
    r.told(&Rib::default(), NODE, None);
    r.told(&Rib::default(), "10.0.0.1", None);
    assert_eq!(r.take_news(&Cards("eth0")), [(at(NODE), nowhere())]);
    assert_eq!(r.take_news(&Cards("eth0")), []);
    r.unwatch(at(NODE));
    r.watch(at(NODE));
    assert_eq!(r.take_news(&Cards("eth0")), [(at(NODE), nowhere())]);
}

#[test]
fn another_device_and_another_name_of_it_are_news() {
    let mut r = resolver();
    r.watch(at(NODE));
    let told = |r: &mut Resolver, name| r.take_news(&Cards(name)).pop().map(|(_, news)| news.devices);
    r.told(&Rib::default(), NODE, lookup(DEFAULT, 2, on_link(2)));
    assert_eq!(told(&mut r, "eth0"), Some(vec!["eth0".to_owned()]));
    assert_eq!(told(&mut r, "eth0"), None);
    assert_eq!(told(&mut r, "uplink"), Some(vec!["uplink".to_owned()]));
    r.told(&Rib::default(), NODE, lookup(DEFAULT, 2, on_link(3)));
    assert_eq!(told(&mut r, "uplink"), Some(vec!["card3".to_owned()]));
    r.told(&Rib::default(), NODE, lookup(DEFAULT, 2, on_link(9)));
    assert_eq!(told(&mut r, "uplink"), Some(vec![]), "the tunnel does not count");
}

#[test]
fn a_route_change_doubts_only_the_next_hops_within_it() {
    let mut r = resolver();
    for address in [NODE, "192.168.93.1", "fd00::1"] {
        r.follow(at(address));
    }
    while r.next_lookup().is_some() {}
    r.route_changed(net("192.168.92.0/24"));
    assert_eq!((r.next_lookup(), r.next_lookup()), (Some(at(NODE)), None));
    r.route_changed(net("::/0"));
    assert_eq!((r.next_lookup(), r.next_lookup()), (Some(at("fd00::1")), None));
}

#[test]
fn a_new_tunnel_index_judges_old_answers_anew() {
    let mut r = resolver();
    r.told(&Rib::default(), NODE, lookup(DEFAULT, 2, on_link(5)));
    let exclusion = Exclusion { protocol: 179, table: 254, tunnel: Some(5) };
    r.exclude(exclusion);
    assert_eq!(r.resolve(&Rib::default(), &Cards("eth0")), [at(NODE)].into());
    r.exclude(exclusion);
    assert!(!r.has_work());
    assert_eq!(r.reachability(at(NODE)), Reachability::Unreachable);
}
