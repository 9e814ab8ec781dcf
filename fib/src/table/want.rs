//! From the next hops of a prefix to the path the kernel is to hold, or why there is none.

use std::{net::IpAddr, num::NonZeroU32};

use ipnet::IpNet;
use smallvec::SmallVec;

use super::{
    Table,
    entry::Entry,
    intern::Id,
    objects::{Class, Hop},
};
use crate::{
    config::TunnelPermission,
    decide::{Decision, Verdict},
    resolve::Resolver,
    route::{HopAddress, Leg, NextHop, Onlink, Path},
    view::{Cause, Form},
};

/// What follows from the configuration and the next hops' answers.
struct Want {
    decision: Option<Decision>,
    path: Option<Id<Path>>,
    cause: Option<Cause>,
    unreachable: bool,
}

impl Want {
    fn nothing(decision: Option<Decision>, cause: Option<Cause>) -> Self {
        Self { decision, path: None, cause, unreachable: false }
    }
}

impl Table {
    /// Brings the wanted side of a prefix up to date and queues it if the kernel's side differs.
    pub(super) fn refresh(&mut self, prefix: IpNet, resolver: &Resolver) {
        let want = self.want(prefix, resolver);
        let Some(entry) = self.entries.get_mut(prefix) else { return };
        let same = entry.wanted == want.path && entry.decision == want.decision;
        if same && entry.cause == Some(Cause::KernelError) && self.retries.is_waiting(prefix) {
            return;
        }
        let left = entry.wanted.filter(|before| Some(*before) != want.path);
        (entry.wanted, entry.decision, entry.cause) = (want.path, want.decision, want.cause);
        entry.marks.unreachable = want.unreachable;
        entry.errno = None;
        self.loosen(left);
        self.retries.forget(prefix);
        self.enqueue(prefix);
    }

    fn want(&mut self, prefix: IpNet, resolver: &Resolver) -> Want {
        let nothing = Want::nothing(None, None);
        let Some(entry) = self.entries.get(prefix) else { return nothing };
        if let Some(decision) = self.host_decision(prefix, entry, resolver) {
            return Want::nothing(Some(decision), None);
        }
        if entry.marks.block {
            let decision = self.decider.local_block(prefix, &mut ());
            let path = (decision.verdict == Verdict::Blackhole).then(|| self.paths.intern(&Path::Blackhole));
            return Want { path, ..Want::nothing(Some(decision), None) };
        }
        let asked = entry.marks.discard && entry.next_hops.is_some();
        if let Some(decision) = asked.then(|| self.decider.discard(prefix, &mut ())).flatten() {
            let path = Some(self.paths.intern(&Path::Blackhole));
            return Want { path, ..Want::nothing(Some(decision), None) };
        }
        match entry.next_hops.and_then(|set| self.sets.get(set)) {
            Some(set) => {
                let (decision, hops, cause) = self.hops(prefix, set, resolver);
                if !hops.is_empty() {
                    let path = self.path_of(prefix, &hops).limited(self.mtu_of(&hops));
                    return Want { path: Some(self.paths.intern(&path)), ..Want::nothing(decision, None) };
                }
                let unreachable = matches!(cause, Some(Cause::NextHopUnreachable | Cause::NextHopLoop));
                let refused = unreachable && self.refuses(prefix, resolver);
                let path = refused.then(|| self.paths.intern(&Path::Unreachable));
                Want { path, unreachable, ..Want::nothing(decision, cause) }
            }
            None => nothing,
        }
    }

    /// The decision over a prefix that is this host's own affair. A block that is one address is its pod's already.
    pub(super) fn host_decision(
        &self,
        prefix: IpNet,
        entry: &Entry,
        resolver: &Resolver,
    ) -> Option<Decision> {
        let host = resolver.foreign().host(prefix)?;
        let block = entry.marks.block.then(|| self.decider.local_block(prefix, &mut ()));
        let left_alone = block.filter(|decision| decision.verdict == Verdict::NotOurs);
        Some(left_alone.unwrap_or(Decision::host(host.reason())))
    }

    /// Whether packets to a prefix without a way are refused, lest they follow a shorter route to where they do not
    /// belong: inside pools only, where the default route would carry pods' packets out of the cluster. Never where it
    /// would cut off a peer, a node or a next hop.
    fn refuses(&self, prefix: IpNet, resolver: &Resolver) -> bool {
        prefix.prefix_len() > 0
            && self.decider.pool(prefix).is_some()
            && !self.peers.overlaps(prefix)
            && !resolver.follows_within(prefix)
    }

    /// The path through these hops, in the form that routes have now.
    fn path_of(&mut self, prefix: IpNet, hops: &[Hop]) -> Path {
        let plain = || Path::Unicast(normal(hops.iter().map(|hop| hop.leg).collect()));
        if self.form != Form::Objects {
            return plain();
        }
        let entry = self.entries.get(prefix);
        let held = entry.and_then(|entry| entry.actual).and_then(|path| self.paths.get(path)?.object());
        let Some(set) = entry.and_then(|entry| entry.next_hops).and_then(|set| self.sets.get(set)) else {
            return plain();
        };
        let class = match (self.decider.pool(prefix), prefix) {
            (Some(pool), _) => Class::Pool(pool.cidr),
            (None, IpNet::V4(_)) => Class::V4,
            (None, IpNet::V6(_)) => Class::V6,
        };
        self.objects.of_route(set, class, hops, held).map_or_else(plain, Path::Object)
    }

    /// The hops that can be used now, the decision over the first next hop, and why a leg is missing if one is.
    fn hops(
        &self,
        prefix: IpNet,
        next_hops: &[NextHop],
        resolver: &Resolver,
    ) -> (Option<Decision>, SmallVec<[Hop; 1]>, Option<Cause>) {
        let (mut first, mut hops, mut missing) = (None, SmallVec::new(), None);
        for next_hop in next_hops {
            let decision = self.decider.route(prefix, next_hop.address, &mut ());
            first.get_or_insert(decision);
            match decision.verdict {
                Verdict::Direct => missing = direct(prefix, *next_hop, resolver, &mut hops).or(missing),
                Verdict::Tunnel => match self.tunnel_device_for_use() {
                    // Its own packets would go into the tunnel again.
                    Ok(_) if prefix.contains(&next_hop.address) => missing = Some(Cause::NextHopLoop),
                    Ok(device) if resolver.is_reachable(next_hop.place()) => {
                        hops.push(tunnelled(*next_hop, device));
                    }
                    Ok(_) => missing = Some(no_way(next_hop.place(), resolver)),
                    Err(cause) => missing = Some(cause),
                },
                Verdict::Blackhole | Verdict::NotOurs => {}
            }
        }
        self.leave_resting_out(&mut hops, resolver);
        (first, hops, missing)
    }

    /// The MTU a route through these hops carries: one that takes the tunnel with any of them has the tunnel's.
    fn mtu_of(&self, hops: &[Hop]) -> Option<NonZeroU32> {
        let tunnels = hops.iter().any(|hop| Some(hop.leg.device) == self.tunnel.device);
        self.tunnel_mtu.filter(|_| tunnels)
    }

    /// Leaves out the hops over links that have just come back, if there are others. The tunnel is no such link: there
    /// is no port at its other end.
    fn leave_resting_out(&self, hops: &mut SmallVec<[Hop; 1]>, resolver: &Resolver) {
        let device = |hop: &Hop| hop.leg.device;
        let rests = |hop: &Hop| resolver.is_resting(device(hop)) && self.tunnel.device != Some(device(hop));
        if hops.iter().any(rests) && !hops.iter().all(rests) {
            hops.retain(|hop| !rests(hop));
        }
    }

    fn tunnel_device_for_use(&self) -> Result<u32, Cause> {
        match (self.tunnel.permission, self.tunnel.device) {
            (TunnelPermission::Withheld, _) => Err(Cause::TunnelWithheld),
            (TunnelPermission::Granted, None) => Err(Cause::TunnelDown),
            (TunnelPermission::Granted, Some(device)) => Ok(device),
        }
    }
}

/// Adds the legs of the next hop's resolution, or says why there are none.
fn direct(
    prefix: IpNet,
    next_hop: NextHop,
    resolver: &Resolver,
    hops: &mut SmallVec<[Hop; 1]>,
) -> Option<Cause> {
    if resolver.loops(next_hop.place(), prefix) {
        return Some(Cause::NextHopLoop);
    }
    let before = hops.len();
    let fits = |leg: &Leg| !matches!((prefix, leg.gateway), (IpNet::V6(_), Some(IpAddr::V4(_))));
    let weighted = |leg: Leg| Leg { weight: next_hop.weight.max(1).saturating_mul(leg.weight.max(1)), ..leg };
    let legs = resolver.legs(next_hop.place()).filter(fits).map(weighted);
    hops.extend(legs.map(|leg| Hop { next_hop: next_hop.place(), leg }));
    (hops.len() == before).then(|| no_way(next_hop.place(), resolver))
}

/// Why there is no way to a next hop: there is none, or the kernel could not be asked yet.
fn no_way(next_hop: HopAddress, resolver: &Resolver) -> Cause {
    if resolver.is_answered(next_hop) { Cause::NextHopUnreachable } else { Cause::Queued }
}

/// A tunnelled route's gateway is the next hop itself, not what leads to it.
fn tunnelled(next_hop: NextHop, device: u32) -> Hop {
    let gateway = Some(next_hop.address);
    let leg = Leg { gateway, device, onlink: Onlink::Yes, weight: next_hop.weight.max(1) };
    Hop { next_hop: next_hop.place(), leg }
}

/// Sorted, each way once (its weights added), and an only leg of weight 1.
pub(super) fn normal(mut legs: SmallVec<[Leg; 1]>) -> SmallVec<[Leg; 1]> {
    legs.sort_unstable();
    legs.dedup_by(|next, kept| {
        let same = Leg { weight: kept.weight, ..*next } == *kept;
        if same {
            kept.weight = kept.weight.saturating_add(next.weight);
        }
        same
    });
    if let [only] = legs.as_mut_slice() {
        only.weight = 1;
    }
    legs
}
