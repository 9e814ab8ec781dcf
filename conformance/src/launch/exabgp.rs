//! ExaBGP: it announces what it is told and remembers what it hears, but chooses and forwards nothing.

use anyhow::Result;

use super::{Service, file_of, session::SessionState, strings, table::PathLine, with_cmd};
use crate::{node::Shell, topology::Node};

/// How its command line reaches it.
const PIPES: [&str; 2] = ["/run/exabgp/exabgp.in", "/run/exabgp/exabgp.out"];

/// The user it would change to could not bind port 179.
/// Where its images read the configuration.
pub(super) const FILES: &[&str] = &[
    "/etc/exabgp/exabgp.conf",
    "/etc/exabgp.conf",
    "/etc/exabgp/conf.ini",
    "/exabgp/exabgp.conf",
    "/usr/local/etc/exabgp/exabgp.conf",
];

pub(super) fn services(node: &Node) -> Vec<Service> {
    let pipes = PIPES.join(" ");
    let script = format!(
        "rm -f {pipes}; mkfifo {pipes}; exec env exabgp.daemon.user=root exabgp.daemon.drop=false \"$@\""
    );
    let mut argv = strings(&["sh", "-c", &script, "sh"]);
    argv.extend(with_cmd("exabgp", &[&file_of(node, FILES)], &node.cmd));
    let log = format!("grep -q 'loaded new configuration' {}/log/exabgp.log", crate::node::init::INSIDE);
    vec![Service { name: "exabgp".into(), argv, ready: strings(&["sh", "-c", &log]) }]
}

/// Its summary has no peer whose session is not up: those of its configuration that are missing are down.
pub(super) fn sessions(shell: &dyn Shell) -> Result<Vec<SessionState>> {
    let mut sessions = parse_sessions(&shell.ask(&["exabgpcli", "show", "neighbor", "summary"])?);
    let files = format!("cat {} 2>/dev/null; true", FILES.join(" "));
    for peer in configured(&shell.ask(&["sh", "-c", &files])?) {
        if !sessions.iter().any(|session| session.peer == peer) {
            sessions.push(SessionState { peer, state: "down".into() });
        }
    }
    Ok(sessions)
}

/// The peers of a configuration: `neighbor 10.9.0.1 {`.
fn configured(text: &str) -> Vec<String> {
    let peer = |line: &str| {
        let peer = line.trim().strip_prefix("neighbor ")?.trim_end_matches(['{', ' ']);
        peer.parse::<std::net::IpAddr>().ok().map(|address| address.to_string())
    };
    text.lines().filter_map(peer).collect()
}

pub(super) fn table(shell: &dyn Shell) -> Result<Vec<PathLine>> {
    Ok(parse_table(&shell.ask(&["exabgpcli", "show", "adj-rib", "in", "extensive"])?))
}

/// `10.9.0.1  64512  0:00:07 established  4  4`, below a heading.
fn parse_sessions(text: &str) -> Vec<SessionState> {
    let session = |line: &str| {
        let mut words = line.split_whitespace();
        let peer = words.next().filter(|word| word.parse::<std::net::IpAddr>().is_ok())?;
        let state = words.find(|word| word.starts_with(|c: char| c.is_ascii_lowercase()))?;
        Some(SessionState { peer: peer.to_owned(), state: state.to_owned() })
    };
    text.lines().filter_map(session).collect()
}

/// `neighbor ... ipv4 unicast 10.0.0.0/24 next-hop 10.9.0.1 origin igp as-path [ 64512 ] med 5`.
fn parse_table(text: &str) -> Vec<PathLine> {
    text.lines().filter_map(|line| path_line(line.split_once(" unicast ")?.1)).collect()
}

fn path_line(text: &str) -> Option<PathLine> {
    let mut words = text.split_whitespace().peekable();
    let mut path = PathLine { prefix: words.next()?.to_owned(), ..PathLine::default() };
    while let Some(key) = words.next() {
        if words.peek() == Some(&"path-information") {
            continue;
        }
        let first = words.next()?;
        let value = match first {
            "[" => words.by_ref().take_while(|word| *word != "]").collect::<Vec<_>>().join(" "),
            other => other.trim_matches(['[', ']']).to_owned(),
        };
        attribute(&mut path, key, value);
    }
    Some(path).filter(|path| !path.next_hop.is_empty())
}

fn attribute(path: &mut PathLine, name: &str, value: String) {
    match name {
        "next-hop" => path.next_hop = value,
        "origin" => path.origin = value,
        "as-path" => path.as_path = value,
        "local-preference" => path.local_pref = value.parse().ok(),
        "med" => path.med = value.parse().ok(),
        "community" => path.communities = value,
        "large-community" => path.large_communities = value,
        "originator-id" => path.originator_id = value,
        "cluster-list" => path.cluster_list = value,
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configurations_peers_are_known() {
        assert_eq!(configured("process x {\n}\nneighbor fd09::1 {\n  local-as 1;\n}\n"), ["fd09::1"]);
    }

    #[test]
    fn a_peer_that_is_not_up_has_no_time() {
        let text = "Peer            AS        up/down state       |     #sent     #recvd\n\
                    10.9.0.1        64512     0:00:07 established           4          4\n\
                    fd09::1         64512        down active                0          0\n";
        let shown: Vec<_> = parse_sessions(text).iter().map(|s| format!("{} {}", s.peer, s.state)).collect();
        assert_eq!(shown, ["10.9.0.1 established", "fd09::1 down"]);
    }

    #[test]
    fn lists_stand_in_brackets_and_single_values_do_not() {
        let text = "neighbor 10.9.0.1 local-ip 10.9.0.3 family-allowed in-open ipv4 unicast 172.20.2.0/24 \
                    next-hop 10.9.0.1 origin igp as-path [ 64512 64602 ] local-preference 100 \
                    community [ 1:2 3:4 ] large-community 64602:1:2 originator-id 10.9.0.7\n";
        let paths = parse_table(text);
        let show = ["as_path", "local_pref", "communities", "large_communities", "originator_id"];
        let shown = paths[0].show(&show.map(str::to_owned));
        assert_eq!(
            shown,
            "172.20.2.0/24 via 10.9.0.1 as_path [64512 64602] local_pref 100 communities [1:2 3:4] \
             large_communities [64602:1:2] originator_id 10.9.0.7"
        );
    }
}
