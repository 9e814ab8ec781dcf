//! Routes collected for one stretch, by the attributes they go out with, and how long their messages become.

use bytes::BytesMut;
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::{audience::Audience, export::ExportSettings, shared::Shared};
use crate::{
    policy::Modifying,
    rib::{AttributesId, Net, Path},
    types::PeerId,
    wire::{attribute::PathAttributes, encode::EncodeError, nlri::Nlri, packer},
};

/// Most octets of messages in one stretch, but for those of its last prefix.
const MAX_OCTETS: usize = 64 * 1024;

/// A path to be sent.
#[derive(Clone, Debug)]
pub(super) struct OutgoingPath {
    pub(super) path: Path,
    pub(super) attributes: AttributesId,
    pub(super) modifying: Modifying,
}

/// Why routes cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsent {
    /// Their attributes leave no room for a prefix in the longest message the peers take (RFC 8654 section 4).
    TooLong,
    /// There is no next hop to name.
    NoNextHop,
}

/// Sets of outgoing attributes, numbered as they come.
pub(super) struct Sets {
    sets: Vec<Set>,
    index: HashMap<(AttributesId, PeerId, Modifying), usize, FxBuildHasher>,
    /// The set asked for last.
    recent: usize,
    /// The longest message.
    longest: usize,
    /// About what the messages take.
    octets: usize,
}

/// One set of outgoing attributes.
pub(super) struct Set {
    outgoing: OutgoingPath,
    /// About what a message without routes takes: what the attributes take in memory, for they take no more on the wire
    /// but for what the export policy adds.
    empty: usize,
    /// What the last of its messages has left for routes.
    room: usize,
}

impl Sets {
    /// None yet, for messages of at most `longest` octets.
    pub(super) fn new(longest: usize) -> Self {
        Self { sets: Vec::new(), index: HashMap::default(), recent: 0, longest, octets: 0 }
    }

    /// The number of the set that this path goes out with.
    pub(super) fn number(&mut self, shared: &Shared, outgoing: OutgoingPath) -> usize {
        // Neighbours in the log mostly came in one UPDATE.
        if self.sets.get(self.recent).is_none_or(|set| set.outgoing.key() != outgoing.key()) {
            self.recent = self.find_or_add(shared, outgoing);
        }
        self.recent
    }

    fn find_or_add(&mut self, shared: &Shared, outgoing: OutgoingPath) -> usize {
        let (attributes, peer, modifying) = outgoing.key();
        *self.index.entry((attributes, peer, modifying.clone())).or_insert_with(|| {
            let empty = shared.attributes.get(attributes).map_or(0, |attributes| attributes.octets());
            self.sets.push(Set { outgoing, empty, room: 0 });
            self.sets.len() - 1
        })
    }

    /// The set of this number.
    pub(super) fn get(&self, number: usize) -> Option<&Set> {
        self.sets.get(number)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.sets.len()
    }

    /// Whether the messages take all that a stretch may.
    pub(super) fn is_full(&self) -> bool {
        self.octets >= MAX_OCTETS
    }

    /// Counts a route of `nlri` octets into the messages of a set.
    pub(super) fn share(&mut self, number: usize, nlri: usize) {
        let Some(set) = self.sets.get_mut(number) else { return };
        let begun = set.room.checked_sub(nlri);
        set.room = begun.unwrap_or_else(|| self.longest.saturating_sub(set.empty + nlri));
        self.octets += if begun.is_some() { nlri } else { self.longest.min(set.empty + nlri) };
    }

    /// Counts a route of `nlri` octets that has a message to itself.
    pub(super) fn alone(&mut self, number: usize, nlri: usize) {
        self.octets += self.sets.get(number).map_or(0, |set| self.longest.min(set.empty + nlri));
    }
}

impl OutgoingPath {
    /// What paths that go out alike have in common.
    fn key(&self) -> (AttributesId, PeerId, &Modifying) {
        (self.attributes, self.path.peer, &self.modifying)
    }

    /// Who is sent it.
    pub(super) fn audience<P: Net>(&self, shared: &Shared, settings: &ExportSettings) -> Audience {
        settings.audience::<P>(shared, &self.path, self.attributes, &self.modifying)
    }

    /// Its attributes as they are sent; `None`: there is no next hop to name.
    pub(super) fn as_sent<P: Net>(
        &self,
        shared: &Shared,
        settings: &ExportSettings,
    ) -> Option<PathAttributes> {
        settings.outgoing::<P>(shared, &self.path, self.attributes, &self.modifying)
    }
}

impl Set {
    /// Who is sent these routes.
    pub(super) fn audience<P: Net>(&self, shared: &Shared, settings: &ExportSettings) -> Audience {
        self.outgoing.audience::<P>(shared, settings)
    }

    /// Appends the UPDATEs for these routes.
    ///
    /// # Errors
    /// Why they cannot be sent; nothing is appended then.
    pub(super) fn encode<P: Net>(
        &self,
        shared: &Shared,
        settings: &ExportSettings,
        nlri: impl Iterator<Item = Nlri<P>>,
        messages: &mut BytesMut,
    ) -> Result<(), Unsent> {
        let attributes = self.outgoing.as_sent::<P>(shared, settings).ok_or(Unsent::NoNextHop)?;
        packer::reach(&attributes, nlri, &settings.encode, messages).map_err(|error| match error {
            EncodeError::NextHopFamily => Unsent::NoNextHop,
            _ => Unsent::TooLong,
        })
    }
}
