//! `siskin peers`.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use super::{bfd, field};
use crate::{
    api::protocol::peer::{Admin, IncidentRow, LinkRow, Messages, PeerRow, SessionDetails},
    cli::output::{Table, Tone, duration, on_one_line},
};

/// Writes one line per peer.
///
/// # Errors
///
/// As the output's.
pub fn write_table(out: &mut impl Write, peers: &[PeerRow]) -> io::Result<()> {
    if peers.is_empty() {
        return writeln!(out, "no peer is configured");
    }
    let named = peers.iter().any(|p| p.name != p.address);
    let mut header =
        vec!["PEER", "ADDRESS", "TYPE", "AS", "STATE", "UP/DOWN", "BFD", "RECV", "ACCEPTED", "ADV", "INFO"];
    let watched = peers.iter().any(|p| p.bfd.is_some());
    if !watched {
        header.retain(|column| *column != "BFD");
    }
    if !named {
        header.remove(1);
    }
    let mut table = Table::new(&header);
    for peer in peers {
        let mut cells = vec![
            peer.name.clone(),
            peer.address.clone(),
            peer.kind.name().to_owned(),
            peer.remote_as.to_string(),
            peer.state.clone(),
            duration(peer.since),
            peer.received.to_string(),
            peer.accepted.to_string(),
            peer.advertised.to_string(),
            peer.info.clone(),
        ];
        if watched {
            let state = peer.bfd.as_ref().map_or_else(|| "off".to_owned(), |bfd| bfd.state.clone());
            cells.insert(6, state);
        }
        if !named {
            cells.remove(1);
        }
        table.row(out, tone(peer), cells)?;
    }
    table.finish(out)
}

fn tone(peer: &PeerRow) -> Tone {
    match (peer.admin, peer.state.as_str()) {
        (Admin::Down, _) => Tone::Dim,
        (Admin::Up, "established") => Tone::Plain,
        (Admin::Up, _) => Tone::Warning,
    }
}

/// Writes all that is known of one peer.
///
/// # Errors
///
/// As the output's.
pub fn write_detail(out: &mut impl Write, peer: &PeerRow) -> io::Result<()> {
    let description = peer.description.as_ref().map(|d| format!(": {d}")).unwrap_or_default();
    writeln!(out, "{}", Tone::Heading.paint(&on_one_line(format!("{}{description}", peer.name))))?;
    let ases = format!(
        "{} peer at {}, AS {}, ours {}",
        peer.kind.name(),
        peer.address,
        peer.remote_as,
        peer.local_as
    );
    field(out, "Peer", Tone::Plain, &[ases])?;
    let state = format!(
        "{} for {} (since {}), established {} since the daemon started",
        peer.state,
        duration(peer.since),
        peer.since_time,
        match peer.established_count {
            1 => "once".to_owned(),
            n => format!("{n} times"),
        }
    );
    field(out, "State", tone(peer), &[state])?;
    if !peer.info.is_empty() {
        field(out, "Info", Tone::Plain, std::slice::from_ref(&peer.info))?;
    }
    if let Some(error) = &peer.last_error {
        field(out, "Last error", Tone::Plain, std::slice::from_ref(error))?;
    }
    if let Some(session) = &peer.session {
        field(out, "Session", Tone::Plain, &session_lines(session))?;
    }
    if let Some(link) = &peer.link {
        field(out, "Link", Tone::Plain, &link_lines(link))?;
    }
    if let Some(session) = &peer.bfd {
        field(out, "BFD", bfd::tone(session), &[bfd::line(session)])?;
    }
    let routes =
        format!("{} received, {} accepted, {} advertised", peer.received, peer.accepted, peer.advertised);
    let routes = std::iter::once(routes)
        .chain(by_reason("refused", &peer.refused))
        .chain(by_reason("not sent", &peer.unsent))
        .chain([format!("{} octets of path attributes in memory", peer.attribute_octets)]);
    field(out, "Routes", Tone::Plain, &routes.collect::<Vec<_>>())?;
    let n = &peer.counters;
    let counters = [
        messages("received", &n.received),
        messages("sent", &n.sent),
        format!("{} octets received, {} sent", n.octets_received, n.octets_sent),
    ];
    field(out, "Exchanged", Tone::Plain, &counters)?;
    if n.malformed_attributes > 0 {
        let text = format!("{} path attributes were malformed (RFC 7606)", n.malformed_attributes);
        field(out, "Warning", Tone::Warning, &[text])?;
    }
    if !peer.incidents.is_empty() {
        let lines: Vec<String> = peer.incidents.iter().flat_map(incident_lines).collect();
        field(out, "Messages", Tone::Plain, &lines)?;
    }
    Ok(())
}

/// `refused: 3 as_loop, 1 policy`.
fn by_reason(what: &str, numbers: &BTreeMap<String, u64>) -> Option<String> {
    let parts: Vec<_> = numbers.iter().map(|(reason, number)| format!("{number} {reason}")).collect();
    (!parts.is_empty()).then(|| format!("{what}: {}", parts.join(", ")))
}

/// Who is on the link, and what was exchanged to find him.
fn link_lines(link: &LinkRow) -> Vec<String> {
    let found = link.found.map_or_else(
        || "nobody was found there yet".to_owned(),
        |found| format!("the neighbour was found {} ago", duration(found)),
    );
    let mut lines = vec![format!("{} is {}; {found}", link.interface, link.state)];
    lines.extend(link.routers.iter().map(|router| {
        format!(
            "{} known for {}, heard {} ago",
            router.address,
            duration(router.known),
            duration(router.heard)
        )
    }));
    let ignored: u64 = link.ignored.values().sum();
    let sent = if link.advertising { link.sent.to_string() } else { "none".to_owned() };
    lines.push(format!("router advertisements: {sent} sent, {} received, {ignored} ignored", link.received));
    lines
}

/// What was wrong with a message, and its beginning; `--json` has all of it.
fn incident_lines(incident: &IncidentRow) -> [String; 2] {
    const SHOWN: usize = 96;
    let head = format!(
        "{} ago ({}), {} octets: {}",
        duration(incident.age),
        incident.time,
        incident.length,
        incident.what
    );
    let octets = incident.octets.get(..SHOWN).map_or_else(|| incident.octets.clone(), |o| format!("{o}..."));
    [head, octets]
}

fn messages(direction: &str, messages: &Messages) -> String {
    let types = messages.by_type().map(|(name, number)| format!("{number} {name}"));
    format!("messages {direction}: {}", types.join(", "))
}

fn session_lines(s: &SessionDetails) -> Vec<String> {
    let hold =
        if s.hold_time == 0 { "no hold time".to_owned() } else { format!("hold time {} s", s.hold_time) };
    let mut lines = vec![
        format!("from {} to router id {}, {hold}", s.local_address, s.remote_id),
        format!("families {}; {}", s.families.join(", "), s.capabilities.join(", ")),
    ];
    if let Some(seconds) = s.restart_time {
        lines.push(format!("its routes are kept for {seconds} s while it restarts"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::protocol::peer::{Counters, PeerKind},
        cli::show::rendered,
    };

    fn peer(name: &str, address: &str) -> PeerRow {
        PeerRow {
            name: name.into(),
            address: address.into(),
            range: None,
            kind: PeerKind::Mesh,
            remote_as: 64512,
            local_as: 64512,
            description: None,
            admin: Admin::Up,
            state: "established".into(),
            since: 65,
            since_time: String::new(),
            established_count: 1,
            info: String::new(),
            received: 1,
            accepted: 1,
            advertised: 1,
            refused: BTreeMap::new(),
            unsent: BTreeMap::new(),
            attribute_octets: 512,
            session: None,
            bfd: None,
            link: None,
            counters: Counters::default(),
            last_error: None,
            last_error_code: None,
            incidents: Vec::new(),
        }
    }

    #[test]
    fn the_info_column_comes_last_and_names_are_not_repeated() {
        let down = PeerRow {
            state: "connect".into(),
            info: "connection refused: is a BGP speaker running there?".into(),
            ..peer("10.0.0.2", "10.0.0.2")
        };
        let text = rendered(|out| write_table(out, &[peer("10.0.0.1", "10.0.0.1"), down]));
        assert_eq!(
            text,
            "\
PEER      TYPE  AS     STATE        UP/DOWN  RECV  ACCEPTED  ADV  INFO
10.0.0.1  mesh  64512  established  1m5s     1     1         1
10.0.0.2  mesh  64512  connect      1m5s     1     1         1    connection refused: is a BGP speaker running there?
"
        );
        assert!(
            rendered(|out| write_table(out, &[peer("tor", "10.0.0.1")])).starts_with("PEER  ADDRESS   TYPE")
        );
    }
}
