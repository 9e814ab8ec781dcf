use proptest::prelude::*;

use super::{super::message::encode, *};

fn at(seconds: f64) -> Now {
    Now(Duration::from_secs_f64(seconds))
}

fn address(number: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, number)
}

fn up(advertising: Advertising) -> Link {
    let mut link = Link::new(advertising, 7);
    assert_eq!(link.handle_presence(at(0.0), Presence::Up), News::Some);
    link
}

fn advertise(link: &mut Link, now: Now, from: u16, lifetime: u16) -> News {
    let arrival = Arrival { source: address(from), hop_limit: 255 };
    link.handle_packet(now, arrival, &encode(Message::Advertisement { lifetime }, None))
}

/// Everything sent until `end`, with its time in seconds.
fn sent_until(link: &mut Link, end: Now) -> Vec<(f64, Transmit)> {
    let mut sent = Vec::new();
    while let Some(due) = link.poll_timeout().filter(|due| *due <= end) {
        link.handle_timeout(due);
        while let Some(transmit) = link.poll_transmit(due) {
            link.handle_sent(due, transmit);
            sent.push((due.0.as_secs_f64(), transmit));
        }
    }
    sent
}

#[test]
fn a_link_that_comes_up_is_told_of_us_quickly_and_then_every_ten_seconds_at_most() {
    let sent = sent_until(&mut up(Advertising::On), at(100.0));
    let times: Vec<f64> =
        sent.iter().filter(|(_, what)| *what == Transmit::Advertisement).map(|(time, _)| *time).collect();
    assert_eq!(times[..3], [0.0, 3.0, 6.0]);
    for pair in times.windows(2).skip(2) {
        assert!((7.5..=10.0).contains(&(pair[1] - pair[0])), "{times:?}");
    }
    let asked: Vec<f64> =
        sent.iter().filter(|(_, what)| *what == Transmit::Solicitation).map(|(time, _)| *time).collect();
    assert_eq!(asked, [0.0, 4.0, 8.0]);
}

#[test]
fn who_may_not_advertise_asks_all_the_same_and_only_until_somebody_answers() {
    let mut link = up(Advertising::Off);
    assert_eq!(link.poll_transmit(at(0.0)), Some(Transmit::Solicitation));
    assert_eq!(advertise(&mut link, at(0.1), 1, 0), News::Some);
    assert!(sent_until(&mut link, at(30.0)).is_empty());
}

#[test]
fn a_link_that_is_down_is_sent_nothing() {
    let mut link = up(Advertising::On);
    link.handle_presence(at(1.0), Presence::Down);
    assert_eq!((link.poll_transmit(at(100.0)), link.poll_timeout()), (None, None));
}

#[test]
fn what_could_not_be_sent_is_tried_again_after_a_second() {
    let mut link = up(Advertising::On);
    while let Some(transmit) = link.poll_transmit(at(0.0)) {
        link.handle_unsent(at(0.0), transmit);
    }
    assert_eq!(link.poll_timeout(), Some(at(1.0)));
    let sent = sent_until(&mut link, at(8.0));
    let times =
        |what| sent.iter().filter(|(_, sent)| *sent == what).map(|(time, _)| *time).collect::<Vec<_>>();
    assert_eq!(times(Transmit::Advertisement), [1.0, 4.0, 7.0]);
    assert_eq!(times(Transmit::Solicitation), [1.0, 5.0]);
}

#[test]
fn a_solicitation_is_answered_but_not_within_three_seconds() {
    let mut link = up(Advertising::On);
    sent_until(&mut link, at(30.0));
    let last = link.last_advertised.unwrap();
    let asker = Arrival { source: address(9), hop_limit: 255 };
    link.handle_packet(last.plus(Duration::from_secs(1)), asker, &encode(Message::Solicitation, None));
    assert_eq!(link.poll_timeout(), Some(last.plus(SHORTEST)));
    assert_eq!(link.poll_transmit(last.plus(SHORTEST)), Some(Transmit::Advertisement));
}

#[test]
fn the_first_router_heard_is_the_neighbour_until_it_falls_silent() {
    let mut link = up(Advertising::On);
    advertise(&mut link, at(1.0), 2, 1800);
    advertise(&mut link, at(2.0), 1, 0);
    assert_eq!(link.neighbour(at(3.0), None, &[]), Some(address(2)));
    advertise(&mut link, at(30.0), 1, 0);
    assert_eq!(link.neighbour(at(35.0), Some(address(2)), &[]), Some(address(2)));
    // It may be remembered for long, but another one is heard now.
    assert_eq!(link.neighbour(at(37.0), Some(address(2)), &[]), Some(address(1)));
    link.handle_timeout(at(70.0));
    assert_eq!(link.neighbour(at(70.0), Some(address(1)), &[]), Some(address(2)));
    link.handle_timeout(at(1802.0));
    assert_eq!(link.neighbour(at(1802.0), Some(address(2)), &[]), None);
}

#[test]
fn a_peer_by_its_address_is_not_found_a_second_time() {
    let mut link = up(Advertising::On);
    advertise(&mut link, at(1.0), 1, 0);
    assert_eq!(link.neighbour(at(2.0), None, &[address(1)]), None);
    advertise(&mut link, at(2.0), 2, 0);
    assert_eq!(link.neighbour(at(2.0), None, &[address(1)]), Some(address(2)));
}

#[test]
fn nobody_is_remembered_of_an_interface_that_is_gone() {
    let mut link = up(Advertising::On);
    link.handle_contact(at(1.0), address(1));
    link.handle_presence(at(2.0), Presence::Down);
    assert_eq!(link.neighbour(at(3.0), None, &[]), Some(address(1)));
    assert_eq!(link.handle_presence(at(3.0), Presence::Absent), News::Some);
    assert_eq!(link.neighbour(at(3.0), Some(address(1)), &[]), None);
}

#[test]
fn who_has_heard_nobody_for_a_while_asks_again() {
    let mut link = up(Advertising::Off);
    link.poll_transmit(at(0.0));
    advertise(&mut link, at(1.0), 1, 0);
    assert_eq!(sent_until(&mut link, at(36.0)), [(36.0, Transmit::Solicitation)]);
}

#[test]
fn a_flood_of_routers_is_not_remembered_and_faults_are_counted() {
    let mut link = up(Advertising::On);
    for number in 1..=200 {
        advertise(&mut link, at(1.0), number, 0);
    }
    assert_eq!(link.routers(at(1.0)).len(), ROUTERS);
    let routed = Arrival { source: address(1), hop_limit: 64 };
    link.handle_packet(at(2.0), routed, &encode(Message::Advertisement { lifetime: 0 }, None));
    assert_eq!(link.ignored().collect::<Vec<_>>(), [(Fault::HopLimit, 1)]);
    assert_eq!(link.received, 200);
}

proptest! {
    #[test]
    fn whatever_comes_advertisements_keep_their_distance(
        events in proptest::collection::vec((0.0..5.0_f64, 0..5_u8), 0..200),
    ) {
        let mut link = Link::new(Advertising::On, 3);
        let (mut clock, mut last) = (0.0, None::<f64>);
        for (wait, event) in events {
            clock += wait;
            match event {
                0 => drop(link.handle_presence(at(clock), Presence::Up)),
                1 => drop(link.handle_presence(at(clock), Presence::Down)),
                2 => drop(advertise(&mut link, at(clock), 1, 0)),
                3 => link.set_advertising(at(clock), Advertising::On),
                _ => {
                    let asker = Arrival { source: address(9), hop_limit: 255 };
                    link.handle_packet(at(clock), asker, &encode(Message::Solicitation, None));
                }
            }
            link.handle_timeout(at(clock));
            while let Some(transmit) = link.poll_transmit(at(clock)) {
                link.handle_sent(at(clock), transmit);
                if transmit == Transmit::Advertisement {
                    prop_assert!(last.is_none_or(|last| clock - last > 2.999));
                    prop_assert_eq!(link.presence(), &Presence::Up);
                    last = Some(clock);
                }
            }
            prop_assert!(link.poll_timeout().is_none_or(|due| due > at(clock)));
        }
    }
}

#[test]
fn eight_silent_routers_of_long_lifetimes_do_not_keep_out_a_ninth() {
    let mut link = up(Advertising::On);
    (1..=8).for_each(|router| _ = advertise(&mut link, at(f64::from(router)), router, 1800));
    assert_eq!(advertise(&mut link, at(20.0), 9, 1800), News::None, "all are heard");
    assert_eq!(link.routers(at(20.0)).len(), 8);

    // The first has been silent longest.
    link.handle_timeout(at(40.0));
    assert_eq!(advertise(&mut link, at(40.0), 9, 1800), News::Some);
    let known: Vec<Ipv6Addr> = link.routers(at(40.0)).iter().map(|router| router.address).collect();
    assert_eq!(known, (2..=9).map(address).collect::<Vec<_>>());
    assert_eq!(link.neighbour(at(50.0), None, &[]), Some(address(9)), "the only one heard");
}

#[test]
fn an_interface_that_has_gone_is_remembered_by_its_time_and_by_nobody_found_on_it() {
    let mut link = up(Advertising::On);
    assert_eq!(link.lost_at(), None);
    advertise(&mut link, at(1.0), 1, 1800);
    assert_eq!(link.handle_presence(at(2.0), Presence::Absent), News::Some);
    assert_eq!(link.handle_presence(at(2.0), Presence::Up), News::Some);
    assert_eq!((link.lost_at(), link.neighbour(at(2.0), Some(address(1)), &[])), (Some(at(2.0)), None));
}
