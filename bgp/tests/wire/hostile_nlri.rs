//! Prefixes, classic and multiprotocol, that crashed other implementations.

use bgp::{
    event::RouteItem,
    types::{Families, Family},
    wire::{
        DecodeContext,
        attribute::NextHop,
        update::{Action, Reason},
    },
};

use crate::build::*;

fn mp_reach(value: &[u8]) -> Result<bgp::wire::Update, bgp::wire::Notification> {
    update(&body(&[], &[&attribute(0x80, 14, value), ORIGIN, AS_PATH], &[]), &external())
}

fn mp_reach_value(next_hop: &[u8], nlri: &[u8]) -> Vec<u8> {
    [&[0, 2, 1, u8::try_from(next_hop.len()).unwrap()], next_hop, &[0], nlri].concat()
}

#[test]
fn a_prefix_too_long_for_its_family_resets() {
    for bits in [33, 64, 128, 255] {
        let nlri = [&[bits][..], &[10; 32]].concat();
        let announced = body(&[], &[ORIGIN, AS_PATH, NEXT_HOP], &nlri);
        assert_eq!(reset(update(&announced, &external())), (3, 10, vec![]));
        assert_eq!(reset(update(&body(&nlri, &[], &[]), &external())), (3, 10, vec![]));
    }
}

#[test]
fn a_prefix_cut_off_by_the_end_of_its_field_resets() {
    for nlri in [&[24, 10, 1][..], &[32], &[8, 10, 16, 1]] {
        let announced = body(&[], &[ORIGIN, AS_PATH, NEXT_HOP], nlri);
        assert_eq!(reset(update(&announced, &external())), (3, 10, vec![]));
        assert_eq!(reset(update(&body(nlri, &[], &[]), &external())), (3, 10, vec![]));
    }
}

#[test]
fn a_multiprotocol_prefix_that_is_malformed_resets_with_the_attribute() {
    for nlri in [&[129, 0x20][..], &[255], &[64, 0x20, 1], &[128]] {
        let value = mp_reach_value(&[0x20; 16], nlri);
        assert_eq!(reset(mp_reach(&value)), (3, 9, attribute(0x80, 14, &value)));
        let unreach = attribute(0x80, 15, &[&[0, 2, 1], nlri].concat());
        assert_eq!(reset(update(&body(&[], &[&unreach], &[]), &external())), (3, 9, unreach));
    }
}

#[test]
fn an_mp_reach_too_short_for_its_fields_resets() {
    for length in 0..5 {
        assert_eq!(reset(mp_reach(&[0, 2, 1, 0, 0][..length])).1, 9);
    }
    // A next hop longer than the attribute, and one that leaves no reserved octet.
    assert_eq!(reset(mp_reach(&[0, 2, 1, 200, 1, 2, 3])).1, 9);
    assert_eq!(reset(mp_reach(&[0, 2, 1, 1, 1])).1, 9);
}

#[test]
fn a_next_hop_length_its_family_does_not_have_resets() {
    for length in [0, 1, 4, 8, 12, 15, 17, 24, 31, 33, 48, 255] {
        let value = mp_reach_value(&vec![0x20; length], &[32, 0x20, 1, 0xd, 0xb8]);
        assert_eq!(reset(mp_reach(&value)), (3, 9, attribute(0x80, 14, &value)));
    }
    for length in [0, 3, 16] {
        let value = [&[0, 1, 1, length][..], &vec![10; length.into()], &[0, 8, 10]].concat();
        assert_eq!(reset(mp_reach(&value)), (3, 9, attribute(0x80, 14, &value)));
    }
}

#[test]
fn a_multiprotocol_next_hop_that_is_no_host_is_withdrawn() {
    for first in [0, 0xff] {
        let mut next_hop = [0; 16];
        next_hop[0] = first;
        let value = mp_reach_value(&next_hop, &[32, 0x20, 1, 0xd, 0xb8]);
        assert_withdrawn(mp_reach(&value), 14, Reason::NextHop);
    }
}

#[test]
fn an_mp_unreach_too_short_for_its_family_resets() {
    for length in 0..3 {
        let unreach = attribute(0x80, 15, &[0, 2, 1][..length]);
        assert_eq!(reset(update(&body(&[], &[&unreach], &[]), &external())), (3, 9, unreach));
    }
}

#[test]
fn families_that_were_not_negotiated_are_ignored_unread() {
    let only_v4 = DecodeContext { families: Families::from_iter([Family::Ipv4Unicast]), ..external() };
    // IPv6, VPNv4 with labels, FlowSpec of length 0, link-state, and one nobody knows: all with nonsense.
    for (afi, safi) in [(2, 1), (1, 128), (1, 4), (1, 133), (16388, 71), (999, 9)] {
        let family = [&u16::to_be_bytes(afi)[..], &[safi]].concat();
        let reach = attribute(0x80, 14, &[&family[..], &[0, 0, 255, 255]].concat());
        let unreach = attribute(0x80, 15, &[&family[..], &[0, 255, 255]].concat());
        let bytes = body(&[], &[&reach, &unreach], &[]);
        let ignored = update(&bytes, &only_v4).unwrap();
        assert_eq!(ignored.items, []);
        let beside = body(&[], &[&reach, &unreach, ORIGIN, AS_PATH, NEXT_HOP], PREFIX);
        assert_eq!(update(&beside, &only_v4).unwrap().items.len(), 1);
    }
}

#[test]
fn classic_prefixes_are_ignored_when_ipv4_was_not_negotiated() {
    let only_v6 = DecodeContext { families: Families::from_iter([Family::Ipv6Unicast]), ..external() };
    let bytes = body(PREFIX, &[ORIGIN, AS_PATH, NEXT_HOP], PREFIX);
    assert_eq!(update(&bytes, &only_v6).unwrap().items, []);
    assert_eq!(update(&body(&[], &[], &[]), &only_v6).unwrap().items, [], "End-of-RIB");
}

#[test]
fn flowspec_without_attributes_is_ignored() {
    let reach = attribute(0x80, 14, &[0, 1, 133, 0, 0, 0]);
    assert_eq!(update(&body(&[], &[&reach], &[]), &external()).unwrap().items, []);
}

#[test]
fn ipv4_may_come_in_mp_reach() {
    let value = [0, 1, 1, 4, 10, 0, 0, 9, 0, 24, 10, 1, 2];
    let update = mp_reach(&value).unwrap();
    assert_eq!(attributes(&update).next_hop.address().to_string(), "10.0.0.9");
}

#[test]
fn path_identifiers_expected_but_absent_reset_or_read_other_prefixes() {
    let add_path = DecodeContext { add_path: Families::from_iter(Family::ALL), ..external() };
    let bytes = body(&[], &[ORIGIN, AS_PATH, NEXT_HOP], &[32, 10, 0, 0, 1]);
    assert_eq!(reset(update(&bytes, &add_path)).1, 10);
    let bytes = body(&[], &[ORIGIN, AS_PATH, NEXT_HOP], &[0, 0, 0, 1, 32, 10, 0, 0, 1]);
    assert_eq!(reset(update(&bytes, &external())).1, 10);
    let update = update(&bytes, &add_path).unwrap();
    let [RouteItem::Reach { nlri, .. }] = &update.items[..] else { panic!() };
    assert_eq!(nlri.len(), 1);
}

#[test]
fn a_message_full_of_default_routes_is_read_in_linear_memory() {
    let bytes = body(&[], &[ORIGIN, AS_PATH, NEXT_HOP], &[0; 60_000]);
    let update = update(&bytes, &external()).unwrap();
    let [RouteItem::Reach { nlri, .. }] = &update.items[..] else { panic!() };
    assert_eq!(nlri.len(), 60_000);
}

#[test]
fn next_hop_beside_mp_reach_is_ignored_even_when_malformed() {
    for next_hop in [&[0; 4][..], &[], &[10, 0, 0, 1]] {
        let next_hop = attribute(0x40, 3, next_hop);
        let bytes = body(&[], &[MP_REACH, ORIGIN, AS_PATH, &next_hop], &[]);
        let update = update(&bytes, &external()).unwrap();
        assert_eq!(attributes(&update).next_hop.address().to_string(), "2001:db8::1");
        assert!(update.malformed.iter().all(|m| m.action < Action::TreatAsWithdraw));
    }
}

fn ipv6_next_hops() -> DecodeContext {
    DecodeContext { ipv6_next_hops: Families::from_iter([Family::Ipv4Unicast]), ..external() }
}

#[test]
fn ipv4_with_an_ipv6_next_hop_needs_the_capability() {
    let value = [&[0, 1, 1, 16][..], &[0x20; 16], &[0, 24, 10, 1, 2]].concat();
    let reach = attribute(0x80, 14, &value);
    let bytes = body(&[], &[&reach, ORIGIN, AS_PATH], &[]);
    assert_eq!(reset(update(&bytes, &external())), (3, 9, reach));
    let update = update(&bytes, &ipv6_next_hops()).unwrap();
    assert_eq!(attributes(&update).next_hop, NextHop::V6([0x20; 16].into()));
}

#[test]
fn ipv4_with_ipv6_next_hops_takes_the_same_three_forms_and_classic_ones_still() {
    let ll = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let next_hop = |field: &[u8]| {
        let length = u8::try_from(field.len()).unwrap();
        let value = [&[0, 1, 1, length][..], field, &[0, 24, 10, 1, 2]].concat();
        let bytes = body(&[], &[&attribute(0x80, 14, &value), ORIGIN, AS_PATH], &[]);
        update(&bytes, &ipv6_next_hops().on_link(Some(4))).map(|u| attributes(&u).next_hop)
    };
    let alone = NextHop::LinkLocal { address: ll.into(), interface: 4 };
    assert_eq!(next_hop(&ll), Ok(alone));
    assert_eq!(next_hop(&[ll, ll].concat()), Ok(alone));
    assert_eq!(next_hop(&[[0x20; 16], ll].concat()), Ok(alone));
    assert_eq!(next_hop(&[10, 0, 0, 9]), Ok(NextHop::V4([10, 0, 0, 9].into())));
    for length in (0..=48).filter(|length| ![4, 16, 32].contains(length)) {
        let error = next_hop(&vec![0x20; length]).unwrap_err();
        assert_eq!((error.kind.code, error.kind.subcode), (3, 9), "{length} octets");
    }
}
