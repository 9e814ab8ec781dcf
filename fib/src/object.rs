//! Next-hop objects of the kernel: a leg, or a group of legs, that many routes refer to by its id.
//!
//! A route that refers to an object follows it: one replacement of the object moves them all. The kernel removes an
//! object together with every route that refers to it, without a word about the routes.

use std::fmt;

use serde::Serialize;
use smallvec::SmallVec;

use crate::route::Leg;

/// The id of an object (`NHA_ID`), unique in a network namespace; never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ObjectId(pub u32);

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an object does: the part that can be replaced. A leg never becomes a group, nor a group a leg.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// One way; its weight is 1.
    Leg(Leg),
    /// Several of our leg objects, sorted by id.
    Group(SmallVec<[Member; 2]>),
    /// Something we never ask for: only ever found in the kernel.
    Other,
}

/// One leg of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member {
    /// The leg's object.
    pub id: ObjectId,
    /// Its share of the traffic, 1 to 255.
    pub weight: u8,
}

/// An object as the kernel reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelObject {
    /// Its id.
    pub id: ObjectId,
    /// Who put it there.
    pub protocol: u8,
    /// What it does.
    pub shape: Shape,
}

/// A request about an object. Every one carries our protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectRequest {
    /// Makes one where there is none.
    Create(ObjectId, Shape),
    /// Gives the one there another shape.
    Replace(ObjectId, Shape),
    /// Removes one that no route refers to.
    Delete(ObjectId),
}

impl ObjectRequest {
    /// The object.
    pub fn id(&self) -> ObjectId {
        match self {
            Self::Create(id, _) | Self::Replace(id, _) | Self::Delete(id) => *id,
        }
    }
}

/// A notification about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectNotice {
    /// It was made or replaced.
    New(KernelObject),
    /// It was removed, and every route that referred to it.
    Removed(ObjectId),
}

/// The ids that are ours: the protocol number in the top octet, the table's low octet in the next.
///
/// So daemons in one network namespace that differ in protocol, or in the low octet of the table, never share an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdRange {
    first: u32,
}

impl IdRange {
    /// How many there are.
    pub const SIZE: u32 = 1 << 16;

    /// The ids of this protocol and table.
    pub fn new(protocol: u8, table: u32) -> Self {
        Self { first: u32::from_be_bytes([protocol, table.to_be_bytes()[3], 0, 0]) }
    }

    /// The id of this number, counted modulo [`Self::SIZE`].
    pub fn id(self, number: u32) -> ObjectId {
        ObjectId(self.first | (number % Self::SIZE))
    }

    /// The protocol number.
    pub fn protocol(self) -> u8 {
        self.first.to_be_bytes()[0]
    }

    /// How many of them can be used: 0 is no id.
    pub(crate) fn len(self) -> usize {
        Self::SIZE as usize - usize::from(self.first == 0)
    }

    /// Whether an id is one of them.
    pub fn contains(self, id: ObjectId) -> bool {
        id.0 & !(Self::SIZE - 1) == self.first && id.0 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_different_protocols_and_tables_do_not_overlap() {
        let main = IdRange::new(179, 254);
        assert_eq!(main.id(1), ObjectId(0xb3fe_0001));
        assert!(main.contains(main.id(70_000)));
        for other in [IdRange::new(12, 254), IdRange::new(179, 1000)] {
            assert!(!main.contains(other.id(1)) && !other.contains(main.id(1)));
        }
        assert!(!IdRange::new(0, 0).contains(ObjectId(0)));
    }
}
