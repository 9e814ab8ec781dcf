//! Who peers with whom.

use std::collections::BTreeSet;

use bgp::{
    config::{PeerConfig, Reflection, SpeakerConfig},
    types::{Asn, RouterId},
};
use ipnet::{IpNet, Ipv4Net};

use crate::{dice::Dice, network::address};

const AS: Asn = Asn(64512);

fn speaker(index: usize, asn: Asn, peers: Vec<PeerConfig>) -> SpeakerConfig {
    let new = SpeakerConfig::new(asn, RouterId(address(index)));
    SpeakerConfig { addresses: vec![address(index).into()], peers, ..new }
}

fn peer(other: usize, asn: Asn) -> PeerConfig {
    PeerConfig::new(&format!("p{other}"), address(other).into(), asn)
}

fn client(other: usize) -> PeerConfig {
    PeerConfig { reflection: Reflection::Client, ..peer(other, AS) }
}

/// Everybody with everybody, all in one AS.
pub(crate) fn full_mesh(size: usize) -> Vec<SpeakerConfig> {
    let others = |me: usize| (0..size).filter(move |other| *other != me);
    (0..size).map(|me| speaker(me, AS, others(me).map(|other| peer(other, AS)).collect())).collect()
}

/// The first speakers reflect, each a cluster of its own and in a mesh with the other reflectors; every other speaker
/// is a client of all of them.
pub(crate) fn reflectors(reflectors: usize, clients: usize) -> Vec<SpeakerConfig> {
    let size = reflectors + clients;
    let reflector = |me: usize| {
        let mesh = (0..reflectors).filter(|other| *other != me).map(|other| peer(other, AS));
        speaker(me, AS, mesh.chain((reflectors..size).map(client)).collect())
    };
    let client_of_all = |me| speaker(me, AS, (0..reflectors).map(|other| peer(other, AS)).collect());
    (0..reflectors).map(reflector).chain((reflectors..size).map(client_of_all)).collect()
}

/// Speakers in ASes of their own, joined at random but all to each other.
pub(crate) fn autonomous_systems(size: usize, dice: &mut Dice) -> Vec<SpeakerConfig> {
    let mut pairs = BTreeSet::new();
    for me in 1..size {
        pairs.insert((dice.below(me), me));
    }
    for _ in 0..size {
        let (one, other) = (dice.below(size), dice.below(size));
        if one != other {
            pairs.insert((one.min(other), one.max(other)));
        }
    }
    let asn = |index: usize| Asn(4_200_000_000 + index as u32);
    let ends = |me, (one, other)| if one == me { Some(other) } else { (other == me).then_some(one) };
    let peers =
        |me: usize| pairs.iter().filter_map(move |pair| ends(me, *pair)).map(|other| peer(other, asn(other)));
    (0..size).map(|me| speaker(me, asn(me), peers(me).collect())).collect()
}

/// Racks, each an AS with a reflector and its clients; the reflectors are external peers of each other.
pub(crate) fn racks(racks: usize, hosts: usize) -> Vec<SpeakerConfig> {
    let rack = |index: usize| index / (hosts + 1);
    let asn = |index: usize| Asn(64512 + rack(index) as u32);
    let size = racks * (hosts + 1);
    let spine = |me: usize| (0..size).step_by(hosts + 1).filter(move |other| *other != me);
    (0..size)
        .map(|me| {
            let reflector = me - me % (hosts + 1);
            if me != reflector {
                return speaker(me, asn(me), vec![peer(reflector, asn(me))]);
            }
            let local = (me + 1..me + 1 + hosts).map(|other| PeerConfig { asn: asn(me), ..client(other) });
            speaker(me, asn(me), local.chain(spine(me).map(|other| peer(other, asn(other)))).collect())
        })
        .collect()
}

/// The block of one speaker.
pub(crate) fn block(index: usize) -> IpNet {
    Ipv4Net::new((0xac10_0000 + ((index as u32) << 6)).into(), 26).unwrap().into()
}

/// Every speaker its own block, and now and then somebody else's.
pub(crate) fn blocks(size: usize, dice: &mut Dice) -> Vec<BTreeSet<IpNet>> {
    let mut one = |me| {
        let other = dice.below(size);
        BTreeSet::from_iter([block(me)].into_iter().chain((dice.below(3) == 0).then(|| block(other))))
    };
    (0..size).map(&mut one).collect()
}
