use super::*;

const ANY: SegmentRules = SegmentRules { sets: SegmentRule::Accept, confederation: SegmentRule::Accept };

fn asns(range: std::ops::RangeInclusive<u32>) -> Vec<Asn> {
    range.map(Asn).collect()
}

fn sequence(range: std::ops::RangeInclusive<u32>) -> AsPath {
    AsPath::from_sequence(&asns(range)).unwrap()
}

fn mixed() -> AsPath {
    AsPath::from_segments(&[
        (SegmentKind::ConfedSequence, asns(65001..=65002)),
        (SegmentKind::ConfedSet, asns(65003..=65003)),
        (SegmentKind::Sequence, asns(64512..=64513)),
        (SegmentKind::Set, asns(1..=2)),
    ])
    .unwrap()
}

fn shape(path: &AsPath) -> Vec<usize> {
    path.segments().map(|s| s.asns().len()).collect()
}

#[test]
fn a_path_is_written_with_brackets_that_tell_the_segment() {
    assert_eq!(mixed().to_string(), "(65001 65002) [65003] 64512 64513 {1 2}");
    assert_eq!(AsPath::default().to_string(), "");
}

#[test]
fn a_set_counts_one_and_confederation_segments_nothing() {
    assert_eq!(mixed().path_length(), 3);
    assert_eq!(sequence(1..=300).path_length(), 300);
    assert_eq!(AsPath::default().path_length(), 0);
}

#[test]
fn neighbor_and_origin_are_the_ends_of_the_path_outside_confederations() {
    assert_eq!(
        (mixed().first(), mixed().neighbor(), mixed().origin()),
        (Some(Asn(65001)), Some(Asn(64512)), None)
    );
    assert_eq!((sequence(7..=9).neighbor(), sequence(7..=9).origin()), (Some(Asn(7)), Some(Asn(9))));
    assert_eq!((AsPath::default().neighbor(), AsPath::default().origin()), (None, None));
    assert!(mixed().contains(Asn(2)) && !mixed().contains(Asn(3)));
}

#[test]
fn prepending_fills_the_first_segment_and_then_opens_a_new_one() {
    for (before, count, after) in [
        (254, 1, vec![255]),
        (255, 1, vec![1, 255]),
        (256, 1, vec![2, 255]),
        (255, 255, vec![255, 255]),
        (254, 255, vec![254, 255]),
        (1, 0, vec![1]),
    ] {
        let path = AsPath::from_segments(
            &asns(1..=before)
                .chunks(255)
                .rev()
                .map(|c| (SegmentKind::Sequence, c.to_vec()))
                .collect::<Vec<_>>(),
        )
        .unwrap();
        let longer = path.prepend(Asn(99), count);
        assert_eq!(shape(&longer), after, "{before} + {count}");
        assert_eq!(longer.path_length(), before as usize + usize::from(count));
        assert_eq!(AsPath::decode(longer.as_wire(), AsnSize::Four, ANY).unwrap(), longer);
    }
}

#[test]
fn prepending_to_a_set_opens_a_sequence() {
    let set = AsPath::from_segments(&[(SegmentKind::Set, asns(1..=2))]).unwrap();
    assert_eq!(set.prepend(Asn(5), 2).to_string(), "5 5 {1 2}");
    assert_eq!(AsPath::default().prepend(Asn(5), 1).to_string(), "5");
}

#[test]
fn as_zero_is_never_prepended() {
    assert_eq!(sequence(1..=2).prepend(Asn(0), 3), sequence(1..=2));
}

#[test]
fn malformed_paths_are_told_apart() {
    let decode = |bytes: &[u8]| AsPath::decode(bytes, AsnSize::Two, ANY).unwrap_err();
    assert_eq!(decode(&[2]), AsPathError::Overrun);
    assert_eq!(decode(&[2, 2, 0, 1]), AsPathError::Overrun);
    assert_eq!(decode(&[2, 1, 0, 1, 2]), AsPathError::Overrun);
    assert_eq!(decode(&[2, 0]), AsPathError::SegmentLength);
    assert_eq!(decode(&[0, 1, 0, 1]), AsPathError::SegmentType);
    assert_eq!(decode(&[5, 1, 0, 1]), AsPathError::SegmentType);
    assert_eq!(decode(&[1, 2, 0, 1, 0, 0]), AsPathError::AsZero);
    let strict =
        SegmentRules { sets: SegmentRule::TreatAsWithdraw, confederation: SegmentRule::TreatAsWithdraw };
    let strictly = |bytes: &[u8]| AsPath::decode(bytes, AsnSize::Two, strict).unwrap_err();
    assert_eq!(strictly(&[1, 1, 0, 1]), AsPathError::Set);
    assert_eq!(strictly(&[3, 1, 0, 1]), AsPathError::Confederation);
}

#[test]
fn two_octet_paths_are_widened_and_narrowed() {
    let wire = [2, 2, 0xfc, 0, 0xfc, 1, 1, 1, 0, 9];
    let path = AsPath::decode(&wire, AsnSize::Two, ANY).unwrap();
    assert_eq!(path.to_string(), "64512 64513 {9}");
    let mut back = Vec::new();
    path.put_two_octets(&mut back);
    assert_eq!(back, wire);
    assert!(!path.needs_four_octets());
}

/// RFC 6793 section 4.2.3.
#[test]
fn as4_path_replaces_the_tail_of_the_two_octet_path() {
    let path =
        |text: &[u32]| AsPath::from_sequence(&text.iter().copied().map(Asn).collect::<Vec<_>>()).unwrap();
    let merged = path(&[65001, 23456, 65002, 23456]).merge(&path(&[200_000, 65002, 300_000]));
    assert_eq!(merged, path(&[65001, 200_000, 65002, 300_000]));
    assert_eq!(path(&[1, 23456]).merge(&path(&[2, 3, 4])), path(&[1, 23456]));
    assert_eq!(path(&[23456, 2]).merge(&path(&[70_000, 2])), path(&[70_000, 2]));
}

#[test]
fn the_merge_keeps_a_leading_set_whole() {
    let set = AsPath::from_segments(&[
        (SegmentKind::Set, asns(1..=3)),
        (SegmentKind::Sequence, asns(23456..=23456)),
    ])
    .unwrap();
    let as4 = AsPath::from_sequence(&[Asn(70_000)]).unwrap();
    assert_eq!(set.merge(&as4).to_string(), "{1 2 3} 70000");
}

#[test]
fn confederation_segments_are_dropped_from_as4_path() {
    assert_eq!(mixed().without_confederation().to_string(), "64512 64513 {1 2}");
}
