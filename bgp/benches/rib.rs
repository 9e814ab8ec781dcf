//! Prints what the core costs, without sockets and without decoding: bytes and nanoseconds per route.
//!
//!     cargo bench -p siskin-bgp --bench rib
#![allow(clippy::print_stdout, clippy::expect_used, clippy::unwrap_used)]

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use bgp::{
    config::{FirstAs, Install, PeerConfig, Reflection, RouteSwitches, SpeakerConfig},
    core::{Action, Core, Work},
    event::{Negotiated, Reachability, Retention, RouteBatch, RouteItem, SessionAddresses},
    types::{Asn, Family, Now, PeerId, PeerType, RouterId},
    wire::{
        as_path::AsPath,
        attribute::{NextHop, Origin, PathAttributes},
        nlri::{Nlri, NlriList},
    },
};
use bytes::Bytes;
use ipnet::Ipv4Net;

const OWN_AS: Asn = Asn(65000);
const PER_SET: u32 = 10;
/// Prefixes in about 64 KiB of UPDATEs.
const BATCH: u32 = 6000;

fn main() {
    reflect(500, 2);
    mesh(1000, 2);
    for count in [100_000, 1_000_000] {
        propagate(count);
    }
}

fn now() -> Now {
    Now(Duration::from_secs(1))
}

fn address(index: u32) -> IpAddr {
    Ipv4Addr::from(0x0aff_0100 + index).into()
}

fn peer(index: u32, asn: Asn, reflection: Reflection) -> PeerConfig {
    let new = PeerConfig::new(&format!("p{index}"), address(index), asn);
    // The paths below are drawn by lot.
    let switches = RouteSwitches { first_as: FirstAs::Any, ..RouteSwitches::default() };
    PeerConfig { reflection, install: Install::RibOnly, switches, ..new }
}

fn core(peers: Vec<PeerConfig>) -> Core {
    let id = RouterId(Ipv4Addr::new(10, 255, 0, 1));
    let new = SpeakerConfig::new(OWN_AS, id);
    let config = SpeakerConfig { graceful_restart_time: Duration::ZERO, peers, ..new };
    let asns: Vec<_> = config.peers.iter().map(|p| p.asn).collect();
    let mut core = Core::new(config, now());
    for (index, asn) in asns.into_iter().enumerate() {
        let index = index as u32;
        let IpAddr::V4(peer_id) = address(index) else { unreachable!() };
        let negotiated = Negotiated {
            peer_asn: asn,
            peer_type: PeerType::of(OWN_AS, asn),
            peer_id: RouterId(peer_id),
            families: [Family::Ipv4Unicast].into_iter().collect(),
            four_octet_asn: true,
            route_refresh: true,
            hold_time: Duration::from_secs(90),
            max_message: 4096,
            graceful_restart: None,
            extensions: Default::default(),
        };
        let local = Ipv4Addr::new(10, 255, 0, 1).into();
        core.session_up(now(), PeerId(index), negotiated, SessionAddresses::new(local, address(index)));
    }
    settle(&mut core);
    core
}

fn settle(core: &mut Core) {
    while core.run(now(), 4096) == Work::Pending {}
    while let Some(action) = core.poll_action() {
        if let Action::WatchNextHop(address) = action {
            core.next_hop(now(), address, Reachability::Reachable { metric: 0 });
        }
    }
    while core.run(now(), 4096) == Work::Pending {}
}

/// Takes everything a peer is to be sent; how many octets.
fn drain(core: &mut Core, peer: PeerId) -> usize {
    let (mut messages, mut octets) = (Vec::new(), 0);
    while core.poll_transmit(peer, 64 * 1024, &mut messages) == Work::Pending {
        octets += messages.drain(..).map(|m: Bytes| m.len()).sum::<usize>();
    }
    octets + messages.iter().map(Bytes::len).sum::<usize>()
}

fn attributes(seed: u32, next_hop: u32) -> Arc<PathAttributes> {
    let hash = seed.wrapping_mul(2_654_435_761);
    let path: Vec<_> = (0..2 + hash % 5).map(|i| Asn(1 + (hash.rotate_left(i * 7) & 0x7fff))).collect();
    let IpAddr::V4(next_hop) = address(next_hop) else { unreachable!() };
    Arc::new(PathAttributes {
        origin: Origin::Igp,
        as_path: AsPath::from_sequence(&path).unwrap(),
        next_hop: NextHop::V4(next_hop),
        med: None,
        local_pref: None,
        atomic_aggregate: false,
        rare: None,
    })
}

fn batch(sets: std::ops::Range<u32>, next_hop: u32) -> RouteBatch {
    let reach = |set: u32| {
        let prefix = |i: u32| Ipv4Net::new((0x1400_0000 + ((set * PER_SET + i) << 8)).into(), 24).unwrap();
        let nlri = (0..PER_SET).map(|i| Nlri::from(prefix(i))).collect();
        RouteItem::Reach { attributes: attributes(set, next_hop), nlri: NlriList::V4(nlri) }
    };
    RouteBatch { items: sets.map(reach).collect() }
}

/// What this thread has computed for, so that other work on the machine does not count.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap())
}

fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap() * 4096
}

/// One external sender, one external sink.
fn propagate(count: u32) {
    let mut core =
        core(vec![peer(0, Asn(65001), Reflection::NonClient), peer(1, Asn(65002), Reflection::NonClient)]);
    let (before, sets) = (resident(), count / PER_SET);
    let (mut ingest, mut export, mut octets) = (Duration::ZERO, Duration::ZERO, 0);
    for first in (0..sets).step_by((BATCH / PER_SET) as usize) {
        let batch = batch(first..(first + BATCH / PER_SET).min(sets), 0);
        let start = cpu();
        core.routes(now(), PeerId(0), batch);
        settle(&mut core);
        ingest += cpu() - start;
        let start = cpu();
        octets += drain(&mut core, PeerId(1));
        drain(&mut core, PeerId(0));
        settle(&mut core);
        export += cpu() - start;
    }
    let bytes = resident().saturating_sub(before) as f64 / f64::from(count);
    let per_route = |time: Duration| time.as_nanos() as f64 / f64::from(count);
    let advertised = core.counts(PeerId(1), Family::Ipv4Unicast).advertised;
    assert_eq!(advertised, count);
    let start = cpu();
    core.session_down(now(), PeerId(0), Retention::Flush);
    settle(&mut core);
    drain(&mut core, PeerId(1));
    settle(&mut core);
    println!(
        "{count} routes, 1 sender, 1 sink: {bytes:.1} bytes/route, ingest {:.0} + export {:.0} ns/route \
         ({:.1} octets sent), session loss {:.0} ns/route",
        per_route(ingest),
        per_route(export),
        octets as f64 / f64::from(count),
        per_route(cpu() - start),
    );
}

/// One node of a full mesh, with one external peer that listens: each batch is followed by a whole turn.
fn mesh(nodes: u32, routes: u32) {
    let monitor = PeerId(nodes);
    let start = cpu();
    let peers = (0..nodes).map(|i| peer(i, OWN_AS, Reflection::NonClient));
    let mut core = core(peers.chain([peer(nodes, Asn(65001), Reflection::NonClient)]).collect());
    for peer in core.peers_with_output() {
        drain(&mut core, peer);
    }
    let established = cpu() - start;
    let start = cpu();
    for node in 0..nodes {
        announce(&mut core, node, routes);
        for peer in core.peers_with_output() {
            drain(&mut core, peer);
        }
    }
    assert_eq!(core.counts(monitor, Family::Ipv4Unicast).advertised, nodes * routes);
    println!(
        "mesh, {nodes} nodes, {routes} routes each: sessions {:.1} ms, routes {:.1} us per update",
        established.as_secs_f64() * 1e3,
        (cpu() - start).as_secs_f64() * 1e6 / f64::from(nodes),
    );
}

/// A peer sends a few routes of its own.
fn announce(core: &mut Core, index: u32, routes: u32) {
    let prefix = |i: u32| Ipv4Net::new((0x1400_0000 + ((index * routes + i) << 6)).into(), 26).unwrap();
    let nlri = NlriList::V4((0..routes).map(|i| Nlri::from(prefix(i))).collect());
    let items = vec![RouteItem::Reach { attributes: attributes(index, index), nlri }];
    core.routes(now(), PeerId(index), RouteBatch { items });
    settle(core);
}

/// A route reflector whose clients send a few routes each.
fn reflect(clients: u32, routes: u32) {
    let mut core = core((0..clients).map(|i| peer(i, OWN_AS, Reflection::Client)).collect());
    for client in 0..clients {
        drain(&mut core, PeerId(client));
    }
    settle(&mut core);
    let before = resident();
    let start = cpu();
    let mut deliveries = 0;
    for client in 0..clients {
        announce(&mut core, client, routes);
    }
    let ingested = cpu() - start;
    for client in core.peers_with_output() {
        drain(&mut core, client);
    }
    settle(&mut core);
    for client in 0..clients {
        deliveries += core.counts(PeerId(client), Family::Ipv4Unicast).advertised;
    }
    assert_eq!(deliveries, clients * (clients - 1) * routes);
    println!(
        "reflector, {clients} clients, {routes} routes each: {deliveries} deliveries in {:.1} ms \
         (ingest {:.1} ms), {} KiB",
        (cpu() - start).as_secs_f64() * 1e3,
        ingested.as_secs_f64() * 1e3,
        resident().saturating_sub(before) / 1024,
    );
}
