//! Another process deletes, replaces and adds routes and objects, downs, ups and renames links and changes addresses, at
//! random; two seconds after its last act everything is as wanted.
//!
//! `SISKIN_SABOTAGE_SECONDS` (4) and `SISKIN_SABOTAGE_SEEDS` (1,2) say how long and which.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    dead_code,
    reason = "helpers of tests, which clippy does not take for tests, shared with other tests"
)]

mod netns;

use std::{
    env,
    thread::sleep,
    time::{Duration, Instant},
};

use fib::{
    config::{FibConfig, ObjectUse, Pool, PoolMode, Tunnel, TunnelUse},
    route::{NextHop, NextHopSet, RouteChange},
    service::start,
};
use netns::{ip, routes, try_ip};

const NEAR: [&str; 2] = ["192.168.92.129", "192.168.92.130"];
const FAR: &str = "10.1.1.1";
const V6: &str = "fd00::9";
/// How long after the last act everything is right.
const REPAIR: Duration = Duration::from_secs(2);

fn config(objects: ObjectUse) -> FibConfig {
    FibConfig {
        node_network: "192.168.92.0/24".parse().ok(),
        pools: vec![Pool { cidr: "172.16.0.0/16".parse().unwrap(), mode: PoolMode::CrossSubnet }],
        local_blocks: vec!["172.16.241.64/26".parse().unwrap()],
        tunnel: Tunnel { device: "tunl9".into(), usage: TunnelUse::default() },
        objects,
        ..FibConfig::default()
    }
}

/// A generator of numbers that look random (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

fn wishes() -> Vec<RouteChange> {
    let to = |prefix: String, next_hops: &[&str]| {
        let next_hops: NextHopSet = next_hops.iter().map(|n| NextHop::new(n.parse().unwrap())).collect();
        RouteChange::to(prefix.parse().unwrap(), next_hops)
    };
    let mut wishes: Vec<_> = (0..4).map(|n| to(format!("172.16.{n}.0/26"), &NEAR[..1])).collect();
    wishes.extend((4..8).map(|n| to(format!("172.16.{n}.0/26"), &[FAR])));
    wishes.extend((8..10).map(|n| to(format!("172.16.{n}.0/26"), &[FAR, NEAR[0], NEAR[1]])));
    wishes.push(to("172.16.10.0/26".into(), &[V6]));
    wishes.push(to("fd01::/64".into(), &[V6]));
    wishes
}

fn sabotage(dice: &mut Dice) -> Vec<String> {
    let target = format!("172.16.{}.0/26", dice.below(11));
    let object = 0xb3fe_0001 + dice.below(8);
    let one = |command: String| vec![command];
    match dice.below(18) {
        0 | 1 => one(format!("route del {target}")),
        2 => one(format!("route replace blackhole {target} proto 179")),
        3 => one(format!("route append {target} via 192.168.92.9 proto 179")),
        4 => one(format!("route add {target} via 192.168.92.9 proto 179 metric 5")),
        5 => one(format!("route replace {target} via 192.168.92.9 proto 179")),
        6 => one("route flush proto 179".into()),
        7 => one("-6 route flush proto 179".into()),
        8 => one(format!("nexthop del id {object}")),
        9 => one(format!("nexthop replace id {object} via 192.168.92.9 dev eth0 proto 179")),
        10 => one("nexthop flush".into()),
        11 => one("link set eth0 down".into()),
        12 => one("link set wire1 down".into()),
        13 => one("link set tunl9 down".into()),
        14 => one("addr del 192.168.92.128/24 dev eth0".into()),
        15 => one("-6 addr flush dev eth0 scope global".into()),
        16 => ["link set eth0 down", "link set eth0 name nic0", "link set nic0 up", "link set nic0 down"]
            .map(str::to_owned)
            .into(),
        _ => vec![
            format!("route add {target} via 192.168.92.9 proto static"),
            format!("route del {target} proto static"),
        ],
    }
}

/// Undoes what is not ours to undo: links, names, addresses, foreign routes.
fn restore() {
    for command in [
        "link set nic0 down",
        "link set nic0 name eth0",
        "link set eth0 up",
        "link set wire1 up",
        "link set eth1 up",
        "link set tunl9 up",
        "addr add 192.168.92.128/24 dev eth0",
        "addr add fd00::128/64 dev eth0 nodad",
    ] {
        try_ip(command);
    }
}

/// The routes without the ids of their objects, sorted.
fn state() -> Vec<String> {
    let without = |line: String| {
        let mut words: Vec<_> = line.split(' ').collect();
        if let Some(at) = words.iter().position(|word| *word == "nhid") {
            words.drain(at..at + 2);
        }
        words.join(" ")
    };
    let mut lines: Vec<_> = routes(179).into_iter().map(without).collect();
    lines.sort_unstable();
    lines
}

/// How long it takes until everything is as wanted.
fn repaired(seed: u64, wanted: &[String]) -> Duration {
    let began = Instant::now();
    while state() != wanted {
        assert!(began.elapsed() < REPAIR, "seed {seed}: have {:#?}, want {wanted:#?}", state());
        sleep(Duration::from_millis(10));
    }
    began.elapsed()
}

fn endure(seed: u64, objects: ObjectUse) {
    let seconds = env::var("SISKIN_SABOTAGE_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(4);
    netns::run(move || async move {
        println!("seed {seed}, objects {objects:?}, {seconds} s");
        let (fib, _events) = start().unwrap();
        fib.configure(config(objects)).await.unwrap();
        fib.end_restart().await.unwrap();
        fib.apply(wishes()).await.unwrap();
        fib.settle().await.unwrap();
        let wanted = state();
        assert!(wanted.len() >= 19, "{wanted:#?}");
        let mut dice = Dice(seed);
        let mut acts = 0;
        let until = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < until {
            sabotage(&mut dice).iter().for_each(|command| try_ip(command));
            acts += 1;
            if dice.below(3) == 0 {
                restore();
            }
            sleep(Duration::from_millis(dice.below(60)));
        }
        restore();
        println!("seed {seed}: {acts} acts, right after {:?}", repaired(seed, &wanted));
        // And it stays so once the links that came back have rested, with no object that nothing needs.
        sleep(Duration::from_millis(1500));
        repaired(seed, &wanted);
        if objects == ObjectUse::Off {
            assert_eq!(ip("nexthop show proto 179"), "", "seed {seed}");
        }
    });
}

fn seeds() -> Vec<u64> {
    let given = env::var("SISKIN_SABOTAGE_SEEDS").unwrap_or_else(|_| "1,2".into());
    given.split(',').filter_map(|seed| seed.trim().parse().ok()).collect()
}

#[test]
fn plain_routes_are_right_two_seconds_after_the_last_act() {
    seeds().into_iter().for_each(|seed| endure(seed, ObjectUse::Off));
}

#[test]
fn routes_with_objects_are_right_two_seconds_after_the_last_act() {
    seeds().into_iter().for_each(|seed| endure(seed, ObjectUse::On));
}
