//! Which best paths go to whom, and with which attributes.

use std::{net::IpAddr, sync::Arc};

use super::{
    audience::Audience,
    egress::{LongLived, Rewrite, is_long_lived_stale, keep_transitive},
    event::Withheld,
    shared::Shared,
};
use crate::{
    config::{NextHopMode, Reflection},
    decision::DEFAULT_LOCAL_PREF,
    policy::{
        Evaluation, Modification, Modifying, Neighbor, NextHopChange, Policy, RouteContext, SessionContext,
        Verdict,
    },
    rib::{AttributesId, LOCAL, Net, Path},
    types::{Asn, PeerType},
    wire::{
        EncodeContext,
        attribute::{NextHop, PathAttributes},
        community::Community,
        encode::EncodeError,
        packer::Packer,
    },
};

/// Which verdicts of the export policy are counted as its hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// All: a route is on its way.
    All,
    /// Refusals: what is accepted will be asked about again.
    Refusals,
    /// None: somebody only looks.
    None,
}

impl Counted {
    fn includes(self, verdict: Verdict) -> bool {
        match self {
            Self::All => true,
            Self::Refusals => verdict != Verdict::Accept,
            Self::None => false,
        }
    }
}

/// Everything about a peer that what it is sent depends on. Peers with equal settings form a group.
#[derive(Clone, Debug)]
pub(super) struct ExportSettings {
    pub(super) kind: PeerType,
    pub(super) reflection: Reflection,
    pub(super) next_hop: NextHopMode,
    /// Our own next hop; `None`: we have no address of the family.
    pub(super) own: Option<NextHop>,
    pub(super) policy: Arc<Policy>,
    /// Name and address of the one peer meant, where the policy tells peers apart.
    pub(super) peer: Option<(String, IpAddr)>,
    /// The AS number shown to these peers.
    pub(super) asn: Asn,
    pub(super) encode: EncodeContext,
    pub(super) rewrite: Rewrite,
}

impl PartialEq for ExportSettings {
    fn eq(&self, other: &Self) -> bool {
        let same_policy = Arc::ptr_eq(&self.policy, &other.policy) || self.policy == other.policy;
        self.kind == other.kind
            && self.reflection == other.reflection
            && self.next_hop == other.next_hop
            && self.own == other.own
            && self.peer == other.peer
            && self.asn == other.asn
            && self.encode == other.encode
            && self.rewrite == other.rewrite
            && same_policy
    }
}

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
        if self.rewrite.keeps_back(attributes) {
            return Err(Withheld::OnlyToCustomers);
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

    /// LLGR_STALE (RFC 9494), NO_EXPORT, NO_ADVERTISE, NO_EXPORT_SUBCONFED (RFC 1997).
    fn barred(&self, attributes: &PathAttributes) -> Option<Withheld> {
        let rare = attributes.rare.as_ref()?;
        let has = |community: Community| rare.communities.contains(&community.0);
        let external = self.kind == PeerType::External;
        if has(Community::LLGR_STALE) && self.rewrite.long_lived == LongLived::Withheld {
            return Some(Withheld::LongLivedStale);
        }
        if has(Community::NO_ADVERTISE) {
            return Some(Withheld::NoAdvertise);
        }
        let no_export = has(Community::NO_EXPORT) || has(Community::NO_EXPORT_SUBCONFED);
        (external && no_export).then_some(Withheld::NoExport)
    }

    /// Asks the export policy.
    pub(super) fn consent<P: Net>(
        &self,
        shared: &Shared,
        prefix: P,
        path: &Path,
        attributes: &PathAttributes,
        counted: Counted,
    ) -> Result<Modifying, Withheld> {
        if self.policy.accepts_all() {
            return Ok(Modifying::new());
        }
        let evaluation = self.evaluate(shared, prefix, path, attributes);
        if counted.includes(evaluation.verdict) {
            self.policy.count(&evaluation);
        }
        match evaluation.verdict {
            Verdict::Accept => Ok(evaluation.modifying),
            Verdict::Reject(reason) => Err(Withheld::Rejected(reason)),
        }
    }

    /// What the export policy says.
    pub(super) fn evaluate<P: Net>(
        &self,
        shared: &Shared,
        prefix: P,
        path: &Path,
        attributes: &PathAttributes,
    ) -> Evaluation {
        let session = self.session::<P>();
        let source = shared.route_source(path);
        let interfaces = match self.policy.reads_interfaces() {
            true => shared.next_hops.interfaces_to(attributes.next_hop.hop()),
            false => &[],
        };
        self.policy.evaluate(&RouteContext { prefix: prefix.into(), attributes, session, source, interfaces })
    }

    fn session<P: Net>(&self) -> SessionContext<'_> {
        let (name, address) = self
            .peer
            .as_ref()
            .map_or(("", IpAddr::from([0; 4])), |(name, address)| (name.as_str(), *address));
        SessionContext {
            peer: Neighbor { name, address, kind: self.kind },
            local_asn: self.asn,
            local_next_hop: self.own,
            family: P::FAMILY,
        }
    }

    /// The attributes as they are sent; `None` when we have no address to name as next hop.
    pub(super) fn outgoing<P: Net>(
        &self,
        shared: &Shared,
        path: &Path,
        id: AttributesId,
        modifying: &[u32],
    ) -> Option<PathAttributes> {
        let mut attributes = (**shared.attributes.get(id)?).clone();
        let (learned_med, own) = (attributes.med, path.peer == LOCAL);
        let next_hop = self.next_hop::<P>(shared, path, attributes.next_hop, modifying)?;
        let long_lived = is_long_lived_stale(&attributes);
        self.policy.modify(modifying, &mut attributes, &self.session::<P>());
        attributes.next_hop = next_hop;
        match self.kind {
            PeerType::External => {
                self.rewrite.external_path(shared, &mut attributes);
                attributes.local_pref = None;
                // RFC 4271 section 5.1.4: a MED received is not passed on to another AS.
                if learned_med.is_some() && !self.changes_med(modifying) {
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
        self.rewrite.finish(self.kind, &mut attributes);
        if long_lived {
            self.rewrite.mark_long_lived(&mut attributes);
        }
        Some(attributes)
    }

    /// The same, if a message can carry them.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn sendable<P: Net>(
        &self,
        shared: &Shared,
        path: &Path,
        id: AttributesId,
        modifying: &[u32],
    ) -> Result<PathAttributes, Withheld> {
        let outgoing = self.outgoing::<P>(shared, path, id, modifying).ok_or(Withheld::NoOwnAddress)?;
        match Packer::<P>::reach(&outgoing, &self.encode) {
            Ok(_) => Ok(outgoing),
            Err(EncodeError::NextHopFamily) => Err(Withheld::NextHopFamily),
            Err(_) => Err(Withheld::TooLong),
        }
    }

    fn changes_med(&self, modifying: &[u32]) -> bool {
        self.policy.changes(modifying).any(|change| matches!(change, Modification::Med(_)))
    }

    /// Whether what is sent depends on how a next hop is reached.
    pub(super) fn depends_on_way(&self, next_hop: IpAddr) -> bool {
        self.policy.reads_interfaces() || self.rewrite.shares_link_with(next_hop)
    }

    /// The policy's last word about the next hop, as far as it concerns the family.
    fn next_hop_change<P: Net>(&self, modifying: &[u32]) -> Option<NextHopChange> {
        self.policy.changes(modifying).rev().find_map(|change| match change {
            Modification::NextHop(change) if change.concerns(&self.session::<P>()) => Some(*change),
            _ => None,
        })
    }

    /// Who of the group is sent a path with these attributes.
    pub(super) fn audience<P: Net>(
        &self,
        shared: &Shared,
        path: &Path,
        id: AttributesId,
        modifying: &[u32],
    ) -> Audience {
        let learned = shared.attributes.get(id).map(|attributes| attributes.next_hop);
        let sent = learned.and_then(|learned| self.next_hop::<P>(shared, path, learned, modifying));
        let source = shared.peer(path.peer).and_then(|peer| peer.session.as_ref());
        let (ours, theirs) = (self.own.map(|own| own.address()), source.map(|s| s.addresses.peer));
        let foreign = |hop: &IpAddr| Some(*hop) != ours && Some(*hop) != theirs;
        Audience { source: path.peer, next_hop: sent.map(|hop| hop.address()).filter(foreign) }
    }

    /// The next hop as it is sent: by RFC 4271 section 5.1.3, unless the policy has said something. `None`: it is to be
    /// ours, and we have none.
    fn next_hop<P: Net>(
        &self,
        shared: &Shared,
        path: &Path,
        learned: NextHop,
        modifying: &[u32],
    ) -> Option<NextHop> {
        let change = self.next_hop_change::<P>(modifying);
        let next_hop = change.and_then(|change| change.of(&self.session::<P>())).unwrap_or(learned);
        let own = path.peer == LOCAL;
        let ours = match (change, self.next_hop) {
            (Some(NextHopChange::Address(_) | NextHopChange::Peer), _) => false,
            (Some(NextHopChange::Own), _) | (None, NextHopMode::OwnAddress) => true,
            (Some(NextHopChange::Keep), _) | (None, NextHopMode::Keep) => own,
            (None, NextHopMode::Auto) => {
                let third_party = || self.rewrite.is_third_party(shared, path, next_hop);
                own || self.kind == PeerType::External && !third_party()
            }
        };
        if ours {
            return self.own;
        }
        // A link-local address means nothing off the link it was learned on.
        Some(match next_hop {
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
