use super::*;

fn term(name: &str, conditions: Vec<Condition>, changes: Vec<Modification>, then: Then) -> Term {
    Term { name: name.into(), conditions, changes, then }
}

fn section(name: &str, terms: Vec<Term>, default: Option<Verdict>) -> Section {
    Section { name: name.into(), terms, default }
}

fn community(text: &str) -> Modification {
    Modification::AddCommunity(text.parse().unwrap())
}

fn has(text: &str) -> Condition {
    Condition::Community(Arc::new([text.parse().unwrap()].into_iter().collect()))
}

#[test]
fn the_first_term_that_decides_is_the_last_one_asked() {
    let pools = set(&[PrefixRange::or_longer(net("172.16.0.0/16"))]);
    let own = Condition::Prefix(set(&[PrefixRange::exact(net("172.16.1.0/26"))]));
    let terms = vec![
        term("own", vec![own], vec![], Then::Reject(RejectReason::OwnBlock)),
        term("pools", vec![Condition::Prefix(pools)], vec![], Then::Accept),
    ];
    let policy = Policy::of("p", terms, Verdict::Reject(RejectReason::OutsidePools));
    let a = attributes("192.0.2.1");
    let ask = |prefix| policy.evaluate(&learned(prefix, &a, PeerType::Internal));
    assert_eq!(ask("172.16.1.0/26").verdict, Verdict::Reject(RejectReason::OwnBlock));
    assert_eq!(
        (ask("172.16.1.1/32").verdict, ask("172.16.1.1/32").decider),
        (Verdict::Accept, Decider::Term(1))
    );
    assert_eq!(ask("0.0.0.0/0").verdict, Verdict::Reject(RejectReason::OutsidePools));
    assert_eq!(policy.name_of(ask("0.0.0.0/0").decider).to_string(), "no term");
    assert_eq!(policy.name_of(Decider::Term(0)).to_string(), "term own of p");
}

#[test]
fn a_term_sees_what_earlier_ones_changed() {
    let terms = vec![
        term("tag", vec![], vec![community("1:1")], Then::Continue),
        term("seen", vec![has("1:1")], vec![Modification::LocalPref(7)], Then::Continue),
        term("preferred", vec![Condition::LocalPref(Span::only(7))], vec![community("1:2")], Then::Accept),
    ];
    let policy = Policy::of("p", terms, Verdict::Reject(RejectReason::Policy));
    let a = attributes("192.0.2.1");
    let after = outcome(&policy, &learned("10.0.0.0/8", &a, PeerType::External)).unwrap();
    assert_eq!(after.local_pref, Some(7));
    assert_eq!(after.rare.unwrap().communities, [0x0001_0001, 0x0001_0002]);
}

#[test]
fn a_later_policy_sees_what_an_earlier_one_changed_and_the_next_policy_skips_the_rest() {
    let sections = vec![
        section(
            "first",
            vec![
                term("tag", vec![], vec![community("1:1")], Then::NextPolicy),
                term("never", vec![], vec![], Then::Reject(RejectReason::Policy)),
            ],
            Some(Verdict::Reject(RejectReason::Policy)),
        ),
        section("second", vec![term("seen", vec![has("1:1")], vec![], Then::Accept)], None),
    ];
    let policy = Policy::new(sections, Verdict::Reject(RejectReason::Policy), vec![]);
    let a = attributes("192.0.2.1");
    let evaluation = policy.evaluate(&learned("10.0.0.0/8", &a, PeerType::External));
    assert_eq!(evaluation.verdict, Verdict::Accept);
    assert_eq!(policy.name_of(evaluation.decider).to_string(), "term seen of second");
}

#[test]
fn the_default_of_a_section_decides_before_the_next_is_asked() {
    let sections = vec![
        section("first", vec![], Some(Verdict::Accept)),
        section("second", vec![], Some(Verdict::Reject(RejectReason::Policy))),
    ];
    let policy = Policy::new(sections, Verdict::Reject(RejectReason::Policy), vec![]);
    let a = attributes("192.0.2.1");
    let evaluation = policy.evaluate(&learned("10.0.0.0/8", &a, PeerType::External));
    assert_eq!(policy.name_of(evaluation.decider).to_string(), "the default of first");
    assert_eq!(evaluation.verdict, Verdict::Accept);
}

#[test]
fn no_policy_gets_a_route_past_a_guard_whatever_it_changes() {
    let nodes = set(&[PrefixRange::exact(net("192.0.2.1/32"))]);
    let guard = Guard {
        name: "unknown-tunnel-next-hop".into(),
        conditions: vec![Condition::Not(Box::new(Condition::NextHop(nodes)))],
        reason: RejectReason::UnknownTunnelNextHop,
    };
    let elsewhere = Modification::NextHop(NextHopChange::Address("192.0.2.9".parse().unwrap()));
    let sections = |changes| vec![section("p", vec![term("t", vec![], changes, Then::Accept)], None)];
    let a = attributes("192.0.2.1");
    let route = learned("10.0.0.0/8", &a, PeerType::External);
    let plain = Policy::new(sections(vec![]), Verdict::Accept, vec![guard.clone()]);
    assert_eq!(plain.evaluate(&route).verdict, Verdict::Accept);
    let moved = Policy::new(sections(vec![elsewhere]), Verdict::Accept, vec![guard]);
    let evaluation = moved.evaluate(&route);
    assert_eq!(evaluation.verdict, Verdict::Reject(RejectReason::UnknownTunnelNextHop));
    assert_eq!(moved.name_of(evaluation.decider).to_string(), "the guard unknown-tunnel-next-hop");
    assert!(evaluation.modifying.is_empty());
}

#[test]
fn modifications_of_passed_terms_add_up_and_those_of_a_refused_route_vanish() {
    let modify = |changes| term("m", vec![], changes, Then::Continue);
    let terms = vec![
        modify(vec![Modification::LocalPref(7), community("0:1")]),
        modify(vec![community("0:1"), community("0:2")]),
    ];
    let a = attributes("192.0.2.1");
    let route = learned("10.0.0.0/8", &a, PeerType::Internal);
    let after = outcome(&Policy::of("p", terms.clone(), Verdict::Accept), &route).unwrap();
    assert_eq!((after.local_pref, after.rare.unwrap().communities), (Some(7), vec![1, 2]));
    let policy = Policy::of("p", terms.clone(), Verdict::Accept);
    let told = policy.trace(&policy.evaluate(&route)).to_string();
    assert_eq!(told, "no term decides; changed by term m of p, term m of p");
    let refused = Policy::of("p", terms, Verdict::Reject(RejectReason::Policy));
    assert!(refused.evaluate(&route).modifying.is_empty());
}

#[test]
fn each_change_does_what_it_says() {
    let mut a = attributes("192.0.2.1");
    let session = session(PeerType::External);
    let mut apply = |change: Modification| {
        change.apply(&mut a, &session);
        a.clone()
    };
    assert_eq!(apply(Modification::Med(MedChange::Subtract(5))).med, Some(0));
    assert_eq!(apply(Modification::Med(MedChange::Add(u32::MAX))).med, Some(u32::MAX));
    assert_eq!(apply(Modification::Med(MedChange::Add(1))).med, Some(u32::MAX));
    assert_eq!(apply(Modification::Med(MedChange::Remove)).med, None);
    assert_eq!(apply(Modification::Origin(Origin::Egp)).origin, Origin::Egp);
    let path = apply(Modification::Prepend { asn: None, count: 2 }).as_path;
    assert_eq!(path.to_string(), "64512 64512");
    let path = apply(Modification::Prepend { asn: Some(Asn(1)), count: 255 }).as_path;
    assert_eq!((path.path_length(), path.segments().count()), (257, 2));
    let address = |text: &str| NextHop::V4(text.parse().unwrap());
    let next_hop = |change| Modification::NextHop(change);
    assert_eq!(apply(next_hop(NextHopChange::Own)).next_hop, address("192.0.2.254"));
    assert_eq!(apply(next_hop(NextHopChange::Peer)).next_hop, address("192.0.2.1"));
    let other = NextHopChange::Address("fd00::1".parse().unwrap());
    assert_eq!(apply(next_hop(other)).next_hop, address("192.0.2.1"));
    assert_eq!(apply(Modification::Weight(9)).rare.unwrap().weight, Some(9));
}

#[test]
fn deleting_the_last_community_leaves_no_empty_box() {
    let session = session(PeerType::External);
    let clear = Modification::ClearCommunities;
    let delete = Modification::DeleteCommunities(Arc::new(["*".parse().unwrap()].into_iter().collect()));
    for remove in [clear, delete] {
        let mut a = attributes("192.0.2.1");
        for text in ["1:1", "1:1:1", "rt:1:1"] {
            community(text).apply(&mut a, &session);
        }
        remove.apply(&mut a, &session);
        assert_eq!(a, attributes("192.0.2.1"));
    }
}

#[test]
fn a_policy_says_whether_it_tells_peers_apart() {
    let named = Condition::Neighbor(Arc::new(NeighborSet::new(vec!["tor".into()], PrefixSet::default())));
    let of = |conditions, changes| {
        Policy::of("p", vec![term("t", conditions, changes, Then::Accept)], Verdict::Accept).names_peers()
    };
    assert!(of(vec![Condition::Not(Box::new(named))], vec![]));
    assert!(of(vec![], vec![Modification::NextHop(NextHopChange::Peer)]));
    assert!(!of(vec![Condition::Peer(PeerType::External)], vec![Modification::LocalPref(1)]));
}

#[test]
fn a_recorder_hears_every_term_asked_and_which_condition_failed() {
    struct Heard(Vec<(Decider, Answer)>);
    impl Recorder for Heard {
        fn asked(&mut self, term: Decider, answer: Answer) {
            self.0.push((term, answer));
        }
    }
    let terms = vec![
        term("no", vec![Condition::Family(Family::Ipv4Unicast), has("1:1")], vec![], Then::Accept),
        term("yes", vec![], vec![], Then::Accept),
        term("unasked", vec![], vec![], Then::Accept),
    ];
    let mut heard = Heard(Vec::new());
    let a = attributes("192.0.2.1");
    let route = learned("10.0.0.0/8", &a, PeerType::External);
    Policy::of("p", terms, Verdict::Accept).evaluate_recorded(&route, &mut heard);
    let expected = [(Decider::Term(0), Answer::Failed(1)), (Decider::Term(1), Answer::Matched)];
    assert_eq!(heard.0, expected);
}
