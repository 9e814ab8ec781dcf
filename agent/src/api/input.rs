//! Lines, and descriptors, that a client of the unix socket sends.

use std::io::{self, IoSliceMut};

use rustix::{
    fd::OwnedFd,
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg},
};
use tokio::{
    io::Interest,
    net::{UnixStream, unix::OwnedReadHalf},
};

use super::protocol::MAX_REQUEST;

/// What one read takes at most.
const PART: usize = 4096;

/// What a client sends.
pub(super) struct Input {
    half: OwnedReadHalf,
    /// What has come and was not taken yet; at most one request and a part.
    waiting: Vec<u8>,
    /// The descriptor that came last.
    descriptor: Option<OwnedFd>,
}

/// A request line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Whole, without its end.
    Whole(Vec<u8>),
    /// Longer than [`MAX_REQUEST`].
    TooLong,
    /// There are no more.
    End,
}

impl Input {
    pub(super) fn new(half: OwnedReadHalf) -> Self {
        Self { half, waiting: Vec::new(), descriptor: None }
    }

    /// The next line. What comes without an end before the client closes is one too.
    ///
    /// # Errors
    ///
    /// As `recvmsg(2)`.
    pub(super) async fn line(&mut self) -> io::Result<Line> {
        loop {
            if let Some(end) = self.waiting.iter().position(|octet| *octet == b'\n') {
                let rest = self.waiting.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.waiting, rest);
                line.pop();
                return Ok(if line.len() < MAX_REQUEST { Line::Whole(line) } else { Line::TooLong });
            }
            if self.waiting.len() >= MAX_REQUEST {
                return Ok(Line::TooLong);
            }
            if self.fill().await? == 0 {
                let line = std::mem::take(&mut self.waiting);
                return Ok(if line.is_empty() { Line::End } else { Line::Whole(line) });
            }
        }
    }

    /// Waits until the client says something more, or closes.
    ///
    /// # Errors
    ///
    /// As `recvmsg(2)`.
    pub(super) async fn anything(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() { self.fill().await.map(|_| ()) } else { Ok(()) }
    }

    /// The descriptor that came with the last line, if one did.
    pub(super) fn take_descriptor(&mut self) -> Option<OwnedFd> {
        self.descriptor.take()
    }

    /// Takes what there is; 0 at the end.
    async fn fill(&mut self) -> io::Result<usize> {
        let stream: &UnixStream = self.half.as_ref();
        let mut part = [0; PART];
        let (length, descriptor) = stream.async_io(Interest::READABLE, || receive(stream, &mut part)).await?;
        self.waiting.extend_from_slice(part.get(..length).unwrap_or_default());
        if descriptor.is_some() {
            self.descriptor = descriptor;
        }
        Ok(length)
    }
}

/// Reads octets, and the descriptor that comes with them. The kernel closes those there is no room for.
fn receive(stream: &UnixStream, part: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(part)];
    let received = recvmsg(stream, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let descriptors = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let descriptor = descriptors.flatten().last();
    Ok((received.bytes, descriptor))
}
