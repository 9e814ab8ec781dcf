//! Attributes that crashed other implementations or reset their sessions.

use bgp::{
    event::RouteItem,
    martian::ReservedRanges,
    wire::{
        DecodeContext,
        as_path::AsPathError,
        attribute::NextHop,
        context::UnwantedAttributes,
        update::{Action, Reason},
    },
};

use crate::build::*;

fn rare(more: &[u8]) -> bgp::wire::attribute::RareAttributes {
    *attributes(&announce(more).unwrap()).rare.clone().unwrap()
}

#[test]
fn a_malformed_as4_path_before_as_path_is_discarded() {
    let as_path = attribute(0x40, 2, &[2, 1, 0xfc, 0]);
    for as4_path in [&[2, 9, 0][..], &[7, 1, 0, 0, 0, 1], &[2], &[2, 0]] {
        let as4_path = attribute(0xc0, 17, as4_path);
        let bytes = body(&[], &[&as4_path, ORIGIN, &as_path, NEXT_HOP], PREFIX);
        let update = update(&bytes, &two_octets()).unwrap();
        assert_eq!(update.malformed.len(), 1);
        assert_eq!(attributes(&update).as_path.to_string(), "64512");
    }
}

#[test]
fn a_next_hop_of_another_length_is_withdrawn() {
    for length in [0, 1, 3, 5, 16] {
        let next_hop = attribute(0x40, 3, &vec![10; length]);
        let bytes = body(&[], &[ORIGIN, AS_PATH, &next_hop], PREFIX);
        assert_withdrawn(update(&bytes, &external()), 3, Reason::Length);
    }
}

#[test]
fn a_next_hop_of_class_e_is_taken_where_that_range_is_in_use() {
    let using = DecodeContext { reserved_ranges: ReservedRanges::Allow, ..external() };
    for (octets, taken) in [([240, 0, 0, 1], true), ([255; 4], false), ([239, 0, 0, 1], false)] {
        let bytes = body(&[], &[ORIGIN, AS_PATH, &attribute(0x40, 3, &octets)], PREFIX);
        assert_eq!(update(&bytes, &using).unwrap().malformed.is_empty(), taken, "{octets:?}");
        assert!(!update(&bytes, &external()).unwrap().malformed.is_empty(), "{octets:?}");
    }
}

#[test]
fn a_next_hop_that_is_no_host_is_withdrawn() {
    for first in [0, 127, 224, 239, 240, 255] {
        let next_hop = attribute(0x40, 3, &[first, 0, 0, 1]);
        let bytes = body(&[], &[ORIGIN, AS_PATH, &next_hop], PREFIX);
        assert_withdrawn(update(&bytes, &external()), 3, Reason::NextHop);
    }
}

#[test]
fn ipv6_extended_communities_that_are_no_multiple_of_twenty_are_withdrawn() {
    for length in [0, 1, 19, 21] {
        assert_withdrawn(announce(&attribute(0xc0, 25, &vec![9; length])), 25, Reason::Length);
    }
    for length in [20, 40] {
        assert_eq!(rare(&attribute(0xc0, 25, &vec![9; length])).unknown[0].value, vec![9; length]);
    }
}

/// What becomes of one attribute of the optional ones that are checked but not used.
fn fate(flags: u8, code: u8, value: &[u8]) -> Option<Action> {
    let update = announce(&attribute(flags, code, value)).unwrap();
    let malformed: Vec<_> = update.malformed.iter().map(|m| (m.attribute, m.action)).collect();
    match malformed.as_slice() {
        [] => None,
        [(Some(found), action)] if *found == code => Some(*action),
        other => panic!("{other:?} for {code} {value:?}"),
    }
}

/// RFC 6514 section 5, RFC 9012 section 13, RFC 7311 section 3, RFC 9552 section 8.2.2, RFC 9026 section 3.1.6, RFC 8669
/// section 6, RFC 9252 section 2.
#[test]
fn attributes_that_others_choke_on_are_kept_only_where_they_are_well_formed() {
    const WITHDRAW: Option<Action> = Some(Action::TreatAsWithdraw);
    const DISCARD: Option<Action> = Some(Action::AttributeDiscard);
    let pmsi = |tunnel: u8, identifier: usize| [&[0, tunnel, 0, 0, 1][..], &vec![10; identifier]].concat();
    let index = |length: u8| [&[1, 0, length][..], &vec![0; length.into()]].concat();
    let srgb = |length: u8| [&[3, 0, length][..], &vec![0; length.into()]].concat();
    let bfd = |tlvs: &[u8]| [&[1, 0, 0, 0, 7], tlvs].concat();
    let cases: &[(u8, u8, Vec<u8>, Option<Action>)] = &[
        (0xc0, 22, vec![], WITHDRAW),
        (0xc0, 22, vec![0; 4], WITHDRAW),
        (0xc0, 22, pmsi(0, 0), None),
        (0xc0, 22, pmsi(0, 4), WITHDRAW),
        (0xc0, 22, pmsi(6, 4), None),
        (0xc0, 22, pmsi(6, 16), None),
        (0xc0, 22, pmsi(6, 5), WITHDRAW),
        (0xc0, 22, pmsi(1, 12), None),
        (0xc0, 22, pmsi(3, 7), WITHDRAW),
        (0xc0, 22, pmsi(11, 9), None),
        (0x80, 22, pmsi(6, 4), WITHDRAW),
        (0xc0, 23, vec![], DISCARD),
        (0xc0, 23, vec![0, 8, 0, 0], None),
        (0xc0, 23, vec![0, 8, 0, 3, 4, 1, 9], None),
        (0xc0, 23, vec![0, 8, 0, 4, 0x80, 0, 1, 9], None),
        (0xc0, 23, vec![0, 8, 0], WITHDRAW),
        (0xc0, 23, vec![0, 8, 0, 4, 4, 1, 9], WITHDRAW),
        (0xc0, 23, vec![0, 8, 0, 3, 4, 2, 9], WITHDRAW),
        (0xc0, 23, vec![0, 8, 0, 2, 4, 1, 9], WITHDRAW),
        (0xc0, 23, vec![0, 8, 0, 3, 0x80, 0, 1], WITHDRAW),
        (0x80, 23, vec![0, 8, 0, 0], DISCARD),
        (0x80, 26, vec![1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 1], None),
        (0x80, 26, vec![1], DISCARD),
        (0x80, 26, vec![1, 0, 2], DISCARD),
        (0x80, 26, vec![1, 0, 10, 0, 0, 0, 0, 0, 0, 1], DISCARD),
        (0x80, 26, vec![1, 0, 12, 0, 0, 0, 0, 0, 0, 0, 1], DISCARD),
        (0xc0, 26, vec![1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 1], DISCARD),
        (0x80, 29, vec![4, 4, 0, 1, 9], None),
        (0x80, 29, vec![4, 4, 0, 2, 9], DISCARD),
        (0x80, 29, vec![4, 4, 0], DISCARD),
        (0xc0, 38, bfd(&[]), None),
        (0xc0, 38, bfd(&[1, 4, 10, 0, 0, 1]), None),
        (0xc0, 38, bfd(&[1, 3, 10, 0, 0]), DISCARD),
        (0xc0, 38, bfd(&[1, 4, 10, 0, 0]), DISCARD),
        (0xc0, 38, vec![1, 0, 0, 0], DISCARD),
        (0xc0, 40, index(7), None),
        (0xc0, 40, index(6), DISCARD),
        (0xc0, 40, srgb(8), None),
        (0xc0, 40, srgb(2), DISCARD),
        (0xc0, 40, srgb(7), DISCARD),
        (0xc0, 40, [index(7), vec![9, 0, 1]].concat(), DISCARD),
        (0xc0, 40, [index(7), vec![9, 0, 1, 1]].concat(), None),
        (0xc0, 40, vec![5, 0, 5, 0, 1, 0, 1, 9], None),
        (0xc0, 40, vec![5, 0, 5, 0, 1, 0, 2, 9], DISCARD),
        (0xc0, 40, vec![5, 0, 0], DISCARD),
        (0xc0, 40, vec![], DISCARD),
        (0x80, 40, index(7), WITHDRAW),
    ];
    for (flags, code, value, expected) in cases {
        assert_eq!(fate(*flags, *code, value), *expected, "{code}: {value:?}");
        let passes = expected.is_none() && flags & 0x40 != 0;
        let update = announce(&attribute(*flags, *code, value)).unwrap();
        let kept = update.items.iter().any(|item| match item {
            RouteItem::Reach { attributes, .. } => {
                attributes.rare.iter().any(|rare| rare.unknown.iter().any(|u| u.value == *value))
            }
            _ => false,
        });
        assert_eq!(kept, passes, "{code}: {value:?}");
    }
}

/// As FRR's `path-attribute discard` and `path-attribute treat-as-withdraw`.
#[test]
fn attributes_that_the_configuration_does_not_want_are_taken_off_or_cost_the_route() {
    let unwanted = UnwantedAttributes {
        discarded: [8, 40, 200].into_iter().collect(),
        withdrawn: [16, 23, 201].into_iter().collect(),
    };
    let context = DecodeContext { unwanted, ..external() };
    let announced =
        |more: &[u8]| update(&body(&[], &[ORIGIN, AS_PATH, NEXT_HOP, more], PREFIX), &context).unwrap();
    for (code, value) in [(8, &[0, 0, 0, 1][..]), (8, &[1]), (40, &[1]), (200, &[1, 2])] {
        let update = announced(&attribute(0xc0, code, value));
        assert!(attributes(&update).rare.is_none() && update.malformed.is_empty(), "{code}");
    }
    for (code, value) in [(16, &[0; 8][..]), (23, &[0, 8, 0, 0]), (201, &[])] {
        assert_withdrawn(Ok(announced(&attribute(0xc0, code, value))), code, Reason::Unwanted);
    }
    let none = body(&[], &[&attribute(0xc0, 201, &[])], &[]);
    assert!(update(&none, &context).is_ok(), "what nobody announces resets nothing");
}

#[test]
fn extended_communities_that_are_no_multiple_of_eight_are_withdrawn() {
    for length in [0, 1, 7, 9] {
        assert_withdrawn(announce(&attribute(0xc0, 16, &vec![0; length])), 16, Reason::Length);
    }
    assert_eq!(rare(&attribute(0xc0, 16, &[0xff; 16])).extended_communities, [[0xff; 8]; 2]);
}

#[test]
fn an_as_path_of_thousands_is_read_counted_and_printed() {
    let segment = [&[2, 255][..], &[0, 1, 0, 0].repeat(255)].concat();
    let as_path = attribute(0x40, 2, &segment.repeat(20));
    let update = update(&body(&[], &[ORIGIN, &as_path, NEXT_HOP], PREFIX), &external()).unwrap();
    let path = &attributes(&update).as_path;
    assert_eq!(path.path_length(), 5100);
    assert_eq!(path.to_string().len(), 5100 * 6 - 1);
    assert_eq!(path.prepend(bgp::types::Asn(7), 255).path_length(), 5355);
}

#[test]
fn as_path_segments_that_do_not_fit_are_withdrawn() {
    for (value, error) in [
        (&[2][..], AsPathError::Overrun),
        (&[2, 1, 0, 0, 0], AsPathError::Overrun),
        (&[2, 2, 0, 0, 0, 1], AsPathError::Overrun),
        (&[2, 1, 0, 0, 0, 1, 9], AsPathError::SegmentType),
        (&[2, 1, 0, 0, 0, 1, 2], AsPathError::Overrun),
        (&[2, 0], AsPathError::SegmentLength),
        (&[0, 1, 0, 0, 0, 1], AsPathError::SegmentType),
        (&[5, 1, 0, 0, 0, 1], AsPathError::SegmentType),
        (&[2, 1, 0, 0, 0, 0], AsPathError::AsZero),
        (&[3, 1, 0, 0, 0, 1], AsPathError::Confederation),
        (&[4, 1, 0, 0, 0, 1], AsPathError::Confederation),
    ] {
        let bytes = body(&[], &[ORIGIN, &attribute(0x40, 2, value), NEXT_HOP], PREFIX);
        assert_withdrawn(update(&bytes, &external()), 2, Reason::AsPath(error));
    }
}

#[test]
fn confederation_segments_in_as4_path_are_dropped_from_it() {
    let as_path = attribute(0x40, 2, &[2, 2, 0xfc, 0, 0x5b, 0xa0]);
    let as4_path = attribute(0xc0, 17, &[3, 1, 0, 0, 0xfd, 0xe9, 2, 1, 0, 3, 0x0d, 0x40]);
    let bytes = body(&[], &[ORIGIN, &as_path, NEXT_HOP, &as4_path], PREFIX);
    let update = update(&bytes, &two_octets()).unwrap();
    assert_eq!(attributes(&update).as_path.to_string(), "64512 200000");
    assert!(update.malformed.is_empty());
}

#[test]
fn attributes_we_do_not_implement_are_passed_on_whatever_is_in_them() {
    // TRAFFIC_ENG, entropy label, ATTR_SET, MPLS stack, VNC, reserved.
    for code in [0, 11, 19, 24, 28, 99, 128, 254, 255] {
        for value in [vec![], vec![0; 3], vec![0xff; 37], vec![0; 3000]] {
            let kept = rare(&attribute(0xc0, code, &value)).unknown;
            assert_eq!((kept[0].code, kept[0].value.as_ref()), (code, value.as_slice()));
            assert_eq!(kept[0].flags & !0x10, 0xe0, "Partial is set");
        }
    }
}

#[test]
fn unknown_optional_attributes_that_are_not_transitive_are_dropped_quietly() {
    for code in [99, 254, 255] {
        let update = announce(&attribute(0x80, code, &[1])).unwrap();
        assert!(attributes(&update).rare.is_none() && update.malformed.is_empty());
    }
}

#[test]
fn an_unknown_well_known_attribute_resets_with_itself_as_data() {
    for flags in [0x00, 0x40] {
        let unknown = attribute(flags, 99, &[1, 2]);
        assert_eq!(reset(announce(&unknown)), (3, 2, unknown));
    }
}

#[test]
fn every_type_code_with_random_content_leaves_the_session_up() {
    let known_fatal = [14, 15];
    for code in (0..=255).filter(|code| !known_fatal.contains(code)) {
        for length in 0..40 {
            let value: Vec<u8> = (0..length).map(|i: u8| i.wrapping_mul(97).wrapping_add(code)).collect();
            for flags in [0xc0, 0xe0, 0x80] {
                assert!(announce(&attribute(flags, code, &value)).is_ok(), "{code} {flags:x} {value:?}");
            }
        }
    }
}

#[test]
fn cluster_list_beside_unknown_attributes_is_read() {
    let more = [
        attribute(0xc0, 99, &[1]),
        attribute(0x80, 10, &[10, 0, 0, 1, 10, 0, 0, 2]),
        attribute(0xc0, 98, &[2]),
    ]
    .concat();
    let update = announce_internally(&more).unwrap();
    let rare = attributes(&update).rare.as_ref().unwrap();
    assert_eq!(rare.cluster_list.len(), 2);
    assert_eq!(rare.unknown.iter().map(|u| u.code).collect::<Vec<_>>(), [98, 99]);
}

#[test]
fn only_to_customer_is_checked_and_passed_on() {
    for length in [0, 3, 5, 1024] {
        assert_withdrawn(announce(&attribute(0xc0, 35, &vec![1; length])), 35, Reason::Length);
    }
    assert_withdrawn(announce(&attribute(0xc0, 35, &[0; 4])), 35, Reason::AsZero);
    assert_eq!(rare(&attribute(0xc0, 35, &[0, 0, 0, 9])).otc, Some(bgp::types::Asn(9)));
}

#[test]
fn communities_of_impossible_length_are_withdrawn() {
    for length in [0, 1, 3, 5] {
        assert_withdrawn(announce(&attribute(0xc0, 8, &vec![1; length])), 8, Reason::Length);
    }
    for length in [0, 4, 11, 13] {
        assert_withdrawn(announce(&attribute(0xc0, 32, &vec![1; length])), 32, Reason::Length);
    }
}

#[test]
fn link_local_next_hops_come_in_three_forms() {
    let ll = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let next_hop = |field: &[u8]| {
        let length = u8::try_from(field.len()).unwrap();
        let value = [&[0, 2, 1, length][..], field, &[0, 8, 0x20]].concat();
        let bytes = body(&[], &[&attribute(0x80, 14, &value), ORIGIN, AS_PATH], &[]);
        attributes(&update(&bytes, &external()).unwrap()).next_hop
    };
    let address = ll.into();
    let alone = NextHop::LinkLocal { address, interface: 0 };
    assert_eq!(next_hop(&ll), alone);
    assert_eq!(next_hop(&[ll, ll].concat()), alone);
    assert_eq!(next_hop(&[[0; 16], ll].concat()), alone);
    let global = [0x20; 16];
    assert_eq!(
        next_hop(&[global, ll].concat()),
        NextHop::V6WithLinkLocal { global: global.into(), link_local: address }
    );
    assert_eq!(next_hop(&[global, global].concat()), NextHop::V6(global.into()));
}

#[test]
fn a_link_local_next_hop_alone_belongs_to_the_link_that_the_session_runs_over() {
    let ll = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let next_hop = |field: &[u8]| {
        let length = u8::try_from(field.len()).unwrap();
        let value = [&[0, 2, 1, length][..], field, &[0, 8, 0x20]].concat();
        let bytes = body(&[], &[&attribute(0x80, 14, &value), ORIGIN, AS_PATH], &[]);
        attributes(&update(&bytes, &external().over(Some(7))).unwrap()).next_hop
    };
    let (address, global) = (ll.into(), [0x20; 16]);
    for field in [&ll[..], &[ll, ll].concat(), &[[0; 16], ll].concat()] {
        assert_eq!(next_hop(field), NextHop::LinkLocal { address, interface: 7 });
    }
    let beside = NextHop::V6WithLinkLocal { global: global.into(), link_local: address };
    assert_eq!(next_hop(&[global, ll].concat()), beside, "a global one counts");
}

#[test]
fn between_link_local_addresses_the_link_local_next_hop_counts_and_belongs_to_that_link() {
    let ll = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let value = [&[0, 2, 1, 32][..], &[0x20; 16], &ll, &[0, 8, 0x20]].concat();
    let bytes = body(&[], &[&attribute(0x80, 14, &value), ORIGIN, AS_PATH], &[]);
    let context = external().on_link(Some(7));
    let next_hop = attributes(&update(&bytes, &context).unwrap()).next_hop;
    assert_eq!(next_hop, NextHop::LinkLocal { address: ll.into(), interface: 7 });
    assert_eq!(next_hop.hop().to_string(), "fe80::1%7");
}
