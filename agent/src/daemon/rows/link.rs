//! The links of peers that are found there.

use std::net::IpAddr;

use bgp::{
    ndp::{Advertising, Presence},
    net::PeerSnapshot,
};

use crate::api::protocol::peer::{LinkRow, RouterRow};

/// What is known of the link of a peer that has no address of its own.
#[must_use]
pub(super) fn row(peer: &PeerSnapshot) -> Option<LinkRow> {
    let report = peer.discovery.as_ref()?;
    let (state, error) = match &report.presence {
        Presence::Up => ("up", None),
        Presence::Down => ("down", None),
        Presence::Absent => ("absent", None),
        Presence::Failed(error) => ("failed", Some(error.clone())),
    };
    let routers = report.routers.iter().map(|router| RouterRow {
        address: router.address.to_string(),
        known: router.known.as_secs(),
        heard: router.heard.as_secs(),
    });
    Some(LinkRow {
        interface: peer.interface.clone().unwrap_or_default(),
        state: state.to_owned(),
        error,
        found: report.found.map(|found| found.as_secs()),
        routers: routers.collect(),
        advertising: report.advertising == Advertising::On,
        sent: report.sent,
        received: report.received,
        ignored: report.ignored.iter().map(|(fault, n)| (fault.name().to_owned(), *n)).collect(),
    })
}

/// Why nobody can be found or reached on the link.
#[must_use]
pub(super) fn obstacle(peer: &PeerSnapshot) -> Option<String> {
    let interface = peer.interface.as_deref().unwrap_or_default();
    match &peer.discovery.as_ref()?.presence {
        Presence::Up => None,
        Presence::Absent => Some(format!("there is no interface {interface} on this host")),
        Presence::Down => Some(format!("the link {interface} is down")),
        Presence::Failed(error) => {
            Some(format!("cannot look for the neighbour on {interface}: {error} (it takes CAP_NET_RAW)"))
        }
    }
}

/// Who else is on the link, which should have one neighbour.
#[must_use]
pub(super) fn company(peer: &PeerSnapshot) -> Option<String> {
    let routers = &peer.discovery.as_ref()?.routers;
    let others = routers.iter().filter(|router| IpAddr::from(router.address) != peer.address);
    let names: Vec<String> = others.map(|router| router.address.to_string()).collect();
    let passed_over = !names.is_empty() && !peer.address.is_unspecified();
    passed_over.then(|| format!("not alone on the link: {} passed over", names.join(", ")))
}
