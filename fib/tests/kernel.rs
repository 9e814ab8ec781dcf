//! The FIB layer against the running kernel, in network namespaces.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    dead_code,
    reason = "helpers of tests, which clippy does not take for tests, shared with other tests"
)]

mod netns;

use std::{num::NonZeroU32, thread::sleep, time::Duration};

use fib::{
    config::{DiscardRule, FibConfig, Pool, PoolMode, Programming, Tunnel, TunnelPermission, TunnelUse},
    event::{FibEvent, Reachability},
    metrics::ResyncReason,
    route::{NextHop, RouteChange, Treatment},
    service::{FibHandle, start},
    view::{Cause, DiffAction, State},
};
use netns::{RouteMonitor, eventually_routes, ip, routes};
use smallvec::smallvec;
use tokio::sync::mpsc;

const BLOCK: &str = "172.16.196.128/26";
const TUNNELLED: &str = "172.16.196.128/26 via 192.168.92.129 dev tunl9 onlink";
const DIRECT: &str = "172.16.196.128/26 via 192.168.92.129 dev eth0";
const UNREACHABLE: &str = "unreachable 172.16.196.128/26";
const OWN: &str = "blackhole 172.16.241.64/26";

fn config(mode: PoolMode) -> FibConfig {
    FibConfig {
        node_network: "192.168.92.0/24".parse().ok(),
        pools: vec![Pool { cidr: "172.16.0.0/16".parse().unwrap(), mode }],
        local_blocks: vec!["172.16.241.64/26".parse().unwrap()],
        tunnel: Tunnel { device: "tunl9".into(), usage: TunnelUse::default() },
        ..FibConfig::default()
    }
}

fn via(prefix: &str, next_hop: &str) -> RouteChange {
    RouteChange::via(prefix.parse().unwrap(), next_hop.parse().unwrap())
}

fn withdraw(prefix: &str) -> RouteChange {
    RouteChange::withdraw(prefix.parse().unwrap())
}

/// A running FIB layer whose restart is over.
async fn running(config: FibConfig) -> (FibHandle, mpsc::Receiver<FibEvent>) {
    let (handle, events) = start().unwrap();
    handle.configure(config).await.unwrap();
    handle.end_restart().await.unwrap();
    (handle, events)
}

async fn apply(handle: &FibHandle, changes: &[RouteChange]) {
    handle.apply(changes.to_vec()).await.unwrap();
    handle.settle().await.unwrap();
}

async fn state(handle: &FibHandle, prefix: &str) -> (State, Option<Cause>) {
    let route = handle.explain(prefix.parse().unwrap()).await.unwrap().route.unwrap();
    (route.state, route.cause)
}

#[test]
fn a_mode_change_is_one_replacement_per_route_and_no_deletion() {
    netns::run(|| async {
        let (handle, _events) = running(config(PoolMode::Always)).await;
        apply(&handle, &[via(BLOCK, "192.168.92.129")]).await;
        assert_eq!(routes(179), [TUNNELLED, OWN]);
        let monitor = RouteMonitor::start();
        for (mode, expected) in
            [(PoolMode::CrossSubnet, DIRECT), (PoolMode::Always, TUNNELLED), (PoolMode::Never, DIRECT)]
        {
            handle.configure(config(mode)).await.unwrap();
            handle.settle().await.unwrap();
            assert_eq!(routes(179), [expected, OWN]);
        }
        let direct = "172.16.196.128/26 via 192.168.92.129 dev eth0 proto 179";
        let tunnelled = "172.16.196.128/26 via 192.168.92.129 dev tunl9 proto 179 onlink";
        assert_eq!(monitor.lines("172.16."), [direct, tunnelled, direct]);
        apply(&handle, &[withdraw(BLOCK)]).await;
        assert_eq!(routes(179), [OWN]);
    });
}

#[test]
fn a_route_becomes_a_blackhole_and_a_route_again_in_one_replacement_each() {
    netns::run(|| async {
        let honouring = FibConfig { discard: DiscardRule::Honour, ..config(PoolMode::Never) };
        let (handle, _events) = running(honouring).await;
        apply(&handle, &[via(BLOCK, "192.168.92.129")]).await;
        let monitor = RouteMonitor::start();
        let dropped = RouteChange { treatment: Treatment::Discard, ..via(BLOCK, "192.168.92.129") };
        apply(&handle, &[dropped]).await;
        assert_eq!(routes(179), [format!("blackhole {BLOCK}"), OWN.to_string()]);
        apply(&handle, &[via(BLOCK, "192.168.92.129")]).await;
        assert_eq!(routes(179), [DIRECT, OWN]);
        let blackhole = format!("blackhole {BLOCK} proto 179");
        assert_eq!(monitor.lines("172.16.196."), [blackhole, format!("{DIRECT} proto 179")]);
    });
}

#[test]
fn a_question_and_a_stop_do_not_wait_behind_the_routes_that_were_handed_over_before() {
    netns::run(|| async {
        let (handle, _events) = running(config(PoolMode::Never)).await;
        let batch = |second: u8| {
            let route = |i: u16| via(&format!("20.{second}.{}.{}/32", i / 256, i % 256), "192.168.92.129");
            (0..1024).map(route).collect()
        };
        for second in 0..60 {
            handle.apply(batch(second)).await.unwrap();
        }
        let known: u64 = handle.status().await.unwrap().routes.iter().map(|count| count.routes).sum();
        assert!(known < 60 * 1024, "all {known} routes were taken first");
        handle.stop().await.unwrap();
        let held = routes(179).iter().filter(|route| route.starts_with("20.")).count();
        assert!(held > 0, "what was handed over before the stop is due");
    });
}

#[test]
fn a_table_that_has_never_had_a_route_is_empty() {
    netns::run(|| async {
        let (handle, _events) = running(FibConfig { table: 4711, ..config(PoolMode::Never) }).await;
        apply(&handle, &[via(BLOCK, "192.168.92.129")]).await;
        assert!(ip("route show table 4711").contains(BLOCK));
        assert_eq!(handle.diff(None, 10).await.unwrap().entries, []);
        assert_eq!(routes(179), Vec::<String>::new(), "the main table is none of ours");
    });
}

#[test]
fn a_foreign_route_keeps_its_slot_until_it_goes() {
    netns::run(|| async {
        ip(&format!("route add {BLOCK} via 192.168.92.1 proto static"));
        let (handle, mut events) = running(config(PoolMode::Never)).await;
        apply(&handle, &[via(BLOCK, "192.168.92.129")]).await;
        assert_eq!(state(&handle, BLOCK).await, (State::Conflict, Some(Cause::ForeignRoute)));
        assert_eq!(routes(179), [OWN]);
        let diff = handle.diff(None, 10).await.unwrap().entries;
        assert_eq!((diff.len(), diff[0].action), (1, DiffAction::Conflict));
        let told = loop {
            if let FibEvent::Routes(outcomes) = events.recv().await.unwrap() {
                break outcomes;
            }
        };
        assert_eq!((told[0].state, told[0].owner), (Some(State::Conflict), Some(4)));
        ip(&format!("route del {BLOCK} proto static"));
        eventually_routes(&[DIRECT, OWN]);
        // A foreign route that comes beside ours stops us from replacing, not from deleting.
        ip(&format!("route append {BLOCK} via 192.168.92.1 proto static"));
        sleep(Duration::from_millis(100));
        apply(&handle, &[via(BLOCK, "192.168.92.130")]).await;
        assert_eq!(state(&handle, BLOCK).await.0, State::Conflict);
        apply(&handle, &[withdraw(BLOCK)]).await;
        eventually_routes(&[OWN]);
        assert!(ip("route show proto static").contains("192.168.92.1 "));
    });
}

#[test]
fn right_routes_are_adopted_without_a_message_and_stale_ones_swept_at_the_end() {
    netns::run(|| async {
        ip(&format!("route add {BLOCK} via 192.168.92.129 proto 179"));
        ip("route add blackhole 172.16.241.64/26 proto 179");
        ip("route add 172.16.7.0/26 via 192.168.92.130 proto 179");
        ip("route add 172.16.8.0/26 via 192.168.92.130 proto 179 metric 77");
        ip("route add 172.16.9.0/26 via 192.168.92.130 proto 178");
        let monitor = RouteMonitor::start();
        let (handle, _events) = start().unwrap();
        handle.configure(config(PoolMode::Never)).await.unwrap();
        apply(&handle, &[via(BLOCK, "192.168.92.129")]).await;
        assert_eq!(state(&handle, "172.16.7.0/26").await, (State::Stale, Some(Cause::RestartUnderway)));
        assert_eq!(state(&handle, BLOCK).await, (State::Installed, None));
        assert_eq!(monitor.lines("172.16."), [""; 0]);
        // What was confirmed in this life is protected no longer.
        apply(&handle, &[withdraw(BLOCK)]).await;
        assert_eq!(routes(179).len(), 3);
        apply(&handle, &[via(BLOCK, "192.168.92.129")]).await;
        assert_eq!(routes(179).len(), 4);
        handle.end_restart().await.unwrap();
        eventually_routes(&[DIRECT, OWN]);
        assert_eq!(routes(178).len(), 1);
        assert_eq!(handle.metrics().snapshot().adopted, 4);
        handle.stop().await.unwrap();
        assert_eq!(routes(179), [DIRECT, OWN]);
    });
}

#[test]
fn deleted_altered_and_usurped_routes_are_repaired() {
    netns::run(|| async {
        let (handle, _events) = running(config(PoolMode::Always)).await;
        apply(&handle, &[via(BLOCK, "192.168.92.129")]).await;
        ip(&format!("route del {BLOCK}"));
        eventually_routes(&[TUNNELLED, OWN]);
        ip(&format!("route replace {BLOCK} via 192.168.92.1 proto 179"));
        eventually_routes(&[TUNNELLED, OWN]);
        ip("route add 172.16.9.0/26 via 192.168.92.1 proto 179");
        eventually_routes(&[TUNNELLED, OWN]);
        ip(&format!("route replace {BLOCK} via 192.168.92.1 proto static"));
        eventually_routes(&[OWN]);
        sleep(Duration::from_millis(50));
        assert_eq!(state(&handle, BLOCK).await.0, State::Conflict);
        ip(&format!("route del {BLOCK}"));
        eventually_routes(&[TUNNELLED, OWN]);
        assert!(handle.metrics().snapshot().repaired >= 3);
    });
}

#[test]
fn routes_come_back_after_a_link_was_down() {
    netns::run(|| async {
        let (handle, mut events) = running(config(PoolMode::CrossSubnet)).await;
        let next_hop: std::net::IpAddr = "192.168.92.129".parse().unwrap();
        handle.watch_next_hop(next_hop).await.unwrap();
        apply(&handle, &[via(BLOCK, "192.168.92.129"), via("172.16.5.0/26", "10.1.1.1")]).await;
        let far = "172.16.5.0/26 via 10.1.1.1 dev tunl9 onlink";
        assert_eq!(routes(179), [far, DIRECT, OWN]);
        ip("link set eth0 down");
        eventually_routes(&[far, UNREACHABLE, OWN]);
        assert_eq!(state(&handle, BLOCK).await, (State::Unreachable, Some(Cause::NextHopUnreachable)));
        ip("link set tunl9 down");
        eventually_routes(&[UNREACHABLE, OWN]);
        sleep(Duration::from_millis(100));
        assert_eq!(state(&handle, "172.16.5.0/26").await, (State::Pending, Some(Cause::TunnelDown)));
        ip("link set eth0 up");
        ip("link set tunl9 up");
        eventually_routes(&[far, DIRECT, OWN]);
        let mut told = Vec::new();
        while let Ok(Some(event)) = tokio::time::timeout(Duration::from_millis(200), events.recv()).await {
            if let FibEvent::NextHop { reachability, .. } = event {
                told.push(reachability);
            }
        }
        let reachable = Reachability::Reachable { metric: 0 };
        assert_eq!(told, [reachable, Reachability::Unreachable, reachable]);
        // Gone and back before anybody looked.
        ip("link set eth0 down");
        ip("link set eth0 up");
        eventually_routes(&[far, DIRECT, OWN]);
    });
}

#[test]
fn direct_routes_follow_the_underlay() {
    netns::run(|| async {
        ip("route add 10.2.0.0/16 via 192.168.92.1");
        let (handle, _events) = running(config(PoolMode::Never)).await;
        apply(&handle, &[via(BLOCK, "10.2.1.1"), via("fd01::/64", "fd00::9")]).await;
        let v6 = "fd01::/64 via fd00::9 dev eth0 metric 1024 pref medium";
        eventually_routes(&["172.16.196.128/26 via 192.168.92.1 dev eth0", OWN, v6]);
        ip("route add 10.2.1.0/24 via 192.168.92.2");
        eventually_routes(&["172.16.196.128/26 via 192.168.92.2 dev eth0", OWN, v6]);
        ip("route del 10.2.1.0/24");
        ip("route replace 10.2.0.0/16 dev tunl9");
        sleep(Duration::from_millis(200));
        assert_eq!(state(&handle, BLOCK).await, (State::Unreachable, Some(Cause::NextHopUnreachable)));
        assert_eq!(routes(179), ["unreachable 172.16.196.128/26", OWN, v6]);
        ip("route replace 10.2.0.0/16 via 192.168.92.3");
        eventually_routes(&["172.16.196.128/26 via 192.168.92.3 dev eth0", OWN, v6]);
        apply(&handle, &[withdraw("fd01::/64")]).await;
        eventually_routes(&["172.16.196.128/26 via 192.168.92.3 dev eth0", OWN]);
    });
}

#[test]
fn a_link_without_carrier_counts_as_down() {
    netns::run(|| async {
        let (handle, _events) = running(config(PoolMode::CrossSubnet)).await;
        apply(&handle, &[via(BLOCK, "192.168.92.129"), via("172.16.5.0/26", "10.1.1.1")]).await;
        let far = "172.16.5.0/26 via 10.1.1.1 dev tunl9 onlink";
        assert_eq!(routes(179), [far, DIRECT, OWN]);
        ip("link set wire0 down");
        eventually_routes(&[far, UNREACHABLE, OWN]);
        ip("link set wire1 down");
        eventually_routes(&["unreachable 172.16.5.0/26", UNREACHABLE, OWN]);
        ip("link set wire0 up");
        ip("link set wire1 up");
        eventually_routes(&[far, DIRECT, OWN]);
    });
}

#[test]
fn a_multipath_route_mixes_direct_and_tunnelled_legs() {
    netns::run(|| async {
        let (handle, _events) = running(config(PoolMode::CrossSubnet)).await;
        let next_hops = smallvec![
            NextHop { address: "10.1.1.1".parse().unwrap(), weight: 3, interface: None },
            NextHop { address: "192.168.92.129".parse().unwrap(), weight: 1, interface: None },
        ];
        apply(&handle, &[RouteChange::to(BLOCK.parse().unwrap(), next_hops)]).await;
        let mixed = [
            "172.16.196.128/26",
            "nexthop via 10.1.1.1 dev tunl9 weight 3 onlink",
            "nexthop via 192.168.92.129 dev eth0 weight 1",
            OWN,
        ];
        eventually_routes(&mixed);
        assert_eq!(handle.diff(None, 10).await.unwrap().entries, []);
        assert_eq!(state(&handle, BLOCK).await, (State::Installed, None));
        ip("link set tunl9 down");
        sleep(Duration::from_millis(200));
        assert_eq!(state(&handle, BLOCK).await.0, State::Installed);
        ip("link set tunl9 up");
        eventually_routes(&mixed);
    });
}

#[test]
fn a_dry_run_writes_nothing_and_shows_what_it_would_do() {
    netns::run(|| async {
        ip("route add 172.16.7.0/26 via 192.168.92.130 proto 179");
        let dry = FibConfig { programming: Programming::DryRun, ..config(PoolMode::Always) };
        let (handle, _events) = running(dry).await;
        apply(&handle, &[via(BLOCK, "192.168.92.129")]).await;
        let diff = handle.diff(None, 10).await.unwrap().entries;
        let actions: Vec<_> = diff.iter().map(|entry| (entry.prefix.to_string(), entry.action)).collect();
        let expected = [
            ("172.16.7.0/26", DiffAction::Remove),
            (BLOCK, DiffAction::Add),
            ("172.16.241.64/26", DiffAction::Add),
        ];
        assert_eq!(actions, expected.map(|(prefix, action)| (prefix.to_string(), action)));
        assert_eq!(routes(179).len(), 1);
        handle.configure(config(PoolMode::Always)).await.unwrap();
        eventually_routes(&[TUNNELLED, OWN]);
    });
}

#[test]
fn a_withheld_tunnel_leaves_adopted_routes_alone() {
    netns::run(|| async {
        ip(&format!("route add {BLOCK} via 192.168.92.129 dev tunl9 proto 179 onlink"));
        let (handle, _events) = start().unwrap();
        let mut withheld = config(PoolMode::Always);
        withheld.tunnel.usage.permission = TunnelPermission::Withheld;
        handle.configure(withheld).await.unwrap();
        handle.end_restart().await.unwrap();
        apply(&handle, &[via(BLOCK, "192.168.92.129"), via("172.16.5.0/26", "10.1.1.1")]).await;
        assert_eq!(state(&handle, "172.16.5.0/26").await, (State::Pending, Some(Cause::TunnelWithheld)));
        handle.tunnel_use(TunnelUse::default()).await.unwrap();
        eventually_routes(&["172.16.5.0/26 via 10.1.1.1 dev tunl9 onlink", TUNNELLED, OWN]);
    });
}

#[test]
fn tunnelled_routes_carry_an_mtu_of_their_own_where_that_is_asked() {
    netns::run(|| async {
        let (handle, _events) = running(config(PoolMode::CrossSubnet)).await;
        apply(&handle, &[via(BLOCK, "10.1.1.1"), via("172.16.5.0/26", "192.168.92.129")]).await;
        let direct = "172.16.5.0/26 via 192.168.92.129 dev eth0";
        let tunnelled = format!("{BLOCK} via 10.1.1.1 dev tunl9 onlink");
        eventually_routes(&[direct, &tunnelled, OWN]);
        for mtu in [1480, 1400] {
            let route_mtu = NonZeroU32::new(mtu);
            handle.tunnel_use(TunnelUse { route_mtu, ..TunnelUse::default() }).await.unwrap();
            eventually_routes(&[direct, &format!("{tunnelled} mtu {mtu}"), OWN]);
            assert_eq!(handle.routes(BLOCK.parse().ok(), 1).await.unwrap().routes[0].mtu, route_mtu);
        }
        handle.tunnel_use(TunnelUse::default()).await.unwrap();
        eventually_routes(&[direct, &tunnelled, OWN]);
    });
}

#[test]
fn ten_thousand_routes_are_installed_and_flushed_beside_foreign_ones() {
    netns::run(|| async {
        ip("route add 10.200.0.0/16 via 192.168.92.1 proto static");
        let (handle, _events) = running(config(PoolMode::Always)).await;
        let prefix = |i: u32| format!("10.{}.{}.{}/26", 100 + (i >> 10), (i >> 2) & 255, (i & 3) * 64);
        let changes: Vec<_> = (0..10_000).map(|i| via(&prefix(i), "192.168.92.129")).collect();
        for batch in changes.chunks(500) {
            handle.apply(batch.to_vec()).await.unwrap();
        }
        handle.settle().await.unwrap();
        assert_eq!(routes(179).len(), 10_001);
        // Our own notifications are not heard: nothing was taken for a repair, and only a link of the test that is late
        // to come up may have had a next hop asked for, or everything compared, once more.
        let metrics = handle.metrics().snapshot();
        assert_eq!((metrics.created, metrics.repaired), (10_001, 0));
        assert!((1..10).contains(&metrics.lookups), "{metrics:?}");
        for reason in [ResyncReason::ForeignChange, ResyncReason::Overrun] {
            assert!(!metrics.resyncs.contains_key(&reason), "{metrics:?}");
        }
        let page = handle.routes(Some("10.105.0.0/26".parse().unwrap()), 2).await.unwrap();
        let prefixes: Vec<_> = page.routes.iter().map(|route| route.prefix.to_string()).collect();
        assert_eq!(prefixes, ["10.105.0.0/26", "10.105.0.64/26"]);
        assert_eq!(page.next, "10.105.0.128/26".parse().ok());
        let report = handle.flush().await.unwrap();
        assert_eq!((report.removed, report.failed), (10_001, vec![]));
        assert_eq!(routes(179), [""; 0]);
        assert_eq!(routes(4).len(), 1);
    });
}

#[test]
fn borrowed_addresses_of_pods_are_told_while_their_routes_are_there() {
    netns::run(|| async {
        ip("link add cali1 type veth peer name pod1");
        ip("link set cali1 up");
        ip("link set pod1 up");
        ip("route add 172.16.241.69 dev cali1");
        ip("route add 172.16.77.1 dev cali1");
        let (_handle, mut events) = running(config(PoolMode::Always)).await;
        let mut told = async || loop {
            let event = tokio::time::timeout(Duration::from_secs(5), events.recv()).await.unwrap();
            if let Some(FibEvent::Locals(locals)) = event {
                break locals.into_iter().map(|prefix| prefix.to_string()).collect::<Vec<_>>();
            }
        };
        assert_eq!(told().await, ["172.16.77.1/32"]);
        ip("route add 172.16.77.2 dev cali1 proto 80");
        assert_eq!(told().await, ["172.16.77.1/32", "172.16.77.2/32"]);
        ip("route del 172.16.77.1 dev cali1");
        assert_eq!(told().await, ["172.16.77.2/32"]);
        ip("link del cali1");
        assert_eq!(told().await, [""; 0]);
    });
}
