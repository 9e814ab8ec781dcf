//! Policies at work: whom they are asked for, and what explaining them says.

use std::sync::Arc;

use super::harness::*;
use crate::{
    policy::{
        Condition, Modification, NeighborSet, NextHopChange, Policy, PrefixSet, RejectReason, Section, Term,
        Then, Verdict,
    },
    types::Asn,
};

fn term(name: &str, conditions: Vec<Condition>, changes: Vec<Modification>, then: Then) -> Term {
    Term { name: name.into(), conditions, changes, then }
}

/// Refuses what goes to the peer of this name, and accepts the rest.
fn not_to(name: &str) -> Arc<Policy> {
    let peers = NeighborSet::new(vec![name.into()], PrefixSet::default());
    let refuse = Then::Reject(RejectReason::Policy);
    let terms = vec![term("not-there", vec![Condition::Neighbor(Arc::new(peers))], vec![], refuse)];
    let section = Section { name: "out".into(), terms, default: Some(Verdict::Accept) };
    Arc::new(Policy::new(vec![section], Verdict::Accept, vec![]))
}

fn lab(export: &Arc<Policy>, import: Policy) -> Lab {
    let mut config = config(vec![peer(0, OWN_AS), peer(1, Asn(65001)), peer(2, Asn(65001))]);
    config.peers[0].import = Arc::new(import);
    config.peers[1].export = export.clone();
    config.peers[2].export = export.clone();
    let mut lab = Lab::new(config);
    (0..3).for_each(|index| lab.up(index));
    lab.announce(0, &internal(address(0)), &["10.0.0.0/8"]);
    lab.settle();
    lab
}

#[test]
fn a_policy_shared_by_two_peers_refuses_only_the_one_it_names() {
    let name = peer(2, Asn(65001)).name;
    let lab = lab(&not_to(&name), Policy::default());
    assert_eq!(lab.prefixes(1), ["10.0.0.0/8"]);
    assert!(lab.prefixes(2).is_empty());
}

#[test]
fn explaining_names_the_deciding_and_the_changing_terms_on_both_ways() {
    let tag = term("tag", vec![], vec![Modification::LocalPref(7)], Then::Continue);
    let take = term("take", vec![], vec![], Then::Accept);
    let import = Policy::of("in", vec![tag, take], Verdict::Reject(RejectReason::Policy));
    let name = peer(2, Asn(65001)).name;
    let lab = lab(&not_to(&name), import);
    let told = lab.core.explain(net("10.0.0.0/8")).unwrap();
    let words = |trace: &Option<crate::policy::Trace>| trace.as_ref().map(ToString::to_string);
    let import = "term take of in decides; changed by term tag of in";
    assert_eq!(words(&told.imports[0]).as_deref(), Some(import));
    assert_eq!(told.route.paths[0].attributes.local_pref, Some(7));
    let exports: Vec<_> =
        told.exports.iter().map(|e| (e.peer.0, e.outcome.is_ok(), words(&e.policy))).collect();
    assert_eq!(
        exports,
        [
            (0, false, None),
            (1, true, Some("the default of out decides".into())),
            (2, false, Some("term not-there of out decides".into())),
        ]
    );
}

fn hits(policy: &Policy) -> Vec<(String, u64)> {
    policy.hits().into_iter().map(|(name, number)| (name.to_string(), number)).collect()
}

fn numbers(policy: &Policy) -> Vec<u64> {
    policy.hits().into_iter().map(|(_, number)| number).collect()
}

#[test]
fn each_route_counts_for_the_terms_that_judged_it_once_for_all_peers_that_are_sent_the_same() {
    let tag = term("tag", vec![], vec![Modification::LocalPref(7)], Then::Continue);
    let take = term("take", vec![], vec![], Then::Accept);
    let import = Policy::of("in", vec![tag, take], Verdict::Reject(RejectReason::Policy));
    let refuse = term(
        "nets",
        vec![Condition::Prefix(Arc::new(["20.0.0.0/8".parse().unwrap()].into_iter().collect()))],
        vec![],
        Then::Reject(RejectReason::Policy),
    );
    let export = Arc::new(Policy::of("out", vec![refuse], Verdict::Accept));
    let mut lab = lab(&export, import);
    let (imports, exports) = (lab.core.config().peers[0].import.clone(), export);
    let expected = [("term tag of in", 1), ("term take of in", 1), ("no term", 0)];
    assert_eq!(hits(&imports), expected.map(|(name, number)| (name.to_owned(), number)));
    // A route that changes while a peer is sent the table may be judged for it twice.
    let before = numbers(&exports)[1];
    assert!((1..=2).contains(&before) && numbers(&exports)[0] == 0);
    lab.announce(0, &internal(address(0)), &["20.0.0.0/8", "30.0.0.0/8"]);
    lab.settle();
    assert_eq!(numbers(&imports), [3, 3, 0]);
    assert_eq!(numbers(&exports), [1, before + 1]);
    // Looking counts for nothing, and neither does a configuration that says the same.
    lab.core.explain(net("20.0.0.0/8")).unwrap();
    lab.core.adj_rib_out(lab.core.peers().nth(1).unwrap().0, crate::types::Family::Ipv4Unicast, None, 10);
    let mut same = lab.core.config().clone();
    for peer in &mut same.peers {
        (peer.import, peer.export) = (Arc::new((*peer.import).clone()), Arc::new((*peer.export).clone()));
    }
    lab.core.reconfigure(lab.now, same);
    lab.settle();
    assert_eq!(numbers(&exports), [1, before + 1]);
    assert!(Arc::ptr_eq(&lab.core.config().peers[0].import, &imports));
    assert!(Arc::ptr_eq(&lab.core.peer(crate::types::PeerId(2)).unwrap().export, &exports));
}

/// What peer 1 is told about a route of ours and about a learned one by such an export policy.
fn next_hops_after(changes: &[NextHopChange]) -> [String; 2] {
    let terms = changes.iter().map(|c| term("t", vec![], vec![Modification::NextHop(*c)], Then::Continue));
    let export = Policy::of("out", terms.collect(), Verdict::Accept);
    let mut config = config(vec![peer(0, Asn(65000)), peer(1, Asn(65001))]);
    config.peers[1].export = Arc::new(export);
    let mut lab = Lab::new(config);
    (0..2).for_each(|index| lab.up(index));
    lab.originate(&["10.1.0.0/16"]);
    lab.announce(0, &attributes(address(9), &[65000]), &["10.2.0.0/16"]);
    lab.settle();
    ["10.1.0.0/16", "10.2.0.0/16"].map(|p| lab.learned(1, p).unwrap().next_hop.address().to_string())
}

#[test]
fn an_address_of_the_other_family_leaves_the_next_hop_to_the_rules_also_on_the_way_out() {
    let own = [OWN.to_string(), OWN.to_string()];
    let other = NextHopChange::Address("fd00::1".parse().unwrap());
    assert_eq!(next_hops_after(&[]), own);
    assert_eq!(next_hops_after(&[other]), own);
    let there = NextHopChange::Address("192.0.2.77".parse().unwrap());
    assert_eq!(next_hops_after(&[there, other]), ["192.0.2.77", "192.0.2.77"]);
}

#[test]
fn what_is_kept_is_the_next_hop_as_learned_whatever_an_earlier_term_put_there() {
    let there = NextHopChange::Address("192.0.2.77".parse().unwrap());
    let expected = [OWN.to_string(), address(9).to_string()];
    assert_eq!(next_hops_after(&[NextHopChange::Keep]), expected);
    assert_eq!(next_hops_after(&[there, NextHopChange::Keep]), expected);
}
