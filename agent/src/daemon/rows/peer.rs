//! Peers.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use bgp::{
    config::{AdminState, Reflection, SpeakerConfig},
    core::RouteCounts,
    fsm::{Failure, State},
    net::{Incident, MessageTally, PeerSnapshot, SessionSnapshot},
    types::PeerType,
    wire::capability_code::CapabilityCode,
};

use super::{capabilities::capabilities, link, words};
use crate::{
    api::protocol::{
        peer::{Admin, Counters, IncidentRow, LastError, Messages, PeerKind, PeerRow, SessionDetails},
        time,
    },
    config::Intent,
    natural,
};

/// One row per peer, sorted by name. `diagnosed` says of one without a session why, where more is known than the peer's
/// own state tells.
#[must_use]
pub(crate) fn rows(
    peers: &[PeerSnapshot],
    speaker: &SpeakerConfig,
    intent: &Intent,
    diagnosed: impl Fn(&PeerSnapshot) -> Option<String>,
) -> Vec<PeerRow> {
    let mut rows: Vec<_> = peers.iter().map(|peer| row(peer, speaker, intent, diagnosed(peer))).collect();
    rows.sort_by(|a, b| natural::compare(&a.name, &b.name));
    rows
}

fn row(peer: &PeerSnapshot, speaker: &SpeakerConfig, intent: &Intent, diagnosis: Option<String>) -> PeerRow {
    let admin = match peer.admin {
        AdminState::Up => Admin::Up,
        AdminState::Down => Admin::Down,
    };
    let local = speaker.peers.iter().find(|p| p.name == peer.name).and_then(|p| p.switches.local_as);
    let configured = peer.range.as_ref().unwrap_or(&peer.name);
    let sum = |of: fn(&RouteCounts) -> u32| count(peer, of);
    let stale: u64 = sum(|c| c.stale);
    PeerRow {
        name: peer.name.clone(),
        address: address(peer),
        range: peer.range.clone(),
        kind: kind(peer, intent),
        remote_as: peer.asn.0,
        local_as: local.map_or(speaker.asn, |local| local.asn).0,
        description: intent
            .peers
            .get(configured)
            .map(|p| p.description.clone())
            .filter(|text| !text.is_empty()),
        admin,
        state: words::name(peer.state),
        since: peer.state_age.as_secs(),
        since_time: time::ago(peer.state_age),
        established_count: peer.sessions,
        info: info(peer, stale, diagnosis),
        received: sum(|c| c.received),
        accepted: sum(|c| c.accepted),
        advertised: sum(|c| c.advertised),
        refused: refused(peer),
        unsent: named([("too_long", sum(|c| c.too_long)), ("no_next_hop", sum(|c| c.no_next_hop))]),
        attribute_octets: peer.attribute_octets,
        session: peer.session.as_ref().map(session),
        bfd: None,
        link: link::row(peer),
        counters: Counters {
            received: messages(&peer.messages.received),
            sent: messages(&peer.messages.sent),
            octets_received: peer.messages.octets_received,
            octets_sent: peer.messages.octets_sent,
            malformed_attributes: peer.messages.malformed,
        },
        last_error: peer.last_failure.as_ref().map(ToString::to_string),
        last_error_code: peer.last_failure.as_ref().map(last_error),
        incidents: peer.incidents.iter().map(incident).collect(),
    }
}

fn last_error(failure: &Failure) -> LastError {
    let (cause, kind) = match failure {
        Failure::Sent { notification, .. } => ("sent", Some(notification.kind)),
        Failure::Received { notification, .. } => ("received", Some(notification.kind)),
        Failure::Transport(_) => ("transport", None),
        Failure::PeerRestarted => ("peer_restarted", None),
        Failure::SendHold => ("send_hold", None),
        Failure::Stopped(_) => ("stopped", None),
    };
    LastError {
        cause: cause.to_owned(),
        code: kind.map(|kind| kind.code),
        subcode: kind.map(|kind| kind.subcode),
    }
}

fn incident(incident: &Incident) -> IncidentRow {
    IncidentRow {
        age: incident.age.as_secs(),
        time: time::ago(incident.age),
        what: incident.what.clone(),
        length: incident.length,
        octets: incident.octets.iter().map(|octet| format!("{octet:02x}")).collect(),
    }
}

fn messages(tally: &MessageTally) -> Messages {
    Messages {
        open: tally.open,
        update: tally.update,
        notification: tally.notification,
        keepalive: tally.keepalive,
        refresh: tally.route_refresh,
    }
}

/// The address, with its link where it says nothing without.
fn address(peer: &PeerSnapshot) -> String {
    match (peer.address, &peer.interface) {
        (address, Some(interface)) if address.is_unspecified() => format!("%{interface}"),
        (IpAddr::V6(address), Some(interface)) if address.is_unicast_link_local() => {
            format!("{address}%{interface}")
        }
        (address, _) => address.to_string(),
    }
}

fn kind(peer: &PeerSnapshot, intent: &Intent) -> PeerKind {
    let is_client = peer.reflection == Reflection::Client;
    match peer.peer_type {
        PeerType::External => PeerKind::External,
        PeerType::Internal if is_client => PeerKind::Client,
        PeerType::Internal if intent.mesh.nodes.contains(&peer.address) => PeerKind::Mesh,
        PeerType::Internal => PeerKind::Internal,
    }
}

/// A count over all families.
fn count(peer: &PeerSnapshot, of: fn(&RouteCounts) -> u32) -> u64 {
    peer.routes.iter().map(|(_, counts)| u64::from(of(counts))).sum()
}

/// Refused routes by reason, over all families.
fn refused(peer: &PeerSnapshot) -> BTreeMap<String, u64> {
    let kept = peer.routes.iter().flat_map(|(_, counts)| counts.refused.iter());
    let kept = kept.map(|(reason, paths)| (reason.name(), u64::from(paths)));
    let others = [
        ("add_path_limit", count(peer, |c| c.refused_paths)),
        ("max_prefixes", count(peer, |c| c.refused_prefixes)),
        ("max_attribute_octets", count(peer, |c| c.refused_attributes)),
    ];
    named(kept.chain(others))
}

/// Sums by name, without those of nothing.
fn named<'a>(numbers: impl IntoIterator<Item = (&'a str, u64)>) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for (name, number) in numbers.into_iter().filter(|(_, number)| *number > 0) {
        *sums.entry(name.to_owned()).or_default() += number;
    }
    sums
}

/// An established session that brings nothing, though the peer sends routes.
fn nothing_accepted(peer: &PeerSnapshot) -> Option<String> {
    let (received, accepted) = (count(peer, |c| c.received), count(peer, |c| c.accepted));
    if peer.state != State::Established || accepted > 0 {
        return None;
    }
    let malformed = peer.messages.malformed;
    if received == 0 {
        return (malformed > 0).then(|| {
            format!("no route is kept: {malformed} path attributes were malformed (see the last messages)")
        });
    }
    let reasons: Vec<String> =
        refused(peer).iter().map(|(reason, number)| format!("{number} {reason}")).collect();
    let noun = if received == 1 { "its only route is" } else { "none of its routes is" };
    Some(format!("{noun} accepted ({})", reasons.join(", ")))
}

fn info(peer: &PeerSnapshot, stale: u64, diagnosis: Option<String>) -> String {
    let sum = |of: fn(&RouteCounts) -> u32| count(peer, of);
    let mut parts = Vec::new();
    parts.extend(link::obstacle(peer));
    if peer.state != State::Established && parts.is_empty() {
        parts.extend(diagnosis.or_else(|| peer.down.as_ref().map(ToString::to_string)));
    }
    parts.extend(nothing_accepted(peer));
    parts.extend(link::company(peer));
    let withheld: BTreeSet<String> =
        peer.fallback.withheld().iter().map(|c| CapabilityCode(c.code()).to_string()).collect();
    if !withheld.is_empty() {
        let names = withheld.into_iter().collect::<Vec<_>>().join(", ");
        parts.push(format!("the peer refused capabilities, left out since: {names}"));
    }
    if stale > 0 {
        let noun = if stale == 1 { "route" } else { "routes" };
        parts.push(match peer.session {
            None => format!("{stale} {noun} kept while it restarts"),
            Some(_) => format!("{stale} {noun} not sent again yet"),
        });
    }
    let (paths, prefixes, too_long) =
        (sum(|c| c.refused_paths), sum(|c| c.refused_prefixes), sum(|c| c.too_long));
    if paths > 0 {
        parts.push(format!("{paths} paths refused: too many of one prefix"));
    }
    if prefixes > 0 {
        parts.push(format!("{prefixes} prefixes refused: more than max_prefixes"));
    }
    let no_room = sum(|c| c.refused_attributes);
    if no_room > 0 {
        parts.push(format!(
            "{no_room} prefixes refused: their attributes take more than max_attribute_octets"
        ));
    }
    if too_long > 0 {
        parts.push(format!("{too_long} prefixes not sent: their attributes do not fit its messages"));
    }
    parts.join("; ")
}

fn session(session: &SessionSnapshot) -> SessionDetails {
    let n = &session.negotiated;
    SessionDetails {
        local_address: session.addresses.local.to_string(),
        remote_id: n.peer_id.to_string(),
        hold_time: n.hold_time.as_secs(),
        families: n.families.iter().map(|f| f.to_string()).collect(),
        capabilities: capabilities(n),
        restart_time: n.graceful_restart.as_ref().map(|r| r.restart_time.as_secs()),
    }
}
