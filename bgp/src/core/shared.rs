//! What both families share: peers, attributes, next hops, and the small things to tell.

use std::{
    collections::{BTreeSet, VecDeque},
    net::IpAddr,
};

use ipnet::{IpNet, Ipv6Net};

use super::{
    event::{Action, Presence},
    fallover::SessionWay,
    holding::Holding,
    input::{Input, Tally},
    ways::PeerWay,
};
use crate::{
    config::{DecisionConfig, Install, PeerConfig, Reflection, SpeakerConfig},
    decision::{Candidate, DEFAULT_LOCAL_PREF, Reason, Source, Validity},
    event::{Negotiated, Reachability, SessionAddresses},
    policy::{Neighbor, RouteContext, RouteSource, SessionContext},
    rib::{AttributesId, AttributesTable, LOCAL, Net, NextHopNotice, NextHopState, NextHops, Path},
    types::{Asn, Families, Family, NextHopAddress, PeerId, PeerType, RouterId},
    wire::{
        attribute::{NextHop, PathAttributes},
        community::Community,
    },
};

/// The state both families share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) asn: Asn,
    pub(super) router_id: RouterId,
    pub(super) cluster_id: RouterId,
    pub(super) decision: DecisionConfig,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) on_link: Vec<IpNet>,
    peers: Vec<Option<Box<Peer>>>,
    pub(super) attributes: AttributesTable,
    pub(super) next_hops: NextHops,
    pub(super) actions: VecDeque<Action>,
    /// Families whose route selection is deferred after our restart.
    pub(super) deferring: Families,
    /// Families of which nothing is taken from the forwarding table yet; all that are deferred, at least.
    pub(super) keeping: Families,
}

/// One peer.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) config: PeerConfig,
    pub(super) session: Option<Session>,
    /// As of the latest session, which stale paths outlive.
    pub(super) router_id: RouterId,
    pub(super) warned: Families,
    /// Families of which paths were refused, and that was said.
    pub(super) warned_of_paths: Families,
    /// Families whose limit it has passed, which has been told.
    pub(super) limit_told: Families,
    /// What its path attributes take.
    pub(super) holding: Holding,
    /// It passed its limit: what still comes over the session is ignored.
    pub(super) closing: bool,
    pub(super) way: PeerWay,
    /// The way its session runs over, where that ends with it.
    pub(super) session_way: Option<SessionWay>,
    /// That way is lost, and the session is about to end with it.
    pub(super) way_lost: bool,
    inputs: [Input; 2],
}

/// What an established session is.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) negotiated: Negotiated,
    pub(super) addresses: SessionAddresses,
}

impl Session {
    /// Whether the session is internal or external.
    pub(super) fn kind(&self) -> PeerType {
        self.negotiated.peer_type
    }
}

impl Peer {
    /// The AS number it has shown; without a session the configured one.
    pub(super) fn asn(&self) -> Asn {
        self.session.as_ref().map_or(self.config.asn, |session| session.negotiated.peer_asn)
    }

    pub(super) fn new(config: PeerConfig) -> Self {
        Self {
            config,
            session: None,
            router_id: RouterId([0; 4].into()),
            warned: Families::NONE,
            warned_of_paths: Families::NONE,
            limit_told: Families::NONE,
            holding: Holding::default(),
            closing: false,
            way: PeerWay::default(),
            session_way: None,
            way_lost: false,
            inputs: Default::default(),
        }
    }

    /// Whether routes of it outlive a session.
    pub(super) fn has_stale(&self) -> bool {
        self.inputs.iter().any(|input| input.stale.total() > 0)
    }

    pub(super) fn input(&self, family: Family) -> &Input {
        let [v4, v6] = &self.inputs;
        match family {
            Family::Ipv4Unicast => v4,
            Family::Ipv6Unicast => v6,
        }
    }

    /// Every route of both families has been looked at.
    pub(super) fn swept(&mut self) {
        self.inputs.iter_mut().for_each(Input::swept);
    }

    pub(super) fn input_mut(&mut self, family: Family) -> &mut Input {
        let [v4, v6] = &mut self.inputs;
        match family {
            Family::Ipv4Unicast => v4,
            Family::Ipv6Unicast => v6,
        }
    }
}

impl Shared {
    pub(super) fn new(config: &SpeakerConfig) -> Self {
        Self {
            asn: config.asn,
            router_id: config.router_id,
            cluster_id: config.cluster_id,
            decision: config.decision,
            addresses: config.addresses.clone(),
            on_link: config.on_link.clone(),
            peers: Vec::new(),
            attributes: AttributesTable::default(),
            next_hops: NextHops::default(),
            actions: VecDeque::new(),
            deferring: Families::NONE,
            keeping: Families::NONE,
        }
    }

    pub(super) fn peer(&self, id: PeerId) -> Option<&Peer> {
        self.peers.get(id.0 as usize)?.as_deref()
    }

    pub(super) fn peer_mut(&mut self, id: PeerId) -> Option<&mut Peer> {
        self.peers.get_mut(id.0 as usize)?.as_deref_mut()
    }

    pub(super) fn insert_peer(&mut self, id: PeerId, peer: Peer) {
        let index = id.0 as usize;
        if self.peers.len() <= index {
            self.peers.resize_with(index + 1, || None);
        }
        if let Some(slot) = self.peers.get_mut(index) {
            *slot = Some(Box::new(peer));
        }
    }

    /// Forgets a peer: its paths are dead from now on.
    pub(super) fn remove_peer(&mut self, id: PeerId) {
        if let Some(peer) = self.peers.get_mut(id.0 as usize).and_then(Option::take) {
            self.unfollow(&peer.way);
            if let Some(way) = peer.session_way {
                way.end(&mut self.next_hops);
            }
        }
    }

    /// The peers, ascending.
    pub(super) fn peers(&self) -> impl Iterator<Item = (PeerId, &Peer)> {
        let present = |(index, peer): (usize, &'_ Option<Box<Peer>>)| -> Option<PeerId> {
            peer.as_ref().map(|_| PeerId(index as u32))
        };
        self.peers
            .iter()
            .enumerate()
            .filter_map(present)
            .filter_map(|id| self.peer(id).map(|peer| (id, peer)))
    }

    /// The peers, ascending.
    pub(super) fn peers_mut(&mut self) -> impl Iterator<Item = (PeerId, &mut Peer)> {
        let peers = self.peers.iter_mut().enumerate();
        peers.filter_map(|(index, peer)| Some((PeerId(index as u32), peer.as_deref_mut()?)))
    }

    /// Whether a path still counts: its session lives, or it is kept for a restarting peer.
    pub(super) fn is_alive(&self, family: Family, path: &Path) -> bool {
        path.peer == LOCAL || self.peer(path.peer).is_some_and(|p| p.input(family).is_alive(path.epoch))
    }

    /// Whether a path belongs to an earlier session.
    pub(super) fn is_stale(&self, family: Family, path: &Path) -> bool {
        path.peer != LOCAL && self.peer(path.peer).is_some_and(|p| p.input(family).epoch != path.epoch)
    }

    /// Whether a path is kept for a peer that restarts although the way to its next hop is, or was meanwhile, lost: what
    /// forwarded the packets is lost with it, and does not come back with the way (RFC 4724 section 4.2).
    pub(super) fn is_cut_off(&self, family: Family, path: &Path, attributes: AttributesId) -> bool {
        let Some(input) = self.peer(path.peer).map(|p| p.input(family)) else { return false };
        let next_hop = self.attributes.next_hop(attributes);
        input.is_kept_for_restart(path.epoch) && self.next_hops.was_lost_since(next_hop, input.losses_before)
    }

    /// Whether a path is kept beyond the restart time of its peer (RFC 9494).
    pub(super) fn is_long_lived(&self, family: Family, path: &Path) -> bool {
        path.peer != LOCAL
            && self.peer(path.peer).is_some_and(|p| {
                let input = p.input(family);
                input.is_long_lived() && input.epoch != path.epoch
            })
    }

    /// Whether its sender forbids that a path be kept so long.
    pub(super) fn is_short_lived(&self, path: &Path) -> bool {
        let rare = self.attributes.get(path.attributes).and_then(|a| a.rare.as_ref());
        rare.is_some_and(|r| r.communities.contains(&Community::NO_LLGR.0))
    }

    /// Counts a path in; `attributes` are those after the import policy.
    pub(super) fn account_in(&mut self, family: Family, path: &Path, attributes: AttributesId) {
        if path.internal && path.is_accepted() {
            self.next_hops.internal_added(self.attributes.next_hop(attributes));
        }
        if let Some(count) = self.tally(family, path).and_then(|tally| tally.of(path.reason())) {
            *count += 1;
        }
    }

    /// Counts a path out; `attributes` are those after the import policy.
    pub(super) fn account_out(&mut self, family: Family, path: &Path, attributes: AttributesId) {
        if path.internal && path.is_accepted() {
            self.next_hops.internal_removed(self.attributes.next_hop(attributes));
        }
        if let Some(count) = self.tally(family, path).and_then(|tally| tally.of(path.reason())) {
            *count -= 1;
        }
    }

    fn tally(&mut self, family: Family, path: &Path) -> Option<&mut Tally> {
        self.peer_mut(path.peer)?.input_mut(family).tally(path.epoch)
    }

    /// Gives a reference to interned attributes back.
    pub(super) fn release(&mut self, id: AttributesId) {
        self.attributes.release(id, &mut self.next_hops);
    }

    /// Why a path cannot be chosen now.
    pub(super) fn ineligible(&self, prefix: IpNet, path: &Path, attributes: AttributesId) -> Option<Reason> {
        if !path.is_accepted() {
            return Some(path.reason());
        }
        let next_hop = self.attributes.next_hop(attributes);
        match self.next_hops.state(next_hop) {
            NextHopState::Pending => Some(Reason::NextHopPending),
            NextHopState::Own => Some(Reason::NextHopOwn),
            NextHopState::Known(Reachability::Unreachable) => Some(Reason::NextHopUnreachable),
            NextHopState::Known(Reachability::Reachable { .. }) => {
                self.next_hops.loops(next_hop, prefix).then_some(Reason::NextHopLoop)
            }
        }
    }

    /// The path to a prefix as the decision sees it; `id` names its attributes after the import policy.
    pub(super) fn candidate(&self, prefix: IpNet, path: &Path, id: AttributesId) -> Option<Candidate<'_>> {
        let attributes = self.attributes.get(id)?;
        let rare = attributes.rare.as_deref();
        let peer = self.peer(path.peer);
        let igp_cost = match self.next_hops.state(self.attributes.next_hop(id)) {
            NextHopState::Known(Reachability::Reachable { metric }) => metric,
            _ => u32::MAX,
        };
        let weight = rare.and_then(|r| r.weight).or(peer.map(|p| p.config.switches.weight));
        let sender = peer.map_or(self.router_id, |p| p.router_id);
        Some(Candidate {
            ineligible: self.ineligible(prefix, path, id),
            source: source(path),
            validity: match rare.is_some_and(|r| r.communities.contains(&Community::LLGR_STALE.0)) {
                true => Validity::LongLivedStale,
                false => Validity::Current,
            },
            weight: weight.unwrap_or(0),
            local_pref: attributes.local_pref.unwrap_or(DEFAULT_LOCAL_PREF),
            as_path: &attributes.as_path,
            as_path_length: attributes.as_path.path_length().try_into().unwrap_or(u32::MAX),
            origin: attributes.origin,
            med: attributes.med,
            neighbor_as: attributes.as_path.neighbor(),
            next_hop: attributes.next_hop.hop(),
            install: peer.map_or(Install::RibOnly, |p| p.config.install),
            igp_cost,
            learned: path.learned,
            router_id: rare.and_then(|r| r.originator_id).unwrap_or(sender),
            cluster_list_length: rare.map_or(0, |r| r.cluster_list.len().try_into().unwrap_or(u32::MAX)),
            peer_address: peer.map_or(IpAddr::from([0; 4]), |p| p.config.address),
            path_id: u64::from(path.path_id) << 32 | u64::from(path.peer.0),
        })
    }

    /// Where a path comes from, for a policy.
    pub(super) fn route_source(&self, path: &Path) -> RouteSource<'_> {
        match path.peer {
            LOCAL => RouteSource::Local,
            peer => RouteSource::Learned(self.neighbor(peer, path.internal)),
        }
    }

    fn neighbor(&self, id: PeerId, internal: bool) -> Neighbor<'_> {
        let kind = if internal { PeerType::Internal } else { PeerType::External };
        match self.peer(id) {
            Some(peer) => Neighbor { name: &peer.config.name, address: peer.config.address, kind },
            None => Neighbor { name: "", address: IpAddr::from([0; 4]), kind },
        }
    }

    /// What an import policy is asked about a path that came with these attributes.
    pub(super) fn import_context<'a>(
        &'a self,
        prefix: IpNet,
        attributes: &'a PathAttributes,
        path: &Path,
    ) -> RouteContext<'a> {
        let sender = self.neighbor(path.peer, path.internal);
        let family = match prefix {
            IpNet::V4(_) => Family::Ipv4Unicast,
            IpNet::V6(_) => Family::Ipv6Unicast,
        };
        let session = SessionContext { peer: sender, local_asn: self.asn, local_next_hop: None, family };
        let interfaces = self.interfaces_of(path.peer).unwrap_or_default();
        RouteContext { prefix, attributes, session, source: RouteSource::Learned(sender), interfaces }
    }

    /// The most paths of one prefix that a peer may announce; `None`: it names none, so that it has one.
    pub(super) fn most_paths(&self, peer: PeerId, family: Family) -> Option<usize> {
        let peer = self.peer(peer)?;
        let several = peer.session.as_ref()?.negotiated.extensions.paths_received.contains(family);
        several.then_some(peer.config.capabilities.add_path.receive_limit.get().into())
    }

    /// Whether the sender of an internal path is a client of ours (RFC 4456).
    pub(super) fn is_client(&self, peer: PeerId) -> bool {
        self.peer(peer).is_some_and(|p| p.config.reflection == Reflection::Client)
    }

    /// Our own next hop for routes of a family on a session. A link-local one comes with a
    /// global one if we have any (RFC 2545 section 3).
    pub(super) fn own_next_hop<P: Net>(&self, session: &Session) -> Option<NextHop> {
        let local = session.addresses.local;
        if session.negotiated.extensions.ipv6_next_hops.contains(P::FAMILY) && local.is_ipv6() {
            return self.own_next_hop_of::<Ipv6Net>(local);
        }
        self.own_next_hop_of::<P>(local)
    }

    fn own_next_hop_of<P: Net>(&self, local: IpAddr) -> Option<NextHop> {
        let configured = || self.addresses.iter().find_map(|a| P::next_hop(*a));
        match (P::next_hop(local), configured) {
            (Some(NextHop::LinkLocal { address, interface }), configured) => Some(match configured() {
                Some(NextHop::V6(global)) => NextHop::V6WithLinkLocal { global, link_local: address },
                _ => NextHop::LinkLocal { address, interface },
            }),
            (own, configured) => own.or_else(configured),
        }
    }

    /// Takes the configured addresses and the local ones of all sessions for ours; whether a next hop in use is concerned.
    pub(super) fn refresh_own_addresses(&mut self) -> bool {
        let sessions = self.peers().filter_map(|(_, p)| p.session.as_ref());
        let local = sessions.map(|s| s.addresses.local_hop());
        let configured = self.addresses.iter().map(|a| NextHopAddress::from(*a));
        let own: BTreeSet<_> = local.chain(configured).collect();
        self.next_hops.set_own(own)
    }

    /// Takes back that a session, which is gone, is to be closed.
    pub(super) fn forget_closing(&mut self, id: PeerId) {
        self.actions.retain(|action| match action {
            Action::CloseSession { peer, .. } | Action::WayLost { peer, .. } => *peer != id,
            _ => true,
        });
    }

    /// The next small thing to tell.
    pub(super) fn poll_action(&mut self) -> Option<Action> {
        if let Some(action) = self.actions.pop_front() {
            return Some(action);
        }
        Some(match self.next_hops.poll()? {
            NextHopNotice::Watch(address) => Action::WatchNextHop(address),
            NextHopNotice::Unwatch(address) => Action::UnwatchNextHop(address),
            NextHopNotice::InternalPresent(address) => {
                Action::InternalNextHop { address, presence: Presence::Present }
            }
            NextHopNotice::InternalGone(address) => {
                Action::InternalNextHop { address, presence: Presence::Gone }
            }
        })
    }
}

/// Where a path comes from, for the decision.
pub(super) fn source(path: &Path) -> Source {
    match (path.peer, path.internal) {
        (LOCAL, _) => Source::Local,
        (_, true) => Source::Peer(PeerType::Internal),
        (_, false) => Source::Peer(PeerType::External),
    }
}
