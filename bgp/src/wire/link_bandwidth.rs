//! The link bandwidth extended community (draft-ietf-idr-link-bandwidth section 2).

use super::community::ExtendedCommunity;

/// Two-octet AS specific, transitive across ASes or not.
const TYPES: [u8; 2] = [0x00, 0x40];
const SUBTYPE: u8 = 0x04;

impl ExtendedCommunity {
    /// The bandwidth, in octets per second as an IEEE 754 number, when this community is one of link bandwidth. What a
    /// peer sends may be any bit pattern: negative, infinite, not a number.
    pub fn link_bandwidth(self) -> Option<f32> {
        let [kind, SUBTYPE, _, _, value @ ..] = self.0 else { return None };
        TYPES.contains(&kind).then(|| f32::from_be_bytes(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_gigabits_are_read_from_both_types() {
        let of = |kind, subtype| ExtendedCommunity([kind, subtype, 0xfc, 0, 0x4e, 0x95, 0x02, 0xf9]);
        assert_eq!(of(0x40, 4).link_bandwidth(), Some(1.25e9));
        assert_eq!(of(0x00, 4).link_bandwidth(), Some(1.25e9));
        assert_eq!(of(0x40, 2).link_bandwidth(), None);
        assert_eq!(of(0x43, 4).link_bandwidth(), None);
    }
}
