//! Changes of an AS_PATH on its way through us.

use super::{AsPath, SegmentKind, put_raw};
use crate::types::Asn;

impl AsPath {
    /// How often the AS number occurs.
    pub fn occurrences(&self, asn: Asn) -> usize {
        self.asns().filter(|a| *a == asn).count()
    }

    /// Whether there is an AS_SET or AS_CONFED_SET, which RFC 9774 does away with.
    pub fn has_sets(&self) -> bool {
        self.segments().any(|s| matches!(s.kind, SegmentKind::Set | SegmentKind::ConfedSet))
    }

    /// The path with `by` in place of every AS number for which `which` holds. AS 0 is not put into a path (RFC 7607).
    #[must_use]
    pub fn replacing(&self, which: impl Fn(Asn) -> bool, by: Asn) -> Self {
        if by == Asn(0) {
            return self.clone();
        }
        self.edited(|asn| Some(if which(asn) { by } else { asn }))
    }

    /// The path without the AS numbers for which `which` holds; segments that lose their last one go.
    #[must_use]
    pub fn without(&self, which: impl Fn(Asn) -> bool) -> Self {
        self.edited(|asn| (!which(asn)).then_some(asn))
    }

    fn edited(&self, edit: impl Fn(Asn) -> Option<Asn>) -> Self {
        let mut wire = Vec::with_capacity(self.0.len());
        for segment in self.segments() {
            let asns: Vec<[u8; 4]> =
                segment.asns().filter_map(&edit).map(|asn| asn.0.to_be_bytes()).collect();
            put_raw(segment.kind, &asns, &mut wire);
        }
        Self(wire.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(segments: &[(SegmentKind, &[u32])]) -> AsPath {
        let segments: Vec<_> =
            segments.iter().map(|(kind, asns)| (*kind, asns.iter().map(|a| Asn(*a)).collect())).collect();
        AsPath::from_segments(&segments).unwrap()
    }

    #[test]
    fn numbers_are_replaced_wherever_they_stand() {
        let before = path(&[(SegmentKind::Sequence, &[1, 2, 1]), (SegmentKind::Set, &[1, 3])]);
        assert_eq!(before.replacing(|a| a == Asn(1), Asn(9)).to_string(), "9 2 9 {9 3}");
        assert_eq!(before.replacing(|_| true, Asn(0)), before);
        assert_eq!((before.occurrences(Asn(1)), before.has_sets()), (3, true));
    }

    #[test]
    fn segments_without_a_number_left_go() {
        let before = path(&[(SegmentKind::Sequence, &[64512, 2]), (SegmentKind::Set, &[64513])]);
        assert_eq!(before.without(Asn::is_private).to_string(), "2");
        assert!(path(&[(SegmentKind::Sequence, &[64512])]).without(Asn::is_private).is_empty());
    }
}
