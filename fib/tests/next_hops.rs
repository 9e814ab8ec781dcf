//! Next hops, the host's own networks and what is refused, in the running kernel: with plain routes and with next-hop
//! objects.

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
    decide::Reason,
    event::{FibEvent, Reachability, Through},
    route::{NextHop, NextHopSet, RouteChange},
    service::{FibHandle, start},
    view::{Cause, State},
};
use netns::{RouteMonitor, eventually_routes, ip, routes};
use tokio::sync::mpsc;

const PEER: &str = "192.168.92.2";
const PEER6: &str = "fd00::2";

fn config(objects: ObjectUse) -> FibConfig {
    FibConfig {
        node_network: "192.168.92.0/24".parse().ok(),
        pools: vec![Pool { cidr: "172.16.0.0/16".parse().unwrap(), mode: PoolMode::Never }],
        tunnel: Tunnel { device: "tunl9".into(), usage: TunnelUse::default() },
        objects,
        ..FibConfig::default()
    }
}

/// Runs a test once with plain routes and once with next-hop objects, each in a namespace of its own.
fn in_both_forms<F: Future<Output = ()>>(test: impl Fn(ObjectUse) -> F + Send + Sync) {
    for objects in [ObjectUse::Off, ObjectUse::On] {
        netns::run(|| test(objects));
    }
}

async fn running(config: FibConfig) -> (FibHandle, mpsc::Receiver<FibEvent>) {
    let (handle, events) = start().unwrap();
    handle.configure(config).await.unwrap();
    handle.end_restart().await.unwrap();
    (handle, events)
}

fn via(prefix: &str, next_hop: &str) -> RouteChange {
    RouteChange::via(prefix.parse().unwrap(), next_hop.parse().unwrap())
}

fn withdraw(prefix: &str) -> RouteChange {
    RouteChange::withdraw(prefix.parse().unwrap())
}

async fn apply(handle: &FibHandle, changes: &[RouteChange]) {
    handle.apply(changes.to_vec()).await.unwrap();
    handle.settle().await.unwrap();
}

/// The routes of ours without the ids of objects, which differ from run to run, and what iproute2 adds to IPv6.
fn plain() -> Vec<String> {
    let words = |line: &String| {
        let mut words: Vec<_> = line.split(' ').collect();
        if let Some(place) = words.iter().position(|word| *word == "nhid") {
            words.drain(place..place + 2);
        }
        words.join(" ").replace(" metric 1024", "").replace(" pref medium", "")
    };
    routes(179).iter().map(words).collect()
}

#[track_caller]
fn eventually(expected: &[&str]) {
    let give_up = Instant::now() + Duration::from_secs(5);
    while plain() != expected {
        assert!(Instant::now() < give_up, "have {:#?}, want {expected:#?}", plain());
        sleep(Duration::from_millis(10));
    }
}

async fn about(handle: &FibHandle, prefix: &str) -> (State, Option<Cause>, Option<Reason>) {
    let route = handle.explain(prefix.parse().unwrap()).await.unwrap().route.unwrap();
    (route.state, route.cause, route.reason)
}

#[test]
fn a_peer_that_announces_its_own_address_and_what_lies_around_it_stays_the_way_to_everything_it_brings() {
    in_both_forms(|objects| async move {
        let (handle, mut events) = running(config(objects)).await;
        for peer in [PEER, PEER6] {
            handle.watch_next_hop(peer.parse::<std::net::IpAddr>().unwrap()).await.unwrap();
        }
        let brought = [
            ("192.168.92.2/32", PEER),
            ("192.168.92.0/30", PEER),
            ("192.0.0.0/8", PEER),
            ("203.0.113.0/24", PEER),
            ("fd00::2/128", PEER6),
            ("fd00::/126", PEER6),
            ("2001:db8::/32", PEER6),
        ];
        for (prefix, next_hop) in brought {
            apply(&handle, &[via(prefix, next_hop)]).await;
        }
        sleep(Duration::from_millis(150));
        let kept = [
            "192.0.0.0/8 via 192.168.92.2 dev eth0",
            "192.168.92.0/30 via 192.168.92.2 dev eth0",
            "192.168.92.2 via 192.168.92.2 dev eth0",
            "203.0.113.0/24 via 192.168.92.2 dev eth0",
            "2001:db8::/32 via fd00::2 dev eth0 onlink",
            "fd00::2 via fd00::2 dev eth0 onlink",
            "fd00::/126 via fd00::2 dev eth0 onlink",
        ];
        eventually(&kept);
        let mut told = Vec::new();
        while let Ok(event) = events.try_recv() {
            if let FibEvent::NextHop { reachability, through, .. } = event {
                told.push((reachability, through));
            }
        }
        let near = (Reachability::Reachable { metric: 0 }, Through::Link);
        assert_eq!(told, [near, near], "told once each, and at distance zero although IPv6's metric is 256");
    });
}

#[test]
fn networks_on_our_links_and_our_addresses_are_never_wanted_whatever_the_metric() {
    for metric in [0, 20] {
        in_both_forms(|objects| async move {
            let (handle, _events) = running(FibConfig { metric, ..config(objects) }).await;
            let back = ["192.168.92.0/24", "192.168.92.128/32", "fd00::/64", "fd00::128/128"];
            let changes = back.map(|prefix| via(prefix, if prefix.contains(':') { PEER6 } else { PEER }));
            apply(&handle, &changes).await;
            sleep(Duration::from_millis(100));
            assert_eq!(plain(), [""; 0], "metric {metric}");
            let reasons = [Reason::Connected, Reason::OwnAddress, Reason::Connected, Reason::OwnAddress];
            for (prefix, reason) in back.into_iter().zip(reasons) {
                assert_eq!(about(&handle, prefix).await, (State::NotOurs, None, Some(reason)));
            }
            // They come and go with the host's networks and addresses.
            ip("addr del 192.168.92.128/24 dev eth0");
            ip("addr add 192.168.92.128/16 dev eth0");
            let metric = if metric == 0 { String::new() } else { format!(" metric {metric}") };
            eventually(&[&format!("192.168.92.0/24 via 192.168.92.2 dev eth0{metric}")]);
            ip("addr add 192.168.92.7/24 dev eth0");
            eventually(&[]);
        });
    }
}

#[test]
fn an_adopted_route_that_hides_a_network_of_the_host_goes_at_once() {
    netns::run(|| async {
        ip("route add unreachable fd00::/64 metric 20 proto 179");
        ip("route add unreachable fd01::/64 metric 20 proto 179");
        let (handle, _events) = start().unwrap();
        handle.configure(FibConfig { metric: 20, ..config(ObjectUse::Off) }).await.unwrap();
        eventually_routes(&["unreachable fd01::/64 dev lo metric 20 pref medium"]);
    });
}

#[test]
fn a_next_hop_resolves_through_another_route_of_ours_and_follows_it() {
    in_both_forms(|objects| async move {
        ip("route add default via 192.168.92.1");
        let (handle, _events) = running(config(objects)).await;
        let monitor = RouteMonitor::start();
        apply(
            &handle,
            &[
                via("198.51.100.0/24", "10.255.0.1"),
                via("2001:db8::/32", "fdff::1"),
                via("10.255.0.1/32", PEER),
                via("fdff::1/128", PEER6),
            ],
        )
        .await;
        eventually(&[
            "10.255.0.1 via 192.168.92.2 dev eth0",
            "198.51.100.0/24 via 192.168.92.2 dev eth0",
            "2001:db8::/32 via fd00::2 dev eth0",
            "fdff::1 via fd00::2 dev eth0",
        ]);
        assert_eq!(monitor.lines("198.51.100.0/24").len(), 1, "nothing else was installed before");
        let explained = handle.explain("198.51.100.0/24".parse().unwrap()).await.unwrap();
        let steps = explained.decisions[0].resolution.clone().unwrap().steps;
        let by: Vec<_> = steps.iter().filter_map(|step| step.by).map(|by| by.to_string()).collect();
        assert_eq!(by, ["10.255.0.1/32", "192.168.92.0/24"]);
        apply(&handle, &[via("10.255.0.1/32", "10.1.1.9")]).await;
        eventually(&[
            "10.255.0.1 via 10.1.1.9 dev eth1",
            "198.51.100.0/24 via 10.1.1.9 dev eth1",
            "2001:db8::/32 via fd00::2 dev eth0",
            "fdff::1 via fd00::2 dev eth0",
        ]);
        apply(&handle, &[withdraw("10.255.0.1/32"), withdraw("fdff::1/128")]).await;
        eventually(&["198.51.100.0/24 via 192.168.92.1 dev eth0"]);
        assert_eq!(about(&handle, "2001:db8::/32").await.0, State::Unreachable);
    });
}

#[test]
fn a_route_that_covers_its_own_next_hop_behind_a_gateway_is_not_installed_and_cuts_nothing_off() {
    in_both_forms(|objects| async move {
        ip("route add 10.2.0.0/16 via 192.168.92.1");
        let (handle, _events) = running(config(objects)).await;
        apply(&handle, &[via("10.2.1.0/24", "10.2.1.1"), via("203.0.113.0/24", "10.2.1.1")]).await;
        eventually(&["203.0.113.0/24 via 192.168.92.1 dev eth0"]);
        let looped = (State::Unreachable, Some(Cause::NextHopLoop), Some(Reason::NoPool));
        assert_eq!(about(&handle, "10.2.1.0/24").await, looped);
        let explained = handle.explain("203.0.113.0/24".parse().unwrap()).await.unwrap();
        let loops = explained.decisions[0].resolution.clone().unwrap().loops;
        assert_eq!(loops, ["10.2.1.0/24".parse().unwrap()]);
    });
}

#[test]
fn only_pools_refuse_packets_and_never_those_to_a_peer_or_a_next_hop() {
    in_both_forms(|objects| async move {
        let peers = vec!["172.16.9.9/32".parse().unwrap()];
        let (handle, _events) = running(FibConfig { peers, ..config(objects) }).await;
        let nowhere = "10.200.0.1";
        apply(
            &handle,
            &[via("172.16.1.0/26", nowhere), via("172.16.9.0/26", nowhere), via("198.51.100.0/24", nowhere)],
        )
        .await;
        eventually(&["unreachable 172.16.1.0/26"]);
        let unreachable = (State::Unreachable, Some(Cause::NextHopUnreachable));
        for prefix in ["172.16.1.0/26", "172.16.9.0/26", "198.51.100.0/24"] {
            let (state, cause, _) = about(&handle, prefix).await;
            assert_eq!((state, cause), unreachable, "{prefix}");
        }
        handle.watch_next_hop("172.16.1.7".parse::<std::net::IpAddr>().unwrap()).await.unwrap();
        eventually(&[]);
        ip("route add 10.200.0.0/16 via 192.168.92.1");
        eventually(&[
            "172.16.1.0/26 via 192.168.92.1 dev eth0",
            "172.16.9.0/26 via 192.168.92.1 dev eth0",
            "198.51.100.0/24 via 192.168.92.1 dev eth0",
        ]);
        ip("route del 10.200.0.0/16");
        eventually(&[]);
    });
}

#[test]
fn a_link_local_address_without_a_link_is_nowhere() {
    netns::run(|| async {
        let (handle, _events) = running(config(ObjectUse::Off)).await;
        let index = |device: &str| {
            let line = ip(&format!("-o link show {device}"));
            line.split(':').next().unwrap().parse().unwrap()
        };
        let on = |interface| NextHop { interface, ..NextHop::new("fe80::99".parse().unwrap()) };
        let change = |hop| RouteChange::to("2001:db8::/32".parse().unwrap(), [hop].into_iter().collect());
        apply(&handle, &[change(on(None))]).await;
        assert_eq!(about(&handle, "2001:db8::/32").await.0, State::Unreachable);
        apply(&handle, &[change(on(Some(index("eth1"))))]).await;
        eventually(&["2001:db8::/32 via fe80::99 dev eth1"]);
    });
}

#[test]
fn a_longer_route_of_somebody_else_inside_our_network_decides() {
    in_both_forms(|objects| async move {
        let (handle, mut events) = running(config(objects)).await;
        handle.watch_next_hop("192.168.92.9".parse::<std::net::IpAddr>().unwrap()).await.unwrap();
        apply(&handle, &[via("203.0.113.0/24", "192.168.92.9")]).await;
        eventually(&["203.0.113.0/24 via 192.168.92.9 dev eth0"]);
        ip("route add 192.168.92.9/32 via 10.1.1.1");
        eventually(&["203.0.113.0/24 via 10.1.1.1 dev eth1"]);
        let mut told = Vec::new();
        while let Ok(event) = events.try_recv() {
            if let FibEvent::NextHop { through, .. } = event {
                told.push(through);
            }
        }
        assert_eq!(told, [Through::Link, Through::Kernel(32)]);
    });
}

#[test]
fn several_next_hops_behind_one_route_share_what_it_shares() {
    in_both_forms(|objects| async move {
        let (handle, _events) = running(config(objects)).await;
        let both: NextHopSet =
            [PEER, "10.1.1.9"].iter().map(|hop| NextHop::new(hop.parse().unwrap())).collect();
        let spread = RouteChange::to("10.255.0.1/32".parse().unwrap(), both);
        apply(&handle, &[spread, via("198.51.100.0/24", "10.255.0.1")]).await;
        eventually(&[
            "10.255.0.1",
            "nexthop via 10.1.1.9 dev eth1 weight 1",
            "nexthop via 192.168.92.2 dev eth0 weight 1",
            "198.51.100.0/24",
            "nexthop via 10.1.1.9 dev eth1 weight 1",
            "nexthop via 192.168.92.2 dev eth0 weight 1",
        ]);
    });
}

#[test]
fn what_the_kernel_does_with_a_packet_is_told_whoever_owns_the_route() {
    netns::run(|| async {
        ip("route add default via 192.168.92.1");
        ip("route add 172.16.241.69 dev eth1");
        ip("route add prohibit 10.66.0.0/16");
        let local_blocks = vec!["172.16.241.64/26".parse().unwrap()];
        let (handle, _events) = running(FibConfig { local_blocks, ..config(ObjectUse::Off) }).await;
        handle.settle().await.unwrap();
        let expected = [
            ("8.8.8.8/32", "unicast 0.0.0.0/0"),
            ("192.168.92.77/32", "unicast 192.168.92.0/24"),
            ("192.168.92.128/32", "local 192.168.92.128/32"),
            ("172.16.241.69/32", "unicast 172.16.241.69/32"),
            ("172.16.241.70/32", "blackhole 172.16.241.64/26"),
            ("10.66.1.1/32", "prohibit 10.66.0.0/16"),
            ("172.16.241.64/26", "blackhole 172.16.241.64/26"),
            ("fd00::77/128", "unicast fd00::/64"),
        ];
        for (target, kernel) in expected {
            let answer = handle.explain(target.parse().unwrap()).await.unwrap().answer.unwrap();
            assert_eq!(format!("{} {}", answer.kind, answer.dst), kernel, "{target}");
        }
        assert_eq!(handle.explain("2001:db8::1/128".parse().unwrap()).await.unwrap().answer, None);
    });
}
