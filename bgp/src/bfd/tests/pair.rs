//! Two sessions over a link that loses, delays and reorders.

use std::{collections::BTreeMap, num::NonZeroU32};

use proptest::prelude::*;

use super::*;
use crate::bfd::{Session, Transition};

/// The two ends and what is on its way.
struct Link {
    now: Now,
    ends: [Session; 2],
    /// By the time of arrival and a serial number: the end it goes to.
    flying: BTreeMap<(Now, u64), (usize, ControlPacket)>,
    serial: u64,
    dice: u64,
    loss: u64,
    cut: bool,
    transitions: Vec<(Now, usize, Transition)>,
    sent: [u64; 2],
}

impl Link {
    /// A link that loses this many packets of a hundred.
    fn new(parameters: [Parameters; 2], loss: u64, seed: u64) -> Self {
        let end = |n: u32| {
            Session::new(at(0), parameters[n as usize], NonZeroU32::new(n + 1).unwrap(), seed ^ u64::from(n))
        };
        Self {
            now: at(0),
            ends: [end(0), end(1)],
            flying: BTreeMap::new(),
            serial: 0,
            dice: seed | 1,
            loss,
            cut: false,
            transitions: Vec::new(),
            sent: [0; 2],
        }
    }

    fn roll(&mut self) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice >> 11
    }

    fn run_until(&mut self, end: Now) {
        loop {
            let timers = self.ends.iter().filter_map(Session::poll_timeout).min();
            let arrival = self.flying.keys().next().map(|(at, _)| *at);
            let Some(next) = timers.into_iter().chain(arrival).min().filter(|at| *at <= end) else { break };
            assert!(next >= self.now, "time goes back");
            self.now = next;
            self.step();
        }
        self.now = end;
    }

    fn step(&mut self) {
        while let Some(entry) = self.flying.first_entry().filter(|e| e.key().0 <= self.now) {
            let (end, packet) = entry.remove();
            let heard = self.ends[end].handle_packet(self.now, &packet).unwrap_or_default();
            self.transitions.extend(heard.map(|t| (self.now, end, t)));
        }
        for end in [0, 1] {
            let silent = self.ends[end].handle_timeout(self.now);
            self.transitions.extend(silent.map(|t| (self.now, end, t)));
            while let Some(packet) = self.ends[end].poll_transmit(self.now) {
                self.sent[end] += 1;
                self.throw(1 - end, packet);
            }
        }
    }

    fn throw(&mut self, to: usize, packet: ControlPacket) {
        let (lost, delay) = (self.roll() % 100 < self.loss, ms(1 + self.roll() % 20));
        self.serial += 1;
        if !lost && !self.cut {
            let packet = crate::bfd::decode(&packet.encode()).unwrap();
            self.flying.insert((self.now.plus(delay), self.serial), (to, packet));
        }
    }

    fn states(&self) -> [State; 2] {
        [self.ends[0].state(), self.ends[1].state()]
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn both_come_up_over_a_lossy_link_and_notice_its_end_in_time(
        seed in any::<u64>(), loss in 0..30_u64, fast in 50..400_u64, slow in 50..400_u64, multiplier in 3..6_u8,
    ) {
        let mut link = Link::new([parameters(fast, multiplier), parameters(slow, multiplier)], loss, seed);
        link.run_until(at(60_000));
        link.loss = 0;
        link.run_until(at(70_000));
        prop_assert_eq!(link.states(), [State::Up; 2]);
        let interval = fast.max(slow);
        for end in &link.ends {
            prop_assert_eq!(end.interval(), Some(ms(interval)));
            prop_assert_eq!(end.detection_time(), ms(interval * u64::from(multiplier)));
        }

        link.cut = true;
        link.transitions.clear();
        let longest = ms(interval * u64::from(multiplier) + 20);
        link.run_until(at(70_000).plus(longest));
        prop_assert_eq!(link.states(), [State::Down; 2]);
        for (when, _, transition) in &link.transitions {
            prop_assert!(transition.cause.is_failure());
            let shortest = ms(interval * (u64::from(multiplier) - 1));
            prop_assert!(when.since(at(70_000)) >= shortest.saturating_sub(ms(20)), "{:?}", when);
        }

        link.cut = false;
        link.run_until(at(80_000));
        prop_assert_eq!(link.states(), [State::Up; 2]);
    }

    #[test]
    fn no_session_flaps_over_a_link_that_only_delays(seed in any::<u64>(), interval in 50..500_u64) {
        let mut link = Link::new([parameters(interval, 3), parameters(interval, 3)], 0, seed);
        link.run_until(at(5000));
        prop_assert_eq!(link.states(), [State::Up; 2]);
        link.transitions.clear();
        link.run_until(at(120_000));
        prop_assert_eq!(&link.transitions, &[]);
        // Between 75 and 100 percent of the interval apart, but for the start.
        let least = 119_000 / interval;
        prop_assert!(link.sent.iter().all(|sent| (least..=least * 4 / 3 + 16).contains(sent)), "{:?}", link.sent);
    }
}

#[test]
fn intervals_change_under_way_without_a_flap() {
    let mut link = Link::new([parameters(300, 3), parameters(300, 3)], 5, 42);
    link.run_until(at(10_000));
    link.transitions.clear();
    for (second, interval) in [(20, 50), (30, 1000), (40, 200), (50, 2000), (60, 100)] {
        for (end, session) in link.ends.iter_mut().enumerate() {
            session.configure(link.now, parameters(interval + 10 * end as u64, 5));
        }
        link.run_until(at(second * 1000));
        assert_eq!(link.states(), [State::Up; 2]);
        assert_eq!(link.ends[0].interval(), Some(ms(interval + 10)));
    }
    assert_eq!(link.transitions, [], "a flap");
}

#[test]
fn an_administratively_down_end_is_no_failure_at_the_other() {
    let mut link = Link::new([parameters(100, 3), parameters(100, 3)], 0, 9);
    link.run_until(at(5000));
    link.transitions.clear();
    link.ends[0].disable(at(5000));
    link.run_until(at(20_000));
    assert_eq!(link.states(), [State::AdminDown, State::Down]);
    assert_eq!(link.transitions.len(), 1);
    assert!(!link.transitions[0].2.cause.is_failure());
}
