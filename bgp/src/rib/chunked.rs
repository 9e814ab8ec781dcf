//! A slab that grows in chunks: no element ever moves, and growth never copies.

const BITS: u32 = 10;
const CHUNK: usize = 1 << BITS;

/// A slab of `T` with `u32` keys, reused last-freed first.
#[derive(Debug)]
pub(crate) struct Chunked<T> {
    chunks: Vec<Vec<T>>,
    free: Vec<u32>,
    len: usize,
}

impl<T> Default for Chunked<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), free: Vec::new(), len: 0 }
    }
}

impl<T> Chunked<T> {
    /// Stores a value and returns its key.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        self.len += 1;
        if let Some(key) = self.free.pop() {
            if let Some(slot) = self.get_mut(key) {
                *slot = value;
            }
            return key;
        }
        if self.chunks.last().is_none_or(|c| c.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let key = self.bound();
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(value);
        }
        key
    }

    /// Frees a key, leaving `vacant` in its place; memory is given back when nothing is left.
    pub(crate) fn remove(&mut self, key: u32, vacant: T) {
        if let Some(slot) = self.get_mut(key) {
            *slot = vacant;
            self.len -= 1;
            self.free.push(key);
        }
        if self.len == 0 {
            *self = Self::default();
        }
    }

    /// The value stored under a key.
    pub(crate) fn get(&self, key: u32) -> Option<&T> {
        self.chunks.get((key >> BITS) as usize)?.get(key as usize % CHUNK)
    }

    /// The value stored under a key.
    pub(crate) fn get_mut(&mut self, key: u32) -> Option<&mut T> {
        self.chunks.get_mut((key >> BITS) as usize)?.get_mut(key as usize % CHUNK)
    }

    /// The lowest number above every key in use.
    pub(crate) fn bound(&self) -> u32 {
        let full = self.chunks.len().saturating_sub(1) << BITS;
        (full + self.chunks.last().map_or(0, Vec::len)) as u32
    }

    /// How many values are stored.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_dense_and_reused() {
        let mut slab = Chunked::default();
        let keys: Vec<_> = (0..3000u32).map(|v| slab.insert(v)).collect();
        assert!(keys.iter().enumerate().all(|(i, k)| i as u32 == *k && slab.get(*k) == Some(k)));
        assert_eq!((slab.bound(), slab.len()), (3000, 3000));
        slab.remove(7, 0);
        assert_eq!(slab.insert(9), 7);
        assert_eq!(slab.get(7), Some(&9));
    }

    #[test]
    fn an_emptied_slab_starts_anew() {
        let mut slab = Chunked::default();
        let key = slab.insert(1);
        slab.remove(key, 0);
        assert_eq!((slab.bound(), slab.len(), slab.get(key)), (0, 0, None));
    }
}
