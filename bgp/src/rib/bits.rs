//! A set of route ids as a paged bitmap: one bit per route where pages are in use, nothing where they are not.

const PAGE_BITS: usize = 4096;

type Page = Box<[u64; PAGE_BITS / 64]>;

/// A set of `u32`s.
#[derive(Debug, Default)]
pub(crate) struct Bits {
    pages: Vec<Option<Page>>,
    len: usize,
}

impl Bits {
    fn place(id: u32) -> (usize, usize, u64) {
        let id = id as usize;
        (id / PAGE_BITS, id % PAGE_BITS / 64, 1 << (id % 64))
    }

    /// Adds a member.
    pub(crate) fn insert(&mut self, id: u32) {
        let (page, word, bit) = Self::place(id);
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        let words = self.pages.get_mut(page).map(|p| p.get_or_insert_with(|| Box::new([0; _])));
        if let Some(word) = words.and_then(|w| w.get_mut(word)) {
            self.len += usize::from(*word & bit == 0);
            *word |= bit;
        }
    }

    /// Removes a member; whether it was one.
    pub(crate) fn remove(&mut self, id: u32) -> bool {
        let (page, word, bit) = Self::place(id);
        let words = self.pages.get_mut(page).and_then(Option::as_mut);
        let Some(word) = words.and_then(|w| w.get_mut(word)).filter(|w| **w & bit != 0) else {
            return false;
        };
        *word &= !bit;
        self.len -= 1;
        true
    }

    /// Whether this is a member.
    pub(crate) fn contains(&self, id: u32) -> bool {
        let (page, word, bit) = Self::place(id);
        let words = self.pages.get(page).and_then(Option::as_ref);
        words.and_then(|w| w.get(word)).is_some_and(|w| w & bit != 0)
    }

    /// Adds the members of another set.
    pub(crate) fn union(&mut self, other: &Self) {
        for id in other.iter() {
            self.insert(id);
        }
    }

    /// The members, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let words = self.pages.iter().enumerate().flat_map(|(index, page)| {
            let base = index * PAGE_BITS;
            page.iter().flat_map(move |p| p.iter().enumerate().map(move |(w, bits)| (base + w * 64, *bits)))
        });
        words.flat_map(|(base, bits)| {
            (0..64).filter(move |b| bits & (1 << b) != 0).map(move |b| (base + b) as u32)
        })
    }

    /// How many members there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_like_a_set(steps in prop::collection::vec((any::<bool>(), 0u32..20_000), 0..200)) {
            let (mut bits, mut model) = (Bits::default(), BTreeSet::new());
            for (add, id) in steps {
                if add {
                    bits.insert(id);
                    model.insert(id);
                } else {
                    prop_assert_eq!(bits.remove(id), model.remove(&id));
                }
                prop_assert_eq!(bits.contains(id), model.contains(&id));
            }
            prop_assert_eq!(bits.len(), model.len());
            prop_assert!(bits.iter().eq(model.iter().copied()));
        }
    }
}
