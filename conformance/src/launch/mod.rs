//! What runs in a node: chosen by its image's name, as the containers of the same names would run it.

mod bird;
mod exabgp;
pub(crate) mod frr;
mod gobgp;
mod openbgpd;
pub mod session;
mod siskin;
pub mod table;

use std::path::PathBuf;

use anyhow::Result;

use self::{session::SessionState, table::PathLine};
use crate::{node::Shell, topology::Node};

/// What an image stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Router {
    /// The daemon under test.
    Siskin,
    /// BIRD 2.
    Bird,
    /// FRRouting.
    Frr,
    /// GoBGP.
    Gobgp,
    /// OpenBGPD.
    Openbgpd,
    /// ExaBGP.
    Exabgp,
    /// No router: a plain host, a switch, a pod.
    None,
}

/// A program that runs in a node for as long as it lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name: of the log, the pid file, and for `kill` and `start`.
    pub name: String,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// A command that succeeds once the program answers; empty: none is needed.
    pub ready: Vec<String>,
}

impl Router {
    /// The router an image's name promises.
    pub fn of_image(image: &str) -> Self {
        let image = image.to_lowercase();
        let named = [
            ("siskin", Self::Siskin),
            ("openbgpd", Self::Openbgpd),
            ("exabgp", Self::Exabgp),
            ("gobgp", Self::Gobgp),
            ("frr", Self::Frr),
            ("bird", Self::Bird),
        ];
        named.iter().find(|(name, _)| image.contains(name)).map_or(Self::None, |(_, router)| *router)
    }

    /// The name people know it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Siskin => "siskin",
            Self::Bird => "BIRD",
            Self::Frr => "FRR",
            Self::Gobgp => "GoBGP",
            Self::Openbgpd => "OpenBGPD",
            Self::Exabgp => "ExaBGP",
            Self::None => "linux",
        }
    }

    /// Debian's package that brings it.
    pub fn package(self) -> Option<&'static str> {
        match self {
            Self::Bird => Some("bird2"),
            Self::Frr => Some("frr"),
            Self::Gobgp => Some("gobgpd"),
            Self::Openbgpd => Some("openbgpd"),
            Self::Exabgp => Some("exabgp"),
            Self::Siskin | Self::None => None,
        }
    }

    /// Folders the router wants to find, with their owner.
    pub fn folders(self) -> Vec<(PathBuf, String)> {
        match self {
            Self::Siskin => vec![("/run/siskin".into(), String::new())],
            Self::Bird => vec![("/run/bird".into(), String::new())],
            Self::Frr => {
                vec![("/run/frr".into(), "frr:frr".into()), ("/var/log/frr".into(), "frr:frr".into())]
            }
            Self::Openbgpd => vec![("/run/openbgpd".into(), String::new())],
            Self::Exabgp => vec![("/run/exabgp".into(), String::new())],
            Self::Gobgp | Self::None => Vec::new(),
        }
    }

    /// The programs to run, in order. `cmd` of the topology file replaces the arguments, or the program when it names
    /// another; `entrypoint` replaces the program.
    pub fn services(self, node: &Node) -> Vec<Service> {
        let given: Vec<_> = node.entrypoint.iter().chain(&node.cmd).cloned().collect();
        if is_shell(&given) {
            return Vec::new();
        }
        if !node.entrypoint.is_empty() {
            return vec![Service { name: "main".into(), argv: given, ready: Vec::new() }];
        }
        match self {
            Self::Siskin => siskin::services(&node.cmd),
            Self::Bird => bird::services(node),
            Self::Frr => frr::services(node),
            Self::Gobgp => gobgp::services(node),
            Self::Openbgpd => openbgpd::services(node),
            Self::Exabgp => exabgp::services(node),
            Self::None if node.cmd.is_empty() => Vec::new(),
            Self::None => vec![Service { name: "main".into(), argv: node.cmd.clone(), ready: Vec::new() }],
        }
    }

    /// Where the router reads its configuration in this node, if it has one file for it.
    pub fn configuration(self, node: &Node) -> Option<String> {
        match self {
            Self::Siskin => Some("/etc/siskin/siskin.toml".into()),
            Self::Bird => Some(file_of(node, bird::FILES)),
            Self::Frr => Some("/etc/frr/frr.conf".into()),
            Self::Gobgp => Some(file_of(node, gobgp::FILES)),
            Self::Openbgpd => Some(file_of(node, openbgpd::FILES)),
            Self::Exabgp => Some(file_of(node, exabgp::FILES)),
            Self::None => None,
        }
    }

    /// The command that prints its version.
    pub fn version_command(self) -> Option<Vec<String>> {
        let words: &[&str] = match self {
            Self::Siskin => &["siskin", "--version"],
            Self::Bird => &["bird", "--version"],
            Self::Frr => &["/usr/lib/frr/bgpd", "--version"],
            Self::Gobgp => &["gobgpd", "--version"],
            Self::Openbgpd => &["/usr/sbin/bgpd", "-V"],
            Self::Exabgp => &["exabgp", "--version"],
            Self::None => return None,
        };
        Some(strings(words))
    }

    /// The sessions as the router itself sees them, sorted by the peer's address.
    pub fn sessions(self, shell: &dyn Shell) -> Result<Vec<SessionState>> {
        let mut sessions = match self {
            Self::Siskin => siskin::sessions(shell)?,
            Self::Bird => bird::sessions(shell)?,
            Self::Frr => frr::sessions(shell)?,
            Self::Gobgp => gobgp::sessions(shell)?,
            Self::Openbgpd => openbgpd::sessions(shell)?,
            Self::Exabgp => exabgp::sessions(shell)?,
            Self::None => anyhow::bail!("no router runs here"),
        };
        sessions.sort();
        Ok(sessions)
    }

    /// The learned IPv4 and IPv6 unicast paths the router holds, sorted.
    pub fn table(self, shell: &dyn Shell) -> Result<Vec<PathLine>> {
        let mut paths = match self {
            Self::Siskin => siskin::table(shell)?,
            Self::Bird => bird::table(shell)?,
            Self::Frr => frr::table(shell)?,
            Self::Gobgp => gobgp::table(shell)?,
            Self::Openbgpd => openbgpd::table(shell)?,
            Self::Exabgp => exabgp::table(shell)?,
            Self::None => anyhow::bail!("no router runs here"),
        };
        paths.sort();
        Ok(paths)
    }
}

/// Of the places where a router's images read their configuration, the first that the node's binds fill; the first of
/// all where they fill none.
fn file_of(node: &Node, places: &[&str]) -> String {
    let filled = |place: &&&str| {
        node.binds.iter().any(|bind| match std::path::Path::new(place).strip_prefix(&bind.target) {
            Ok(rest) if rest.as_os_str().is_empty() => true,
            Ok(rest) => bind.source.join(rest).is_file(),
            Err(_) => false,
        })
    };
    places.iter().find(filled).or(places.first()).map(|place| (*place).to_owned()).unwrap_or_default()
}

/// Whether a command is a shell and nothing for it to run: in a container it waits at its terminal, and keeps it alive.
fn is_shell(command: &[String]) -> bool {
    let Some((program, options)) = command.split_first() else { return false };
    let name = program.rsplit('/').next().unwrap_or_default();
    ["sh", "bash", "ash", "dash", "zsh"].contains(&name)
        && options.iter().all(|option| ["-i", "-l", "-il", "-li", "--login"].contains(&option.as_str()))
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}

/// `cmd` as a container takes it: another program if it names one, else arguments of the image's own.
fn with_cmd(program: &str, default: &[&str], cmd: &[String]) -> Vec<String> {
    match cmd.first() {
        None => std::iter::once(program.to_owned()).chain(strings(default)).collect(),
        Some(first) if !first.starts_with('-') && crate::command::on_path(first).is_some() => cmd.to_vec(),
        Some(_) => std::iter::once(program.to_owned()).chain(cmd.iter().cloned()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{Access, Bind};

    fn node(binds: &[(&std::path::Path, &str)], cmd: &str) -> Node {
        let bind = |(source, target): &(&std::path::Path, &str)| Bind {
            source: (*source).to_owned(),
            target: target.into(),
            access: Access::ReadOnly,
        };
        Node {
            binds: binds.iter().map(bind).collect(),
            cmd: shell_words::split(cmd).unwrap(),
            ..Node::default()
        }
    }

    #[test]
    fn a_configuration_is_found_where_the_usual_images_read_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("bgpd.conf"), "").unwrap();
        let file = folder.path().join("bgpd.conf");
        let place =
            |router: Router, binds: &[(&std::path::Path, &str)]| router.configuration(&node(binds, ""));
        assert_eq!(place(Router::Bird, &[]).as_deref(), Some("/etc/bird/bird.conf"));
        assert_eq!(place(Router::Bird, &[(&file, "/etc/bird.conf")]).as_deref(), Some("/etc/bird.conf"));
        assert_eq!(place(Router::Openbgpd, &[]).as_deref(), Some("/etc/bgpd.conf"));
        let bound = [(folder.path(), "/etc/bgpd")];
        assert_eq!(place(Router::Openbgpd, &bound).as_deref(), Some("/etc/bgpd/bgpd.conf"));
    }

    #[test]
    fn a_shell_with_nothing_to_run_keeps_a_node_alive() {
        for cmd in ["sh", "bash", "ash", "/bin/bash -l"] {
            assert!(Router::None.services(&node(&[], cmd)).is_empty(), "{cmd}");
            assert!(Router::Bird.services(&node(&[], cmd)).is_empty(), "{cmd}");
        }
        let services = Router::None.services(&node(&[], "sh -c 'sleep 9'"));
        assert_eq!(services[0].argv, ["sh", "-c", "sleep 9"]);
        assert!(Router::None.services(&node(&[], "")).is_empty());
    }
}
