//! Streams of UDP packets that run while other things happen, and what became of them.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::{Verdict, watch::Any};
use crate::{
    lab::Lab,
    stream::{Case, Lap, Shape, Side, Stream},
};

/// Starts a stream between two nodes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The name by which it is judged.
    pub name: String,
    /// The node it goes out from.
    pub from: String,
    /// The node it goes to.
    pub to: String,
    /// Which way packets go.
    #[serde(default)]
    pub ways: Ways,
    /// Packets per second in each direction.
    #[serde(default = "thousand")]
    pub rate: u32,
    /// Octets of UDP payload.
    #[serde(default = "small")]
    pub size: usize,
    /// The UDP port; two streams between the same nodes need two.
    #[serde(default = "port")]
    pub port: u16,
}

/// Which way packets go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ways {
    /// In both directions.
    #[default]
    Both,
    /// From `from` to `to` only.
    There,
}

fn thousand() -> u32 {
    1000
}

fn small() -> usize {
    16
}

fn port() -> u16 {
    4000
}

impl Start {
    /// Starts it.
    pub fn run(&self, lab: &Lab) -> Result<Stream> {
        let (from, to) = (side(lab, &self.from)?, side(lab, &self.to)?);
        let mut pairs = vec![(from.clone(), to.clone())];
        if self.ways == Ways::Both {
            pairs.push((to, from));
        }
        Stream::start(&pairs, Shape { rate: self.rate, size: self.size, port: self.port })
    }
}

/// Judges what became of a stream's packets since its start or the last time it was judged.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judge {
    /// The stream's name.
    pub name: String,
    /// What happened meanwhile: its line in the table of cases. None: it is in no table.
    pub case: Option<String>,
    /// How many packets may be lost at most; `"any"` where the number is only to be known.
    #[serde(default)]
    pub lost: Allowed,
    /// How many packets must have been sent at least: fewer prove nothing.
    #[serde(default = "hundred")]
    pub sent: u64,
}

fn hundred() -> u64 {
    100
}

/// How many losses are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Allowed {
    /// This many at most.
    AtMost(u64),
    /// Any number.
    Word(Any),
}

impl Default for Allowed {
    fn default() -> Self {
        Self::AtMost(0)
    }
}

impl Judge {
    /// Counts, judges, and enters the case in the table.
    pub fn judge(&self, stream: &mut Stream, cases: &mut Vec<Case>) -> Verdict {
        let lap = stream.lap();
        let verdict = self.verdict(&lap);
        if let Some(name) = self.case.clone() {
            cases.push(Case { name, lap });
        }
        verdict
    }

    fn verdict(&self, lap: &Lap) -> Verdict {
        let words = lap.show();
        if lap.sent < self.sent {
            return Verdict::fail(format!("{words}: fewer than {} prove nothing", self.sent));
        }
        match self.lost {
            Allowed::AtMost(most) if lap.lost > most => {
                Verdict::fail(format!("{words}: more than {most} lost"))
            }
            _ => Verdict::Pass(words),
        }
    }
}

/// A node's namespace and its first IPv4 address.
fn side(lab: &Lab, node: &str) -> Result<Side> {
    let ends = lab.topology.links.iter().flat_map(|link| &link.ends).filter(|end| end.node == node);
    let address = ends.flat_map(|end| &end.addresses).find_map(|net| match net.addr() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    });
    let address: Ipv4Addr = address.with_context(|| format!("node {node} has no IPv4 address"))?;
    Ok(Side { namespace: lab.node(node)?.namespace.clone(), address })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(text: &str, lap: &Lap) -> Verdict {
        toml::from_str::<Judge>(text).unwrap().verdict(lap)
    }

    #[test]
    fn a_single_lost_packet_is_one_too_many_unless_more_are_allowed() {
        let lap = Lap { sent: 1000, lost: 1, ..Lap::default() };
        assert!(matches!(judge("name = \"a\"", &lap), Verdict::Fail { .. }));
        assert!(matches!(judge("name = \"a\"\nlost = 1", &lap), Verdict::Pass(_)));
        assert!(matches!(judge("name = \"a\"\nlost = \"any\"", &lap), Verdict::Pass(_)));
    }

    #[test]
    fn a_stream_that_hardly_sent_proves_nothing() {
        let lap = Lap { sent: 99, ..Lap::default() };
        assert!(matches!(judge("name = \"a\"", &lap), Verdict::Fail { .. }));
        assert!(matches!(judge("name = \"a\"\nsent = 10", &lap), Verdict::Pass(_)));
    }
}
