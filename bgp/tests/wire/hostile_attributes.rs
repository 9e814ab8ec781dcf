//! Attributes that crashed other implementations or reset their sessions.

use bgp::{
    martian::ReservedRanges,
    wire::{DecodeContext, as_path::AsPathError, attribute::NextHop, update::Reason},
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
fn ipv6_extended_communities_of_any_length_are_opaque() {
    for length in [0, 1, 19, 20, 21] {
        let value = vec![9; length];
        assert_eq!(rare(&attribute(0xc0, 25, &value)).unknown[0].value, value);
    }
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
    // PMSI, TUNNEL_ENCAP, TRAFFIC_ENG, entropy label, PREFIX_SID, ATTR_SET, MPLS stack, VNC, reserved.
    for code in [0, 11, 19, 22, 23, 24, 25, 28, 40, 99, 128, 254, 255] {
        for value in [vec![], vec![0; 3], vec![0xff; 37], vec![0; 3000]] {
            let kept = rare(&attribute(0xc0, code, &value)).unknown;
            assert_eq!((kept[0].code, kept[0].value.as_ref()), (code, value.as_slice()));
            assert_eq!(kept[0].flags & !0x10, 0xe0, "Partial is set");
        }
    }
}

#[test]
fn unknown_optional_attributes_that_are_not_transitive_are_dropped_quietly() {
    // AIGP with less than a TLV header among them.
    for code in [26, 29, 99, 254, 255] {
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
fn between_link_local_addresses_the_link_local_next_hop_counts_and_belongs_to_that_link() {
    let ll = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let value = [&[0, 2, 1, 32][..], &[0x20; 16], &ll, &[0, 8, 0x20]].concat();
    let bytes = body(&[], &[&attribute(0x80, 14, &value), ORIGIN, AS_PATH], &[]);
    let context = external().on_link(Some(7));
    let next_hop = attributes(&update(&bytes, &context).unwrap()).next_hop;
    assert_eq!(next_hop, NextHop::LinkLocal { address: ll.into(), interface: 7 });
    assert_eq!(next_hop.hop().to_string(), "fe80::1%7");
}
