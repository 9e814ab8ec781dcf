//! The next-hop objects of our routes: what each is to be, and what the kernel holds.
//!
//! A leg's object stands for a next hop within a pool, not for the way that leads there at the moment: when the way
//! changes, the object is replaced and its routes follow. A group's object stands for a set of next hops.

mod turn;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ipnet::IpNet;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

pub use self::turn::ObjectOutcome;
use crate::{
    object::{IdRange, KernelObject, Member, ObjectId, ObjectNotice, Shape},
    route::{HopAddress, Leg, NextHopSet},
};

/// The most legs of a group.
const MAX_MEMBERS: usize = 255;

/// What an object stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// One way to one next hop.
    Leg {
        next_hop: HopAddress,
        class: Class,
        /// Which of the ways, where several lead there.
        nth: u8,
    },
    /// All ways to all next hops of a set.
    Group { next_hops: NextHopSet, class: Class },
}

impl Key {
    fn concerns(&self, changed: &BTreeSet<HopAddress>) -> bool {
        match self {
            Self::Leg { next_hop, .. } => changed.contains(next_hop),
            Self::Group { next_hops, .. } => next_hops.iter().any(|n| changed.contains(&n.place())),
        }
    }
}

/// What decides, besides the next hop, how packets travel: the pool, and without one the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Class {
    Pool(IpNet),
    V4,
    V6,
}

/// One way to one of a route's next hops.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hop {
    pub(super) next_hop: HopAddress,
    pub(super) leg: Leg,
}

/// One object.
#[derive(Debug, Default)]
struct Object {
    key: Option<Key>,
    /// What it is to be; `None`: nothing needs it at the moment.
    wanted: Option<Shape>,
    /// What the kernel holds.
    actual: Option<Shape>,
    queued: bool,
}

/// All objects, by id.
#[derive(Debug)]
pub(super) struct Objects {
    range: IdRange,
    by_id: BTreeMap<ObjectId, Object>,
    by_key: FxHashMap<Key, ObjectId>,
    /// Ids of ours that somebody else has taken.
    taken: BTreeSet<ObjectId>,
    /// Objects that routes of others refer to, as the last dump showed.
    lent: BTreeSet<ObjectId>,
    next: u32,
    legs: VecDeque<ObjectId>,
    groups: VecDeque<ObjectId>,
    /// Whether an object may have lost its last route.
    loose: bool,
}

impl Objects {
    pub(super) fn new(range: IdRange) -> Self {
        Self {
            range,
            by_id: BTreeMap::new(),
            by_key: FxHashMap::default(),
            taken: BTreeSet::new(),
            lent: BTreeSet::new(),
            next: 0,
            legs: VecDeque::new(),
            groups: VecDeque::new(),
            loose: false,
        }
    }

    /// The object through which a route to these next hops goes from now on; `None` when it has no way, or there is no
    /// id left. `held` is the object that the route has: taken over if it is what is needed and stands for nothing yet.
    pub(super) fn of_route(
        &mut self,
        next_hops: &NextHopSet,
        class: Class,
        hops: &[Hop],
        held: Option<ObjectId>,
    ) -> Option<ObjectId> {
        if let ([_], [hop]) = (next_hops.as_slice(), hops) {
            return self.leg(*hop, class, 0, held);
        }
        let mut members: SmallVec<[Member; 2]> = SmallVec::new();
        let (mut before, mut nth) = (None, 0u8);
        for hop in hops.iter().take(MAX_MEMBERS) {
            nth = if before == Some(hop.next_hop) { nth.saturating_add(1) } else { 0 };
            before = Some(hop.next_hop);
            let like = held.and_then(|group| self.member_like(group, hop.leg));
            members.push(Member { id: self.leg(*hop, class, nth, like)?, weight: hop.leg.weight });
        }
        members.sort_unstable();
        let key = Key::Group { next_hops: next_hops.clone(), class };
        (!members.is_empty()).then(|| self.want(key, Shape::Group(members), held)).flatten()
    }

    /// Nothing is needed any more, until [`Self::of_route`] says so again.
    pub(super) fn release_all(&mut self) {
        self.by_id.values_mut().for_each(|object| object.wanted = None);
        self.loosen();
    }

    /// What stands for these next hops is not needed any more, until [`Self::of_route`] says so again.
    pub(super) fn release(&mut self, changed: &BTreeSet<HopAddress>) {
        let concerned = |object: &&mut Object| object.key.as_ref().is_some_and(|key| key.concerns(changed));
        self.by_id.values_mut().filter(concerned).for_each(|object| object.wanted = None);
        self.loosen();
    }

    /// The living legs of an object with their weights, as the kernel holds them, else as they are wanted.
    pub(super) fn legs(&self, id: ObjectId) -> SmallVec<[Leg; 1]> {
        let shape = |id| self.by_id.get(&id).and_then(|o: &Object| o.actual.as_ref().or(o.wanted.as_ref()));
        match shape(id) {
            Some(Shape::Leg(leg)) => SmallVec::from_elem(*leg, 1),
            Some(Shape::Group(members)) => {
                let leg = |member: &Member| match shape(member.id) {
                    Some(Shape::Leg(leg)) => Some(Leg { weight: member.weight, ..*leg }),
                    _ => None,
                };
                members.iter().filter_map(leg).collect()
            }
            Some(Shape::Other) | None => SmallVec::new(),
        }
    }

    /// Whether an object, held or wanted, leads through this device.
    pub(super) fn uses_device(&self, device: u32) -> bool {
        let shapes = self.by_id.values().flat_map(|object| [&object.actual, &object.wanted]);
        shapes.flatten().any(|shape| matches!(shape, Shape::Leg(leg) if leg.device == device))
    }

    /// How many the kernel holds.
    pub(super) fn held(&self) -> usize {
        self.by_id.values().filter(|object| object.actual.is_some()).count()
    }

    /// Compares with a full dump. Returns how many differ from what was thought.
    pub(super) fn compare(&mut self, dump: Vec<KernelObject>) -> u64 {
        let mut differences = 0;
        let mut seen = BTreeSet::new();
        self.taken.clear();
        for object in dump {
            differences += u64::from(self.found(&object));
            seen.insert(object.id);
        }
        for (id, object) in &mut self.by_id {
            if !seen.contains(id) {
                differences += u64::from(object.actual.take().is_some());
            }
        }
        self.enqueue_all();
        // Routes may have left objects unseen, and removals may have been refused or lost.
        self.loosen();
        differences
    }

    /// Takes a notification. Returns the object if it is one of ours that has gone, and its routes with it.
    pub(super) fn observe(&mut self, notice: ObjectNotice) -> Touched {
        match notice {
            ObjectNotice::New(object) => {
                if !self.range.contains(object.id) {
                    return Touched::None;
                }
                self.found(&object);
                self.enqueue(object.id);
                Touched::Ours
            }
            ObjectNotice::Removed(id) => {
                self.taken.remove(&id);
                if !self.by_id.contains_key(&id) {
                    return Touched::None;
                }
                self.gone(id);
                Touched::Gone(id)
            }
        }
    }

    /// Somebody else's routes refer to this object, so that it must stay.
    pub(super) fn lend(&mut self, id: ObjectId) {
        if self.range.contains(id) {
            self.lent.insert(id);
        }
    }

    /// Nobody else's do, until [`Self::lend`] says so.
    pub(super) fn forget_lent(&mut self) {
        self.lent.clear();
    }

    /// A route has left an object, or an object lost its purpose.
    pub(super) fn loosen(&mut self) {
        self.loose = !self.by_id.is_empty();
    }

    fn leg(&mut self, hop: Hop, class: Class, nth: u8, held: Option<ObjectId>) -> Option<ObjectId> {
        let key = Key::Leg { next_hop: hop.next_hop, class, nth };
        self.want(key, Shape::Leg(Leg { weight: 1, ..hop.leg }), held)
    }

    /// The member of a group in the kernel that is this leg.
    fn member_like(&self, group: ObjectId, leg: Leg) -> Option<ObjectId> {
        let Some(Shape::Group(members)) = &self.by_id.get(&group)?.actual else { return None };
        let shape = Some(Shape::Leg(Leg { weight: 1, ..leg }));
        let is_it = |id: &ObjectId| self.by_id.get(id).is_some_and(|object| object.actual == shape);
        members.iter().map(|member| member.id).find(is_it)
    }

    fn want(&mut self, key: Key, shape: Shape, held: Option<ObjectId>) -> Option<ObjectId> {
        let id = match self.by_key.get(&key) {
            Some(id) => *id,
            None => {
                let id = self.adoptable(&shape, held).or_else(|| self.unused_id())?;
                self.by_key.insert(key.clone(), id);
                self.by_id.entry(id).or_default().key = Some(key);
                id
            }
        };
        let object = self.by_id.entry(id).or_default();
        if object.wanted.as_ref() != Some(&shape) {
            object.wanted = Some(shape);
            self.enqueue(id);
        }
        Some(id)
    }

    /// The held object, or else any, that is what is needed and stands for nothing: what a daemon before us left.
    fn adoptable(&self, shape: &Shape, held: Option<ObjectId>) -> Option<ObjectId> {
        let fits = |object: &Object| object.key.is_none() && object.actual.as_ref() == Some(shape);
        if let Some(id) = held.filter(|id| self.by_id.get(id).is_some_and(fits)) {
            return Some(id);
        }
        let keyless = self.by_id.len() > self.by_key.len();
        let mut objects = self.by_id.iter().filter(|_| keyless);
        objects.find(|(_, object)| fits(object)).map(|(id, _)| *id)
    }

    fn unused_id(&mut self) -> Option<ObjectId> {
        let foreign = self.taken.iter().filter(|id| !self.by_id.contains_key(id)).count();
        if self.by_id.len() + foreign >= self.range.len() {
            return None;
        }
        for _ in 0..IdRange::SIZE {
            self.next = self.next.wrapping_add(1);
            let id = self.range.id(self.next);
            if self.range.contains(id) && !self.by_id.contains_key(&id) && !self.taken.contains(&id) {
                return Some(id);
            }
        }
        None
    }

    /// Takes what the kernel says of an object. Returns whether that is news.
    fn found(&mut self, object: &KernelObject) -> bool {
        if !self.range.contains(object.id) {
            return false;
        }
        if object.protocol != self.range.protocol() {
            self.taken.insert(object.id);
            return self.by_id.get_mut(&object.id).is_some_and(|o| o.actual.take().is_some());
        }
        let known = self.by_id.entry(object.id).or_default();
        let news = known.actual.as_ref() != Some(&object.shape);
        known.actual = Some(object.shape.clone());
        news
    }

    fn gone(&mut self, id: ObjectId) {
        if let Some(object) = self.by_id.get_mut(&id) {
            object.actual = None;
        }
        self.enqueue(id);
    }
}

/// Whom a notification concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touched {
    /// Nobody.
    None,
    /// An object of ours, which is still there.
    Ours,
    /// An object of ours, which is not.
    Gone(ObjectId),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::Onlink;

    #[test]
    fn the_last_free_id_is_found_and_then_there_is_none() {
        let range = IdRange::new(179, 254);
        let mut objects = Objects::new(range);
        objects.taken = (0..IdRange::SIZE).filter(|number| *number != 40_000).map(|n| range.id(n)).collect();
        assert_eq!(objects.unused_id(), Some(range.id(40_000)));
        let hop = |address: &str| Hop {
            next_hop: HopAddress { address: address.parse().unwrap(), interface: None },
            leg: Leg { gateway: address.parse().ok(), device: 1, onlink: Onlink::No, weight: 1 },
        };
        assert_eq!(objects.leg(hop("192.0.2.1"), Class::V4, 0, None), Some(range.id(40_000)));
        assert_eq!(objects.leg(hop("192.0.2.2"), Class::V4, 0, None), None);
    }
}
