use super::*;

fn one(text: &str) -> AnyCommunity {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn matches(pattern: &str, community: &str) -> bool {
    let set: CommunitySet = [pattern.parse().unwrap()].into_iter().collect();
    let mut rare = RareAttributes::default();
    one(community).add_to(&mut rare);
    let before = rare.clone();
    set.delete_from(&mut rare);
    rare != before
}

#[test]
fn every_kind_of_community_survives_its_text() {
    for text in [
        "65000:1",
        "no-export",
        "blackhole",
        "4200000000:1:2",
        "rt:65000:100000",
        "rt:4200000000:7",
        "ro:192.0.2.1:7",
        "bandwidth:65000:125000000",
        "0x430c000000000008",
    ] {
        assert_eq!(one(text).to_string(), text);
    }
    assert_eq!(one("soo:65000:1"), one("ro:65000:1"));
    let bandwidth = AnyCommunity::Extended([0x40, 4, 0xfd, 0xe8, 0x4c, 0xee, 0x6b, 0x28]);
    assert_eq!(one("link-bandwidth:65000:125000000"), bandwidth);
}

#[test]
fn patterns_match_their_kind_only_and_part_by_part() {
    for (pattern, community, expected) in [
        ("65000:*", "65000:7", true),
        ("65000:*", "65001:7", false),
        ("65000:*", "65000:7:0", false),
        ("*:666", "1:666", true),
        ("65000:100-199", "65000:150", true),
        ("65000:100-199", "65000:200", false),
        ("65000:>=100", "65000:65535", true),
        ("65000:*:1", "65000:9:1", true),
        ("65000:*:1", "65000:9:2", false),
        ("rt:65000:*", "rt:65000:1", true),
        ("rt:65000:*", "ro:65000:1", false),
        ("rt:*:1", "rt:192.0.2.1:1", true),
        ("rt:192.0.2.1:*", "rt:192.0.2.1:1", true),
        ("rt:192.0.2.1:*", "rt:192.0.2.2:1", false),
        ("link-bandwidth:*:>=1000000", "link-bandwidth:65000:125000000", true),
        ("link-bandwidth:*:>=1000000", "link-bandwidth:65000:999", false),
        ("0x430c*", "0x430c000000000008", true),
        ("0x430d*", "0x430c000000000008", false),
        ("*", "rt:65000:1", true),
        ("no-export", "65535:65281", true),
    ] {
        assert_eq!(matches(pattern, community), expected, "{pattern} {community}");
    }
}

#[test]
fn a_route_target_of_two_and_of_four_octets_is_the_same_number() {
    let set: CommunitySet = ["rt:65000:7".parse().unwrap()].into_iter().collect();
    assert!(set.has_extended(&[0, 2, 0xfd, 0xe8, 0, 0, 0, 7]));
    assert!(set.has_extended(&[2, 2, 0, 0, 0xfd, 0xe8, 0, 7]));
    assert!(!set.has_extended(&[3, 2, 0, 0, 0xfd, 0xe8, 0, 7]));
}

#[test]
fn what_is_no_community_is_refused() {
    for text in
        ["", "1", "1:2:3:4", "65536:1", "1:65536", "1:1-70000", "a:b", "rt:1", "0x", "0x1", "0xg*", "x"]
    {
        assert!(text.parse::<CommunityPattern>().is_err(), "{text}");
    }
    for text in ["*", "1:*", "rt:1:*", "0x43*"] {
        assert_eq!(text.parse::<AnyCommunity>(), Err(ParseCommunityError::Several), "{text}");
    }
}

/// As a condition it could never match, and as a change it could not be attached.
#[test]
fn parts_that_fit_no_community_are_named_in_the_error() {
    for (text, part) in [
        ("rt:4200000000:100000", "100000"),
        ("rt:4200000000:100-70000", "100-70000"),
        ("ro:192.0.2.1:65536", "65536"),
        ("rt:70000-80000:65536", "65536"),
        ("link-bandwidth:4200000000:1", "4200000000"),
        ("link-bandwidth:70000:*", "70000"),
    ] {
        let expected = ParseCommunityError::Part(part.to_owned());
        assert_eq!(text.parse::<CommunityPattern>(), Err(expected.clone()), "{text}");
        assert_eq!(text.parse::<AnyCommunity>(), Err(expected), "{text}");
    }
    for text in [
        "rt:4200000000:*",
        "rt:4200000000:>=7",
        "rt:192.0.2.1:65535",
        "rt:65000:100000",
        "rt:*:100000",
        "rt:65000-70000:100000",
    ] {
        assert!(text.parse::<CommunityPattern>().is_ok(), "{text}");
    }
}
