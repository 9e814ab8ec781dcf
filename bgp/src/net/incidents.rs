//! The last messages of a peer that were not as they should be, kept for whoever has to explain them.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;

use crate::types::Now;

/// Messages that are kept of one peer.
const KEPT: usize = 8;
/// Octets that are kept of one message.
const LONGEST: usize = 4096;

/// A message that an RFC 7606 action or a NOTIFICATION followed, or that was a NOTIFICATION.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// How long ago it came.
    pub age: Duration,
    /// What was wrong with it, or what it says.
    pub what: String,
    /// The message as it came, from its header, at most 4096 octets of it.
    pub octets: Bytes,
    /// Its whole length in octets.
    pub length: usize,
}

/// What a peer task keeps.
#[derive(Debug, Default)]
pub(super) struct Incidents(VecDeque<(Now, Incident)>);

impl Incidents {
    /// Keeps a message, and forgets the oldest when there are too many.
    pub(super) fn keep(&mut self, now: Now, what: String, message: &[u8]) {
        let octets = Bytes::copy_from_slice(message.get(..LONGEST).unwrap_or(message));
        self.0.truncate(KEPT - 1);
        self.0.push_front((now, Incident { age: Duration::ZERO, what, octets, length: message.len() }));
    }

    /// The latest first, with their age.
    pub(super) fn at(&self, now: Now) -> Vec<Incident> {
        let aged =
            |(came, incident): &(Now, Incident)| Incident { age: now.since(*came), ..incident.clone() };
        self.0.iter().map(aged).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_few_are_kept_and_long_ones_are_cut() {
        let mut incidents = Incidents::default();
        for second in 0..100 {
            incidents.keep(Now(Duration::from_secs(second)), second.to_string(), &[0xff; 5000]);
        }
        let kept = incidents.at(Now(Duration::from_secs(100)));
        assert_eq!(kept.len(), KEPT);
        assert_eq!((kept[0].what.as_str(), kept[0].age), ("99", Duration::from_secs(1)));
        assert_eq!((kept[0].octets.len(), kept[0].length), (4096, 5000));
    }
}
