//! Loads again, and tells what came of it.

use std::{path::PathBuf, time::Duration};

use super::{
    diff::Change,
    error::ConfigError,
    host::Host,
    load::{Inputs, Loaded, load},
};

/// How often to load again although no file changed: the host's addresses may have (Calico's default of
/// `AUTODETECT_POLL_INTERVAL`).
pub const REDETECT_INTERVAL: Duration = Duration::from_secs(60);

/// What came of loading again.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing to do.
    Unchanged,
    /// To be applied.
    Changed(Box<Change>),
    /// Not valid; what runs goes on. The same refusal is told once.
    Refused(ConfigError),
}

/// The inputs of a running daemon, and what they last gave.
#[derive(Debug)]
pub struct Reloader {
    inputs: Inputs,
    loaded: Loaded,
    refused: Option<ConfigError>,
}

impl Reloader {
    /// A reloader for a daemon that runs what `inputs` gave.
    pub fn new(inputs: Inputs, loaded: Loaded) -> Self {
        Self { inputs, loaded, refused: None }
    }

    /// What runs, with its settings as the configuration has them.
    pub fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// Why the configuration as it now is was refused.
    pub fn refused(&self) -> Option<&ConfigError> {
        self.refused.as_ref()
    }

    /// Files to watch, those of a refused configuration included as far as they were known.
    pub fn files(&self) -> Vec<PathBuf> {
        self.loaded.files.clone()
    }

    /// Loads again. A valid result replaces [`Self::loaded`], whose intent keeps the running values of keys that
    /// need a restart; a node address that can no longer be detected is a refusal, so it never changes to none.
    pub fn reload(&mut self, host: &dyn Host) -> Outcome {
        let new = match load(&self.inputs, host) {
            Ok(new) => new,
            Err(error) if self.refused.as_ref() == Some(&error) => return Outcome::Unchanged,
            Err(error) => {
                self.refused = Some(error.clone());
                return Outcome::Refused(error);
            }
        };
        self.refused = None;
        let change = Change::between(&self.loaded.intent, &new.intent);
        let known_pending = change.pending == self.loaded.pending;
        self.loaded = Loaded { intent: change.intent.clone(), pending: change.pending.clone(), ..new };
        match change.applied.is_empty() && known_pending {
            true => Outcome::Unchanged,
            false => Outcome::Changed(Box::new(change)),
        }
    }
}
