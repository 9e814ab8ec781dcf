//! What came of reading the configuration.

use serde::{Deserialize, Serialize};

/// The answer to `siskin reload`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// What became of it.
    pub outcome: ReloadOutcome,
    /// What changed or, if `pending`, would change; a line each.
    #[serde(default)]
    pub changes: Vec<String>,
    /// What a pending change would leave nothing of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub takes_away: Vec<String>,
    /// Keys whose new values wait for a restart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending_restart: Vec<String>,
    /// Why it was refused, the first of them.
    #[serde(default)]
    pub problems: Vec<ConfigProblem>,
    /// How many there are besides.
    #[serde(default)]
    pub more_problems: u64,
    /// What deserves a warning in what is in force.
    #[serde(default)]
    pub warnings: Vec<ConfigProblem>,
}

/// What became of a configuration that was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReloadOutcome {
    /// It says what is in force.
    #[default]
    Unchanged,
    /// The difference is in force.
    Applied,
    /// It would take too much away to be applied without being told so twice.
    Pending,
    /// It is not valid.
    Refused,
}

/// One thing that is wrong with a configuration, or deserves a warning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigProblem {
    /// The file, if it was written in one.
    pub file: Option<String>,
    /// Its line, from 1.
    pub line: Option<u64>,
    /// The column, from 1, in characters.
    pub column: Option<u64>,
    /// The place in words: `siskin.toml:3:1`, `env AS`, `flag --peer`, `default`.
    pub origin: String,
    /// The key by its full name; empty if the whole file is meant.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it; empty if there is no more to say.
    pub remedy: String,
}
