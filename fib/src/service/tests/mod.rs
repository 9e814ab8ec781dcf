//! The engine against a simulated kernel: errors one by one here, random histories in [`history`].

mod history;
mod links;
mod objects;

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use super::engine::Engine;
use crate::{
    config::{FibConfig, Pool, PoolMode},
    event::{FibEvent, Reachability},
    kernel::{
        Admin, Carrier, Link, Notice, Target,
        simulated::{Fault, Simulated},
    },
    metrics::FibMetrics,
    object::Shape,
    resolve::{Lookup, on_link},
    route::{KernelRoute, Leg, NextHop, Onlink, Path, RouteChange},
    table::{Action, RouteNotice, Slot},
    view::{Cause, State},
};
use ipnet::IpNet;

const TARGET: Target = Target { protocol: 179, table: 254, metric: 0 };
const BLOCK: &str = "172.16.196.128/26";
const NEAR: &str = "192.168.92.129";

fn config(mode: PoolMode) -> FibConfig {
    FibConfig {
        node_network: "192.168.92.0/24".parse().ok(),
        pools: vec![Pool { cidr: "172.16.0.0/16".parse().unwrap(), mode }],
        local_blocks: vec!["172.16.241.64/26".parse().unwrap()],
        ..FibConfig::default()
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// An engine with its kernel and its clock.
struct Bench {
    engine: Engine<Simulated>,
    kernel: Simulated,
    now: Instant,
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

impl Bench {
    fn new(mode: PoolMode, before: impl FnOnce(&Simulated)) -> Self {
        let (kernel, now) = (Simulated::new(TARGET), Instant::now());
        for n in 1..=4 {
            let address = IpAddr::from([192, 168, 92, 128 + n]);
            answer(&kernel, address, 2, on_link(2));
            let gateway = Some(ip("192.168.92.1"));
            answer(&kernel, IpAddr::from([10, 0, 0, n]), 2, Leg { gateway, ..on_link(2) });
        }
        before(&kernel);
        let metrics = Arc::new(FibMetrics::default());
        let engine = wait(Engine::start(now, config(mode), kernel.clone(), metrics)).unwrap();
        let mut bench = Self { engine, kernel, now };
        bench.run();
        bench
    }

    fn over(mode: PoolMode) -> Self {
        let mut bench = Self::new(mode, |_| {});
        bench.engine.end_restart();
        bench.run();
        bench
    }

    /// Works until nothing is left to do at this moment.
    fn run(&mut self) {
        for _ in 0..100 {
            if !self.engine.has_work(self.now) {
                return;
            }
            wait(self.engine.turn(self.now));
        }
        panic!("the engine does not come to rest");
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.run();
        while self.engine.next_time() <= end {
            self.now = self.engine.next_time().max(self.now);
            self.run();
        }
        self.now = end;
    }

    fn apply(&mut self, prefix: &str, next_hop: Option<&str>) {
        let prefix: IpNet = prefix.parse().unwrap();
        let change = match next_hop {
            Some(next_hop) => RouteChange::via(prefix, ip(next_hop)),
            None => RouteChange::withdraw(prefix),
        };
        self.engine.apply(self.now, &[change]);
        self.run();
    }

    fn held(&self, prefix: &str) -> Vec<KernelRoute> {
        let prefix: IpNet = prefix.parse().unwrap();
        self.kernel.world.borrow().routes().into_iter().filter(|route| route.prefix == prefix).collect()
    }

    /// A route with the legs of its object in place of the object.
    fn spelled_out(&self, mut route: KernelRoute) -> KernelRoute {
        let world = self.kernel.world.borrow();
        let shape = |id| world.objects.get(&id).map(|object| object.shape.clone());
        if let Some(id) = route.path.object() {
            let legs: Vec<Leg> = match shape(id) {
                Some(Shape::Leg(leg)) => vec![leg],
                Some(Shape::Group(members)) => members
                    .iter()
                    .filter_map(|m| match shape(m.id) {
                        Some(Shape::Leg(leg)) => Some(Leg { weight: m.weight, ..leg }),
                        _ => None,
                    })
                    .collect(),
                shape => panic!("{route:?} refers to {shape:?}"),
            };
            route.path = merged(&legs).limited(route.path.mtu());
            route.legs = route.path.legs().into();
        }
        route
    }

    fn state(&self, prefix: &str) -> (State, Option<Cause>) {
        let route = self.engine.routes(prefix.parse().ok(), 1).routes.remove(0);
        assert_eq!(route.prefix.to_string(), prefix);
        (route.state, route.cause)
    }

    fn fault(&self, fault: Fault) {
        self.kernel.world.borrow_mut().faults.push_back(fault);
    }

    fn done(&self) -> Vec<Action> {
        self.kernel.world.borrow_mut().done.drain(..).map(|(action, _)| action).collect()
    }
}

fn answer(kernel: &Simulated, address: IpAddr, protocol: u8, leg: Leg) {
    let by = IpNet::new(address, 24).unwrap().trunc();
    let lookup = Lookup {
        by,
        table: 254,
        protocol,
        metric: 0,
        kind: 1,
        legs: smallvec::smallvec![leg],
        idle: Default::default(),
    };
    kernel.world.borrow_mut().lookups.insert(address, lookup);
}

fn direct(gateway: &str) -> Path {
    Path::Unicast(smallvec::smallvec![Leg { gateway: Some(ip(gateway)), ..on_link(2) }])
}

/// The index of the simulated kernel's tunl0.
const TUNNEL: u32 = 9;

fn tunnelled(gateway: &str) -> Path {
    let leg = Leg { gateway: Some(ip(gateway)), device: TUNNEL, onlink: Onlink::Yes, weight: 1 };
    Path::Unicast(smallvec::smallvec![leg])
}

/// A path through these legs: each way once, with the sum of its weights.
fn merged(legs: &[Leg]) -> Path {
    let mut ways = std::collections::BTreeMap::new();
    for leg in legs {
        *ways.entry(Leg { weight: 0, ..*leg }).or_insert(0) += leg.weight;
    }
    let only = ways.len() == 1;
    Path::Unicast(ways.into_iter().map(|(leg, n)| Leg { weight: if only { 1 } else { n }, ..leg }).collect())
}

fn kernel_route(prefix: &str, protocol: u8, path: Path) -> KernelRoute {
    let (prefix, legs) = (prefix.parse().unwrap(), path.legs().into());
    KernelRoute { prefix, table: 254, protocol, metric: 0, tos: 0, path, legs, kind: 1 }
}

fn put(kernel: &Simulated, route: KernelRoute) {
    let slot = Slot { prefix: route.prefix, metric: route.metric, tos: route.tos };
    kernel.world.borrow_mut().slots.entry(slot).or_default().push(route);
}

#[test]
fn a_route_that_was_asked_for_and_is_withdrawn_goes_before_the_restart_is_over_and_only_that_one() {
    let mut bench = Bench::new(PoolMode::Never, |kernel| {
        put(kernel, kernel_route(BLOCK, 179, direct(NEAR)));
        put(kernel, kernel_route("172.16.9.0/26", 179, direct(NEAR)));
    });
    bench.apply(BLOCK, None);
    assert_eq!(bench.held(BLOCK).len(), 1, "nobody has asked for it in this life");
    bench.apply(BLOCK, Some(NEAR));
    bench.fault(Fault::Refuse(libc::EBUSY));
    bench.apply(BLOCK, None);
    assert_eq!(bench.held(BLOCK).len(), 1, "the kernel refuses once");
    bench.engine.notice(bench.now, Notice::Overrun);
    bench.pass(Duration::from_secs(30));
    assert_eq!(bench.held(BLOCK), [], "and a comparison does not take it for adopted");
    assert_eq!(bench.held("172.16.9.0/26").len(), 1);
    assert_eq!(bench.engine.status().restart, crate::view::RestartPhase::Underway);
}

#[test]
fn each_mode_change_is_one_replacement_per_route() {
    let mut bench = Bench::over(PoolMode::Always);
    for n in 0..8 {
        bench.apply(&format!("172.16.{n}.0/26"), Some(NEAR));
    }
    bench.apply("10.9.0.0/16", Some(NEAR));
    bench.done();
    for mode in [PoolMode::CrossSubnet, PoolMode::Never, PoolMode::Always] {
        let now = bench.now;
        bench.engine.configure(now, config(mode));
        bench.run();
        let expected = if mode == PoolMode::Never { 0 } else { 8 };
        assert_eq!(bench.done(), vec![Action::Replace; expected]);
    }
}

#[test]
fn an_occupied_slot_that_looked_empty_becomes_a_conflict() {
    let mut bench = Bench::over(PoolMode::Never);
    put(&bench.kernel, kernel_route(BLOCK, 4, direct("192.168.92.1")));
    bench.apply(BLOCK, Some(NEAR));
    assert_eq!(bench.state(BLOCK), (State::Failed, Some(Cause::KernelError)));
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.state(BLOCK), (State::Conflict, Some(Cause::ForeignRoute)));
    let events = bench.engine.take_events();
    assert!(
        matches!(&events[..], [.., FibEvent::Routes(outcomes)] if outcomes[0].owner == Some(4)),
        "{events:?}"
    );
    bench.kernel.world.borrow_mut().slots.clear();
    bench.pass(Duration::from_secs(61));
    assert_eq!(bench.held(BLOCK), [kernel_route(BLOCK, 179, direct(NEAR))]);
    assert_eq!(bench.state(BLOCK), (State::Installed, None));
}

#[test]
fn a_slot_that_silently_lost_our_route_is_filled_exclusively() {
    let mut bench = Bench::over(PoolMode::Never);
    bench.apply(BLOCK, Some(NEAR));
    bench.kernel.world.borrow_mut().slots.clear();
    bench.done();
    bench.apply(BLOCK, Some("192.168.92.130"));
    assert_eq!(bench.done(), [Action::Create]);
    assert_eq!(bench.held(BLOCK), [kernel_route(BLOCK, 179, direct("192.168.92.130"))]);
}

#[test]
fn refusals_are_retried_with_backoff_and_shown_meanwhile() {
    for errno in
        [libc::ENETUNREACH, libc::EINVAL, libc::ENODEV, libc::EBUSY, libc::ENOMEM, libc::ENOBUFS, libc::EPERM]
    {
        let mut bench = Bench::over(PoolMode::Never);
        bench.fault(Fault::Refuse(errno));
        bench.fault(Fault::Refuse(errno));
        bench.apply(BLOCK, Some(NEAR));
        let route = bench.engine.routes(BLOCK.parse().ok(), 1).routes.remove(0);
        assert_eq!((route.state, route.errno.map(|errno| errno.0)), (State::Failed, Some(errno)));
        bench.pass(Duration::from_millis(250));
        assert_eq!(bench.state(BLOCK).0, State::Failed);
        bench.pass(Duration::from_millis(500));
        assert_eq!(bench.state(BLOCK), (State::Installed, None));
    }
}

#[test]
fn a_refused_gateway_is_looked_up_again() {
    let mut bench = Bench::over(PoolMode::Never);
    bench.fault(Fault::Refuse(libc::EINVAL));
    bench.engine.apply(bench.now, &[RouteChange::via(BLOCK.parse().unwrap(), ip(NEAR))]);
    answer(&bench.kernel, ip(NEAR), 2, Leg { gateway: Some(ip("192.168.92.7")), ..on_link(2) });
    bench.pass(Duration::from_millis(50));
    assert_eq!(bench.held(BLOCK), [kernel_route(BLOCK, 179, direct("192.168.92.7"))]);
}

#[test]
fn deleting_what_is_gone_already_is_fine() {
    let mut bench = Bench::over(PoolMode::Never);
    bench.apply(BLOCK, Some(NEAR));
    bench.kernel.world.borrow_mut().slots.clear();
    bench.apply(BLOCK, None);
    assert_eq!(bench.engine.routes(None, 10).routes.len(), 1);
}

#[test]
fn an_unanswered_batch_is_compared_before_anything_else_is_sent() {
    let mut bench = Bench::over(PoolMode::Never);
    let changes: Vec<_> =
        (0..10).map(|n| RouteChange::via(format!("172.16.{n}.0/26").parse().unwrap(), ip(NEAR))).collect();
    bench.kernel.world.borrow_mut().faults.extend([Fault::Silence]);
    bench.engine.apply(bench.now, &changes);
    bench.run();
    bench.apply("172.16.20.0/26", Some(NEAR));
    assert_eq!(bench.kernel.world.borrow().routes().len(), 1);
    bench.pass(Duration::from_millis(500));
    assert_eq!(bench.kernel.world.borrow().routes().len(), 12);
}

#[test]
fn a_route_that_a_dump_left_out_is_neither_deleted_nor_taken_for_somebody_elses() {
    let mut bench = Bench::over(PoolMode::Never);
    bench.apply(BLOCK, Some(NEAR));
    bench.done();
    bench.kernel.world.borrow_mut().overlooked = BLOCK.parse().ok();
    bench.engine.notice(bench.now, Notice::Overrun);
    bench.pass(Duration::from_secs(5));
    assert_eq!(bench.kernel.world.borrow().overlooked, None);
    assert_eq!((bench.done(), bench.state(BLOCK)), (vec![], (State::Installed, None)));
    assert_eq!(bench.held(BLOCK), [kernel_route(BLOCK, 179, direct(NEAR))]);
}

#[test]
fn a_storm_of_unrelated_routes_costs_neither_lookups_nor_comparisons() {
    let mut bench = Bench::over(PoolMode::Never);
    bench.apply(BLOCK, Some(NEAR));
    let before = bench.kernel.world.borrow().dumps;
    for n in 0..=255 {
        let route = kernel_route(&format!("10.77.{n}.0/24"), 4, direct("192.168.92.1"));
        bench.engine.notice(bench.now, Notice::Route(RouteNotice::Added(route.clone())));
        bench.engine.notice(bench.now, Notice::Route(RouteNotice::Removed(route)));
    }
    assert!(bench.engine.next_time() > bench.now + Duration::from_secs(50));
    assert_eq!(bench.kernel.world.borrow().dumps, before);
}

#[test]
fn the_tunnel_devices_coming_going_and_renumbering_is_followed() {
    let mut bench = Bench::over(PoolMode::Always);
    bench.apply(BLOCK, Some(NEAR));
    assert_eq!(bench.held(BLOCK), [kernel_route(BLOCK, 179, tunnelled(NEAR))]);
    bench.kernel.world.borrow_mut().links.clear();
    bench.engine.notice(bench.now, Notice::LinkGone(9));
    bench.kernel.world.borrow_mut().slots.clear();
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.state(BLOCK), (State::Pending, Some(Cause::TunnelDown)));
    let back = Link { index: 12, name: "tunl0".into(), admin: Admin::Up, carrier: Carrier::Present };
    bench.kernel.world.borrow_mut().links = vec![back.clone()];
    bench.engine.notice(bench.now, Notice::Link(back));
    bench.pass(Duration::from_secs(1));
    let Path::Unicast(legs) = &bench.held(BLOCK)[0].path else { panic!() };
    assert_eq!(legs[0].device, 12);
}

#[test]
fn a_watched_next_hop_is_told_at_once_and_when_it_changes() {
    let mut bench = Bench::over(PoolMode::Never);
    bench.engine.take_events();
    let told = |bench: &mut Bench| -> Vec<_> {
        let events = bench.engine.take_events().into_iter();
        events
            .filter_map(|event| {
                if let FibEvent::NextHop { reachability, .. } = event { Some(reachability) } else { None }
            })
            .collect()
    };
    bench.engine.watch(bench.now, ip(NEAR).into());
    assert_eq!(told(&mut bench), [Reachability::Reachable { metric: 0 }]);
    // Behind a route of ours there is the one of somebody else, and then none.
    answer(&bench.kernel, ip(NEAR), 179, on_link(2));
    let route = KernelRoute { metric: 5, ..kernel_route("192.168.92.128/25", 2, direct("192.168.92.1")) };
    bench.engine.notice(bench.now, Notice::Route(RouteNotice::Added(route.clone())));
    bench.pass(Duration::from_millis(50));
    assert_eq!(told(&mut bench), [Reachability::Reachable { metric: 5 }]);
    bench.engine.notice(bench.now, Notice::Route(RouteNotice::Removed(route)));
    bench.pass(Duration::from_millis(50));
    assert_eq!(told(&mut bench), [Reachability::Unreachable]);
    bench.pass(Duration::from_secs(61));
    assert_eq!(told(&mut bench), []);
}
