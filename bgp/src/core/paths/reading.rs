//! What a peer that takes several paths has been sent, as others read it.

use std::{collections::BTreeSet, sync::Arc};

use super::{Sent, seen};
use crate::{
    core::{
        audience::Receiver,
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
        let to = Receiver::new(shared, peer);
        let sent = member.sent.get(&entry.prefix).map_or(&[][..], |sent| sent);
        let sent: Vec<_> = seen(sent, to).copied().collect();
        let (prefix, mut list) = (entry.prefix.into(), Vec::new());
        let outgoing = self.outgoing_paths(shared, &group.settings, route, &[], Counted::None);
        let paths: Vec<_> = outgoing.iter().map(|(sent, _)| *sent).collect();
        let meant: BTreeSet<u32> = seen(&paths, to).map(|sent| sent.id).collect();
        for (Sent { id, serial, .. }, outgoing) in outgoing {
            let attributes = outgoing.as_sent::<P>(shared, &group.settings.export);
            let has = sent.iter().any(|sent| sent.id == id);
            if meant.contains(&id) && attributes.is_some() && (has || awaited) {
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
