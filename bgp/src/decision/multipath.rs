//! Which paths share a route with the best one.
//!
//! Only those are asked about that tie with it up to the interior cost (RFC 4271 section 9.1.2.2 a to e): all of them
//! are external or all internal by then, as long in AS_PATH and as near.

use super::{Candidate, Indices, Reason, Reasons};
use crate::config::{AsPathMatch, DecisionConfig, Install};

/// Gives the paths that tie with the best one their standing in its set.
pub(super) fn share(
    candidates: &[Candidate<'_>],
    config: &DecisionConfig,
    tied: &[usize],
    reasons: &mut Reasons,
) {
    let most = usize::from(config.multipath.get());
    let best = tied.iter().copied().find(|i| reasons.get(*i) == Some(&Reason::Best));
    let installed = |c: &&Candidate<'_>| most > 1 && c.install == Install::Forward;
    let Some(best) = best.and_then(|i| candidates.get(i)).filter(installed) else { return };
    let mut others: Indices = tied
        .iter()
        .copied()
        .filter(|i| reasons.get(*i) != Some(&Reason::Best))
        .filter(|i| candidates.get(*i).is_some_and(|c| c.install == Install::Forward))
        .collect();
    // The nearer to being the best one, the earlier in the set, whatever the order of arrival.
    others.sort_unstable_by_key(|i| {
        candidates.get(*i).map(|c| (c.router_id, c.cluster_list_length, c.peer_address, c.path_id))
    });
    let mut next_hops = vec![best.next_hop];
    for index in others {
        let (Some(path), Some(reason)) = (candidates.get(index), reasons.get_mut(index)) else { continue };
        *reason = if config.multipath_as_path == AsPathMatch::Same && path.as_path != best.as_path {
            Reason::MultipathAsPath
        } else if next_hops.contains(&path.next_hop) {
            Reason::MultipathNextHop
        } else if next_hops.len() >= most {
            Reason::MultipathFull
        } else {
            next_hops.push(path.next_hop);
            Reason::Multipath
        };
    }
}
