//! What the kernel tells of, and what is to be asked of it again because of that.

use std::{
    collections::BTreeSet,
    io,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use tracing::{debug, warn};

use super::Engine;
use crate::{
    kernel::{Admin, Kernel, Link, Notice},
    metrics::ResyncReason,
    route::HopAddress,
    table::{Devices, RouteNotice, Touch},
};

/// How long answers may stay doubtful so that a burst of notices leads to one round of lookups.
const LOOKUP_DELAY: Duration = Duration::from_millis(10);
/// How soon an unanswered lookup is repeated.
const LOOKUP_RETRY: Duration = Duration::from_millis(250);
/// Lookups in one turn.
const LOOKUPS: usize = 256;

impl<K: Kernel> Engine<K> {
    /// Takes a notice of the kernel.
    pub(crate) fn notice(&mut self, now: Instant, notice: Notice) {
        self.addresses_changed |= match &notice {
            Notice::Address(_) | Notice::LinkGone(_) | Notice::Unreadable | Notice::Overrun => true,
            // A link that comes with its addresses, or has another name from now on.
            Notice::Link(link) => self.links.name(link.index) != Some(link.name.as_str()),
            Notice::Route(_) | Notice::Object(_) | Notice::Rule => false,
        };
        match notice {
            Notice::Route(route) => self.route_notice(now, &route),
            Notice::Link(link) => {
                let index = link.index;
                let relevant = self.is_relevant(index);
                if link.admin == Admin::Down {
                    self.device_lost(index);
                }
                if self.links.update(link) {
                    self.rest(now);
                    self.tunnel_device(now);
                    if relevant {
                        self.underlay_changed(now);
                    }
                }
            }
            Notice::LinkGone(index) => {
                let relevant = self.is_relevant(index);
                self.device_lost(index);
                self.links.remove(index);
                self.tunnel_device(now);
                if relevant {
                    self.underlay_changed(now);
                }
            }
            Notice::Address(index) if self.is_relevant(index) => self.underlay_changed(now),
            Notice::Address(_) => {}
            Notice::Object(object) => self.object_notice(now, object),
            Notice::Rule => self.doubt_all(now),
            Notice::Unreadable => self.underlay_changed(now),
            Notice::Overrun => self.overrun(now),
        }
    }

    fn route_notice(&mut self, now: Instant, notice: &RouteNotice) {
        let route = notice.route();
        debug!(prefix = %route.prefix, protocol = route.protocol, table = route.table, "a route changed");
        self.locals.observe(notice);
        let host_changed = self.resolver.foreign.observe(notice);
        self.resolver.route_changed(route.prefix);
        self.plan_lookups(now);
        if host_changed {
            self.hosts_changed([route.prefix]);
        }
        if self.table.observe(notice) == Touch::Ours {
            self.metrics.repaired.fetch_add(u64::from(route.protocol == self.config.protocol), Relaxed);
            if matches!(notice, RouteNotice::Removed(_)) && route.protocol == self.config.protocol {
                self.metrics.removed(route.prefix);
            }
            self.pace.suspect(now, ResyncReason::ForeignChange);
        }
    }

    /// The kernel drops routes of a link or address that goes without a word: only a comparison tells.
    pub(super) fn underlay_changed(&mut self, now: Instant) {
        self.doubt_all(now);
        self.pace.suspect(now, ResyncReason::LinkChange);
    }

    fn overrun(&mut self, now: Instant) {
        warn!("the kernel's notifications came faster than they were read; comparing everything");
        self.doubt_all(now);
        self.pace.suspect(now, ResyncReason::Overrun);
    }

    pub(in crate::service) fn doubt_all(&mut self, now: Instant) {
        self.resolver.all_changed();
        self.plan_lookups(now);
    }

    pub(super) fn plan_lookups(&mut self, now: Instant) {
        if self.resolver.has_work() {
            self.lookups_due.get_or_insert(now + LOOKUP_DELAY);
        }
    }

    fn is_relevant(&self, index: u32) -> bool {
        self.table.uses_device(index)
            || self.resolver.uses_device(index)
            || self.resolver.foreign.has_gateway_over(index)
    }

    fn device_lost(&mut self, index: u32) {
        self.locals.device_lost(index);
        let hosts = self.resolver.foreign.device_lost(index);
        self.hosts_changed(hosts);
    }

    /// Prefixes became or ceased to be this host's own.
    pub(super) fn hosts_changed(&mut self, prefixes: impl IntoIterator<Item = IpNet>) {
        for prefix in prefixes {
            self.table.host_changed(prefix, &self.resolver);
            self.resolver.own_route_changed(prefix);
        }
        self.resolve();
    }

    /// Resolves the next hops that may lead elsewhere, and brings their routes up to date.
    pub(in crate::service) fn resolve(&mut self) {
        let changed = self.resolver.resolve(&self.table, &self.links);
        self.next_hops_changed(changed);
    }

    pub(super) fn tunnel_device(&mut self, now: Instant) {
        if self.find_tunnel_device() {
            self.underlay_changed(now);
        }
    }

    /// Finds the tunnel device again. Returns whether it is another.
    pub(super) fn find_tunnel_device(&mut self) -> bool {
        let device = self.links.up(&self.config.tunnel.device);
        if device == self.table.tunnel().device {
            return false;
        }
        self.table.tunnel_device(device, &self.resolver);
        self.resolver.exclude(self.table.exclusion());
        self.resolve();
        true
    }

    pub(super) fn follow(&mut self, now: Instant, address: HopAddress) {
        if self.resolver.follow(address) {
            self.table.spare(address, &self.resolver);
        }
        if !self.resolver.is_answered(address) && self.lookup(address).is_err() {
            self.lookups_due.get_or_insert(now + LOOKUP_RETRY);
        }
    }

    pub(super) fn lookups(&mut self, now: Instant) {
        self.lookups_due = None;
        for _ in 0..LOOKUPS {
            let Some(address) = self.resolver.next_lookup() else { break };
            if let Err(error) = self.lookup(address) {
                warn!(?address, %error, "looking a next hop up failed; trying again");
                self.resolver.doubt(address);
                self.lookups_due = Some(now + LOOKUP_RETRY);
                break;
            }
        }
        if self.resolver.has_work() {
            self.lookups_due.get_or_insert(now);
        }
        self.resolve();
    }

    fn lookup(&mut self, address: HopAddress) -> io::Result<()> {
        // The kernel would take whichever link it has first.
        let lookup = if address.lacks_interface() {
            None
        } else {
            self.metrics.lookups.fetch_add(1, Relaxed);
            self.kernel.lookup(address.address, address.interface)?
        };
        self.resolver.hear(address, lookup);
        Ok(())
    }

    /// Spares the links that have just come back.
    fn rest(&mut self, now: Instant) {
        for device in self.links.take_returned() {
            self.resolver.rest(device);
            self.resting.begin(now, device);
        }
    }

    pub(super) fn next_hops_changed(&mut self, changed: BTreeSet<HopAddress>) {
        if !changed.is_empty() {
            self.table.next_hops_changed(&changed, &self.resolver);
        }
    }

    pub(super) fn replace_links(&mut self, now: Instant, links: Vec<Link>) {
        let changed = self.links.replace(links);
        self.rest(now);
        self.tunnel_device(now);
        if changed.into_iter().any(|index| self.is_relevant(index)) {
            self.underlay_changed(now);
        }
    }
}
