//! The path identifiers we send: each path keeps its own while it lives (RFC 7911 section 3).

use hashbrown::{HashMap, hash_map::Entry};
use rustc_hash::FxBuildHasher;
use slab::Slab;

use crate::{
    rib::{LOCAL, Path},
    types::PeerId,
};

/// Identifier of the routes we originate.
const OWN: u32 = 1;
/// The least identifier of a peer's only path.
const FIRST: u32 = 2;
/// The bit of identifiers that stand for one of several paths.
const SEVERAL: u32 = 1 << 31;

/// Identifiers for the paths of peers that send several. The only path of any other peer is named by the peer.
#[derive(Debug, Default)]
pub(in crate::core) struct PathNames {
    index: HashMap<(PeerId, u32), u32, FxBuildHasher>,
    /// How many prefixes have a path of that name.
    uses: Slab<u32>,
}

impl PathNames {
    /// A path has come.
    pub(in crate::core) fn acquire(&mut self, path: &Path) {
        if path.path_id == 0 {
            return;
        }
        match self.index.entry((path.peer, path.path_id)) {
            Entry::Occupied(found) => {
                if let Some(uses) = self.uses.get_mut(*found.get() as usize) {
                    *uses += 1;
                }
            }
            Entry::Vacant(place) => _ = place.insert(self.uses.insert(1) as u32),
        }
    }

    /// A path has gone.
    pub(in crate::core) fn release(&mut self, path: &Path) {
        if path.path_id == 0 {
            return;
        }
        let Entry::Occupied(found) = self.index.entry((path.peer, path.path_id)) else { return };
        let key = *found.get() as usize;
        if let Some(uses) = self.uses.get_mut(key) {
            *uses -= 1;
            if *uses == 0 {
                self.uses.remove(key);
                found.remove();
            }
        }
    }

    /// The identifier of a path that is there: unique among those of its prefix.
    pub(in crate::core) fn id(&self, path: &Path) -> u32 {
        match (path.peer, path.path_id) {
            (LOCAL, _) => OWN,
            (PeerId(peer), 0) => peer + FIRST,
            (peer, id) => SEVERAL | self.index.get(&(peer, id)).copied().unwrap_or_default(),
        }
    }

    /// Whether no name is in use.
    #[cfg(test)]
    pub(in crate::core) fn is_empty(&self) -> bool {
        self.index.is_empty()
    }
}
