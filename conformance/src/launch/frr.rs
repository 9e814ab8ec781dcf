//! FRRouting.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;

use super::{Service, session::SessionState, strings, table::PathLine};
use crate::{node::Shell, topology::Node};

/// Where Debian keeps the daemons.
const FOLDER: &str = "/usr/lib/frr";
/// Daemons that run unless `/etc/frr/daemons` says otherwise.
const DEFAULT: &[&str] = &["zebra", "bgpd", "staticd"];

/// All its daemons. `/etc/frr/daemons` also has settings that end in `=yes`, such as Debian's `vtysh_enable`.
const DAEMONS: &[&str] = &[
    "zebra", "mgmtd", "staticd", "bgpd", "ospfd", "ospf6d", "ripd", "ripngd", "isisd", "pimd", "pim6d",
    "ldpd", "nhrpd", "eigrpd", "babeld", "sharpd", "pbrd", "bfdd", "fabricd", "vrrpd", "pathd",
];
/// Printed by the program that loads the configuration when FRR has not taken all of it.
pub(crate) const NOT_TAKEN: &str = "FRR has not taken all of its configuration";

/// zebra, then what `/etc/frr/daemons` enables, then the configuration through vtysh, as FRR's container does it: what
/// this version does not understand is passed over.
pub(super) fn services(node: &Node) -> Vec<Service> {
    let service = |(name, options): (String, Vec<String>)| Service {
        argv: strings(&[&format!("{FOLDER}/{name}")])
            .into_iter()
            .chain(options)
            .chain(strings(&["--log", "stdout"]))
            .collect(),
        ready: strings(&["test", "-S", &format!("/run/frr/{name}.vty")]),
        name,
    };
    let mut services: Vec<_> = enabled(node).into_iter().map(service).collect();
    let load = format!(
        "if test -e /etc/frr/frr.conf; then vtysh -b || echo {NOT_TAKEN}; fi; touch /run/frr/loaded; exec sleep infinity"
    );
    services.push(Service {
        name: "vtysh".into(),
        argv: strings(&["sh", "-c", &load]),
        ready: strings(&["test", "-e", "/run/frr/loaded"]),
    });
    services
}

/// The daemons to run with their options.
fn enabled(node: &Node) -> Vec<(String, Vec<String>)> {
    let bound = node.binds.iter().find_map(|bind| match bind.target.to_str()? {
        "/etc/frr/daemons" => Some(bind.source.clone()),
        "/etc/frr" => Some(bind.source.join("daemons")),
        _ => None,
    });
    let text = bound.and_then(|path| fs::read_to_string(path).ok());
    let text = text.unwrap_or_else(|| DEFAULT.iter().map(|name| format!("{name}=yes\n")).collect());
    let mut enabled = parse_daemons(&text);
    // A newer FRR's daemons that this one does not have yet are part of others.
    enabled.retain(|(name, _)| name == "zebra" || Path::new(FOLDER).join(name).exists());
    enabled
}

/// Reads `/etc/frr/daemons` as a shell would: zebra first, then the others in the file's order, then staticd, which
/// FRR's own script starts whatever the file says, as it does zebra.
fn parse_daemons(text: &str) -> Vec<(String, Vec<String>)> {
    let settings: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| {
            let words = shell_words::split(line.split('#').next()?.trim()).ok()?;
            let (name, value) = words.first()?.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        })
        .collect();
    let value =
        |key: &str| settings.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    let mut names = vec!["zebra".to_owned()];
    for (name, _) in &settings {
        if DAEMONS.contains(&name.as_str()) && value(name) == Some("yes") && !names.contains(name) {
            names.push(name.clone());
        }
    }
    if !names.iter().any(|name| name == "staticd") {
        names.push("staticd".to_owned());
    }
    let with_options = |name: String| {
        let options = shell_words::split(value(&format!("{name}_options")).unwrap_or("-A 127.0.0.1"));
        let mut options = options.unwrap_or_default();
        // It stays in the foreground here.
        options.retain(|option| !["-d", "--daemon"].contains(&option.as_str()));
        (name, options)
    };
    names.into_iter().map(with_options).collect()
}

pub(super) fn sessions(shell: &dyn Shell) -> Result<Vec<SessionState>> {
    parse_sessions(&shell.ask(&["vtysh", "-c", "show bgp summary json"])?)
}

/// The summary of all prefixes lacks most attributes, so every prefix is asked for.
pub(super) fn table(shell: &dyn Shell) -> Result<Vec<PathLine>> {
    let mut paths = Vec::new();
    for family in ["ipv4", "ipv6"] {
        paths.extend(table_of(shell, family)?);
    }
    Ok(paths)
}

fn table_of(shell: &dyn Shell, family: &str) -> Result<Vec<PathLine>> {
    let question = format!("show bgp {family} unicast json");
    let all: Routes =
        serde_json::from_str(&shell.ask(&["vtysh", "-c", &question])?).context("FRR's table")?;
    let mut paths = Vec::new();
    for chunk in all.routes.keys().collect::<Vec<_>>().chunks(200) {
        let questions: Vec<_> = chunk.iter().map(|p| format!("show bgp {family} unicast {p} json")).collect();
        let words: Vec<_> =
            std::iter::once("vtysh").chain(questions.iter().flat_map(|q| ["-c", q.as_str()])).collect();
        paths.extend(parse_table(&shell.ask(&words)?)?);
    }
    Ok(paths)
}

#[derive(Deserialize)]
struct Family {
    #[serde(default)]
    peers: BTreeMap<String, Peer>,
}

#[derive(Deserialize)]
struct Peer {
    state: String,
}

fn parse_sessions(text: &str) -> Result<Vec<SessionState>> {
    let families: BTreeMap<String, Family> = serde_json::from_str(text).context("FRR's summary")?;
    let peers = families.into_values().flat_map(|family| family.peers);
    let all: BTreeMap<_, _> = peers.map(|(peer, Peer { state })| (peer, state)).collect();
    Ok(all.into_iter().map(|(peer, state)| SessionState { peer, state }).collect())
}

#[derive(Deserialize)]
struct Routes {
    #[serde(default)]
    routes: BTreeMap<String, Value>,
}

fn parse_table(text: &str) -> Result<Vec<PathLine>> {
    let mut paths = Vec::new();
    for answer in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let answer = answer.context("FRR's paths")?;
        let prefix = answer["prefix"].as_str().unwrap_or_default();
        let list = answer["paths"].as_array().map(Vec::as_slice).unwrap_or_default();
        paths.extend(list.iter().map(|path| path_line(prefix, path)));
    }
    paths.retain(|path| !["0.0.0.0", "::"].contains(&path.next_hop.as_str()));
    Ok(paths)
}

fn path_line(prefix: &str, path: &Value) -> PathLine {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let number = |value: &Value| value.as_u64().and_then(|n| n.try_into().ok());
    let as_path = text(&path["aspath"]["string"]);
    let clusters = path["clusterList"]["list"].as_array().map(Vec::as_slice).unwrap_or_default();
    PathLine {
        prefix: prefix.to_owned(),
        next_hop: text(&path["nexthops"][0]["ip"]),
        as_path: if as_path == "Local" { String::new() } else { as_path },
        origin: text(&path["origin"]).to_lowercase(),
        local_pref: number(&path["locPrf"]),
        med: number(&path["metric"]),
        communities: text(&path["community"]["string"]),
        large_communities: text(&path["largeCommunity"]["string"]),
        originator_id: text(&path["originatorId"]),
        cluster_list: clusters.iter().map(text).collect::<Vec<_>>().join(" "),
        best: (path["bestpath"]["overall"] == true).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_daemons_are_daemons_whatever_else_is_enabled() {
        let text = "# bgpd=no\nzebra=no\nbgpd=yes\nospfd=no\nbfdd=\"yes\" # fast\nvtysh_enable=yes\nwatchfrr_enable=yes\n\
                    zebra_options=\"  -A 127.0.0.1 -s 90000000\"\nbgpd_options=\" -d -A 127.0.0.1 -p 1179\"\n\
                    #watchfrr_options=\"x\n";
        let shown: Vec<_> =
            parse_daemons(text).iter().map(|(name, o)| format!("{name} {}", o.join(" "))).collect();
        assert_eq!(
            shown,
            [
                "zebra -A 127.0.0.1 -s 90000000",
                "bgpd -A 127.0.0.1 -p 1179",
                "bfdd -A 127.0.0.1",
                "staticd -A 127.0.0.1"
            ]
        );
    }

    #[test]
    fn the_summary_names_each_peer_once() {
        let peers = r#"{"peers":{"10.0.0.2":{"state":"Established","pfxRcd":1}}}"#;
        let text = format!(r#"{{"ipv4Unicast":{peers},"ipv6Unicast":{peers}}}"#);
        let sessions = parse_sessions(&text).unwrap();
        assert_eq!(sessions, [SessionState { peer: "10.0.0.2".into(), state: "Established".into() }]);
        assert!(sessions[0].is_established());
        assert!(parse_sessions("{}").unwrap().is_empty());
    }

    #[test]
    fn answers_about_several_prefixes_follow_one_another() {
        let path = |hop: &str, best: bool| {
            format!(
                r#"{{"aspath":{{"string":"Local"}},"origin":"IGP","locPrf":100,"bestpath":{{"overall":{best}}},
                "originatorId":"1.1.1.1","clusterList":{{"list":["2.2.2.2"]}},"nexthops":[{{"ip":"{hop}"}}]}}"#
            )
        };
        let text = format!(
            r#"{{"prefix":"10.0.0.0/26","paths":[{}]}} {{"prefix":"10.1.0.0/26","paths":[{}]}}"#,
            path("192.0.2.1", true),
            path("0.0.0.0", true)
        );
        let paths = parse_table(&text).unwrap();
        assert_eq!(paths.len(), 1);
        let shown = paths[0].show(&["as_path".into(), "originator_id".into(), "cluster_list".into()]);
        assert_eq!(
            shown,
            "10.0.0.0/26 via 192.0.2.1 as_path [] originator_id 1.1.1.1 cluster_list [2.2.2.2]"
        );
    }
}
