//! Metrics, health and the read-only part of the API over HTTP; off unless `[api] http` is set.
//!
//! | path | answer |
//! |---|---|
//! | `/metrics` | Prometheus or OpenMetrics text, as `Accept` asks |
//! | `/livez` | 200 while the daemon's loop turns |
//! | `/readyz`, `/readyz?verbose` | 200 once routes are programmed and a restart is over, else 503 |
//! | `/api/v1/status`, `/api/v1/policies`, `/api/v1/explain?target=` | one object, as `siskin --json` |
//! | `/api/v1/{peers,routes,fib,config}` | `{"rows":[...],"next":CURSOR}`, a page; go on with `?cursor=` |
//!
//! Clients are strangers. A connection is accepted always (`connections`): if there are too many, the oldest of whoever
//! has most is closed for it. What is more than a question about health needs a seat (`seats`), of which one source
//! can take half. A client that does not read or write is closed (`patience`), and one that calls this host by a name
//! that is not its own is refused (`host`).

mod connections;
mod host;
pub mod metrics;
mod patience;
mod routes;
mod seats;

use std::{io, net::SocketAddr, time::Duration};

use axum::middleware;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};
use tracing::{debug, warn};

pub use self::host::Hosts;
use self::{connections::Connections, patience::Patient, seats::Seats};
use crate::api::backend::Backend;

/// How long a connection may stay silent before a request is complete.
const REQUEST_PATIENCE: Duration = Duration::from_secs(10);
/// How long a client may take none of an answer.
const READ_PATIENCE: Duration = Duration::from_secs(10);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until dropped.
pub async fn serve(listener: TcpListener, hosts: Hosts, backend: impl Backend) {
    let (seats, mut connections) = (Seats::default(), Connections::default());
    let router = routes::router(backend).layer(middleware::from_fn_with_state(hosts, host::check));
    loop {
        let (stream, source) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "HTTP client not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let seat = seats.of(source.ip().to_canonical());
        let service = router.clone().layer(middleware::from_fn_with_state(seat, seats::check));
        let task = tokio::spawn(connection(stream, source, service));
        connections.add(source.ip().to_canonical(), task.abort_handle());
    }
}

async fn connection(stream: TcpStream, source: SocketAddr, router: axum::Router) {
    let stream = Patient::new(stream, READ_PATIENCE);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_PATIENCE)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = connection.await {
        debug!(%source, %error, "HTTP client gone");
    }
}

/// An address to listen on.
///
/// # Errors
///
/// As `bind(2)` and `listen(2)`.
pub async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}
