use super::{super::*, harness::*};
use crate::decision::{Reason, Step};

fn two_paths() -> Lab {
    let mut lab =
        Lab::new(config(vec![peer(0, crate::types::Asn(65000)), peer(1, crate::types::Asn(65001))]));
    lab.up(0);
    lab.up(1);
    lab.announce(0, &attributes(address(0), &[65000, 65009]), &["10.0.0.0/8", "10.1.0.0/16"]);
    lab.announce(1, &attributes(address(1), &[65001]), &["10.0.0.0/8"]);
    lab.settle();
    lab
}

#[test]
fn pages_are_sorted_and_go_on_where_the_last_ended() {
    let mut lab = Lab::new(config(vec![peer(0, OWN_AS)]));
    lab.up(0);
    let names: Vec<_> = (0..50).rev().map(|i| format!("10.{i}.0.0/16")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    lab.announce(0, &internal(address(0)), &names);
    lab.settle();
    let (mut read, mut after) = (Vec::new(), None);
    loop {
        let page = lab.core.loc_rib(Family::Ipv4Unicast, after, 7);
        assert!(page.items.len() <= 7);
        read.extend(page.items.into_iter().map(|r| r.prefix));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let expected: Vec<_> = (0..50).map(|i| net(&format!("10.{i}.0.0/16"))).collect();
    assert_eq!(read, expected);
}

#[test]
fn a_page_that_finds_nothing_still_ends_and_says_where_to_go_on() {
    let mut lab = Lab::new(config(vec![peer(0, OWN_AS), peer(1, OWN_AS)]));
    lab.up(0);
    let names: Vec<_> = (0..100).map(|i| format!("10.{i}.0.0/16")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    lab.announce(0, &internal(address(0)), &names);
    let page = lab.core.adj_rib_in(PeerId(1), AdjRibIn::Received, Family::Ipv4Unicast, None, 1);
    assert_eq!((page.items.len(), page.next), (0, Some(net("10.15.0.0/16"))));
}

#[test]
fn an_explanation_names_the_step_that_decided_and_the_values_compared() {
    let lab = two_paths();
    let told = lab.core.explain(net("10.0.0.0/8")).unwrap();
    let reasons: Vec<_> = told.route.paths.iter().map(|p| (p.peer, p.reason)).collect();
    assert_eq!(
        reasons,
        [(Some(PeerId(1)), Reason::Best), (Some(PeerId(0)), Reason::Lost(Step::AsPathLength))]
    );
    let last = told.steps.last().unwrap();
    assert_eq!((last.step, last.values.clone()), (Step::AsPathLength, vec![Some(1), Some(2)]));
    assert_eq!(last.remaining, [0]);
}

#[test]
fn lookup_finds_the_longest_prefix_around() {
    let mut lab = two_paths();
    let find = |lab: &Lab, within: &str| lab.core.lookup(net(within)).map(|p| p.to_string());
    assert_eq!(find(&lab, "10.1.2.3/32").as_deref(), Some("10.1.0.0/16"));
    assert_eq!(find(&lab, "10.2.2.3/32").as_deref(), Some("10.0.0.0/8"));
    assert_eq!(find(&lab, "11.2.2.3/32"), None);
    lab.withdraw(0, &["10.1.0.0/16"]);
    assert_eq!(find(&lab, "10.1.2.3/32").as_deref(), Some("10.0.0.0/8"));
}

#[test]
fn what_waits_for_a_socket_is_told_as_pending() {
    let mut lab = two_paths();
    lab.withdraw(0, &["10.1.0.0/16"]);
    lab.announce(0, &attributes(address(0), &[65000]), &["10.3.0.0/16"]);
    lab.act();
    let told = |lab: &Lab| {
        let page = lab.core.adj_rib_out(PeerId(1), Family::Ipv4Unicast, None, 10);
        let items = page.items.into_iter();
        items.map(|r| (r.prefix.to_string(), r.attributes.is_some(), r.delivery)).collect::<Vec<_>>()
    };
    let pending = Delivery::Pending;
    assert_eq!(told(&lab), [("10.1.0.0/16".into(), false, pending), ("10.3.0.0/16".into(), true, pending)]);
    lab.settle();
    assert_eq!(told(&lab), [("10.3.0.0/16".into(), true, Delivery::Sent)]);
}

#[test]
fn the_forwarding_table_can_be_told_everything_again() {
    let mut lab = two_paths();
    assert_eq!(lab.core.poll_best(10), []);
    lab.core.restart_best();
    let again: Vec<_> = lab.core.poll_best(10).into_iter().map(|c| c.prefix.to_string()).collect();
    assert_eq!(again, ["10.0.0.0/8", "10.1.0.0/16"]);
}

#[test]
fn the_forwarding_table_hears_only_the_latest_state_of_a_flapping_route() {
    let mut lab = two_paths();
    for _ in 0..10 {
        lab.withdraw(1, &["10.0.0.0/8"]);
        lab.announce(1, &attributes(address(1), &[65001]), &["10.0.0.0/8"]);
    }
    lab.act();
    assert_eq!(lab.core.poll_best(10).len(), 1);
}
