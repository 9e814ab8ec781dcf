//! `siskin bfd`.

use std::io::{self, Write};

use super::field;
use crate::{
    api::protocol::bfd::{BfdPath, BfdRow, BfdTimers},
    cli::output::{Table, Tone, count, duration},
};

/// Writes one line per session.
///
/// # Errors
///
/// As the output's.
pub fn write_table(out: &mut impl Write, sessions: &[BfdRow]) -> io::Result<()> {
    if sessions.is_empty() {
        return writeln!(out, "no path is watched");
    }
    let header =
        ["PEER", "ADDRESS", "HOPS", "STATE", "UP/DOWN", "INTERVAL", "DETECT", "SENT", "RECV", "DISC", "INFO"];
    let mut table = Table::new(&header);
    for row in sessions {
        let cells = vec![
            row.peer.clone(),
            row.address.clone(),
            hops(row.path).to_owned(),
            row.state.clone(),
            duration(row.since),
            row.tx_interval_us.map_or_else(|| "none".to_owned(), milliseconds),
            milliseconds(row.detection_time_us),
            row.counters.sent.to_string(),
            row.counters.received.to_string(),
            row.counters.discarded.values().sum::<u64>().to_string(),
            info(row),
        ];
        table.row(out, tone(row), cells)?;
    }
    table.finish(out)
}

/// Writes all that is known of one session.
///
/// # Errors
///
/// As the output's.
pub fn write_detail(out: &mut impl Write, row: &BfdRow) -> io::Result<()> {
    let hops = match row.path {
        BfdPath::SingleHop => "over one hop (UDP 3784)",
        BfdPath::MultiHop => "over several hops (UDP 4784)",
    };
    let from = row.source.as_ref().map(|source| format!(" from {source}")).unwrap_or_default();
    let on = row.interface.as_ref().map(|name| format!(" on {name}")).unwrap_or_default();
    writeln!(out, "{}", Tone::Heading.paint(&row.peer))?;
    field(out, "Path", Tone::Plain, &[format!("to {}{from}{on}, {hops}", row.address)])?;
    let state = format!("{} for {}, up {} so far", row.state, duration(row.since), times(row.up_count));
    field(out, "State", tone(row), &[state])?;
    field(out, "Peer", Tone::Plain, &[format!("{} ({})", row.remote_state, row.remote_diagnostic)])?;
    if let (Some(ago), Some(reason)) = (row.last_down, &row.last_down_reason) {
        field(out, "Last down", Tone::Plain, &[format!("{} ago: {reason}", duration(ago))])?;
    }
    let remote = row.remote.as_ref().map_or_else(|| "not heard".to_owned(), timers);
    let tx = row.tx_interval_us.map_or_else(|| "none wanted".to_owned(), milliseconds);
    let lines = [
        format!("ours {}", timers(&row.local)),
        format!("peer {remote}"),
        format!("a packet every {tx}, down after {} of silence", milliseconds(row.detection_time_us)),
    ];
    field(out, "Timers", Tone::Plain, &lines)?;
    let numbers = format!("ours {}, peer {}", row.local_discriminator, row.remote_discriminator);
    field(out, "Discrim.", Tone::Plain, &[numbers])?;
    let n = &row.counters;
    let discarded = n
        .discarded
        .iter()
        .map(|(reason, number)| format!("{number} discarded: {}", reason.replace('_', " ")));
    let exchanged = format!("{} sent, {} not, {} received", count(n.sent, "packet"), n.not_sent, n.received);
    let lines: Vec<_> = [exchanged].into_iter().chain(discarded).collect();
    field(out, "Exchanged", Tone::Plain, &lines)
}

/// One line for the peer's detail.
#[must_use]
pub(super) fn line(row: &BfdRow) -> String {
    let info = info(row);
    let info = if info.is_empty() { info } else { format!("; {info}") };
    let (state, since) = (&row.state, duration(row.since));
    format!("{state} for {since}, down after {} of silence{info}", milliseconds(row.detection_time_us))
}

pub(super) fn tone(row: &BfdRow) -> Tone {
    if row.state == "up" { Tone::Plain } else { Tone::Warning }
}

fn hops(path: BfdPath) -> &'static str {
    match path {
        BfdPath::SingleHop => "one",
        BfdPath::MultiHop => "several",
    }
}

fn times(number: u64) -> String {
    match number {
        1 => "once".to_owned(),
        n => format!("{n} times"),
    }
}

fn timers(timers: &BfdTimers) -> String {
    let (tx, rx) = (milliseconds(timers.min_tx_us), milliseconds(timers.min_rx_us));
    format!("sends every {tx}, takes every {rx}, multiplier {}", timers.multiplier)
}

fn milliseconds(us: u64) -> String {
    let (whole, rest) = (us / 1000, us % 1000);
    let rest = format!("{rest:03}");
    let rest = rest.trim_end_matches('0');
    if rest.is_empty() { format!("{whole} ms") } else { format!("{whole}.{rest} ms") }
}

/// What is remarkable.
fn info(row: &BfdRow) -> String {
    match (row.state.as_str(), row.remote_discriminator, &row.last_down_reason) {
        ("up", _, None) => String::new(),
        ("up", _, Some(reason)) => {
            format!("last down {} ago: {reason}", duration(row.last_down.unwrap_or_default()))
        }
        (_, 0, None) => "nothing heard from the peer yet: does it run BFD with us?".to_owned(),
        (_, _, Some(reason)) => reason.clone(),
        (_, _, None) => format!("the peer says {}", row.remote_state),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::protocol::bfd::BfdCounters, cli::show::rendered};

    fn session(state: &str) -> BfdRow {
        let timers = BfdTimers { min_tx_us: 300_000, min_rx_us: 50_500, multiplier: 3 };
        BfdRow {
            peer: "tor".into(),
            address: "10.0.0.1".into(),
            source: Some("10.0.0.2".into()),
            interface: None,
            path: BfdPath::SingleHop,
            state: state.into(),
            since: 65,
            since_time: String::new(),
            remote_state: "up".into(),
            diagnostic: "none".into(),
            remote_diagnostic: "none".into(),
            local_discriminator: 17,
            remote_discriminator: 4,
            local: timers,
            remote: Some(timers),
            tx_interval_us: Some(300_000),
            detection_time_us: 900_000,
            up_count: 2,
            last_down: Some(70),
            last_down_reason: Some("no packet for 900 ms".into()),
            counters: BfdCounters {
                sent: 9,
                not_sent: 1,
                received: 8,
                discarded: [("ttl".to_owned(), 2)].into(),
            },
        }
    }

    #[test]
    fn a_session_is_a_line() {
        let text = rendered(|out| write_table(out, &[session("up")]));
        assert_eq!(
            text,
            "\
PEER  ADDRESS   HOPS  STATE  UP/DOWN  INTERVAL  DETECT  SENT  RECV  DISC  INFO
tor   10.0.0.1  one   up     1m5s     300 ms    900 ms  9     8     2     last down 1m10s ago: no packet for 900 ms
"
        );
        assert_eq!(rendered(|out| write_table(out, &[])), "no path is watched\n");
    }

    #[test]
    fn the_detail_tells_what_was_negotiated_and_discarded() {
        let text = rendered(|out| write_detail(out, &session("down")));
        for part in [
            "to 10.0.0.1 from 10.0.0.2, over one hop (UDP 3784)",
            "down for 1m5s, up 2 times so far",
            "1m10s ago: no packet for 900 ms",
            "ours sends every 300 ms, takes every 50.5 ms, multiplier 3",
            "a packet every 300 ms, down after 900 ms of silence",
            "2 discarded: ttl",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }
}
