use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    config::Masquerade,
    guard::{self, Admitted, Behind, binding::Binding},
    masquerade, outer_source,
    table::{Chain, Hook},
};

const NAME_INDEX: u32 = 9;

/// A kernel that does what a step says, and checks the laws on the way.
fn apply(observed: &mut Observed, step: &Step) {
    match step {
        Step::ChangeGuard(change) => parts(observed).0.apply(change),
        Step::ChangeLeaving(change) => parts(observed).1.apply(change),
        Step::RemoveTable => observed.table = TableView::Absent,
        Step::CreateDevice => {
            observed.device = Some(Device {
                index: NAME_INDEX,
                kind: "ipip".into(),
                mtu: 1480,
                dont_fragment: Some(DontFragment::Inherited),
                admin: AdminState::Down,
                addresses: BTreeSet::new(),
                origin: Origin::Created,
            });
        }
        Step::RenameDevice(index) => {
            observed.renamed = None;
            apply(observed, &Step::CreateDevice);
            device(observed).index = *index;
            device(observed).origin = Origin::Adopted;
        }
        Step::SetMtu(mtu) => device(observed).mtu = *mtu,
        Step::SetDontFragment(bit) => device(observed).dont_fragment = Some(*bit),
        Step::AddAddress(address) => assert!(device(observed).addresses.insert(Ipv4Net::from(*address))),
        Step::RemoveAddress(net) => assert!(device(observed).addresses.remove(net)),
        Step::SetUp => device(observed).admin = AdminState::Up,
        Step::SetDown => device(observed).admin = AdminState::Down,
        Step::DeleteDevice => observed.device = None,
    }
}

fn device(observed: &mut Observed) -> &mut Device {
    observed.device.as_mut().expect("a step for a device needs the device")
}

/// The table's two parts; it is created where it is missing.
fn parts(observed: &mut Observed) -> (&mut Table, &mut Table) {
    if observed.table == TableView::Absent {
        observed.table = TableView::Present { guard: Table::default(), leaving: Table::default() };
    }
    match &mut observed.table {
        TableView::Present { guard, leaving } => (guard, leaving),
        other => panic!("a change of {other:?}"),
    }
}

/// Takes the steps and says how the rules look then.
fn take(observed: &mut Observed, steps: &[Step], mut printed: Printed) -> Printed {
    for step in steps {
        apply(observed, step);
        match step {
            Step::ChangeGuard(change) => printed.note(change, parts(observed).0),
            Step::ChangeLeaving(change) => printed.note(change, parts(observed).1),
            _ => {}
        }
    }
    printed
}

/// What is known of rules after these parts were written.
fn printed_of(parts: &[&Ruleset]) -> Printed {
    let mut printed = Printed::default();
    for wanted in parts {
        let mut table = Table::default();
        let change = Change::between(&table, wanted, &printed);
        table.apply(&change);
        printed.note(&change, &table);
    }
    printed
}

fn is_guarded_as(observed: &Observed, wanted: &Ruleset) -> bool {
    observed.table.guard().is_some_and(|table| holds(table, wanted))
}

fn holds(table: &Table, wanted: &Ruleset) -> bool {
    let chains = wanted.chains.iter().map(|(name, chain)| ((*name).to_owned(), chain.clone())).collect();
    table.sets == wanted.sets && table.chains == chains
}

fn addresses() -> impl Strategy<Value = BTreeSet<Ipv4Addr>> {
    prop::collection::btree_set((0_u8..6).prop_map(|last| Ipv4Addr::new(10, 0, 0, last)), 0..4)
}

fn nets() -> impl Strategy<Value = BTreeSet<Ipv4Net>> {
    let net = (0_u8..6, prop_oneof![Just(32_u8), Just(26), Just(24)])
        .prop_map(|(last, len)| Ipv4Net::new(Ipv4Addr::new(10, 0, 0, last), len).unwrap());
    prop::collection::btree_set(net, 0..5)
}

fn prefixes() -> impl Strategy<Value = BTreeSet<Behind>> {
    nets().prop_map(|nets| {
        let behind = |net: Ipv4Net| Behind { prefix: net.trunc(), node: Some(net.addr()) };
        nets.into_iter().map(behind).collect()
    })
}

prop_compose! {
    fn guards()(
        nodes in nets(), behind in prefixes(), here in nets(), mask in prop::option::of(Just(0xff_u32)),
    ) -> Ruleset {
        let trunc = |nets: BTreeSet<Ipv4Net>| nets.iter().map(Ipv4Net::trunc).collect();
        let binding = mask.map(|mask| {
            let mut binding = Binding::default();
            binding.assign(mask, &behind.iter().filter_map(|behind| behind.node).collect());
            binding
        });
        guard::ruleset(&Admitted { nodes: trunc(nodes), behind, here: trunc(here), binding, ..Admitted::default() }, "tunl0")
    }
}

prop_compose! {
    fn translations()(
        sources in nets(), except_to in nets(), inside in prop::option::of(nets()), node in 0_u8..2,
    ) -> Ruleset {
        let masquerade = masquerade::ruleset(&Masquerade { sources, except_to });
        let node = Ipv4Addr::new(192, 168, 92, node);
        masquerade.and(inside.map_or_else(Ruleset::default, |inside| outer_source::ruleset(node, &inside)))
    }
}

fn bits() -> impl Strategy<Value = DontFragment> {
    prop_oneof![Just(DontFragment::Inherited), Just(DontFragment::Always)]
}

fn presents() -> impl Strategy<Value = Present> {
    let goal = prop_oneof![
        (0_u8..6).prop_map(|last| AddressGoal::Only(Ipv4Addr::new(10, 0, 0, last))),
        addresses().prop_map(AddressGoal::Without),
    ];
    (prop::option::of(1_400_u32..1_403), prop::option::of(bits()), goal, prop::option::of(guards())).prop_map(
        |(mtu, dont_fragment, addresses, guard)| {
            let kind = DeviceKind::Ipip;
            Present { kind, mtu, dont_fragment, addresses, keep: BTreeSet::new(), guard }
        },
    )
}

prop_compose! {
    fn desires()(present in presents(), leaving in translations()) -> Desired {
        Desired { tunnel: Goal::Present(present), leaving }
    }
}

fn removed(leaving: Ruleset) -> Desired {
    Desired { tunnel: Goal::Removed { kind: DeviceKind::Ipip, keep: BTreeSet::new() }, leaving }
}

/// A part of the table as we or someone else left it.
fn tables(wanted: impl Strategy<Value = Ruleset>, prefix: &'static str) -> impl Strategy<Value = Table> {
    (wanted, 0_u8..5).prop_map(move |(wanted, harm)| {
        let mut table = Table::default();
        table.apply(&Change::between(&table, &wanted, &Printed::default()));
        let first = table.chains.keys().next().cloned();
        match (harm, first) {
            (1, Some(name)) => drop(table.chains.remove(&name)),
            (2, Some(name)) => table.chains.entry(name).or_default().rules.clear(),
            (3, Some(name)) => {
                table.chains.entry(name).or_default().hook = Some(Hook::new("filter", "forward", 0))
            }
            (4, _) => {
                let foreign = Chain { hook: None, rules: vec![json!("foreign")] };
                table.chains.insert(format!("{prefix}foreign"), foreign);
            }
            _ => {}
        }
        table
    })
}

fn observations() -> impl Strategy<Value = Observed> {
    let admin = prop_oneof![Just(AdminState::Up), Just(AdminState::Down)];
    let origin = prop_oneof![Just(Origin::Created), Just(Origin::Adopted)];
    let kind = prop_oneof![9 => Just("ipip".to_owned()), 1 => Just("bridge".to_owned())];
    let device = (kind, 1_400_u32..1_403, bits(), admin, nets(), origin).prop_map(
        |(kind, mtu, bit, admin, addresses, origin)| {
            let (index, dont_fragment) = (NAME_INDEX, Some(bit));
            Device { index, kind, mtu, dont_fragment, admin, addresses, origin }
        },
    );
    let table = prop_oneof![
        1 => Just(TableView::Unknown),
        2 => Just(TableView::Absent),
        6 => (tables(guards(), ""), tables(translations(), "nat_"))
            .prop_map(|(guard, leaving)| TableView::Present { guard, leaving }),
    ];
    (prop::option::weighted(0.7, device), prop::option::of(Just(NAME_INDEX)), table).prop_map(
        |(device, renamed, table)| {
            let renamed = renamed.filter(|_| device.is_none());
            Observed { device, renamed, underlay: None, table }
        },
    )
}

fn ours(observed: &Observed) -> Option<&Device> {
    observed.device.as_ref().filter(|device| device.kind == "ipip")
}

fn has_only(observed: &Observed, goal: &AddressGoal) -> bool {
    let there = &observed.device.as_ref().unwrap().addresses;
    match goal {
        AddressGoal::Only(address) => *there == BTreeSet::from([Ipv4Net::from(*address)]),
        AddressGoal::Without(former) => there.iter().all(|net| !former.contains(&net.addr())),
    }
}

proptest! {
    #[test]
    fn the_steps_lead_to_what_is_wanted_and_then_nothing_is_left_to_do(
        desired in desires(), start in observations(), rules_known in any::<bool>()
    ) {
        let Goal::Present(present) = desired.tunnel.clone() else { unreachable!() };
        let (guard, leaving) = desired.table();
        let known: Vec<&Ruleset> = guard.into_iter().chain([leaving]).filter(|_| rules_known).collect();
        let printed = printed_of(&known);
        let Plan { steps, refusal } = plan(&desired, &start, &printed);
        let mut now = start;
        let printed = take(&mut now, &steps, printed);
        if refusal.is_none() {
            let up = now.device.clone().unwrap();
            prop_assert_eq!(up.admin, AdminState::Up);
            prop_assert!(present.mtu.is_none_or(|mtu| mtu == up.mtu));
            prop_assert!(has_only(&now, &present.addresses));
            match &present.guard {
                Some(wanted) => prop_assert!(is_guarded_as(&now, wanted)),
                None => prop_assert!(now.table.guard().is_none()),
            }
            if now.table != TableView::Unknown {
                let nothing = Table::default();
                prop_assert!(holds(now.table.leaving().unwrap_or(&nothing), &desired.leaving));
            }
            prop_assert_eq!(plan(&desired, &now, &printed), Plan::default());
        }
    }

    #[test]
    fn the_device_is_never_brought_up_unguarded(desired in desires(), start in observations()) {
        let Plan { steps, .. } = plan(&desired, &start, &Printed::default());
        let mut now = start;
        for step in &steps {
            if *step == Step::SetUp && let (Some(wanted), _) = desired.table() {
                prop_assert!(is_guarded_as(&now, wanted));
            }
            apply(&mut now, step);
        }
    }

    #[test]
    fn a_new_address_is_there_before_an_old_one_goes(desired in desires(), start in observations()) {
        let Plan { steps, .. } = plan(&desired, &start, &Printed::default());
        let added = steps.iter().rposition(|step| matches!(step, Step::AddAddress(_)));
        let removed = steps.iter().position(|step| matches!(step, Step::RemoveAddress(_)));
        if let (Some(added), Some(removed)) = (added, removed) {
            prop_assert!(added < removed);
        }
    }

    #[test]
    fn nothing_but_a_flush_takes_the_device_down(desired in desires(), start in observations()) {
        let Plan { steps, .. } = plan(&desired, &start, &Printed::default());
        prop_assert!(!steps.iter().any(|step| matches!(step, Step::SetDown | Step::DeleteDevice)));
    }

    #[test]
    fn a_link_of_another_kind_is_not_touched(desired in desires(), start in observations()) {
        let Plan { steps, refusal } = plan(&desired, &start, &Printed::default());
        if let Some(Refusal::ForeignDevice(_)) = refusal {
            prop_assert!(steps.iter().all(Step::concerns_the_table));
        }
    }

    #[test]
    fn a_flush_leaves_nothing_up_and_removes_the_table_last(start in observations()) {
        let Plan { steps, .. } = plan(&removed(Ruleset::default()), &start, &Printed::default());
        let mut now = start.clone();
        for step in &steps {
            prop_assert!(*step != Step::RemoveTable || ours(&now).is_none_or(|device| device.admin == AdminState::Down));
            apply(&mut now, step);
        }
        prop_assert!(matches!(now.table, TableView::Unknown | TableView::Absent));
        if let Some(left) = ours(&now) {
            prop_assert!(left.admin == AdminState::Down && left.addresses.is_empty());
            prop_assert_eq!(left.origin, Origin::Adopted);
        }
    }
}

#[test]
fn nothing_is_done_before_the_tunnel_was_needed() {
    let untouched = Desired { tunnel: Goal::Untouched, leaving: Ruleset::default() };
    assert_eq!(plan(&untouched, &Observed::default(), &Printed::default()), Plan::default());
}

#[test]
fn masquerading_needs_no_tunnel() {
    let sources = ["172.16.0.0/16".parse().unwrap()].into();
    let leaving = masquerade::ruleset(&Masquerade { sources, except_to: BTreeSet::new() });
    let desired = Desired { tunnel: Goal::Untouched, leaving };
    let absent = Observed { table: TableView::Absent, ..Observed::default() };
    let Plan { steps, .. } = plan(&desired, &absent, &Printed::default());
    assert!(matches!(steps.as_slice(), [Step::ChangeLeaving(_)]), "{steps:?}");
}
