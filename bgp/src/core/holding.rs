//! The ceiling of what the path attributes that a peer has sent take in memory.
//!
//! A set of attributes counts for every peer that has a path with it, once, however many paths those are and whoever
//! brought it first: so what another peer sends or withdraws changes nothing. Stale paths count, for they are kept. What
//! an import policy makes of a set does not: that is the operator's.

use super::{
    event::{Action, Warning},
    shared::Shared,
};
use crate::{
    config::{LimitAction, PrefixLimit},
    rib::AttributesId,
    types::{Family, PeerId},
    wire::{ErrorKind, Notification},
};

/// What a peer makes us keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Holding {
    /// Octets of distinct sets of attributes.
    pub(super) octets: u64,
    /// The smallest set that found no room over the present session.
    cheapest_refused: Option<u32>,
    warned: Said,
    passed: Said,
}

/// Whether something was said over the present session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Said {
    #[default]
    No,
    Yes,
}

/// What becomes of an announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// There is room for it.
    There,
    /// It would pass the ceiling.
    None,
}

impl Holding {
    /// Whether so much is kept that what earlier sessions have left should be let go before a new one begins.
    pub(super) fn is_tight(&self, limit: &PrefixLimit) -> bool {
        limit.octets.is_some_and(|most| self.octets > most / 2)
    }

    /// A session has ended. What it has brought counts until it is let go.
    pub(super) fn end_session(&mut self) {
        *self = Self { octets: self.octets, ..Self::default() };
    }
}

impl Shared {
    /// Takes a reference on attributes for a path of this peer.
    pub(super) fn hold(&mut self, peer: PeerId, id: AttributesId) {
        let added = self.attributes.hold(id, peer);
        if added > 0
            && let Some(peer) = self.peer_mut(peer)
        {
            peer.holding.octets += u64::from(added);
        }
    }

    /// Gives the reference of a path of this peer back.
    pub(super) fn let_go(&mut self, peer: PeerId, id: AttributesId) {
        let freed = self.attributes.let_go(id, peer, &mut self.next_hops);
        if freed > 0
            && let Some(peer) = self.peer_mut(peer)
        {
            peer.holding.octets = peer.holding.octets.saturating_sub(freed.into());
        }
    }

    /// Whether a path with these attributes stays below the peer's ceiling.
    pub(super) fn room_for(&self, id: PeerId, attributes: AttributesId) -> Room {
        let Some(peer) = self.peer(id) else { return Room::None };
        let Some(most) = peer.config.limit.octets else { return Room::There };
        match u64::from(self.attributes.price(attributes, id)) {
            0 => Room::There,
            price if peer.holding.octets + price <= most => Room::There,
            _ => Room::None,
        }
    }
}

/// Warns once when the ceiling is near.
pub(super) fn warn(shared: &mut Shared, id: PeerId) {
    let Some(peer) = shared.peer_mut(id) else { return };
    let PrefixLimit { octets: Some(limit), warn_at, .. } = peer.config.limit else { return };
    let near = u128::from(peer.holding.octets) * 100 >= u128::from(limit) * u128::from(warn_at);
    if near && peer.holding.warned == Said::No {
        peer.holding.warned = Said::Yes;
        shared.actions.push_back(Action::Warn(Warning::AttributesNearLimit { peer: id, limit }));
    }
}

/// Does what the configuration says to a peer that has sent, or is about to make us keep, more than it may. Returns
/// whether there is room nevertheless.
pub(super) fn pass(shared: &mut Shared, id: PeerId) -> Room {
    let Some(peer) = shared.peer_mut(id) else { return Room::None };
    let PrefixLimit { octets: Some(limit), action, .. } = peer.config.limit else { return Room::There };
    let said = std::mem::replace(&mut peer.holding.passed, Said::Yes);
    peer.closing |= matches!(action, LimitAction::Restart(_));
    if said == Said::No {
        shared.actions.push_back(Action::Warn(Warning::AttributeLimitPassed { peer: id, limit, action }));
    }
    match action {
        LimitAction::Warn => Room::There,
        LimitAction::Block => Room::None,
        LimitAction::Restart(retry_after) => {
            let notification = Notification::from(ErrorKind::OUT_OF_RESOURCES);
            shared.actions.push_back(Action::CloseSession { peer: id, notification, retry_after });
            Room::None
        }
    }
}

/// Counts prefixes that stay out for want of room for their attributes.
pub(super) fn refuse(shared: &mut Shared, id: PeerId, family: Family, prefixes: usize, set: AttributesId) {
    let price = shared.attributes.price(set, id);
    let Some(peer) = shared.peer_mut(id) else { return };
    let cheapest = peer.holding.cheapest_refused.map_or(price, |other| other.min(price));
    peer.holding.cheapest_refused = Some(cheapest);
    let input = peer.input_mut(family);
    let prefixes = u32::try_from(prefixes).unwrap_or(u32::MAX);
    input.refused_attributes = input.refused_attributes.saturating_add(prefixes);
}

/// Has the peer asked for its routes again once there is room: a tenth of the ceiling, and as much as the smallest of the
/// refused sets takes.
pub(super) fn reconsider(shared: &mut Shared, id: PeerId) {
    let Some(peer) = shared.peer_mut(id).filter(|p| p.session.is_some() && !p.closing) else { return };
    let Some(cheapest) = peer.holding.cheapest_refused else { return };
    let PrefixLimit { octets, action, .. } = peer.config.limit;
    let fits = octets.filter(|_| action == LimitAction::Block).is_none_or(|most| {
        let held = peer.holding.octets;
        held <= most - most.div_ceil(10) && held + u64::from(cheapest) <= most
    });
    if fits {
        (peer.holding.cheapest_refused, peer.holding.passed) = (None, Said::No);
        Family::ALL.iter().for_each(|family| peer.input_mut(*family).refused_attributes = 0);
        shared.actions.push_back(Action::RequestRoutes(id));
    }
}

/// The ceiling is another one.
pub(super) fn changed(shared: &mut Shared, id: PeerId) {
    let over = shared
        .peer(id)
        .filter(|p| p.session.is_some() && !p.closing)
        .is_some_and(|peer| peer.config.limit.octets.is_some_and(|most| peer.holding.octets > most));
    if over {
        pass(shared, id);
    }
    reconsider(shared, id);
}
