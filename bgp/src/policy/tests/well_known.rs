//! Well-known communities in policies (RFC 8642): nothing about them is special, those nobody has named yet included.

use super::*;
use crate::wire::{
    attribute::{LargeCommunity, RareAttributes},
    community::Community,
};

/// Of the range of well-known communities, but not assigned (65535:4660).
const UNASSIGNED: u32 = 0xffff_1234;
const OURS: u32 = 65000 << 16 | 1;

/// Every well-known community with a name, one without, one of ours, and one of another kind.
fn marked() -> PathAttributes {
    let named = Community::NAMED.iter().map(|community| community.0);
    let rare = RareAttributes {
        communities: named.chain([UNASSIGNED, OURS]).collect(),
        large_communities: vec![LargeCommunity { global: 65000, local1: 1, local2: 2 }],
        ..RareAttributes::default()
    };
    PathAttributes { rare: Some(rare.into()), ..attributes("192.0.2.1") }
}

fn after(changes: Vec<Modification>) -> Option<RareAttributes> {
    let term = Term { name: "t".to_owned(), conditions: vec![], changes, then: Then::Accept };
    let policy = Policy::of("p", vec![term], Verdict::Accept);
    let marked = marked();
    let made = outcome(&policy, &learned("10.0.0.0/8", &marked, PeerType::External)).unwrap();
    made.rare.map(|rare| *rare)
}

fn delete(patterns: &[&str]) -> Modification {
    Modification::DeleteCommunities(Arc::new(patterns.iter().map(|text| text.parse().unwrap()).collect()))
}

#[test]
fn setting_communities_removes_the_well_known_ones_too() {
    assert_eq!(after(vec![Modification::ClearCommunities]), None);
    let set = vec![Modification::ClearCommunities, Modification::AddCommunity("65000:7".parse().unwrap())];
    let left = after(set).unwrap();
    assert_eq!((left.communities, left.large_communities), (vec![65000 << 16 | 7], vec![]));
}

#[test]
fn deleting_communities_takes_what_is_named_and_nothing_else() {
    let kept = |change| after(vec![change]).unwrap().communities;
    assert!(!kept(delete(&["no-export"])).contains(&Community::NO_EXPORT.0));
    assert_eq!(kept(delete(&["no-export"])).len(), Community::NAMED.len() + 1);
    assert_eq!(kept(delete(&["65535:4660"])).len(), Community::NAMED.len() + 1);
    assert_eq!(kept(delete(&["65535:*"])), [OURS], "a pattern makes no difference between them");
    assert_eq!(after(vec![delete(&["*"])]), None);
    assert_eq!(kept(delete(&["65000:*"])).len(), Community::NAMED.len() + 1);
}

#[test]
fn a_well_known_community_without_a_name_is_matched_and_added_by_its_number() {
    let condition = Condition::Community(Arc::new(["65535:4660".parse().unwrap()].into_iter().collect()));
    let marked = marked();
    assert!(condition.holds(&learned("10.0.0.0/8", &marked, PeerType::External), &marked));
    let add = Modification::AddCommunity("65535:4660".parse().unwrap());
    assert_eq!(after(vec![Modification::ClearCommunities, add]).unwrap().communities, [UNASSIGNED]);
    assert_eq!(Community(UNASSIGNED).to_string(), "65535:4660");
}
