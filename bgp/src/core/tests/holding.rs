//! The ceiling of what a peer's path attributes take.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;

use super::{super::*, harness::*};
use crate::{
    config::{LimitAction, PrefixLimit},
    event::{RefreshMark, Retention},
    wire::{
        ErrorKind,
        attribute::{PathAttributes, RareAttributes},
    },
};

const RESTART: LimitAction = LimitAction::Restart(Duration::from_secs(9));

fn limited(octets: u64, action: LimitAction) -> PeerConfig {
    let limit = PrefixLimit { octets: Some(octets), action, ..PrefixLimit::default() };
    PeerConfig { limit, ..peer(0, OWN_AS) }
}

fn lab(octets: u64, action: LimitAction) -> Lab {
    let mut lab = Lab::new(config(vec![limited(octets, action), peer(1, OWN_AS)]));
    lab.up(0);
    lab.up(1);
    lab.settle();
    lab.actions.clear();
    lab
}

/// A set like no other, with so many communities.
fn set(number: u32, communities: usize) -> PathAttributes {
    let rare = RareAttributes { communities: vec![number; communities], ..RareAttributes::default() };
    PathAttributes { med: Some(number), rare: Some(Box::new(rare)), ..internal(address(0)) }
}

fn price(communities: usize) -> u64 {
    set(0, communities).octets() as u64
}

fn held(lab: &Lab, peer: u32) -> u64 {
    lab.core.attribute_octets(PeerId(peer))
}

fn refused(lab: &Lab) -> (u32, u32) {
    let counts = lab.core.counts(PeerId(0), Family::Ipv4Unicast);
    (counts.received, counts.refused_attributes)
}

fn passed(limit: u64, action: LimitAction) -> Action {
    Action::Warn(Warning::AttributeLimitPassed { peer: PeerId(0), limit, action })
}

#[test]
fn a_set_counts_once_for_each_peer_that_has_it_whoever_brought_it() {
    let mut lab = lab(u64::MAX, RESTART);
    lab.announce(0, &set(1, 4), &["10.0.0.0/24", "10.0.1.0/24"]);
    lab.announce(1, &set(1, 4), &["10.0.0.0/24"]);
    lab.announce(0, &set(2, 9), &["10.0.2.0/24"]);
    lab.settle();
    assert_eq!((held(&lab, 0), held(&lab, 1)), (price(4) + price(9), price(4)));
    lab.withdraw(0, &["10.0.0.0/24"]);
    assert_eq!(held(&lab, 0), price(4) + price(9));
    lab.withdraw(0, &["10.0.1.0/24"]);
    assert_eq!((held(&lab, 0), held(&lab, 1)), (price(9), price(4)));
    lab.down(1, Retention::Flush);
    lab.settle();
    assert_eq!((held(&lab, 0), held(&lab, 1)), (price(9), 0));
}

#[test]
fn more_than_the_ceiling_ends_the_session_with_cease_6_8_and_nothing_more_is_taken() {
    let most = 2 * price(4);
    let mut lab = lab(most, RESTART);
    lab.announce(0, &set(1, 4), &["10.0.0.0/24"]);
    lab.announce(0, &set(2, 4), &["10.0.1.0/24"]);
    lab.act();
    let near = Action::Warn(Warning::AttributesNearLimit { peer: PeerId(0), limit: most });
    assert_eq!(lab.actions, [near]);
    lab.announce(0, &set(3, 4), &["10.0.2.0/24"]);
    lab.announce(0, &set(1, 4), &["10.0.3.0/24"]);
    lab.act();
    let [_, warning, Action::CloseSession { peer, notification, retry_after }] = &lab.actions[..] else {
        panic!("{:?}", lab.actions);
    };
    assert_eq!(*warning, passed(most, RESTART));
    assert_eq!((*peer, notification.kind), (PeerId(0), ErrorKind::OUT_OF_RESOURCES));
    assert_eq!(*retry_after, Duration::from_secs(9));
    assert_eq!((held(&lab, 0), refused(&lab).0), (most, 2));
}

#[test]
fn a_ceiling_that_blocks_withdraws_what_finds_no_room_and_asks_for_it_once_there_is_some() {
    let most = 4 * price(4);
    let mut lab = lab(most, LimitAction::Block);
    for n in 0..6 {
        lab.announce(0, &set(n, 4), &[&format!("10.0.{n}.0/24")]);
    }
    lab.settle();
    assert_eq!((held(&lab, 0), refused(&lab)), (most, (4, 2)));
    assert_eq!(lab.actions.last(), Some(&passed(most, LimitAction::Block)));
    let said = lab.actions.len();
    // What it had before makes room for another set of the same size, and not for a larger one.
    lab.announce(0, &set(9, 4), &["10.0.0.0/24"]);
    assert_eq!((held(&lab, 0), refused(&lab)), (most, (4, 2)));
    lab.announce(0, &set(8, 40), &["10.0.0.0/24"]);
    lab.settle();
    assert_eq!((held(&lab, 0), refused(&lab)), (most - price(4), (3, 3)));
    assert_eq!(lab.core.route(net("10.0.0.0/24")), None);
    lab.act();
    assert_eq!(lab.actions.len(), said);
    lab.withdraw(0, &["10.0.1.0/24"]);
    lab.act();
    assert_eq!(lab.actions.last(), Some(&Action::RequestRoutes(PeerId(0))));
    assert_eq!((held(&lab, 0), refused(&lab)), (2 * price(4), (2, 0)));
}

#[test]
fn a_ceiling_that_only_warns_takes_everything_and_says_so_once() {
    let mut lab = lab(price(4), LimitAction::Warn);
    for n in 0..6 {
        lab.announce(0, &set(n, 4), &[&format!("10.0.{n}.0/24")]);
    }
    lab.act();
    assert_eq!(lab.actions.iter().filter(|a| **a == passed(price(4), LimitAction::Warn)).count(), 1);
    assert_eq!((held(&lab, 0), refused(&lab)), (6 * price(4), (6, 0)));
}

#[test]
fn a_ceiling_lowered_below_what_is_there_acts_at_once_and_a_raised_one_asks_for_what_was_refused() {
    let mut lab = lab(2 * price(4), LimitAction::Block);
    for n in 0..3 {
        lab.announce(0, &set(n, 4), &[&format!("10.0.{n}.0/24")]);
    }
    lab.core.reconfigure(lab.now, config(vec![limited(9 * price(4), LimitAction::Block), peer(1, OWN_AS)]));
    lab.act();
    assert_eq!(lab.actions.last(), Some(&Action::RequestRoutes(PeerId(0))));
    lab.core.reconfigure(lab.now, config(vec![limited(price(4), RESTART), peer(1, OWN_AS)]));
    lab.act();
    assert!(matches!(lab.actions.last(), Some(Action::CloseSession { .. })), "{:?}", lab.actions);
}

#[test]
fn what_an_earlier_session_left_is_let_go_before_it_can_close_the_next() {
    let most = 3 * price(4);
    let mut lab = lab(most, RESTART);
    for n in 0..3 {
        lab.announce(0, &set(n, 4), &[&format!("10.0.{n}.0/24")]);
    }
    lab.settle();
    lab.actions.clear();
    lab.down(0, Retention::Flush);
    lab.up(0);
    for n in 0..3 {
        lab.announce(0, &set(10 + n, 4), &[&format!("10.1.{n}.0/24")]);
    }
    lab.settle();
    assert_eq!((held(&lab, 0), refused(&lab)), (most, (3, 0)));
    assert!(!lab.actions.iter().any(|a| matches!(a, Action::CloseSession { .. })), "{:?}", lab.actions);
}

#[derive(Clone, Debug)]
enum Step {
    Announce { peer: u32, set: u32, communities: usize, prefixes: Vec<u8> },
    Withdraw { peer: u32, prefix: u8 },
    Down { peer: u32, how: Retention },
    Refresh(RefreshMark),
    Ceiling(u64),
    Settle,
}

fn step() -> impl Strategy<Value = Step> {
    let peer = || 0..2_u32;
    let announce = (peer(), 0..9_u32, 0..30_usize, proptest::collection::vec(0..20_u8, 1..4));
    let how = prop_oneof![Just(Retention::Flush), Just(Retention::MayRestart)];
    prop_oneof![
        12 => announce.prop_map(|(peer, set, communities, prefixes)| Step::Announce { peer, set, communities, prefixes }),
        4 => (peer(), 0..20_u8).prop_map(|(peer, prefix)| Step::Withdraw { peer, prefix }),
        1 => (peer(), how).prop_map(|(peer, how)| Step::Down { peer, how }),
        1 => prop_oneof![Just(RefreshMark::Beginning), Just(RefreshMark::End)].prop_map(Step::Refresh),
        1 => (400..2000_u64).prop_map(Step::Ceiling),
        2 => Just(Step::Settle),
    ]
}

fn prefix(number: u8) -> String {
    if number.is_multiple_of(3) { format!("2001:db8:{number}::/48") } else { format!("10.0.{number}.0/24") }
}

/// What a peer makes us keep, counted anew from what can be seen.
fn counted(lab: &Lab, peer: u32) -> u64 {
    let mut sets = BTreeMap::new();
    for family in Family::ALL {
        for route in lab.core.adj_rib_in(PeerId(peer), AdjRibIn::Received, family, None, 1000).items {
            for path in route.paths.iter().filter(|path| path.peer == Some(PeerId(peer))) {
                sets.insert(format!("{:?}", path.received), path.received.octets() as u64);
            }
        }
    }
    sets.into_values().sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_updates_makes_us_keep_more_than_the_ceiling(
        blocks: bool,
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        let action = if blocks { LimitAction::Block } else { RESTART };
        let mut most = 1200;
        let mut lab = lab(most, action);
        for step in steps {
            match step {
                Step::Announce { peer, set: number, communities, prefixes } => {
                    for wanted in [0, 1] {
                        let names = prefixes.iter().filter(|n| u8::from(n.is_multiple_of(3)) == wanted);
                        let names: Vec<_> = names.map(|n| prefix(*n)).collect();
                        let names: Vec<_> = names.iter().map(String::as_str).collect();
                        lab.announce(peer, &set(number, communities), &names);
                    }
                }
                Step::Withdraw { peer, prefix: number } => lab.withdraw(peer, &[&prefix(number)]),
                Step::Down { peer, how } => {
                    lab.down(peer, how);
                    lab.up_with(peer, Some(graceful()));
                }
                Step::Refresh(mark) => lab.core.refresh_marked(lab.now, PeerId(0), Family::Ipv4Unicast, mark),
                Step::Ceiling(octets) => {
                    most = octets.max(held(&lab, 0));
                    lab.core.reconfigure(lab.now, config(vec![limited(most, action), peer(1, OWN_AS)]));
                }
                Step::Settle => lab.settle(),
            }
            prop_assert!(held(&lab, 0) <= most, "{} of {most}", held(&lab, 0));
        }
        lab.settle();
        for peer in 0..2 {
            prop_assert_eq!(held(&lab, peer), counted(&lab, peer));
        }
        for peer in 0..2 {
            lab.down(peer, Retention::Flush);
        }
        lab.settle();
        prop_assert_eq!((held(&lab, 0), held(&lab, 1)), (0, 0));
    }
}
