//! The order in which best routes changed: one log for all readers, each of which is a cursor.
//!
//! A route has at most one *live* entry, its latest: the entry whose position is the route's `version`. A
//! reader that falls behind therefore meets every changed route once, in its latest state, and the log is
//! never longer than a small multiple of the table, however long the reader stays away.

use std::collections::VecDeque;

const SEGMENT: usize = 1024;

/// Dead entries tolerated besides as many as are alive, and entries between two reviews.
/// Few in tests, so that short histories meet both.
const SLACK: usize = if cfg!(test) { 8 } else { 4096 };

/// Changes between two renewals of the versions that are not in the log: a quarter of those that the low half of a
/// position tells apart.
const RENEWAL: u64 = 1 << 30;

#[derive(Clone, Copy, Debug)]
struct LogEntry {
    /// The low half of the position.
    position: u32,
    route: u32,
}

/// The log. Positions count up from 1; a cursor is the position of the last entry read.
#[derive(Debug, Default)]
pub(crate) struct ChangeLog {
    segments: VecDeque<Vec<LogEntry>>,
    head: u64,
    tail: u64,
    len: usize,
    live: usize,
    /// Live entries when they were last [reviewed](ChangeLog::reviewed).
    reviewed: usize,
}

impl ChangeLog {
    /// The position of the newest entry.
    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    /// Whether every reader has seen everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether a route's version is still in the log.
    pub(crate) fn holds(&self, version: u32) -> bool {
        u64::from((self.head as u32).wrapping_sub(version)) < self.head - self.tail
    }

    /// The version of a route that has no entry in the log. It must be renewed after [`RENEWAL`] changes.
    pub(crate) fn unlogged(&self) -> u32 {
        (self.head as u32).wrapping_sub(1 << 31)
    }

    /// Whether the versions of routes without an entry have to be [renewed](ChangeLog::unlogged): new positions would
    /// come to share their low half with them.
    pub(crate) fn is_due_for_renewal(&self) -> bool {
        self.head.is_multiple_of(RENEWAL)
    }

    /// The position of a version, while it is in the log.
    pub(crate) fn position(&self, version: u32) -> Option<u64> {
        self.holds(version).then(|| self.full(version))
    }

    /// Appends a change of a route whose version was `version`; returns the new version.
    pub(crate) fn push(&mut self, route: u32, version: u32) -> u32 {
        if !self.holds(version) {
            self.live += 1;
        }
        self.head += 1;
        if self.segments.back().is_none_or(|s| s.len() >= SEGMENT) {
            self.segments.push_back(Vec::with_capacity(SEGMENT));
        }
        let entry = LogEntry { position: self.head as u32, route };
        if let Some(segment) = self.segments.back_mut() {
            segment.push(entry);
        }
        self.len += 1;
        entry.position
    }

    fn full(&self, position: u32) -> u64 {
        self.head - u64::from((self.head as u32).wrapping_sub(position))
    }

    /// Entries behind `cursor`, dead ones included, as (position, low half of it, route).
    pub(crate) fn after(&self, cursor: u64) -> impl Iterator<Item = (u64, u32, u32)> + '_ {
        let last = |s: &Vec<LogEntry>| s.last().map_or(0, |e| self.full(e.position));
        let first = self.segments.partition_point(|s| last(s) <= cursor);
        let mut segments = self.segments.range(first..);
        let begun = segments.next().map_or(&[][..], |s| {
            let read = s.partition_point(|e| self.full(e.position) <= cursor);
            s.get(read..).unwrap_or_default()
        });
        let entries = begun.iter().chain(segments.flatten());
        entries.map(|e| (self.full(e.position), e.position, e.route))
    }

    /// Drops the entries up to `cursor`; hands each live one's route to `passed`.
    pub(crate) fn trim(&mut self, cursor: u64, version: impl Fn(u32) -> u32, mut passed: impl FnMut(u32)) {
        while self.tail < cursor {
            let Some(segment) = self.segments.front() else { break };
            let reached = segment.partition_point(|e| self.full(e.position) <= cursor);
            let whole = reached == segment.len();
            for entry in segment.get(..reached).into_iter().flatten() {
                if version(entry.route) == entry.position {
                    self.live -= 1;
                    passed(entry.route);
                }
            }
            self.len -= reached;
            if !whole {
                if let Some(segment) = self.segments.front_mut() {
                    segment.drain(..reached);
                }
                break;
            }
            self.segments.pop_front();
        }
        self.tail = self.tail.max(cursor);
        self.reviewed = self.reviewed.min(self.live);
    }

    /// Whether so many routes have changed since the last review that those nobody needs are worth looking for.
    pub(crate) fn is_due_for_review(&self) -> bool {
        self.live > 2 * self.reviewed + SLACK
    }

    /// Takes note of a review that found this many live entries to be of no use.
    pub(crate) fn reviewed(&mut self, useless: usize) {
        self.live -= useless;
        self.reviewed = self.live;
    }

    /// Whether so much is dead that [`ChangeLog::compact`] is worth its while.
    pub(crate) fn is_sparse(&self) -> bool {
        self.len > 2 * self.live + SLACK
    }

    /// Goes on as if so many changes had been written down and read.
    #[cfg(test)]
    pub(crate) fn skip_to(&mut self, head: u64) {
        *self = Self { head, tail: head, ..Self::default() };
    }

    /// Drops dead entries wherever they are.
    pub(crate) fn compact(&mut self, version: impl Fn(u32) -> u32) {
        let mut kept = VecDeque::new();
        let live = self.segments.iter().flatten().filter(|e| version(e.route) == e.position);
        for entry in live {
            if kept.back().is_none_or(|s: &Vec<_>| s.len() >= SEGMENT) {
                kept.push_back(Vec::with_capacity(SEGMENT));
            }
            if let Some(segment) = kept.back_mut() {
                segment.push(*entry);
            }
        }
        self.len = kept.iter().map(Vec::len).sum();
        self.segments = kept;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn read(log: &ChangeLog, versions: &BTreeMap<u32, u32>, cursor: u64) -> Vec<u32> {
        let live = log.after(cursor).filter(|(_, version, route)| versions[route] == *version);
        live.map(|(.., route)| route).collect()
    }

    proptest! {
        #[test]
        fn a_reader_meets_every_changed_route_once_in_the_order_of_its_last_change(
            before in prop::collection::vec(0u32..30, 0..3000),
            after in prop::collection::vec(0u32..30, 0..3000),
            start in prop::sample::select(vec![0, u64::from(u32::MAX) - 1500]),
        ) {
            let (mut log, mut versions) = (ChangeLog::default(), BTreeMap::new());
            log.skip_to(start);
            let unlogged = log.unlogged();
            let mut change = |log: &mut ChangeLog, route: u32| {
                let version = log.push(route, versions.get(&route).copied().unwrap_or(unlogged));
                versions.insert(route, version);
            };
            before.iter().for_each(|r| change(&mut log, *r));
            let cursor = log.head();
            after.iter().for_each(|r| change(&mut log, *r));
            let mut expected: Vec<u32> = Vec::new();
            for route in after.iter().rev() {
                if !expected.contains(route) {
                    expected.push(*route);
                }
            }
            expected.reverse();
            prop_assert_eq!(&read(&log, &versions, cursor), &expected);
            log.compact(|r| versions[&r]);
            prop_assert_eq!(&read(&log, &versions, cursor), &expected);
            let mut passed = Vec::new();
            log.trim(cursor, |r| versions[&r], |r| passed.push(r));
            prop_assert_eq!(&read(&log, &versions, cursor), &expected);
            prop_assert!(passed.iter().all(|r| !after.contains(r)));
            log.trim(log.head(), |r| versions[&r], |_| {});
            prop_assert_eq!((log.len, log.live), (0, 0));
        }
    }
}
