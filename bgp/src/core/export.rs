//! Which best paths go to whom, and with which attributes.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{event::Withheld, shared::Shared};
use crate::{
    config::{NextHopMode, Reflection},
    decision::DEFAULT_LOCAL_PREF,
    policy::{Policy, RouteContext, RouteSource, Verdict},
    rib::{AttributesId, LOCAL, Net, Path},
    types::PeerType,
    wire::{
        EncodeContext,
        attribute::{NextHop, PathAttributes, RareAttributes},
        community::{Community, ExtendedCommunity},
    },
};

/// Everything about a peer that what it is sent depends on. Peers with equal settings form a group.
#[derive(Clone, Debug)]
pub(super) struct ExportSettings {
    pub(super) kind: PeerType,
    pub(super) reflection: Reflection,
    pub(super) next_hop: NextHopMode,
    /// Our own next hop; `None`: we have no address of the family.
    pub(super) own: Option<NextHop>,
    pub(super) policy: Arc<Policy>,
    pub(super) encode: EncodeContext,
}

impl PartialEq for ExportSettings {
    fn eq(&self, other: &Self) -> bool {
        let same_policy = Arc::ptr_eq(&self.policy, &other.policy) || self.policy == other.policy;
        self.kind == other.kind
            && self.reflection == other.reflection
            && self.next_hop == other.next_hop
            && self.own == other.own
            && self.encode == other.encode
            && same_policy
    }
}

/// Terms of the export policy that change a route.
pub(super) type Modifying = SmallVec<[u16; 4]>;

impl ExportSettings {
    /// Whether such a path may go to this group at all: all but the policy.
    pub(super) fn permit<P: Net>(
        &self,
        shared: &Shared,
        path: &Path,
        attributes: &PathAttributes,
    ) -> Result<(), Withheld> {
        if path.peer == LOCAL {
            return Ok(());
        }
        if shared.deferring.contains(P::FAMILY) {
            return Err(Withheld::SelectionDeferred);
        }
        if !self.is_passed_on(shared, path) {
            return Err(Withheld::NotReflected);
        }
        self.barred(attributes).map_or(Ok(()), Err)
    }

    /// Routes from internal peers go to internal peers by reflection only (RFC 4271 section 9.2, RFC 4456).
    fn is_passed_on(&self, shared: &Shared, path: &Path) -> bool {
        !path.internal
            || self.kind == PeerType::External
            || self.reflection == Reflection::Client
            || shared.is_client(path.peer)
    }

    /// NO_EXPORT, NO_ADVERTISE, NO_EXPORT_SUBCONFED (RFC 1997).
    fn barred(&self, attributes: &PathAttributes) -> Option<Withheld> {
        let rare = attributes.rare.as_ref()?;
        let has = |community: Community| rare.communities.contains(&community.0);
        let external = self.kind == PeerType::External;
        if has(Community::NO_ADVERTISE) {
            return Some(Withheld::NoAdvertise);
        }
        let no_export = has(Community::NO_EXPORT) || has(Community::NO_EXPORT_SUBCONFED);
        (external && no_export).then_some(Withheld::NoExport)
    }

    /// Asks the export policy.
    pub(super) fn consent<P: Net>(
        &self,
        prefix: P,
        path: &Path,
        attributes: &PathAttributes,
    ) -> Result<Modifying, Withheld> {
        if self.policy.accepts_all() {
            return Ok(Modifying::new());
        }
        let source = if path.peer == LOCAL { RouteSource::Local } else { RouteSource::Learned };
        let context = RouteContext { prefix: prefix.into(), attributes, peer: self.kind, source };
        let evaluation = self.policy.evaluate(&context);
        match evaluation.verdict {
            Verdict::Accept => Ok(evaluation.modifying),
            Verdict::Reject(reason) => Err(Withheld::Rejected(reason)),
        }
    }

    /// The attributes as they are sent; `None` when we have no address to name as next hop.
    pub(super) fn outgoing(
        &self,
        shared: &Shared,
        path: &Path,
        id: AttributesId,
        modifying: &[u16],
    ) -> Option<PathAttributes> {
        let mut attributes = (**shared.attributes.get(id)?).clone();
        let (learned_med, own) = (attributes.med, path.peer == LOCAL);
        self.policy.modify(modifying, &mut attributes);
        if !self.policy.sets_next_hop(modifying) {
            attributes.next_hop = self.next_hop(own, attributes.next_hop)?;
        }
        match self.kind {
            PeerType::External => {
                attributes.as_path = attributes.as_path.prepend(shared.asn, 1);
                attributes.local_pref = None;
                // RFC 4271 section 5.1.4: a MED received is not passed on to another AS.
                if learned_med.is_some() && !self.policy.sets_med(modifying) {
                    attributes.med = None;
                }
                keep_transitive(&mut attributes);
            }
            PeerType::Internal => {
                attributes.local_pref.get_or_insert(DEFAULT_LOCAL_PREF);
                if path.internal && !own {
                    mark_reflected(shared, path, &mut attributes);
                }
            }
        }
        forget_weight(&mut attributes);
        Some(attributes)
    }

    /// RFC 4271 section 5.1.3, without third-party next hops.
    fn next_hop(&self, own: bool, learned: NextHop) -> Option<NextHop> {
        let ours = match self.next_hop {
            NextHopMode::OwnAddress => true,
            NextHopMode::Auto => own || self.kind == PeerType::External,
            NextHopMode::Keep => own,
        };
        if ours {
            return self.own;
        }
        // A link-local address means nothing off the link it was learned on.
        Some(match learned {
            NextHop::V6WithLinkLocal { global, .. } => NextHop::V6(global),
            NextHop::LinkLocal { .. } => return self.own,
            global => global,
        })
    }
}

/// ORIGINATOR_ID and CLUSTER_LIST of a reflected route (RFC 4456 section 8).
fn mark_reflected(shared: &Shared, path: &Path, attributes: &mut PathAttributes) {
    let rare = attributes.rare.get_or_insert_default();
    if rare.originator_id.is_none() {
        rare.originator_id = shared.peer(path.peer).map(|p| p.router_id);
    }
    rare.cluster_list.insert(0, shared.cluster_id);
}

/// What stays inside an AS: the traces of reflection (RFC 4456 section 8), non-transitive extended communities
/// (RFC 4360 section 6).
fn keep_transitive(attributes: &mut PathAttributes) {
    if let Some(rare) = &mut attributes.rare {
        rare.originator_id = None;
        rare.cluster_list.clear();
        rare.extended_communities.retain(|octets| ExtendedCommunity(*octets).is_transitive());
        drop_if_empty(attributes);
    }
}

/// The weight is ours alone.
fn forget_weight(attributes: &mut PathAttributes) {
    if let Some(rare) = attributes.rare.as_mut().filter(|r| r.weight.is_some()) {
        rare.weight = None;
        drop_if_empty(attributes);
    }
}

fn drop_if_empty(attributes: &mut PathAttributes) {
    if attributes.rare.as_ref().is_some_and(|r| **r == RareAttributes::default()) {
        attributes.rare = None;
    }
}
