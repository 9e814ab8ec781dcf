//! Next-hop objects in the running kernel, in network namespaces.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    dead_code,
    reason = "helpers of tests, which clippy does not take for tests, shared with other tests"
)]

mod netns;

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use fib::{
    config::{FibConfig, ObjectUse, Pool, PoolMode, Tunnel, TunnelUse},
    event::FibEvent,
    route::{NextHop, NextHopSet, RouteChange},
    service::{FibHandle, start},
    view::Form,
};
use netns::{RouteMonitor, ip, routes};
use tokio::sync::mpsc;

const NEAR: &str = "192.168.92.129";
const FAR: &str = "10.1.1.1";
const OWN: &str = "blackhole 172.16.241.64/26";
/// The first id of protocol 179 in the main table.
const FIRST: u32 = 0xb3fe_0001;

fn config(mode: PoolMode, objects: ObjectUse) -> FibConfig {
    FibConfig {
        node_network: "192.168.92.0/24".parse().ok(),
        pools: vec![Pool { cidr: "172.16.0.0/16".parse().unwrap(), mode }],
        local_blocks: vec!["172.16.241.64/26".parse().unwrap()],
        tunnel: Tunnel { device: "tunl9".into(), usage: TunnelUse::default() },
        objects,
        ..FibConfig::default()
    }
}

async fn running(mode: PoolMode, objects: ObjectUse) -> (FibHandle, mpsc::Receiver<FibEvent>) {
    let (handle, events) = start().unwrap();
    handle.configure(config(mode, objects)).await.unwrap();
    handle.end_restart().await.unwrap();
    (handle, events)
}

fn to(prefix: &str, next_hops: &[&str]) -> RouteChange {
    let next_hops: NextHopSet = next_hops.iter().map(|n| NextHop::new(n.parse().unwrap())).collect();
    RouteChange::to(prefix.parse().unwrap(), next_hops)
}

async fn apply(handle: &FibHandle, changes: &[RouteChange]) {
    handle.apply(changes.to_vec()).await.unwrap();
    handle.settle().await.unwrap();
}

async fn set(handle: &FibHandle, mode: PoolMode, objects: ObjectUse) {
    handle.configure(config(mode, objects)).await.unwrap();
    handle.settle().await.unwrap();
}

/// The objects in the kernel, a line each.
fn objects() -> Vec<String> {
    let lines = ip("nexthop show");
    lines.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[track_caller]
fn eventually_objects(expected: &[String]) {
    let give_up = Instant::now() + Duration::from_secs(5);
    while objects() != expected {
        assert!(Instant::now() < give_up, "have {:#?}, want {expected:#?}", objects());
        sleep(Duration::from_millis(20));
    }
}

fn leg(nth: u32, way: &str) -> String {
    let (way, onlink) = match way.strip_suffix(" onlink") {
        Some(way) => (way, " onlink"),
        None => (way, ""),
    };
    format!("id {} {way} scope link proto 179{onlink}", FIRST + nth)
}

fn route(prefix: &str, nth: u32, way: &str) -> String {
    format!("{prefix} nhid {} {way}", FIRST + nth)
}

fn block(n: u32) -> String {
    format!("172.16.{n}.0/26")
}

/// Whether this kernel has what is tested here.
fn supported() -> bool {
    let there = std::process::Command::new("ip").args(["nexthop", "show"]).output().unwrap().status.success();
    if !there {
        println!("SKIPPED: this kernel has no next-hop objects");
    }
    there
}

#[test]
fn a_mode_change_is_one_message_per_next_hop_and_none_per_route() {
    netns::run(|| async {
        if !supported() {
            return;
        }
        let (handle, _events) = running(PoolMode::Always, ObjectUse::On).await;
        let changes: Vec<_> = (0..8).map(|n| to(&block(n), &[NEAR])).collect();
        apply(&handle, &changes).await;
        let tunnelled = "via 192.168.92.129 dev tunl9 onlink";
        assert_eq!(objects(), [leg(0, tunnelled)]);
        let all =
            |way: &str| (0..8).map(|n| route(&block(n), 0, way)).chain([OWN.into()]).collect::<Vec<_>>();
        assert_eq!(routes(179), all(tunnelled));
        let monitor = RouteMonitor::start();
        let before = handle.metrics().snapshot();
        set(&handle, PoolMode::CrossSubnet, ObjectUse::On).await;
        assert_eq!(routes(179), all("via 192.168.92.129 dev eth0"));
        set(&handle, PoolMode::Always, ObjectUse::On).await;
        assert_eq!(routes(179), all(tunnelled));
        let after = handle.metrics().snapshot();
        assert_eq!((after.objects - before.objects, after.replaced), (2, 0));
        // The kernel tells listeners of each route that followed, and of none that went.
        let heard = monitor.lines("172.16.");
        assert!(heard.iter().all(|line| !line.contains("Deleted")), "{heard:?}");
        let gone: Vec<_> = (0..8).map(|n| to(&block(n), &[])).collect();
        apply(&handle, &gone).await;
        eventually_objects(&[]);
    });
}

#[test]
fn routes_change_their_form_at_run_time_in_one_replacement_each() {
    netns::run(|| async {
        if !supported() {
            return;
        }
        let (handle, _events) = running(PoolMode::CrossSubnet, ObjectUse::Auto).await;
        apply(&handle, &[to(&block(1), &[NEAR]), to(&block(2), &[FAR, NEAR])]).await;
        let plain = [
            "172.16.1.0/26 via 192.168.92.129 dev eth0",
            "172.16.2.0/26",
            "nexthop via 10.1.1.1 dev tunl9 weight 1 onlink",
            "nexthop via 192.168.92.129 dev eth0 weight 1",
            OWN,
        ];
        assert_eq!(routes(179), plain);
        assert_eq!(handle.status().await.unwrap().objects.form, Form::Plain);
        let monitor = RouteMonitor::start();
        set(&handle, PoolMode::CrossSubnet, ObjectUse::On).await;
        assert_eq!(handle.status().await.unwrap().objects.form, Form::Objects);
        assert!(routes(179)[0].contains("nhid"), "{:?}", routes(179));
        set(&handle, PoolMode::CrossSubnet, ObjectUse::Off).await;
        assert_eq!(routes(179), plain);
        eventually_objects(&[]);
        let heard = monitor.lines("172.16.");
        assert_eq!(heard.len(), 4, "{heard:?}");
        assert!(heard.iter().all(|line| !line.contains("Deleted")), "{heard:?}");
    });
}

#[test]
fn a_restart_takes_objects_over_without_a_message() {
    netns::run(|| async {
        if !supported() {
            return;
        }
        let changes = [to(&block(1), &[NEAR]), to(&block(2), &[FAR, NEAR]), to("10.9.0.0/16", &[NEAR])];
        let (handle, _events) = running(PoolMode::CrossSubnet, ObjectUse::On).await;
        apply(&handle, &changes).await;
        handle.stop().await.unwrap();
        let (objects_before, routes_before) = (objects(), routes(179));
        assert_eq!(objects_before.len(), 4);
        let monitor = RouteMonitor::start();
        // Left to itself, a daemon goes on with what it finds.
        let (handle, _events) = start().unwrap();
        handle.configure(config(PoolMode::CrossSubnet, ObjectUse::Auto)).await.unwrap();
        apply(&handle, &changes).await;
        handle.end_restart().await.unwrap();
        sleep(Duration::from_millis(1300));
        handle.settle().await.unwrap();
        assert_eq!((objects(), routes(179)), (objects_before, routes_before));
        assert_eq!(handle.metrics().snapshot().objects, 0);
        assert_eq!(monitor.lines("172.16."), [""; 0]);
        handle.flush().await.unwrap();
        assert_eq!((objects(), routes(179)), (vec![], vec![]));
    });
}

#[test]
fn a_leg_that_dies_with_its_link_leaves_the_route_and_comes_back() {
    netns::run(|| async {
        if !supported() {
            return;
        }
        for form in [ObjectUse::On, ObjectUse::Off] {
            let (handle, _events) = running(PoolMode::Never, form).await;
            apply(&handle, &[to(&block(1), &[FAR, NEAR])]).await;
            let both = form_of(&routes(179));
            assert_eq!(both.len(), 4, "{both:?}");
            let monitor = RouteMonitor::start();
            for (down, up) in [
                ("link set eth1 down", "link set eth1 up"),
                ("link set wire1 down", "link set wire1 up"),
                ("addr del 10.1.1.2/24 dev eth1", "addr add 10.1.1.2/24 dev eth1"),
            ] {
                ip(down);
                eventually(|| !routes(179).join(" ").contains("eth1"));
                assert!(routes(179)[0].contains("172.16.1.0/26"), "{form:?} {down}: {:?}", routes(179));
                ip(up);
                eventually(|| form_of(&routes(179)) == both);
            }
            let heard = monitor.lines("172.16.");
            assert!(heard.iter().all(|line| !line.contains("Deleted")), "{form:?} {heard:?}");
            handle.flush().await.unwrap();
            assert_eq!(objects(), [""; 0]);
            handle.stop().await.unwrap();
        }
    });
}

#[track_caller]
fn eventually(mut condition: impl FnMut() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(5);
    while !condition() {
        assert!(Instant::now() < give_up, "not in five seconds: {:?} {:?}", routes(179).last(), objects());
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn deleted_and_altered_objects_are_repaired_within_a_second() {
    netns::run(|| async {
        if !supported() {
            return;
        }
        let (handle, _events) = running(PoolMode::CrossSubnet, ObjectUse::On).await;
        let mut changes: Vec<_> = (0..50).map(|n| to(&block(n), &[NEAR])).collect();
        changes.extend((50..100).map(|n| to(&block(n), &[FAR, NEAR])));
        apply(&handle, &changes).await;
        let wanted = routes(179);
        for sabotage in [
            format!("nexthop del id {FIRST}"),
            format!("nexthop replace id {FIRST} via 192.168.92.9 dev eth0 proto 179"),
            format!("nexthop replace id {FIRST} via 192.168.92.9 dev eth0 proto static"),
            "nexthop flush".into(),
        ] {
            ip(&sabotage);
            let began = Instant::now();
            eventually(|| form_of(&routes(179)) == form_of(&wanted));
            assert!(began.elapsed() < Duration::from_secs(1), "{sabotage}: {:?}", began.elapsed());
        }
        // An object of somebody else in our range is left alone.
        assert!(objects().iter().any(|line| line.contains("192.168.92.9")) || objects().len() == 3);
    });
}

/// The lines of routes without the ids of their objects, sorted: the legs of a group come by their ids.
fn form_of(routes: &[String]) -> Vec<String> {
    let without = |line: &String| {
        let mut words: Vec<_> = line.split(' ').collect();
        if let Some(at) = words.iter().position(|word| *word == "nhid") {
            words.drain(at..at + 2);
        }
        words.join(" ")
    };
    let mut lines: Vec<_> = routes.iter().map(without).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn both_families_go_over_ipv6_next_hops_in_either_form() {
    netns::run(|| async {
        if !supported() {
            return;
        }
        let (handle, _events) = running(PoolMode::Never, ObjectUse::Off).await;
        let v6 = "fd00::9";
        apply(
            &handle,
            &[
                to(&block(1), &[v6]),
                to(&block(2), &[NEAR, v6]),
                to("fd01::/64", &[v6]),
                to("fd02::/64", &[v6, "fd00::a"]),
            ],
        )
        .await;
        let plain = form_of(&routes(179));
        assert_eq!(plain[0], "172.16.1.0/26 via inet6 fd00::9 dev eth0");
        let all = plain.join("\n");
        assert!(all.contains("nexthop via inet6 fd00::9 dev eth0 weight 1"), "{all}");
        assert!(all.contains("fd01::/64 via fd00::9 dev eth0"), "{all}");
        assert!(all.contains("nexthop via fd00::a dev eth0 weight 1"), "{all}");
        let monitor = RouteMonitor::start();
        set(&handle, PoolMode::Never, ObjectUse::On).await;
        assert_eq!(form_of(&routes(179)), plain);
        assert!(routes(179).iter().filter(|line| line.contains("nhid")).count() == 4, "{:?}", routes(179));
        set(&handle, PoolMode::Never, ObjectUse::Off).await;
        assert_eq!(form_of(&routes(179)), plain);
        apply(&handle, &[to("fd02::/64", &["fd00::a"]), to("fd02::/64", &[v6, "fd00::b"])]).await;
        assert!(routes(179).join("\n").contains("nexthop via fd00::b dev eth0"), "{:?}", routes(179));
        let heard = monitor.lines("fd0");
        assert!(heard.iter().all(|line| !line.contains("Deleted")), "{heard:?}");
        apply(&handle, &[to("fd02::/64", &[]), to("fd01::/64", &[])]).await;
        assert!(!routes(179).join(" ").contains("/64"), "{:?}", routes(179));
    });
}

#[test]
fn a_link_local_next_hop_is_looked_for_on_its_own_link() {
    netns::run(|| async {
        let (handle, _events) = running(PoolMode::Never, ObjectUse::Off).await;
        apply(&handle, &[on_link(&block(1), "eth1"), on_link("fd01::/64", "eth1")]).await;
        let expected = [
            "172.16.1.0/26 via inet6 fe80::1 dev eth1",
            OWN,
            "fd01::/64 via fe80::1 dev eth1 metric 1024 pref medium",
        ];
        eventually(|| routes(179) == expected);
    });
}

#[test]
fn one_link_local_address_on_two_links_is_two_next_hops_plain_and_as_objects() {
    netns::run(|| async {
        let (handle, _events) = running(PoolMode::Never, ObjectUse::Off).await;
        let both = RouteChange {
            next_hops: ["eth1", "eth0"]
                .map(|link| on_link(&block(3), link).next_hops.remove(0))
                .into_iter()
                .collect(),
            ..on_link(&block(3), "eth0")
        };
        apply(&handle, &[on_link(&block(1), "eth1"), on_link(&block(2), "eth0"), both]).await;
        let lines = || routes(179).join("\n");
        let expected = [
            "172.16.1.0/26 via inet6 fe80::1 dev eth1",
            "172.16.2.0/26 via inet6 fe80::1 dev eth0",
            "nexthop via inet6 fe80::1 dev eth0 weight 1",
            "nexthop via inet6 fe80::1 dev eth1 weight 1",
        ];
        let complete = || expected.iter().all(|line| lines().contains(line));
        eventually(complete);
        set(&handle, PoolMode::Never, ObjectUse::On).await;
        eventually(|| lines().contains("nhid"));
        // With objects `ip route` names the device alone; where the objects lead shows the rest.
        let objects = ip("nexthop show");
        assert!(
            objects.contains("via fe80::1 dev eth0") && objects.contains("via fe80::1 dev eth1"),
            "{objects}"
        );
        ip("link set eth1 down");
        eventually(|| !lines().contains("dev eth1") && lines().contains("dev eth0"));
    });
}

/// A wish for a route over fe80::1 on this link.
fn on_link(prefix: &str, link: &str) -> RouteChange {
    let shown = ip(&format!("-o link show {link}"));
    let interface = shown.split(':').next().and_then(|index| index.trim().parse().ok());
    let next_hop = NextHop { interface, ..NextHop::new("fe80::1".parse().unwrap()) };
    RouteChange::to(prefix.parse().unwrap(), NextHopSet::from_elem(next_hop, 1))
}
