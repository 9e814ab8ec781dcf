use proptest::prelude::*;
use serde_json::json;

use super::*;

const NAME_INDEX: u32 = 9;

/// The rules as nft prints them after we wrote them.
fn our_rules() -> Vec<Value> {
    vec![json!("ours")]
}

/// A kernel that does what a step says, and checks the laws on the way.
fn apply(observed: &mut Observed, step: &Step) {
    match step {
        Step::ChangeGuard(change) => change_guard(observed, change),
        Step::RemoveGuard => observed.guard = GuardView::Absent,
        Step::CreateDevice => {
            observed.device = Some(Device {
                index: NAME_INDEX,
                kind: "ipip".into(),
                mtu: 1480,
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

fn change_guard(observed: &mut Observed, change: &GuardChange) {
    let mut table = match std::mem::take(&mut observed.guard) {
        GuardView::Table(table) => table,
        _ => GuardTable::default(),
    };
    match (change.chain, &table.chain) {
        (ChainChange::Keep, Chain::Hooked(_)) | (ChainChange::Replace, Chain::Misplaced) => {}
        (ChainChange::Rewrite, Chain::Hooked(_) | Chain::Absent) => {}
        (change, chain) => panic!("{change:?} does not fit {chain:?}"),
    }
    if change.chain != ChainChange::Keep {
        table.chain = Chain::Hooked(our_rules());
    }
    assert!(change.remove.is_subset(&table.members.nodes), "nft refuses to delete what is not there");
    table.members.nodes.retain(|node| !change.remove.contains(node));
    table.members.nodes.extend(&change.add);
    if let Some(networks) = &change.networks {
        table.members.networks = networks.clone();
    }
    observed.guard = GuardView::Table(table);
}

fn is_guarded_as(observed: &Observed, members: &Members) -> bool {
    matches!(&observed.guard, GuardView::Table(table)
        if table.members == *members && table.chain == Chain::Hooked(our_rules()))
}

fn addresses() -> impl Strategy<Value = BTreeSet<Ipv4Addr>> {
    prop::collection::btree_set((0_u8..6).prop_map(|last| Ipv4Addr::new(10, 0, 0, last)), 0..4)
}

fn nets() -> impl Strategy<Value = BTreeSet<Ipv4Net>> {
    let net = (0_u8..6, prop_oneof![Just(32_u8), Just(26), Just(24)])
        .prop_map(|(last, len)| Ipv4Net::new(Ipv4Addr::new(10, 0, 0, last), len).unwrap());
    prop::collection::btree_set(net, 0..5)
}

prop_compose! {
    fn members()(nets in nets()) -> Members { Members::new(&nets) }
}

fn presents() -> impl Strategy<Value = Present> {
    let goal = prop_oneof![
        (0_u8..6).prop_map(|last| AddressGoal::Only(Ipv4Addr::new(10, 0, 0, last))),
        addresses().prop_map(AddressGoal::Without),
    ];
    (prop::option::of(1_400_u32..1_403), goal, prop::option::of(members()))
        .prop_map(|(mtu, addresses, guard)| Present { kind: DeviceKind::Ipip, mtu, addresses, guard })
}

fn chains() -> impl Strategy<Value = Chain> {
    prop_oneof![
        Just(Chain::Absent),
        Just(Chain::Misplaced),
        Just(Chain::Hooked(our_rules())),
        Just(Chain::Hooked(Vec::new())),
    ]
}

fn observations() -> impl Strategy<Value = Observed> {
    let admin = prop_oneof![Just(AdminState::Up), Just(AdminState::Down)];
    let origin = prop_oneof![Just(Origin::Created), Just(Origin::Adopted)];
    let kind = prop_oneof![9 => Just("ipip".to_owned()), 1 => Just("bridge".to_owned())];
    let device =
        (kind, 1_400_u32..1_403, admin, nets(), origin).prop_map(|(kind, mtu, admin, addresses, origin)| {
            Device { index: NAME_INDEX, kind, mtu, admin, addresses, origin }
        });
    let table = (members(), chains()).prop_map(|(members, chain)| GuardTable {
        members,
        chain,
        ..GuardTable::default()
    });
    let guard = prop_oneof![
        1 => Just(GuardView::Unknown),
        2 => Just(GuardView::Absent),
        6 => table.prop_map(GuardView::Table),
    ];
    (prop::option::weighted(0.7, device), prop::option::of(Just(NAME_INDEX)), guard).prop_map(
        |(device, renamed, guard)| {
            let renamed = renamed.filter(|_| device.is_none());
            Observed { device, renamed, underlay: None, guard }
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
        present in presents(), start in observations(), rules_known in any::<bool>()
    ) {
        let desired = Desired::Present(present.clone());
        let rules = rules_known.then(our_rules);
        let Plan { steps, refusal } = plan(&desired, &start, rules.as_deref());
        let mut now = start;
        for step in &steps {
            apply(&mut now, step);
        }
        if refusal.is_none() {
            let up = now.device.clone().unwrap();
            prop_assert_eq!(up.admin, AdminState::Up);
            prop_assert!(present.mtu.is_none_or(|mtu| mtu == up.mtu));
            prop_assert!(has_only(&now, &present.addresses));
            match &present.guard {
                Some(members) => prop_assert!(is_guarded_as(&now, members)),
                None => prop_assert!(!matches!(now.guard, GuardView::Table(_))),
            }
            prop_assert_eq!(plan(&desired, &now, Some(&our_rules())), Plan::default());
        }
    }

    #[test]
    fn the_device_is_never_brought_up_unguarded(present in presents(), start in observations()) {
        let Plan { steps, .. } = plan(&Desired::Present(present.clone()), &start, None);
        let mut now = start;
        for step in &steps {
            if *step == Step::SetUp && let Some(members) = &present.guard {
                prop_assert!(is_guarded_as(&now, members));
            }
            apply(&mut now, step);
        }
    }

    #[test]
    fn a_new_address_is_there_before_an_old_one_goes(present in presents(), start in observations()) {
        let Plan { steps, .. } = plan(&Desired::Present(present), &start, None);
        let added = steps.iter().rposition(|step| matches!(step, Step::AddAddress(_)));
        let removed = steps.iter().position(|step| matches!(step, Step::RemoveAddress(_)));
        if let (Some(added), Some(removed)) = (added, removed) {
            prop_assert!(added < removed);
        }
    }

    #[test]
    fn nothing_but_a_flush_takes_the_device_down(present in presents(), start in observations()) {
        let Plan { steps, .. } = plan(&Desired::Present(present), &start, None);
        prop_assert!(!steps.iter().any(|step| matches!(step, Step::SetDown | Step::DeleteDevice)));
    }

    #[test]
    fn a_link_of_another_kind_is_not_touched(present in presents(), start in observations()) {
        let Plan { steps, refusal } = plan(&Desired::Present(present), &start, None);
        if let Some(Refusal::ForeignDevice(_)) = refusal {
            prop_assert!(steps.iter().all(|step| matches!(step, Step::ChangeGuard(_) | Step::RemoveGuard)));
        }
    }

    #[test]
    fn a_flush_leaves_nothing_up_and_removes_the_guard_last(start in observations()) {
        let Plan { steps, .. } = plan(&Desired::Removed(DeviceKind::Ipip), &start, None);
        let mut now = start.clone();
        for step in &steps {
            prop_assert!(*step != Step::RemoveGuard || ours(&now).is_none_or(|device| device.admin == AdminState::Down));
            apply(&mut now, step);
        }
        prop_assert!(!matches!(now.guard, GuardView::Table(_)));
        if let Some(left) = ours(&now) {
            prop_assert!(left.admin == AdminState::Down && left.addresses.is_empty());
            prop_assert_eq!(left.origin, Origin::Adopted);
        }
    }
}

#[test]
fn nothing_is_done_before_the_tunnel_was_needed() {
    assert_eq!(plan(&Desired::Untouched, &Observed::default(), None), Plan::default());
}
