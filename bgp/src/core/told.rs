//! Prefixes of which it was said that they cannot be sent.

use std::collections::BTreeSet;

/// Most prefixes remembered; what comes beyond is counted, not said.
const MOST: usize = 64;

/// Prefixes whose attributes fit no message, as far as that was said: coming and going they are no news, until they could
/// be sent meanwhile.
#[derive(Debug)]
pub(super) struct Told<P>(BTreeSet<P>);

impl<P> Default for Told<P> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

impl<P: Copy + Ord> Told<P> {
    /// Whether this prefix is to be told of; it is remembered then.
    pub(super) fn is_news(&mut self, prefix: P) -> bool {
        self.0.len() < MOST && self.0.insert(prefix)
    }

    /// These were sent.
    pub(super) fn sent(&mut self, prefixes: impl Iterator<Item = P>) {
        if !self.0.is_empty() {
            prefixes.for_each(|prefix| _ = self.0.remove(&prefix));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_news_once_until_it_was_sent_and_only_so_many_are() {
        let mut told = Told::default();
        assert_eq!([1, 1, 2].map(|prefix| told.is_news(prefix)), [true, false, true]);
        told.sent([1].into_iter());
        assert!(told.is_news(1));
        assert_eq!((10..1000).filter(|prefix| told.is_news(*prefix)).count(), MOST - 2);
    }
}
