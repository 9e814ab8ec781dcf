//! What is behind each path.

use std::collections::BTreeSet;

use axum::{
    Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;

use super::metrics::{Detail, Format};
use crate::api::{
    backend::{Backend, Cursor, Page},
    protocol::{
        ApiError, ErrorCode, Request,
        fib::FibSelect,
        route::{RouteQuery, RouteSide},
        status::{ReadinessCheck, Status},
    },
};

pub(super) fn router<B: Backend>(backend: B) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz::<B>))
        .route("/metrics", get(metrics::<B>))
        .route("/api/v1/status", get(|b: State<B>| one(b, Request::Status)))
        .route("/api/v1/explain", get(explain::<B>))
        .route("/api/v1/peers", get(peers::<B>))
        .route("/api/v1/bfd", get(bfd::<B>))
        .route("/api/v1/policies", get(|b: State<B>| one(b, Request::Policies { policy: None })))
        .route("/api/v1/routes", get(table_of_routes::<B>))
        .route("/api/v1/fib", get(fib::<B>))
        .route("/api/v1/config", get(|b: State<B>, c: Query<From>| many(b, Request::Config, c)))
        .with_state(backend)
}

/// Where a page starts.
#[derive(Default, Deserialize)]
struct From {
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    peer: Option<String>,
}

#[derive(Deserialize)]
struct Routes {
    prefix: Option<String>,
    peer: Option<String>,
    #[serde(default)]
    side: RouteSide,
}

#[derive(Deserialize)]
struct Selected {
    #[serde(default)]
    select: FibSelect,
}

#[derive(Deserialize)]
struct Scrape {
    detail: Option<String>,
}

#[derive(Deserialize)]
struct About {
    target: String,
}

#[derive(Deserialize)]
struct Verbosity {
    verbose: Option<String>,
}

async fn peers<B: Backend>(b: State<B>, q: Query<Named>, from: Query<From>) -> Response {
    many(b, Request::Peers { peer: q.0.peer }, from).await
}

async fn bfd<B: Backend>(b: State<B>, q: Query<Named>, from: Query<From>) -> Response {
    many(b, Request::Bfd { peer: q.0.peer }, from).await
}

async fn table_of_routes<B: Backend>(b: State<B>, Query(q): Query<Routes>, from: Query<From>) -> Response {
    let query = RouteQuery { prefix: q.prefix, peer: q.peer, side: q.side };
    many(b, Request::Routes(query), from).await
}

async fn fib<B: Backend>(b: State<B>, q: Query<Selected>, from: Query<From>) -> Response {
    many(b, Request::Fib { select: q.0.select }, from).await
}

async fn explain<B: Backend>(b: State<B>, q: Query<About>) -> Response {
    one(b, Request::Explain { target: q.0.target }).await
}

async fn one<B: Backend>(State(backend): State<B>, request: Request) -> Response {
    match backend.page(&request, None).await {
        Ok(mut page) if page.rows.len() == 1 => json(page.rows.pop().unwrap_or_default()),
        Ok(_) => failure(&ApiError::new(ErrorCode::Internal, "no answer")),
        Err(error) => failure(&error),
    }
}

async fn many<B: Backend>(State(backend): State<B>, request: Request, from: Query<From>) -> Response {
    match backend.page(&request, from.0.cursor.map(Cursor).as_ref()).await {
        Ok(page) => json(page_text(&page)),
        Err(error) => failure(&error),
    }
}

fn page_text(page: &Page) -> String {
    let next = page.next.as_ref().map_or(serde_json::Value::Null, |c| c.0.as_str().into());
    format!("{{\"rows\":[{}],\"next\":{next}}}", page.rows.join(","))
}

fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

fn failure(error: &ApiError) -> Response {
    let status = match error.code {
        ErrorCode::BadRequest => StatusCode::BAD_REQUEST,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::NotAllowed => StatusCode::FORBIDDEN,
        ErrorCode::Busy => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, json(serde_json::to_string(error).unwrap_or_default())).into_response()
}

async fn metrics<B: Backend>(b: State<B>, q: Query<Scrape>, headers: HeaderMap) -> Response {
    let accept: Vec<_> = headers.get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok()).collect();
    let format = Format::accepted(&accept.join(","));
    let detail = match q.0.detail.as_deref() {
        None => Detail::Usual,
        Some("messages") => Detail::Messages,
        Some(other) => {
            let text = format!("{other:?} is no detail of metrics; there is `messages`");
            return failure(&ApiError::new(ErrorCode::BadRequest, text));
        }
    };
    match b.0.metrics(detail, format).await {
        Ok(text) => ([(header::CONTENT_TYPE, format.content_type())], text).into_response(),
        Err(error) => failure(&error),
    }
}

async fn readyz<B: Backend>(State(backend): State<B>, q: Query<Verbosity>) -> Response {
    match backend.status().await {
        Ok(status) => readiness(&status, q.0.verbose.is_some()).into_response(),
        Err(error) => failure(&error),
    }
}

fn readiness(status: &Status, verbose: bool) -> (StatusCode, String) {
    let ready = status.is_ready();
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    if !verbose && ready {
        return (code, "ok\n".to_owned());
    }
    let line = |check: &ReadinessCheck| match &check.failure {
        None => format!("[+]{} ok\n", check.name),
        Some(reason) => format!("[-]{} failed: {reason}\n", check.name),
    };
    let mut text: String = status.readiness.iter().map(line).collect();
    let codes: BTreeSet<&str> = status.problems.iter().map(|problem| problem.code.name()).collect();
    if !codes.is_empty() {
        let codes: Vec<_> = codes.into_iter().collect();
        text.push_str(&format!("problems: {}\n", codes.join(", ")));
    }
    text.push_str(if ready { "readyz check passed\n" } else { "readyz check failed\n" });
    (code, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_names_what_is_missing() {
        let mut status = Status::default();
        assert_eq!(readiness(&status, false), (StatusCode::OK, "ok\n".into()));
        let check = |name: &str, failure: Option<&str>| ReadinessCheck {
            name: name.to_owned(),
            failure: failure.map(str::to_owned),
        };
        status.readiness = vec![check("kernel", None), check("sessions", Some("no session is established"))];
        let (code, text) = readiness(&status, false);
        assert_eq!(code, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            text,
            "[+]kernel ok\n[-]sessions failed: no session is established\nreadyz check failed\n"
        );
    }

    #[test]
    fn a_page_is_an_object_with_the_next_cursor() {
        let page = Page { rows: vec!["{}".into(), "{}".into()], next: Some(Cursor("10.0.0.0/8".into())) };
        assert_eq!(page_text(&page), r#"{"rows":[{},{}],"next":"10.0.0.0/8"}"#);
        assert_eq!(page_text(&Page::default()), r#"{"rows":[],"next":null}"#);
    }
}
