//! Memory that is given back to the system after much of it was let go.
//!
//! The allocator keeps what lies between pieces still in use: a peer with a million routes that leaves would leave some
//! hundred megabytes with the process. Giving them back takes milliseconds, so it is done only after a great loss.

use super::Speaker;
use crate::{core::Work, net::sys};

/// Octets of path attributes that must have been let go.
const MUCH: u64 = 32 << 20;

/// How much has been let go since memory was given back last.
#[derive(Debug, Default)]
pub(super) struct Shrinkage {
    /// The most octets of path attributes that were held since then.
    peak: u64,
}

impl Shrinkage {
    /// Takes note that so many octets are held now. Returns true if half of what was held is gone, and that is much.
    fn note(&mut self, held: u64) -> bool {
        self.peak = self.peak.max(held);
        let gone = self.peak - held;
        if gone < MUCH || gone < self.peak / 2 {
            return false;
        }
        self.peak = held;
        true
    }
}

impl Speaker {
    /// Gives memory back once everything that a lost session has brought is let go.
    pub(super) fn give_memory_back(&mut self, work: Work) {
        if work == Work::Done && self.shrinkage.note(self.core.octets_held()) {
            self.background.spawn_blocking(sys::give_memory_back);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_once_after_most_of_much_is_gone() {
        let mut shrinkage = Shrinkage::default();
        assert!(!shrinkage.note(4 * MUCH));
        assert!(!shrinkage.note(3 * MUCH), "that is not half");
        assert!(shrinkage.note(MUCH));
        assert!(!shrinkage.note(MUCH) && !shrinkage.note(MUCH / 2), "that is not much");
        assert!(shrinkage.note(0));
    }
}
