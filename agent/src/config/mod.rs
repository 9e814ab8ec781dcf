//! The configuration: from what users write to a validated [`Intent`].
//!
//! `layer` reads the five layers and merges them, `reader` takes the merged tree apart key by key, `build`
//! validates the whole. [`load`] does all of it; [`Change`] compares two intents; [`Watch`] says when to load
//! again.

mod build;
mod clash;
mod diff;
mod error;
mod facts;
mod host;
mod intent;
mod layer;
mod load;
mod origin;
mod reader;
mod reference;
mod reload;
mod schema;
mod show;
mod values;
mod watch;
mod words;

#[cfg(test)]
mod tests;

pub use self::{
    build::protocol_number,
    diff::{Change, Pending},
    error::{ConfigError, Problem, SHOWN},
    host::{Host, NOT_OF_THIS_HOST, Offline, ThisHost},
    intent::*,
    layer::Flags,
    load::{Inputs, Loaded, load},
    origin::Origin,
    reader::Setting,
    reference::reference,
    reload::{Consent, Held, Outcome, REDETECT_INTERVAL, Reloader},
    show::{Origins, show, show_json, summary},
    watch::Watch,
};
