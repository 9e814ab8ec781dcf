//! BMP collectors as the speaker sees them.

use std::{collections::BTreeMap, sync::Arc};

use bytes::BytesMut;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::{
    bmp::{DownReason, Exporter, Exports, MonitoredPeer, SessionRecord},
    config::{CollectorConfig, MonitoringConfig},
    core::{Core, Work},
    net::{
        collector::{CollectorSnapshot, CollectorTask, FromCollector, Shared, ToCollector},
        mrt::unix_time,
    },
    types::{Now, PeerId},
};

/// Messages of collectors' tasks that may wait.
const REQUESTS: usize = 16;

/// All collectors, and what they may be told about sessions.
pub(super) struct Monitors {
    name: String,
    collectors: Vec<Collector>,
    peers: BTreeMap<PeerId, MonitoredPeer>,
    next: u64,
    requests: mpsc::Receiver<FromCollector>,
    to_speaker: mpsc::Sender<FromCollector>,
    background: TaskTracker,
}

struct Collector {
    id: u64,
    config: CollectorConfig,
    portions: mpsc::Sender<ToCollector>,
    shared: Arc<Shared>,
    exporter: Option<Exporter>,
    appetite: Appetite,
}

/// Whether a portion is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Appetite {
    Hungry,
    Busy,
}

impl Monitors {
    pub(super) fn new(background: TaskTracker) -> Self {
        let (to_speaker, requests) = mpsc::channel(REQUESTS);
        Self {
            name: String::new(),
            collectors: Vec::new(),
            peers: BTreeMap::new(),
            next: 0,
            requests,
            to_speaker,
            background,
        }
    }

    /// Keeps the collectors whose configuration is the same, ends and starts others.
    pub(super) fn configure(&mut self, core: &mut Core, config: &MonitoringConfig) {
        let renamed = self.name != config.name;
        self.name.clone_from(&config.name);
        for gone in self.collectors.extract_if(.., |c| renamed || !config.collectors.contains(&c.config)) {
            // Its task says goodbye once the channel is closed.
            gone.exporter.into_iter().for_each(|exporter| exporter.end(core));
        }
        for wanted in &config.collectors {
            if !self.collectors.iter().any(|c| c.config == *wanted) {
                let collector = self.start(wanted.clone());
                self.collectors.push(collector);
            }
        }
    }

    fn start(&mut self, config: CollectorConfig) -> Collector {
        let (portions, receiver) = mpsc::channel(1);
        let shared = Arc::<Shared>::default();
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        let task = CollectorTask {
            id,
            config: config.clone(),
            portions: receiver,
            speaker: self.to_speaker.clone(),
            shared: shared.clone(),
        };
        self.background.spawn(task.run());
        Collector { id, config, portions, shared, exporter: None, appetite: Appetite::Busy }
    }

    /// Ends all BMP sessions.
    pub(super) fn end(&mut self) {
        self.collectors.clear();
    }

    /// What a collector's task says next.
    pub(super) async fn request(&mut self) -> Option<FromCollector> {
        self.requests.recv().await
    }

    pub(super) fn requested(&mut self, core: &mut Core, now: Now, request: FromCollector) {
        let (FromCollector::Connected(id) | FromCollector::Wants(id) | FromCollector::Lost(id)) = request;
        let Some(collector) = self.collectors.iter_mut().find(|c| c.id == id) else { return };
        match request {
            FromCollector::Wants(_) => return collector.appetite = Appetite::Hungry,
            FromCollector::Connected(_) | FromCollector::Lost(_) => collector.appetite = Appetite::Busy,
        }
        collector.exporter.take().into_iter().for_each(|exporter| exporter.end(core));
        if let FromCollector::Connected(_) = request {
            let exports = Exports {
                tables: collector.config.tables.clone(),
                statistics: collector.config.statistics,
                name: self.name.clone(),
                description: concat!("siskin ", env!("CARGO_PKG_VERSION")).to_owned(),
            };
            collector.exporter = Some(Exporter::new(exports, core, now, unix_time()));
        }
    }

    pub(super) fn session_up(&mut self, peer: PeerId, record: SessionRecord) {
        let record = Arc::new(record);
        self.peers.entry(peer).or_default().up = Some(record);
    }

    pub(super) fn session_down(&mut self, peer: PeerId, reason: DownReason) {
        self.peers.insert(peer, MonitoredPeer { up: None, ended: Some(reason) });
    }

    pub(super) fn peer_removed(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
    }

    /// Gives every collector that waits for it a portion; pending when one's tables have only been looked through.
    pub(super) fn feed(&mut self, core: &mut Core, now: Now) -> Work {
        let mut work = Work::Done;
        for collector in self.collectors.iter_mut().filter(|c| c.appetite == Appetite::Hungry) {
            if collector.feed(core, now, &self.peers) == Work::Pending {
                work = Work::Pending;
            }
        }
        work
    }

    /// When [`Monitors::feed`] has something at the latest.
    pub(super) fn poll_timeout(&self) -> Option<Now> {
        let hungry = self.collectors.iter().filter(|c| c.appetite == Appetite::Hungry);
        hungry.filter_map(|c| c.exporter.as_ref()?.poll_timeout()).min()
    }

    pub(super) fn snapshots(&self, core: &Core) -> Vec<CollectorSnapshot> {
        let snapshot = |collector: &Collector| {
            let shared = collector.shared.snapshot(&collector.config.address);
            let figures = collector.exporter.as_ref().map(|e| e.figures(core)).unwrap_or_default();
            CollectorSnapshot { waiting: figures.marks, coalesced: figures.coalesced, ..shared }
        };
        let mut snapshots: Vec<_> = self.collectors.iter().map(snapshot).collect();
        snapshots.sort_by(|a, b| a.address.cmp(&b.address));
        snapshots
    }
}

impl Collector {
    fn feed(&mut self, core: &mut Core, now: Now, peers: &BTreeMap<PeerId, MonitoredPeer>) -> Work {
        let Some(exporter) = &mut self.exporter else { return Work::Done };
        let mut portion = BytesMut::new();
        let Ok(work) = exporter.poll(now, core, peers, &mut portion) else {
            self.exporter.take().into_iter().for_each(|exporter| exporter.end(core));
            return self.tell(ToCollector::StartOver);
        };
        if portion.is_empty() { work } else { self.tell(ToCollector::Portion(portion.freeze())) }
    }

    /// The channel is empty whenever a portion is awaited.
    fn tell(&mut self, what: ToCollector) -> Work {
        self.appetite = Appetite::Busy;
        if self.portions.try_send(what).is_err() {
            tracing::debug!(collector = self.config.address, "the task of a collector has ended");
        }
        Work::Done
    }
}
