use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use proptest::prelude::*;

use super::*;
use crate::bfd::{Arrival, Discard, Endpoint, Engine, Output, Path, Wanted, decode};

const PEER: &str = "192.0.2.2";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn endpoint(peer: &str, path: Path) -> Endpoint {
    let minimum_ttl = if path == Path::SingleHop { 255 } else { 0 };
    Endpoint { peer: ip(peer), source: None, interface: None, path, minimum_ttl }
}

fn wanted(list: &[(&str, Endpoint)]) -> BTreeMap<Arc<str>, Wanted> {
    let wanted = |(name, endpoint): &(&str, Endpoint)| {
        (Arc::from(*name), Wanted { endpoint: endpoint.clone(), parameters: parameters(300, 3) })
    };
    list.iter().map(wanted).collect()
}

fn engine(list: &[(&str, Endpoint)]) -> Engine {
    let mut engine = Engine::new(1);
    engine.configure(at(0), &wanted(list));
    engine
}

fn single_hop() -> Engine {
    engine(&[("tor", endpoint(PEER, Path::SingleHop))])
}

fn arrival() -> Arrival {
    Arrival { source: ip(PEER), interface: 2, ttl: 255, path: Path::SingleHop }
}

fn drain(engine: &mut Engine) -> Vec<Output> {
    std::iter::from_fn(|| engine.poll_output()).collect()
}

fn sent(outputs: &[Output]) -> Vec<ControlPacket> {
    let packet = |output: &Output| match output {
        Output::Transmit(_, octets) => decode(octets).ok(),
        Output::Changed { .. } | Output::Closed(_) => None,
    };
    outputs.iter().filter_map(packet).collect()
}

/// Brings the only session Up at 10 ms, and returns its discriminator.
fn bring_up(engine: &mut Engine, arrival: &Arrival) -> u32 {
    engine.receive(at(10), arrival, &from_neighbor(State::Down, 0).encode());
    let ours = engine.sessions(at(10))[0].discriminator;
    engine.receive(at(10), arrival, &from_neighbor(State::Up, ours).encode());
    assert_eq!(engine.sessions(at(10))[0].state, State::Up);
    drain(engine);
    ours
}

fn discarded(engine: &Engine) -> Vec<(Discard, u64)> {
    let of_sessions =
        engine.sessions(at(0)).into_iter().flat_map(|view| view.discards.iter().collect::<Vec<_>>());
    engine.discards().iter().chain(of_sessions).collect()
}

#[test]
fn packets_over_one_hop_need_a_ttl_of_255() {
    let mut engine = single_hop();
    engine.receive(at(1), &Arrival { ttl: 254, ..arrival() }, &from_neighbor(State::Down, 0).encode());
    assert_eq!(discarded(&engine), [(Discard::Ttl, 1)]);
    engine.receive(at(1), &arrival(), &from_neighbor(State::Down, 0).encode());
    assert_eq!(engine.sessions(at(1))[0].state, State::Init);
}

#[test]
fn over_several_hops_any_ttl_will_do_unless_ttl_security_asks_for_more() {
    let far = Arrival { ttl: 3, path: Path::MultiHop, ..arrival() };
    let mut any = engine(&[("rr", endpoint(PEER, Path::MultiHop))]);
    any.receive(at(1), &far, &from_neighbor(State::Down, 0).encode());
    assert_eq!(any.sessions(at(1))[0].state, State::Init);
    let mut secured = engine(&[("rr", Endpoint { minimum_ttl: 250, ..endpoint(PEER, Path::MultiHop) })]);
    secured.receive(at(1), &far, &from_neighbor(State::Down, 0).encode());
    assert_eq!(discarded(&secured), [(Discard::Ttl, 1)]);
}

#[test]
fn an_unknown_discriminator_is_discarded() {
    let mut engine = single_hop();
    engine.receive(at(1), &arrival(), &from_neighbor(State::Down, 12345).encode());
    assert_eq!(discarded(&engine), [(Discard::UnknownDiscriminator, 1)]);
}

#[test]
fn a_stranger_without_our_discriminator_is_discarded() {
    let mut engine = single_hop();
    let stranger = Arrival { source: ip("192.0.2.3"), ..arrival() };
    engine.receive(at(1), &stranger, &from_neighbor(State::Down, 0).encode());
    assert_eq!(discarded(&engine), [(Discard::UnknownNeighbor, 1)]);
}

#[test]
fn our_discriminator_finds_the_session_whatever_the_source() {
    let mut engine = single_hop();
    let ours = bring_up(&mut engine, &arrival());
    let moved = Arrival { source: ip("198.51.100.1"), interface: 9, ..arrival() };
    engine.receive(at(20), &moved, &from_neighbor(State::Down, ours).encode());
    assert_eq!(engine.sessions(at(20))[0].state, State::Down);
}

#[test]
fn a_packet_of_the_other_port_does_not_reach_a_session() {
    let mut engine = single_hop();
    let ours = bring_up(&mut engine, &arrival());
    let other = Arrival { path: Path::MultiHop, ttl: 64, ..arrival() };
    engine.receive(at(20), &other, &from_neighbor(State::Down, ours).encode());
    engine.receive(at(20), &other, &from_neighbor(State::Down, 0).encode());
    assert_eq!(engine.sessions(at(20))[0].state, State::Up);
    assert_eq!(engine.discards().total(), 2);
}

#[test]
fn link_local_neighbors_are_told_apart_by_their_interface() {
    let on = |name: &str| Endpoint { interface: Some(name.into()), ..endpoint("fe80::1", Path::SingleHop) };
    let mut engine = engine(&[("left", on("eth1")), ("right", on("eth2"))]);
    engine.set_interfaces([("eth1".into(), 11), ("eth2".into(), 12)].into());
    let from = |interface| Arrival { source: ip("fe80::1"), interface, ..arrival() };
    engine.receive(at(1), &from(12), &from_neighbor(State::Down, 0).encode());
    engine.receive(at(1), &from(13), &from_neighbor(State::Down, 0).encode());
    let states: Vec<_> = engine.sessions(at(1)).iter().map(|view| view.state).collect();
    assert_eq!(states, [State::Down, State::Init]);
    assert_eq!(engine.discards().of(Discard::UnknownNeighbor), 1);
}

#[test]
fn discriminators_are_unique_and_not_zero() {
    let names: Vec<String> = (0..1000).map(|n| format!("peer{n}")).collect();
    let list: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(n, name)| (name.as_str(), endpoint(&format!("10.0.{}.{}", n / 256, n % 256), Path::SingleHop)))
        .collect();
    let engine = engine(&list);
    let mut all: Vec<u32> = engine.sessions(at(0)).iter().map(|view| view.discriminator).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 1000);
    assert!(!all.contains(&0));
}

#[test]
fn a_session_that_is_not_wanted_any_more_says_admin_down_for_a_while() {
    let mut engine = single_hop();
    let ours = bring_up(&mut engine, &arrival());
    engine.configure(at(100), &BTreeMap::new());
    let outputs = drain(&mut engine);
    assert!(
        matches!(outputs.first(), Some(Output::Changed { transition, .. }) if !transition.cause.is_failure())
    );
    assert_eq!(sent(&outputs).iter().map(|p| p.state).collect::<Vec<_>>(), [State::AdminDown]);
    assert!(engine.sessions(at(100)).is_empty());
    engine.receive(at(150), &arrival(), &from_neighbor(State::Up, ours).encode());
    let (mut soon, mut later) = (0, 0);
    while let Some(due) = engine.poll_timeout() {
        engine.run(due, 10);
        let said = sent(&drain(&mut engine)).len();
        // The neighbour's Detection Time is 900 ms.
        if due <= at(1000) {
            soon += said
        } else {
            later += said
        }
        assert!(due <= at(3100));
    }
    assert!((3..=4).contains(&soon) && (2..=4).contains(&later), "{soon} {later}");
    assert_eq!(engine.endpoints().count(), 0);
}

#[test]
fn a_peer_that_comes_back_gets_no_more_goodbyes() {
    let mut engine = single_hop();
    bring_up(&mut engine, &arrival());
    engine.configure(at(100), &BTreeMap::new());
    engine.configure(at(110), &wanted(&[("tor", endpoint(PEER, Path::SingleHop))]));
    let outputs = drain(&mut engine);
    assert!(outputs.iter().any(|output| matches!(output, Output::Closed(_))));
    engine.run(at(2000), 10);
    assert!(sent(&drain(&mut engine)).iter().all(|packet| packet.state == State::Down));
}

#[test]
fn other_intervals_do_not_take_a_session_down() {
    let mut engine = single_hop();
    bring_up(&mut engine, &arrival());
    let mut faster = wanted(&[("tor", endpoint(PEER, Path::SingleHop))]);
    faster.values_mut().for_each(|w| w.parameters = parameters(50, 5));
    engine.configure(at(100), &faster);
    let view = &engine.sessions(at(100))[0];
    assert_eq!((view.state, view.announced.tx, view.multiplier.get()), (State::Up, ms(50), 5));
}

#[test]
fn a_turn_is_bounded_and_the_rest_stays_due() {
    let names: Vec<String> = (0..100).map(|n| format!("peer{n}")).collect();
    let list: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(n, name)| (name.as_str(), endpoint(&format!("10.0.0.{n}"), Path::SingleHop)))
        .collect();
    let mut engine = engine(&list);
    assert_eq!(sent(&drain(&mut engine)).len(), 100);
    engine.run(at(5000), 30);
    assert_eq!(sent(&drain(&mut engine)).len(), 30);
    engine.run(at(5000), 100);
    assert_eq!(sent(&drain(&mut engine)).len(), 70);
}

proptest! {
    #[test]
    fn whatever_arrives_nothing_panics_and_nothing_is_due_in_the_past(
        datagrams in prop::collection::vec((any::<[u8; 24]>(), 0..30_usize, any::<bool>(), 0..3_u8, 250..=255_u8), 1..60),
    ) {
        let mut engine = engine(&[("a", endpoint(PEER, Path::SingleHop)), ("b", endpoint(PEER, Path::MultiHop))]);
        let ours: Vec<u32> = engine.sessions(at(0)).iter().map(|view| view.discriminator).collect();
        let mut now = at(0);
        for (mut octets, length, known, path, ttl) in datagrams {
            now = now.plus(ms(u64::from(octets[23])));
            // Most random packets would fail the first check.
            (octets[0], octets[3]) = (octets[0] & 0x1f | 0x20, 24);
            let path = if path == 0 { Path::MultiHop } else { Path::SingleHop };
            if known {
                let session = ours[usize::from(path == Path::MultiHop)];
                octets[8..12].copy_from_slice(&session.to_be_bytes());
            }
            let payload = octets.get(..length).unwrap_or(&octets);
            engine.receive(now, &Arrival { path, ttl, ..arrival() }, payload);
            engine.run(now, 100);
            prop_assert!(drain(&mut engine).len() <= 12);
            prop_assert!(engine.poll_timeout().is_none_or(|due| due > now));
        }
    }
}
