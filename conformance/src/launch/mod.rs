//! What runs in a node: chosen by its image's name, as the containers of the same names would run it.

mod bird;
mod exabgp;
mod frr;
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
        if !node.entrypoint.is_empty() {
            let argv = node.entrypoint.iter().chain(&node.cmd).cloned().collect();
            return vec![Service { name: "main".into(), argv, ready: Vec::new() }];
        }
        match self {
            Self::Siskin => siskin::services(&node.cmd),
            Self::Bird => bird::services(&node.cmd),
            Self::Frr => frr::services(node),
            Self::Gobgp => gobgp::services(&node.cmd),
            Self::Openbgpd => openbgpd::services(&node.cmd),
            Self::Exabgp => exabgp::services(&node.cmd),
            Self::None if node.cmd.is_empty() => Vec::new(),
            Self::None => vec![Service { name: "main".into(), argv: node.cmd.clone(), ready: Vec::new() }],
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
