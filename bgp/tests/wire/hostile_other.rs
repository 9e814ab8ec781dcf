//! The other messages.

use bgp::wire::{Message, RouteRefresh, decode};

use crate::build::*;

#[test]
fn a_route_refresh_of_another_length_is_answered_with_all_of_it() {
    for body in [&[][..], &[0, 1, 0], &[0, 1, 0, 1, 0], &[0, 1, 0, 1, 1, 64, 0xff, 0xff, 0]] {
        let bytes = message(5, body);
        let error = decode(&bytes, &external()).unwrap_err();
        assert_eq!((error.kind.code, error.kind.subcode), (7, 1));
        assert_eq!(error.data, bytes);
    }
}

#[test]
fn route_refreshes_of_unknown_families_and_subtypes_ask_for_nothing() {
    let refresh = |body: &[u8]| match decode(&message(5, body), &external()).unwrap() {
        Message::RouteRefresh(refresh) => refresh,
        other => panic!("{other:?}"),
    };
    let known = refresh(&[0, 1, 0, 1]);
    assert_eq!(known, RouteRefresh::request(bgp::types::Family::Ipv4Unicast));
    assert!(known.requested_family().is_some());
    for body in [[0, 1, 9, 1], [0, 1, 1, 1], [0, 25, 0, 70]] {
        assert_eq!(refresh(&body).requested_family(), None);
    }
}

#[test]
fn notifications_of_any_code_with_any_data_are_read() {
    for data in [&[][..], &[255], &[200, b'x'], &[0xff; 4000]] {
        let bytes = message(3, &[&[6, 2], data].concat());
        let Message::Notification(read) = decode(&bytes, &external()).unwrap() else { panic!() };
        assert_eq!(read.data, data);
        assert!(!read.explain().is_empty());
    }
}

#[test]
fn a_message_longer_or_shorter_than_its_length_field_is_refused() {
    let mut bytes = message(4, &[]);
    bytes.push(0);
    assert!(decode(&bytes, &external()).is_err());
    assert!(decode(&bytes[..18], &external()).is_err());
    assert!(decode(&message(2, &[0; 10])[..25], &external()).is_err());
}
