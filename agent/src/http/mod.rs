//! Metrics, health and the read-only part of the API over HTTP; off unless `[api] http` is set.
//!
//! | path | answer |
//! |---|---|
//! | `/metrics` | OpenMetrics text |
//! | `/livez` | 200 while the daemon's loop turns |
//! | `/readyz`, `/readyz?verbose` | 200 while this node can serve its pods, else 503; `docs/operations.md` says by which checks |
//! | `/api/v1/status`, `/api/v1/policies`, `/api/v1/explain?target=` | one object, as `siskin --json` |
//! | `/api/v1/{peers,routes,fib,config}` | `{"rows":[...],"next":CURSOR}`, a page; go on with `?cursor=` |

pub mod metrics;
mod routes;

use std::{io, sync::Arc, time::Duration};

use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, sync::Semaphore};
use tracing::{debug, warn};

use crate::api::backend::Backend;

/// Most connections at once; further ones wait in the backlog.
const MAX_CONNECTIONS: usize = 32;
/// How long a connection may stay silent before a request is complete.
const REQUEST_PATIENCE: Duration = Duration::from_secs(10);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until dropped.
///
/// # Errors
///
/// When there are no seats any more, which cannot be.
pub async fn serve(listener: TcpListener, backend: impl Backend) -> io::Result<()> {
    let service = TowerToHyperService::new(routes::router(backend));
    let seats = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let seat = Arc::clone(&seats).acquire_owned().await.map_err(io::Error::other)?;
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "HTTP client not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(REQUEST_PATIENCE)
            .serve_connection(TokioIo::new(stream), service.clone());
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(%error, "HTTP client gone");
            }
            drop(seat);
        });
    }
}
