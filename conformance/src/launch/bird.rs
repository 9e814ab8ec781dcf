//! BIRD 2.

use anyhow::Result;

use super::{Service, file_of, session::SessionState, strings, table::PathLine, with_cmd};
use crate::{node::Shell, topology::Node};

/// Where its images read the configuration.
pub(super) const FILES: &[&str] =
    &["/etc/bird/bird.conf", "/etc/bird.conf", "/etc/bird/bird2.conf", "/usr/local/etc/bird.conf"];

pub(super) fn services(node: &Node) -> Vec<Service> {
    let argv = with_cmd("bird", &["-f", "-c", &file_of(node, FILES)], &node.cmd);
    vec![Service { name: "bird".into(), argv, ready: strings(&["birdc", "show", "status"]) }]
}

pub(super) fn sessions(shell: &dyn Shell) -> Result<Vec<SessionState>> {
    Ok(parse_sessions(&shell.ask(&["birdc", "show", "protocols", "all"])?))
}

pub(super) fn table(shell: &dyn Shell) -> Result<Vec<PathLine>> {
    Ok(parse_table(&shell.ask(&["birdc", "show", "route", "all"])?))
}

fn parse_sessions(text: &str) -> Vec<SessionState> {
    let mut sessions = Vec::new();
    let mut state = None;
    for line in text.lines() {
        if let Some((_, value)) = line.split_once("BGP state:") {
            state = Some(value.trim().to_owned());
        } else if let Some((_, value)) = line.split_once("Neighbor address:") {
            let peer = value.trim().split('%').next().unwrap_or_default().to_owned();
            sessions.extend(state.take().map(|state| SessionState { peer, state }));
        }
    }
    sessions
}

fn parse_table(text: &str) -> Vec<PathLine> {
    let mut paths: Vec<PathLine> = Vec::new();
    let mut prefix = String::new();
    for line in text.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        if let Some(heading) =
            words.iter().position(|w| w.starts_with('[')).filter(|_| !line.starts_with('\t'))
        {
            if let Some(first) = words.first().filter(|w| w.contains('/') && heading > 0) {
                prefix = (*first).to_owned();
            }
            let best = words.contains(&"*");
            paths.push(PathLine { prefix: prefix.clone(), best: best.into(), ..PathLine::default() });
        } else if let Some((name, value)) = line.trim().split_once(": ").or(line.trim().split_once(':'))
            && let Some(path) = paths.last_mut()
        {
            attribute(path, name, value.trim());
        }
    }
    paths.retain(|path| !path.next_hop.is_empty());
    paths
}

fn attribute(path: &mut PathLine, name: &str, value: &str) {
    match name {
        "BGP.origin" => path.origin = value.to_lowercase(),
        "BGP.as_path" => path.as_path = value.to_owned(),
        "BGP.next_hop" => path.next_hop = value.split_whitespace().next().unwrap_or_default().to_owned(),
        "BGP.local_pref" => path.local_pref = value.parse().ok(),
        "BGP.med" => path.med = value.parse().ok(),
        "BGP.community" => {
            path.communities = value.replace(['(', ')'], "").replace(',', ":");
        }
        "BGP.large_community" => {
            path.large_communities = value.replace(", ", ":").replace(['(', ')'], "");
        }
        "BGP.originator_id" => path.originator_id = value.to_owned(),
        "BGP.cluster_list" => path.cluster_list = value.to_owned(),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_is_named_by_its_address() {
        let text = "m1 BGP --- up 05:00:00.000 Established\n  BGP state:          Established\n    \
                    Neighbor address: 10.0.0.2\n    Neighbor AS:      64512\n  BGP state: Active\n    \
                    Neighbor address: fe80::1%eth0\n";
        let sessions = parse_sessions(text);
        let shown: Vec<_> = sessions.iter().map(|s| format!("{} {}", s.peer, s.state)).collect();
        assert_eq!(shown, ["10.0.0.2 Established", "fe80::1 Active"]);
    }

    #[test]
    fn every_path_of_a_prefix_is_read() {
        let text = "BIRD 2.0.12 ready.\nTable master4:\n\
            172.16.241.64/26     unicast [m1 05:00:00.000] * (100) [i]\n\tvia 192.168.92.128 on eth0\n\
            \tType: BGP univ\n\tBGP.origin: IGP\n\tBGP.as_path: \n\tBGP.next_hop: 192.168.92.128\n\
            \tBGP.local_pref: 100\n\
            \x20                    unicast [m2 05:00:00.000] (100) [AS65000i]\n\tvia 192.168.92.129 on eth0\n\
            \tBGP.origin: IGP\n\tBGP.as_path: 65000 65001\n\tBGP.next_hop: 192.168.92.129\n\
            \tBGP.community: (65000,1) (65000,2)\n\tBGP.large_community: (65000, 1, 2) (65000, 3, 4)\n\
            172.16.1.0/26        blackhole [static1 05:00:00.000] * (200)\n\tType: static univ\n";
        let paths = parse_table(text);
        assert_eq!(paths.len(), 2);
        let shown = paths[1].show(&["as_path".into(), "communities".into(), "large_communities".into()]);
        assert_eq!(
            shown,
            "172.16.241.64/26 via 192.168.92.129 as_path [65000 65001] communities [65000:1 65000:2] \
             large_communities [65000:1:2 65000:3:4]"
        );
        assert_eq!((paths[0].best.is_best(), paths[1].best.is_best()), (true, false));
    }
}
