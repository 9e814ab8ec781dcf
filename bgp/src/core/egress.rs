//! What is done to the attributes of a route after the export policy: next hop, path, communities, by the receiver's
//! switches and the standards.

use std::net::IpAddr;

use ipnet::IpNet;

use super::shared::{Peer, Shared};
use crate::{
    config::{
        CommunityKind, DefaultRoute, GracefulShutdown, LocalAs, LocalAsPath, LongLivedRoutes, OwnAs,
        PrivateAs, SentCommunities, TtlPolicy,
    },
    event::Through,
    rib::Path,
    types::{Asn, NextHopAddress, PeerType},
    wire::{
        attribute::{NextHop, PathAttributes, RareAttributes},
        community::{Community, ExtendedCommunity},
        role::Role,
    },
};

/// What of a peer's switches changes what it is sent. Equal for peers without any, whatever else they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rewrite {
    local_as: Option<LocalAs>,
    role: Option<Role>,
    private_as: PrivateAs,
    own_as: OwnAs,
    /// The receiver's AS number, where something above depends on it.
    receiver: Option<Asn>,
    communities: SentCommunities,
    graceful_shutdown: GracefulShutdown,
    pub(super) default_route: DefaultRoute,
    pub(super) long_lived: LongLived,
    /// The network we share with the receiver, one hop away.
    link: Option<IpNet>,
}

/// How long-lived stale routes go to a peer (RFC 9494).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LongLived {
    /// Not at all: the peer does not know what they are (section 4.3).
    Withheld,
    /// As they are.
    Marked,
    /// With the lowest preference, as to every internal peer of a partial deployment (section 4.6).
    Depreferred,
    /// So too, and not to be passed on to another AS: the peer does not know what they are.
    Confined,
}

impl LongLived {
    fn towards(peer: &Peer) -> Self {
        let Some(session) = &peer.session else { return Self::Withheld };
        let aware = session.negotiated.extensions.long_lived.is_some();
        let partial = peer.config.switches.long_lived == LongLivedRoutes::ToAll;
        match (aware, partial && session.kind() == PeerType::Internal) {
            (false, false) => Self::Withheld,
            (true, false) => Self::Marked,
            (true, true) => Self::Depreferred,
            (false, true) => Self::Confined,
        }
    }
}

/// Whether a session goes over one link.
pub(super) fn is_direct(ttl: TtlPolicy) -> bool {
    matches!(ttl, TtlPolicy::Direct | TtlPolicy::Multihop(1) | TtlPolicy::Security(1))
}

impl Rewrite {
    /// What is done for a peer with a session; `own` tells the networks on our links.
    pub(super) fn of(shared: &Shared, peer: &Peer) -> Self {
        let switches = &peer.config.switches;
        let session = peer.session.as_ref();
        let external = session.is_some_and(|s| s.kind() == PeerType::External);
        let names = switches.private_as != PrivateAs::Keep || switches.own_as != OwnAs::Keep;
        let link = session.filter(|_| external && is_direct(peer.config.transport.ttl)).and_then(|session| {
            let shares = |net: &&IpNet| {
                net.contains(&session.addresses.local) && net.contains(&session.addresses.peer)
            };
            shared.on_link.iter().find(shares).copied()
        });
        Self {
            local_as: switches.local_as.filter(|_| external),
            role: switches.role.filter(|_| external),
            private_as: switches.private_as,
            own_as: switches.own_as,
            receiver: (external && names).then_some(peer.asn()),
            communities: switches.communities,
            graceful_shutdown: switches.graceful_shutdown,
            default_route: switches.default_route,
            long_lived: LongLived::towards(peer),
            link,
        }
    }

    /// Whether a route marked Only to Customer must stay away from the receiver (RFC 9234 section 5).
    pub(super) fn keeps_back(&self, attributes: &PathAttributes) -> bool {
        let marked = attributes.rare.as_ref().is_some_and(|r| r.otc.is_some());
        marked && self.role.is_some_and(|role| !role.sends_marked())
    }

    /// Whether the next hop of a path may be passed on to an external peer: it lies on the link we share with both
    /// (RFC 4271 section 5.1.3, 2), and that is where packets to it go.
    pub(super) fn is_third_party(&self, shared: &Shared, path: &Path, next_hop: NextHop) -> bool {
        self.shares_link_with(next_hop.address())
            && shared.peer(path.peer).is_some_and(|p| is_direct(p.config.transport.ttl))
            && self.resolves_on_link(shared, path, next_hop)
    }

    /// Whether an address lies in the network we share with the receiver, one hop away.
    pub(super) fn shares_link_with(&self, address: IpAddr) -> bool {
        self.link.is_some_and(|link| link.contains(&address))
    }

    /// Whether packets to a next hop go straight to it, over the link that leads to the sender as far as that is known.
    fn resolves_on_link(&self, shared: &Shared, path: &Path, next_hop: NextHop) -> bool {
        let Some(id) = shared.next_hops.find(next_hop.hop()) else { return false };
        let over = shared.next_hops.interfaces(id).unwrap_or_default();
        let session = shared.peer(path.peer).and_then(|peer| peer.session.as_ref());
        let sender = session.map(|session| NextHopAddress::from(session.addresses.peer));
        let beside = sender.map(|sender| shared.next_hops.interfaces_to(sender)).unwrap_or_default();
        let elsewhere =
            !over.is_empty() && !beside.is_empty() && !over.iter().any(|name| beside.contains(name));
        shared.next_hops.through(id) == Some(Through::Link) && !elsewhere
    }

    /// AS_PATH as an external peer is sent it: our numbers come first, others go as the switches say.
    pub(super) fn external_path(&self, shared: &Shared, attributes: &mut PathAttributes) {
        let ours = self.local_as.map_or(shared.asn, |local| local.asn);
        let receiver = self.receiver;
        let private = |asn: Asn| asn.is_private() && Some(asn) != receiver;
        match self.private_as {
            PrivateAs::Keep => {}
            PrivateAs::Remove => attributes.as_path = attributes.as_path.without(private),
            PrivateAs::Replace => attributes.as_path = attributes.as_path.replacing(private, ours),
        }
        if self.own_as == OwnAs::Override {
            attributes.as_path = attributes.as_path.replacing(|asn| Some(asn) == receiver, ours);
        }
        if self.local_as.is_none_or(|local| local.path != LocalAsPath::Replace) {
            attributes.as_path = attributes.as_path.prepend(shared.asn, 1);
        }
        if self.local_as.is_some() {
            attributes.as_path = attributes.as_path.prepend(ours, 1);
        }
        if self.role.is_some_and(Role::marks_sent) {
            attributes.rare.get_or_insert_default().otc.get_or_insert(ours);
        }
    }

    /// Marks a long-lived stale route: neither an export policy nor a switch takes LLGR_STALE away (RFC 9494 section
    /// 4.3).
    pub(super) fn mark_long_lived(&self, attributes: &mut PathAttributes) {
        attach(attributes, Community::LLGR_STALE);
        match self.long_lived {
            LongLived::Withheld | LongLived::Marked => {}
            LongLived::Depreferred => attributes.local_pref = Some(0),
            LongLived::Confined => {
                attributes.local_pref = Some(0);
                attach(attributes, Community::NO_EXPORT);
            }
        }
    }

    /// What is left to do for receivers of both types.
    pub(super) fn finish(&self, kind: PeerType, attributes: &mut PathAttributes) {
        if self.graceful_shutdown == GracefulShutdown::On {
            mark_as_going(kind, attributes);
        }
        let Some(rare) = &mut attributes.rare else { return };
        rare.weight = None;
        if !self.communities.contains(CommunityKind::Standard) {
            rare.communities.clear();
        }
        if !self.communities.contains(CommunityKind::Extended) {
            rare.extended_communities.clear();
        }
        if !self.communities.contains(CommunityKind::Large) {
            rare.large_communities.clear();
        }
        drop_if_empty(attributes);
    }
}

/// RFC 8326 section 4: the community for others, the lowest preference inside our AS.
fn mark_as_going(kind: PeerType, attributes: &mut PathAttributes) {
    attach(attributes, Community::GRACEFUL_SHUTDOWN);
    if kind == PeerType::Internal {
        attributes.local_pref = Some(0);
    }
}

fn attach(attributes: &mut PathAttributes, community: Community) {
    let communities = &mut attributes.rare.get_or_insert_default().communities;
    if !communities.contains(&community.0) {
        communities.push(community.0);
    }
}

/// Whether a route is long-lived stale, by our own mark or another's.
pub(super) fn is_long_lived_stale(attributes: &PathAttributes) -> bool {
    attributes.rare.as_ref().is_some_and(|r| r.communities.contains(&Community::LLGR_STALE.0))
}

/// What stays inside an AS: the traces of reflection (RFC 4456 section 8), non-transitive extended communities
/// (RFC 4360 section 6).
pub(super) fn keep_transitive(attributes: &mut PathAttributes) {
    if let Some(rare) = &mut attributes.rare {
        rare.originator_id = None;
        rare.cluster_list.clear();
        rare.extended_communities.retain(|octets| ExtendedCommunity(*octets).is_transitive());
        drop_if_empty(attributes);
    }
}

fn drop_if_empty(attributes: &mut PathAttributes) {
    if attributes.rare.as_ref().is_some_and(|r| **r == RareAttributes::default()) {
        attributes.rare = None;
    }
}
