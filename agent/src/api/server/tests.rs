use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    sync::broadcast,
};

use super::*;
use crate::api::{
    backend::{Events, PAGE_ROWS, Page},
    protocol::{Done, status::Status},
};
use crate::http::metrics::{Detail, Format};

/// A table of `rows` rows that counts the pages taken from it.
#[derive(Clone)]
struct Table {
    rows: usize,
    pages: Arc<AtomicUsize>,
    events: broadcast::Sender<Arc<str>>,
}

impl Table {
    fn of(rows: usize) -> Self {
        Self { rows, pages: Arc::default(), events: broadcast::channel(4).0 }
    }
}

impl Backend for Table {
    async fn page(&self, request: &Request, cursor: Option<&Cursor>) -> Result<Page, ApiError> {
        if *request != Request::Status {
            return Err(ApiError::new(ErrorCode::NotFound, "no"));
        }
        self.pages.fetch_add(1, Ordering::Relaxed);
        let from: usize = cursor.map_or(0, |c| c.0.parse().expect("our own cursor"));
        let to = self.rows.min(from + PAGE_ROWS);
        let next = (to < self.rows).then(|| Cursor(to.to_string()));
        Ok(Page::of((from..to).map(|n| Done { message: format!("{n:0>200}") }))?.then(next))
    }

    fn events(&self) -> Events {
        self.events.subscribe()
    }

    async fn dump(&self, _: &Path, _: File) -> Result<Done, ApiError> {
        Err(ApiError::new(ErrorCode::NotFound, "no tables"))
    }

    async fn status(&self) -> Result<Status, ApiError> {
        Ok(Status::default())
    }

    async fn metrics(&self, _: Detail, _: Format) -> Result<String, ApiError> {
        Ok(String::new())
    }
}

fn start(path: &Path, table: &Table) -> tokio::task::JoinHandle<()> {
    tokio::spawn(serve(ApiSocket::bind(path, None).expect("binds"), Access::Full, table.clone()))
}

async fn connect(path: &Path) -> BufReader<UnixStream> {
    BufReader::new(UnixStream::connect(path).await.expect("connects"))
}

async fn line(client: &mut BufReader<UnixStream>) -> String {
    let mut line = String::new();
    client.read_line(&mut line).await.expect("reads");
    line
}

#[tokio::test]
async fn a_table_comes_page_by_page_and_ends_with_its_length() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("s");
    let table = Table::of(1000);
    let server = start(&path, &table);
    let mut client = connect(&path).await;
    for _again in 0..2 {
        client.write_all(b"{\"command\":\"status\"}\n").await.expect("writes");
        assert_eq!(line(&mut client).await, "{\"header\":{\"protocol\":1}}\n");
        for _row in 0..1000 {
            assert!(line(&mut client).await.starts_with("{\"row\":{\"message\":"));
        }
        assert_eq!(line(&mut client).await, "{\"end\":{\"rows\":1000}}\n");
    }
    assert_eq!(table.pages.load(Ordering::Relaxed), 8);
    server.abort();
}

#[tokio::test]
async fn a_client_that_never_reads_costs_a_few_pages() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("s");
    let table = Table::of(1_000_000);
    let server = start(&path, &table);
    let mut idle = connect(&path).await;
    idle.write_all(b"{\"command\":\"status\"}\n").await.expect("writes");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(table.pages.load(Ordering::Relaxed) < 20);

    let mut other = connect(&path).await;
    other.write_all(b"{\"command\":\"peers\"}\n").await.expect("writes");
    assert!(line(&mut other).await.contains("header"));
    assert!(line(&mut other).await.contains("not_found"));
    server.abort();
}

#[tokio::test]
async fn nonsense_and_endless_lines_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("s");
    let server = start(&path, &Table::of(1));
    let mut client = connect(&path).await;
    client.write_all(b"show route\n").await.expect("writes");
    assert!(line(&mut client).await.contains("bad_request"));
    client.write_all(&[b'x'; MAX_REQUEST]).await.expect("writes");
    assert!(line(&mut client).await.contains("at most"));
    assert_eq!(line(&mut client).await, "");
    server.abort();
}

#[tokio::test]
async fn too_many_clients_are_turned_away_with_a_word() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("s");
    let server = start(&path, &Table::of(1));
    let mut seated = Vec::new();
    for _ in 0..MAX_CLIENTS {
        seated.push(connect(&path).await);
    }
    assert!(line(&mut connect(&path).await).await.contains("busy"));
    drop(seated);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let mut client = connect(&path).await;
    client.write_all(b"{\"command\":\"status\"}\n").await.expect("writes");
    assert!(line(&mut client).await.contains("header"));
    server.abort();
}

#[tokio::test]
async fn a_slow_monitor_is_told_what_it_missed() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("s");
    let table = Table::of(0);
    let server = start(&path, &table);
    let mut client = connect(&path).await;
    client.write_all(b"{\"command\":\"monitor\"}\n").await.expect("writes");
    line(&mut client).await;
    for n in 0..10 {
        table.events.send(format!("{{\"n\":{n}}}").into()).expect("listens");
    }
    assert!(line(&mut client).await.contains("\"event\":\"missed\",\"count\":6"));
    assert_eq!(line(&mut client).await, "{\"row\":{\"n\":6}}\n");
    server.abort();
}

#[tokio::test]
async fn a_socket_for_reading_answers_questions_and_refuses_the_rest() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("s");
    let socket = ApiSocket::bind(&path, None).expect("binds");
    let server = tokio::spawn(serve(socket, Access::ReadOnly, Table::of(1)));
    let mut client = connect(&path).await;
    for change in [
        r#"{"command":"stop"}"#,
        r#"{"command":"clear","peer":"all"}"#,
        r#"{"command":"disable","peer":"tor"}"#,
        r#"{"command":"enable","peer":"tor"}"#,
        r#"{"command":"reload"}"#,
        r#"{"command":"mrt_dump","file":"/f"}"#,
    ] {
        client.write_all(format!("{change}\n").as_bytes()).await.expect("writes");
        assert!(line(&mut client).await.contains("\"not_allowed\""), "{change}");
    }
    client.write_all(b"{\"command\":\"status\"}\n").await.expect("writes");
    assert!(line(&mut client).await.contains("header"));
    server.abort();
}

#[tokio::test]
async fn a_dump_without_a_regular_files_descriptor_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("s");
    let server = start(&path, &Table::of(1));
    let mut client = connect(&path).await;
    client.write_all(b"{\"command\":\"mrt_dump\",\"file\":\"/tmp/x\"}\n").await.expect("writes");
    assert!(line(&mut client).await.contains("header"));
    assert!(line(&mut client).await.contains("did not come with the request"));
    let regular = dir.path().join("f");
    std::fs::write(&regular, "").expect("writes");
    let address = crate::api::client::Address { path, limit: None };
    let with = move |file: &Path| {
        let file = File::options().write(true).open(file).expect("opens");
        let request = Request::MrtDump { file: "/tmp/x".into() };
        let answer = crate::api::client::ask_with_file(&address, &request, &file);
        answer.and_then(|answer| answer.only::<Done>()).expect_err("refused").to_string()
    };
    let said = move || (with(Path::new("/dev/null")), with(&regular));
    let (device, file) = tokio::task::spawn_blocking(said).await.expect("no panic");
    assert!(device.contains("no regular file"), "{device}");
    assert!(file.contains("no tables"), "the descriptor came: {file}");
    server.abort();
}
