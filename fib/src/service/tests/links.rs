//! Links and addresses that change: the kernel drops routes without a word, and tells of a change before it acts on it.

use super::*;

const OTHER: &str = "192.168.92.130";

fn link(admin: Admin) -> Link {
    Link { index: 2, name: "eth0".into(), admin, carrier: Carrier::Present }
}

fn without_way(bench: &Bench) {
    bench.kernel.world.borrow_mut().lookups.remove(&ip(NEAR));
}

#[test]
fn a_change_the_kernel_makes_after_its_notice_is_seen_within_a_second() {
    let mut bench = Bench::over(PoolMode::Never);
    bench.apply(BLOCK, Some(NEAR));
    bench.engine.notice(bench.now, Notice::Address(2));
    bench.pass(Duration::from_millis(400));
    without_way(&bench);
    bench.pass(Duration::from_millis(600));
    assert_eq!(bench.held(BLOCK), [kernel_route(BLOCK, 179, Path::Unreachable)]);
}

#[test]
fn a_change_of_a_link_first_seen_in_a_comparison_counts_although_its_notice_brings_nothing_new() {
    let mut bench = Bench::over(PoolMode::Never);
    bench.apply(BLOCK, Some(NEAR));
    bench.engine.notice(bench.now, Notice::Address(2));
    bench.pass(Duration::from_millis(20));
    without_way(&bench);
    bench.kernel.world.borrow_mut().links = vec![link(Admin::Down)];
    bench.pass(Duration::from_millis(40));
    bench.engine.notice(bench.now, Notice::Link(link(Admin::Down)));
    bench.pass(Duration::from_millis(40));
    assert_eq!(bench.held(BLOCK)[0].path, Path::Unreachable);
}

#[test]
fn lost_notices_lead_to_one_comparison_and_a_second_look() {
    let mut bench = Bench::over(PoolMode::Never);
    bench.apply(BLOCK, Some(NEAR));
    bench.kernel.world.borrow_mut().slots.clear();
    let before = bench.kernel.world.borrow().dumps;
    for _ in 0..10 {
        bench.engine.notice(bench.now, Notice::Overrun);
    }
    bench.pass(Duration::from_millis(400));
    assert_eq!(bench.kernel.world.borrow().dumps, before + 1);
    assert_eq!(bench.held(BLOCK), [kernel_route(BLOCK, 179, direct(NEAR))]);
    bench.pass(Duration::from_secs(10));
    assert_eq!(bench.kernel.world.borrow().dumps, before + 2);
}

#[test]
fn a_leg_that_the_kernel_holds_dead_is_taken_out() {
    let mut bench = Bench::over(PoolMode::Never);
    let both = [NEAR, OTHER].map(|address| NextHop::new(ip(address)));
    let change = RouteChange::to(BLOCK.parse().unwrap(), both.into_iter().collect());
    bench.engine.apply(bench.now, &[change]);
    bench.run();
    // The comparison comes before the lookup, and shows the route with both legs as the kernel does.
    bench.engine.notice(bench.now, Notice::Overrun);
    without_way(&bench);
    bench.pass(Duration::from_millis(200));
    assert_eq!(bench.held(BLOCK), [kernel_route(BLOCK, 179, direct(OTHER))]);
}

#[test]
fn a_leg_over_a_link_that_has_just_come_back_waits_while_there_is_another() {
    const LONE: &str = "172.16.197.0/26";
    let mut bench = Bench::over(PoolMode::Never);
    let other = |carrier| Link { index: 3, name: "eth1".into(), admin: Admin::Up, carrier };
    let turns = |bench: &mut Bench, carrier| {
        match carrier {
            Carrier::Present => answer(&bench.kernel, ip(OTHER), 2, on_link(3)),
            Carrier::Lost => _ = bench.kernel.world.borrow_mut().lookups.remove(&ip(OTHER)),
        }
        bench.kernel.world.borrow_mut().links = vec![link(Admin::Up), other(carrier)];
        bench.engine.notice(bench.now, Notice::Link(other(carrier)));
    };
    let legs = |bench: &Bench, prefix| bench.held(prefix)[0].path.legs().len();
    turns(&mut bench, Carrier::Present);
    let both = [NEAR, OTHER].map(|address| NextHop::new(ip(address)));
    let change = RouteChange::to(BLOCK.parse().unwrap(), both.into_iter().collect());
    bench.engine.apply(bench.now, &[change]);
    bench.apply(LONE, Some(OTHER));
    bench.pass(Duration::from_secs(2));
    assert_eq!((legs(&bench, BLOCK), legs(&bench, LONE)), (2, 1));
    turns(&mut bench, Carrier::Lost);
    bench.pass(Duration::from_millis(700));
    assert_eq!((legs(&bench, BLOCK), legs(&bench, LONE)), (1, 0));
    turns(&mut bench, Carrier::Present);
    bench.pass(Duration::from_millis(700));
    assert_eq!((legs(&bench, BLOCK), legs(&bench, LONE)), (1, 1), "an only leg is taken at once");
    bench.pass(Duration::from_millis(700));
    assert_eq!(legs(&bench, BLOCK), 2);
}

#[test]
fn a_leg_through_a_tunnel_device_that_is_new_is_taken_at_once() {
    const FAR: &str = "10.0.0.1";
    let mut bench = Bench::over(PoolMode::CrossSubnet);
    let tunnel = |carrier| Link { index: TUNNEL, name: "tunl0".into(), admin: Admin::Up, carrier };
    for carrier in [Carrier::Lost, Carrier::Present] {
        bench.kernel.world.borrow_mut().links = vec![link(Admin::Up), tunnel(carrier)];
        bench.engine.notice(bench.now, Notice::Link(tunnel(carrier)));
        bench.pass(Duration::from_millis(20));
    }
    let both = [NEAR, FAR].map(|address| NextHop::new(ip(address)));
    let change = RouteChange::to(BLOCK.parse().unwrap(), both.into_iter().collect());
    bench.engine.apply(bench.now, &[change]);
    bench.pass(Duration::from_millis(20));
    assert_eq!(bench.held(BLOCK)[0].path.legs().len(), 2, "there is no port at the other end of a tunnel");
}
