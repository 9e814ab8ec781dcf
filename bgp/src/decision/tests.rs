use std::{collections::BTreeSet, net::Ipv4Addr, num::NonZeroU8, sync::LazyLock};

use proptest::prelude::*;

use super::*;
use crate::config::AsPathMatch;

static PATHS: LazyLock<[AsPath; 2]> =
    LazyLock::new(|| [[65001, 65003], [65002, 65003]].map(|p| AsPath::from_sequence(&p.map(Asn)).unwrap()));

fn base() -> Candidate<'static> {
    Candidate {
        ineligible: None,
        source: Source::Peer(PeerType::External),
        validity: Validity::Current,
        weight: 0,
        local_pref: 100,
        as_path: &PATHS[0],
        as_path_length: 2,
        origin: Origin::Igp,
        med: Some(0),
        neighbor_as: Some(Asn(65001)),
        next_hop: Ipv4Addr::new(10, 0, 0, 5).into(),
        install: Install::Forward,
        igp_cost: 10,
        learned: 0,
        router_id: RouterId([10, 0, 0, 5].into()),
        cluster_list_length: 0,
        peer_address: [10, 0, 0, 5].into(),
        path_id: 0,
    }
}

fn run(candidates: &[Candidate]) -> Vec<Reason> {
    run_with(&DecisionConfig::default(), candidates)
}

fn run_with(config: &DecisionConfig, candidates: &[Candidate]) -> Vec<Reason> {
    decide(candidates, config, &mut Unrecorded).to_vec()
}

/// In both orders, `better` wins and `worse` loses in `step`.
#[track_caller]
fn assert_step(step: Step, better: Candidate, worse: Candidate) {
    assert_eq!(run(&[better, worse]), [Reason::Best, Reason::Lost(step)]);
    assert_eq!(run(&[worse, better]), [Reason::Lost(step), Reason::Best]);
}

#[test]
fn our_own_route_beats_a_learned_one_of_higher_preference() {
    let own = Candidate { source: Source::Local, ..base() };
    assert_step(Step::LocalOrigin, own, Candidate { local_pref: 200, ..base() });
}

#[test]
fn higher_local_pref_beats_a_shorter_path() {
    let preferred = Candidate { local_pref: 200, as_path_length: 9, ..base() };
    assert_step(Step::LocalPref, preferred, base());
}

#[test]
fn a_shorter_path_beats_a_lower_origin() {
    let short = Candidate { as_path_length: 1, origin: Origin::Incomplete, ..base() };
    assert_step(Step::AsPathLength, short, base());
}

#[test]
fn a_lower_origin_beats_a_lower_med() {
    assert_step(
        Step::Origin,
        Candidate { med: Some(9), ..base() },
        Candidate { origin: Origin::Egp, ..base() },
    );
}

#[test]
fn a_lower_med_of_the_same_neighbouring_as_beats_external_origin() {
    let internal = Candidate { source: Source::Peer(PeerType::Internal), ..base() };
    assert_step(Step::Med, internal, Candidate { med: Some(1), ..base() });
}

#[test]
fn med_is_not_compared_between_neighbouring_ases() {
    let other = Candidate { neighbor_as: Some(Asn(65002)), med: Some(9), igp_cost: 1, ..base() };
    assert_step(Step::IgpCost, other, base());
}

#[test]
fn med_elimination_is_within_groups_so_that_the_order_of_arrival_cannot_matter() {
    let a = Candidate { med: Some(1), igp_cost: 30, ..base() };
    let b = Candidate { med: Some(2), igp_cost: 10, ..base() };
    let c = Candidate { neighbor_as: Some(Asn(65002)), igp_cost: 20, ..base() };
    assert_eq!(run(&[a, b, c]), [Reason::Lost(Step::IgpCost), Reason::Lost(Step::Med), Reason::Best]);
    assert_eq!(run(&[c, b, a]), [Reason::Best, Reason::Lost(Step::Med), Reason::Lost(Step::IgpCost)]);
}

#[test]
fn external_beats_internal_of_lower_cost() {
    let internal = Candidate { source: Source::Peer(PeerType::Internal), igp_cost: 1, ..base() };
    assert_step(Step::External, base(), internal);
}

#[test]
fn lower_interior_cost_beats_a_lower_identifier() {
    let near = Candidate { igp_cost: 1, router_id: RouterId([10, 9, 9, 9].into()), ..base() };
    assert_step(Step::IgpCost, near, base());
}

#[test]
fn a_lower_identifier_beats_a_shorter_cluster_list() {
    let low = Candidate { router_id: RouterId([1, 0, 0, 1].into()), cluster_list_length: 3, ..base() };
    assert_step(Step::RouterId, low, base());
}

#[test]
fn a_shorter_cluster_list_beats_a_lower_address() {
    let long = Candidate { cluster_list_length: 1, peer_address: [1, 1, 1, 1].into(), ..base() };
    assert_step(Step::ClusterListLength, base(), long);
}

#[test]
fn a_lower_address_wins_then_a_lower_path_identifier() {
    let low = Candidate { peer_address: [10, 0, 0, 4].into(), path_id: 7, ..base() };
    assert_step(Step::PeerAddress, low, base());
    assert_step(Step::PathId, base(), Candidate { path_id: 1, ..base() });
}

#[test]
fn a_higher_weight_beats_a_higher_preference() {
    assert_step(Step::Weight, Candidate { weight: 1, ..base() }, Candidate { local_pref: 200, ..base() });
}

#[test]
fn a_missing_med_is_the_lowest_or_as_configured_the_highest() {
    let missing = Candidate { med: None, router_id: RouterId([9, 0, 0, 1].into()), ..base() };
    let one = Candidate { med: Some(1), ..base() };
    assert_eq!(run(&[missing, one]), [Reason::Best, Reason::Lost(Step::Med)]);
    let worst = DecisionConfig { med_missing: MedMissing::Worst, ..DecisionConfig::default() };
    assert_eq!(run_with(&worst, &[missing, one]), [Reason::Lost(Step::Med), Reason::Best]);
}

#[test]
fn med_is_compared_between_all_neighbours_where_the_configuration_says_so() {
    let other = Candidate { neighbor_as: Some(Asn(65002)), med: Some(9), igp_cost: 1, ..base() };
    let always = DecisionConfig { med_compare: MedCompare::Always, ..DecisionConfig::default() };
    assert_eq!(run_with(&always, &[other, base()]), [Reason::Lost(Step::Med), Reason::Best]);
}

#[test]
fn the_oldest_external_path_stays_and_internal_ones_are_told_apart_by_identifier() {
    let oldest = DecisionConfig { tie_break: TieBreak::Oldest, ..DecisionConfig::default() };
    let old = Candidate { router_id: RouterId([10, 9, 9, 9].into()), ..base() };
    let new = Candidate { learned: 1, ..base() };
    assert_eq!(run_with(&oldest, &[new, old]), [Reason::Lost(Step::Oldest), Reason::Best]);
    let internal = |c| Candidate { source: Source::Peer(PeerType::Internal), ..c };
    let both = [internal(new), internal(old)];
    assert_eq!(run_with(&oldest, &both), [Reason::Best, Reason::Lost(Step::RouterId)]);
}

#[test]
fn an_ineligible_path_keeps_its_reason_and_cannot_win() {
    let unreachable = Candidate { ineligible: Some(Reason::NextHopUnreachable), local_pref: 900, ..base() };
    assert_eq!(run(&[unreachable, base()]), [Reason::NextHopUnreachable, Reason::Best]);
    assert_eq!(run(&[unreachable]), [Reason::NextHopUnreachable]);
}

#[test]
fn a_recorder_hears_every_step_until_one_path_is_left() {
    struct Steps(Vec<(Step, Vec<usize>)>);
    impl Recorder for Steps {
        fn step(&mut self, step: Step, _: &[(usize, u128)], remaining: &[usize]) {
            self.0.push((step, remaining.to_vec()));
        }
    }
    let mut steps = Steps(Vec::new());
    let short = Candidate { as_path_length: 1, ..base() };
    decide(&[base(), short], &DecisionConfig::default(), &mut steps);
    let shared = [Step::LocalOrigin, Step::Validity, Step::Weight, Step::LocalPref];
    let expected = shared.map(|s| (s, vec![0, 1])).into_iter();
    assert_eq!(steps.0, expected.chain([(Step::AsPathLength, vec![1])]).collect::<Vec<_>>());
}

fn candidate() -> impl Strategy<Value = Candidate<'static>> {
    let source = prop_oneof![
        Just(Source::Local),
        Just(Source::Peer(PeerType::Internal)),
        Just(Source::Peer(PeerType::External))
    ];
    let origin = prop_oneof![Just(Origin::Igp), Just(Origin::Egp), Just(Origin::Incomplete)];
    let values = (0u32..2, 0u32..2, origin, 0u32..2, 0u32..2, 0u32..2, 0u8..2);
    let more = (0u32..2, 0u8..2, 0u64..2, prop::option::weighted(0.1, Just(Reason::NextHopUnreachable)));
    (source, values, more).prop_map(|(source, v, (clusters, address, path_id, ineligible))| Candidate {
        ineligible,
        source,
        validity: if clusters == 0 { Validity::Current } else { Validity::LongLivedStale },
        weight: u16::from(v.6),
        local_pref: v.0,
        as_path: &PATHS[v.4 as usize],
        as_path_length: v.1,
        origin: v.2,
        med: Some(v.3).filter(|med| *med > 0),
        neighbor_as: Some(Asn(v.4)),
        next_hop: Ipv4Addr::new(3, 3, 3, address).into(),
        install: Install::Forward,
        igp_cost: v.5,
        learned: clusters,
        router_id: RouterId([1, 1, 1, v.6].into()),
        cluster_list_length: clusters,
        peer_address: [2, 2, 2, address].into(),
        path_id,
    })
}

/// No two paths have the same name: the last step always decides.
fn candidates() -> impl Strategy<Value = Vec<Candidate<'static>>> {
    prop::collection::vec(candidate(), 1..6).prop_map(|mut candidates| {
        candidates.iter_mut().zip(0..).for_each(|(c, index)| c.path_id = c.path_id << 8 | index);
        candidates
    })
}

fn multipath(most: u8, as_path: AsPathMatch) -> DecisionConfig {
    let multipath = NonZeroU8::new(most).unwrap();
    DecisionConfig { multipath, multipath_as_path: as_path, ..DecisionConfig::default() }
}

/// Equal to the base, but from another neighbour.
fn neighbour(last: u8) -> Candidate<'static> {
    let address = [10, 0, 0, last];
    Candidate {
        next_hop: Ipv4Addr::from(address).into(),
        peer_address: address.into(),
        router_id: RouterId(address.into()),
        ..base()
    }
}

#[test]
fn equal_paths_share_the_route_in_the_order_of_the_remaining_steps() {
    let config = multipath(2, AsPathMatch::Same);
    let reasons = run_with(&config, &[neighbour(8), neighbour(6), neighbour(7)]);
    assert_eq!(reasons, [Reason::MultipathFull, Reason::Best, Reason::Multipath]);
    let reasons = run_with(&config, &[neighbour(7), neighbour(8), neighbour(6)]);
    assert_eq!(reasons, [Reason::Multipath, Reason::MultipathFull, Reason::Best]);
}

#[test]
fn a_long_lived_stale_path_is_the_last_resort() {
    let stale = Candidate { validity: Validity::LongLivedStale, weight: 9, local_pref: 900, ..base() };
    assert_step(Step::Validity, base(), stale);
}

#[test]
fn a_path_that_lost_before_the_tie_break_shares_nothing() {
    let far = Candidate { igp_cost: 11, ..neighbour(6) };
    let internal = Candidate { source: Source::Peer(PeerType::Internal), ..neighbour(7) };
    let reasons = run_with(&multipath(8, AsPathMatch::SameLength), &[far, internal, base()]);
    assert_eq!(reasons, [Reason::Lost(Step::IgpCost), Reason::Lost(Step::External), Reason::Best]);
}

#[test]
fn another_as_path_of_the_same_length_shares_only_where_relaxed() {
    let other = Candidate { as_path: &PATHS[1], neighbor_as: Some(Asn(65002)), ..neighbour(6) };
    let reasons = run_with(&multipath(8, AsPathMatch::Same), &[base(), other]);
    assert_eq!(reasons, [Reason::Best, Reason::MultipathAsPath]);
    let reasons = run_with(&multipath(8, AsPathMatch::SameLength), &[base(), other]);
    assert_eq!(reasons, [Reason::Best, Reason::Multipath]);
}

#[test]
fn a_next_hop_is_counted_once() {
    let reflected = Candidate { next_hop: base().next_hop, ..neighbour(6) };
    let reasons = run_with(&multipath(2, AsPathMatch::Same), &[base(), reflected, neighbour(7)]);
    assert_eq!(reasons, [Reason::Best, Reason::MultipathNextHop, Reason::Multipath]);
}

#[test]
fn a_path_that_is_not_to_be_installed_takes_no_place() {
    let kept = Candidate { install: Install::RibOnly, ..neighbour(6) };
    let reasons = run_with(&multipath(2, AsPathMatch::Same), &[base(), kept, neighbour(7)]);
    assert_eq!(reasons, [Reason::Best, Reason::Lost(Step::RouterId), Reason::Multipath]);
}

proptest! {
    #[test]
    fn the_set_does_not_depend_on_the_order_and_leaves_the_best_path_alone(
        candidates in candidates(),
        turn in 0usize..6,
        most in 1u8..4,
    ) {
        let config = multipath(most, AsPathMatch::SameLength);
        let reasons = run_with(&config, &candidates);
        let plain = run(&candidates);
        let best = |reasons: &[Reason]| reasons.iter().position(|r| *r == Reason::Best);
        prop_assert_eq!(best(&reasons), best(&plain));
        let members = |reasons: &[Reason], of: &[Candidate<'static>]| -> BTreeSet<_> {
            let shared = reasons.iter().zip(of).filter(|(r, _)| matches!(r, Reason::Best | Reason::Multipath));
            shared.map(|(_, c)| (c.path_id, c.next_hop)).collect()
        };
        let set = members(&reasons, &candidates);
        prop_assert!(set.len() <= usize::from(most));
        prop_assert_eq!(set.iter().map(|(_, hop)| hop).collect::<BTreeSet<_>>().len(), set.len());
        let mut turned = candidates.clone();
        turned.rotate_left(turn % candidates.len());
        turned.reverse();
        prop_assert_eq!(members(&run_with(&config, &turned), &turned), set);
    }

    #[test]
    fn exactly_one_eligible_path_wins_whatever_the_order(
        candidates in candidates(),
        turn in 0usize..6,
    ) {
        let reasons = run(&candidates);
        let winners: Vec<_> =
            reasons.iter().zip(&candidates).filter(|(r, _)| **r == Reason::Best).map(|(_, c)| *c).collect();
        let eligible = candidates.iter().any(|c| c.ineligible.is_none());
        prop_assert_eq!(winners.len(), usize::from(eligible));
        let mut turned = candidates.clone();
        turned.rotate_left(turn % candidates.len());
        turned.reverse();
        let again = run(&turned);
        let winner = again.iter().zip(&turned).find(|(r, _)| **r == Reason::Best).map(|(_, c)| *c);
        prop_assert_eq!(winner, winners.first().copied());
        let steps: BTreeSet<_> = reasons.iter().filter(|r| matches!(r, Reason::Lost(_))).collect();
        prop_assert!(steps.len() < candidates.len());
    }
}
