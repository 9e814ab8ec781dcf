//! `siskin monitor`.

use std::io::{self, Write};

use crate::{
    api::protocol::event::{Event, What},
    cli::output::Tone,
};

/// Writes one event as one line.
///
/// # Errors
///
/// As the output's.
pub fn write(out: &mut impl Write, event: &Event) -> io::Result<()> {
    let (kind, tone, text) = describe(&event.what);
    writeln!(out, "{} {} {text}", Tone::Dim.paint(&clock(event.time_ms)), tone.paint(&format!("{kind:<8}")))
}

/// The time of day, UTC, as logs have it.
fn clock(time_ms: u64) -> String {
    let (seconds, ms) = (time_ms / 1000, time_ms % 1000);
    format!("{:02}:{:02}:{:02}.{ms:03}Z", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}

fn describe(what: &What) -> (&'static str, Tone, String) {
    match what {
        What::Session { peer, state, info } => {
            let tone = if state == "established" { Tone::Good } else { Tone::Warning };
            ("session", tone, with(format!("{peer} {state}"), info))
        }
        What::Bfd { peer, state, info } => {
            let tone = if state == "up" { Tone::Good } else { Tone::Warning };
            ("bfd", tone, with(format!("{peer} {state}"), info))
        }
        What::Route { prefix, next_hops } if next_hops.is_empty() => {
            ("route", Tone::Warning, format!("{prefix} gone"))
        }
        What::Route { prefix, next_hops } => {
            ("route", Tone::Plain, format!("{prefix} next hop {}", next_hops.join(", ")))
        }
        What::Fib { dst, state, info } => {
            let tone = if state == "installed" || state == "removed" { Tone::Plain } else { Tone::Warning };
            ("fib", tone, with(format!("{dst} {state}"), info))
        }
        What::Config { state, info } => ("config", Tone::Plain, with(state.clone(), info)),
        What::Tunnel { info } => ("tunnel", Tone::Plain, info.clone()),
        What::Restart { info } => ("restart", Tone::Plain, info.clone()),
        What::Problem { code, state, info, .. } => {
            let tone = if state == "over" { Tone::Good } else { Tone::Warning };
            ("problem", tone, with(format!("{code} {state}"), info))
        }
        What::Missed { count } => ("missed", Tone::Error, format!("{count} events missed")),
    }
}

fn with(text: String, info: &str) -> String {
    if info.is_empty() { text } else { format!("{text}: {info}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::show::rendered;

    #[test]
    fn an_event_is_a_line() {
        let what =
            What::Session { peer: "tor".into(), state: "idle".into(), info: "hold timer expired".into() };
        let text = rendered(|out| write(out, &Event { time_ms: 86_399_007, what }));
        assert_eq!(text, "23:59:59.007Z session  tor idle: hold timer expired\n");
    }
}
