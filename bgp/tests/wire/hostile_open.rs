//! OPENs and capabilities that crashed other implementations.

use bgp::{
    types::{Asn, PeerType},
    wire::{DecodeContext, Message, Notification, Open, capability::Capability, decode},
};

use crate::build::message;

const FIXED: &[u8] = &[4, 0xfc, 0, 0, 90, 10, 0, 0, 1];

fn open(tail: &[u8]) -> Result<Open, Notification> {
    open_with(FIXED, tail)
}

fn open_with(fixed: &[u8], tail: &[u8]) -> Result<Open, Notification> {
    let bytes = message(1, &[fixed, tail].concat());
    decode(&bytes, &DecodeContext::unnegotiated(PeerType::External)).map(|message| match message {
        Message::Open(open) => open,
        other => panic!("{other:?}"),
    })
}

/// An OPEN with one capability.
fn with_capability(code: u8, value: &[u8]) -> Result<Open, Notification> {
    let length = u8::try_from(value.len()).unwrap();
    open(&[&[length + 4, 2, length + 2, code, length], value].concat())
}

#[track_caller]
fn assert_refused(result: Result<Open, Notification>, subcode: u8) {
    let error = result.unwrap_err();
    assert_eq!((error.kind.code, error.kind.subcode, error.data.as_ref()), (2, subcode, &[][..]));
}

#[test]
fn an_extended_length_marker_without_the_length_is_malformed() {
    assert_refused(open(&[255, 255]), 0);
    assert_refused(open(&[255, 255, 0]), 0);
}

#[test]
fn an_extended_length_beyond_the_message_is_malformed() {
    assert_refused(open(&[255, 255, 0, 1]), 0);
    assert_refused(open(&[255, 255, 0xff, 0xff, 2, 0, 0]), 0);
    assert_refused(open(&[255, 255, 0, 2, 2, 0, 0]), 0);
}

#[test]
fn an_extended_parameter_that_overruns_is_malformed() {
    assert_refused(open(&[255, 255, 0, 3, 2, 0, 1]), 0);
    assert_refused(open(&[255, 255, 0, 2, 2, 0]), 0);
}

#[test]
fn extended_parameters_are_read_whatever_the_first_length_says() {
    for first in [1, 4, 255] {
        let opened = open(&[first, 255, 0, 5, 2, 0, 2, 2, 0]).unwrap();
        assert_eq!(opened.capabilities, [Capability::RouteRefresh]);
    }
}

#[test]
fn an_open_that_ends_where_its_parameters_should_begin_is_malformed() {
    assert_refused(open(&[255]), 0);
    assert_refused(open(&[4]), 0);
}

#[test]
fn an_open_shorter_than_its_fixed_part_has_a_bad_length() {
    let error = open_with(&FIXED[..8], &[0]).unwrap_err();
    assert_eq!((error.kind.code, error.kind.subcode, error.data.as_ref()), (1, 2, &[0, 28][..]));
}

#[test]
fn an_orf_capability_whose_entries_overrun_is_kept_unread() {
    let opened = with_capability(3, &[0, 1, 0, 1, 255, 64]).unwrap();
    assert_eq!(opened.capabilities[0].code(), 3);
}

#[test]
fn a_four_octet_as_capability_of_another_length_is_malformed() {
    for length in [0, 1, 2, 3, 5, 8] {
        assert_refused(with_capability(65, &vec![1; length]), 0);
    }
}

#[test]
fn a_four_octet_as_capability_cut_off_by_the_message_is_malformed() {
    assert_refused(open(&[6, 2, 4, 65, 4, 0, 0]), 0);
    assert_refused(open(&[4, 2, 6, 65, 4]), 0);
    assert_refused(open(&[3, 2, 1, 65]), 0);
}

#[test]
fn multiprotocol_capabilities_of_unknown_families_are_kept_and_ignored() {
    let opened = with_capability(1, &[0x40, 4, 0, 71]).unwrap();
    assert_eq!(opened.capabilities, [Capability::Multiprotocol { afi: 0x4004, safi: 71 }]);
    assert!(opened.families().is_empty());
}

#[test]
fn a_multiprotocol_capability_of_another_length_is_malformed() {
    for length in [0, 3, 5] {
        assert_refused(with_capability(1, &vec![0; length]), 0);
    }
}

#[test]
fn the_dynamic_capability_message_is_an_unknown_type() {
    for body in [&[][..], &[0, 1, 64, 0]] {
        let error = decode(&message(6, body), &DecodeContext::unnegotiated(PeerType::External)).unwrap_err();
        assert_eq!((error.kind.code, error.kind.subcode, error.data.as_ref()), (1, 3, &[6][..]));
    }
}

#[test]
fn capabilities_we_do_not_implement_are_kept_whatever_is_in_them() {
    let odd: [(u8, &[u8]); 5] = [(75, &[200, b'x']), (75, &[0]), (73, &[1, b'a', 250]), (73, &[]), (9, &[])];
    for (code, value) in odd {
        let opened = with_capability(code, value).unwrap();
        assert_eq!(opened.capabilities, [Capability::Unknown { code, value: value.to_vec().into() }]);
    }
}

#[test]
fn a_graceful_restart_capability_of_impossible_length_is_malformed() {
    for length in [0, 1, 3, 5, 7] {
        assert_refused(with_capability(64, &vec![0; length]), 0);
    }
    assert!(with_capability(64, &[0, 120]).is_ok());
    assert!(with_capability(64, &[0, 120, 0, 1, 1, 0x80]).is_ok());
}

#[test]
fn capabilities_without_a_value_must_have_none() {
    for code in [2, 6, 70] {
        assert!(with_capability(code, &[]).is_ok());
        assert_refused(with_capability(code, &[0]), 0);
    }
}

#[test]
fn the_largest_unknown_capability_is_kept_whole() {
    let value = [7; 255];
    let opened = open(&[&[255, 255, 1, 4, 2, 1, 1, 200, 255][..], &value].concat()).unwrap();
    assert_eq!(opened.capabilities, [Capability::Unknown { code: 200, value: value.to_vec().into() }]);
}

#[test]
fn the_parameters_length_must_equal_the_rest_of_the_message() {
    assert_refused(open(&[4, 2, 2, 2, 0, 9]), 0);
    assert_refused(open(&[0, 2, 2, 2, 0]), 0);
    assert_refused(open(&[5, 2, 2, 2, 0]), 0);
}

#[test]
fn an_optional_parameter_that_overruns_is_malformed() {
    assert_refused(open(&[1, 2]), 0);
    assert_refused(open(&[2, 2, 1]), 0);
}

#[test]
fn an_unknown_optional_parameter_is_unsupported() {
    assert_refused(open(&[3, 1, 1, 0]), 4);
    assert_refused(open(&[2, 254, 0]), 4);
}

#[test]
fn another_version_is_answered_with_ours() {
    for version in [0, 3, 5] {
        let error = open_with(&[&[version], &FIXED[1..]].concat(), &[0]).unwrap_err();
        assert_eq!((error.kind.code, error.kind.subcode, error.data.as_ref()), (2, 1, &[0, 4][..]));
    }
}

#[test]
fn as_zero_is_a_bad_peer_as_in_the_field_and_in_the_capability() {
    assert_refused(open_with(&[4, 0, 0, 0, 90, 10, 0, 0, 1], &[0]), 2);
    assert_refused(with_capability(65, &[0, 0, 0, 0]), 2);
}

#[test]
fn a_zero_identifier_is_bad_and_any_other_is_good() {
    assert_refused(open_with(&[4, 0xfc, 0, 0, 90, 0, 0, 0, 0], &[0]), 3);
    assert!(open_with(&[4, 0xfc, 0, 0, 90, 224, 0, 0, 1], &[0]).is_ok());
    assert!(open_with(&[4, 0xfc, 0, 0, 90, 255, 255, 255, 255], &[0]).is_ok());
}

#[test]
fn hold_times_of_one_and_two_seconds_are_unacceptable() {
    for hold in [1, 2] {
        assert_refused(open_with(&[4, 0xfc, 0, 0, hold, 10, 0, 0, 1], &[0]), 6);
    }
    for hold in [0, 3] {
        assert!(open_with(&[4, 0xfc, 0, 0, hold, 10, 0, 0, 1], &[0]).is_ok());
    }
}

#[test]
fn capabilities_may_come_in_one_parameter_or_in_many() {
    let expected = [Capability::RouteRefresh, Capability::FourOctetAsn(Asn(200_000))];
    let asn = [0, 3, 0x0d, 0x40];
    let one = [&[10, 2, 8, 2, 0, 65, 4][..], &asn].concat();
    let many = [&[14, 2, 2, 2, 0, 2, 0, 2, 6, 65, 4][..], &asn].concat();
    for tail in [one, many] {
        let opened = open(&tail).unwrap();
        assert_eq!(opened.capabilities, expected);
        assert_eq!(opened.asn(), Asn(200_000));
    }
}

#[test]
fn of_several_graceful_restart_capabilities_the_last_counts() {
    let opened = open(&[10, 2, 8, 64, 2, 0, 1, 64, 2, 0, 2]).unwrap();
    assert_eq!(opened.graceful_restart().unwrap().restart_time, 2);
}

#[test]
fn a_list_of_families_of_impossible_length_is_malformed() {
    for (code, entry) in [(5, 6), (69, 4), (71, 7), (76, 5)] {
        for length in (1..4 * entry).filter(|length| length % entry != 0) {
            assert_refused(with_capability(code, &vec![1; length]), 0);
        }
        assert_eq!(with_capability(code, &[]).unwrap().capabilities.len(), 1);
        assert_eq!(with_capability(code, &vec![1; 240 / entry * entry]).unwrap().capabilities.len(), 1);
    }
}

/// RFC 7911 section 4: ignored as if not understood.
#[test]
fn an_add_path_capability_with_an_undefined_direction_is_not_understood() {
    for directions in [0, 4, 255] {
        let opened = with_capability(69, &[0, 1, 1, 3, 0, 2, 1, directions]).unwrap();
        assert!(matches!(opened.capabilities[..], [Capability::Unknown { code: 69, .. }]));
    }
}
