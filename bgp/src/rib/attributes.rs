//! Interned path attributes: equal sets are stored once and counted.

use std::{hash::BuildHasher, sync::Arc};

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use super::{
    chunked::Chunked,
    next_hops::{NextHopId, NextHops},
};
use crate::wire::attribute::PathAttributes;

/// The key of an interned set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct AttributesId(u32);

#[derive(Debug, Default)]
struct Interned {
    attributes: Option<Arc<PathAttributes>>,
    hash: u32,
    references: u32,
    next_hop: NextHopId,
    /// Another one for every set, though its key be used again.
    serial: u32,
}

/// All attribute sets in use.
#[derive(Debug, Default)]
pub(crate) struct AttributesTable {
    sets: Chunked<Interned>,
    index: HashTable<u32>,
    serial: u32,
}

/// hashbrown takes its control bits from the top and its bucket from the bottom.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

impl AttributesTable {
    /// The id of these attributes, with one more reference, which the caller owns.
    ///
    /// A set that is new takes a reference on its next hop; that of a route of our own counts none.
    pub(crate) fn intern(
        &mut self,
        attributes: &Arc<PathAttributes>,
        next_hops: &mut NextHops,
    ) -> AttributesId {
        let hash = (FxBuildHasher.hash_one(attributes) >> 16) as u32;
        let equal = |key: &u32| {
            let known = self.sets.get(*key).filter(|s| s.hash == hash);
            known.and_then(|s| s.attributes.as_ref()).is_some_and(|a| a == attributes)
        };
        if let Some(key) = self.index.find(spread(hash), equal).copied() {
            self.retain(AttributesId(key));
            return AttributesId(key);
        }
        let next_hop = next_hops.acquire(attributes.next_hop.hop());
        self.serial = self.serial.wrapping_add(1);
        let serial = self.serial;
        let set = Interned { attributes: Some(attributes.clone()), hash, references: 1, next_hop, serial };
        let key = self.sets.insert(set);
        let sets = &self.sets;
        self.index.insert_unique(spread(hash), key, |k| spread(sets.get(*k).map_or(0, |s| s.hash)));
        AttributesId(key)
    }

    /// Takes one more reference.
    pub(crate) fn retain(&mut self, id: AttributesId) {
        if let Some(set) = self.sets.get_mut(id.0) {
            set.references += 1;
        }
    }

    /// Gives a reference back.
    pub(crate) fn release(&mut self, id: AttributesId, next_hops: &mut NextHops) {
        let Some(set) = self.sets.get_mut(id.0) else { return };
        set.references -= 1;
        if set.references > 0 {
            return;
        }
        let (hash, next_hop) = (set.hash, set.next_hop);
        if let Ok(found) = self.index.find_entry(spread(hash), |k| *k == id.0) {
            found.remove();
        }
        self.sets.remove(id.0, Interned::default());
        next_hops.release(next_hop);
        if self.sets.len() == 0 {
            self.index = HashTable::new();
        }
    }

    /// The attributes of an id in use.
    pub(crate) fn get(&self, id: AttributesId) -> Option<&Arc<PathAttributes>> {
        self.sets.get(id.0)?.attributes.as_ref()
    }

    /// The next hop of an id in use.
    pub(crate) fn next_hop(&self, id: AttributesId) -> NextHopId {
        self.sets.get(id.0).map_or(NextHopId::NONE, |s| s.next_hop)
    }

    /// Tells whether a set is the one that had this id at another time.
    pub(crate) fn serial(&self, id: AttributesId) -> u32 {
        self.sets.get(id.0).map_or(0, |s| s.serial)
    }

    /// How many sets there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.sets.len()
    }
}
