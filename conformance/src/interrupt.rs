//! Ctrl-C and its relatives: what was begun is undone before the process ends.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::Result;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

type Undo = Box<dyn FnOnce() + Send>;

static UNDO: Mutex<BTreeMap<u64, Undo>> = Mutex::new(BTreeMap::new());

/// Held by whoever makes something that would have to be undone; an interrupt takes it for good.
static GATE: Mutex<()> = Mutex::new(());

/// Undoes something when the process is interrupted; dropping it cancels that.
pub struct OnInterrupt {
    key: u64,
}

impl OnInterrupt {
    /// Remembers what to do.
    pub fn new(undo: impl FnOnce() + Send + 'static) -> Self {
        let mut all = lock(&UNDO);
        let key = all.last_key_value().map_or(0, |(key, _)| key + 1);
        all.insert(key, Box::new(undo));
        Self { key }
    }
}

impl Drop for OnInterrupt {
    fn drop(&mut self) {
        lock(&UNDO).remove(&self.key);
    }
}

/// While this is held no interrupt is undone: a thing half made is not overlooked.
pub fn hold_off() -> MutexGuard<'static, ()> {
    lock(&GATE)
}

/// Starts to listen. The process then ends as a signal would end it, with status 128 and the signal's number.
pub fn listen() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            let _gate = lock(&GATE);
            let undo = std::mem::take(&mut *lock(&UNDO));
            undo.into_values().rev().for_each(|undo| undo());
            std::process::exit(128 + signal);
        }
    });
    Ok(())
}

fn lock<T>(mutex: &'static Mutex<T>) -> MutexGuard<'static, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
