//! Route refresh with its marks (RFC 7313), asked of us and asked by us.

use std::time::Duration;

use super::{super::*, harness::*};
use crate::{
    config::{CapabilityConfig, Offer},
    event::{RefreshMark, Retention},
    types::Asn,
};

const V4: Family = Family::Ipv4Unicast;

fn lab() -> Lab {
    let mut lab = Lab::new(config(vec![peer(0, Asn(65000)), peer(1, OWN_AS)]));
    (0..2).for_each(|index| lab.up(index));
    lab.announce(0, &attributes(address(0), &[65000]), &["10.0.0.0/16", "10.1.0.0/16"]);
    lab.settle();
    lab
}

fn mark(lab: &mut Lab, peer: u32, mark: RefreshMark) {
    lab.core.refresh_marked(lab.now, PeerId(peer), V4, mark);
}

#[test]
fn whoever_asks_gets_the_routes_between_the_marks() {
    let mut lab = lab();
    let before = lab.learned[&PeerId(1)].messages;
    lab.core.route_refresh(lab.now, PeerId(1), V4);
    lab.settle();
    let learned = &lab.learned[&PeerId(1)];
    assert_eq!((&learned.markers[..], learned.messages), (&[1, 2][..], before + 1));
}

#[test]
fn a_peer_that_does_not_know_the_marks_gets_none() {
    let capabilities = CapabilityConfig { enhanced_refresh: Offer::Withheld, ..CapabilityConfig::default() };
    let sink = PeerConfig { capabilities, ..peer(1, OWN_AS) };
    let mut lab = Lab::new(config(vec![peer(0, Asn(65000)), sink]));
    lab.up(1);
    lab.originate(&["172.16.0.0/26"]);
    lab.settle();
    let before = lab.learned[&PeerId(1)].messages;
    lab.core.route_refresh(lab.now, PeerId(1), V4);
    lab.settle();
    let learned = &lab.learned[&PeerId(1)];
    assert_eq!((learned.markers.len(), learned.messages), (0, before + 1));
}

#[test]
fn a_refresh_asked_for_before_end_of_rib_begins_behind_it() {
    let mut lab = Lab::new(config(vec![peer(0, Asn(65000)), peer(1, OWN_AS)]));
    lab.up(0);
    lab.announce(0, &attributes(address(0), &[65000]), &["10.0.0.0/16"]);
    lab.settle();
    lab.up(1);
    lab.core.route_refresh(lab.now, PeerId(1), V4);
    let mut order = Vec::new();
    while lab.core.peers_with_output().contains(&PeerId(1)) {
        lab.transmit(PeerId(1), 1);
        let learned = &lab.learned[&PeerId(1)];
        order.push((learned.end_of_rib.contains(V4), learned.markers.len()));
    }
    assert!(order.iter().all(|(ended, markers)| *ended || *markers == 0), "{order:?}");
    assert_eq!(lab.learned[&PeerId(1)].markers, [1, 2]);
}

#[test]
fn an_empty_table_is_refreshed_too() {
    let mut lab = Lab::new(config(vec![peer(0, Asn(65000))]));
    lab.up(0);
    lab.settle();
    lab.core.route_refresh(lab.now, PeerId(0), V4);
    lab.settle();
    assert_eq!(lab.learned[&PeerId(0)].markers, [1, 2]);
}

#[test]
fn what_a_peer_does_not_send_between_its_marks_ends_with_the_second() {
    let mut lab = lab();
    mark(&mut lab, 0, RefreshMark::Beginning);
    lab.settle();
    assert_eq!((lab.fib.len(), lab.core.counts(PeerId(0), V4).stale), (2, 2));
    lab.announce(0, &attributes(address(0), &[65000]), &["10.1.0.0/16"]);
    let before = lab.learned[&PeerId(1)].messages;
    mark(&mut lab, 0, RefreshMark::End);
    lab.settle();
    assert_eq!(lab.prefixes(1), ["10.1.0.0/16"]);
    assert_eq!(lab.learned[&PeerId(1)].messages, before + 1, "one withdrawal, nothing sent again");
    assert_eq!(lab.core.counts(PeerId(0), V4).stale, 0);
}

#[test]
fn a_refresh_that_never_ends_is_ended_by_time() {
    let mut lab = lab();
    mark(&mut lab, 0, RefreshMark::Beginning);
    assert_eq!(lab.core.poll_timeout(), Some(lab.now.plus(Duration::from_secs(360))));
    lab.wait(359);
    assert_eq!(lab.fib.len(), 2);
    lab.wait(1);
    assert!(lab.fib.is_empty());
}

#[test]
fn a_second_beginning_marks_what_came_since_the_first() {
    let mut lab = lab();
    mark(&mut lab, 0, RefreshMark::Beginning);
    lab.announce(0, &attributes(address(0), &[65000]), &["10.1.0.0/16"]);
    mark(&mut lab, 0, RefreshMark::Beginning);
    lab.announce(0, &attributes(address(0), &[65000]), &["10.0.0.0/16"]);
    mark(&mut lab, 0, RefreshMark::End);
    lab.settle();
    assert_eq!(lab.prefixes(1), ["10.0.0.0/16"]);
}

#[test]
fn an_end_without_beginning_means_nothing() {
    let mut lab = lab();
    mark(&mut lab, 0, RefreshMark::End);
    lab.settle();
    assert_eq!(lab.fib.len(), 2);
}

#[test]
fn the_limit_of_prefixes_counts_what_is_stale_between_the_marks() {
    let mut limited = peer(0, Asn(65000));
    limited.limit.most = Some(3);
    let mut lab = Lab::new(config(vec![limited]));
    lab.up(0);
    lab.announce(0, &attributes(address(0), &[65000]), &["10.0.0.0/16", "10.1.0.0/16"]);
    mark(&mut lab, 0, RefreshMark::Beginning);
    lab.announce(0, &attributes(address(0), &[65000]), &["10.2.0.0/16", "10.3.0.0/16"]);
    lab.settle();
    assert!(lab.actions.iter().any(|a| matches!(a, Action::CloseSession { .. })));
}

#[test]
fn three_hundred_refreshes_in_a_row_lose_nothing() {
    let mut lab = lab();
    for _ in 0..300 {
        mark(&mut lab, 0, RefreshMark::Beginning);
        lab.announce(0, &attributes(address(0), &[65000]), &["10.0.0.0/16", "10.1.0.0/16"]);
        mark(&mut lab, 0, RefreshMark::End);
    }
    lab.settle();
    assert_eq!((lab.fib.len(), lab.core.counts(PeerId(0), V4).received), (2, 2));
    lab.down(0, Retention::Flush);
    lab.settle();
    assert!(lab.fib.is_empty());
}
