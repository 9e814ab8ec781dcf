use super::{super::*, harness::*};
use crate::{
    event::Retention,
    policy::{Policy, RejectReason},
    types::{Asn, RouterId},
    wire::community::Community,
};

#[test]
fn a_route_from_a_non_client_goes_to_clients_only_and_one_from_a_client_to_all() {
    let mut lab = Lab::new(config(vec![client(0), client(1), peer(2, OWN_AS), peer(3, OWN_AS)]));
    (0..4).for_each(|i| lab.up(i));
    lab.announce(0, &internal(address(0)), &["10.0.0.0/16"]);
    lab.announce(2, &internal(address(2)), &["10.2.0.0/16"]);
    lab.settle();
    let received = [lab.prefixes(0), lab.prefixes(1), lab.prefixes(2), lab.prefixes(3)];
    let both = vec!["10.0.0.0/16", "10.2.0.0/16"];
    assert_eq!(received, [vec!["10.2.0.0/16"], both, vec!["10.0.0.0/16"], vec!["10.0.0.0/16"]]);
    let rare = lab.learned(1, "10.0.0.0/16").unwrap().rare.as_ref().unwrap();
    assert_eq!(rare.originator_id, Some(RouterId(address(0))));
    assert_eq!(rare.cluster_list, [RouterId(OWN)]);
    assert_eq!(lab.learned(1, "10.0.0.0/16").unwrap().next_hop.address(), address(0));
}

fn reflector(clients: u32) -> Lab {
    let mut lab = Lab::new(config((0..clients).map(client).collect()));
    (0..clients).for_each(|i| lab.up(i));
    lab.settle();
    lab
}

#[test]
fn clients_at_the_same_place_share_the_very_same_bytes() {
    let mut lab = reflector(3);
    lab.announce(0, &internal(address(0)), &["10.0.0.0/16"]);
    lab.act();
    let take = |lab: &mut Lab, index| {
        let mut messages = Vec::new();
        lab.core.poll_transmit(PeerId(index), 1 << 16, &mut messages);
        messages
    };
    let (one, two, sender) = (take(&mut lab, 1), take(&mut lab, 2), take(&mut lab, 0));
    assert_eq!(one.len(), 1);
    assert_eq!(one[0].as_ptr(), two[0].as_ptr());
    assert!(sender.is_empty());
}

#[test]
fn a_client_whose_route_becomes_best_is_told_that_the_other_is_gone() {
    let mut lab = reflector(3);
    lab.announce(2, &internal(address(2)), &["10.0.0.0/16"]);
    lab.settle();
    assert_eq!(lab.prefixes(0), ["10.0.0.0/16"]);
    lab.announce(0, &internal(address(0)), &["10.0.0.0/16"]);
    lab.settle();
    assert!(lab.prefixes(0).is_empty());
    assert_eq!(lab.learned(1, "10.0.0.0/16").unwrap().next_hop.address(), address(0));
    assert_eq!(lab.prefixes(2), ["10.0.0.0/16"]);
}

#[test]
fn a_slow_client_gets_the_latest_state_once_and_holds_no_one_up() {
    let mut lab = reflector(3);
    for round in 0..200u8 {
        let next_hop = [198, 51, 100, round].into();
        lab.announce(0, &internal(next_hop), &["10.0.0.0/16", "10.1.0.0/16"]);
        lab.withdraw(0, &["10.1.0.0/16"]);
        lab.act();
        while lab.core.run(lab.now, 100) == Work::Pending {}
        while lab.transmit(PeerId(1), 1 << 16) == Work::Pending {}
    }
    assert_eq!(
        lab.learned(1, "10.0.0.0/16").unwrap().next_hop.address(),
        std::net::Ipv4Addr::new(198, 51, 100, 199)
    );
    lab.settle();
    assert_eq!(lab.learned[&PeerId(2)].routes, lab.learned[&PeerId(1)].routes);
}

#[test]
fn routes_with_equal_attributes_are_packed_into_one_update_whatever_came_between() {
    let mut lab = reflector(3);
    for i in 0..20 {
        lab.announce(i % 2, &internal(address(i % 2)), &[&format!("10.{i}.0.0/16")]);
    }
    lab.act();
    while lab.transmit(PeerId(2), 1 << 16) == Work::Pending {}
    assert_eq!(lab.learned[&PeerId(2)].routes.len(), 20);
    assert_eq!(lab.learned[&PeerId(2)].messages, 2 + 2, "two End-of-RIB, two UPDATEs");
}

#[test]
fn a_late_client_walks_the_table_then_gets_end_of_rib() {
    let mut lab = Lab::new(config((0..3).map(client).collect()));
    lab.up(0);
    let names: Vec<_> = (0..100).map(|i| format!("10.{i}.0.0/16")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    lab.announce(0, &internal(address(0)), &names);
    lab.settle();
    lab.up(1);
    lab.settle();
    assert_eq!(lab.learned[&PeerId(1)].routes.len(), 100);
    assert_eq!(lab.learned[&PeerId(1)].end_of_rib, Family::ALL.into_iter().collect());
    lab.down(1, Retention::Flush);
    lab.up(1);
    lab.settle();
    assert_eq!(lab.learned[&PeerId(1)].routes.len(), 100);
}

#[test]
fn a_client_without_session_costs_nothing_in_the_log() {
    let mut lab = reflector(2);
    lab.down(1, Retention::Flush);
    for _ in 0..20_000 {
        lab.announce(0, &internal(address(0)), &["10.0.0.0/16"]);
        lab.withdraw(0, &["10.0.0.0/16"]);
        lab.core.run(lab.now, 100);
    }
    discard(&mut lab.core, PeerId(0));
    lab.settle();
    assert_eq!(lab.core.v4.table.bound(), 0);
}

/// More routes than one chunk holds, members at different places, chunks kept and evicted.
#[test]
fn clients_that_read_at_different_paces_through_a_large_changing_table_end_up_with_the_same() {
    let mut lab = reflector(6);
    let name = |i: u32| format!("10.{}.{}.0/24", i / 256, i % 256);
    let mut seed = 1u32;
    let mut random = |below: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) % below
    };
    for round in 0..60 {
        let names: Vec<_> = (0..200).map(|_| name(random(6000))).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        if round % 3 == 2 {
            lab.withdraw(round % 2, &names);
        } else {
            lab.announce(round % 2, &internal([198, 51, 100, random(50) as u8].into()), &names);
        }
        lab.act();
        lab.core.run(lab.now, 500);
        (2..5).for_each(|i| {
            if random(i) == 0 {
                _ = lab.transmit(PeerId(i), 700 * i as usize)
            }
        });
        if round == 30 {
            lab.down(4, Retention::Flush);
            lab.up(4);
        }
    }
    lab.settle();
    let expected = lab.core.loc_rib(Family::Ipv4Unicast, None, 10_000).items.len();
    assert!(expected > 2048, "{expected}");
    for index in 2..6 {
        assert_eq!(lab.learned[&PeerId(index)].routes.len(), expected);
        assert_eq!(lab.learned[&PeerId(index)].routes, lab.learned[&PeerId(2)].routes);
    }
}

#[test]
fn what_is_not_sent_to_a_peer_is_explained() {
    let none = Arc::new(Policy::reject_all(RejectReason::ExportNone));
    let mut lab = Lab::new(config(vec![
        peer(0, OWN_AS),
        peer(1, OWN_AS),
        peer(2, Asn(65000)),
        PeerConfig { export: none, ..peer(3, Asn(65001)) },
    ]));
    (0..4).for_each(|i| lab.up(i));
    let mut barred = internal(address(0));
    barred.rare.get_or_insert_default().communities = vec![Community::NO_EXPORT.0];
    lab.announce(0, &barred, &["10.0.0.0/16"]);
    lab.announce(0, &internal(address(0)), &["10.1.0.0/16"]);
    lab.originate(&["2001:db8::/64"]);
    lab.settle();
    let told = |index, prefix| lab.core.explain_export(PeerId(index), net(prefix));
    assert_eq!(told(0, "10.0.0.0/16"), Some(Err(Withheld::SplitHorizon)));
    assert_eq!(told(1, "10.0.0.0/16"), Some(Err(Withheld::NotReflected)));
    assert_eq!(told(2, "10.0.0.0/16"), Some(Err(Withheld::NoExport)));
    assert_eq!(told(3, "10.1.0.0/16"), Some(Err(Withheld::Rejected(RejectReason::ExportNone))));
    assert_eq!(told(2, "2001:db8::/64"), Some(Err(Withheld::NoOwnAddress)));
    let sent = told(2, "10.1.0.0/16").unwrap().unwrap();
    assert_eq!(lab.learned(2, "10.1.0.0/16"), Some(&*sent));
    assert_eq!(told(2, "10.9.0.0/16"), None);
}
