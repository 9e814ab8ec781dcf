use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn base() -> Candidate {
    Candidate {
        ineligible: None,
        source: Source::Peer(PeerType::External),
        local_pref: 100,
        as_path_length: 2,
        origin: Origin::Igp,
        med: 0,
        neighbor_as: Some(Asn(65001)),
        igp_cost: 10,
        router_id: RouterId([10, 0, 0, 5].into()),
        cluster_list_length: 0,
        peer_address: [10, 0, 0, 5].into(),
        path_id: 0,
    }
}

fn run(candidates: &[Candidate]) -> Vec<Reason> {
    decide(candidates, &mut Unrecorded).to_vec()
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
    assert_step(Step::Origin, Candidate { med: 9, ..base() }, Candidate { origin: Origin::Egp, ..base() });
}

#[test]
fn a_lower_med_of_the_same_neighbouring_as_beats_external_origin() {
    let internal = Candidate { source: Source::Peer(PeerType::Internal), ..base() };
    assert_step(Step::Med, internal, Candidate { med: 1, ..base() });
}

#[test]
fn med_is_not_compared_between_neighbouring_ases() {
    let other = Candidate { neighbor_as: Some(Asn(65002)), med: 9, igp_cost: 1, ..base() };
    assert_step(Step::IgpCost, other, base());
}

#[test]
fn med_elimination_is_within_groups_so_that_the_order_of_arrival_cannot_matter() {
    let a = Candidate { med: 1, igp_cost: 30, ..base() };
    let b = Candidate { med: 2, igp_cost: 10, ..base() };
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
    decide(&[base(), short], &mut steps);
    let expected =
        [(Step::LocalOrigin, vec![0, 1]), (Step::LocalPref, vec![0, 1]), (Step::AsPathLength, vec![1])];
    assert_eq!(steps.0, expected);
}

fn candidate() -> impl Strategy<Value = Candidate> {
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
        local_pref: v.0,
        as_path_length: v.1,
        origin: v.2,
        med: v.3,
        neighbor_as: Some(Asn(v.4)),
        igp_cost: v.5,
        router_id: RouterId([1, 1, 1, v.6].into()),
        cluster_list_length: clusters,
        peer_address: [2, 2, 2, address].into(),
        path_id,
    })
}

/// No two paths have the same name: the last step always decides.
fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
    prop::collection::vec(candidate(), 1..6).prop_map(|mut candidates| {
        candidates.iter_mut().zip(0..).for_each(|(c, index)| c.path_id = c.path_id << 8 | index);
        candidates
    })
}

proptest! {
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
