//! Serves [`Request`]s on the unix socket.

use std::{fs::File, io, path::Path, sync::Arc, time::Duration};

use tokio::{
    io::AsyncWriteExt,
    net::{UnixStream, unix::OwnedWriteHalf},
    sync::{Semaphore, broadcast::error::RecvError},
    time::timeout,
};
use tracing::{debug, info, warn};

use super::{
    asker::Asker,
    backend::{Backend, Cursor, Page},
    input::{Input, Line},
    protocol::{
        ApiError, ErrorCode, Frame, MAX_REQUEST, PROTOCOL, Request,
        event::{Event, What},
    },
    socket::ApiSocket,
};

/// Most clients served at once; further ones are told so and closed.
const MAX_CLIENTS: usize = 64;
/// How long a client may take to say what it wants, or to read a page. `siskin routes | less` is a patient
/// client; one that stays away longer than this can ask again.
const PATIENCE: Duration = Duration::from_secs(600);
const REQUEST_PATIENCE: Duration = Duration::from_secs(10);
/// Where the log has commands from: of what operators do nothing is left out.
const COMMANDS: &str = "siskin::daemon::commands";
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the clients of a socket may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everything.
    Full,
    /// Ask: nothing that changes something.
    ReadOnly,
}

/// Serves until dropped.
pub async fn serve(socket: ApiSocket, access: Access, backend: impl Backend) {
    let seats = Arc::new(Semaphore::new(MAX_CLIENTS));
    loop {
        let stream = match socket.accept().await {
            Ok(stream) => stream,
            Err(error) => {
                warn!(%error, "API client not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        match Arc::clone(&seats).try_acquire_owned() {
            Ok(seat) => {
                let client = backend.clone();
                tokio::spawn(async move {
                    if let Err(error) = serve_client(stream, access, client).await {
                        debug!(%error, "API client gone");
                    }
                    drop(seat);
                });
            }
            Err(_) => turn_away(&stream),
        }
    }
}

fn turn_away(stream: &UnixStream) {
    let error = ApiError::new(ErrorCode::Busy, format!("{MAX_CLIENTS} clients are being served already"))
        .remedy("try again, or end a `siskin monitor`");
    let _no_room = stream.try_write(&frame(&Frame::Error(error)));
}

/// One connection carries any number of requests, one after the other.
async fn serve_client(stream: UnixStream, access: Access, backend: impl Backend) -> io::Result<()> {
    let asker = Asker::of(&stream);
    let (read, write) = stream.into_split();
    let mut client = Client { input: Input::new(read), output: write, asker };
    loop {
        let line = match timeout(REQUEST_PATIENCE, client.input.line()).await?? {
            Line::Whole(line) => line,
            Line::TooLong => {
                let text = format!("a request has at most {MAX_REQUEST} bytes");
                return client.refuse(ErrorCode::BadRequest, text).await;
            }
            Line::End => return Ok(()),
        };
        match serde_json::from_slice::<Request>(&line) {
            Ok(request) if access == Access::ReadOnly && request.change().is_some() => {
                client.refuse(ErrorCode::NotAllowed, "this socket only answers questions").await?;
            }
            Ok(Request::Monitor) => return client.follow(&backend).await,
            Ok(request @ Request::Stop { .. }) => {
                client.answer(&backend, &request).await?;
                // The connection lasts as long as the daemon: its end tells the client.
                return client.input.anything().await;
            }
            Ok(request) => client.answer(&backend, &request).await?,
            Err(e) => client.refuse(ErrorCode::BadRequest, e.to_string()).await?,
        }
        drop(client.input.take_descriptor());
    }
}

struct Client {
    input: Input,
    output: OwnedWriteHalf,
    asker: Asker,
}

impl Client {
    async fn refuse(&mut self, code: ErrorCode, text: impl Into<String>) -> io::Result<()> {
        self.write(&frame(&Frame::Error(ApiError::new(code, text)))).await
    }

    async fn answer(&mut self, backend: &impl Backend, request: &Request) -> io::Result<()> {
        let mut out = frame(&Frame::Header { protocol: PROTOCOL });
        let mut cursor: Option<Cursor> = None;
        let mut rows: u64 = 0;
        if request.change().is_some() {
            // Nothing is done for a client that has gone without waiting. One that waits hears that somebody is at work.
            self.write(&std::mem::take(&mut out)).await?;
        }
        loop {
            let page = match request {
                Request::MrtDump { file } => self.dump(backend, file).await,
                request => backend.page(request, cursor.as_ref()).await,
            };
            self.note_change(request, page.as_ref().err());
            match page {
                Err(error) => {
                    out.extend(frame(&Frame::Error(error)));
                    return self.write(&out).await;
                }
                Ok(page) => {
                    rows = rows.saturating_add(page.rows.len() as u64);
                    page.rows.iter().for_each(|row| push_row(&mut out, row));
                    cursor = page.next;
                }
            }
            if cursor.is_none() {
                out.extend(frame(&Frame::End { rows }));
                return self.write(&out).await;
            }
            self.write(&out).await?;
            out.clear();
        }
    }

    async fn dump(&mut self, backend: &impl Backend, name: &Path) -> Result<Page, ApiError> {
        let refused = |text: &str| {
            let remedy = "`siskin mrt dump FILE` opens the file itself and hands its descriptor over";
            Err(ApiError::new(ErrorCode::BadRequest, text).remedy(remedy))
        };
        let Some(descriptor) = self.input.take_descriptor() else {
            return refused("the descriptor of the file to dump into did not come with the request");
        };
        let file = File::from(descriptor);
        match file.metadata() {
            Ok(found) if found.is_file() => Page::of([backend.dump(name, file).await?]),
            _ => refused("the descriptor to dump into is no regular file"),
        }
    }

    /// Who changed something, or tried to, is in the log.
    fn note_change(&self, request: &Request, failed: Option<&ApiError>) {
        let Some(command) = request.change() else { return };
        let Asker { pid, uid, program } = &self.asker;
        match failed {
            None => info!(target: COMMANDS, command, pid, uid, program, "command of a client"),
            Some(ApiError { message: reason, .. }) => {
                info!(target: COMMANDS, command, pid, uid, program, reason, "command of a client, not carried out");
            }
        }
    }

    async fn follow(&mut self, backend: &impl Backend) -> io::Result<()> {
        let mut events = backend.events();
        self.write(&frame(&Frame::Header { protocol: PROTOCOL })).await?;
        loop {
            let row = tokio::select! {
                event = events.recv() => match event {
                    Ok(event) => event,
                    Err(RecvError::Lagged(count)) => missed(count),
                    Err(RecvError::Closed) => return Ok(()),
                },
                end = self.input.anything() => return end,
            };
            let mut out = Vec::with_capacity(row.len() + 16);
            push_row(&mut out, &row);
            self.write(&out).await?;
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        timeout(PATIENCE, self.output.write_all(bytes)).await?
    }
}

fn missed(count: u64) -> Arc<str> {
    let event = Event::now(What::Missed { count });
    serde_json::to_string(&event).unwrap_or_default().into()
}

/// A frame without rows, as a line.
fn frame(frame: &Frame<()>) -> Vec<u8> {
    let mut line = serde_json::to_vec(frame).unwrap_or_default();
    line.push(b'\n');
    line
}

fn push_row(out: &mut Vec<u8>, row: &str) {
    out.extend_from_slice(b"{\"row\":");
    out.extend_from_slice(row.as_bytes());
    out.extend_from_slice(b"}\n");
}

#[cfg(test)]
mod tests;
