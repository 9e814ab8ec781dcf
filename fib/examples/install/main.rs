//! Measures how fast routes get into the kernel, are all replaced, and go, beside raw batches of the same messages and
//! `ip -batch`.
//!
//! `cargo run --release -p siskin-fib --example install -- 100000`, as root; everything happens in a network namespace
//! of its own. All the while the kernel is asked how many routes it holds: during a change of mode never fewer and never
//! more than are wanted.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    dead_code,
    reason = "a measurement, and helpers shared with tests"
)]

#[path = "../../tests/netns/mod.rs"]
mod netns;
mod process;
mod raw;
mod sampler;

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Instant,
};

use fib::{
    config::{FibConfig, ObjectUse, Pool, PoolMode, Tunnel},
    route::RouteChange,
    service::{FibHandle, start},
};
use ipnet::Ipv4Net;
use raw::{Batches, Step, Way};
use sampler::{Sampler, Seen};

/// Changes in one hand-over.
const BATCH: usize = 256;

fn main() {
    let count = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(100_000);
    for _ in 0..3 {
        netns::run(|| measure(count));
    }
}

async fn measure(count: u32) {
    println!("{count:>9} routes             seconds   CPU s  µs/route   routes in the table (samples)");
    let prefixes: Vec<_> = (0..count).map(prefix).collect();
    raw(&prefixes, "raw batch", [Way::Device("tunl9"), Way::Device("eth0")]);
    netns::ip("nexthop add id 7 via 192.168.92.129 dev tunl9 onlink");
    netns::ip("nexthop add id 8 via 192.168.92.129 dev eth0 onlink");
    raw(&prefixes, "raw batch, objects", [Way::Object(7), Way::Object(8)]);
    ip_batch(&prefixes);
    for objects in [ObjectUse::Off, ObjectUse::On] {
        program(&prefixes, objects).await;
    }
}

/// Times a step while the table is watched.
async fn timed(what: &str, count: usize, step: impl Future<Output = ()>) -> Seen {
    let (busy, sampler, began) = (process::busy(), Sampler::start(), Instant::now());
    step.await;
    let took = began.elapsed().as_secs_f64();
    let seen @ Seen { samples, least, most, .. } = sampler.end();
    let busy = (process::busy() - busy).saturating_sub(seen.busy).as_secs_f64();
    let each = busy * 1e6 / count as f64;
    println!("{what:28} {took:8.3} {busy:7.3}  {each:8.2}   {least} to {most} ({samples})");
    seen
}

fn raw(prefixes: &[Ipv4Net], what: &str, [first, second]: [Way; 2]) {
    for (step, way) in [(Step::Add, first), (Step::Replace, second), (Step::Delete, first)] {
        let batches = Batches::new(prefixes, step, way);
        now(&format!("{what}, {step:?}"), prefixes.len(), || batches.send());
    }
    assert_eq!(held(), 0);
}

fn ip_batch(prefixes: &[Ipv4Net]) {
    for (step, device) in [(Step::Add, "tunl9"), (Step::Replace, "eth0"), (Step::Delete, "eth0")] {
        let lines = raw::lines(prefixes, step, device);
        now(&format!("ip -batch, {step:?}"), prefixes.len(), || raw::ip_batch(&lines));
    }
    assert_eq!(held(), 0);
}

fn now(what: &str, count: usize, step: impl FnOnce()) {
    let done = timed(what, count, async { step() });
    futures_util::FutureExt::now_or_never(done).unwrap();
}

async fn program(prefixes: &[Ipv4Net], objects: ObjectUse) {
    let before = process::resident_kilobytes();
    let (fib, _events) = start().unwrap();
    fib.configure(config(PoolMode::Always, objects)).await.unwrap();
    fib.end_restart().await.unwrap();
    let (count, next_hop) = (prefixes.len(), IpAddr::V4(Ipv4Addr::new(192, 168, 92, 129)));
    let form = if objects == ObjectUse::On { "objects" } else { "plain" };
    let wanted = |prefix: &Ipv4Net| RouteChange::via((*prefix).into(), next_hop);
    let gone = |prefix: &Ipv4Net| RouteChange::withdraw((*prefix).into());
    let installed = timed(&format!("{form}, install"), count, apply(&fib, prefixes, wanted)).await;
    assert_eq!(held(), count);
    let mode = async {
        fib.configure(config(PoolMode::Never, objects)).await.unwrap();
        fib.settle().await.unwrap();
    };
    let changed = timed(&format!("{form}, mode change"), count, mode).await;
    assert_eq!((changed.least, changed.most), (installed.most, installed.most), "each is replaced in place");
    timed(&format!("{form}, the same again"), count, apply(&fib, prefixes, wanted)).await;
    let with_routes = process::resident_kilobytes();
    let bytes = fib.status().await.unwrap().bytes as f64 / count as f64;
    let removed = timed(&format!("{form}, remove"), count, apply(&fib, prefixes, gone)).await;
    assert!(removed.most <= installed.most);
    assert_eq!(held(), 0);
    let after = process::resident_kilobytes();
    println!(
        "{form}: {bytes:.1} bytes/route; resident {before} kB, with routes {with_routes} kB, after {after} kB"
    );
    let singly = async {
        for _ in 0..1000 {
            apply(&fib, &prefixes[..1], wanted).await;
            apply(&fib, &prefixes[..1], gone).await;
        }
    };
    timed(&format!("{form}, one at a time"), 2000, singly).await;
    fib.flush().await.unwrap();
    fib.stop().await.unwrap();
}

fn config(mode: PoolMode, objects: ObjectUse) -> FibConfig {
    FibConfig {
        objects,
        node_network: "192.168.92.0/24".parse().ok(),
        pools: vec![Pool { cidr: "10.0.0.0/8".parse().unwrap(), mode }],
        tunnel: Tunnel { device: "tunl9".into(), ..Tunnel::default() },
        ..FibConfig::default()
    }
}

/// Hands changes over as the speaker does, and waits until the kernel has answered all of them.
async fn apply(fib: &FibHandle, prefixes: &[Ipv4Net], change: impl Fn(&Ipv4Net) -> RouteChange) {
    for batch in prefixes.chunks(BATCH) {
        fib.apply(batch.iter().map(&change).collect()).await.unwrap();
    }
    fib.settle().await.unwrap();
}

fn prefix(index: u32) -> Ipv4Net {
    Ipv4Net::new(Ipv4Addr::from(0x0a00_0000 + (index << 6)), 26).unwrap()
}

fn held() -> usize {
    netns::ip("route show proto 179").lines().count()
}
