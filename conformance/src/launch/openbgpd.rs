//! OpenBGPD. It has no forwarding table on Linux.

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::{Service, file_of, session::SessionState, strings, table::PathLine, with_cmd};
use crate::{node::Shell, topology::Node};

/// Where its images read the configuration.
pub(super) const FILES: &[&str] =
    &["/etc/bgpd.conf", "/etc/bgpd/bgpd.conf", "/etc/openbgpd/bgpd.conf", "/usr/local/etc/bgpd.conf"];

pub(super) fn services(node: &Node) -> Vec<Service> {
    let argv = with_cmd("/usr/sbin/bgpd", &["-d", "-f", &file_of(node, FILES)], &node.cmd);
    vec![Service { name: "bgpd".into(), argv, ready: strings(&["bgpctl", "show"]) }]
}

pub(super) fn sessions(shell: &dyn Shell) -> Result<Vec<SessionState>> {
    parse_sessions(&shell.ask(&["bgpctl", "-j", "show", "neighbor"])?)
}

pub(super) fn table(shell: &dyn Shell) -> Result<Vec<PathLine>> {
    parse_table(&shell.ask(&["bgpctl", "-j", "show", "rib", "detail"])?)
}

#[derive(Deserialize)]
struct Neighbours {
    #[serde(default)]
    neighbors: Vec<Neighbour>,
}

#[derive(Deserialize)]
struct Neighbour {
    remote_addr: String,
    state: String,
}

#[derive(Deserialize)]
struct Table {
    #[serde(default)]
    rib: Vec<Route>,
}

#[derive(Deserialize)]
struct Route {
    prefix: String,
    aspath: String,
    exit_nexthop: String,
    neighbor: Source,
    #[serde(default)]
    best: bool,
    origin: String,
    metric: u32,
    localpref: u32,
    #[serde(default)]
    communities: Vec<String>,
    #[serde(default)]
    large_communities: Vec<String>,
    #[serde(default)]
    attributes: Vec<Attribute>,
}

/// Attributes it names no key for; each has one of these.
#[derive(Deserialize)]
struct Attribute {
    originator: Option<String>,
    cluster_list: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Source {
    description: Option<String>,
}

impl Route {
    fn is_own(&self) -> bool {
        self.neighbor.description.as_deref() == Some("LOCAL")
    }
}

fn parse_sessions(text: &str) -> Result<Vec<SessionState>> {
    let answer: Neighbours = serde_json::from_str(text).context("OpenBGPD's neighbours")?;
    let session = |n: Neighbour| SessionState { peer: n.remote_addr, state: n.state };
    Ok(answer.neighbors.into_iter().map(session).collect())
}

/// It does not tell a MED of 0 from none, and gives external routes the local preference 100.
fn parse_table(text: &str) -> Result<Vec<PathLine>> {
    let table: Table = serde_json::from_str(text).context("OpenBGPD's table")?;
    let learned = table.rib.into_iter().filter(|route| !route.is_own()).map(|route| PathLine {
        prefix: route.prefix,
        next_hop: route.exit_nexthop,
        as_path: route.aspath,
        origin: route.origin.to_lowercase(),
        local_pref: Some(route.localpref),
        med: Some(route.metric).filter(|med| *med > 0),
        communities: route.communities.join(" "),
        large_communities: route.large_communities.join(" "),
        originator_id: route.attributes.iter().find_map(|a| a.originator.clone()).unwrap_or_default(),
        cluster_list: route
            .attributes
            .iter()
            .find_map(|a| Some(a.cluster_list.as_ref()?.join(" ")))
            .unwrap_or_default(),
        best: route.best.into(),
    });
    Ok(learned.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_has_an_address_and_a_state() {
        let text = r#"{"neighbors":[{"remote_as":"64512","remote_addr":"10.9.0.1","state":"Established"}]}"#;
        let sessions = parse_sessions(text).unwrap();
        assert_eq!(sessions, [SessionState { peer: "10.9.0.1".into(), state: "Established".into() }]);
        assert!(parse_sessions("{}").unwrap().is_empty());
    }

    #[test]
    fn own_routes_are_left_out() {
        let route = |prefix: &str, description: &str| {
            format!(
                r#"{{"prefix":"{prefix}","aspath":"64512 64603","exit_nexthop":"10.9.0.1","best":true,
                "neighbor":{{"description":"{description}"}},"origin":"IGP","metric":0,"localpref":100,
                "large_communities":["64603:1:2"],
                "attributes":[{{"type":"Originator Id","originator":"10.9.0.7"}},{{"cluster_list":["10.9.0.3"]}}]}}"#
            )
        };
        let text =
            format!(r#"{{"rib":[{},{}]}}"#, route("10.1.0.0/24", "LOCAL"), route("10.2.0.0/24", "siskin"));
        let paths = parse_table(&text).unwrap();
        let show = ["med", "large_communities", "originator_id", "cluster_list"].map(str::to_owned);
        let shown: Vec<_> = paths.iter().map(|path| path.show(&show)).collect();
        let expected = "10.2.0.0/24 via 10.9.0.1 med - large_communities [64603:1:2] originator_id 10.9.0.7 \
                        cluster_list [10.9.0.3]";
        assert_eq!(shown, [expected]);
        assert!(paths[0].best.is_best());
    }
}
