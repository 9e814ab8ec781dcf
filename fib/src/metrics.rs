//! Counters, written by the FIB thread and read by anybody.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::error::Errno;

/// Why the kernel's routes were read and compared with ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResyncReason {
    /// The start.
    Start,
    /// The minute was over.
    Interval,
    /// A link or an address changed, upon which the kernel drops routes without a word.
    LinkChange,
    /// It had changed half a second before: the kernel tells of it before it changes its routes.
    SecondLook,
    /// Somebody touched a slot of ours.
    ForeignChange,
    /// A slot held something else than we thought.
    Mismatch,
    /// Notifications were lost.
    Overrun,
    /// An answer did not come.
    Timeout,
}

/// Counters since the start.
#[derive(Debug, Default)]
pub struct FibMetrics {
    pub(crate) created: AtomicU64,
    pub(crate) replaced: AtomicU64,
    pub(crate) deleted: AtomicU64,
    pub(crate) objects: AtomicU64,
    pub(crate) repaired: AtomicU64,
    pub(crate) adopted: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) lookups: AtomicU64,
    pub(crate) busy_nanoseconds: AtomicU64,
    named: Mutex<Named>,
}

#[derive(Debug, Default)]
struct Named {
    errors: BTreeMap<Errno, u64>,
    resyncs: BTreeMap<ResyncReason, u64>,
    removed: u64,
    last_removed: Option<IpNet>,
}

/// The counters at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MetricsSnapshot {
    /// Routes created.
    pub created: u64,
    /// Routes replaced in place.
    pub replaced: u64,
    /// Routes deleted.
    pub deleted: u64,
    /// Next-hop objects created, replaced or deleted.
    pub objects: u64,
    /// Routes somebody else had deleted or altered, put right.
    pub repaired: u64,
    /// Routes of ours that were removed from the kernel while they were wanted; each is put back.
    pub removed: u64,
    /// The last of them.
    pub last_removed: Option<IpNet>,
    /// Routes taken over at start without a message, because they were right.
    pub adopted: u64,
    /// Batches sent to the kernel.
    pub batches: u64,
    /// Next hops looked up.
    pub lookups: u64,
    /// Nanoseconds spent in the kernel with batches.
    pub busy_nanoseconds: u64,
    /// Requests refused by the kernel, by error.
    pub errors: BTreeMap<String, u64>,
    /// Full comparisons with the kernel, by reason.
    pub resyncs: BTreeMap<ResyncReason, u64>,
}

impl FibMetrics {
    /// The counters now.
    pub fn snapshot(&self) -> MetricsSnapshot {
        let named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        MetricsSnapshot {
            created: self.created.load(Relaxed),
            replaced: self.replaced.load(Relaxed),
            deleted: self.deleted.load(Relaxed),
            objects: self.objects.load(Relaxed),
            repaired: self.repaired.load(Relaxed),
            removed: named.removed,
            last_removed: named.last_removed,
            adopted: self.adopted.load(Relaxed),
            batches: self.batches.load(Relaxed),
            lookups: self.lookups.load(Relaxed),
            busy_nanoseconds: self.busy_nanoseconds.load(Relaxed),
            errors: named.errors.iter().map(|(errno, count)| (errno.to_string(), *count)).collect(),
            resyncs: named.resyncs.clone(),
        }
    }

    pub(crate) fn error(&self, errno: Errno) {
        *self.named.lock().unwrap_or_else(PoisonError::into_inner).errors.entry(errno).or_default() += 1;
    }

    pub(crate) fn removed(&self, prefix: IpNet) {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        named.removed = named.removed.saturating_add(1);
        named.last_removed = Some(prefix);
    }

    pub(crate) fn resync(&self, reason: ResyncReason) {
        *self.named.lock().unwrap_or_else(PoisonError::into_inner).resyncs.entry(reason).or_default() += 1;
    }
}
