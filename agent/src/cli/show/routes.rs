//! `siskin routes`.

use std::io::{self, Write};

use crate::{
    api::protocol::route::RouteRow,
    cli::output::{Table, Tone, duration},
};

/// An empty table of routes.
#[must_use]
pub fn table() -> Table {
    Table::new(&[" ", "PREFIX", "NEXT HOP", "PEER", "AGE", "PREF", "MED", "AS PATH", "ORIGIN", "WHY"])
}

/// Adds a route.
///
/// # Errors
///
/// As the output's.
pub fn add(table: &mut Table, out: &mut impl Write, route: &RouteRow) -> io::Result<()> {
    let number = |n: Option<u32>| n.map_or("-".to_owned(), |n| n.to_string());
    let text = |t: &str| if t.is_empty() { "-".to_owned() } else { t.to_owned() };
    let (mark, tone) = mark(route);
    table.row(
        out,
        tone,
        vec![
            mark.to_owned(),
            route.prefix.clone(),
            route.next_hop.clone().unwrap_or_else(|| "-".to_owned()),
            peer(route),
            duration(route.age),
            number(route.local_pref),
            number(route.med),
            text(&route.as_path),
            route.origin.clone(),
            why(route),
        ],
    )
}

/// The peer, with the path identifier where it names several paths.
fn peer(route: &RouteRow) -> String {
    let peer = route.peer.as_deref().unwrap_or("own");
    route.path_id.map_or_else(|| peer.to_owned(), |id| format!("{peer} #{id}"))
}

fn mark(route: &RouteRow) -> (&'static str, Tone) {
    match (route.state.as_str(), route.stale) {
        ("best", false) => ("*", Tone::Plain),
        ("best", true) => ("*s", Tone::Warning),
        ("multipath", false) => ("=", Tone::Plain),
        ("multipath", true) => ("=s", Tone::Warning),
        ("rejected" | "unreachable", _) => ("x", Tone::Dim),
        (_, true) => ("s", Tone::Dim),
        _ => ("", Tone::Plain),
    }
}

fn why(route: &RouteRow) -> String {
    let reason = if route.reason_text.is_empty() { &route.reason } else { &route.reason_text };
    match route.state.as_str() {
        "best" | "multipath" | "usable" | "advertised" => reason.clone(),
        state => format!("{state}: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::show::rendered;

    #[test]
    fn the_best_is_marked_and_every_path_says_why() {
        let best = RouteRow {
            prefix: "172.16.196.128/26".into(),
            next_hop: Some("192.168.92.129".into()),
            peer: Some("node01".into()),
            state: "best".into(),
            reason: "only_path".into(),
            reason_text: "only path".into(),
            age: 61,
            origin: "igp".into(),
            local_pref: Some(100),
            ..RouteRow::default()
        };
        let other = RouteRow {
            state: "rejected".into(),
            reason: "outside_pools".into(),
            reason_text: String::new(),
            ..best.clone()
        };
        let text = rendered(|out| {
            let mut table = table();
            add(&mut table, out, &best)?;
            add(&mut table, out, &other)?;
            table.finish(out)
        });
        assert_eq!(
            text,
            "   PREFIX             NEXT HOP        PEER    AGE   PREF  MED  AS PATH  ORIGIN  WHY
*  172.16.196.128/26  192.168.92.129  node01  1m1s  100   -    -        igp     only path
x  172.16.196.128/26  192.168.92.129  node01  1m1s  100   -    -        igp     rejected: outside_pools
"
        );
    }
}
