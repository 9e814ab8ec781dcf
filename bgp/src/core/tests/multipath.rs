//! Routes with several next hops: who shares them, by which weights, and what those who only hear of the best path see.

use std::net::{IpAddr, Ipv4Addr};

use super::{super::*, harness::*};
use crate::{
    config::{AsPathMatch, DecisionConfig},
    decision::Reason,
    types::Asn,
    wire::attribute::PathAttributes,
};

const NET: &str = "10.1.0.0/16";
const SENDERS: u32 = 3;
/// It only listens.
const LISTENER: u32 = 3;

fn knobs(most: u8, as_path: AsPathMatch) -> DecisionConfig {
    let multipath = most.try_into().unwrap();
    DecisionConfig { multipath, multipath_as_path: as_path, ..DecisionConfig::default() }
}

/// External senders in one AS, and a listener in another.
fn lab(decision: DecisionConfig) -> Lab {
    let senders = (0..SENDERS).map(|index| peer(index, Asn(65001)));
    let peers = senders.chain([peer(LISTENER, Asn(65002))]).collect();
    let mut lab = Lab::new(SpeakerConfig { decision, ..config(peers) });
    (0..=LISTENER).for_each(|index| lab.up(index));
    lab
}

fn via(index: u32) -> PathAttributes {
    attributes(address(index), &[65001, 65010])
}

fn with_bandwidth(index: u32, octets: f32) -> PathAttributes {
    let mut attributes = via(index);
    let [a, b, c, d] = octets.to_be_bytes();
    attributes.rare.get_or_insert_default().extended_communities = vec![[0x40, 4, 0xfd, 0xe9, a, b, c, d]];
    attributes
}

impl Lab {
    fn legs(&mut self) -> Vec<(Ipv4Addr, u16)> {
        self.settle();
        let legs = self.legs.get(&net(NET)).cloned().unwrap_or_default();
        legs.into_iter()
            .map(|(hop, weight)| match hop {
                IpAddr::V4(hop) => (hop, weight),
                IpAddr::V6(_) => panic!("an IPv4 route via {hop}"),
            })
            .collect()
    }
}

#[test]
fn legs_come_and_go_without_the_route_going_and_nobody_else_is_told() {
    let mut lab = lab(knobs(8, AsPathMatch::Same));
    (0..SENDERS).for_each(|index| lab.announce(index, &via(index), &[NET]));
    assert_eq!(lab.legs(), [0, 1, 2].map(|index| (address(index), 1)));
    assert_eq!(lab.reason(NET, 2), Some(Reason::Multipath));
    let told = lab.learned[&PeerId(LISTENER)].messages;
    lab.withdraw(2, &[NET]);
    lab.settle();
    assert_eq!(lab.core.poll_best(8), []);
    assert_eq!(lab.legs(), [0, 1].map(|index| (address(index), 1)));
    lab.announce(2, &via(2), &[NET]);
    assert_eq!(lab.legs().len(), 3);
    assert_eq!(lab.learned[&PeerId(LISTENER)].messages, told, "the best path has not changed");
    lab.withdraw(0, &[NET]);
    assert_eq!(lab.legs(), [1, 2].map(|index| (address(index), 1)));
    lab.withdraw(1, &[NET]);
    lab.withdraw(2, &[NET]);
    assert_eq!(lab.legs(), []);
}

#[test]
fn many_changes_of_a_leg_are_told_as_the_last_state() {
    let mut lab = lab(knobs(8, AsPathMatch::Same));
    (0..2).for_each(|index| lab.announce(index, &via(index), &[NET]));
    lab.settle();
    for _ in 0..5 {
        lab.withdraw(1, &[NET]);
        lab.announce(1, &via(1), &[NET]);
    }
    assert_eq!(lab.core.poll_best(100).len(), 1);
}

#[test]
fn an_unreachable_leg_is_left_out_until_it_is_back() {
    let mut lab = lab(knobs(8, AsPathMatch::Same));
    (0..2).for_each(|index| lab.announce(index, &via(index), &[NET]));
    assert_eq!(lab.legs().len(), 2);
    lab.set_reachability(address(1).into(), Reachability::Unreachable);
    assert_eq!(lab.legs(), [(address(0), 1)]);
    lab.set_reachability(address(1).into(), Reachability::Reachable { metric: 7 });
    assert_eq!(lab.legs(), [(address(0), 1)], "farther than the best");
    lab.set_reachability(address(1).into(), Reachability::Reachable { metric: 0 });
    assert_eq!(lab.legs().len(), 2);
}

#[test]
fn a_new_configuration_makes_and_unmakes_sets_without_a_session() {
    let mut lab = lab(DecisionConfig::default());
    lab.announce(0, &via(0), &[NET]);
    lab.announce(1, &attributes(address(1), &[65001, 65011]), &[NET]);
    assert_eq!(lab.legs(), [(address(0), 1)]);
    for (decision, legs) in [
        (knobs(8, AsPathMatch::Same), 1),
        (knobs(8, AsPathMatch::SameLength), 2),
        (DecisionConfig::default(), 1),
    ] {
        let config = SpeakerConfig { decision, ..lab.core.config().clone() };
        assert_eq!(lab.core.reconfigure(lab.now, config), []);
        assert_eq!(lab.legs().len(), legs);
    }
}

#[test]
fn bandwidths_of_all_legs_make_weights_and_one_that_says_none_makes_them_equal() {
    let mut lab = lab(knobs(8, AsPathMatch::Same));
    lab.announce(0, &with_bandwidth(0, 1.25e9), &[NET]);
    lab.announce(1, &with_bandwidth(1, 1.25e8), &[NET]);
    assert_eq!(lab.legs(), [(address(0), 10), (address(1), 1)]);
    lab.announce(1, &with_bandwidth(1, 2.5e9), &[NET]);
    assert_eq!(lab.legs(), [(address(0), 1), (address(1), 2)]);
    lab.announce(2, &via(2), &[NET]);
    assert_eq!(lab.legs(), [0, 1, 2].map(|index| (address(index), 1)));
    lab.withdraw(1, &[NET]);
    lab.withdraw(2, &[NET]);
    assert_eq!(lab.legs(), [(address(0), 1)]);
}

#[test]
fn a_bandwidth_stays_inside_the_as_and_other_extended_communities_do_not() {
    let mut lab = Lab::new(config(vec![peer(0, Asn(65001)), peer(1, OWN_AS), peer(2, Asn(65002))]));
    (0..3).for_each(|index| lab.up(index));
    let target = [0, 2, 0xfd, 0xe9, 0, 0, 0, 1];
    let mut sent = with_bandwidth(0, 1.25e9);
    sent.rare.get_or_insert_default().extended_communities.push(target);
    lab.announce(0, &sent, &[NET]);
    lab.settle();
    let extended =
        |index| lab.learned(index, NET).unwrap().rare.as_ref().unwrap().extended_communities.clone();
    assert_eq!(extended(1).len(), 2);
    assert_eq!(extended(2), [target]);
}
