//! What a peer's switches do to its routes, on the way in and on the way out.

use std::{net::IpAddr, sync::Arc};

use super::{super::*, harness::*};
use crate::{
    config::{
        AddPathDirections, Blackhole, CommunityKind, FirstAs, GracefulShutdown, LocalAs, LocalAsPath,
        NextHopMode, OwnAs, PrivateAs, RouteSwitches, TtlPolicy,
    },
    decision::Reason,
    event::Through,
    martian::ReservedRanges,
    policy::{Modification, Policy, RejectReason, Term, Then, Verdict},
    types::Asn,
    wire::{
        attribute::{LargeCommunity, PathAttributes},
        community::Community,
        role::Role,
    },
};

const NET: &str = "10.1.0.0/16";
const SENDER: Asn = Asn(65001);
const RECEIVER: Asn = Asn(65002);

/// An external sender and an external receiver with these switches, all up.
fn lab(sender: RouteSwitches, receiver: RouteSwitches) -> Lab {
    let with = |index, asn, switches| PeerConfig { switches, ..peer(index, asn) };
    let mut lab = Lab::new(config(vec![with(0, SENDER, sender), with(1, RECEIVER, receiver)]));
    (0..2).for_each(|index| lab.up(index));
    lab
}

fn plain() -> RouteSwitches {
    RouteSwitches::default()
}

fn communities(list: &[Community]) -> PathAttributes {
    let mut attributes = attributes(address(0), &[SENDER.0]);
    attributes.rare.get_or_insert_default().communities = list.iter().map(|c| c.0).collect();
    attributes
}

impl Lab {
    /// Announces a path from the sender; as which path it reaches the receiver.
    fn passes(&mut self, path: &[u32]) -> Option<String> {
        self.announce(0, &attributes(address(0), path), &[NET]);
        self.settle();
        self.learned(1, NET).map(|a| a.as_path.to_string())
    }

    fn switch(&mut self, index: usize, switches: RouteSwitches) {
        let mut config = self.core.config().clone();
        config.peers[index].switches = switches;
        assert_eq!(self.core.reconfigure(self.now, config), [], "the session goes on");
        self.settle();
    }
}

#[test]
fn our_own_as_may_come_in_as_often_as_allowed_and_a_change_needs_no_session() {
    let mut lab = lab(RouteSwitches { allow_as_in: 1, ..plain() }, plain());
    assert_eq!(lab.passes(&[65001, OWN_AS.0, 65009]).as_deref(), Some("64512 65001 64512 65009"));
    assert_eq!(lab.passes(&[65001, OWN_AS.0, OWN_AS.0]), None);
    assert_eq!(lab.reason(NET, 0), Some(Reason::AsLoop));
    lab.switch(0, RouteSwitches { allow_as_in: 2, ..plain() });
    assert_eq!(lab.reason(NET, 0), Some(Reason::Best));
    lab.switch(0, plain());
    assert_eq!(lab.reason(NET, 0), Some(Reason::AsLoop));
    assert!(lab.prefixes(1).is_empty());
}

#[test]
fn an_external_peer_must_put_itself_first_unless_it_is_a_route_server() {
    let mut lab = lab(plain(), plain());
    assert_eq!(lab.passes(&[65009, 65001]), None);
    assert_eq!(lab.reason(NET, 0), Some(Reason::FirstAs));
    lab.switch(0, RouteSwitches { first_as: FirstAs::Any, ..plain() });
    assert_eq!(lab.learned(1, NET).unwrap().as_path.to_string(), "64512 65009 65001");
}

#[test]
fn private_numbers_go_or_become_ours_but_for_the_receivers_own() {
    let receiver = |private_as| RouteSwitches { private_as, ..plain() };
    let mut lab = lab(plain(), receiver(PrivateAs::Remove));
    assert_eq!(lab.passes(&[65001, 3, 65002, 64513]).as_deref(), Some("64512 3 65002"));
    lab.switch(1, receiver(PrivateAs::Replace));
    assert_eq!(lab.learned(1, NET).unwrap().as_path.to_string(), "64512 64512 3 65002 64512");
    lab.switch(1, plain());
    assert_eq!(lab.learned(1, NET).unwrap().as_path.to_string(), "64512 65001 3 65002 64513");
}

#[test]
fn the_receivers_own_number_is_overridden() {
    let mut lab = lab(plain(), RouteSwitches { own_as: OwnAs::Override, ..plain() });
    assert_eq!(lab.passes(&[65001, 65002, 65009]).as_deref(), Some("64512 65001 64512 65009"));
}

#[test]
fn another_number_of_ours_is_put_where_the_configuration_says() {
    let local = |path| RouteSwitches { local_as: Some(LocalAs { asn: Asn(7), path }), ..plain() };
    for (path, inbound, outbound) in [
        (LocalAsPath::Prepend, "64512 7 65001", "7 64512 65001"),
        (LocalAsPath::NoPrepend, "64512 65001", "7 64512 65001"),
        (LocalAsPath::Replace, "64512 65001", "7 65001"),
    ] {
        assert_eq!(lab(local(path), plain()).passes(&[65001]).as_deref(), Some(inbound));
        assert_eq!(lab(plain(), local(path)).passes(&[65001]).as_deref(), Some(outbound));
    }
    let mut lab = lab(local(LocalAsPath::Prepend), plain());
    assert_eq!(lab.passes(&[65001, 7]), None, "our other number is ours too");
    assert_eq!(lab.reason(NET, 0), Some(Reason::AsLoop));
}

#[test]
fn kinds_of_communities_are_left_out() {
    let only_large = [CommunityKind::Large].into_iter().collect();
    let mut lab = lab(plain(), RouteSwitches { communities: only_large, ..plain() });
    let mut sent = communities(&[Community(5)]);
    let large = LargeCommunity { global: 1, local1: 2, local2: 3 };
    sent.rare.get_or_insert_default().large_communities = vec![large];
    lab.announce(0, &sent, &[NET]);
    lab.settle();
    let rare = lab.learned(1, NET).unwrap().rare.clone().unwrap();
    assert_eq!((rare.communities.as_slice(), rare.large_communities.as_slice()), (&[][..], &[large][..]));
    lab.switch(1, plain());
    assert_eq!(lab.learned(1, NET).unwrap().rare.as_ref().unwrap().communities, [5]);
}

#[test]
fn a_route_about_to_go_is_the_last_choice_inside_our_as() {
    let peers = vec![peer(0, SENDER), peer(1, RECEIVER), peer(2, OWN_AS)];
    let mut lab = Lab::new(config(peers));
    (0..3).for_each(|index| lab.up(index));
    lab.announce(0, &communities(&[Community::GRACEFUL_SHUTDOWN]), &[NET]);
    lab.announce(1, &attributes(address(1), &[RECEIVER.0, 65009, 65009]), &[NET]);
    lab.settle();
    assert_eq!(lab.reason(NET, 1), Some(Reason::Best), "a longer path, but it stays");
    lab.withdraw(1, &[NET]);
    lab.settle();
    assert_eq!(lab.learned(2, NET).unwrap().local_pref, Some(0));
}

#[test]
fn what_we_send_is_marked_before_we_go_and_no_longer_when_we_stay() {
    let peers = vec![peer(0, SENDER), peer(1, RECEIVER), peer(2, OWN_AS)];
    let mut lab = Lab::new(config(peers));
    (0..3).for_each(|index| lab.up(index));
    lab.originate(&[NET]);
    let going = RouteSwitches { graceful_shutdown: GracefulShutdown::On, ..plain() };
    (1..3).for_each(|index| lab.switch(index, going.clone()));
    for (index, preference) in [(1, None), (2, Some(0))] {
        let sent = lab.learned(index, NET).unwrap();
        assert_eq!(sent.rare.as_ref().unwrap().communities, [Community::GRACEFUL_SHUTDOWN.0]);
        assert_eq!(sent.local_pref, preference);
    }
    assert_eq!(lab.learned(0, NET).unwrap().rare, None, "others are told nothing");
    (1..3).for_each(|index| lab.switch(index, plain()));
    assert_eq!(lab.learned(1, NET).unwrap().rare, None);
    assert_eq!(lab.learned(2, NET).unwrap().local_pref, Some(100));
}

#[test]
fn a_well_known_community_that_nobody_has_named_means_nothing_and_is_passed_on() {
    let mut lab = lab(plain(), plain());
    let unnamed = [Community(0xffff_0008), Community(0xffff_1234), Community(0xffff_ffff)];
    lab.announce(0, &communities(&unnamed), &[NET]);
    lab.settle();
    let sent = lab.learned(1, NET).expect("to an external peer as well");
    assert_eq!(sent.rare.as_ref().unwrap().communities, unnamed.map(|community| community.0));
    assert!(lab.fib.contains_key(&net(NET)));
}

#[test]
fn no_export_policy_lets_a_route_out_that_a_well_known_community_keeps_in() {
    let mut lab = lab(plain(), plain());
    let term = Term {
        name: String::new(),
        conditions: vec![],
        changes: vec![Modification::ClearCommunities],
        then: Then::Accept,
    };
    let policy = Arc::new(Policy::of("p", vec![term], Verdict::Accept));
    let mut config = lab.core.config().clone();
    config.peers[1].export = policy.clone();
    lab.core.reconfigure(lab.now, config.clone());
    lab.announce(0, &communities(&[Community::NO_EXPORT]), &[NET]);
    lab.settle();
    assert_eq!(lab.learned(1, NET), None, "the route is held against the community it came with");
    config.peers[0].import = policy;
    lab.core.reconfigure(lab.now, config);
    lab.settle();
    assert!(lab.learned(1, NET).is_some(), "an import policy decides what it comes with");
}

#[test]
fn a_blackhole_is_handed_out_as_such_where_its_sender_may_ask_for_it() {
    let honoured = RouteSwitches { blackhole: Blackhole::Accept, ..plain() };
    let mut lab = lab(plain(), plain());
    let told = |lab: &Lab| lab.discarded.iter().map(ToString::to_string).collect::<Vec<_>>();
    let marked = [Community::BLACKHOLE, Community::NO_EXPORT];
    lab.announce(0, &communities(&marked), &["10.1.1.1/32"]);
    lab.announce(0, &communities(&[Community::NO_EXPORT]), &["10.1.1.2/32"]);
    lab.settle();
    assert_eq!(told(&lab), [""; 0], "not without being asked to");
    lab.switch(0, honoured.clone());
    assert_eq!(told(&lab), ["10.1.1.1/32"], "although nothing of the route has changed");
    assert!(lab.fib.contains_key(&net("10.1.1.1/32")), "where it leads is told all the same");
    lab.switch(0, plain());
    assert_eq!(told(&lab), [""; 0]);
    lab.switch(0, honoured.clone());
    lab.announce(0, &communities(&[Community::NO_EXPORT]), &["10.1.1.1/32"]);
    lab.settle();
    assert_eq!(told(&lab), [""; 0], "it carries the mark no longer");
    lab.announce(0, &communities(&marked), &["10.1.1.1/32"]);
    lab.settle();
    let changes =
        vec![Modification::DeleteCommunities(Arc::new(["blackhole".parse().unwrap()].into_iter().collect()))];
    let term = Term { name: String::new(), conditions: vec![], changes, then: Then::Accept };
    let mut config = lab.core.config().clone();
    config.peers[0].import = Arc::new(Policy::of("p", vec![term], Verdict::Accept));
    lab.core.reconfigure(lab.now, config);
    lab.settle();
    assert_eq!(told(&lab), [""; 0], "a policy that takes the community away takes its meaning away");
}

#[test]
fn refused_routes_are_counted_by_reason() {
    let mut lab = lab(plain(), plain());
    let refused =
        |lab: &Lab| -> Vec<_> { lab.core.counts(PeerId(0), Family::Ipv4Unicast).refused.iter().collect() };
    lab.announce(0, &attributes(address(0), &[SENDER.0, OWN_AS.0]), &["10.1.0.0/16", "10.2.0.0/16"]);
    lab.announce(0, &attributes(address(0), &[9]), &["10.3.0.0/16"]);
    lab.announce(0, &attributes(address(0), &[SENDER.0]), &["10.4.0.0/16"]);
    lab.settle();
    assert_eq!(refused(&lab), [(Reason::AsLoop, 2), (Reason::FirstAs, 1)]);
    lab.withdraw(0, &["10.2.0.0/16"]);
    let mut config = lab.core.config().clone();
    config.peers[0].import = Arc::new(Policy::reject_all(RejectReason::ImportNone));
    lab.core.reconfigure(lab.now, config);
    lab.settle();
    let policy = Reason::Rejected(RejectReason::ImportNone);
    assert_eq!(refused(&lab), [(Reason::AsLoop, 1), (Reason::FirstAs, 1), (policy, 1)]);
    let counts = lab.core.counts(PeerId(0), Family::Ipv4Unicast);
    assert_eq!((counts.received, counts.accepted, counts.rejected), (3, 0, 3));
    lab.down(0, crate::event::Retention::Flush);
    lab.settle();
    assert_eq!(refused(&lab), []);
}

#[test]
fn a_policy_may_make_a_blackhole_of_a_community_of_the_peers_own() {
    let mut lab = lab(RouteSwitches { blackhole: Blackhole::Accept, ..plain() }, plain());
    let changes = vec![Modification::AddCommunity("blackhole".parse().unwrap())];
    let term = Term { name: String::new(), conditions: vec![], changes, then: Then::Accept };
    let mut config = lab.core.config().clone();
    config.peers[0].import = Arc::new(Policy::of("p", vec![term], Verdict::Accept));
    lab.core.reconfigure(lab.now, config);
    lab.announce(0, &communities(&[]), &["10.1.1.1/32"]);
    lab.settle();
    assert!(lab.discarded.contains(&net("10.1.1.1/32")));
    assert_eq!(lab.learned(1, "10.1.1.1/32"), None, "it stays inside our AS as well");
}

#[test]
fn a_blackhole_stays_inside_our_as_where_it_is_honoured() {
    let mut lab = lab(plain(), plain());
    lab.announce(0, &communities(&[Community::BLACKHOLE]), &["10.1.1.1/32"]);
    lab.settle();
    assert_eq!(lab.prefixes(1), ["10.1.1.1/32"]);
    lab.switch(0, RouteSwitches { blackhole: Blackhole::Accept, ..plain() });
    assert!(lab.prefixes(1).is_empty());
    let route = lab.core.route(net("10.1.1.1/32")).unwrap();
    let communities = &route.paths[0].attributes.rare.as_ref().unwrap().communities;
    assert_eq!(communities, &[Community::BLACKHOLE.0, Community::NO_EXPORT.0]);
}

#[test]
fn the_peer_with_the_higher_weight_wins() {
    let peers = vec![peer(0, SENDER), peer(1, RECEIVER)];
    let mut lab = Lab::new(config(peers));
    (0..2).for_each(|index| lab.up(index));
    lab.announce(0, &attributes(address(0), &[SENDER.0]), &[NET]);
    lab.announce(1, &attributes(address(1), &[RECEIVER.0, 65009]), &[NET]);
    lab.settle();
    assert_eq!(lab.reason(NET, 0), Some(Reason::Best));
    lab.switch(1, RouteSwitches { weight: 10, ..plain() });
    assert_eq!(lab.reason(NET, 1), Some(Reason::Best));
    assert_eq!(lab.reason(NET, 0), Some(Reason::Lost(crate::decision::Step::Weight)));
}

#[test]
fn a_next_hop_on_the_link_shared_by_three_is_passed_on() {
    let direct = |index, asn| {
        let mut peer = peer(index, asn);
        peer.transport.ttl = TtlPolicy::Direct;
        peer
    };
    let peers = vec![direct(0, SENDER), direct(1, RECEIVER), peer(2, Asn(65003))];
    let mut lab = Lab::new(SpeakerConfig { on_link: vec![net("192.0.2.0/24")], ..config(peers) });
    (0..3).for_each(|index| lab.up(index));
    let hop = |lab: &Lab, index| lab.learned(index, NET).unwrap().next_hop.address();
    lab.announce(0, &attributes(address(7), &[SENDER.0]), &[NET]);
    lab.settle();
    assert_eq!((hop(&lab, 1), hop(&lab, 2)), (address(7).into(), IpAddr::from(OWN)), "one hop, several");
    lab.announce(0, &attributes([198, 51, 100, 1].into(), &[SENDER.0]), &[NET]);
    lab.settle();
    assert_eq!(hop(&lab, 1), IpAddr::from(OWN), "off the link");
    lab.announce(0, &attributes(address(7), &[SENDER.0]), &[NET]);
    lab.settle();
    assert_eq!(hop(&lab, 1), IpAddr::from(address(7)));
    lab.set_through(address(7).into(), Through::Kernel(32));
    lab.settle();
    assert_eq!(hop(&lab, 1), IpAddr::from(OWN), "a route of somebody else leads elsewhere");
    lab.set_through(address(7).into(), Through::Link);
    lab.settle();
    assert_eq!(hop(&lab, 1), IpAddr::from(address(7)), "it is gone again");
    lab.announce(0, &attributes(address(7), &[SENDER.0]), &[NET]);
    let mut config = lab.core.config().clone();
    config.peers[1].next_hop = NextHopMode::OwnAddress;
    assert_eq!(lab.core.reconfigure(lab.now, config), []);
    lab.settle();
    assert_eq!(hop(&lab, 1), IpAddr::from(OWN), "asked for");
    lab.originate(&["10.2.0.0/16"]);
    lab.settle();
    assert_eq!(lab.learned(1, "10.2.0.0/16").unwrap().next_hop.address(), IpAddr::from(OWN));
}

#[test]
fn nobody_is_sent_a_route_whose_next_hop_is_its_own_address() {
    let direct = |index, asn| {
        let mut peer = peer(index, asn);
        peer.transport.ttl = TtlPolicy::Direct;
        peer
    };
    let several = |mut peer: PeerConfig| {
        peer.capabilities.add_path.directions = AddPathDirections::Send;
        peer
    };
    let others = [direct(2, Asn(65003)), several(direct(3, Asn(65003))), client(4), several(client(5))];
    let peers = [direct(0, SENDER), direct(1, RECEIVER)].into_iter().chain(others).collect();
    let mut lab = Lab::new(SpeakerConfig { on_link: vec![net("192.0.2.0/24")], ..config(peers) });
    (0..6).for_each(|index| lab.up(index));
    let mut have = |next_hop: u32| {
        lab.announce(0, &attributes(address(next_hop), &[SENDER.0]), &[NET]);
        lab.settle();
        (1..6).filter(|index| lab.learned(*index, NET).is_some()).collect::<Vec<_>>()
    };
    assert_eq!(have(7), [1, 2, 3, 4, 5]);
    for owner in 1..6 {
        let rest: Vec<_> = (1..6).filter(|index| *index != owner).collect();
        assert_eq!(have(owner), rest, "it is withdrawn from its next hop alone");
    }
    assert_eq!(have(0), [1, 2, 3, 4, 5]);
    have(1);
    let told = lab.core.explain_export(PeerId(1), net(NET));
    assert_eq!(told, Some(Err(Withheld::NextHopIsReceiver)));
    let shown = |peer| lab.core.adj_rib_out(PeerId(peer), Family::Ipv4Unicast, None, 9).items.len();
    assert_eq!((shown(1), shown(2)), (0, 1));
}

fn role(role: Role) -> RouteSwitches {
    RouteSwitches { role: Some(role), ..plain() }
}

fn marked(otc: Option<u32>) -> PathAttributes {
    let mut attributes = attributes(address(0), &[SENDER.0]);
    if let Some(asn) = otc {
        attributes.rare.get_or_insert_default().otc = Some(Asn(asn));
    }
    attributes
}

/// What becomes of a route with this mark between a sender and a receiver to whom we have these roles.
fn between(from: Role, to: Role, otc: Option<u32>) -> Result<Option<u32>, Reason> {
    let mut lab = lab(role(from), role(to));
    lab.announce(0, &marked(otc), &[NET]);
    lab.settle();
    match lab.reason(NET, 0) {
        Some(Reason::Best) => {}
        other => return Err(other.unwrap()),
    }
    let sent = lab.learned(1, NET);
    Ok(sent.map_or(Some(0), |a| a.rare.as_ref().and_then(|r| r.otc).map(|asn| asn.0)))
}

#[test]
fn what_came_from_above_or_beside_goes_down_only() {
    const WITHHELD: Result<Option<u32>, Reason> = Ok(Some(0));
    for from in [Role::Customer, Role::Peer, Role::RouteServerClient] {
        for to in [Role::Customer, Role::Peer, Role::RouteServerClient] {
            assert_eq!(between(from, to, None), WITHHELD, "{from:?} to {to:?}");
        }
        for to in [Role::Provider, Role::RouteServer] {
            assert_eq!(between(from, to, None), Ok(Some(SENDER.0)), "{from:?} to {to:?}");
        }
    }
}

#[test]
fn what_came_from_below_goes_everywhere_and_is_marked_where_it_leaves_the_way_up() {
    for (to, otc) in [
        (Role::Customer, None),
        (Role::RouteServerClient, None),
        (Role::Peer, Some(OWN_AS.0)),
        (Role::Provider, Some(OWN_AS.0)),
        (Role::RouteServer, Some(OWN_AS.0)),
    ] {
        assert_eq!(between(Role::Provider, to, None), Ok(otc), "{to:?}");
    }
}

#[test]
fn a_leak_is_refused_and_a_mark_is_passed_on_as_it_is() {
    assert_eq!(between(Role::Provider, Role::Provider, Some(9)), Err(Reason::OtcLeak));
    assert_eq!(between(Role::RouteServer, Role::Provider, Some(9)), Err(Reason::OtcLeak));
    assert_eq!(between(Role::Peer, Role::Provider, Some(9)), Err(Reason::OtcLeak));
    assert_eq!(between(Role::Peer, Role::Provider, Some(SENDER.0)), Ok(Some(SENDER.0)));
    assert_eq!(between(Role::Customer, Role::Provider, Some(9)), Ok(Some(9)));
}

#[test]
fn peers_whose_switches_change_nothing_that_is_sent_share_what_is_encoded() {
    let peers = vec![peer(0, SENDER), peer(1, RECEIVER), peer(2, Asn(65003)), peer(3, Asn(65004))];
    let mut lab = Lab::new(config(peers));
    (0..4).for_each(|index| lab.up(index));
    lab.switch(2, RouteSwitches { weight: 3, allow_as_in: 1, ..plain() });
    lab.switch(3, RouteSwitches { private_as: PrivateAs::Remove, ..plain() });
    lab.announce(0, &attributes(address(0), &[SENDER.0]), &[NET]);
    lab.act();
    let mut take = |index| {
        let mut messages = Vec::new();
        lab.core.poll_transmit(PeerId(index), 1 << 16, &mut messages);
        messages.into_iter().map(|m| m.as_ptr()).collect::<Vec<_>>()
    };
    let (one, two, other) = (take(1), take(2), take(3));
    assert_eq!(one, two);
    assert_ne!(one, other);
}

#[test]
fn prefixes_that_no_route_leads_to_are_refused_whatever_the_policy_says_and_class_e_is_taken_where_allowed() {
    let martians = [
        "224.0.0.0/4",
        "239.1.0.0/16",
        "127.0.0.0/8",
        "0.0.0.0/8",
        "169.254.7.0/24",
        "240.0.0.0/4",
        "255.255.255.255/32",
    ];
    let mut lab = lab(plain(), plain());
    let path = attributes(address(0), &[SENDER.0]);
    lab.announce(0, &path, &martians);
    lab.announce(0, &path, &["fe80::/10", "ff05::/16", "::1/128", "::ffff:0:0/96"]);
    lab.announce(0, &path, &["0.0.0.0/0", "128.0.0.0/1", NET]);
    lab.settle();
    assert_eq!(lab.prefixes(1), ["0.0.0.0/0", NET, "128.0.0.0/1"]);
    for prefix in martians.iter().chain(&["fe80::/10", "ff05::/16", "::1/128", "::ffff:0:0/96"]) {
        assert_eq!(lab.reason(prefix, 0), Some(Reason::Martian), "{prefix}");
    }
    let mut allowing = lab.core.config().clone();
    allowing.peers[0].switches.reserved_ranges = ReservedRanges::Allow;
    lab.core.reconfigure(lab.now, allowing);
    lab.settle();
    assert_eq!(lab.reason("240.0.0.0/4", 0), Some(Reason::Best));
    assert_eq!(lab.reason("255.255.255.255/32", 0), Some(Reason::Martian));
    assert_eq!(lab.reason("224.0.0.0/4", 0), Some(Reason::Martian));
}

/// The peer sees two AS numbers, so it takes our UPDATEs for those of an external peer.
#[test]
fn towards_a_peer_of_our_own_number_that_knows_us_by_another_the_session_is_external() {
    let local_as = Some(LocalAs { asn: Asn(65000), path: LocalAsPath::Replace });
    let known_by_another = PeerConfig { switches: RouteSwitches { local_as, ..plain() }, ..peer(1, OWN_AS) };
    let mut lab = Lab::new(config(vec![peer(0, SENDER), known_by_another]));
    (0..2).for_each(|index| lab.up(index));
    lab.announce(0, &attributes(address(0), &[SENDER.0]), &[NET]);
    lab.settle();
    let learned = lab.learned(1, NET).unwrap();
    assert_eq!((learned.as_path.to_string().as_str(), learned.local_pref), ("65000 65001", None));
    lab.announce(1, &attributes(address(1), &[65009]), &["10.2.0.0/16"]);
    lab.settle();
    assert_eq!(lab.reason("10.2.0.0/16", 1), Some(Reason::FirstAs), "as an external peer's");
}
