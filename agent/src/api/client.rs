//! The asking side: blocking, without a runtime.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, IoSlice, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
    time::Duration,
};

use rustix::{
    fd::AsFd,
    io::Errno,
    net::{
        AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags,
        SocketType, connect, sendmsg, socket_with,
        sockopt::{Timeout, set_socket_timeout},
    },
};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::protocol::{ApiError, Frame, PROTOCOL, Request};

/// The name beside the daemon's socket where a second one, which only answers, is looked for.
pub const READ_SOCKET: &str = "read.sock";

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
    /// It listens, and says nothing.
    #[error("the daemon on {path} has not answered within {} s", limit.as_secs())]
    TimedOut {
        /// The socket.
        path: PathBuf,
        /// How long was waited.
        limit: Duration,
    },
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
    /// Input or output of the socket failed.
    #[error("the daemon's socket: {0}")]
    Io(#[from] io::Error),
}

/// Where the daemon is, and how long it may take.
#[derive(Clone, Debug)]
pub struct Address {
    /// The socket.
    pub path: PathBuf,
    /// How long nothing may come; `None`: as long as it takes.
    pub limit: Option<Duration>,
}

/// An answer being read.
#[derive(Debug)]
pub struct Answer {
    input: BufReader<UnixStream>,
    address: Address,
    line: String,
}

/// Sends a request, and reads the beginning of the answer.
///
/// What only asks is asked of [`READ_SOCKET`] beside the daemon's socket where that one may not be used.
///
/// # Errors
///
/// [`ClientError`].
pub fn ask(address: &Address, request: &Request) -> Result<Answer, ClientError> {
    match ask_there(address, request, None) {
        Err(ClientError::NotAllowed(path)) if request.change().is_none() => {
            let beside = Address { path: path.with_file_name(READ_SOCKET), ..address.clone() };
            match ask_there(&beside, request, None) {
                Err(ClientError::NotThere { .. } | ClientError::NotAllowed(_)) => {
                    Err(ClientError::NotAllowed(path))
                }
                answer => answer,
            }
        }
        answer => answer,
    }
}

/// The same with an open file for the daemon.
///
/// # Errors
///
/// [`ClientError`].
pub fn ask_with_file(address: &Address, request: &Request, file: &File) -> Result<Answer, ClientError> {
    ask_there(address, request, Some(file))
}

fn ask_there(address: &Address, request: &Request, file: Option<&File>) -> Result<Answer, ClientError> {
    let stream = connected(address)?;
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    let sent = send(&stream, line.as_bytes(), file);
    let input = BufReader::with_capacity(64 << 10, stream);
    let mut answer = Answer { input, address: address.clone(), line };
    match sent {
        Ok(()) => {}
        // Who is turned away is told why before the connection ends.
        Err(error) if is_end(&error) => {}
        Err(error) => return Err(answer.failed(error)),
    }
    answer.begin()?;
    Ok(answer)
}

/// A connection with its time limits. One to a daemon that accepts none waits no longer either.
fn connected(address: &Address) -> Result<UnixStream, ClientError> {
    let Address { path, limit } = address;
    let there = || -> rustix::io::Result<_> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        set_socket_timeout(&socket, Timeout::Send, *limit)?;
        set_socket_timeout(&socket, Timeout::Recv, *limit)?;
        connect(&socket, &SocketAddrUnix::new(path.as_path())?)?;
        Ok(socket)
    };
    there().map(UnixStream::from).map_err(|error| match error {
        Errno::ACCESS | Errno::PERM => ClientError::NotAllowed(path.clone()),
        Errno::AGAIN => timed_out(address),
        error => ClientError::NotThere { path: path.clone(), source: error.into() },
    })
}

fn timed_out(Address { path, limit }: &Address) -> ClientError {
    ClientError::TimedOut { path: path.clone(), limit: limit.unwrap_or_default() }
}

/// Sends a line; the descriptor goes with its first octets.
fn send(mut stream: &UnixStream, line: &[u8], file: Option<&File>) -> io::Result<()> {
    let Some(file) = file else { return stream.write_all(line) };
    let descriptors = [file.as_fd()];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    let sent = sendmsg(stream, &[IoSlice::new(line)], &mut control, SendFlags::NOSIGNAL)?;
    stream.write_all(line.get(sent..).unwrap_or_default())
}

/// Whether the other side has closed.
fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

impl Answer {
    fn failed(&self, error: io::Error) -> ClientError {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => timed_out(&self.address),
            _ if is_end(&error) => ClientError::Cut,
            _ => error.into(),
        }
    }

    /// The next line, without its end.
    fn read_line(&mut self) -> Result<(), ClientError> {
        self.line.clear();
        match self.input.read_line(&mut self.line) {
            Ok(0) => Err(ClientError::Cut),
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn begin(&mut self) -> Result<(), ClientError> {
        self.read_line()?;
        match serde_json::from_str::<Frame<Box<RawValue>>>(&self.line)? {
            Frame::Header { protocol: PROTOCOL } => Ok(()),
            Frame::Header { protocol } => Err(ClientError::Version(protocol)),
            Frame::Error(error) => Err(error.into()),
            Frame::Row(_) | Frame::End { .. } => Err(ClientError::Version(0)),
        }
    }

    /// How long nothing may come from now on.
    ///
    /// # Errors
    ///
    /// As `setsockopt(2)`.
    pub fn limit(&mut self, limit: Option<Duration>) -> Result<(), ClientError> {
        self.address.limit = limit;
        Ok(self.input.get_ref().set_read_timeout(limit)?)
    }

    /// The next row, or `None` after the last.
    ///
    /// # Errors
    ///
    /// [`ClientError::Api`] when the daemon says so, others when the connection breaks.
    pub fn next_row<R: DeserializeOwned>(&mut self) -> Result<Option<R>, ClientError> {
        loop {
            self.read_line()?;
            match serde_json::from_str(&self.line)? {
                Frame::Header { .. } => {}
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
    ///
    /// # Errors
    ///
    /// When it does not within the limit.
    pub fn wait_for_end(mut self) -> Result<(), ClientError> {
        loop {
            match self.read_line() {
                Ok(()) => {}
                Err(ClientError::Cut) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}
