//! Whole networks of speakers under a virtual clock, compared with a naive model of what every Loc-RIB must hold.
//!
//! Everything random comes from a seed, which every failure names: `SEED=7 cargo test -p siskin-bgp --test mesh`
//! repeats it. `SEEDS=100` tries more of them than usual.
//!
//! The large networks are ignored by default: `cargo test --release -p siskin-bgp --test mesh -- --ignored`.

#![allow(missing_docs, clippy::unwrap_used)]

mod dice;
mod model;
mod network;
mod speaker;
mod topology;

use std::{collections::BTreeMap, ops::Range, time::Duration};

use bgp::{config::SpeakerConfig, decision::Reason, fsm::Restarting, types::Family};

use self::{
    dice::Dice,
    model::{Rib, Route},
    network::{Death, Network, speaker_at},
    topology::{block, blocks},
};

/// After the last fault: the longest cut, IdleHoldTime and Restart Time go by.
const REST: Duration = Duration::from_secs(400);

fn seeds() -> Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    match (number("SEED"), number("SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, Some(count)) => 0..count,
        (None, None) => 0..4,
    }
}

/// Runs a network through faults and sees that it comes to rest where the model does.
fn run(name: &str, seed: u64, configs: Vec<SpeakerConfig>, faults: usize) {
    eprintln!("{name}, seed {seed}");
    let mut dice = Dice::new(seed);
    let own = blocks(configs.len(), &mut dice);
    let mut network = Network::new(configs, own, dice.next());
    network.run_until(network.now.plus(Duration::from_secs(20)));
    for _ in 0..faults {
        fault(&mut network, &mut dice);
        let pause = dice.millis(0..15_000);
        network.run_until(network.now.plus(pause));
    }
    network.run_until(network.now.plus(REST));
    check(&network);
}

/// Something goes wrong, or changes.
fn fault(network: &mut Network, dice: &mut Dice) {
    let size = network.speakers.len();
    let one = dice.below(size);
    let peers = &network.speakers[one].config.peers;
    let other = speaker_at(peers[dice.below(peers.len())].address);
    let whole = match dice.below(2) {
        0 => Restarting::No,
        _ => Restarting::Yes,
    };
    match dice.below(6) {
        0 => network.reset(one, other),
        1 => network.cut(one, other, network.now.plus(dice.millis(100..150_000))),
        2 => network.restart(one, Death::Process, whole),
        3 => network.restart(one, Death::Host, whole),
        _ => network.toggle(one, block(dice.below(size))),
    }
}

fn check(network: &Network) {
    assert_eq!(network.down(), [], "sessions that are not up");
    let sessions: usize = network.speakers.iter().map(|speaker| speaker.ports.len()).sum();
    assert_eq!(network.open_connections(), sessions / 2, "connections that are left over");
    let configs: Vec<_> = network.speakers.iter().map(|speaker| speaker.config.clone()).collect();
    let mut expected = model::converge(&configs, &network.own);
    expected.iter_mut().for_each(tidy);
    for (index, (speaker, expected)) in network.speakers.iter().zip(&expected).enumerate() {
        let found = rib(speaker);
        assert!(found == *expected, "speaker {index}: {}", difference(&found, expected));
        let routes = expected.iter().filter(|(_, routes)| routes[0].from.is_some());
        let fib: BTreeMap<_, _> = routes
            .map(|(prefix, routes)| (*prefix, vec![network::address(routes[0].next_hop.unwrap()).into()]))
            .collect();
        assert_eq!(speaker.fib, fib, "speaker {index}: what it would install");
    }
}

/// What a speaker may choose from, the best first.
fn rib(speaker: &speaker::Speaker) -> Rib {
    let page = speaker.core.loc_rib(Family::Ipv4Unicast, None, usize::MAX);
    assert!(page.next.is_none());
    let mut rib = Rib::new();
    for view in page.items {
        let usable = |reason: &Reason| matches!(reason, Reason::Best | Reason::Lost(_));
        for path in view.paths.iter().filter(|path| usable(&path.reason)) {
            let from = path.peer.map(|peer| {
                let port = speaker.ports.iter().position(|port| port.peer == peer).unwrap();
                speaker_at(speaker.config.peers[port].address)
            });
            let rare = path.attributes.rare.as_deref();
            let route = Route {
                from,
                as_path: path.attributes.as_path.segments().flat_map(|segment| segment.asns()).collect(),
                next_hop: from.map(|_| speaker_at(path.attributes.next_hop.address())),
                originator: rare.and_then(|rare| rare.originator_id).map(|id| id.0),
                clusters: rare
                    .map(|rare| rare.cluster_list.iter().map(|id| id.0).collect())
                    .unwrap_or_default(),
            };
            let routes: &mut Vec<Route> = rib.entry(view.prefix).or_default();
            if path.reason == Reason::Best { routes.insert(0, route) } else { routes.push(route) }
        }
    }
    tidy(&mut rib);
    rib
}

/// Who lost is compared, not in which order.
fn tidy(rib: &mut Rib) {
    rib.values_mut().filter_map(|routes| routes.get_mut(1..)).for_each(<[Route]>::sort);
}

fn difference(found: &Rib, expected: &Rib) -> String {
    let prefixes = found.keys().chain(expected.keys()).collect::<std::collections::BTreeSet<_>>();
    let differing = prefixes.into_iter().filter(|prefix| found.get(prefix) != expected.get(prefix));
    let lines: Vec<_> = differing
        .map(|prefix| {
            format!("{prefix}\n  has    {:?}\n  should {:?}", found.get(prefix), expected.get(prefix))
        })
        .collect();
    lines.join("\n")
}

#[test]
fn a_full_mesh_comes_to_rest_where_the_model_does() {
    seeds().for_each(|seed| run("full mesh", seed, topology::full_mesh(8), 25));
}

#[test]
fn reflectors_and_their_clients_come_to_rest_where_the_model_does() {
    seeds().for_each(|seed| run("reflectors", seed, topology::reflectors(2, 10), 25));
}

#[test]
fn autonomous_systems_come_to_rest_where_the_model_does() {
    for seed in seeds() {
        let configs = topology::autonomous_systems(12, &mut Dice::new(seed));
        run("autonomous systems", seed, configs, 25);
    }
}

#[test]
fn racks_come_to_rest_where_the_model_does() {
    seeds().for_each(|seed| run("racks", seed, topology::racks(4, 3), 25));
}

#[test]
#[ignore = "takes minutes unless optimised: `cargo conformance` runs it so"]
fn two_hundred_speakers_in_a_full_mesh_converge() {
    run("full mesh of 200", 1, topology::full_mesh(200), 1);
}

#[test]
#[ignore = "takes minutes unless optimised: `cargo conformance` runs it so"]
fn a_thousand_clients_of_two_reflectors_converge() {
    run("two reflectors, 1000 clients", 1, topology::reflectors(2, 1000), 1);
}
