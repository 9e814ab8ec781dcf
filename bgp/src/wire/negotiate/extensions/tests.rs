use super::*;
use crate::{
    types::{Asn, RouterId},
    wire::capability::{ExtendedNextHop, GracefulRestart, PathsLimit},
};

const V4: Family = Family::Ipv4Unicast;
const V6: Family = Family::Ipv6Unicast;

fn open(capabilities: Vec<Capability>) -> Open {
    Open::new(Asn(64512), 90, RouterId([10, 0, 0, 1].into()), capabilities)
}

fn both() -> Families {
    Family::ALL.into_iter().collect()
}

fn add_path(entries: &[(Family, u8)]) -> Capability {
    let entry = |(family, directions): &(Family, u8)| AddPathFamily {
        afi: family.afi(),
        safi: 1,
        directions: *directions,
    };
    Capability::AddPath(entries.iter().map(entry).collect())
}

fn long_lived_of(entries: &[(Family, u32, bool)]) -> Capability {
    let entry = |(family, stale_time, forwarding): &(Family, u32, bool)| LongLivedFamily {
        afi: family.afi(),
        safi: 1,
        forwarding: *forwarding,
        stale_time: *stale_time,
    };
    Capability::LongLivedGracefulRestart(entries.iter().map(entry).collect())
}

#[test]
fn paths_flow_where_one_side_sends_and_the_other_receives() {
    for (ours, theirs, received, sent) in [
        (1, 2, true, false),
        (2, 1, false, true),
        (3, 3, true, true),
        (3, 1, false, true),
        (1, 1, false, false),
        (2, 2, false, false),
        (0, 3, false, false),
    ] {
        let agreed =
            agreed(&open(vec![add_path(&[(V4, ours)])]), &open(vec![add_path(&[(V4, theirs)])]), both());
        assert_eq!(agreed.paths_received.contains(V4), received, "{ours} {theirs}");
        assert_eq!(agreed.paths_sent.v4.is_some(), sent, "{ours} {theirs}");
        assert!(!agreed.paths_received.contains(V6) && agreed.paths_sent.v6.is_none());
    }
}

#[test]
fn of_several_entries_for_a_family_the_last_counts() {
    let theirs = open(vec![add_path(&[(V4, 3), (V4, 2)])]);
    let agreed = agreed(&open(vec![add_path(&[(V4, 3)])]), &theirs, both());
    assert!(agreed.paths_received.contains(V4) && agreed.paths_sent.v4.is_none());
}

#[test]
fn a_family_that_was_not_negotiated_has_no_paths() {
    let all = open(vec![add_path(&[(V4, 3), (V6, 3)])]);
    let agreed = agreed(&all, &all, [V6].into_iter().collect());
    assert_eq!((agreed.paths_sent.v4, agreed.paths_received), (None, [V6].into_iter().collect()));
}

#[test]
fn the_peers_limit_of_paths_holds_unless_it_is_zero() {
    let limit = |limit| Capability::PathsLimit(vec![PathsLimit { afi: 1, safi: 1, limit }]);
    let ours = open(vec![add_path(&[(V4, 2)])]);
    for (told, kept) in [(3, 3), (0, u16::MAX)] {
        let agreed = agreed(&ours, &open(vec![add_path(&[(V4, 1)]), limit(told)]), both());
        assert_eq!(agreed.paths_sent.v4.map(NonZeroU16::get), Some(kept));
    }
}

#[test]
fn ipv6_next_hops_of_ipv4_need_both_to_say_so() {
    let entry = |safi, next_hop_afi| ExtendedNextHop { afi: 1, safi, next_hop_afi };
    let (with, without) =
        (open(vec![Capability::ExtendedNextHop(vec![entry(128, 2), entry(1, 2)])]), open(vec![]));
    assert_eq!(agreed(&with, &with, both()).ipv6_next_hops, [V4].into_iter().collect());
    assert!(agreed(&with, &without, both()).ipv6_next_hops.is_empty());
    let other = open(vec![Capability::ExtendedNextHop(vec![entry(128, 2), entry(1, 1)])]);
    assert!(agreed(&with, &other, both()).ipv6_next_hops.is_empty());
}

#[test]
fn the_shorter_stale_time_holds_and_only_beside_graceful_restart() {
    let graceful = || Capability::GracefulRestart(GracefulRestart::default());
    let ours = open(vec![graceful(), long_lived_of(&[(V4, 100, false), (V6, 100, false)])]);
    let theirs = open(vec![graceful(), long_lived_of(&[(V4, 50, true)])]);
    let expected = PeerLongLived {
        stale_time: PerFamily { v4: Duration::from_secs(50), v6: Duration::ZERO },
        forwarding: [V4].into_iter().collect(),
    };
    assert_eq!(agreed(&ours, &theirs, both()).long_lived, Some(expected));
    let alone = open(vec![long_lived_of(&[(V4, 50, true)])]);
    assert_eq!(agreed(&ours, &alone, both()).long_lived, None);
}

#[test]
fn enhanced_refresh_needs_both_to_say_so() {
    let with = open(vec![Capability::EnhancedRouteRefresh]);
    assert!(agreed(&with, &with, both()).enhanced_refresh);
    assert!(!agreed(&with, &open(vec![]), both()).enhanced_refresh);
}
