//! What happens, as it happens.

use serde::{Deserialize, Serialize};

use super::problem::ProblemCode;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub time_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// A session changed its state.
    Session {
        /// The peer's name.
        peer: String,
        /// The new state.
        state: String,
        /// Why.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        info: String,
    },
    /// The BFD session with a peer changed its state.
    Bfd {
        /// The peer's name.
        peer: String,
        /// The new state.
        state: String,
        /// Why.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        info: String,
    },
    /// The best path of a prefix changed.
    Route {
        /// The prefix.
        prefix: String,
        /// The new next hops; empty: there is no route any more.
        next_hops: Vec<String>,
    },
    /// The kernel was changed, or refused to be.
    Fib {
        /// The prefix.
        dst: String,
        /// The new state.
        state: String,
        /// The route, or the error.
        info: String,
    },
    /// The configuration was applied or refused.
    Config {
        /// `applied` or `refused`.
        state: String,
        /// What changed, or why it was refused.
        info: String,
    },
    /// The tunnel or its guard changed.
    Tunnel {
        /// What.
        info: String,
    },
    /// Graceful restart moved on.
    Restart {
        /// What.
        info: String,
    },
    /// A problem of `siskin status` began or is over.
    Problem {
        /// Its kind.
        code: ProblemCode,
        /// What it is about; may be empty.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        subject: String,
        /// `begun` or `over`.
        state: String,
        /// What is or was wrong.
        info: String,
    },
    /// This client was too slow.
    Missed {
        /// So many events were left out here.
        count: u64,
    },
}

impl Event {
    /// An event of this moment.
    #[must_use]
    pub fn now(what: What) -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self { time_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX), what }
    }
}
