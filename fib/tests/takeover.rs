//! Take-over from daemons before us and hand-back, in network namespaces.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    dead_code,
    reason = "helpers of tests, which clippy does not take for tests, shared with other tests"
)]

mod netns;

use std::{thread::sleep, time::Duration};

use fib::{
    config::{FibConfig, ObjectUse, Pool, PoolMode, Tunnel, TunnelUse},
    route::RouteChange,
    service::start,
};
use netns::{RouteMonitor, eventually_routes, ip, routes};

const BIRD: u8 = 12;
const OWN: &str = "blackhole 172.16.241.64/26";
const DIRECT: &str = "172.16.1.0/26 via 192.168.92.129 dev eth0";
const TUNNELLED: &str = "172.16.2.0/26 via 10.1.1.1 dev tunl9 onlink";

fn config() -> FibConfig {
    FibConfig {
        node_network: "192.168.92.0/24".parse().ok(),
        pools: vec![Pool { cidr: "172.16.0.0/16".parse().unwrap(), mode: PoolMode::CrossSubnet }],
        local_blocks: vec!["172.16.241.64/26".parse().unwrap()],
        tunnel: Tunnel { device: "tunl9".into(), usage: TunnelUse::default() },
        adopt: vec![BIRD],
        ..FibConfig::default()
    }
}

fn via(prefix: &str, next_hop: &str) -> RouteChange {
    RouteChange::via(prefix.parse().unwrap(), next_hop.parse().unwrap())
}

#[test]
fn birds_routes_are_taken_over_in_place_and_its_leftovers_go_at_the_end() {
    netns::run(|| async {
        for route in [
            "blackhole 172.16.241.64/26 proto bird",
            "172.16.1.0/26 via 192.168.92.129 dev eth0 proto bird",
            "172.16.2.0/26 via 10.1.1.1 dev tunl9 onlink proto bird metric 1024",
            "172.16.3.0/26 via 192.168.92.130 dev eth0 proto bird",
            "172.16.4.0/26 via 192.168.92.130 dev eth0 proto bird metric 1024",
            "172.16.241.69 dev wire9 proto bird",
            "10.77.0.0/16 via 192.168.92.1 proto bird",
        ] {
            ip(&format!("route add {route}"));
        }
        let monitor = RouteMonitor::start();
        let (fib, _events) = start().unwrap();
        fib.configure(config()).await.unwrap();
        fib.apply(vec![via("172.16.1.0/26", "192.168.92.129"), via("172.16.2.0/26", "10.1.1.1")])
            .await
            .unwrap();
        fib.settle().await.unwrap();
        assert_eq!(routes(179), [DIRECT, TUNNELLED, OWN]);
        assert_eq!(routes(BIRD).len(), 5, "{:?}", routes(BIRD));
        fib.end_restart().await.unwrap();
        fib.settle().await.unwrap();
        eventually_routes(&[DIRECT, TUNNELLED, OWN]);
        // A canary: what was asked for before it has been done when it is there.
        fib.apply(vec![via("10.78.0.0/16", "192.168.92.129")]).await.unwrap();
        fib.settle().await.unwrap();
        assert!(routes(179).iter().any(|route| route.starts_with("10.78.0.0/16")), "{:?}", routes(179));
        // A pod's own route, and what lies outside our pools, is none of our business.
        assert_eq!(
            routes(BIRD),
            ["10.77.0.0/16 via 192.168.92.1 dev eth0", "172.16.241.69 dev wire9 scope link"]
        );
        let heard = monitor.lines("172.16.");
        let deleted: Vec<_> = heard.iter().filter(|line| line.contains("Deleted")).collect();
        assert_eq!(deleted.len(), 3, "{deleted:?}");
        assert!(
            deleted.iter().all(|line| line.contains("metric 1024") || line.contains("172.16.3.0")),
            "{deleted:?}"
        );
    });
}

#[test]
fn a_daemon_that_still_runs_is_not_fought() {
    netns::run(|| async {
        let (fib, _events) = start().unwrap();
        fib.configure(config()).await.unwrap();
        fib.end_restart().await.unwrap();
        ip("route add 172.16.1.0/26 via 192.168.92.130 dev eth0 proto bird");
        fib.apply(vec![via("172.16.1.0/26", "192.168.92.129")]).await.unwrap();
        sleep(Duration::from_millis(700));
        assert_eq!(routes(BIRD).len(), 1);
        assert_eq!(routes(179), [OWN]);
    });
}

#[test]
fn routes_are_handed_back_in_place_whatever_their_form() {
    netns::run(|| async {
        for objects in [ObjectUse::Off, ObjectUse::On] {
            let (fib, _events) = start().unwrap();
            fib.configure(FibConfig { objects, ..config() }).await.unwrap();
            fib.end_restart().await.unwrap();
            fib.apply(vec![via("172.16.1.0/26", "192.168.92.129"), via("172.16.2.0/26", "10.1.1.1")])
                .await
                .unwrap();
            fib.apply(vec![via("fd01::/64", "fd00::9")]).await.unwrap();
            fib.settle().await.unwrap();
            fib.stop().await.unwrap();
            let monitor = RouteMonitor::start();
            let (fib, _events) = start().unwrap();
            fib.configure(FibConfig::default()).await.unwrap();
            let report = fib.release(BIRD).await.unwrap();
            assert_eq!((report.released, report.failed), (4, vec![]));
            fib.stop().await.unwrap();
            let v6 = "fd01::/64 via fd00::9 dev eth0 metric 1024 pref medium";
            assert_eq!(routes(BIRD), [DIRECT, TUNNELLED, OWN, v6]);
            assert_eq!(routes(179), [""; 0]);
            let heard = monitor.lines("172.16.");
            assert!(heard.iter().all(|line| !line.contains("Deleted")), "{heard:?}");
            assert_eq!(ip("nexthop show"), "");
            ip("route flush proto bird");
            ip("-6 route flush proto bird");
        }
    });
}
