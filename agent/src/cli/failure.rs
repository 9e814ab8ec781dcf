//! Why a command did not succeed: for people as text, for programs as JSON, for scripts as exit status.

use std::io;

use serde::Serialize;

use crate::api::{
    client::ClientError,
    protocol::{ApiError, ErrorCode},
};

/// The command failed, or `--check` found something.
pub const EXIT_FAILED: u8 = 1;
/// What was typed or configured is not valid.
pub const EXIT_INVALID: u8 = 2;
/// The daemon is not there.
pub const EXIT_NO_DAEMON: u8 = 3;
/// The daemon has not answered in time.
pub const EXIT_TIMED_OUT: u8 = 4;
/// The daemon gave no whole answer: too many clients, or the connection broke.
pub const EXIT_NO_ANSWER: u8 = 5;
/// Whoever typed the command may not do that.
pub const EXIT_NOT_ALLOWED: u8 = 6;

/// What each exit status means, as `--help` says it.
pub const EXIT_CODES: &str = "Exit status:
  0  done; with --check: healthy
  1  the command failed; with --check: not healthy
  2  usage error, or a configuration that is not valid
  3  the daemon is not there
  4  the daemon has not answered within --timeout
  5  no whole answer: too many clients, or the connection broke
  6  not allowed to ask the daemon for that";

/// Why a command did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// The daemon did not answer, or said no.
    Client(ClientError),
    /// Standard output takes no more.
    Output(io::Error),
    /// Something else, in full sentences, with the exit status.
    Other(u8, String),
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// A failure in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Described {
    /// The exit status.
    pub exit: u8,
    /// For programs.
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Failure {
    /// What was configured is not valid.
    #[must_use]
    pub fn invalid(text: impl ToString) -> Self {
        Self::Other(EXIT_INVALID, text.to_string())
    }

    /// The failure in words.
    #[must_use]
    pub fn describe(self) -> Described {
        let (exit, code, message, remedy) = match self {
            Self::Client(error) => of_client(error),
            Self::Output(error) => (EXIT_FAILED, "output", format!("standard output: {error}"), None),
            Self::Other(EXIT_INVALID, text) => (EXIT_INVALID, "invalid", text, None),
            Self::Other(exit, text) => match text.split_once("\n  ") {
                Some((message, remedy)) => (exit, "failed", message.to_owned(), Some(remedy.to_owned())),
                None => (exit, "failed", text, None),
            },
        };
        Described { exit, code, message, remedy }
    }
}

type Parts = (u8, &'static str, String, Option<String>);

fn of_client(error: ClientError) -> Parts {
    let text = error.to_string();
    let remedy = |remedy: &str| Some(remedy.to_owned());
    match error {
        ClientError::NotThere { .. } => {
            let start = "start it with `siskin run -c FILE` (or `systemctl start siskin`), \
                         or name its socket with --socket PATH or SISKIN_SOCKET";
            (EXIT_NO_DAEMON, "not_there", text, remedy(start))
        }
        ClientError::TimedOut { .. } => {
            let look = "it is stopped, or has too much to do: see what its process does, or wait longer with --timeout SECONDS";
            (EXIT_TIMED_OUT, "timed_out", text, remedy(look))
        }
        ClientError::NotAllowed(_) => {
            let read = "to ask only, `read_socket` in [api] gives a group a socket of its own";
            (EXIT_NOT_ALLOWED, "not_allowed", text, remedy(read))
        }
        ClientError::Api(error) => of_daemon(error),
        ClientError::Cut => {
            (EXIT_NO_ANSWER, "cut", text, remedy("try again; its log says whether it has ended"))
        }
        ClientError::Version(_) => (EXIT_NO_ANSWER, "version", text, None),
        ClientError::Malformed(_) => (EXIT_NO_ANSWER, "malformed", text, None),
        ClientError::Io(_) => (EXIT_NO_ANSWER, "socket", text, None),
    }
}

fn of_daemon(ApiError { code, message, remedy }: ApiError) -> Parts {
    let (exit, name) = match code {
        ErrorCode::BadRequest => (EXIT_FAILED, "bad_request"),
        ErrorCode::NotFound => (EXIT_FAILED, "not_found"),
        ErrorCode::Busy => (EXIT_NO_ANSWER, "busy"),
        ErrorCode::NotAllowed => (EXIT_NOT_ALLOWED, "not_allowed"),
        ErrorCode::Internal => (EXIT_FAILED, "internal"),
    };
    (exit, name, message, remedy)
}

impl Described {
    /// As standard error has it.
    #[must_use]
    pub fn text(&self) -> String {
        let remedy = self.remedy.as_ref().map(|remedy| format!("\n  {remedy}")).unwrap_or_default();
        format!("{}{remedy}", self.message)
    }

    /// The same for programs, on one line.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::json!({ "error": self }).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_silence_has_an_exit_status_of_its_own() {
        let exit = |error: ClientError| Failure::Client(error).describe().exit;
        let path = std::path::PathBuf::from("/s");
        let there = io::Error::from(io::ErrorKind::NotFound);
        assert_eq!(exit(ClientError::NotThere { path: path.clone(), source: there }), 3);
        let limit = std::time::Duration::from_secs(10);
        assert_eq!(exit(ClientError::TimedOut { path: path.clone(), limit }), 4);
        assert_eq!(exit(ClientError::Cut), 5);
        assert_eq!(exit(ApiError::new(ErrorCode::Busy, "64 clients").into()), 5);
        assert_eq!(
            exit(io::Error::from(io::ErrorKind::BrokenPipe).into()),
            5,
            "the socket's, not the output's"
        );
        assert_eq!(exit(ClientError::NotAllowed(path)), 6);
        assert_eq!(exit(ApiError::new(ErrorCode::NotFound, "no such peer").into()), 1);
    }

    #[test]
    fn every_exit_status_is_in_the_help_and_in_the_documentation() {
        let page = include_str!("../../../docs/operations.md");
        for line in EXIT_CODES.lines().skip(1) {
            let (code, meaning) = line.trim().split_once("  ").expect("code and meaning");
            assert!(page.contains(&format!("| {code} | {meaning} |")), "{line}");
        }
    }

    #[test]
    fn a_failure_is_text_for_people_and_an_object_for_programs() {
        let failure = Failure::Other(EXIT_FAILED, "it does not work\n  mend it".to_owned()).describe();
        assert_eq!(failure.text(), "it does not work\n  mend it");
        assert_eq!(
            failure.json(),
            r#"{"error":{"code":"failed","exit":1,"message":"it does not work","remedy":"mend it"}}"#
        );
    }
}
