//! Measures how fast routes get into the kernel, beside a raw batch of the same messages and `ip -batch`.
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
mod sampler;

use std::{
    io::Write,
    net::{IpAddr, Ipv4Addr},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use fib::{
    config::{FibConfig, ObjectUse, Pool, PoolMode, Tunnel},
    route::RouteChange,
    service::{FibHandle, start},
};
use ipnet::Ipv4Net;
use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage};
use netlink_packet_route::{RouteNetlinkMessage, route::RouteProtocol};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use rtnetlink::RouteMessageBuilder;
use sampler::{Sampler, Seen};

fn main() {
    let count = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(100_000);
    println!("{count} routes           seconds  µs/route");
    for _ in 0..3 {
        netns::run(|| measure(count));
    }
}

fn report(what: &str, count: u32, took: Duration) {
    println!("{what:22} {:8.3}  {:8.2}", took.as_secs_f64(), took.as_secs_f64() * 1e6 / f64::from(count));
}

async fn measure(count: u32) {
    let prefixes: Vec<_> = (0..count).map(prefix).collect();
    let took = raw(&prefixes);
    assert_eq!(held(), count as usize);
    report("raw batch", count, took);
    netns::ip("route flush proto 179");
    let took = ip_batch(&prefixes);
    report("ip -batch", count, took);
    netns::ip("route flush proto 179");
    for objects in [ObjectUse::Off, ObjectUse::On] {
        println!("{}", if objects == ObjectUse::On { "with next-hop objects" } else { "plain" });
        program(&prefixes, count, objects).await;
    }
}

async fn program(prefixes: &[Ipv4Net], count: u32, objects: ObjectUse) {
    let config = |mode| FibConfig {
        objects,
        node_network: "192.168.92.0/24".parse().ok(),
        pools: vec![Pool { cidr: "10.0.0.0/8".parse().unwrap(), mode }],
        tunnel: Tunnel { device: "tunl9".into(), ..Tunnel::default() },
        ..FibConfig::default()
    };
    let (fib, _events) = start().unwrap();
    fib.configure(config(PoolMode::Always)).await.unwrap();
    fib.end_restart().await.unwrap();
    let next_hop = IpAddr::V4(Ipv4Addr::new(192, 168, 92, 129));
    let changes: Vec<_> =
        prefixes.iter().map(|prefix| RouteChange::via((*prefix).into(), next_hop)).collect();
    let sampler = Sampler::start();
    report("install", count, timed(&fib, changes.clone()).await);
    let installed = tell(sampler.end());
    assert_eq!(held(), count as usize);
    let (sampler, began) = (Sampler::start(), Instant::now());
    fib.configure(config(PoolMode::Never)).await.unwrap();
    fib.settle().await.unwrap();
    report("mode change", count, began.elapsed());
    let changed = tell(sampler.end());
    assert_eq!((changed.least, changed.most), (installed.most, installed.most), "each is replaced in place");
    report("the same again", count, timed(&fib, changes).await);
    println!(
        "{:22} {:8.1} bytes/route",
        "table",
        fib.status().await.unwrap().bytes as f64 / f64::from(count)
    );
    if let Some(kilobytes) = resident() {
        println!("{:22} {kilobytes:8} kB resident", "process");
    }
    let gone = prefixes.iter().map(|prefix| RouteChange::withdraw((*prefix).into())).collect();
    let sampler = Sampler::start();
    report("withdraw", count, timed(&fib, gone).await);
    assert!(tell(sampler.end()).most <= installed.most);
    assert_eq!(held(), 0);
    let began = Instant::now();
    for _ in 0..1000 {
        fib.apply(vec![RouteChange::via(prefixes[0].into(), next_hop)]).await.unwrap();
        fib.settle().await.unwrap();
        fib.apply(vec![RouteChange::withdraw(prefixes[0].into())]).await.unwrap();
        fib.settle().await.unwrap();
    }
    report("one at a time", 2000, began.elapsed());
    fib.flush().await.unwrap();
    fib.stop().await.unwrap();
}

fn tell(seen: Seen) -> Seen {
    let Seen { samples, least, most } = seen;
    println!("{:22} {least} to {most} routes in the table, {samples} samples", "  meanwhile");
    seen
}

fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

async fn timed(fib: &FibHandle, changes: Vec<RouteChange>) -> Duration {
    let batches: Vec<_> = changes.chunks(256).map(<[_]>::to_vec).collect();
    let began = Instant::now();
    for batch in batches {
        fib.apply(batch).await.unwrap();
    }
    fib.settle().await.unwrap();
    began.elapsed()
}

fn prefix(index: u32) -> Ipv4Net {
    Ipv4Net::new(Ipv4Addr::from(0x0a00_0000 + (index << 6)), 26).unwrap()
}

fn held() -> usize {
    netns::ip("route show proto 179").lines().count()
}

fn raw(prefixes: &[Ipv4Net]) -> Duration {
    let device = netns::ip("-o link show tunl9").split(':').next().unwrap().parse().unwrap();
    let mut socket = Socket::new(NETLINK_ROUTE).unwrap();
    socket.bind_auto().unwrap();
    socket.connect(&SocketAddr::new(0, 0)).unwrap();
    let batches: Vec<_> = prefixes.chunks(256).map(|batch| messages(batch, device)).collect();
    let mut answer = vec![0u8; 4096];
    let began = Instant::now();
    for batch in &batches {
        socket.send(batch, 0).unwrap();
        socket.recv(&mut answer.as_mut_slice(), 0).unwrap();
    }
    began.elapsed()
}

fn messages(prefixes: &[Ipv4Net], device: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, prefix) in prefixes.iter().enumerate() {
        let route = RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(prefix.addr(), prefix.prefix_len())
            .gateway(Ipv4Addr::new(192, 168, 92, 129))
            .output_interface(device)
            .onlink()
            .protocol(RouteProtocol::Other(179))
            .build();
        let mut message = NetlinkMessage::from(RouteNetlinkMessage::NewRoute(route));
        let acknowledge = if index + 1 == prefixes.len() { NLM_F_ACK } else { 0 };
        message.header.flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | acknowledge;
        message.finalize();
        let start = bytes.len();
        bytes.resize(start + message.buffer_len(), 0);
        message.serialize(&mut bytes[start..]);
    }
    bytes
}

fn ip_batch(prefixes: &[Ipv4Net]) -> Duration {
    let lines: String = prefixes
        .iter()
        .map(|prefix| format!("route add {prefix} via 192.168.92.129 dev tunl9 proto 179 onlink\n"))
        .collect();
    let began = Instant::now();
    let mut ip = Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    ip.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    assert!(ip.wait().unwrap().success());
    began.elapsed()
}
