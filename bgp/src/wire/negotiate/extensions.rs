//! The part of the agreement that is about how routes are carried and kept.

use std::{num::NonZeroU16, time::Duration};

use crate::{
    event::{Extensions, PeerLongLived},
    types::{Families, Family, PerFamily},
    wire::{
        capability::{AddPathFamily, Capability, LongLivedFamily},
        open::Open,
    },
};

/// Address Family Identifier of IPv6, here that of next hops.
const IPV6: u16 = 2;

/// What both OPENs announce, of the families in `negotiated`.
pub(super) fn agreed(ours: &Open, theirs: &Open, negotiated: Families) -> Extensions {
    let both = |holds: &dyn Fn(&Open) -> bool| holds(ours) && holds(theirs);
    let announces = |open: &Open| open.announces(&Capability::EnhancedRouteRefresh);
    let sends = |open, family| directions(open, family) & AddPathFamily::SEND != 0;
    let receives = |open, family| directions(open, family) & AddPathFamily::RECEIVE != 0;
    Extensions {
        paths_received: negotiated.iter().filter(|f| receives(ours, *f) && sends(theirs, *f)).collect(),
        paths_sent: PerFamily::from_fn(|family| {
            let agreed = negotiated.contains(family) && sends(ours, family) && receives(theirs, family);
            agreed.then(|| paths_limit(theirs, family).unwrap_or(NonZeroU16::MAX))
        }),
        enhanced_refresh: both(&announces),
        ipv6_next_hops: negotiated.iter().filter(|f| both(&|open| takes_ipv6_next_hops(open, *f))).collect(),
        long_lived: long_lived(ours, theirs, negotiated),
    }
}

/// What a speaker can do with several paths of a family; of several entries for it the last counts.
fn directions(open: &Open, family: Family) -> u8 {
    let named = open.capabilities.iter().filter_map(|c| match c {
        Capability::AddPath(list) => Some(list),
        _ => None,
    });
    let entry = named.flatten().filter(|f| (f.afi, f.safi) == (family.afi(), family.safi())).last();
    entry.map_or(0, |f| f.directions)
}

fn paths_limit(open: &Open, family: Family) -> Option<NonZeroU16> {
    let named = open.capabilities.iter().filter_map(|c| match c {
        Capability::PathsLimit(list) => Some(list),
        _ => None,
    });
    let entry = named.flatten().filter(|f| (f.afi, f.safi) == (family.afi(), family.safi())).last()?;
    NonZeroU16::new(entry.limit)
}

fn takes_ipv6_next_hops(open: &Open, family: Family) -> bool {
    let wanted = (family.afi(), u16::from(family.safi()), IPV6);
    open.capabilities.iter().any(|c| match c {
        Capability::ExtendedNextHop(list) => {
            list.iter().any(|entry| (entry.afi, entry.safi, entry.next_hop_afi) == wanted)
        }
        _ => false,
    })
}

/// RFC 9494 section 3.1: means nothing without the Graceful Restart capability.
fn long_lived(ours: &Open, theirs: &Open, negotiated: Families) -> Option<PeerLongLived> {
    let (own, named) = (long_lived_families(ours)?, long_lived_families(theirs)?);
    let mut peer = PeerLongLived::default();
    for family in negotiated.iter() {
        let of = |list: &[LongLivedFamily]| {
            list.iter().find(|f| (f.afi, f.safi) == (family.afi(), family.safi())).copied()
        };
        if let (Some(own), Some(theirs)) = (of(own), of(named)) {
            let seconds = own.stale_time.min(theirs.stale_time);
            *peer.stale_time.get_mut(family) = Duration::from_secs(seconds.into());
            if theirs.forwarding {
                peer.forwarding.insert(family);
            }
        }
    }
    Some(peer)
}

fn long_lived_families(open: &Open) -> Option<&[LongLivedFamily]> {
    open.graceful_restart()?;
    open.capabilities.iter().rev().find_map(|c| match c {
        Capability::LongLivedGracefulRestart(list) => Some(list.as_slice()),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
