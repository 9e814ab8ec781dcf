use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::bfd::{Discard, decode};

/// Version 1, Init, multiplier 3, discriminators 1 and 2, intervals 1 s, 1 s and 0.
const VALID: [u8; 24] =
    [0x20, 0x80, 3, 24, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0x0f, 0x42, 0x40, 0, 0x0f, 0x42, 0x40, 0, 0, 0, 0];

/// The valid packet with some octets replaced.
fn with(changes: &[(usize, u8)]) -> Vec<u8> {
    let mut octets = VALID.to_vec();
    changes.iter().for_each(|(place, octet)| octets[*place] = *octet);
    octets
}

#[test]
fn every_field_is_where_the_rfc_has_it() {
    let octets = [
        0x23, 0xeb, 5, 24, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3,
    ];
    assert_eq!(decode(&octets), Err(Discard::Multipoint));
    let octets = octets.map(|octet| if octet == 0xeb { 0xea } else { octet });
    let packet = decode(&octets).unwrap();
    let expected = ControlPacket {
        diagnostic: Diagnostic::NEIGHBOR_SIGNALED_DOWN,
        state: State::Up,
        poll: true,
        final_: false,
        control_plane_independent: true,
        authenticated: false,
        demand: true,
        multiplier: 5,
        my_discriminator: NonZeroU32::new(0x1122_3344).unwrap(),
        your_discriminator: 0x5566_7788,
        desired_min_tx: Duration::from_micros(1),
        required_min_rx: Duration::from_micros(2),
        required_min_echo_rx: Duration::from_micros(3),
    };
    assert_eq!(packet, expected);
    assert_eq!(packet.encode(), octets);
}

#[test]
fn a_version_other_than_1_is_discarded() {
    for version in [0, 2, 7] {
        assert_eq!(decode(&with(&[(0, version << 5)])), Err(Discard::Version));
    }
}

#[test]
fn a_length_below_24_is_discarded() {
    assert_eq!(decode(&with(&[(3, 23)])), Err(Discard::TooShort));
    assert_eq!(decode(&VALID[..23]), Err(Discard::TooShort));
    assert_eq!(decode(&[]), Err(Discard::TooShort));
}

#[test]
fn with_authentication_a_length_below_26_is_discarded() {
    let authenticated = |length| [with(&[(1, 0x84), (3, length)]), vec![1, 2]].concat();
    assert_eq!(decode(&authenticated(25)), Err(Discard::TooShort));
    assert!(decode(&authenticated(26)).unwrap().authenticated);
}

#[test]
fn a_length_beyond_the_payload_is_discarded_and_a_longer_payload_is_not() {
    assert_eq!(decode(&with(&[(3, 25)])), Err(Discard::LengthBeyondPayload));
    assert!(decode(&[VALID.to_vec(), vec![0; 9]].concat()).is_ok());
}

#[test]
fn a_multiplier_of_zero_is_discarded() {
    assert_eq!(decode(&with(&[(2, 0)])), Err(Discard::MultiplierZero));
}

#[test]
fn the_multipoint_bit_is_not_for_us() {
    assert_eq!(decode(&with(&[(1, 0x81)])), Err(Discard::Multipoint));
}

#[test]
fn my_discriminator_must_not_be_zero() {
    assert_eq!(decode(&with(&[(7, 0)])), Err(Discard::MyDiscriminatorZero));
}

#[test]
fn your_discriminator_may_be_zero_only_while_down() {
    for (state, verdict) in [(0, true), (1, true), (2, false), (3, false)] {
        let decoded = decode(&with(&[(1, state << 6), (11, 0)]));
        assert_eq!(decoded.is_ok(), verdict, "state {state}");
        assert!(verdict || decoded == Err(Discard::YourDiscriminatorZero));
    }
}

proptest! {
    #[test]
    fn no_octets_panic_and_what_is_read_is_written_alike(octets in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(packet) = decode(&octets) {
            let written = packet.encode();
            let again = decode(&written).unwrap();
            prop_assert_eq!(again, ControlPacket { authenticated: false, ..packet });
        }
    }

    #[test]
    fn nearly_valid_octets_neither(place in 0..24_usize, octet in any::<u8>(), cut in 0..30_usize) {
        let octets = with(&[(place, octet)]);
        if let Ok(packet) = decode(octets.get(..cut).unwrap_or(&octets)) {
            prop_assert_eq!(decode(&packet.encode()), Ok(ControlPacket { authenticated: false, ..packet }));
        }
    }
}
