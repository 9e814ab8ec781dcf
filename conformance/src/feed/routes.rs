//! Who says what: the neighbours, and their pseudo-random routes.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use bgp::{
    types::{Asn, PeerType, RouterId},
    wire::{
        as_path::{AsPath, SegmentKind},
        attribute::{
            Aggregator, LargeCommunity, NextHop, Origin, PathAttributes, RareAttributes, UnknownAttribute,
        },
    },
};
use ipnet::Ipv4Net;

use super::random::Random;

/// The AS of the daemons.
pub(super) const OWN: Asn = Asn(64512);
/// How many prefixes the neighbours talk about: few, so that several have routes to the same.
const PREFIXES: u32 = 48;

/// A neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// External, of AS 65001.
    First,
    /// External, of the same AS.
    Second,
    /// External, of AS 65002.
    Third,
    /// Internal.
    Fourth,
    /// Internal.
    Fifth,
    /// A client that says nothing.
    Observer,
}

impl Source {
    pub(super) const ALL: [Self; 6] =
        [Self::First, Self::Second, Self::Third, Self::Fourth, Self::Fifth, Self::Observer];
    pub(super) const SPEAKERS: [Self; 5] =
        [Self::First, Self::Second, Self::Third, Self::Fourth, Self::Fifth];

    fn index(self) -> u8 {
        self as u8
    }

    pub(super) fn address(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 8, 0, 11 + self.index())
    }

    /// In another order than the addresses.
    pub(super) fn router_id(self) -> RouterId {
        RouterId(Ipv4Addr::new(
            10,
            8,
            1,
            [7, 5, 9, 4, 6, 20].get(usize::from(self.index())).copied().unwrap_or(0),
        ))
    }

    pub(super) fn asn(self) -> Asn {
        match self {
            Self::First | Self::Second => Asn(65001),
            Self::Third => Asn(65002),
            Self::Fourth | Self::Fifth | Self::Observer => OWN,
        }
    }

    pub(super) fn peer_type(self) -> PeerType {
        PeerType::of(OWN, self.asn())
    }

    /// The prefix under which it tells the number of a step.
    pub(super) fn marker(self) -> Ipv4Net {
        Ipv4Net::new_assert(Ipv4Addr::new(10, 99, self.index(), 0), 24)
    }

    /// The marker's attributes: the MED is the step's number.
    fn mark(self, number: u32) -> PathAttributes {
        PathAttributes { med: Some(number), ..self.plain(self.first_path()) }
    }

    fn first_path(self) -> AsPath {
        match self.peer_type() {
            PeerType::External => sequence(&[self.asn()]),
            PeerType::Internal => AsPath::default(),
        }
    }

    fn plain(self, as_path: AsPath) -> PathAttributes {
        PathAttributes {
            origin: Origin::Igp,
            as_path,
            next_hop: NextHop::V4(self.address()),
            med: None,
            local_pref: (self.peer_type() == PeerType::Internal).then_some(100),
            atomic_aggregate: false,
            rare: None,
        }
    }
}

/// What one neighbour says in a step, in this order.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    pub(super) withdrawn: Vec<Ipv4Net>,
    pub(super) announced: Vec<(Ipv4Net, PathAttributes)>,
}

/// What all neighbours say in a step.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) number: u32,
    pub(super) said: Vec<Said>,
}

impl Step {
    /// Those that say something.
    pub(super) fn speakers(&self) -> impl Iterator<Item = Source> {
        let said = Source::SPEAKERS.into_iter().zip(&self.said);
        said.filter(|(_, said)| !said.announced.is_empty()).map(|(source, _)| source)
    }
}

/// What every neighbour has announced and not withdrawn.
#[derive(Clone, Debug, Default)]
pub(super) struct World {
    routes: BTreeMap<Ipv4Net, BTreeMap<Source, PathAttributes>>,
}

impl World {
    /// The routes to a prefix.
    pub(super) fn to(&self, prefix: Ipv4Net) -> impl Iterator<Item = (Source, &PathAttributes)> {
        self.routes.get(&prefix).into_iter().flatten().map(|(source, attributes)| (*source, attributes))
    }

    /// The next step.
    pub(super) fn step(&mut self, number: u32, random: &mut Random) -> Step {
        let mut said = vec![Said::default(); Source::SPEAKERS.len()];
        for _ in 0..=random.below(3) {
            let index = random.below(5) as usize;
            let (Some(source), Some(said)) = (Source::SPEAKERS.get(index), said.get_mut(index)) else {
                continue;
            };
            self.change(*source, said, random);
        }
        for (source, said) in Source::SPEAKERS.into_iter().zip(&mut said) {
            if !said.announced.is_empty() || !said.withdrawn.is_empty() {
                said.announced.push((source.marker(), source.mark(number)));
            }
        }
        Step { number, said }
    }

    /// A few prefixes get the same new route, or lose theirs. No prefix is named twice in a step.
    fn change(&mut self, source: Source, said: &mut Said, random: &mut Random) {
        let mut named: BTreeSet<Ipv4Net> = said.withdrawn.iter().copied().collect();
        named.extend(said.announced.iter().map(|(prefix, _)| *prefix));
        let attributes = (!random.one_in(3)).then(|| attributes(source, random));
        for _ in 0..=random.below(3) {
            let prefix = prefix(random.below(PREFIXES));
            if !named.insert(prefix) {
                continue;
            }
            let routes = self.routes.entry(prefix).or_default();
            match &attributes {
                Some(attributes) => {
                    routes.insert(source, attributes.clone());
                    said.announced.push((prefix, attributes.clone()));
                }
                None => {
                    routes.remove(&source);
                    said.withdrawn.push(prefix);
                }
            }
        }
    }
}

/// Prefixes of several lengths.
fn prefix(number: u32) -> Ipv4Net {
    let octet = u8::try_from(number).unwrap_or(0);
    match number % 3 {
        0 => Ipv4Net::new_assert(Ipv4Addr::new(10, 100, octet, 0), 24),
        1 => Ipv4Net::new_assert(Ipv4Addr::new(10, 101, octet, 64), 26),
        _ => Ipv4Net::new_assert(Ipv4Addr::new(10, 102, 0, octet), 32),
    }
}

/// Attributes of every kind. Few values of each, so that most steps of the decision are reached.
fn attributes(source: Source, random: &mut Random) -> PathAttributes {
    let internal = source.peer_type() == PeerType::Internal;
    let mut attributes = source.plain(as_path(source, random));
    attributes.origin =
        random.pick(&[Origin::Igp, Origin::Igp, Origin::Egp, Origin::Incomplete]).unwrap_or(Origin::Igp);
    attributes.med = random.pick(&[None, Some(0), Some(10), Some(20)]).flatten();
    if internal {
        attributes.local_pref =
            random.pick(&[Some(100), Some(100), Some(100), Some(90), Some(110)]).flatten();
    }
    attributes.atomic_aggregate = random.one_in(8);
    attributes.rare =
        Some(Box::new(rare(internal, random))).filter(|rare| **rare != RareAttributes::default());
    attributes
}

fn as_path(source: Source, random: &mut Random) -> AsPath {
    let mut asns = match source.peer_type() {
        PeerType::External => vec![source.asn()],
        PeerType::Internal => Vec::new(),
    };
    for _ in 0..random.below(3) {
        asns.extend(random.pick(&[Asn(65001), Asn(65002), Asn(65010), Asn(200_000), Asn(4_200_000_001)]));
    }
    if random.one_in(12) && !asns.is_empty() {
        // Our own AS: the route is a loop, and nobody may take it.
        asns.push(OWN);
    }
    let mut segments = vec![(SegmentKind::Sequence, asns)];
    if random.one_in(8) {
        segments.push((SegmentKind::Set, vec![Asn(65020), Asn(65021)]));
    }
    segments.retain(|(_, asns)| !asns.is_empty());
    AsPath::from_segments(&segments).unwrap_or_default()
}

fn sequence(asns: &[Asn]) -> AsPath {
    AsPath::from_sequence(asns).unwrap_or_default()
}

fn rare(internal: bool, random: &mut Random) -> RareAttributes {
    let mut rare = RareAttributes::default();
    if random.one_in(4) {
        rare.communities = (0..=random.below(3)).map(|n| 65001 << 16 | n).collect();
    }
    if random.one_in(6) {
        rare.extended_communities =
            vec![[0, 2, 0xfd, 0xe9, 0, 0, 0, u8::try_from(random.below(4)).unwrap_or(0)]];
    }
    if random.one_in(6) {
        let large = |local2| LargeCommunity { global: 65001, local1: 7, local2 };
        rare.large_communities = (0..=random.below(2)).map(large).collect();
    }
    if random.one_in(10) {
        rare.aggregator = Some(Aggregator { asn: Asn(65001), address: Ipv4Addr::new(10, 7, 0, 1) });
    }
    if random.one_in(12) {
        rare.unknown = vec![UnknownAttribute { flags: 0xc0, code: 200, value: vec![1, 2, 3].into() }];
    }
    if internal && random.one_in(3) {
        let reflector = |random: &mut Random| {
            RouterId(Ipv4Addr::new(10, 8, 2, u8::try_from(random.below(3)).unwrap_or(0) + 1))
        };
        rare.originator_id =
            Some(RouterId(Ipv4Addr::new(10, 8, 1, u8::try_from(random.below(12)).unwrap_or(0) + 1)));
        rare.cluster_list = (0..=random.below(3)).map(|_| reflector(random)).collect();
    }
    rare
}
