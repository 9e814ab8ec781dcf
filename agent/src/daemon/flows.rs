//! What flows between the layers: best routes to the FIB, next hops both ways, known nodes to the tunnel's guard.
//!
//! Each flow is a task of its own that waits for the slower side; none of them holds more than one batch.

use std::{collections::BTreeSet, time::Duration};

use bgp::{
    config::LimitAction,
    core::{BestChange, Usability, Warning},
    event::{Interface, InterfaceChanges, NextHopReport, Reachability, Through},
    net::{Outputs, SpeakerError, SpeakerEvent},
    types::{NextHopAddress, PeerId},
};
use fib::{
    event::{Device, FibEvent, Reachability as Answer, RouteOutcome, Through as Way},
    route::{HopAddress, NextHop, RouteChange, Treatment},
    view::State,
};
use ipip::TunnelHandle;
use ipnet::IpNet;
use tokio::{sync::mpsc, time::sleep};
use tracing::{debug, info, warn};

use super::{behind::News, known::Completed, plan, rows::words, state::Daemon, succession};
use crate::api::{backend::PAGE_ROWS, protocol::event::What};

/// Hands best routes to the FIB and carries out what the speaker asks for, until the speaker ends.
pub(super) async fn from_speaker(daemon: Daemon, mut outputs: Outputs) {
    loop {
        tokio::select! {
            // What was decided before an event is handed over before it is acted upon.
            biased;
            batch = outputs.best.recv() => match batch {
                Some(batch) => to_fib(&daemon, batch).await,
                None => return,
            },
            event = outputs.events.recv() => match event {
                Some(event) => speaker_event(&daemon, event).await,
                None => return,
            },
        }
    }
}

async fn to_fib(daemon: &Daemon, batch: Vec<BestChange>) {
    if daemon.hub.has_listeners() {
        for change in &batch {
            let usable = change.usability != Usability::Unreachable;
            let next_hops =
                change.next_hops.iter().filter(|_| usable).map(|n| n.address.to_string()).collect();
            daemon.hub.announce(What::Route { prefix: change.prefix.to_string(), next_hops });
        }
    }
    note_nodes(daemon, &batch);
    let batch = batch.into_iter().map(route_change).collect();
    if let Err(error) = daemon.fib.apply(batch).await {
        debug!(%error, "best routes not handed over");
    }
}

/// Notes what lies behind which node.
fn note_nodes(daemon: &Daemon, batch: &[BestChange]) {
    let mut known = daemon.known();
    let mut news = News::None;
    for change in batch {
        let next_hops = change.next_hops.iter().map(|next_hop| next_hop.address);
        if known.behind().note(change.prefix, next_hops) == News::Some {
            news = News::Some;
        }
    }
    if news == News::Some {
        daemon.guard_news.notify_one();
    }
}

fn route_change(change: BestChange) -> RouteChange {
    let next_hop = |n: &bgp::core::WeightedNextHop| NextHop {
        address: n.address,
        interface: n.interface,
        weight: u8::try_from(n.weight).unwrap_or(u8::MAX),
    };
    RouteChange {
        treatment: match change.usability {
            Usability::Discard => Treatment::Discard,
            Usability::Usable | Usability::Unreachable => Treatment::Forward,
        },
        ..RouteChange::to(change.prefix, change.next_hops.iter().map(next_hop).collect())
    }
}

fn place(hop: NextHopAddress) -> HopAddress {
    HopAddress { address: hop.address, interface: hop.interface }
}

async fn speaker_event(daemon: &Daemon, event: SpeakerEvent) {
    match event {
        SpeakerEvent::WatchNextHop(hop) => ended(daemon.fib.watch_next_hop(place(hop)).await),
        SpeakerEvent::UnwatchNextHop(hop) => ended(daemon.fib.unwatch_next_hop(place(hop)).await),
        SpeakerEvent::InternalNextHop { address, presence } => {
            daemon.known().learn(address, presence);
            daemon.guard_news.notify_one();
        }
        SpeakerEvent::RestartOver(family) => {
            daemon.hub.announce(What::Restart { info: format!("{family}: every peer has sent its routes") });
            if daemon.speaker.query(|core, _| core.keeping().is_empty()).await.unwrap_or(false) {
                end_restart(daemon).await;
            }
        }
        SpeakerEvent::Warning(warning) => tell_warning(daemon, warning).await,
        SpeakerEvent::Bfd { peer, state, cause } => {
            daemon.hub.announce(What::Bfd { peer, state: words::name(state), info: cause.to_string() });
        }
        SpeakerEvent::SessionUp { peer, addresses } => {
            daemon.succession.note();
            let info = format!("with {}", addresses.peer);
            daemon.hub.announce(What::Session { peer, state: "established".to_owned(), info });
        }
        SpeakerEvent::SessionDown { peer, failure } => {
            daemon.succession.note();
            let info = failure.to_string();
            daemon.hub.announce(What::Session { peer, state: "down".to_owned(), info });
        }
    }
}

async fn tell_warning(daemon: &Daemon, warning: Warning) {
    match warning {
        Warning::PrefixesNearLimit { peer, family, limit } => {
            let peer = name_of(daemon, peer).await;
            warn!(peer, %family, limit, "the peer sends nearly as many prefixes as it may");
        }
        Warning::PrefixLimitPassed { peer, family, limit, action } => {
            let peer = name_of(daemon, peer).await;
            warn!(peer, %family, limit, action = consequence(action), "the peer sends more prefixes than it may");
        }
        Warning::AttributesNearLimit { peer, limit } => {
            let peer = name_of(daemon, peer).await;
            warn!(peer, limit, "the peer's path attributes take nearly as much memory as they may");
        }
        Warning::AttributeLimitPassed { peer, limit, action } => {
            let peer = name_of(daemon, peer).await;
            let action = consequence(action);
            warn!(peer, limit, action, "the peer's path attributes would take more memory than they may");
        }
        Warning::PathsRefused { peer, prefix, limit } => {
            let peer = name_of(daemon, peer).await;
            warn!(peer, %prefix, limit, "the peer announces more paths of a prefix than it may: some are refused");
        }
        Warning::AttributesTooLong { prefix } => {
            warn!(%prefix, "a route is not sent: its attributes do not fit into a message");
        }
    }
}

fn consequence(action: LimitAction) -> &'static str {
    match action {
        LimitAction::Warn => "nothing, as configured",
        LimitAction::Block => "the excess is refused",
        LimitAction::Restart(_) => "its session is closed",
    }
}

async fn name_of(daemon: &Daemon, peer: PeerId) -> String {
    let found = daemon.speaker.query(move |core, _| {
        let mut peers = core.peers();
        peers.find(|(id, _)| *id == peer).map(|(_, config)| config.name.clone())
    });
    found.await.ok().flatten().unwrap_or_else(|| "a peer that is gone".to_owned())
}

/// What was adopted at start and not asked for may go now, and so may nodes nobody has named.
pub(super) async fn end_restart(daemon: &Daemon) {
    if daemon.known().complete() == Completed::Before {
        return;
    }
    info!("restart complete: what is left from before is removed");
    daemon.hub.announce(What::Restart { info: "complete".to_owned() });
    ended(daemon.fib.end_restart().await);
    daemon.succession.note();
    if daemon.succession.problem().is_some() {
        tokio::spawn(succession::clear(daemon.clone()));
    }
    tell_known_nodes(daemon);
}

/// Tells the guard who is known.
pub(super) fn tell_known_nodes(daemon: &Daemon) {
    if let Some(tunnel) = &daemon.tunnel {
        tunnel.set_known_nodes(daemon.known().nodes());
    }
}

/// Tells the tunnel how it shall be, and what of this host is behind it.
pub(super) fn tell_tunnel(daemon: &Daemon) {
    if let Some(tunnel) = &daemon.tunnel {
        tunnel.configure(plan::tunnel(&daemon.loaded().intent, &daemon.locals()));
    }
}

/// The guard hears of changes at most this often: each costs a list of all that is known.
const GUARD_PAUSE: Duration = Duration::from_millis(100);

/// Tells the guard of every change of the known nodes and of what is behind them, several at a time, without end.
pub(super) async fn to_guard(daemon: Daemon) {
    loop {
        daemon.guard_news.notified().await;
        tell_known_nodes(&daemon);
        sleep(GUARD_PAUSE).await;
    }
}

/// Lets the guard go by the kernel's routes from before our start until the peers have told us theirs: what they lead to
/// may be sending already.
pub(super) async fn remember_adopted(daemon: &Daemon) {
    let mut from = None;
    loop {
        let page = match daemon.fib.routes(from, PAGE_ROWS).await {
            Ok(page) => page,
            Err(error) => return debug!(%error, "routes from before our start not read"),
        };
        let mut known = daemon.known();
        for route in page.routes.iter().filter(|route| route.state == State::Stale) {
            known.behind().remember(route.prefix, route.legs.iter().filter_map(|leg| leg.gateway));
        }
        drop(known);
        from = page.next;
        if from.is_none() {
            return;
        }
    }
}

/// Takes what the FIB layer tells, until its thread ends.
pub(super) async fn from_fib(daemon: Daemon, mut events: mpsc::Receiver<FibEvent>) {
    while let Some(event) = events.recv().await {
        match event {
            FibEvent::NextHop { address, interface, reachability, through, devices } => {
                let reachability = match reachability {
                    Answer::Reachable { metric } => Reachability::Reachable { metric },
                    Answer::Unreachable => Reachability::Unreachable,
                };
                let interfaces = devices.into_iter().map(Into::into).collect();
                let through = match through {
                    Way::Link => Through::Link,
                    Way::Kernel(length) => Through::Kernel(length),
                    Way::Own(length) => Through::Learned(length),
                };
                let report = NextHopReport { reachability, interfaces, through };
                if let Err(error) =
                    daemon.speaker.next_hop(NextHopAddress { address, interface }, report).await
                {
                    debug!(%error, "next hop not told");
                }
            }
            FibEvent::Locals(locals) => {
                let before = std::mem::replace(&mut *daemon.locals(), locals.clone());
                for (prefix, state) in changes(&before, &locals) {
                    let info = "a pod's address outside our blocks".to_owned();
                    daemon.hub.announce(What::Fib { dst: prefix.to_string(), state: state.to_owned(), info });
                }
                tell_tunnel(&daemon);
                if let Err(error) = originate(&daemon).await {
                    debug!(%error, "addresses of pods not originated");
                }
            }
            FibEvent::Routes(outcomes) => outcomes.into_iter().for_each(|o| outcome(&daemon, o)),
            FibEvent::Devices(news) => {
                let changes = InterfaceChanges { lost: interfaces(news.lost), found: interfaces(news.found) };
                if let Err(error) = daemon.speaker.interfaces_changed(changes).await {
                    debug!(%error, "changes of interfaces not told");
                }
            }
            FibEvent::Addresses => daemon.address_news.notify_one(),
            FibEvent::Tunnel(state) => {
                let device = if state.device.is_some() { "up" } else { "missing or down" };
                let may = words::name(state.permission);
                daemon.hub.announce(What::Tunnel { info: format!("device {device}, use {may}") });
            }
        }
    }
}

fn interfaces(devices: BTreeSet<Device>) -> BTreeSet<Interface> {
    devices.into_iter().map(|Device { index, name }| Interface { index, name }).collect()
}

/// Tells the speaker what we originate: our blocks, and the addresses of pods outside them.
pub(super) async fn originate(daemon: &Daemon) -> Result<(), SpeakerError> {
    let mut prefixes = plan::originated(&daemon.loaded().intent);
    prefixes.extend(daemon.locals().iter().copied());
    daemon.speaker.originate(prefixes).await
}

/// What is originated from now on, and what no longer.
fn changes<'a>(
    before: &'a BTreeSet<IpNet>,
    now: &'a BTreeSet<IpNet>,
) -> impl Iterator<Item = (&'a IpNet, &'static str)> {
    let come = now.difference(before).map(|prefix| (prefix, "originated"));
    come.chain(before.difference(now).map(|prefix| (prefix, "no longer originated")))
}

fn outcome(daemon: &Daemon, outcome: RouteOutcome) {
    let state = outcome.state.map_or_else(|| "removed".to_owned(), words::name);
    let trouble = match outcome.state {
        Some(State::Conflict) => outcome.owner.map(|o| format!("held by protocol {}", words::protocol(o))),
        _ => outcome.errno.map(|e| format!("the kernel says {e}")),
    };
    let info = trouble.unwrap_or_default();
    if matches!(outcome.state, Some(State::Failed | State::Conflict)) {
        debug!(prefix = %outcome.prefix, state, info, "route not installed");
    }
    daemon.hub.announce(What::Fib { dst: outcome.prefix.to_string(), state, info });
    daemon.troubled().note(outcome);
}

/// Lets routes use the tunnel while it is usable, with the MTU they are to carry, until the tunnel service ends.
pub(super) async fn from_tunnel(daemon: Daemon, tunnel: TunnelHandle) {
    let mut statuses = tunnel.subscribe();
    let mut told = None;
    loop {
        let status = statuses.borrow_and_update().clone();
        let now = plan::tunnel_use(&daemon.loaded().intent, daemon.mode, Some(&status));
        if told != Some((status.state, now)) {
            told = Some((status.state, now));
            ended(daemon.fib.tunnel_use(now).await);
            let info = format!("{} {}", status.device, words::name(status.state));
            daemon.hub.announce(What::Tunnel { info });
        }
        if statuses.changed().await.is_err() {
            return;
        }
    }
}

fn ended(result: Result<(), fib::error::FibError>) {
    if let Err(error) = result {
        debug!(%error, "the FIB layer does not listen");
    }
}
