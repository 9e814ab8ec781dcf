//! GoBGP.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{Service, file_of, session::SessionState, strings, table::PathLine, with_cmd};
use crate::{node::Shell, topology::Node};

/// Where its images and users have the configuration; the ending says in which language.
pub(super) const FILES: &[&str] = &[
    "/etc/gobgp/gobgpd.toml",
    "/etc/gobgp/gobgp.toml",
    "/etc/gobgp/gobgpd.conf",
    "/etc/gobgp/gobgp.conf",
    "/etc/gobgpd.conf",
    "/etc/gobgp.conf",
    "/etc/gobgp/gobgpd.yml",
    "/etc/gobgp/gobgp.yml",
    "/etc/gobgp/gobgpd.yaml",
    "/etc/gobgp/gobgp.yaml",
];

pub(super) fn services(node: &Node) -> Vec<Service> {
    let file = file_of(node, FILES);
    let language = if file.ends_with(".yml") || file.ends_with(".yaml") { "yaml" } else { "toml" };
    let argv = with_cmd("gobgpd", &["-t", language, "-f", &file], &node.cmd);
    vec![Service { name: "gobgpd".into(), argv, ready: strings(&["gobgp", "global"]) }]
}

pub(super) fn sessions(shell: &dyn Shell) -> Result<Vec<SessionState>> {
    parse_sessions(&shell.ask(&["gobgp", "neighbor", "-j"])?)
}

pub(super) fn table(shell: &dyn Shell) -> Result<Vec<PathLine>> {
    let mut paths = Vec::new();
    for family in ["ipv4", "ipv6"] {
        paths.extend(parse_table(&shell.ask(&["gobgp", "global", "rib", "-a", family, "-j"])?)?);
    }
    Ok(paths)
}

/// GoBGP numbers the states of RFC 4271's machine.
const STATES: &[&str] = &["unknown", "Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established"];

fn parse_sessions(text: &str) -> Result<Vec<SessionState>> {
    let peers: Vec<Value> = serde_json::from_str(text).context("GoBGP's neighbours")?;
    let session = |peer: &Value| {
        let state = peer["state"]["session_state"].as_u64().unwrap_or(0);
        let state = usize::try_from(state).ok().and_then(|n| STATES.get(n)).unwrap_or(&"unknown");
        SessionState { peer: text_of(&peer["conf"]["neighbor_address"]), state: (*state).to_owned() }
    };
    Ok(peers.iter().map(session).collect())
}

fn parse_table(text: &str) -> Result<Vec<PathLine>> {
    if text.trim() == "Network not in table" || text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let table: BTreeMap<String, Vec<Value>> = serde_json::from_str(text).context("GoBGP's table")?;
    let lines = table.iter().flat_map(|(prefix, paths)| paths.iter().map(|path| path_line(prefix, path)));
    Ok(lines.filter(|path| !["0.0.0.0", "::"].contains(&path.next_hop.as_str())).collect())
}

fn path_line(prefix: &str, path: &Value) -> PathLine {
    let mut line =
        PathLine { prefix: prefix.to_owned(), best: (path["best"] == true).into(), ..Default::default() };
    let attributes = path["attrs"].as_array().map(Vec::as_slice).unwrap_or_default();
    for attribute in attributes {
        let number = |key: &str| attribute[key].as_u64().and_then(|n| n.try_into().ok());
        match attribute["type"].as_u64() {
            Some(1) => {
                line.origin = ["igp", "egp"]
                    .get(number("value").unwrap_or(2) as usize)
                    .unwrap_or(&"incomplete")
                    .to_string();
            }
            Some(2) => line.as_path = as_path(&attribute["as_paths"]),
            Some(3) => line.next_hop = text_of(&attribute["nexthop"]),
            Some(4) => line.med = number("metric"),
            Some(5) => line.local_pref = number("value"),
            Some(8) => line.communities = join(&attribute["communities"], community),
            Some(9) => line.originator_id = text_of(&attribute["value"]),
            Some(10) => line.cluster_list = join(&attribute["value"], text_of),
            Some(14) => line.next_hop = text_of(&attribute["nexthop"]),
            Some(32) => line.large_communities = join(&attribute["value"], large_community),
            _ => {}
        }
    }
    line
}

fn as_path(segments: &Value) -> String {
    join(segments, |segment| join(&segment["asns"], |asn| asn.to_string()))
}

fn community(value: &Value) -> String {
    let number = value.as_u64().unwrap_or(0);
    format!("{}:{}", number >> 16, number & 0xffff)
}

fn large_community(value: &Value) -> String {
    ["ASN", "LocalData1", "LocalData2"].map(|part| value[part].to_string()).join(":")
}

fn join(list: &Value, show: impl Fn(&Value) -> String) -> String {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().map(show).collect::<Vec<_>>().join(" ")
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_number_becomes_a_word() {
        let text = r#"[{"conf":{"neighbor_address":"10.0.0.1"},"state":{"session_state":6}}]"#;
        assert!(parse_sessions(text).unwrap()[0].is_established());
    }

    #[test]
    fn attributes_are_found_by_their_type_and_own_routes_left_out() {
        let text = r#"{"172.16.0.0/26":[{"best":true,"attrs":[{"type":1,"value":0},
            {"type":2,"as_paths":[{"segment_type":2,"num":2,"asns":[65000,65001]}]},
            {"type":3,"nexthop":"192.0.2.1"},{"type":8,"communities":[4259840001]}]}],
            "172.16.3.0/26":[{"attrs":[{"type":3,"nexthop":"0.0.0.0"}]}]}"#;
        let paths = parse_table(text).unwrap();
        assert_eq!(paths.len(), 1);
        let shown = paths[0].show(&["origin".into(), "as_path".into(), "communities".into(), "med".into()]);
        let expected =
            "172.16.0.0/26 via 192.0.2.1 origin igp as_path [65000 65001] communities [65000:1] med -";
        assert_eq!(shown, expected);
    }
}
