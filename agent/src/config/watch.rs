//! Tells when the configuration may have changed.
//!
//! Directories are watched rather than files, so that a rename over a file and the symlink swap of a Kubernetes
//! ConfigMap are seen as well as a write in place: the directory of the file, and that of every symlink on the way to it.
//! A directory is watched by its real path only, since two names of one directory are one watch for the kernel, and
//! giving up one of them ends it for both. Every event only leads to a look at the content, after a quiet moment that lets
//! a half-written file be finished; a slow poll makes up for events that never come (no inotify instance left, network
//! file systems).
//!
//! Files are looked at on a thread that may wait for them.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
    time::Duration,
};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use sha2::{Digest, Sha256};
use tokio::{
    sync::mpsc,
    task::spawn_blocking,
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
/// Symlinks followed on the way to a file; the kernel's own limit (path_resolution(7)).
const LINKS: usize = 40;

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
    directories: BTreeMap<PathBuf, DirectoryId>,
    /// Whether every directory is watched in which a change can begin.
    complete: bool,
}

/// What tells a directory from another one that has its path later: device and inode.
type DirectoryId = (u64, u64);

/// What a look at the files finds.
struct Sight {
    contents: BTreeMap<PathBuf, Content>,
    directories: BTreeMap<PathBuf, Option<DirectoryId>>,
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

impl<H: Host + Clone + Send + 'static> Watch<H> {
    /// Watches `files`; what they hold now counts as seen.
    pub async fn new(host: H, files: &[PathBuf]) -> Self {
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
            directories: BTreeMap::new(),
            complete: false,
        };
        watch.set_files(files).await;
        watch
    }

    /// Watches other files from now on; files already watched keep what was seen of them.
    pub async fn set_files(&mut self, files: &[PathBuf]) {
        let Some(mut sight) = self.sight(files.to_vec()).await else { return };
        for (file, content) in &mut sight.contents {
            if let Some(seen) = self.seen.remove(file) {
                *content = seen;
            }
        }
        self.seen = sight.contents;
        self.watch_directories(&sight.directories);
    }

    /// Waits until a file holds something else than when it was last looked at. Dropping the future loses nothing.
    pub async fn changed(&mut self) {
        loop {
            self.quiet_moment().await;
            let Some(sight) = self.sight(self.seen.keys().cloned().collect()).await else { continue };
            // Only now: a look that was dropped half way is taken again.
            self.news = None;
            self.looked = Instant::now();
            self.watch_directories(&sight.directories);
            let changed = sight.contents != self.seen;
            self.seen = sight.contents;
            if changed {
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
                None => self.looked + if self.complete { POLL } else { POLL_ONLY },
            };
            if Instant::now() >= due || timeout_at(due, self.events.recv()).await.is_err() {
                return;
            }
            let now = Instant::now();
            self.news = Some(News { first: self.news.map_or(now, |news| news.first), last: now });
        }
    }

    /// Looks at these files; `None` if the looking thread panicked.
    async fn sight(&self, files: Vec<PathBuf>) -> Option<Sight> {
        let host = self.host.clone();
        spawn_blocking(move || {
            let directories: BTreeSet<_> = files.iter().flat_map(|file| directories(file)).collect();
            Sight {
                contents: files.into_iter().map(|file| (file.clone(), content(&host, &file))).collect(),
                directories: directories.into_iter().map(|path| (path.clone(), id(&path))).collect(),
            }
        })
        .await
        .ok()
    }

    /// Watches these directories and no others; one that was replaced by another of its name is watched anew.
    fn watch_directories(&mut self, wanted: &BTreeMap<PathBuf, Option<DirectoryId>>) {
        let Some(notifier) = &mut self.notifier else { return };
        self.directories.retain(|path, watched| {
            let kept = wanted.get(path) == Some(&Some(*watched));
            if !kept {
                // It fails when the directory was removed, which ended the watch by itself.
                let _ = notifier.unwatch(path);
            }
            kept
        });
        for (path, id) in wanted {
            if let Some(id) = id
                && !self.directories.contains_key(path)
                && notifier.watch(path, RecursiveMode::NonRecursive).is_ok()
            {
                self.directories.insert(path.clone(), *id);
            }
        }
        self.complete = self.directories.len() == wanted.len();
    }
}

fn content(host: &impl Host, file: &Path) -> Content {
    match host.read_small(file) {
        Ok(content) => Content::Digest(Sha256::digest(&content).into()),
        Err(error) => Content::Unreadable(error.kind()),
    }
}

fn id(directory: &Path) -> Option<DirectoryId> {
    let metadata = directory.metadata().ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// The real paths of the directories in which a change of what `file` leads to can begin: that of every symlink on the
/// way, and the last one. A loop of symlinks ends after [`LINKS`] of them.
fn directories(file: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let Ok(mut path) = std::path::absolute(file) else { return found };
    for _ in 0..=LINKS {
        match first_link(&path) {
            Some((directory, target)) => {
                path = directory.join(target);
                found.insert(directory);
            }
            None => {
                found.extend(path.parent().map(Path::to_owned));
                break;
            }
        }
    }
    found
}

/// The real directory of the first symlink in an absolute path, and where the path leads from there.
fn first_link(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let mut real = PathBuf::new();
    let mut components = path.components();
    while let Some(component) = components.next() {
        if component == Component::ParentDir {
            real.pop();
            continue;
        }
        let directory = real.clone();
        real.push(component);
        if let Ok(target) = real.read_link() {
            return Some((directory, target.join(components.as_path())));
        }
    }
    None
}

#[cfg(test)]
mod tests;
