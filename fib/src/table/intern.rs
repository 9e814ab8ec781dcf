//! Many routes share few paths and few sets of next hops: each is kept once, and routes hold its number.

use std::{fmt, hash::Hash, marker::PhantomData, num::NonZeroU32};

use rustc_hash::FxHashMap;

/// The number of an interned value.
pub struct Id<T>(NonZeroU32, PhantomData<T>);

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for Id<T> {}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

impl<T> Id<T> {
    /// The number as an index.
    pub fn index(self) -> usize {
        self.0.get() as usize - 1
    }

    fn from_index(index: usize) -> Self {
        let number = u32::try_from(index).unwrap_or(u32::MAX - 1).saturating_add(1);
        Self(NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN), PhantomData)
    }
}

/// Values and their numbers. What nobody uses any more goes at the next [`Interner::sweep`].
#[derive(Debug)]
pub struct Interner<T> {
    values: Vec<Option<T>>,
    ids: FxHashMap<T, Id<T>>,
    free: Vec<Id<T>>,
    /// Grows when an id is given to another value, so that whoever caches by id notices.
    generation: u64,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { values: Vec::new(), ids: FxHashMap::default(), free: Vec::new(), generation: 0 }
    }
}

impl<T: Clone + Eq + Hash> Interner<T> {
    /// The number of this value, from now on if it is new.
    pub fn intern(&mut self, value: &T) -> Id<T> {
        if let Some(id) = self.ids.get(value) {
            return *id;
        }
        let id = match self.free.pop() {
            Some(id) => id,
            None => {
                self.values.push(None);
                Id::from_index(self.values.len() - 1)
            }
        };
        if let Some(place) = self.values.get_mut(id.index()) {
            *place = Some(value.clone());
        }
        self.ids.insert(value.clone(), id);
        id
    }

    /// The value of a number.
    pub fn get(&self, id: Id<T>) -> Option<&T> {
        self.values.get(id.index()).and_then(Option::as_ref)
    }

    /// Every value with its number.
    pub fn iter(&self) -> impl Iterator<Item = (Id<T>, &T)> {
        let with_id = |(index, value): (usize, &'_ Option<T>)| (Id::from_index(index), value.is_some());
        self.values
            .iter()
            .enumerate()
            .map(with_id)
            .filter(|(_, used)| *used)
            .filter_map(|(id, _)| Some((id, self.get(id)?)))
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// A mark for every number, unset.
    pub fn marks(&self) -> Marks<T> {
        Marks(vec![false; self.values.len()], PhantomData)
    }

    /// Drops every value whose number is not marked.
    pub fn sweep(&mut self, used: &Marks<T>) {
        let (values, free) = (&mut self.values, &mut self.free);
        self.ids.retain(|_, id| {
            if used.contains(*id) {
                return true;
            }
            if let Some(place) = values.get_mut(id.index()) {
                *place = None;
            }
            free.push(*id);
            false
        });
        self.generation += 1;
    }

    /// Changes whenever numbers may have got new values.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

/// A set of numbers.
#[derive(Clone, Debug)]
pub struct Marks<T>(Vec<bool>, PhantomData<T>);

impl<T> Marks<T> {
    /// Adds a number.
    pub fn insert(&mut self, id: Id<T>) {
        if let Some(mark) = self.0.get_mut(id.index()) {
            *mark = true;
        }
    }

    /// Whether a number is in the set.
    pub fn contains(&self, id: Id<T>) -> bool {
        self.0.get(id.index()).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_a_number_and_swept_ones_give_theirs_back() {
        let mut interner = Interner::default();
        let (a, b) = (interner.intern(&"a"), interner.intern(&"b"));
        assert_eq!(interner.intern(&"a"), a);
        assert_ne!(a, b);
        let mut used = interner.marks();
        used.insert(b);
        interner.sweep(&used);
        assert_eq!((interner.get(a), interner.get(b), interner.len()), (None, Some(&"b"), 1));
        assert_eq!(interner.intern(&"c"), a);
        assert_eq!(interner.iter().map(|(_, value)| *value).collect::<Vec<_>>(), ["c", "b"]);
    }
}
