//! Policies that a new configuration leaves as they were, and with them what they have counted.

use std::{collections::HashMap, sync::Arc};

use crate::{
    config::{PeerConfig, SpeakerConfig},
    policy::Policy,
};

/// Puts the old policy in the place of every new one that equals it.
pub(super) fn keep_policies(old: &SpeakerConfig, new: &mut SpeakerConfig) {
    let mut known: Vec<&Arc<Policy>> = Vec::new();
    for policy in old.peers.iter().flat_map(both) {
        if !known.iter().any(|k| Arc::ptr_eq(k, policy)) {
            known.push(policy);
        }
    }
    let mut kept: HashMap<*const Policy, Arc<Policy>> = HashMap::new();
    for policy in new.peers.iter_mut().flat_map(|peer| [&mut peer.import, &mut peer.export]) {
        let same = kept.entry(Arc::as_ptr(policy)).or_insert_with(|| {
            let found = known.iter().find(|k| Arc::ptr_eq(k, policy) || ***k == *policy);
            found.map_or_else(|| policy.clone(), |k| (*k).clone())
        });
        *policy = same.clone();
    }
}

fn both(peer: &PeerConfig) -> [&Arc<Policy>; 2] {
    [&peer.import, &peer.export]
}
