use std::sync::Arc;

use std::net::IpAddr;

use super::{super::*, harness::*};
use crate::{
    config::Install,
    decision::Reason,
    event::{Retention, SessionAddresses},
    policy::{Policy, RejectReason},
    types::Asn,
};

fn lab() -> Lab {
    let mut lab = Lab::new(config(vec![peer(0, OWN_AS), peer(1, Asn(65001))]));
    lab.up(0);
    lab.up(1);
    lab.announce(0, &internal(address(0)), &["10.0.0.0/8"]);
    lab.settle();
    lab
}

fn change(lab: &mut Lab, change: impl Fn(&mut SpeakerConfig)) -> Vec<PeerChange> {
    let mut config = lab.core.config().clone();
    change(&mut config);
    let changes = lab.core.reconfigure(lab.now, config);
    lab.settle();
    changes
}

#[test]
fn a_new_import_policy_judges_what_is_there_without_touching_the_session() {
    let mut lab = lab();
    let none = Arc::new(Policy::reject_all(RejectReason::ImportNone));
    assert_eq!(change(&mut lab, |c| c.peers[0].import = none.clone()), []);
    assert_eq!(lab.reason("10.0.0.0/8", 0), Some(Reason::Rejected(RejectReason::ImportNone)));
    assert!(lab.prefixes(1).is_empty() && lab.fib.is_empty());
    let rejected = lab.core.adj_rib_in(PeerId(0), AdjRibIn::Rejected, Family::Ipv4Unicast, None, 9);
    assert_eq!(rejected.items.len(), 1);
    assert_eq!(change(&mut lab, |c| c.peers[0].import = Arc::new(Policy::default())), []);
    assert_eq!(lab.prefixes(1), ["10.0.0.0/8"]);
}

#[test]
fn a_new_export_policy_withdraws_and_announces_the_difference() {
    let mut lab = lab();
    let none = Arc::new(Policy::reject_all(RejectReason::ExportNone));
    assert_eq!(change(&mut lab, |c| c.peers[1].export = none.clone()), []);
    assert!(lab.prefixes(1).is_empty());
    assert_eq!(change(&mut lab, |c| c.peers[1].export = Arc::new(Policy::default())), []);
    assert_eq!(lab.prefixes(1), ["10.0.0.0/8"]);
}

#[test]
fn an_equal_configuration_sends_nothing() {
    let mut lab = lab();
    let before = lab.learned[&PeerId(1)].messages;
    assert_eq!(change(&mut lab, |c| c.peers[1].export = Arc::new(Policy::default())), []);
    assert_eq!(lab.learned[&PeerId(1)].messages, before);
}

#[test]
fn routes_of_a_peer_that_is_not_to_be_installed_leave_the_forwarding_table_only() {
    let mut lab = lab();
    assert_eq!(lab.fib.len(), 1);
    assert_eq!(change(&mut lab, |c| c.peers[0].install = Install::RibOnly), []);
    assert!(lab.fib.is_empty());
    assert_eq!(lab.prefixes(1), ["10.0.0.0/8"]);
}

#[test]
fn a_removed_peer_takes_its_routes_along_and_its_index_is_not_given_away() {
    let mut lab = lab();
    lab.learned.remove(&PeerId(0));
    let changes = change(&mut lab, |c| c.peers[0] = peer(2, OWN_AS));
    assert_eq!(changes, [PeerChange::Remove(PeerId(0)), PeerChange::Add(PeerId(2))]);
    assert!(lab.fib.is_empty() && lab.prefixes(1).is_empty());
    let nobody = SessionAddresses::new(OWN.into(), address(0).into());
    let negotiated = lab.negotiated(1, None);
    lab.core.session_up(lab.now, PeerId(0), negotiated, nobody);
    assert_eq!(lab.core.peers().map(|(id, _)| id.0).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn what_a_session_rests_on_restarts_it_and_ours_restarts_all() {
    let mut lab = lab();
    let changes = change(&mut lab, |c| c.peers[1].transport.port = 1179);
    assert_eq!(changes, [PeerChange::Restart(PeerId(1))]);
    let changes = change(&mut lab, |c| c.asn = Asn(64999));
    assert_eq!(changes, [PeerChange::Restart(PeerId(0)), PeerChange::Restart(PeerId(1))]);
    lab.down(0, Retention::Flush);
    lab.down(1, Retention::Flush);
    lab.settle();
    assert!(lab.fib.is_empty());
}

#[test]
fn own_prefixes_go_to_everyone_with_our_address_and_are_never_installed() {
    let mut lab = lab();
    lab.originate(&["172.16.0.0/26"]);
    lab.settle();
    let sent = lab.learned(0, "172.16.0.0/26").unwrap();
    assert_eq!((sent.next_hop.address(), sent.local_pref), (OWN.into(), Some(100)));
    assert!(sent.as_path.is_empty());
    let sent = lab.learned(1, "172.16.0.0/26").unwrap();
    assert_eq!((sent.next_hop.address(), sent.local_pref), (OWN.into(), None));
    assert_eq!(sent.as_path.to_string(), OWN_AS.to_string());
    assert_eq!(lab.fib.len(), 1);
    lab.originate(&[]);
    lab.settle();
    assert_eq!(lab.prefixes(1), ["10.0.0.0/8"]);
}

#[test]
fn both_families_travel_over_sessions_of_their_own_address_family() {
    let mut lab = Lab::new(config(vec![peer(0, OWN_AS), peer(1, OWN_AS)]));
    lab.up(0);
    let local = "2001:db8::100".parse().unwrap();
    let addresses = SessionAddresses::new(local, "2001:db8::2".parse().unwrap());
    let negotiated = lab.negotiated(1, None);
    lab.learned.insert(PeerId(1), Learned::default());
    lab.core.session_up(lab.now, PeerId(1), negotiated, addresses);
    lab.originate(&["172.16.0.0/26", "2001:db8:1::/64"]);
    lab.settle();
    assert_eq!(lab.prefixes(0), ["172.16.0.0/26"]);
    assert_eq!(lab.prefixes(1), ["2001:db8:1::/64"]);
    assert_eq!(lab.learned(1, "2001:db8:1::/64").unwrap().next_hop.address(), local);
}

#[test]
fn a_next_hop_that_cannot_be_reached_keeps_its_routes_back_until_it_can() {
    let mut lab = lab();
    lab.set_reachability(address(0).into(), Reachability::Unreachable);
    lab.settle();
    assert_eq!(lab.reason("10.0.0.0/8", 0), Some(Reason::NextHopUnreachable));
    assert!(lab.fib.is_empty() && lab.prefixes(1).is_empty());
    lab.set_reachability(address(0).into(), Reachability::Reachable { metric: 5 });
    lab.settle();
    assert_eq!(lab.prefixes(1), ["10.0.0.0/8"]);
}

#[test]
fn our_own_address_is_no_next_hop() {
    let mut lab = lab();
    lab.announce(0, &internal(OWN), &["10.0.0.0/8"]);
    lab.settle();
    assert_eq!(lab.reason("10.0.0.0/8", 0), Some(Reason::NextHopOwn));
}

#[test]
fn a_configured_address_is_our_next_hop_for_the_family_the_session_is_not_of() {
    let mut config = config(vec![peer(0, OWN_AS)]);
    let ours: IpAddr = "2001:db8::100".parse().unwrap();
    let mut lab = Lab::new(config.clone());
    lab.up(0);
    lab.originate(&["2001:db8:1::/64"]);
    lab.settle();
    assert!(lab.prefixes(0).is_empty());
    config.addresses = vec![ours];
    assert_eq!(lab.core.reconfigure(lab.now, config), []);
    lab.settle();
    assert_eq!(lab.learned(0, "2001:db8:1::/64").unwrap().next_hop.address(), ours);
}
