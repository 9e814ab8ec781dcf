//! MRT files: a thread that writes what peers' tasks hand it, and the dump of the tables.
//!
//! Nobody waits for a disk. What the thread cannot take in time is left out and counted; what cannot be written is
//! reported, and tried again with the next file.

mod updates;

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::{Bytes, BytesMut};
use tracing::{info, warn};

use self::updates::{Lost, UpdatesFile, interval};
use super::{PeerSnapshot, SpeakerError, SpeakerHandle};
use crate::{
    config::{MrtConfig, MrtFile},
    mrt::table::{Collector, IndexedPeer, TableDump},
    types::{Family, RouterId},
};

/// Records that may wait for the thread.
const RECORDS: usize = 4096;
/// Octets that may wait for the thread.
const OCTETS: usize = 8 << 20;
/// Records are written at the latest after this long.
const FLUSH: Duration = Duration::from_secs(1);
/// After a failure, the next attempt comes after this long.
const RETRY: Duration = Duration::from_secs(10);
/// Routes of one page of a dump.
const PAGE: usize = 256;
/// Parts of a dump that may wait for the disk.
const PARTS: usize = 4;

/// MRT output as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MrtSnapshot {
    /// What was heard: the file being written.
    pub updates_file: Option<PathBuf>,
    /// Records written: they are on the disk.
    pub records: u64,
    /// Records left out: the disk was too slow, or could not be written to.
    pub dropped: u64,
    /// The last dump of the tables.
    pub table_file: Option<PathBuf>,
    /// Dumps of the tables so far.
    pub dumps: u64,
    /// What failed last; `None` once something has been written again.
    pub last_failure: Option<String>,
}

/// Where peers' tasks put records.
#[derive(Debug, Default)]
pub(super) struct Tap {
    on: AtomicBool,
    sender: Mutex<Option<mpsc::SyncSender<Bytes>>>,
    /// Octets on their way to the thread.
    waiting: AtomicUsize,
    dropped: AtomicU64,
    status: Mutex<MrtSnapshot>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
    config: Mutex<MrtConfig>,
}

impl Tap {
    /// Whether anybody wants records.
    pub(super) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Hands over the record that `encode` writes.
    pub(super) fn record(&self, encode: impl FnOnce(&mut BytesMut)) {
        let mut record = BytesMut::new();
        encode(&mut record);
        let length = record.len();
        let fits = self.waiting.fetch_add(length, Ordering::Relaxed).saturating_add(length) <= OCTETS;
        let taken = fits && lock(&self.sender).as_ref().is_some_and(|s| s.try_send(record.freeze()).is_ok());
        if !taken {
            self.waiting.fetch_sub(length, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What is written where from now on.
    pub(super) fn configure(self: &Arc<Self>, config: &MrtConfig) {
        let before = std::mem::replace(&mut *lock(&self.config), config.clone());
        if before.updates == config.updates {
            return;
        }
        // The thread of the earlier file ends with its channel.
        *lock(&self.sender) = config.updates.clone().and_then(|file| self.start(file));
        self.on.store(config.updates.is_some(), Ordering::Relaxed);
    }

    fn start(self: &Arc<Self>, file: MrtFile) -> Option<mpsc::SyncSender<Bytes>> {
        let (sender, records) = mpsc::sync_channel(RECORDS);
        let file = UpdatesFile::new(file);
        let mut writer = Writer { tap: self.clone(), file, due: None, retry_at: None };
        let started = thread::Builder::new().name("mrt".to_owned()).spawn(move || writer.run(&records));
        match started {
            Ok(thread) => {
                *lock(&self.thread) = Some(thread);
                Some(sender)
            }
            Err(error) => {
                self.failed("a thread for MRT", &error);
                None
            }
        }
    }

    /// Ends the thread; returns when everything is on its way to the disk. It may block.
    pub(super) fn finish(&self) {
        self.on.store(false, Ordering::Relaxed);
        *lock(&self.sender) = None;
        let thread = lock(&self.thread).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            warn!("the MRT thread panicked");
        }
    }

    fn failed(&self, what: &str, error: &io::Error) {
        let failure = format!("{what}: {error}");
        let known = lock(&self.status).last_failure.replace(failure.clone());
        if known.as_ref() != Some(&failure) {
            warn!(reason = failure, "MRT output fails");
        }
    }

    pub(super) fn snapshot(&self) -> MrtSnapshot {
        let status = lock(&self.status).clone();
        MrtSnapshot { dropped: status.dropped.saturating_add(self.dropped.load(Ordering::Relaxed)), ..status }
    }

    /// How often the tables are dumped, and where to.
    fn table(&self) -> Option<MrtFile> {
        lock(&self.config).table.clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread's state.
struct Writer {
    tap: Arc<Tap>,
    file: UpdatesFile,
    /// When what is gathered is to be written at the latest.
    due: Option<Instant>,
    retry_at: Option<Instant>,
}

impl Writer {
    fn run(&mut self, records: &mpsc::Receiver<Bytes>) {
        loop {
            let left = self.due.map_or(FLUSH, |due| due.saturating_duration_since(Instant::now()));
            match records.recv_timeout(left) {
                Ok(record) => {
                    self.tap.waiting.fetch_sub(record.len(), Ordering::Relaxed);
                    self.take(&record);
                }
                Err(mpsc::RecvTimeoutError::Timeout) => self.write(),
                Err(mpsc::RecvTimeoutError::Disconnected) => return self.write(),
            }
        }
    }

    fn take(&mut self, record: &[u8]) {
        if self.retry_at.is_some_and(|at| Instant::now() < at) {
            let mut status = lock(&self.tap.status);
            status.dropped = status.dropped.saturating_add(1);
            return;
        }
        let outcome = self.file.add(record, unix_time());
        self.judge(outcome);
        if !self.file.is_waiting() {
            self.due = None;
        } else if self.due.is_none() {
            self.due = Some(Instant::now() + FLUSH);
        }
        if self.due.is_some_and(|due| due <= Instant::now()) {
            self.write();
        }
    }

    fn write(&mut self) {
        self.due = None;
        let outcome = self.file.write();
        self.judge(outcome);
    }

    fn judge(&mut self, outcome: Result<u64, Lost>) {
        let mut status = lock(&self.tap.status);
        match outcome {
            Ok(written) => {
                self.retry_at = None;
                status.updates_file = self.file.path().map(Path::to_owned).or(status.updates_file.take());
                status.records = status.records.saturating_add(written);
                if written > 0 {
                    status.last_failure = None;
                }
            }
            Err(Lost { records, file, error }) => {
                status.dropped = status.dropped.saturating_add(records);
                drop(status);
                self.retry_at = Some(Instant::now() + RETRY);
                self.tap.failed(&file.display().to_string(), &error);
            }
        }
    }
}

/// Dumps the tables whenever it is time, as long as the speaker lives.
pub(super) async fn dump_at_intervals(tap: Arc<Tap>, speaker: impl Fn() -> Option<SpeakerHandle>) {
    let mut last = None;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let Some(speaker) = speaker() else { return };
        let Some(file) = tap.table() else {
            last = None;
            continue;
        };
        let current = interval(&file, unix_time());
        if *last.get_or_insert(current) == current {
            continue;
        }
        last = Some(current);
        let begun = Duration::from_secs(current.saturating_mul(file.every.as_secs().max(1)));
        let path = file.path.at(begun);
        match speaker.dump_tables(path.clone()).await {
            Ok(routes) => {
                info!(file = %path.display(), routes, "tables dumped");
                let mut status = lock(&tap.status);
                status.dumps = status.dumps.saturating_add(1);
                (status.table_file, status.last_failure) = (Some(path), None);
            }
            Err(DumpError::Io(error)) => tap.failed(&path.display().to_string(), &error),
            Err(DumpError::Speaker(_)) => return,
        }
    }
}

/// Why the tables could not be dumped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DumpError {
    /// The speaker has ended.
    #[error(transparent)]
    Speaker(#[from] SpeakerError),
    /// The file could not be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A dump of the tables under way, a part at a time.
#[derive(Debug)]
pub struct TableReader {
    dump: TableDump,
    place: Option<(Family, Option<ipnet::IpNet>)>,
    begun: Option<Bytes>,
    routes: u64,
}

impl TableReader {
    /// The next part: whole records. `None`: everything has been read.
    ///
    /// # Errors
    /// [`SpeakerError::Ended`].
    pub async fn next(&mut self, speaker: &SpeakerHandle) -> Result<Option<Bytes>, SpeakerError> {
        if let Some(index) = self.begun.take() {
            return Ok(Some(index));
        }
        let Some((family, after)) = self.place else { return Ok(None) };
        let page = speaker.loc_rib(family, after, PAGE).await?;
        self.place = match page.next {
            Some(next) => Some((family, Some(next))),
            None => Family::ALL.into_iter().find(|f| *f > family).map(|f| (f, None)),
        };
        let mut records = BytesMut::new();
        self.dump.put(&page.items, &mut records);
        self.routes = self.routes.saturating_add(page.items.len() as u64);
        Ok(Some(records.freeze()))
    }

    /// Routes read so far.
    pub fn routes(&self) -> u64 {
        self.routes
    }
}

impl SpeakerHandle {
    /// Begins to read the tables as MRT (TABLE_DUMP_V2): the accepted paths of every prefix.
    ///
    /// # Errors
    /// [`SpeakerError::Ended`].
    pub async fn read_tables(&self) -> Result<TableReader, SpeakerError> {
        let peers: Vec<IndexedPeer> = self.peers().await?.iter().map(indexed).collect();
        let collector = |core: &crate::core::Core, now| {
            let config = core.config();
            (Collector { router_id: config.router_id, asn: config.asn }, now)
        };
        let (collector, now) = self.query(collector).await?;
        let mut index = BytesMut::new();
        let dump = TableDump::begin(collector, &peers, now, unix_time(), &mut index);
        let place = Family::ALL.first().map(|family| (*family, None));
        Ok(TableReader { dump, place, begun: Some(index.freeze()), routes: 0 })
    }

    /// Writes the tables as MRT into a file, which is there, whole, only when this has succeeded; says how many routes.
    ///
    /// # Errors
    /// [`DumpError`].
    pub async fn dump_tables(&self, path: PathBuf) -> Result<u64, DumpError> {
        self.write_dump(move |parts| write_file(&path, parts)).await
    }

    /// Writes the tables as MRT into a file that is open already; says how many routes. What was written when this
    /// fails is not a whole dump.
    ///
    /// # Errors
    /// [`DumpError`].
    pub async fn write_tables(&self, file: File) -> Result<u64, DumpError> {
        self.write_dump(move |parts| write_parts(file, parts)).await
    }

    async fn write_dump(
        &self,
        write: impl FnOnce(Parts) -> io::Result<()> + Send + 'static,
    ) -> Result<u64, DumpError> {
        let mut reader = self.read_tables().await?;
        let (parts, received) = tokio::sync::mpsc::channel(PARTS);
        let writing = tokio::task::spawn_blocking(move || write(received));
        while let Some(part) = reader.next(self).await? {
            if parts.send(Some(part)).await.is_err() {
                break;
            }
        }
        // The end is told: a channel that just closes is a dump that was given up.
        let told = parts.send(None).await;
        drop(parts);
        writing.await.map_err(io::Error::other)??;
        told.map_err(io::Error::other)?;
        Ok(reader.routes())
    }

    /// MRT output.
    ///
    /// # Errors
    /// [`SpeakerError::Ended`].
    pub async fn mrt(&self) -> Result<MrtSnapshot, SpeakerError> {
        self.mrt_status().await
    }
}

/// Parts of a dump on their way to the disk; `None` follows the last.
type Parts = tokio::sync::mpsc::Receiver<Option<Bytes>>;

fn write_file(path: &Path, parts: Parts) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".part");
    let written = File::create(&unfinished)
        .and_then(|file| write_parts(file, parts))
        .and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        // Nothing more can be done about what is left of it.
        let _ = fs::remove_file(&unfinished);
    }
    written
}

fn write_parts(file: File, mut parts: Parts) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    loop {
        match parts.blocking_recv() {
            Some(Some(part)) => file.write_all(&part)?,
            Some(None) => return file.flush(),
            None => return Err(io::ErrorKind::Interrupted.into()),
        }
    }
}

fn indexed(peer: &PeerSnapshot) -> IndexedPeer {
    let session = peer.session.as_ref().map(|session| &session.negotiated);
    IndexedPeer {
        id: peer.id,
        router_id: session.map_or(RouterId([0; 4].into()), |n| n.peer_id),
        address: peer.address,
        asn: session.map_or(peer.asn, |n| n.peer_asn),
    }
}

/// The time since 1970-01-01T00:00:00Z.
pub(super) fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_written_while_others_go_on_coming() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("updates");
        let file = MrtFile {
            path: path.display().to_string().parse().unwrap(),
            every: Duration::from_secs(24 * 3600),
        };
        let tap = Arc::new(Tap::default());
        tap.configure(&MrtConfig { updates: Some(file), table: None });
        let begun = Instant::now();
        while tap.snapshot().records == 0 {
            assert!(begun.elapsed() < 20 * FLUSH, "nothing was written: {:?}", tap.snapshot());
            tap.record(|out| out.extend_from_slice(&[0; 12]));
            thread::sleep(FLUSH / 100);
        }
        let (counted, held) = (tap.snapshot().records, fs::metadata(&path).unwrap().len());
        assert!(counted * 12 <= held, "{counted} records are said to be in {held} octets");
        tap.finish();
    }
}
