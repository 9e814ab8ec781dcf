//! Plain routes, or routes that refer to next-hop objects: which of both, and the objects' turn.

use std::collections::BTreeSet;

use super::{
    Table,
    compare::Phase,
    intern::Id,
    objects::{ObjectOutcome, Touched},
};
use crate::{
    config::{AUTO_OBJECTS, ObjectUse, Programming},
    error::Errno,
    object::{KernelObject, ObjectId, ObjectNotice, ObjectRequest},
    resolve::Resolver,
    route::Path,
    view::{Form, ObjectsView, RestartPhase},
};

/// Whether the kernel has next-hop objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Support {
    Unknown,
    Missing,
    There,
}

impl Table {
    /// Compares with a full dump of next-hop objects (`None`: the kernel has none) and queues what differs. To come
    /// before [`Table::compare`]: the routes of an object that is gone are gone too.
    pub fn compare_objects(&mut self, dump: Option<Vec<KernelObject>>) -> u64 {
        self.support = if dump.is_some() { Support::There } else { Support::Missing };
        let differences = self.objects.compare(dump.unwrap_or_default());
        match self.comparison {
            Phase::Never => 0,
            Phase::Done => differences,
        }
    }

    /// Takes a notification about an object that somebody else caused. Returns whether a comparison should follow.
    pub fn observe_object(&mut self, notice: ObjectNotice) -> super::Touch {
        match self.objects.observe(notice) {
            Touched::None => return super::Touch::Elsewhere,
            Touched::Ours => {}
            Touched::Gone(id) => self.objects_vanished(&[id]),
        }
        super::Touch::Ours
    }

    /// Whether routes are to change from plain ones to such with objects, or back.
    pub fn form_is_due(&self) -> bool {
        self.comparison == Phase::Done && self.due_form() != self.form
    }

    /// Lets every route take the form that is due, in one replacement each.
    pub fn take_form(&mut self, resolver: &Resolver) {
        self.form = self.due_form();
        self.refresh_all(resolver);
    }

    /// Turns at most `max` queued objects into requests, into `batch`, which is emptied first. Their routes come after.
    pub fn take_objects(&mut self, max: usize, batch: &mut Vec<ObjectRequest>) {
        batch.clear();
        if self.has_object_work() {
            self.objects.take_batch(max, batch);
        }
    }

    /// Whether an object waits for its turn.
    pub fn has_object_work(&self) -> bool {
        self.comparison == Phase::Done && self.programming == Programming::On && self.objects.has_work()
    }

    /// Takes the results of a batch of objects: all were carried out but the refused, given by index.
    pub fn complete_objects(
        &mut self,
        batch: &[ObjectRequest],
        refused: &[(usize, Errno)],
        resolver: &Resolver,
    ) -> ObjectOutcome {
        let outcome = self.objects.complete(batch, refused);
        if outcome.usurped {
            self.refresh_all(resolver);
        }
        if !outcome.vanished.is_empty() {
            self.objects_vanished(&outcome.vanished);
        }
        if outcome.created > 0 {
            self.retry_all();
        }
        outcome
    }

    /// Another attempt at what was refused, removals included.
    pub fn retry_objects(&mut self) {
        self.objects.enqueue_all();
        self.objects.loosen();
    }

    /// Whether objects may be there that no route needs any more, and nothing else is to be done first.
    pub fn may_sweep_objects(&self) -> bool {
        self.objects.is_loose()
            && self.restart == RestartPhase::Over
            && self.comparison == Phase::Done
            && self.programming == Programming::On
            && self.queue.is_empty()
            && !self.objects.has_work()
    }

    /// The requests that remove objects no route needs, wanted or held.
    pub fn sweep_objects(&mut self) -> Vec<ObjectRequest> {
        let mut used = BTreeSet::new();
        let paths = &self.paths;
        let object = |id| paths.get(id).and_then(Path::object);
        for (_, entry) in self.entries.iter() {
            used.extend(entry.wanted.into_iter().chain(entry.actual).filter_map(object));
        }
        used.extend(self.strays.iter().filter_map(|stray| object(stray.path)));
        self.objects.sweep(used)
    }

    /// How routes refer to next hops, and why.
    pub fn objects_view(&self) -> ObjectsView {
        ObjectsView {
            setting: self.setting,
            form: match (self.form, self.support) {
                (Form::Plain, Support::Missing) if self.setting != ObjectUse::Off => Form::Unsupported,
                (form, _) => form,
            },
            held: self.objects.held() as u64,
        }
    }

    /// A route has left this path.
    pub(super) fn loosen(&mut self, left: Option<Id<Path>>) {
        if left.and_then(|path| self.paths.get(path)).is_some_and(|path| path.object().is_some()) {
            self.objects.loosen();
        }
    }

    fn due_form(&self) -> Form {
        let many = || self.entries.len() >= AUTO_OBJECTS || self.objects.held() > 0;
        match (self.setting, self.support) {
            (ObjectUse::Off, _) | (_, Support::Missing | Support::Unknown) => Form::Plain,
            (ObjectUse::On, Support::There) => Form::Objects,
            (ObjectUse::Auto, Support::There) if self.form == Form::Objects || many() => Form::Objects,
            (ObjectUse::Auto, Support::There) => Form::Plain,
        }
    }

    /// Objects have gone, and the kernel dropped every route that referred to them without a word.
    fn objects_vanished(&mut self, gone: &[ObjectId]) {
        let paths = &self.paths;
        let lost = |id| paths.get(id).and_then(Path::object).is_some_and(|object| gone.contains(&object));
        let mut prefixes = Vec::new();
        for (prefix, entry) in self.entries.iter_mut() {
            if entry.actual.is_some_and(lost) {
                entry.actual = None;
                prefixes.push(prefix);
            }
        }
        prefixes.into_iter().for_each(|prefix| self.enqueue(prefix));
    }
}
