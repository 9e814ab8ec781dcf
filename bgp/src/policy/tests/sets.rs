use super::*;

#[test]
fn a_prefix_set_tells_exact_from_longer_from_bounded() {
    let exact: PrefixSet = [PrefixRange::exact(net("10.0.0.0/26"))].into_iter().collect();
    assert!(exact.matches(net("10.0.0.0/26")) && !exact.matches(net("10.0.0.0/27")));
    let longer: PrefixSet = [PrefixRange::or_longer(net("10.0.0.0/16"))].into_iter().collect();
    assert!(longer.matches(net("10.0.0.0/16")) && longer.matches(net("10.0.9.9/32")));
    assert!(!longer.matches(net("10.0.0.0/8")) && !longer.matches(net("10.1.0.0/26")));
    let bounded: PrefixSet = [PrefixRange::between(net("10.0.0.0/16"), 20, 24)].into_iter().collect();
    assert!(bounded.matches(net("10.0.16.0/20")) && !bounded.matches(net("10.0.0.0/16")));
    assert!(!bounded.matches(net("10.0.0.0/26")));
    assert!(!bounded.matches(net("fd00::/20")));
}

#[test]
fn an_address_is_contained_when_a_prefix_covers_it() {
    let nodes: PrefixSet =
        [PrefixRange::exact(net("192.0.2.1/32")), PrefixRange::exact(net("fd00::/64"))].into_iter().collect();
    assert!(nodes.contains("192.0.2.1".parse().unwrap()) && !nodes.contains("192.0.2.2".parse().unwrap()));
    assert!(nodes.contains("fd00::7".parse().unwrap()) && !nodes.contains("fd01::7".parse().unwrap()));
}

#[test]
fn sets_made_in_another_order_are_equal() {
    let (a, b) = (PrefixRange::exact(net("10.0.0.0/8")), PrefixRange::or_longer(net("fd00::/8")));
    assert_eq!(set(&[a, b]), set(&[b, a, a]));
    let patterns = |texts: [&str; 3]| texts.map(|t| t.parse().unwrap()).into_iter().collect::<CommunitySet>();
    assert_eq!(patterns(["1:1", "1:*", "rt:1:1"]), patterns(["rt:1:1", "1:1", "1:*"]));
}

#[test]
fn bounds_are_read_as_operators_write_them() {
    for (text, prefix, min, max) in [
        ("10.0.0.0/8", "10.0.0.0/8", 8, 8),
        ("10.0.0.0/8 ge 16", "10.0.0.0/8", 16, 32),
        ("10.0.0.0/8 le 24", "10.0.0.0/8", 8, 24),
        ("10.0.0.0/8 ge 16 le 24", "10.0.0.0/8", 16, 24),
        ("10.0.0.0/8 le 24 ge 16", "10.0.0.0/8", 16, 24),
        ("10.0.0.0/8 ge 8", "10.0.0.0/8", 8, 32),
        ("fd00::/8 ge 64", "fd00::/8", 64, 128),
        ("0.0.0.0/0", "0.0.0.0/0", 0, 0),
    ] {
        let range: PrefixRange = text.parse().unwrap();
        assert_eq!(range, PrefixRange::between(net(prefix), min, max), "{text}");
        assert_eq!(range.to_string().parse(), Ok(range), "{range}");
    }
}

#[test]
fn impossible_bounds_are_refused() {
    for text in [
        "10.0.0.0",
        "10.0.0.1/8",
        "10.0.0.0/8 ge",
        "10.0.0.0/8 ge 33",
        "10.0.0.0/8 ge 24 le 16",
        "10.0.0.0/8 le 7",
        "10.0.0.0/8 ge 16 ge 17",
        "10.0.0.0/8 gt 16",
        "",
    ] {
        assert!(text.parse::<PrefixRange>().is_err(), "{text}");
    }
}

#[test]
fn peers_are_known_by_name_and_by_address() {
    let peer = neighbor(PeerType::External);
    assert!(NeighborSet::new(vec!["tor".into()], PrefixSet::default()).contains(&peer));
    let addresses = [PrefixRange::exact(net("192.0.2.0/24"))].into_iter().collect();
    assert!(NeighborSet::new(vec![], addresses).contains(&peer));
    assert!(!NeighborSet::new(vec!["to".into(), "torr".into()], PrefixSet::default()).contains(&peer));
}

#[test]
fn reject_reasons_have_unique_names_and_codes() {
    let names: std::collections::BTreeSet<_> = RejectReason::ALL.iter().map(|r| r.name()).collect();
    assert_eq!(names.len(), RejectReason::ALL.len());
    assert!(RejectReason::ALL.iter().enumerate().all(|(i, r)| usize::from(r.code()) == i));
}
