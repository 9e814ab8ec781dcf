//! Next-hop objects that no route needs any more go in the end, whatever came between.

use super::*;
use crate::{config::ObjectUse, object::ObjectId};

const FAR: &str = "192.168.92.130";

/// An engine whose only route of the pool goes through an object.
fn bench() -> Bench {
    let mut bench = Bench::over(PoolMode::Never);
    let config = FibConfig { objects: ObjectUse::On, ..config(PoolMode::Never) };
    bench.engine.configure(bench.now, config);
    bench.apply(BLOCK, Some(NEAR));
    assert_eq!(objects(&bench).len(), 1);
    bench
}

fn objects(bench: &Bench) -> Vec<ObjectId> {
    bench.kernel.world.borrow().objects.keys().copied().collect()
}

fn slot() -> Slot {
    Slot { prefix: BLOCK.parse().unwrap(), metric: 0, tos: 0 }
}

#[test]
fn an_object_whose_deletion_was_refused_or_not_answered_goes_later() {
    for fault in [Fault::Refuse(libc::ENOMEM), Fault::Silence] {
        let mut bench = bench();
        bench.apply(BLOCK, None);
        bench.fault(fault);
        bench.pass(Duration::from_secs(5));
        assert_eq!(objects(&bench), [], "{fault:?}");
    }
}

#[test]
fn an_object_goes_when_the_route_that_held_it_back_turns_out_to_be_gone() {
    for heard in [true, false] {
        for wanted in [Some(FAR), None] {
            let mut bench = bench();
            (0..4).for_each(|_| bench.fault(Fault::Refuse(libc::EBUSY)));
            bench.apply(BLOCK, wanted);
            // The sweep after the refusals finds the object in use.
            bench.pass(Duration::from_millis(2000));
            let route = bench.kernel.world.borrow_mut().slots.remove(&slot()).unwrap().remove(0);
            if heard {
                bench.engine.notice(bench.now, Notice::Route(RouteNotice::Removed(route)));
            }
            bench.pass(Duration::from_secs(70));
            assert_eq!(objects(&bench).len(), usize::from(wanted.is_some()), "{heard} {wanted:?}");
        }
    }
}

#[test]
fn an_object_goes_when_the_route_of_somebody_else_that_borrowed_it_is_gone() {
    let mut bench = bench();
    let path = Path::Object(objects(&bench)[0]);
    put(&bench.kernel, kernel_route("10.50.0.0/16", 4, path));
    bench.engine.notice(bench.now, Notice::Overrun);
    bench.pass(Duration::from_secs(1));
    bench.apply(BLOCK, None);
    bench.pass(Duration::from_secs(5));
    assert_eq!(objects(&bench).len(), 1);
    bench.kernel.world.borrow_mut().slots.clear();
    bench.pass(Duration::from_secs(70));
    assert_eq!(objects(&bench), []);
}
