//! From the objects' queue to requests, and from results back.

use std::collections::BTreeSet;

use super::{Object, Objects};
use crate::{
    error::Errno,
    object::{Member, ObjectId, ObjectRequest, Shape},
};

/// What the results of a batch ask of the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectOutcome {
    /// Objects that are there now: routes that were refused for want of them may succeed.
    pub created: u64,
    /// Objects that turned out to be gone, and their routes with them.
    pub vanished: Vec<ObjectId>,
    /// Ids that somebody else has: the routes need other objects.
    pub usurped: bool,
    /// Refusals that another attempt may overcome.
    pub refused: Vec<Errno>,
}

/// Which objects the routes refer to.
pub(in crate::table) type Used = BTreeSet<ObjectId>;

impl Objects {
    /// Turns at most `max` queued objects into requests: legs first, since groups need theirs.
    pub(in crate::table) fn take_batch(&mut self, max: usize, batch: &mut Vec<ObjectRequest>) {
        batch.clear();
        while batch.len() < max {
            let Some(id) = self.legs.pop_front() else { break };
            batch.extend(self.request(id));
        }
        let legs_first = !batch.is_empty();
        while !legs_first && batch.len() < max {
            let Some(id) = self.groups.pop_front() else { break };
            batch.extend(self.request(id));
        }
    }

    /// Whether anything is queued.
    pub(in crate::table) fn has_work(&self) -> bool {
        !self.legs.is_empty() || !self.groups.is_empty()
    }

    /// Whether an object may have lost its last route.
    pub(in crate::table) fn is_loose(&self) -> bool {
        self.loose
    }

    /// Takes the results of a batch: all were carried out but the refused, given by index.
    pub(in crate::table) fn complete(
        &mut self,
        batch: &[ObjectRequest],
        refused: &[(usize, Errno)],
    ) -> ObjectOutcome {
        let mut outcome = ObjectOutcome::default();
        let mut refused = refused.iter().peekable();
        for (index, request) in batch.iter().enumerate() {
            match refused.next_if(|(refused, _)| *refused == index) {
                Some((_, errno)) => self.refused(request, *errno, &mut outcome),
                None => self.done(request, &mut outcome),
            }
        }
        outcome
    }

    /// Queues everything whose sides differ.
    pub(in crate::table) fn enqueue_all(&mut self) {
        let ids: Vec<_> = self.by_id.keys().copied().collect();
        ids.into_iter().for_each(|id| self.enqueue(id));
    }

    /// The requests that remove what no route needs: groups first, since they hold their legs. Forgets what is gone.
    pub(in crate::table) fn sweep(&mut self, mut used: Used) -> Vec<ObjectRequest> {
        self.loose = false;
        used.extend(self.lent.iter().copied());
        self.add_members(&mut used);
        let by_key = &mut self.by_key;
        let (mut groups, mut legs) = (Vec::new(), Vec::new());
        self.by_id.retain(|id, object| {
            if used.contains(id) {
                return true;
            }
            object.wanted = None;
            if let Some(key) = object.key.take() {
                by_key.remove(&key);
            }
            match object.actual {
                Some(Shape::Group(_)) => groups.push(ObjectRequest::Delete(*id)),
                Some(_) => legs.push(ObjectRequest::Delete(*id)),
                None => {}
            }
            object.actual.is_some()
        });
        groups.append(&mut legs);
        groups
    }

    pub(super) fn enqueue(&mut self, id: ObjectId) {
        let Some(object) = self.by_id.get_mut(&id) else { return };
        if object.queued || object.wanted.is_none() || object.wanted == object.actual {
            return;
        }
        object.queued = true;
        match object.wanted {
            Some(Shape::Group(_)) => self.groups.push_back(id),
            _ => self.legs.push_back(id),
        }
    }

    /// Members of groups in use are in use.
    fn add_members(&self, used: &mut Used) {
        let groups: Vec<_> = used.iter().filter_map(|id| self.by_id.get(id)).collect();
        let shapes = groups.into_iter().flat_map(|object: &Object| [&object.wanted, &object.actual]);
        for shape in shapes.flatten() {
            if let Shape::Group(members) = shape {
                used.extend(members.iter().map(|member| member.id));
            }
        }
    }

    fn request(&mut self, id: ObjectId) -> Option<ObjectRequest> {
        let shape = self.by_id.get(&id)?.wanted.as_ref().and_then(|shape| self.possible(shape));
        let object = self.by_id.get_mut(&id)?;
        object.queued = false;
        let shape = shape?;
        match &object.actual {
            Some(actual) if *actual == shape => None,
            Some(_) => Some(ObjectRequest::Replace(id, shape)),
            None => Some(ObjectRequest::Create(id, shape)),
        }
    }

    /// A group needs legs that are there.
    fn possible(&self, shape: &Shape) -> Option<Shape> {
        let Shape::Group(members) = shape else { return Some(shape.clone()) };
        let held = |m: &&Member| self.by_id.get(&m.id).is_some_and(|leg| leg.actual.is_some());
        let members: smallvec::SmallVec<[Member; 2]> = members.iter().filter(held).copied().collect();
        (!members.is_empty()).then_some(Shape::Group(members))
    }

    fn done(&mut self, request: &ObjectRequest, outcome: &mut ObjectOutcome) {
        match request {
            ObjectRequest::Create(id, shape) => {
                outcome.created += 1;
                self.hold(*id, shape);
            }
            ObjectRequest::Replace(id, shape) => self.hold(*id, shape),
            ObjectRequest::Delete(id) => self.removed(*id),
        }
    }

    fn hold(&mut self, id: ObjectId, shape: &Shape) {
        let Some(object) = self.by_id.get_mut(&id) else { return };
        let fresh = object.actual.is_none();
        object.actual = Some(shape.clone());
        let is_leg = matches!(shape, Shape::Leg(_));
        if !is_leg {
            return;
        }
        self.enqueue(id);
        if fresh {
            self.enqueue_groups_of(id);
        }
    }

    fn enqueue_groups_of(&mut self, leg: ObjectId) {
        let has = |object: &Object| match &object.wanted {
            Some(Shape::Group(members)) => members.iter().any(|member| member.id == leg),
            _ => false,
        };
        let groups: Vec<_> = self.by_id.iter().filter(|(_, o)| has(o)).map(|(id, _)| *id).collect();
        groups.into_iter().for_each(|id| self.enqueue(id));
    }

    fn removed(&mut self, id: ObjectId) {
        if let Some(object) = self.by_id.get_mut(&id) {
            object.actual = None;
            if object.key.is_none() {
                self.by_id.remove(&id);
            }
        }
    }

    fn refused(&mut self, request: &ObjectRequest, errno: Errno, outcome: &mut ObjectOutcome) {
        let id = request.id();
        match (request, errno.0) {
            (ObjectRequest::Delete(_), libc::ENOENT) => self.removed(id),
            (ObjectRequest::Replace(..), libc::ENOENT) => {
                self.gone(id);
                outcome.vanished.push(id);
            }
            (ObjectRequest::Create(..), libc::EEXIST) => {
                self.give_up(id);
                outcome.usurped = true;
            }
            _ => outcome.refused.push(errno),
        }
    }

    /// Somebody else has the id: what it stood for gets another.
    fn give_up(&mut self, id: ObjectId) {
        self.taken.insert(id);
        if let Some(key) = self.by_id.remove(&id).and_then(|object| object.key) {
            self.by_key.remove(&key);
        }
    }
}
