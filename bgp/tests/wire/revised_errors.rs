//! RFC 7606, what the hostile_ modules do not already show.

use bgp::{
    types::Family,
    wire::{
        DecodeContext,
        as_path::AsPathError,
        context::{PathIds, SegmentRule},
        update::{self as updates, Action, Malformed, Reason},
    },
};

use crate::build::*;

/// Section 3 c.
#[test]
fn flags_that_contradict_the_type_withdraw() {
    for (flags, code, value) in [
        (0x80, 1, &[0][..]),
        (0xc0, 1, &[0]),
        (0x00, 1, &[0]),
        (0xc0, 2, &[]),
        (0x80, 3, &[10, 0, 0, 1]),
        (0x40, 4, &[0, 0, 0, 1]),
        (0xc0, 4, &[0, 0, 0, 1]),
        (0xc0, 6, &[]),
        (0x80, 7, &[0, 0, 0, 1, 1, 1, 1, 1]),
        (0x40, 8, &[0, 0, 0, 1]),
        (0x80, 16, &[0; 8]),
        (0x80, 32, &[0; 12]),
    ] {
        let kept = [ORIGIN, AS_PATH, NEXT_HOP].into_iter().filter(|a| a[1] != code);
        let wrong = attribute(flags, code, value);
        let all: Vec<&[u8]> = kept.chain([wrong.as_slice()]).collect();
        assert_withdrawn(update(&body(&[], &all, PREFIX), &external()), code, Reason::Flags);
    }
}

#[test]
fn flags_that_contradict_the_type_withdraw_multiprotocol_prefixes_too() {
    let mut reach = MP_REACH.to_vec();
    reach[0] = 0xc0;
    assert_withdrawn(update(&body(&[], &[&reach, ORIGIN, AS_PATH], &[]), &external()), 14, Reason::Flags);
}

#[test]
fn the_partial_bit_and_the_low_bits_do_not_matter() {
    for flags in [0x60, 0x4f, 0x41] {
        let origin = attribute(flags, 1, &[0]);
        let update = update(&body(&[], &[&origin, AS_PATH, NEXT_HOP], PREFIX), &external()).unwrap();
        attributes(&update);
        assert!(update.malformed.is_empty());
    }
}

/// Section 3 d.
#[test]
fn each_missing_mandatory_attribute_withdraws() {
    let all: [(u8, &[u8]); 4] = [(1, ORIGIN), (2, AS_PATH), (3, NEXT_HOP), (5, LOCAL_PREF)];
    for (missing, _) in all {
        let rest: Vec<&[u8]> = all.iter().filter(|(code, _)| *code != missing).map(|(_, a)| *a).collect();
        assert_withdrawn(update(&body(&[], &rest, PREFIX), &internal()), missing, Reason::Missing);
    }
}

#[test]
fn next_hop_is_not_mandatory_beside_mp_reach_nor_local_pref_from_an_external_peer() {
    let update = update(&body(&[], &[MP_REACH, ORIGIN, AS_PATH], &[]), &external()).unwrap();
    assert!(update.malformed.is_empty());
    attributes(&update);
}

/// Section 3 h: the strongest action wins, and all errors are told.
#[test]
fn of_several_errors_the_strongest_decides() {
    let more = [attribute(0x40, 6, &[1]), attribute(0xc0, 8, &[1])].concat();
    let update = announce(&more).unwrap();
    let actions: Vec<_> = update.malformed.iter().map(|m| (m.attribute, m.action)).collect();
    assert_eq!(actions, [(Some(6), Action::AttributeDiscard), (Some(8), Action::TreatAsWithdraw)]);
    assert!(update.is_treated_as_withdraw());
    let fatal = [more, attribute(0x00, 99, &[])].concat();
    assert_eq!(reset(announce(&fatal)).1, 2);
}

/// Section 5.2, with the answers of RFC 4271 section 6.3.
#[test]
fn without_reachable_prefixes_each_error_resets_with_its_own_subcode_and_data() {
    for (subcode, wrong, with_data) in [
        (4, attribute(0x80, 1, &[0]), true),
        (5, attribute(0x40, 1, &[0, 0]), true),
        (6, attribute(0x40, 1, &[3]), true),
        (8, attribute(0x40, 3, &[127, 0, 0, 1]), true),
        (9, attribute(0xc0, 35, &[0; 4]), true),
        (11, attribute(0x40, 2, &[2, 0]), false),
    ] {
        let data = if with_data { wrong.clone() } else { vec![] };
        let alone = body(&[], &[&wrong], &[]);
        assert_eq!(reset(update(&alone, &external())), (3, subcode, data.clone()));
        let withdrawing = body(PREFIX, &[&wrong], &[]);
        assert_eq!(reset(update(&withdrawing, &external())), (3, subcode, data));
    }
}

/// Section 7.1.
#[test]
fn origin_must_be_one_octet_of_three_values() {
    for (value, reason) in
        [(&[][..], Reason::Length), (&[0, 0], Reason::Length), (&[3], Reason::Value), (&[255], Reason::Value)]
    {
        let bytes = body(&[], &[&attribute(0x40, 1, value), AS_PATH, NEXT_HOP], PREFIX);
        assert_withdrawn(update(&bytes, &external()), 1, reason);
    }
}

/// Section 7.2: an empty path is a valid one.
#[test]
fn an_empty_as_path_is_valid() {
    let bytes = body(&[], &[ORIGIN, &attribute(0x40, 2, &[]), NEXT_HOP], PREFIX);
    assert!(attributes(&update(&bytes, &external()).unwrap()).as_path.is_empty());
}

/// RFC 8050: a record says of a whole message whether its prefixes have path identifiers.
#[test]
fn an_update_has_path_identifiers_where_the_family_of_its_prefixes_has() {
    let ipv6 = [0x80, 15, 3, 0, 2, 1];
    let ipv4 = [0x80, 15, 3, 0, 1, 1];
    let only = |family| DecodeContext { add_path: [family].into_iter().collect(), ..external() };
    let has = |body: &[u8], family| {
        updates::path_ids(&[&[0; 19], body].concat(), &only(family)) == PathIds::Present
    };
    for (body, family, other) in [
        (body(&[], &[ORIGIN, AS_PATH, NEXT_HOP], PREFIX), Family::Ipv4Unicast, Family::Ipv6Unicast),
        (body(PREFIX, &[], &[]), Family::Ipv4Unicast, Family::Ipv6Unicast),
        (body(&[], &[&ipv4], &[]), Family::Ipv4Unicast, Family::Ipv6Unicast),
        (body(&[], &[ORIGIN, AS_PATH, &ipv6], &[]), Family::Ipv6Unicast, Family::Ipv4Unicast),
        (body(&[], &[MP_REACH, ORIGIN, AS_PATH], &[]), Family::Ipv6Unicast, Family::Ipv4Unicast),
    ] {
        assert!(has(&body, family) && !has(&body, other), "{body:?}");
    }
    assert!(!has(&[0, 0, 0, 0], Family::Ipv6Unicast) && !has(&[], Family::Ipv4Unicast));
}

/// RFC 9774 section 3 is the operator's choice.
#[test]
fn as_sets_are_taken_or_withdrawn_as_configured() {
    let set = attribute(0x40, 2, &[2, 1, 0, 0, 0, 1, 1, 2, 0, 0, 0, 2, 0, 0, 0, 3]);
    let bytes = body(&[], &[ORIGIN, &set, NEXT_HOP], PREFIX);
    assert_eq!(attributes(&update(&bytes, &external()).unwrap()).as_path.to_string(), "1 {2 3}");
    let strict = DecodeContext { as_sets: SegmentRule::TreatAsWithdraw, ..external() };
    assert_withdrawn(update(&bytes, &strict), 2, Reason::AsPath(AsPathError::Set));
}

/// RFC 5065 section 5: inside a confederation its segments are welcome.
#[test]
fn confederation_segments_are_taken_inside_a_confederation() {
    let path = attribute(0x40, 2, &[3, 1, 0, 0, 0xfd, 0xe9]);
    let inside = DecodeContext { confederation: SegmentRule::Accept, ..external() };
    let update = update(&body(&[], &[ORIGIN, &path, NEXT_HOP], PREFIX), &inside).unwrap();
    assert_eq!(attributes(&update).as_path.to_string(), "(65001)");
}

/// Section 7.4.
#[test]
fn a_med_of_another_length_withdraws() {
    for length in [0, 3, 5] {
        assert_withdrawn(announce(&attribute(0x80, 4, &vec![0; length])), 4, Reason::Length);
    }
}

/// Sections 7.5, 7.9 and 7.10: from external peers these are discarded unread, whatever their flags.
#[test]
fn internal_attributes_from_external_peers_are_discarded() {
    for (flags, code, value) in [
        (0x40, 5, &[0, 0, 0, 9][..]),
        (0x40, 5, &[0]),
        (0xc0, 5, &[]),
        (0x80, 9, &[1, 1, 1, 1]),
        (0x40, 9, &[1]),
        (0x80, 10, &[1, 1, 1, 1]),
        (0x80, 10, &[]),
    ] {
        let result = announce(&attribute(flags, code, value));
        let update = assert_discarded(result, code, Reason::FromExternalPeer);
        assert!(attributes(&update).local_pref.is_none() && attributes(&update).rare.is_none());
    }
}

#[test]
fn internal_attributes_of_impossible_length_withdraw() {
    for (flags, code, length) in [(0x80, 9, 0), (0x80, 9, 5), (0x80, 10, 0), (0x80, 10, 6)] {
        let result = announce_internally(&attribute(flags, code, &vec![1; length]));
        assert_withdrawn(result, code, Reason::Length);
    }
    for length in [0, 3, 5] {
        let preference = attribute(0x40, 5, &vec![1; length]);
        let bytes = body(&[], &[ORIGIN, AS_PATH, NEXT_HOP, &preference], PREFIX);
        assert_withdrawn(update(&bytes, &internal()), 5, Reason::Length);
    }
}

/// Section 7.6.
#[test]
fn an_atomic_aggregate_with_a_value_is_discarded() {
    let update = assert_discarded(announce(&attribute(0x40, 6, &[0])), 6, Reason::Length);
    assert!(!attributes(&update).atomic_aggregate);
}

/// Section 7.7: the length depends on the size of AS numbers.
#[test]
fn an_aggregator_of_the_other_length_or_of_as_zero_is_discarded() {
    assert_discarded(announce(&attribute(0xc0, 7, &[1; 6])), 7, Reason::Length);
    assert_discarded(announce(&attribute(0xc0, 7, &[])), 7, Reason::Length);
    assert_discarded(announce(&attribute(0xc0, 7, &[0, 0, 0, 0, 1, 1, 1, 1])), 7, Reason::AsZero);
    let path = attribute(0x40, 2, &[2, 1, 0xfc, 0]);
    let bytes = body(&[], &[ORIGIN, &path, NEXT_HOP, &attribute(0xc0, 7, &[1; 8])], PREFIX);
    assert_discarded(update(&bytes, &two_octets()), 7, Reason::Length);
}

/// RFC 6793 section 4.1.
#[test]
fn as4_attributes_from_a_four_octet_speaker_are_discarded() {
    assert_discarded(announce(&attribute(0xc0, 17, &[2, 1, 0, 0, 0, 9])), 17, Reason::FromFourOctetSpeaker);
    assert_discarded(announce(&attribute(0xc0, 18, &[0; 8])), 18, Reason::FromFourOctetSpeaker);
}

/// RFC 6793 section 4.2.3.
#[test]
fn as4_path_is_ignored_beside_an_aggregator_that_is_not_as_trans() {
    let path = attribute(0x40, 2, &[2, 2, 0xfc, 0, 0x5b, 0xa0]);
    let as4_path = attribute(0xc0, 17, &[2, 1, 0, 3, 0x0d, 0x40]);
    let as4_aggregator = attribute(0xc0, 18, &[0, 3, 0x0d, 0x40, 2, 2, 2, 2]);
    for (asn, path_read, asn_read) in
        [([0xfc, 0], "64512 23456", 64512), ([0x5b, 0xa0], "64512 200000", 200_000)]
    {
        let aggregator = attribute(0xc0, 7, &[&asn[..], &[1, 1, 1, 1]].concat());
        let bytes = body(&[], &[ORIGIN, &path, NEXT_HOP, &aggregator, &as4_path, &as4_aggregator], PREFIX);
        let update = update(&bytes, &two_octets()).unwrap();
        let read = attributes(&update);
        assert_eq!(read.as_path.to_string(), path_read);
        assert_eq!(read.rare.as_ref().unwrap().aggregator.unwrap().asn.0, asn_read);
    }
}

#[test]
fn an_as4_aggregator_of_another_length_is_discarded() {
    let path = attribute(0x40, 2, &[2, 1, 0xfc, 0]);
    let bytes = body(&[], &[ORIGIN, &path, NEXT_HOP, &attribute(0xc0, 18, &[1; 6])], PREFIX);
    assert_discarded(update(&bytes, &two_octets()), 18, Reason::Length);
}

#[test]
fn an_error_reads_as_a_sentence() {
    let malformed = Malformed { attribute: Some(1), action: Action::TreatAsWithdraw, reason: Reason::Length };
    assert_eq!(malformed.to_string(), "ORIGIN (1): impossible length: treat-as-withdraw");
    let unknown =
        Malformed { attribute: Some(99), action: Action::AttributeDiscard, reason: Reason::Duplicate };
    assert_eq!(unknown.to_string(), "attribute 99: appears more than once: attribute discard");
}
