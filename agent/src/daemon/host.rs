//! What this host says of itself: its links with their addresses, and the way to an address.
//!
//! Diagnosis and problems go by these facts, not by what an error number suggests. They are asked for when somebody looks,
//! and remembered for a moment, so that a client that asks in a loop costs no more than one that does not.

use std::{
    io,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bgp::types::Family;

use crate::{
    autodetect::{
        Interface,
        interfaces::{self, IpipDevice, Survey},
    },
    config::{Host, ThisHost},
};

/// How long the list of links is good for.
const FRESH: Duration = Duration::from_secs(1);

/// The links of this host with their addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HostLinks(Survey);

impl HostLinks {
    #[cfg(test)]
    pub(super) fn new(links: Vec<Interface>) -> Self {
        Self(Survey { interfaces: links, tunnels: Vec::new() })
    }

    /// Whether anything is known at all: the kernel may refuse to tell.
    pub(super) fn is_known(&self) -> bool {
        !self.0.interfaces.is_empty()
    }

    /// The name of the link that has this address.
    pub(super) fn link_of(&self, address: IpAddr) -> Option<&str> {
        let has = |link: &&Interface| link.addresses.iter().any(|own| own.net.addr() == address);
        self.0.interfaces.iter().find(has).map(|link| link.name.as_str())
    }

    /// Whether there is a link of this name.
    pub(super) fn has_link(&self, name: &str) -> bool {
        self.0.interfaces.iter().any(|link| link.name == name)
    }

    /// IPIP devices that are up, but for the one of this name.
    pub(super) fn tunnels_beside(&self, own: &str) -> impl Iterator<Item = &IpipDevice> {
        self.0.tunnels.iter().filter(move |device| device.name != own)
    }
}

/// The links, asked for once in a while.
#[derive(Debug, Default)]
pub(super) struct HostLook(Mutex<Option<(Instant, Arc<HostLinks>)>>);

impl HostLook {
    /// The links now, or as they were a moment ago.
    pub(super) async fn links(&self) -> Arc<HostLinks> {
        if let Some((_, links)) = self.last().filter(|(asked, _)| asked.elapsed() < FRESH) {
            return links;
        }
        let listed = tokio::task::spawn_blocking(interfaces::survey).await;
        let links = Arc::new(HostLinks(listed.ok().and_then(io::Result::ok).unwrap_or_default()));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), links.clone()));
        links
    }

    fn last(&self) -> Option<(Instant, Arc<HostLinks>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The address that the kernel sends from towards another one; `None`: no usable route leads there.
#[must_use]
pub(super) fn source_towards(target: IpAddr) -> Option<IpAddr> {
    let family = if target.is_ipv4() { Family::Ipv4Unicast } else { Family::Ipv6Unicast };
    ThisHost.source_towards(&target.to_string(), family).ok()
}
