//! What the daemon gives to those who ask, whatever the transport.

use std::{fs::File, future::Future, path::Path, sync::Arc};

use serde::Serialize;
use tokio::sync::broadcast;

use super::protocol::{ApiError, Done, ErrorCode, Request, status::Status};
use crate::http::metrics::{Detail, Format};

/// Most rows of one page.
pub const PAGE_ROWS: usize = 256;

/// Where to go on in a table: the key of the last row given, opaque to the transport.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor(pub String);

/// A bounded part of an answer.
#[derive(Debug, Default)]
pub struct Page {
    /// Rows, each a JSON object.
    pub rows: Vec<String>,
    /// Where the next page starts; none: this was the last.
    pub next: Option<Cursor>,
}

impl Page {
    /// A page of all rows there are.
    ///
    /// # Errors
    ///
    /// When a row cannot be written as JSON.
    pub fn of<R: Serialize>(rows: impl IntoIterator<Item = R>) -> Result<Self, ApiError> {
        let rows = rows.into_iter().map(|row| to_json(&row)).collect::<Result<_, _>>()?;
        Ok(Self { rows, next: None })
    }

    /// The same page, followed by another.
    #[must_use]
    pub fn then(self, next: Option<Cursor>) -> Self {
        Self { next, ..self }
    }
}

fn to_json(row: &impl Serialize) -> Result<String, ApiError> {
    serde_json::to_string(row).map_err(|e| ApiError::new(ErrorCode::Internal, format!("a row: {e}")))
}

/// Events as JSON texts, shared by all who listen.
pub type Events = broadcast::Receiver<Arc<str>>;

/// The daemon as its clients see it.
pub trait Backend: Clone + Send + Sync + 'static {
    /// Answers a request from `cursor` on (from the start when `None`) with at most [`PAGE_ROWS`] rows.
    /// A page keeps nothing alive in the daemon, so a client may take as long as it likes before the next.
    fn page(
        &self,
        request: &Request,
        cursor: Option<&Cursor>,
    ) -> impl Future<Output = Result<Page, ApiError>> + Send;

    /// Dumps the tables as MRT into a file that the client has opened and calls `name`. Nothing is opened here.
    fn dump(&self, name: &Path, file: File) -> impl Future<Output = Result<Done, ApiError>> + Send;

    /// Listens to events from now on.
    fn events(&self) -> Events;

    /// The whole on one screen, for those who look into it.
    fn status(&self) -> impl Future<Output = Result<Status, ApiError>> + Send;

    /// The text of a scrape.
    fn metrics(
        &self,
        detail: Detail,
        format: Format,
    ) -> impl Future<Output = Result<String, ApiError>> + Send;
}
