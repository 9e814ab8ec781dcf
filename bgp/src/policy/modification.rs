//! What a policy may change about a route.

use std::{net::IpAddr, sync::Arc};

use super::{AnyCommunity, CommunitySet, SessionContext};
use crate::{
    types::{Asn, Family},
    wire::attribute::{NextHop, Origin, PathAttributes, RareAttributes},
};

/// One change of a route's attributes.
#[derive(Clone, Debug, PartialEq)]
pub enum Modification {
    /// Sets LOCAL_PREF (RFC 4271 section 5.1.5).
    LocalPref(u32),
    /// Changes MULTI_EXIT_DISC (RFC 4271 section 5.1.4).
    Med(MedChange),
    /// Sets ORIGIN.
    Origin(Origin),
    /// Sets the weight, this speaker's own preference.
    Weight(u16),
    /// Sets the next hop.
    NextHop(NextHopChange),
    /// Puts AS numbers before AS_PATH.
    Prepend {
        /// Which; `None`: our own.
        asn: Option<Asn>,
        /// How many times.
        count: u8,
    },
    /// Attaches a community, once.
    AddCommunity(AnyCommunity),
    /// Takes all these communities away.
    DeleteCommunities(Arc<CommunitySet>),
    /// Takes all communities of every kind away.
    ClearCommunities,
}

/// A change of MULTI_EXIT_DISC. Sums stay within 0 to 4294967295; a route without counts as 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MedChange {
    /// To this value.
    Set(u32),
    /// By this much more.
    Add(u32),
    /// By this much less.
    Subtract(u32),
    /// Away.
    Remove,
}

/// A change of the next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextHopChange {
    /// To this address; a route of the other family keeps its own.
    Address(IpAddr),
    /// To the peer's address (import: the sender's); a route of the other family keeps its own.
    Peer,
    /// To our own address; export only.
    Own,
    /// Kept as learned, also where BGP's rules would name us; export only.
    Keep,
}

impl Modification {
    /// Carries the change out.
    pub fn apply(&self, attributes: &mut PathAttributes, session: &SessionContext<'_>) {
        match self {
            Self::LocalPref(value) => attributes.local_pref = Some(*value),
            Self::Med(change) => attributes.med = change.of(attributes.med),
            Self::Origin(origin) => attributes.origin = *origin,
            Self::Weight(weight) => attributes.rare.get_or_insert_default().weight = Some(*weight),
            Self::NextHop(change) => {
                if let Some(next_hop) = change.of(session) {
                    attributes.next_hop = next_hop;
                }
            }
            Self::Prepend { asn, count } => {
                attributes.as_path = attributes.as_path.prepend(asn.unwrap_or(session.local_asn), *count);
            }
            Self::AddCommunity(community) => community.add_to(attributes.rare.get_or_insert_default()),
            Self::DeleteCommunities(set) => change_rare(attributes, |rare| set.delete_from(rare)),
            Self::ClearCommunities => change_rare(attributes, |rare| {
                rare.communities.clear();
                rare.large_communities.clear();
                rare.extended_communities.clear();
            }),
        }
    }
}

impl MedChange {
    fn of(self, med: Option<u32>) -> Option<u32> {
        let old = med.unwrap_or(0);
        match self {
            Self::Set(value) => Some(value),
            Self::Add(more) => Some(old.saturating_add(more)),
            Self::Subtract(less) => Some(old.saturating_sub(less)),
            Self::Remove => None,
        }
    }
}

impl NextHopChange {
    /// Whether it says something about routes of the session's family.
    pub(crate) fn concerns(self, session: &SessionContext<'_>) -> bool {
        match self {
            Self::Address(_) | Self::Peer => self.of(session).is_some(),
            Self::Own | Self::Keep => true,
        }
    }

    /// The next hop it means on a session; `None`: none of the family, or the one there is.
    pub(crate) fn of(self, session: &SessionContext<'_>) -> Option<NextHop> {
        let address = match self {
            Self::Address(address) => address,
            Self::Peer => session.peer.address,
            Self::Own => return session.local_next_hop,
            Self::Keep => return None,
        };
        match (address, session.family) {
            (IpAddr::V4(a), Family::Ipv4Unicast) => Some(NextHop::V4(a)),
            (IpAddr::V6(a), Family::Ipv6Unicast) => Some(NextHop::V6(a)),
            _ => None,
        }
    }
}

/// Changes attributes that few routes carry; nothing left of them is the same as none.
fn change_rare(attributes: &mut PathAttributes, change: impl FnOnce(&mut RareAttributes)) {
    if let Some(rare) = &mut attributes.rare {
        change(rare);
        if **rare == RareAttributes::default() {
            attributes.rare = None;
        }
    }
}
