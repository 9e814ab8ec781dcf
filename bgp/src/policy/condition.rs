//! Something that holds for a route or does not.

use std::sync::Arc;

use super::{
    AsPathPattern, CommunitySet, InterfacePattern, NeighborSet, PrefixSet, RouteContext, Span,
    context::RouteSource,
};
use crate::{
    decision::DEFAULT_LOCAL_PREF,
    types::{Asn, Family, PeerType},
    wire::attribute::{Origin, PathAttributes},
};

/// Something that holds for a route or does not. An empty list of alternatives never holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// The prefix is matched by the set.
    Prefix(Arc<PrefixSet>),
    /// The prefix is of this family.
    Family(Family),
    /// The next hop's address lies inside a prefix of the set.
    NextHop(Arc<PrefixSet>),
    /// The peer that the policy is applied to (import: the sender, export: the receiver) is of this kind.
    Peer(PeerType),
    /// That peer is one of these.
    Neighbor(Arc<NeighborSet>),
    /// Where the route came from.
    Source(SourceKind),
    /// The route was learned from one of these.
    LearnedFrom(Arc<NeighborSet>),
    /// One of these interfaces leads to the sender (import), or to the next hop that the route was learned with
    /// (export). None leads to a route of our own, or to what cannot be reached.
    Interface(Arc<[InterfacePattern]>),
    /// One of the route's communities, of whatever kind, is a member.
    Community(Arc<CommunitySet>),
    /// AS_PATH as a whole matches one of these.
    AsPath(Arc<[AsPathPattern]>),
    /// An AS number within one of these stands anywhere in AS_PATH.
    AsPathContains(Arc<[Span]>),
    /// The AS the route was received from, the first of AS_PATH, is within one of these.
    NeighborAs(Arc<[Span]>),
    /// The AS that originated the route, the last of AS_PATH, is within one of these.
    OriginAs(Arc<[Span]>),
    /// The length of AS_PATH as the decision process counts it.
    AsPathLength(Span),
    /// ORIGIN is this one.
    Origin(Origin),
    /// LOCAL_PREF; 100 where there is none.
    LocalPref(Span),
    /// MULTI_EXIT_DISC is there and within the range.
    Med(Span),
    /// MULTI_EXIT_DISC is there.
    HasMed,
    /// The weight; 0 where there is none.
    Weight(Span),
    /// The condition does not hold.
    Not(Box<Condition>),
    /// One of these holds.
    Any(Vec<Condition>),
}

/// Kinds of sources of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// Originated by this speaker.
    Local,
    /// Learned from a peer.
    Learned,
    /// Learned from a peer of this kind.
    LearnedFrom(PeerType),
}

impl SourceKind {
    fn includes(self, source: &RouteSource<'_>) -> bool {
        match (self, source) {
            (Self::Local, RouteSource::Local) | (Self::Learned, RouteSource::Learned(_)) => true,
            (Self::LearnedFrom(kind), RouteSource::Learned(peer)) => kind == peer.kind,
            (Self::Local | Self::Learned | Self::LearnedFrom(_), _) => false,
        }
    }
}

impl Condition {
    /// Whether the condition holds for a route that has these attributes now.
    pub fn holds(&self, route: &RouteContext<'_>, attributes: &PathAttributes) -> bool {
        let path = &attributes.as_path;
        match self {
            Self::Prefix(set) => set.matches(route.prefix),
            Self::Family(family) => *family == route.session.family,
            Self::NextHop(set) => set.contains(attributes.next_hop.address()),
            Self::Peer(kind) => *kind == route.session.peer.kind,
            Self::Neighbor(set) => set.contains(&route.session.peer),
            Self::Source(kind) => kind.includes(&route.source),
            Self::LearnedFrom(set) => match &route.source {
                RouteSource::Local => false,
                RouteSource::Learned(peer) => set.contains(peer),
            },
            Self::Interface(patterns) => {
                route.interfaces.iter().any(|name| patterns.iter().any(|pattern| pattern.matches(name)))
            }
            Self::Community(set) => set.matches(attributes),
            Self::AsPath(patterns) => patterns.iter().any(|pattern| pattern.matches(path)),
            Self::AsPathContains(spans) => path.asns().any(|asn| is_within(spans, asn)),
            Self::NeighborAs(spans) => path.neighbor().is_some_and(|asn| is_within(spans, asn)),
            Self::OriginAs(spans) => path.origin().is_some_and(|asn| is_within(spans, asn)),
            Self::AsPathLength(span) => span.contains(u32::try_from(path.path_length()).unwrap_or(u32::MAX)),
            Self::Origin(origin) => *origin == attributes.origin,
            Self::LocalPref(span) => span.contains(attributes.local_pref.unwrap_or(DEFAULT_LOCAL_PREF)),
            Self::Med(span) => attributes.med.is_some_and(|med| span.contains(med)),
            Self::HasMed => attributes.med.is_some(),
            Self::Weight(span) => {
                span.contains(attributes.rare.as_ref().and_then(|rare| rare.weight).unwrap_or(0).into())
            }
            Self::Not(inner) => !inner.holds(route, attributes),
            Self::Any(inner) => inner.iter().any(|condition| condition.holds(route, attributes)),
        }
    }

    /// Whether the answer depends on what earlier terms may have changed.
    pub(super) fn reads_attributes(&self) -> bool {
        match self {
            Self::Prefix(_)
            | Self::Family(_)
            | Self::Peer(_)
            | Self::Neighbor(_)
            | Self::Source(_)
            | Self::LearnedFrom(_)
            | Self::Interface(_) => false,
            Self::Not(inner) => inner.reads_attributes(),
            Self::Any(inner) => inner.iter().any(Self::reads_attributes),
            _ => true,
        }
    }

    /// Whether the answer differs between peers of one kind.
    pub(super) fn names_peers(&self) -> bool {
        match self {
            Self::Neighbor(_) => true,
            Self::Not(inner) => inner.names_peers(),
            Self::Any(inner) => inner.iter().any(Self::names_peers),
            _ => false,
        }
    }

    /// Whether the answer depends on the interface a route leads through.
    pub(super) fn reads_interfaces(&self) -> bool {
        match self {
            Self::Interface(_) => true,
            Self::Not(inner) => inner.reads_interfaces(),
            Self::Any(inner) => inner.iter().any(Self::reads_interfaces),
            _ => false,
        }
    }
}

fn is_within(spans: &[Span], asn: Asn) -> bool {
    spans.iter().any(|span| span.contains(asn.0))
}
