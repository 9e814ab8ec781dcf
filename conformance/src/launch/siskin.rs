//! siskin itself.

use anyhow::{Context as _, Result};
use serde::{Deserialize, de::DeserializeOwned};

use super::{Service, session::SessionState, strings, table::PathLine, with_cmd};
use crate::node::Shell;

pub(super) fn services(cmd: &[String]) -> Vec<Service> {
    let argv = with_cmd("siskin", &["run", "-c", "/etc/siskin/siskin.toml"], cmd);
    vec![Service { name: "siskin".into(), argv, ready: strings(&["siskin", "status"]) }]
}

pub(super) fn sessions(shell: &dyn Shell) -> Result<Vec<SessionState>> {
    parse_sessions(&shell.ask(&["siskin", "peers", "--json"])?)
}

pub(super) fn table(shell: &dyn Shell) -> Result<Vec<PathLine>> {
    parse_table(&shell.ask(&["siskin", "routes", "--json"])?)
}

#[derive(Deserialize)]
struct PeerRow {
    address: String,
    state: String,
}

#[derive(Deserialize)]
struct RouteRow {
    prefix: String,
    next_hop: Option<String>,
    state: String,
    origin: String,
    as_path: String,
    local_pref: Option<u32>,
    med: Option<u32>,
    #[serde(default)]
    communities: Vec<String>,
    #[serde(default)]
    large_communities: Vec<String>,
    originator_id: Option<String>,
    #[serde(default)]
    cluster_list: Vec<String>,
}

/// An answer for programs: one array, or one value a line.
fn rows<T: DeserializeOwned>(text: &str) -> Result<Vec<T>> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text).context("siskin's answer");
    }
    serde_json::Deserializer::from_str(text).into_iter().map(|row| row.context("siskin's answer")).collect()
}

fn parse_sessions(text: &str) -> Result<Vec<SessionState>> {
    let peers = rows::<PeerRow>(text)?;
    Ok(peers.into_iter().map(|row| SessionState { peer: row.address, state: row.state }).collect())
}

fn parse_table(text: &str) -> Result<Vec<PathLine>> {
    let learned = rows::<RouteRow>(text)?.into_iter().filter_map(|row| {
        Some(PathLine {
            prefix: row.prefix,
            next_hop: row.next_hop?,
            as_path: row.as_path,
            origin: row.origin.to_lowercase(),
            local_pref: row.local_pref,
            med: row.med,
            communities: row.communities.join(" "),
            large_communities: row.large_communities.join(" "),
            originator_id: row.originator_id.unwrap_or_default(),
            cluster_list: row.cluster_list.join(" "),
            best: (row.state == "best").into(),
        })
    });
    Ok(learned.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_and_a_value_a_line_read_alike() {
        let row = r#"{"address":"10.0.0.1","state":"Established","more":1}"#;
        let array = parse_sessions(&format!("[{row}]")).unwrap();
        assert_eq!(array, parse_sessions(&format!("{row}\n")).unwrap());
        assert!(array[0].is_established());
    }

    #[test]
    fn own_routes_have_no_next_hop_and_are_left_out() {
        let text = r#"{"prefix":"10.0.0.0/26","state":"best","origin":"IGP","as_path":""}
            {"prefix":"10.1.0.0/26","next_hop":"192.0.2.1","state":"best","origin":"IGP","as_path":"1 2"}"#;
        let paths = parse_table(text).unwrap();
        assert_eq!(paths.len(), 1);
        assert_eq!(
            paths[0].show(&["origin".into(), "as_path".into()]),
            "10.1.0.0/26 via 192.0.2.1 origin igp as_path [1 2]"
        );
    }
}
