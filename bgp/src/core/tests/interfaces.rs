//! Policies that ask for interfaces: what they are told, and that a change has routes judged anew.

use std::sync::Arc;

use super::harness::*;
use crate::{
    decision::Reason,
    policy::{Condition, Policy, RejectReason, Term, Then, Verdict},
    types::Asn,
};

/// Refuses what leads through an interface of such a name, and accepts the rest.
fn not_through(pattern: &str) -> Arc<Policy> {
    let through = Condition::Interface([pattern.parse().unwrap()].into());
    let refuse = Then::Reject(RejectReason::Policy);
    let term = Term { name: "there".into(), conditions: vec![through], changes: vec![], then: refuse };
    Arc::new(Policy::of("p", vec![term], Verdict::Accept))
}

fn refused() -> Option<Reason> {
    Some(Reason::Rejected(RejectReason::Policy))
}

fn pending() -> Option<Reason> {
    Some(Reason::Rejected(RejectReason::InterfacePending))
}

fn importing(pattern: &str) -> Lab {
    let mut config = config(vec![peer(0, Asn(65001))]);
    config.peers[0].import = not_through(pattern);
    Lab::new(config)
}

#[test]
fn an_import_policy_knows_the_interface_that_leads_to_the_sender_before_the_first_route_and_hears_of_another()
{
    let mut lab = importing("eth*");
    lab.interfaces.insert(address(0).into(), "eth0");
    lab.act();
    lab.up(0);
    lab.announce(0, &attributes(address(0), &[65001]), &["10.0.0.0/8"]);
    lab.settle();
    assert_eq!(lab.reason("10.0.0.0/8", 0), refused());
    lab.set_interface(address(0).into(), "wg0");
    lab.settle();
    assert_eq!(lab.reason("10.0.0.0/8", 0), Some(Reason::Best));
    lab.set_interface(address(0).into(), "eth1");
    lab.settle();
    assert_eq!(lab.reason("10.0.0.0/8", 0), refused());
    assert!(!lab.fib.contains_key(&net("10.0.0.0/8")));
}

#[test]
fn until_the_interface_is_known_routes_are_refused_and_then_judged() {
    let mut lab = importing("eth*");
    lab.slow.insert(address(0).into());
    lab.up(0);
    lab.announce(0, &attributes(address(0), &[65001]), &["10.0.0.0/8"]);
    lab.settle();
    assert_eq!(lab.reason("10.0.0.0/8", 0), pending());
    assert_eq!(lab.core.explain(net("10.0.0.0/8")).unwrap().imports, [None]);
    lab.set_interface(address(0).into(), "wg0");
    lab.settle();
    assert_eq!(lab.reason("10.0.0.0/8", 0), Some(Reason::Best));
}

#[test]
fn a_policy_that_comes_to_ask_for_interfaces_takes_nothing_away_before_the_answer() {
    let mut lab = Lab::new(config(vec![peer(0, Asn(65001))]));
    lab.slow.insert(address(0).into());
    lab.up(0);
    lab.announce(0, &attributes(address(9), &[65001]), &["10.0.0.0/8"]);
    lab.settle();
    let asking = {
        let mut config = lab.core.config().clone();
        config.peers[0].import = not_through("eth*");
        config
    };
    assert_eq!(lab.core.reconfigure(lab.now, asking), []);
    lab.settle();
    assert_eq!(lab.reason("10.0.0.0/8", 0), Some(Reason::Best));
    lab.set_interface(address(0).into(), "eth0");
    lab.settle();
    assert_eq!(lab.reason("10.0.0.0/8", 0), refused());
    // Nobody asks any more: its address is followed no longer.
    let plain = config(vec![peer(0, Asn(65001))]);
    lab.core.reconfigure(lab.now, plain);
    lab.settle();
    assert_eq!(lab.reason("10.0.0.0/8", 0), Some(Reason::Best));
    assert!(!lab.watched.contains(&address(0).into()) && lab.watched.contains(&address(9).into()));
}

#[test]
fn a_session_bound_to_an_interface_is_known_by_it_without_anybody_being_asked() {
    let mut config = config(vec![peer(0, Asn(65001))]);
    config.peers[0].import = not_through("eth?");
    config.peers[0].transport.interface = Some("eth1".into());
    let mut lab = Lab::new(config);
    lab.slow.insert(address(0).into());
    lab.up(0);
    lab.announce(0, &attributes(address(9), &[65001]), &["10.0.0.0/8"]);
    lab.settle();
    assert_eq!(lab.reason("10.0.0.0/8", 0), refused());
    assert!(!lab.watched.contains(&address(0).into()));
}

#[test]
fn an_export_policy_goes_by_the_way_to_the_next_hop_and_a_change_of_it_is_announced() {
    let mut config = config(vec![peer(0, Asn(65001)), peer(1, Asn(65002)), peer(2, Asn(65003))]);
    config.peers[1].export = not_through("*.cali");
    config.peers[2].export = not_through("*.cali");
    config.peers[2].capabilities.add_path.directions = crate::config::AddPathDirections::Receive;
    let mut lab = Lab::new(config);
    (0..3).for_each(|index| lab.up(index));
    lab.originate(&["10.1.0.0/16"]);
    lab.interfaces.insert(address(8).into(), "vxlan.cali");
    lab.interfaces.insert(address(9).into(), "eth0");
    lab.announce(0, &attributes(address(8), &[65001]), &["10.8.0.0/16"]);
    lab.announce(0, &attributes(address(9), &[65001]), &["10.9.0.0/16"]);
    lab.settle();
    assert_eq!(lab.prefixes(1), ["10.1.0.0/16", "10.9.0.0/16"], "our own lead through none");
    lab.set_interface(address(8).into(), "eth0");
    lab.set_interface(address(9).into(), "vxlan.cali");
    lab.settle();
    for peer in [1, 2] {
        assert_eq!(lab.prefixes(peer), ["10.1.0.0/16", "10.8.0.0/16"]);
    }
    // Cut off for so short a time that nobody has looked at the route meanwhile.
    lab.set_reachability(address(8).into(), Reachability::Unreachable);
    lab.set_reachability(address(8).into(), Reachability::Reachable { metric: 0 });
    lab.set_interface(address(8).into(), "bpfin.cali");
    lab.settle();
    assert_eq!(lab.prefixes(1), ["10.1.0.0/16"]);
    let told = lab.core.explain(net("10.8.0.0/16")).unwrap().exports;
    assert_eq!(told[1].policy.as_ref().unwrap().to_string(), "term there of p decides");
}
