//! Random histories: whatever happens, in the end the kernel holds what is wanted, no wanted prefix was ever deleted,
//! and nobody else's route was ever touched. The simulated kernel checks the latter two at every request.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
};

use proptest::prelude::*;

use super::*;
use crate::{
    config::ObjectUse,
    object::{IdRange, KernelObject, ObjectNotice, Shape},
    view::RestartPhase,
};

/// Something that happens in a random history.
#[derive(Clone, Debug)]
enum Step {
    Apply { prefix: u8, next_hops: BTreeSet<u8> },
    Withdraw { prefix: u8 },
    Mode(PoolMode),
    Objects(ObjectUse),
    RouteMtu(Option<NonZeroU32>),
    ObjectGone { which: u8, heard: bool },
    IdTaken { number: u8 },
    EndRestart,
    Flush,
    Foreign { prefix: u8, heard: bool },
    ForeignGone { prefix: u8 },
    OursAltered { prefix: u8, heard: bool },
    OursDeleted { prefix: u8, heard: bool },
    OursAdded { prefix: u8, metric: u8, heard: bool },
    Fault(u8),
    Overrun,
    Unreachable { next_hop: u8 },
    Pass { milliseconds: u16 },
}

fn step() -> impl Strategy<Value = Step> {
    let (prefix, next_hop, heard) = (0u8..6, 0u8..6, any::<bool>());
    let mode = prop_oneof![
        Just(PoolMode::Always),
        Just(PoolMode::CrossSubnet),
        Just(PoolMode::Never),
        Just(PoolMode::Vxlan)
    ];
    prop_oneof![
        6 => (prefix.clone(), proptest::collection::btree_set(next_hop.clone(), 1..3))
            .prop_map(|(prefix, next_hops)| Step::Apply { prefix, next_hops }),
        2 => prefix.clone().prop_map(|prefix| Step::Withdraw { prefix }),
        2 => mode.prop_map(Step::Mode),
        2 => prop_oneof![Just(ObjectUse::On), Just(ObjectUse::Off)].prop_map(Step::Objects),
        2 => (0u32..3).prop_map(|mtu| Step::RouteMtu(NonZeroU32::new(mtu))),
        2 => (0u8..8, heard).prop_map(|(which, heard)| Step::ObjectGone { which, heard }),
        1 => (0u8..8).prop_map(|number| Step::IdTaken { number }),
        1 => Just(Step::EndRestart),
        1 => Just(Step::Flush),
        2 => (prefix.clone(), heard).prop_map(|(prefix, heard)| Step::Foreign { prefix, heard }),
        2 => prefix.clone().prop_map(|prefix| Step::ForeignGone { prefix }),
        2 => (prefix.clone(), heard).prop_map(|(prefix, heard)| Step::OursAltered { prefix, heard }),
        2 => (prefix.clone(), heard).prop_map(|(prefix, heard)| Step::OursDeleted { prefix, heard }),
        2 => (prefix.clone(), 0u8..2, heard).prop_map(|(prefix, metric, heard)| Step::OursAdded { prefix, metric, heard }),
        2 => (0u8..6).prop_map(Step::Fault),
        1 => Just(Step::Overrun),
        1 => next_hop.prop_map(|next_hop| Step::Unreachable { next_hop }),
        4 => (0u16..2000).prop_map(|milliseconds| Step::Pass { milliseconds }),
    ]
}

fn nth_prefix(n: u8) -> IpNet {
    format!("172.16.{n}.0/26").parse().unwrap()
}

fn nth_next_hop(n: u8) -> IpAddr {
    if n.is_multiple_of(2) {
        IpAddr::from([192, 168, 92, 129 + n / 2])
    } else {
        IpAddr::from([10, 0, 0, 1 + n / 2])
    }
}

/// What the naive model knows: who asked for what, and which routes others have put where.
#[derive(Default)]
struct Model {
    asked: BTreeMap<IpNet, Vec<IpAddr>>,
    foreign: BTreeSet<IpNet>,
    unreachable: BTreeSet<IpAddr>,
    adopted: BTreeSet<IpNet>,
    mode: Option<PoolMode>,
    objects: ObjectUse,
    route_mtu: Option<NonZeroU32>,
    flushed: bool,
}

impl Model {
    fn path(&self, next_hops: &[IpAddr]) -> Option<Path> {
        if self.mode == Some(PoolMode::Vxlan) {
            return None;
        }
        let reached = next_hops.iter().filter(|next_hop| !self.unreachable.contains(*next_hop));
        let legs: Vec<_> = reached.flat_map(|next_hop| self.leg(*next_hop).legs().to_vec()).collect();
        let mtu = self.route_mtu.filter(|_| legs.iter().any(|leg| leg.device == TUNNEL));
        Some(if legs.is_empty() { Path::Unreachable } else { merged(&legs).limited(mtu) })
    }

    fn leg(&self, next_hop: IpAddr) -> Path {
        let text = next_hop.to_string();
        let near = text.starts_with("192.168.92.");
        match (self.mode.unwrap_or(PoolMode::Always), near) {
            (PoolMode::Always, _) | (PoolMode::CrossSubnet, false) => tunnelled(&text),
            (_, true) => direct(&text),
            (_, false) => direct("192.168.92.1"),
        }
    }

    fn config(&self) -> FibConfig {
        let mut config = FibConfig { objects: self.objects, ..config(self.mode.unwrap_or(PoolMode::Always)) };
        config.tunnel.usage.route_mtu = self.route_mtu;
        config
    }

    fn wants(&self, prefix: IpNet) -> bool {
        self.asked.contains_key(&prefix) && self.mode != Some(PoolMode::Vxlan)
    }
}

fn foreign_route(prefix: IpNet) -> KernelRoute {
    kernel_route(&prefix.to_string(), 4, direct("192.168.92.1"))
}

/// Somebody changes a route, and the engine hears of it or does not.
fn meddle(
    bench: &mut Bench,
    prefix: IpNet,
    heard: bool,
    change: impl FnOnce(&mut Vec<KernelRoute>) -> Option<RouteNotice>,
) {
    let slot = Slot { prefix, metric: 0, tos: 0 };
    let notice = change(bench.kernel.world.borrow_mut().slots.entry(slot).or_default());
    if let Some(notice) = notice.filter(|_| heard) {
        bench.engine.notice(bench.now, Notice::Route(notice));
    }
}

fn perform(bench: &mut Bench, model: &mut Model, step: Step) {
    match step {
        Step::Apply { prefix, next_hops } => {
            let prefix = nth_prefix(prefix);
            let addresses: Vec<_> = next_hops.into_iter().map(nth_next_hop).collect();
            let next_hops = addresses.iter().copied().map(NextHop::new).collect();
            model.asked.insert(prefix, addresses);
            model.adopted.remove(&prefix);
            bench.engine.apply(bench.now, &[RouteChange::to(prefix, next_hops)]);
        }
        Step::Withdraw { prefix } => {
            model.asked.remove(&nth_prefix(prefix));
            bench.engine.apply(bench.now, &[RouteChange::withdraw(nth_prefix(prefix))]);
        }
        Step::Mode(mode) => {
            (model.mode, model.flushed) = (Some(mode), false);
            bench.engine.configure(bench.now, model.config());
        }
        Step::Objects(objects) => {
            (model.objects, model.flushed) = (objects, false);
            bench.engine.configure(bench.now, model.config());
        }
        Step::RouteMtu(mtu) => {
            model.route_mtu = mtu;
            bench.engine.tunnel_use(model.config().tunnel.usage);
        }
        Step::ObjectGone { which, heard } => {
            let id = bench.kernel.world.borrow().objects.keys().nth(which.into()).copied();
            let Some(id) = id else { return };
            bench.kernel.world.borrow_mut().remove_object(id);
            let notice = if heard { Notice::Object(ObjectNotice::Removed(id)) } else { Notice::Overrun };
            bench.engine.notice(bench.now, notice);
        }
        Step::IdTaken { number } => {
            let id = IdRange::new(179, 254).id(number.into());
            let object = KernelObject { id, protocol: 11, shape: Shape::Other };
            bench.kernel.world.borrow_mut().objects.entry(id).or_insert(object);
        }
        Step::EndRestart => {
            bench.engine.end_restart();
            model.adopted.clear();
        }
        Step::Flush => {
            (model.asked, model.flushed) = (Default::default(), true);
            bench.kernel.world.borrow_mut().wanted.clear();
            wait(bench.engine.flush(bench.now)).unwrap();
        }
        Step::Foreign { prefix, heard } => {
            let prefix = nth_prefix(prefix);
            if model.foreign.insert(prefix) {
                meddle(bench, prefix, heard, |routes| {
                    routes.insert(0, foreign_route(prefix));
                    Some(RouteNotice::Added(foreign_route(prefix)))
                });
                if !heard {
                    bench.engine.notice(bench.now, Notice::Overrun);
                }
            }
        }
        Step::ForeignGone { prefix } => {
            let prefix = nth_prefix(prefix);
            if model.foreign.remove(&prefix) {
                meddle(bench, prefix, true, |routes| {
                    routes.retain(|route| route.protocol == 179);
                    Some(RouteNotice::Removed(foreign_route(prefix)))
                });
            }
        }
        Step::OursAltered { prefix, heard } => meddle(bench, nth_prefix(prefix), heard, |routes| {
            let route = routes.first_mut().filter(|route| route.protocol == 179)?;
            route.path = direct("192.168.92.99");
            Some(RouteNotice::Replaced(route.clone()))
        }),
        Step::OursDeleted { prefix, heard } => {
            model.adopted.remove(&nth_prefix(prefix));
            meddle(bench, nth_prefix(prefix), heard, |routes| {
                let index = routes.iter().position(|route| route.protocol == 179)?;
                Some(RouteNotice::Removed(routes.remove(index)))
            });
        }
        Step::OursAdded { prefix, metric, heard } => {
            let mut route = kernel_route(&nth_prefix(prefix).to_string(), 179, direct("192.168.92.98"));
            route.metric = metric.into();
            put(&bench.kernel, route.clone());
            if heard {
                bench.engine.notice(bench.now, Notice::Route(RouteNotice::Added(route)));
            }
        }
        Step::Fault(kind) => {
            let errnos = [libc::ENETUNREACH, libc::EINVAL, libc::EBUSY, libc::ENOBUFS, libc::ENOMEM];
            let fault = errnos.get(usize::from(kind)).map_or(Fault::Silence, |errno| Fault::Refuse(*errno));
            bench.fault(fault);
        }
        Step::Overrun => bench.engine.notice(bench.now, Notice::Overrun),
        Step::Unreachable { next_hop } => {
            let address = nth_next_hop(next_hop);
            model.unreachable.insert(address);
            bench.kernel.world.borrow_mut().lookups.remove(&address);
        }
        Step::Pass { milliseconds } => bench.pass(Duration::from_millis(milliseconds.into())),
    }
    let adopted = match bench.engine.status().restart {
        RestartPhase::Underway => model.adopted.clone(),
        RestartPhase::Over => Default::default(),
    };
    let wanted = (0..6).map(nth_prefix).filter(|prefix| model.wants(*prefix)).chain(adopted).collect();
    bench.kernel.world.borrow_mut().wanted = wanted;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_ends_with_what_is_wanted_and_every_foreign_route_untouched(
        found in proptest::collection::vec((0u8..6, 0u8..6), 0..4),
        steps in proptest::collection::vec(step(), 0..40),
    ) {
        let adopted = found.iter().map(|(prefix, _)| nth_prefix(*prefix)).collect();
        let mut model = Model { adopted, objects: ObjectUse::Off, ..Model::default() };
        let mut bench = Bench::new(PoolMode::Always, |kernel| {
            for (prefix, next_hop) in found {
                let next_hop = nth_next_hop(next_hop).to_string();
                put(kernel, kernel_route(&nth_prefix(prefix).to_string(), 179, tunnelled(&next_hop)));
            }
        });
        steps.into_iter().for_each(|step| perform(&mut bench, &mut model, step));
        bench.kernel.world.borrow_mut().faults.clear();
        perform(&mut bench, &mut model, Step::EndRestart);
        bench.pass(Duration::from_secs(130));
        for prefix in (0..6).map(nth_prefix) {
            let held = bench.held(&prefix.to_string());
            let objects = held.iter().any(|route| route.path.object().is_some());
            let held: Vec<_> = held.into_iter().map(|route| bench.spelled_out(route)).collect();
            let (ours, foreign): (Vec<_>, Vec<_>) = held.into_iter().partition(|route| route.protocol == 179);
            prop_assert_eq!(foreign.len(), usize::from(model.foreign.contains(&prefix)));
            let asked = model.asked.get(&prefix);
            match asked.and_then(|next_hops| model.path(next_hops)) {
                Some(path) if foreign.is_empty() => {
                    let form = model.objects == ObjectUse::On && path != Path::Unreachable;
                    prop_assert_eq!(objects, form);
                    prop_assert_eq!(ours, vec![kernel_route(&prefix.to_string(), 179, path)]);
                }
                Some(_) => prop_assert!(ours.len() <= 1),
                None => prop_assert_eq!(ours, vec![]),
            }
        }
        let blocks = bench.held("172.16.241.64/26").len();
        prop_assert_eq!(blocks, usize::from(!model.flushed && model.mode != Some(PoolMode::Vxlan)));
        prop_assert_eq!(bench.engine.status().restart, RestartPhase::Over);
        // No object is left that nothing needs.
        let world = bench.kernel.world.borrow();
        let routes = |id| world.routes().iter().any(|route| route.path.object() == Some(id));
        let holds = |group: &KernelObject, id| match &group.shape {
            Shape::Group(members) => routes(group.id) && members.iter().any(|member| member.id == id),
            _ => false,
        };
        let users = |id| routes(id) || world.objects.values().any(|group| holds(group, id));
        let ours = world.objects.values().filter(|object| object.protocol == 179);
        prop_assert!(!model.foreign.is_empty() || ours.into_iter().all(|object| users(object.id)));
    }
}
