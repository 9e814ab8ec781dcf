//! Answers what clients ask.

use std::{collections::BTreeMap, fs::File, path::Path, sync::Arc};

use bgp::{
    net::{BfdReport, Clear, PeerSnapshot, SpeakerError},
    policy::Policy,
};
use fib::decide::Decider;
use tokio::sync::oneshot;
use tracing::info;

use super::{
    diagnosis::{self, Evidence, Patient},
    host::source_towards,
    monitoring, plan,
    reload::Order,
    rows::{
        bfd,
        explain::{Story, tell},
        peer, policy,
        route::Context,
    },
    state::Daemon,
    status,
    tables::{self, internal, no_such_peer, parse_target},
};
use crate::{
    api::{
        backend::{Backend, Cursor, Events, Page},
        protocol::{
            ApiError, ClearMode, ConfigView, Done, ErrorCode, Request, StopMode, Version,
            bfd::BfdRow,
            config::Reloaded,
            explain::Explain,
            peer::{Admin, PeerRow},
            policy::Policies,
            status::{RunMode, Status},
        },
    },
    config::{self, Consent, Loaded, Origins},
    http::metrics,
    translate,
};

impl Backend for Daemon {
    async fn page(&self, request: &Request, cursor: Option<&Cursor>) -> Result<Page, ApiError> {
        match request {
            Request::Status => Page::of([status::of(self).await?]),
            Request::Peers { peer } => Page::of(self.peers(peer.as_deref()).await?),
            Request::Bfd { peer } => Page::of(self.paths(peer.as_deref()).await?),
            Request::Routes(query) => tables::routes(self, query, cursor).await,
            Request::Fib { select } => tables::fib(self, *select, cursor).await,
            Request::Explain { target } => Page::of([self.explain(target).await?]),
            Request::Policies { policy } => Page::of([self.policies(policy.as_deref()).await?]),
            Request::Monitor => Err(ApiError::new(ErrorCode::BadRequest, "events are no table")),
            Request::Clear { peer, mode } => Page::of([self.clear(peer, *mode).await?]),
            Request::MrtDump { .. } => {
                Err(ApiError::new(ErrorCode::BadRequest, "the file to dump into is missing"))
            }
            Request::Disable { peer, text } => Page::of([self.disable(peer, text.clone()).await?]),
            Request::Enable { peer } => Page::of([self.enable(peer).await?]),
            Request::Stop { mode } => Page::of([self.stop(*mode)?]),
            Request::Config => Page::of([config_view(&self.loaded())]),
            Request::Reload { force } => Page::of([self.reload(*force).await?]),
            Request::Version => {
                Page::of([Version { version: env!("CARGO_PKG_VERSION").to_owned(), pid: std::process::id() }])
            }
        }
    }

    async fn dump(&self, name: &Path, file: File) -> Result<Done, ApiError> {
        monitoring::dump(self, name, file).await
    }

    fn events(&self) -> Events {
        self.hub.subscribe()
    }

    async fn status(&self) -> Result<Status, ApiError> {
        status::of(self).await
    }

    async fn metrics(&self, detail: metrics::Detail, format: metrics::Format) -> Result<String, ApiError> {
        let snapshot = metrics::Snapshot {
            status: status::of(self).await?,
            peers: self.peers(None).await?,
            detail,
            stray_bfd: stray_bfd(&self.speaker.bfd().await),
            fib_routes: status::fib_routes(&self.fib.status().await.map_err(internal)?),
            fib: self.fib.metrics().snapshot(),
        };
        metrics::render(snapshot, format).map_err(internal)
    }
}

/// What the policies of these peers have counted together, each once.
fn hits(peers: &[[Arc<Policy>; 2]]) -> policy::Hits {
    let mut hits = policy::Hits::new();
    for direction in 0..2 {
        let policies = peers.iter().filter_map(|both| both.get(direction));
        let distinct: BTreeMap<_, _> = policies.map(|policy| (Arc::as_ptr(policy), policy)).collect();
        for (name, number) in distinct.values().flat_map(|policy| policy.hits()) {
            if let Some(sum) = hits.entry(name).or_default().get_mut(direction) {
                *sum += number;
            }
        }
    }
    hits
}

fn stray_bfd(report: &BfdReport) -> BTreeMap<&'static str, u64> {
    report.discards.iter().map(|(reason, number)| (reason.name(), number)).collect()
}

impl Daemon {
    /// The peers, sorted by name.
    async fn peers(&self, wanted: Option<&str>) -> Result<Vec<PeerRow>, ApiError> {
        let snapshots = self.speaker.peers().await.map_err(internal)?;
        let mut rows = self.rows(&snapshots).await;
        let paths = bfd::rows(&self.speaker.bfd().await);
        for row in &mut rows {
            row.bfd = paths.iter().find(|path| path.peer == row.name).cloned();
        }
        if let Some(wanted) = wanted {
            rows.retain(|row| row.name == wanted || row.address == wanted);
            if rows.is_empty() {
                return Err(no_such_peer(wanted));
            }
        }
        Ok(rows)
    }

    /// Peers as rows, sorted by name; of one without a session with the reason that this host's own facts show.
    pub(super) async fn rows(&self, snapshots: &[PeerSnapshot]) -> Vec<PeerRow> {
        let links = self.host.links().await;
        let refusals = self.speaker.refusals().entries;
        let (speaker, loaded) = {
            let board = self.board();
            (board.speaker.clone(), board.loaded.clone())
        };
        let evidence =
            Evidence { links: &links, refusals: &refusals, source_towards: &|target| source_towards(target) };
        let diagnosed = |peer: &PeerSnapshot| {
            let configured = speaker.peers.iter().find(|p| p.name == peer.name)?;
            let down = peer.down.as_ref()?;
            let patient = Patient {
                address: peer.address,
                source: configured.transport.source,
                interface: peer.interface.as_deref(),
                cause: &down.cause,
            };
            diagnosis::of(&patient, &evidence).map(|cause| down.retold(&cause))
        };
        peer::rows(snapshots, &speaker, &loaded.intent, diagnosed)
    }

    /// The BFD sessions, sorted by the peer's name.
    async fn paths(&self, wanted: Option<&str>) -> Result<Vec<BfdRow>, ApiError> {
        let mut rows = bfd::rows(&self.speaker.bfd().await);
        if let Some(wanted) = wanted {
            rows.retain(|row| row.peer == wanted || row.address == wanted);
            if rows.is_empty() {
                let text = format!("the path to {wanted:?} is not watched");
                return Err(
                    ApiError::new(ErrorCode::NotFound, text).remedy("siskin bfd lists those that are")
                );
            }
        }
        Ok(rows)
    }

    /// The policies with what they have counted.
    async fn policies(&self, wanted: Option<&str>) -> Result<Policies, ApiError> {
        let in_force = |core: &bgp::core::Core| -> Vec<[Arc<Policy>; 2]> {
            core.peers().map(|(_, peer)| [peer.import.clone(), peer.export.clone()]).collect()
        };
        let peers = self.speaker.query(move |core, _| in_force(core)).await.map_err(internal)?;
        let rows = policy::rows(&self.loaded().intent, &hits(&peers), wanted);
        match (wanted, rows.policies.is_empty()) {
            (Some(name), true) => {
                let text = format!("no policy is called {name:?}, or it is a word that no peer has");
                Err(ApiError::new(ErrorCode::NotFound, text).remedy("siskin policies lists those there are"))
            }
            _ => Ok(rows),
        }
    }

    async fn explain(&self, target: &str) -> Result<Explain, ApiError> {
        let prefix = parse_target(target)?;
        let rib = self.speaker.explain(prefix).await.map_err(internal)?;
        let covering = rib.as_ref().map_or(prefix, |e| e.route.prefix);
        let fib = self.fib.explain_for(covering, prefix).await.map_err(internal)?;
        let peers = self.peers(None).await?;
        let (names, now) = self
            .speaker
            .query(|core, now| {
                (core.peers().map(|(id, c)| (id, label(&c.name, c.address))).collect::<Vec<_>>(), now)
            })
            .await
            .map_err(internal)?;
        let name = |id| {
            let found = names.iter().find(|(peer, _)| *peer == id);
            found.map_or_else(|| "a peer that is gone".to_owned(), |(_, name)| name.clone())
        };
        let loaded = self.loaded();
        let fib_config = translate::fib(&loaded.intent, plan::programming(self.mode));
        let story = Story {
            target,
            prefix,
            rib: rib.as_ref(),
            fib: &fib,
            slot: tables::slot(self),
            decider: &Decider::new(&fib_config),
            node_networks: node_networks(&loaded.intent),
            known_node: &|address| self.known().why(address),
            peers_down: down(&peers),
        };
        Ok(tell(&story, &Context { peer_name: &name, now }))
    }

    async fn clear(&self, wanted: &str, mode: ClearMode) -> Result<Done, ApiError> {
        let peers = self.speaker.peers().await.map_err(internal)?;
        let chosen =
            |p: &&PeerSnapshot| wanted == "all" || p.name == wanted || p.address.to_string() == wanted;
        let names: Vec<_> = peers.iter().filter(chosen).map(|p| p.name.clone()).collect();
        if names.is_empty() && wanted != "all" {
            return Err(no_such_peer(wanted));
        }
        let kinds: &[Clear] = match mode {
            ClearMode::Hard => &[Clear::Session],
            ClearMode::Soft => &[Clear::Inbound, Clear::Outbound],
        };
        for name in &names {
            for kind in kinds {
                match self.speaker.clear(name, *kind).await {
                    Ok(()) | Err(SpeakerError::UnknownPeer(_)) => {}
                    Err(error) => return Err(internal(error)),
                }
            }
        }
        info!(peers = names.join(","), ?mode, "cleared on request");
        let what = match mode {
            ClearMode::Hard => "session ended, a new one is sought",
            ClearMode::Soft => "routes asked for and sent again",
        };
        Ok(Done { message: format!("{}: {what}", names.join(", ")) })
    }

    async fn disable(&self, wanted: &str, text: Option<String>) -> Result<Done, ApiError> {
        let name = self.name_of(wanted).await?;
        self.speaker
            .shut_down_peer(&name, text.clone())
            .await
            .map_err(|error| order_failed(wanted, error))?;
        info!(peer = name, text = text.as_deref().unwrap_or_default(), "shut down on request");
        Ok(Done { message: format!("{name}: shut down until `siskin enable {name}`") })
    }

    async fn enable(&self, wanted: &str) -> Result<Done, ApiError> {
        let name = self.name_of(wanted).await?;
        self.speaker.bring_up_peer(&name).await.map_err(|error| order_failed(wanted, error))?;
        info!(peer = name, "no longer shut down on request");
        Ok(Done { message: format!("{name}: up or down as the configuration has it") })
    }

    /// The name of the peer with this name or address.
    async fn name_of(&self, wanted: &str) -> Result<String, ApiError> {
        let peers = self.speaker.peers().await.map_err(internal)?;
        let meant = |p: &&PeerSnapshot| p.name == wanted || p.address.to_string() == wanted;
        peers.iter().find(meant).map(|p| p.name.clone()).ok_or_else(|| no_such_peer(wanted))
    }

    async fn reload(&self, force: bool) -> Result<Reloaded, ApiError> {
        let consent = if force { Consent::Given } else { Consent::Needed };
        let (answer, answered) = oneshot::channel();
        let busy =
            |_| ApiError::new(ErrorCode::Busy, "the configuration is being read, and others wait for it");
        self.orders.try_send(Order { consent, answer: Some(answer) }).map_err(busy)?;
        answered.await.map_err(|_| ApiError::new(ErrorCode::Busy, "the daemon is stopping"))
    }

    fn stop(&self, mode: StopMode) -> Result<Done, ApiError> {
        let busy = |_| ApiError::new(ErrorCode::Busy, "the daemon is stopping already");
        self.control.try_send(mode).map_err(busy)?;
        let message = match (mode, self.mode) {
            (_, RunMode::DryRun) => "stopped; it was a dry run",
            (StopMode::Keep, _) => "stopped; the routes stay in the kernel",
            (StopMode::Drain, _) => "stopped; the peers were told and the routes are removed",
        };
        Ok(Done { message: message.to_owned() })
    }
}

fn node_networks(intent: &config::Intent) -> Vec<ipnet::IpNet> {
    let v4 = intent.node.address.map(|net| ipnet::IpNet::V4(net.trunc()));
    v4.into_iter().chain(intent.node.address6.map(|net| ipnet::IpNet::V6(net.trunc()))).collect()
}

fn order_failed(wanted: &str, error: SpeakerError) -> ApiError {
    match error {
        SpeakerError::UnknownPeer(_) => no_such_peer(wanted),
        error => internal(error),
    }
}

fn label(name: &str, address: std::net::IpAddr) -> String {
    let address = address.to_string();
    if name == address { address } else { format!("{name} ({address})") }
}

fn down(peers: &[PeerRow]) -> Vec<String> {
    let missing = |p: &&PeerRow| p.admin == Admin::Up && p.state != "established";
    peers.iter().filter(missing).map(|p| p.name.clone()).collect()
}

/// A configuration as it is shown.
#[must_use]
pub fn config_view(loaded: &Loaded) -> ConfigView {
    ConfigView {
        toml: config::show(loaded, Origins::Hidden),
        toml_with_origins: config::show(loaded, Origins::Shown),
        details: config::show_json(loaded),
    }
}
