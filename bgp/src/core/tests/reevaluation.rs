//! A policy with many terms is put in force while routes go on changing.

use std::sync::Arc;

use super::{super::*, harness::*, paths::with_paths};
use crate::{
    config::AddPathDirections,
    policy::{Condition, Policy, PrefixSet, Term, Then, Verdict},
    types::Asn,
};

const ROUTES: u32 = 1000;
const TERMS: usize = 500;

fn prefix(number: u32) -> String {
    format!("10.{}.{}.0/24", number / 256, number % 256)
}

/// So many terms that none of the routes is meant by, and a default that takes them all.
fn long(name: &str) -> Arc<Policy> {
    let elsewhere: PrefixSet = ["192.168.0.0/16".parse().unwrap()].into_iter().collect();
    let conditions = vec![Condition::Prefix(Arc::new(elsewhere))];
    let term = |number: usize| Term {
        name: format!("{name}-{number}"),
        conditions: conditions.clone(),
        changes: Vec::new(),
        then: Then::Reject(crate::policy::RejectReason::Policy),
    };
    Arc::new(Policy::of(name, (0..TERMS).map(term).collect(), Verdict::Accept))
}

/// How many routes passed the policy's terms.
fn asked(policy: &Policy) -> u64 {
    policy.hits().iter().map(|(_, number)| number).sum()
}

/// Peer 0 has announced [`ROUTES`] routes, and `receiver`, the other peer, has them.
fn lab(receiver: PeerConfig) -> Lab {
    let mut lab = Lab::new(config(vec![peer(0, Asn(65000)), receiver]));
    (0..2).for_each(|index| lab.up(index));
    for number in 0..ROUTES {
        lab.announce(0, &attributes(address(0), &[65000, 100_000 + number]), &[&prefix(number)]);
    }
    lab.settle();
    assert_eq!(lab.prefixes(1).len(), ROUTES as usize);
    lab
}

fn reconfigure(lab: &mut Lab, change: impl Fn(&mut SpeakerConfig)) {
    let mut config = lab.core.config().clone();
    change(&mut config);
    assert_eq!(lab.core.reconfigure(lab.now, config), [], "the sessions go on");
}

#[test]
fn routes_are_put_before_a_changed_import_policy_in_portions_that_its_terms_make_smaller() {
    const BUDGET: usize = 320;
    let mut lab = lab(peer(1, Asn(65001)));
    let policy = long("in");
    reconfigure(&mut lab, |config| config.peers[0].import = policy.clone());
    let (mut before, mut portions) = (0, 0);
    while lab.core.run(lab.now, BUDGET) == Work::Pending {
        let now = asked(&policy);
        assert!((now - before) as usize * TERMS <= 32 * BUDGET, "{} routes at once", now - before);
        (before, portions) = (now, portions + 1);
    }
    assert_eq!(asked(&policy), ROUTES.into());
    assert!(portions > 50, "{portions}");
}

#[test]
fn only_the_routes_of_peers_with_another_policy_than_before_are_put_before_it() {
    let mut lab = lab(peer(1, Asn(65001)));
    lab.announce(1, &attributes(address(1), &[65001]), &["172.16.0.0/16"]);
    lab.settle();
    let (first, second) = (long("first"), long("second"));
    let both = |config: &mut SpeakerConfig| {
        config.peers[0].import = first.clone();
        config.peers[1].import = second.clone();
    };
    reconfigure(&mut lab, both);
    lab.settle();
    assert_eq!((asked(&first), asked(&second)), (ROUTES.into(), 1));
    let changed = long("changed");
    reconfigure(&mut lab, |config| config.peers[1].import = changed.clone());
    lab.settle();
    assert_eq!((asked(&first), asked(&changed)), (ROUTES.into(), 1));
}

/// What a withdrawal of the last route waits for while a changed export policy is asked about all routes.
fn assert_withdrawn_soon(receiver: PeerConfig) {
    const PORTION: usize = 512;
    let mut lab = lab(receiver);
    reconfigure(&mut lab, |config| config.peers[1].export = long("out"));
    assert_eq!(lab.transmit(PeerId(1), PORTION), Work::Pending);
    let last = prefix(ROUTES - 1);
    lab.withdraw(0, &[&last]);
    while lab.core.run(lab.now, 1000) == Work::Pending {}
    for _ in 0..2 {
        assert_eq!(lab.transmit(PeerId(1), PORTION), Work::Pending, "the table is not through yet");
    }
    assert_eq!(lab.learned(1, &last), None);
    lab.settle();
    assert_eq!(lab.prefixes(1).len(), ROUTES as usize - 1);
}

#[test]
fn a_withdrawal_does_not_wait_until_all_routes_were_put_before_a_changed_export_policy() {
    assert_withdrawn_soon(peer(1, Asn(65001)));
}

#[test]
fn nor_does_it_towards_a_peer_that_takes_several_paths() {
    assert_withdrawn_soon(with_paths(peer(1, Asn(65001)), AddPathDirections::Send, None));
}
