//! Our own RIB as next hops resolve through it.

use std::net::IpAddr;

use smallvec::SmallVec;

use super::{Table, entry::Entry};
use crate::{
    decide::Verdict,
    resolve::{Leads, OwnRoute, OwnRoutes},
    route::{Leg, Path},
};

impl OwnRoutes for Table {
    fn covering(&self, address: IpAddr) -> SmallVec<[OwnRoute; 2]> {
        let covering = self.entries.covering(address.into()).into_iter();
        let leading = covering.filter_map(|(prefix, entry)| {
            let leads = self.leads(prefix, entry)?;
            Some(OwnRoute { prefix, metric: self.slot(prefix).metric, leads })
        });
        leading.collect()
    }
}

impl Table {
    /// Where a route of ours leads; `None`: it is left to somebody else, or about to go.
    fn leads(&self, prefix: ipnet::IpNet, entry: &Entry) -> Option<Leads> {
        let Some(decision) = entry.decision else { return self.held(entry) };
        match decision.verdict {
            Verdict::NotOurs => None,
            Verdict::Blackhole => Some(Leads::Nowhere),
            Verdict::Direct | Verdict::Tunnel => {
                let next_hops = entry.next_hops.and_then(|set| self.sets.get(set))?;
                let direct = next_hops.iter().filter(|next_hop| {
                    let decision = self.decider.route(prefix, next_hop.address, &mut ());
                    decision.verdict == Verdict::Direct
                });
                let direct: SmallVec<_> = direct.copied().collect();
                Some(if direct.is_empty() { Leads::Nowhere } else { Leads::To(direct) })
            }
        }
    }

    /// Where a route from the life before leads that nobody has announced yet, nor withdrawn.
    fn held(&self, entry: &Entry) -> Option<Leads> {
        let path = entry.actual.filter(|_| entry.marks.adopted).and_then(|path| self.paths.get(path))?;
        let legs: SmallVec<[Leg; 1]> = match path.way() {
            Path::Object(id) => self.objects.legs(*id),
            path => path.legs().into(),
        };
        let tunnelled = legs.iter().any(|leg| Some(leg.device) == self.tunnel.device);
        (!legs.is_empty() && !tunnelled).then_some(Leads::Held(legs))
    }
}
