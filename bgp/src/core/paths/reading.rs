//! What a peer that takes several paths has been sent, as others read it.

use std::sync::Arc;

use super::{Member, Sent};
use crate::{
    core::{
        event::{AdvertisedRoute, Delivery},
        export::Counted,
        family::FamilyRib,
        shared::Shared,
    },
    rib::{Entry, Net},
    types::PeerId,
};

impl<P: Net> FamilyRib<P> {
    /// The paths of one prefix that a peer has been sent or is to be, ascending by identifier.
    pub(in crate::core) fn advertised_paths(
        &self,
        shared: &Shared,
        peer: PeerId,
        entry: &Entry<P>,
    ) -> Vec<AdvertisedRoute> {
        let member = self.paths.members.get(&peer);
        let Some((member, route)) = member.zip(self.table.find(entry.prefix)) else { return Vec::new() };
        let Some(group) = self.paths.groups.get(&member.group) else { return Vec::new() };
        let awaited = member.progress.awaits(route, self.paths.log.position(entry.prefix));
        let sent = visible(member, entry.prefix, peer);
        let (prefix, mut list) = (entry.prefix.into(), Vec::new());
        for outgoing in self.outgoing_paths(shared, &group.settings, route, Counted::None) {
            let id = self.names.id(&outgoing.path);
            let settings = &group.settings.export;
            let attributes =
                settings.outgoing::<P>(shared, &outgoing.path, outgoing.attributes, &outgoing.modifying);
            let has = sent.iter().any(|sent| sent.id == id);
            if outgoing.path.peer != peer && attributes.is_some() && (has || awaited) {
                let serial = shared.attributes.serial(outgoing.attributes);
                let is_latest = sent.iter().any(|sent| sent.id == id && sent.serial == serial);
                let delivery = if is_latest { Delivery::Sent } else { Delivery::Pending };
                list.push(AdvertisedRoute {
                    prefix,
                    path_id: id,
                    attributes: attributes.map(Arc::new),
                    delivery,
                });
            }
        }
        let left = |sent: &&Sent| !list.iter().any(|route| route.path_id == sent.id);
        let withdrawals = sent.iter().filter(left).map(|sent| AdvertisedRoute {
            prefix,
            path_id: sent.id,
            attributes: None,
            delivery: Delivery::Pending,
        });
        let withdrawals: Vec<_> = withdrawals.collect();
        list.extend(withdrawals);
        list.sort_unstable_by_key(|route| route.path_id);
        list
    }
}

fn visible<P: Net>(member: &Member<P>, prefix: P, peer: PeerId) -> Vec<Sent> {
    let sent = member.sent.get(&prefix).map_or(&[][..], |sent| sent);
    sent.iter().filter(|sent| sent.source != peer).copied().collect()
}
