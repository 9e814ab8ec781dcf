//! The tables as others read them: sorted, a page at a time, each decision on demand once more.

use std::sync::Arc;

use ipnet::IpNet;

use super::{
    audience::Receiver,
    event::{
        AdjRibIn, AdvertisedRoute, Delivery, ExplainedExport, ExplainedStep, Explanation, ExportSubject,
        Freshness, Page, PathView, RouteView, Withheld,
    },
    export::Counted,
    family::FamilyRib,
    shared::Shared,
};
use crate::{
    decision::{self, Reason, Recorder, Step},
    policy::{Modifying, RejectReason, Trace},
    rib::{Entry, LOCAL, Net, Path},
    types::{Family, Now, PeerId, PeerType},
    wire::attribute::PathAttributes,
};

/// Routes looked at for each one asked for.
const SCAN: usize = 16;

impl<P: Net> FamilyRib<P> {
    /// Routes behind `after` for which `view` has something to show.
    fn page<T>(
        &self,
        after: Option<IpNet>,
        max: usize,
        mut view: impl FnMut(&Entry<P>) -> Option<T>,
    ) -> Page<T> {
        let mut page = Page { items: Vec::new(), next: None };
        let (limit, mut scanned) = (max.saturating_mul(SCAN), 0);
        for entry in self.table.sorted_after(after.and_then(P::of)) {
            if page.items.len() >= max || scanned >= limit {
                return page;
            }
            page.items.extend(view(entry));
            page.next = Some(entry.prefix.into());
            scanned += 1;
        }
        page.next = None;
        page
    }

    /// How many prefixes are known.
    pub(super) fn prefixes(&self) -> usize {
        self.table.len()
    }

    /// Every route with all its paths.
    pub(super) fn loc_rib(&self, shared: &Shared, after: Option<IpNet>, max: usize) -> Page<RouteView> {
        self.page(after, max, |entry| self.view(shared, entry, |_| true))
    }

    /// What a peer sent.
    pub(super) fn adj_rib_in(
        &self,
        shared: &Shared,
        peer: PeerId,
        part: AdjRibIn,
        after: Option<IpNet>,
        max: usize,
    ) -> Page<RouteView> {
        let wanted = |path: &Path| {
            path.peer == peer
                && match part {
                    AdjRibIn::Received => true,
                    AdjRibIn::Accepted => path.is_accepted(),
                    AdjRibIn::Rejected => !path.is_accepted(),
                }
        };
        self.page(after, max, |entry| self.view(shared, entry, wanted))
    }

    /// What a peer has been sent or is to be.
    pub(super) fn adj_rib_out(
        &self,
        shared: &Shared,
        peer: PeerId,
        after: Option<IpNet>,
        max: usize,
    ) -> Page<AdvertisedRoute> {
        if self.paths.settings(peer).is_none() {
            return self.page(after, max, |entry| self.advertisement(shared, peer, entry));
        }
        let paths = |entry: &Entry<P>| self.advertised_paths(shared, peer, entry);
        let page = self.page(after, max, |entry| Some(paths(entry)).filter(|paths| !paths.is_empty()));
        Page { items: page.items.into_iter().flatten().collect(), next: page.next }
    }

    fn advertisement(&self, shared: &Shared, peer: PeerId, entry: &Entry<P>) -> Option<AdvertisedRoute> {
        let (settings, member) = self.member(peer)?;
        let route = self.table.find(entry.prefix)?;
        let to = Receiver::new(shared, peer);
        let outgoing = self.outgoing(shared, settings, route, Counted::None);
        let outgoing = outgoing.filter(|outgoing| outgoing.audience::<P>(shared, settings).includes(to));
        let attributes = outgoing.and_then(|outgoing| outgoing.as_sent::<P>(shared, settings)).map(Arc::new);
        let sent = member.has(route);
        let awaited = member.awaits(route, self.table.position(route));
        if !sent && (attributes.is_none() || !awaited) {
            return None;
        }
        let delivery = if awaited { Delivery::Pending } else { Delivery::Sent };
        Some(AdvertisedRoute { prefix: entry.prefix.into(), path_id: 0, attributes, delivery })
    }

    /// A route with those of its paths that are wanted; `None` when there is none.
    fn view(&self, shared: &Shared, entry: &Entry<P>, wanted: impl Fn(&Path) -> bool) -> Option<RouteView> {
        let mut paths: Vec<_> = self.alive(shared, entry).filter(|p| wanted(p)).collect();
        let has_best = entry.best().is_some_and(|b| paths.first().is_some_and(|p| p == b));
        if let Some(rest) = paths.get_mut(usize::from(has_best)..) {
            rest.sort_unstable_by_key(|p| (p.peer, p.path_id));
        }
        let route = self.table.find(entry.prefix)?;
        let views: Vec<_> = paths.iter().filter_map(|p| self.path_view(shared, route, p)).collect();
        (!views.is_empty()).then(|| RouteView { prefix: entry.prefix.into(), paths: views })
    }

    fn alive<'a>(&self, shared: &'a Shared, entry: &'a Entry<P>) -> impl Iterator<Item = Path> + 'a {
        entry.paths().iter().copied().filter(|p| shared.is_alive(P::FAMILY, p))
    }

    fn path_view(&self, shared: &Shared, route: u32, path: &Path) -> Option<PathView> {
        let freshness = match shared.is_stale(P::FAMILY, path) {
            true if shared.is_long_lived(P::FAMILY, path) => Freshness::LongLivedStale,
            true => Freshness::Stale,
            false => Freshness::Fresh,
        };
        Some(PathView {
            peer: (path.peer != LOCAL).then_some(path.peer),
            path_id: path.path_id,
            received: shared.attributes.get(path.attributes)?.clone(),
            attributes: shared.attributes.get(self.effective(route, path))?.clone(),
            learned: Now(std::time::Duration::from_secs(path.learned.into())),
            freshness,
            reason: path.reason(),
        })
    }

    /// The longest prefix known that contains this one.
    pub(super) fn lookup(&self, within: IpNet) -> Option<IpNet> {
        self.table.longest_match(P::of(within)?).map(Into::into)
    }

    /// One route.
    pub(super) fn route(&self, shared: &Shared, prefix: IpNet) -> Option<RouteView> {
        let entry = self.table.get(self.table.find(P::of(prefix)?)?)?;
        self.view(shared, entry, |_| true)
    }

    /// What a peer with a session is sent about one prefix, or why nothing; `None`: no session, or no best path.
    pub(super) fn explain_export(
        &self,
        shared: &Shared,
        peer: PeerId,
        prefix: IpNet,
    ) -> Option<Result<Arc<PathAttributes>, Withheld>> {
        self.explained_export(shared, peer, prefix).map(|export| export.outcome)
    }

    /// The same, with the part of the export policy.
    fn explained_export(&self, shared: &Shared, peer: PeerId, prefix: IpNet) -> Option<ExplainedExport> {
        let settings = self.member(peer).map(|(settings, _)| settings).or(self.paths.settings(peer))?;
        let route = self.table.find(P::of(prefix)?)?;
        let entry = self.table.get(route)?;
        if let Some(path) = self.promised_to(settings, entry) {
            let outcome = settings.sendable::<P>(shared, &path, path.attributes, &[]).map(Arc::new);
            return Some(ExplainedExport { peer, subject: ExportSubject::OwnDefault, outcome, policy: None });
        }
        let best = entry.best()?;
        let id = self.effective(route, best);
        let attributes = shared.attributes.get(id)?;
        let own = if best.peer == peer { Err(Withheld::SplitHorizon) } else { Ok(()) };
        let permitted = own.and_then(|()| settings.permit::<P>(shared, best, attributes));
        let modifying =
            permitted.and_then(|()| settings.consent(shared, entry.prefix, best, attributes, Counted::None));
        let asked = permitted.is_ok() && !settings.policy.accepts_all();
        let policy =
            asked.then(|| settings.policy.trace(&settings.evaluate(shared, entry.prefix, best, attributes)));
        let to = Receiver::new(shared, peer);
        let sendable = |modifying: Modifying| match settings.audience::<P>(shared, best, id, &modifying) {
            audience if audience.names(to) => Err(Withheld::NextHopIsReceiver),
            _ => settings.sendable::<P>(shared, best, id, &modifying),
        };
        let outcome = modifying.and_then(sendable).map(Arc::new);
        Some(ExplainedExport { peer, subject: ExportSubject::Best, outcome, policy })
    }

    /// The decision over one route once more, step by step.
    pub(super) fn explain(&self, shared: &Shared, prefix: IpNet) -> Option<Explanation> {
        let route = self.table.find(P::of(prefix)?)?;
        let view = self.route(shared, prefix)?;
        let entry = self.table.get(route)?;
        let shown = |v: &PathView| {
            let peer = v.peer.unwrap_or(LOCAL);
            entry.paths().iter().find(|p| p.is(peer, v.path_id))
        };
        let paths: Vec<_> = view.paths.iter().filter_map(shown).copied().collect();
        let candidates: Vec<_> =
            paths.iter().filter_map(|p| shared.candidate(prefix, p, self.effective(route, p))).collect();
        let mut told = Told { paths: paths.len(), steps: Vec::new() };
        decision::decide(&candidates, &shared.decision, &mut told);
        let imports = paths.iter().map(|p| import_trace(shared, prefix, p)).collect();
        let peers = shared.peers().map(|(id, _)| id);
        let exports = peers.filter_map(|id| self.explained_export(shared, id, prefix)).collect();
        Some(Explanation { route: view, imports, exports, steps: told.steps })
    }
}

/// What the import policy does to a path.
fn import_trace(shared: &Shared, prefix: IpNet, path: &Path) -> Option<Trace> {
    let policy = &shared.peer(path.peer)?.config.import;
    let unasked = match path.reason() {
        Reason::Rejected(reason) => reason == RejectReason::InterfacePending,
        reason => reason.is_rejected(),
    };
    if unasked || policy.accepts_all() {
        return None;
    }
    let attributes = shared.attributes.get(path.attributes)?;
    let kind = if path.internal { PeerType::Internal } else { PeerType::External };
    let entrance = shared.admit(path.peer, kind, attributes);
    let seen = entrance.prepared.as_ref().unwrap_or(attributes);
    let evaluation = policy.evaluate(&shared.import_context(prefix, seen, path));
    Some(policy.trace(&evaluation))
}

struct Told {
    paths: usize,
    steps: Vec<ExplainedStep>,
}

impl Recorder for Told {
    fn step(&mut self, step: Step, compared: &[(usize, u128)], remaining: &[usize]) {
        let mut values = vec![None; self.paths];
        for (index, value) in compared {
            if let Some(slot) = values.get_mut(*index) {
                *slot = Some(*value);
            }
        }
        self.steps.push(ExplainedStep { step, values, remaining: remaining.to_vec() });
    }
}

/// The family of a prefix.
pub(super) fn family(prefix: IpNet) -> Family {
    match prefix {
        IpNet::V4(_) => Family::Ipv4Unicast,
        IpNet::V6(_) => Family::Ipv6Unicast,
    }
}
