//! How often one kind of line may come.
//!
//! A peer, a stranger or another program of the host can make the daemon log as often as it likes: connections that are
//! refused, attributes that are malformed, descriptors that are wanting. A kind is the place in the source a line comes
//! from. Each has an allowance that grows again with time; beyond it, lines are counted, and the log says how many were
//! left out. Lines that only an operator causes are never left out, nor are those of levels that are for developers.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tracing::{
    Event, Level, Metadata,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Filter};

/// Where lines come from that only an operator causes.
const OF_OPERATORS: &str = "siskin::daemon";
/// Of these modules below it, what peers cause.
const OF_PEERS: &str = "siskin::daemon::flows";
/// Where each peer's sessions come and go: a mesh of thousands may do so at once.
const OF_SESSIONS: &str = "bgp::net::peer::session";
/// How long after the first line left out the log says so.
const TELL_AFTER: Duration = Duration::from_secs(10);

/// So many lines at once, and one more after each `every`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Allowance {
    burst: u32,
    every: Duration,
}

const USUAL: Allowance = Allowance { burst: 50, every: Duration::from_secs(5) };
const SESSIONS: Allowance = Allowance { burst: 2000, every: Duration::from_millis(100) };

/// The allowances of all kinds.
#[derive(Clone, Debug, Default)]
pub(super) struct Throttle(Arc<State>);

#[derive(Debug, Default)]
struct State {
    kinds: Mutex<HashMap<&'static str, Kind>>,
    left_out: AtomicU64,
}

/// One kind of line.
#[derive(Debug)]
struct Kind {
    left: u32,
    /// Since when the next line of the allowance has been growing.
    grown: Instant,
    left_out: u64,
    first_left_out: Option<Instant>,
    /// The constant part of its lines.
    message: String,
}

impl Throttle {
    /// Lines left out so far.
    pub(super) fn left_out(&self) -> u64 {
        self.0.left_out.load(Relaxed)
    }

    /// Logs what was left out, each kind at most once in [`TELL_AFTER`].
    pub(super) fn tell(&self, now: Instant) {
        for (kind, left_out) in self.due(now) {
            tracing::warn!(kind, left_out, "lines of one kind were left out");
        }
    }

    fn due(&self, now: Instant) -> Vec<(String, u64)> {
        let mut kinds = self.0.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let due = kinds.values_mut().filter(|kind| {
            kind.first_left_out.is_some_and(|first| now.saturating_duration_since(first) >= TELL_AFTER)
        });
        let mut due: Vec<_> = due
            .map(|kind| {
                kind.first_left_out = None;
                (kind.message.clone(), std::mem::take(&mut kind.left_out))
            })
            .collect();
        due.sort();
        due
    }

    /// Whether a line from this place may be written at `now`; `message` is asked for where it may not.
    fn admit(
        &self,
        place: &'static str,
        allowance: Allowance,
        now: Instant,
        message: impl FnOnce() -> String,
    ) -> bool {
        let mut kinds = self.0.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = kinds.entry(place).or_insert_with(|| Kind {
            left: allowance.burst,
            grown: now,
            left_out: 0,
            first_left_out: None,
            message: String::new(),
        });
        kind.grow(allowance, now);
        if let Some(left) = kind.left.checked_sub(1) {
            kind.left = left;
            return true;
        }
        kind.left_out = kind.left_out.saturating_add(1);
        if kind.first_left_out.is_none() {
            kind.first_left_out = Some(now);
            kind.message = message();
        }
        self.0.left_out.fetch_add(1, Relaxed);
        false
    }
}

impl Kind {
    fn grow(&mut self, allowance: Allowance, now: Instant) {
        let passed = now.saturating_duration_since(self.grown);
        let more = passed.as_nanos().checked_div(allowance.every.as_nanos()).unwrap_or(0);
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(more).min(allowance.burst);
        self.grown = if self.left == allowance.burst { now } else { self.grown + allowance.every * more };
    }
}

/// `None`: as many as there are.
fn allowance(target: &str, level: Level) -> Option<Allowance> {
    let for_developers = level > Level::INFO;
    let of_operators = target.starts_with(OF_OPERATORS) && !target.starts_with(OF_PEERS);
    match target {
        _ if for_developers || of_operators => None,
        OF_SESSIONS => Some(SESSIONS),
        _ => Some(USUAL),
    }
}

impl<S> Filter<S> for Throttle {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let metadata = event.metadata();
        let message = || {
            let mut message = Message(metadata.target().to_owned());
            event.record(&mut message);
            message.0
        };
        // The name of an event's metadata is its file and line.
        allowance(metadata.target(), *metadata.level())
            .is_none_or(|allowance| self.admit(metadata.name(), allowance, Instant::now(), message))
    }
}

/// The constant text of an event.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_its_allowance_which_grows_again_and_what_is_left_out_is_told_later() {
        let throttle = Throttle::default();
        let begin = Instant::now();
        let admit = |at: Duration| throttle.admit("a place", USUAL, begin + at, || "refused".to_owned());
        let at_once = (0..1000).filter(|_| admit(Duration::ZERO)).count();
        assert_eq!((at_once, throttle.left_out()), (50, 950));
        assert_eq!(throttle.due(begin + Duration::from_secs(9)), []);
        assert_eq!(throttle.due(begin + Duration::from_secs(10)), [("refused".to_owned(), 950)]);
        assert_eq!(throttle.due(begin + Duration::from_secs(30)), [], "once");

        let in_a_minute = (1..=600).filter(|n| admit(Duration::from_millis(n * 100))).count();
        assert_eq!(in_a_minute, 12);
        let after_an_hour = (0..1000).filter(|_| admit(Duration::from_secs(3660))).count();
        assert_eq!(after_an_hour, 50);
    }

    #[test]
    fn only_what_others_cause_has_an_allowance() {
        assert_eq!(allowance("bgp::net::listener", Level::WARN), Some(USUAL));
        assert_eq!(allowance("siskin::daemon::reload", Level::WARN), None);
        assert_eq!(allowance("siskin::daemon::flows", Level::WARN), Some(USUAL));
        assert_eq!(allowance("bgp::net::peer::session", Level::INFO), Some(SESSIONS));
        assert_eq!(allowance("bgp::net::listener", Level::DEBUG), None);
    }
}
