//! The connection to one BMP collector: connects, asks the speaker for portions, writes them, and tries again.
//!
//! A portion is asked for when the one before is written. Whatever the collector does, no more than one waits for it,
//! and the speaker never waits.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time::{sleep, timeout},
};
use tracing::{info, warn};

use crate::{bmp::message, config::CollectorConfig};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a collector may take nothing at all.
const STALLED: Duration = Duration::from_secs(120);
/// How long the last word may take.
const FAREWELL: Duration = Duration::from_secs(1);
/// Octets the kernel may hold for a collector: what waits there cannot be coalesced any more.
const SEND_BUFFER: usize = 128 * 1024;
/// The longest wait between attempts.
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// A connection that lasted this long was a good one: the next attempt comes soon.
const GOOD: Duration = Duration::from_secs(60);

/// What the speaker tells a collector's task. The end of the channel ends the BMP session.
#[derive(Debug)]
pub(super) enum ToCollector {
    /// Messages to write.
    Portion(Bytes),
    /// The collector is too slow: begin anew.
    StartOver,
}

/// What a collector's task tells the speaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FromCollector {
    /// There is a connection; what is written first must be an Initiation.
    Connected(u64),
    /// Everything is written.
    Wants(u64),
    /// The connection is gone.
    Lost(u64),
}

/// A BMP collector as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorSnapshot {
    /// Its address, as configured.
    pub address: String,
    /// Whether there is a connection.
    pub state: CollectorState,
    /// How long it has been in this state.
    pub state_age: Duration,
    /// What ended the last connection or attempt.
    pub last_failure: Option<String>,
    /// Connections so far.
    pub connections: u64,
    /// Messages written, over all connections.
    pub messages: u64,
    /// Octets written, over all connections.
    pub octets: u64,
    /// Changed paths that wait to be told.
    pub waiting: usize,
    /// Changes told together with a later one of the same path, over the present connection.
    pub coalesced: u64,
    /// Connections given up because the collector was too slow; each was followed by a new dump of all tables.
    pub overtaken: u64,
}

/// Whether a collector is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CollectorState {
    /// A connection is being opened.
    Connecting,
    /// Messages flow.
    Up,
    /// The next attempt comes after this long.
    Waiting {
        /// From now on.
        retry_in: Duration,
    },
}

/// What the task shares with the speaker.
#[derive(Debug)]
pub(super) struct Shared(Mutex<Status>);

#[derive(Debug)]
struct Status {
    state: CollectorState,
    since: Instant,
    last_failure: Option<String>,
    connections: u64,
    messages: u64,
    octets: u64,
    overtaken: u64,
}

impl Default for Shared {
    fn default() -> Self {
        Self(Mutex::new(Status {
            state: CollectorState::Connecting,
            since: Instant::now(),
            last_failure: None,
            connections: 0,
            messages: 0,
            octets: 0,
            overtaken: 0,
        }))
    }
}

impl Shared {
    fn status(&self) -> MutexGuard<'_, Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, state: CollectorState) {
        let mut status = self.status();
        (status.state, status.since) = (state, Instant::now());
    }

    /// The collector as it is now, but for what the exporter knows.
    pub(super) fn snapshot(&self, address: &str) -> CollectorSnapshot {
        let status = self.status();
        let age = status.since.elapsed();
        let state = match status.state {
            CollectorState::Waiting { retry_in } => {
                CollectorState::Waiting { retry_in: retry_in.saturating_sub(age) }
            }
            state => state,
        };
        CollectorSnapshot {
            address: address.to_owned(),
            state,
            state_age: age,
            last_failure: status.last_failure.clone(),
            connections: status.connections,
            messages: status.messages,
            octets: status.octets,
            waiting: 0,
            coalesced: 0,
            overtaken: status.overtaken,
        }
    }
}

/// The task of one collector.
#[derive(Debug)]
pub(super) struct CollectorTask {
    pub(super) id: u64,
    pub(super) config: CollectorConfig,
    pub(super) portions: mpsc::Receiver<ToCollector>,
    pub(super) speaker: mpsc::Sender<FromCollector>,
    pub(super) shared: Arc<Shared>,
}

/// Why a connection ended.
enum End {
    /// The speaker has ended the BMP session, or itself.
    Over,
    /// The same, in the middle of a message.
    Cut,
    /// It failed, or was given up.
    Failed(String),
}

impl CollectorTask {
    /// Runs until the speaker drops the other end of the channel.
    pub(super) async fn run(mut self) {
        let mut wait = self.config.retry;
        loop {
            self.shared.enter(CollectorState::Connecting);
            let begun = Instant::now();
            let failure = match self.connect().await {
                Some(Ok(stream)) => match self.serve(stream).await {
                    End::Over | End::Cut => return,
                    End::Failed(failure) => failure,
                },
                Some(Err(error)) => error.to_string(),
                None => return,
            };
            if begun.elapsed() >= GOOD {
                wait = self.config.retry;
            }
            warn!(collector = self.config.address, reason = failure, "no BMP session");
            self.shared.status().last_failure = Some(failure);
            self.shared.enter(CollectorState::Waiting { retry_in: wait });
            if self.idle(wait).await.is_none() {
                return;
            }
            wait = wait.saturating_mul(2).min(LONGEST_RETRY.max(self.config.retry));
        }
    }

    /// Waits; `None` when the session is over meanwhile.
    async fn idle(&mut self, wait: Duration) -> Option<()> {
        let due = sleep(wait);
        tokio::pin!(due);
        loop {
            tokio::select! {
                () = &mut due => return Some(()),
                told = self.portions.recv() => drop(told?),
            }
        }
    }

    /// `None`: the session is over.
    async fn connect(&mut self) -> Option<io::Result<TcpStream>> {
        let address = self.config.address.clone();
        let connecting = timeout(CONNECT, TcpStream::connect(address));
        tokio::pin!(connecting);
        loop {
            tokio::select! {
                result = &mut connecting => return Some(result.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).and_then(prepared)),
                told = self.portions.recv() => drop(told?),
            }
        }
    }

    /// A connection from its first message to its last.
    async fn serve(&mut self, mut stream: TcpStream) -> End {
        // What was meant for an earlier connection.
        while self.portions.try_recv().is_ok() {}
        info!(collector = self.config.address, "BMP session begins");
        self.shared.status().connections += 1;
        self.shared.enter(CollectorState::Up);
        if self.speaker.send(FromCollector::Connected(self.id)).await.is_err() {
            return End::Over;
        }
        let end = self.write_portions(&mut stream).await;
        if let End::Failed(_) = end
            && self.speaker.send(FromCollector::Lost(self.id)).await.is_err()
        {
            return End::Over;
        }
        if matches!(end, End::Over) {
            terminate(&mut stream).await;
        }
        end
    }

    async fn write_portions(&mut self, stream: &mut TcpStream) -> End {
        let mut ignored = [0; 512];
        loop {
            if self.speaker.send(FromCollector::Wants(self.id)).await.is_err() {
                return End::Over;
            }
            let portion = loop {
                tokio::select! {
                    told = self.portions.recv() => match told {
                        Some(ToCollector::Portion(portion)) => break portion,
                        Some(ToCollector::StartOver) => {
                            self.shared.status().overtaken += 1;
                            return End::Failed("too slow: more paths changed than are remembered for it".to_owned());
                        }
                        None => return End::Over,
                    },
                    // A collector has nothing to say (RFC 7854 section 3.2); reading shows when it closes.
                    read = stream.read(&mut ignored) => match read {
                        Ok(0) => return End::Failed("closed by the collector".to_owned()),
                        Ok(_) => {}
                        Err(error) => return End::Failed(error.to_string()),
                    },
                }
            };
            if let Err(end) = self.write(stream, &portion).await {
                return end;
            }
            self.written(&portion);
        }
    }

    async fn write(&mut self, stream: &mut TcpStream, portion: &[u8]) -> Result<(), End> {
        let writing = stream.write_all(portion);
        tokio::pin!(writing);
        tokio::select! {
            outcome = timeout(STALLED, &mut writing) => match outcome {
                Ok(outcome) => outcome.map_err(|error| End::Failed(error.to_string())),
                Err(_) => Err(End::Failed(format!("took nothing for {} s", STALLED.as_secs()))),
            },
            // Nothing comes while a portion is being written but the end.
            _ = self.portions.recv() => match timeout(FAREWELL, writing).await {
                Ok(Ok(())) => Err(End::Over),
                _ => Err(End::Cut),
            },
        }
    }

    fn written(&self, portion: &[u8]) {
        let mut status = self.shared.status();
        status.octets = status.octets.saturating_add(portion.len() as u64);
        status.messages = status.messages.saturating_add(message::count(portion));
    }
}

fn prepared(stream: TcpStream) -> io::Result<TcpStream> {
    let socket = SockRef::from(&stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(Duration::from_secs(60)))?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Says goodbye; a collector that does not listen is none of our business any more.
async fn terminate(stream: &mut TcpStream) {
    let mut farewell = BytesMut::new();
    message::termination(&mut farewell);
    let said = timeout(FAREWELL, async {
        stream.write_all(&farewell).await?;
        stream.shutdown().await
    });
    drop(said.await);
}
