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
    config::{LimitAction, PrefixLimit},
    rib::Net,
    types::{Family, PeerId},
    wire::{ErrorKind, Notification},
};

/// Warns near the limit, and beyond it does what the configuration says; whether more may come in.
pub(super) fn check(shared: &mut Shared, id: PeerId, family: Family) -> bool {
    let Some(peer) = shared.peer_mut(id) else { return false };
    if peer.closing || peer.session.is_none() {
        return false;
    }
    let PrefixLimit { most: Some(limit), warn_at, action, .. } = peer.config.limit else { return true };
    let received = peer.input(family).of_session();
    if received > limit {
        return passed(shared, id, family, limit, action);
    }
    if u64::from(received) * 100 >= u64::from(limit) * u64::from(warn_at) && !peer.warned.contains(family) {
        peer.warned.insert(family);
        shared.actions.push_back(Action::Warn(Warning::PrefixesNearLimit { peer: id, family, limit }));
    }
    true
}

fn passed(shared: &mut Shared, id: PeerId, family: Family, limit: u32, action: LimitAction) -> bool {
    let Some(peer) = shared.peer_mut(id) else { return false };
    let told = peer.limit_told.contains(family);
    peer.limit_told.insert(family);
    let warning = Action::Warn(Warning::PrefixLimitPassed { peer: id, family, limit, action });
    match action {
        LimitAction::Restart(after) => {
            peer.closing = true;
            shared.actions.extend([warning, close(id, family, limit, after)]);
            false
        }
        LimitAction::Warn | LimitAction::Block => {
            shared.actions.extend(Some(warning).filter(|_| !told));
            true
        }
    }
}

/// Whether a prefix that is new must stay out because the peer has sent as many as it may.
pub(super) fn is_blocked(shared: &Shared, id: PeerId, family: Family) -> bool {
    shared.peer(id).is_some_and(|peer| match peer.config.limit {
        PrefixLimit { most: Some(limit), action: LimitAction::Block, .. } => {
            peer.input(family).of_session() >= limit
        }
        _ => false,
    })
}

/// Counts a prefix that stays out, and says so once.
pub(super) fn refuse_prefix(shared: &mut Shared, id: PeerId, family: Family) {
    let Some(peer) = shared.peer_mut(id) else { return };
    let PrefixLimit { most: Some(limit), action, .. } = peer.config.limit else { return };
    let input = peer.input_mut(family);
    input.refused_prefixes = input.refused_prefixes.saturating_add(1);
    passed(shared, id, family, limit, action);
}

/// Has the peer asked for its routes again once there is room for some of those that were refused: a tenth of the
/// limit, so that one prefix that comes and goes does not bring the whole table each time.
pub(super) fn reconsider(shared: &mut Shared, id: PeerId, family: Family) {
    let Some(peer) = shared.peer_mut(id).filter(|p| p.session.is_some()) else { return };
    let PrefixLimit { most, action, .. } = peer.config.limit;
    let input = peer.input_mut(family);
    let room =
        most.filter(|_| action == LimitAction::Block).map_or(u32::MAX, |limit| limit - limit.div_ceil(10));
    if input.refused_prefixes > 0 && input.of_session() <= room {
        input.refused_prefixes = 0;
        peer.limit_told.remove(family);
        shared.actions.push_back(Action::RequestRoutes(id));
    }
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
fn close(peer: PeerId, family: Family, limit: u32, retry_after: Duration) -> Action {
    let mut data = family.afi().to_be_bytes().to_vec();
    data.push(family.safi());
    data.extend_from_slice(&limit.to_be_bytes());
    let notification = Notification::with_data(ErrorKind::MAXIMUM_PREFIXES_REACHED, &data);
    Action::CloseSession { peer, notification, retry_after }
}
