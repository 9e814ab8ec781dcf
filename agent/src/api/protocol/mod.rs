//! Requests, answers and their framing.
//!
//! The JSON names are an interface: fields are added, never renamed. Ages are whole seconds, addresses and prefixes
//! texts; a route of the kernel has the keys of `ip -j route`.

pub mod bfd;
pub mod config;
pub mod event;
pub mod explain;
pub mod fib;
pub mod peer;
pub mod policy;
pub mod problem;
pub mod route;
pub mod status;
pub mod time;

use serde::{Deserialize, Serialize};

/// Version of the framing; a client refuses another one.
pub const PROTOCOL: u32 = 1;

/// Longest request line, in bytes.
pub const MAX_REQUEST: usize = 4096;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// One [`status::Status`].
    Status,
    /// [`peer::PeerRow`]s.
    Peers {
        /// Only this one, by name or address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer: Option<String>,
    },
    /// [`bfd::BfdRow`]s.
    Bfd {
        /// Only that of this peer, by name or address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer: Option<String>,
    },
    /// [`route::RouteRow`]s.
    Routes(route::RouteQuery),
    /// [`fib::FibRow`]s.
    Fib {
        /// Which of them.
        #[serde(default)]
        select: fib::FibSelect,
    },
    /// One [`explain::Explain`].
    Explain {
        /// A prefix or an address.
        target: String,
    },
    /// One [`policy::Policies`].
    Policies {
        /// Only that of this name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        policy: Option<String>,
    },
    /// [`event::Event`]s until the client goes away.
    Monitor,
    /// Ends a session, or refreshes it; one [`Done`].
    Clear {
        /// A name, an address, or `all`.
        peer: String,
        /// How.
        #[serde(default)]
        mode: ClearMode,
    },
    /// Dumps the tables as MRT into the regular file whose descriptor comes with this line (SCM_RIGHTS); one [`Done`].
    MrtDump {
        /// What the client calls the file. The daemon opens nothing by this name.
        file: std::path::PathBuf,
    },
    /// Shuts a peer down until it is enabled; one [`Done`].
    Disable {
        /// A name or an address.
        peer: String,
        /// What the peer is told (RFC 9003), instead of what the configuration says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// Takes that back; one [`Done`].
    Enable {
        /// A name or an address.
        peer: String,
    },
    /// Stops the daemon; one [`Done`], after which the connection ends when the daemon has.
    Stop {
        /// What becomes of the routes.
        #[serde(default)]
        mode: StopMode,
    },
    /// One [`ConfigView`]: the configuration in force.
    Config,
    /// Reads the configuration again; one [`config::Reloaded`].
    Reload {
        /// Whether a change is applied that would otherwise stay pending.
        #[serde(default)]
        force: bool,
    },
    /// One [`Version`].
    Version,
}

impl Request {
    /// What the request changes, as an operator would say it; `None` if it only asks.
    #[must_use]
    pub fn change(&self) -> Option<String> {
        match self {
            Self::Status
            | Self::Peers { .. }
            | Self::Bfd { .. }
            | Self::Routes(_)
            | Self::Fib { .. }
            | Self::Explain { .. }
            | Self::Policies { .. }
            | Self::Monitor
            | Self::Config
            | Self::Version => None,
            Self::Clear { peer, mode: ClearMode::Hard } => Some(format!("clear {peer}")),
            Self::Clear { peer, mode: ClearMode::Soft } => Some(format!("clear {peer} --soft")),
            Self::MrtDump { file } => Some(format!("mrt dump {}", file.display())),
            Self::Disable { peer, .. } => Some(format!("disable {peer}")),
            Self::Enable { peer } => Some(format!("enable {peer}")),
            Self::Reload { force: false } => Some("reload".to_owned()),
            Self::Reload { force: true } => Some("reload --force".to_owned()),
            Self::Stop { mode: StopMode::Keep } => Some("stop".to_owned()),
            Self::Stop { mode: StopMode::Drain } => Some("stop --drain".to_owned()),
        }
    }
}

/// How a session is cleared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClearMode {
    /// Cease 6/4 (RFC 4486) and a new session.
    #[default]
    Hard,
    /// ROUTE-REFRESH both ways (RFC 2918), session kept.
    Soft,
}

/// What becomes of the routes when the daemon stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopMode {
    /// They stay in the kernel, and peers with graceful restart keep theirs.
    #[default]
    Keep,
    /// Peers are told, then the routes are removed.
    Drain,
}

/// One line of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame<R> {
    /// The first line.
    Header {
        /// [`PROTOCOL`].
        protocol: u32,
    },
    /// A row, or the only object.
    Row(R),
    /// The last line: all is said.
    End {
        /// How many rows came before.
        rows: u64,
    },
    /// The last line: it went wrong.
    Error(ApiError),
}

/// Why a request was not answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// For programs.
    pub code: ErrorCode,
    /// For people, one sentence.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl ApiError {
    /// An error without remedy.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), remedy: None }
    }

    /// The same with a remedy.
    #[must_use]
    pub fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

/// Kinds of [`ApiError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request cannot be understood.
    BadRequest,
    /// What it names does not exist.
    NotFound,
    /// Too many clients, or the daemon is stopping.
    Busy,
    /// This socket, or whoever uses it, may ask only.
    NotAllowed,
    /// The daemon failed.
    Internal,
}

/// A command was carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// What was done, one sentence.
    pub message: String,
}

/// The configuration in force; secrets are hidden.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigView {
    /// As a file.
    pub toml: String,
    /// The same with the origin of each value as a comment.
    pub toml_with_origins: String,
    /// `settings` (key, value, origin), `pending` (keys that wait for a restart) and `warnings`.
    #[serde(flatten)]
    pub details: serde_json::Value,
}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The daemon's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(request: &Request, line: &str) {
        assert_eq!(serde_json::to_string(request).expect("serialises"), line);
        assert_eq!(&serde_json::from_str::<Request>(line).expect("parses"), request);
    }

    #[test]
    fn requests_are_one_flat_object() {
        round_trip(&Request::Status, r#"{"command":"status"}"#);
        round_trip(&Request::Peers { peer: Some("tor".into()) }, r#"{"command":"peers","peer":"tor"}"#);
        round_trip(&Request::Stop { mode: StopMode::Drain }, r#"{"command":"stop","mode":"drain"}"#);
        round_trip(
            &Request::Routes(route::RouteQuery { prefix: Some("10.0.0.0/8".into()), ..Default::default() }),
            r#"{"command":"routes","prefix":"10.0.0.0/8","side":"loc_rib"}"#,
        );
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let request: Request = serde_json::from_str(r#"{"command":"clear","peer":"tor"}"#).expect("parses");
        assert_eq!(request, Request::Clear { peer: "tor".into(), mode: ClearMode::Hard });
        assert!(serde_json::from_str::<Request>(r#"{"command":"reboot"}"#).is_err());
    }

    #[test]
    fn an_error_is_a_frame_of_its_own() {
        let frame: Frame<Done> =
            Frame::Error(ApiError::new(ErrorCode::NotFound, "no such peer").remedy("siskin peers"));
        let line = serde_json::to_string(&frame).expect("serialises");
        assert_eq!(
            line,
            r#"{"error":{"code":"not_found","message":"no such peer","remedy":"siskin peers"}}"#
        );
        assert_eq!(serde_json::from_str::<Frame<Done>>(&line).expect("parses"), frame);
    }
}
