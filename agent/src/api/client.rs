//! The asking side: blocking, without a runtime.

use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

use super::protocol::{ApiError, Frame, PROTOCOL, Request};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no siskin daemon answers on {path} ({source})")]
    NotThere {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Only root and the socket's group may ask.
    #[error("not allowed to use {0}: run as root, or as a member of its group")]
    NotAllowed(PathBuf),
    /// The daemon said no.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The connection broke.
    #[error("the daemon closed the connection before the answer was complete")]
    Cut,
    /// The other side speaks otherwise.
    #[error("the daemon speaks protocol {0}, this program {PROTOCOL}: use the same version of both")]
    Version(u32),
    /// What came cannot be read.
    #[error("the daemon's answer cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Input or output failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// An answer being read.
#[derive(Debug)]
pub struct Answer {
    input: BufReader<UnixStream>,
    line: String,
}

/// Sends a request.
///
/// # Errors
///
/// [`ClientError::NotThere`] and [`ClientError::NotAllowed`] when there is no connection.
pub fn ask(path: &Path, request: &Request) -> Result<Answer, ClientError> {
    let mut stream = UnixStream::connect(path).map_err(|source| match source.kind() {
        io::ErrorKind::PermissionDenied => ClientError::NotAllowed(path.to_owned()),
        _ => ClientError::NotThere { path: path.to_owned(), source },
    })?;
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    Ok(Answer { input: BufReader::with_capacity(64 << 10, stream), line })
}

impl Answer {
    /// The next row, or `None` after the last.
    ///
    /// # Errors
    ///
    /// [`ClientError::Api`] when the daemon says so, others when the connection breaks.
    pub fn next_row<R: DeserializeOwned>(&mut self) -> Result<Option<R>, ClientError> {
        loop {
            self.line.clear();
            if self.input.read_line(&mut self.line)? == 0 {
                return Err(ClientError::Cut);
            }
            match serde_json::from_str(&self.line)? {
                Frame::Header { protocol: PROTOCOL } => {}
                Frame::Header { protocol } => return Err(ClientError::Version(protocol)),
                Frame::Row(row) => return Ok(Some(row)),
                Frame::End { .. } => return Ok(None),
                Frame::Error(error) => return Err(error.into()),
            }
        }
    }

    /// The only object of the answer.
    ///
    /// # Errors
    ///
    /// As [`Self::next_row`], and [`ClientError::Cut`] when there is none.
    pub fn only<R: DeserializeOwned>(mut self) -> Result<R, ClientError> {
        self.next_row()?.ok_or(ClientError::Cut)
    }

    /// Waits until the daemon closes the connection.
    pub fn wait_for_end(mut self) {
        while self.input.read_line(&mut self.line).is_ok_and(|n| n > 0) {
            self.line.clear();
        }
    }
}
