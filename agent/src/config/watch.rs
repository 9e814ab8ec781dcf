//! Tells when the configuration may have changed.
//!
//! Directories are watched rather than files, so that a rename over a file and the symlink swap of a Kubernetes
//! ConfigMap are seen as well as a write in place. Every event only leads to a look at the content, after a quiet
//! moment that lets a half-written file be finished; a slow poll makes up for events that never come (no inotify
//! instance left, network file systems).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use sha2::{Digest, Sha256};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::host::Host;

/// How long nothing may happen before the files are looked at.
const QUIET: Duration = Duration::from_millis(200);
/// How long the look may be put off by further events.
const PATIENCE: Duration = Duration::from_secs(2);
/// Poll interval beside events.
const POLL: Duration = Duration::from_secs(30);
/// Poll interval without events.
const POLL_ONLY: Duration = Duration::from_secs(2);

/// Watches a set of files.
pub struct Watch<H> {
    host: H,
    seen: BTreeMap<PathBuf, Content>,
    events: mpsc::Receiver<()>,
    /// Keeps the channel open where there is no notifier.
    _sender: mpsc::Sender<()>,
    news: Option<News>,
    looked: Instant,
    notifier: Option<RecommendedWatcher>,
    directories: BTreeSet<PathBuf>,
}

/// When events came that nobody has looked after yet.
#[derive(Clone, Copy)]
struct News {
    first: Instant,
    last: Instant,
}

/// A file's content: its digest, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Digest([u8; 32]),
    Unreadable(std::io::ErrorKind),
}

impl<H: Host> Watch<H> {
    /// Watches `files`; what they hold now counts as seen.
    pub fn new(host: H, files: &[PathBuf]) -> Self {
        let (sender, events) = mpsc::channel(1);
        let _sender = sender.clone();
        // A full channel already holds the news.
        let notifier = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if !matches!(event, Ok(notify::Event { kind: EventKind::Access(_), .. })) {
                let _ = sender.try_send(());
            }
        });
        let notifier = notifier
            .inspect_err(|error| tracing::warn!(%error, "files cannot be watched, they are polled"))
            .ok();
        let mut watch = Self {
            host,
            seen: BTreeMap::new(),
            events,
            _sender,
            news: None,
            looked: Instant::now(),
            notifier,
            directories: BTreeSet::new(),
        };
        watch.set_files(files);
        watch
    }

    /// Watches other files from now on; files already watched keep what was seen of them.
    pub fn set_files(&mut self, files: &[PathBuf]) {
        let mut seen = BTreeMap::new();
        for file in files {
            let content = self.seen.remove(file).unwrap_or_else(|| self.content(file));
            seen.insert(file.clone(), content);
        }
        self.seen = seen;
        self.watch_directories();
    }

    /// Waits until a file holds something else than when it was last looked at. Dropping the future loses nothing.
    pub async fn changed(&mut self) {
        loop {
            self.quiet_moment().await;
            if self.look() {
                return;
            }
        }
    }

    /// Waits for an event and for quiet after it, or for the next poll. Progress is kept in `self`, for callers that
    /// drop the future again and again.
    async fn quiet_moment(&mut self) {
        loop {
            let due = match self.news {
                Some(News { first, last }) => (last + QUIET).min(first + PATIENCE),
                None => self.looked + if self.notifier.is_some() { POLL } else { POLL_ONLY },
            };
            if Instant::now() >= due || timeout_at(due, self.events.recv()).await.is_err() {
                self.news = None;
                self.looked = Instant::now();
                return;
            }
            let now = Instant::now();
            self.news = Some(News { first: self.news.map_or(now, |news| news.first), last: now });
        }
    }

    /// Looks at every file, and says whether one has changed.
    fn look(&mut self) -> bool {
        let now: BTreeMap<_, _> = self.seen.keys().map(|file| (file.clone(), self.content(file))).collect();
        self.watch_directories();
        let changed = now != self.seen;
        self.seen = now;
        changed
    }

    fn content(&self, file: &Path) -> Content {
        match self.host.read_small(file) {
            Ok(content) => Content::Digest(Sha256::digest(&content).into()),
            Err(error) => Content::Unreadable(error.kind()),
        }
    }

    /// Watches the directory of every file and, as a swapped symlink leads elsewhere, of every file's target.
    fn watch_directories(&mut self) {
        let Some(notifier) = &mut self.notifier else { return };
        let targets = self.seen.keys().filter_map(|file| file.canonicalize().ok());
        let wanted: BTreeSet<PathBuf> =
            self.seen.keys().cloned().chain(targets).map(|file| directory(&file)).collect();
        for gone in self.directories.difference(&wanted) {
            // It fails when the directory was removed, which ended the watch by itself.
            let _ = notifier.unwatch(gone);
        }
        self.directories = wanted
            .into_iter()
            .filter(|directory| {
                self.directories.contains(directory)
                    || notifier.watch(directory, RecursiveMode::NonRecursive).is_ok()
            })
            .collect();
    }
}

fn directory(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests;
