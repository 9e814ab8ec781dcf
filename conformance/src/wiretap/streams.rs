//! TCP's work done again: the octets that each end of each connection sent, in order and once.

use std::{collections::BTreeMap, net::SocketAddr};

use super::pcap::{Begins, Segment};

/// Who sends, and to whom.
pub(super) type Ends = (SocketAddr, SocketAddr);

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// Who sent what; the one who opened it comes first.
    pub(super) directions: [Direction; 2],
}

/// What one end sent.
#[derive(Debug)]
pub(super) struct Direction {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    /// The octets from the first on, as far as none is missing.
    pub(super) octets: Vec<u8>,
    /// Segments that came before their turn, by the place of their first octet.
    waiting: BTreeMap<u32, Vec<u8>>,
    /// The number of the first octet.
    first: Option<u32>,
}

impl Direction {
    fn new(from: SocketAddr, to: SocketAddr) -> Self {
        Self { from, to, octets: Vec::new(), waiting: BTreeMap::new(), first: None }
    }

    /// Whether octets were captured that come after some that were not.
    pub(super) fn has_gap(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn take(&mut self, segment: &Segment<'_>) {
        let first = *self.first.get_or_insert(match segment.begins {
            Begins::Direction => segment.sequence.wrapping_add(1),
            Begins::Nothing => segment.sequence,
        });
        if segment.begins == Begins::Direction || segment.octets.is_empty() {
            return;
        }
        let place = segment.sequence.wrapping_sub(first);
        // Whoever probes whether the other end is alive repeats the octet before the first.
        if place < 1 << 31 {
            let longest = self.waiting.entry(place).or_default();
            if longest.len() < segment.octets.len() {
                *longest = segment.octets.to_vec();
            }
            self.join();
        }
    }

    fn join(&mut self) {
        while let Some(entry) = self.waiting.first_entry() {
            let place = *entry.key() as usize;
            let Some(known) = self.octets.len().checked_sub(place) else { return };
            let octets = entry.remove();
            self.octets.extend(octets.get(known..).unwrap_or_default());
        }
    }
}

/// The connections of a capture, in the order of their first segment.
pub(super) fn connections(segments: &[Segment<'_>]) -> Vec<Connection> {
    let mut connections: Vec<Connection> = Vec::new();
    let mut latest: BTreeMap<Ends, usize> = BTreeMap::new();
    for segment in segments {
        let ends = (segment.from.min(segment.to), segment.from.max(segment.to));
        let known = latest.get(&ends).copied().filter(|index| !opens_another(&connections[*index], segment));
        let index = known.unwrap_or_else(|| {
            let (from, to) = (segment.from, segment.to);
            connections.push(Connection { directions: [Direction::new(from, to), Direction::new(to, from)] });
            connections.len() - 1
        });
        latest.insert(ends, index);
        let directions = &mut connections[index].directions;
        directions.iter_mut().filter(|one| one.from == segment.from).for_each(|one| one.take(segment));
    }
    connections
}

/// A SYN other than the one the direction began with.
fn opens_another(connection: &Connection, segment: &Segment<'_>) -> bool {
    let begun = connection.directions.iter().find(|one| one.from == segment.from).and_then(|one| one.first);
    segment.begins == Begins::Direction
        && begun.is_some_and(|first| first != segment.sequence.wrapping_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "10.0.0.1:40000";
    const B: &str = "10.0.0.2:179";

    fn segment(
        from: &str,
        to: &str,
        sequence: u32,
        begins: Begins,
        octets: &'static [u8],
    ) -> Segment<'static> {
        Segment { from: from.parse().unwrap(), to: to.parse().unwrap(), sequence, begins, octets }
    }

    #[test]
    fn octets_come_once_and_in_order_however_the_segments_came() {
        let from_a = |sequence, octets| segment(A, B, sequence, Begins::Nothing, octets);
        let segments = [
            segment(A, B, u32::MAX - 2, Begins::Direction, b""),
            segment(B, A, 7, Begins::Direction, b""),
            from_a(2, b"ef"),
            from_a(u32::MAX - 1, b"ab"),
            from_a(u32::MAX - 2, b"?"),
            segment(B, A, 8, Begins::Nothing, b"xy"),
            from_a(u32::MAX, b"bcd"),
            from_a(u32::MAX - 1, b"abcd"),
        ];
        let connections = connections(&segments);
        let octets = connections[0].directions.each_ref().map(|one| one.octets.as_slice());
        assert_eq!((connections.len(), octets), (1, [b"abcdef".as_slice(), b"xy"]));
        assert!(!connections[0].directions[0].has_gap());
    }

    #[test]
    fn a_missing_segment_is_noticed() {
        let segments = [
            segment(A, B, 1, Begins::Direction, b""),
            segment(A, B, 2, Begins::Nothing, b"a"),
            segment(A, B, 4, Begins::Nothing, b"c"),
        ];
        let connections = connections(&segments);
        assert_eq!(connections[0].directions[0].octets, b"a");
        assert!(connections[0].directions[0].has_gap());
    }

    #[test]
    fn the_same_ports_may_be_used_for_another_connection() {
        let segments = [
            segment(A, B, 1, Begins::Direction, b""),
            segment(A, B, 1, Begins::Direction, b""),
            segment(A, B, 2, Begins::Nothing, b"a"),
            segment(A, B, 9, Begins::Direction, b""),
            segment(A, B, 10, Begins::Nothing, b"b"),
        ];
        let octets: Vec<_> = connections(&segments).iter().map(|c| c.directions[0].octets.clone()).collect();
        assert_eq!(octets, [b"a".to_vec(), b"b".to_vec()]);
    }
}
