//! A peer whose socket takes nothing for a long time.

use super::{super::*, harness::*, paths::with_paths};
use crate::{config::AddPathDirections, types::Asn, wire::attribute::NextHop};

const V4: Family = Family::Ipv4Unicast;
/// What a portion is asked to have, in octets.
const BUDGET: usize = 1 << 16;

/// Peer 0 sends, peer 1 reads, peer 2 does not.
fn lab() -> Lab {
    lab_with(peer(2, Asn(65001)))
}

fn lab_with(slow: PeerConfig) -> Lab {
    let mut config = config(vec![peer(0, Asn(65000)), peer(1, Asn(65001)), slow]);
    config.addresses = vec!["2001:db8::1".parse().unwrap()];
    let mut lab = Lab::new(config);
    (0..3).for_each(|index| lab.up(index));
    lab.announce(0, &attributes(address(0), &[65000]), &["10.0.0.0/16"]);
    lab.settle();
    lab
}

/// All but peer 2 take what there is.
fn go_on(lab: &mut Lab) {
    lab.act();
    while lab.core.run(lab.now, 1000) == Work::Pending {}
    while lab.transmit(PeerId(1), 1 << 16) == Work::Pending {}
    while lab.read_best(1000) > 0 {}
    while lab.core.run(lab.now, 1000) == Work::Pending {}
}

#[test]
fn prefixes_that_come_and_go_meanwhile_leave_nothing_behind() {
    let mut lab = lab();
    for round in 0..40u8 {
        let names: Vec<_> = (0..=255).map(|i| format!("11.0.{round}.{i}/32")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        lab.announce(0, &attributes(address(0), &[65000]), &names);
        go_on(&mut lab);
        lab.withdraw(0, &names);
        go_on(&mut lab);
    }
    assert_eq!(lab.prefixes(1), ["10.0.0.0/16"]);
    assert!(lab.core.prefixes(V4) < 2_000, "{} of 10000 prefixes are remembered", lab.core.prefixes(V4));
    lab.announce(0, &attributes(address(0), &[65000]), &["12.0.0.0/16"]);
    lab.withdraw(0, &["10.0.0.0/16"]);
    lab.settle();
    assert_eq!((lab.prefixes(1), lab.prefixes(2)), (vec!["12.0.0.0/16".into()], vec!["12.0.0.0/16".into()]));
    assert_eq!(lab.core.prefixes(V4), 1);
}

#[test]
fn a_withdrawal_of_what_it_was_sent_is_not_forgotten() {
    let mut lab = lab();
    lab.withdraw(0, &["10.0.0.0/16"]);
    for round in 0..40u8 {
        let names: Vec<_> = (0..=255).map(|i| format!("11.0.{round}.{i}/32")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        lab.announce(0, &attributes(address(0), &[65000]), &names);
        go_on(&mut lab);
        lab.withdraw(0, &names);
        go_on(&mut lab);
    }
    assert_eq!(lab.prefixes(2), ["10.0.0.0/16"]);
    lab.settle();
    assert!(lab.prefixes(2).is_empty());
}

/// Octets that waits for peer 2 are encoded in, where each of 400 sets of attributes takes most of a message.
fn portions(lab: &mut Lab) -> Vec<usize> {
    let portion = |round: u8| {
        for set in 0..40u32 {
            let path: Vec<u32> = std::iter::once(65000).chain((0..800).map(|i| 100_000 + set + i)).collect();
            let names: Vec<_> = (0..10).map(|i| format!("11.{set}.{round}.{i}/32")).collect();
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            lab.announce(0, &attributes(address(0), &path), &names);
        }
        go_on(lab);
        let mut portion = Vec::new();
        lab.core.poll_transmit(PeerId(2), BUDGET, &mut portion);
        portion.iter().map(Bytes::len).sum()
    };
    (0..10).map(portion).collect()
}

/// A stretch ends where its messages take 64 KiB, and a portion with the stretch that fills it: the octets that a peer can
/// make wait are those of the portions in its outbox.
fn assert_bounded(portions: &[usize]) {
    const LONGEST_MESSAGE: usize = 4096;
    assert!(portions.iter().all(|octets| *octets <= 2 * BUDGET + LONGEST_MESSAGE), "{portions:?}");
    assert!(portions.iter().any(|octets| *octets >= BUDGET), "{portions:?}");
}

#[test]
fn a_portion_is_bounded_in_octets_whatever_waits() {
    assert_bounded(&portions(&mut lab()));
    let several = with_paths(peer(2, Asn(65001)), AddPathDirections::Send, None);
    assert_bounded(&portions(&mut lab_with(several)));
}

#[test]
fn changes_of_one_family_do_not_wait_until_all_of_the_other_are_told() {
    let mut lab = lab();
    for number in 0..600u32 {
        let prefix = format!("12.{}.{}.0/24", number / 256, number % 256);
        lab.announce(0, &attributes(address(0), &[65000, 100_000 + number]), &[&prefix]);
    }
    let over_ipv4 = attributes(address(0), &[65000]);
    let next_hop = NextHop::V6("2001:db8::9".parse().unwrap());
    lab.announce(0, &PathAttributes { next_hop, ..over_ipv4 }, &["2001:db8:1::/48"]);
    lab.act();
    while lab.core.run(lab.now, 1000) == Work::Pending {}
    assert_eq!(lab.transmit(PeerId(1), 512), Work::Pending);
    assert!(lab.learned(1, "2001:db8:1::/48").is_some());
    lab.read_best(10);
    assert!(lab.fib.contains_key(&net("2001:db8:1::/48")));
}
