//! What a policy may change about a route.

use std::net::IpAddr;

use crate::wire::attribute::{NextHop, PathAttributes, RareAttributes};

/// One change of a route's attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Modification {
    /// Sets LOCAL_PREF (RFC 4271 section 5.1.5).
    LocalPref(u32),
    /// Sets or removes MULTI_EXIT_DISC (RFC 4271 section 5.1.4).
    Med(Option<u32>),
    /// Sets the next hop.
    NextHop(IpAddr),
    /// Attaches a community (RFC 1997), once.
    AddCommunity(u32),
    /// Takes a community away.
    RemoveCommunity(u32),
}

impl Modification {
    /// Carries the change out.
    pub fn apply(&self, attributes: &mut PathAttributes) {
        match self {
            Self::LocalPref(value) => attributes.local_pref = Some(*value),
            Self::Med(value) => attributes.med = *value,
            Self::NextHop(IpAddr::V4(a)) => attributes.next_hop = NextHop::V4(*a),
            Self::NextHop(IpAddr::V6(a)) => attributes.next_hop = NextHop::V6(*a),
            Self::AddCommunity(community) => add_community(attributes, *community),
            Self::RemoveCommunity(community) => remove_community(attributes, *community),
        }
    }
}

fn add_community(attributes: &mut PathAttributes, community: u32) {
    let rare = attributes.rare.get_or_insert_default();
    if !rare.communities.contains(&community) {
        rare.communities.push(community);
    }
}

fn remove_community(attributes: &mut PathAttributes, community: u32) {
    if let Some(rare) = &mut attributes.rare {
        rare.communities.retain(|c| *c != community);
        if **rare == RareAttributes::default() {
            attributes.rare = None;
        }
    }
}
