use super::*;
use crate::wire::attribute::{AsPath, NextHop, Origin};

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn attributes(next_hop: &str) -> PathAttributes {
    PathAttributes {
        origin: Origin::Igp,
        as_path: AsPath::default(),
        next_hop: NextHop::V4(next_hop.parse().unwrap()),
        med: None,
        local_pref: None,
        atomic_aggregate: false,
        rare: None,
    }
}

fn set(ranges: &[PrefixRange]) -> Arc<PrefixSet> {
    Arc::new(ranges.iter().copied().collect())
}

fn ask(policy: &Policy, prefix: &str, next_hop: &str, peer: PeerType) -> Verdict {
    let attributes = attributes(next_hop);
    let source = RouteSource::Learned;
    policy.evaluate(&RouteContext { prefix: net(prefix), attributes: &attributes, peer, source }).verdict
}

#[test]
fn a_prefix_set_tells_exact_from_longer_from_bounded() {
    let exact: PrefixSet = [PrefixRange::exact(net("10.0.0.0/26"))].into_iter().collect();
    assert!(exact.matches(net("10.0.0.0/26")) && !exact.matches(net("10.0.0.0/27")));
    let longer: PrefixSet = [PrefixRange::or_longer(net("10.0.0.0/16"))].into_iter().collect();
    assert!(longer.matches(net("10.0.0.0/16")) && longer.matches(net("10.0.9.9/32")));
    assert!(!longer.matches(net("10.0.0.0/8")) && !longer.matches(net("10.1.0.0/26")));
    let bounded: PrefixSet = [PrefixRange::between(net("10.0.0.0/16"), 20, 24)].into_iter().collect();
    assert!(bounded.matches(net("10.0.16.0/20")) && !bounded.matches(net("10.0.0.0/16")));
    assert!(!bounded.matches(net("10.0.0.0/26")));
    assert!(!bounded.matches(net("fd00::/20")));
}

#[test]
fn an_address_is_contained_when_a_prefix_covers_it() {
    let nodes: PrefixSet =
        [PrefixRange::exact(net("192.0.2.1/32")), PrefixRange::exact(net("fd00::/64"))].into_iter().collect();
    assert!(nodes.contains("192.0.2.1".parse().unwrap()) && !nodes.contains("192.0.2.2".parse().unwrap()));
    assert!(nodes.contains("fd00::7".parse().unwrap()) && !nodes.contains("fd01::7".parse().unwrap()));
}

#[test]
fn sets_made_in_another_order_are_equal() {
    let (a, b) = (PrefixRange::exact(net("10.0.0.0/8")), PrefixRange::or_longer(net("fd00::/8")));
    assert_eq!(set(&[a, b]), set(&[b, a, a]));
}

#[test]
fn the_first_matching_term_decides() {
    use PeerType::{External, Internal};
    let reject = |name: &str, conditions, reason| Term {
        name: name.into(),
        conditions,
        action: Action::Reject(reason),
    };
    let nodes = set(&[PrefixRange::exact(net("192.0.2.1/32"))]);
    let pools = set(&[PrefixRange::or_longer(net("172.16.0.0/16"))]);
    let policy = Policy {
        terms: vec![
            reject(
                "own",
                vec![Condition::Prefix(set(&[PrefixRange::exact(net("172.16.1.0/26"))]))],
                RejectReason::OwnBlock,
            ),
            reject(
                "node",
                vec![
                    Condition::Peer(External),
                    Condition::Prefix(pools.clone()),
                    Condition::Not(Box::new(Condition::NextHop(nodes))),
                ],
                RejectReason::UnknownTunnelNextHop,
            ),
            Term {
                name: "pools".into(),
                conditions: vec![Condition::Prefix(pools)],
                action: Action::Accept(vec![]),
            },
        ],
        default: Verdict::Reject(RejectReason::OutsidePools),
    };

    let no = Verdict::Reject;
    assert_eq!(ask(&policy, "172.16.1.0/26", "192.0.2.1", Internal), no(RejectReason::OwnBlock));
    assert_eq!(ask(&policy, "172.16.1.1/32", "192.0.2.1", Internal), Verdict::Accept);
    assert_eq!(ask(&policy, "172.16.2.0/26", "192.0.2.9", External), no(RejectReason::UnknownTunnelNextHop));
    assert_eq!(ask(&policy, "172.16.2.0/26", "192.0.2.1", External), Verdict::Accept);
    assert_eq!(ask(&policy, "172.16.2.0/26", "192.0.2.9", Internal), Verdict::Accept);
    assert_eq!(ask(&policy, "0.0.0.0/0", "192.0.2.1", Internal), no(RejectReason::OutsidePools));
}

#[test]
fn modifications_of_passed_terms_add_up_and_those_of_a_refused_route_vanish() {
    let modify = |changes| Term { name: "m".into(), conditions: vec![], action: Action::Modify(changes) };
    let mut policy = Policy {
        terms: vec![
            modify(vec![Modification::LocalPref(7), Modification::AddCommunity(1)]),
            modify(vec![Modification::AddCommunity(1), Modification::AddCommunity(2)]),
        ],
        default: Verdict::Accept,
    };
    let before = attributes("192.0.2.1");
    let (peer, source) = (PeerType::Internal, RouteSource::Local);
    let context = RouteContext { prefix: net("10.0.0.0/8"), attributes: &before, peer, source };
    let said = policy.evaluate(&context);
    let mut after = before.clone();
    policy.modify(&said.modifying, &mut after);
    assert_eq!(after.local_pref, Some(7));
    assert_eq!(after.rare.as_ref().unwrap().communities, [1, 2]);
    policy.default = Verdict::Reject(RejectReason::Policy);
    assert!(policy.evaluate(&context).modifying.is_empty());
}

#[test]
fn removing_the_last_community_leaves_no_empty_box() {
    let mut a = attributes("192.0.2.1");
    Modification::AddCommunity(5).apply(&mut a);
    Modification::RemoveCommunity(5).apply(&mut a);
    assert_eq!(a, attributes("192.0.2.1"));
}

#[test]
fn reject_reasons_have_unique_names_and_codes() {
    let names: std::collections::BTreeSet<_> = RejectReason::ALL.iter().map(|r| r.name()).collect();
    assert_eq!(names.len(), RejectReason::ALL.len());
    assert!(RejectReason::ALL.iter().enumerate().all(|(i, r)| usize::from(r.code()) == i));
}
