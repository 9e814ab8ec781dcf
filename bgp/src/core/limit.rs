//! The ceiling of received prefixes (RFC 4271 section 6.7, RFC 4486 section 4).
//!
//! Prefixes that the import policy refuses count too: they are kept, so that a changed policy needs nothing from
//! the peer, and what a peer can make us keep is what the ceiling is for.

use std::time::Duration;

use super::{
    event::{Action, Warning},
    shared::Shared,
};
use crate::{
    rib::Net,
    types::{Family, PeerId},
    wire::{ErrorKind, Notification},
};

/// How long a peer that passed its limit is left alone before the session is tried again.
const RETRY: Duration = Duration::from_secs(120);

/// Warns near the limit and closes the session beyond it; whether more may come in.
pub(super) fn check(shared: &mut Shared, id: PeerId, family: Family) -> bool {
    let Some(peer) = shared.peer_mut(id) else { return false };
    if peer.closing || peer.session.is_none() {
        return false;
    }
    let Some(limit) = peer.config.max_prefixes else { return true };
    let received = peer.input(family).of_session();
    if received > limit {
        peer.closing = true;
        shared.actions.push_back(Action::Warn(Warning::PrefixLimitPassed { peer: id, family, limit }));
        shared.actions.push_back(close(id, family, limit));
        return false;
    }
    if u64::from(received) * 4 >= u64::from(limit) * 3 && !peer.warned.contains(family) {
        peer.warned.insert(family);
        shared.actions.push_back(Action::Warn(Warning::PrefixesNearLimit { peer: id, family, limit }));
    }
    true
}

/// Counts a path that is one too many of its prefix (RFC 7911 sets no limit; memory does), and says so once.
pub(super) fn refuse_path<P: Net>(shared: &mut Shared, id: PeerId, prefix: P) {
    let Some(peer) = shared.peer_mut(id) else { return };
    let input = peer.input_mut(P::FAMILY);
    input.refused_paths = input.refused_paths.saturating_add(1);
    if !peer.warned_of_paths.contains(P::FAMILY) {
        peer.warned_of_paths.insert(P::FAMILY);
        let limit = peer.config.capabilities.add_path.receive_limit.get();
        let warning = Warning::PathsRefused { peer: id, prefix: prefix.into(), limit };
        shared.actions.push_back(Action::Warn(warning));
    }
}

/// Cease with family and limit (RFC 4486 section 4).
fn close(peer: PeerId, family: Family, limit: u32) -> Action {
    let mut data = family.afi().to_be_bytes().to_vec();
    data.push(family.safi());
    data.extend_from_slice(&limit.to_be_bytes());
    let notification = Notification::with_data(ErrorKind::MAXIMUM_PREFIXES_REACHED, &data);
    Action::CloseSession { peer, notification, retry_after: RETRY }
}
