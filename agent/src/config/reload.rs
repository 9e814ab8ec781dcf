//! Loads again, and tells what came of it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::{
    diff::Change,
    error::ConfigError,
    host::Host,
    intent::Intent,
    load::{Inputs, Loaded, load},
};

/// How often to load again although no file changed: the host's addresses may have (Calico's default of
/// `AUTODETECT_POLL_INTERVAL`).
pub const REDETECT_INTERVAL: Duration = Duration::from_secs(60);

/// What came of loading again.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing to do, or the same as was said before.
    Unchanged,
    /// To be applied.
    Changed(Box<Change>),
    /// Valid, but it would leave nothing of what the host cannot do without. What runs goes on until the change is
    /// forced, or the daemon starts anew. The same is told once.
    Held(Box<Held>),
    /// Not valid; what runs goes on. The same refusal is told once.
    Refused(ConfigError),
}

/// A change that waits for somebody to say that it is meant.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// What it would leave nothing of, as [`Change::takes_away`].
    pub takes_away: Vec<String>,
    /// All that it changes, as [`Change::applied`].
    pub changes: Vec<String>,
    intent: Intent,
}

/// How a change that takes much away is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// It is held.
    Needed,
    /// It is applied.
    Given,
}

/// The inputs of a running daemon, and what they last gave.
#[derive(Debug)]
pub struct Reloader {
    inputs: Inputs,
    loaded: Arc<Loaded>,
    refused: Option<ConfigError>,
    held: Option<Held>,
}

impl Reloader {
    /// A reloader for a daemon that runs what `inputs` gave.
    pub fn new(inputs: Inputs, loaded: Arc<Loaded>) -> Self {
        Self { inputs, loaded, refused: None, held: None }
    }

    /// What runs, with its settings as the configuration has them.
    pub fn loaded(&self) -> &Arc<Loaded> {
        &self.loaded
    }

    /// Why the configuration as it now is was refused.
    pub fn refused(&self) -> Option<&ConfigError> {
        self.refused.as_ref()
    }

    /// The change that the configuration as it now is asks for, and that waits for consent.
    pub fn held(&self) -> Option<&Held> {
        self.held.as_ref()
    }

    /// Files to watch, those of a refused configuration included as far as they were known.
    pub fn files(&self) -> Vec<PathBuf> {
        self.loaded.files.clone()
    }

    /// Loads again. A valid result replaces [`Self::loaded`], whose intent keeps the running values of keys that
    /// need a restart; a node address that can no longer be detected is a refusal, so it never changes to none.
    pub fn reload(&mut self, host: &dyn Host, consent: Consent) -> Outcome {
        let new = match load(&self.inputs, host) {
            Ok(new) => new,
            Err(error) => return self.refuse(error),
        };
        self.refused = None;
        let change = Change::between(&self.loaded.intent, &new.intent);
        if consent == Consent::Needed && !change.takes_away.is_empty() {
            return self.hold(change);
        }
        self.held = None;
        let changed = change.intent != self.loaded.intent || change.pending != self.loaded.pending;
        let loaded = Loaded { intent: change.intent.clone(), pending: change.pending.clone(), ..new };
        self.loaded = Arc::new(loaded);
        if changed { Outcome::Changed(Box::new(change)) } else { Outcome::Unchanged }
    }

    fn refuse(&mut self, error: ConfigError) -> Outcome {
        self.held = None;
        if self.refused.as_ref() == Some(&error) {
            return Outcome::Unchanged;
        }
        self.refused = Some(error.clone());
        Outcome::Refused(error)
    }

    fn hold(&mut self, change: Change) -> Outcome {
        let Change { intent, applied: changes, takes_away, .. } = change;
        let held = Held { takes_away, changes, intent };
        if self.held.as_ref() == Some(&held) {
            return Outcome::Unchanged;
        }
        self.held = Some(held.clone());
        Outcome::Held(Box::new(held))
    }
}
