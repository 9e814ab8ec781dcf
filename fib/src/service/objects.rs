//! The engine's turn with next-hop objects: before the routes that need them, and after those that did.

use std::{
    io,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use tracing::{debug, warn};

use super::engine::Engine;
use crate::{
    error::Errno,
    kernel::{BATCH, Kernel},
    metrics::ResyncReason,
    object::{ObjectNotice, ObjectRequest},
    table::Touch,
};

/// How soon refused objects are tried again: at first, and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));
/// How long an object may stay after its last route.
const LINGER: Duration = Duration::from_secs(1);

/// What the engine keeps for objects.
#[derive(Debug, Default)]
pub(super) struct ObjectTurn {
    batch: Vec<ObjectRequest>,
    refused: Vec<(usize, Errno)>,
    retry_at: Option<Instant>,
    delay: Duration,
    sweep_at: Option<Instant>,
}

impl ObjectTurn {
    /// When there is something to do, requests aside.
    pub(super) fn next(&self) -> Option<Instant> {
        self.retry_at.into_iter().chain(self.sweep_at).min()
    }
}

impl<K: Kernel> Engine<K> {
    /// Reads the kernel's objects and compares.
    pub(super) fn compare_objects(&mut self) -> io::Result<u64> {
        let dump = self.kernel.objects()?;
        Ok(self.table.compare_objects(dump))
    }

    /// Somebody else touched an object.
    pub(super) fn object_notice(&mut self, now: Instant, notice: ObjectNotice) {
        if self.table.observe_object(notice) == Touch::Ours {
            self.metrics.repaired.fetch_add(1, Relaxed);
            self.pace.suspect(now, ResyncReason::ForeignChange);
        }
    }

    /// Brings objects up to date, and the form of routes.
    pub(super) fn objects(&mut self, now: Instant) {
        if self.table.form_is_due() {
            self.table.take_form(&self.resolver);
        }
        if self.objects.retry_at.is_some_and(|due| due <= now) {
            self.objects.retry_at = None;
            self.table.retry_objects();
        }
        while self.table.has_object_work() {
            self.table.take_objects(BATCH, &mut self.objects.batch);
            if self.objects.batch.is_empty() || !self.send_objects(now) {
                break;
            }
        }
    }

    /// Removes objects that no route needs any more, a while after the last one left.
    pub(super) fn sweep_objects(&mut self, now: Instant) {
        if !self.table.may_sweep_objects() {
            self.objects.sweep_at = None;
            return;
        }
        if *self.objects.sweep_at.get_or_insert(now + LINGER) <= now {
            self.sweep_objects_now(now);
        }
    }

    /// Removes objects that no route needs any more.
    pub(super) fn sweep_objects_now(&mut self, now: Instant) {
        self.objects.sweep_at = None;
        let requests = self.table.sweep_objects();
        for batch in requests.chunks(BATCH) {
            self.objects.batch.clear();
            self.objects.batch.extend_from_slice(batch);
            if !self.send_objects(now) {
                break;
            }
        }
    }

    /// Sends a batch and takes its results. Returns whether they are known.
    fn send_objects(&mut self, now: Instant) -> bool {
        let turn = &mut self.objects;
        self.metrics.batches.fetch_add(1, Relaxed);
        if let Err(error) = self.kernel.program_objects(&turn.batch, &mut turn.refused) {
            warn!(%error, "a batch of next-hop objects was not answered; comparing everything");
            self.metrics.error(Errno::from(&error));
            self.pace.suspect(now, ResyncReason::Timeout);
            return false;
        }
        let done = turn.batch.len().saturating_sub(turn.refused.len());
        self.metrics.objects.fetch_add(done as u64, Relaxed);
        let outcome = self.table.complete_objects(&turn.batch, &turn.refused, &self.resolver);
        for errno in &outcome.refused {
            debug!(%errno, "the kernel refused a next-hop object");
            self.metrics.error(*errno);
        }
        if outcome.usurped || !outcome.vanished.is_empty() {
            self.pace.suspect(now, ResyncReason::Mismatch);
        }
        if outcome.refused.is_empty() {
            self.objects.delay = Duration::ZERO;
        } else {
            self.objects.delay = (self.objects.delay * 2).clamp(RETRY.0, RETRY.1);
            self.objects.retry_at.get_or_insert(now + self.objects.delay);
            self.doubt_all(now);
        }
        true
    }
}
