//! Interned path attributes: equal sets are stored once and counted.

use std::{hash::BuildHasher, sync::Arc};

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;

use super::{
    chunked::Chunked,
    next_hops::{NextHopId, NextHops},
};
use crate::{types::PeerId, wire::attribute::PathAttributes};

/// The key of an interned set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct AttributesId(pub(super) u32);

#[derive(Debug, Default)]
struct Interned {
    attributes: Option<Arc<PathAttributes>>,
    hash: u32,
    references: u32,
    next_hop: NextHopId,
    /// Another one for every set, though its key be used again.
    serial: u32,
    /// What it takes in memory.
    octets: u32,
    /// The peers that make us keep it, ascending: nearly always one.
    holders: SmallVec<[Holder; 1]>,
}

/// A peer with paths of a set.
#[derive(Clone, Copy, Debug)]
struct Holder {
    peer: PeerId,
    paths: u32,
}

/// All attribute sets in use.
#[derive(Debug, Default)]
pub(crate) struct AttributesTable {
    sets: Chunked<Interned>,
    index: HashTable<u32>,
    serial: u32,
    /// What all sets take in memory.
    octets: u64,
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
        let set = Interned {
            attributes: Some(attributes.clone()),
            hash,
            references: 1,
            next_hop,
            serial,
            octets: attributes.octets().try_into().unwrap_or(u32::MAX),
            holders: SmallVec::new(),
        };
        self.octets += u64::from(set.octets);
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
        self.octets -= u64::from(set.octets);
        if let Ok(found) = self.index.find_entry(spread(hash), |k| *k == id.0) {
            found.remove();
        }
        self.sets.remove(id.0, Interned::default());
        next_hops.release(next_hop);
        if self.sets.len() == 0 {
            self.index = HashTable::new();
        }
    }

    /// Takes one more reference, for a path of this peer. Returns the octets that the peer makes us keep by it: none if
    /// another path of its has the same set.
    pub(crate) fn hold(&mut self, id: AttributesId, peer: PeerId) -> u32 {
        let Some(set) = self.sets.get_mut(id.0) else { return 0 };
        set.references += 1;
        match set.holders.binary_search_by_key(&peer, |holder| holder.peer) {
            Ok(at) => {
                set.holders.iter_mut().skip(at).take(1).for_each(|holder| holder.paths += 1);
                0
            }
            Err(at) => {
                set.holders.insert(at, Holder { peer, paths: 1 });
                set.octets
            }
        }
    }

    /// Gives back the reference of a path of this peer. Returns the octets that the peer does not make us keep any more.
    pub(crate) fn let_go(&mut self, id: AttributesId, peer: PeerId, next_hops: &mut NextHops) -> u32 {
        let mut freed = 0;
        if let Some(set) = self.sets.get_mut(id.0)
            && let Ok(at) = set.holders.binary_search_by_key(&peer, |holder| holder.peer)
            && let Some(holder) = set.holders.get_mut(at)
        {
            holder.paths -= 1;
            if holder.paths == 0 {
                set.holders.remove(at);
                freed = set.octets;
            }
        }
        self.release(id, next_hops);
        freed
    }

    /// What a path with this set would make us keep for a peer beside what it does already.
    pub(crate) fn price(&self, id: AttributesId, peer: PeerId) -> u32 {
        let set = self.sets.get(id.0);
        let unpaid = set.filter(|s| s.holders.binary_search_by_key(&peer, |holder| holder.peer).is_err());
        unpaid.map_or(0, |s| s.octets)
    }

    /// What all sets take in memory, in octets.
    pub(crate) fn octets(&self) -> u64 {
        self.octets
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
