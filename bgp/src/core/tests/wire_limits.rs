//! What one session can carry and another cannot: long messages (RFC 8654), IPv6 next hops of IPv4 (RFC 8950).

use super::{super::*, harness::*};
use crate::{
    event::{Negotiated, SessionAddresses},
    types::Asn,
    wire::{
        attribute::{NextHop, RareAttributes},
        context::MAX_EXTENDED_MESSAGE,
    },
};

const V4: Family = Family::Ipv4Unicast;

/// Attributes of about 4 octets for each community.
fn with_communities(count: u32) -> PathAttributes {
    let rare = RareAttributes { communities: (0..count).collect(), ..RareAttributes::default() };
    PathAttributes { rare: Some(rare.into()), ..attributes(address(0), &[65000]) }
}

/// Peer 0 sends to us; it and peer 1 take long messages, peer 2 does not.
fn lab() -> Lab {
    let mut lab = Lab::new(config(vec![peer(0, Asn(65000)), peer(1, OWN_AS), peer(2, OWN_AS)]));
    for peer in [0, 1] {
        let long = Negotiated { max_message: MAX_EXTENDED_MESSAGE, ..lab.negotiated(peer, None) };
        lab.agreed.insert(peer, long);
    }
    (0..3).for_each(|index| lab.up(index));
    lab
}

fn blocks(count: u32) -> Vec<String> {
    (0..count).map(|i| format!("10.{}.{}.0/24", i / 256, i % 256)).collect()
}

#[test]
fn routes_of_one_long_message_are_split_into_short_ones() {
    let mut lab = lab();
    let prefixes = blocks(3000);
    let prefixes: Vec<_> = prefixes.iter().map(String::as_str).collect();
    lab.announce(0, &with_communities(500), &prefixes);
    while lab.core.run(lab.now, 4096) == Work::Pending {}
    lab.act();
    for peer in [1, 2] {
        while lab.transmit(PeerId(peer), 1 << 20) == Work::Pending {}
        assert_eq!(lab.prefixes(peer).len(), 3000);
    }
    let messages = [1, 2].map(|peer| lab.learned[&PeerId(peer)].messages);
    assert!(messages[0] < 8 && messages[1] > 14, "{messages:?}");
}

#[test]
fn what_does_not_fit_a_short_message_is_withdrawn_from_its_peer_alone_and_said() {
    let mut lab = lab();
    lab.announce(0, &with_communities(10), &["10.0.0.0/16", "10.1.0.0/16"]);
    lab.settle();
    assert_eq!(lab.prefixes(2).len(), 2);
    lab.announce(0, &with_communities(2000), &["10.0.0.0/16"]);
    lab.settle();
    assert_eq!(lab.prefixes(1), ["10.0.0.0/16", "10.1.0.0/16"]);
    assert_eq!(lab.prefixes(2), ["10.1.0.0/16"]);
    let too_long = |lab: &Lab| [1, 2].map(|peer| lab.core.counts(PeerId(peer), V4).too_long);
    assert_eq!(too_long(&lab), [0, 1]);
    let told = lab.core.explain_export(PeerId(2), net("10.0.0.0/16"));
    assert_eq!(told, Some(Err(Withheld::TooLong)));
    let warning = Action::Warn(Warning::AttributesTooLong { prefix: net("10.0.0.0/16") });
    assert_eq!(lab.actions.iter().filter(|a| **a == warning).count(), 1);

    lab.announce(0, &with_communities(3), &["10.0.0.0/16"]);
    lab.settle();
    assert_eq!((too_long(&lab), lab.prefixes(2).len()), ([0, 0], 2));
    lab.announce(0, &with_communities(3000), &["10.0.0.0/16"]);
    lab.settle();
    lab.withdraw(0, &["10.0.0.0/16"]);
    lab.settle();
    assert_eq!(too_long(&lab), [0, 0], "gone altogether");
    let said = |lab: &Lab| lab.actions.iter().filter(|a| **a == warning).count();
    assert_eq!(said(&lab), 2, "it could be sent between");
    for _ in 0..3 {
        lab.announce(0, &with_communities(3000), &["10.0.0.0/16"]);
        lab.settle();
        lab.withdraw(0, &["10.0.0.0/16"]);
        lab.settle();
    }
    assert_eq!(said(&lab), 2, "coming and going is no news");
}

/// Peer 0 is external on an IPv6 session and IPv6 next hops of IPv4 were agreed on with it; peer 1 is a plain one.
fn over_ipv6() -> Lab {
    let mut lab = Lab::new(config(vec![peer(0, Asn(65000)), peer(1, OWN_AS)]));
    let mut agreed = lab.negotiated(0, None);
    agreed.extensions.ipv6_next_hops.insert(V4);
    lab.agreed.insert(0, agreed.clone());
    lab.learned.insert(PeerId(0), Learned::default());
    let [local, remote] = ["2001:db8::100", "2001:db8::1"].map(|a| a.parse().unwrap());
    lab.core.session_up(lab.now, PeerId(0), agreed, SessionAddresses::new(local, remote));
    lab.up(1);
    lab
}

#[test]
fn our_ipv6_address_is_the_next_hop_of_ipv4_where_that_was_agreed_on() {
    let mut lab = over_ipv6();
    lab.originate(&["172.16.0.0/26"]);
    lab.settle();
    let next_hop = |peer| lab.learned(peer, "172.16.0.0/26").unwrap().next_hop;
    assert_eq!(next_hop(0), NextHop::V6("2001:db8::100".parse().unwrap()));
    assert_eq!(next_hop(1), NextHop::V4(OWN));
}

#[test]
fn a_route_with_an_ipv6_next_hop_goes_to_the_forwarding_table_but_not_to_who_cannot_read_it() {
    let mut lab = over_ipv6();
    let hop = NextHop::V6("2001:db8::1".parse().unwrap());
    let learned = PathAttributes { next_hop: hop, ..attributes(address(0), &[65000]) };
    lab.announce(0, &learned, &["10.0.0.0/16"]);
    lab.settle();
    assert_eq!(lab.fib[&net("10.0.0.0/16")], hop.address());
    assert!(lab.prefixes(1).is_empty(), "peer 1 reads IPv4 next hops only");
    let counts = lab.core.counts(PeerId(1), V4);
    assert_eq!((counts.too_long, counts.no_next_hop), (0, 1));
    let told = lab.core.explain_export(PeerId(1), net("10.0.0.0/16"));
    assert_eq!(told, Some(Err(Withheld::NextHopFamily)));
    assert!(!lab.actions.iter().any(|action| matches!(action, Action::Warn(_))), "nobody is alarmed");
    lab.withdraw(0, &["10.0.0.0/16"]);
    lab.settle();
    assert_eq!(lab.core.counts(PeerId(1), V4).no_next_hop, 0);
}
