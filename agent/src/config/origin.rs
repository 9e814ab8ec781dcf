//! Where an effective value comes from.

use std::{fmt, str::FromStr};

/// The place a value was written in, in the order of the layers.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Nobody said anything.
    #[default]
    Default,
    /// The environment variable of this name.
    Environment(String),
    /// A file; line and column count from one, columns in characters.
    File {
        /// As given on the command line.
        path: String,
        /// Line.
        line: usize,
        /// Column.
        column: usize,
    },
    /// The command line's flag of this name, dashes included.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Environment(name) => write!(f, "env {name}"),
            Self::File { path, line, column } => write!(f, "{path}:{line}:{column}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// A text that is no [`Origin`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an origin")]
pub struct ParseOriginError;

impl FromStr for Origin {
    type Err = ParseOriginError;

    /// Reads what [`Display`](fmt::Display) wrote: the layers carry an origin as text beside each value.
    fn from_str(text: &str) -> Result<Self, ParseOriginError> {
        let mut parts = text.rsplitn(3, ':');
        let mut number = || parts.next().and_then(|p| p.parse().ok());
        if let (Some(column), Some(line), Some(path)) = (number(), number(), parts.next()) {
            return Ok(Self::File { path: path.to_owned(), line, column });
        }
        match text.split_once(' ') {
            None if text == "default" => Ok(Self::Default),
            Some(("env", name)) => Ok(Self::Environment(name.to_owned())),
            Some(("flag", name)) => Ok(Self::Flag(name.to_owned())),
            _ => Err(ParseOriginError),
        }
    }
}

/// A value together with its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub origin: Origin,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_survives_its_own_text() {
        for origin in [
            Origin::Default,
            Origin::Environment("SISKIN__BGP__LISTEN_PORT".into()),
            Origin::File { path: "/etc/a: b.toml".into(), line: 3, column: 14 },
            Origin::Flag("--peer".into()),
        ] {
            assert_eq!(origin.to_string().parse(), Ok(origin));
        }
    }
}
