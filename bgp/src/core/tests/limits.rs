use std::time::Duration;

use super::{super::*, harness::*};
use crate::{
    config::{LimitAction, PrefixLimit},
    event::Retention,
    wire::{ErrorKind, attribute::PathAttributes},
};

fn limit(most: u32, action: LimitAction) -> PeerConfig {
    PeerConfig {
        limit: PrefixLimit { most: Some(most), action, ..PrefixLimit::default() },
        ..peer(0, OWN_AS)
    }
}

fn limited(most: u32) -> Lab {
    limited_by(most, LimitAction::Restart(Duration::from_secs(9)))
}

fn limited_by(most: u32, action: LimitAction) -> Lab {
    let mut lab = Lab::new(config(vec![limit(most, action)]));
    lab.up(0);
    lab.settle();
    lab.actions.clear();
    lab
}

fn announce(lab: &mut Lab, count: u8) {
    let names: Vec<_> = (0..count).map(|i| format!("10.0.{i}.0/24")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    lab.announce(0, &internal(address(0)), &names);
    lab.act();
}

fn near() -> Action {
    Action::Warn(Warning::PrefixesNearLimit { peer: PeerId(0), family: Family::Ipv4Unicast, limit: 4 })
}

#[test]
fn three_quarters_of_the_limit_bring_one_warning() {
    let mut lab = limited(4);
    announce(&mut lab, 2);
    assert_eq!(lab.actions, []);
    announce(&mut lab, 3);
    announce(&mut lab, 4);
    assert_eq!(lab.actions, [near()]);
}

#[test]
fn one_prefix_beyond_the_limit_closes_the_session_with_cease_6_1_and_its_data() {
    let mut lab = limited(4);
    announce(&mut lab, 6);
    let Some(Action::CloseSession { peer, notification, retry_after }) = lab.actions.last().cloned() else {
        panic!("{:?}", lab.actions);
    };
    assert_eq!((peer, notification.kind), (PeerId(0), ErrorKind::MAXIMUM_PREFIXES_REACHED));
    assert_eq!(&notification.data[..], [0, 1, 1, 0, 0, 0, 4]);
    assert_eq!(retry_after, Duration::from_secs(9));
    let closing = lab.actions.len();
    announce(&mut lab, 6);
    assert_eq!(lab.actions.len(), closing, "nothing more is taken from it");
    lab.down(0, Retention::Flush);
    lab.settle();
    assert_eq!(lab.core.counts(PeerId(0), Family::Ipv4Unicast), RouteCounts::default());
    lab.up(0);
    announce(&mut lab, 4);
    assert_eq!(lab.actions.last(), Some(&near()));
}

fn closings(lab: &Lab) -> usize {
    lab.actions.iter().filter(|a| matches!(a, Action::CloseSession { .. })).count()
}

#[test]
fn refused_prefixes_count_too_for_they_are_kept() {
    let mut lab = limited(1);
    let looped = PathAttributes { local_pref: Some(100), ..attributes(address(0), &[OWN_AS.0]) };
    lab.announce(0, &looped, &["10.0.0.0/24", "10.0.1.0/24"]);
    lab.settle();
    assert_eq!(closings(&lab), 1);
}

#[test]
fn the_same_prefix_again_and_again_counts_once() {
    let mut lab = limited(1);
    for med in 0..5 {
        let attributes = PathAttributes { med: Some(med), ..internal(address(0)) };
        lab.announce(0, &attributes, &["10.0.0.0/24"]);
    }
    lab.settle();
    assert_eq!(closings(&lab), 0);
}

#[test]
fn a_limit_lowered_below_what_is_there_closes_the_session() {
    let mut lab = limited(4);
    announce(&mut lab, 3);
    lab.core.reconfigure(lab.now, config(vec![limit(2, LimitAction::Restart(Duration::ZERO))]));
    lab.act();
    assert_eq!(closings(&lab), 1);
}

/// The peer closed the session by itself and is back before anybody has carried the action out.
#[test]
fn a_session_that_came_up_meanwhile_is_not_closed_for_the_one_before() {
    let mut lab = limited(1);
    let names = ["10.0.0.0/24", "10.0.1.0/24"];
    lab.announce(0, &internal(address(0)), &names);
    lab.down(0, Retention::Flush);
    lab.up(0);
    lab.act();
    assert_eq!(closings(&lab), 0);
}

fn passed(action: LimitAction) -> Action {
    let (peer, family) = (PeerId(0), Family::Ipv4Unicast);
    Action::Warn(Warning::PrefixLimitPassed { peer, family, limit: 4, action })
}

fn counted(lab: &Lab) -> (u32, u32) {
    let counts = lab.core.counts(PeerId(0), Family::Ipv4Unicast);
    (counts.received, counts.refused_prefixes)
}

#[test]
fn a_limit_that_only_warns_takes_everything_and_says_so_once() {
    let mut lab = limited_by(4, LimitAction::Warn);
    announce(&mut lab, 9);
    assert_eq!(lab.actions, [near(), passed(LimitAction::Warn)]);
    assert_eq!(counted(&lab), (9, 0));
}

#[test]
fn a_limit_that_blocks_keeps_the_session_and_the_excess_out_until_there_is_room() {
    let mut lab = limited_by(4, LimitAction::Block);
    announce(&mut lab, 9);
    assert_eq!(lab.actions, [near(), passed(LimitAction::Block)]);
    assert_eq!(counted(&lab), (4, 5));
    announce(&mut lab, 4);
    assert_eq!(counted(&lab), (4, 5), "what is in may be announced again");
    lab.withdraw(0, &["10.0.8.0/24"]);
    lab.act();
    assert_eq!(lab.actions.len(), 2, "it was not in");
    lab.withdraw(0, &["10.0.0.0/24"]);
    lab.act();
    assert_eq!(lab.actions.last(), Some(&Action::RequestRoutes(PeerId(0))));
    assert_eq!(counted(&lab), (3, 0));
}

#[test]
fn a_raised_limit_lets_what_was_refused_in() {
    let mut lab = limited_by(4, LimitAction::Block);
    announce(&mut lab, 9);
    lab.core.reconfigure(lab.now, config(vec![limit(100, LimitAction::Block)]));
    lab.act();
    assert_eq!(lab.actions.last(), Some(&Action::RequestRoutes(PeerId(0))));
    announce(&mut lab, 9);
    assert_eq!(counted(&lab), (9, 0));
}
