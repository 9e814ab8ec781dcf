//! One TCP connection of a peer: unread and unsent octets.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    net::SocketAddr,
    os::fd::AsFd,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_util::task::TaskTracker;

use super::{outbox::Outbox, sys};
use crate::{
    fsm::{ConnectionId, Outgoing},
    wire::{DecodeContext, encode},
};

/// Octets read at once.
pub(super) const READ: usize = 64 * 1024;
/// Messages gathered for one write.
const GATHER: usize = 16;
/// How long a connection stays open so that the peer can read the last message.
const LINGER: Duration = Duration::from_secs(2);

/// A connection whose TCP is up.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: ConnectionId,
    stream: TcpStream,
    /// The beginning of a message whose rest has not come yet.
    pub(super) partial: BytesMut,
    pub(super) context: DecodeContext,
    output: VecDeque<Bytes>,
    /// Octets of the front of `output` that are sent already.
    started: Started,
    /// Where routes come from once the session is up.
    pub(super) outbox: Option<Outbox>,
    spoken: Spoken,
    farewell: Farewell,
    /// The OPENs exchanged.
    pub(super) opens: Opens,
}

/// The OPENs of a connection as octets.
#[derive(Clone, Debug, Default)]
pub(super) struct Opens {
    pub(super) sent: Bytes,
    pub(super) received: Bytes,
}

/// Whether the last word to the peer is among the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Farewell {
    NotSaid,
    Queued,
}

/// Whether a whole message has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoken {
    No,
    Yes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Started {
    No,
    Yes,
}

impl Link {
    pub(super) fn new(id: ConnectionId, stream: TcpStream, context: DecodeContext) -> Self {
        Self {
            id,
            stream,
            partial: BytesMut::new(),
            context,
            output: VecDeque::new(),
            started: Started::No,
            outbox: None,
            spoken: Spoken::No,
            farewell: Farewell::NotSaid,
            opens: Opens::default(),
        }
    }

    /// Reads what has come, at most [`READ`] octets; zero means that the peer has closed.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Both ends, while the connection is up.
    pub(super) fn ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.stream.local_addr().ok().zip(self.stream.peer_addr().ok())
    }

    /// The index of the interface the connection is bound to.
    pub(super) fn interface(&self) -> Option<u32> {
        sys::bound_interface(self.stream.as_fd()).ok().flatten()
    }

    /// The index of the interface the connection runs over: the one it is bound to, else the one whose network it is in.
    /// A connection over several hops is in no such network.
    pub(super) fn runs_over(&self) -> Option<u32> {
        let (local, peer) = self.ends()?;
        self.interface().or_else(|| sys::interface_between(local.ip(), peer.ip()).ok().flatten())
    }

    /// Whether the kernel holds octets that nobody has read.
    pub(super) fn has_unread(&self) -> bool {
        sys::unread(self.stream.as_fd()).is_ok_and(|count| count > 0)
    }

    /// Queues a message of the state machine, a NOTIFICATION before everything but our OPEN whose sending has not
    /// begun. Returns
    /// its octets.
    pub(super) fn send(&mut self, message: &Outgoing) -> Bytes {
        let mut bytes = BytesMut::new();
        match message {
            Outgoing::Open(open) => {
                if let Err(error) = open.encode(&mut bytes) {
                    tracing::error!(%error, "cannot encode OPEN");
                }
            }
            Outgoing::Keepalive => encode::keepalive(&mut bytes),
            Outgoing::Notification(notification) => {
                encode::notification(notification, &mut bytes);
                // Our OPEN is the first message of all (RFC 4271 section 8.2.2).
                let begun = self.started == Started::Yes || self.spoken == Spoken::No;
                self.output.truncate(usize::from(begun));
                self.farewell = Farewell::Queued;
            }
        }
        let bytes = bytes.freeze();
        if let Outgoing::Open(_) = message {
            self.opens.sent = bytes.clone();
        }
        self.output.push_back(bytes.clone());
        bytes
    }

    /// Queues whole messages.
    pub(super) fn queue(&mut self, messages: impl IntoIterator<Item = Bytes>) {
        self.output.extend(messages.into_iter().filter(|bytes| !bytes.is_empty()));
    }

    /// Whether everything queued has been sent.
    pub(super) fn is_drained(&self) -> bool {
        self.output.is_empty()
    }

    /// Sends some of what is queued and says how much; pending also when there is nothing.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.output.is_empty() {
            return Poll::Pending;
        }
        let mut slices = [IoSlice::new(&[]); GATHER];
        let filled =
            slices.iter_mut().zip(&self.output).map(|(slice, bytes)| *slice = IoSlice::new(bytes)).count();
        let slices = slices.get(..filled).unwrap_or_default();
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices))?;
        self.advance(written);
        Poll::Ready(if written == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(written) })
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(front) = self.output.front_mut() {
            if written < front.len() {
                front.advance(written);
                self.started = if written > 0 { Started::Yes } else { self.started };
                return;
            }
            written = written.saturating_sub(front.len());
            self.output.pop_front();
            (self.started, self.spoken) = (Started::No, Spoken::Yes);
        }
    }

    /// Closes the connection: at once, or in the background when the peer should read a NOTIFICATION first.
    pub(super) fn close(self, background: &TaskTracker) {
        if self.farewell == Farewell::Queued {
            background.spawn(self.linger());
        }
    }

    /// Lets the peer read the last message before the connection closes: closing with unread input at once would
    /// reset it and take the NOTIFICATION with it.
    async fn linger(mut self) {
        let farewell = async {
            while let Some(mut bytes) = self.output.pop_front() {
                self.stream.write_all_buf(&mut bytes).await?;
            }
            self.stream.shutdown().await?;
            let mut rest = [0; 4096];
            while self.stream.read(&mut rest).await? > 0 {}
            io::Result::Ok(())
        };
        // Whether the peer read it or the time is up, there is nothing left to do.
        drop(timeout(LINGER, farewell).await);
    }
}
