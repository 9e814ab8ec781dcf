//! UPDATE framing that crashed other implementations or reset their sessions.

use bgp::{
    event::RouteItem,
    types::Family,
    wire::update::{Action, Malformed, Reason},
};

use crate::build::*;

#[test]
fn an_attribute_length_beyond_the_message_resets() {
    for claimed in [1, 4, 255, 65535_u16] {
        let bytes = [&[0, 0][..], &claimed.to_be_bytes()].concat();
        assert_eq!(reset(update(&bytes, &external())), (3, 1, vec![]));
    }
}

#[test]
fn a_withdrawn_length_beyond_the_message_resets() {
    assert_eq!(reset(update(&[0, 1, 0, 0], &external())), (3, 1, vec![]));
    assert_eq!(reset(update(&[0xff, 0xff, 0, 0], &external())), (3, 1, vec![]));
    assert_eq!(reset(update(&[0, 2, 8, 10, 0], &external())), (3, 1, vec![]));
}

#[test]
fn prefixes_without_attributes_are_withdrawn() {
    for code in [1, 2, 3] {
        assert_withdrawn(update(&body(&[], &[], PREFIX), &external()), code, Reason::Missing);
    }
}

#[test]
fn a_lone_unknown_transitive_attribute_is_accepted_and_announces_nothing() {
    let lone = update(&body(&[], &[&attribute(0xc0, 99, &[1])], &[]), &external()).unwrap();
    assert_eq!((lone.items.len(), lone.malformed.len()), (0, 0));
}

#[test]
fn an_end_of_rib_with_a_malformed_attribute_is_none_and_resets() {
    let origin = attribute(0x40, 1, &[7]);
    assert_eq!(reset(update(&body(&[], &[&origin], &[]), &external())), (3, 6, origin));
}

#[test]
fn mp_unreach_beside_a_malformed_attribute_resets() {
    let marker = attribute(0x80, 15, &[0, 2, 1]);
    let origin = attribute(0x40, 1, &[7]);
    assert_eq!(reset(update(&body(&[], &[&marker, &origin], &[]), &external())), (3, 6, origin));
}

#[test]
fn attribute_discard_alone_never_resets_even_without_prefixes() {
    let atomic = attribute(0x40, 6, &[1]);
    let result = update(&body(&[], &[&atomic], &[]), &external()).unwrap();
    assert_eq!(result.malformed[0].action, Action::AttributeDiscard);
}

#[test]
fn an_attribute_that_overruns_the_list_withdraws_the_prefixes_behind_it() {
    for context in [external(), internal()] {
        let overrun = [0x40, 5, 200, 0, 0];
        let bytes = body(&[], &[ORIGIN, AS_PATH, NEXT_HOP, &overrun], PREFIX);
        assert_withdrawn(update(&bytes, &context), 5, Reason::Overrun);
    }
}

#[test]
fn an_attribute_header_cut_off_by_the_list_withdraws_the_prefixes_behind_it() {
    for (cut, attribute) in [(&[0x40][..], None), (&[0x40, 5], Some(5)), (&[0x50, 5, 0], Some(5))] {
        let bytes = body(&[], &[ORIGIN, AS_PATH, NEXT_HOP, cut], PREFIX);
        let result = update(&bytes, &external()).unwrap();
        let expected = Malformed { attribute, action: Action::TreatAsWithdraw, reason: Reason::Overrun };
        assert_eq!(result.malformed, [expected]);
        assert!(matches!(result.items[..], [RouteItem::Unreach(_)]));
    }
}

#[test]
fn an_overrun_without_prefixes_resets() {
    let bytes = body(&[], &[ORIGIN, &[0x40, 2, 9]], &[]);
    assert_eq!(reset(update(&bytes, &external())), (3, 1, vec![]));
}

#[test]
fn multiprotocol_prefixes_that_overrun_the_list_reset() {
    for code in [14, 15] {
        let bytes = body(&[], &[ORIGIN, AS_PATH, NEXT_HOP, &[0x80, code, 90, 0, 2, 1]], PREFIX);
        assert_eq!(reset(update(&bytes, &external())), (3, 1, vec![]));
    }
}

#[test]
fn of_duplicate_attributes_the_first_counts() {
    let update = assert_discarded(
        announce(&[attribute(0x80, 4, &[0, 0, 0, 1]), attribute(0x80, 4, &[9])].concat()),
        4,
        Reason::Duplicate,
    );
    assert_eq!(attributes(&update).med, Some(1));
    let twice = [attribute(0xc0, 99, &[1]), attribute(0xc0, 99, &[2])].concat();
    let update = assert_discarded(announce(&twice), 99, Reason::Duplicate);
    assert_eq!(attributes(&update).rare.as_ref().unwrap().unknown[0].value.as_ref(), [1]);
}

#[test]
fn duplicate_multiprotocol_attributes_reset() {
    let bytes = body(&[], &[ORIGIN, AS_PATH, MP_REACH, MP_REACH], &[]);
    assert_eq!(reset(update(&bytes, &external())), (3, 1, vec![]));
    let marker = attribute(0x80, 15, &[0, 2, 1]);
    assert_eq!(reset(update(&body(&[], &[&marker, &marker], &[]), &external())), (3, 1, vec![]));
}

#[test]
fn the_extended_length_bit_is_legal_on_any_attribute() {
    let extended = [&[0xd0, 8, 0, 4][..], &[0xfc, 0, 0, 1]].concat();
    let update = announce(&extended).unwrap();
    assert_eq!(attributes(&update).rare.as_ref().unwrap().communities, [0xfc00_0001]);
}

#[test]
fn an_extended_length_is_read_in_full() {
    for length in [0, 1, 255, 256, 300_u16] {
        let extended = [&[0xd0, 99][..], &length.to_be_bytes(), &vec![5; length.into()]].concat();
        let update = announce(&extended).unwrap();
        assert_eq!(attributes(&update).rare.as_ref().unwrap().unknown[0].value.len(), usize::from(length));
        assert!(update.malformed.is_empty());
    }
}

#[test]
fn every_unknown_attribute_of_a_crowd_is_kept_once() {
    let crowd: Vec<u8> = (0..20_000_u32).flat_map(|i| [0xc0, 50 + (i % 200) as u8, 0]).collect();
    let update = announce(&crowd).unwrap();
    assert_eq!(attributes(&update).rare.as_ref().unwrap().unknown.len(), 200);
}

#[test]
fn a_prefix_withdrawn_and_announced_at_once_ends_up_announced() {
    let update = update(&body(PREFIX, &[ORIGIN, AS_PATH, NEXT_HOP], PREFIX), &external()).unwrap();
    assert!(matches!(update.items[..], [RouteItem::Unreach(_), RouteItem::Reach { .. }]));
}

#[test]
fn end_of_rib_is_told_from_both_its_forms() {
    let classic = update(&body(&[], &[], &[]), &external()).unwrap();
    assert_eq!(classic.items, [RouteItem::EndOfRib(Family::Ipv4Unicast)]);
    for (afi, family) in [(1, Family::Ipv4Unicast), (2, Family::Ipv6Unicast)] {
        let marker = attribute(0x80, 15, &[0, afi, 1]);
        let update = update(&body(&[], &[&marker], &[]), &external()).unwrap();
        assert_eq!(update.items, [RouteItem::EndOfRib(family)]);
    }
}

#[test]
fn both_families_of_one_update_come_out() {
    let update = update(&body(&[], &[MP_REACH, ORIGIN, AS_PATH, NEXT_HOP], PREFIX), &external()).unwrap();
    let families: Vec<_> = update
        .items
        .iter()
        .map(|item| match item {
            RouteItem::Reach { attributes, nlri } => {
                (nlri.family(), attributes.next_hop.address().to_string())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        families,
        [(Family::Ipv4Unicast, "10.0.0.1".to_owned()), (Family::Ipv6Unicast, "2001:db8::1".to_owned())]
    );
}
