//! Random policies against an evaluator that does everything the slow and obvious way.

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::*;
use crate::wire::attribute::RareAttributes;

/// A condition in plain words, with its library form made from texts.
#[derive(Clone, Debug)]
enum Plain {
    Prefix { text: &'static str },
    Community { text: &'static str },
    AsPath { text: &'static str },
    Contains(u32),
    Origin(Origin),
    Length(u32),
    LocalPref(u32),
    Med(u32),
    Weight(u32),
    NextHop(&'static str),
    Peer(PeerType),
    Interface(&'static str),
    Not(Box<Plain>),
}

const PREFIXES: [&str; 4] = ["10.0.0.0/8", "10.0.0.0/8 ge 16 le 24", "0.0.0.0/0 le 12", "10.1.0.0/16 ge 16"];
const ROUTES: [&str; 5] = ["10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24", "10.1.1.1/32", "0.0.0.0/0"];
const COMMUNITIES: [&str; 5] = ["1:1", "1:*", "*:2", "1:1-2", "3:>=3"];
const PATHS: [&str; 6] = ["", "*", "1 *", "* 2", "1 + 2", "? 1-2 *"];
const INTERFACES: [&str; 5] = ["eth0", "eth*", "*", "*.1", "*t?"];
const LINKS: [&[&str]; 4] = [&[], &["eth0"], &["eth0.1", "tunl0"], &["bond0"]];
const HOPS: [&str; 2] = ["192.0.2.1", "192.0.2.2"];

impl Plain {
    fn library(&self) -> Condition {
        match self {
            Self::Prefix { text } => Condition::Prefix(set(&[text.parse().unwrap()])),
            Self::Community { text } => {
                Condition::Community(Arc::new([text.parse().unwrap()].into_iter().collect()))
            }
            Self::AsPath { text } => Condition::AsPath([text.parse().unwrap()].into()),
            Self::Contains(asn) => Condition::AsPathContains([Span::only(*asn)].into()),
            Self::Origin(origin) => Condition::Origin(*origin),
            Self::Length(least) => Condition::AsPathLength(Span::between(*least, u32::MAX).unwrap()),
            Self::LocalPref(value) => Condition::LocalPref(Span::only(*value)),
            Self::Med(value) => Condition::Med(Span::only(*value)),
            Self::Weight(value) => Condition::Weight(Span::only(*value)),
            Self::NextHop(hop) => Condition::NextHop(set(&[PrefixRange::exact(
                hop.parse::<std::net::IpAddr>().unwrap().into(),
            )])),
            Self::Peer(kind) => Condition::Peer(*kind),
            Self::Interface(pattern) => Condition::Interface([pattern.parse().unwrap()].into()),
            Self::Not(inner) => Condition::Not(Box::new(inner.library())),
        }
    }

    fn naive(&self, route: &RouteContext<'_>, a: &PathAttributes) -> bool {
        let asns: Vec<u32> = a.as_path.asns().map(|asn| asn.0).collect();
        match self {
            Self::Prefix { text } => naive_prefix(text, route.prefix),
            Self::Community { text } => communities(a).iter().any(|c| naive_community(text, *c)),
            Self::AsPath { text } => naive_path(&text.split_whitespace().collect::<Vec<_>>(), &asns),
            Self::Contains(asn) => asns.contains(asn),
            Self::Origin(origin) => a.origin == *origin,
            Self::Length(least) => asns.len() >= *least as usize,
            Self::LocalPref(value) => a.local_pref.unwrap_or(100) == *value,
            Self::Med(value) => a.med == Some(*value),
            Self::Weight(value) => a.rare.as_ref().and_then(|r| r.weight).unwrap_or(0) == *value as u16,
            Self::NextHop(hop) => a.next_hop.address().to_string() == *hop,
            Self::Peer(kind) => route.session.peer.kind == *kind,
            Self::Interface(pattern) => {
                route.interfaces.iter().any(|name| naive_name(pattern.as_bytes(), name.as_bytes()))
            }
            Self::Not(inner) => !inner.naive(route, a),
        }
    }
}

fn communities(a: &PathAttributes) -> Vec<(u32, u32)> {
    let list = a.rare.as_ref().map(|r| r.communities.clone()).unwrap_or_default();
    list.into_iter().map(|c| (c >> 16, c & 0xffff)).collect()
}

fn naive_prefix(text: &str, prefix: IpNet) -> bool {
    let words: Vec<_> = text.split(' ').collect();
    let cover = net(words[0]);
    let bound = |word| words.iter().position(|w| *w == word).map(|at| words[at + 1].parse::<u8>().unwrap());
    let (min, max) = match (bound("ge"), bound("le")) {
        (None, None) => (cover.prefix_len(), cover.prefix_len()),
        (min, max) => (min.unwrap_or(cover.prefix_len()), max.unwrap_or(32)),
    };
    cover.contains(&prefix) && prefix.prefix_len() >= min && prefix.prefix_len() <= max
}

fn naive_community(text: &str, (high, low): (u32, u32)) -> bool {
    let part = |text: &str, value: u32| match text.split_once('-') {
        Some((a, b)) => value >= a.parse().unwrap() && value <= b.parse().unwrap(),
        None if text == "*" => true,
        None if text.starts_with(">=") => value >= text[2..].parse().unwrap(),
        None => value == text.parse::<u32>().unwrap(),
    };
    let (left, right) = text.split_once(':').unwrap();
    part(left, high) && part(right, low)
}

/// Tries everything.
fn naive_path(pattern: &[&str], path: &[u32]) -> bool {
    let one = |word: &str, asn: u32| match word.split_once('-') {
        Some((a, b)) => asn >= a.parse().unwrap() && asn <= b.parse().unwrap(),
        None => word == "?" || word == "+" || word.parse() == Ok(asn),
    };
    match (pattern, path) {
        ([], _) => path.is_empty(),
        (["*", rest @ ..], _) => (0..=path.len()).any(|skip| naive_path(rest, &path[skip..])),
        (["+", rest @ ..], _) => (1..=path.len()).any(|skip| naive_path(rest, &path[skip..])),
        ([first, rest @ ..], [asn, others @ ..]) => one(first, *asn) && naive_path(rest, others),
        (_, []) => false,
    }
}

/// Tries everything.
fn naive_name(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], _) => name.is_empty(),
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|skip| naive_name(rest, &name[skip..])),
        ([b'?', rest @ ..], [_, others @ ..]) => naive_name(rest, others),
        ([first, rest @ ..], [byte, others @ ..]) => first == byte && naive_name(rest, others),
        (_, []) => false,
    }
}

type PlainTerm = (Vec<Plain>, Vec<Modification>, Then);
type PlainSection = (Vec<PlainTerm>, Option<Verdict>);

/// Every modification is carried out at once, sections are walked one by one.
fn naive(
    sections: &[PlainSection],
    default: Verdict,
    guards: &[Plain],
    route: &RouteContext<'_>,
) -> Option<PathAttributes> {
    let mut a = route.attributes.clone();
    let verdict = naive_verdict(sections, default, route, &mut a);
    let passes = verdict == Verdict::Accept && !guards.iter().any(|guard| guard.naive(route, &a));
    passes.then_some(a)
}

fn naive_verdict(
    sections: &[PlainSection],
    default: Verdict,
    route: &RouteContext<'_>,
    a: &mut PathAttributes,
) -> Verdict {
    'sections: for (terms, end) in sections {
        for (conditions, changes, then) in terms {
            if !conditions.iter().all(|c| c.naive(route, a)) {
                continue;
            }
            changes.iter().for_each(|change| change.apply(a, &route.session));
            match then {
                Then::Continue => {}
                Then::NextPolicy => continue 'sections,
                Then::Accept => return Verdict::Accept,
                Then::Reject(reason) => return Verdict::Reject(*reason),
            }
        }
        if let Some(verdict) = end {
            return *verdict;
        }
    }
    default
}

fn kind() -> impl Strategy<Value = PeerType> {
    select(vec![PeerType::Internal, PeerType::External])
}

fn origin() -> impl Strategy<Value = Origin> {
    select(vec![Origin::Igp, Origin::Egp, Origin::Incomplete])
}

fn plain() -> impl Strategy<Value = Plain> {
    let leaf = prop_oneof![
        select(PREFIXES.to_vec()).prop_map(|text| Plain::Prefix { text }),
        select(COMMUNITIES.to_vec()).prop_map(|text| Plain::Community { text }),
        select(PATHS.to_vec()).prop_map(|text| Plain::AsPath { text }),
        (0u32..3).prop_map(Plain::Contains),
        origin().prop_map(Plain::Origin),
        (0u32..4).prop_map(Plain::Length),
        (99u32..102).prop_map(Plain::LocalPref),
        (0u32..3).prop_map(Plain::Med),
        (0u32..3).prop_map(Plain::Weight),
        select(HOPS.to_vec()).prop_map(Plain::NextHop),
        kind().prop_map(Plain::Peer),
        select(INTERFACES.to_vec()).prop_map(Plain::Interface),
    ];
    (leaf, any::<bool>()).prop_map(|(leaf, not)| if not { Plain::Not(Box::new(leaf)) } else { leaf })
}

fn change() -> impl Strategy<Value = Modification> {
    prop_oneof![
        (99u32..102).prop_map(Modification::LocalPref),
        (0u32..3).prop_map(|n| Modification::Med(MedChange::Set(n))),
        (0u32..3).prop_map(|n| Modification::Med(MedChange::Add(n))),
        Just(Modification::Med(MedChange::Remove)),
        origin().prop_map(Modification::Origin),
        (0u16..3).prop_map(Modification::Weight),
        select(HOPS.to_vec())
            .prop_map(|hop| Modification::NextHop(NextHopChange::Address(hop.parse().unwrap()))),
        (1u32..3, 1u8..3).prop_map(|(asn, count)| Modification::Prepend { asn: Some(Asn(asn)), count }),
        (1u32..4, 1u32..4).prop_map(|(a, b)| Modification::AddCommunity(AnyCommunity::Standard(a << 16 | b))),
        select(COMMUNITIES.to_vec()).prop_map(|text| {
            Modification::DeleteCommunities(Arc::new([text.parse().unwrap()].into_iter().collect()))
        }),
        Just(Modification::ClearCommunities),
    ]
}

fn verdict() -> impl Strategy<Value = Verdict> {
    select(vec![Verdict::Accept, Verdict::Reject(RejectReason::Policy)])
}

fn sections() -> impl Strategy<Value = Vec<PlainSection>> {
    let then = prop_oneof![
        3 => Just(Then::Continue),
        1 => Just(Then::NextPolicy),
        2 => verdict().prop_map(Then::from),
    ];
    let term = (vec(plain(), 0..3), vec(change(), 0..3), then);
    vec((vec(term, 0..5), option::of(verdict())), 0..4)
}

fn route_attributes() -> impl Strategy<Value = PathAttributes> {
    let path = vec(1u32..4, 0..4)
        .prop_map(|asns| AsPath::from_sequence(&asns.into_iter().map(Asn).collect::<Vec<_>>()).unwrap());
    let rare = vec((1u32..4, 1u32..4), 0..4).prop_map(|list| {
        let communities: Vec<_> = list.into_iter().map(|(a, b)| a << 16 | b).collect();
        (!communities.is_empty()).then(|| Box::new(RareAttributes { communities, ..Default::default() }))
    });
    (origin(), path, select(HOPS.to_vec()), option::of(0u32..3), option::of(99u32..102), rare).prop_map(
        |(origin, as_path, hop, med, local_pref, rare)| PathAttributes {
            origin,
            as_path,
            next_hop: NextHop::V4(hop.parse().unwrap()),
            med,
            local_pref,
            atomic_aggregate: false,
            rare,
        },
    )
}

fn compiled(sections: &[PlainSection], default: Verdict, guards: &[Plain]) -> Policy {
    let term = |(conditions, changes, then): &PlainTerm| Term {
        name: String::new(),
        conditions: conditions.iter().map(Plain::library).collect(),
        changes: changes.clone(),
        then: *then,
    };
    let section = |(terms, default): &PlainSection| Section {
        name: String::new(),
        terms: terms.iter().map(term).collect(),
        default: *default,
    };
    let guard = |plain: &Plain| Guard {
        name: String::new(),
        conditions: vec![plain.library()],
        reason: RejectReason::OwnBlock,
    };
    Policy::new(sections.iter().map(section).collect(), default, guards.iter().map(guard).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_policy_does_what_a_naive_evaluator_does(
        sections in sections(),
        default in verdict(),
        guards in vec(plain(), 0..2),
        attributes in route_attributes(),
        prefix in select(ROUTES.to_vec()),
        kind in kind(),
        links in select(LINKS.to_vec()),
    ) {
        let links: Vec<_> = links.iter().map(|name| Arc::from(*name)).collect();
        let route = RouteContext { interfaces: &links, ..learned(prefix, &attributes, kind) };
        let expected = naive(&sections, default, &guards, &route);
        prop_assert_eq!(outcome(&compiled(&sections, default, &guards), &route), expected);
    }
}
